"""A parameter file of hammurabiX as a tree that knows which of its elements were used."""

import math
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from ._text import read_text

MOST_NOTES = 100
"""So many elements without a counterpart are named one by one."""


class Reader:
    """One file, what was read of it, and the notes made on the way."""

    def __init__(self, path: str | os.PathLike):
        try:
            self.root = ET.fromstring(read_text(path))
        except ET.ParseError as error:
            raise ValueError(f"'{path}' is not XML: {error}") from None
        except (UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"'{path}' is not XML in UTF-8: {error}") from None
        if self.root.tag != "root":
            raise ValueError(
                f"'{path}' is no parameter file of hammurabiX: <{self.root.tag}>, not <root>"
            )
        self.notes: list[str] = []
        self._used: set[int] = set()

    def find(self, path: str) -> ET.Element | None:
        """The first element at 'a/b/c', which counts as used."""
        element = self.root.find(path) if path else None
        if element is not None:
            self._used.add(id(element))
        return element

    def each(self, path: str) -> Iterable[ET.Element]:
        """All elements at a path, which count as used."""
        for element in self.root.findall(path):
            self._used.add(id(element))
            yield element

    def skip(self, path: str) -> None:
        """Count an element and all within it as used."""
        for element in self.root.findall(path):
            self._used.update(map(id, element.iter()))

    def number(self, path: str, default: float | None = None) -> float | None:
        """The value of an element 'a/b/c'; hammurabiX keeps numbers in attributes."""
        element = self.find(path)
        text = None if element is None else element.get("value")
        return default if text is None else self._number(path, "value", text)

    def attribute(self, element: ET.Element, path: str, name: str) -> float:
        """A number in an attribute that must be there."""
        text = element.get(name)
        if text is None:
            raise ValueError(f"{path}: the attribute {name} is missing")
        return self._number(path, name, text)

    @staticmethod
    def _number(path: str, name: str, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"{path}: {name} {text[:60]!r} is not a number") from None
        if not math.isfinite(number):
            raise ValueError(f"{path}: {name} {text[:60]!r} is not finite")
        return number

    def whole(self, number: float | None, path: str, low: int, high: int) -> int:
        """A whole number in a range."""
        if number is None or number != round(number) or not low <= number <= high:
            raise ValueError(f"{path} must be a whole number from {low} to {high}, got {number}")
        return int(number)

    def first(self, *paths: str) -> str | None:
        """The first of several spellings that exists."""
        return next((p for p in paths if self.root.find(p) is not None), None)

    def on(self, path: str) -> bool:
        """Whether an element is there and its cue is not 0; what is off needs no counterpart."""
        element = self.find(path)
        if element is None:
            return False
        if element.get("cue", "1").strip() == "0":
            self.skip(path)
            return False
        return True

    def kind(self, path: str) -> str:
        """The `type` attribute of an element, in lower case."""
        element = self.find(path)
        return "" if element is None else element.get("type", "").strip().lower()

    def chosen(self, path: str, kind: str) -> None:
        """Note the blocks beside the one that the type of an element chooses."""
        element = self.find(path)
        if element is None:
            return
        others = [child for child in element if child.tag != kind]
        for child in others:
            self._used.update(map(id, child.iter()))
        if others:
            names = ", ".join(dict.fromkeys(str(child.tag) for child in others))
            self.notes.append(f"{path}: of type {kind!r}, so its {names} is not used")

    def report(self) -> None:
        """Note every element that was not used, the outermost of each branch."""
        found = [
            path
            for path, element in self._branches()
            if not any(id(inner) in self._used for inner in element.iter())
        ]
        shown = dict.fromkeys(found)
        for path in list(shown)[:MOST_NOTES]:
            self.notes.append(f"{path} is not mapped")
        if len(shown) > MOST_NOTES:
            self.notes.append(f"{len(shown) - MOST_NOTES} further elements are not mapped")

    def _branches(self) -> Iterable[tuple[str, ET.Element]]:
        """Elements from the root down to the first of each branch of which nothing was used."""
        pending = [(str(child.tag), child) for child in reversed(list(self.root))]
        while pending:
            path, element = pending.pop()
            yield path, element
            if any(id(inner) in self._used for inner in element.iter()) and path.count("/") < 8:
                pending += [(f"{path}/{c.tag}", c) for c in reversed(list(element))]

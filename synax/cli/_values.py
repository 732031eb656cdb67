"""Strict readers of single configuration values: each returns the value or raises `BadInput`.

A reader is called with the key (for the message) and the value, and knows its JSON schema.
"""

import dataclasses
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._console import BadInput, choose

Reader = Callable[[str, Any], Any]

SOURCES = ("model", "class", "grid")
"""The keys that say what a field is; a table has exactly one of them."""

DEEPEST = 8
"""Brackets within brackets that a list of numbers may have."""


@dataclasses.dataclass(frozen=True)
class quantity:
    """A finite number in `unit`, or a string with a unit that converts to it ('408 MHz')."""

    unit: str
    positive: bool = False
    minimum: float | int | None = None
    below: float | int | None = None
    maximum: float | int | None = None

    def __call__(self, key: str, value: Any) -> float:
        number, where = in_unit(key, value, self.unit), _in(self.unit)
        if isinstance(number, list):
            raise BadInput(f"{key} = {shown(value)}: must be one number{where}")
        if self.positive and number <= 0:
            raise BadInput(f"{key} = {shown(value)}: must be positive{where}")
        if self.minimum is not None and number < self.minimum:
            raise BadInput(f"{key} = {shown(value)}: must be at least {self.minimum:g}{where}")
        if self.below is not None and not number < self.below:
            raise BadInput(f"{key} = {shown(value)}: must be less than {self.below:g}{where}")
        if self.maximum is not None and number > self.maximum:
            raise BadInput(f"{key} = {shown(value)}: must be at most {self.maximum:g}{where}")
        return number

    def json(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "number"}
        if self.positive:
            number["exclusiveMinimum"] = 0
        if self.minimum is not None:
            number["minimum"] = self.minimum
        if self.below is not None:
            number["exclusiveMaximum"] = self.below
        if self.maximum is not None:
            number["maximum"] = self.maximum
        return {"anyOf": [number, {"type": "string"}]}


@dataclasses.dataclass(frozen=True)
class vector:
    """A list of `n` finite numbers in `unit`."""

    n: int
    unit: str
    positive: bool = False

    def __call__(self, key: str, value: Any) -> list[float]:
        if not isinstance(value, list) or len(value) != self.n:
            raise BadInput(
                f"{key} = {shown(value)}: must be a list of {self.n} numbers{_in(self.unit)}"
            )
        one = quantity(self.unit, positive=self.positive)
        return [one(f"{key}[{k}]", item) for k, item in enumerate(value)]

    def json(self) -> dict[str, Any]:
        items = quantity(self.unit, positive=self.positive).json()
        return {"type": "array", "items": items, "minItems": self.n, "maxItems": self.n}


@dataclasses.dataclass(frozen=True)
class integer:
    """A whole number in a range."""

    minimum: int
    maximum: int | None = None

    def __call__(self, key: str, value: Any) -> int:
        upper = "" if self.maximum is None else f" and at most {self.maximum}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadInput(
                f"{key} = {shown(value)}: must be a whole number, at least {self.minimum}{upper}"
            )
        if value < self.minimum or (self.maximum is not None and value > self.maximum):
            raise BadInput(f"{key} = {shown(value)}: must be at least {self.minimum}{upper}")
        return value

    def json(self) -> dict[str, Any]:
        upper = {} if self.maximum is None else {"maximum": self.maximum}
        return {"type": "integer", "minimum": self.minimum, **upper}


@dataclasses.dataclass(frozen=True)
class integers:
    """A list of `n` whole numbers."""

    n: int
    minimum: int

    def __call__(self, key: str, value: Any) -> list[int]:
        if not isinstance(value, list) or len(value) != self.n:
            raise BadInput(f"{key} = {shown(value)}: must be a list of {self.n} whole numbers")
        return [integer(self.minimum, 2**31)(f"{key}[{k}]", x) for k, x in enumerate(value)]

    def json(self) -> dict[str, Any]:
        items = integer(self.minimum).json()
        return {"type": "array", "items": items, "minItems": self.n, "maxItems": self.n}


@dataclasses.dataclass(frozen=True)
class _Boolean:
    """true or false."""

    def __call__(self, key: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise BadInput(f"{key} = {shown(value)}: must be true or false")
        return value

    def json(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclasses.dataclass(frozen=True)
class _Text:
    """A non-empty string on one line; as a path, with ~ for the home folder."""

    path: bool = False

    def __call__(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise BadInput(f"{key} = {shown(value)}: must be a non-empty string")
        if any("\ud800" <= c <= "\udfff" for c in value):  # Python's marks of bytes it cannot read
            raise BadInput(
                f"{key} = {shown(value)}: must be readable in the encoding of this shell, "
                f"'{sys.getfilesystemencoding()}'"
            )
        if not value.isprintable():
            raise BadInput(
                f"{key} = {shown(value)}: must not hold line feeds or control characters"
            )
        return str(from_home(key, value)) if self.path else value

    def json(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


boolean, text, path = _Boolean(), _Text(), _Text(path=True)


@dataclasses.dataclass(frozen=True, init=False)
class choice:
    """One of the strings."""

    allowed: tuple[str, ...]
    spelled: Callable[[str], str] | None
    """Other spellings to one of them."""

    def __init__(self, *allowed: str, spelled: Callable[[str], str] | None = None):
        object.__setattr__(self, "allowed", allowed)
        object.__setattr__(self, "spelled", spelled)

    def __call__(self, key: str, value: Any) -> str:
        if self.spelled is not None and isinstance(value, str):
            value = self.spelled(value)
        return choose(key, value, self.allowed)

    def json(self) -> dict[str, Any]:
        return {"enum": list(self.allowed)}


@dataclasses.dataclass(frozen=True)
class list_of:
    """A non-empty list without repetitions, each item read by `reader`; one item may stand bare."""

    reader: Any
    what: str

    def __call__(self, key: str, value: Any) -> list[Any]:
        items = value if isinstance(value, list) else [value]
        if not items:
            raise BadInput(f"{key} = []: must hold at least one {self.what}")
        found = [
            self.reader(f"{key}[{k}]" if len(items) > 1 else key, v) for k, v in enumerate(items)
        ]
        if len(set(found)) < len(found):
            raise BadInput(f"{key} = {shown(value)}: names a {self.what} twice")
        return found

    def json(self) -> dict[str, Any]:
        one = self.reader.json()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


@dataclasses.dataclass(frozen=True)
class table_of:
    """A non-empty table whose values are read by `reader`."""

    reader: Any
    example: str

    def __call__(self, key: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not value:
            raise BadInput(f"{key} = {shown(value)}: must be a table such as {self.example}")
        return {name: self.reader(f"{key}.{name}", item) for name, item in value.items()}

    def json(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.reader.json(), "minProperties": 1}


@dataclasses.dataclass(frozen=True)
class either:
    """A string (read as the first), or what the second reader takes."""

    string: Any
    other: Any

    def __call__(self, key: str, value: Any) -> Any:
        if isinstance(self.string, choice) and isinstance(value, str):
            return self._word(key, value)
        return (self.string if isinstance(value, str) else self.other)(key, value)

    def _word(self, key: str, value: str) -> Any:
        """One of the words, or a number with its unit; a refusal says both."""
        if value in self.string.allowed:
            return value
        words = ", ".join(map(repr, self.string.allowed))
        if isinstance(self.other, _Boolean):
            raise BadInput(f"{key} = {shown(value)}: must be true, false or {words}")
        try:
            return self.other(key, value)
        except BadInput as refusal:
            raise BadInput(f"{refusal}; or {words}") from None

    def json(self) -> dict[str, Any]:
        return {"anyOf": [self.string.json(), self.other.json()]}


nside = integer(1, 8192)
"""A HEALPix resolution."""


def check_nested(key: str, nside: int, ordering: str) -> None:
    """Raise `BadInput` for a resolution that nested numbering does not have."""
    if ordering == "NEST" and nside & (nside - 1):
        raise BadInput(f"{key} = {nside}: must be a power of two in NEST ordering")


def like(key: str, value: Any, default: Any) -> Any:
    """A switch of a model: a value of the same kind as its default (None: any plain value)."""
    if isinstance(default, bool):
        return boolean(key, value)
    if isinstance(default, int):
        return integer(-(2**53), 2**53)(key, value)
    if isinstance(default, float):
        return quantity("")(key, value)
    if isinstance(default, str) and default != "(required)":
        return text(key, value)
    if isinstance(default, list):
        if not isinstance(value, list) or len(value) != len(default):
            raise BadInput(f"{key} = {shown(value)}: must be a list of {len(default)} values")
        pairs = enumerate(zip(value, default, strict=True))
        return tuple(like(f"{key}[{k}]", item, one) for k, (item, one) in pairs)
    if isinstance(value, list):
        return tuple(like(f"{key}[{k}]", item, None) for k, item in enumerate(value))
    if isinstance(value, str):
        return text(key, value)
    return value if isinstance(value, bool) else in_unit(key, value, "", whole=True)


def in_unit(key: str, value: Any, unit: str, depth: int = 0, whole: bool = False) -> Any:
    """Numbers (or nested lists of them) in `unit`; strings are parsed with their unit.

    `whole`: whole numbers stay so; otherwise all become floating-point numbers.
    """
    if isinstance(value, list):
        if depth == DEEPEST:
            raise BadInput(f"{key}: must not have more than {DEEPEST} brackets in each other")
        items = enumerate(value)
        return [in_unit(f"{key}[{k}]", item, unit, depth + 1, whole) for k, item in items]
    if isinstance(value, str):
        value = _parse(key, value, unit)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{key} = {shown(value)}: must be a number{_in(unit)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadInput(f"{key} = {shown(value)}: must be finite")
    return value if whole else number


def regular(key: str, value: Any) -> Any:
    """`value`, if it is a number or lists of numbers with rows of one length."""
    if isinstance(value, list):
        shapes = [_shape(item) for item in value]
        if any(shape != shapes[0] for shape in shapes):
            raise BadInput(f"{key} = {shown(value)}: must have rows of one length")
        for k, item in enumerate(value):
            regular(f"{key}[{k}]", item)
    return value


def _shape(value: Any) -> Any:
    return (len(value), *map(_shape, value[:1])) if isinstance(value, list) else ()


def from_home(key: str, value: str) -> Path:
    """A path whose leading ~ stands for a home folder."""
    try:
        return Path(value).expanduser()
    except (RuntimeError, ValueError):
        raise BadInput(f"{key} = {shown(value)}: there is no such home folder") from None


def shown(value: Any) -> str:
    """A value as it stands in a message: short, on one line."""
    try:
        found = repr(value)
    except (ValueError, RecursionError):  # whole numbers of thousands of digits, deep lists
        return "(a value too long to show)"
    return found if len(found) <= 200 else f"{found[:80]}...{found[-20:]}"


def _parse(key: str, value: str, unit: str) -> float:
    import astropy.units as u

    try:
        parsed: Any = u.Quantity(value[:100])
        if parsed.isscalar:
            return float(f"{parsed.to_value(unit):.15g}")  # 408 MHz are 0.408 GHz
    except (TypeError, ValueError, u.UnitConversionError, OverflowError, RecursionError):
        pass
    example = f"'1.5 {unit}'" if unit else "1.5"
    raise BadInput(
        f"{key} = {shown(value)}: must be a number{_in(unit)}, such as {example}"
    ) from None


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ""

"""Strict readers of single configuration values: each returns the value or raises `BadInput`."""

import math
from collections.abc import Callable
from typing import Any

from ._console import BadInput, choose

Reader = Callable[[str, Any], Any]

SOURCES = ("model", "class", "grid")
"""The keys that say what a field is; a table has exactly one of them."""


def quantity(unit: str, *, positive: bool = False, minimum: float | None = None) -> Reader:
    """A finite number in `unit`, or a string with a unit that converts to it ('408 MHz')."""

    def read(key: str, value: Any) -> float:
        number = in_unit(key, value, unit)
        if isinstance(number, list):
            raise BadInput(f"{key} = {value!r}: must be one number{_in(unit)}")
        if positive and number <= 0:
            raise BadInput(f"{key} = {value!r}: must be positive{_in(unit)}")
        if minimum is not None and number < minimum:
            raise BadInput(f"{key} = {value!r}: must be at least {minimum:g}{_in(unit)}")
        return number

    return read


def vector(n: int, unit: str, *, positive: bool = False) -> Reader:
    """A list of `n` finite numbers in `unit`."""

    def read(key: str, value: Any) -> list[float]:
        if not isinstance(value, list) or len(value) != n:
            raise BadInput(f"{key} = {value!r}: must be a list of {n} numbers{_in(unit)}")
        one = quantity(unit, positive=positive)
        return [one(f"{key}[{k}]", item) for k, item in enumerate(value)]

    return read


def integer(minimum: int, maximum: int | None = None) -> Reader:
    """A whole number in a range."""

    def read(key: str, value: Any) -> int:
        upper = "" if maximum is None else f" and at most {maximum}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadInput(f"{key} = {value!r}: must be a whole number, at least {minimum}{upper}")
        if value < minimum or (maximum is not None and value > maximum):
            raise BadInput(f"{key} = {value!r}: must be at least {minimum}{upper}")
        return value

    return read


def boolean(key: str, value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise BadInput(f"{key} = {value!r}: must be true or false")
    return value


def text(key: str, value: Any) -> str:
    """A non-empty string."""
    if not isinstance(value, str) or not value:
        raise BadInput(f"{key} = {value!r}: must be a non-empty string")
    return value


def choice(*allowed: str) -> Reader:
    """One of the strings."""
    return lambda key, value: choose(key, value, allowed)


def list_of(reader: Reader, what: str) -> Reader:
    """A non-empty list without repetitions, each item read by `reader`; one item may stand bare."""

    def read(key: str, value: Any) -> list[Any]:
        items = value if isinstance(value, list) else [value]
        if not items:
            raise BadInput(f"{key} = []: must hold at least one {what}")
        found = [reader(f"{key}[{k}]" if len(items) > 1 else key, v) for k, v in enumerate(items)]
        if len(set(found)) < len(found):
            raise BadInput(f"{key} = {value!r}: names a {what} twice")
        return found

    return read


def nside(key: str, value: Any) -> int:
    """A HEALPix resolution."""
    return integer(1, 8192)(key, value)


def check_nested(key: str, nside: int, ordering: str) -> None:
    """Raise `BadInput` for a resolution that nested numbering does not have."""
    if ordering == "NEST" and nside & (nside - 1):
        raise BadInput(f"{key} = {nside}: must be a power of two in NEST ordering")


def in_unit(key: str, value: Any, unit: str) -> Any:
    """Numbers (or nested lists of them) in `unit`; strings are parsed with their unit."""
    if isinstance(value, list):
        return [in_unit(f"{key}[{k}]", item, unit) for k, item in enumerate(value)]
    if isinstance(value, str):
        value = _parse(key, value, unit)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{key} = {value!r}: must be a number{_in(unit)}")
    if not math.isfinite(value):
        raise BadInput(f"{key} = {value!r}: must be finite")
    return float(value)


def _parse(key: str, value: str, unit: str) -> float:
    import astropy.units as u

    try:
        parsed: Any = u.Quantity(value)
        if parsed.isscalar:
            return float(parsed.to_value(unit))
    except (TypeError, ValueError, u.UnitConversionError):
        pass
    example = f"'1.5 {unit}'" if unit else "1.5"
    raise BadInput(f"{key} = {value!r}: must be a number{_in(unit)}, such as {example}") from None


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ""

"""Arithmetic of the package's objects: what an object does not take is refused in one sentence."""

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import equinox as eqx
import numpy as np

from . import _checks as checks

_SYMBOLS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "matmul": "@",
}


def is_number(value: Any) -> bool:
    """Whether a value is one number: Python's, NumPy's, JAX's (traced too) or a Quantity's."""
    known = eqx.is_array_like(value) or (hasattr(value, "unit") and hasattr(value, "to_value"))
    return known and not isinstance(value, bool | np.bool_) and np.ndim(value) == 0


def is_zero(value: Any) -> bool:
    """Whether a value is Python's number 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


class Refusing:
    """Operators that refuse. A class writes those that it has, and hands on what it cannot take.

    NumPy would take an object apart, or make an array of objects: `__array_ufunc__` hands its
    operators on to those here.
    """

    __array_ufunc__ = None

    _arithmetic: ClassVar[str] = ""
    """What is allowed, as a sentence without its stop."""

    def _refuse(self, symbol: str, other: Any, reflected: bool = False) -> NoReturn:
        """Raise `TypeError`: what came, and what is allowed."""
        pair = (_named(other), _named(self)) if reflected else (_named(self), _named(other))
        allowed = self._arithmetic or f"{type(self).__name__} objects have no arithmetic"
        raise TypeError(f"{pair[0]} {symbol} {pair[1]} is not defined: {allowed}")


def _named(value: Any) -> str:
    if isinstance(value, eqx.Module):
        return type(value).__name__
    text = str(value) if hasattr(value, "to_value") else checks.shown(value)
    return "None" if value is None else f"{text} ({type(value).__name__})"


def _refused(symbol: str, reflected: bool) -> Callable[[Any, Any], NoReturn]:
    return lambda self, other: self._refuse(symbol, other, reflected)


for _name, _symbol in _SYMBOLS.items():
    setattr(Refusing, f"__{_name}__", _refused(_symbol, False))
    setattr(Refusing, f"__r{_name}__", _refused(_symbol, True))

"""Models published in several variants: checks of names, and defaults that depend on them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx

from .._parameters import as_parameter


def check_choice(owner: str, name: str, value: Any, allowed: Iterable[Any]) -> None:
    """Raise `ValueError` that lists what is allowed unless `value` is one of `allowed`."""
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"{owner}: {name} must be one of {allowed}, got {value!r}")


def radians(values: Mapping[str, float], *angles: str) -> dict[str, float]:
    """A copy of a table row with the named angles turned from degrees into radians."""
    return {k: math.radians(v) if k in angles else v for k, v in values.items()}


def fill_defaults(model: eqx.Module, defaults: Mapping[str, float], prefix: str = "") -> None:
    """Set the parameters the caller left out (`None`) while `model` is being constructed."""
    for name, value in defaults.items():
        if getattr(model, prefix + name) is None:
            setattr(model, prefix + name, as_parameter(value))

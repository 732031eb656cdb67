"""What may be added to a map, and what it may be multiplied with."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._given import as_values
from ._units import conversion_factor

_MUST_AGREE = ("kind", "unit", "convention", "frame", "ordering", "nside", "frequency")


def addend(sky: Any, other: Any) -> Any:
    """Numbers that may be added to the values of a map: another map's that belongs to it, an
    array's, a Quantity's in its unit. None for anything else.

    **Raises** `ValueError` that says in what two maps differ; or if one number would be added to
    several Stokes parameters.
    """
    if hasattr(other, "columns") and hasattr(other, "convention"):
        return _values_of_partner(sky, other)
    if getattr(other, "unit", None) is not None or isinstance(other, np.ma.MaskedArray):
        values = as_values(other, sky.unit)
    elif eqx.is_array_like(other) or isinstance(other, list | tuple):
        values = jnp.asarray(other)
    else:
        return None
    is_zero = not isinstance(values, jax.core.Tracer) and values.ndim == 0 and values == 0
    if values.ndim < 2 and len(sky.columns) > 1 and not is_zero:
        raise ValueError(
            f"numbers of shape {values.shape} would be added to {', '.join(sky.columns)} alike; "
            f"give an array of shape {sky.values.shape}"
        )
    return values


def _values_of_partner(sky: Any, other: Any) -> Any:
    for name in _MUST_AGREE:
        mine, theirs = getattr(sky, name), getattr(other, name)
        if mine != theirs:
            raise ValueError(f"maps differ in {name}: {mine} and {theirs}; convert one first")
    mine, theirs = sky.pixels, other.pixels
    if (mine is None) != (theirs is None) or (
        mine is not None and not np.array_equal(np.asarray(mine), np.asarray(theirs))
    ):
        raise ValueError("maps differ in pixels: they hold different parts of the sky")
    return other.values


def as_factor(factor: Any, verb: str) -> Any:
    """Numbers that a map may be multiplied with or divided by; None for others.

    **Raises** `ValueError` for another map, or numbers with a unit.
    """
    if hasattr(factor, "columns") and hasattr(factor, "convention"):
        word = "product" if verb == "multiplied" else "ratio"
        raise ValueError(f"two maps cannot be {verb}: the {word} has no map unit")
    if str(getattr(factor, "unit", None) or ""):
        raise ValueError(f"a map cannot be {verb} by numbers in {factor.unit}: it has a unit")
    factor = factor.to_value("") if hasattr(factor, "to_value") else factor
    if isinstance(factor, np.ma.MaskedArray):
        return as_values(factor, "")  # what is masked becomes missing
    usable = eqx.is_array_like(factor) or isinstance(factor, list | tuple)
    return jnp.asarray(factor) if usable else None


def factors(
    source: str, target: str, frequency: float | tuple[float, ...], dtype: Any
) -> float | jax.Array:
    """Number for each frequency, (n_freq, 1), that takes values of a map from unit to unit."""
    if not isinstance(frequency, tuple):
        return conversion_factor(source, target, frequency)
    return jnp.asarray([[conversion_factor(source, target, nu)] for nu in frequency], dtype=dtype)

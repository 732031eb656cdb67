"""What users give as the values and pixels of a map, made into arrays of one kind.

Missing pixels have many faces: NaN, HEALPix's UNSEEN, the mask of a masked array. Inside they
have one: NaN.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

UNSEEN = -1.6375e30
"""HEALPix's value of a missing pixel."""


def is_unseen(values: Any, bad: float = UNSEEN) -> Any:
    """True where a value is the sentinel `bad`, to the tolerance that healpy has (1e-5)."""
    return abs(values - bad) <= 1e-5 * abs(bad)


def as_values(values: Any, unit: str) -> Any:
    """Values of a map in `unit` as a floating-point array, NaN where a pixel is missing.

    Takes what `numpy.asarray` takes, JAX arrays, masked arrays, Quantities, columns of astropy
    tables, pandas Series, any byte order. A Quantity or a column with a unit is converted.

    **Raises** `ValueError` or `TypeError` that names the argument and what came.
    """
    if isinstance(values, jax.Array):
        return _marked(_floating(values))
    factor, values = _factor(values, unit)
    mask = getattr(values, "mask", None)
    values = getattr(values, "unmasked", values)
    array = _floating(np.ma.getdata(np.ma.asanyarray(values)))
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    missing = is_unseen(array) | ~(np.isfinite(array) | np.isinf(array))
    if mask is not None and not callable(mask):  # pandas has a method of this name
        missing = missing | np.broadcast_to(np.asarray(mask, bool), array.shape)
    array = array if factor == 1.0 else array * np.asarray(factor, array.dtype)
    return jnp.asarray(np.where(missing, np.asarray(np.nan, array.dtype), array))


@jax.jit
def _marked(values: Any) -> Any:
    return jnp.where(is_unseen(values), jnp.nan, values)


def _floating(values: Any) -> Any:
    kind = getattr(values.dtype, "kind", "")
    if values.dtype == np.float16 or values.dtype == jnp.bfloat16:
        return values.astype(np.float32)
    if kind == "f" or jnp.issubdtype(values.dtype, jnp.floating):
        return values if values.dtype.itemsize <= 8 else values.astype(np.float64)
    if kind in "iu":
        return values.astype(float)
    raise TypeError(f"values of a map must be real numbers, got {values.dtype}")


def _factor(values: Any, unit: str) -> tuple[float, Any]:
    """Number to multiply with to be in `unit`, and the plain numbers."""
    own = getattr(values, "unit", None)
    if own is None:
        return 1.0, values
    import astropy.units as u

    plain = unit.removesuffix("_RJ").removesuffix("_CMB")
    numbers = getattr(values, "value", values)
    try:
        return float(u.Unit(own).to(u.Unit(plain))), numbers
    except (u.UnitConversionError, ValueError, TypeError):
        raise u.UnitConversionError(f"values in {own} cannot be converted to {unit}") from None


def as_pixels(pixels: Any, nside: int) -> Any:
    """Pixel numbers as int64, checked: whole, in range, none twice. Traced ones pass as they are.

    **Raises** `ValueError` that says which number is wrong and what is allowed.
    """
    if pixels is None or isinstance(pixels, jax.core.Tracer):
        return pixels
    given = np.asarray(pixels)
    if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "iuf":
        raise ValueError(
            f"pixels must be a non-empty list of pixel numbers, got {given.dtype} of shape "
            f"{given.shape}"
        )
    if given.dtype.kind == "f" and not (np.isfinite(given) & (given == np.floor(given))).all():
        bad = given[~(np.isfinite(given) & (given == np.floor(given)))][0]
        raise ValueError(f"pixels must be whole numbers, got {bad:g}")
    top = 12 * nside**2 - 1
    outside = (given < 0) | (given > top)
    if outside.any():
        raise ValueError(f"pixels must lie in 0..{top} for nside {nside}, got {given[outside][0]}")
    numbers = given.astype(np.int64)
    values, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"pixels holds {values[counts > 1][0]} {counts.max()} times: each pixel may be there "
            "once"
        )
    return numbers


def as_nside(nside: Any) -> int:
    """A HEALPix resolution as an integer; `ValueError` for anything but a whole number from 1."""
    if not isinstance(nside, int | np.integer) or isinstance(nside, bool | np.bool_):
        raise ValueError(f"nside must be a whole number, got {nside!r}")
    if not 1 <= nside <= 2**29:
        raise ValueError(f"nside must be at least 1, got {nside} (and at most 2^29)")
    return int(nside)

"""From what users hold (Quantities, masked arrays, sky maps) to arrays in an observable's unit.

Missing values have many faces: NaN, HEALPix's UNSEEN, the mask of a masked array, pixels that a
map does not hold. All are found before anything is scaled, and become the mask of the likelihood.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from .._checks import shown
from ..maps import SkyMap, Stokes
from ..sightlines._sightlines import Sightlines

UNSEEN = -1.6375e30
"""HEALPix's mark of a missing pixel."""
PLAIN = {"K": "K", "rad/m2": "rad / m2", "pc/cm3": "pc / cm3", "": ""}


class Read(NamedTuple):
    """Values, and where there are any."""

    values: Any
    there: Bool[np.ndarray, "*shape"] | None
    """None: everywhere."""


def read(name: str, value: Any, unit: str, *, nan_is_missing: bool = True) -> Read:
    """An array of floating-point numbers in `unit`, from an array, a Quantity, a masked array.

    **Arguments:**

    - `name`: of the argument, for messages.
    - `unit`: 'K', 'rad/m2', 'pc/cm3' or ''.
    - `nan_is_missing`: whether NaN marks a missing value, as UNSEEN always does.

    **Raises** `TypeError` for what is no array of real numbers, `ValueError` for another unit.
    """
    if isinstance(value, jax.core.Tracer):
        return Read(value, None)
    mask, plain = np.ma.nomask, value
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmask(value)
        plain = value.filled(np.nan) if _real(value) else value
    elif hasattr(value, "unmasked"):  # astropy's masked Quantities
        mask, plain = value.mask, value.unmasked
    plain = _without_unit(name, plain, unit, value)
    if not isinstance(plain, jax.Array):
        try:
            plain = np.asarray(plain)
        except (TypeError, ValueError):
            raise TypeError(
                f"{name} must be an array of numbers, got {type(value).__name__}"
            ) from None
    if jnp.issubdtype(plain.dtype, jnp.complexfloating):
        raise TypeError(
            f"{name} is complex: give real numbers, Q and U as two rows in place of Q + iU"
        )
    if plain.dtype.kind not in "iuf" and not jnp.issubdtype(plain.dtype, jnp.floating):
        kind = f" of {plain.dtype}" if plain.ndim else f" {shown(value)}"
        raise TypeError(f"{name} must be an array of numbers, got {type(value).__name__}{kind}")
    if plain.dtype.itemsize < 4 and jnp.issubdtype(plain.dtype, jnp.floating):
        plain = plain.astype(np.float32)  # half precision does not know UNSEEN
    if not jnp.issubdtype(plain.dtype, jnp.floating):
        plain = np.asarray(plain, float)
    host = np.asarray(plain)
    there = np.broadcast_to(~np.asarray(mask, bool), host.shape)
    there = there & ~_is_unseen(np.asarray(host / _factor(value, unit)))
    if nan_is_missing:
        there = there & ~np.isnan(host)
    if there.all():
        return Read(jnp.asarray(_native(plain)), None)
    return Read(jnp.asarray(_native(np.where(there, host, 0.0))), there)


def _real(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "f"


def _native(value: Any) -> Any:
    """Without the byte order of a FITS file, which JAX does not know."""
    if isinstance(value, jax.Array) or value.dtype.isnative:
        return value
    return value.astype(value.dtype.newbyteorder("="))


def _is_unseen(values: np.ndarray) -> Any:
    return np.abs(values - UNSEEN) < 1e-3 * abs(UNSEEN)


def _factor(value: Any, unit: str) -> float:
    """What a Quantity was multiplied by on its way to `unit`."""
    own = getattr(value, "unit", None)
    return float(own.to(PLAIN[unit])) if own is not None and hasattr(own, "to") else 1.0


def _without_unit(name: str, value: Any, unit: str, given: Any) -> Any:
    own = getattr(given, "unit", None)
    if own is None or not hasattr(own, "is_equivalent"):
        return value
    if not own.is_equivalent(PLAIN[unit]):
        wanted = f"a unit that converts to {unit}" if unit else "no unit"
        raise ValueError(f"{name} must have {wanted}, got '{own}'")
    # also columns of tables, which have a unit and no conversion
    return np.asarray(getattr(value, "value", value)) * own.to(PLAIN[unit])


def sky_rows(
    name: str,
    value: Any,
    stokes: tuple[str, ...],
    rays: Sightlines,
    frequency: Any,
    *,
    signed: bool = True,
) -> Read:
    """Rows (n_stokes, *freq, n_rays) in K of a `Stokes`, dict, `SkyMap`, list of maps, or array.

    **Arguments:**

    - `signed`: whether U changes sign with the convention of a map (errors do not).

    **Raises** `ValueError` for a map of another frequency, resolution, or without one of the
    Stokes parameters.
    """
    if isinstance(value, SkyMap):
        value = _of_map(name, value, stokes, rays, frequency, signed)
    if isinstance(value, Stokes):
        value = {s: getattr(value, s) for s in stokes}
    if isinstance(value, dict):
        missing = [s for s in stokes if s not in value]
        if missing:
            raise ValueError(f"{name} has no {missing}; stokes is {stokes}")
        rows = [
            read(f"{name}['{s}']", _one(name, s, value[s], rays, frequency, signed), "K")
            for s in stokes
        ]
        return _stacked(rows)
    return read(name, value, "K")


def _one(name: str, s: str, value: Any, rays: Sightlines, frequency: Any, signed: bool) -> Any:
    if not isinstance(value, SkyMap):
        return value
    return _of_map(f"{name}['{s}']", value, (s,), rays, frequency, signed)[s]


def _stacked(rows: list[Read]) -> Read:
    values = jnp.stack([row.values for row in rows])
    if all(row.there is None for row in rows):
        return Read(values, None)
    there = [np.ones(row.values.shape, bool) if row.there is None else row.there for row in rows]
    return Read(values, np.stack(there))


def _of_map(
    name: str,
    sky: SkyMap,
    stokes: tuple[str, ...],
    rays: Sightlines,
    frequency: Any,
    signed: bool,
) -> dict[str, Array]:
    """Columns of a sky map on the sightlines, NaN where the map has no pixel."""
    lacking = [s for s in stokes if s not in sky.columns and not (s == "P" and "Q" in sky.columns)]
    if lacking:
        raise ValueError(f"{name} is a map of {sky.kind} and has no {lacking[0]}; give stokes=")
    own, asked = np.asarray(sky.frequency, float), np.asarray(frequency, float)
    if own.shape != asked.shape or not np.allclose(own, asked, rtol=1e-6, atol=0.0):
        raise ValueError(f"{name} is a map at {sky.frequency} GHz, and frequency is {frequency}")
    sky = sky.to_unit("K_RJ")
    sky = _on_rays(name, sky.to_convention("IAU") if signed else sky, rays, spin=signed)
    found = {s: getattr(sky._with(jnp.asarray(sky.values)), s) for s in stokes}
    if not signed and "U" in found and not np.any(np.asarray(found["U"]) > 0):
        found["U"] = jnp.abs(found["U"])  # a convention turned the sign, as reading a file does
    return found


def _on_rays(name: str, sky: SkyMap, rays: Sightlines, spin: bool) -> SkyMap:
    """The map's values in the order of the sightlines; pixels that it does not hold are NaN.

    A map in another frame than the sightlines is rotated into theirs.
    """
    if rays.nside is None:
        raise ValueError(f"{name} is a HEALPix map: rays must come from Sightlines.healpix")
    if sky.nside != rays.nside:
        raise ValueError(f"{name} has nside {sky.nside}, and rays have {rays.nside}: degrade one")
    sky = sky.to_frame(rays.frame, spin=spin)
    sky = sky.to_ordering(rays.ordering).full()
    if rays.pixels is None:
        return sky
    pixels = np.asarray(rays.pixels)
    return sky._with(sky.values[..., pixels], pixels=pixels)


def catalogue_values(name: str, value: Any, kind: str, unit: str, rays: Sightlines) -> Read:
    """Values (n_rays,) of a catalogue, or of a map of RM or DM on HEALPix sightlines."""
    if isinstance(value, SkyMap):
        if value.kind != kind:
            raise ValueError(f"{name} is a map of {value.kind}, needed one of {kind}")
        value = jnp.asarray(_on_rays(name, value, rays, spin=False).values)
    return read(name, value, unit)

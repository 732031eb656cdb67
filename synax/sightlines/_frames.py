"""Celestial frames, Galactic, equatorial (ICRS, J2000) and ecliptic: rotations and angles."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import as_parameter

FRAMES = {"galactic": "G", "equatorial": "C", "ecliptic": "E"}
"""Frames, and HEALPix's letters for them."""

Angles = Float[np.ndarray, " n"] | Float[Array, " n"]
"""Radians: NumPy's, or JAX's where they are traced."""


@functools.lru_cache
def _matrix(source: str, target: str) -> Float[np.ndarray, "3 3"]:
    import healpy

    return np.asarray(healpy.Rotator(coord=[FRAMES[source], FRAMES[target]]).mat)


def rotation(source: str, target: str) -> Float[np.ndarray, "3 3"]:
    """The matrix that takes Cartesian components along the axes of `source` to those of `target`.

    **Raises** `ValueError` for an unknown frame.
    """
    for frame in (source, target):
        checks.choice("frame", frame, tuple(FRAMES))
    return np.eye(3) if source == target else _matrix(source, target)


def basis(lon: Angles, lat: Angles) -> tuple[Any, Any, Any]:
    """Unit vectors outwards, to the east and to the north, (3, n), at angles in radians."""
    traced = isinstance(lon, jax.Array) or isinstance(lat, jax.Array)
    xp: Any = jnp if traced else np
    sl, cl, sb, cb = xp.sin(lon), xp.cos(lon), xp.sin(lat), xp.cos(lat)
    return (
        xp.stack([cb * cl, cb * sl, sb]),
        xp.stack([-sl, cl, xp.zeros_like(sl)]),
        xp.stack([-sb * cl, -sb * sl, cb]),
    )


def position_angle(
    lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"], source: str, target: str
) -> Float[np.ndarray, " n"]:
    """Angle of the source frame's north from the target's, through the target's east (rad).

    Polarisation angles grow by it: chi(target) = chi(source) + angle.

    **Arguments:**

    - `lon`, `lat`: rad, in the source frame.
    """
    out, _, north = basis(lon, lat)
    turn = rotation(source, target)
    x, y, z = turn @ out
    own_lon, own_lat = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))
    _, east_there, north_there = basis(own_lon, own_lat)
    turned = turn @ north
    return np.arctan2(np.sum(turned * east_there, axis=0), np.sum(turned * north_there, axis=0))


def in_frame(sky: Any, frame: str) -> tuple[Any, Any]:
    """Longitude and latitude of a SkyCoord in one of our frames."""
    checks.choice("frame", frame, tuple(FRAMES))
    if frame == "galactic":
        return sky.galactic.l, sky.galactic.b
    name = "icrs" if frame == "equatorial" else "barycentricmeanecliptic"
    there = sky.transform_to(name).spherical
    return there.lon, there.lat


def lonlat(l: Any, b: Any) -> tuple[Angles, Angles]:
    """Longitudes and latitudes (degrees), one of each for each direction."""
    l, b = (_degrees(name, a) for name, a in (("l", l), ("b", b)))
    if l.shape != b.shape or l.ndim != 1:
        raise ValueError(f"l and b must be (n_rays,) alike, got {l.shape} and {b.shape}")
    if not (checks.holds(l, np.isfinite) and checks.holds(b, lambda x: np.abs(x) <= 90.0)):
        first = int(np.argmax(~(np.isfinite(l) & (np.abs(b) <= 90.0))))
        raise ValueError(
            "l and b must be finite degrees, with -90 <= b <= 90, got "
            f"l = {l[first]:g} and b = {b[first]:g} in row {first}"
        )
    return l, b


def _degrees(name: str, value: Any) -> Float[np.ndarray, "..."] | Float[Array, "..."]:
    found = as_parameter(value, "deg", name)
    if checks.is_traced(found):
        return jnp.atleast_1d(found)
    found = np.atleast_1d(np.asarray(found, dtype=float))
    if found.size == 0:
        raise ValueError(f"{name} must have at least one value, got none")
    return found

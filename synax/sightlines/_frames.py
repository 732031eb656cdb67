"""Celestial frames: the rotations between Galactic, equatorial (ICRS, J2000) and ecliptic axes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks

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

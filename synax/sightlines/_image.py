"""The image plane of parallel rays: its numbers, its axes, and that the domain lies behind it."""

from typing import Any

import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import as_parameter, without_unit


def image_plane(
    shape: tuple[int, int], extent: Any, center: Any, distance: Any, *angles: Any
) -> tuple[float, Float[np.ndarray, "3 n_rays"], Float[np.ndarray, "3 3"]]:
    """Distance of the plane and origins of its rays (kpc); unit vectors away, left and up.

    The angles are inclination, position angle and azimuth in degrees.
    """
    ny, nx = shape
    sides = as_parameter(extent, "kpc", "extent")
    if sides.shape != (2,) or not checks.holds(sides, lambda x: (x > 0) & (x < np.inf)):
        raise ValueError(f"extent must be (width, height), positive (kpc), got {extent}")
    width, height = _numbers("extent", extent, (2,), "kpc")
    center = _numbers("center", center, (3,), "kpc")
    distance = float(_numbers("distance", distance, (), "kpc"))
    given = zip(("inclination", "position_angle", "azimuth"), angles, strict=True)
    inc, pa, az = (np.radians(_numbers(name, angle, (), "deg")) for name, angle in given)
    toward = np.array([np.sin(inc) * np.cos(az), np.sin(inc) * np.sin(az), np.cos(inc)])
    up = np.array([-np.cos(inc) * np.cos(az), -np.cos(inc) * np.sin(az), np.sin(inc)])
    n = -toward
    left = np.cross(up, n)
    up, left = np.cos(pa) * up - np.sin(pa) * left, np.cos(pa) * left + np.sin(pa) * up
    across = (np.arange(nx) + 0.5) / nx - 0.5
    along = (np.arange(ny) + 0.5) / ny - 0.5
    h, v = np.meshgrid(across * width, along * height)
    origin = center[:, None] - distance * n[:, None]
    origin = origin - left[:, None] * h.ravel() + up[:, None] * v.ravel()
    return distance, origin, np.stack([n, left, up])


def check_image_plane(crossings: Float[Array, "2 n_rays"], distance: float) -> None:
    """Refuse an image plane within or behind the domain: the part before it would be lost."""
    near, far = crossings
    if checks.is_traced(near):
        return
    meets = np.isfinite(np.asarray(far))
    if not meets.any():
        checks.warn("no sightline meets the domain: check center, extent and domain")
        return
    lost = -float(np.min(np.asarray(near)[meets]))
    if lost > 1e-9 * (abs(distance) + lost):
        raise ValueError(
            f"distance must put the image plane outside the domain: at {distance:g} kpc some rays "
            f"start {lost:.4g} kpc behind its wall; give more than {distance + lost:.4g}"
        )


def _numbers(name: str, value: Any, shape: tuple[int, ...], unit: str) -> np.ndarray:
    """Finite numbers of a shape in a unit, in NumPy's precision."""
    as_parameter(checks.concrete(name, value), unit, name)  # refuses what is no number
    found = np.asarray(without_unit(value, unit, name), dtype=float)
    return checks.finite(name, checks.shaped(name, found, shape, unit), unit)

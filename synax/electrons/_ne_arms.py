"""Distances from the spiral arms of NE2001, as the published program measures them.

An arm is a cubic spline through 50 samples of a distorted logarithmic spiral. The program takes
the sample nearest to a point, splines the squared distance through the (at most six) samples
about it and minimises that over azimuths 0.01 rad apart. Splining is linear, so the splined
squared distance at fine azimuth m is |x|^2 - 2 x.Q_m + c_m with tabulated Q_m, c_m. The azimuth
that it finds is tabulated on a grid in (x, y); between nodes it is interpolated, and a few looks
about it find the same sample and the same m. Curves are fixed; the derivative is that of the
distance to the arm point that is found.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._numerics._math import stored

SAMPLES = 50
FINE = 0.01  # rad
_GRID, _HALF = 0.1, 19.0  # kpc: spacing and half-width of the grid
_LEAP = 6  # fine azimuths, the longest step of the search

# a, r_min (kpc), theta_min (rad), extent (rad); Cordes & Lazio 2002, table 2
_CURVES = (
    (4.25, 3.48, 0.0, 6.0),
    (4.25, 3.48, 3.141, 6.0),
    (4.89, 4.90, 2.525, 6.0),
    (4.89, 3.76, 4.24, 6.0),
    (4.57, 8.10, 5.847, 0.55),
)
# arm, range (deg), amplitude, centre and width (deg) of r *= 1 + amplitude cos(pi (th - c) / w)
_DISTORTIONS = (
    (1, 370.0, 410.0, 0.04, 390.0, 40.0),
    (1, 315.0, 370.0, -0.07, 345.0, 55.0),
    (1, 180.0, 315.0, 0.16, 260.0, 135.0),
    (3, 290.0, 395.0, -0.11, 350.0, 105.0),
)


class ArmTables(NamedTuple):
    """Common frame, kpc and rad."""

    azimuth: Float[np.ndarray, "5 n n"]
    """Azimuth along the arm, from its start, of what is found at the nodes of the grid."""
    samples: Float[np.ndarray, "5 50 2"]
    spacing: Float[np.ndarray, "5"]
    """Azimuth between samples."""
    first: Float[np.ndarray, "5 50"]
    """By nearest sample: azimuth of the first fine one, from the arm's start."""
    fine: Float[np.ndarray, "5 50 n_fine 5"]
    """By nearest sample and fine azimuth: Q (2), c, and the arm's point (2)."""
    count: Int[np.ndarray, "5 50"]  # pyright: ignore[reportIncompatibleMethodOverride]
    """Number of fine azimuths."""


@functools.cache
def arm_tables() -> ArmTables:
    from scipy.interpolate import CubicSpline

    theta, radius = [], []
    for a, r_min, start, extent in _CURVES:
        along = np.linspace(0.0, extent, SAMPLES)
        theta.append(start + along)
        radius.append(r_min * np.exp(along / a))
    for j, low, high, amplitude, center, width in _DISTORTIONS:
        degree = np.degrees(theta[j])
        bump = 1.0 + amplitude * np.cos(np.pi * (degree - center) / width)
        radius[j] = radius[j] * np.where((degree > low) & (degree <= high), bump, 1.0)
    # azimuth counts from the Sun's direction (-x), towards -y
    place = lambda th, r: np.stack([-r * np.cos(th), -r * np.sin(th)], axis=-1)
    samples = np.array([place(th, r) for th, r in zip(theta, radius, strict=True)])
    pieces, count, first = {}, np.zeros((5, SAMPLES), int), np.zeros((5, SAMPLES))
    for j, (th, r) in enumerate(zip(theta, radius, strict=True)):
        curve = CubicSpline(th, r)
        for i in range(SAMPLES):
            window = slice(max(0, i - 3), min(i + 3, SAMPLES))
            knots, points = th[window], samples[j, window]
            mesh = np.arange(knots[0], knots[-1], FINE)
            known = np.concatenate([points, np.sum(points**2, axis=1)[:, None]], axis=1)
            splined = CubicSpline(knots, known)(mesh)
            pieces[j, i] = np.concatenate([splined, place(mesh, curve(mesh))], axis=1)
            count[j, i], first[j, i] = len(mesh), knots[0] - th[0]
    fine = np.zeros((5, SAMPLES, count.max(), 5))
    for (j, i), piece in pieces.items():
        fine[j, i, : len(piece)] = piece
    axis = np.arange(-_HALF, _HALF + 1e-9, _GRID)
    nodes = np.stack(np.meshgrid(axis, axis, indexing="ij"))
    azimuth = np.empty((5, *nodes.shape[1:]))
    for j in range(5):
        across = [(axis[:, None] - samples[j, :, k]) ** 2 for k in range(2)]
        nearest = (across[0][:, None] + across[1][None]).argmin(axis=-1)
        for i in np.unique(nearest):
            here = nearest == i
            q = fine[j, i, : count[j, i]]
            level = q[:, 2] - 2.0 * nodes[:, here].T @ q[:, :2].T
            azimuth[j, here] = first[j, i] + FINE * level.argmin(axis=1)
    spacing = np.array([th[1] - th[0] for th in theta])
    return ArmTables(azimuth, samples, spacing, first, fine, count)


def arm_distances(
    x: Float[Array, "*points"], y: Float[Array, "*points"]
) -> Float[Array, "5 *points"]:
    """Squared horizontal distance (kpc^2) to each of the five curves.

    Exact as the program has it wherever an arm contributes (below 1.95 kpc).
    """
    tables = arm_tables()
    fixed_x, fixed_y = jax.lax.stop_gradient((x, y))
    arm = jnp.arange(5, dtype=jnp.int32).reshape((5,) + (1,) * x.ndim)
    guesses = stored(_guesses(tables, arm, fixed_x, fixed_y))
    window = arm * SAMPLES + _nearest_sample(tables, arm, guesses[0], fixed_x, fixed_y)
    px, py = stored(_nearest_point(tables, stored(window), guesses, fixed_x, fixed_y))
    return (x - px) ** 2 + (y - py) ** 2


def _guesses(
    tables: ArmTables, arm: Int[Array, "5 *ones"], x: Array, y: Array
) -> tuple[Float[Array, "5 *points"], ...]:
    """Azimuth between the nodes of the grid, bilinear, and at the four nodes.

    Where an arm has a kink two places on it compete, and nodes decide differently.
    """
    n = tables.azimuth.shape[1]
    table = jnp.asarray(tables.azimuth.ravel(), x.dtype)
    u, v = (jnp.clip((w + _HALF) / _GRID, 0.0, n - 1.001) for w in (x, y))
    i, j = (jnp.floor(w).astype(jnp.int32) for w in (u, v))
    a, b = u - i, v - j
    corners = [table[(arm * n + i + di) * n + j + dj] for di in (0, 1) for dj in (0, 1)]
    low = corners[0] + b * (corners[1] - corners[0])
    high = corners[2] + b * (corners[3] - corners[2])
    return low + a * (high - low), *corners


def _nearest_sample(
    tables: ArmTables, arm: Int[Array, "5 *ones"], guess: Array, x: Array, y: Array
) -> Int[Array, "5 *points"]:
    """The nearest of the sample at the guess and its neighbours; the first one if equal."""
    points = jnp.asarray(tables.samples.reshape(-1, 2), x.dtype)
    spacing = jnp.asarray(tables.spacing, x.dtype).reshape(arm.shape)
    middle = jnp.round(guess / spacing).astype(jnp.int32)
    best, number = jnp.full(guess.shape, jnp.inf, x.dtype), middle
    for step in (-1, 0, 1):
        i = jnp.clip(middle + step, 0, SAMPLES - 1)
        point = points[arm * SAMPLES + i]
        d2 = (x - point[..., 0]) ** 2 + (y - point[..., 1]) ** 2
        closer = d2 < best
        best, number = jnp.where(closer, d2, best), jnp.where(closer, i, number)
    return number


def _nearest_point(
    tables: ArmTables,
    window: Int[Array, "5 *points"],
    guesses: tuple[Float[Array, "5 *points"], ...],
    x: Array,
    y: Array,
) -> tuple[Float[Array, "5 *points"], Float[Array, "5 *points"]]:
    """Minimum over the fine azimuths: from the best guess by two parabolas."""
    length = tables.fine.shape[2]
    table = jnp.asarray(tables.fine.reshape(-1, 5), x.dtype)
    first = jnp.asarray(tables.first.ravel(), x.dtype)[window]
    last = jnp.asarray(tables.count.ravel(), jnp.int32)[window] - 2
    base = window * length

    def level(m: Array) -> Array:
        row = table[base + m]
        return row[..., 2] - 2.0 * (x * row[..., 0] + y * row[..., 1])

    starts = [jnp.clip(jnp.round((g - first) / FINE), 1, last).astype(jnp.int32) for g in guesses]
    m, here = starts[0], level(starts[0])
    for other in starts[1:]:
        value = level(other)
        m, here = jnp.where(value < here, other, m), jnp.where(value < here, value, here)
    for _ in range(2):
        m = stored(m)
        below, here, above = level(m - 1), level(m), level(m + 1)
        curvature = above - 2.0 * here + below
        convex = curvature > 0
        vertex = 0.5 * (below - above) / jnp.where(convex, curvature, 1.0)
        leap = jnp.where(convex, vertex, jnp.where(above < below, 2.0, -2.0))
        leap = jnp.round(jnp.clip(leap, -_LEAP, _LEAP)).astype(m.dtype)
        m = jnp.clip(m + leap, 1, last)
    m = stored(m)
    below, here, above = level(m - 1), level(m), level(m + 1)
    lowest = jnp.where((below <= here) & (below <= above), -1, jnp.where(above < here, 1, 0))
    row = table[base + m + lowest.astype(m.dtype)]
    return row[..., 3], row[..., 4]

"""Distances from the spiral arms of NE2001, as the published program measures them.

An arm is a cubic spline through 50 samples of a distorted logarithmic spiral. The program takes
the sample nearest to a point, splines the squared distance through the (at most six) samples
about it and minimises that over azimuths 0.01 rad apart. Splining is linear, so the splined
squared distance at fine azimuth m is |x|^2 - 2 x.Q_m + c_m with tabulated Q_m, c_m: the search
becomes a few looks into a table. Curves are fixed; the derivative is that of the distance to the
arm point that is found.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

SAMPLES = 50
FINE = 0.01  # rad
_STRIDE = 5  # fine azimuths
_SEARCH = 3  # samples on either side of the one nearest to a node of the grid
_GRID, _HALF = 0.1, 19.0  # kpc: spacing and half-width of the table of nearest samples

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
    """Common frame, kpc."""

    nearest: Int[np.ndarray, "5 n n"]
    """Nearest sample at the nodes of a grid in (x, y)."""
    samples: Float[np.ndarray, "5 50 2"]
    fine: Float[np.ndarray, "5 50 n_fine 5"]
    """By nearest sample and fine azimuth: Q (2), c, and the arm's point (2)."""
    count: Int[np.ndarray, "5 50"]
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
    pieces, count = {}, np.zeros((5, SAMPLES), int)
    for j, (th, r) in enumerate(zip(theta, radius, strict=True)):
        curve = CubicSpline(th, r)
        for i in range(SAMPLES):
            window = slice(max(0, i - 3), min(i + 3, SAMPLES))
            knots, points = th[window], samples[j, window]
            mesh = np.arange(knots[0], knots[-1], FINE)
            known = np.concatenate([points, np.sum(points**2, axis=1)[:, None]], axis=1)
            splined = CubicSpline(knots, known)(mesh)
            pieces[j, i] = np.concatenate([splined, place(mesh, curve(mesh))], axis=1)
            count[j, i] = len(mesh)
    fine = np.zeros((5, SAMPLES, count.max(), 5))
    for (j, i), piece in pieces.items():
        fine[j, i, : len(piece)] = piece
    axis = np.arange(-_HALF, _HALF + 1e-9, _GRID)
    across = lambda arm, k: (axis[:, None] - arm[:, k]) ** 2
    distance = lambda arm: across(arm, 0)[:, None] + across(arm, 1)[None]
    nearest = np.stack([distance(arm).argmin(axis=-1) for arm in samples])
    return ArmTables(nearest.astype(np.int8), samples, fine, count)


def arm_distances(
    x: Float[Array, "*points"], y: Float[Array, "*points"]
) -> Float[Array, "5 *points"]:
    """Squared horizontal distance (kpc^2) to each of the five curves.

    Exact as the program has it wherever an arm contributes (below 1.95 kpc).
    """
    tables = arm_tables()
    fixed_x, fixed_y = jax.lax.stop_gradient((x, y))
    n = tables.nearest.shape[1]
    node = lambda u: jnp.clip(jnp.round((u + _HALF) / _GRID), 0, n - 1).astype(jnp.int32)
    cell = node(fixed_x) * n + node(fixed_y)
    guess = jnp.asarray(tables.nearest.reshape(5, n * n))[:, cell].astype(jnp.int32)
    arm = jnp.arange(5, dtype=jnp.int32).reshape((5,) + (1,) * x.ndim)
    sample = _nearest_sample(tables, arm, guess, fixed_x, fixed_y)
    px, py = _nearest_point(tables, arm * SAMPLES + sample, fixed_x, fixed_y)
    return (x - px) ** 2 + (y - py) ** 2


def _nearest_sample(
    tables: ArmTables, arm: Array, guess: Array, x: Array, y: Array
) -> Int[Array, "5 *points"]:
    """The nearest of the guess and its neighbours; the first one if equal."""
    points = jnp.asarray(tables.samples.reshape(5 * SAMPLES, 2), x.dtype)
    best, number = jnp.full(guess.shape, jnp.inf, x.dtype), guess
    for step in range(-_SEARCH, _SEARCH + 1):
        i = jnp.clip(guess + step, 0, SAMPLES - 1)
        point = points[arm * SAMPLES + i]
        d2 = (x - point[..., 0]) ** 2 + (y - point[..., 1]) ** 2
        closer = d2 < best
        best, number = jnp.where(closer, d2, best), jnp.where(closer, i, number)
    return number


def _nearest_point(
    tables: ArmTables, window: Int[Array, "5 *points"], x: Array, y: Array
) -> tuple[Float[Array, "5 *points"], Float[Array, "5 *points"]]:
    """Minimum over the fine azimuths: every fifth, then parabolas through three neighbours."""
    length = tables.fine.shape[2]
    table = jnp.asarray(tables.fine.reshape(-1, 5), x.dtype)
    last = jnp.asarray(tables.count.ravel(), jnp.int32)[window] - 2
    base = window * length

    def level(m: Array) -> Array:
        row = table[base + m]
        return row[..., 2] - 2.0 * (x * row[..., 0] + y * row[..., 1])

    def scan(k: Int[Array, ""], best: tuple[Array, Array]) -> tuple[Array, Array]:
        m = jnp.clip(1 + _STRIDE * k, 1, last)
        here = level(m)
        closer = here < best[0]
        return jnp.where(closer, here, best[0]), jnp.where(closer, m, best[1])

    def descend(_: Int[Array, ""], m: Array) -> Array:
        below, here, above = level(m - 1), level(m), level(m + 1)
        curvature = above - 2.0 * here + below
        convex = curvature > 0
        vertex = 0.5 * (below - above) / jnp.where(convex, curvature, 1.0)
        step = jnp.where(convex, vertex, jnp.where(above < below, 2.0, -2.0))
        step = jnp.round(jnp.clip(step, -_STRIDE, _STRIDE))
        return jnp.clip(m + step.astype(m.dtype), 1, last)

    start = (jnp.full(window.shape, jnp.inf, x.dtype), jnp.ones_like(window))
    m = jax.lax.fori_loop(0, -(-length // _STRIDE), scan, start)[1]
    m = jax.lax.fori_loop(0, 2, descend, m)
    below, here, above = level(m - 1), level(m), level(m + 1)
    lowest = jnp.where((below <= here) & (below <= above), -1, jnp.where(above < here, 1, 0))
    row = table[base + m + lowest.astype(m.dtype)]
    return row[..., 3], row[..., 4]

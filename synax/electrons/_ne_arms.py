"""Distances from the spiral arms of NE2001, as the published program measures them.

An arm is a cubic spline through 50 samples of a distorted logarithmic spiral. The program takes
the sample nearest to a point, splines the squared distance through the (at most six) samples
about it and minimises that over azimuths 0.01 rad apart. Splining is linear, so near sample i the
splined squared distance is a cubic in azimuth whose coefficients are linear in x and y. Its
minimum is a square root, and the best of the program's azimuths lies beside it.

Which samples can be nearest is tabulated by cells of the plane: one or two. Curves are fixed; the
derivative is that of the distance to the arm point that is found.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._numerics._math import stored

N_ARMS, SAMPLES = 5, 50
FINE = 0.01  # rad
REACH = 1.95  # kpc, beyond which an arm is left out
_AROUND = 16  # fine azimuths that are kept on either side of a sample
_FAR = 63  # in place of a sample's number: the arm is out of reach
_NOWHERE = 1e3  # kpc, x and y of the point of an arm out of reach
_COARSE = (-19.2, -19.2, 0.1, 384)  # corner and spacing (kpc) and number of cells of a plane
_LOCAL = (-12.0, -4.0, 0.05, 240)  # for the Local Arm, whose samples are closer

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

Plane = Float[np.ndarray, "*n 2"]


class ArmTables(NamedTuple):
    """Common frame, kpc and rad."""

    samples: Float[np.ndarray, "5 50 2"]
    spacing: Float[np.ndarray, "5"]
    """Azimuth between samples."""
    slopes: Float[np.ndarray, "5 100 9"]
    """By twice the sample's number, plus one behind it: derivative of the splined squared
    distance, as coefficients of 1, x, y in those of 1, t, t^2; t is the azimuth from the sample."""
    points: Float[np.ndarray, "5 50 n_fine 2"]
    """The arm's points by sample and fine azimuth, `_AROUND` in front of it to as many behind."""
    candidates: tuple[Int[np.ndarray, "n_cells"], ...]
    """By cell: numbers of the samples that may be nearest, 6 bits each; arms 0 and 1 (two and three
    numbers), 2 and 3 together on the coarse plane, arm 4 on the local one."""


def arm_curves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Azimuth (5, 50) and radius (5, 50) of the samples, and their places (5, 50, 2)."""
    theta, radius = [], []
    for a, r_min, start, extent in _CURVES:
        along = np.linspace(0.0, extent, SAMPLES)
        theta.append(start + along)
        radius.append(r_min * np.exp(along / a))
    for j, low, high, amplitude, center, width in _DISTORTIONS:
        degree = np.degrees(theta[j])
        bump = 1.0 + amplitude * np.cos(np.pi * (degree - center) / width)
        radius[j] = radius[j] * np.where((degree > low) & (degree <= high), bump, 1.0)
    places = [_place(th, r) for th, r in zip(theta, radius, strict=True)]
    return np.array(theta), np.array(radius), np.array(places)


def _place(theta: np.ndarray, radius: np.ndarray) -> Plane:
    """Azimuth counts from the Sun's direction (-x), towards -y."""
    return np.stack([-radius * np.cos(theta), -radius * np.sin(theta)], axis=-1)


@functools.cache
def arm_tables() -> ArmTables:
    from scipy.interpolate import CubicSpline

    theta, radius, samples = arm_curves()
    slopes = np.zeros((N_ARMS, 2 * SAMPLES, 9))
    points = np.zeros((N_ARMS, SAMPLES, 2 * _AROUND, 2))
    for j, (th, r) in enumerate(zip(theta, radius, strict=True)):
        curve = CubicSpline(th, r)
        known = np.concatenate([samples[j], np.sum(samples[j] ** 2, axis=1)[:, None]], axis=1)
        for i in range(SAMPLES):
            low, high = max(0, i - 3), min(i + 3, SAMPLES)
            knots = th[low:high]
            splined = CubicSpline(knots, known[low:high])
            for side in (0, 1):
                piece = min(max(i - low - 1 + side, 0), len(knots) - 2)
                third = splined.c[0, piece]
                terms = (splined(th[i], 1), splined(th[i], 2), 3.0 * third)
                slopes[j, 2 * i + side] = np.concatenate(
                    [(q[2], -2.0 * q[0], -2.0 * q[1]) for q in terms]
                )
            mesh = np.arange(knots[0], knots[-1], FINE)
            m = _first_fine(i, th[1] - th[0]) + np.arange(2 * _AROUND)
            points[j, i] = _place(a := mesh[np.clip(m, 0, len(mesh) - 1)], curve(a))
    coarse = [_candidates(samples[j], *_COARSE) for j in range(4)]
    words = [(coarse[j] & 4095) | coarse[j + 1] << 12 for j in (0, 2)]
    words.append(_candidates(samples[4], *_LOCAL))
    return ArmTables(samples, theta[:, 1] - theta[:, 0], slopes, points, tuple(words))


def _first_fine(i: int, spacing: float) -> int:
    """Number, among the program's azimuths about sample i, of the first that is kept."""
    return math.floor(min(i, 3) * spacing / FINE) - _AROUND + 1


def _candidates(
    samples: Plane, x0: float, y0: float, size: float, n: int
) -> Int[np.ndarray, "n_cells"]:
    """The samples that may be nearest in each square cell, three numbers of 6 bits.

    Elsewhere than beside an arm with kinks there are one or two.
    """
    x, y = x0 + size * np.arange(n + 1), y0 + size * np.arange(n + 1)
    d2 = ((x[:, None] - samples[:, 0]) ** 2)[:, None] + ((y[:, None] - samples[:, 1]) ** 2)[None]
    apart = 0.6 * np.max(np.linalg.norm(np.diff(samples, axis=0), axis=1))
    reach = math.hypot(REACH + 1.5 * size, apart)  # of a sample, where the curve is within REACH
    nearest, reached = d2.argmin(axis=-1), d2.min(axis=-1) < reach**2
    corners = lambda table: np.stack([table[i : n + i, k : n + k] for i in (0, 1) for k in (0, 1)])
    number, near = corners(nearest), corners(reached).any(axis=0)
    found = np.repeat(number[0][None], 3, axis=0)
    # where corners differ (regions of nearest samples are convex) the cell is looked at closely
    mixed = np.nonzero(near & (number.min(axis=0) < number.max(axis=0)))
    inner = np.stack(np.meshgrid(*[np.linspace(0.0, size, 9)] * 2), axis=-1).reshape(-1, 2)
    place = np.stack([x[mixed[0]], y[mixed[1]]], axis=-1)[:, None] + inner
    d2 = np.sum(samples**2, axis=1) - 2.0 * place @ samples.T
    counts = (d2.argmin(axis=-1)[..., None] == np.arange(SAMPLES)).sum(axis=1)
    often = np.argsort(-counts, axis=1, kind="stable")[:, :3]
    seen = np.take_along_axis(counts, often, 1) > 0
    found[:, *mixed] = np.where(seen, often, often[:, :1]).T
    word = found[0] | found[1] << 6 | found[2] << 12
    return np.where(near, word, _FAR).ravel().astype(np.int32)


def arm_distances(
    x: Float[Array, "*points"], y: Float[Array, "*points"]
) -> list[Float[Array, "*points"]]:
    """Squared horizontal distance (kpc^2) to each of the five curves; very large out of reach.

    As the program has it wherever an arm contributes (below 1.95 kpc).
    """
    found = stored(nearest_points(*jax.lax.stop_gradient((x, y))))
    return [(x - px) ** 2 + (y - py) ** 2 for px, py in found]


def nearest_points(x: Array, y: Array) -> list[tuple[Array, Array]]:
    """Place on each arm of the point that the program finds; far away where it is out of reach."""
    tables = arm_tables()
    words = [_look(tables.candidates[k], _COARSE, x, y) for k in (0, 1)]
    words.append(_look(tables.candidates[2], _LOCAL, x, y))
    arms = (words[0] & 4095, words[0] >> 12, words[1] & 4095, words[1] >> 12, words[2])

    def one(_: None, arm: tuple[Array, Array]) -> tuple[None, tuple[Array, Array]]:
        j, word = arm
        nowhere = lambda: (jnp.full_like(x, _NOWHERE), jnp.full_like(y, _NOWHERE))
        search = lambda: _nearest_point(tables, j, word, x, y)
        return None, jax.lax.cond(jnp.any((word & 63) != _FAR), search, nowhere)

    # a scan, so that the search is compiled once
    numbers = jnp.arange(N_ARMS, dtype=jnp.int32)
    _, (px, py) = jax.lax.scan(one, None, (numbers, jnp.stack(arms)))
    return [(px[j], py[j]) for j in range(N_ARMS)]


def _take(table: np.ndarray, index: Int[Array, "*points"], dtype: Any) -> Array:
    return jnp.asarray(table, dtype).at[index].get(mode="promise_in_bounds")


def _look(
    words: Int[np.ndarray, "n_cells"],
    plane: tuple[float, float, float, int],
    x: Array,
    y: Array,
) -> Int[Array, "*points"]:
    """The word of a point's cell."""
    x0, y0, size, n = plane
    u, v = (x - x0) * (1.0 / size), (y - y0) * (1.0 / size)
    inside = (u >= 0) & (u < n) & (v >= 0) & (v < n)
    i, k = (jnp.where(inside, w, 0.0).astype(jnp.int32) for w in (u, v))
    far = _FAR | _FAR << 12
    return stored(jnp.where(inside, _take(words, i * n + k, jnp.int32), far))


def _nearest_point(
    tables: ArmTables, j: Int[Array, ""], word: Int[Array, "*points"], x: Array, y: Array
) -> tuple[Array, Array]:
    """The point of arm j that the program finds, given the samples that may be nearest."""
    take = lambda table, index: _take(table.ravel(), index, x.dtype)
    near = (word & 63) != _FAR
    word = jnp.where(near, word, 0)
    first = j * SAMPLES
    i, lowest = word, jnp.inf
    for k in range(3):  # the third is sample 0 where there are two: it does not harm
        other = (word >> (6 * k)) & 63
        sx, sy = (take(tables.samples[..., k], first + other) for k in (0, 1))
        d2 = (x - sx) ** 2 + (y - sy) ** 2
        i, lowest = jnp.where(d2 < lowest, other, i), jnp.where(d2 < lowest, d2, lowest)
    i = stored(i)
    coefficient = lambda row, k: sum(
        take(tables.slopes[..., 3 * k + q], row) * w for q, w in enumerate((1.0, x, y))
    )
    double = 2 * (first + i)
    l1, l2 = stored((coefficient(double, 0), coefficient(double, 1)))
    l3 = stored(coefficient(double + (l1 < 0), 2))
    per_arm = lambda values: jnp.asarray(values, x.dtype)[j]
    # the sample's own place among the fine azimuths about it, and the first of those kept
    own = jnp.minimum(i, 3) * per_arm(tables.spacing / FINE)
    start = jnp.floor(own) - (_AROUND - 1)
    last = per_arm(np.ceil(3.0 * tables.spacing / FINE) - 1.0)
    end = jnp.where(i == SAMPLES - 1, last, start + 2 * _AROUND - 1)
    root = l2 * l2 - 4.0 * l1 * l3
    t = -2.0 * l1 / (l2 + jnp.sqrt(jnp.where(root > 0, root, 0.0)))
    m = jnp.clip(jnp.floor(own + t * (1.0 / FINE)), jnp.maximum(start, 0.0), end - 1.0)
    a = (m - own) * FINE
    b = a + FINE
    rise = l1 + 0.5 * l2 * (a + b) + l3 * (1.0 / 3.0) * (a * a + a * b + b * b)
    m = (m - start).astype(jnp.int32) + (rise < 0)
    row = stored((first + i) * (2 * _AROUND) + m)
    points = (take(tables.points[..., k], row) for k in (0, 1))
    px, py = (jnp.where(near, p, _NOWHERE) for p in points)
    return px, py

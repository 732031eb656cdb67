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
import importlib.resources
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._numerics._math import stored

N_ARMS, SAMPLES = 5, 50
FINE = 0.01  # rad
REACH = 1.95  # kpc, beyond which an arm is left out
AROUND = 16  # fine azimuths that are kept on either side of a sample
FAR = 63  # in place of a sample's number: the arm is out of reach
_NOWHERE = 1e3  # kpc, x and y of the point of an arm out of reach
COARSE = (-19.2, -19.2, 0.1, 384)  # corner and spacing (kpc) and number of cells of a plane
LOCAL = (-12.0, -4.0, 0.05, 240)  # for the Local Arm, whose samples are closer


class ArmTables(NamedTuple):
    """Common frame, kpc and rad."""

    samples: Float[np.ndarray, "5 50 2"]
    spacing: Float[np.ndarray, "5"]
    """Azimuth between samples."""
    slopes: Float[np.ndarray, "5 100 9"]
    """By twice the sample's number, plus one behind it: derivative of the splined squared
    distance, as coefficients of 1, x, y in those of 1, t, t^2; t is the azimuth from the sample."""
    points: Float[np.ndarray, "5 50 n_fine 2"]
    """The arm's points by sample and fine azimuth, `AROUND` in front of it to as many behind."""
    coarse: Int[np.ndarray, "2 n_cells"]
    """By cell of the coarse plane, for arms 0 and 1 and for 2 and 3: numbers of the samples that
    may be nearest, 6 bits each, two of the first arm and three of the second."""
    local: Int[np.ndarray, "n_cells"]
    """The same by cell of the local plane: three of arm 4."""


@functools.cache
def arm_tables() -> ArmTables:
    """Read from the package: to build them takes longer than a small map."""
    path = importlib.resources.files("synax.electrons") / "data" / "ne_arms.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        return ArmTables(*(kept[name] for name in ArmTables._fields))


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
    words = [_look(pair, COARSE, x, y) for pair in tables.coarse]
    words.append(_look(tables.local, LOCAL, x, y))
    arms = (words[0] & 4095, words[0] >> 12, words[1] & 4095, words[1] >> 12, words[2])

    def one(_: None, arm: tuple[Array, Array]) -> tuple[None, tuple[Array, Array]]:
        j, word = arm
        nowhere = lambda: (jnp.full_like(x, _NOWHERE), jnp.full_like(y, _NOWHERE))
        search = lambda: _nearest_point(tables, j, word, x, y)
        return None, jax.lax.cond(jnp.any((word & 63) != FAR), search, nowhere)

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
    far = FAR | FAR << 12
    return stored(jnp.where(inside, _take(words, i * n + k, jnp.int32), far))


def _nearest_point(
    tables: ArmTables, j: Int[Array, ""], word: Int[Array, "*points"], x: Array, y: Array
) -> tuple[Array, Array]:
    """The point of arm j that the program finds, given the samples that may be nearest."""
    take = lambda table, index: _take(table.ravel(), index, x.dtype)
    near = (word & 63) != FAR
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
    start = jnp.floor(own) - (AROUND - 1)
    last = per_arm(np.ceil(3.0 * tables.spacing / FINE) - 1.0)
    end = jnp.where(i == SAMPLES - 1, last, start + 2 * AROUND - 1)
    root = l2 * l2 - 4.0 * l1 * l3
    t = -2.0 * l1 / (l2 + jnp.sqrt(jnp.where(root > 0, root, 0.0)))
    m = jnp.clip(jnp.floor(own + t * (1.0 / FINE)), jnp.maximum(start, 0.0), end - 1.0)
    a = (m - own) * FINE
    b = a + FINE
    rise = l1 + 0.5 * l2 * (a + b) + l3 * (1.0 / 3.0) * (a * a + a * b + b * b)
    m = (m - start).astype(jnp.int32) + (rise < 0)
    row = stored((first + i) * (2 * AROUND) + m)
    points = (take(tables.points[..., k], row) for k in (0, 1))
    px, py = (jnp.where(near, p, _NOWHERE) for p in points)
    return px, py

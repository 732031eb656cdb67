"""Emissivities of any spectrum as tables against ln(nu/B_perp), for the march.

The integrals over energy see nu and B_perp only through their quotient. A table holds, for nodes in
ln(nu/B_perp) and without the factor exp(-x) of the most energetic electrons, which is put in
exactly, each integral and its slope; between nodes its logarithm is a cubic. Made once for a set of
parameters; differentiable in them.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics._math import log, stored
from ._kernels import scaled_kernels
from ._power_law import ABSORPTION_FACTOR, EMISSION_FACTOR, X_FACTOR

LOWEST, HIGHEST = 1e-8, 1e8
"""nu/B_perp of the first and the last node (GHz/microgauss); beyond, power laws."""

TINY = 1e-280

Values = Float[Array, "..."]


class Grid(NamedTuple):
    """Nodes in ln(nu/B_perp)."""

    start: float
    step: float
    n: int


def nodes_every(step: float) -> Grid:
    n = math.ceil(math.log(HIGHEST / LOWEST) / step) + 1
    return Grid(math.log(LOWEST), step, n)


@functools.lru_cache(maxsize=8)
def _known_matrices(gamma: bytes, grid: Grid) -> tuple[np.ndarray, ...]:
    return _matrices(np.frombuffer(gamma), grid, np)


def _matrices(gamma: Any, grid: Grid, xp: Any) -> tuple[Any, ...]:
    """e^(x - x_last) times F, G, A and x^2 G at every node and energy; x at the last energy."""
    ratio = np.exp(grid.start + grid.step * np.arange(grid.n))
    x = X_FACTOR * ratio[:, None] / (gamma * gamma)
    least = x[:, -1:]
    decay = xp.exp(least - x)
    f, g, a = scaled_kernels(x, xp)
    return decay * f, decay * g, decay * a, decay * x * x * g, least[:, 0]


def table_sums(
    number: Values, slow: Values, gamma: Any, grid: Grid, absorbing: bool
) -> list[Values]:
    """The integrals and their slopes in ln(nu/B_perp) at every node: (n, *shape) each.

    **Arguments:**

    - `number`: N dgamma at the energies, (n_gamma, *shape).
    - `slow`: the same over gamma.
    """
    if isinstance(gamma, np.ndarray):
        matrices = _known_matrices(gamma.astype(np.float64).tobytes(), grid)
    else:
        matrices = _matrices(gamma, grid, jnp)
    f, g, a, xxg, least = (jnp.asarray(m, number.dtype) for m in matrices)
    dot = lambda m, v: jnp.tensordot(m, v, axes=1, precision="highest")
    rise = lambda v: v * least.reshape(-1, *(1,) * (v.ndim - 1))
    found: list[Values] = []
    total, polarised, lost = dot(f, number), dot(g, number), dot(a, number)
    found += [total, total - lost + rise(total)]
    found += [polarised, (5.0 / 3.0) * polarised - lost + rise(polarised)]
    if absorbing:
        a_total, a_g, a_xxg = dot(a, slow), dot(g, slow), dot(xxg, slow)
        a_pol = a_total - (2.0 / 3.0) * a_g
        found += [a_total, a_total / 3.0 - a_xxg + rise(a_total)]
        found += [a_pol, a_total - (10.0 / 9.0) * a_g - a_xxg + rise(a_pol)]
    return found


class Place(NamedTuple):
    """Where a point lies between two nodes, and what multiplies the table there."""

    cell: Array
    fraction: Values
    log_ratio: Values


def locate(grid: Grid, b_perp_squared: Values, frequency: Values) -> tuple[Place, Values]:
    positive = b_perp_squared > 0
    squared = log(jnp.where(positive, b_perp_squared, 1.0))
    log_ratio = log(frequency) - 0.5 * squared
    level = (log_ratio - grid.start) * (1.0 / grid.step)
    cell = jnp.clip(jnp.floor(level).astype(jnp.int32), 0, grid.n - 2)
    fraction = level - jax.lax.stop_gradient(cell.astype(level.dtype))
    return Place(cell, *stored((fraction, log_ratio))), squared


def cubic(left: Values, rise: Values, s0: Values, s1: Values) -> tuple[Values, ...]:
    """Coefficients of the cubic with value `left`, `left + rise` and slopes s0, s1 at 0 and 1."""
    return left, s0, 3.0 * rise - 2.0 * s0 - s1, s0 + s1 - 2.0 * rise


def exp_of_cubic(coefficients: tuple[Values, ...], t: Values, step_x: Values) -> Values:
    """exp of the cubic, a straight line outside (0, 1), times exp(-x of the last energy)."""
    a, b, c, d = coefficients
    inside = jnp.clip(t, 0.0, 1.0)
    value = a + inside * (b + inside * (c + inside * d))
    slope = b + inside * (2.0 * c + 3.0 * inside * d)
    return jnp.exp(value + slope * (t - inside) - step_x)


class Factors(NamedTuple):
    emission: Values
    absorption: Values


def factors_of(b_perp_squared: Values, squared: Values, frequency: Values) -> Factors:
    """1/(nu^2 B_perp) with its constants: what turns integrals into j/B_perp^2 and a/B_perp^2."""
    share = jnp.exp(-0.5 * squared) / (frequency * frequency)
    share = jnp.where(b_perp_squared > 0, share, 0.0)
    return Factors(EMISSION_FACTOR * share, ABSORPTION_FACTOR * share)

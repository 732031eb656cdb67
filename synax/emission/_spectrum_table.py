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

LOWEST, HIGHEST = 1e-7, 1e7
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
def _known_matrix(gamma: bytes, grid: Grid, absorbing: bool) -> np.ndarray:
    return _matrix(np.frombuffer(gamma), grid, absorbing, np)


def _matrix(gamma: Any, grid: Grid, absorbing: bool, xp: Any) -> Any:
    """What turns N dgamma at the energies into `moments`: (n_gamma, n_nodes, 4 or 8)."""
    x = X_FACTOR * node_ratios(grid)[:, None] / (gamma * gamma)
    least = x[:, -1:]
    decay = xp.exp(least - x)
    f, g, a = (decay * kernel for kernel in scaled_kernels(x, xp))
    square = x * x
    kinds = [(f, f - a, g, f - (4.0 / 3.0) * a + square * g)]
    if absorbing:
        f, g, a = (kernel / gamma for kernel in (f, g, a))
        bend = a / 9.0 + square * (a - 4.0 * g)
        kinds.append((a, a / 3.0 - square * g, a - (2.0 / 3.0) * g, bend))
    columns, step = [], grid.step
    for total, slope, polarised, bend in kinds:  # those of e^least times each
        steeper = bend + least * (2.0 * slope + (1.0 + least) * total)
        columns += [total, step * (slope + least * total), polarised, 0.5 * step**2 * steeper]
    return xp.moveaxis(xp.stack(columns, axis=-1), 1, 0)


def node_ratios(grid: Grid) -> np.ndarray:
    """nu/B_perp at the nodes, GHz/microgauss."""
    return np.exp(grid.start + grid.step * np.arange(grid.n))


def moments(
    number: Float[Array, "n_gamma *shape"], gamma: Any, grid: Grid, absorbing: bool
) -> Float[Array, "*shape n_nodes columns"]:
    """The integrals at every node: four numbers for emission, four more for absorption.

    They are the integral for I, its first Taylor coefficient, the integral for P, and the second
    Taylor coefficient of the one for I, all without the factor exp(-x) of the last energy. The
    coefficients are by ln(nu/B_perp) in units of the step between nodes. Those for P follow.

    **Arguments:**

    - `number`: N dgamma at the energies.
    """
    if isinstance(gamma, np.ndarray):
        matrix = _known_matrix(gamma.astype(np.float64).tobytes(), grid, absorbing)
    else:
        matrix = _matrix(gamma, grid, absorbing, jnp)
    matrix = jnp.asarray(matrix, number.dtype)
    return jnp.tensordot(number, matrix, axes=((0,), (0,)), precision="highest")


def polarised_slope(found: Values, least: Values, grid: Grid) -> Values:
    """First Taylor coefficient of the integral for P, from four `moments` in the last axis.

    F - x F' = 5/3 G - x G', and the same holds with A - 2/3 G in place of G and A in place of F.
    """
    total, slope, polarised, _ = jnp.moveaxis(found, -1, 0)
    return slope + grid.step * ((5.0 / 3.0) * polarised - total - least * (total - polarised))


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

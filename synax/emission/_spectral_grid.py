"""Emissivities of a spectrum that is tabulated in space."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._numerics._math import log, reciprocal, stored
from .._numerics._windows import READ, blend
from ..cosmic_rays import TabulatedSpectrum, energies
from ..fields._domain import Box
from ..fields._grid import GridField, grid_coordinate
from ._power_law import ABSORPTION_FACTOR, EMISSION_FACTOR, X_FACTOR
from ._rotativity import hot_kernels
from ._spectral_base import AbstractSpectralEmissivity
from ._spectrum_table import TINY, Grid, moments, node_ratios, nodes_every

DARK = 800.0
"""x of the last energy beyond which exp(-x) has underflowed, and rounding would be all there is."""

Values = Float[Array, "..."]


class SpectralGrid(AbstractSpectralEmissivity):
    """A spectrum tabulated in space: `moments` at the nodes of its grid, linear between them.

    The integrals are linear in N, so they are interpolated as N is (between the tabulated energies
    N itself is interpolated a little differently: in its logarithm, after space). In ln(nu/B_perp)
    the logarithm of the integral for I and the quotient P/I are quintic between two nodes: within
    1e-8 (relative) of the integrals for smooth spectra, 1e-6 (emission) and 1e-5 (absorption) where
    a spectrum begins sharply. Where it falls to 0 below its last energy, the exponential tail
    beyond (x above 6) is good to 1e-4. Made by `spectral_table`.
    """

    table: Float[Array, " size"]
    box: Box
    last_gamma: Float[Array, ""]
    hot: tuple[GridField, GridField]
    """`hot_densities` at the nodes."""
    shape: tuple[int, int, int] = eqx.field(static=True)
    grid: Grid = eqx.field(static=True)
    absorbing: bool = eqx.field(static=True)

    def hot_densities(self, position: Float[Array, "3 *points"]) -> tuple[Values, Values]:
        rotating, converting = self.hot
        return rotating(position), converting(position)

    def coefficients(
        self, position: Float[Array, "3 *points"], b_perp_squared: Values, frequency: Values
    ) -> tuple[Values, ...]:
        positive = b_perp_squared > 0
        half = 0.5 * log(jnp.where(positive, b_perp_squared, 1.0))
        weak = stored(jnp.exp(-half))
        cell, fraction = self._cell(log(frequency) - half)
        row = 8 if self.absorbing else 4
        coordinate = grid_coordinate(position.reshape(3, -1), self.box, self.shape, "node")
        coordinate = coordinate.reshape(position.shape)
        first = jnp.broadcast_to(cell, jnp.broadcast_shapes(cell.shape, position.shape[1:])) * row
        rows = blend(self.table, coordinate, first, self.shape, self.grid.n * row, 2 * row)
        unit = X_FACTOR / self.last_gamma**2
        least = unit * jnp.asarray(node_ratios(self.grid), weak.dtype)[cell]
        last = unit * frequency * weak
        lit = positive & self.box.contains(position)
        share = stored(jnp.where(lit, weak, 0.0)) / (frequency * frequency)
        found: list[Values] = []
        for k, factor in zip(range(0, row, 4), (EMISSION_FACTOR, ABSORPTION_FACTOR), strict=False):
            ends = rows[k : k + 4], rows[row + k : row + k + 4]
            total, ratio = between(self.grid.step, *ends, fraction, least, last)
            value, ratio = stored((factor * share * total, ratio))
            found += [value, value * ratio]
        return tuple(found)

    def _cell(self, level: Values) -> tuple[Int[Array, "..."], Values]:
        """The node below, for ln(nu/B_perp), and how far it is behind, in steps."""
        place = (level - self.grid.start) * (1.0 / self.grid.step)
        # what is read at once ends with the last node: its cell only serves to be read
        highest = self.grid.n - READ // 4
        cell = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, highest)
        return stored((cell, place - jax.lax.stop_gradient(cell.astype(place.dtype))))


class _End(NamedTuple):
    """One end of a cell: 1/T, and Taylor coefficients of ln T and of P/T by the fraction."""

    over: Values
    rate: Values
    bend: Values
    ratio: Values
    ratio_rate: Values
    ratio_bend: Values


def _end(given: tuple[Values, ...], least: Values, step: float) -> _End:
    total, slope, polarised, bend = given
    there = _lit(total)
    over = stored(jnp.where(there, reciprocal(jnp.where(there, total, 1.0)), 0.0))
    rate, ratio = slope * over, polarised * over
    curvature = bend * over - 0.5 * rate * rate
    own = rate - step * least  # without the factor exp(least)
    rise = (1.0 - ratio) * own - step * (1.0 - (5.0 / 3.0) * ratio)  # as `polarised_slope`
    turn = (1.0 - ratio) * (curvature - (0.5 * step * step) * least)
    turn = turn + (5.0 / 6.0 * step - 0.5 * own) * rise
    return _End(over, rate, curvature, ratio, rise, turn)


def _lit(total: Values) -> Bool[Array, "..."]:
    """Where there are electrons."""
    return total > max(TINY, float(jnp.finfo(total.dtype).tiny))


Row = tuple[Values, Values, Values, Values]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def between(
    step: float, left: Row, right: Row, fraction: Values, least: Values, last: Values
) -> tuple[Values, Values]:
    """The integral for I, with its factor exp(-x) of the last energy, and the quotient P/I.

    **Arguments:**

    - `step`: of ln(nu/B_perp) (static).
    - `left`, `right`: the four `moments` at two neighbouring nodes.
    - `fraction`: 0 at the left one, 1 at the right one; beyond them, straight lines.
    - `least`, `last`: x of the last energy at the left node, and at the point.
    """
    return _between(step, lambda x: x, left, right, fraction, least, last)


def _between_jvp(step: float, primals: Any, tangents: Any) -> Any:
    # computed anew in each loop that needs them, the ends would cost the gradient more
    return jax.jvp(functools.partial(_between, step, stored), primals, tangents)


between.defjvp(_between_jvp)


def _between(
    step: float,
    keep: Callable[[Any], Any],
    left: Row,
    right: Row,
    fraction: Values,
    least: Values,
    last: Values,
) -> tuple[Values, Values]:
    a, b = keep((_end(left, least, step), _end(right, least * math.exp(step), step)))
    inside = jnp.clip(fraction, 0.0, 1.0)
    both = _lit(left[0]) & _lit(right[0])
    rise = log(jnp.where(both, right[0] * a.over, 1.0))
    level = _quintic(rise, a.rate, b.rate, a.bend, b.bend, inside)
    level = level + jnp.where(fraction < 0.0, a.rate, b.rate) * (fraction - inside)
    rise = b.ratio - a.ratio
    ratio = _quintic(rise, a.ratio_rate, b.ratio_rate, a.ratio_bend, b.ratio_bend, inside)
    exponent = jnp.where(last < DARK, level - last, -DARK)
    return left[0] * jnp.exp(exponent), a.ratio + ratio


def _quintic(rise: Values, s0: Values, s1: Values, c0: Values, c1: Values, t: Values) -> Values:
    """0 at t = 0, `rise` at t = 1, with slopes s and second derivatives 2 c there."""
    a, b, c = rise - s0 - c0, s1 - s0 - 2.0 * c0, c1 - c0
    third, fourth = 10.0 * a - 4.0 * b + c, 7.0 * b - 15.0 * a - 2.0 * c
    fifth = 6.0 * a - 3.0 * b + c
    return t * (s0 + t * (c0 + t * (third + t * (fourth + t * fifth))))


def grid_table(cosmic_rays: TabulatedSpectrum, absorbing: bool) -> SpectralGrid:
    """The table of such a spectrum, differentiable in its values."""
    gamma, weight = energies(cosmic_rays)
    grid = nodes_every(0.5)
    grid = grid._replace(n=grid.n + READ // 4 - 2)
    values = cosmic_rays.values
    at = jnp.asarray(gamma, values.dtype)
    n, *shape = values.shape
    nodes = cosmic_rays.between(at, values.reshape(n, -1))
    number = nodes * jnp.asarray(weight, values.dtype)[:, None]
    table = moments(number, gamma, grid, absorbing).ravel()
    shape = tuple(shape)
    densities = (jnp.tensordot(kernel, number, 1).reshape(shape) for kernel in hot_kernels(at))
    rotating, converting = (GridField(x, cosmic_rays.box) for x in densities)
    hot = (rotating, converting)
    return SpectralGrid(table, cosmic_rays.box, at[-1], hot, shape, grid, absorbing)

"""Emissivities of any spectrum in the march: from tables, or integrated at every point."""

import abc
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics._gather import _take as take_rows
from .._numerics._math import log, stored
from ..cosmic_rays import (
    AbstractCosmicRays,
    AbstractParametricSpectrum,
    TabulatedSpectrum,
    energies,
)
from ..fields._domain import Box
from ..fields._field import AbstractField, AbstractScalarField
from ..fields._grid import GridField
from ._power_law import X_FACTOR
from ._process import Plasma
from ._rotativity import hot_densities, hot_kernels
from ._spectrum import integrals
from ._spectrum_table import (
    TINY,
    Factors,
    Grid,
    cubic,
    exp_of_cubic,
    factors_of,
    locate,
    nodes_every,
    table_sums,
)
from ._synchrotron import AbstractEmissivity
from ._turbulence import INDEX_RANGE
from ._turbulence_local import local_powers

Values = Float[Array, "..."]


class AbstractSpectralEmissivity(AbstractEmissivity):
    """Emission and absorption of a spectrum that is no power law.

    With turbulence, the spectrum counts as the power law that touches it where nu/B_perp is that
    of the rms field: exact for power laws, second order in the curvature of the spectrum (3 % of I
    for the default `BrokenPowerLaw` and turbulence as strong as the field, 5 % of P).
    """

    absorbing: eqx.AbstractVar[bool]

    def factors(self, frequency: Float[Array, " n_freq"]) -> None:
        return None

    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"]) -> tuple[Array, Array]:
        nu, squared = frequency[:, None, None], plasma.b_perp_squared()
        if plasma.random is None:
            total, polarised = self.coefficients(plasma.position, squared, nu)[:2]
            return total * squared, polarised
        variance = plasma.random.variance
        whole = squared * (1.0 + plasma.random.striation) + 2.0 * variance
        level = log(nu) + jnp.zeros_like(whole)
        found = lambda x: self.coefficients(plasma.position, whole, jnp.exp(x))[:2]
        (total, polarised), (slope, _) = jax.jvp(found, (level,), (jnp.ones_like(level),))
        # j_I in kelvin goes as nu^(-(p-1)/2 - 2); the means hold for a range of indices
        lit = total > 0
        steepness = jnp.where(lit, slope, 0.0) / jnp.where(lit, total, 1.0)
        index = jnp.clip(-2.0 * steepness - 3.0, *INDEX_RANGE)
        power, factor, boost = local_powers(squared, plasma.random.striation, variance, index)
        return total * power, polarised * factor * boost

    @abc.abstractmethod
    def coefficients(
        self, position: Float[Array, "3 *points"], b_perp_squared: Values, frequency: Values
    ) -> tuple[Values, ...]:
        """j_I, j_P (K/kpc), and with `absorbing` a_I, a_P (1/kpc), each over B_perp^2.

        **Arguments:**

        - `position` (kpc), `b_perp_squared` (microgauss^2) of shape (*points); `frequency` (GHz)
          broadcast against it. B_perp = 0 gives 0.
        """

    @abc.abstractmethod
    def hot_densities(self, position: Float[Array, "3 *points"]) -> tuple[Values, Values]:
        """Cold electrons (cm^-3) that rotate and that convert as these do, with `absorbing`."""


class SpectralTable(AbstractSpectralEmissivity):
    """A spectrum of the same shape everywhere, times a normalisation C(x): a table of one axis.

    The values for C = 1 are within 1e-7 (relative) of the integrals for smooth spectra. Made by
    `spectral_table`.
    """

    normalisation: AbstractField
    table: Float[Array, " size"]
    last_gamma: Float[Array, ""]
    hot: Float[Array, "2"]
    """`hot_densities` for C = 1."""
    grid: Grid = eqx.field(static=True)
    absorbing: bool = eqx.field(static=True)

    def hot_densities(self, position: Float[Array, "3 *points"]) -> tuple[Values, Values]:
        strength = self.normalisation(position)
        return self.hot[0] * strength, self.hot[1] * strength

    def coefficients(
        self, position: Float[Array, "3 *points"], b_perp_squared: Values, frequency: Values
    ) -> tuple[Values, ...]:
        strength = self.normalisation(position)
        place, squared = locate(self.grid, b_perp_squared, frequency)
        width = 16 if self.absorbing else 8
        rows = stored(take_rows(self.table, place.cell * width, width))
        last = (X_FACTOR / self.last_gamma**2) * jnp.exp(place.log_ratio)
        share = factors_of(b_perp_squared, squared, frequency)
        scale = [strength * share.emission] * 2 + [strength * share.absorption] * 2
        return tuple(
            scale[k]
            * exp_of_cubic(tuple(rows[..., 4 * k + i] for i in range(4)), place.fraction, last)
            for k in range(width // 4)
        )


class SpectralGrid(AbstractSpectralEmissivity):
    """A spectrum tabulated in space: tables at the nodes of its grid, linear between them.

    The integrals are linear in N, so they are interpolated as N is (between the tabulated energies
    N itself is interpolated a little differently: in its logarithm, after space). In ln(nu/B_perp)
    within 1e-5 (relative) of the integrals for smooth spectra. Made by `spectral_table`.
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
        place, squared = locate(self.grid, b_perp_squared, frequency)
        width = 8 if self.absorbing else 4
        rows = self._rows(position, place.cell, width)
        share = factors_of(b_perp_squared, squared, frequency)
        share = Factors(*(jnp.where(self.box.contains(position), x, 0.0) for x in share))
        last = (X_FACTOR / self.last_gamma**2) * jnp.exp(place.log_ratio)
        least = max(TINY, float(jnp.finfo(rows.dtype).tiny))
        step, inside = self.grid.step, jnp.clip(place.fraction, 0.0, 1.0)
        found: list[Values] = []
        for k, scale in zip(range(0, width, 4), share, strict=False):
            sides = (rows[..., k : k + 4], rows[..., width + k : width + k + 4])
            ends = []
            for total, slope, polarised, rise in (tuple(jnp.moveaxis(x, -1, 0)) for x in sides):
                there = total > least
                over = 1.0 / jnp.where(there, total, least)
                rate, ratio = step * slope * over, polarised * over
                ends.append((jnp.where(there, total, least), over, rate, ratio, step * rise * over))
            (t0, over, s0, q0, d0), (t1, _, s1, q1, d1) = ends
            level = cubic(log(t0), log(t1 * over), s0, s1)
            value = scale * exp_of_cubic(level, place.fraction, last)
            # the polarised part of it, smooth and of order one: needs no logarithm
            a, b, c, d = cubic(q0, q1 - q0, d0 - q0 * s0, d1 - q1 * s1)
            found += [value, value * (a + inside * (b + inside * (c + inside * d)))]
        return tuple(found)

    def _rows(self, position: Array, cell: Array, width: int) -> Values:
        """Two neighbouring rows in ln(nu/B_perp), interpolated in space: (..., 2 width)."""
        after = (1,) * (position.ndim - 1)
        half, center = (
            v.reshape(3, *after).astype(position.dtype)
            for v in (self.box.half_lengths, self.box.center)
        )
        last = jnp.asarray(self.shape, position.dtype).reshape(3, *after) - 1.0
        level = (position - center + half) * (last / (2.0 * half))
        corner = jnp.clip(jnp.floor(level), 0.0, last - 1.0)
        fraction = jnp.clip(level - jax.lax.stop_gradient(corner), 0.0, 1.0)
        ix, iy, iz = (c.astype(jnp.int32) for c in corner)
        _, ny, nz = self.shape
        total: Any = 0.0
        for dx, dy, dz in np.ndindex(2, 2, 2):
            weights = (f if d else 1.0 - f for f, d in zip(fraction, (dx, dy, dz), strict=True))
            node = ((ix + dx) * ny + iy + dy) * nz + iz + dz
            start = (node * self.grid.n + cell) * width
            weight = functools.reduce(jnp.multiply, weights)
            total = total + weight[..., None] * take_rows(self.table, start, 2 * width)
        return stored(total)


class DirectSpectrum(AbstractSpectralEmissivity):
    """Any spectrum, integrated over energy at every point: exact, and a hundred times the cost.

    For spectra whose shape varies from place to place by a formula. Faster:
    `TabulatedSpectrum.from_spectrum` puts them on a grid.
    """

    cosmic_rays: AbstractCosmicRays
    absorbing: bool = eqx.field(static=True)

    def hot_densities(self, position: Float[Array, "3 *points"]) -> tuple[Values, Values]:
        return hot_densities(self.cosmic_rays, position)

    def coefficients(
        self, position: Float[Array, "3 *points"], b_perp_squared: Values, frequency: Values
    ) -> tuple[Values, ...]:
        positive = b_perp_squared > 0
        squared = log(jnp.where(positive, b_perp_squared, 1.0))
        ratio = frequency * jnp.exp(-0.5 * squared)
        found = integrals(self.cosmic_rays, position, ratio)
        share = factors_of(b_perp_squared, squared, frequency)
        emitted = (share.emission * found.total, share.emission * found.polarised)
        if not self.absorbing:
            return emitted
        lost = (found.absorbed, found.absorbed_polarised)
        return (*emitted, *(share.absorption * x for x in lost))


def spectral_table(
    cosmic_rays: AbstractCosmicRays, absorbing: bool = False
) -> SpectralTable | SpectralGrid | DirectSpectrum:
    """The emissivity of a spectrum in the form that is cheapest to evaluate at many points.

    One table for a spectrum of the same shape everywhere, tables on a grid for
    `TabulatedSpectrum`, else the integral at every point. Differentiable in the spectrum.

    **Arguments:**

    - `cosmic_rays`: the electrons.
    - `absorbing` (static): with self-absorption.
    """
    if isinstance(cosmic_rays, AbstractParametricSpectrum) and cosmic_rays.has_uniform_shape:
        return _uniform_table(cosmic_rays, absorbing)
    if isinstance(cosmic_rays, TabulatedSpectrum):
        return _grid_table(cosmic_rays, absorbing)
    return DirectSpectrum(cosmic_rays, absorbing)


def _uniform_table(cosmic_rays: AbstractParametricSpectrum, absorbing: bool) -> SpectralTable:
    gamma, weight = energies(cosmic_rays)
    grid = nodes_every(0.05)
    parameters = cosmic_rays.parameters()
    dtype = jnp.result_type(float, *parameters)
    at = jnp.asarray(gamma, dtype)
    number = cosmic_rays.shape(at, *parameters) * jnp.asarray(weight, dtype)
    sums = table_sums(number, number / at, gamma, grid, absorbing)
    columns: list[Values] = []
    for value, slope in zip(sums[::2], sums[1::2], strict=True):
        kept = jnp.where(value > TINY, value, TINY)
        level, rate = jnp.log(kept), grid.step * slope / kept
        columns += cubic(level[:-1], level[1:] - level[:-1], rate[:-1], rate[1:])
    table = jnp.stack(columns, axis=-1).ravel()
    hot = jnp.stack([jnp.sum(number * kernel) for kernel in hot_kernels(at)])
    return SpectralTable(_Strength(cosmic_rays), table, at[-1], hot, grid, absorbing)


def _grid_table(cosmic_rays: TabulatedSpectrum, absorbing: bool) -> SpectralGrid:
    gamma, weight = energies(cosmic_rays)
    grid = nodes_every(0.25)
    values = cosmic_rays.values
    at = jnp.asarray(gamma, values.dtype)
    n, *shape = values.shape
    nodes = cosmic_rays.between(at, values.reshape(n, -1))
    number = nodes * jnp.asarray(weight, values.dtype)[:, None]
    sums = table_sums(number, number / at[:, None], gamma, grid, absorbing)
    table = jnp.moveaxis(jnp.stack(sums, axis=-1), 0, 1).ravel()
    box, shape = cosmic_rays.box, tuple(shape)
    densities = (jnp.tensordot(kernel, number, 1).reshape(shape) for kernel in hot_kernels(at))
    rotating, converting = (GridField(x, box) for x in densities)
    hot = (rotating, converting)
    return SpectralGrid(table, box, at[-1], hot, shape, grid, absorbing)


class _Strength(AbstractScalarField):
    """The normalisation of a spectrum, alone."""

    cosmic_rays: AbstractParametricSpectrum

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return self.cosmic_rays(position)

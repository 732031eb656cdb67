"""Emissivities of any spectrum in the march: from tables, or integrated at every point."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._gather import _take as take_rows
from .._numerics._math import log, stored
from ..cosmic_rays import (
    AbstractCosmicRays,
    AbstractParametricSpectrum,
    TabulatedSpectrum,
    energies,
)
from ..fields._field import AbstractField, AbstractScalarField
from ._power_law import X_FACTOR
from ._rotativity import hot_densities, hot_kernels
from ._spectral_base import AbstractSpectralEmissivity
from ._spectral_grid import SpectralGrid, grid_table
from ._spectrum import integrals
from ._spectrum_table import (
    TINY,
    Grid,
    cubic,
    exp_of_cubic,
    factors_of,
    locate,
    moments,
    node_ratios,
    nodes_every,
    polarised_slope,
)

Values = Float[Array, "..."]


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
        return grid_table(cosmic_rays, absorbing)
    return DirectSpectrum(cosmic_rays, absorbing)


def _uniform_table(cosmic_rays: AbstractParametricSpectrum, absorbing: bool) -> SpectralTable:
    gamma, weight = energies(cosmic_rays)
    grid = nodes_every(0.05)
    parameters = cosmic_rays.parameters()
    dtype = jnp.result_type(float, *parameters)
    at = jnp.asarray(gamma, dtype)
    number = cosmic_rays.shape(at, *parameters) * jnp.asarray(weight, dtype)
    found = moments(number, gamma, grid, absorbing)
    least = X_FACTOR * jnp.asarray(node_ratios(grid), dtype) / at[-1] ** 2
    columns: list[Values] = []
    for k in range(0, found.shape[-1], 4):
        four = found[:, k : k + 4]
        slopes = (four[:, 1], polarised_slope(four, least, grid))
        for value, slope in zip((four[:, 0], four[:, 2]), slopes, strict=True):
            kept = jnp.where(value > TINY, value, TINY)
            level, rate = jnp.log(kept), slope / kept
            columns += cubic(level[:-1], level[1:] - level[:-1], rate[:-1], rate[1:])
    table = jnp.stack(columns, axis=-1).ravel()
    hot = jnp.stack([jnp.sum(number * kernel) for kernel in hot_kernels(at)])
    return SpectralTable(_Strength(cosmic_rays), table, at[-1], hot, grid, absorbing)


class _Strength(AbstractScalarField):
    """The normalisation of a spectrum, alone."""

    cosmic_rays: AbstractParametricSpectrum

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return self.cosmic_rays(position)

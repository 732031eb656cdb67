"""Synchrotron emission as a process."""

import abc

import equinox as eqx
import jax
from jaxtyping import Array, Float

from .._parameters import holds
from ..cosmic_rays import AbstractPowerLaw
from ..transfer._base import Coefficients
from ._power_law import field_power, polarised_fraction, spectral_factor
from ._process import AbstractProcess, Plasma


class AbstractEmissivity(eqx.Module):
    """How strongly cosmic rays emit in a field of given B_perp."""

    @abc.abstractmethod
    def __call__(
        self, plasma: Plasma, b_perp_squared: Array, frequency: Float[Array, " n_freq"]
    ) -> tuple[Array, Array]:
        """j_I and j_P over B_perp^2 (microgauss^2), K/kpc: (rows, n_nodes, n_rays).

        Over B_perp^2, so that Q and U follow from the components of B without an angle.
        """

    @abc.abstractmethod
    def factors(self, frequency: Float[Array, " n_freq"]) -> tuple[Array, Array] | None:
        """What multiplies I and P of the whole map afterwards, (n_freq, 1); None for nothing."""


class ClosedForm(AbstractEmissivity):
    """A power law: C B_perp^((p + 1)/2) times a factor of frequency and p."""

    cosmic_rays: AbstractPowerLaw
    index_is_three: bool = eqx.field(static=True)
    """Known while tracing: then no power of B_perp is needed."""
    deferred: bool = eqx.field(static=True)
    """Whether the factor is put in at the end: all frequencies then share one row."""

    def __call__(
        self, plasma: Plasma, b_perp_squared: Array, frequency: Float[Array, " n_freq"]
    ) -> tuple[Array, Array]:
        index = self.cosmic_rays.index(plasma.position)
        strength = self.cosmic_rays(plasma.position)
        if not self.index_is_three:
            strength = strength * field_power(b_perp_squared, index)
        if self.deferred:
            return strength[None], strength[None]
        total = spectral_factor(frequency[:, None, None], index) * strength
        return total, polarised_fraction(index) * total

    def factors(self, frequency: Float[Array, " n_freq"]) -> tuple[Array, Array] | None:
        if not self.deferred:
            return None
        index = self.cosmic_rays.spectral_index
        factor = spectral_factor(frequency, index)[:, None]
        return factor, factor * polarised_fraction(index)


def index_is_three(cosmic_rays: AbstractPowerLaw) -> bool:
    """Whether the spectral index is known (not being traced) to be the number 3."""
    index = cosmic_rays.spectral_index
    known = eqx.is_array(index) and not isinstance(index, jax.core.Tracer)
    return known and index.ndim == 0 and holds(index, lambda p: p == 3.0)


class SynchrotronEmission(AbstractProcess):
    """E is perpendicular to B: exp(2i chi_0) = -(B_b + i B_l)^2 / B_perp^2."""

    emissivity: AbstractEmissivity

    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"] | None) -> Coefficients:
        b_l, b_b = plasma.b_l, plasma.b_b
        b_perp_squared = b_l * b_l + b_b * b_b
        total, polarised = self.emissivity(plasma, b_perp_squared, frequency)
        emission = (
            total * b_perp_squared,
            polarised * ((b_l - b_b) * (b_l + b_b)),
            polarised * (-2.0 * b_b * b_l),
            None,
        )
        return Coefficients(emission=emission)

"""Synchrotron emission as a process."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._parameters import holds
from ..cosmic_rays import AbstractPowerLaw
from ..transfer._base import Coefficients
from ._power_law import field_power, polarised_fraction, spectral_factor
from ._process import AbstractProcess, Plasma
from ._turbulence import joint_boost, striated_square, turbulent_powers


class AbstractEmissivity(eqx.Module):
    """How strongly cosmic rays emit where they are."""

    @abc.abstractmethod
    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"]) -> tuple[Array, Array]:
        """j_I, and j_P over B_perp^2: (rows, n_nodes, n_rays), K/kpc and K/kpc/microgauss^2.

        The second over B_perp^2 of the regular field, so that Q and U follow from the components
        of B without an angle.
        """

    @abc.abstractmethod
    def factors(self, frequency: Float[Array, " n_freq"]) -> tuple[Array, Array] | None:
        """What multiplies I and P of the whole map afterwards, (n_freq, 1); None for nothing."""


class ClosedForm(AbstractEmissivity):
    """A power law: C B_perp^((p + 1)/2) times a factor of frequency and p.

    With turbulence, the means over the unresolved field stand in place of the powers of B_perp.
    """

    cosmic_rays: AbstractPowerLaw
    index_is_three: bool = eqx.field(static=True)
    """Known while tracing: then no power of B_perp is needed."""
    deferred: bool = eqx.field(static=True)
    """Whether the factor is put in at the end: all frequencies then share one row."""

    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"]) -> tuple[Array, Array]:
        index = self.cosmic_rays.index(plasma.position)
        strength = self.cosmic_rays(plasma.position)
        total, polarised = self._powers(plasma, index)
        total = (strength * total)[None]
        polarised = (strength if polarised is None else strength * polarised)[None]
        if self.deferred:
            return total, polarised
        factor = spectral_factor(frequency[:, None, None], index)
        return factor * total, (polarised_fraction(index) * factor) * polarised

    def _powers(self, plasma: Plasma, index: Array) -> tuple[Array, Array | None]:
        """B_perp^((p+1)/2) and B_perp^((p-3)/2), or their means; None for one."""
        squared, cubic = plasma.b_perp_squared(), self.index_is_three
        random = plasma.random
        if random is None:
            if cubic:
                return squared, None
            power = field_power(squared, index)
            return squared * power, power
        boost = striated_square(jnp.ones((), squared.dtype), random.striation, index, cubic)
        if not cubic:
            boost = joint_boost(boost, random.striation, squared, random.variance)
        total, polarised = turbulent_powers(squared * boost, random.variance, index, cubic)
        return total, polarised * boost

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
        total, polarised = self.emissivity(plasma, frequency)
        q = polarised * ((b_l - b_b) * (b_l + b_b))
        u = polarised * (-2.0 * b_b * b_l)
        return Coefficients(emission=(total, q, u, None))

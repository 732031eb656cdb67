"""What emissivities of spectra that are no power laws have in common."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import log
from ._process import Plasma
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

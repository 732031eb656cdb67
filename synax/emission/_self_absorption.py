"""Synchrotron self-absorption, circular polarisation and Faraday conversion as a process."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import safe_sqrt
from ..cosmic_rays import AbstractPowerLaw
from ..transfer._base import Coefficients
from ._polarised import cold_rotativity, power_law_coefficients
from ._process import AbstractProcess, Plasma
from ._spectral import AbstractSpectralEmissivity


class SelfAbsorption(AbstractProcess):
    """What relativistic electrons absorb, their circular emission, and conversion by cold ones.

    Absorption of all Stokes parameters, j_V and a_V of a power law of all energies in closed form;
    for other spectra a_I and a_P from their table (V of their emission, 1e-3 and less of I, is left
    out). Conversion needs thermal electrons. The regular field alone counts: unresolved
    turbulence, if any, is not in these terms.

    **Reference:** Westfold 1959, ApJ 130, 241; Legg & Westfold 1968, ApJ 154, 499; Sazonov 1969,
    Sov. Astron. 13, 396.
    """

    electrons: AbstractPowerLaw | AbstractSpectralEmissivity
    """A power law, or the emissivity of `spectral_table(..., absorbing=True)`."""

    def __check_init__(self):
        if isinstance(self.electrons, AbstractSpectralEmissivity) and not self.electrons.absorbing:
            raise ValueError("SelfAbsorption: electrons must be made with absorbing=True")

    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"] | None) -> Coefficients:
        assert frequency is not None  # the simulator's law has one
        nu, squared = frequency[:, None, None], plasma.b_perp_squared()
        across, along = safe_sqrt(squared), -plasma.b_away
        positive = squared > 0
        inverse = jnp.where(positive, 1.0, 0.0) / jnp.where(positive, squared, 1.0)
        # exp(2i chi_0) = -(B_b + i B_l)^2 / B_perp^2
        cosine = (plasma.b_l - plasma.b_b) * (plasma.b_l + plasma.b_b) * inverse
        sine = -2.0 * plasma.b_b * plasma.b_l * inverse
        circular = lost_circular = None
        if isinstance(self.electrons, AbstractPowerLaw):
            strength, index = (
                self.electrons(plasma.position),
                self.electrons.index(plasma.position),
            )
            found = power_law_coefficients(strength, index, across, nu, along)
            total, polarised, lost_circular = found.absorption
            circular = found.emission[2]
        else:
            *_, total, polarised = self.electrons.coefficients(plasma.position, squared, nu)
            total, polarised = total * squared, polarised * squared
        conversion = (None, None)
        if plasma.density is not None:
            rate, _ = cold_rotativity(plasma.density, across, along, nu)
            conversion = (rate * cosine, rate * sine)
        absorption = (total, polarised * cosine, polarised * sine, lost_circular)
        emission = (None, None, None, circular)
        return Coefficients(emission=emission, absorption=absorption, conversion=conversion)

"""Synchrotron self-absorption, circular polarisation and Faraday conversion as a process."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import kept, log, safe_sqrt, stored
from ..cosmic_rays import AbstractPowerLaw
from ..transfer._base import Coefficients
from ._polarised import cold_rotativity, local_coefficients, local_field
from ._power_law import X_FACTOR
from ._process import AbstractProcess, Plasma
from ._rotativity import converting_share, rotating_share
from ._spectral_base import AbstractSpectralEmissivity


class SelfAbsorption(AbstractProcess):
    """What relativistic electrons absorb and rotate, their circular emission, and conversion.

    Absorption of all Stokes parameters, j_V and a_V of a power law of all energies in closed form;
    for other spectra a_I and a_P from their table (V of their emission, 1e-3 and less of I, is left
    out). Conversion by cold and by relativistic electrons, rotation by the latter (it is less than
    1e-3 of that by thermal electrons in the Galaxy, and in the rotation measure too). The regular
    field alone counts.

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
        # their cotangents are sums over frequencies: of what is kept
        spread = lambda x: kept(jnp.broadcast_to(x, (nu.size, *squared.shape)))
        positive = squared > 0
        inverse = jnp.where(positive, 1.0, 0.0) / jnp.where(positive, squared, 1.0)
        # exp(2i chi_0) = -(B_b + i B_l)^2 / B_perp^2
        cosine = (plasma.b_l - plasma.b_b) * (plasma.b_l + plasma.b_b) * inverse
        sine = -2.0 * plasma.b_b * plasma.b_l * inverse
        across, cosine, sine = stored((across, cosine, sine))
        circular = lost_circular = None
        if isinstance(self.electrons, AbstractPowerLaw):
            strength, index = (
                self.electrons(plasma.position),
                self.electrons.index(plasma.position),
            )
            field = local_field(across)
            found = local_coefficients(strength, index, field, nu, along)
            total, polarised, lost_circular = found.absorption
            circular = found.emission[2]
            share = converting_share(index, log(X_FACTOR * nu), spread(field.log))
            share = jnp.where(positive, share, 0.0)
            rotating, converting = strength * rotating_share(index), strength * share
        else:
            *_, total, polarised = self.electrons.coefficients(plasma.position, squared, nu)
            total, polarised = total * squared, polarised * squared
            rotating, converting = self.electrons.hot_densities(plasma.position)
        if plasma.density is not None:
            converting = converting + plasma.density
        rate, _ = cold_rotativity(converting, spread(across), along, nu)
        cosine, sine = spread(cosine), spread(sine)
        conversion = (rate * cosine, rate * sine)
        rotation = (const.FARADAY_CONSTANT * rotating) * along
        absorption = (total, polarised * cosine, polarised * sine, lost_circular)
        emission = (None, None, None, circular)
        return Coefficients(
            emission=emission, absorption=absorption, rotation=rotation, conversion=conversion
        )

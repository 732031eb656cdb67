"""What a cosmic-ray electron model is: a spectrum N(gamma, position).

The power-law family is closed under the emission formulae: the model's value is the
normalisation C (cm^-3) of N(gamma) = C gamma^-p and `index(position)` gives p.
"""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._parameters import parameter
from ..fields._field import AbstractField, AbstractScalarField
from ..fields._surfaces import AbstractSurface

LOWEST_INDEX = 1.0 / 3.0
"""p must exceed this for the emissivity of a power law to converge (Westfold's integral)."""


class AbstractCosmicRays(AbstractField):
    """A population of relativistic electrons, isotropic in pitch angle."""

    @abc.abstractmethod
    def spectrum(
        self, gamma: Float[Array, "*energies"], position: Float[Array, "3 *points"]
    ) -> Float[Array, "..."]:
        """N(gamma) dgamma in cm^-3 (all directions together) at each Lorentz factor."""


class AbstractPowerLaw(AbstractScalarField, AbstractCosmicRays):
    """N(gamma) = C(position) gamma^-p; calling the model gives C in cm^-3.

    `spectral_index` is p > 1/3: a number (a leaf) or a scalar field of position.
    """

    spectral_index: eqx.AbstractVar[Any]

    def index(self, position: Float[Array, "3 *points"]) -> Float[Array, "..."]:
        """The spectral index p: shape () if it is a number, (*points,) if it is a field."""
        if isinstance(self.spectral_index, AbstractField):
            return self.spectral_index(position)
        return self.spectral_index

    def spectrum(
        self, gamma: Float[Array, "*energies"], position: Float[Array, "3 *points"]
    ) -> Float[Array, "..."]:
        gamma = gamma.reshape(gamma.shape + (1,) * (position.ndim - 1))
        return self(position) * gamma ** (-self.index(position))


def index_surfaces(model: AbstractPowerLaw) -> tuple[AbstractSurface, ...]:
    """The surfaces of the spectral index, if it is a field."""
    index = model.spectral_index
    return index.surfaces() if isinstance(index, AbstractField) else ()


def spectral_index_field(default: float = 3.0) -> Any:
    """Declare the `spectral_index` leaf: number, array, Quantity or scalar field."""
    text = "electron index p, N ~ gamma^-p (number or scalar field)"
    return parameter(default, "", text, above=LOWEST_INDEX)

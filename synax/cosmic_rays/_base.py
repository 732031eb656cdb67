"""What a cosmic-ray electron model is: a spectrum N(gamma, position).

The power-law family is closed under the emission formulae: the model's value is the
normalisation C (cm^-3) of N(gamma) = C gamma^-p and `index(position)` gives p.
"""

import abc
import math
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._parameters import parameter
from ..fields._field import AbstractField, AbstractScalarField
from ..fields._surfaces import AbstractSurface
from ._energies import energies

LOWEST_INDEX = 1.0 / 3.0
"""p must exceed this for the emissivity of a power law to converge (Westfold's integral)."""


class AbstractCosmicRays(AbstractScalarField):
    """A population of relativistic electrons, isotropic in pitch angle.

    A subclass gives `spectrum` and `gamma_range` (two numbers known before tracing, as a property,
    a static field or a class attribute); that is all that emission and absorption need. Calling
    the model gives the number density of electrons in that range (cm^-3), unless it says otherwise.
    """

    if TYPE_CHECKING:  # read only: a property overrides it as well

        @property
        def gamma_range(self) -> tuple[float, float]:
            """Lowest and highest Lorentz factor; the spectrum counts as 0 outside."""
            ...

    else:
        gamma_range: eqx.AbstractVar[tuple[float, float]]
        """Lowest and highest Lorentz factor; the spectrum counts as 0 outside."""

    @abc.abstractmethod
    def spectrum(
        self, gamma: Float[Array, "*energies"], position: Float[Array, "3 *points"]
    ) -> Float[Array, "..."]:
        """N(gamma) dgamma in cm^-3 (all directions together) at each Lorentz factor.

        **Returns** (*energies, *points).
        """

    def breaks(self) -> tuple[Any, ...]:
        """Lorentz factors at which the spectrum jumps or bends sharply (none by default)."""
        return ()

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        gamma, weight = (jnp.asarray(x, position.dtype) for x in energies(self))
        return jnp.tensordot(weight, self.spectrum(gamma, position), axes=1)

    # what becomes of a population is a population: of a power law, a power law

    def __mul__(self, factor: Any) -> Any:
        return _population(super().__mul__(factor))

    def __truediv__(self, factor: Any) -> Any:
        return _population(super().__truediv__(factor))

    def __neg__(self) -> Any:
        return _population(super().__neg__())

    def rotated(self, rotation_vector: Any) -> Any:
        """The population turned bodily about the Galactic Centre by a rotation vector (rad)."""
        return _population(super().rotated(rotation_vector))

    def shifted(self, offset: Any) -> Any:
        """The population moved by `offset` (3,) kpc: value(x) = original(x - offset)."""
        return _population(super().shifted(offset))

    def inside(self, domain: Any) -> Any:
        """The population cut off (0) outside a domain."""
        return _population(super().inside(domain))


def _population(changed: Any) -> Any:
    from ._changed import ChangedPowerLaw, ChangedSpectrum

    inner = getattr(changed, "field", None)
    if isinstance(inner, AbstractPowerLaw):
        return ChangedPowerLaw(changed)
    return ChangedSpectrum(changed) if isinstance(inner, AbstractCosmicRays) else changed


class AbstractPowerLaw(AbstractCosmicRays):
    """N(gamma) = C(position) gamma^-p; calling the model gives C in cm^-3.

    `spectral_index` is p > 1/3: a number (a leaf) or a scalar field of position.
    """

    spectral_index: eqx.AbstractVar[Any]

    @property
    def gamma_range(self) -> tuple[float, float]:
        """All energies: the emission of a power law is taken in closed form."""
        return (1.0, math.inf)

    @abc.abstractmethod
    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        """C at each position, cm^-3."""

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

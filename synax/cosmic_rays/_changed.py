"""Scaled, cut, moved and turned populations of cosmic-ray electrons."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from ..fields._field import (
    AbstractField,
    AbstractScalarField,
    Rotated,
    Shifted,
)
from ..fields._surfaces import AbstractSurface
from ._base import AbstractCosmicRays, AbstractPowerLaw


class ChangedPowerLaw(AbstractPowerLaw):
    """What scaling, cutting, moving or turning makes of a power law: again a power law.

    `field` is the changed field, `field.field` the original.
    """

    field: AbstractField

    @property
    def spectral_index(self) -> Any:
        """The index of the original; a field of index moves and turns with it."""
        changed: Any = self.field
        index = changed.field.spectral_index
        if not isinstance(index, AbstractField):
            return index
        if isinstance(changed, Shifted):
            return Shifted(index, changed.offset)
        if isinstance(changed, Rotated):
            return Rotated(index, changed.rotation_vector)
        return index

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return self.field(position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return self.field.surfaces()

    def prepare(self) -> "ChangedPowerLaw":
        return ChangedPowerLaw(self.field.prepare())


class _AtEnergy(AbstractScalarField):
    """N at one Lorentz factor, as a field."""

    cosmic_rays: AbstractCosmicRays
    gamma: Float[Array, ""]

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return self.cosmic_rays.spectrum(self.gamma, position)


class ChangedSpectrum(AbstractCosmicRays):
    """What scaling, cutting, moving or turning makes of a population with any spectrum."""

    field: AbstractField

    @property
    def _original(self) -> AbstractCosmicRays:
        changed: Any = self.field
        return changed.field

    @property
    def gamma_range(self) -> tuple[float, float]:
        """Energies of the original."""
        return self._original.gamma_range

    def breaks(self) -> tuple[Any, ...]:
        return self._original.breaks()

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return self.field(position)

    def spectrum(
        self, gamma: Float[Array, "*energies"], position: Float[Array, "3 *points"]
    ) -> Float[Array, "..."]:
        def at(one: Array) -> Array:
            changed: Any = self.field
            replaced = eqx.tree_at(lambda f: f.field, changed, _AtEnergy(self._original, one))
            return replaced(position)

        values = jax.vmap(at)(gamma.reshape(-1))
        return values.reshape(gamma.shape + position.shape[1:])

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return self.field.surfaces()

    def prepare(self) -> "ChangedSpectrum":
        return ChangedSpectrum(self.field.prepare())

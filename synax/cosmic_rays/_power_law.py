"""A power law whose normalisation and index are any fields (grids, samples, sums)."""

from typing import Any, ClassVar

from jaxtyping import Array, Float

from .._parameters import ModelInfo
from ..fields._field import AbstractField, check_rank, check_unit
from ..fields._surfaces import AbstractSurface
from ._base import AbstractPowerLaw, index_surfaces, spectral_index_field


class PowerLaw(AbstractPowerLaw):
    """N(gamma) = C gamma^-p with C = `normalisation`, a scalar field (cm^-3)."""

    normalisation: AbstractField
    spectral_index: Any = spectral_index_field(3.0)

    info: ClassVar[ModelInfo] = ModelInfo(paper="none: holds the user's own fields")

    def __check_init__(self):
        if not isinstance(self.normalisation, AbstractField):
            raise TypeError(
                "PowerLaw: normalisation must be a scalar field (cosmic_rays.Uniform takes a "
                f"number), got {type(self.normalisation).__name__}"
            )
        check_rank(self.normalisation, "scalar", "normalisation")
        check_unit(self.normalisation, "cm-3", "normalisation")
        if isinstance(self.spectral_index, AbstractField):
            check_rank(self.spectral_index, "scalar", "spectral_index")

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return self.normalisation(position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (*self.normalisation.surfaces(), *index_surfaces(self))

    def prepare(self) -> "PowerLaw":
        index = self.spectral_index
        index = index.prepare() if isinstance(index, AbstractField) else index
        return PowerLaw(self.normalisation.prepare(), index)

"""A constant population of cosmic-ray electrons, everywhere or inside a sphere."""

from typing import Any, ClassVar

from jaxtyping import Array, Float

from .._parameters import ModelInfo, Scalar, parameter
from ..fields._constant import ball, constant
from ..fields._surfaces import AbstractSurface
from ._base import AbstractPowerLaw, index_surfaces, spectral_index_field


class Uniform(AbstractPowerLaw):
    """C = `value` inside a sphere of `radius` around `center`; no radius: everywhere."""

    value: Scalar = parameter(4.0e-5, "cm-3", "normalisation C", minimum=0.0)
    spectral_index: Any = spectral_index_field(3.0)
    radius: Scalar | None = parameter(None, "kpc", "radius of the sphere; None: no edge", above=0.0)
    center: Float[Array, "3"] | None = parameter(None, "kpc", "centre; None: Galactic Centre")

    info: ClassVar[ModelInfo] = ModelInfo(paper="toy model", toy=True)

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return constant(self.value, ball(self.radius, self.center), position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        sphere = ball(self.radius, self.center)
        return (*(() if sphere is None else (sphere,)), *index_surfaces(self))

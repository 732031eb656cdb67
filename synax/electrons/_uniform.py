"""A constant density, everywhere or inside a sphere."""

from typing import ClassVar

from jaxtyping import Array, Float

from .._parameters import ModelInfo, Scalar, parameter
from ..fields._constant import ball, constant
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface


class Uniform(AbstractScalarField):
    """n_e = `value` inside a sphere of `radius` around `center`; no radius: everywhere."""

    value: Scalar = parameter(0.01, "cm-3", "density", minimum=0.0)
    radius: Scalar | None = parameter(None, "kpc", "radius of the sphere; None: no edge", above=0.0)
    center: Float[Array, "3"] | None = parameter(None, "kpc", "centre; None: Galactic Centre")

    info: ClassVar[ModelInfo] = ModelInfo(paper="toy model", toy=True)

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return constant(self.value, ball(self.radius, self.center), position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        sphere = ball(self.radius, self.center)
        return () if sphere is None else (sphere,)

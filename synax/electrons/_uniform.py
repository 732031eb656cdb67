"""A constant density, everywhere or inside a sphere."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._parameters import ModelInfo, Scalar, parameter
from ..fields._domain import Sphere
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface


class Uniform(AbstractScalarField):
    """n_e = `value` inside a sphere of `radius` around `center`; no radius: everywhere."""

    value: Scalar = parameter(0.01, "cm-3", "density", minimum=0.0)
    radius: Scalar | None = parameter(None, "kpc", "radius of the sphere; None: no edge", above=0.0)
    center: Float[Array, "3"] | None = parameter(None, "kpc", "centre; None: Galactic Centre")

    info: ClassVar[ModelInfo] = ModelInfo(paper="toy model")

    def _sphere(self) -> Sphere | None:
        if self.radius is None:
            return None
        center = (0.0, 0.0, 0.0) if self.center is None else self.center
        return Sphere(self.radius, center)

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        sphere = self._sphere()
        value = self.value + 0.0 * position[0]
        return value if sphere is None else jnp.where(sphere.contains(position), value, 0.0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        sphere = self._sphere()
        return () if sphere is None else (sphere,)

"""A constant vector field, for tests and toy models."""

from typing import ClassVar

from jaxtyping import Array, Float

from .._parameters import ModelInfo, parameter
from ..fields._field import AbstractVectorField


class Uniform(AbstractVectorField):
    """B = `vector` (x, y, z components, microgauss) everywhere.

    `Uniform(v).inside(synax.Sphere(radius, center))` confines it.
    """

    vector: Float[Array, "3"] = parameter(..., "uG", "the field vector")

    info: ClassVar[ModelInfo] = ModelInfo(paper="toy model", toy=True)

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        shape = (3,) + (1,) * (position.ndim - 1)
        return self.vector.astype(position.dtype).reshape(shape) + 0.0 * position

"""A helix between two cylinders, a toy model."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder


class Helix(AbstractVectorField):
    """B = (-bx y/r, by x/r, bz) for r_min < r < r_max, else 0; circular where bx = by.

    **Reference:** the "helix" toy model of hammurabiX (Wang et al. 2020, ApJS 247, 18).
    """

    bx: Scalar = parameter(1.0, "uG", "amplitude of the x component")
    by: Scalar = parameter(1.0, "uG", "amplitude of the y component")
    bz: Scalar = parameter(0.0, "uG", "vertical field")
    r_min: Scalar = parameter(3.0, "kpc", "inner edge", minimum=0.0)
    r_max: Scalar = parameter(5.0, "kpc", "outer edge", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="toy model of hammurabiX, Wang et al. 2020, ApJS 247, 18",
        notes="divergence-free for bx = by (0.034 |B|/kpc for bx = 1, by = 1.5)",
        toy=True,
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, _ = position
        r = cylindrical_radius(x, y)
        inside = (r > self.r_min) & (r < self.r_max)
        inverse = jnp.where(inside, 1.0, 0.0) / jnp.where(inside, r, 1.0)
        b_z = jnp.where(inside, self.bz, 0.0)
        return vector(-self.bx * y * inverse, self.by * x * inverse, b_z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Cylinder(self.r_min), Cylinder(self.r_max))

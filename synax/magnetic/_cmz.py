"""The intercloud field of the Central Molecular Zone."""

import math
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField


class CMZ(AbstractVectorField):
    """The poloidal field that fills the Central Molecular Zone between its clouds.

    About `center`: w = 1/(1 + a z^2), a = 4 ln 2/height^2, L = radius/ln 2, S = b0 exp(-w r/L),
    B_z = w^2 S, B_r = 2 a w^3 r z S.

    **Reference:** Guenduez, Becker Tjus, Ferriere & Dettmar 2020, A&A 644, A71 (intercloud term;
    the fields of single clouds and filaments are not included), after Ferriere & Terral 2014.
    """

    b0: Scalar = parameter(10.0 / 0.85, "uG", "field at the centre")
    radius: Scalar = parameter(0.158, "kpc", "radius at which the field is halved", minimum=0.0)
    height: Scalar = parameter(
        0.070, "kpc", "full width at half w: opening of the lines", above=0.0
    )
    center: Float[Array, "3"] = parameter((0.0, -0.0083, -0.0069), "kpc", "centre of symmetry")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Guenduez et al. 2020, A&A 644, A71, intercloud term",
        notes="divergence-free; meant to be added to a large-scale model",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = (p - c for p, c in zip(position, self.center, strict=True))
        r = cylindrical_radius(x, y)
        a = 4.0 * math.log(2.0) / self.height**2
        w = 1.0 / (1.0 + a * z * z)
        vertical = self.b0 * w * w * jnp.exp(-math.log(2.0) * w * r / self.radius)
        outward = 2.0 * a * w * z * vertical
        return vector(outward * x, outward * y, vertical)

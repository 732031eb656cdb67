"""A toroidal halo field."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField


class ToroidalHalo(AbstractVectorField):
    """B = b0 (r/r0) exp(1 - r/r0) / (1 + ((|z| - z0)/z1)^2) e_phi, the same sign on both sides.

    **Reference:** Sun et al. 2008, A&A 477, 573, eq. 8, in the form of CRPropa 3, whose class
    points it along e_r; `crpropa=True` reproduces that.
    """

    crpropa: bool = eqx.field(static=True, default=False)
    """Radial direction, as in CRPropa 3."""
    b0: Scalar = parameter(1.0, "uG", "largest strength")
    r0: Scalar = parameter(8.0, "kpc", "radius of the strongest field", minimum=0.0)
    z0: Scalar = parameter(1.5, "kpc", "height of the strongest field")
    z1: Scalar = parameter(0.3, "kpc", "vertical width", above=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Sun et al. 2008, A&A 477, 573, eq. 8; as in CRPropa 3",
        notes="no outer edge; divergence-free (0.16 |B|/kpc with crpropa=True)",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        height = (jnp.abs(z) - self.z0) / self.z1
        strength = self.b0 / self.r0 * jnp.exp(1.0 - r / self.r0) / (1.0 + height * height)
        if self.crpropa:
            return vector(strength * x, strength * y, 0.0 * z)
        return vector(-strength * y, strength * x, 0.0 * z)

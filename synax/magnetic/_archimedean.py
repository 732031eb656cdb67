"""The Archimedean spiral field of a rotating wind."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._constants import KPC
from .._numerics._math import safe_divide, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Plane


class ArchimedeanSpiral(AbstractVectorField):
    """Field frozen into a radial wind of constant speed from a rotating sphere (Parker spiral).

    With R the spherical radius, theta the polar angle and the sign of z,

    B = sign(z) b0 [(r0/R)^2 e_R - omega r0^2 sin(theta)/(R v) e_phi],

    which is sign(z) b0 (r0/R)^2 [e_R - (omega/v) (-y, x, 0)]. At R = 0 it is set to 0.

    **Reference:** Parker 1958, ApJ 128, 664, as `ArchimedeanSpiralField` of CRPropa 3 (Alves
    Batista et al. 2022, JCAP 09, 035); the defaults suit no particular galaxy.
    """

    b0: Scalar = parameter(1.0, "uG", "radial field at R = r0")
    r0: Scalar = parameter(1.0, "kpc", "reference radius", minimum=0.0)
    omega: Scalar = parameter(2.7e-15, "rad s-1", "angular velocity")
    wind_speed: Scalar = parameter(400.0, "km s-1", "speed v of the wind")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Parker 1958, ApJ 128, 664; Alves Batista et al. 2022, JCAP 09, 035",
        notes="divergence-free but for the neutral sheet z = 0 and the centre",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        radius2 = x * x + y * y + z * z
        inverse2 = safe_divide(jnp.ones_like(radius2), radius2)
        inverse = jnp.where(radius2 > 0, jnp.sqrt(jnp.where(radius2 > 0, inverse2, 1.0)), 0.0)
        strength = jnp.where(z < 0, -self.b0, self.b0) * self.r0**2 * inverse2
        twist = self.omega * (KPC / 1e3) / self.wind_speed
        return strength * vector(x * inverse + twist * y, y * inverse - twist * x, z * inverse)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(),)

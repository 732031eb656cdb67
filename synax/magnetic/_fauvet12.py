"""The field of Fauvet et al. (2012), fitted to polarisation alone."""

import math
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, log, sincos, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder


class Fauvet12(AbstractVectorField):
    """A modified logarithmic spiral that tilts out of the plane.

    B = A [C sin p cos chi e_r - C cos p cos chi e_phi + sin chi e_z] for r_min <= r <= r_max,
    A = b0 exp(-(r - 8 kpc) / r_scale), C = cos(phi + ln(r / r_arm) / tan p),
    chi = chi0 tanh(z / z_tilt); zero elsewhere. It does not fall with height.

    **Reference:** Fauvet et al. 2012, A&A 540, A122 (arXiv:1201.5742), sect. 3. The pitch angle is
    that of their simulations. The sign, which polarisation does not see, is opposite to that of
    rotation measures near the Sun: b0 < 0 gives the observed sense.
    """

    b0: Scalar = parameter(2.1, "uG", "amplitude at r = 8 kpc")
    pitch: Scalar = parameter(math.radians(-30.0), "rad", "pitch angle p (-30 deg)")
    r_arm: Scalar = parameter(7.1, "kpc", "radius of the spiral at azimuth 0", minimum=0.0)
    chi0: Scalar = parameter(math.radians(22.4), "rad", "tilt out of the plane (22.4 deg)")
    z_tilt: Scalar = parameter(1.0, "kpc", "height at which the tilt sets in")
    r_scale: Scalar = parameter(8.5, "kpc", "scale length of the strength", above=0.0)
    r_min: Scalar = parameter(3.0, "kpc", "inner edge", minimum=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Fauvet et al. 2012, A&A 540, A122, sect. 3",
        sun=(-8.0, 0.0, 0.0),
        notes="polarisation only; rms of div B is 0.25 |B|/kpc",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        inside = (r >= self.r_min) & (r <= self.r_max)
        r_safe = jnp.where(inside, r, 8.0)
        sin_a, cos_a = sincos(log(r_safe / self.r_arm) / jnp.tan(self.pitch))
        strength = jnp.where(inside, self.b0 * jnp.exp((8.0 - r_safe) / self.r_scale), 0.0)
        sin_chi, cos_chi = sincos(self.chi0 * jnp.tanh(z / self.z_tilt))
        wave = (x * cos_a - y * sin_a) / r_safe
        sin_p, cos_p = jnp.sin(self.pitch), jnp.cos(self.pitch)
        flat = strength * wave * cos_chi / r_safe
        b_x, b_y = flat * (sin_p * x + cos_p * y), flat * (sin_p * y - cos_p * x)
        return vector(b_x, b_y, strength * sin_chi)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Cylinder(self.r_min), Cylinder(self.r_max))

"""The bisymmetric spiral of Stanev (1997)."""

import math
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, larger, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane
from ._spiral_parts import along_spiral, wave


class Stanev97(AbstractVectorField):
    """A bisymmetric spiral, even across the plane (BSS-S), with two scale heights.

    B = S (sin p e_r - cos p e_phi) for r <= r_max, with theta = pi - phi and
    S = b0 (r_sun / max(r, r_core)) cos(theta - ln(r / r_0) / tan p) exp(-|z| / h),
    h = h_disk for |z| <= z_disk and h_halo beyond, where S jumps up by a factor 1.455.

    **Reference:** Stanev 1997, ApJ 479, 290 (astro-ph/9607086), eqs. 2-4; eq. 4 as printed lacks
    the minus sign of the exponent. Cut at the cylinder of 20 kpc. On the axis, where the spiral
    winds without end, it is set to 0.
    """

    b0: Scalar = parameter(3.0, "uG", "amplitude at the Sun's radius")
    pitch: Scalar = parameter(math.radians(-10.0), "rad", "pitch angle p (-10 deg)")
    r_0: Scalar = parameter(
        10.55, "kpc", "radius of greatest field towards the Sun, r_0", minimum=0.0
    )
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    r_core: Scalar = parameter(
        4.0, "kpc", "radius inside which the amplitude is constant", minimum=0.0
    )
    z_disk: Scalar = parameter(0.5, "kpc", "height at which the scale height changes")
    h_disk: Scalar = parameter(1.0, "kpc", "scale height below z_disk", above=0.0)
    h_halo: Scalar = parameter(4.0, "kpc", "scale height above z_disk", above=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Stanev 1997, ApJ 479, 290, eqs. 2-4",
        sun=(-8.5, 0.0, 0.0),
        notes="div B = 0 for r > r_core in each slab; rms 0.045 |B|/kpc with the core",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        within = (r > 0) & (r <= self.r_max)
        r_safe = jnp.where(within, r, 1.0)
        height = jnp.abs(z)
        fall = height / jnp.where(height > self.z_disk, self.h_halo, self.h_disk)
        strength = self.b0 * self.r_sun / larger(r_safe, self.r_core) * jnp.exp(-fall)
        strength = strength * wave(x, y, r_safe, self.pitch, self.r_0, 0.0)
        per_radius = jnp.where(within, strength / r_safe, 0.0)
        return vector(*along_spiral(per_radius, x, y, self.pitch), 0.0 * z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        planes = (Plane(), Plane(self.z_disk), Plane(-self.z_disk))
        return (*planes, Cylinder(self.r_core), Cylinder(self.r_max))

"""The field of Prouza & Smida in the version of Kachelriess, Serpico & Teshima (2007)."""

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, larger, safe_divide, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._domain import Sphere
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane
from ._spiral_parts import along_spiral, reversal_phase, wave

Points = Float[Array, "*points"]


class PS07(AbstractVectorField):
    """A bisymmetric spiral disk, a toroidal halo and a dipole.

    - disk (`disk`): that of `TT02`, even across the plane, with b_disk and scale height z_disk;
    - halo (`halo`): B_phi = sgn(z) b_halo exp(-max(r - r_sun, 0) / r_sun)
      / (1 + ((|z| - h_halo) / w_halo)^2), which does not fall to the axis;
    - dipole (`dipole`): (m / R^3) [e_z - 3 (e_z.n) n], n = x / R, for R = |x| >= r_dipole, and the
      constant b_core e_z within: a large jump.

    The three switches are static.

    **Reference:** Kachelriess, Serpico & Teshima 2007, Astropart. Phys. 26, 378
    (astro-ph/0510444), sect. 3, after Prouza & Smida 2003, A&A 410, 1. They leave the disk inside
    4 kpc open: its amplitude is constant there, as that of Tinyakov & Tkachev.
    """

    b_disk: Scalar = parameter(2.0, "uG", "strength of the disk at the Sun")
    pitch: Scalar = parameter(math.radians(-8.0), "rad", "pitch angle p (-8 deg)")
    d: Scalar = parameter(-0.5, "kpc", "distance from the Sun to the first field reversal")
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    r_core: Scalar = parameter(
        4.0, "kpc", "radius inside which the disk's amplitude is constant", minimum=0.0
    )
    z_disk: Scalar = parameter(0.2, "kpc", "scale height of the disk", above=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge of the disk", minimum=0.0)
    b_halo: Scalar = parameter(1.5, "uG", "strength of the toroidal halo")
    h_halo: Scalar = parameter(1.5, "kpc", "height of the strongest halo field")
    w_halo: Scalar = parameter(0.3, "kpc", "half-width of the halo in height", above=0.0)
    moment: Scalar = parameter(123.0, "uG kpc3", "dipole moment (0.2 microgauss at the Sun)")
    r_dipole: Scalar = parameter(0.5, "kpc", "radius of the dipole's core", minimum=0.0)
    b_core: Scalar = parameter(-100.0, "uG", "B_z in the dipole's core")
    disk: bool = eqx.field(static=True, default=True)
    halo: bool = eqx.field(static=True, default=True)
    dipole: bool = eqx.field(static=True, default=True)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Kachelriess, Serpico & Teshima 2007, Astropart. Phys. 26, 378, sect. 3",
        sun=(-8.5, 0.0, 0.0),
        notes=(
            "div B = 0 but in the disk inside r_core and on the dipole's core; rms 0.025 "
            "|B|/kpc without the dipole"
        ),
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        b_x, b_y, b_z = 0.0 * x, 0.0 * y, 0.0 * z
        if self.disk:
            b_x, b_y = self._disk(x, y, z, r)
        if self.halo:
            over = (jnp.abs(z) - self.h_halo) / self.w_halo
            around = self.b_halo * jnp.sign(z) / (1.0 + over * over)
            around = around * jnp.exp(-larger(r - self.r_sun, 0.0) / self.r_sun)
            around = safe_divide(around, r)
            b_x, b_y = b_x - around * y, b_y + around * x
        if self.dipole:
            d2 = r * r + z * z
            outside = d2 >= self.r_dipole**2
            inverse2 = 1.0 / jnp.where(outside, d2, 1.0)
            strength = jnp.where(outside, self.moment, 0.0) * inverse2 * jnp.sqrt(inverse2)
            tilt = -3.0 * strength * z * inverse2
            b_x, b_y = b_x + tilt * x, b_y + tilt * y
            b_z = jnp.where(outside, strength + tilt * z, self.b_core)
        return vector(b_x, b_y, b_z)

    def _disk(self, x: Points, y: Points, z: Points, r: Points) -> tuple[Points, Points]:
        within = (r > 0) & (r <= self.r_max)
        r_safe = jnp.where(within, r, 1.0)
        phase = reversal_phase(self.pitch, self.d, self.r_sun)
        strength = self.b_disk * self.r_sun / jnp.cos(phase) / larger(r_safe, self.r_core)
        strength = strength * jnp.exp(-jnp.abs(z) / self.z_disk)
        strength = strength * wave(x, y, r_safe, self.pitch, self.r_sun, phase)
        return along_spiral(jnp.where(within, strength / r_safe, 0.0), x, y, self.pitch)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        found: tuple[AbstractSurface, ...] = ()
        if self.disk:
            found = (Cylinder(self.r_core), Cylinder(self.r_max))
        if self.disk or self.halo:
            found = (*found, Plane())
        if self.halo:
            found = (*found, Cylinder(self.r_sun))
        return (*found, Sphere(self.r_dipole)) if self.dipole else found

"""The bisymmetric spiral of Tinyakov & Tkachev (2002)."""

import math
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, larger, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane
from ._spiral_parts import along_spiral, reversal_phase, wave


class TT02(AbstractVectorField):
    """A bisymmetric spiral, odd across the plane (BSS-A): a current sheet at z = 0.

    B = S (sin p e_r - cos p e_phi) for r <= r_max, with theta = pi - phi and
    S = s b0 (r_sun / max(r, r_core)) cos(theta - ln(r / r_sun) / tan p + Phi) / cos(Phi)
        exp(-|z| / z0),
    Phi = ln(1 + d / r_sun) / tan p - pi/2, s = -1 for z < 0 and 1 otherwise.

    **Reference:** Tinyakov & Tkachev 2002, Astropart. Phys. 18, 165 (astro-ph/0111305), eqs. 2-6.
    With the factor 1 / cos(Phi) b0 is the local strength; programs differ about it. On the axis,
    where the spiral winds without end, it is set to 0.
    """

    b0: Scalar = parameter(1.4, "uG", "strength at the Sun")
    pitch: Scalar = parameter(math.radians(-8.0), "rad", "pitch angle p (-8 deg)")
    d: Scalar = parameter(-0.5, "kpc", "distance from the Sun to the first field reversal")
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    r_core: Scalar = parameter(
        4.0, "kpc", "radius inside which the amplitude is constant", minimum=0.0
    )
    z0: Scalar = parameter(1.5, "kpc", "scale height", above=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Tinyakov & Tkachev 2002, Astropart. Phys. 18, 165, eqs. 2-6",
        sun=(-8.5, 0.0, 0.0),
        notes="jumps at z = 0; div B = 0 for r > r_core, rms 0.040 |B|/kpc with the core",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        within = (r > 0) & (r <= self.r_max)
        r_safe = jnp.where(within, r, 1.0)
        phase = reversal_phase(self.pitch, self.d, self.r_sun)
        strength = self.b0 * self.r_sun / jnp.cos(phase) / larger(r_safe, self.r_core)
        strength = strength * jnp.where(z < 0, -1.0, 1.0) * jnp.exp(-jnp.abs(z) / self.z0)
        strength = strength * wave(x, y, r_safe, self.pitch, self.r_sun, phase)
        per_radius = jnp.where(within, strength / r_safe, 0.0)
        return vector(*along_spiral(per_radius, x, y, self.pitch), 0.0 * z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(), Cylinder(self.r_core), Cylinder(self.r_max))

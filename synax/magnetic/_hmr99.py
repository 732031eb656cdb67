"""The smooth bisymmetric spiral of Harari, Mollerach & Roulet (1999)."""

import math
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ._spiral_parts import along_spiral, wave


class HMR99(AbstractVectorField):
    """A bisymmetric spiral, even across the plane (BSS-S), smooth everywhere.

    B = S (sin p e_r - cos p e_phi), with theta = pi - phi and
    S = b0 (r_sun / r) tanh^3(r / r_core) cos(theta - ln(r / r_0) / tan p)
        [1 / (2 cosh(z / z_1)) + 1 / (2 cosh(z / z_2))].

    No edge. S falls as r^2 to the axis; within 5e-10 kpc of it the value is that of r = 0.5 kpc, as
    in the program of the reference table.

    **Reference:** Harari, Mollerach & Roulet 1999, JHEP 08, 022 (astro-ph/9906309), sect. 2.
    """

    b0: Scalar = parameter(3.0, "uG", "amplitude at the Sun's radius")
    pitch: Scalar = parameter(math.radians(-10.0), "rad", "pitch angle p (-10 deg)")
    r_0: Scalar = parameter(
        10.55, "kpc", "radius of greatest field towards the Sun, xi_0", minimum=0.0
    )
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    r_core: Scalar = parameter(2.0, "kpc", "radius of the central depression, rho_1", minimum=0.0)
    z_1: Scalar = parameter(0.3, "kpc", "scale height of the disk part", above=0.0)
    z_2: Scalar = parameter(4.0, "kpc", "scale height of the halo part", above=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Harari, Mollerach & Roulet 1999, JHEP 08, 022, sect. 2",
        sun=(-8.5, 0.0, 0.0),
        notes="no outer edge; rms of div B is 0.049 |B|/kpc, from r < 3 kpc",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        axis = x * x + y * y < 25e-20
        x, y = jnp.where(axis, 0.5, x), jnp.where(axis, 0.0, y)
        r = cylindrical_radius(x, y)
        rise = jnp.tanh(r / self.r_core)
        fall = 0.5 * (_sech(z / self.z_1) + _sech(z / self.z_2))
        strength = self.b0 * self.r_sun * rise * rise * rise * fall
        per_radius = strength * wave(x, y, r, self.pitch, self.r_0, 0.0) / (r * r)
        return vector(*along_spiral(per_radius, x, y, self.pitch), 0.0 * z)


def _sech(u: Float[Array, "*points"]) -> Float[Array, "*points"]:
    e = jnp.exp(-jnp.abs(u))
    return 2.0 * e / (1.0 + e * e)

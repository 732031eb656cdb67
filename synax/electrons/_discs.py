"""Smooth discs of thermal electrons: an exponential disc, and a thick plus a thin one."""

import math
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, sech2, sincos
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane


class ExponentialDisc(AbstractScalarField):
    """n_e = n0 exp(-R / h_r) exp(-|z| / h_z); `h_r=None`: no dependence on R.

    The defaults are the plane-parallel disc fitted to pulsars at |b| > 40 deg.

    **Reference:** Gaensler et al. 2008, PASA 25, 184 (n0 = 0.014 cm^-3, h_z = 1.83 kpc).
    """

    n0: Scalar = parameter(
        0.014, "cm-3", "density in the plane (on the axis, if h_r is given)", minimum=0.0
    )
    h_r: Scalar | None = parameter(
        None, "kpc", "scale length; None: no radial dependence", above=0.0
    )
    h_z: Scalar = parameter(1.83, "kpc", "scale height", above=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(paper="Gaensler et al. 2008, PASA 25, 184")

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        depth = jnp.abs(z) / self.h_z
        if self.h_r is not None:
            depth = depth + cylindrical_radius(x, y) / self.h_r
        return self.n0 * jnp.exp(-depth)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(0.0),)


class TwoDisc(AbstractScalarField):
    """A thick exponential disc and a thin ring-like disc.

    n_e = n1 exp(-|z| / h1) cos(pi R / 2 a1) / cos(pi r_sun / 2 a1)  [R < a1]
          + n2 exp(-((R - a2) / w2)^2) sech^2(z / h2)

    **Reference:** thick disc in height: Gaensler et al. 2008, PASA 25, 184; radial profile and
    thin disc: Cordes & Lazio 2002, arXiv:astro-ph/0207156, table 2 and 3.
    """

    n1: Scalar = parameter(
        0.014, "cm-3", "thick disc in the plane at the Sun's radius", minimum=0.0
    )
    h1: Scalar = parameter(1.83, "kpc", "scale height of the thick disc", above=0.0)
    a1: Scalar = parameter(17.5, "kpc", "radius where the thick disc ends", minimum=0.0)
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    n2: Scalar = parameter(0.08, "cm-3", "thin disc at its densest", minimum=0.0)
    h2: Scalar = parameter(0.15, "kpc", "scale height of the thin disc", above=0.0)
    a2: Scalar = parameter(3.8, "kpc", "radius of the thin disc's ring", minimum=0.0)
    w2: Scalar = parameter(1.8, "kpc", "width of the ring", above=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Gaensler et al. 2008, PASA 25, 184; Cordes & Lazio 2002, arXiv:astro-ph/0207156",
        sun=(-8.5, 0.0, 0.0),
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        radius = cylindrical_radius(x, y)
        thick = self.n1 * jnp.exp(-jnp.abs(z) / self.h1) * cosine_taper(radius, self.a1, self.r_sun)
        u = (radius - self.a2) / self.w2
        return thick + self.n2 * jnp.exp(-u * u) * sech2(z / self.h2)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(0.0), Cylinder(self.a1))


def cosine_taper(radius: Float[Array, "*points"], end: Scalar, pivot: Scalar) -> Array:
    """cos(pi R / 2 end) / cos(pi pivot / 2 end) for R < end, else 0."""
    inside = radius < end
    k = 0.5 * math.pi / end
    profile = sincos(k * jnp.where(inside, radius, 0.0))[1] / jnp.cos(k * pivot)
    return jnp.where(inside, profile, 0.0)

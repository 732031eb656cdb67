"""Smooth two-component discs of thermal electrons: Cordes et al. (1991), NE2001 without detail."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, sech2
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane
from ._discs import cosine_taper


class Cordes91(AbstractScalarField):
    """A thick disc and an annulus.

    n_e = n1 exp(-|z| / h1 - (r / a1)^2) + n2 exp(-|z| / h2 - ((r - a2) / w2)^2), r cylindrical.

    **Reference:** Cordes et al. 1991, Nature 354, 121; as model 1 of GALPROP. (HERMES takes the
    spherical radius in both Gaussians.)
    """

    n1: Scalar = parameter(0.025, "cm-3", "density of the thick disc on the axis, in the plane")
    h1: Scalar = parameter(1.0, "kpc", "scale height of the thick disc", above=0.0)
    a1: Scalar = parameter(20.0, "kpc", "Gaussian scale radius of the thick disc", above=0.0)
    n2: Scalar = parameter(0.2, "cm-3", "density of the annulus at its densest")
    h2: Scalar = parameter(0.15, "kpc", "scale height of the annulus", above=0.0)
    a2: Scalar = parameter(4.0, "kpc", "radius of the annulus", minimum=0.0)
    w2: Scalar = parameter(2.0, "kpc", "width of the annulus", above=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(paper="Cordes et al. 1991, Nature 354, 121")

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        r, height = cylindrical_radius(x, y), jnp.abs(z)
        thick = self.n1 * jnp.exp(-height / self.h1 - (r / self.a1) ** 2)
        return thick + self.n2 * jnp.exp(-height / self.h2 - ((r - self.a2) / self.w2) ** 2)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(),)


class NE2001Smooth(AbstractScalarField):
    """The thick and the thin disc of NE2001, without arms, local structure, clumps and voids.

    n_e = n1 g1(r) sech^2(z / h1) + n2 exp(-((r - a2) / w2)^2) sech^2(z / h2),
    g1 = cos(pi r / 2 a1) / cos(pi r_sun / 2 a1) for r < a1 and 0 beyond.

    `gaensler()` has the plane-parallel thick disc of 1.8 kpc instead, n1 exp(-|z| / h1).

    **Reference:** Cordes & Lazio 2002, arXiv:astro-ph/0207156, tables 2 and 3; as models 2 and 3 of
    GALPROP 56. The annulus has w2 = 1.8 kpc in its denominator, where eq. 8 prints A2.
    """

    n1: Scalar = parameter(0.033 / 0.95, "cm-3", "thick disc in the plane at the Sun's radius")
    h1: Scalar = parameter(0.95, "kpc", "scale height of the thick disc", above=0.0)
    a1: Scalar = parameter(17.0, "kpc", "radius where the thick disc ends", minimum=0.0)
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    n2: Scalar = parameter(0.09, "cm-3", "thin disc at its densest")
    h2: Scalar = parameter(0.14, "kpc", "scale height of the thin disc", above=0.0)
    a2: Scalar = parameter(3.7, "kpc", "radius of the thin disc's ring", minimum=0.0)
    w2: Scalar = parameter(1.8, "kpc", "width of the ring", above=0.0)
    plane_parallel: bool = eqx.field(static=True, default=False)
    """Thick disc n1 exp(-|z| / h1) without end."""

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Cordes & Lazio 2002, arXiv:astro-ph/0207156; GALPROP 56",
        sun=(-8.5, 0.0, 0.0),
        notes="smooth parts only; NE2001 has everything",
    )

    @classmethod
    def gaensler(cls, **changes: Any) -> "NE2001Smooth":
        """Thick disc 0.014 cm^-3 exp(-|z| / 1.8 kpc) (GALPROP's model 3; Gaensler et al. 2008)."""
        return cls(**{"n1": 0.014, "h1": 1.8, "plane_parallel": True, **changes})

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        if self.plane_parallel:
            thick = self.n1 * jnp.exp(-jnp.abs(z) / self.h1)
        else:
            thick = self.n1 * cosine_taper(r, self.a1, self.r_sun) * sech2(z / self.h1)
        u = (r - self.a2) / self.w2
        return thick + self.n2 * jnp.exp(-u * u) * sech2(z / self.h2)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(),) if self.plane_parallel else (Cylinder(self.a1),)

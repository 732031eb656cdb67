"""Discs of cosmic-ray electrons that went with older studies of the Galactic field.

All are normalisations C (cm^-3) of N(gamma) = C gamma^-p with p = 3 unless another index is given.
"""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import cylindrical_radius, larger, sech2
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._surfaces import AbstractSurface, Cylinder, Plane
from ._base import AbstractPowerLaw, index_surfaces, spectral_index_field

_MASS = 0.51099907e-3  # GeV, the electron of hammurabi 3
# 0.25 electrons per (GeV m^2 s sr) at 10 GeV, for p = 3: C = (4 pi / c) j0 m_e c^2 (E / m_e c^2)^3
HAMMURABI3 = math.pi / const.SPEED_OF_LIGHT / const.PER_CM3 * _MASS * (10.0 / _MASS) ** 3


class Sun08(AbstractPowerLaw):
    """C = c_sun exp(-(max(r, r_core) - r_sun) / h_r - |z| / h_z) for |z| <= z_max, else 0.

    The edge is a jump to zero from exp(-1) of the mid-plane. `Sun10` is the later version.

    **Reference:** Sun et al. 2008, A&A 477, 573, sect. 5.
    """

    c_sun: Scalar = parameter(6.4e-5, "cm-3", "normalisation at the Sun's radius, in the plane")
    h_r: Scalar = parameter(8.0, "kpc", "scale length", above=0.0)
    h_z: Scalar = parameter(1.0, "kpc", "scale height", above=0.0)
    r_core: Scalar = parameter(3.0, "kpc", "radius inside which it is constant", minimum=0.0)
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    z_max: Scalar = parameter(1.0, "kpc", "height beyond which there is none")
    spectral_index: Any = spectral_index_field(3.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Sun et al. 2008, A&A 477, 573, sect. 5", sun=(-8.5, 0.0, 0.0)
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        out = (larger(cylindrical_radius(x, y), self.r_core) - self.r_sun) / self.h_r
        height = jnp.abs(z)
        density = self.c_sun * jnp.exp(-out - height / self.h_z)
        return jnp.where(height <= self.z_max, density, 0.0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        planes = (Plane(), Plane(self.z_max), Plane(-self.z_max))
        return (*planes, Cylinder(self.r_core), *index_surfaces(self))


class Sun10(AbstractPowerLaw):
    """C = c_sun exp(-(r - r_sun) / h_r - |z| / h_z), without edge.

    **Reference:** Sun & Reich 2010, RAA 10, 1287; 2012, A&A 543, A127, table 1. The normalisation
    is that of `Sun08`.
    """

    c_sun: Scalar = parameter(6.4e-5, "cm-3", "normalisation at the Sun's radius, in the plane")
    h_r: Scalar = parameter(8.0, "kpc", "scale length", above=0.0)
    h_z: Scalar = parameter(0.8, "kpc", "scale height", above=0.0)
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    spectral_index: Any = spectral_index_field(3.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Sun & Reich 2012, A&A 543, A127, table 1", sun=(-8.5, 0.0, 0.0)
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        out = (cylindrical_radius(x, y) - self.r_sun) / self.h_r
        return self.c_sun * jnp.exp(-out - jnp.abs(z) / self.h_z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(), *index_surfaces(self))


class RidgedDisc(AbstractPowerLaw):
    """C = c0 exp((out - |r - r_ridge|) / h_r) sech^2(z / h_z): greatest at r_ridge, with a cusp.

    **Reference:** the template `modWMAP` of hammurabi 3 (Waelkens et al. 2009, A&A 495, 697), made
    to resemble electrons of GALPROP.
    """

    c0: Scalar = parameter(HAMMURABI3, "cm-3", "normalisation `out` away from the ridge")
    out: Scalar = parameter(2.88, "kpc", "distance from the ridge at which C = c0")
    r_ridge: Scalar = parameter(5.62, "kpc", "radius of the ridge", minimum=0.0)
    h_r: Scalar = parameter(5.34, "kpc", "scale length on both sides", above=0.0)
    h_z: Scalar = parameter(1.99, "kpc", "scale height", above=0.0)
    spectral_index: Any = spectral_index_field(3.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="hammurabi 3 (Waelkens et al. 2009, A&A 495, 697), template modWMAP",
        sun=(-8.5, 0.0, 0.0),
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        away = jnp.abs(cylindrical_radius(x, y) - self.r_ridge)
        return self.c0 * jnp.exp((self.out - away) / self.h_r) * sech2(z / self.h_z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Cylinder(self.r_ridge), *index_surfaces(self))


class JF11(AbstractPowerLaw):
    """C = c_sun exp((r_sun - max(r, r_core)) / h_r) sech^2(z / h_z): flat inside r_core.

    **Reference:** the template `JF11` of hammurabi 3 (Waelkens et al. 2009, A&A 495, 697); its
    exponential counts from r_core: (3.5 kpc - max(r - 5 kpc, 0)) / h_r.
    """

    c_sun: Scalar = parameter(HAMMURABI3, "cm-3", "normalisation at the Sun's radius")
    h_r: Scalar = parameter(3.0, "kpc", "scale length", above=0.0)
    h_z: Scalar = parameter(1.0, "kpc", "scale height", above=0.0)
    r_core: Scalar = parameter(5.0, "kpc", "radius inside which it is constant", minimum=0.0)
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    spectral_index: Any = spectral_index_field(3.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="hammurabi 3 (Waelkens et al. 2009, A&A 495, 697), template JF11",
        sun=(-8.5, 0.0, 0.0),
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        out = (larger(cylindrical_radius(x, y), self.r_core) - self.r_sun) / self.h_r
        return self.c_sun * jnp.exp(-out) * sech2(z / self.h_z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Cylinder(self.r_core), *index_surfaces(self))

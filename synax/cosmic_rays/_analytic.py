"""The analytic cosmic-ray electrons of hammurabiX: a disc whose index may vary with position."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import cylindrical_radius, sech2
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface, Plane
from ._base import LOWEST_INDEX, AbstractPowerLaw

# 4 pi m_e c^2 / c in cm^-3 per electron / (GeV m^2 s sr)
_DENSITY_OF_FLUX = (
    4.0 * math.pi * const.ELECTRON_REST_ENERGY_GEV / const.SPEED_OF_LIGHT / const.PER_CM3
)


def flux_density(flux: Scalar, speed: Scalar) -> Scalar:
    """N(gamma) in cm^-3 of a flux (GeV^-1 m^-2 s^-1 sr^-1) and the electrons' speed over c."""
    return _DENSITY_OF_FLUX / speed * flux


def flux_normalisation(energy: float, flux: float, index: float) -> float:
    """C (cm^-3) of N = C gamma^-p from the flux (GeV^-1 m^-2 s^-1 sr^-1) at an energy (GeV).

    With the electron's speed as hammurabiX writes it, sqrt(1 - 1/gamma).
    """
    gamma = energy / const.ELECTRON_REST_ENERGY_GEV
    return _DENSITY_OF_FLUX / math.sqrt(1.0 - 1.0 / gamma) * flux * gamma**index


class LinearIndex(AbstractScalarField):
    """p = alpha - beta R - theta |z|, with R and |z| in kpc."""

    alpha: Scalar = parameter(3.0, "", "index on the axis, in the plane", above=LOWEST_INDEX)
    beta: Scalar = parameter(0.0, "kpc-1", "decrease with cylindrical radius")
    theta: Scalar = parameter(0.0, "kpc-1", "decrease with height")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Wang et al. 2020, ApJS 247, 18 (hammurabi X)", notes="a spectral index, no density"
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        return self.alpha - self.beta * cylindrical_radius(x, y) - self.theta * jnp.abs(z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(0.0),)


class Analytic(AbstractPowerLaw):
    """Electrons fixed by their flux near the Sun, with an exponential disc and a sloping index.

    C = 4 pi m_e c^2 / (beta_v c) j0 gamma0^p_obs exp((R_obs - R) / r0) sech^2(z / z0)
    p = alpha - beta R - theta |z|,  gamma0 = E0 / m_e c^2,  p_obs = p at the observer

    so that the flux at energy E0 is j0 at the observer. With `beta` and `theta` None (default)
    the index is the number alpha, which is much faster than a field of index.

    `physical_speed` (static): hammurabiX writes the electron's speed as
    beta_v = sqrt(1 - 1/gamma0), and so does this class by default; True takes
    sqrt(1 - 1/gamma0^2), which lowers C by 1.2e-5 at 20.6 GeV.

    **Reference:** Wang et al. 2020, ApJS 247, 18 (hammurabi X), defaults of its template;
    E0, j0: AMS-02, Aguilar et al. 2014, PRL 113, 221102. Energies are total energies.
    """

    alpha: Scalar = parameter(3.0, "", "index on the axis, in the plane", above=LOWEST_INDEX)
    beta: Scalar | None = parameter(None, "kpc-1", "decrease of the index with radius; None: 0")
    theta: Scalar | None = parameter(None, "kpc-1", "decrease of the index with height; None: 0")
    r0: Scalar = parameter(5.0, "kpc", "scale length", above=0.0)
    z0: Scalar = parameter(1.0, "kpc", "scale height", above=0.0)
    energy: Scalar = parameter(20.6, "GeV", "E0, energy at which the flux is given")
    flux: Scalar = parameter(0.0217, "GeV-1 m-2 s-1 sr-1", "j0, flux at the observer")
    observer: Float[Array, "3"] = parameter((-8.3, 0.0, 0.006), "kpc", "where the flux is j0")
    physical_speed: bool = eqx.field(static=True, default=False)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Wang et al. 2020, ApJS 247, 18 (hammurabi X)", sun=(-8.3, 0.0, 0.006)
    )

    @property
    def spectral_index(self) -> Any:
        """alpha, or a field of the index where `beta` or `theta` is given."""
        if self.beta is None and self.theta is None:
            return self.alpha
        zero = jnp.zeros_like(self.alpha)
        slopes = (zero if k is None else k for k in (self.beta, self.theta))
        return LinearIndex(self.alpha, *slopes)

    def _local_normalisation(self) -> Scalar:
        gamma0 = self.energy / const.ELECTRON_REST_ENERGY_GEV
        inverse = 1.0 / (gamma0 * gamma0) if self.physical_speed else 1.0 / gamma0
        speed = jnp.sqrt(1.0 - inverse)
        index = self.index(self.observer)
        return flux_density(self.flux, speed) * jnp.exp(index * jnp.log(gamma0))

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        distance = cylindrical_radius(x, y) - cylindrical_radius(*self.observer[:2])
        profile = jnp.exp(-distance / self.r0) * sech2(z / self.z0)
        return self._local_normalisation() * profile

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return () if self.theta is None else (Plane(0.0),)

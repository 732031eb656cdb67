"""The hot halo of Yamasaki & Totani (2020)."""

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import cylindrical_radius, safe_sqrt
from .._numerics._quadrature import gauss_legendre
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._domain import Sphere
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface, Plane

Points = Float[Array, "*points"]

_PROTON = 1.67262192e-27  # kg, as in the model's tables
_KEV = 1e-6 * const.GEV  # J


class YT20(AbstractScalarField):
    """Gas of 0.3 keV: isothermal in the potential of the dark halo, and a thick disc.

    sphere: n0 exp(-U [1 - ln(1 + s) / s]), s = c R / r_vir,
    U = G M_vir mu m_p c / (r_vir kT [ln(1 + c) - c / (1 + c)]), n0 such that the gas within r_vir
    weighs m_baryons; disc: (n_disk / Z) exp(-r / h_r - |z| / h_z). Zero for R > r_vir.

    It is added to the warm medium (`YMW16`, `NE2001`), and lives where that ends: the sightlines
    must reach r_vir. `halo` and `disk` switch the parts.

    **Returns** cm^-3, (*points,).

    **Reference:** Yamasaki & Totani 2020, ApJ 888, 105 (arXiv:1909.00849), eqs. 2-10.
    """

    m_vir: Scalar = parameter(1e12, "Msun", "virial mass")
    m_baryons: Scalar = parameter(1.2e11, "Msun", "mass of the hot gas within r_vir")
    r_vir: Scalar = parameter(260.0, "kpc", "virial radius", minimum=0.0)
    concentration: Scalar = parameter(12.0, "", "concentration c of the dark halo")
    temperature: Scalar = parameter(0.3, "keV", "kT")
    metallicity: Scalar = parameter(0.3, "", "Z of the disc, in solar units")
    n_disk: Scalar = parameter(7.4e-3, "cm-3", "density of the disc times Z")
    h_r: Scalar = parameter(4.9, "kpc", "scale length of the disc", above=0.0)
    h_z: Scalar = parameter(2.4, "kpc", "scale height of the disc", above=0.0)
    mu: Scalar = parameter(0.62, "", "mean mass of a particle over the proton's")
    mu_e: Scalar = parameter(1.18, "", "mass for each electron over the proton's")
    halo: bool = eqx.field(static=True, default=True)
    disk: bool = eqx.field(static=True, default=True)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Yamasaki & Totani 2020, ApJ 888, 105, eqs. 2-10",
        sun=(-8.5, 0.0, 0.0),
        notes="hot gas, to be added to a warm medium; reaches 260 kpc",
    )

    def depth(self) -> Scalar:
        """U: depth of the potential at the centre over kT."""
        c = self.concentration
        scale = const.GRAVITATION * (const.SOLAR_MASS * _PROTON / (const.KPC * _KEV))
        shape = jnp.log1p(c) - c / (1.0 + c)
        return scale * self.m_vir * self.mu * c / (self.r_vir * self.temperature * shape)

    def _profile(self, s: Array) -> Array:
        """exp(-U [1 - ln(1 + s) / s]), by a series at the centre."""
        near = s < 1e-3
        safe = jnp.where(near, 1.0, s)
        series = s * (0.5 - s * (1.0 / 3.0 - s * (0.25 - s * (0.2 - s / 6.0))))
        return jnp.exp(-self.depth() * jnp.where(near, series, 1.0 - jnp.log1p(safe) / safe))

    def central_density(self) -> Scalar:
        """n0 of the sphere (cm^-3) from its mass, by 64-point quadrature over the radius."""
        nodes, weights = gauss_legendre(64)
        radius = 0.5 * self.r_vir * jnp.asarray(1.0 + nodes, self.r_vir.dtype)
        shell = 4.0 * math.pi * radius**2 * self._profile(radius * self.concentration / self.r_vir)
        volume = 0.5 * self.r_vir * jnp.sum(jnp.asarray(weights, shell.dtype) * shell)
        unit = const.SOLAR_MASS / _PROTON / const.KPC**3 / const.PER_CM3
        return unit * self.m_baryons / (self.mu_e * volume)

    def __call__(self, position: Float[Array, "3 *points"]) -> Points:
        x, y, z = position
        radius2 = x * x + y * y + z * z
        density = 0.0 * x
        if self.halo:
            s = safe_sqrt(radius2) * self.concentration / self.r_vir
            density = density + self.central_density() * self._profile(s)
        if self.disk:
            fall = cylindrical_radius(x, y) / self.h_r + jnp.abs(z) / self.h_z
            density = density + self.n_disk / self.metallicity * jnp.exp(-fall)
        return jnp.where(radius2 <= self.r_vir**2, density, 0.0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Sphere(self.r_vir), Plane()) if self.disk else (Sphere(self.r_vir),)

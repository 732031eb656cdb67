"""Strength of the random field of Jansson & Farrar (2012b)."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import safe_sqrt
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._domain import Sphere
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface, Cylinder
from . import _jf12_parts as parts


class JF12RandomStrength(AbstractScalarField):
    """Rms strength (all three components together) of the JF12b small-scale random field.

    With b(r, phi) = b_inner for r < 5 kpc, and b_j (5 kpc / r) in arm j of `JF12`:

    rms^2 = [b exp(-z^2 / 2 z_disk^2)]^2 + [b_halo exp(-r / r_halo) exp(-z^2 / 2 z_halo^2)]^2

    inside `r_max`, zero outside. Multiply an isotropic random field of unit rms with it.
    `planck()` and `planck_c()` have the numbers of the Planck re-fits, `hammurabi()` that program's
    profile.

    **Returns** microgauss, (*points,).

    **Reference:** Jansson & Farrar 2012, ApJ 761, L11 (JF12b), table 1.
    """

    b_arms: Float[Array, "8"] = parameter(
        (10.81, 6.96, 9.59, 6.96, 1.96, 16.34, 37.29, 10.35), "uG", "arm rms at 5 kpc, b_1..b_8"
    )
    b_inner: Scalar = parameter(7.63, "uG", "rms of the disk inside 5 kpc, b_int")
    z_disk: Scalar = parameter(
        0.61, "kpc", "Gaussian scale height of the disk, z_0^disk", above=0.0
    )
    b_halo: Scalar = parameter(4.68, "uG", "rms of the halo, B_0")
    r_halo: Scalar = parameter(10.97, "kpc", "exponential scale of the halo, r_0", above=0.0)
    z_halo: Scalar = parameter(2.84, "kpc", "scale height of the halo, z_0", above=0.0)
    r_arms: Float[Array, "8"] = parameter(
        parts.R_ARMS, "kpc", "radii of the arms' outer walls on the negative x axis"
    )
    pitch: Scalar = parameter(parts.PITCH, "rad", "pitch angle of the arms (11.5 deg)")
    r_disk: Scalar = parameter(5.0, "kpc", "inner edge of the arms", minimum=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)
    r_hole: Scalar = parameter(
        1.0, "kpc", "radius of the empty sphere (cylindrical edge only)", minimum=0.0
    )
    exponential: bool = eqx.field(static=True, default=False)
    """Halo exp(-|z| / z_halo) in place of the Gaussian."""
    cylindrical: bool = eqx.field(static=True, default=False)
    """Outer edge at the cylinder r = r_max, and nothing inside the sphere r_hole."""

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Jansson & Farrar 2012, ApJ 761, L11, table 1",
        sun=(-8.5, 0.0, 0.0),
        notes="total rms of three components; jumps at the arm walls and at r = 5 kpc",
    )

    @classmethod
    def planck(cls, **changes: Any) -> "JF12RandomStrength":
        """The re-fit of Planck Collaboration 2016 XLII, A&A 596, A103 ("Jansson12b")."""
        defaults = {"b_arms": (3.12, 6.24) * 4, "b_inner": 3.90, "b_halo": 7.332}
        return cls(**{**defaults, **changes})

    @classmethod
    def hammurabi(cls, **changes: Any) -> "JF12RandomStrength":
        """The profile of hammurabiX: exponential in |z|, cylinder r <= 20 kpc, 1-kpc hole."""
        return cls(**{"exponential": True, "cylindrical": True, **changes})

    @classmethod
    def planck_c(cls, **changes: Any) -> "JF12RandomStrength":
        """That of `JF12c` (Planck 2016 XLII, "Jansson12c"), with its cylinder and hole."""
        arms = tuple(7.8 * share for share in (0.1, 0.8, 0.1, 0.8, 0.0, 1.6, 0.1, 0.8))
        walls = tuple(0.97 * r for r in parts.R_ARMS)
        defaults = {"b_arms": arms, "b_inner": 3.90, "b_halo": 7.332, "r_arms": walls}
        return cls(**{**defaults, "cylindrical": True, **changes})

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        r2 = x * x + y * y
        rho2 = r2 + z * z
        in_arms = r2 >= self.r_disk**2
        r2_safe = jnp.where(in_arms, r2, 1.0)
        angle = parts.angle_in_arms(x, y, r2_safe, self.r_arms, self.pitch)
        b = parts.in_arm(self.b_arms, angle, parts.arm_ends(self.r_arms, self.pitch))
        b = jnp.where(in_arms, 5.0 * b / jnp.sqrt(r2_safe), self.b_inner)
        disk = b * jnp.exp(-0.5 * (z / self.z_disk) ** 2)
        fall = jnp.abs(z) / self.z_halo if self.exponential else 0.5 * (z / self.z_halo) ** 2
        halo = self.b_halo * jnp.exp(-safe_sqrt(r2) / self.r_halo - fall)
        if self.cylindrical:
            within = (r2 <= self.r_max**2) & (rho2 >= self.r_hole**2)
        else:
            within = rho2 <= self.r_max**2
        return jnp.where(within, safe_sqrt(disk * disk + halo * halo), 0.0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        if self.cylindrical:
            edges = (Cylinder(self.r_max), Sphere(self.r_hole))
        else:
            edges = (Sphere(self.r_max),)
        walls = parts.arm_walls(self.r_arms, self.pitch, self.r_disk, self.r_max)
        return (*edges, Cylinder(self.r_disk), walls)

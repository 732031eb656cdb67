"""The regular field of Jansson & Farrar (2012a), with the Planck (2016) re-fit."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import safe_divide, safe_sqrt, sincos, vector
from .._parameters import ModelInfo, Scalar, described, parameter
from ..fields._domain import Sphere
from ..fields._surfaces import AbstractSurface, Cylinder, FlaredCylinder, Plane
from . import _jf12_parts as parts
from ._jf12_base import MOVED, AbstractJF12


class JF12(AbstractJF12):
    """The regular field of JF12: a disk of eight spiral arms, a toroidal and an X-shaped halo.

    Cylindrical r, phi, z; L(x; x0, w) = 1 / (1 + exp(-2 (x - x0) / w)):

    - disk (`disk`): b_ring (5 kpc / r) e_phi for 3 < r < 5 kpc, beyond that
      b_j (5 kpc / r) (sin i e_r + cos i e_phi) in arm j, times 1 - L(|z|; h_disk, w_disk);
    - toroidal halo (`toroidal`): exp(-|z| / z_halo) L(|z|; h_disk, w_disk) times
      b_north [1 - L(r; r_north, w_halo)] for z >= 0, likewise the south, along e_phi;
    - X field (`x_field`): in the meridional plane, at elevation theta_x outside
      r_p = r_x_core, steepening to vertical on the axis; its strength has a step on the cone
      r = r_x_core + |z| / tan(theta_x) between the two regions.

    The three switches are static. Zero for rho = sqrt(r^2 + z^2) >= `r_max`; the halo parts are
    zero for rho <= `r_hole` too. `JF12.hammurabi()` gives the variant of that code, `JF12b()`
    the re-fit of Planck 2016.

    **Returns** microgauss, (3, *points). On the plane z = 0 inside r_x_core the X field is
    vertical, as in the published programs, while its limits from both sides are tilted.

    **Reference:** Jansson & Farrar 2012, ApJ 757, 14 (JF12a), eqs. 5-10, table 1. The
    conventions that the paper leaves open (spherical outer edge, r_south = 17 kpc, b_8 = 2.7
    rounded) follow CRPropa3. Random parts: `JF12RandomStrength`, `StriatedStrength`.
    """

    b_arms: Float[Array, "8"] = parameter(
        (0.1, 3.0, -0.9, -0.8, -2.0, -4.2, 0.0, 2.7), "uG", "arm strengths at 5 kpc, b_1..b_8"
    )
    b_ring: Scalar = parameter(0.1, "uG", "molecular ring, 3 to 5 kpc")
    r_ring: Scalar = parameter(3.0, "kpc", "inner edge of the molecular ring", minimum=0.0)
    cylindrical: bool = eqx.field(static=True, default=False)
    """Outer edge: the sphere rho = r_max (default), or the cylinder r = r_max."""

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Jansson & Farrar 2012, ApJ 757, 14, eqs. 5-10, table 1",
        sun=(-8.5, 0.0, 0.0),
        notes=(
            "conventions of CRPropa3 (sphere of 20 kpc, r_s 17 kpc); JF12.hammurabi(): cylinder, "
            "r_s 16.7 kpc, b_8 of zero net flux; JF12b(): Planck 2016 XLII re-fit. div B = 0 to "
            "rounding in each region and across the arm walls and the plane; flux ends on the "
            "cylinder r = 5 kpc, the 1-kpc sphere and the outer edge"
        ),
        moved=MOVED,
    )

    @classmethod
    def hammurabi(cls, **changes: Any) -> "JF12":
        """The variant of hammurabiX (Wang et al. 2020, ApJS 247, 18).

        Cut at the cylinder r = 20 kpc instead of the sphere, r_south = 16.7 kpc, and b_8 from
        zero net flux through the arms. (That program fills the outside with 1e-6 microgauss
        where this returns 0.) `changes` are further arguments of `JF12`.
        """
        b_arms = (0.1, 3.0, -0.9, -0.8, -2.0, -4.2, 0.0, 2.755128205128205)
        return cls(**{"b_arms": b_arms, "r_south": 16.7, "cylindrical": True, **changes})

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        height = jnp.abs(z)
        r2 = x * x + y * y
        rho2 = r2 + z * z
        outside_disk = parts.transition(height, self.h_disk, self.w_disk)
        around = jnp.zeros_like(x)  # B_phi / r
        outward = jnp.zeros_like(x)  # B_r / r
        upward = jnp.zeros_like(x)
        halo = rho2 > self.r_hole**2
        r = safe_sqrt(r2)
        if self.toroidal:
            strength = self.toroidal_strength(r, z, outside_disk)
            around = around + jnp.where(halo, safe_divide(strength, r), 0.0)
        if self.x_field:
            radial, vertical, inside = parts.x_strength(
                r, height, self.b_x, self.theta_x, self.r_x_core, self.r_x
            )
            flat = inside & (z == 0)
            vertical = jnp.where(flat, jnp.sqrt(vertical**2 + r2 * radial**2), vertical)
            radial = jnp.where(flat, 0.0, jnp.where(z < 0, -radial, radial))
            outward = outward + jnp.where(halo, radial, 0.0)
            upward = upward + jnp.where(halo, vertical, 0.0)
        if self.disk:
            sin_arm, cos_arm = self._disk(x, y, r2)
            around = around + cos_arm * (1.0 - outside_disk)
            outward = outward + sin_arm * (1.0 - outside_disk)
        edge2 = r2 if self.cylindrical else rho2
        within = edge2 < self.r_max**2
        outward, around, upward = (jnp.where(within, b, 0.0) for b in (outward, around, upward))
        return vector(outward * x - around * y, outward * y + around * x, upward)

    def _disk(
        self, x: parts.Points, y: parts.Points, r2: parts.Points
    ) -> tuple[parts.Points, parts.Points]:
        """B_r / r and B_phi / r of the disk in the plane."""
        arms = r2 >= self.r_disk**2
        ring = (r2 > self.r_ring**2) & ~arms
        r2_safe = jnp.where(arms | ring, r2, 1.0)
        angle = parts.angle_in_arms(x, y, r2_safe, self.r_arms, self.pitch)
        b = parts.in_arm(self.b_arms, angle, parts.arm_ends(self.r_arms, self.pitch))
        sin_i, cos_i = sincos(self.pitch)
        per_r = 5.0 / r2_safe
        in_arms = jnp.where(arms, b * per_r, 0.0)
        return in_arms * sin_i, in_arms * cos_i + jnp.where(ring, self.b_ring * per_r, 0.0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        found: tuple[AbstractSurface, ...] = (
            Cylinder(self.r_max) if self.cylindrical else Sphere(self.r_max),
        )
        if self.disk:
            walls = parts.arm_walls(self.r_arms, self.pitch, self.r_disk, self.r_max)
            found = (*found, Cylinder(self.r_ring), Cylinder(self.r_disk), walls)
        if self.toroidal or self.x_field:
            found = (*found, Sphere(self.r_hole), Plane())
        if self.x_field:
            found = (*found, FlaredCylinder(self.r_x_core, 1.0 / jnp.tan(self.theta_x)))
        return found


@described(
    ModelInfo(
        paper="Planck Collaboration 2016 XLII, A&A 596, A103 (Jansson12b)",
        sun=(-8.5, 0.0, 0.0),
        notes="JF12 with b_6 and B_X re-fitted; the rest as there",
        moved=MOVED,
    )
)
def JF12b(**changes: Any) -> JF12:
    """JF12 re-fitted to Planck (2016): b_6 = -3.5 and B_X = 1.8 microgauss, the rest unchanged.

    `changes` are further arguments of `JF12`.

    **Reference:** Planck Collaboration 2016 XLII, A&A 596, A103 ("Jansson12b").
    """
    b_arms = (0.1, 3.0, -0.9, -0.8, -2.0, -3.5, 0.0, 2.7)
    return JF12(**{"b_arms": b_arms, "b_x": 1.8, **changes})


@described(
    ModelInfo(
        paper="Planck Collaboration 2016 XLII, A&A 596, A103 (Jansson12c)",
        sun=(-8.5, 0.0, 0.0),
        notes="JF12.hammurabi with arms, halo and B_X re-fitted; the rest as there",
        moved=MOVED,
    )
)
def JF12c(**changes: Any) -> JF12:
    """The other re-fit of JF12 to Planck (2016): four arms change, and all walls move in by 3 %.

    `JF12.hammurabi` with b_2 = 2, b_4 = 2, b_5 = -3, b_6 = -3.5, the halo at 1.0 and -0.8 and B_X
    at 3.0 microgauss, and b_8 from zero net flux through the arms where they were. `changes` are
    further arguments of `JF12`.

    **Reference:** Planck Collaboration 2016 XLII, A&A 596, A103 ("Jansson12c").
    """
    b_arms = (0.1, 2.0, -0.9, 2.0, -3.0, -3.5, 0.0, 1.926923076923077)
    fitted = {"b_arms": b_arms, "b_north": 1.0, "b_south": -0.8, "b_x": 3.0}
    walls = tuple(0.97 * r for r in parts.R_ARMS)
    return JF12.hammurabi(**{**fitted, "r_arms": walls, **changes})

"""The regular field of Jansson & Farrar (2012a), with the Planck (2016) re-fit."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import safe_divide, safe_sqrt, sincos, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._domain import Sphere
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder, FlaredCylinder, Plane
from . import _jf12_parts as parts


class JF12(AbstractVectorField):
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

    **Reference:** Jansson & Farrar 2012, ApJ 757, 14 (JF12a), eqs. 5-10, table 1; striated
    strength: Jansson & Farrar 2012, ApJ 761, L11 (JF12b). The conventions that the papers leave
    open (spherical outer edge, r_south = 17 kpc, b_8 = 2.7 rounded) follow CRPropa3.
    """

    b_arms: Float[Array, "8"] = parameter(
        (0.1, 3.0, -0.9, -0.8, -2.0, -4.2, 0.0, 2.7), "uG", "arm strengths at 5 kpc, b_1..b_8"
    )
    b_ring: Scalar = parameter(0.1, "uG", "molecular ring, 3 to 5 kpc")
    h_disk: Scalar = parameter(0.40, "kpc", "height of the disk-halo transition")
    w_disk: Scalar = parameter(0.27, "kpc", "width of the disk-halo transition")
    r_arms: Float[Array, "8"] = parameter(
        parts.R_ARMS, "kpc", "radii of the arms' outer walls on the negative x axis"
    )
    pitch: Scalar = parameter(parts.PITCH, "rad", "pitch angle of the arms, i (11.5 deg)")
    r_ring: Scalar = parameter(3.0, "kpc", "inner edge of the molecular ring")
    r_disk: Scalar = parameter(5.0, "kpc", "inner edge of the arms")
    b_north: Scalar = parameter(1.4, "uG", "northern toroidal halo, B_n")
    b_south: Scalar = parameter(-1.1, "uG", "southern toroidal halo, B_s")
    r_north: Scalar = parameter(9.22, "kpc", "northern transition radius, r_n")
    r_south: Scalar = parameter(17.0, "kpc", "southern transition radius, r_s (> 16.7)")
    w_halo: Scalar = parameter(0.20, "kpc", "width of the radial transition, w_h")
    z_halo: Scalar = parameter(5.3, "kpc", "vertical scale, z_0")
    b_x: Scalar = parameter(4.6, "uG", "X field at the origin, B_X")
    theta_x: Scalar = parameter(parts.THETA_X, "rad", "elevation of the X field (49 deg)")
    r_x_core: Scalar = parameter(4.8, "kpc", "radius where the elevation turns constant, r_X^c")
    r_x: Scalar = parameter(2.9, "kpc", "exponential scale of the X field, r_X")
    r_max: Scalar = parameter(20.0, "kpc", "outer edge")
    r_hole: Scalar = parameter(1.0, "kpc", "radius of the empty sphere")
    striation: Scalar = parameter(1.36, "", "striated energy over regular energy, beta (JF12b)")
    disk: bool = eqx.field(static=True, default=True)
    toroidal: bool = eqx.field(static=True, default=True)
    x_field: bool = eqx.field(static=True, default=True)
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

    def striated_emissivity(self) -> Scalar:
        """Factor 1 + beta on the synchrotron emissivity from the striated field, for p = 3.

        The striated field is aligned with the regular one, of random sign and strength
        sqrt(beta) |B|, so <B> = B (Faraday rotation sees no change) and <B_perp^2>, to which
        the emissivity is proportional for the electron index p = 3, grows by 1 + beta in total
        and in polarised intensity alike. Multiply the cosmic rays by it.
        """
        return 1.0 + self.striation

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
            strength = parts.toroidal_strength(
                r,
                z,
                outside_disk,
                (self.b_north, self.r_north),
                (self.b_south, self.r_south),
                self.w_halo,
                self.z_halo,
            )
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


def JF12b(**changes: Any) -> JF12:
    """JF12 re-fitted to Planck (2016): b_6 = -3.5 and B_X = 1.8 microgauss, the rest unchanged.

    `changes` are further arguments of `JF12`.

    **Reference:** Planck Collaboration 2016 XLII, A&A 596, A103 ("Jansson12b").
    """
    b_arms = (0.1, 3.0, -0.9, -0.8, -2.0, -3.5, 0.0, 2.7)
    return JF12(**{"b_arms": b_arms, "b_x": 1.8, **changes})


JF12b.info = ModelInfo(
    paper="Planck Collaboration 2016 XLII, A&A 596, A103 (Jansson12b)",
    sun=(-8.5, 0.0, 0.0),
    notes="JF12 with b_6 and B_X re-fitted; the rest as there",
)

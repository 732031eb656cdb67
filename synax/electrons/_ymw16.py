"""The YMW16 thermal-electron density (Yao, Manchester & Wang 2017), Galactic part."""

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import kept, larger
from .._numerics._near import where_near
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface
from . import _ymw16_parts as parts

_DEGREE = math.pi / 180.0
# Gum nebula: 450 pc away at (l, b) = (264, -4) deg, the height not counted from the Sun's 6 pc
_GUM = (
    -8.3 + 0.45 * math.cos(4 * _DEGREE) * math.cos(264 * _DEGREE),
    0.45 * math.cos(4 * _DEGREE) * math.sin(264 * _DEGREE),
    -0.45 * math.sin(4 * _DEGREE),
)


class AbstractYMW16(AbstractScalarField):
    """The parameters that YMW16 and its versions share."""

    thick_density: Scalar = parameter(0.01132, "cm-3", "n1, mid-plane density of the thick disc")
    thick_height: Scalar = parameter(1.673, "kpc", "H1, scale height of the thick disc", above=0.0)
    taper_radius: Scalar = parameter(15.0, "kpc", "B_d, where the discs and arms begin to fade")
    taper_length: Scalar = parameter(2.5, "kpc", "A_d, scale length of the fading", above=0.0)
    warp_slope: Scalar = parameter(0.14, "", "Gamma_w, slope of the warp")
    warp_radius: Scalar = parameter(8.4, "kpc", "R_w, where the warp begins")
    flare: Float[Array, "3"] = parameter(
        (0.032, 1.6e-3, 4e-4), "", "H(R), kpc: coefficients of 1, R, R^2 (kpc, 1, 1/kpc)"
    )
    r_max: Scalar = parameter(30.0, "kpc", "edge of the model, distance from the Galactic Centre")

    thin_density: Scalar = parameter(0.404, "cm-3", "n2, density of the thin disc")
    thin_radius: Scalar = parameter(4.0, "kpc", "B_2, radius of its ring", minimum=0.0)
    thin_width: Scalar = parameter(1.2, "kpc", "A_2, width of its ring", above=0.0)
    thin_height: Scalar = parameter(1.54, "", "K_2, scale height in units of H(R)")

    arm_density: Float[Array, "5"] = parameter(
        (0.135, 0.129, 0.103, 0.116, 0.0057), "cm-3", "n_a: Nor-Out, Per, Car-Sgr, Cru-Scu, Local"
    )
    arm_width: Float[Array, "5"] = parameter((0.3, 0.5, 0.3, 0.5, 0.3), "kpc", "w_a")
    arm_radius: Float[Array, "5"] = parameter((3.35, 3.707, 3.56, 3.67, 8.21), "kpc", "R_a")
    arm_azimuth: Float[Array, "5"] = parameter((0.77, 2.093, 3.81, 5.76, 0.96), "rad", "phi_a")
    arm_tan_pitch: Float[Array, "5"] = parameter(
        (0.2020, 0.1730, 0.1830, 0.1860, 0.0483), "", "tangent of the pitch angle psi_a"
    )
    arm_cos_pitch: Float[Array, "5"] = parameter(
        (0.98, 0.985, 0.9836, 0.983, 0.9988), "", "cosine of psi_a as tabulated (rounded)"
    )
    arm_taper_radius: Scalar = parameter(4.0, "kpc", "B_a, where arms are densest")
    arm_taper_length: Scalar = parameter(11.68, "kpc", "A_a, radial scale of the arms", above=0.0)
    arm_height: Scalar = parameter(5.015, "", "K_a, scale height in units of H(R)")
    local_arm_end: Scalar = parameter(2.0, "rad", "azimuth where the Local Arm ends")
    carina_excess: Scalar = parameter(2.4, "", "n_cn, over-density of Carina")
    carina_azimuth: Scalar = parameter(109.0 * _DEGREE, "rad", "phi_cn")
    carina_width: Scalar = parameter(8.2 * _DEGREE, "rad", "dphi_cn")
    carina_radius: Scalar = parameter(6.0, "kpc", "outside it the excess holds beyond phi_cn")
    sagittarius_deficit: Scalar = parameter(0.626, "", "n_sg, under-density of Sagittarius")
    sagittarius_azimuth: Scalar = parameter(75.8 * _DEGREE, "rad", "phi_sg")
    sagittarius_width: Scalar = parameter(20.0 * _DEGREE, "rad", "dphi_sg")

    center_density: Scalar = parameter(6.2, "cm-3", "n_gc, density of the Galactic Centre")
    center_radius: Scalar = parameter(0.16, "kpc", "A_gc, scale radius", above=0.0)
    center_height: Scalar = parameter(0.035, "kpc", "H_gc, scale height", above=0.0)
    center_position: Float[Array, "3"] = parameter((0.0, 0.05, -0.007), "kpc", "centre")

    gum_density: Scalar = parameter(1.84, "cm-3", "n_gn, density of the Gum nebula")
    gum_width: Scalar = parameter(0.0151, "kpc", "W_gn, thickness of the shell", above=0.0)
    gum_radius: Scalar = parameter(0.1258, "kpc", "A_gn, horizontal semi-axis")
    gum_axis_ratio: Scalar = parameter(1.4, "", "K_gn, vertical over horizontal semi-axis")
    gum_position: Float[Array, "3"] = parameter(_GUM, "kpc", "centre")

    # here a leaf, which moves the local structure
    sun: Float[Array, "3"] = parameter(  # pyright: ignore[reportIncompatibleMethodOverride]
        (-8.3, 0.0, 0.006), "kpc", "position of the Sun"
    )
    bubble_thick: Scalar = parameter(0.48, "", "J_LB, factor on the thick disc inside the bubble")
    bubble_radius: Scalar = parameter(0.11, "kpc", "R_LB, radius of the bubble", minimum=0.0)
    bubble_axis: Scalar = parameter(-8.34, "kpc", "x of the bubble's axis at z = 0")
    bubble_tilt: Float[Array, "2"] = parameter(
        (0.94, 0.34), "", "coefficients of x and z in the distance from the slanted axis"
    )
    bubble_density: Float[Array, "2"] = parameter((1.094, 2.33), "cm-3", "n_LB, two walls")
    bubble_longitude: Float[Array, "2"] = parameter(
        (195.4 * _DEGREE, 278.2 * _DEGREE), "rad", "l_LB, longitude of the walls"
    )
    bubble_spread: Float[Array, "2"] = parameter(
        (28.4 * _DEGREE, 14.7 * _DEGREE), "rad", "dl_LB, their extent in longitude"
    )
    bubble_width: Float[Array, "2"] = parameter(
        (0.0142, 0.0156), "kpc", "W_LB, thickness", above=0.0
    )
    bubble_height: Float[Array, "2"] = parameter(
        (0.1129, 0.0436), "kpc", "H_LB, scale height", above=0.0
    )

    loop_density: Scalar = parameter(1.907, "cm-3", "n_LI, density of Loop I")
    loop_radius: Scalar = parameter(0.08, "kpc", "R_LI, radius of the shell", minimum=0.0)
    loop_width: Scalar = parameter(0.015, "kpc", "W_LI, thickness of the shell", above=0.0)
    loop_spread: Scalar = parameter(30.0 * _DEGREE, "rad", "dtheta_LI, extent of the cap")
    loop_tilt: Scalar = parameter(40.0 * _DEGREE, "rad", "angle of the cap's axis above +y")
    loop_position: Float[Array, "3"] = parameter(
        (-8.106206, -0.010156, 0.010467), "kpc", "centre of the shell"
    )

    fermi_thick: Scalar = parameter(1.0, "", "J_FB, factor on the thick disc in Fermi bubbles")
    fermi_height: Scalar = parameter(
        0.5 * 8.3 * math.tan(50 * _DEGREE), "kpc", "half-height of each Fermi bubble"
    )
    fermi_radius: Scalar = parameter(
        8.3 * math.tan(20 * _DEGREE), "kpc", "horizontal semi-axis of the Fermi bubbles"
    )


class YMW16(AbstractYMW16):
    """Thick and thin disc, five spiral arms, Galactic Centre and the local shells, with warp.

    The components are those of `_ymw16_parts`; n4 (Galactic Centre) is added to
    n0 = n1 + max(n2, n3) (thick disc, thin disc, arms). Near the Sun the Local Bubble n6
    replaces all else where it is the densest, then the Gum nebula n5, then Loop I n7; inside the
    bubble n1 is multiplied by `bubble_thick`. Zero beyond `r_max` of the Galactic Centre.

    Parts can be left out (static): without `arms` n3 = 0, and so on; without `local_bubble` there
    is no cavity either.

    **Reference:** Yao, Manchester & Wang 2017, ApJ 835, 29, eqs. 1-22 and table 2, and the authors'
    program (version 1.3), whose cut-offs at six scale lengths are kept. Its truncated values of pi
    and of the degree are not: the Gum shell differs by up to 4.3e-6, all else by less than 1e-6.
    The program's wedge without arms, 6.28 < azimuth < 2 pi, is kept.
    """

    thin_disc: bool = eqx.field(static=True, default=True)
    arms: bool = eqx.field(static=True, default=True)
    galactic_center: bool = eqx.field(static=True, default=True)
    gum: bool = eqx.field(static=True, default=True)
    local_bubble: bool = eqx.field(static=True, default=True)
    loop_i: bool = eqx.field(static=True, default=True)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Yao, Manchester & Wang 2017, ApJ 835, 29, table 2",
        sun=(-8.3, 0.0, 0.006),
        notes="Galactic part, without Magellanic Clouds and intergalactic medium",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        disc = parts.disc_frame(self, position)
        thick, taper = (kept(part) for part in parts.thick_disc(self, position, disc))
        n = kept(parts.thin_disc(self, disc, taper)) if self.thin_disc else 0.0 * taper
        if self.arms:
            n = larger(n, kept(parts.spiral_arms(self, disc, taper)))
        gum = 0.0 * taper
        if self.gum:
            near = parts.near_gum(self, position)
            gum = kept(where_near(near, lambda place: parts.gum_nebula(self, place), position))
        first = wall = None
        if self.local_bubble:
            wall, inside = parts.local_bubble(self, position)
            wall = kept(wall)
            first = (wall > n + thick) & (inside | (wall > gum))
            n = n + jnp.where(inside & ~first, self.bubble_thick, 1.0) * thick
        else:
            n = n + thick
        result = n
        if self.galactic_center:
            near = parts.near_center(self, position)
            result = n + kept(
                where_near(near, lambda place: parts.galactic_center(self, place), position)
            )
        if self.loop_i:
            near = parts.near_loop(self, position)
            loop = kept(where_near(near, lambda place: parts.loop_i(self, place), position))
            result = jnp.where(loop > n, loop, result)
        if self.gum:
            result = jnp.where(gum > n, gum, result)
        if first is not None and wall is not None:
            result = jnp.where(first, wall, result)
        x, y, z = position
        return jnp.where(x * x + y * y + z * z <= self.r_max**2, result, 0.0)

    @property
    def has_surroundings(self) -> bool:
        return self.gum or self.local_bubble or self.loop_i

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return parts.shells(self, self.local_bubble, self.gum)

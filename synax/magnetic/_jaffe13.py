"""The disc, halo and compressed spiral arm field of Jaffe et al., as in hammurabiX."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import (
    azimuth,
    cylindrical_radius,
    larger,
    log,
    safe_divide,
    sech2,
    smaller,
    vector,
)
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane
from ._jaffe13_published import Jaffe13Published


class Jaffe13(AbstractVectorField):
    """Coherent spiral field with a smooth disc, a halo and fields compressed into arms.

    B = u [G (disk_amp sech^2(z/disk_z0) + halo_amp sech^2(z/halo_z0)) + sum_n amp_n kappa(D_n)],

    G(r) = (1 - exp(-r^2/r_inner^2)) (exp(-r^2/r_scale^2) + exp(-r^4/r_peak^4)), no second term for
    r_peak = 0. With W = G sech^2(z/arm_z0), c_d = (r/comp_r)^-comp_p beyond comp_r and 1 within,

    kappa(D) = (1/comp_c - 1) W c_d exp(-(D c_d W/comp_d)^2),

    where D is the distance (kpc) to arm n, or to the ring or bar within its outer limit. The
    direction u is that of a spiral (u_r = -sin p, u_phi = -cos p) beyond that limit; clockwise
    along circles (ring) or similar ellipses (bar) within; 0 for r < r_hole.

    **Reference:** Jaffe et al. 2010, MNRAS 401, 1013 and 2013, MNRAS 431, 683; formulae and
    defaults as in the public program hammurabiX (Wang et al. 2020, ApJS 247, 18). The paper's own
    numbers: `Jaffe13.published()`.
    """

    ring: bool = eqx.field(static=True, default=False)
    """Whether the inner field is a molecular ring (it wins over the bar)."""
    bar: bool = eqx.field(static=True, default=True)
    """Whether the inner field follows the bar."""
    quadruple: bool = eqx.field(static=True, default=False)
    """Whether the spiral field is reversed above z = disk_z0."""
    bss: bool = eqx.field(static=True, default=False)
    """Whether the inner field is reversed."""
    disk_amp: Scalar = parameter(0.167, "uG", "strength of the disc field")
    disk_z0: Scalar = parameter(0.1, "kpc", "scale height of the disc field", above=0.0)
    halo_amp: Scalar = parameter(1.38, "uG", "strength of the halo field")
    halo_z0: Scalar = parameter(3.0, "kpc", "scale height of the halo field", above=0.0)
    r_hole: Scalar = parameter(0.5, "kpc", "radius of the field-free centre", minimum=0.0)
    r_inner: Scalar = parameter(0.5, "kpc", "radius of the central depression", minimum=0.0)
    r_scale: Scalar = parameter(20.0, "kpc", "Gaussian scale radius", above=0.0)
    r_peak: Scalar = parameter(0.0, "kpc", "radius of an additional plateau; 0: none", minimum=0.0)
    ring_amp: Scalar = parameter(0.023, "uG", "strength of the compressed ring")
    ring_r: Scalar = parameter(5.0, "kpc", "radius of the ring", minimum=0.0)
    bar_amp: Scalar = parameter(0.023, "uG", "strength of the compressed bar")
    bar_a: Scalar = parameter(5.0, "kpc", "semi-major axis of the bar", above=0.0)
    bar_b: Scalar = parameter(3.0, "kpc", "semi-minor axis of the bar", above=0.0)
    bar_phi0: Scalar = parameter(math.radians(45.0), "rad", "the bar's major axis is at -bar_phi0")
    arm_amp: Float[Array, "n_arms"] = parameter((2.0, 0.133, -3.78, 0.32), "uG", "strength of arms")
    arm_phi: Float[Array, "n_arms"] = parameter(
        tuple(math.radians(v) for v in (70, 160, 250, 340)), "rad", "azimuth of each arm at arm_r0"
    )
    arm_r0: Scalar = parameter(7.1, "kpc", "radius of arm n at azimuth arm_phi_n", minimum=0.0)
    arm_z0: Scalar = parameter(0.1, "kpc", "scale height of the arms", above=0.0)
    arm_pitch: Scalar = parameter(math.radians(11.5), "rad", "pitch angle p of the arms")
    comp_c: Scalar = parameter(0.5, "", "compression: arms are stronger by 1/comp_c - 1")
    comp_d: Scalar = parameter(0.3, "kpc", "width of the compressed region", above=0.0)
    comp_r: Scalar = parameter(
        12.0, "kpc", "radius beyond which the compression declines", minimum=0.0
    )
    comp_p: Scalar = parameter(3.0, "", "power of that decline")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Jaffe et al. 2010, MNRAS 401, 1013; 2013, MNRAS 431, 683; as in hammurabiX",
        notes="the Sun's position is not used; rms of div B is 0.07 |B|/kpc (0.013 with the ring)",
    )

    @staticmethod
    def published(**changes: Any) -> AbstractVectorField:
        """The field with the numbers of the paper's own table: `Jaffe13Published`."""
        return Jaffe13Published(**changes)

    def __check_init__(self):
        if not (self.ring or self.bar):
            raise ValueError("Jaffe13: one of ring and bar must be True, got ring=False, bar=False")

    def _limit(self) -> Scalar:
        return self.ring_r if self.ring else self.bar_a + 0.5 * self.comp_d

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        r2 = r * r
        radial = jnp.exp(-r2 / self.r_scale**2)
        peak = self.r_peak > 0
        plateau = jnp.exp(-((r2 / jnp.where(peak, self.r_peak, 1.0) ** 2) ** 2))
        radial = radial + jnp.where(peak, plateau, 0.0)
        radial = radial * (1.0 - jnp.exp(-r2 / self.r_inner**2))
        smooth = self.disk_amp * sech2(z / self.disk_z0) + self.halo_amp * sech2(z / self.halo_z0)
        squeezed = radial * sech2(z / self.arm_z0)
        decline = jnp.exp(-self.comp_p * log(larger(r / self.comp_r, 1.0)))
        width = decline * squeezed / self.comp_d
        profile = (1.0 / self.comp_c - 1.0) * squeezed * decline
        compression = jnp.where(
            r < self._limit(), self._inner(x, y, r, width), self._arms(x, y, r, width)
        )
        amplitude = radial * smooth + profile * compression
        amplitude = jnp.where(r < self.r_hole, 0.0, amplitude)
        u_x, u_y = self._direction(x, y, z, r)
        return vector(amplitude * u_x, amplitude * u_y, 0.0 * z)

    def _bar_frame(self, x: Array, y: Array) -> tuple[Array, Array]:
        sin_b, cos_b = jnp.sin(self.bar_phi0), jnp.cos(self.bar_phi0)
        return cos_b * x - sin_b * y, sin_b * x + cos_b * y

    def _direction(self, x: Array, y: Array, z: Array, r: Array) -> tuple[Array, Array]:
        sin_p, cos_p = jnp.sin(self.arm_pitch), jnp.cos(self.arm_pitch)
        cos_phi, sin_phi = safe_divide(x, r), safe_divide(y, r)
        parity = jnp.where(z > self.disk_z0, -1.0, 1.0) if self.quadruple else 1.0
        spiral_x = parity * (cos_p * sin_phi - sin_p * cos_phi)
        spiral_y = parity * (-cos_p * cos_phi - sin_p * sin_phi)
        if self.ring:
            inner_x, inner_y = sin_phi, -cos_phi
        else:
            long, short = self._bar_frame(x, y)
            slope = -long * (self.bar_b / self.bar_a) ** 2
            norm = cylindrical_radius(short, slope)
            along, across = safe_divide(short, norm), safe_divide(slope, norm)
            sin_b, cos_b = jnp.sin(self.bar_phi0), jnp.cos(self.bar_phi0)
            inner_x, inner_y = cos_b * along + sin_b * across, cos_b * across - sin_b * along
        sign = -1.0 if self.bss else 1.0
        outside = r > self._limit()
        return (
            jnp.where(outside, spiral_x, sign * inner_x),
            jnp.where(outside, spiral_y, sign * inner_y),
        )

    def _inner(self, x: Array, y: Array, r: Array, width: Array) -> Array:
        if self.ring:
            distance, amplitude = self.ring_r - r, self.ring_amp
        else:
            long, short = self._bar_frame(x, y)
            norm = cylindrical_radius(self.bar_a * short, self.bar_b * long)
            distance = safe_divide(self.bar_a * self.bar_b * r, norm) - r
            amplitude = self.bar_amp
        return amplitude * jnp.exp(-((distance * width) ** 2))

    def _arms(self, x: Array, y: Array, r: Array, width: Array) -> Array:
        phi = azimuth(x, y)
        phi = jnp.where(phi < 0, phi + 2.0 * math.pi, phi)
        slope = jnp.tan(self.arm_pitch)
        turned = jnp.exp(slope * phi)
        total = 0.0 * r
        for amplitude, start in zip(self.arm_amp, self.arm_phi, strict=True):
            on_arm = self.arm_r0 * jnp.exp(-slope * start) * turned
            nearest = jnp.abs(on_arm - r)
            for winding in (-2.0 * math.pi, 2.0 * math.pi):
                other = jnp.abs(on_arm * jnp.exp(slope * winding) - r)
                nearest = smaller(nearest, other)
            distance = jnp.cos(self.arm_pitch) * nearest
            total = total + amplitude * jnp.exp(-((distance * width) ** 2))
        return total

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        edges = (Cylinder(self.r_hole), Cylinder(self._limit()))
        return (*edges, Plane(self.disk_z0)) if self.quadruple else edges

"""The field of Jaffe et al. (2013) with the numbers of its Table A1, and its random part."""

import math
from typing import ClassVar

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
from ..fields._domain import Sphere
from ..fields._field import AbstractScalarField, AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder

Points = Float[Array, "*points"]
Arms = Float[Array, "n_arms"]

_FAR = 100.0
"""kpc: where the authors' program puts the parts that do not act at a radius."""


class Squeezed(eqx.Module):
    """Fields squeezed into four spiral arms and a ring.

    kappa(D) = c W c_d exp(-(D c_d W / width)^2), W = exp(-(r / r_scale)^2) sech^2(z / z_arm),
    c_d = (r / r_decline)^-power beyond r_decline and 1 within, D the radial distance to an arm (to
    the nearest winding of r = r_arm exp((phi - phi_n) tan p), or r itself) or to the ring.
    """

    excess: Scalar = parameter(2.5, "", "compression c: 3.5 - 1")
    width: Scalar = parameter(0.3, "kpc", "width of the compressed region", above=0.0)
    r_scale: Scalar = parameter(20.0, "kpc", "Gaussian scale radius of everything", above=0.0)
    z_arm: Scalar = parameter(2.0, "kpc", "scale height of arms and ring", above=0.0)
    r_decline: Scalar = parameter(
        12.0, "kpc", "radius beyond which the compression declines", minimum=0.0
    )
    power: Scalar = parameter(3.0, "", "power of that decline")
    r_arm: Scalar = parameter(7.1, "kpc", "radius of arm n at azimuth arm_phi_n", minimum=0.0)
    arm_phi: Arms = parameter(
        tuple(math.radians(v) for v in (350, 260, 170, 80)), "rad", "azimuth of each arm at r_arm"
    )
    pitch: Scalar = parameter(math.radians(11.5), "rad", "pitch angle p of the arms")
    r_ring: Scalar = parameter(
        5.0, "kpc", "radius of the ring, and inner end of the arms", minimum=0.0
    )

    def gaussian(self, r: Points) -> Points:
        """G = exp(-(r / r_scale)^2)."""
        return jnp.exp(-((r / self.r_scale) ** 2))

    def sums(
        self, x: Points, y: Points, z: Points, arms: Arms, ring: Scalar | float
    ) -> tuple[Points, Points]:
        """sum_n arms_n kappa(D_n) + ring kappa(far) in the arms, and the same within the ring."""
        r = cylindrical_radius(x, y)
        decline = jnp.exp(-self.power * log(larger(r / self.r_decline, 1.0)))
        squeezed = self.gaussian(r) * sech2(z / self.z_arm) * decline
        kappa = lambda d: self.excess * squeezed * jnp.exp(-((d * squeezed / self.width) ** 2))
        far = kappa(_FAR)
        outer = ring * far
        for amplitude, distance in zip(arms, self._to_arms(x, y, r), strict=True):
            outer = outer + amplitude * kappa(distance)
        return outer, ring * kappa(self.r_ring - r) + jnp.sum(arms) * far

    def _to_arms(self, x: Points, y: Points, r: Points) -> list[Points]:
        slope = jnp.tan(self.pitch)
        r_safe = larger(r, 1e-3)  # arms act beyond the ring only
        phase = log(r_safe / self.r_arm) / slope - azimuth(x, y)
        distances = []
        for start in self.arm_phi:
            turns = (phase + start) / (2.0 * math.pi)
            # the windings just inside and just outside the point
            inner = r_safe * jnp.exp(-2.0 * math.pi * slope * (turns - jnp.floor(turns)))
            outer = inner * jnp.exp(2.0 * math.pi * slope)
            distances.append(smaller(r_safe, smaller(r_safe - inner, outer - r_safe)))
        return distances

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        """Where arms end, and where their compression starts to decline."""
        return (Cylinder(self.r_ring), Cylinder(self.r_decline))


class Jaffe13Published(AbstractVectorField):
    """A halo and fields compressed into four arms and a ring, with the paper's own numbers.

    B = u [s b_halo G sech^2(z / z_halo) + T] for |x| <= r_max, G = exp(-(r / r_scale)^2),

    T = sum_n b_arms_n kappa(D_n) beyond r_ring, T = b_ring kappa(r - r_ring) within, where s = -1
    (elsewhere 1), and kappa of `Squeezed`. The direction u is that of a spiral (u_r = -sin p,
    u_phi = -cos p) for |x| > r_ring (the sphere), clockwise along circles within, 0 for
    |x| < r_hole. Parts that do not act at a radius stand, as in the authors' program, at a
    distance of 100 kpc from it: up to 1 % of |B| high above the plane.

    **Reference:** Jaffe et al. 2013, MNRAS 431, 683 (arXiv:1302.0143), table A1; azimuths read as
    clockwise, with the conventions of hammurabi 3. `Jaffe13` is the other template, of hammurabi X.
    """

    b_arms: Arms = parameter((3.0, 0.5, -4.0, 1.2), "uG", "strength of each arm, a_1..a_4")
    b_ring: Scalar = parameter(-0.8, "uG", "strength of the ring, a_5")
    b_halo: Scalar = parameter(1.0, "uG", "strength of the halo")
    z_halo: Scalar = parameter(6.0, "kpc", "scale height of the halo", above=0.0)
    r_hole: Scalar = parameter(0.5, "kpc", "radius of the field-free centre", minimum=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)
    squeezed: Squeezed = eqx.field(default_factory=Squeezed)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Jaffe et al. 2013, MNRAS 431, 683, table A1",
        notes="the Sun's position is not used; rms of div B is 0.025 |B|/kpc",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        rho2 = r * r + z * z
        parts, halo = self.squeezed, sech2(z / self.z_halo)
        outer, inner = parts.sums(x, y, z, self.b_arms, self.b_ring)
        base = self.b_halo * parts.gaussian(r) * halo
        strength = jnp.where(r < parts.r_ring, inner - base, outer + base)
        acts = (rho2 >= self.r_hole**2) & (rho2 <= self.r_max**2)
        strength = jnp.where(acts, strength, 0.0)
        u_x, u_y = self._direction(x, y, r, rho2)
        return vector(strength * u_x, strength * u_y, 0.0 * z)

    def _direction(self, x: Points, y: Points, r: Points, rho2: Points) -> tuple[Points, Points]:
        cos_phi, sin_phi = safe_divide(x, r), safe_divide(y, r)
        spiral = rho2 > self.squeezed.r_ring**2
        sin_p = jnp.where(spiral, jnp.sin(self.squeezed.pitch), 0.0)
        cos_p = jnp.where(spiral, jnp.cos(self.squeezed.pitch), 1.0)
        return cos_p * sin_phi - sin_p * cos_phi, -cos_p * cos_phi - sin_p * sin_phi

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        spheres = (Sphere(self.r_hole), Sphere(self.squeezed.r_ring), Sphere(self.r_max))
        return (*self.squeezed.surfaces(), *spheres)


class Jaffe13RandomStrength(AbstractScalarField):
    """Rms of the random field of `Jaffe13Published` (all three components together).

    Isotropic part: b_random [sech^2(z / z_arm) G + K], K = sum_n kappa(D_n) / G over arms and ring.
    With `ordered`, the amplitude b_random f_ordered K of the part along the regular field instead:
    A (g.u) u with g isotropic and of unit rms, so its rms is A / sqrt(3).

    **Returns** microgauss, (*points,).

    **Reference:** Jaffe et al. 2013, MNRAS 431, 683, table A1.
    """

    b_random: Scalar = parameter(3.5, "uG", "rms of the isotropic random field")
    f_ordered: Scalar = parameter(0.15, "", "ordered over isotropic random field")
    weight_arms: Arms = parameter((1.0, 1.0, 1.0, 1.0), "", "weight of each arm")
    weight_ring: Scalar = parameter(0.8, "", "weight of the ring")
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)
    squeezed: Squeezed = eqx.field(default_factory=Squeezed)
    ordered: bool = eqx.field(static=True, default=False)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Jaffe et al. 2013, MNRAS 431, 683, table A1",
        notes="a strength, no field",
        variants={"ordered_part": {"ordered": True}},
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        parts = self.squeezed
        profile = parts.gaussian(r)
        outer, inner = parts.sums(x, y, z, self.weight_arms, self.weight_ring)
        squeezed = jnp.where(r < parts.r_ring, inner, outer) / profile
        within = r * r + z * z <= self.r_max**2
        if self.ordered:
            strength = self.b_random * self.f_ordered * squeezed
        else:
            strength = self.b_random * (sech2(z / parts.z_arm) * profile + squeezed)
        return jnp.where(within, strength, 0.0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (*self.squeezed.surfaces(), Sphere(self.r_max))

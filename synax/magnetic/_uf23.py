"""The eight coherent-field models of Unger & Farrar (2024)."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._constants import KPC, YEAR
from .._numerics._math import atan2, log, logistic, safe_divide, safe_sqrt, sincos, smaller, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._domain import Sphere
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Plane
from ._uf23_table import PUBLISHED
from ._variants import check_choice, fill_defaults, radians

Points = Float[Array, "*points"]
VariantScalar = Any  # a Scalar, or None in the variants without it

# Fixed by the authors, not fitted.
_R_SPIRAL = 5.0  # kpc, radius at which the spiral's phases and strengths are quoted
_R_OUTER = 20.0  # kpc, end of the spiral disk
_EDGE = 0.5  # kpc, width of both radial edges of the spiral disk
_R_SPUR = 8.2  # kpc, radius at which the spur is quoted
_SPUR_EDGE = math.radians(5.0)  # width of the spur's two ends
_ROTATION = -240e3 / KPC * (1e6 * YEAR)  # kpc/Myr, speed of the twisting rotation curve
_R_ROTATION, _Z_ROTATION = 1.6, 10.0  # kpc, its scales


class UF23(AbstractVectorField):
    """The UF23 ensemble: a spiral (or spur) disk, a toroidal and a poloidal halo.

    `variant` is one of 'base', 'neCL', 'expX', 'spur', 'cre10', 'synCG', 'twistX', 'nebCor';
    the published values of that fit are the defaults of the parameters, and parameters that it
    does not have are None. Cylindrical r, phi, z; S(x; c, w) = 1 / (1 + exp(-(x - c) / w)):

    - disk (`disk`): (sin i e_r + cos i e_phi) sum_m b_m cos m(phi_0 - phi_m) (m = 1, 2, 3),
      phi_0 = phi - ln(r / 5 kpc) / tan i, falling as 1 / r, faded out inside 5 and beyond
      20 kpc and above h_disk; in 'spur' one arm segment with a Gaussian profile instead;
    - toroidal halo (`toroidal`; all but 'twistX'): b_north or b_south times
      [1 - S(r; r_toroidal, w_toroidal)] S(|z|; h_disk, w_disk) exp(-|z| / z_toroidal) e_phi;
    - poloidal halo (`poloidal`): field lines a = r [1 + (|z| / z_poloidal)^p]^(-1/p) with
      strength b_poloidal [1 - S(a; r_poloidal, w_poloidal)] in the plane ('expX':
      exp(-a / r_poloidal) and lines that straighten beyond a_poloidal); in 'twistX' wound up
      by differential rotation during twist_time, in place of a toroidal halo.

    The three switches and the variant are static. Zero beyond `r_max` (sphere).

    **Returns** microgauss, (3, *points); e_phi is anticlockwise seen from the north. On the
    plane z = 0, where B_r jumps in slope, its derivative in z is taken as 0.

    **Raises** `ValueError` for an unknown variant and for a parameter the variant does not have.

    **Reference:** Unger & Farrar 2024, ApJ 970, 95: models and table of best-fit
    parameters. The striation factor that the paper quotes with each fit enlarges the polarised
    emission, is no part of the field, and is left out as in the authors' program. The limit
    a_poloidal -> infinity is evaluated in closed form. `prior` has the published covariance.
    """

    variant: str = eqx.field(static=True, default="base")
    disk: bool = eqx.field(static=True, default=True, kw_only=True)
    toroidal: bool = eqx.field(static=True, default=True, kw_only=True)
    poloidal: bool = eqx.field(static=True, default=True, kw_only=True)
    b_1: Scalar = parameter(None, "uG", "spiral m = 1, or the spur, at the reference radius")
    b_2: VariantScalar = parameter(None, "uG", "spiral m = 2 at 5 kpc (not in spur)")
    b_3: VariantScalar = parameter(None, "uG", "spiral m = 3 at 5 kpc (not in spur)")
    phi_1: Scalar = parameter(None, "rad", "azimuth of m = 1 at 5 kpc (spur: at 8.2 kpc)")
    phi_2: VariantScalar = parameter(None, "rad", "azimuth of m = 2 at 5 kpc (not in spur)")
    phi_3: VariantScalar = parameter(None, "rad", "azimuth of m = 3 at 5 kpc (not in spur)")
    pitch: Scalar = parameter(None, "rad", "pitch angle of the disk field, alpha")
    h_disk: Scalar = parameter(None, "kpc", "height of the disk-halo transition")
    w_disk: Scalar = parameter(None, "kpc", "width of the disk-halo transition", above=0.0)
    phi_spur: VariantScalar = parameter(None, "rad", "centre of the spur (spur only)")
    l_spur: VariantScalar = parameter(None, "rad", "half-length of the spur (spur only)")
    w_spur: VariantScalar = parameter(None, "rad", "angular width of the spur (spur only)")
    b_north: VariantScalar = parameter(None, "uG", "northern toroidal halo (not in twistX)")
    b_south: VariantScalar = parameter(None, "uG", "southern toroidal halo (not in twistX)")
    r_toroidal: VariantScalar = parameter(
        None, "kpc", "toroidal radius (not in twistX)", minimum=0.0
    )
    w_toroidal: VariantScalar = parameter(
        None, "kpc", "its transition's width (not in twistX)", above=0.0
    )
    z_toroidal: VariantScalar = parameter(
        None, "kpc", "toroidal scale height (not in twistX)", above=0.0
    )
    b_poloidal: Scalar = parameter(None, "uG", "poloidal halo at the centre")
    p: Scalar = parameter(None, "", "exponent of the poloidal field lines, > 1")
    r_poloidal: Scalar = parameter(
        None, "kpc", "poloidal radius (expX: exponential scale)", above=0.0
    )
    w_poloidal: VariantScalar = parameter(
        None, "kpc", "its transition's width (not in expX)", above=0.0
    )
    z_poloidal: Scalar = parameter(
        None, "kpc", "scale height of the poloidal field lines", above=0.0
    )
    a_poloidal: VariantScalar = parameter(
        None, "kpc", "radius of straight lines (expX only)", minimum=0.0
    )
    twist_time: VariantScalar = parameter(None, "Myr", "twisting time (twistX only)")
    r_max: Scalar = parameter(30.0, "kpc", "outer edge", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Unger & Farrar 2024, ApJ 970, 95, table of best-fit parameters",
        sun=(-8.2, 0.0, 0.0),
        notes=(
            "eight variants by name. div B = 0 to rounding in the toroidal, poloidal and twisted "
            "halos; the disk's ends at 5 and 20 kpc (and the spur's) are not solenoidal: rms "
            "0.017 uG/kpc in |x|, |y| < 20, |z| < 5 kpc for the disk of base (rms 0.40 uG), and "
            "0.014 uG/kpc for the spur (rms 0.06 uG)"
        ),
        variants={name: {"variant": name} for name in PUBLISHED},
        moved={
            "striation": (
                "no number of the field: the striated part is unresolved turbulence of the "
                "simulator; StriatedStrength(field, beta) gives its rms"
            )
        },
    )

    @staticmethod
    def prior(variant: str = "base") -> Any:
        """The published covariance of a variant's parameters, as a prior for `synax.Posterior`.

        **Arguments:**

        - `variant`: as for the field.

        **Returns** a `synax.inference.UF23Prior`: give `priors={prior.paths("magnetic"): prior}`.

        **Raises** `ValueError` for an unknown variant.
        """
        from ..inference import UF23Prior  # where priors live, above the fields

        return UF23Prior(variant)

    def __post_init__(self):
        check_choice("UF23", "variant", self.variant, PUBLISHED)
        angles = ("phi_1", "phi_2", "phi_3", "pitch", "phi_spur", "l_spur", "w_spur")
        published = radians(PUBLISHED[self.variant], *angles)
        for name in sorted(set().union(*PUBLISHED.values()) - set(published)):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"UF23: variant '{self.variant}' has no parameter '{name}'; "
                    f"it has {sorted(published)}"
                )
        fill_defaults(self, published)

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        height = jnp.abs(z)
        r2 = x * x + y * y
        r = safe_sqrt(r2)
        outside_disk = logistic((height - self.h_disk) / self.w_disk)
        around = jnp.zeros_like(x)  # B_phi / r
        outward = jnp.zeros_like(x)  # B_r / r
        upward = jnp.zeros_like(x)
        if self.disk:
            disk = self._spur(x, y, r) if self.variant == "spur" else self._spiral(x, y, r)
            disk = disk * (1.0 - outside_disk)
            sin_i, cos_i = sincos(self.pitch)
            outward, around = outward + disk * sin_i, around + disk * cos_i
        if self.toroidal and self.variant != "twistX":
            b = jnp.where(z >= 0, self.b_north, self.b_south)
            b = b * logistic((self.r_toroidal - r) / self.w_toroidal)
            b = b * outside_disk * jnp.exp(-height / self.z_toroidal)
            around = around + safe_divide(b, r)
        if self.poloidal:
            radial, vertical = self._poloidal(r, height)
            radial = jnp.where(z < 0, -radial, radial)
            outward, upward = outward + radial, upward + vertical
            if self.variant == "twistX":
                around = around + self._twist(r, z, r * radial, vertical)
        within = r2 + z * z <= self.r_max**2
        outward, around, upward = (jnp.where(within, b, 0.0) for b in (outward, around, upward))
        return vector(outward * x - around * y, outward * y + around * x, upward)

    def _spiral(self, x: Points, y: Points, r: Points) -> Points:
        """Strength of the spiral disk in the plane, over r."""
        off_axis = r > 0
        r_safe = jnp.where(off_axis, r, 1.0)
        r2 = r_safe * r_safe
        # phi_0 by the sine and cosine of its two parts: no arctangent
        sin_w, cos_w = sincos(log(r_safe / _R_SPIRAL) / jnp.tan(self.pitch))
        cos_1 = (x * cos_w + y * sin_w) / r_safe
        sin_1 = (y * cos_w - x * sin_w) / r_safe
        cos_2, sin_2 = 2.0 * cos_1 * cos_1 - 1.0, 2.0 * sin_1 * cos_1
        cos_3, sin_3 = cos_1 * cos_2 - sin_1 * sin_2, sin_1 * cos_2 + cos_1 * sin_2
        total = jnp.zeros_like(x)
        harmonics = (
            (self.b_1, self.phi_1, cos_1, sin_1),
            (self.b_2, 2.0 * self.phi_2, cos_2, sin_2),
            (self.b_3, 3.0 * self.phi_3, cos_3, sin_3),
        )
        for b, phase, cos_m, sin_m in harmonics:
            sin_p, cos_p = sincos(phase)
            total = total + (b * cos_p) * cos_m + (b * sin_p) * sin_m
        # 1 / {S(r; 5, w) [1 - S(r; 20, w)]} by one exponential, capped far outside r_max
        steps = (r_safe - 0.5 * (_R_SPIRAL + _R_OUTER)) / _EDGE
        grow = jnp.exp(smaller(steps, 40.0))
        drop = math.exp(0.5 * (_R_SPIRAL - _R_OUTER) / _EDGE)
        fade = -jnp.expm1(-r2) / (r2 * (1.0 + drop * drop + drop * (grow + 1.0 / grow)))
        return jnp.where(off_axis, _R_SPIRAL * total * fade, 0.0)

    def _spur(self, x: Points, y: Points, r: Points) -> Points:
        """Strength of the local spur in the plane, over r."""
        off_axis = r > 0
        r_safe = jnp.where(off_axis, r, 1.0)
        phi = atan2(y, x)
        phi = jnp.where(phi < 0, phi + 2.0 * math.pi, phi)
        k = jnp.tan(self.pitch)
        # azimuth past the spur's ridge at the same radius: r = ridge exp(-k past)
        past = phi - self.phi_1 - log(r_safe / _R_SPUR) / k
        turn = 2.0 * math.pi * k
        # this winding of the ridge is nearer in radius than the next ones in and out
        least, most = jnp.log(0.5 + 0.5 * jnp.exp(-turn)), jnp.log(0.5 + 0.5 * jnp.exp(turn))
        nearest = (-k * past > least) & (-k * past <= most) & off_axis
        across = _wrapped(past) / self.w_spur
        along = jnp.abs(_wrapped(phi - self.phi_spur))
        b = self.b_1 * _R_SPUR * jnp.exp(-0.5 * across * across)
        b = b * logistic((self.l_spur - along) / _SPUR_EDGE)
        return jnp.where(nearest, b / (r_safe * r_safe), 0.0)

    def _poloidal(self, r: Points, height: Points) -> tuple[Points, Points]:
        """B_r / r (for z > 0) and B_z of the poloidal halo."""
        off_plane = height > 0
        h_safe = jnp.where(off_plane, height, 1.0)
        # (|z| / z_p)^p; its derivatives are taken as 0 on the plane, where they may not exist
        v = jnp.where(off_plane, jnp.exp(self.p * log(h_safe / self.z_poloidal)), 0.0)
        if self.a_poloidal is None:
            flare = norm = 1.0 + v
            squeeze = 1.0
        else:
            r_safe = jnp.where(r > 0, r, 1.0)
            u = jnp.where(r > 0, jnp.exp(self.p * log(r_safe / self.a_poloidal)), 0.0)
            t = 1.0 + v - u
            norm = jnp.sqrt(t * t + 4.0 * u)
            flare = 0.5 * (norm + t)
            squeeze = (u + flare) / norm
        shrink = jnp.exp(-log(flare) / self.p)  # a / r
        a = r * shrink
        if self.w_poloidal is None:
            profile = jnp.exp(-a / self.r_poloidal)
        else:
            profile = logistic((self.r_poloidal - a) / self.w_poloidal)
        b = self.b_poloidal * profile * shrink * shrink
        return b * v / (h_safe * norm), b * squeeze

    def _twist(self, r: Points, z: Points, b_r: Points, b_z: Points) -> Points:
        """B_phi / r that differential rotation makes of the poloidal field in `twist_time`."""
        e = jnp.exp((-2.0 / _Z_ROTATION) * jnp.abs(z))
        fade = 2.0 * e / (1.0 + e)
        slope = 4.0 * e / ((1.0 + e) * (1.0 + e))
        near = r < 1e-3
        r_safe = jnp.where(near, 1.0, r)
        rise = -jnp.expm1(-r / _R_ROTATION)
        # angular velocity / v0, with its series about the axis
        s = r / _R_ROTATION
        omega = jnp.where(near, (1.0 - 0.5 * s * (1.0 - s / 3.0)) / _R_ROTATION, rise / r_safe)
        d_vertical = -jnp.where(z < 0, -1.0, 1.0) * omega * slope / _Z_ROTATION
        outer = ((1.0 - rise) / _R_ROTATION - omega) / r_safe
        d_radial = jnp.where(near, (-0.5 + s / 3.0) / _R_ROTATION**2, outer) * fade
        return _ROTATION * self.twist_time * (b_z * d_vertical + b_r * d_radial)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Sphere(self.r_max), Plane())


def _wrapped(angle: Points) -> Points:
    """The angle (rad) brought into [-pi, pi]."""
    return angle - 2.0 * math.pi * jnp.round(angle / (2.0 * math.pi))

"""The disc and halo fields of Terral & Ferriere (2017), all six combinations."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import (
    cylindrical_radius,
    log,
    safe_divide,
    safe_sqrt,
    sincos,
    smaller,
    vector,
)
from .._parameters import MaybeScalar, ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane
from ._variants import check_choice, fill_defaults, radians

# Best fits, one row a combination: common to both, disc, halo. Angles in degrees.
_FITS = {
    ("Ad1", "C0"): (
        {"pitch": -7.9, "winding_height": 5.0},
        {"radius": 3.0, "strength": 19.0, "height": 0.055, "phase": -54.0, "curvature": 0.9},
        {"strength": 0.36, "length": 3.0, "curvature": 1.17},
    ),
    ("Bd1", "C0"): (
        {"pitch": -7.2, "winding_height": 9.0},
        {"radius": 3.0, "strength": 2.0, "height": 0.32, "phase": 153.0},
        {"strength": 0.29, "length": 3.4, "curvature": 0.88},
    ),
    ("Dd1", "C0"): (
        {"pitch": -7.4, "winding_height": 4.2},
        {"reference": 1.5, "strength": 0.065, "length": 9.8, "phase": 14.0},
        {"strength": 0.18, "length": 4.8, "curvature": 0.61},
    ),
    ("Ad1", "C1"): (
        {"pitch": -9.1, "winding_height": 1.2},
        {"radius": 3.0, "strength": 32.0, "height": 0.054, "phase": -31.0, "curvature": 0.031},
        {"strength": 9.0, "length": 2.1, "phase": 198.0, "curvature": 0.33},
    ),
    ("Bd1", "C1"): (
        {"pitch": -9.0, "winding_height": 1.2},
        {"radius": 3.0, "strength": 24.0, "height": 0.090, "phase": -34.0},
        {"strength": 8.2, "length": 2.2, "phase": 197.0, "curvature": 0.38},
    ),
    ("Dd1", "C1"): (
        {"pitch": -8.4, "winding_height": 1.2},
        {"reference": 1.5, "strength": 0.40, "length": 2.9, "phase": 120.0},
        {"strength": 9.5, "length": 2.1, "phase": 179.0, "curvature": 0.45},
    ),
}


class TF17(AbstractVectorField):
    """A disc field (Ad1, Bd1 or Dd1) plus a halo field (C0 axisymmetric or C1 bisymmetric).

    Poloidal field lines of a given family are wound into spirals by the shifted winding function

    g(r, z) = cot(pitch) ln(1 - exp(-r/L_p)) / (1 + (z/H_p)^2).

    With f = pi - phi (clockwise), A = g + phase, and S the strength on a line:

    - C: w = 1/(1 + a z^2), S = B exp(-w r/L) [times cos(f - A) for C1],
      B_r = 2 a w^3 r z S, B_z = w^2 S.
    - Ad1, r > r1: m = (1 + a r1^2)/(1 + a r^2), S = B exp(-|m z|/H) cos(f - A),
      B_r = (r1/r) m S, B_z = 2 a r1 m z/(1 + a r^2) S; straight horizontal lines inside r1.
    - Bd1: v = r/r1, D = 1 + 4 v^(5/2), m = 5 v^2/D, S = B exp(-|m z|/H) cos(f - A),
      B_r = 5 v/D S, B_z = -10 (z/r1) (1 - v^(5/2))/D^2 S.
    - Dd1: h = |z|/z1, D = 1 + h^(3/2)/2, q = 3/2 h^(1/2)/D, S = B F cos(f - A),
      F = min(1, exp(1 - q r/L)), B_r = -9/8 sign(z) (r/z1) (1 - h^(3/2))/D^3 S, B_z = q^2 S.

    and B_f follows from B_r, B_z and g so that the lines are wound without making divergence.
    A part that is switched off (`None`) has no parameters; the winding is then that of the fit
    with Ad1 (no disc) or C0 (no halo).

    **Reference:** Terral & Ferriere 2017, A&A 600, A29, sections 3 and 4, table 2. Their fits
    bound L_p only from below (16 to 38 kpc); L_p = 50 kpc as in CRPropa 3. The powers 2 (Bd1) and
    1/2 (Dd1) of the line shapes are part of the program.
    """

    disc: str | None = eqx.field(static=True, default="Ad1")
    """'Ad1', 'Bd1', 'Dd1' or None."""
    halo: str | None = eqx.field(static=True, default="C1")
    """'C0', 'C1' or None."""
    pitch: Scalar = parameter(None, "rad", "pitch angle p0 of the spirals in the plane")
    winding_height: Scalar = parameter(None, "kpc", "scale height H_p of the winding", above=0.0)
    winding_length: Scalar = parameter(50.0, "kpc", "scale length L_p of the winding", above=0.0)
    disc_strength: MaybeScalar = parameter(None, "uG", "strength B1 of the disc field")
    disc_phase: MaybeScalar = parameter(None, "rad", "azimuth phi* of the disc field's crest")
    disc_radius: MaybeScalar = parameter(None, "kpc", "reference radius r1 (Ad1, Bd1)", minimum=0.0)
    disc_height: MaybeScalar = parameter(None, "kpc", "scale height H (Ad1, Bd1)", above=0.0)
    disc_curvature: MaybeScalar = parameter(None, "kpc-2", "opening a of the lines (Ad1)")
    disc_reference: MaybeScalar = parameter(None, "kpc", "reference height z1 (Dd1)")
    disc_length: MaybeScalar = parameter(None, "kpc", "scale length L (Dd1)", above=0.0)
    halo_strength: MaybeScalar = parameter(None, "uG", "strength B1 of the halo field")
    halo_phase: MaybeScalar = parameter(None, "rad", "azimuth phi* of the halo field (C1)")
    halo_length: MaybeScalar = parameter(None, "kpc", "scale length L of the halo field", above=0.0)
    halo_curvature: MaybeScalar = parameter(None, "kpc-2", "opening a of the halo's lines")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Terral & Ferriere 2017, A&A 600, A29, table 2",
        sun=(-8.5, 0.0, 0.0),
        notes="no outer edge; divergence-free, but for the wall r = r1 of Ad1",
        variants={f"{disc}_{halo}": {"disc": disc, "halo": halo} for disc, halo in _FITS},
    )

    def __post_init__(self):
        check_choice("TF17", "disc", self.disc, ("Ad1", "Bd1", "Dd1", None))
        check_choice("TF17", "halo", self.halo, ("C0", "C1", None))
        common, disc, halo = _FITS[self.disc or "Ad1", self.halo or "C0"]
        fill_defaults(self, radians(common, "pitch"))
        if self.disc is not None:
            fill_defaults(self, radians(disc, "phase"), "disc_")
        if self.halo is not None:
            fill_defaults(self, radians(halo, "phase"), "halo_")

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        winding = 1.0 / jnp.tan(self.pitch)
        log_term, slope = self._winding(r)
        flatten = 1.0 / (1.0 + (z / self.winding_height) ** 2)
        g = winding * log_term * flatten
        radial, vertical = 0.0 * r, 0.0 * z  # B_r / r and B_z of the lines that are wound
        core_x, core_y = 0.0 * x, 0.0 * y
        if self.disc == "Ad1":
            radial, vertical, core_x, core_y = self._disc_a(x, y, z, r, g, winding * flatten)
        elif self.disc == "Bd1":
            radial, vertical = self._disc_b(x, y, z, r, g)
        elif self.disc == "Dd1":
            radial, vertical = self._disc_d(x, y, z, r, g)
        if self.halo is not None:
            halo = self._halo(x, y, z, r, g)
            radial, vertical = radial + halo[0], vertical + halo[1]
        # the paper's azimuth is clockwise: B_phi = -B_f
        height2 = self.winding_height**2
        clockwise = flatten * (winding * slope * radial - 2.0 * z / height2 * g * vertical)
        b_x = core_x + radial * x + clockwise * y
        b_y = core_y + radial * y - clockwise * x
        return vector(b_x, b_y, vertical)

    def _winding(self, r: Array) -> tuple[Array, Array]:
        """ln(1 - exp(-u)) and u/(exp(u) - 1) with u = r/L_p; 0 and 1 on the axis."""
        off_axis = r > 0
        u = jnp.where(off_axis, r / self.winding_length, 1.0)
        growth = jnp.expm1(u)
        return (
            jnp.where(off_axis, log(growth) - u, 0.0),
            jnp.where(off_axis, u / growth, 1.0),
        )

    def _crest(self, x: Array, y: Array, r: Array, angle: Array) -> Array:
        """cos(f - angle), 0 on the axis; cos f = -x/r, sin f = y/r."""
        sin_a, cos_a = sincos(angle)
        return safe_divide(y * sin_a - x * cos_a, r)

    def _disc_a(
        self, x: Array, y: Array, z: Array, r: Array, g: Array, wind: Array
    ) -> tuple[Array, Array, Array, Array]:
        outside = r > self.disc_radius
        r_out = jnp.where(outside, r, self.disc_radius)
        g_core = wind * self._winding(self.disc_radius)[0]
        sin_a, cos_a = sincos(jnp.where(outside, g, g_core) + self.disc_phase)
        spread = 1.0 + self.disc_curvature * r_out**2
        m = (1.0 + self.disc_curvature * self.disc_radius**2) / spread
        line = self.disc_strength * jnp.exp(-jnp.abs(m * z) / self.disc_height)
        strength = jnp.where(outside, line * (y * sin_a - x * cos_a) / r_out, 0.0)
        radial = self.disc_radius / r_out**2 * m * strength
        vertical = 2.0 * self.disc_curvature * self.disc_radius * m * z / spread * strength
        inner = jnp.where(outside, 0.0, line)
        return radial, vertical, -inner * cos_a, inner * sin_a

    def _disc_b(self, x: Array, y: Array, z: Array, r: Array, g: Array) -> tuple[Array, Array]:
        v = r / self.disc_radius
        v52 = v * v * safe_sqrt(v)
        inverse = 1.0 / (1.0 + 4.0 * v52)
        line = jnp.exp(-jnp.abs(5.0 * v * v * inverse * z) / self.disc_height)
        crest = self._crest(x, y, r, g + self.disc_phase)
        strength = self.disc_strength / self.disc_radius * line * crest * inverse
        return 5.0 * strength, -10.0 * z * (1.0 - v52) * inverse * strength

    def _disc_d(self, x: Array, y: Array, z: Array, r: Array, g: Array) -> tuple[Array, Array]:
        h = jnp.abs(z) / self.disc_reference
        root = safe_sqrt(h)
        h32 = h * root
        inverse = 1.0 / (1.0 + 0.5 * h32)
        q = 1.5 * root * inverse
        fall = jnp.exp(smaller(1.0 - q * r / self.disc_length, 0.0))
        crest = self._crest(x, y, r, g + self.disc_phase)
        strength = self.disc_strength * fall * crest
        sign = jnp.where(z < 0, -1.125, 1.125)
        radial = -sign / self.disc_reference * (1.0 - h32) * inverse**3 * strength
        return radial, 2.25 * h * inverse * inverse * strength

    def _halo(self, x: Array, y: Array, z: Array, r: Array, g: Array) -> tuple[Array, Array]:
        w = 1.0 / (1.0 + self.halo_curvature * z * z)
        strength = self.halo_strength * jnp.exp(-w * r / self.halo_length) * w * w
        if self.halo == "C1":
            strength = strength * self._crest(x, y, r, g + self.halo_phase)
        return 2.0 * self.halo_curvature * w * z * strength, strength

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        if self.disc is None:
            return ()
        return (Plane(), Cylinder(self.disc_radius)) if self.disc == "Ad1" else (Plane(),)

"""The disc and halo field of Pshirkov, Tinyakov, Kronberg & Newton-McGee (2011)."""

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, larger, log, sincos, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Plane
from ._variants import check_choice, fill_defaults

_BY_KIND = {
    "ass": {"pitch": -math.radians(5.0), "halo_south": 2.0},
    "bss": {"pitch": -math.radians(6.0), "halo_south": 4.0},
}


class PT11(AbstractVectorField):
    """A logarithmic spiral disc, axisymmetric ("ass") or bisymmetric ("bss"), and a toroidal halo.

    With theta = pi - phi (clockwise from the Galactic Centre's side of the Sun), the disc is

    B = b0 (r_sun / max(r, r_core)) exp(-|z|/z0) C / cos(Phi) [sin(pitch) e_r - cos(pitch) e_phi],
    C = cos(theta - cot(pitch) ln(r/r_sun) + Phi), Phi = cot(pitch) ln(1 + d/r_sun) - pi/2,

    with |C| in place of C for "ass". The halo is

    B_phi = H (r/r_h) exp(1 - r/r_h) / (1 + ((|z| - z_h)/w)^2), H = halo_north for z > 0 and
    -halo_south otherwise, w = halo_width_inner for |z| < z_h and halo_width_outer beyond.

    On the axis, where the disc winds without end, it is set to 0.

    **Reference:** Pshirkov et al. 2011, ApJ 738, 192, eqs. 3-8 and table 3.
    """

    kind: str = eqx.field(static=True, default="ass")
    """'ass' or 'bss'."""
    disc: bool = eqx.field(static=True, default=True)
    """Whether the disc field is included."""
    halo: bool = eqx.field(static=True, default=True)
    """Whether the halo field is included."""
    b0: Scalar = parameter(2.0, "uG", "strength of the disc field at the Sun")
    pitch: Scalar = parameter(None, "rad", "pitch angle p: -5 deg (ass), -6 deg (bss)")
    d: Scalar = parameter(-0.6, "kpc", "distance from the Sun to the first field reversal")
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    r_core: Scalar = parameter(
        5.0, "kpc", "radius inside which the strength is constant", minimum=0.0
    )
    z0: Scalar = parameter(1.0, "kpc", "scale height of the disc field", above=0.0)
    halo_north: Scalar = parameter(4.0, "uG", "strength of the halo field for z > 0")
    halo_south: Scalar = parameter(None, "uG", "strength for z < 0: 2 (ass), 4 (bss)")
    halo_radius: Scalar = parameter(8.0, "kpc", "radius of the strongest halo field", minimum=0.0)
    halo_height: Scalar = parameter(1.3, "kpc", "height of the strongest halo field")
    halo_width_inner: Scalar = parameter(0.25, "kpc", "vertical width towards the plane", above=0.0)
    halo_width_outer: Scalar = parameter(
        0.4, "kpc", "vertical width away from the plane", above=0.0
    )

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Pshirkov et al. 2011, ApJ 738, 192, eqs. 3-8, table 3",
        sun=(-8.5, 0.0, 0.0),
        notes="no outer edge; rms of div B is 0.014 |B|/kpc, all of it from r < r_core",
        variants={kind: {"kind": kind} for kind in _BY_KIND},
    )

    def __post_init__(self):
        check_choice("PT11", "kind", self.kind, _BY_KIND)
        fill_defaults(self, _BY_KIND[self.kind])

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        b_x, b_y = self._disc(x, y, z, r) if self.disc else (0.0 * x, 0.0 * y)
        if self.halo:
            azimuthal = self._halo(z, r)
            b_x, b_y = b_x - azimuthal * y, b_y + azimuthal * x
        return vector(b_x, b_y, 0.0 * z)

    def _disc(self, x: Array, y: Array, z: Array, r: Array) -> tuple[Array, Array]:
        off_axis = r > 0
        r_safe = jnp.where(off_axis, r, 1.0)
        cos_phi, sin_phi = x / r_safe, y / r_safe  # cos(theta) = -cos_phi, sin(theta) = sin_phi
        winding = 1.0 / jnp.tan(self.pitch)
        phase = winding * jnp.log1p(self.d / self.r_sun) - 0.5 * math.pi
        sin_a, cos_a = sincos(phase - winding * log(r_safe / self.r_sun))
        modulation = -cos_phi * cos_a - sin_phi * sin_a
        if self.kind == "ass":
            modulation = jnp.abs(modulation)
        strength = self.b0 * self.r_sun / jnp.cos(phase)
        amplitude = strength * modulation * jnp.exp(-jnp.abs(z) / self.z0)
        amplitude = jnp.where(off_axis, amplitude / larger(r_safe, self.r_core), 0.0)
        sin_p, cos_p = jnp.sin(self.pitch), jnp.cos(self.pitch)
        return (
            amplitude * (sin_p * cos_phi + cos_p * sin_phi),
            amplitude * (sin_p * sin_phi - cos_p * cos_phi),
        )

    def _halo(self, z: Array, r: Array) -> Float[Array, "*points"]:
        """B_phi / r, which is finite on the axis."""
        height = jnp.abs(z) - self.halo_height
        width = jnp.where(height < 0, self.halo_width_inner, self.halo_width_outer)
        strength = jnp.where(z > 0, self.halo_north, -self.halo_south) / self.halo_radius
        return strength * jnp.exp(1.0 - r / self.halo_radius) / (1.0 + (height / width) ** 2)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(),)

"""A bisymmetric spiral of constant strength: Han & Qiao 1994, Miville-Deschenes et al. 2008."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, sincos, vector
from .._parameters import ModelInfo, Scalar, described, parameter
from ..fields._field import AbstractVectorField
from ._spiral_parts import along_spiral, wave


class HanQiao94(AbstractVectorField):
    """A horizontal bisymmetric spiral (BSS) without edge or fall.

    B = S (sin p e_r - cos p e_phi), with theta = pi - phi and
    S = b0 cos(theta - ln(r / r_0) / tan p) cos(chi0 tanh(z / z_tilt)).

    With the published signs the field at the Sun points to l = 270 deg; b0 < 0 gives the sense
    of rotation measures. On the axis, where the spiral winds without end, it is set to 0.

    **Reference:** Han & Qiao 1994, A&A 288, 759; as in GALPROP 56, with that program's azimuth.
    """

    b0: Scalar = parameter(1.8, "uG", "amplitude")
    pitch: Scalar = parameter(math.radians(-8.2), "rad", "pitch angle p (-8.2 deg)")
    r_0: Scalar = parameter(11.9, "kpc", "radius of greatest field towards the Sun", minimum=0.0)
    chi0: Scalar = parameter(0.0, "rad", "tilt that weakens the horizontal field")
    z_tilt: Scalar = parameter(1.0, "kpc", "height at which the tilt sets in")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Han & Qiao 1994, A&A 288, 759",
        sun=(-8.5, 0.0, 0.0),
        notes="no outer edge, no fall with height; rms of div B is 0.026 |B|/kpc",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        off_axis = r > 0
        r_safe = jnp.where(off_axis, r, 1.0)
        cos_chi = sincos(self.chi0 * jnp.tanh(z / self.z_tilt))[1]
        strength = self.b0 * cos_chi * wave(x, y, r_safe, self.pitch, self.r_0, 0.0)
        per_radius = jnp.where(off_axis, strength / r_safe, 0.0)
        return vector(*along_spiral(per_radius, x, y, self.pitch), 0.0 * z)


@described(
    ModelInfo(
        paper="Miville-Deschenes et al. 2008, A&A 490, 1093",
        sun=(-8.5, 0.0, 0.0),
        notes="horizontal part only, as in GALPROP; the rest as HanQiao94",
    )
)
def MD08(**changes: Any) -> HanQiao94:
    """The horizontal part of the spiral of Miville-Deschenes et al. (2008), tilted by 8 degrees.

    `HanQiao94` with other numbers. GALPROP leaves out the vertical part, b0 sin(chi), and so does
    this. `changes` are further arguments of `HanQiao94`.

    **Reference:** Miville-Deschenes et al. 2008, A&A 490, 1093 (arXiv:0802.3345), sect. 4.
    """
    numbers = {"b0": 3.0, "pitch": math.radians(-8.5), "r_0": 11.0, "chi0": math.radians(8.0)}
    return HanQiao94(**{**numbers, **changes})

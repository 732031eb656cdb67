"""A logarithmic spiral disc field with reversals."""

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, larger, log, sincos, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Plane


class LogarithmicSpiral(AbstractVectorField):
    """A field along logarithmic spirals whose strength oscillates across them.

    B = b0 (r_sun / max(r, r_core)) exp(-|z|/z0) C / cos(Phi) [cos(pitch) e_phi + sin(pitch) e_r],
    C = cos(phi - ln(r/r_sun)/tan(pitch) + Phi), Phi = ln(1 + d/r_sun)/tan(pitch) - pi/2,

    with |C| for an axisymmetric field. On the axis it is set to 0.

    **Reference:** the spiral of Pshirkov et al. 2011, ApJ 738, 192, in the azimuth of this package.
    `LogarithmicSpiralField` of CRPropa 3 has (cos(pitch) cos phi, sin(pitch) sin phi, 0) in place
    of the tangent; `crpropa=True` reproduces it.
    """

    axisymmetric: bool = eqx.field(static=True, default=False)
    """|C| in place of C."""
    crpropa: bool = eqx.field(static=True, default=False)
    """The direction as in CRPropa 3, which is not tangent to the spiral."""
    b0: Scalar = parameter(2.0, "uG", "strength at the Sun")
    pitch: Scalar = parameter(-math.radians(10.0), "rad", "pitch angle, < 0: trailing")
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    r_core: Scalar = parameter(
        5.0, "kpc", "radius inside which the strength is constant", minimum=0.0
    )
    d: Scalar = parameter(-0.5, "kpc", "distance from the Sun to the first reversal")
    z0: Scalar = parameter(1.0, "kpc", "scale height", above=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Pshirkov et al. 2011, ApJ 738, 192; as in CRPropa 3",
        sun=(-8.5, 0.0, 0.0),
        notes="no outer edge; rms of div B is 0.054 |B|/kpc, all from r < r_core (1.5 for crpropa)",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        off_axis = r > 0
        r_safe = jnp.where(off_axis, r, 1.0)
        cos_phi, sin_phi = x / r_safe, y / r_safe
        winding = 1.0 / jnp.tan(self.pitch)
        phase = winding * jnp.log1p(self.d / self.r_sun) - 0.5 * math.pi
        sin_a, cos_a = sincos(phase - winding * log(r_safe / self.r_sun))
        modulation = cos_phi * cos_a - sin_phi * sin_a
        if self.axisymmetric:
            modulation = jnp.abs(modulation)
        strength = self.b0 * self.r_sun / jnp.cos(phase)
        amplitude = strength * modulation * jnp.exp(-jnp.abs(z) / self.z0)
        amplitude = jnp.where(off_axis, amplitude / larger(r_safe, self.r_core), 0.0)
        sin_p, cos_p = jnp.sin(self.pitch), jnp.cos(self.pitch)
        if self.crpropa:
            direction = [cos_p * cos_phi, sin_p * sin_phi]
        else:
            direction = [sin_p * cos_phi - cos_p * sin_phi, sin_p * sin_phi + cos_p * cos_phi]
        return vector(amplitude * direction[0], amplitude * direction[1], 0.0 * z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Plane(),)

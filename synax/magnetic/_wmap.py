"""The logarithmic spiral arm field of Page et al. (2007), WMAP three-year polarisation paper."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, kept, log, sincos
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder


class WMAP(AbstractVectorField):
    """The WMAP "logarithmic spiral arm" (LSA) field.

    With r, phi, z cylindrical, psi(r) = psi0 + psi1 ln(r / 8 kpc), chi(z) = chi0 tanh(z / 1 kpc):

    B = b0 [cos chi sin psi e_r + cos chi cos psi e_phi + sin chi e_z] for 3 <= r <= 20 kpc,
    zero elsewhere; e_phi is anticlockwise seen from the north.

    **Reference:** Page et al. 2007, ApJS 170, 335, eqs. 7-8; defaults as in the template of
    hammurabiX (Wang et al. 2020, ApJS 247, 18). The published azimuthal sense is opposite to
    the one that rotation measures show near the Sun: b0 < 0 gives the observed sense.
    """

    b0: Scalar = parameter(1.2, "uG", "field strength")
    psi0: Scalar = parameter(0.4712388980384690, "rad", "pitch angle at 8 kpc (27 deg)")
    psi1: Scalar = parameter(0.0157079632679490, "rad", "pitch per e-fold of radius (0.9 deg)")
    chi0: Scalar = parameter(0.4363323129985824, "rad", "opening angle of the halo (25 deg)")
    r_min: Scalar = parameter(3.0, "kpc", "inner edge", minimum=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Page et al. 2007, ApJS 170, 335, eqs. 7-8",
        notes="|B| = b0 inside the edges; pivot radius 8 kpc",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        inside = (r >= self.r_min) & (r <= self.r_max)
        r_safe = jnp.where(inside, r, 8.0)
        sin_psi, cos_psi = sincos(kept(self.psi0 + self.psi1 * log(r_safe / 8.0)))
        sin_chi, cos_chi = sincos(kept(self.chi0 * jnp.tanh(z)))
        amplitude = jnp.where(inside, self.b0, 0.0)
        horizontal = amplitude * cos_chi / r_safe
        return jnp.stack(
            [
                horizontal * (sin_psi * x - cos_psi * y),
                horizontal * (sin_psi * y + cos_psi * x),
                amplitude * sin_chi,
            ]
        )

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Cylinder(self.r_min), Cylinder(self.r_max))

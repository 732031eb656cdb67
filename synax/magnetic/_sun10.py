"""The disc and halo of Sun et al. (2008) and Sun & Reich (2010), with the Planck (2016) re-fit."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, kept, polar, sech2, sincos, vector
from .._parameters import ModelInfo, Scalar, described, parameter
from ..fields._field import AbstractScalarField, AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane

Points = Float[Array, "*points"]


class Sun10(AbstractVectorField):
    """The ASS+RING disc of Sun et al. (2008) with the toroidal halo of Sun & Reich (2010).

    - disc (`disc`): D [sin(pitch) e_r - cos(pitch) e_phi] with |D| = b_disc exp(-(r - r_sun)/l_r -
      |z|/l_z) outside r_core, b_core inside it at any height; D > 0 outside the first of
      `r_reversals`, and of opposite sign on the two sides of each;
    - halo (`halo`): B_phi = sign(z) b_halo (r/r_halo) exp(1 - r/r_halo) / (1 + u^2),
      u = (|z| - z_halo)/w, w = w_inner for |z| < z_halo and w_outer beyond; anticlockwise in the
      north.

    The two switches are static. `Sun10b()` and `Sun08()` are the other versions.

    **Returns** microgauss, (3, *points). On the axis, where the disc has no direction, e_r is
    taken along +x.

    **Reference:** Sun & Reich 2010, RAA 10, 1287 (arXiv:1010.4394); the disc is that of Sun et al.
    2008, A&A 477, 573, eqs. 6-8. The random field that goes with it has 3 microgauss everywhere.
    """

    disc: bool = eqx.field(static=True, default=True)
    """Whether the disc is included."""
    halo: bool = eqx.field(static=True, default=True)
    """Whether the halo is included."""
    b_disc: Scalar = parameter(2.0, "uG", "strength of the disc at r_sun, B_0")
    l_r: Scalar = parameter(10.0, "kpc", "radial scale length of the disc, R_0", above=0.0)
    l_z: Scalar = parameter(1.0, "kpc", "scale height of the disc, z_0", above=0.0)
    r_sun: Scalar = parameter(8.5, "kpc", "radius at which b_disc is quoted", minimum=0.0)
    r_core: Scalar = parameter(5.0, "kpc", "radius of the core, R_c", minimum=0.0)
    b_core: Scalar = parameter(2.0, "uG", "strength in the core, B_c")
    r_reversals: Float[Array, "n_reversals"] = parameter(
        (7.5, 6.0, 5.0), "kpc", "radii at which the disc reverses, from the outermost in"
    )
    pitch: Scalar = parameter(math.radians(-12.0), "rad", "pitch angle of the disc (-12 deg)")
    b_halo: Scalar = parameter(2.0, "uG", "largest strength of the halo")
    r_halo: Scalar = parameter(4.0, "kpc", "radius of the strongest halo field", above=0.0)
    z_halo: Scalar = parameter(1.5, "kpc", "height of the strongest halo field")
    w_inner: Scalar = parameter(0.2, "kpc", "halo's vertical width towards the plane", above=0.0)
    w_outer: Scalar = parameter(4.0, "kpc", "halo's vertical width away from it", above=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Sun & Reich 2010, RAA 10, 1287; Sun et al. 2008, A&A 477, 573",
        sun=(-8.5, 0.0, 0.0),
        notes="the core has 2 uG at any height and no end above the plane; no outer edge; rms of "
        "div B is 0.05 |B|/kpc, most of it in the core; B_r jumps by 1 uG at each reversal",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r, cos_phi, sin_phi = polar(x, y)
        outward, around = self._disc(r, z) if self.disc else (0.0 * x, 0.0 * x)
        if self.halo:
            around = around + self._halo(r, z)
        return vector(
            outward * cos_phi - around * sin_phi, outward * sin_phi + around * cos_phi, 0.0 * z
        )

    def _disc(self, r: Points, z: Points) -> tuple[Points, Points]:
        """B_r and B_phi of the disc."""
        sign = jnp.ones_like(r)
        for j in range(self.r_reversals.shape[0]):
            sign = jnp.where(r <= self.r_reversals[j], -sign, sign)
        outside = self.b_disc * jnp.exp(kept((self.r_sun - r) / self.l_r - jnp.abs(z) / self.l_z))
        strength = kept(sign * jnp.where(r > self.r_core, outside, self.b_core))
        sin_p, cos_p = sincos(self.pitch)
        return strength * sin_p, -strength * cos_p

    def _halo(self, r: Points, z: Points) -> Points:
        """B_phi of the halo."""
        above = jnp.abs(z) - self.z_halo
        u = kept(above / jnp.where(above < 0, self.w_inner, self.w_outer))
        b = jnp.where(z < 0, -self.b_halo, self.b_halo) / self.r_halo
        return b * r * jnp.exp(kept(1.0 - r / self.r_halo)) / (1.0 + u * u)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        found: tuple[AbstractSurface, ...] = (Plane(),)
        if self.disc:
            radii = [self.r_reversals[j] for j in range(self.r_reversals.shape[0])]
            found += tuple(Cylinder(radius) for radius in (*radii, self.r_core))
        if self.halo:
            found += (Plane(self.z_halo), Plane(-self.z_halo))
        return found


@described(
    ModelInfo(
        paper="Planck Collaboration 2016 XLII, A&A 596, A103 (Sun10b)",
        sun=(-8.5, 0.0, 0.0),
        notes="Sun10 with a weaker core; Planck's maps were probably made with the halo of "
        "hammurabi, 0.4 kpc wide and of one sense on both sides",
    )
)
def Sun10b(**changes: Any) -> Sun10:
    """Sun10 as re-fitted to Planck (2016): 0.5 microgauss in the core, the rest unchanged.

    `changes` are further arguments of `Sun10`; `Sun10bStrength` is its random field.

    **Reference:** Planck Collaboration 2016 XLII, A&A 596, A103 ("Sun10b"), table C.1.
    """
    return Sun10(**{"b_core": 0.5, **changes})


@described(
    ModelInfo(
        paper="Sun et al. 2008, A&A 477, 573",
        sun=(-8.5, 0.0, 0.0),
        notes="Sun10 with a strong, thin halo",
    )
)
def Sun08(**changes: Any) -> Sun10:
    """The field of Sun et al. (2008): a halo of 10 microgauss, 0.4 kpc wide away from the plane.

    `changes` are further arguments of `Sun10`.

    **Reference:** Sun et al. 2008, A&A 477, 573 (arXiv:0711.1572), eqs. 6-9.
    """
    return Sun10(**{"b_halo": 10.0, "w_outer": 0.4, **changes})


class Sun10bStrength(AbstractScalarField):
    """Rms strength (all three components together) of the random field of Sun10b.

    rms = b exp(-(r - r_sun)/l_r) [f sech^2(z/z_thick) + (1 - f) sech^2(z/z_thin)].

    **Returns** microgauss, (*points,).

    **Reference:** Planck Collaboration 2016 XLII, A&A 596, A103, table C.1; that 6.4 microgauss is
    the total rms is the reading of imagine-models (2026).
    """

    b: Scalar = parameter(6.4, "uG", "rms in the plane at r_sun")
    r_sun: Scalar = parameter(8.5, "kpc", "radius at which b is quoted", minimum=0.0)
    l_r: Scalar = parameter(30.0, "kpc", "radial scale length", above=0.0)
    z_thick: Scalar = parameter(3.0, "kpc", "height of the thick part", above=0.0)
    z_thin: Scalar = parameter(1.0, "kpc", "height of the thin part", above=0.0)
    f: Scalar = parameter(0.5, "", "fraction of the thick part in the plane")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Planck Collaboration 2016 XLII, A&A 596, A103, table C.1",
        sun=(-8.5, 0.0, 0.0),
        notes="total rms of three components; smooth",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        fall = jnp.exp((self.r_sun - cylindrical_radius(x, y)) / self.l_r)
        layers = self.f * sech2(z / self.z_thick) + (1.0 - self.f) * sech2(z / self.z_thin)
        return self.b * fall * layers

"""What JF12 and its solenoidal version share: parameters, switches, the toroidal halo."""

import equinox as eqx
from jaxtyping import Array, Float

from .._parameters import Scalar, parameter
from ..fields._field import AbstractVectorField
from . import _jf12_parts as parts

MOVED = {
    "striation": (
        "no number of the regular field, which it leaves as it is: the striated part is "
        "unresolved turbulence of the simulator; StriatedStrength(field, beta) gives its rms"
    )
}


class AbstractJF12(AbstractVectorField):
    """The parameters that the fields of the JF12 family have in common (JF12a, table 1)."""

    b_arms: eqx.AbstractVar[Float[Array, "n_arms"]]
    h_disk: Scalar = parameter(0.40, "kpc", "height of the disk-halo transition")
    w_disk: Scalar = parameter(0.27, "kpc", "width of the disk-halo transition", above=0.0)
    r_arms: Float[Array, "8"] = parameter(
        parts.R_ARMS, "kpc", "radii of the arms' outer walls on the negative x axis"
    )
    pitch: Scalar = parameter(parts.PITCH, "rad", "pitch angle of the arms, i (11.5 deg)")
    r_disk: Scalar = parameter(5.0, "kpc", "inner edge of the arms", minimum=0.0)
    b_north: Scalar = parameter(1.4, "uG", "northern toroidal halo, B_n")
    b_south: Scalar = parameter(-1.1, "uG", "southern toroidal halo, B_s")
    r_north: Scalar = parameter(9.22, "kpc", "northern transition radius, r_n", minimum=0.0)
    r_south: Scalar = parameter(
        17.0, "kpc", "southern transition radius, r_s (> 16.7)", minimum=0.0
    )
    w_halo: Scalar = parameter(0.20, "kpc", "width of the radial transition, w_h", above=0.0)
    z_halo: Scalar = parameter(5.3, "kpc", "vertical scale, z_0", above=0.0)
    b_x: Scalar = parameter(4.6, "uG", "X field at the origin, B_X")
    theta_x: Scalar = parameter(parts.THETA_X, "rad", "elevation of the X field (49 deg)")
    r_x_core: Scalar = parameter(
        4.8, "kpc", "radius where the elevation turns constant, r_X^c", minimum=0.0
    )
    r_x: Scalar = parameter(2.9, "kpc", "exponential scale of the X field, r_X", above=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)
    r_hole: Scalar = parameter(1.0, "kpc", "radius of the empty sphere", minimum=0.0)
    disk: bool = eqx.field(static=True, default=True)
    toroidal: bool = eqx.field(static=True, default=True)
    x_field: bool = eqx.field(static=True, default=True)

    def toroidal_strength(
        self, r: parts.Points, z: parts.Points, outside_disk: parts.Points
    ) -> parts.Points:
        """B_phi of the toroidal halo (JF12a, eq. 6)."""
        north, south = (self.b_north, self.r_north), (self.b_south, self.r_south)
        return parts.toroidal_strength(r, z, outside_disk, north, south, self.w_halo, self.z_halo)

"""The toroidal halo of Xu & Han (2024), also the regular field of Orlando (2026)."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, safe_divide, vector
from .._parameters import ModelInfo, Scalar, described, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import AbstractSurface, Cylinder

Points = Float[Array, "*points"]


def toroid(r: Points, z: Points, r_0: Scalar, w_r: Scalar, z_0: Scalar, r_max: Scalar) -> Points:
    """(z/z_0) exp(1 - |z|/z_0 - ((r - r_0)/w_r)^2) inside r_max, else 0; its maximum is 1."""
    across, up = (r - r_0) / w_r, z / z_0
    shape = up * jnp.exp(1.0 - jnp.abs(up) - across * across)
    return jnp.where(r <= r_max, shape, 0.0)


class XH24(AbstractVectorField):
    """The toroidal halo of XH24: two rings of opposite sense above and below the plane.

    B_phi = b (z / z_0) exp(1 - |z| / z_0 - [(r - r_0) / w_r]^2) for r <= r_max, zero beyond.

    The maximum b lies at r = r_0, |z| = z_0. North of the plane the field points along +e_phi
    (anticlockwise), that is toward l = 270 deg at the Sun. It is a halo only: add a disc
    (`XH24() + XH24Disc()`).

    **Returns** microgauss, (3, *points); 0 on the axis, where B_phi keeps 0.1 of its maximum and
    has no direction.

    **Reference:** Xu & Han 2024, ApJ 966, 240 (arXiv:2404.02038), eq. 2, table 2. The outer edge
    is that of the authors' program and not in the paper.
    """

    b: Scalar = parameter(0.73, "uG", "largest strength, B_0")
    z_0: Scalar = parameter(3.0, "kpc", "height of the strongest field", above=0.0)
    r_0: Scalar = parameter(7.97, "kpc", "radius of the strongest field, R_0", minimum=0.0)
    w_r: Scalar = parameter(5.31, "kpc", "radial width, R_T", above=0.0)
    r_max: Scalar = parameter(20.0, "kpc", "outer edge", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Xu & Han 2024, ApJ 966, 240, eq. 2, table 2",
        notes="a halo only; div B = 0; vanishes linearly at z = 0; ends at r = 20 kpc with 0.6 %",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        shape = toroid(r, z, self.r_0, self.w_r, self.z_0, self.r_max)
        around = safe_divide(self.b * shape, r)
        return vector(-around * y, around * x, 0.0 * z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (Cylinder(self.r_max),)


@described(
    ModelInfo(
        paper="Orlando 2026, arXiv:2608.07679, table 1",
        notes="the regular part, XH24; its random and ordered parts are Orlando26Strength",
    )
)
def Orlando26(**changes: Any) -> XH24:
    """The regular field of Orlando (2026): the toroidal halo of XH24 as published there.

    The model's random and ordered parts are `Orlando26Strength`. `changes` are further arguments
    of `XH24`.

    **Reference:** Orlando 2026, arXiv:2608.07679, section 2.2.2, table 1.
    """
    return XH24(**changes)

"""The toroidal field of the halo bubbles of Shaw, van Vliet & Taylor (2022)."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import kept, polar, vector
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField


class SVT22(AbstractVectorField):
    """The toroidal halo of SVT22, of opposite sense above and below the plane.

    B_phi = sign(z) b exp(-z_min / |z| - r / l_r - |z| / l_z).

    North of the plane it points along +e_phi (anticlockwise). It vanishes with all derivatives at
    z = 0 and is strongest at |z| = sqrt(z_min l_z) = 0.77 kpc on the axis. There is no outer edge.

    **Returns** microgauss, (3, *points). On the axis, where B_phi does not vanish and has no
    direction, e_phi is taken along +y.

    **Reference:** Shaw, van Vliet & Taylor 2022, MNRAS 517, 2534 (arXiv:2202.06780): the best fit
    of the journal, b = 3.96 microgauss. `imagine()` has the 3.72 of imagine-models.
    """

    b: Scalar = parameter(3.96, "uG", "amplitude B_0 of the best fit")
    z_min: Scalar = parameter(0.1, "kpc", "height below which the field fades (fixed)", above=0.0)
    l_r: Scalar = parameter(5.0, "kpc", "radial scale length, r_c", above=0.0)
    l_z: Scalar = parameter(6.0, "kpc", "scale height, z_c", above=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Shaw, van Vliet & Taylor 2022, MNRAS 517, 2534",
        notes="a halo only; div B = 0; no outer edge; the direction is undefined on the axis",
    )

    @classmethod
    def imagine(cls, **changes: Any) -> "SVT22":
        """The amplitude of imagine-models, 3.72 microgauss. `changes` are arguments of `SVT22`."""
        return cls(**{"b": 3.72, **changes})

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r, cos_phi, sin_phi = polar(x, y)
        height = jnp.abs(z)
        # nearer to the plane than z_min/1000 the exponential is below 1e-434
        off_plane = height > 1e-3 * self.z_min
        height = jnp.where(off_plane, height, 1.0)
        b = self.b * jnp.exp(kept(-self.z_min / height - r / self.l_r - height / self.l_z))
        b = jnp.where(off_plane, jnp.where(z < 0, -b, b), 0.0)
        return vector(-b * sin_phi, b * cos_phi, 0.0 * z)

"""Strength of the random field of Unger & Farrar (2026)."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, kept, logistic, safe_sqrt, smaller
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractScalarField
from ._variants import check_choice, fill_defaults

_PUBLISHED: dict[str, dict[str, float]] = {
    "expDisk": {"b_d": 4.4, "z_d": 1.0, "l_r": 15.0, "r_c": 1.0},
    "ringDisk": {"b_d": 4.1, "z_d": 0.9, "l_r": 100.0, "r_c": 0.0}
    | {"b_g": 4.1, "r_g": 4.5, "w_g": 2.0, "z_g": 1.9},
}
_ARCOSH_E = math.acosh(math.e)  # sech of it is 1/e


class UF26Strength(AbstractScalarField):
    """Rms strength (all three components together) of the isotropic random field of UF26.

    `variant` is 'expDisk' (default), a disc that falls exponentially with radius,

    D = b_d sech(a |z|/z_d) exp([s(r_sun) - s(r)]/l_r) / (1 + exp[(r - r_max)/w_max])

    with s(r) = sqrt(r^2 + r_c^2), a = arcosh(e), or 'ringDisk', a flat disc with a hole and a ring,

    sqrt[(D c)^2 + A^2], A = b_g exp(-z^2/(2 z_g^2)) g, g = exp(-(r - r_g)^2/(2 w_g^2)),

    c = g for r < r_g and 1 beyond. Parameters that a variant lacks are None. The paper fits the
    strength only; the spectrum is the user's.

    **Returns** microgauss, (*points,); the mean square across any sightline is two thirds of its
    square.

    **Raises** `ValueError` for an unknown variant and for a parameter the variant does not have.

    **Reference:** Unger & Farrar 2026, arXiv:2608.21293, section 8, table 2.
    """

    variant: str = eqx.field(static=True, default="expDisk")
    """'expDisk' or 'ringDisk'."""
    b_d: Scalar = parameter(None, "uG", "strength of the disc at r_sun (but for its outer edge)")
    z_d: Scalar = parameter(
        None, "kpc", "height at which the disc has 1/e of its strength", above=0.0
    )
    l_r: Scalar = parameter(None, "kpc", "radial scale length of the disc", above=0.0)
    r_c: Scalar = parameter(None, "kpc", "radius within which the disc flattens", minimum=0.0)
    b_g: Any = parameter(None, "uG", "strength of the ring (ringDisk only)")
    r_g: Any = parameter(
        None, "kpc", "radius of the ring and of the disc's hole (ringDisk only)", minimum=0.0
    )
    w_g: Any = parameter(None, "kpc", "width of ring and hole's edge (ringDisk only)", above=0.0)
    z_g: Any = parameter(None, "kpc", "height of the ring (ringDisk only)", above=0.0)
    r_max: Scalar = parameter(18.0, "kpc", "outer edge", minimum=0.0)
    w_max: Scalar = parameter(2.0, "kpc", "width of the outer edge", above=0.0)
    r_sun: Scalar = parameter(8.178, "kpc", "radius at which b_d is quoted", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Unger & Farrar 2026, arXiv:2608.21293, section 8, table 2",
        sun=(-8.178, 0.0, 0.0),
        notes="total rms of three components; smooth",
        variants={name: {"variant": name} for name in _PUBLISHED},
    )

    def __post_init__(self):
        check_choice("UF26Strength", "variant", self.variant, _PUBLISHED)
        published = _PUBLISHED[self.variant]
        for name in ("b_g", "r_g", "w_g", "z_g"):
            if name not in published and getattr(self, name) is not None:
                raise ValueError(
                    f"UF26Strength: variant '{self.variant}' has no parameter '{name}'; "
                    f"it has {sorted(published)}"
                )
        fill_defaults(self, published)

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        r2, core2 = x * x + y * y, self.r_c * self.r_c
        r = cylindrical_radius(x, y)
        from_sun = jnp.sqrt(self.r_sun * self.r_sun + core2) - safe_sqrt(r2 + core2)
        up = (_ARCOSH_E / self.z_d) * jnp.abs(z)
        low = jnp.exp(-2.0 * up)
        disc = 2.0 * self.b_d * jnp.exp(kept(from_sun / self.l_r - up)) / (1.0 + low)
        disc = disc * logistic((self.r_max - r) / self.w_max)
        if self.variant == "expDisk":
            return disc
        across, height = (r - self.r_g) / self.w_g, z / self.z_g
        inner = smaller(across, 0.0)
        disc = disc * jnp.exp(-0.5 * inner * inner)
        ring = self.b_g * jnp.exp(-0.5 * (height * height + across * across))
        return safe_sqrt(disc * disc + ring * ring)

"""Strengths of the isotropic and the ordered random field of Orlando (2026)."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, safe_sqrt
from .._parameters import ModelInfo, Scalar, holds, parameter
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface, Cylinder, Plane
from ._variants import check_choice, fill_defaults
from ._xh24 import toroid

_HALO = {"4kpc": {"b_ordered": 4.3}, "10kpc": {"b_ordered": 3.2}}
_TOROID = {"b_regular": 0.73, "z_0": 3.0, "r_0": 7.97, "w_r": 5.31, "r_max": 20.0}
_ISOTROPIC = {"b": 4.9, "l_r": 30.0, "l_z": 4.0, "r_sun": 8.5}


def _at_least(a: Any, b: Any) -> bool:
    """Whether a >= b, as far as both are known."""
    return isinstance(b, jax.core.Tracer) or not eqx.is_array(b) or holds(a, lambda a: a >= b)


class Orlando26Strength(AbstractScalarField):
    """Rms strength (all three components together) of the random fields of Orlando (2026).

    `part` is 'isotropic' (default), 'ordered' or 'total' (both, added in quadrature):

    - isotropic: b exp(-(r - r_sun)/l_r - |z|/l_z);
    - ordered, of random sign along `Orlando26()`: sqrt(b_ordered^2 - b_regular^2) |T|, with the
      toroid's shape T = (z/z_0) exp(1 - |z|/z_0 - [(r - r_0)/w_r]^2) inside r_max.

    `halo` is '4kpc' or '10kpc', the height of the cosmic rays with which the ordered part was
    fitted. Regular and ordered part together have the strength b_ordered |T|; the energy of the
    ordered part over that of the regular field is (b_ordered/b_regular)^2 - 1 everywhere
    (`striation`). Parameters that belong to a part left out are None.

    **Returns** microgauss, (*points,).

    **Raises** `ValueError` for an unknown part or halo, for a parameter of a part left out, and for
    b_ordered below b_regular.

    **Reference:** Orlando 2026, arXiv:2608.07679, section 2.2.2, table 1. That r_sun is 8.5 kpc and
    that the total ordered strength splits in this way are readings of imagine-models (2026).
    """

    part: str = eqx.field(static=True, default="isotropic")
    """'isotropic', 'ordered' or 'total'."""
    halo: str = eqx.field(static=True, default="4kpc")
    """'4kpc' or '10kpc'; of no effect on the isotropic part."""
    b: Any = parameter(None, "uG", "isotropic rms in the plane at r_sun: 4.9")
    l_r: Any = parameter(None, "kpc", "its radial scale length: 30", above=0.0)
    l_z: Any = parameter(None, "kpc", "its scale height: 4", above=0.0)
    r_sun: Any = parameter(None, "kpc", "radius at which b is quoted: 8.5", minimum=0.0)
    b_ordered: Any = parameter(None, "uG", "ordered and regular strength: 4.3 (4kpc), 3.2 (10kpc)")
    b_regular: Any = parameter(None, "uG", "strength of the regular toroid: 0.73", above=0.0)
    z_0: Any = parameter(None, "kpc", "height of the toroid: 3", above=0.0)
    r_0: Any = parameter(None, "kpc", "radius of the toroid: 7.97", minimum=0.0)
    w_r: Any = parameter(None, "kpc", "radial width of the toroid: 5.31", above=0.0)
    r_max: Any = parameter(None, "kpc", "outer edge of the toroid: 20", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Orlando 2026, arXiv:2608.07679, table 1",
        sun=(-8.5, 0.0, 0.0),
        notes="total rms of three components; kink at z = 0; the regular field is Orlando26",
        variants={
            "isotropic": {"part": "isotropic"},
            "ordered_4kpc": {"part": "ordered", "halo": "4kpc"},
            "ordered_10kpc": {"part": "ordered", "halo": "10kpc"},
            "total_4kpc": {"part": "total", "halo": "4kpc"},
            "total_10kpc": {"part": "total", "halo": "10kpc"},
        },
    )

    def __post_init__(self):
        check_choice("Orlando26Strength", "part", self.part, ("isotropic", "ordered", "total"))
        check_choice("Orlando26Strength", "halo", self.halo, _HALO)
        ordered = _TOROID | _HALO[self.halo]
        published = {
            "isotropic": _ISOTROPIC,
            "ordered": ordered,
            "total": _ISOTROPIC | ordered,
        }[self.part]
        for name in (_ISOTROPIC | ordered).keys() - published.keys():
            if getattr(self, name) is not None:
                raise ValueError(
                    f"Orlando26Strength: part '{self.part}' has no parameter '{name}'; "
                    f"it has {sorted(published)}"
                )
        fill_defaults(self, published)
        if self.part != "isotropic" and not _at_least(self.b_ordered, self.b_regular):
            raise ValueError(
                f"Orlando26Strength: b_ordered must be at least b_regular ({self.b_regular}), "
                f"got {self.b_ordered}"
            )

    def striation(self) -> Scalar:
        """Energy of the ordered part over that of the regular field, (b_ordered/b_regular)^2 - 1.

        **Raises** `ValueError` for the isotropic part alone, which has neither.
        """
        if self.b_ordered is None:
            raise ValueError("Orlando26Strength: part 'isotropic' has no ordered field")
        ratio = self.b_ordered / self.b_regular
        return ratio * ratio - 1.0

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        if self.part == "isotropic":
            return self._isotropic(r, z)
        shape = toroid(r, z, self.r_0, self.w_r, self.z_0, self.r_max)
        amplitude = safe_sqrt(self.b_ordered * self.b_ordered - self.b_regular * self.b_regular)
        # as the regular field, whose direction it takes, it is 0 on the axis
        ordered = jnp.where(r > 0, amplitude * jnp.abs(shape), 0.0)
        if self.part == "ordered":
            return ordered
        isotropic = self._isotropic(r, z)
        return safe_sqrt(isotropic * isotropic + ordered * ordered)

    def _isotropic(self, r: Array, z: Array) -> Float[Array, "*points"]:
        return self.b * jnp.exp((self.r_sun - r) / self.l_r - jnp.abs(z) / self.l_z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        edge = () if self.part == "isotropic" else (Cylinder(self.r_max),)
        return (Plane(), *edge)

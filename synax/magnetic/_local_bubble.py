"""The wall of the Local Bubble (Pelgrims, Unger & Maris 2025), inside any Galactic field."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._checks import is_traced
from .._numerics._math import kept, safe_sqrt, sincos, vector
from .._parameters import ModelInfo, Scalar, as_parameter, parameter
from ..fields._domain import Sphere
from ..fields._field import AbstractField, AbstractVectorField, check_rank, check_unit
from ..fields._surfaces import AbstractSurface
from ._variants import check_choice, fill_defaults

Points = Float[Array, "*points"]
Components = tuple[Array, Array, Array]

_EXPLOSION = {"SCO": (-0.0248, -0.0326, -0.0233), "SCA": (0.023, -0.034, -0.122)}
_B0 = {"b0": 3.0, "longitude": math.radians(73.0), "latitude": math.radians(17.0)}


def _dot(a: Any, b: Any) -> Array:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


class LocalBubble(AbstractVectorField):
    """An empty cavity round the Sun and its wall of swept-up field, in place of an outer field.

    An explosion at the point c moved the matter between c and the outer sphere into the shell
    between two concentric spheres, linearly along each radius, and the field with it. With e the
    unit vector from c, R the distance from c, R_1(e) and R_2(e) those of the two spheres,
    w = R_2 - R_1, R_0 = R_2 (R - R_1)/w the distance before and q = R_0/R, the wall has

    B = [q^2 (B_0.e) + (q/R) G.B_0] e + q (R_2/w) [B_0 - (B_0.e) e],

    G the tangential vector made of the two spheres' slopes, zero where c is their centre. B = 0 in
    the cavity, and `outer` beyond the wall.

    `variant` is 'SCO' (spherical, explosion at the centre) or 'SCA' (explosion off the centre).
    B_0 is uniform, as published; with `swept` it is the outer field itself where the matter was
    before, which keeps its flux everywhere. Parameters that a version lacks are None.

    **Arguments:**

    - `outer`: the Galactic field outside (any vector field, or a sum), None for none. Inside the
      wall's outer sphere it is masked.
    - `sun`: the bubble lies about it: give the observer of your sightlines.

    **Returns** microgauss, (3, *points). With uniform B_0 the normal component jumps by up to
    3 microgauss (less the outer field's) on the outer sphere, where div B = 0 fails; elsewhere it
    is 0 if that of `outer` is. With `swept` div B = 0 on that sphere too; surfaces of `outer` that
    the wall has carried along are named where they were.

    **Raises** `TypeError` for an outer field that is not a vector field; `ValueError` for an
    unknown variant, for an explosion outside the cavity, for sizes that are not positive, and for
    `swept` without outer field or with B_0.

    **Reference:** Pelgrims, Unger & Maris 2025, A&A 695, A148, eq. 13, tables 1 and 2.
    """

    outer: AbstractField | None = None
    variant: str = eqx.field(static=True, default="SCO")
    """'SCO' or 'SCA'."""
    swept: bool = eqx.field(static=True, default=False)
    """Whether B_0 is the outer field before the explosion, in place of a uniform field."""
    b0: Any = parameter(None, "uG", "strength of the uniform field before the explosion: 3")
    longitude: Any = parameter(None, "rad", "Galactic longitude that it points to (73 deg)")
    latitude: Any = parameter(None, "rad", "Galactic latitude that it points to (17 deg)")
    explosion: Float[Array, "3"] = parameter(None, "kpc", "centre of the explosion from the Sun")
    centre: Float[Array, "3"] = parameter(
        (-0.0248, -0.0326, -0.0233), "kpc", "centre of both spheres from the Sun"
    )
    radius: Scalar = parameter(0.2167, "kpc", "radius of the cavity", above=0.0)
    thickness: Scalar = parameter(0.035, "kpc", "thickness of the wall", above=0.0)
    # here a leaf, which moves the bubble
    sun: Float[Array, "3"] = parameter(  # pyright: ignore[reportIncompatibleMethodOverride]
        (-8.3, 0.0, 0.006), "kpc", "position of the Sun"
    )

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Pelgrims, Unger & Maris 2025, A&A 695, A148, eq. 13, tables 1-2",
        sun=(-8.3, 0.0, 0.006),
        notes="moves with the observer you give as `sun`; div B = 0 in the wall, not on its outer "
        "sphere unless `swept`; wall 35 pc thick, the Sun in the cavity",
        variants={name: {"variant": name} for name in _EXPLOSION},
    )

    def __post_init__(self):
        check_choice("LocalBubble", "variant", self.variant, _EXPLOSION)
        given = [name for name in _B0 if getattr(self, name) is not None]
        if self.swept and self.outer is None:
            raise ValueError("LocalBubble: swept=True needs an outer field, got outer=None")
        if self.swept and given:
            raise ValueError(
                f"LocalBubble: swept=True takes its field from outer, got {given[0]} as well"
            )
        fill_defaults(self, {} if self.swept else _B0)
        if self.explosion is None:
            self.explosion = as_parameter(_EXPLOSION[self.variant])

    def __check_init__(self):
        if self.outer is not None:
            check_rank(self.outer, "vector", "LocalBubble: outer")
            check_unit(self.outer, "uG", "LocalBubble: outer")
        known = (self.explosion, self.centre, self.radius)
        if any(map(is_traced, known)):
            return
        explosion, centre, radius = map(np.asarray, known)
        if not np.sum((explosion - centre) ** 2) < radius**2:
            raise ValueError(
                f"LocalBubble: explosion {self.explosion} must lie inside the cavity of radius "
                f"{self.radius} about centre {self.centre}"
            )

    def _offset(self) -> Any:
        """From the centre of the spheres to the explosion."""
        return self.explosion - self.centre

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        dtype = x.dtype
        sun, explosion = self.sun.astype(dtype), self.explosion.astype(dtype)
        away = self._offset().astype(dtype)
        # the Sun first: its kiloparsecs would round the wall's hundredths
        ray = tuple((p - s) - c for p, s, c in zip((x, y, z), sun, explosion, strict=True))
        distance = safe_sqrt(_dot(ray, ray))
        safe = jnp.where(distance > 0, distance, 1.0)
        inverse = 1.0 / safe
        e = tuple(p / safe for p in ray)
        # along e a sphere of radius a is `root` less away.e off
        along = kept(_dot(away, e))
        apart2 = along * along - _dot(away, away)
        outermost = self.radius + self.thickness
        root_1 = kept(jnp.sqrt(apart2 + self.radius * self.radius))
        root_2 = kept(jnp.sqrt(apart2 + outermost * outermost))
        r_1, r_2 = root_1 - along, root_2 - along
        cavity, beyond = distance < r_1, distance > r_2
        width = root_2 - root_1
        stretch = r_2 / width
        before = stretch * (distance - r_1)  # R_0
        q = before * inverse
        initial = self._initial((x, y, z), sun, explosion, e, before, cavity | beyond)
        radial = _dot(initial, e)
        slope = r_1 * r_2 * ((distance - r_2) / root_1 - (distance - r_1) / root_2)
        slope = slope / (width * width)
        turned = q * inverse * slope * (_dot(away, initial) - along * radial)
        on_e = kept(q * q * radial + turned - q * stretch * radial)
        across = kept(q * stretch)
        wall = tuple(on_e * u + across * b for u, b in zip(e, initial, strict=True))
        outside = self._outside(position, initial)
        return vector(
            *(
                jnp.where(cavity, 0.0, jnp.where(beyond, o, w))
                for o, w in zip(outside, wall, strict=True)
            )
        )

    def _initial(
        self,
        position: Components,
        sun: Array,
        explosion: Array,
        e: Components,
        before: Points,
        unmoved: Bool[Array, "*points"],
    ) -> Components:
        """The field before the explosion, where the matter of each point was then."""
        if not self.swept:
            (sin_l, cos_l), (sin_b, cos_b) = sincos(self.longitude), sincos(self.latitude)
            b0 = self.b0
            one = jnp.ones_like(before)
            return b0 * cos_b * cos_l * one, b0 * cos_b * sin_l * one, b0 * sin_b * one
        assert self.outer is not None
        origin = (
            jnp.where(unmoved, p, before * u + (c + s))
            for p, u, c, s in zip(position, e, explosion, sun, strict=True)
        )
        u, v, w = self.outer(jnp.stack(tuple(origin)))
        return u, v, w

    def _outside(self, position: Float[Array, "3 *points"], initial: Components) -> Components:
        """The field beyond the wall (any values inside)."""
        if self.swept:
            return initial
        if self.outer is None:
            zero = jnp.zeros_like(position[0])
            return zero, zero, zero
        u, v, w = self.outer(position)
        return u, v, w

    @property
    def has_surroundings(self) -> bool:
        return True

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        centre = self.sun + self.centre
        spheres = (Sphere(self.radius, centre), Sphere(self.radius + self.thickness, centre))
        return spheres if self.outer is None else (*spheres, *self.outer.surfaces())

    def prepare(self) -> "LocalBubble":
        if self.outer is None:
            return self
        return eqx.tree_at(lambda bubble: bubble.outer, self, self.outer.prepare())

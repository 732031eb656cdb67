"""Domains: the part of space a sightline is integrated over, or that a field is cut to."""

import abc
import functools
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .. import _checks as checks
from .._numerics._math import larger, smaller
from .._numerics._once import once
from .._parameters import in_units, parameter
from .._shown import in_line
from ._surfaces import AbstractSurface, Distances, Ellipsoid, Place, Rays, _column

Span = tuple[Float[Array, "*#rays"], Float[Array, "*#rays"]]


class AbstractDomain(AbstractSurface):
    """A convex region of space. As a surface it is its own boundary (two crossings a ray).

    Positions and origins may be Quantities, also in a domain of your own.
    """

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        for name, argument in (("contains", "position"), ("crossings", "origin")):
            if name in vars(cls):
                converted = in_units(**{argument: "kpc"})(vars(cls)[name])
                type.__setattr__(cls, name, converted)

    @abc.abstractmethod
    def contains(self, position: Float[Array, "3 *points"]) -> Bool[Array, "*points"]:
        """True inside or on the boundary; `position` in kpc."""

    @in_units(origin="kpc")
    def span(self, origin: Rays, direction: Rays) -> Span:
        """Distances (kpc, >= 0) at which each ray enters and leaves; equal if it misses."""
        near, far = self.crossings(origin, direction)
        missed = ~jnp.isfinite(far)
        far = jnp.where(missed, 0.0, larger(far, 0.0))
        near = jnp.where(missed, 0.0, jnp.clip(near, 0.0, far))
        return near, far

    def __repr__(self) -> str:
        return in_line(self)

    def __and__(self, other: "AbstractDomain") -> "Intersection":
        return Intersection((self, other))


class Box(AbstractDomain):
    """The box |x - centre| <= half_lengths (kpc), axes along the frame's."""

    half_lengths: Float[Array, "3"] = parameter(..., "kpc", "half-lengths along x, y, z")
    center: Float[Array, "3"] = parameter((0.0, 0.0, 0.0), "kpc", "centre")

    def __check_init__(self):
        _check("Box", self.center, half_lengths=self.half_lengths)

    def contains(self, position: Float[Array, "3 *points"]) -> Bool[Array, "*points"]:
        offset = jnp.abs(position - _column(self.center, position))
        return jnp.all(offset <= _column(self.half_lengths, position), axis=0)

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        half, center = _column(self.half_lengths, direction), _column(self.center, direction)
        return _crossings_of_box(half, origin - center, direction)

    def gap(self, place: Place) -> float:
        offset = np.abs(place - np.asarray(self.center)) - np.asarray(self.half_lengths)
        return abs(float(np.max(offset)))


@once
def _crossings_of_box(half: Array, offset: Rays, direction: Rays) -> Distances:
    parallel = jnp.abs(direction) < 1e-14
    safe = jnp.where(parallel, 1.0, direction)
    a, b = (-half - offset) / safe, (half - offset) / safe
    outside = jnp.abs(offset) > half
    low = jnp.where(parallel, jnp.where(outside, jnp.inf, -jnp.inf), smaller(a, b))
    high = jnp.where(parallel, jnp.where(outside, -jnp.inf, jnp.inf), larger(a, b))
    near = larger(larger(low[0], low[1]), low[2])
    far = smaller(smaller(high[0], high[1]), high[2])
    return jnp.where(near < far, jnp.stack([near, far]), jnp.inf)


class Sphere(AbstractDomain):
    """The ball |x - center| <= radius (kpc)."""

    radius: Float[Array, ""] = parameter(..., "kpc", "radius")
    center: Float[Array, "3"] = parameter((0.0, 0.0, 0.0), "kpc", "centre")

    def __check_init__(self):
        _check("Sphere", self.center, radius=self.radius)

    def contains(self, position: Float[Array, "3 *points"]) -> Bool[Array, "*points"]:
        offset = position - _column(self.center, position)
        return jnp.sum(offset * offset, axis=0) <= self.radius**2

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        axes = self.radius * jnp.ones(3, dtype=self.radius.dtype)
        return Ellipsoid(self.center, axes).crossings(origin, direction)

    def gap(self, place: Place) -> float:
        return abs(float(np.linalg.norm(place - np.asarray(self.center)) - self.radius))


class Intersection(AbstractDomain):
    """The part common to several convex domains (`a & b`)."""

    parts: tuple[AbstractDomain, ...]

    def __check_init__(self):
        for part in self.parts:
            if not isinstance(part, eqx.Module):
                checks.instance("a part of an intersection", part, AbstractDomain, "a domain")

    def contains(self, position: Float[Array, "3 *points"]) -> Bool[Array, "*points"]:
        return jnp.all(jnp.stack([part.contains(position) for part in self.parts]), axis=0)

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        pairs = jnp.stack([part.crossings(origin, direction) for part in self.parts])
        missed = ~jnp.all(jnp.isfinite(pairs[:, 1]), axis=0)
        near = functools.reduce(larger, pairs[:, 0])
        far = functools.reduce(smaller, pairs[:, 1])
        return jnp.where(missed | (near >= far), jnp.inf, jnp.stack([near, far]))

    def gap(self, place: Place) -> float:
        return min(part.gap(place) for part in self.parts)


def _check(owner: str, center: Array, **lengths: Array) -> None:
    """Shapes and signs of what is known: lengths are positive, centres have three numbers."""
    for name, value in lengths.items():
        if eqx.is_array(value):
            checks.shaped(f"{owner}: {name}", value, () if name == "radius" else (3,), "kpc")
            checks.positive(f"{owner}: {name}", value, "kpc")
    if eqx.is_array(center):
        checks.shaped(f"{owner}: center", center, (3,), "kpc")

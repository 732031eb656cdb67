"""Edges without a closed form: where functions of position change sign along a ray."""

import abc
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._surfaces import AbstractSurface

Rays = Float[Array, "3 *#rays"]
Position = Float[Array, "3 *points"]

_HALVINGS = 30


class AbstractLevelSets(AbstractSurface):
    """Edges at which one of several functions of position is 0.

    A ray is looked at in `looks` equal steps between two ends; where the sign of a function
    changes, halving finds the place and one last Newton step carries the derivative. The first
    `most` changes of a ray are kept. What is thinner than a step may be missed.
    """

    if TYPE_CHECKING:
        looks: ClassVar[int]
        most: ClassVar[int]
    else:
        looks: eqx.AbstractClassVar[int]
        most: eqx.AbstractClassVar[int]

    @abc.abstractmethod
    def ends(self, origin: Rays, direction: Rays) -> tuple[Array, Array]:
        """Distances (kpc) between which the ray may meet the edges, each (*rays)."""

    @abc.abstractmethod
    def levels(self, position: Position) -> Float[Array, "n_levels *points"]:
        """All functions at the positions."""

    @abc.abstractmethod
    def level(self, which: Int[Array, "*points"], position: Position) -> Float[Array, "*points"]:
        """One function at each position."""

    def crossings(self, origin: Rays, direction: Rays) -> Float[Array, "most *rays"]:
        fixed, *still = jax.lax.stop_gradient((self, origin, direction))
        there, t, which = fixed._found(*still)
        at = lambda t: self.level(which, origin[:, None] + t * direction[:, None])
        value, slope = jax.jvp(at, (t,), (jnp.ones_like(t),))
        slope = jax.lax.stop_gradient(slope)
        steep = there & (jnp.abs(slope) > 1e-6)
        step = jnp.where(steep, value, 0.0) / jnp.where(steep, slope, 1.0)
        return jnp.where(there, t - step, jnp.inf)

    def _found(self, origin: Rays, direction: Rays) -> tuple[Array, Array, Array]:
        """Whether, where (kpc) and of which function the sign changes: (most, *rays) each."""
        start, end = self.ends(origin, direction)
        step = jnp.where(end > start, end - start, 0.0) / self.looks
        inside = lambda k: self.levels(origin + (start + k * step) * direction) < 0
        shape = (self.most, *start.shape)
        places = jnp.arange(self.most).reshape((-1,) + (1,) * start.ndim)
        outside = jnp.zeros(jax.eval_shape(inside, jnp.zeros((), start.dtype)).shape, bool)
        n = outside.shape[0]

        def look(carry: tuple, k: Array) -> tuple[tuple, None]:
            before, count, changes = carry
            now = inside(k.astype(start.dtype))
            for j in range(n):
                changed = (now[j] != before[j]) & (k > 0)
                # step, function and direction of a change as one number
                change = 2 * (n * (k - 1) + j) + before[j]
                changes = jnp.where(changed & (count == places), change, changes)
                count = count + changed
            return (now, count, changes), None

        begin = (outside, jnp.zeros(start.shape, jnp.int32), jnp.zeros(shape, jnp.int32))
        order = jnp.arange(self.looks + 1, dtype=jnp.int32)
        (_, count, changes), _ = jax.lax.scan(look, begin, order)
        leaving, which, steps = changes % 2 == 1, changes // 2 % n, changes // (2 * n)
        low = start + steps.astype(start.dtype) * step
        place = lambda t: origin[:, None] + t * direction[:, None]

        def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
            low, width = bounds
            width = 0.5 * width
            before = (self.level(which, place(low + width)) < 0) == leaving
            return jnp.where(before, low + width, low), width

        width = jnp.broadcast_to(step, low.shape)
        low, width = jax.lax.fori_loop(0, _HALVINGS, halve, (low, width))
        return places < count, low + 0.5 * width, which


def within_disc(origin: Rays, direction: Rays, radius: Array, height: Array) -> tuple[Array, Array]:
    """Distances (kpc) at which rays enter and leave r < radius, |z| < height, from the observer on.

    Both are 0 for rays that do not.
    """
    (x, y, z), (u, v, w) = origin, direction
    tiny = 1e-9
    level = jnp.where(jnp.abs(w) > tiny, w, tiny)
    top, bottom = (height - z) / level, (-height - z) / level
    across = u * u + v * v
    upright = across < tiny
    across = jnp.where(upright, 1.0, across)
    b = x * u + y * v
    root = b * b - across * (x * x + y * y - radius**2)
    half = jnp.sqrt(jnp.where(root > 0, root, 0.0))
    near, far = (-b - half) / across, (-b + half) / across
    inside = x * x + y * y < radius**2
    near = jnp.where(upright, -jnp.inf, near)
    far = jnp.where(upright, jnp.where(inside, jnp.inf, -jnp.inf), far)
    start = jnp.maximum(jnp.maximum(jnp.minimum(top, bottom), near), 0.0)
    end = jnp.minimum(jnp.maximum(top, bottom), far)
    met = (end > start) & ((root > 0) | upright)
    return jnp.where(met, start, 0.0), jnp.where(met, end, 0.0)

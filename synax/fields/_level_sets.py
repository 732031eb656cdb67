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

_HALVINGS = 16
"""They leave 1e-5 of a step, of which Newton steps make less than rounding."""
_WORD = 32
"""Looks whose changes of sign are the bits of one number."""


class AbstractLevelSets(AbstractSurface):
    """Edges at which one of several functions of position is 0.

    A ray is looked at in `looks` equal steps between two ends; where the sign of a function
    changes, halving finds the place and two last Newton steps carry the first and the second
    derivatives. The first `most` changes of a ray are kept. What is thinner than a step may be
    missed.
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
        step = lambda value: jnp.where(steep, value, 0.0) / jnp.where(steep, slope, 1.0)
        # with a slope that is fixed, each step has the derivatives of one more order
        t = t - step(value)
        t = t - step(at(t))
        return jnp.where(there, t, jnp.inf)

    def _found(self, origin: Rays, direction: Rays) -> tuple[Array, Array, Array]:
        """Whether, where (kpc) and of which function the sign changes: (most, *rays) each."""
        start, end = self.ends(origin, direction)
        step = jnp.where(end > start, end - start, 0.0) / self.looks
        there, change, which, leaving = self._changes(origin, direction, start, step)
        low = start + change.astype(start.dtype) * step
        at = lambda t: self.level(which, origin[:, None] + t * direction[:, None])

        def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
            low, width = bounds
            width = 0.5 * width
            before = (at(low + width) < 0) == leaving
            return jnp.where(before, low + width, low), width

        width = jnp.broadcast_to(step, low.shape)
        low, width = jax.lax.fori_loop(0, _HALVINGS, halve, (low, width))
        t = low + 0.5 * width
        value, slope = jax.jvp(at, (t,), (jnp.ones_like(t),))
        newton = t - value / jnp.where(slope == 0, 1.0, slope)
        return there, jnp.clip(newton, low, low + width), which

    def _changes(
        self, origin: Rays, direction: Rays, start: Array, step: Array
    ) -> tuple[Array, Array, Array, Array]:
        """The first changes of sign: whether there is one, behind which look, of which function,
        and whether the ray leaves its inside there; (most, *rays) each.
        """
        # only signs are asked for: in float32 they cost half
        rough = lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x
        coarse, origin, direction, start, step = jax.tree.map(
            rough, (self, origin, direction, start, step)
        )
        inside = lambda k: coarse.levels(origin + (start + k * step) * direction) < 0
        outside = jax.eval_shape(inside, jnp.zeros((), start.dtype))
        n_words = -(-self.looks // _WORD)
        words = jnp.zeros((n_words, *outside.shape), jnp.uint32)
        word = jnp.arange(n_words).reshape((-1,) + (1,) * len(outside.shape))

        def look(carry: tuple, k: Array) -> tuple[tuple, None]:
            before, changed, left = carry
            now = inside((k + 1).astype(start.dtype))
            bit = jnp.where(word == k // _WORD, jnp.uint32(1) << (k % _WORD).astype(jnp.uint32), 0)
            changed = changed | jnp.where(now != before, bit, 0)
            left = left | jnp.where(before, bit, 0)
            return (now, changed, left), None

        order = jnp.arange(self.looks, dtype=jnp.int32)
        first = inside(jnp.zeros((), start.dtype))
        (_, changed, left), _ = jax.lax.scan(look, (first, words, words), order)
        function = jnp.arange(outside.shape[0]).reshape((-1,) + (1,) * (len(outside.shape) - 1))

        def next_one(changed: Array, _: None) -> tuple[Array, tuple]:
            low = changed & (~changed + 1)
            looks = jax.lax.population_count(low - 1).astype(jnp.int32) + _WORD * word
            there = changed != 0
            look = jnp.min(jnp.where(there, looks, self.looks), axis=(0, 1))
            here = there & (looks == look)
            which = jnp.min(jnp.where(here, function, outside.shape[0] - 1), axis=(0, 1))
            here = here & (function == which)
            leaving = jnp.any(here & (left & low != 0), axis=(0, 1))
            changed = jnp.where(here, changed ^ low, changed)
            return changed, (look < self.looks, look, which, leaving)

        return jax.lax.scan(next_one, changed, None, length=self.most)[1]


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

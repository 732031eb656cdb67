"""Where the cells of a ray lie: a step rule, and faces wherever the ray cuts a named surface.

The step rule divides every ray; each surface crossing divides one of its cells once more. So a
parameter that moves a crossing moves the two cells beside it and no other. All rays have
`steps + n` cells, where n is the largest number of crossings that a ray can have: one with fewer
is divided finer by the rule.
"""

import abc
import math
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .. import _checks as checks
from .._numerics._math import larger, log, smaller, sorted_rows
from .._parameters import as_parameter

Real = Float[Array, " n_rays"]

DEFAULT_SCALE = 0.1
"""kpc; measured best over WMAP, JF12 and UF23 with YMW16 at 0.4 to 23 GHz (docs/accuracy.md)."""
FEW = 4
"""Crossings up to which each is compared with every face."""


@runtime_checkable
class Rays(Protocol):
    """What a step rule may ask of the sightlines."""

    def span(self) -> tuple[Real, Real]:
        """Near and far end (kpc) of each ray."""
        ...


def _kpc(name: str, value: Any) -> float:
    """A length that is known when a program is traced: it is no parameter of a model."""
    checks.concrete(name, value)
    with checks.known_values():  # also where a traced function makes the rule
        return float(checks.shaped(name, as_parameter(value, "kpc", name), ()))


class AbstractSteps(eqx.Module):
    """A rule for the lengths of cells: cells are equal in the coordinate u(s)."""

    n: eqx.AbstractVar[int]

    def resolve(self, rays: Rays) -> "AbstractSteps":
        """A rule with a known number of cells, for rays with these ends (usually itself)."""
        del rays
        return self

    @abc.abstractmethod
    def coordinate(self, s: Array) -> Array:
        """u(s), increasing in the distance s (kpc)."""

    @abc.abstractmethod
    def distance(self, u: Array) -> Array:
        """The inverse, s(u)."""


class UniformSteps(AbstractSteps):
    """`n` cells of equal length on each ray."""

    n: int = eqx.field(static=True, converter=lambda n: checks.integer("steps: n", n))

    def coordinate(self, s: Array) -> Array:
        return s

    def distance(self, u: Array) -> Array:
        return u


class GradedSteps(AbstractSteps):
    """`n` cells whose length grows with distance, as (1 + s / scale)^(2/3); what `steps=n` means.

    Puts cells where nearby structure is (the Local Bubble is 0.1 kpc across, a sightline 25 kpc):
    s = scale ((1 + u)^3 - 1) with cells equal in u: a cubic, because a face must not cost an
    exponential in every cell.
    `scale`: kpc, a number or a Quantity; beyond this distance cells grow.
    """

    n: int = eqx.field(static=True, converter=lambda n: checks.integer("steps: n", n))
    scale: float = eqx.field(
        static=True, default=DEFAULT_SCALE, converter=lambda x: _kpc("GradedSteps: scale", x)
    )

    def __check_init__(self):
        checks.positive("GradedSteps: scale", self.scale, "kpc")

    def coordinate(self, s: Array) -> Array:
        # a cube root: jnp.cbrt costs six times as much on a CPU
        return jnp.exp(log(1.0 + s / self.scale) / 3.0) - 1.0

    def distance(self, u: Array) -> Array:
        return self.scale * (u * (3.0 + u * (3.0 + u)))


class MaximumStep(AbstractSteps):
    """Equal cells, as many on every ray as the longest ray needs for cells of at most `length`.

    The number is found when a simulator is called, so the sightlines must be known then: where
    `jax.jit` traces them too, use `MaximumStep(length).resolve(rays)` beforehand.
    """

    length: float = eqx.field(static=True, converter=lambda x: _kpc("MaximumStep: length", x))
    """kpc, a number or a Quantity."""
    n: int = eqx.field(static=True, default=0)

    def __check_init__(self):
        checks.positive("MaximumStep: length", self.length, "kpc")

    def resolve(self, rays: Rays) -> AbstractSteps:
        if any(map(checks.is_traced, jax.tree.leaves(rays))):
            raise TypeError(
                "MaximumStep needs sightlines known before tracing: give the simulator "
                "steps=MaximumStep(length).resolve(rays) outside jit, grad and vmap"
            )
        with checks.known_values():  # sightlines that a traced function closes over
            near, far = rays.span()
            longest = float(jnp.max(far - near))
        return UniformSteps(max(1, math.ceil(longest / self.length - 1e-9)))

    def coordinate(self, s: Array) -> Array:
        return s

    def distance(self, u: Array) -> Array:
        return u


class Cells(NamedTuple):
    """Faces of every ray: regular ones, and one more at each surface crossing (last axis: rays).

    Regular face i lies at u = start + i width. Crossing j, in order of distance, is face number
    `number[j]`; infinity where there are fewer.
    """

    start: Float[Array, " n_rays"]
    width: Float[Array, " n_rays"]
    number: Float[Array, "n_crossings n_rays"]
    at: Float[Array, "n_crossings n_rays"]
    """kpc."""

    def per_ray(self) -> "Cells":
        """Which leaves have a last axis of rays."""
        return Cells(True, True, True, True)


def place_cells(
    near: Real, far: Real, crossings: Float[Array, "n_crossings n_rays"], steps: AbstractSteps
) -> tuple[Cells, int]:
    """Lay out the cells between near and far; returns the table and the cells per ray."""
    n_cells = steps.n + crossings.shape[0]
    start, end = steps.coordinate(jnp.stack([near, far]))
    # a surface that is the end of a ray lies there to rounding only: it must not count as one
    tie = jnp.finfo(near.dtype).eps ** 0.75 * (far - near)
    inside = jax.lax.stop_gradient((crossings > near + tie) & (crossings < far - tie))
    width = (end - start) / (n_cells - jnp.sum(inside, axis=0, dtype=near.dtype))
    at = sorted_rows(jnp.where(inside, crossings, jnp.inf))
    there = jnp.isfinite(at)
    at = jnp.where(there, at, far)
    # of a regular face and a crossing at one place either may come first: the cell between them
    # has no length
    u, width_, start_ = jax.lax.stop_gradient((steps.coordinate(at), width, start))
    before = jnp.floor((u - start_) / jnp.where(width_ > 0, width_, 1.0))
    number = larger(before, 0.0) + 1.0 + jnp.arange(at.shape[0], dtype=u.dtype)[:, None]
    number = jnp.where(there, smaller(number, n_cells - 1.0), jnp.inf)
    return Cells(start, width, number, at), n_cells


class Faces(NamedTuple):
    """Some consecutive faces of every ray, by distance (kpc)."""

    distance: Float[Array, "n_faces n_rays"]
    crossing: Int[Array, "n_faces n_rays"]
    """Number of the crossing at which a face lies; -1: none."""

    def rows(self) -> tuple[Float[Array, "count n_rays"], Float[Array, "count n_rays"]]:
        """Near face and length of the cells between them."""
        return self.distance[:-1], self.distance[1:] - self.distance[:-1]


def faces(cells: Cells, first: Array, count: int, steps: AbstractSteps) -> Faces:
    """The faces of the cells number `first` to `first + count` on every ray, count + 1 of them.

    Cells behind the last have length zero.
    """
    last = steps.n + cells.at.shape[0]
    face = jnp.minimum(first + jnp.arange(count + 1), last).astype(cells.start.dtype)[:, None]
    before, crossing = _crossings(jax.lax.stop_gradient(cells.number), face)
    distance = steps.distance(cells.start + (face - before) * cells.width)
    if cells.at.shape[0] <= FEW:
        for j, at in enumerate(cells.at):
            distance = jnp.where(crossing == j, at, distance)
    else:
        at = jnp.take_along_axis(cells.at, jnp.maximum(crossing, 0), 0, mode="promise_in_bounds")
        distance = jnp.where(crossing >= 0, at, distance)
    return Faces(distance, crossing)


def _crossings(
    number: Float[Array, "n_crossings n_rays"], face: Float[Array, "n_faces 1"]
) -> tuple[Float[Array, "n_faces n_rays"], Int[Array, "n_faces n_rays"]]:
    """How many crossings come before each face, and which one it is (or -1)."""
    n_crossings, n_rays = number.shape
    before = jnp.zeros((face.shape[0], n_rays), face.dtype)
    which = jnp.full(before.shape, -1, jnp.int32)

    def passed(before: Array, which: Array, j: Any, at: Array) -> tuple[Array, Array]:
        return before + (at < face).astype(face.dtype), jnp.where(at == face, j, which)

    if n_crossings <= FEW:
        for j, at in enumerate(number):
            before, which = passed(before, which, j, at)
        return before, which

    begun = jnp.sum(number < face[0], axis=0, dtype=jnp.int32)

    def following(j: Array) -> Array:
        take = jnp.take_along_axis(number, (begun + j)[None], 0, mode="fill", fill_value=jnp.inf)
        return take[0]

    def some_left(state: tuple[Array, ...]) -> Array:
        return jnp.any(state[1] <= face[-1])

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        j, at, before, which = state
        return j + 1, following(j + 1), *passed(before, which, begun + j, at)

    zero = jnp.zeros((), jnp.int32)
    before = before + begun.astype(face.dtype)
    _, _, before, which = jax.lax.while_loop(
        some_left, step, (zero, following(zero), before, which)
    )
    return before, which

"""Where the cells of a ray lie: a step rule, and faces wherever the ray cuts a named surface.

A ray is divided by its surface crossings into segments. Each segment gets the cells that the
step rule alone would have put there, rounded down, plus one; so a ray with n crossings has
`steps + n` cells, every crossing is a face, and the position of face k is a closed form of k.
"""

import abc
import math
from typing import NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._numerics._math import larger, log, smaller, sorted_rows
from .._parameters import as_parameter, parameter

Real = Float[Array, " n_rays"]

DEFAULT_SCALE = 0.1
"""kpc; measured best over WMAP, JF12 and UF23 with YMW16 at 0.4 to 23 GHz (docs/accuracy.md)."""


@runtime_checkable
class Rays(Protocol):
    """What a step rule may ask of the sightlines."""

    def span(self) -> tuple[Real, Real]:
        """Near and far end (kpc) of each ray."""
        ...


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
    `scale`: kpc.
    """

    n: int = eqx.field(static=True, converter=lambda n: checks.integer("steps: n", n))
    scale: Float[Array, ""] = parameter(DEFAULT_SCALE, "kpc", "distance beyond which cells grow")

    def __check_init__(self):
        if eqx.is_array(self.scale):
            checks.shaped("GradedSteps: scale", self.scale, (), "kpc")
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

    length: float = eqx.field(
        static=True, converter=lambda x: float(as_parameter(x, "kpc", "length"))
    )
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
    """Faces of every ray, as a table over its segments (last axis: rays).

    In segment j, face k lies at u = base_j + k width_j, for first_j <= k <= first_{j+1}.
    """

    first: Float[Array, "n_segments n_rays"]
    base: Float[Array, "n_segments n_rays"]
    width: Float[Array, "n_segments n_rays"]

    def per_ray(self) -> "Cells":
        """Which leaves have a last axis of rays."""
        return Cells(True, True, True)


def place_cells(
    near: Real, far: Real, crossings: Float[Array, "n_crossings n_rays"], steps: AbstractSteps
) -> tuple[Cells, int]:
    """Lay out the cells between near and far; returns the table and the cells per ray."""
    n_crossings = crossings.shape[0]
    cuts = sorted_rows(smaller(larger(crossings, near), far))
    u = steps.coordinate(jnp.concatenate([near[None], cuts, far[None]]))
    length = u[-1] - u[0]
    positive = length > 0
    fraction = (u - u[0]) / jnp.where(positive, length, 1.0)
    # a crossing at the far end lies there to rounding only: which side must not decide
    tie = jnp.sqrt(jnp.finfo(u.dtype).eps)
    own = jnp.floor(jax.lax.stop_gradient(fraction) * steps.n + tie)
    own = jnp.minimum(own, steps.n)
    extra = jnp.arange(n_crossings + 2, dtype=u.dtype)[:, None]
    index = own + extra
    index = index.at[0].set(0.0).at[-1].set(float(steps.n + n_crossings))
    width = (u[1:] - u[:-1]) / jnp.maximum(index[1:] - index[:-1], 1.0)
    base = u[:-1] - index[:-1] * width
    return Cells(index[:-1], base, width), steps.n + n_crossings


def faces(
    cells: Cells, first: Array, count: int, n_cells: int, steps: AbstractSteps
) -> tuple[Float[Array, "count n_rays"], Float[Array, "count n_rays"]]:
    """Near face and length (kpc) of the cells number `first` to `first + count` on every ray.

    Cells behind the last of all `n_cells` have length zero.
    """
    dtype = cells.base.dtype
    number = (first + jnp.arange(count)).astype(dtype)[:, None]
    starts = jax.lax.stop_gradient(cells.first)

    behind = starts[1:]  # where later segments begin
    segment = jnp.zeros((count, starts.shape[-1]), jnp.int32)
    if behind.shape[0] > 2 * count:
        # each segment has a cell, so only the next `count` can begin among these cells
        begun = jnp.sum(behind <= number[0], axis=0, dtype=jnp.int32)
        following = begun + jnp.arange(count, dtype=jnp.int32)[:, None]
        behind = jnp.take_along_axis(behind, following, 0, mode="fill", fill_value=jnp.inf)
        segment = segment + begun

    def passed(segment: Array, start: Array) -> tuple[Array, None]:
        return segment + (number >= start).astype(jnp.int32), None

    if behind.shape[0] <= 4:
        for start in behind:
            segment, _ = passed(segment, start)
    else:
        segment, _ = jax.lax.scan(passed, segment, behind)
    take = lambda table: jnp.take_along_axis(table, segment, 0, mode="promise_in_bounds")
    base, width = take(cells.base), take(cells.width)
    u = base + number * width
    near = steps.distance(u)
    return near, jnp.where(number < n_cells, steps.distance(u + width) - near, 0.0)

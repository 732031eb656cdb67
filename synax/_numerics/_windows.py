"""Trilinear look-up of windows: a few neighbouring numbers out of a row that each node has.

Where in the row a window begins differs from point to point, so a point reads eight windows, one
for each corner of its cell. The value is linear in the table and in the eight weights.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from ._gather import Shape3, _take
from ._stored import stored

READ = 12
"""Fewest numbers that are read at once.

XLA on a CPU turns a loop over up to eight numbers into eight separate copies of its body, which
read them one by one. A loop over twelve stays one, and its reads are vectors of four: twelve take
less time than eight. What is read and not used must exist: see `blend`.
"""


def blend(
    table: Float[Array, " size"],
    coordinate: Float[Array, "3 *points"],
    first: Int[Array, "..."],
    shape: Shape3,
    row: int,
    width: int,
) -> tuple[Float[Array, "..."], ...]:
    """`width` numbers from place `first` of the rows of a grid's nodes, interpolated in space.

    **Arguments:**

    - `table`: the nodes' rows one after the other, z fastest. A row has at least `READ - width`
      numbers behind the last window.
    - `coordinate`: in units of the spacing, from node 0; beyond the outermost nodes their value.
    - `first`: where the windows begin, of a shape against which the points broadcast.
    - `shape`, `row`, `width`: of the grid, of a node's row, of a window.

    **Returns:** `width` arrays of the shape of `first`.
    """
    last = jnp.asarray(shape, coordinate.dtype).reshape(3, *(1,) * (coordinate.ndim - 1)) - 1.0
    corner = lax.stop_gradient(jnp.clip(jnp.floor(coordinate), 0.0, last - 1.0))
    high = stored(jnp.clip(coordinate - corner, 0.0, 1.0))
    _, ny, nz = shape
    ix, iy, iz = (c.astype(jnp.int32) for c in corner)
    start = stored(((ix * ny + iy) * nz + iz) * row + first)
    sides = tuple(zip(1.0 - high, high, strict=True))
    corners = list(np.ndindex(2, 2, 2))
    weights = (functools.reduce(jnp.multiply, map(lambda s, d: s[d], sides, at)) for at in corners)
    offsets = tuple(int(((dx * ny + dy) * nz + dz) * row) for dx, dy, dz in corners)
    rows = _sum(table, start, tuple(weights), offsets, width)
    parts = lax.split(rows, (1,) * width, axis=rows.ndim - 1)
    return tuple(part[..., 0] for part in parts)


Weights = tuple[Float[Array, "..."], ...]


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _sum(
    table: Array, start: Array, weights: Weights, offsets: tuple[int, ...], width: int
) -> Array:
    """The windows times their weights, added up: (..., width)."""
    read = max(width, READ)
    whole = _weighted(table, start, weights, offsets, read)
    return stored(whole)[..., :width]


def _weighted(
    table: Array, start: Array, weights: Weights, offsets: tuple[int, ...], width: int
) -> Array:
    total: Any = 0.0
    for weight, offset in zip(weights, offsets, strict=True):
        total = total + weight[..., None] * _take(table, start + offset, width)
    return total


def _jvp(offsets: tuple[int, ...], width: int, primals: Any, tangents: Any) -> Any:
    table, start, weights = primals
    table_dot, _, weights_dot = tangents
    value = _sum(table, start, weights, offsets, width)
    tangent = jnp.zeros_like(value)
    # stored: the windows of the derivative are not those of the value, which would then be kept
    again = stored(start)
    zero = jax.custom_derivatives.SymbolicZero
    if not any(isinstance(w, zero) for w in weights_dot):
        tangent = tangent + _weighted(table, again, weights_dot, offsets, width)
    if not isinstance(table_dot, zero):
        tangent = tangent + _weighted(table_dot, again, weights, offsets, width)
    return value, stored(tangent)


_sum.defjvp(_jvp, symbolic_zeros=True)

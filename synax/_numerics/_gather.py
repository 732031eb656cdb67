"""Trilinear look-up in a packed uniform table, with a gradient that scatters whole rows.

A table of nx * ny * nz nodes with c components is kept flat with the components fastest, so the
two z-neighbours of a corner are one contiguous row of 2 c numbers and a point needs four rows.
The value is linear in the table; its transpose adds the same four rows, which XLA does in place
(also inside a scan) four to eight times faster than corner by corner. Only the rule for the
tangent is written by hand, so forward, reverse and second derivatives all follow from it.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from ._once import once

Shape3 = tuple[int, int, int]

_CHUNK = 16384
"""Points per pass of the linear part: its rows (8 c numbers a point) then stay in cache."""


def pack(values: Float[Array, "*components nx ny nz"]) -> Float[Array, " size"]:
    """Flatten a grid (nx, ny, nz) or (c, nx, ny, nz) with the components fastest, z next."""
    return jnp.moveaxis(values, 0, -1).ravel() if values.ndim == 4 else values.ravel()


def trilinear(
    table: Float[Array, " size"],
    coordinate: Float[Array, "3 n"],
    shape: Shape3,
    components: int,
    clamp: bool,
) -> Float[Array, "c n"]:
    """Trilinear interpolation at points given in units of the grid spacing, from node 0.

    **Arguments:**

    - `table`: what `pack` returns.
    - `coordinate`: 0 is the first node of an axis and N - 1 the last.
    - `shape`, `components`: size of the grid (at least 2 each) and of a value.
    - `clamp`: True holds the value beyond the outermost nodes, False extrapolates linearly.

    **Returns:** values (components, n). On a node or on the outermost nodes the slope is that of
    a cell that ends there.
    """
    column = lambda row: jnp.asarray(row, dtype=jnp.int32)[:, None]
    # the clip comes after the cast, so that no NaN or infinity can leave the table
    cell = jnp.clip(jnp.floor(coordinate).astype(jnp.int32), 0, column(shape) - 2)
    fraction = coordinate - lax.stop_gradient(cell.astype(coordinate.dtype))
    if clamp:
        fraction = jnp.where(fraction < 0.0, 0.0, jnp.where(fraction > 1.0, 1.0, fraction))
    start = ((cell[0] * shape[1] + cell[1]) * shape[2] + cell[2]) * components
    dtype = jnp.result_type(table, fraction)
    return _lookup(table.astype(dtype), start, fraction.astype(dtype), shape, components)


def _row_offsets(shape: Shape3, components: int) -> np.ndarray:
    """Where the rows at corners (x, y) = 00, 01, 10, 11 of a cell start, from its first one."""
    _, ny, nz = shape
    return np.array([0, nz, ny * nz, ny * nz + nz], dtype=np.int32) * components


def _take(table: Array, starts: Int[Array, "*n"], width: int) -> Float[Array, "*n width"]:
    """Contiguous rows of a flat table."""
    rank = starts.ndim
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(rank,), collapsed_slice_dims=(), start_index_map=(0,)
    )
    mode = lax.GatherScatterMode.PROMISE_IN_BOUNDS
    return lax.gather(table, starts[..., None], numbers, (width,), mode=mode)


def _rows(table: Array, start: Array, shape: Shape3, components: int) -> list[Array]:
    offsets = _row_offsets(shape, components)
    return [_take(table, start + offset, 2 * components) for offset in offsets]


def _blend(low: Array, high: Array, fraction: Array) -> Array:
    return low + fraction[:, None] * (high - low)


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _lookup(
    table: Float[Array, " size"],
    start: Int[Array, " n"],
    fraction: Float[Array, "3 n"],
    shape: Shape3,
    components: int,
) -> Float[Array, "c n"]:
    return _value(table, start, fraction, shape, components)


@once(static=(3, 4))
def _value(
    table: Array, start: Array, fraction: Array, shape: Shape3, components: int
) -> Float[Array, "c n"]:
    fx, fy, fz = fraction
    r00, r01, r10, r11 = _rows(table, start, shape, components)
    row = _blend(_blend(r00, r01, fy), _blend(r10, r11, fy), fx)
    return _blend(row[:, :components], row[:, components:], fz).T


def _jvp(shape: Shape3, components: int, primals: Any, tangents: Any) -> Any:
    table, start, fraction = primals
    table_dot, _, fraction_dot = tangents
    value = _lookup(table, start, fraction, shape, components)
    tangent = jnp.zeros_like(value)
    if not isinstance(fraction_dot, jax.custom_derivatives.SymbolicZero):
        slope = _slopes(table, start, fraction, shape, components)
        tangent = sum(s * dot for s, dot in zip(slope, fraction_dot, strict=True))
    if not isinstance(table_dot, jax.custom_derivatives.SymbolicZero):
        tangent = tangent + _linear(table_dot, start, fraction, shape, components)
    return value, tangent


_lookup.defjvp(_jvp, symbolic_zeros=True)


def _slopes(
    table: Array, start: Array, fraction: Array, shape: Shape3, components: int
) -> tuple[Array, Array, Array]:
    """Derivatives of the value (c, n) with respect to the three fractions."""
    fx, fy, fz = fraction
    r00, r01, r10, r11 = _rows(table, start, shape, components)
    along_z = lambda row: _blend(row[:, :components], row[:, components:], fz).T
    x0, x1 = _blend(r00, r01, fy), _blend(r10, r11, fy)
    row = _blend(x0, x1, fx)
    return (
        along_z(x1 - x0),
        along_z(_blend(r01 - r00, r11 - r10, fx)),
        (row[:, components:] - row[:, :components]).T,
    )


def _linear(
    table: Array, start: Array, fraction: Array, shape: Shape3, components: int
) -> Float[Array, "c n"]:
    """The look-up written so that its transpose is one multiplication and one scatter of rows."""
    offsets = _row_offsets(shape, components)

    def some(args: tuple[Array, Array]) -> Array:
        start, fraction = args
        (fx, fy, fz), (gx, gy, gz) = fraction.T, 1.0 - fraction.T
        corners = [x * y * z for x in (gx, fx) for y in (gy, fy) for z in (gz, fz)]
        weight = jnp.stack(corners, axis=-1).reshape(-1, 4, 2, 1)
        rows = _take(table, start[:, None] + offsets, 2 * components)
        value = jnp.sum(rows.reshape(-1, 4, 2, components) * weight, axis=(1, 2))
        # XLA on CPU would compute the cotangent anew for each of the 8 c numbers that it scatters;
        # it never repeats a matrix product, so a product with 1 has it computed once a point
        return jnp.matmul(value, jnp.eye(components, dtype=value.dtype), precision="highest")

    n = start.shape[0]
    points = (start, fraction.T)
    value = some(points) if n <= 4 * _CHUNK else _in_chunks(some, points)
    return value.T


def _in_chunks(function: Any, points: tuple[Array, Array]) -> Array:
    """Apply a function of rows of points chunk by chunk."""
    n = points[0].shape[0]
    chunks = n // _CHUNK
    cut = chunks * _CHUNK
    whole = lambda a: a[:cut].reshape(chunks, _CHUNK, *a.shape[1:])
    head = jax.tree.map(whole, points)
    value = lax.map(function, head).reshape(cut, -1)
    if n == cut:
        return value
    tail = function(jax.tree.map(lambda a: a[cut:], points))
    return jnp.concatenate([value, tail])

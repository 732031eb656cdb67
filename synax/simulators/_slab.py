"""Grids divided over devices along x: every device holds a slab of planes and the one behind it.

A point may lie in any slab, so all devices look up the points of all (positions are gathered,
each answers for its own slab, the answers are added and handed back). Communication per cell of
a ray: its position and its value. Memory: the grid and its gradient are divided.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PyTree

from .._numerics._gather import Shape3, pack, trilinear
from ..fields._field import AbstractField, Position, Value
from ..fields._grid import GridField, cut, grid_coordinate
from ..sightlines._sightlines import Sightlines


class Slab(AbstractField):
    """One device's part of a grid, packed; only inside a program that runs on all of them."""

    table: Float[Array, " size"]
    grid: GridField
    """The whole, without its values."""
    shape: Shape3 = eqx.field(static=True)
    """Values of the whole grid along x, y, z."""
    vector: bool = eqx.field(static=True)
    axis: str = eqx.field(static=True)
    n_devices: int = eqx.field(static=True)

    @property
    def rank(self) -> str:
        return "vector" if self.vector else "scalar"

    def __call__(self, position: Position) -> Value:
        nx, ny, nz = self.shape
        planes = nx // self.n_devices
        flat = position.reshape(3, -1)
        everywhere = lax.all_gather(flat, self.axis, axis=1, tiled=True)
        x, y, z = grid_coordinate(everywhere, self.grid.box, self.shape, self.grid.centering)
        first = planes * lax.axis_index(self.axis)
        cell = jnp.clip(jnp.floor(x).astype(jnp.int32), 0, nx - 2)
        mine = (cell >= first) & (cell < first + planes)
        local = jnp.stack([jnp.where(mine, x - first.astype(x.dtype), 0.0), y, z])
        clamp = self.grid.outside != "linear"
        components = 3 if self.vector else 1
        value = trilinear(self.table, local, (planes + 1, ny, nz), components, clamp)
        value = jnp.where(mine, value, 0.0)
        value = lax.psum_scatter(value, self.axis, scatter_dimension=1, tiled=True)
        value = value.reshape((3,) * self.vector + position.shape[1:])
        return cut(value, position, self.grid.box, self.grid.outside)


def is_divided(x: Any) -> bool:
    """Whether x is a grid divided over devices."""
    return isinstance(x, GridField) and x.mesh is not None


def divided_grids(tree: PyTree) -> list[GridField]:
    """All grids in a tree that are divided over devices."""
    return [x for x in jax.tree.leaves(tree, is_leaf=is_divided) if is_divided(x)]


def check_same_devices(grids: list[GridField], rays: Sightlines) -> None:
    """Raise `ValueError` unless divided grids lie on the devices of the sightlines."""
    for grid in grids:
        if grid.mesh != rays.mesh:
            has = "are not divided" if rays.mesh is None else f"lie on {rays.mesh}"
            raise ValueError(
                f"a GridField divided over {grid.mesh} needs sightlines.sharded() over the same "
                f"devices, but these {has}"
            )


def mark_divided(tree: PyTree, marks: PyTree, value: Any) -> PyTree:
    """`marks`, a tree like `tree`, with `value` at the values of every divided grid."""
    put = lambda x, m: eqx.tree_at(lambda g: g.values, m, value) if is_divided(x) else m
    return jax.tree.map(put, tree, marks, is_leaf=is_divided)


def own_slabs(tree: PyTree) -> PyTree:
    """Each divided grid, of which this device sees its own planes, as a `Slab`."""
    return jax.tree.map(lambda x: _slab(x) if is_divided(x) else x, tree, is_leaf=is_divided)


def _slab(grid: GridField) -> Slab:
    assert grid.mesh is not None  # a divided grid knows its devices
    (axis,), n = grid.mesh.axis_names, grid.mesh.size
    own = grid.values
    vector = own.ndim == 4
    at = lambda i: lax.slice_in_dim(own, i, i + 1, axis=own.ndim - 3)
    planes = own.shape[-3]
    following = lax.ppermute(at(0), axis, [(i, i - 1) for i in range(1, n)])
    # behind the last plane of all: what a clamped or a linear look-up finds there
    beyond = 2.0 * at(planes - 1) - at(planes - 2) if grid.outside == "linear" else at(planes - 1)
    last = lax.axis_index(axis) == n - 1
    table = pack(jnp.concatenate([own, jnp.where(last, beyond, following)], axis=own.ndim - 3))
    shape = (planes * n, *own.shape[-2:])
    empty = eqx.tree_at(lambda g: g.values, grid, None)
    return Slab(table, empty, shape, vector, axis, n)

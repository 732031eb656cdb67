"""The derivative by the places where rays cross surfaces, at the few cells that they bound.

A parameter of a surface moves the two cells beside each crossing and no other. So the derivative
of the medium along the ray is needed in these cells only: those of a chunk, from all rays, stand
in one list here, and are visited a part of it at a time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from ._base import Cell, Coefficients
from ._cells import Faces

SHARE = 4
"""Rays over the cells that are visited together."""


class Pieces(NamedTuple):
    """Cells beside crossings, in one row."""

    row: Int[Array, " n_cells"]
    ray: Int[Array, " n_cells"]
    there: Float[Array, " n_cells"]
    """1, or 0 behind the last one."""

    def of_rays(self, tree: PyTree) -> PyTree:
        """What belongs to their rays, of leaves with a last axis of rays."""
        return jax.tree.map(lambda x: x[..., self.ray], tree)

    def of_cells(self, tree: PyTree) -> PyTree:
        """What belongs to them, of leaves with a first axis of rows and a last one of rays."""
        return jax.tree.map(lambda x: jnp.moveaxis(x[self.row, ..., self.ray], 0, -1), tree)


Along = Callable[[PyTree, Pieces, Array, Array, Coefficients], tuple[Array, Array]]


@eqx.filter_custom_jvp
def add_crossings(
    at_bar: Float[Array, "n_crossings n_rays"],
    faces: Faces,
    bars: Cell,
    arguments: PyTree,
    *,
    along: Along,
) -> Float[Array, "n_crossings n_rays"]:
    """The cotangent of the places of crossings (kpc), with what some rows of cells add to it.

    **Arguments:**

    - `bars`: cotangents of the cells, rows of them.
    - `arguments`: what the march depends on.
    - `along`: from `arguments`, some pieces, their near faces, their lengths and the cotangents
      of their coefficients, the cotangents of near face and length through the places of the
      nodes.
    """
    total, step = _visits(faces, bars, arguments, along)

    def some_left(state: tuple[Array, Array]) -> Array:
        return state[0] < total

    return jax.lax.while_loop(some_left, step, (jnp.zeros_like(total), at_bar))[1]


@add_crossings.def_jvp
def _add_crossings_jvp(primals: Any, tangents: Any, *, along: Along) -> tuple[Array, Array]:
    """A loop that ends when all is done has no transpose: here it is one of a fixed length."""
    tangents = jax.tree.map(lambda x, t: t, primals, tangents, is_leaf=lambda x: x is None)
    moves = jax.tree.map(lambda x, t: t is not None, primals, tangents)
    moving, still = eqx.partition(primals, moves)

    def run(moving: Any) -> Array:
        at_bar, faces, bars, arguments = eqx.combine(moving, still)
        total, step = _visits(faces, bars, arguments, along)
        n_cells = faces.distance[:-1].size

        def visit(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
            return jax.lax.cond(state[0] < total, step, lambda state: state, state), None

        begin = (jnp.zeros_like(total), at_bar)
        n_visits = -(-n_cells // _size(faces))
        return jax.lax.scan(visit, begin, None, length=n_visits)[0][1]

    return jax.jvp(run, (moving,), (tangents,))


def _size(faces: Faces) -> int:
    """Cells that are visited together."""
    return max(1, faces.distance.shape[-1] // SHARE)


def _visits(
    faces: Faces, bars: Cell, arguments: PyTree, along: Along
) -> tuple[Int[Array, ""], Callable[[tuple[Array, Array]], tuple[Array, Array]]]:
    """How many cells there are beside crossings, and a visit of some of them."""
    near, length = faces.rows()
    n_rays, size = near.shape[-1], _size(faces)
    beside = (faces.crossing[:-1] >= 0) | (faces.crossing[1:] >= 0)
    cells, total = _listed(beside, size)

    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        begin, at_bar = state
        cell = jax.lax.dynamic_slice_in_dim(cells, begin, size)
        there = (begin + jnp.arange(size) < total).astype(near.dtype)
        pieces = Pieces(cell // n_rays, cell % n_rays, there)
        where, bar = pieces.of_cells((near, length)), pieces.of_cells(bars)
        near_bar, far_bar = along(arguments, pieces, *where, bar.lines)
        far_bar = far_bar + bar.length
        for row, face_bar in ((pieces.row, near_bar - far_bar), (pieces.row + 1, far_bar)):
            crossing = faces.crossing[row, pieces.ray]
            # -1 would be the last one
            crossing = jnp.where(crossing < 0, at_bar.shape[0], crossing)
            at_bar = at_bar.at[crossing, pieces.ray].add(there * face_bar, mode="drop")
        return begin + size, at_bar

    return total, step


def _listed(chosen: Array, extra: int) -> tuple[Int[Array, " n"], Int[Array, ""]]:
    """Numbers of the chosen cells of all rows, with room for `extra` behind them, and how many."""
    size = chosen.size
    rank = jnp.cumsum(chosen, axis=0, dtype=jnp.int32)
    first = jnp.cumsum(rank[-1], dtype=jnp.int32) - rank[-1]
    place = jnp.where(chosen, first + rank - 1, size + extra).reshape(-1)
    number = jnp.arange(size, dtype=jnp.int32)
    cells = jnp.zeros(size + extra, jnp.int32).at[place].set(number, mode="drop")
    return cells, first[-1] + rank[-1, -1]

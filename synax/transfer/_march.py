"""The march: every ray advances cell by cell, all rays of a block at once.

It knows no model, no frequency and no physics: the medium gives coefficients at points, the law of
light carries a path from cell to cell and adds up sums. Nothing of size rays times cells exists:
faces are placed for a chunk of cells of one block of rays at a time.

`backward` is the exact adjoint. It visits the cells in the reverse order with the path in front
of each (undone by the law, or stored), and collects cotangents. The placement of a chunk of faces
is transposed once a chunk.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from .._numerics._math import stored
from .._numerics._once import once
from ._base import (
    AbstractGeometry,
    AbstractMedium,
    AbstractReversibleTransfer,
    AbstractTransfer,
    Cell,
    Coefficients,
    Light,
)
from ._cells import AbstractSteps, Cells, Faces, faces
from ._crossings import Pieces, add_crossings
from ._quadrature import AbstractQuadrature

CHUNK = 16
"""Cells whose faces are placed together."""
KEPT = 2**27
"""Bytes that the cells of one block may take in reverse mode, if they cannot be undone."""


class Problem(NamedTuple):
    """Everything a march depends on."""

    medium: AbstractMedium
    geometry: AbstractGeometry
    steps: AbstractSteps
    law: AbstractTransfer


class Arguments(NamedTuple):
    """A `Problem` in two halves: its leaves without, and with, a last axis of rays."""

    shared: Problem
    per_ray: Problem

    def whole(self) -> Problem:
        """Both together."""
        return eqx.combine(self.shared, self.per_ray)

    def n_rays(self) -> int:
        """Number of rays."""
        return jax.tree.leaves(self.per_ray)[0].shape[-1]


class State(NamedTuple):
    """What a march has after some cells: the law's path, and its sums."""

    path: PyTree
    sums: PyTree


def _take(tree: PyTree, start: Array, size: int) -> PyTree:
    """`size` rays of every leaf, from `start`."""
    return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, start, size, axis=-1), tree)


def _put(tree: PyTree, part: PyTree, start: Array) -> PyTree:
    put = lambda x, y: jax.lax.dynamic_update_slice_in_dim(x, y, start, axis=-1)
    return jax.tree.map(put, tree, part)


def _add(a: PyTree, b: PyTree) -> PyTree:
    return jax.tree.map(jnp.add, a, b)


@dataclass(frozen=True)
class March:
    """The static part of a march: hashable, so one program serves all parameter values."""

    n_cells: int
    rule: AbstractQuadrature
    block: int
    inward: bool = False
    precision: Any = None
    """The dtype in which fields are evaluated; None: that of the rays."""
    checkpoint: int | None = None
    """Cells between checkpoints for plain reverse mode; None: store every cell."""

    def _chunks(self, size: int | None = None) -> tuple[int, int]:
        """Number of chunks of cells, and cells in each."""
        size = self.checkpoint or size or CHUNK
        n_chunks = max(1, -(-self.n_cells // size))
        return n_chunks, -(-self.n_cells // n_chunks)

    def cell(self, problem: Problem, k: Array, near: Array, length: Array) -> Cell:
        """Cell k of every ray of a block, which begins at `near`."""
        # all nodes in one call: half the operations to compile, each over twice the points
        distance = stored(near + self.rule.fractions(length.dtype) * length)
        here = self.at_nodes(problem, k, distance)
        return Cell(length, jax.tree.map(self.rule.expand, stored(here)))

    def at_nodes(
        self, problem: Problem, k: Array, distance: Float[Array, "n_nodes n_rays"]
    ) -> Coefficients:
        """Coefficients at some distances (kpc) in cell k of every ray."""
        frame = problem.geometry.frame()
        axes = zip(frame.origin, frame.direction, strict=True)
        position = stored(tuple(o + distance * d for o, d in axes))
        frequency = problem.law.frequency
        if self.precision is not None:
            to = lambda x: x.astype(self.precision)
            position, frame, frequency = jax.tree.map(to, (position, frame, frequency))
        here = problem.medium.coefficients(jnp.stack(position), frame, k, frequency)
        if self.precision is not None:
            here = jax.tree.map(lambda x: x.astype(distance.dtype), here)
        return here

    def _cell_once(self, problem: Problem, k: Array, near: Array, length: Array) -> Cell:
        """`cell`, traced once for all programs with the same shapes and static parts."""
        leaves, structure = jax.tree.flatten(problem)
        is_array = [isinstance(x, jax.Array | np.ndarray) for x in leaves]
        arrays = [x if there else None for x, there in zip(leaves, is_array, strict=True)]
        # with their types: in a tuple 1 equals 1.0 and True
        others = [
            None if there else (type(x), x) for x, there in zip(leaves, is_array, strict=True)
        ]
        return _cell(self, structure, tuple(others), arrays, k, near, length)

    def _shapes(self, problem: Problem) -> Cell:
        """A cell of which only shapes and dtypes are known."""
        zero = lambda frame: jnp.zeros_like(frame.direction[0])

        def one(problem: Problem) -> Cell:
            first = zero(problem.geometry.frame())
            return self._cell_once(problem, jnp.zeros((), jnp.int32), first, first)

        return eqx.filter_eval_shape(one, problem)

    def _begin(self, problem: Problem) -> State:
        """The state before the first cell."""
        shapes = self._shapes(problem)
        problem.law.check(shapes.lines)
        path = problem.law.init(shapes)
        sums = eqx.filter_eval_shape(lambda law, *x: law.step(*x)[1], problem.law, path, shapes)
        return State(path, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), sums))

    def _faces(self, cells: Cells, steps: AbstractSteps, chunk: Array, size: int) -> Faces:
        """The faces of a chunk of cells."""
        return stored(faces(cells, chunk * size, size, steps))

    def _forward_block(self, arguments: Arguments) -> State:
        problem = arguments.whole()
        cells = problem.geometry.cells(problem.steps)
        n_chunks, size = self._chunks()

        def body(state: State, row: PyTree) -> tuple[State, None]:
            path, new = problem.law.step(state.path, self._cell_once(problem, *row))
            return State(path, _add(state.sums, new)), None

        def chunk(state: State, i: Array) -> tuple[State, None]:
            rows = (_numbers(i, size), *self._faces(cells, problem.steps, i, size).rows())
            return jax.lax.scan(body, state, rows, reverse=self.inward)

        if self.checkpoint is not None:
            chunk = jax.checkpoint(chunk)
        begin = self._begin(problem)
        return jax.lax.scan(chunk, begin, jnp.arange(n_chunks), reverse=self.inward)[0]

    def _paths(self, problem: Problem, path: PyTree, rows: PyTree) -> tuple[PyTree, PyTree]:
        """The path behind the cells of some rows, and the path in front of each of them."""

        def body(path: PyTree, row: PyTree) -> tuple[PyTree, PyTree]:
            return problem.law.step(path, self._cell_once(problem, *row))[0], path

        return jax.lax.scan(body, path, rows, reverse=self.inward)

    def _layout(self, arguments: Arguments) -> tuple[int, int]:
        """Number of blocks, and rays in each; the last one overlaps the one before."""
        n_rays = arguments.n_rays()
        n_blocks = -(-n_rays // self.block)
        return n_blocks, -(-n_rays // n_blocks)

    def forward(self, arguments: Arguments) -> State:
        """Integrate every ray."""
        n_blocks, size = self._layout(arguments)
        if n_blocks == 1:
            return self._forward_block(arguments)
        n_rays = arguments.n_rays()

        def block(start: Array) -> Arguments:
            return Arguments(arguments.shared, _take(arguments.per_ray, start, size))

        def one(state: State, i: Array) -> tuple[State, None]:
            start = jnp.minimum(i * size, n_rays - size)
            return _put(state, self._forward_block(block(start)), start), None

        # of one block: cells of all rays would be traced for nothing else
        shapes = jax.eval_shape(lambda i: self._begin(block(i).whole()), jnp.zeros((), jnp.int32))
        begin = jax.tree.map(lambda s: jnp.zeros((*s.shape[:-1], n_rays), s.dtype), shapes)
        return jax.lax.scan(one, begin, jnp.arange(n_blocks))[0]

    def finish(self, arguments: Arguments, state: State) -> Light:
        """What arrives at the observer."""
        return arguments.whole().law.finish(*state)

    def _backward_block(
        self,
        moving: Arguments,
        still: Arguments,
        path: PyTree,
        cotangent: State,
        shared_bar: Problem,
    ) -> Arguments:
        """Cotangents of one block, those of the shared leaves added to `shared_bar`."""
        whole = eqx.combine(moving, still)
        problem = whole.whole()
        undoable = isinstance(problem.law, AbstractReversibleTransfer)
        shapes = self._shapes(problem)
        first = problem.law.init(shapes)
        # parameters of surfaces move crossings, those of rays and steps all faces, others none
        crossings, all_faces = _moved(moving)
        # of each cell of a chunk: the path in front of it, and the cotangents of its coefficients
        kept = _kept((first, shapes.lines if crossings else ()), self.n_cells)
        n_chunks, size = self._chunks(None if undoable else kept)

        def place(moving: Arguments) -> tuple[Cells, AbstractSteps]:
            problem = eqx.combine(moving, still).whole()
            return problem.geometry.cells(problem.steps), problem.steps

        if crossings or all_faces:
            (cells, steps), pull_place = jax.vjp(place, moving)
        else:
            (cells, steps), pull_place = place(moving), None

        def body(carry: Any, row: PyTree) -> tuple[Any, PyTree]:
            path, path_bar, total = carry
            k, where, before = row

            def local(moving: Arguments, *new: Array) -> tuple[Cell, AbstractTransfer]:
                problem = eqx.combine(moving, still).whole()
                return self.cell(problem, k, *(new or where)), problem.law

            (cell, law), pull_local = jax.vjp(local, moving, *(where if all_faces else ()))
            before = law.undo(path, cell) if undoable else before
            step = lambda law, path, cell: law.step(path, cell)
            _, pull_step = jax.vjp(step, law, before, cell)
            law_bar, path_bar, cell_bar = pull_step((path_bar, cotangent.sums))
            moving_bar, *where_bar = pull_local((cell_bar, law_bar))
            path = before if undoable else path
            bars = tuple(where_bar) if all_faces else cell_bar if crossings else None
            return (path, path_bar, _add(total, moving_bar)), bars

        def chunk(carry: Any, xs: Any) -> tuple[Any, None]:
            (inner, place_bar), (i, start) = carry, xs
            find = lambda cells, steps: self._faces(cells, steps, i, size)
            rows = lambda *place: find(*place).rows()
            here = find(cells, steps)
            where, pull_rows = jax.vjp(rows, cells, steps) if all_faces else (here.rows(), None)
            ks, before = _numbers(i, size), None
            if not undoable:
                _, before = self._paths(problem, start, (ks, *where))
            inner, bars = jax.lax.scan(body, inner, (ks, where, before), reverse=not self.inward)
            if pull_rows is not None:
                place_bar = _add(place_bar, pull_rows(bars))
            elif crossings:
                cells_bar, steps_bar = place_bar
                at_bar = add_crossings(cells_bar.at, here, bars, whole, along=self._along)
                place_bar = cells_bar._replace(at=at_bar), steps_bar
            return (inner, place_bar), None

        starts = None
        if not undoable and n_chunks == 1:
            starts = jax.tree.map(lambda x: x[None], first)
        elif not undoable:
            through = lambda path, i: (
                self._paths(
                    problem, path, (_numbers(i, size), *self._faces(cells, steps, i, size).rows())
                )[0],
                path,
            )
            order = jnp.arange(n_chunks)
            _, starts = jax.lax.scan(through, first, order, reverse=self.inward)
        path = path if undoable else None
        total = Arguments(shared_bar, jax.tree.map(jnp.zeros_like, moving.per_ray))
        place_bar = None if pull_place is None else jax.tree.map(jnp.zeros_like, (cells, steps))
        carry = ((path, cotangent.path, total), place_bar)
        xs = (jnp.arange(n_chunks), starts)
        (carry, place_bar), _ = jax.lax.scan(chunk, carry, xs, reverse=not self.inward)
        _, path_bar, total = carry
        begin = lambda moving: eqx.combine(moving, still).whole().law.init(shapes)
        total = _add(total, jax.vjp(begin, moving)[1](path_bar)[0])
        return total if pull_place is None else _add(total, pull_place(place_bar)[0])

    def _along(
        self,
        arguments: Arguments,
        pieces: Pieces,
        near: Array,
        length: Array,
        bar: Coefficients,
    ) -> tuple[Array, Array]:
        """Cotangents of near face and length through the nodes, given those of the coefficients."""
        problem = arguments._replace(per_ray=pieces.of_rays(arguments.per_ray)).whole()
        fractions = self.rule.fractions(length.dtype)
        at_nodes = lambda distance: self.at_nodes(problem, jnp.zeros((), jnp.int32), distance)
        distance = near + fractions * length
        _, slope = jax.jvp(at_nodes, (distance,), (jnp.ones_like(distance),))

        def dot(slope: Coefficients) -> Array:
            parts = jax.tree.map(
                lambda a, b: jnp.sum(a * b, axis=tuple(range(a.ndim - 1))),
                jax.tree.map(self.rule.expand, slope),
                bar,
            )
            return sum(jax.tree.leaves(parts), jnp.zeros_like(near))

        return dot(slope), dot(jax.tree.map(lambda x: fractions * x, slope))

    def backward(
        self, moving: Arguments, still: Arguments, path: PyTree, cotangent: State
    ) -> Arguments:
        """Cotangents of the leaves in `moving` (None elsewhere), given those of the last state.

        **Arguments:**

        - `moving`, `still`: the arguments of `forward`, partitioned.
        - `path`: the last path that `forward` returned.
        """
        both = eqx.combine(moving, still)
        n_blocks, size = self._layout(both)
        zeros = jax.tree.map(jnp.zeros_like, moving)
        if n_blocks == 1:
            return self._backward_block(moving, still, path, cotangent, zeros.shared)
        last = both.n_rays() - size

        def one(total: Arguments, i: Array) -> tuple[Arguments, None]:
            start = jnp.minimum(i * size, last)
            take = lambda tree: _take(tree, start, size)
            fresh = start + jnp.arange(size) >= i * size  # each ray counts once
            bar = self._backward_block(
                Arguments(moving.shared, take(moving.per_ray)),
                Arguments(still.shared, take(still.per_ray)),
                take(path),
                jax.tree.map(lambda x: jnp.where(fresh, x, 0.0), take(cotangent)),
                total.shared,
            )
            rays_bar = _add(take(total.per_ray), bar.per_ray)
            return Arguments(bar.shared, _put(total.per_ray, rays_bar, start)), None

        return jax.lax.scan(one, zeros, jnp.arange(n_blocks))[0]


@once(static=(0, 1, 2))
def _cell(
    march: March,
    structure: Any,
    others: tuple[Any, ...],
    arrays: list[Any],
    k: Array,
    near: Array,
    length: Array,
) -> Cell:
    """`March.cell` of a problem in parts: as it is written into the programs that call it."""
    leaves = [other[1] if x is None else x for x, other in zip(arrays, others, strict=True)]
    return march.cell(jax.tree.unflatten(structure, leaves), k, near, length)


def _moved(moving: Arguments) -> tuple[bool, bool]:
    """Whether crossings move, and whether all faces do."""
    halves = [(half.geometry, half.steps) for half in moving]
    regular = [
        (eqx.tree_at(lambda g: g.surfaces, geometry, ()), steps) for geometry, steps in halves
    ]
    some, every = (bool(jax.tree.leaves(x)) for x in (halves, regular))
    return some, every


def _numbers(chunk: Array, size: int) -> Array:
    """Numbers of the cells of a chunk."""
    return chunk.astype(jnp.int32) * size + jnp.arange(size, dtype=jnp.int32)


def _kept(cell: PyTree, n_cells: int) -> int:
    """Cells in a chunk where paths are stored, given what is stored of each.

    All, if those of a block take little memory. Otherwise so many that little is stored: the
    paths in front of all chunks, then of all cells of one, and all but these are computed twice.
    """
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(cell))
    return n_cells if size * n_cells <= KEPT else max(1, round(n_cells**0.5))

"""The march: every ray advances cell by cell, all rays of a block at once.

It knows no model. It sees an `AbstractMedium`, a function from points to local coefficients,
and carries the rotation measure in front of the cell and the running sums; nothing of size
rays times cells exists. `backward` is the exact adjoint: it starts at the far end with the final
rotation measure, undoes cell after cell and collects the cotangents.
"""

import abc
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .._numerics._math import stored
from ._cells import AbstractSteps, Cells, cell_bounds
from ._quadrature import AbstractQuadrature, CellIntegral, Medium, cell_depth, integrate_cell


class Frame(NamedTuple):
    """Origin and orthonormal frame of each ray: (3, n_rays), the origin (3, n_rays or 1); kpc."""

    origin: Array
    direction: Array
    east: Array
    north: Array


class AbstractGeometry(eqx.Module):
    """What the march sees of the sightlines."""

    @abc.abstractmethod
    def frame(self) -> Frame:
        """Origins and directions."""

    @abc.abstractmethod
    def cells(self, steps: AbstractSteps) -> Cells:
        """Where the cells of each ray lie."""


class AbstractMedium(eqx.Module):
    """What the march sees of the Galaxy."""

    @abc.abstractmethod
    def coefficients(
        self, position: Float[Array, "3 n_nodes n_rays"], frame: Frame, cell: Array
    ) -> Medium:
        """Local coefficients at the nodes of cell number `cell` of each ray."""


class Problem(NamedTuple):
    """Everything a march depends on."""

    medium: AbstractMedium
    geometry: AbstractGeometry
    steps: AbstractSteps
    lambda_squared: Float[Array, "n_freq 1"] | None


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


class Totals(NamedTuple):
    """Sums over the whole ray; `depth` is the rotation measure (rad m^-2) or None."""

    emission: tuple[Float[Array, "_ n_rays"], ...]
    polarised: tuple[Array, Array] | None
    depth: Float[Array, " n_rays"] | None


def _take(tree: PyTree, start: Array, size: int) -> PyTree:
    """`size` rays of every leaf, from `start`."""
    return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, start, size, axis=-1), tree)


def _put(tree: PyTree, part: PyTree, start: Array) -> PyTree:
    put = lambda x, y: jax.lax.dynamic_update_slice_in_dim(x, y, start, axis=-1)
    return jax.tree.map(put, tree, part)


@dataclass(frozen=True)
class March:
    """The static part of a march: hashable, so one program serves all parameter values."""

    n_cells: int
    rule: AbstractQuadrature
    block: int
    chunk: int | None = None
    """Cells between checkpoints for plain reverse mode; None: store every cell."""

    def medium(self, problem: Problem, cells: Cells, k: Array) -> tuple[Medium, Array]:
        """The medium at the nodes of cell k of every ray of a block, and the cell's length."""
        frame = problem.geometry.frame()
        near, far = cell_bounds(cells, k, problem.steps)
        near, length = stored((near, far - near))
        # all nodes in one call: half the operations to compile, each over twice the points
        nodes = jnp.asarray(self.rule.nodes, length.dtype)[:, None]
        distance = stored(near + nodes * length)
        x, y, z = stored(
            tuple(o + distance * d for o, d in zip(frame.origin, frame.direction, strict=True))
        )
        here = problem.medium.coefficients(jnp.stack([x, y, z]), frame, k)
        return stored(here), length

    def cell(self, problem: Problem, cells: Cells, depth: Array | None, k: Array) -> CellIntegral:
        """Integrate cell k of every ray of a block, behind the rotation measure `depth`."""
        medium, length = self.medium(problem, cells, k)
        return integrate_cell(self.rule, medium, length, depth, problem.lambda_squared)

    def _zeros(self, arguments: Arguments) -> Totals:
        def one(problem: Problem) -> CellIntegral:
            frame = problem.geometry.frame()
            cells = problem.geometry.cells(problem.steps)
            depth = jnp.zeros_like(frame.direction[0])
            return self.cell(problem, cells, depth, jnp.zeros((), jnp.int32))

        shapes = eqx.filter_eval_shape(one, arguments.whole())
        return Totals(*jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes))

    def _forward_block(self, arguments: Arguments) -> Totals:
        problem = arguments.whole()
        cells = problem.geometry.cells(problem.steps)

        def body(totals: Totals, k: Array) -> tuple[Totals, None]:
            new = self.cell(problem, cells, totals.depth, k)
            return Totals(*jax.tree.map(jnp.add, tuple(totals), tuple(new))), None

        def run(totals: Totals, ks: Array) -> Totals:
            return jax.lax.scan(body, totals, ks)[0]

        totals, ks = self._zeros(arguments), jnp.arange(self.n_cells, dtype=jnp.int32)
        if self.chunk is None:
            return run(totals, ks)
        whole = self.n_cells // self.chunk * self.chunk
        chunks = ks[:whole].reshape(-1, self.chunk)
        saved = jax.checkpoint(lambda totals, ks: (run(totals, ks), None))
        totals, _ = jax.lax.scan(saved, totals, chunks)
        return run(totals, ks[whole:])

    def _layout(self, arguments: Arguments) -> tuple[int, int]:
        """Number of blocks, and rays in each; the last one overlaps the one before."""
        n_rays = arguments.n_rays()
        n_blocks = -(-n_rays // self.block)
        return n_blocks, -(-n_rays // n_blocks)

    def forward(self, arguments: Arguments) -> Totals:
        """Integrate every ray from its near to its far end."""
        n_blocks, size = self._layout(arguments)
        if n_blocks == 1:
            return self._forward_block(arguments)
        last = arguments.n_rays() - size

        def one(totals: Totals, i: Array) -> tuple[Totals, None]:
            start = jnp.minimum(i * size, last)
            here = Arguments(arguments.shared, _take(arguments.per_ray, start, size))
            return _put(totals, self._forward_block(here), start), None

        return jax.lax.scan(one, self._zeros(arguments), jnp.arange(n_blocks))[0]

    def _backward_block(
        self,
        moving: Arguments,
        still: Arguments,
        depth: Array | None,
        cotangent: Totals,
        shared_bar: Problem,
    ) -> Arguments:
        """Cotangents of one block, those of the shared leaves added to `shared_bar`."""

        def place(moving: Arguments) -> Cells:
            problem = eqx.combine(moving, still).whole()
            return problem.geometry.cells(problem.steps)

        cells, pull_place = jax.vjp(place, moving)
        total = Arguments(shared_bar, jax.tree.map(jnp.zeros_like, moving.per_ray))
        cells_bar = jax.tree.map(jnp.zeros_like, cells)

        def body(carry: Any, k: Array) -> tuple[Any, None]:
            depth, depth_bar, total = carry

            def inside(moving: Arguments, cells: Cells) -> tuple[Medium, Array, Array | None]:
                problem = eqx.combine(moving, still).whole()
                return *self.medium(problem, cells, k), problem.lambda_squared

            (medium, length, lambda_squared), pull_medium = jax.vjp(inside, moving, cells)
            if depth is not None:
                depth = depth - cell_depth(self.rule, medium, length)
            integrate = lambda medium, length, depth, lambda_squared: integrate_cell(
                self.rule, medium, length, depth, lambda_squared
            )
            _, pull_cell = jax.vjp(integrate, medium, length, depth, lambda_squared)
            out_bar = CellIntegral(cotangent.emission, cotangent.polarised, depth_bar)
            medium_bar, length_bar, behind_bar, lambda_bar = pull_cell(out_bar)
            new = pull_medium((medium_bar, length_bar, lambda_bar))
            if depth is not None:
                depth_bar = depth_bar + behind_bar
            return (depth, depth_bar, jax.tree.map(jnp.add, total, new)), None

        start = (depth, cotangent.depth, (total, cells_bar))
        ks = jnp.arange(self.n_cells, dtype=jnp.int32)
        (_, _, (total, cells_bar)), _ = jax.lax.scan(body, start, ks, reverse=True)
        (moving_bar,) = pull_place(cells_bar)
        return jax.tree.map(jnp.add, total, moving_bar)

    def backward(
        self, moving: Arguments, still: Arguments, depth: Array | None, cotangent: Totals
    ) -> Arguments:
        """Cotangents of the leaves in `moving` (None elsewhere), given those of the totals.

        **Arguments:** `moving`, `still`: the arguments of `forward`, partitioned. `depth`: the
        final rotation measure that `forward` returned.
        """
        both = eqx.combine(moving, still)
        n_blocks, size = self._layout(both)
        zeros = jax.tree.map(jnp.zeros_like, moving)
        if n_blocks == 1:
            return self._backward_block(moving, still, depth, cotangent, zeros.shared)
        last = both.n_rays() - size

        def one(total: Arguments, i: Array) -> tuple[Arguments, None]:
            start = jnp.minimum(i * size, last)
            take = lambda tree: _take(tree, start, size)
            fresh = start + jnp.arange(size) >= i * size  # each ray counts once
            bar = self._backward_block(
                Arguments(moving.shared, take(moving.per_ray)),
                Arguments(still.shared, take(still.per_ray)),
                take(depth),
                jax.tree.map(lambda x: jnp.where(fresh, x, 0.0), take(cotangent)),
                total.shared,
            )
            rays_bar = jax.tree.map(jnp.add, take(total.per_ray), bar.per_ray)
            return Arguments(bar.shared, _put(total.per_ray, rays_bar, start)), None

        return jax.lax.scan(one, zeros, jnp.arange(n_blocks))[0]

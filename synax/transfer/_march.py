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

from .._math import stored
from ._cells import cell_bounds
from ._quadrature import AbstractQuadrature, CellIntegral, Medium, cell_depth, integrate_cell


class Frame(NamedTuple):
    """Origin and orthonormal frame of each ray: (3, n_rays), the origin also (3, 1); kpc."""

    origin: Array | None
    direction: Array
    east: Array
    north: Array


class AbstractMedium(eqx.Module):
    """What the march sees of the Galaxy."""

    @abc.abstractmethod
    def coefficients(
        self, position: Float[Array, "3 n_nodes n_rays"], frame: Frame, cell: Array
    ) -> Medium:
        """Local coefficients at the nodes of cell number `cell` of each ray."""


class Arguments(NamedTuple):
    """Everything a march depends on, split by whether it has a last axis of rays."""

    shared: PyTree
    """(medium without per-ray leaves, steps, lambda_squared (n_freq, 1) or None, shared origin)"""
    per_ray: PyTree
    """(Frame with per-ray leaves, Cells, per-ray leaves of the medium)"""


class Totals(NamedTuple):
    """Sums over the whole ray; `depth` is the rotation measure (rad m^-2) or None."""

    emission: tuple[Float[Array, "_ n_rays"], ...]
    polarised: tuple[Array, Array] | None
    depth: Float[Array, " n_rays"] | None


def _blocks(tree: PyTree, n_blocks: int, size: int) -> PyTree:
    """(..., n_rays) -> (n_blocks, ..., size), the last ray repeated to fill up."""

    def split(x: Array) -> Array:
        missing = n_blocks * size - x.shape[-1]
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)], mode="edge")
        return jnp.moveaxis(x.reshape((*x.shape[:-1], n_blocks, size)), -2, 0)

    return jax.tree.map(split, tree)


def _joined(tree: PyTree, n_rays: int) -> PyTree:
    """The inverse of `_blocks`."""

    def join(x: Array) -> Array:
        x = jnp.moveaxis(x, 0, -2)
        return x.reshape((*x.shape[:-2], -1))[..., :n_rays]

    return jax.tree.map(join, tree)


@dataclass(frozen=True)
class March:
    """The static part of a march: hashable, so one program serves all parameter values."""

    n_cells: int
    rule: AbstractQuadrature
    block: int
    chunk: int | None = None
    """Cells between checkpoints for plain reverse mode; None: store every cell."""

    def medium(self, arguments: Arguments, k: Array) -> tuple[Medium, Array]:
        """The medium at the nodes of cell k of every ray of a block, and the cell's length."""
        medium, steps, _, origin = arguments.shared
        frame, cells, medium_rays = arguments.per_ray
        medium = eqx.combine(medium, medium_rays)
        if origin is not None:
            frame = frame._replace(origin=origin)
        near, far = cell_bounds(cells, k, steps)
        length = far - near
        # all nodes in one call: half the operations to compile, each over twice the points
        nodes = jnp.asarray(self.rule.nodes, length.dtype)[:, None]
        near, length = stored((near, length))
        distance = stored(near + nodes * length)
        x, y, z = stored(
            tuple(o + distance * d for o, d in zip(frame.origin, frame.direction, strict=True))
        )
        return stored(medium.coefficients(jnp.stack([x, y, z]), frame, k)), length

    def cell(self, arguments: Arguments, depth: Array | None, k: Array) -> CellIntegral:
        """Integrate cell k of every ray of a block, behind the rotation measure `depth`."""
        medium, length = self.medium(arguments, k)
        return integrate_cell(self.rule, medium, length, depth, arguments.shared[2])

    def _start(self, arguments: Arguments) -> Totals:
        frame = arguments.per_ray[0]
        depth = jnp.zeros_like(frame.direction[0])
        shapes = eqx.filter_eval_shape(self.cell, arguments, depth, jnp.zeros((), jnp.int32))
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        return Totals(*zeros)

    def _forward_block(self, arguments: Arguments) -> Totals:
        def body(totals: Totals, k: Array) -> tuple[Totals, None]:
            new = self.cell(arguments, totals.depth, k)
            return Totals(*jax.tree.map(jnp.add, tuple(totals), tuple(new))), None

        def run(totals: Totals, ks: Array) -> Totals:
            return jax.lax.scan(body, totals, ks)[0]

        totals, ks = self._start(arguments), jnp.arange(self.n_cells, dtype=jnp.int32)
        if self.chunk is None:
            return run(totals, ks)
        whole = self.n_cells // self.chunk * self.chunk
        chunks = ks[:whole].reshape(-1, self.chunk)
        saved = jax.checkpoint(lambda totals, ks: (run(totals, ks), None))
        totals, _ = jax.lax.scan(saved, totals, chunks)
        return run(totals, ks[whole:])

    def _layout(self, arguments: Arguments) -> tuple[int, int, int]:
        n_rays = arguments.per_ray[0].direction.shape[-1]
        n_blocks = -(-n_rays // self.block)
        return n_rays, n_blocks, -(-n_rays // n_blocks)

    def forward(self, arguments: Arguments) -> Totals:
        """Integrate every ray from its near to its far end."""
        n_rays, n_blocks, size = self._layout(arguments)
        if n_blocks == 1:
            return self._forward_block(arguments)

        def one(per_ray: PyTree) -> Totals:
            return self._forward_block(Arguments(arguments.shared, per_ray))

        totals = jax.lax.map(one, _blocks(arguments.per_ray, n_blocks, size))
        return _joined(totals, n_rays)

    def _backward_block(
        self,
        moving: Arguments,
        still: Arguments,
        depth: Array | None,
        cotangent: Totals,
        shared_bar: PyTree,
    ) -> Arguments:
        """Cotangents of one block, those of the shared leaves added to `shared_bar`."""
        total = Arguments(shared_bar, jax.tree.map(jnp.zeros_like, moving.per_ray))

        def body(carry: Any, k: Array) -> tuple[Any, None]:
            depth, depth_bar, total = carry

            def inside(moving: Arguments) -> tuple[Medium, Array, Array | None]:
                arguments = eqx.combine(moving, still)
                return *self.medium(arguments, k), arguments.shared[2]

            (medium, length, lambda_squared), pull_medium = jax.vjp(inside, moving)
            if depth is not None:
                depth = depth - cell_depth(self.rule, medium, length)
            integrate = lambda medium, length, depth, lambda_squared: integrate_cell(
                self.rule, medium, length, depth, lambda_squared
            )
            _, pull_cell = jax.vjp(integrate, medium, length, depth, lambda_squared)
            out_bar = CellIntegral(cotangent.emission, cotangent.polarised, depth_bar)
            medium_bar, length_bar, behind_bar, lambda_bar = pull_cell(out_bar)
            (moving_bar,) = pull_medium((medium_bar, length_bar, lambda_bar))
            if depth is not None:
                depth_bar = depth_bar + behind_bar
            return (depth, depth_bar, jax.tree.map(jnp.add, total, moving_bar)), None

        start = (depth, cotangent.depth, total)
        ks = jnp.arange(self.n_cells, dtype=jnp.int32)
        (_, _, total), _ = jax.lax.scan(body, start, ks, reverse=True)
        return total

    def backward(
        self, moving: Arguments, still: Arguments, depth: Array | None, cotangent: Totals
    ) -> Arguments:
        """Cotangents of the leaves in `moving` (None elsewhere), given those of the totals.

        **Arguments:** `moving`, `still`: the arguments of `forward`, partitioned. `depth`: the
        final rotation measure that `forward` returned.
        """
        n_rays, n_blocks, size = self._layout(eqx.combine(moving, still))
        zeros = jax.tree.map(jnp.zeros_like, moving.shared)
        if n_blocks == 1:
            return self._backward_block(moving, still, depth, cotangent, zeros)
        split = _blocks((moving.per_ray, still.per_ray, depth), n_blocks, size)
        missing = n_blocks * size - n_rays
        padded = jax.tree.map(
            lambda x: jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)]), cotangent
        )
        split = (*split, _blocks(padded, n_blocks, size))

        def one(shared_bar: PyTree, block: Any) -> tuple[PyTree, PyTree]:
            moving_rays, still_rays, depth, cotangent = block
            bar = self._backward_block(
                Arguments(moving.shared, moving_rays),
                Arguments(still.shared, still_rays),
                depth,
                cotangent,
                shared_bar,
            )
            return bar.shared, bar.per_ray

        shared_bar, rays_bar = jax.lax.scan(one, zeros, split)
        return Arguments(shared_bar, _joined(rays_bar, n_rays))

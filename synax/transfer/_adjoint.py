"""How a march is differentiated: strategies the user passes to a simulator.

All give the same derivatives; they differ in memory, time and in which modes they allow.
"""

import abc
import dataclasses
import math
from typing import Any

import equinox as eqx
import jax

from .._numerics._linear import linear_call
from ._march import Arguments, March, State


class AbstractAdjoint(eqx.Module):
    """A way to run a march so that it can be differentiated."""

    @abc.abstractmethod
    def run(self, march: March, arguments: Arguments) -> State:
        """The last state of the march, differentiable in the adjoint's own way."""


class ReversibleAdjoint(AbstractAdjoint):
    """The default: reverse mode walks each ray back, undoing cell after cell.

    Memory: a few numbers per ray, whatever the number of steps, frequencies and parameters. A law
    of light that cannot be undone (`Polarised`) stores its path before some cells of one block of
    rays, and recomputes those between.
    Forward mode, vmap and second derivatives (Hessian-vector products, forward over reverse, in
    the same constant memory) work as well.
    """

    def run(self, march: March, arguments: Arguments) -> State:
        return _reversible(arguments, march=march)


class RecomputeAdjoint(AbstractAdjoint):
    """Plain reverse mode with checkpoints: memory of order sqrt(steps) per ray.

    `chunk`: cells between checkpoints; default: the square root of their number.
    """

    chunk: int | None = eqx.field(static=True, default=None)

    def run(self, march: March, arguments: Arguments) -> State:
        chunk = self.chunk or max(1, round(math.sqrt(march.n_cells)))
        return dataclasses.replace(march, checkpoint=chunk).forward(arguments)


class ForwardMode(AbstractAdjoint):
    """Forward mode only (jvp, jacfwd, Fisher matrices), without the second pass of the default.

    Reverse mode raises `TypeError`.
    """

    def run(self, march: March, arguments: Arguments) -> State:
        leaves, structure = jax.tree.flatten(march.forward(arguments))
        leaves = linear_call(_identity, _refuse, [], leaves, like=leaves)
        return jax.tree.unflatten(structure, leaves)


class DirectAdjoint(AbstractAdjoint):
    """JAX's own differentiation of the loop: stores every cell. The reference in tests."""

    def run(self, march: March, arguments: Arguments) -> State:
        return march.forward(arguments)


def _identity(residuals: list[Any], operands: list[Any]) -> list[Any]:
    del residuals
    return operands


def _refuse(residuals: list[Any], cotangents: list[Any]) -> list[Any]:
    raise TypeError(
        "adjoint=ForwardMode() allows jax.jvp and jax.jacfwd only; for jax.grad and jax.vjp give "
        "the simulator adjoint=synax.ReversibleAdjoint()"
    )


@eqx.filter_custom_jvp
def _reversible(arguments: Arguments, *, march: March) -> State:
    return march.forward(arguments)


@_reversible.def_jvp
def _reversible_jvp(primals: Any, tangents: Any, *, march: March) -> tuple[State, State]:
    (arguments,), (moves,) = primals, tangents
    state = march.forward(arguments)
    moves = jax.tree.map(lambda x, t: t, arguments, moves, is_leaf=lambda x: x is None)
    spec = jax.tree.map(lambda x, t: t is not None, arguments, moves)
    moving, still = eqx.partition(arguments, spec)
    arrays, rest = eqx.partition(still, eqx.is_array)
    residuals, residual_tree = jax.tree.flatten((moving, arrays, state.path))
    operands, operand_tree = jax.tree.flatten(moves)
    state_tree = jax.tree.structure(state)

    def forward(residuals: list[Any], operands: list[Any]) -> list[Any]:
        moving, arrays, _ = jax.tree.unflatten(residual_tree, residuals)
        moves = jax.tree.unflatten(operand_tree, operands)
        run = lambda moving: march.forward(eqx.combine(moving, arrays, rest))
        return jax.tree.leaves(jax.jvp(run, (moving,), (moves,))[1])

    def transpose(residuals: list[Any], cotangents: list[Any]) -> list[Any]:
        moving, arrays, path = jax.tree.unflatten(residual_tree, residuals)
        cotangent = jax.tree.unflatten(state_tree, cotangents)
        bar = march.backward(moving, eqx.combine(arrays, rest), path, cotangent)
        return jax.tree.leaves(bar)

    out = linear_call(forward, transpose, residuals, operands, like=jax.tree.leaves(state))
    return state, jax.tree.unflatten(state_tree, out)

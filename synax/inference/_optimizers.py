"""Optimisers as kernels: `init` and `advance`, for gradients (optax) and for curvature."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._shown import Shown
from ._damping import Damping
from ._objective import AbstractCurvedObjective, AbstractObjective, Quadratic, Vector

Scalar = Float[Array, ""]


class Progress(NamedTuple):
    """Where an optimiser stands: all arrays, so it can be written to disk as it is."""

    x: Any
    """Where the next step starts."""
    internal: Any
    """The optimiser's own state."""
    best: Any
    """The point of the lowest loss seen."""
    loss: Scalar
    """Lowest loss seen."""
    promise: Scalar
    """What a quadratic model expects a further step to gain; infinite where there is none."""


class GaussNewton(Shown):
    """Levenberg-Marquardt with the Gauss-Newton matrix as products only: for parameters and grids.

    Each step solves (J^T J + prior curvature + mu) d = -gradient by conjugate gradients; one
    product costs a forward and a reverse sweep. Few, expensive steps: much faster than gradient
    descent where the scales of the parameters differ, or priors and data compete.

    **Arguments:**

    - `damping`: initial mu, in units of the curvature along the gradient.
    - `cg_steps`, `cg_tolerance`: when conjugate gradients stop: at this many products, or when the
      residual of the linear system has fallen by this factor.

    **Reference:** Levenberg 1944, Q. Appl. Math. 2, 164; damping rule of Nielsen 1999,
    IMM-REP-1999-05.
    """

    damping: float = 1e-3
    cg_steps: int = 50
    cg_tolerance: float = 1e-2

    def __check_init__(self):
        if not (self.damping > 0 and self.cg_tolerance > 0 and self.cg_steps >= 1):
            raise ValueError("damping, cg_steps and cg_tolerance must be positive")


class AbstractKernel(eqx.Module):
    """How to get from one `Progress` to the next."""

    @abc.abstractmethod
    def init(self, objective: AbstractObjective, x: Any) -> Progress:
        """The state before the first step."""

    @abc.abstractmethod
    def step(self, objective: AbstractObjective, state: Progress) -> Progress:
        """One step."""

    def advance(self, objective: AbstractObjective, state: Progress, steps: int) -> Progress:
        """Several steps, by one program whatever their number."""
        return self._advance(objective, state, jnp.asarray(steps))

    @eqx.filter_jit
    def _advance(
        self, objective: AbstractObjective, state: Progress, steps: Int[Array, ""]
    ) -> Progress:
        return jax.lax.fori_loop(0, steps, lambda _, s: self.step(objective, s), state)


class OptaxKernel(AbstractKernel):
    """Any optax gradient transformation, also those that search along lines (optax.lbfgs)."""

    transformation: Any

    def init(self, objective: AbstractObjective, x: Any) -> Progress:
        infinity = jnp.asarray(jnp.inf, jax.eval_shape(objective.loss, x).dtype)
        return Progress(x, self.transformation.init(x), x, infinity, infinity)

    def step(self, objective: AbstractObjective, state: Progress) -> Progress:
        import optax

        transformation = optax.with_extra_args_support(self.transformation)
        value, gradient = jax.value_and_grad(objective.loss)(state.x)
        better = value < state.loss
        keep = lambda new, old: jnp.where(better, new, old)
        best = jax.tree.map(keep, state.x, state.best)
        updates, internal = transformation.update(
            gradient, state.internal, state.x, value=value, grad=gradient, value_fn=objective.loss
        )
        x = optax.apply_updates(state.x, updates)
        return Progress(x, internal, best, keep(value, state.loss), state.promise)


class GaussNewtonKernel(AbstractKernel):
    """`GaussNewton` on an objective with curvature."""

    settings: GaussNewton

    def init(self, objective: AbstractObjective, x: Any) -> Progress:
        loss = eqx.filter_jit(objective.loss)(x)
        infinity = jnp.full_like(loss, jnp.inf)
        return Progress(x, Damping.start(self.settings.damping, loss), x, loss, infinity)

    def step(self, objective: AbstractObjective, state: Progress) -> Progress:
        assert isinstance(objective, AbstractCurvedObjective)  # `as_objective` sees to it
        here = objective.quadratic(state.x)
        move, promise = self._solve(here, state.internal.value)
        trial = state.x + move
        value = objective.loss(trial)
        damping, good = state.internal.after(here.loss - value, promise)
        x = jnp.where(good, trial, state.x)
        return Progress(x, damping, x, jnp.where(good, value, here.loss), promise)

    def _solve(self, here: Quadratic, damping: Scalar) -> tuple[Vector, Scalar]:
        """The damped step by conjugate gradients, and what the quadratic model expects of it.

        The matrix is compiled at one place only: the curvature along the gradient is that of the
        first iteration, and the step's own follows from the residual that is left.
        """
        down = -here.gradient
        square = jnp.sum(down * down)

        def unsolved(state: tuple[Any, ...]) -> Bool[Array, ""]:
            count, _, _, _, left, _ = state
            return (left > self.settings.cg_tolerance**2 * square) & (
                count < self.settings.cg_steps
            )

        def iterate(state: tuple[Any, ...]) -> tuple[Any, ...]:
            count, move, residual, along, left, shift = state
            curved = here.product(along)
            shift = jnp.where(count == 0, damping * jnp.sum(along * curved) / square, shift)
            curved = curved + shift * along
            length = left / jnp.sum(along * curved)
            residual = residual - length * curved
            now = jnp.sum(residual * residual)
            move = move + length * along
            return count + 1, move, residual, residual + now / left * along, now, shift

        begin = (0, jnp.zeros_like(down), down, down, square, jnp.zeros_like(square))
        _, move, residual, _, _, shift = jax.lax.while_loop(unsolved, iterate, begin)
        bent = jnp.sum(move * (down - residual)) - shift * jnp.sum(move * move)
        return move, jnp.sum(move * down) - 0.5 * bent


def as_kernel(optimizer: Any) -> AbstractKernel:
    """The kernel of an optimiser: `GaussNewton()` or an optax gradient transformation.

    **Raises** `TypeError` for anything else.
    """
    if isinstance(optimizer, GaussNewton):
        return GaussNewtonKernel(optimizer)
    if callable(getattr(optimizer, "init", None)) and callable(getattr(optimizer, "update", None)):
        return OptaxKernel(optimizer)
    raise TypeError(
        "optimizer must be synax.GaussNewton() or an optax gradient transformation such as "
        f"optax.adam(1e-2), got {type(optimizer).__name__}"
    )

"""Optimisers as kernels: `init` and `advance`, for gradients (optax) and for curvature."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._damping import Damping
from ._objective import AbstractCurvedObjective, AbstractObjective

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


class GaussNewton(eqx.Module):
    """Levenberg-Marquardt with the Gauss-Newton matrix as products only: for parameters and grids.

    Each step solves (J^T J + prior curvature + mu) d = -gradient by conjugate gradients; one
    product costs a forward and a reverse sweep. Few, expensive steps: much faster than gradient
    descent where the scales of the parameters differ, or priors and data compete.

    **Arguments:** `damping`: initial mu, in units of the curvature along the gradient.
    `cg_steps`, `cg_tolerance`: when conjugate gradients stop: at this many products, or when the
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
    def advance(self, objective: AbstractObjective, state: Progress, steps: int) -> Progress:
        """Several steps; jitted, `steps` is static."""


class OptaxKernel(AbstractKernel):
    """Any optax gradient transformation, also those that search along lines (optax.lbfgs)."""

    transformation: Any

    def init(self, objective: AbstractObjective, x: Any) -> Progress:
        infinity = jnp.asarray(jnp.inf, jax.eval_shape(objective.loss, x).dtype)
        return Progress(x, self.transformation.init(x), x, infinity, infinity)

    @eqx.filter_jit
    def advance(self, objective: AbstractObjective, state: Progress, steps: int) -> Progress:
        import optax

        transformation = optax.with_extra_args_support(self.transformation)

        def step(state: Progress, _: None) -> tuple[Progress, None]:
            value, gradient = jax.value_and_grad(objective.loss)(state.x)
            better = value < state.loss
            keep = lambda new, old: jnp.where(better, new, old)
            best = jax.tree.map(keep, state.x, state.best)
            updates, internal = transformation.update(
                gradient, state.internal, state.x, value=value, grad=gradient,
                value_fn=objective.loss,
            )  # fmt: skip
            x = optax.apply_updates(state.x, updates)
            return Progress(x, internal, best, keep(value, state.loss), state.promise), None

        return jax.lax.scan(step, state, length=steps)[0]


class GaussNewtonKernel(AbstractKernel):
    """`GaussNewton` on an objective with curvature."""

    settings: GaussNewton

    def init(self, objective: AbstractObjective, x: Any) -> Progress:
        loss = eqx.filter_jit(objective.loss)(x)
        infinity = jnp.full_like(loss, jnp.inf)
        return Progress(x, Damping.start(self.settings.damping, loss), x, loss, infinity)

    @eqx.filter_jit
    def advance(self, objective: AbstractCurvedObjective, state: Progress, steps: int) -> Progress:
        return jax.lax.fori_loop(0, steps, lambda _, s: self._step(objective, s), state)

    def _step(self, objective: AbstractCurvedObjective, state: Progress) -> Progress:
        x, damping = state.x, state.internal
        here = objective.quadratic(x)
        g = here.gradient
        square = jnp.sum(g * g)
        flat = square <= 0.0
        scale = jnp.sum(g * here.product(g)) / jnp.where(flat, 1.0, square)
        shifted = lambda v: here.product(v) + damping.value * scale * v
        d, _ = jax.scipy.sparse.linalg.cg(
            shifted, -g, tol=self.settings.cg_tolerance, maxiter=self.settings.cg_steps
        )
        promise = -jnp.sum(g * d) - 0.5 * jnp.sum(d * here.product(d))
        trial = x + d
        value = objective.loss(trial)
        new, good = damping.after(here.loss - value, promise)
        x = jnp.where(good, trial, x)
        return Progress(x, new, x, jnp.where(good, value, here.loss), promise)


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

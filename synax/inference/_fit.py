"""Fits: a posterior or a loss made small, until it has converged or begins to overfit."""

import contextlib
import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from ._likelihood import AbstractLikelihood
from ._objective import AbstractCurvedObjective, AbstractObjective, PosteriorObjective, as_objective
from ._optimizers import GaussNewton, GaussNewtonKernel, Progress, as_kernel


class FitStep(NamedTuple):
    """What a callback is told after every check."""

    step: int
    loss: float
    validation: float
    """NaN without validation."""


@dataclasses.dataclass(frozen=True)
class Fit:
    """The result of `fit`."""

    model: Any
    """The best model: the one of the lowest validation loss, or of the lowest loss."""
    params: Any
    """Its free parameters: {path: value} for a posterior, else a PyTree with None elsewhere."""
    latent: Any
    """For a posterior, its latent vector; else None."""
    loss: float
    """Loss of the best model."""
    validation: float
    """Validation loss of the best model; NaN without validation."""
    history: dict[str, np.ndarray]
    """'step', 'loss' and 'validation' at every check."""
    reason: str
    """Why the fit stopped, in words."""
    converged: bool
    """False if it stopped only because the steps were used up, or the loss was not finite."""

    def __repr__(self) -> str:
        steps = int(self.history["step"][-1]) if len(self.history["step"]) else 0
        return f"Fit(loss={self.loss:.6g}, steps={steps}, {self.reason})"


class Watch(NamedTuple):
    """What the stopping rules remember: plain numbers, written to disk with the state."""

    step: int = 0
    reference: float = math.inf
    """Loss that counts as the last real improvement."""
    still: int = 0
    """Checks since then."""
    lowest: float = math.inf
    """Lowest validation loss."""
    worse: int = 0
    """Checks since then."""


def fit(
    target: Any,
    start: Any = None,
    *,
    free: Any = None,
    optimizer: Any = None,
    steps: int = 200,
    validation: Any = None,
    check_every: int | None = None,
    tolerance: float = 1e-6,
    patience: int = 5,
    callback: Callable[[FitStep], Any] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Make a loss small: grids and parameters alike.

    **Arguments:**

    - `target`: a `Posterior` (its most probable point is sought, in latent space),
      `LeastSquares(residuals)`, or a function of a PyTree that returns the loss.
    - `start`: the PyTree to start from, for instance a simulator; for a posterior parameter
      values, a latent vector, or None for the values in the model.
    - `free`: which arrays of `start` vary: a filter such as `synax.select(sky, "magnetic")`;
      default: all floating-point arrays. Not with a posterior, whose priors say it.
    - `optimizer`: an optax gradient transformation, or `GaussNewton()`, which is the default
      where curvature is known (posteriors, least squares); else optax.adam(1e-2).
    - `steps`: at most this many steps.
    - `validation`: held-out data, a likelihood or a function of the model that returns a number
      (lower is better): the best model is the one that predicts them best, and the fit stops when
      `patience` checks brought no better one.
    - `check_every`: steps between checks (default: 1 with GaussNewton, 10 with optax).
    - `tolerance`, `patience`: the fit has converged when the loss has fallen by less than the
      fraction `tolerance` over `patience` checks, or when the quadratic model of GaussNewton
      promises less than that.
    - `callback`: called with a `FitStep` after every check; the fit stops if it returns True.
    - `checkpoint`: a folder (or an open `Run`): the state is written there, and a fit that was
      interrupted goes on from it to the same result; refused for another problem.

    **Returns** a `Fit`.

    **Raises** `ValueError` or `TypeError` that names the argument at fault.

    ```python
    best = synax.fit(posterior, optimizer=optax.adam(0.05), steps=500)
    ```
    """
    _check_positive(steps=steps, patience=patience)
    curved = None if optimizer is None else isinstance(optimizer, GaussNewton)
    objective, x = as_objective(target, start, free, curved)
    if optimizer is None:
        optimizer = _default(objective)
    kernel = as_kernel(optimizer)
    if check_every is None:
        check_every = 1 if isinstance(kernel, GaussNewtonKernel) else 10
    _check_positive(check_every=check_every)
    judge = None if validation is None else _judge(validation)
    settings = {"check_every": check_every, "tolerance": tolerance, "patience": patience}
    progress, watch, chosen = kernel.init(objective, x), Watch(), x
    history: list[FitStep] = []
    if checkpoint is None:
        opened = contextlib.nullcontext()
    else:
        from ._runs import open_run

        parts = {"target": target, "start": x, "optimizer": optimizer, "validation": validation}
        opened = open_run(checkpoint, "fit", settings, parts)
    with opened as run:
        saved = None if run is None else run.restore((progress, chosen))
        if saved is not None:
            (progress, chosen), note = saved
            watch, history = Watch(**note["watch"]), [FitStep(*row) for row in note["history"]]
        reason, converged = _stopped(watch, history, progress, tolerance, patience)
        while reason is None and watch.step < steps:
            progress = kernel.advance(objective, progress, min(check_every, steps - watch.step))
            loss = float(progress.loss)
            score = math.nan if judge is None else float(judge(objective, progress.x))
            step = watch.step + min(check_every, steps - watch.step)
            improved = loss < watch.reference - tolerance * abs(watch.reference) or not history
            better = score < watch.lowest
            if better:
                chosen = progress.x
            watch = Watch(
                step,
                loss if improved else watch.reference,
                0 if improved else watch.still + 1,
                score if better else watch.lowest,
                0 if better or judge is None else watch.worse + 1,
            )
            history.append(FitStep(step, loss, score))
            reason, converged = _stopped(watch, history, progress, tolerance, patience)
            if callback is not None and callback(history[-1]) is True and reason is None:
                reason, converged = "stopped by the callback", False
            if run is not None:
                note = {"watch": watch._asdict(), "history": [list(h) for h in history]}
                run.log("check", step=step, loss=loss, validation=score)
                run.save((progress, chosen), note, force=reason is not None or step >= steps)
    if reason is None:
        reason, converged = f"all {steps} steps were used", False
    best = progress.best if judge is None else chosen
    return _result(objective, best, judge, history, reason, converged)


def _stopped(
    watch: Watch, history: list[FitStep], progress: Progress, tolerance: float, patience: int
) -> tuple[str | None, bool]:
    if not history:
        return None, False
    loss = history[-1].loss
    if not math.isfinite(loss) or not _finite(progress.x):
        return "the loss is no longer finite", False
    if watch.worse >= patience:
        return f"validation has not improved for {patience} checks", True
    if float(progress.promise) <= tolerance * max(abs(loss), 1e-300):
        return "converged: no further step promises a gain", True
    if watch.still >= patience:
        return f"converged: the loss has not fallen for {patience} checks", True
    return None, False


def _finite(x: Any) -> bool:
    return all(bool(np.all(np.isfinite(leaf))) for leaf in jax.tree.leaves(x))


def _default(objective: AbstractObjective) -> Any:
    if isinstance(objective, AbstractCurvedObjective):
        return GaussNewton()
    import optax

    return optax.adam(1e-2)


def _judge(validation: Any) -> Callable[[AbstractObjective, Any], Any]:
    if isinstance(validation, AbstractLikelihood):
        count = validation.count
        score = lambda model: -validation.logpdf(model) / count
    elif callable(validation):
        score = validation
    else:
        raise TypeError(
            "validation must be a likelihood or a function of the model, "
            f"got {type(validation).__name__}"
        )
    return eqx.filter_jit(lambda objective, x: score(objective.model(x)))


def _result(
    objective: AbstractObjective,
    best: Any,
    judge: Any,
    history: list[FitStep],
    reason: str,
    converged: bool,
) -> Fit:
    latent, params = None, best
    if isinstance(objective, PosteriorObjective):
        latent, params = best, objective.posterior.constrain(best)
    elif not isinstance(objective, AbstractCurvedObjective):
        params = best
    else:
        params = objective.unravel(best)  # type: ignore[attr-defined]
    return Fit(
        objective.model(best),
        params,
        latent,
        float(eqx.filter_jit(objective.loss)(best)),
        math.nan if judge is None else float(judge(objective, best)),
        {name: np.array([getattr(h, name) for h in history]) for name in FitStep._fields},
        reason,
        converged,
    )


def _check_positive(**values: Any) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")

"""Fits: a posterior or a loss made small, until it has converged or begins to overfit."""

import contextlib
import dataclasses
import html
import logging
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from .. import _shown
from .._checks import random_key, warn
from .._progress import progress_bar
from ._box import boxed
from ._density import LatentDensity, Params
from ._diagnostics import ConvergenceWarning
from ._goodness import Goodness, goodness, goodness_of_loss, goodness_of_squares
from ._laplace import off_bounds, search
from ._likelihood import AbstractLikelihood
from ._objective import (
    AbstractCurvedObjective,
    AbstractObjective,
    PosteriorObjective,
    ResidualObjective,
    as_objective,
)
from ._optimizers import AbstractKernel, GaussNewton, GaussNewtonKernel, Progress, as_kernel
from ._search import MOST_PARAMETERS, Maxima, searches_for

LOG = logging.getLogger("synax")


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
    goodness: Goodness
    """chi^2, errors, correlations, maxima, and the verdict with its warnings."""

    @property
    def verdict(self) -> str:
        """Whether the model describes the data, in words."""
        return self.goodness.verdict

    @property
    def chi2(self) -> float:
        """Sum of squares of the residuals in units of the noise; NaN for a plain loss."""
        return self.goodness.chi2

    @property
    def degrees_of_freedom(self) -> float:
        """Data less the parameters that they determine; NaN for a plain loss."""
        return self.goodness.degrees_of_freedom

    @property
    def p_value(self) -> float:
        """Probability that noise alone gives a larger chi^2; NaN where it has no known law."""
        return self.goodness.p_value

    @property
    def errors(self) -> dict[str, np.ndarray]:
        """Standard deviations {path: array}, from the Fisher matrix and the priors."""
        return self.goodness.errors

    def __repr__(self) -> str:
        return "\n".join([f"Fit ({self.reason})", *self.table()])

    def _repr_html_(self) -> str:
        g, lines = self.goodness, []
        for path, value in (self.params if self.latent is not None else {}).items():
            error = g.errors.get(path)
            spread = "" if error is None else _shown.number(error)
            lines.append(_shown.Row(path, _shown.number(value), spread, g.units.get(path, "")))
        heading = f"Fit ({self.reason}): {self.verdict}"
        notes = "".join(f"<p>{html.escape(w)}</p>" for w in g.warnings if w != g.verdict)
        return _shown.as_html(heading, lines, ("parameter", "value", "error", "unit")) + notes

    def table(self) -> list[str]:
        """The verdict, a line for each parameter, the strongest correlation, the warnings."""
        steps = int(self.history["step"][-1]) if len(self.history["step"]) else 0
        lines = [f"  {self.verdict}", f"  loss {self.loss:.6g} after {steps} steps"]
        g = self.goodness
        if self.latent is not None:
            lines += [f"  {text}" for text in _parameter_lines(self.params, g)]
        if g.correlation is not None and len(g.correlation) > 1:
            off = np.abs(np.triu(g.correlation, 1))
            i, j = np.unravel_index(int(np.nanargmax(off)), off.shape)
            lines.append(
                f"  strongest correlation {g.correlation[i, j]:+.2f}: {g.labels[i]}, {g.labels[j]}"
            )
        shown = [w for w in g.warnings if w != g.verdict]
        return [*lines, *(f"  WARNING: {text}" for text in shown)]


def _parameter_lines(params: Params, goodness: Goodness) -> list[str]:
    width = max((len(path) for path in params), default=0)
    lines = []
    for path, value in params.items():
        value, unit = np.asarray(value), goodness.units.get(path, "")
        if value.size != 1:
            lines.append(f"{path:<{width}}  array of shape {value.shape} {unit}".rstrip())
            continue
        error = goodness.errors.get(path)
        spread = "" if error is None else f" +- {float(np.squeeze(error)):.2g}"
        lines.append(f"{path:<{width}}  {float(np.squeeze(value)):.6g}{spread} {unit}".rstrip())
    return lines


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
    restarts: int | None = None,
    key: Any = None,
    check: bool = True,
    progress: bool | None = None,
) -> Fit:
    """Make a loss small: grids and parameters alike.

    **Arguments:**

    - `target`: a `Posterior` (its most probable point is sought, in latent space),
      `LeastSquares(residuals)`, or a function of a PyTree that returns the loss.
    - `start`: the PyTree to start from, for instance a simulator; for a posterior parameter
      values, a latent vector, or None for the values in the model.
    - `free`: which arrays of `start` vary: a path such as "magnetic", several in a tuple,
      or a filter such as `synax.select` gives; default: all floating-point arrays. Not with a
      posterior, whose priors say it.
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
    - `restarts`: for a posterior, searches that begin at draws of the prior, beside the one from
      `start`; the best is refined. Default: 8 for up to 64 free numbers with GaussNewton, else 0.
      With more numbers each start is given a tenth of the steps before the best goes on.
    - `key`: for these draws; default `jax.random.key(0)`.
    - `progress`: show a bar on standard error; default: where that is a terminal. The logger
      `synax` tells, at level INFO, what the search for the maxima does.
    - `check`: emit a `ConvergenceWarning` where the fit is bad or several maxima compete.

    **Returns** a `Fit`; printing it shows the verdict, parameters with errors and units.

    **Raises** `ValueError` or `TypeError` that names the argument at fault.

    ```python
    best = synax.fit(posterior, optimizer=optax.adam(0.05), steps=500)
    ```
    """
    _check_positive(steps=steps, patience=patience)
    curved = None if optimizer is None else isinstance(optimizer, GaussNewton)
    searches = _searches(target, restarts, curved)
    objective, x = as_objective(target, start, free, curved, or_prior=searches > 0)
    if optimizer is None:
        optimizer = _default(objective)
    kernel = as_kernel(optimizer)
    if check_every is None:
        check_every = 1 if isinstance(kernel, GaussNewtonKernel) else 10
    _check_positive(check_every=check_every)
    judge = None if validation is None else _judge(validation)
    settings = {"check_every": check_every, "tolerance": tolerance, "patience": patience}
    with progress_bar(progress, "fit", steps, "searching, compiling") as tell:
        watch, found = Watch(), None
        first = x
        if searches and isinstance(objective, PosteriorObjective):
            x, found = _searched(objective, kernel, x, searches, key, steps)
        state, chosen = kernel.init(objective, x), x
        history: list[FitStep] = []
        if checkpoint is None:
            opened = contextlib.nullcontext()
        else:
            from ._runs import open_run

            parts = {
                "target": target,
                "start": first,
                "optimizer": optimizer,
                "validation": validation,
            }
            opened = open_run(checkpoint, "fit", settings, parts)
        with opened as run:
            saved = None if run is None else run.restore((state, chosen))
            if saved is not None:
                (state, chosen), note = saved
                watch, history = Watch(**note["watch"]), [FitStep(*row) for row in note["history"]]
            reason, converged = _stopped(watch, history, state, tolerance, patience)
            while reason is None and watch.step < steps:
                state = kernel.advance(objective, state, min(check_every, steps - watch.step))
                loss = float(state.loss)
                score = math.nan if judge is None else float(judge(objective, state.x))
                step = watch.step + min(check_every, steps - watch.step)
                improved = loss < watch.reference - tolerance * abs(watch.reference) or not history
                better = score < watch.lowest
                if better:
                    chosen = state.x
                watch = Watch(
                    step,
                    loss if improved else watch.reference,
                    0 if improved else watch.still + 1,
                    score if better else watch.lowest,
                    0 if better or judge is None else watch.worse + 1,
                )
                history.append(FitStep(step, loss, score))
                reason, converged = _stopped(watch, history, state, tolerance, patience)
                if callback is not None and callback(history[-1]) is True and reason is None:
                    reason, converged = "stopped by the callback", False
                tell(step, f"loss {loss:.6g}")
                if run is not None:
                    note = {"watch": watch._asdict(), "history": [list(h) for h in history]}
                    run.log("check", step=step, loss=loss, validation=score)
                    run.save((state, chosen), note, force=reason is not None or step >= steps)
    if reason is None:
        reason, converged = f"all {steps} steps were used", False
    best = state.best if judge is None else chosen
    result = _result(objective, best, judge, history, reason, converged, found)
    if check:
        unfinished = "" if converged else f"the fit has not converged ({reason}); "
        for text in result.goodness.warnings:
            warn(unfinished + text, ConvergenceWarning)
    return result


def _searches(target: Any, restarts: int | None, curved: bool | None) -> int:
    """Searches before the fit: what was asked for, or the default of this target and optimiser."""
    if not isinstance(target, LatentDensity):
        if restarts:
            raise ValueError("restarts needs a Posterior: a loss has no prior to draw starts from")
        return 0
    if restarts is None and curved is False:
        return 0
    return searches_for(target, restarts)


def _searched(
    objective: PosteriorObjective,
    kernel: AbstractKernel,
    x: Any,
    searches: int,
    key: Any,
    steps: int,
) -> tuple[Any, Maxima | None]:
    """Where the fit should start, and all maxima where there are few enough parameters."""
    posterior = objective.posterior
    key = jax.random.key(0) if key is None else random_key("key", key)
    if posterior.size <= MOST_PARAMETERS:
        found = search(posterior, x, restarts=searches, key=key)
        return off_bounds(posterior, boxed(posterior), found.modes[0].latent), found
    best, lowest = x, math.inf
    starts = [x, *(posterior.sample_prior_latent(k) for k in jax.random.split(key, searches))]
    for number, begin in enumerate(starts):
        state = kernel.advance(objective, kernel.init(objective, begin), max(5, steps // 10))
        loss = float(state.loss)
        LOG.info("start %d of %d: loss %.6g", number + 1, len(starts), loss)
        if math.isfinite(loss) and loss < lowest:
            best, lowest = state.best, loss
    return best, None


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
    found: Maxima | None,
) -> Fit:
    latent, params, quality = None, best, goodness_of_loss()
    if isinstance(objective, PosteriorObjective):
        latent, params = best, objective.posterior.constrain(best)
        quality = goodness(objective.posterior, params, found)
    elif isinstance(objective, ResidualObjective):
        params = objective.unravel(best)
        quality = goodness_of_squares(objective.residuals(best), best.size)
    return Fit(
        objective.model(best),
        params,
        latent,
        float(eqx.filter_jit(objective.loss)(best)),
        math.nan if judge is None else float(judge(objective, best)),
        {name: np.array([getattr(h, name) for h in history]) for name in FitStep._fields},
        reason,
        converged,
        quality,
    )


def _check_positive(**values: Any) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")

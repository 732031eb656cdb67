"""`sample`: draws from a posterior by any method, as ArviZ data."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from .._checks import random_key
from .._progress import progress_bar
from ._density import LatentDensity
from ._diagnostics import diagnose
from ._importance import Importance
from ._methods import METHODS, AbstractMethod
from ._nested import Nested
from ._sampler import Chunk, SamplerState
from ._strategies import AbstractStrategy, Chains, Plan
from ._table import from_name
from ._variational import MGVI
from ._whitening import AbstractWhitening, as_whitening

STRATEGIES: dict[str, Callable[[], AbstractStrategy]] = {
    **{name: lambda kind=kind: Chains(kind()) for name, kind in METHODS.items()},
    "laplace": Importance,
    "nested": Nested,
    "mgvi": MGVI,
}
"""The names that `sample(method=...)` knows."""


def as_strategy(method: str | AbstractMethod | AbstractStrategy) -> AbstractStrategy:
    """A strategy from its name, chains of a method, or the strategy itself."""
    if isinstance(method, AbstractMethod):
        return Chains(method)
    return from_name("method", method, AbstractStrategy, STRATEGIES, "synax.NUTS(target=0.9)")


def sample(
    posterior: LatentDensity,
    key: Any,
    method: str | AbstractMethod | AbstractStrategy = "hmc",
    chains: int = 4,
    warmup: int = 100,
    draws: int = 500,
    *,
    start: Any = None,
    restarts: int | None = None,
    whiten: str | AbstractWhitening = "fisher",
    chunk: int = 50,
    callback: Callable[[SamplerState, Chunk], Any] | None = None,
    check: bool = True,
    checkpoint: Any = None,
    progress: bool | None = None,
) -> Any:
    """Draw from a posterior.

    **Arguments:**

    - `posterior`: a `Posterior`. `key`: a JAX random key.
    - `method`: 'hmc', 'nuts', 'mclmc', 'rwmh' (chains); 'laplace' (the Gaussian at the mode,
      importance weighted; NUTS in its place where the weights cannot be trusted); 'nested'
      (nested sampling, with the evidence); 'mgvi' (metric samples, for very many modes); or an
      object such as `synax.NUTS(target=0.9)`, `synax.Nested(live=1000)`, or
      `synax.inference.Importance(otherwise=synax.HMC())`.
    - `chains`, `warmup`, `draws`: chains, tuning transitions and draws of each chain.
    - `start`: where one of the searches for the mode begins (parameter values, a latent vector);
      default: the values in the model.
    - `restarts`: searches that begin at draws of the prior, in stages; default: 8 for up to 64
      free numbers. 0: only the one from `start`. Chains start in every maximum that competes.
    - `whiten`: the coordinates of the chains: 'fisher' (mode, and Fisher matrix there),
      'pathfinder' (variational path; needs no mode), 'prior' (the latents as they are), or an
      object: `FisherWhitening()`, `PathfinderWhitening()`, `PriorWhitening()`.
    - `chunk`: transitions between calls of `callback(state, chunk)`, for progress and storage.
    - `check`: emit a `ConvergenceWarning` when diagnostics are bad (see `synax.diagnose`).
    - `checkpoint`: a folder (or a `Run`) that keeps state, draws and a log: a run of chains that
      was interrupted goes on from it to the same bytes, and asking for more `draws` extends it.
    - `progress`: show a bar on standard error; default: where that is a terminal. The logger
      `synax` tells, at level INFO, what the search for the maxima does.

    **Returns** ArviZ `InferenceData`: `posterior`, `sample_stats` with what was spent in its
    attributes (`warmup_gradients`, `seconds`, `log_evidence` where known).

    **Raises** `ValueError` or `TypeError` naming the argument at fault.
    """
    strategy = as_strategy(method)
    random_key("key", key)
    plan = Plan(
        chains, warmup, draws, start, restarts, as_whitening(whiten), chunk, checkpoint=checkpoint
    ).checked()
    total = plan.warmup + plan.draws
    with progress_bar(progress, "sample", total, "searching, compiling") as tell:

        def told(state: SamplerState, part: Chunk) -> None:
            height = float(jnp.mean(part.stats["lp"][:, -1]))
            tell(int(state.step), f"{'warm-up' if part.warmup else 'draws'}, ln p {height:.6g}")
            if callback is not None:
                callback(state, part)

        data = strategy.draw(posterior, key, plan._replace(callback=told))
    if check and _is_chained(data):
        diagnose(data, verbose=False)
    return data


def _is_chained(data: Any) -> bool:
    """Whether draws are those of chains, which agree or do not."""
    return data.sample_stats.attrs.get("method") in METHODS

"""How draws are made: chains, weighted draws of Gaussians, nested sampling, metric samples."""

import abc
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from .._checks import integer
from .._shown import Shown
from ._density import LatentDensity
from ._methods import AbstractMethod
from ._runs import open_run
from ._sampler import Chunk, Sampler, SamplerState, first_state, spread_chains
from ._sinks import AbstractSink, Folder, Memory
from ._whitening import AbstractWhitening, begin


class Plan(NamedTuple):
    """How many draws are made, and from where: what `sample` is told beside the method."""

    chains: int
    warmup: int
    draws: int
    start: Any
    restarts: int | None
    whiten: AbstractWhitening
    chunk: int
    callback: Callable[[SamplerState, Chunk], Any] = lambda state, part: None
    """Called after every chunk of chains."""
    checkpoint: Any = None
    """A run folder, a `Run`, or None."""

    def checked(self) -> "Plan":
        """The same as plain numbers; `ValueError` for some that no strategy can use."""
        least = {"chains": 1, "warmup": 0, "draws": 4, "chunk": 1}
        return self._replace(**{k: integer(k, getattr(self, k), n) for k, n in least.items()})

    def refuse_checkpoint(self, name: str) -> None:
        """Refuse, by `ValueError`, a folder for draws that are made at once."""
        if self.checkpoint is not None:
            raise ValueError(
                f"checkpoint needs chains ('hmc', 'nuts', 'mclmc', 'rwmh'): method '{name}' makes "
                "its draws at once and cannot be resumed"
            )


class AbstractStrategy(Shown):
    """A way to draw from a posterior."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name, as in `sample(method=...)`."""

    @abc.abstractmethod
    def draw(self, posterior: LatentDensity, key: PRNGKeyArray, plan: Plan) -> Any:
        """ArviZ data of `plan.chains` times `plan.draws` draws."""


class Chains(AbstractStrategy):
    """Markov chains, warmed up, in coordinates in which the posterior is close to N(0, 1).

    **Arguments:**

    - `method`: what one transition is, such as `HMC()`.
    """

    method: AbstractMethod

    @property
    def name(self) -> str:
        return self.method.name

    def draw(self, posterior: LatentDensity, key: PRNGKeyArray, plan: Plan) -> Any:
        sampler = Sampler(posterior, self.method, plan.chains, plan.warmup)
        if plan.checkpoint is None:
            return run_chains(sampler, key, plan, Memory(posterior, time.perf_counter()))
        settings = {"method": repr(self.method), "chains": plan.chains, "warmup": plan.warmup,
                    "chunk": plan.chunk, "whiten": plan.whiten.name,
                    "restarts": plan.restarts}  # fmt: skip
        parts = {"posterior": posterior, "key": key, "start": plan.start}
        with open_run(plan.checkpoint, "sample", settings, parts) as run:
            return run_chains(sampler, key, plan, Folder(posterior, run))


def run_chains(sampler: Sampler, key: PRNGKeyArray, plan: Plan, sink: AbstractSink) -> Any:
    """Place the chains, warm them up, draw: chunk by chunk, each told to a sink.

    **Returns** what the sink makes of it.
    """
    end = plan.warmup + plan.draws
    saved = sink.restore(lambda: _template(sampler, key, plan.whiten), plan.warmup)
    if saved is None:
        state, spent = begin(sampler, key, plan.start, plan.whiten, restarts=plan.restarts)
        sink.placed(spent)
    else:
        state, spent = spread_chains(saved[0], plan.chains), saved[1]
    while int(state.step) < end:
        began, first = time.perf_counter(), int(state.step)
        state, part = sampler.step_chunk(state, min(plan.chunk, end - first))
        if part.warmup:
            spent["warmup_gradients"] = int(spent["mode_gradients"]) + int(np.sum(state.gradients))
        seconds = time.perf_counter() - began
        sink.add(state, part, first - plan.warmup, spent, seconds, int(state.step) >= end)
        plan.callback(state, part)
    return sink.finish(plan.draws, sampler.method.name, spent)


def _template(sampler: Sampler, key: PRNGKeyArray, whiten: AbstractWhitening) -> SamplerState:
    """Structure, shapes and dtypes of the state; nothing is computed."""
    n, dtype, chains = sampler.posterior.size, sampler.posterior.dtype, sampler.chains
    shapes = ((chains, n), (chains, n, n), (whiten.bent(sampler.posterior),))
    center, root, soft = (jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    group = jax.ShapeDtypeStruct((chains,), jnp.int32)
    data = jax.random.key_data(key)
    return eqx.filter_eval_shape(first_state, sampler, key, data, center, root, group, soft)

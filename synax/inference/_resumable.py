"""Sampling into a run folder: chunk by chunk, to be killed and resumed at will."""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from ._box import has_boxes
from ._results import arviz_module, constrain_draws
from ._runs import Run, open_run
from ._sample import begin
from ._sampler import Chunk, Sampler, SamplerState, _begin, spread_chains


def sample_into(
    folder: Any,
    posterior: Any,
    key: PRNGKeyArray,
    method: Any = "hmc",
    chains: int = 4,
    warmup: int = 100,
    draws: int = 500,
    *,
    start: Any = None,
    restarts: int | None = None,
    whiten: str = "fisher",
    chunk: int = 50,
    callback: Callable[[SamplerState, Chunk], Any] | None = None,
) -> Any:
    """Draw from a posterior with chains whose state and draws are kept in a folder.

    The arguments are those of `sample`; only chains can be resumed, not 'laplace' or 'nested'.
    With the folder of an interrupted run, the run goes on and ends with the same bytes as one that
    was never interrupted; asking for more `draws` extends a finished one.

    **Raises** `RunRefused`, a `ValueError`, if the folder holds a run of another problem (it says
    which part differs), a damaged one, or none but files of its names, or if another process
    works in it; `OSError` that names the file if the disk fails.
    """
    sampler = Sampler(posterior, method, chains, warmup)
    settings = {"method": repr(sampler.method), "chains": chains, "warmup": warmup,
                "chunk": chunk, "whiten": whiten, "restarts": restarts}  # fmt: skip
    parts = {"posterior": posterior, "key": key, "start": start}
    with open_run(folder, "sample", settings, parts) as run:
        saved = run.restore(_template(sampler, key, whiten))
        if saved is None:
            state, spent = begin(sampler, key, start, whiten, restarts=restarts)
            run.log("chains placed", **spent)
        else:
            state, spent = spread_chains(saved[0], chains), saved[1]
            run.draws(max(0, int(state.step) - warmup))
        while int(state.step) < warmup + draws:
            began, first = time.perf_counter(), int(state.step)
            state, part = sampler.step_chunk(state, min(chunk, warmup + draws - first))
            step = int(state.step)
            if part.warmup:
                spent["warmup_gradients"] = spent["mode_gradients"] + int(np.sum(state.gradients))
            else:
                run.write_draws(first - warmup, constrain_draws(posterior, part.latent), part.stats)
            run.save(state, spent, force=step >= warmup + draws)
            run.log("warm-up" if part.warmup else "draws", **_summary(part, step, warmup, began))
            if callback is not None:
                callback(state, part)
        run.log("finished")
        return _finish(run, draws, sampler.method.name, spent)


def _template(sampler: Sampler, key: PRNGKeyArray, whiten: str) -> SamplerState:
    """Structure, shapes and dtypes of the state; nothing is computed."""
    n, dtype = sampler.posterior.size, sampler.posterior.dtype
    chains = sampler.chains
    shapes = ((chains, n), (chains, n, n))
    center, root = (jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    group = jax.ShapeDtypeStruct((chains,), jnp.int32)
    bent = n if whiten == "fisher" and has_boxes(sampler.posterior) else 0
    soft = jax.ShapeDtypeStruct((bent,), dtype)
    data = jax.random.key_data(key)
    return eqx.filter_eval_shape(_begin, sampler, key, data, center, root, group, soft)


def _summary(part: Chunk, step: int, warmup: int, began: float) -> dict[str, Any]:
    stats = part.stats
    return {
        "draw": step - warmup,
        "seconds": round(time.perf_counter() - began, 3),
        "step_size": float(stats["step_size"][0, -1]),
        "acceptance": [round(float(a), 3) for a in jnp.mean(stats["acceptance_rate"], axis=1)],
        "divergences": int(jnp.sum(stats["diverging"])),
        "gradients": int(jnp.sum(stats["n_steps"])),
        "lp": [round(float(lp), 3) for lp in stats["lp"][:, -1]],
    }


def _finish(run: Run, draws: int, method: str, spent: dict[str, int]) -> Any:
    """All draws as ArviZ data, and as one file beside the chunks."""
    values, stats = run.draws(draws)
    cut = lambda found: {k: v[:, :draws] for k, v in found.items()}
    data = arviz_module().from_dict(posterior=cut(values), sample_stats=cut(stats))
    for group in (data.posterior, data.sample_stats):
        group.attrs.clear()
    data.sample_stats.attrs.update({"method": method, **spent})
    run.write_result(data)
    return data

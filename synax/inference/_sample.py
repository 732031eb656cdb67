"""`sample`: draws from a posterior by any method, as ArviZ data."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ._box import boxed
from ._diagnostics import diagnose
from ._laplace import (
    Laplace,
    Whitening,
    inverse_root,
    reduced_chi2,
    soft_laplace,
    start_latent,
)
from ._nested import Nested, nested_draws
from ._progress import progress_bar
from ._results import arviz_module, to_inference_data
from ._sampler import Chunk, Sampler, SamplerState, place_chains

LOG = logging.getLogger("synax")
WORST_SHAPE = 0.7
LEAST_SHARE = 0.1


def sample(
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
    check: bool = True,
    checkpoint: Any = None,
    progress: bool | None = None,
) -> Any:
    """Draw from a posterior.

    **Arguments:**

    - `posterior`: a `Posterior`.
    - `method`: 'hmc', 'nuts', 'mclmc', 'rwmh' (chains); 'laplace' (the Gaussian at the mode,
      importance weighted; NUTS in its place where the weights cannot be trusted); 'nested'
      (nested sampling, with the evidence); or an object such as `synax.NUTS(target=0.9)`,
      `synax.HMC(target=0.9)`, `synax.Nested(live=1000)`.
    - `chains`, `warmup`, `draws`: chains, tuning transitions and draws of each chain.
    - `start`: where one of the searches for the mode begins (parameter values, a latent vector);
      default: the values in the model.
    - `restarts`: searches that begin at draws of the prior, in stages; default: 8 for up to 64
      free numbers. 0: only the one from `start`. Chains start in every maximum that competes.
    - `whiten`: the coordinates of the chains: 'fisher' (mode, and Fisher matrix there),
      'pathfinder' (variational path; needs no mode), or 'prior' (the latents as they are).
    - `chunk`: transitions between calls of `callback(state, chunk)`, for progress and storage.
    - `check`: emit a `ConvergenceWarning` when diagnostics are bad (see `synax.diagnose`).
    - `checkpoint`: a folder (or a `Run`) that keeps state, draws and a log: a run of chains that
      was interrupted goes on from it to the same bytes, and asking for more `draws` extends it.
    - `progress`: show a bar on standard error; default: where that is a terminal. The logger
      `synax` tells, at level INFO, what the search for the maxima does.

    **Returns** ArviZ `InferenceData`: `posterior`, `sample_stats` with what was spent in its
    attributes (`warmup_gradients`, `seconds`, `log_evidence` where known).

    **Raises** `ValueError` naming the argument at fault.
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 4:
        raise ValueError(f"draws must be an integer >= 4, got {draws!r}")
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise ValueError(f"chunk must be a positive integer, got {chunk!r}")
    with progress_bar(progress, "sample", warmup + draws) as tell:

        def told(state: SamplerState, part: Chunk) -> None:
            height = float(jnp.mean(part.stats["lp"][:, -1]))
            tell(int(state.step), f"{'warm-up' if part.warmup else 'draws'}, ln p {height:.6g}")
            if callback is not None:
                callback(state, part)

        options = {"start": start, "restarts": restarts, "whiten": whiten, "chunk": chunk}
        if checkpoint is None:
            data = _in_memory(
                posterior, key, method, chains, warmup, draws, callback=told, **options
            )
        else:
            from ._resumable import sample_into

            data = sample_into(
                checkpoint, posterior, key, method, chains, warmup, draws, callback=told, **options
            )
    chained = data.sample_stats.attrs.get("method") not in ("laplace", "nested")
    if check and chained:
        diagnose(data, verbose=False)
    return data


def _in_memory(
    posterior: Any,
    key: PRNGKeyArray,
    method: Any,
    chains: int,
    warmup: int,
    draws: int,
    *,
    start: Any,
    restarts: int | None,
    whiten: str,
    chunk: int,
    callback: Callable[[SamplerState, Chunk], Any],
) -> Any:
    """The draws of `sample`, by any method, kept in memory."""
    began = time.perf_counter()
    if method == "nested" or isinstance(method, Nested):
        settings = method if isinstance(method, Nested) else Nested()
        latent, lp, attributes = nested_draws(posterior, settings, key, chains * draws)
        latent, lp = latent.reshape(chains, draws, -1), lp.reshape(chains, draws)
        attributes["seconds"] = time.perf_counter() - began
        return to_inference_data(posterior, latent, {"lp": lp}, attributes)
    approximation = None
    if method == "laplace":
        approximation = soft_laplace(posterior, start, restarts=restarts, key=key)
        soft = approximation.soft
        bent = boxed(posterior, soft) if soft.size else posterior
        latent, lp, attributes = importance_draws(bent, approximation.maxima, key, chains, draws)
        attributes |= describe(posterior, approximation, np.zeros(0, int))
        enough = attributes["independent_ess"] >= LEAST_SHARE * chains * draws
        if attributes["pareto_k"] <= WORST_SHAPE and enough:
            attributes["seconds"] = time.perf_counter() - began
            stats = {"lp": lp, "n_steps": np.ones(lp.shape, np.int32)}
            return to_inference_data(bent, latent, stats, attributes)
        LOG.info(
            "the Laplace approximation is too far from the posterior (Pareto k %.2f, %.0f "
            "effective draws of %d): sampling with NUTS instead",
            attributes["pareto_k"],
            attributes["independent_ess"],
            chains * draws,
        )
        method = "nuts"
    sampler = Sampler(posterior, method, chains, warmup)
    state, spent = begin(sampler, key, start, whiten, approximation, restarts=restarts)
    chunks: list[Chunk] = []
    while int(state.step) < warmup + draws:
        state, part = sampler.step_chunk(state, min(chunk, warmup + draws - int(state.step)))
        if part.warmup:
            spent["warmup_gradients"] = spent["mode_gradients"] + int(np.sum(state.gradients))
        else:
            chunks.append(jax.tree.map(np.asarray, part))
        callback(state, part)
    latent = np.concatenate([c.latent for c in chunks], axis=1)
    stats = {k: np.concatenate([c.stats[k] for c in chunks], axis=1) for k in chunks[0].stats}
    attributes = {"method": sampler.method.name, "seconds": time.perf_counter() - began, **spent}
    return to_inference_data(posterior, latent, stats, attributes)


def mode_cost(evaluations: int, n: int) -> int:
    """Evaluations of the curvature in units of gradients: a tangent is about a quarter of one."""
    return evaluations * -(-n // 4)


def begin(
    sampler: Sampler,
    key: PRNGKeyArray,
    start: Any = None,
    whiten: str = "fisher",
    approximation: Whitening | None = None,
    *,
    restarts: int | None = None,
) -> tuple[SamplerState, dict[str, Any]]:
    """First state of a sampler, and what finding it cost.

    **Arguments:** `start`, `whiten`, `restarts`: as in `sample`. `approximation`: the result of
    `soft_laplace` if it is known already.

    **Returns** the state, and {'mode_evaluations', 'mode_gradients', 'warmup_gradients',
    'reduced_chi2' (squared whitened residual at the mode for each datum)}. An evaluation of
    value, gradient and curvature by forward mode counts as one gradient for every four parameters.
    """
    posterior = sampler.posterior
    evaluations, cost, soft, group, told = 0, 0, None, None, {}
    if whiten == "fisher":
        if approximation is None:
            approximation = soft_laplace(posterior, start, restarts=restarts, key=key)
        center, root, group, soft = place_chains(approximation, sampler.chains)
        evaluations = approximation.maxima[0].evaluations
        cost = mode_cost(evaluations, posterior.size) + approximation.found.predictions // 3
        told = describe(posterior, approximation, np.asarray(group))
    elif whiten == "pathfinder":
        center, root, evaluations = pathfinder(posterior, key, start)
        cost = evaluations
    elif whiten == "prior":
        center = start_latent(posterior, start)
        root = jnp.eye(posterior.size, dtype=posterior.dtype)
    else:
        raise ValueError(f"whiten must be 'fisher', 'pathfinder' or 'prior', got {whiten!r}")
    state = sampler.init_state(key, center=center, root=root, group=group, soft=soft)
    spent = {
        "mode_evaluations": evaluations,
        "mode_gradients": cost,
        "warmup_gradients": cost + sampler.chains,
        **told,
    }
    return state, spent


def describe(posterior: Any, whitening: Whitening, group: np.ndarray) -> dict[str, Any]:
    """What is stored of the search: 'reduced_chi2' at the best maximum, 'maxima' as JSON.

    'maxima' lists the distinct maxima, the highest first: `ln_density` (of the parameters'
    straight coordinates), `share` of the probability by their Gaussians, `chains` started there,
    and `parameters` that are single numbers.
    """
    straight, found = boxed(posterior), whitening.found
    heights = found.log_evidences
    shares = np.exp(heights - heights.max())
    shares /= shares.sum()
    chains = {i: int(np.sum(group == k)) for k, i in enumerate(whitening.numbers)}
    maxima = []
    for i, mode in enumerate(found.modes):
        params = straight.constrain(mode.latent) if hasattr(straight, "blocks") else {}
        maxima.append({
            "ln_density": float(mode.curvature.logdensity),
            "share": float(shares[i]),
            "chains": chains.get(i, 0),
            "parameters": {k: np.asarray(v).item() for k, v in params.items() if v.size == 1},
        })  # fmt: skip
    return {
        "reduced_chi2": reduced_chi2(straight, found.modes[0].latent),
        "maxima": json.dumps(maxima),
    }


@eqx.filter_jit
def _log_ratios(
    posterior: Any,
    gaussians: tuple[Laplace, ...],
    weights: Float[Array, " maxima"],
    latents: Float[Array, "n n_latent"],
    batch: int,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    lp = jax.lax.map(posterior.logdensity, latents, batch_size=batch)
    each = jnp.stack([jax.vmap(g.logpdf)(latents) for g in gaussians])
    mixture = jax.scipy.special.logsumexp(each + jnp.log(weights)[:, None], axis=0)
    return lp, lp - mixture


def importance_draws(
    posterior: Any, gaussians: tuple[Laplace, ...], key: PRNGKeyArray, chains: int, draws: int
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Draws from the Gaussians at the maxima, resampled with Pareto-smoothed weights.

    **Returns** latents (chains, draws, n), their log densities, and attributes: `pareto_k` (above
    0.7 the weights cannot be trusted), `independent_ess` (1 / sum of squared weights),
    `log_evidence`.

    **Reference:** Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25, 72.
    """
    one, two = jax.random.split(key)
    heights = np.array([float(g.log_evidence) for g in gaussians])
    shares = np.exp(heights - heights.max())
    shares /= shares.sum()
    edges = np.round(np.cumsum([0.0, *shares]) * chains * draws).astype(int)
    keys = jax.random.split(one, len(gaussians)) if len(gaussians) > 1 else [one]
    counts = np.diff(edges)
    parts = [g.sample(k, int(n)) for g, k, n in zip(gaussians, keys, counts, strict=True) if n]
    latents, approximation = jnp.concatenate(parts), gaussians[0]
    weights = jnp.asarray(np.maximum(counts / counts.sum(), 1e-300), latents.dtype)
    lp, ratios = _log_ratios(posterior, gaussians, weights, latents, chains)
    lp, ratios = np.asarray(lp, np.float64), np.asarray(ratios, np.float64)
    finite = np.isfinite(ratios)
    floor = np.min(ratios[finite]) - 50.0 if np.any(finite) else 0.0
    ratios = np.where(finite, ratios, floor)
    smoothed, shape = arviz_module().psislw(ratios)
    weights = np.exp(np.asarray(smoothed) - np.max(smoothed))
    weights /= weights.sum()
    # systematic resampling: one uniform variate, the least noise
    ticks = (np.arange(weights.size) + float(jax.random.uniform(two))) / weights.size
    index = np.minimum(np.searchsorted(np.cumsum(weights), ticks), weights.size - 1)
    index = index[np.asarray(jax.random.permutation(jax.random.fold_in(two, 1), index.size))]
    top = np.max(ratios)
    cost = mode_cost(approximation.evaluations, latents.shape[1])
    attributes = {
        "method": "laplace",
        "pareto_k": float(shape),
        "independent_ess": float(1.0 / np.sum(weights**2)),
        "log_evidence": float(top + np.log(np.mean(np.exp(ratios - top)))),
        "evaluations": int(weights.size),
        "mode_evaluations": approximation.evaluations,
        "mode_gradients": cost,
        "warmup_gradients": cost,
        "reduced_chi2": reduced_chi2(posterior, approximation.mode),
    }
    shape3 = (chains, draws, -1)
    return np.asarray(latents)[index].reshape(shape3), lp[index].reshape(shape3[:2]), attributes


@eqx.filter_jit
def _pathfinder(posterior: Any, key: PRNGKeyArray, start: Float[Array, " n"]) -> Any:
    import blackjax
    from blackjax.optimizers.lbfgs import lbfgs_inverse_hessian_formula_1

    state, info = blackjax.vi.pathfinder.approximate(key, posterior.logdensity, start)
    covariance = lbfgs_inverse_hessian_formula_1(state.alpha, state.beta, state.gamma)
    return state.position, covariance, jnp.sum(jnp.isfinite(info.path.elbo))


def pathfinder(
    posterior: Any, key: PRNGKeyArray, start: Any = None
) -> tuple[Float[Array, " n"], Float[Array, "n n"], int]:
    """Centre and root of the best Gaussian along an L-BFGS path, and the length of the path.

    **Reference:** Zhang, Carpenter, Gelman & Vehtari 2022, JMLR 23, 306.
    """
    first = start_latent(posterior, start)
    center, covariance, evaluations = _pathfinder(posterior, key, first)
    if not bool(jnp.all(jnp.isfinite(covariance))):
        raise ValueError("Pathfinder found no Gaussian from this start: use whiten='fisher'")
    return center, inverse_root(jnp.linalg.inv(covariance)), int(evaluations)

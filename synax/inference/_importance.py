"""Draws from the Gaussians at the maxima, weighted by what the posterior says of them."""

import logging
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ._box import boxed
from ._competing import Told, competing_gaussians
from ._density import LatentDensity
from ._laplace import Laplace, reduced_chi2
from ._methods import NUTS, AbstractMethod
from ._results import arviz_module, to_inference_data
from ._search import shares_of
from ._strategies import AbstractStrategy, Chains, Plan
from ._whitening import FisherWhitening, mode_cost

LOG = logging.getLogger("synax")
MAX_PARETO_K = 0.7
"""Weights whose tail has a larger shape cannot be trusted (Vehtari et al. 2024)."""
LEAST_SHARE = 0.1
"""Fewer effective draws than this share of those asked for are too few."""


class Importance(AbstractStrategy):
    """The Gaussians at the competing maxima, importance weighted and resampled.

    Where the weights cannot be trusted, chains that begin at these maxima take over.

    **Arguments:**

    - `otherwise`: the method of these chains.

    **Reference:** Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25, 72.
    """

    otherwise: AbstractMethod = NUTS()

    @property
    def name(self) -> str:
        return "laplace"

    def draw(self, posterior: LatentDensity, key: PRNGKeyArray, plan: Plan) -> Any:
        began = time.perf_counter()
        plan.refuse_checkpoint(self.name)
        found = competing_gaussians(posterior, plan.start, restarts=plan.restarts, key=key)
        bent = boxed(posterior, found.soft) if found.soft.size else posterior
        latent, lp, told = importance_draws(bent, found.maxima, key, plan.chains, plan.draws)
        told |= found.told(posterior, np.zeros(0, int))
        k, effective = float(told["pareto_k"]), float(told["independent_ess"])
        if k <= MAX_PARETO_K and effective >= LEAST_SHARE * plan.chains * plan.draws:
            told["seconds"] = time.perf_counter() - began
            stats = {"lp": lp, "n_steps": np.ones(lp.shape, np.int32)}
            return to_inference_data(bent, latent, stats, told)
        LOG.info(
            "the Laplace approximation is too far from the posterior (Pareto k %.2f, %.0f "
            "effective draws of %d): sampling with %s instead",
            k,
            effective,
            plan.chains * plan.draws,
            self.otherwise.name.upper(),
        )
        # the maxima are known: the chains begin there whatever coordinates were asked for
        plan = plan._replace(whiten=FisherWhitening(found))
        return Chains(self.otherwise).draw(posterior, key, plan)


@eqx.filter_jit
def _log_ratios(
    posterior: LatentDensity,
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
    posterior: LatentDensity,
    gaussians: tuple[Laplace, ...],
    key: PRNGKeyArray,
    chains: int,
    draws: int,
) -> tuple[np.ndarray, np.ndarray, Told]:
    """Draws from the Gaussians at the maxima, resampled with Pareto-smoothed weights.

    **Returns** latents (chains, draws, n), their log densities, and attributes: `pareto_k` (above
    0.7 the weights cannot be trusted), `independent_ess` (1 / sum of squared weights),
    `log_evidence`.

    **Reference:** Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25, 72.
    """
    one, two = jax.random.split(key)
    shares = shares_of(np.array([float(g.log_evidence) for g in gaussians]))
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
    attributes: Told = {
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

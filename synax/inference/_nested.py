"""Nested sampling: the evidence, and draws where posteriors have several modes."""

import math
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ._competing import Told
from ._density import LatentDensity
from ._results import to_inference_data
from ._strategies import AbstractStrategy, Plan


class Nested(AbstractStrategy):
    """Nested slice sampling in latent space.

    **Arguments:**

    - `live`: live points.
    - `delete`: points replaced together (they run side by side).
    - `inner_steps`: slice moves for each new point; default: max(5, 2 n).
    - `precision`: stop when the live points can add less than this to ln Z.

    **Reference:** Skilling 2006, Bayesian Analysis 1, 833; Yallup, Kroupa & Handley 2026,
    arXiv:2601.23252.
    """

    live: int = eqx.field(static=True, default=400)
    delete: int = eqx.field(static=True, default=40)
    inner_steps: int | None = eqx.field(static=True, default=None)
    precision: float = eqx.field(static=True, default=0.05)

    def __check_init__(self):
        if not 0 < self.delete < self.live:
            raise ValueError(f"delete must lie between 0 and live, got {self.delete}, {self.live}")

    @property
    def name(self) -> str:
        return "nested"

    def draw(self, posterior: LatentDensity, key: PRNGKeyArray, plan: Plan) -> Any:
        began = time.perf_counter()
        plan.refuse_checkpoint(self.name)
        latent, lp, told = nested_draws(posterior, self, key, plan.chains * plan.draws)
        latent, lp = (x.reshape(plan.chains, plan.draws, *x.shape[1:]) for x in (latent, lp))
        told["seconds"] = time.perf_counter() - began
        return to_inference_data(posterior, latent, {"lp": lp}, told)


def _algorithm(posterior: LatentDensity, settings: Nested) -> Any:
    import blackjax

    inner = settings.inner_steps or max(5, 2 * posterior.size)
    return blackjax.nss(
        logprior_fn=posterior.log_prior_latent,
        loglikelihood_fn=posterior.log_likelihood_latent,
        num_inner_steps=inner,
        num_delete=settings.delete,
    )


@eqx.filter_jit
def _begin(posterior: LatentDensity, settings: Nested, key: PRNGKeyArray) -> Any:
    keys = jax.random.split(key, settings.live)
    positions = jax.vmap(posterior.sample_prior_latent)(keys)
    return _algorithm(posterior, settings).init(positions)


@eqx.filter_jit
def _step(
    posterior: LatentDensity, settings: Nested, key: PRNGKeyArray, state: Any
) -> tuple[Any, Any]:
    state, info = _algorithm(posterior, settings).step(key, state)
    return state, info.particles


def nested_draws(
    posterior: LatentDensity, settings: Nested, key: PRNGKeyArray, count: int
) -> tuple[Float[Array, "count n"], Float[Array, " count"], Told]:
    """Equally weighted latents, their log densities, and evidence with its error (attributes).

    Raises `RuntimeError` where the iteration does not end.
    """
    from blackjax.ns.base import NSInfo
    from blackjax.ns.utils import finalise, log_weights

    begin, run, volumes, choose = jax.random.split(key, 4)
    state = _begin(posterior, settings, begin)
    dead: list[Any] = []
    most = 400 * settings.live // settings.delete
    for k in range(most):
        state, particles = _step(posterior, settings, jax.random.fold_in(run, k), state)
        dead.append(particles)
        evidence, remaining = float(state.integrator.logZ), float(state.integrator.logZ_live)
        if remaining < evidence + math.log(math.expm1(settings.precision)):
            break
    else:
        raise RuntimeError(f"nested sampling did not end after {most} steps; give more live points")
    info = finalise(state, [NSInfo(particles, None) for particles in dead], update_info=False)
    weights = log_weights(volumes, info, shape=100)
    evidences = jax.scipy.special.logsumexp(weights, axis=0)
    mean = jnp.mean(weights, axis=1)
    probability = jnp.exp(mean - jnp.max(mean))
    probability = probability / jnp.sum(probability)
    index = jax.random.choice(choose, probability.size, (count,), p=probability)
    particles: Any = info.particles
    lp = particles.loglikelihood + particles.logdensity
    attributes: Told = {
        "method": "nested",
        "log_evidence": float(jnp.mean(evidences)),
        "log_evidence_error": float(np.std(np.asarray(evidences))),
        # weights spread over so many points, then `count` of them taken at random
        "independent_ess": float(1.0 / (jnp.sum(probability**2) + 1.0 / count)),
    }
    return particles.position[index], lp[index], attributes

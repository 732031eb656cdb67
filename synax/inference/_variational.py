"""Metric Gaussian variational inference: posterior samples of fields with very many modes."""

import math
import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ._box import boxed
from ._competing import Told
from ._density import LatentDensity, Params
from ._laplace import off_bounds, search
from ._objective import AbstractCurvedObjective, PosteriorObjective, Quadratic
from ._optimizers import GaussNewton, GaussNewtonKernel
from ._results import to_inference_data
from ._search import MOST_PARAMETERS
from ._start import start_latent
from ._strategies import AbstractStrategy, Plan

Latent = Float[Array, " n_latent"]


class Variational(NamedTuple):
    """An approximate posterior: a mean and samples about it, in latent space."""

    mean: Float[Array, " n_latent"]
    samples: Float[Array, "n_samples n_latent"]
    """Pairs mean + d, mean - d; draws from the approximate posterior."""
    movement: Float[Array, " rounds"]
    """How far the mean moved in each round, in units of its standard deviations (rms)."""
    residual: Float[Array, ""]
    """What the linear systems left over: no sample is off by more, in standard deviations."""
    converged: bool
    """The mean stands still, and the linear systems were solved."""


class SampledObjective(AbstractCurvedObjective):
    """Mean of the loss over fixed offsets from x; curvature as at x itself."""

    inner: PosteriorObjective
    offsets: Float[Array, "n_samples n_latent"]

    def model(self, x: Latent) -> Any:
        return self.inner.model(x)

    def loss(self, x: Latent) -> Float[Array, ""]:
        return jnp.mean(jax.lax.map(lambda d: self.inner.loss(x + d), self.offsets))

    def quadratic(self, x: Latent) -> Quadratic:
        one = lambda d: jax.value_and_grad(self.inner.loss)(x + d)
        values, gradients = jax.lax.map(one, self.offsets)
        product = self.inner.quadratic(x).product
        return Quadratic(jnp.mean(values), jnp.mean(gradients, axis=0), product)


@eqx.filter_jit
def metric_samples(
    posterior: LatentDensity,
    latent: Latent,
    key: PRNGKeyArray,
    pairs: int,
    cg_steps: int,
    cg_tolerance: float,
) -> tuple[Float[Array, "n_samples n_latent"], Float[Array, ""]]:
    """Offsets +-d with d ~ N(0, M^-1), M = J^T J + 1 at `latent`, by conjugate gradients.

    M d = J^T a + b with a, b ~ N(0, 1) has the covariance M of its right-hand side. Starting
    from b, a draw from the prior, leaves what the data do not touch exactly as the prior has it.
    Also returns the largest residual norm: as M >= 1, it bounds the error of a sample in
    standard deviations, along any direction.
    """
    features = lambda z: posterior.evaluate(posterior.constrain(z))[1]
    value, push = jax.linearize(features, latent)
    pull = jax.linear_transpose(push, latent)
    metric = lambda v: v + pull(push(v))[0]

    def one(key: PRNGKeyArray) -> tuple[Latent, Float[Array, ""]]:
        data_key, prior_key = jax.random.split(key)
        noise = jax.random.normal(data_key, value.shape, value.dtype)
        prior = jax.random.normal(prior_key, latent.shape, latent.dtype)
        right = pull(noise)[0] + prior
        offset, _ = jax.scipy.sparse.linalg.cg(
            metric, right, prior, tol=0.0, atol=cg_tolerance, maxiter=cg_steps
        )
        return offset, jnp.linalg.norm(right - metric(offset))

    offsets, residuals = jax.lax.map(one, jax.random.split(key, pairs))
    return jnp.concatenate([offsets, -offsets]), jnp.max(residuals)


class MGVI(AbstractStrategy):
    """Samples of a posterior of many latents, without any matrix.

    In turns, draw pairs of samples from the Gaussian with the Fisher metric plus one as its
    inverse covariance, and move the mean to where the loss, averaged over them, is least. The
    same random numbers serve every round, so the turns have a fixed point.

    The samples lie about one maximum. Where the posterior has several, they are too narrow: fit
    from several draws of the prior first, and see whether the losses agree.

    **Arguments:**

    - `samples`: how many move the mean, even.
    - `rounds`: at most so many turns.
    - `steps`: Gauss-Newton steps a turn.
    - `cg_steps`, `cg_tolerance`: when conjugate gradients stop: at this many products, or when the
      sample is right to so many standard deviations.
    - `tolerance`: the mean has converged when it moves by less than this many standard deviations.

    **Raises** `ValueError` for an odd number of samples.

    **Reference:** Knollmueller & Ensslin 2019, arXiv:1901.11033.
    """

    samples: int = eqx.field(static=True, default=8)
    rounds: int = eqx.field(static=True, default=10)
    steps: int = eqx.field(static=True, default=3)
    cg_steps: int = eqx.field(static=True, default=300)
    cg_tolerance: float = 0.02
    tolerance: float = 0.05

    def __check_init__(self):
        if self.samples < 2 or self.samples % 2:
            raise ValueError(f"samples must be even and at least 2, got {self.samples}")

    @property
    def name(self) -> str:
        return "mgvi"

    def draw(self, posterior: LatentDensity, key: PRNGKeyArray, plan: Plan) -> Any:
        began = time.perf_counter()
        plan.refuse_checkpoint(self.name)
        found = self.approximate(posterior, key, plan.start, restarts=plan.restarts)
        count = plan.chains * plan.draws
        offsets, _ = self._offsets(
            posterior, found.mean, jax.random.fold_in(key, 1), -(-count // 2)
        )
        # the two of a pair follow each other, so that every chain has whole pairs
        pairs = jnp.stack(jnp.split(offsets, 2), axis=1).reshape(-1, posterior.size)[:count]
        latent = (found.mean + pairs).reshape(plan.chains, plan.draws, -1)
        lp = jax.lax.map(posterior.logdensity, latent.reshape(count, -1))
        told: Told = {
            "method": self.name,
            "converged": int(found.converged),
            "residual": float(found.residual),
            "seconds": time.perf_counter() - began,
        }
        return to_inference_data(posterior, latent, {"lp": lp.reshape(latent.shape[:2])}, told)

    def approximate(
        self,
        posterior: LatentDensity,
        key: PRNGKeyArray,
        start: Latent | Params | None = None,
        *,
        restarts: int | None = None,
    ) -> Variational:
        """The mean and the samples about it.

        **Arguments:**

        - `posterior`: with standard normal latents. `key`: of the samples.
        - `start`: latent vector (for instance `fit(posterior).latent`) or parameter values. None:
          the highest maximum that a search finds for up to 64 free numbers, else the values in
          the model.
        - `restarts`: climbs of that search.

        **Raises** `ValueError` if a prior has latents that are not standard normal.
        """
        other = [b.paths for b in posterior.blocks if not b.prior.standard]
        if other:
            raise ValueError(f"mgvi needs priors with standard normal latents; {other} have others")
        if start is None and posterior.size <= MOST_PARAMETERS:
            best = search(posterior, restarts=restarts, key=key).modes[0]
            mean = off_bounds(posterior, boxed(posterior), best.latent)
        else:
            mean = start_latent(posterior, start)
        kernel = GaussNewtonKernel(GaussNewton(cg_steps=self.cg_steps, cg_tolerance=1e-2))
        inner, movement, damping = PosteriorObjective(posterior), [], None
        converged = False
        for _ in range(self.rounds):
            offsets, _ = self._offsets(posterior, mean, key, self.samples // 2)
            objective = SampledObjective(inner, offsets)
            state = kernel.init(objective, mean)
            state = state if damping is None else state._replace(internal=damping)
            state = kernel.advance(objective, state, self.steps)
            moved, damping = state.x, state.internal
            spread = jnp.sqrt(jnp.mean(offsets**2, axis=0))
            movement.append(float(jnp.sqrt(jnp.mean(((moved - mean) / spread) ** 2))))
            mean = moved
            # no movement at all may only mean that every step was refused: damp more and go on
            still = float(state.promise) <= 1e-6 * abs(float(state.loss))
            converged = movement[-1] < self.tolerance and (movement[-1] > 0.0 or still)
            if not math.isfinite(movement[-1]) or converged:
                break
        offsets, residual = self._offsets(posterior, mean, key, self.samples // 2)
        # twice: the last bits of a residual are lost to rounding
        solved = float(residual) <= 2.0 * self.cg_tolerance
        return Variational(
            mean, mean + offsets, jnp.asarray(movement), residual, converged and solved
        )

    def _offsets(
        self, posterior: LatentDensity, mean: Latent, key: PRNGKeyArray, pairs: int
    ) -> tuple[Float[Array, "n_samples n_latent"], Float[Array, ""]]:
        return metric_samples(posterior, mean, key, pairs, self.cg_steps, self.cg_tolerance)


def mgvi(
    posterior: LatentDensity,
    key: PRNGKeyArray,
    start: Latent | Params | None = None,
    *,
    samples: int = 8,
    rounds: int = 10,
    steps: int = 3,
    cg_steps: int = 300,
    cg_tolerance: float = 0.02,
    tolerance: float = 0.05,
) -> Variational:
    """Mean and samples of a posterior of many latents: `MGVI(...).approximate(posterior, key)`.

    **Arguments:**

    - `posterior`, `key`, `start`: as in `MGVI.approximate`.
    - `samples`, `rounds`, `steps`, `cg_steps`, `cg_tolerance`, `tolerance`: as in `MGVI`.

    **Returns** a `Variational`.

    **Raises** `ValueError` if a prior has latents that are not standard normal.
    """
    settings = MGVI(samples, rounds, steps, cg_steps, cg_tolerance, tolerance)
    return settings.approximate(posterior, key, start)

"""Metric Gaussian variational inference: posterior samples of fields with very many modes."""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ._box import boxed
from ._laplace import off_bounds, search, start_latent
from ._objective import (
    AbstractCurvedObjective,
    PosteriorObjective,
    Quadratic,
    likelihood_features,
)
from ._optimizers import GaussNewton, GaussNewtonKernel
from ._posterior import Posterior
from ._search import MOST_PARAMETERS

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

    def model(self, x: Latent) -> Posterior:
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
    posterior: Posterior,
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
    features = lambda z: likelihood_features(posterior, z)[1]
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


def mgvi(
    posterior: Posterior,
    key: PRNGKeyArray,
    start: Latent | None = None,
    *,
    samples: int = 8,
    rounds: int = 10,
    steps: int = 3,
    cg_steps: int = 300,
    cg_tolerance: float = 0.02,
    tolerance: float = 0.05,
) -> Variational:
    """Samples of a posterior of many latents, without any matrix.

    In turns, draw pairs of samples from the Gaussian with the Fisher metric plus one as its
    inverse covariance, and move the mean to where the loss, averaged over them, is least. The
    same random numbers serve every round, so the turns have a fixed point.

    **Arguments:**

    - `start`: latent vector (for instance `fit(posterior).latent`). None: the highest maximum that
      a search finds for up to 64 free numbers, else the values in the model.
    - `samples`: their number, even. `rounds`: at most so many turns.
    - `steps`: Gauss-Newton steps a turn.
    - `tolerance`: the mean has converged when it moves by less than this many standard deviations.
    - `cg_steps`, `cg_tolerance`: when conjugate gradients stop: at this many products, or when the
      sample is right to so many standard deviations.

    The samples lie about one maximum. Where the posterior has several, they are too narrow: fit
    from several draws of the prior first, and see whether the losses agree.

    **Raises** `ValueError` if a prior has latents that are not standard normal.

    **Reference:** Knollmueller & Ensslin 2019, arXiv:1901.11033.
    """
    if samples < 2 or samples % 2:
        raise ValueError(f"samples must be even and at least 2, got {samples}")
    other = [b.paths for b in posterior.blocks if not b.prior.standard]
    if other:
        raise ValueError(f"mgvi needs priors with standard normal latents; {other} have others")
    if start is None and posterior.size <= MOST_PARAMETERS:
        mean = off_bounds(posterior, boxed(posterior), search(posterior, key=key).modes[0].latent)
    else:
        mean = start_latent(posterior, start)
    kernel = GaussNewtonKernel(GaussNewton(cg_steps=cg_steps, cg_tolerance=1e-2))
    draw = lambda mean: metric_samples(posterior, mean, key, samples // 2, cg_steps, cg_tolerance)
    inner, movement, damping = PosteriorObjective(posterior), [], None
    converged = False
    for _ in range(rounds):
        offsets, _ = draw(mean)
        objective = SampledObjective(inner, offsets)
        state = kernel.init(objective, mean)
        state = state if damping is None else state._replace(internal=damping)
        state = kernel.advance(objective, state, steps)
        moved, damping = state.x, state.internal
        spread = jnp.sqrt(jnp.mean(offsets**2, axis=0))
        movement.append(float(jnp.sqrt(jnp.mean(((moved - mean) / spread) ** 2))))
        mean = moved
        # no movement at all may only mean that every step was refused: damp more and go on
        still = float(state.promise) <= 1e-6 * abs(float(state.loss))
        converged = movement[-1] < tolerance and (movement[-1] > 0.0 or still)
        if not math.isfinite(movement[-1]) or converged:
            break
    offsets, residual = draw(mean)
    # twice: the last bits of a residual are lost to rounding
    solved = float(residual) <= 2.0 * cg_tolerance
    return Variational(mean, mean + offsets, jnp.asarray(movement), residual, converged and solved)

"""The Laplace approximation: a Gaussian in latent space at the mode of a posterior."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ._box import WIDEST, bounds, boxed, has_boxes
from ._curvature import Mode, find_mode

GOOD_FIT = 2.0
Latent = Float[Array, " n_latent"]


class Laplace(eqx.Module):
    """N(mode, precision^-1) in latent space; `latent = mode + root @ xi` whitens it."""

    mode: Float[Array, " n_latent"]
    root: Float[Array, "n_latent n_latent"]
    """R with R R^T = covariance."""
    logdensity: Float[Array, ""]
    """Log posterior density (not normalised) at the mode."""
    evaluations: int = eqx.field(static=True, default=0)
    """Evaluations of value, gradient and curvature spent on finding the mode."""
    converged: bool = eqx.field(static=True, default=True)

    @property
    def covariance(self) -> Float[Array, "n_latent n_latent"]:
        """Covariance of the latents."""
        return self.root @ self.root.T

    @property
    def log_determinant(self) -> Float[Array, ""]:
        """ln det(root)."""
        return jnp.linalg.slogdet(self.root)[1]

    @property
    def log_evidence(self) -> Float[Array, ""]:
        """ln int p(data, latent) d latent, in this approximation."""
        n = self.mode.size
        return self.logdensity + self.log_determinant + 0.5 * n * math.log(2.0 * math.pi)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n n_latent"]:
        """Random latents."""
        xi = jax.random.normal(key, (n, self.mode.size), self.mode.dtype)
        return self.mode + xi @ self.root.T

    def logpdf(self, latent: Latent) -> Float[Array, ""]:
        """Log density of the Gaussian at a latent."""
        xi = jnp.linalg.solve(self.root, latent - self.mode)
        n = self.mode.size
        return -0.5 * (jnp.sum(xi * xi) + n * math.log(2.0 * math.pi)) - self.log_determinant


def inverse_root(precision: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """R with R R^T = precision^-1, through the Cholesky factor of the scaled matrix."""
    scale = 1.0 / jnp.sqrt(jnp.diagonal(precision))
    factor = jnp.linalg.cholesky(precision * scale[:, None] * scale[None, :])
    eye = jnp.eye(scale.size, dtype=scale.dtype)
    inverse = jax.scipy.linalg.solve_triangular(factor, eye, lower=True)
    return scale[:, None] * inverse.T


def as_laplace(mode: Mode) -> Laplace:
    """The Gaussian at a mode; raises `ValueError` where the curvature is not positive."""
    root = inverse_root(mode.curvature.precision)
    if not bool(jnp.all(jnp.isfinite(root))):
        raise ValueError(
            "the curvature at the mode is not positive definite: a parameter has neither data nor "
            "prior to fix it"
        )
    return Laplace(mode.latent, root, mode.curvature.logdensity, mode.steps, mode.converged)


@eqx.filter_jit
def _chi2(posterior: Any, latent: Float[Array, " n"]) -> Float[Array, ""]:
    return jnp.sum(posterior.residuals(posterior.constrain(latent)) ** 2)


def reduced_chi2(posterior: Any, latent: Float[Array, " n"]) -> float:
    """Squared whitened residual for each datum that is used."""
    return float(_chi2(posterior, latent)) / posterior.likelihood.count


def laplace(
    posterior: Any,
    start: Any = None,
    *,
    max_steps: int = 150,
    restarts: int = 0,
    key: PRNGKeyArray | None = None,
) -> Laplace:
    """Find the mode from `start` and return the Gaussian there (see `Posterior.laplace`)."""
    best = search(posterior, start, max_steps=max_steps, restarts=restarts, key=key)
    if has_boxes(posterior):
        latent = _inside(posterior, boxed(posterior), best.latent)
        polished = find_mode(posterior, latent, max_steps=max_steps)
        best = polished._replace(steps=best.steps + polished.steps)
    return as_laplace(best)


def soft_laplace(
    posterior: Any,
    start: Any = None,
    *,
    restarts: int = 0,
    key: PRNGKeyArray | None = None,
) -> tuple[Laplace, Latent]:
    """The Gaussian at the mode in the coordinates of `boxed(posterior, soft)`, and `soft`.

    `soft` is the marginal standard deviation there, as a fraction of the prior's interval.
    """
    best = search(posterior, start, restarts=restarts, key=key)
    if not has_boxes(posterior):
        return as_laplace(best), jnp.zeros((0,), best.latent.dtype)
    straight = boxed(posterior)
    # a singular matrix cannot occur: boxed priors add the precision of a uniform variate
    deviation = jnp.sqrt(jnp.diagonal(jnp.linalg.inv(best.curvature.precision)))
    soft = jnp.clip(deviation, 1e-7, WIDEST)
    latent = _inside(boxed(posterior, soft), straight, best.latent)
    polished = find_mode(boxed(posterior, soft), latent)
    return as_laplace(polished._replace(steps=best.steps + polished.steps)), soft


def search(
    posterior: Any,
    start: Any = None,
    *,
    max_steps: int = 150,
    restarts: int = 0,
    key: PRNGKeyArray | None = None,
) -> Mode:
    """The best mode found, with latents of `boxed(posterior)`.

    Straight coordinates with bounds have no flat tails in which a search gets lost.
    """
    if restarts and key is None:
        raise ValueError("restarts needs a key")
    straight = boxed(posterior)
    first = start_latent(posterior, start)
    if has_boxes(posterior):
        first = straight.unconstrain(posterior.constrain(first))
    best = find_mode(straight, first, max_steps=max_steps)
    evaluations = best.steps
    for i in range(restarts):
        if best.converged and reduced_chi2(straight, best.latent) < GOOD_FIT:
            break
        begin = straight.sample_prior_latent(jax.random.fold_in(key, i))
        if not bool(jnp.isfinite(straight.curvature(begin).logdensity)):
            continue
        other = find_mode(straight, begin, max_steps=max_steps)
        evaluations += other.steps
        if other.curvature.logdensity > best.curvature.logdensity:
            best = other
    return best._replace(steps=evaluations)


def _inside(target: Any, straight: Any, latent: Latent) -> Latent:
    """Latents of `target` for straight ones; off the bounds, which `target` never reaches."""
    low, high = bounds(straight)
    return target.unconstrain(straight.constrain(jnp.clip(latent, low + 1e-6, high - 1e-6)))


def start_latent(posterior: Any, start: Any) -> Latent:
    """A latent vector from None (values in the model), parameter values, or a latent vector."""
    if start is None:
        start = posterior.current()
    latent = posterior.unconstrain(start) if isinstance(start, dict) else jnp.asarray(start)
    if latent.shape != (posterior.size,):
        raise ValueError(f"start must have shape ({posterior.size},), got {latent.shape}")
    if not bool(jnp.all(jnp.isfinite(latent))):
        raise ValueError("start lies outside the support of the priors")
    return latent

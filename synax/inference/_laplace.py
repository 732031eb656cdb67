"""The Laplace approximation: a Gaussian in latent space at the mode of a posterior."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .._shown import Shown
from ._box import bounds, boxed, has_boxes
from ._curvature import Mode, find_mode
from ._density import LatentDensity
from ._search import Maxima, find_maxima, searches_for
from ._start import start_latent

Latent = Float[Array, " n_latent"]


class Laplace(Shown):
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


def as_laplace(mode: Mode, evaluations: int | None = None) -> Laplace:
    """The Gaussian at a mode; raises `ValueError` where the curvature is not positive."""
    root = inverse_root(mode.curvature.precision)
    if not bool(jnp.all(jnp.isfinite(root))):
        raise ValueError(
            "the curvature at the mode is not positive definite: a parameter has neither data nor "
            "prior to fix it"
        )
    spent = mode.steps if evaluations is None else evaluations
    return Laplace(mode.latent, root, mode.curvature.logdensity, spent, mode.converged)


@eqx.filter_jit
def _chi2(posterior: LatentDensity, latent: Float[Array, " n"]) -> Float[Array, ""]:
    return jnp.sum(posterior.residuals(posterior.constrain(latent)) ** 2)


def reduced_chi2(posterior: LatentDensity, latent: Float[Array, " n"]) -> float:
    """Squared whitened residual for each datum that is used."""
    return float(_chi2(posterior, latent)) / posterior.likelihood.count


def laplace(
    posterior: LatentDensity,
    start: Any = None,
    *,
    max_steps: int = 150,
    restarts: int | None = None,
    key: PRNGKeyArray | None = None,
) -> Laplace:
    """Find the highest mode and return the Gaussian there (see `Posterior.laplace`)."""
    found = search(posterior, start, max_steps=max_steps, restarts=restarts, key=key)
    best = found.modes[0]
    if has_boxes(posterior):
        latent = off_bounds(posterior, boxed(posterior), best.latent)
        best = find_mode(posterior, latent, max_steps=max_steps)
        found = found._replace(evaluations=found.evaluations + best.steps)
    return as_laplace(best, found.evaluations)


def search(
    posterior: LatentDensity,
    start: Any = None,
    *,
    max_steps: int = 150,
    restarts: int | None = None,
    key: PRNGKeyArray | None = None,
) -> Maxima:
    """All maxima found, the highest first, with latents of `boxed(posterior)`.

    Straight coordinates with bounds have no flat tails in which a search gets lost.
    """
    searches = searches_for(posterior, restarts)
    straight = boxed(posterior)
    first = start_latent(posterior, start, or_prior=searches > 0)
    if has_boxes(posterior):
        first = straight.unconstrain(posterior.constrain(first))
    return find_maxima(straight, first, searches=searches, key=key, max_steps=max_steps)


def off_bounds(target: LatentDensity, straight: LatentDensity, latent: Latent) -> Latent:
    """Latents of `target` for straight ones; off the bounds, which `target` never reaches."""
    low, high = bounds(straight)
    return target.unconstrain(straight.constrain(jnp.clip(latent, low + 1e-6, high - 1e-6)))

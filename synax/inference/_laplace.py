"""The Laplace approximation: a Gaussian in latent space at the mode of a posterior."""

import logging
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ._box import WIDEST, bounds, boxed, has_boxes
from ._curvature import Mode, find_mode
from ._priors import innermost
from ._search import Maxima, find_maxima, searches_for

LOG = logging.getLogger("synax")
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


class Whitening(NamedTuple):
    """Where chains may run: the Gaussians at the maxima that compete, in common coordinates."""

    maxima: tuple[Laplace, ...]
    """In the coordinates of `boxed(posterior, soft)`, the largest evidence first."""
    soft: Latent
    """Marginal standard deviations at the best, as fractions of the priors' intervals; empty
    where no prior is bounded."""
    found: Maxima
    """All maxima, in the coordinates of `boxed(posterior)`."""
    numbers: tuple[int, ...]
    """Which of `found` each of `maxima` is."""

    @property
    def weights(self) -> Float[np.ndarray, " maxima"]:
        """Shares of the probability, by the Gaussians."""
        heights = np.array([float(g.log_evidence) for g in self.maxima])
        weights = np.exp(heights - heights.max())
        return weights / weights.sum()


def soft_laplace(
    posterior: Any,
    start: Any = None,
    *,
    restarts: int | None = None,
    key: PRNGKeyArray | None = None,
) -> Whitening:
    """The Gaussians at the maxima that matter, in coordinates in which chains can run."""
    found = search(posterior, start, restarts=restarts, key=key)
    numbers = found.competing or (0,)
    chosen = [found.modes[i] for i in numbers]
    if not has_boxes(posterior):
        gaussians = [as_laplace(mode, found.evaluations) for mode in chosen]
        return _sorted(gaussians, jnp.zeros((0,), chosen[0].latent.dtype), found, numbers)
    straight = boxed(posterior)
    # a singular matrix cannot occur: boxed priors add the precision of a uniform variate
    precisions = [mode.curvature.precision for mode in chosen]
    deviation = jnp.stack([jnp.sqrt(jnp.diagonal(jnp.linalg.inv(p))) for p in precisions])
    soft = jnp.clip(jnp.max(deviation, axis=0), 1e-7, WIDEST)
    bent, evaluations, modes = boxed(posterior, soft), found.evaluations, []
    for mode in chosen:
        modes.append(find_mode(bent, off_bounds(bent, straight, mode.latent)))
        evaluations += modes[-1].steps
    return _sorted([as_laplace(mode, evaluations) for mode in modes], soft, found, numbers)


def _sorted(
    gaussians: list[Laplace], soft: Latent, found: Maxima, numbers: tuple[int, ...]
) -> Whitening:
    order = np.argsort([-float(g.log_evidence) for g in gaussians])
    return Whitening(
        tuple(gaussians[i] for i in order), soft, found, tuple(numbers[i] for i in order)
    )


def search(
    posterior: Any,
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


def off_bounds(target: Any, straight: Any, latent: Latent) -> Latent:
    """Latents of `target` for straight ones; off the bounds, which `target` never reaches."""
    low, high = bounds(straight)
    return target.unconstrain(straight.constrain(jnp.clip(latent, low + 1e-6, high - 1e-6)))


def start_latent(posterior: Any, start: Any, *, or_prior: bool = False) -> Latent:
    """A latent vector from None (values in the model), parameter values, or a latent vector.

    **Arguments:** `or_prior`: where the priors exclude the values in the model, take the middle
    of the priors (latents of 0) and say so in the log, in place of an error.

    **Raises** `ValueError` that names the parameters outside the support of their priors.
    """
    given = posterior.current() if start is None else start
    latent = posterior.unconstrain(given) if isinstance(given, dict) else jnp.asarray(given)
    if latent.shape != (posterior.size,):
        raise ValueError(f"start must have shape ({posterior.size},), got {latent.shape}")
    if bool(jnp.all(jnp.isfinite(latent))):
        return latent
    outside = _outside(posterior, given)
    if start is None and or_prior:
        LOG.info("%s: the search starts from the middle of the priors", outside)
        return jnp.zeros_like(latent)
    remedy = "give start= inside them" if start is None else "choose another start"
    raise ValueError(f"start lies outside the support of the priors ({outside}): {remedy}")


def _outside(posterior: Any, given: Any) -> str:
    """'the prior of 'x' excludes 3.5' for each parameter whose latent is not finite."""
    if not isinstance(given, dict):
        return "the latent vector is not finite"
    words = []
    for block in posterior.blocks:
        value = block.join(posterior._checked(given))
        if not bool(jnp.all(jnp.isfinite(block.prior.latent(value)))):
            shown = np.array2string(np.asarray(value), precision=6, threshold=6)
            names, range_ = " and ".join(f"'{p}'" for p in block.paths), _support(block.prior)
            words.append(f"the prior of {names}{range_} excludes {shown}")
    return ", ".join(words)


def _support(prior: Any) -> str:
    distribution = innermost(getattr(prior, "distribution", None))
    low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
    if low is None or high is None:
        return ""
    return f", {type(distribution).__name__} from {np.min(low):g} to {np.max(high):g},"

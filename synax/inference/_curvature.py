"""Curvature of posteriors: Fisher (Gauss-Newton) matrices and products, modes, forecasts."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..simulators import AbstractSimulator
from ..transfer import ForwardMode
from ._box import BoxPrior, bounds
from ._damping import Damping
from ._density import LatentDensity

TANGENTS = 16
Latent = Float[Array, " n_latent"]


class Curvature(NamedTuple):
    """Log posterior density, its gradient, and minus its Gauss-Newton Hessian, at a latent."""

    logdensity: Float[Array, ""]
    gradient: Float[Array, " n_latent"]
    fisher: Float[Array, "n_latent n_latent"]
    """Fisher matrix of the likelihood."""
    prior: Float[Array, "n_latent n_latent"]
    """Curvature of the prior: the identity where its latents are standard normal."""

    @property
    def precision(self) -> Float[Array, "n_latent n_latent"]:
        """Fisher matrix plus prior curvature: inverse covariance of the Laplace approximation."""
        return self.fisher + self.prior


def forward_only(posterior: LatentDensity) -> LatentDensity:
    """The posterior with its simulator in forward mode, which saves the second pass."""
    if not isinstance(posterior.model, AbstractSimulator):
        return posterior
    return eqx.tree_at(lambda p: p.model.integration.adjoint, posterior, ForwardMode())


def pushed(function: Callable[[Array], Any], x: Float[Array, " n"]) -> tuple[Any, Any]:
    """Value and Jacobian (leading axis n) of `function`, by forward mode, TANGENTS at a time."""
    basis = jnp.eye(x.size, dtype=x.dtype)
    push = lambda t: jax.jvp(function, (x,), (t,))
    if x.size <= TANGENTS:
        value, rows = jax.vmap(push, out_axes=(None, 0))(basis)
        return value, rows
    value = function(x)
    return value, jax.lax.map(lambda t: push(t)[1], basis, batch_size=TANGENTS)


def prior_precision(posterior: LatentDensity, latent: Latent) -> Float[Array, "n_latent n_latent"]:
    """Minus the Hessian of the log prior, with negative curvatures set to 0."""
    matrices, start = [], 0
    for block in posterior.blocks:
        size = block.prior.size
        if block.prior.standard:
            matrices.append(jnp.eye(size, dtype=latent.dtype))
        elif isinstance(block.prior, BoxPrior) and block.prior.soft is None:
            # flat: the inverse variance of a uniform variate keeps steps within the interval
            matrices.append(12.0 * jnp.eye(size, dtype=latent.dtype))
        else:
            hessian = -jax.hessian(block.prior.log_latent)(latent[start : start + size])
            values, vectors = jnp.linalg.eigh(hessian)
            matrices.append((vectors * jnp.maximum(values, 0.0)) @ vectors.T)
        start += size
    return jax.scipy.linalg.block_diag(*matrices)


@eqx.filter_jit
def curvature(posterior: LatentDensity, latent: Latent) -> Curvature:
    """Value, gradient and Gauss-Newton matrix from one pass of forward mode."""
    forward = forward_only(posterior)

    evaluate = lambda z: forward.evaluate(forward.constrain(z))
    (value, _), (gradient, rows) = pushed(evaluate, latent)
    prior, prior_gradient = jax.value_and_grad(posterior.log_prior_latent)(latent)
    return Curvature(
        value + prior, gradient + prior_gradient, rows @ rows.T, prior_precision(posterior, latent)
    )


@eqx.filter_jit
def fisher_of_params(posterior: LatentDensity, vector: Float[Array, " n"]) -> Float[Array, "n n"]:
    """Fisher matrix of the likelihood with respect to the parameters themselves."""
    forward = forward_only(posterior)
    rows = pushed(lambda v: forward.evaluate(forward.unflatten(v))[1], vector)[1]
    return rows @ rows.T


class NotFinite(ValueError):
    """The log density is not finite where a search starts."""


class Mode(NamedTuple):
    """A maximum of the posterior density, found by `find_mode`."""

    latent: Float[Array, " n_latent"]
    curvature: Curvature
    steps: int
    """Evaluations of value, gradient and curvature."""
    decrement: float
    """Log density still to be gained, by the quadratic model."""
    converged: bool


def find_mode(
    posterior: LatentDensity,
    start: Latent,
    *,
    max_steps: int = 150,
    tolerance: float = 1e-3,
) -> Mode:
    """Levenberg-Marquardt ascent with the exact Gauss-Newton matrix, in latent space.

    Latents with bounds (see `boxed`) stay between them: those that would leave are held there.
    Stops when the quadratic model promises less than `tolerance` (log density) from a further
    step, or when rounding hides any progress.

    **Reference:** see `Damping`; projection of Kanzow, Yamashita & Fukushima 2004, J. Comput. Appl.
    Math. 172, 375.
    """
    latent = start
    here = curvature(posterior, latent)
    if not bool(jnp.isfinite(here.logdensity)):
        raise NotFinite(
            "the log density is not finite at the start: the priors exclude it, or the model gives "
            "no finite prediction there; choose another start"
        )
    low, high = (np.asarray(x, np.float64) for x in bounds(posterior))
    damping, steps, decrement = Damping.start(1e-3, here.logdensity), 1, math.inf
    resolution = 8.0 * float(jnp.finfo(latent.dtype).eps)
    while steps < max_steps:
        precision = np.asarray(here.precision, np.float64)
        gradient = np.asarray(here.gradient, np.float64)
        place = np.asarray(latent, np.float64)
        held = ((place <= low) & (gradient < 0.0)) | ((place >= high) & (gradient > 0.0))
        decrement = 0.5 * float(gradient @ _solve(precision, gradient, held))
        floor = resolution * abs(float(here.logdensity))
        if decrement < max(tolerance, floor):
            break
        damped = precision + float(damping.value) * np.diag(np.diagonal(precision))
        step = np.clip(place + _solve(damped, gradient, held), low, high) - place
        promise = float(step @ gradient - 0.5 * step @ precision @ step)
        trial = jnp.asarray(np.clip(place + step, low, high), latent.dtype)
        there = curvature(posterior, trial)
        steps += 1
        damping, good = damping.after(
            there.logdensity - here.logdensity, jnp.asarray(promise, latent.dtype)
        )
        if bool(good):
            latent, here = trial, there
        elif float(damping.value) > 1e12:
            break
    floor = resolution * abs(float(here.logdensity))
    return Mode(latent, here, steps, decrement, decrement < max(tolerance, floor))


def _solve(matrix: np.ndarray, vector: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Solution of the rows and columns that are not held; 0 for those that are."""
    solution, free = np.zeros_like(vector), ~held
    solution[free] = np.linalg.solve(matrix[np.ix_(free, free)], vector[free])
    return solution


class Forecast(NamedTuple):
    """Expected errors of the parameters: `forecast` of a `Posterior`."""

    labels: tuple[str, ...]
    values: Float[Array, " n"]
    errors: Float[Array, " n"]
    """Standard deviations, marginalised over the other parameters."""
    correlation: Float[Array, "n n"]
    covariance: Float[Array, "n n"]

    def __str__(self) -> str:
        width = max(map(len, self.labels))
        lines = [f"{'parameter':<{width}}  {'value':>13}  {'error':>11}  largest correlation"]
        for i, label in enumerate(self.labels):
            row = np.array(self.correlation[i])
            row[i] = 0.0
            j = int(np.argmax(np.abs(row)))
            other = f"{row[j]:+.3f} with {self.labels[j]}" if len(row) > 1 else "none"
            value, error = float(self.values[i]), float(self.errors[i])
            lines.append(f"{label:<{width}}  {value:>13.6g}  {error:>11.3g}  {other}")
        return "\n".join(lines)


@eqx.filter_jit
def forecast_matrices(
    posterior: LatentDensity, vector: Float[Array, " n"], prior: bool
) -> tuple[Float[Array, "n n"], Float[Array, " n"], Float[Array, "n n"]]:
    """Covariance, errors and correlations from the Fisher matrix (and the prior's curvature)."""
    precision = fisher_of_params(posterior, vector)
    if prior:
        latent = posterior.unconstrain(posterior.unflatten(vector))
        inverse = lambda v: posterior.unconstrain(posterior.unflatten(v))
        jacobian = jax.jacfwd(inverse)(vector)
        precision = precision + jacobian.T @ prior_precision(posterior, latent) @ jacobian
    scale = 1.0 / jnp.sqrt(jnp.diagonal(precision))
    scaled = jnp.linalg.inv(precision * scale[:, None] * scale[None, :])
    covariance = scaled * scale[:, None] * scale[None, :]
    errors = jnp.sqrt(jnp.diagonal(covariance))
    return covariance, errors, covariance / (errors[:, None] * errors[None, :])

"""What a smooth model misses of a sky: noise that neighbouring pixels share."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..sightlines._sightlines import Sightlines
from ._noise import LOG_TWO_PI, CovarianceNoise


class CorrelatedFit(NamedTuple):
    """What `fit_correlated_noise` found."""

    noise: CovarianceNoise
    rms: float
    """Standard deviation of what is missed, in the unit of the residuals."""
    length: float
    """Angle (rad) over which its correlation falls to 1/e."""
    logpdf: float
    """Log likelihood of the residuals."""


def fit_correlated_noise(
    rays: Sightlines,
    residual: Any,
    sigma: Any,
    *,
    rms: float | None = None,
    length: float = 0.5,
) -> CorrelatedFit:
    """Noise with the correlations of some residuals: rms and length of the greatest likelihood.

    C = diag(sigma^2) + rms^2 exp(-angle / length), times the product of the frames for Q and U:
    a Gaussian random field on the sphere, alike everywhere. In turn with the search for the mode,
    a few rounds of it give errors that know that a loop of the sky is one datum, not fifty.

    **Arguments:**

    - `rays`: their directions.
    - `residual`: data minus prediction, (n_rays,) or (1, n_rays) of anything without direction, or
      (2, n_rays) of Q and U (IAU).
    - `sigma`: standard deviation of the noise, a number or in the shape of the residuals.
    - `rms`, `length`: where the search begins (length in rad; default rms: that of the residuals).

    **Returns** a `CorrelatedFit`, whose `noise` goes into a likelihood.

    **Raises** `ValueError` for residuals of another shape, or that are not finite.

    **Reference:** Gneiting 2013, Bernoulli 19, 1327 (exp(-angle / length) on the sphere).
    """
    import scipy.optimize

    residual = np.asarray(residual, float)
    if residual.shape not in [(rays.n_rays,), (1, rays.n_rays), (2, rays.n_rays)]:
        raise ValueError(
            f"residual must be ({rays.n_rays},), or (2, {rays.n_rays}) for Q and U, "
            f"got {residual.shape}"
        )
    if not np.all(np.isfinite(residual)):
        raise ValueError("residual must be finite: leave out the rays without data")
    variance = jnp.asarray(np.broadcast_to(np.asarray(sigma, float), residual.shape).ravel() ** 2)
    polarised = residual.shape == (2, rays.n_rays)
    angle, product = map(jnp.asarray, _alike(rays, polarised))
    scale = float(np.sqrt(np.mean(residual**2))) if rms is None else rms
    flat = jnp.asarray(residual.ravel())

    start = np.log([scale, length])
    found = scipy.optimize.minimize(
        lambda x: tuple(np.asarray(v, float) for v in _loss(x, flat, variance, angle, product)),
        start, jac=True,
        method="L-BFGS-B", bounds=[(start[0] - 5.0, start[0] + 5.0), (np.log(1e-3), np.log(10.0))],
    )  # fmt: skip
    size, reach = (float(x) for x in np.exp(found.x))
    noise = CovarianceNoise(_covariance(found.x, variance, angle, product))
    return CorrelatedFit(noise, size, reach, -float(found.fun) - 0.5 * flat.size * LOG_TWO_PI)


@jax.jit
def _covariance(x: Any, variance: Array, angle: Array, product: Array) -> Float[Array, "n n"]:
    rms, length = jnp.exp(x)
    return rms * rms * jnp.exp(-angle / length) * product + jnp.diag(variance)


@jax.jit
@jax.value_and_grad
def _loss(x: Any, residual: Array, variance: Array, angle: Array, product: Array) -> Array:
    """Minus the log likelihood of (ln rms, ln length), but for a constant."""
    factor = jnp.linalg.cholesky(_covariance(x, variance, angle, product))
    white = jax.scipy.linalg.solve_triangular(factor, residual, lower=True)
    return 0.5 * white @ white + jnp.sum(jnp.log(jnp.diagonal(factor)))


def _alike(rays: Sightlines, polarised: bool) -> tuple[np.ndarray, np.ndarray]:
    """Angles between data, and how much of one is in the other at no distance: (n, n) each.

    Q and U are components of a tensor, in frames that turn from place to place: the product of
    two frames in space keeps the covariance positive (that of a field of tensors in space).
    """
    direction, east, north = (np.asarray(v, float) for v in (rays.direction, rays.east, rays.north))
    angle = np.arccos(np.clip(direction.T @ direction, -1.0, 1.0))
    if not polarised:
        return angle, np.ones_like(angle)
    outer = lambda a, b: np.einsum("ip,jp->ijp", a, b) / np.sqrt(2.0)
    q, u = outer(north, north) - outer(east, east), outer(north, east) + outer(east, north)
    frames = np.concatenate([q, u], axis=2)
    return np.tile(angle, (2, 2)), np.einsum("ijp,ijq->pq", frames, frames)

"""Noise models: how far data may lie from a prediction."""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from .._checks import concrete, finite, holds, known_values, shown
from .._parameters import as_parameter, parameter
from .._shown import Shown

LOG_TWO_PI = math.log(2.0 * math.pi)
Mask = Bool[Any, "*shape"] | None


class AbstractNoise(Shown):
    """The distribution of data minus prediction. Its parameters are leaves and may be free."""

    @abc.abstractmethod
    def whiten(self, residual: Float[Array, "*shape"], mask: Mask) -> Float[Array, " n"]:
        """Residuals in units of the noise, independent, flat; 0 where `mask` is False."""

    @abc.abstractmethod
    def logpdf(self, residual: Float[Array, "*shape"], mask: Mask) -> Float[Array, ""]:
        """Log density of the residuals where `mask` is True (everywhere if None)."""

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray, like: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Random noise with the shape and dtype of `like`."""

    @abc.abstractmethod
    def features(self, prediction: Float[Array, "*shape"], mask: Mask) -> Float[Array, " m"]:
        """Functions of prediction and noise parameters whose Jacobian J gives Fisher = J^T J."""

    def check(self, shape: tuple[int, ...], mask: np.ndarray | None) -> np.ndarray | None:
        """Refuse, by `ValueError`, numbers that do not fit data of a shape; returns the mask.

        `AbstractNoise` itself has no numbers. A noise of your own may check its own here.
        """
        return mask


def check_broadcast(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array that does not broadcast to the shape of the data."""
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} of shape {value.shape} does not broadcast to data of shape {shape}"
        )


def _check_positive(name: str, value: Any, shape: tuple[int, ...], mask: np.ndarray | None) -> None:
    """Positive and finite where data are used, and so that its square is neither 0 nor infinite."""
    check_broadcast(name, value, shape)
    used = True if mask is None else mask
    with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
        if not holds(value, lambda x: ~np.asarray(used) | ((x > 0) & np.isfinite(x))):
            raise ValueError(f"{name} must be positive and finite, got {shown(value)}")
        if not holds(value, lambda x: ~np.asarray(used) | np.isfinite(x * x + 1 / (x * x))):
            raise ValueError(
                f"{name} must have a square that is neither 0 nor infinite in {value.dtype}, got "
                f"{shown(value)}"
            )


def _check_rows(name: str, n: int, shape: tuple[int, ...]) -> None:
    if n != math.prod(shape):
        raise ValueError(f"{name} must have {math.prod(shape)} rows, one for each datum, got {n}")


def _keep(x: Float[Array, "*shape"], mask: Mask) -> Float[Array, "*shape"]:
    return x if mask is None else jnp.where(mask, x, 0.0)


def _full(x: Array, like: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return jnp.broadcast_to(x.astype(like.dtype), like.shape)


class GaussianNoise(AbstractNoise):
    """Independent Gaussian noise of variance sigma^2 + excess^2.

    **Arguments:**

    - `sigma`: standard deviation, a number or an array that broadcasts to the data.
    - `excess`: standard deviation of further scatter (what the model leaves out), or None.
    """

    sigma: Float[Array, "..."] = eqx.field(converter=lambda x: as_parameter(x, "", "sigma"))
    excess: Float[Array, "..."] | None = parameter(
        None, "", "standard deviation of further scatter"
    )

    def check(self, shape: tuple[int, ...], mask: np.ndarray | None) -> np.ndarray | None:
        _check_positive("sigma", self.sigma, shape, mask)
        if self.excess is not None:
            check_broadcast("excess", self.excess, shape)
            if not holds(self.excess, lambda x: np.isfinite(x)):
                raise ValueError(f"excess must be finite, got {shown(self.excess)}")
        return mask

    def variance(self, like: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sigma^2 + excess^2, in the shape of the data."""
        variance = self.sigma * self.sigma
        if self.excess is not None:
            variance = variance + self.excess * self.excess
        return _full(variance, like)

    def whiten(self, residual, mask):
        return _keep(residual / jnp.sqrt(self.variance(residual)), mask).reshape(-1)

    def logpdf(self, residual, mask):
        variance = self.variance(residual)
        terms = residual * residual / variance + jnp.log(variance) + LOG_TWO_PI
        return -0.5 * jnp.sum(_keep(terms, mask))

    def draw(self, key, like):
        return jnp.sqrt(self.variance(like)) * jax.random.normal(key, like.shape, like.dtype)

    def features(self, prediction, mask):
        variance = self.variance(prediction)
        mean = prediction / jnp.sqrt(jax.lax.stop_gradient(variance))
        spread = math.sqrt(0.5) * jnp.log(variance)
        return jnp.concatenate([_keep(x, mask).reshape(-1) for x in (mean, spread)])


class StudentTNoise(AbstractNoise):
    """Independent Student t noise: Gaussian in the core, tolerant of outliers.

    **Arguments:**

    - `scale`: width of the core, broadcasts to the data.
    - `dof`: degrees of freedom nu > 0 (1: Cauchy; large: Gaussian).

    **Reference:** Lange, Little & Taylor 1989, J. Am. Stat. Assoc. 84, 881 (model, information).
    """

    scale: Float[Array, "..."] = eqx.field(converter=lambda x: as_parameter(x, "", "scale"))
    dof: Float[Array, ""] = parameter(4.0, "", "degrees of freedom", above=0.0)

    def check(self, shape: tuple[int, ...], mask: np.ndarray | None) -> np.ndarray | None:
        _check_positive("scale", self.scale, shape, mask)
        if not holds(self.dof, lambda x: (x > 0) & np.isfinite(x)):
            raise ValueError(f"dof must be positive and finite, got {shown(self.dof)}")
        return mask

    def whiten(self, residual, mask):
        return _keep(residual / _full(self.scale, residual), mask).reshape(-1)

    def logpdf(self, residual, mask):
        scale, nu = _full(self.scale, residual), self.dof.astype(residual.dtype)
        z = residual / scale
        half = 0.5 * (nu + 1.0)
        constant = jax.lax.lgamma(half) - jax.lax.lgamma(0.5 * nu) - 0.5 * jnp.log(math.pi * nu)
        return jnp.sum(_keep(constant - jnp.log(scale) - half * jnp.log1p(z * z / nu), mask))

    def draw(self, key, like):
        t = jax.random.t(key, self.dof.astype(like.dtype), like.shape, like.dtype)
        return _full(self.scale, like) * t

    def features(self, prediction, mask):
        scale, nu = _full(self.scale, prediction), self.dof.astype(prediction.dtype)
        still_scale, n = jax.lax.stop_gradient((scale, nu))
        mean = prediction / still_scale * jnp.sqrt((n + 1.0) / (n + 3.0))
        # 2x2 information of (ln scale, nu) per datum, and its Cholesky factor
        aa = 2.0 * n / (n + 3.0)
        ab = -2.0 / ((n + 1.0) * (n + 3.0))
        trigamma = lambda x: jax.scipy.special.polygamma(1, x)
        bb = 0.25 * (trigamma(0.5 * n) - trigamma(0.5 * (n + 1.0)))
        bb = bb - (n + 5.0) / (2.0 * n * (n + 1.0) * (n + 3.0))
        root = jnp.sqrt(aa)
        log_scale = jnp.log(scale)
        first = root * log_scale + ab / root * nu
        second = jnp.sqrt(jnp.maximum(bb - ab * ab / aa, 0.0)) * nu * jnp.ones_like(scale)
        return jnp.concatenate([_keep(x, mask).reshape(-1) for x in (mean, first, second)])


class CovarianceNoise(AbstractNoise):
    """Gaussian noise with a dense covariance C = L L^T (known: held fixed in Fisher matrices).

    **Arguments:**

    - `covariance`: (n, n) for n = number of data (flattened in C order), plain numbers in the
      square of the data's unit.

    **Raises** `ValueError` unless the matrix is square, symmetric (to a part in 10^5 of the
    variances) and positive definite, or if it has a unit; `TypeError` for what is no matrix of
    real numbers, and if it is being traced: its Cholesky factor is made, and looked at, once.
    """

    cholesky: Float[Array, "n n"]

    def __init__(self, covariance: Any):
        concrete("covariance", covariance)
        with known_values():  # inside a `jit` that closes over the matrix
            covariance = as_parameter(covariance, "", "covariance")
            if jnp.ndim(covariance) != 2 or covariance.shape[0] != covariance.shape[1]:
                raise ValueError(f"covariance must be (n, n), got shape {jnp.shape(covariance)}")
            finite("covariance", covariance)
            if not _symmetric(np.asarray(covariance)):
                raise ValueError("covariance must be symmetric")
            self.cholesky = jnp.linalg.cholesky(covariance)
            if not bool(jnp.all(jnp.isfinite(self.cholesky))):
                raise ValueError("covariance must be positive definite")

    def check(self, shape: tuple[int, ...], mask: np.ndarray | None) -> np.ndarray | None:
        _check_rows("covariance", self.cholesky.shape[0], shape)
        return mask

    def _factor(self, mask: Mask, dtype: Any) -> Float[Array, "n n"]:
        factor = self.cholesky.astype(dtype)
        if mask is None:
            return factor
        # data that are not used become independent of the others, with unit variance
        used = jnp.asarray(mask).reshape(-1)
        covariance = jnp.where(used[:, None] & used[None, :], factor @ factor.T, 0.0)
        return jnp.linalg.cholesky(covariance + jnp.diag(jnp.where(used, 0.0, 1.0)).astype(dtype))

    def whiten(self, residual, mask):
        flat = _keep(residual, mask).reshape(-1)
        factor = self._factor(mask, residual.dtype)
        return jax.scipy.linalg.solve_triangular(factor, flat, lower=True)

    def logpdf(self, residual, mask):
        white = self.whiten(residual, mask)
        diagonal = jnp.log(jnp.diagonal(self._factor(mask, residual.dtype)))
        count = residual.size if mask is None else jnp.sum(mask)
        return -0.5 * jnp.sum(white * white) - jnp.sum(diagonal) - 0.5 * count * LOG_TWO_PI

    def draw(self, key, like):
        white = jax.random.normal(key, (like.size,), like.dtype)
        return (self.cholesky.astype(like.dtype) @ white).reshape(like.shape)

    def features(self, prediction, mask):
        return self.whiten(prediction, mask)


def _symmetric(matrix: Float[np.ndarray, "n n"]) -> bool:
    """Whether a matrix is symmetric to a part in 10^5 of the size that its diagonal allows."""
    size = np.sqrt(np.abs(np.diagonal(matrix)))
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.all(np.abs(matrix - matrix.T) <= 1e-5 * size[:, None] * size))


class LowRankNoise(AbstractNoise):
    """Gaussian noise of covariance diag(sigma^2) + F F^T (known: held fixed in Fisher matrices).

    Foreground templates, striping or calibration modes: a few columns of F for many data.

    **Arguments:**

    - `sigma`: as in `GaussianNoise`.
    - `factor`: F, (n, k) for n flattened data; rows of data that are not used may hold anything.
    """

    sigma: Float[Array, "..."] = eqx.field(converter=lambda x: as_parameter(x, "", "sigma"))
    factor: Float[Array, "n k"] = eqx.field(converter=lambda x: as_parameter(x, "", "factor"))

    def check(self, shape: tuple[int, ...], mask: np.ndarray | None) -> np.ndarray | None:
        _check_positive("sigma", self.sigma, shape, mask)
        if jnp.ndim(self.factor) != 2:
            raise ValueError(f"factor must be (n, k), got shape {jnp.shape(self.factor)}")
        _check_rows("factor", self.factor.shape[0], shape)
        used = True if mask is None else np.reshape(mask, -1)[:, None]
        if not holds(self.factor, lambda x: ~np.asarray(used) | np.isfinite(x)):
            raise ValueError("factor must be finite in the rows of the data that are used")
        return mask

    def _parts(self, like: Array, mask: Mask) -> tuple[Array, Array]:
        sigma = _full(self.sigma, like)
        inverse = _keep(1.0 / sigma, mask).reshape(-1)
        used = True if mask is None else jnp.asarray(mask).reshape(-1)[:, None]
        return inverse, inverse[:, None] * jnp.where(used, self.factor.astype(like.dtype), 0.0)

    def whiten(self, residual, mask):
        inverse, a = self._parts(residual, mask)
        a = jax.lax.stop_gradient(a)
        x = inverse * _keep(residual, mask).reshape(-1)
        # (1 + A A^T)^(-1/2) = 1 - A V g(s^2) V^T A^T,  g(t) = 1 / (1 + t + sqrt(1 + t))
        values, vectors = jnp.linalg.eigh(a.T @ a)
        t = jnp.maximum(values, 0.0)
        g = 1.0 / (1.0 + t + jnp.sqrt(1.0 + t))
        return x - a @ (vectors @ (g * (vectors.T @ (a.T @ x))))

    def logpdf(self, residual, mask):
        inverse, a = self._parts(residual, mask)
        x = inverse * _keep(residual, mask).reshape(-1)
        inner = jnp.linalg.cholesky(jnp.eye(a.shape[1], dtype=a.dtype) + a.T @ a)
        y = jax.scipy.linalg.solve_triangular(inner, a.T @ x, lower=True)
        count = residual.size if mask is None else jnp.sum(mask)
        log_sigma = jnp.sum(_keep(jnp.log(_full(self.sigma, residual)), mask))
        log_inner = jnp.sum(jnp.log(jnp.diagonal(inner)))
        chi2 = jnp.sum(x * x) - jnp.sum(y * y)
        return -0.5 * chi2 - log_sigma - log_inner - 0.5 * count * LOG_TWO_PI

    def draw(self, key, like):
        one, two = jax.random.split(key)
        white = _full(self.sigma, like) * jax.random.normal(one, like.shape, like.dtype)
        modes = jax.random.normal(two, (self.factor.shape[1],), like.dtype)
        return white + (self.factor.astype(like.dtype) @ modes).reshape(like.shape)

    def features(self, prediction, mask):
        return self.whiten(prediction, mask)

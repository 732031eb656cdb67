"""Priors as maps between a flat latent vector and parameter values.

A prior whose map from standard normal variates is known is *standardised*: its latents are N(0, 1)
before any data, so steps and curvatures have a common scale. Other distributions use numpyro's
unconstraining bijector and its Jacobian.
"""

import abc
import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float, PRNGKeyArray

from .._checks import is_traced, known_values, shown, warn
from .._shown import number

Latent = Float[Array, " n"]


class AbstractPrior(eqx.Module):
    """The distribution of one block of parameters. Subclass it for priors on fields or grids."""

    shape: eqx.AbstractVar[tuple[int, ...]]
    """Shape of a value."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Number of latents."""

    @abc.abstractmethod
    def value(self, latent: Latent) -> Float[Array, "..."]:
        """Parameter value for a latent vector (n,)."""

    @abc.abstractmethod
    def latent(self, value: Float[Array, "..."]) -> Latent:
        """The inverse of `value`."""

    @abc.abstractmethod
    def log_latent(self, latent: Latent) -> Float[Array, ""]:
        """Log density of the latent vector (with the Jacobian of `value`)."""

    @abc.abstractmethod
    def log_value(self, value: Float[Array, "..."]) -> Float[Array, ""]:
        """Log density of a parameter value."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, dtype: Any) -> Latent:
        """A random latent vector."""

    def __repr__(self) -> str:
        return _in_words(getattr(self, "distribution", None)) or type(self).__name__

    @property
    def standard(self) -> bool:
        """Whether the latents are N(0, 1), so that the curvature of -log_latent is exactly 1."""
        return False


def _in_words(distribution: Any) -> str:
    """A numpyro distribution with its numbers: Uniform(low=0, high=10)."""
    while hasattr(distribution, "base_dist") and not getattr(distribution, "transforms", None):
        distribution = distribution.base_dist
    if distribution is None:
        return ""
    given = {name: getattr(distribution, name, None) for name in distribution.arg_constraints}
    shown = [f"{name}={number(value)}" for name, value in given.items() if value is not None]
    return f"{type(distribution).__name__}({', '.join(shown)})"


def standard_normal_logpdf(z: Latent) -> Float[Array, ""]:
    """sum of log N(z; 0, 1)."""
    return -0.5 * (jnp.sum(z * z) + z.size * math.log(2.0 * math.pi))


class AbstractMap(eqx.Module):
    """A one-to-one map from standard normal variates (in the shape of a value) to values."""

    @abc.abstractmethod
    def forward(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Value."""

    @abc.abstractmethod
    def inverse(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """Standard normal variates."""


class NormalMap(AbstractMap):
    """loc + scale z."""

    loc: Any
    scale: Any

    def forward(self, z):
        return self.loc + self.scale * z

    def inverse(self, value):
        return (value - self.loc) / self.scale


class UniformMap(AbstractMap):
    """low + (high - low) Phi(z), accurate in both tails."""

    low: Any
    high: Any

    def forward(self, z):
        tail = (self.high - self.low) * ndtr(-jnp.abs(z))
        return jnp.where(z < 0, self.low + tail, self.high - tail)

    def inverse(self, value):
        """Of the bounds themselves, the variate of what is one rounding inside."""
        width = self.high - self.low
        fraction = jnp.asarray((value - self.low) / width)
        eps = jnp.finfo(fraction.dtype).eps
        # transforms before this one round, by the eps of the bounds
        near = 4.0 * eps * (1.0 + jnp.maximum(jnp.abs(self.low), jnp.abs(self.high)) / width)
        fraction = jnp.where((fraction <= 0) & (fraction >= -near), eps, fraction)
        fraction = jnp.where((fraction >= 1) & (fraction <= 1 + near), 1.0 - eps, fraction)
        return ndtri(fraction)


class CorrelatedMap(AbstractMap):
    """loc + L z."""

    loc: Any
    cholesky: Any

    def forward(self, z):
        return self.loc + jnp.einsum("...ij,...j->...i", self.cholesky, z)

    def inverse(self, value):
        return jnp.linalg.solve(self.cholesky, (value - self.loc)[..., None])[..., 0]


class Chained(AbstractMap):
    """Another map followed by numpyro transforms (exp, affine, ...)."""

    base: AbstractMap
    transforms: tuple[Any, ...]

    def forward(self, z):
        value = self.base.forward(z)
        for transform in self.transforms:
            value = transform(value)
        return value

    def inverse(self, value):
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self.base.inverse(value)


def _ends(distribution: Any) -> tuple[Any, Any]:
    """The bounds of a distribution; infinite where it has none."""
    support = distribution.support
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    low = getattr(support, "lower_bound", -math.inf)
    return low, getattr(support, "upper_bound", math.inf)


def _standard_map(distribution: Any) -> AbstractMap | None:
    """The map from normal variates for a numpyro distribution, or None where none is known."""
    import numpyro.distributions as dist

    kind = type(distribution)
    if kind in (dist.ExpandedDistribution, dist.Independent):
        return _standard_map(distribution.base_dist)
    if kind is dist.Normal:
        return NormalMap(distribution.loc, distribution.scale)
    if kind is dist.Uniform:
        return UniformMap(distribution.low, distribution.high)
    if kind is dist.MultivariateNormal:
        return CorrelatedMap(distribution.loc, distribution.scale_tril)
    if isinstance(distribution, dist.TransformedDistribution):
        base = _standard_map(distribution.base_dist)
        same = all(t.domain.event_dim == t.codomain.event_dim for t in distribution.transforms)
        if base is not None and same:
            return Chained(base, tuple(distribution.transforms))
    return None


class StandardPrior(AbstractPrior):
    """A numpyro distribution with N(0, 1) latents."""

    distribution: Any
    map: AbstractMap
    shape: tuple[int, ...] = eqx.field(static=True)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def value(self, latent):
        value = self.map.forward(latent.reshape(self.shape)).astype(latent.dtype)
        if isinstance(self.map, Chained) and isinstance(self.map.base, UniformMap):
            low, high = _ends(self.distribution)  # which the transforms leave by rounding
            value = jnp.where(value < low, jnp.asarray(low, value.dtype), value)
            value = jnp.where(value > high, jnp.asarray(high, value.dtype), value)
        return value

    def latent(self, value):
        return self.map.inverse(value).astype(value.dtype).reshape(-1)

    def log_latent(self, latent):
        return standard_normal_logpdf(latent)

    def log_value(self, value):
        return jnp.sum(self.distribution.log_prob(value))

    def sample(self, key, dtype):
        return jax.random.normal(key, (self.size,), dtype)

    @property
    def standard(self) -> bool:
        return True


class UnconstrainedPrior(AbstractPrior):
    """A numpyro distribution with the latents of its unconstraining bijector."""

    distribution: Any
    shape: tuple[int, ...] = eqx.field(static=True)
    latent_shape: tuple[int, ...] = eqx.field(static=True)

    def _bijector(self) -> Any:
        from numpyro.distributions import biject_to

        return biject_to(self.distribution.support)

    @property
    def size(self) -> int:
        return math.prod(self.latent_shape)

    def value(self, latent):
        return self._bijector()(latent.reshape(self.latent_shape)).astype(latent.dtype)

    def latent(self, value):
        found = self._bijector().inv(value).astype(value.dtype)
        support = self.distribution.support
        if support.event_dim == 0:  # a bound that belongs to it: what is one rounding inside
            most = -math.log(float(jnp.finfo(found.dtype).eps))
            at_bound = jnp.isinf(found) & jnp.isfinite(value) & support(value)
            found = jnp.where(at_bound, jnp.clip(found, -most, most), found)
        return found.reshape(-1)

    def log_latent(self, latent):
        bijector, x = self._bijector(), latent.reshape(self.latent_shape)
        value = bijector(x)
        jacobian = jnp.sum(bijector.log_abs_det_jacobian(x, value))
        return (jnp.sum(self.distribution.log_prob(value)) + jacobian).astype(latent.dtype)

    def log_value(self, value):
        return jnp.sum(self.distribution.log_prob(value))

    def sample(self, key, dtype):
        return self.latent(jnp.asarray(self.distribution.sample(key), dtype))


class EmpiricalPrior(AbstractPrior):
    """A prior made from samples, for instance of another posterior.

    A Gaussian copula: each margin follows the quantiles of the samples (monotone cubic through
    `knots` of them, straight beyond), and the normal scores have the correlations of the samples.

    **Arguments:**

    - `samples`: (n,) or (n, k).
    - `knots`: quantiles per margin.

    **Raises** `ValueError` for fewer than ten samples, or samples that are constant or not finite.

    **Reference:** Fritsch & Carlson 1980, SIAM J. Numer. Anal. 17, 238 (the interpolant).
    """

    scores: Float[Array, " knots"]
    quantiles: Float[Array, "k knots"]
    slopes: Float[Array, "k knots"]
    cholesky: Float[Array, "k k"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, samples: Any, knots: int = 32):
        from scipy.interpolate import PchipInterpolator
        from scipy.stats import norm, rankdata

        table = np.asarray(samples, float)
        if table.ndim not in (1, 2) or table.shape[0] < 10 or not np.all(np.isfinite(table)):
            raise ValueError(
                f"samples must be (n,) or (n, k), finite, n >= 10, got shape {table.shape}"
            )
        if np.any(np.ptp(table, axis=0) == 0):
            raise ValueError("samples must not be constant")
        columns = table.reshape(table.shape[0], -1)
        n, k = columns.shape
        probability = (np.arange(min(knots, n)) + 0.5) / min(knots, n)
        scores = norm.ppf(probability)
        rows = np.quantile(columns, probability, axis=0).T
        # equal samples would make a step; a straight line through them keeps the map invertible
        rows = np.maximum.accumulate(rows, axis=1)
        rows = rows + 1e-9 * np.ptp(columns, axis=0)[:, None] * scores
        slopes = np.stack([PchipInterpolator(scores, row).derivative()(scores) for row in rows])
        chords = np.diff(rows, axis=1) / np.diff(scores)
        slopes[:, 0], slopes[:, -1] = chords[:, 0], chords[:, -1]
        normal = norm.ppf(rankdata(columns, axis=0) / (n + 1.0))
        correlation = np.eye(1) if k == 1 else np.corrcoef(normal.T)
        correlation = (correlation + 1e-6 * np.eye(k)) / (1.0 + 1e-6)
        real = jnp.result_type(float)
        self.scores, self.quantiles, self.slopes = (
            jnp.asarray(a, real) for a in (scores, rows, slopes)
        )
        self.cholesky = jnp.asarray(np.linalg.cholesky(correlation), real)
        self.shape = table.shape[1:]

    @property
    def size(self) -> int:
        return self.cholesky.shape[0]

    def _margins(self, w: Latent) -> Latent:
        """Value of each margin at normal scores w: cubic Hermite pieces, straight outside."""
        x = self.scores.astype(w.dtype)
        inside = jnp.clip(w, x[0], x[-1])
        i = jnp.clip(jnp.searchsorted(x, inside) - 1, 0, x.size - 2)
        row = jnp.arange(w.size)
        h = x[i + 1] - x[i]
        t = (inside - x[i]) / h
        y0, y1 = (self.quantiles[row, j].astype(w.dtype) for j in (i, i + 1))
        m0, m1 = (self.slopes[row, j].astype(w.dtype) for j in (i, i + 1))
        u = 1.0 - t
        cubic = y0 * u * u * (1.0 + 2.0 * t) + y1 * t * t * (3.0 - 2.0 * t)
        cubic = cubic + h * t * u * (m0 * u - m1 * t)
        end = jnp.where(w < inside, self.slopes[:, 0], self.slopes[:, -1]).astype(w.dtype)
        return cubic + end * (w - inside)

    def _correlated(self, z: Latent) -> Latent:
        return self.cholesky.astype(z.dtype) @ z

    def value(self, latent):
        return self._margins(self._correlated(latent)).reshape(self.shape)

    def latent(self, value):
        target = value.reshape(-1)

        def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bounds
            middle = 0.5 * (low + high)
            below = self._margins(middle) < target
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        start = (jnp.full_like(target, -1e3), jnp.full_like(target, 1e3))
        low, high = jax.lax.fori_loop(0, 70, halve, start)
        w = 0.5 * (low + high)
        return jax.scipy.linalg.solve_triangular(self.cholesky.astype(w.dtype), w, lower=True)

    def log_latent(self, latent):
        return standard_normal_logpdf(latent)

    def log_value(self, value):
        z = self.latent(value)
        w = self._correlated(z)
        slope = jax.jvp(self._margins, (w,), (jnp.ones_like(w),))[1]
        diagonal = jnp.diagonal(self.cholesky).astype(w.dtype)
        return standard_normal_logpdf(z) - jnp.sum(jnp.log(slope)) - jnp.sum(jnp.log(diagonal))

    def sample(self, key, dtype):
        return jax.random.normal(key, (self.size,), dtype)

    @property
    def standard(self) -> bool:
        return True


def innermost(distribution: Any) -> Any:
    """The distribution inside expansions and transformations."""
    while hasattr(distribution, "base_dist"):
        distribution = distribution.base_dist
    return distribution


def _is_wide(low: Any, high: Any) -> bool:
    """Whether numbers lie between two bounds, more of them than rounding leaves."""
    if is_traced(low) or is_traced(high):
        return True
    low, high = np.asarray(low, float), np.asarray(high, float)
    eps = float(jnp.finfo(jnp.result_type(float)).eps)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.all(high - low > 8.0 * eps * np.maximum(np.abs(low), np.abs(high))))


def _check_middle(prior: "StandardPrior | UnconstrainedPrior", name: str) -> None:
    """Refuse a prior that is not finite in its middle: infinite bounds or widths, and overflow."""
    if any(map(is_traced, jax.tree.leaves(prior))):
        return
    with known_values():
        latent = jnp.zeros(prior.size)
        value = prior.value(latent)
        looks = (lambda: value, lambda: prior.latent(value), lambda: prior.log_value(value))
        finite = all(bool(jnp.all(jnp.isfinite(look()))) for look in looks)
    if not finite:
        raise ValueError(
            f"the prior of {name} is no distribution: {prior!r} has no finite value and density in "
            "its middle"
        )


def _check_numbers(distribution: Any, name: str) -> None:
    """Refuse, by `ValueError`, numbers that make no distribution: NaN, scales <= 0, low >= high.

    Also Quantities: numpyro keeps them, and JAX drops their units without a word.
    """
    while distribution is not None:
        kind = type(distribution).__name__
        for argument, constraint in distribution.arg_constraints.items():
            value = getattr(distribution, argument, None)
            if getattr(value, "unit", None) is not None:
                raise ValueError(
                    f"the prior of {name} has {argument} = {value}, and distributions know no "
                    "units: give plain numbers in the parameter's own unit"
                )
            if value is None or is_traced(value) or np.asarray(value).dtype.kind not in "fiu":
                continue
            try:
                good = bool(np.all(constraint(value)))
            except (NotImplementedError, ValueError):  # it depends on other arguments
                good = True
            if not good or bool(np.any(np.isnan(np.asarray(value)))):
                found = f"{kind} has {argument} = {shown(value)}"
                raise ValueError(f"the prior of {name} is no distribution: {found}")
        support = distribution.support
        low, high = (getattr(support, f"{end}_bound", None) for end in ("lower", "upper"))
        if low is not None and high is not None and not _is_wide(low, high):
            raise ValueError(
                f"the prior of {name} is no distribution: {kind} from {shown(low)} to {shown(high)}"
            )
        distribution = getattr(distribution, "base_dist", None)


def as_prior(distribution: Any, shape: tuple[int, ...], name: str) -> AbstractPrior:
    """Turn a numpyro distribution (or an `AbstractPrior`) into a prior for values of `shape`.

    A scalar distribution serves every element of an array.

    **Raises** `TypeError` for something else, `ValueError` for a shape that does not fit and for
    numbers that make no distribution.
    """
    if isinstance(distribution, AbstractPrior):
        prior = distribution
        if prior.shape != shape:
            raise ValueError(
                f"the prior of {name} gives values of shape {prior.shape}, needed {shape}"
            )
        return prior
    import numpyro.distributions as dist

    if not isinstance(distribution, dist.Distribution):
        raise TypeError(
            f"the prior of {name} must be a numpyro distribution or a synax prior, "
            f"got {type(distribution).__name__}"
        )
    if isinstance(innermost(distribution), dist.Delta):
        raise ValueError(
            f"the prior of {name} is a Delta, which leaves nothing to find: leave it out of priors "
            "and put its value into the model"
        )
    if distribution.support is None or distribution.support.is_discrete:
        raise ValueError(f"the prior of {name} is discrete; parameters are continuous")
    if isinstance(innermost(distribution), dist.ImproperUniform):
        raise ValueError(
            f"the prior of {name} is improper, so nothing can be drawn from it to start with: give "
            "a Uniform between limits, or a wide Normal"
        )
    _check_numbers(distribution, name)
    own = tuple(distribution.batch_shape) + tuple(distribution.event_shape)
    if own != shape:
        if distribution.event_shape or np.broadcast_shapes(own, shape) != shape:
            raise ValueError(f"the prior of {name} gives values of shape {own}, needed {shape}")
        distribution = distribution.expand(shape)
    known = _standard_map(distribution)
    if known is not None:
        prior = StandardPrior(distribution, known, shape)
    else:
        latent_shape = dist.biject_to(distribution.support).inverse_shape(shape)
        prior = UnconstrainedPrior(distribution, shape, tuple(latent_shape))
    _check_middle(prior, name)
    return prior


def check_bounds(prior: AbstractPrior, bounds: Mapping[str, Any], name: str, unit: str) -> None:
    """Compare a prior with what the parameter may be: `above`, `minimum` and `maximum`.

    **Raises** `ValueError` if no value of the prior is allowed. **Warns** (`synax.SynaxWarning`) if
    a hundredth of its probability or more is not.
    """
    lower = [x for x in (bounds.get("above"), bounds.get("minimum")) if x is not None]
    low, high = max(lower, default=-math.inf), bounds.get("maximum")
    high = math.inf if high is None else high
    distribution = getattr(prior, "distribution", None)
    if (low, high) == (-math.inf, math.inf) or distribution is None:
        return
    numbers = jax.tree.leaves(distribution)
    if any(map(is_traced, numbers)):
        return
    lowest, highest = _ends(distribution)
    least, most = np.min(np.asarray(lowest, float)), np.max(np.asarray(highest, float))
    if least >= low and most <= high:
        return
    words = [f"greater than {low:.6g}"] if bounds.get("above") is not None else []
    words += [f"at least {low:.6g}"] if low > -math.inf and not words else []
    words += [f"at most {high:.6g}"] if high < math.inf else []
    allowed = " and ".join(words) + (f" {unit}" if unit else "")
    draws = np.asarray(distribution.sample(jax.random.key(0), (400,)))
    outside = float(np.mean((draws < low) | (draws > high)))
    if most <= low or least >= high:
        raise ValueError(
            f"the prior of {name} excludes all that it may be, which is {allowed}: {prior!r}"
        )
    if outside >= 0.01:
        warn(
            f"the prior of {name}, {prior!r}, has {100 * outside:.0f} % of its probability where "
            f"the parameter has no meaning: it must be {allowed}; cut the prior there"
        )

"""Coordinates for bounded priors: straight where the posterior lies, bent only at the bounds.

Standardised latents of a uniform prior, z = Phi^-1(fraction of the interval), bend near the
bounds: a posterior that is narrow and Gaussian in the parameter is neither in z. Here the latent is
the fraction itself, which for sampling is squashed smoothly into (0, 1) over a distance `soft` that
is as small as the posterior is wide.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr, ndtr, ndtri
from jaxtyping import Array, Float

from ._density import LatentDensity
from ._priors import AbstractPrior, Chained, StandardPrior, UniformMap

Latent = Float[Array, " n"]
WIDEST = 0.25


def squash(u: Latent, soft: Latent) -> Latent:
    """Real line to (0, 1): u itself inside, Gaussian tails of scale `soft` outside.

    fraction = soft [psi(u / soft) - psi((u - 1) / soft)], psi(t) = t Phi(t) + phi(t): an interval
    smoothed with a Gaussian, so that no tail is longer than that of N(0, 1).
    """
    return soft * (_ramp(u / soft) - _ramp((u - 1.0) / soft))


def _ramp(t: Latent) -> Latent:
    return t * ndtr(t) + jnp.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)


def log_slope(u: Latent, soft: Latent) -> Latent:
    """ln d squash / du = ln [Phi(u / soft) - Phi((u - 1) / soft)], exact in both tails."""
    near = jnp.where(u < 0.5, u, 1.0 - u)
    upper, lower = log_ndtr(near / soft), log_ndtr((near - 1.0) / soft)
    return upper + jnp.log1p(-jnp.exp(lower - upper))


def unsquash(fraction: Latent, soft: Latent) -> Latent:
    """The inverse of `squash` by bisection, not to be differentiated; finite at the bounds."""
    reach = 8.0 * soft

    def halve(_: Any, ends: tuple[Latent, Latent]) -> tuple[Latent, Latent]:
        low, high = ends
        middle = 0.5 * (low + high)
        below = squash(middle, soft) < fraction
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    start = (jnp.zeros_like(fraction) - reach, jnp.ones_like(fraction) + reach)
    low, high = jax.lax.fori_loop(0, 60, halve, start)
    return 0.5 * (low + high)


def _uniform(prior: Any) -> UniformMap | None:
    """The uniform map that a standardised prior begins with, if it does."""
    if not isinstance(prior, StandardPrior):
        return None
    base = prior.map.base if isinstance(prior.map, Chained) else prior.map
    return base if isinstance(base, UniformMap) else None


class BoxPrior(AbstractPrior):
    """A uniform prior (or a function of one, such as log-uniform) in straight coordinates.

    Its latent is the fraction of the interval, in [0, 1]; with `soft`, any real number.
    """

    inner: StandardPrior
    soft: Latent | None

    @property
    def shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.inner.shape

    @property
    def size(self) -> int:
        return self.inner.size

    @property
    def _base(self) -> UniformMap:
        base = _uniform(self.inner)
        assert base is not None  # only such priors are boxed
        return base

    def value(self, latent):
        fraction = latent if self.soft is None else squash(latent, self.soft)
        base = self._base
        value = base.low + (base.high - base.low) * fraction.reshape(self.shape)
        if isinstance(self.inner.map, Chained):
            for transform in self.inner.map.transforms:
                value = transform(value)
        return value.astype(latent.dtype)

    def latent(self, value):
        dtype = value.dtype
        if isinstance(self.inner.map, Chained):
            for transform in reversed(self.inner.map.transforms):
                value = transform.inv(value)
        base = self._base
        fraction = ((value - base.low) / (base.high - base.low)).astype(dtype).reshape(-1)
        return fraction if self.soft is None else unsquash(fraction, self.soft)

    def log_latent(self, latent):
        if self.soft is None:
            return jnp.zeros((), latent.dtype)
        return jnp.sum(log_slope(latent, self.soft))

    def log_value(self, value):
        return self.inner.log_value(value)

    def sample(self, key, dtype):
        fraction = jax.random.uniform(key, (self.size,), dtype)
        return fraction if self.soft is None else unsquash(fraction, self.soft)


def has_boxes(posterior: LatentDensity) -> bool:
    """Whether any prior of a posterior is uniform, or a function of a uniform one."""
    return any(_uniform(b.prior) is not None for b in posterior.blocks)


def boxed(posterior: LatentDensity, soft: Latent | None = None) -> LatentDensity:
    """The same posterior with straight latents for its bounded parameters.

    **Arguments:**

    - `soft`: (n_latent,) scale of the bends; None: fractions in [0, 1].
    """
    if not has_boxes(posterior):
        return posterior
    blocks, start = [], 0
    for block in posterior.blocks:
        stop = start + block.prior.size
        if _uniform(block.prior) is not None:
            own = None if soft is None else soft[start:stop]
            block = eqx.tree_at(lambda b: b.prior, block, BoxPrior(block.prior, own))
        blocks.append(block)
        start = stop
    return eqx.tree_at(lambda p: p.blocks, posterior, tuple(blocks))


def bounds(posterior: LatentDensity) -> tuple[Latent, Latent]:
    """Lowest and highest value of each latent of a posterior from `boxed` (without `soft`)."""
    flags = [
        jnp.full(b.prior.size, isinstance(b.prior, BoxPrior) and b.prior.soft is None)
        for b in posterior.blocks
    ]
    box = jnp.concatenate(flags)
    return jnp.where(box, 0.0, -jnp.inf), jnp.where(box, 1.0, jnp.inf)


def standard_latent(posterior: LatentDensity, soft: Latent, latent: Latent) -> Latent:
    """Latents of `posterior` itself for latents of `boxed(posterior, soft)`; always finite."""
    parts, start = [], 0
    for block in posterior.blocks:
        stop = start + block.prior.size
        own = latent[start:stop]
        if _uniform(block.prior) is not None:
            tiny = jnp.finfo(own.dtype).eps
            fraction = jnp.clip(squash(own, soft[start:stop]), tiny, 1.0 - tiny)
            own = ndtri(fraction)
        parts.append(own)
        start = stop
    return jnp.concatenate(parts)

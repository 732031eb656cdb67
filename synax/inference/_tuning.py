"""What a warm-up learns: the step size, and the covariance of the draws."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class StepSize(NamedTuple):
    """Dual averaging of ln(step size). Hoffman & Gelman 2014, JMLR 15, 1593, eq. 6."""

    updates: Float[Array, ""]
    anchor: Float[Array, ""]
    error: Float[Array, ""]
    log_step: Float[Array, ""]
    log_average: Float[Array, ""]

    @staticmethod
    def start(step_size: Array) -> "StepSize":
        """Begin (again) at a step size."""
        zero, log_step = jnp.zeros_like(step_size), jnp.log(step_size)
        return StepSize(zero, log_step + 0.3, zero, log_step, log_step)

    def update(self, signal: Array, largest: float) -> "StepSize":
        """Take one error signal into account; steps stay below `largest`."""
        count = self.updates + 1.0
        share = 1.0 / (count + 10.0)
        error = (1.0 - share) * self.error + share * signal
        log_step = self.anchor - jnp.sqrt(count) / 0.05 * error
        log_step = jnp.minimum(log_step, jnp.log(jnp.asarray(largest, log_step.dtype)))
        weight = count**-0.75
        log_average = weight * log_step + (1.0 - weight) * self.log_average
        return StepSize(count, self.anchor, error, log_step, log_average)


class Moments(NamedTuple):
    """Running sums over the positions of each chain, for covariances in whitened coordinates."""

    added: Float[Array, " chains"]
    total: Float[Array, "chains n"]
    square: Float[Array, "chains n n"]
    fourth: Float[Array, " chains"]
    """Sum of |xi|^4."""

    @staticmethod
    def start(like: Float[Array, "chains n"]) -> "Moments":
        """Nothing added yet."""
        chains, n = like.shape
        zero = jnp.zeros((chains,), like.dtype)
        return Moments(zero, jnp.zeros_like(like), jnp.zeros((chains, n, n), like.dtype), zero)

    def add(self, positions: Float[Array, "chains n"], use: Array) -> "Moments":
        """Add the positions of all chains if `use`."""
        on = use.astype(positions.dtype)
        radius = jnp.sum(positions * positions, axis=1)
        return Moments(
            self.added + on,
            self.total + on * positions,
            self.square + on * positions[:, :, None] * positions[:, None, :],
            self.fourth + on * radius * radius,
        )

    def pooled(self, group: Int[Array, " chains"]) -> "Moments":
        """The sums over all chains of the same group, for each chain."""
        same = (group[:, None] == group[None, :]).astype(self.added.dtype)
        return jax.tree.map(lambda x: jnp.tensordot(same, x, axes=1), self)

    def covariance(self) -> tuple[Float[Array, "chains n"], Float[Array, "chains n n"]]:
        """Mean, and covariance shrunk toward a multiple of the identity.

        **Reference:** Ledoit & Wolf 2004, J. Multivar. Anal. 88, 365; warm-up draws are strongly
        correlated and counted as a tenth of their number.
        """
        return jax.vmap(_shrunk)(*self)


def _shrunk(
    count: Float[Array, ""],
    total: Float[Array, " n"],
    square: Float[Array, "n n"],
    fourth: Float[Array, ""],
) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    count = jnp.maximum(count, 2.0)
    mean = total / count
    sample = square / count - mean[:, None] * mean[None, :]
    n = mean.size
    eye = jnp.eye(n, dtype=sample.dtype)
    level = jnp.trace(sample) / n
    spread = jnp.sum((sample - level * eye) ** 2)
    noise = jnp.maximum(fourth / count - jnp.sum(sample * sample), 0.0) / (0.1 * count)
    weight = jnp.clip(noise / jnp.maximum(spread, jnp.finfo(spread.dtype).tiny), 0.0, 1.0)
    return mean, weight * level * eye + (1.0 - weight) * sample

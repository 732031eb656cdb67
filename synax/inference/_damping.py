"""The damping of Levenberg and Marquardt, which `find_mode` and `GaussNewton` share."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Scalar = Float[Array, ""]


class Damping(NamedTuple):
    """How much is added to the curvature, and the factor of the next increase.

    A step that gains what the quadratic model promised lowers the damping to a tenth at most. A
    step that gains nothing raises it, by twice as much each time.

    **Reference:** Marquardt 1963, J. SIAM 11, 431; rule of Nielsen 1999, IMM-REP-1999-05, eq. 2.5.
    """

    value: Scalar
    growth: Scalar

    @staticmethod
    def start(value: float, like: Scalar) -> "Damping":
        """The damping before the first step, in the dtype of `like`."""
        return Damping(jnp.full_like(like, value), jnp.full_like(like, 2.0))

    @jax.jit
    def after(self, gain: Scalar, promise: Scalar) -> tuple["Damping", Bool[Array, ""]]:
        """The damping after a trial step, and whether the step is taken.

        **Arguments:**

        - `gain`: what the trial gained; not finite if the trial failed.
        - `promise`: what the quadratic model promised.
        """
        good = jnp.isfinite(gain) & (gain > 0.0)
        ratio = jnp.clip(gain / jnp.where(promise > 0.0, promise, 1.0), 0.0, 1.0)
        lower = self.value * jnp.maximum(0.1, 1.0 - (2.0 * ratio - 1.0) ** 3)
        value = jnp.where(good, lower, self.value * self.growth)
        return Damping(value, jnp.where(good, 2.0, 2.0 * self.growth)), good

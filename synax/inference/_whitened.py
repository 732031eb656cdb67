"""The density in the coordinates of one chain, where it is close to N(0, 1)."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._box import boxed
from ._curvature import forward_only, pushed
from ._density import LatentDensity

# up to so many parameters, that many tangents cost less than one reverse sweep (measured: 4
# parameters, 4 chains: 51 ms against 183 ms)
FORWARD_LIMIT = 8


class WhitenedDensity(eqx.Module):
    """The log density of xi, where latent = center + root @ xi in the coordinates of `boxed`.

    **Arguments:**

    - `posterior`: the density of the latents.
    - `soft`: how bounded parameters are bent (see `boxed`); empty where latents stay as they are.
    - `center`, `root`: (n,) and (n, n); of one chain.
    """

    posterior: LatentDensity
    center: Float[Array, " n"]
    root: Float[Array, "n n"]

    def __init__(
        self,
        posterior: LatentDensity,
        soft: Float[Array, "_"],
        center: Float[Array, " n"],
        root: Float[Array, "n n"],
    ):
        bent = boxed(posterior, soft) if soft.size else posterior
        self.posterior = bent if bent.size > FORWARD_LIMIT else forward_only(bent)
        self.center, self.root = center, root

    def __call__(self, xi: Float[Array, " n"]) -> Float[Array, ""]:
        logdensity = lambda x, to: self.posterior.logdensity(to[0] + to[1] @ x)
        if self.posterior.size <= FORWARD_LIMIT:
            logdensity = _forward_gradient(logdensity)
        return logdensity(xi, (self.center, self.root))


def _forward_gradient(function: Callable[[Array, Any], Array]) -> Callable[[Array, Any], Array]:
    """The same function, whose reverse-mode gradient by its first argument is forward mode's."""
    wrapped = jax.custom_vjp(function)

    def forward(x: Array, other: Any) -> tuple[Array, tuple[Array, Any]]:
        value, slope = pushed(lambda x: function(x, other), x)
        return value, (slope, other)

    def backward(kept: tuple[Array, Any], bar: Array) -> tuple[Array, Any]:
        slope, other = kept
        return bar * slope, jax.tree.map(jnp.zeros_like, other)

    wrapped.defvjp(forward, backward)
    return wrapped

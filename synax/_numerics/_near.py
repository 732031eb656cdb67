"""Structure that fills little of space, computed only where some point is near it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree


def where_near(
    near: Bool[Array, "*points"], function: Callable[..., PyTree], *arrays: Array
) -> PyTree:
    """`function(*arrays)`, or zeros without computing it where no point is near.

    For structure that fills little of space: `function` must vanish at every point that is not
    near. Under `vmap` both branches are computed.
    """
    value = lambda: function(*arrays)
    zeros = lambda: jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(value))
    return jax.lax.cond(jnp.any(near), value, zeros)

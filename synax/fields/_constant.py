"""A constant inside a sphere, or everywhere: what uniform models of every kind share."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._parameters import Scalar
from ._domain import Sphere


def ball(radius: Scalar | None, center: Float[Array, "3"] | None) -> Sphere | None:
    """The sphere where a model is not 0; None for no edge.

    **Arguments:**

    - `radius`: kpc; None: no edge.
    - `center`: kpc; None: the Galactic Centre.
    """
    if radius is None:
        return None
    return Sphere(radius, (0.0, 0.0, 0.0) if center is None else center)


def constant(
    value: Scalar, sphere: Sphere | None, position: Float[Array, "3 *points"]
) -> Float[Array, "*points"]:
    """`value` inside the sphere, 0 outside."""
    everywhere = value + 0.0 * position[0]
    return everywhere if sphere is None else jnp.where(sphere.contains(position), everywhere, 0.0)

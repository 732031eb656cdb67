"""A magnetic field of one's own: a ring, in the simplest form that fits and differentiates."""

import jax.numpy as jnp
from jaxtyping import Array, Float

import synax


class Ring(synax.AbstractVectorField):
    """B = b0 exp(-((r - radius) / width)^2) exp(-(z / height)^2) e_phi."""

    b0: Float[Array, ""] = synax.parameter(3.0, "uG", "strength")
    radius: Float[Array, ""] = synax.parameter(5.0, "kpc", "radius of the ring")
    width: Float[Array, ""] = synax.parameter(1.5, "kpc", "radial width")
    height: Float[Array, ""] = synax.parameter(1.0, "kpc", "vertical width")

    info = synax.ModelInfo(paper="the documentation of synax")

    def __call__(self, position):
        x, y, z = position
        r2 = x * x + y * y
        r = jnp.sqrt(jnp.where(r2 > 0, r2, 1.0))  # finite derivatives on the axis
        shape = jnp.exp(-(((r - self.radius) / self.width) ** 2) - (z / self.height) ** 2)
        b_over_r = jnp.where(r2 > 0, self.b0 * shape / r, 0.0)
        return jnp.stack([-b_over_r * y, b_over_r * x, jnp.zeros_like(z)])

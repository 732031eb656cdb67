"""Stokes parameters of a set of sightlines, as a PyTree."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class Stokes(eqx.Module):
    """Brightness temperatures I, Q, U (K, Rayleigh-Jeans; IAU sign of U), each (*freq, n_rays).

    The polarisation angle counts from Galactic north through increasing longitude (IAU), that
    of the electric vector.
    """

    I: Float[Array, "*shape"]
    Q: Float[Array, "*shape"]
    U: Float[Array, "*shape"]

    @property
    def P(self) -> Float[Array, "*shape"]:
        """Polarised brightness temperature sqrt(Q^2 + U^2)."""
        return jnp.hypot(self.Q, self.U)

    @property
    def angle(self) -> Float[Array, "*shape"]:
        """Polarisation angle (rad), IAU, in (-pi/2, pi/2]."""
        return 0.5 * jnp.arctan2(self.U, self.Q)

"""Toy skies without edges, or with one, that several files of the march's tests share."""

import jax.numpy as jnp
from jaxtyping import Array, Float

import synax


class SmoothDensity(synax.AbstractScalarField):
    """A density without edges."""

    n0: Array

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        return self.n0 * jnp.exp(-0.05 * (x * x + y * y) - z * z)


class SmoothField(synax.AbstractVectorField):
    """A magnetic field without edges."""

    b0: Array

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        envelope = self.b0 * jnp.exp(-0.01 * (x * x + y * y + z * z))
        return envelope * jnp.stack([jnp.cos(0.3 * y), jnp.sin(0.4 * x) + 0.5, 0.3 * z])


def edged(**kwargs):
    return synax.Synchrotron(
        synax.magnetic.WMAP(), SmoothDensity(jnp.asarray(0.03)), synax.cosmic_rays.WMAP(), **kwargs
    )


def off_axis():
    """Sightlines of an observer off the x axis: none meets the cusp of exp(-r) on the Galaxy's."""
    return synax.Sightlines.healpix(2, (-8.3, 0.4, 0.1), synax.Box((12.0, 12.0, 4.0)))

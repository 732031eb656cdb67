"""Parameters of surfaces: cells beside crossings move with them, to second derivatives."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from toys import SmoothField, edged, off_axis

import synax
from synax.fields._level_sets import AbstractLevelSets
from synax.fields._surfaces import AbstractSurface, Ellipsoid


@pytest.fixture(scope="module")
def rays():
    return off_axis()


class Shells(synax.AbstractScalarField):
    """As many densities as balls about one place, each within its radius."""

    radius: Float[Array, " n"]

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        r = jnp.sqrt((x + 6.0) ** 2 + y * y + z * z)
        within = r < self.radius.reshape((-1,) + (1,) * r.ndim)
        return 0.01 * jnp.sum(jnp.where(within, jnp.cos(0.4 * r + x), 0.0), axis=0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        centre = jnp.array([-6.0, 0.0, 0.0])
        return tuple(Ellipsoid(centre, r * jnp.ones(3)) for r in self.radius)


@pytest.mark.parametrize(("n", "absorbing"), [(1, False), (7, True)])  # few crossings, and many
def test_parameters_of_surfaces_move_the_cells_beside_crossings(rays, n, absorbing):
    """The same as if all cells were told how they move, over several blocks and chunks."""
    electrons = Shells(jnp.linspace(0.6, 3.1, n))
    weight = jnp.asarray(np.random.default_rng(3).normal(size=rays.n_rays))
    kwargs = {"free_free": synax.FreeFree()} if absorbing else {}

    def gradient(adjoint, block):
        def of(electrons):
            sky = synax.Synchrotron(
                SmoothField(jnp.asarray(3.0)), electrons, synax.cosmic_rays.Uniform(4e-5), **kwargs
            ).integrate_with(steps=24, adjoint=adjoint, block=block)
            stokes = sky(rays, jnp.asarray([0.1, 1.4]))
            return jnp.sum(weight * (stokes.Q + stokes.U)) + jnp.sum(stokes.I**2)

        return jax.jit(jax.grad(of))(electrons).radius

    ours, plain = gradient(synax.ReversibleAdjoint(), 20), gradient(synax.DirectAdjoint(), 48)
    np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-10 * float(jnp.abs(plain).max()))
    assert float(jnp.abs(plain).min()) > 0


class Blob(AbstractLevelSets):
    """The ball of `Shells` as a level set that is not straight along a ray."""

    radius: Float[Array, ""]

    looks: ClassVar[int] = 40
    most: ClassVar[int] = 2

    def ends(self, origin, direction):
        zero = jnp.zeros(direction.shape[1:])
        return zero, zero + 12.0

    def levels(self, position):
        x, y, z = position
        return (((x + 6.0) ** 2 + y * y + z * z) / self.radius - self.radius)[None]

    def level(self, which, position):
        return self.levels(position)[0] + 0.0 * which


class BlobDensity(Shells):
    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return tuple(Blob(r) for r in self.radius)


@pytest.mark.parametrize("kind", [Shells, BlobDensity])
def test_second_derivatives_by_edges(rays, kind):
    """Of all orders of differentiation, and those of the first by central differences."""

    def of(radius):
        columns = synax.DispersionMeasure(kind(radius[None]), steps=12, block=30)(rays)
        return jnp.sum(jnp.sin(jnp.arange(rays.n_rays)) * columns)

    radius, h = jnp.asarray(2.9), 1e-4
    slope = jax.jit(jax.grad(of))
    finite = float((slope(radius + h) - slope(radius - h)) / (2.0 * h))
    forward = lambda f: lambda x: jax.jvp(f, (x,), (jnp.ones(()),))[1]
    for first in (jax.grad, forward):
        for second in (jax.grad, forward):
            bend = float(jax.jit(second(first(of)))(radius))
            assert bend == pytest.approx(finite, rel=1e-5)
    assert abs(finite) > 1.0


def test_derivative_with_respect_to_an_edge():
    """The radius of a hard edge: right only because cells end there."""
    rays = synax.Sightlines.from_lonlat([10.0, 50.0, 200.0], [5.0, -10.0, 3.0])
    sky = edged(steps=64)

    def total(radius):
        return jnp.sum(eqx.tree_at(lambda s: s.magnetic.r_min, sky, radius)(rays, 2.4).I)

    radius, h = jnp.asarray(3.0), 1e-3
    finite = (total(radius + h) - total(radius - h)) / (2 * h)
    assert float(jax.grad(total)(radius)) == pytest.approx(float(finite), rel=1e-5)
    assert float(finite) < 0

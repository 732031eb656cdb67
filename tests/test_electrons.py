"""Simple thermal-electron densities, and dispersion measure against distance."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from synax import electrons


def test_exponential_disc_closed_form():
    x = jnp.array([[3.0, -8.0], [4.0, 0.0], [-0.5, 2.0]])
    got = electrons.ExponentialDisc(0.02, 4.0, 0.8)(x)
    r = np.hypot(x[0], x[1])
    np.testing.assert_allclose(got, 0.02 * np.exp(-r / 4.0 - np.abs(x[2]) / 0.8), rtol=1e-14)
    planar = electrons.ExponentialDisc()(x)
    np.testing.assert_allclose(planar, 0.014 * np.exp(-np.abs(x[2]) / 1.83), rtol=1e-14)


def test_two_disc_closed_form():
    x = np.array([[-8.5, -3.8, 0.0, 18.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.15, 1.0, 0.0]])
    got = electrons.TwoDisc()(jnp.asarray(x))
    r = np.hypot(x[0], x[1])
    radial = np.where(r < 17.5, np.cos(np.pi * r / 35.0), 0.0) / np.cos(np.pi * 8.5 / 35.0)
    thick = 0.014 * np.exp(-np.abs(x[2]) / 1.83) * radial
    thin = 0.08 * np.exp(-(((r - 3.8) / 1.8) ** 2)) / np.cosh(x[2] / 0.15) ** 2
    np.testing.assert_allclose(got, thick + thin, rtol=1e-12)


@pytest.mark.parametrize(
    "model", [electrons.ExponentialDisc(h_r=5.0), electrons.TwoDisc()], ids=["one", "two"]
)
def test_disc_gradients_finite_at_axis_plane_and_edge(model):
    x = jnp.array([[0.0, 0.0, 17.5, 30.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    gradient = eqx.filter_grad(lambda both: jnp.sum(both[0](both[1])))((model, x))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
    assert len(model.surfaces()) >= 1

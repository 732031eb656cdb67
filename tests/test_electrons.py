"""Simple thermal-electron densities, and dispersion measure against distance."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
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
    total = lambda both: jnp.sum(both[0](both[1]))
    gradient = eqx.filter_jit(eqx.filter_grad(total))((model, x))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
    assert len(model.surfaces()) >= 1


SKY = np.array([[30.0, -5.0], [120.0, 2.0], [264.0, -4.0], [200.0, 40.0], [0.0, -89.0]]).T


def test_dispersion_measure_of_the_authors_sightlines(table):
    los = table("ymw16_los")
    l, b, d = los["l_deg"], los["b_deg"], los["d_pc"] / 1e3
    dm = electrons.dispersion_measure(electrons.YMW16(), l, b, d)
    error = np.abs(dm / los["DM_exact"] - 1.0)
    assert np.median(error) < 1e-5
    assert np.quantile(error, 0.95) < 5e-4
    back = electrons.distance(electrons.YMW16(), l, b, dm)
    again = electrons.dispersion_measure(electrons.YMW16(), l, b, back)
    np.testing.assert_allclose(again, dm, rtol=1e-9)
    assert np.all(back <= d * (1 + 1e-9))  # shorter where nothing lies in between
    assert np.quantile(np.abs(back / d - 1.0), 0.8) < 1e-9


def test_uniform_density_closed_form():
    ball = electrons.Uniform(0.02, 5.0, (-8.3, 0.0, 0.006))
    dm = electrons.dispersion_measure(ball, *SKY, jnp.array([1.0, 2.0, 5.0, 7.0, jnp.inf]))
    np.testing.assert_allclose(dm, 20.0 * np.array([1.0, 2.0, 5.0, 5.0, 5.0]), rtol=1e-12)
    d = electrons.distance(ball, *SKY, jnp.array([0.0, 10.0, 99.999, 100.001, 1e4]))
    np.testing.assert_allclose(d, [0.0, 0.5, 4.99995, np.inf, np.inf], rtol=1e-9, atol=1e-12)


def test_derivatives_by_the_implicit_function_theorem():
    model = electrons.ExponentialDisc(0.03, 4.0, 1.2)
    dm = jnp.array([5.0, 4.0, 3.0, 1.0, 1e5])

    def total(both):
        model, dm = both
        d = electrons.distance(model, *SKY, dm)
        return jnp.sum(jnp.where(jnp.isfinite(d), d, 0.0))

    slopes = eqx.filter_jit(eqx.filter_grad(total))((model, dm))
    d = electrons.distance(model, *SKY, dm)
    assert np.isinf(d[4])
    assert slopes[1][4] == 0.0
    l, b = np.radians(SKY)
    n = np.array([np.cos(b) * np.cos(l), np.cos(b) * np.sin(l), np.sin(b)])
    here = np.array([[-8.3], [0.0], [0.006]]) + n[:, :4] * np.asarray(d[:4])
    np.testing.assert_allclose(slopes[1][:4], 1e-3 / model(jnp.asarray(here)), rtol=1e-9)
    step = 1e-6
    for name in ("n0", "h_r", "h_z"):
        at = lambda h, name=name: total(
            (eqx.tree_at(lambda m: getattr(m, name), model, getattr(model, name) + h), dm)
        )
        exact = getattr(slopes[0], name)
        np.testing.assert_allclose(exact, (at(step) - at(-step)) / (2 * step), rtol=1e-6)


def test_second_derivatives_of_a_distance():
    """Against differences of the first ones, by the numbers of the disc, the place and the DM."""
    model = electrons.ExponentialDisc(0.03, 4.0, 1.2)
    values = jnp.array([0.03, 4.0, 1.2, 20.0, 5.0])

    def distance(values):
        n0, h_r, h_z, l, dm = values
        disc = eqx.tree_at(lambda m: (m.n0, m.h_r, m.h_z), model, (n0, h_r, h_z))
        return electrons.distance(disc, l, 10.0, dm, steps=8)

    slopes = jax.jit(jax.grad(distance))
    curvature = jax.jit(jax.hessian(distance))(values)
    for k, step in enumerate(1e-5 * values):
        h = step * jnp.eye(5)[k]
        expected = (slopes(values + h) - slopes(values - h)) / (2 * step)
        np.testing.assert_allclose(curvature[k], expected, rtol=1e-5, atol=1e-10)
    np.testing.assert_allclose(curvature, curvature.T, rtol=1e-9)
    assert abs(curvature[4, 4]) > 1e-4  # the density changes along the ray


def test_scalar_input_and_errors():
    model = electrons.ExponentialDisc()
    d = electrons.distance(model, 90.0, 10.0, 30.0)
    assert d.shape == ()
    np.testing.assert_allclose(electrons.dispersion_measure(model, 90.0, 10.0, d), 30.0, rtol=1e-9)
    with pytest.raises(ValueError, match="dm"):
        electrons.distance(model, 0.0, 0.0, -1.0)
    with pytest.raises(TypeError, match="field"):
        electrons.dispersion_measure(lambda x: x, 0.0, 0.0, 1.0)


MORE = {
    "ne_YT20": electrons.YT20,
    "ne_YT20_sphere": lambda: electrons.YT20(disk=False),
    "ne_YT20_disk": lambda: electrons.YT20(halo=False),
    "ne_Ocker20": electrons.Ocker20,
    "ne_Gaensler08": electrons.Gaensler08,
    "ne_HII_Cordes91": electrons.Cordes91,
    "ne_HII_galprop2": electrons.NE2001Smooth,
    "ne_HII_galprop3": electrons.NE2001Smooth.gaensler,
}


@pytest.mark.parametrize("column", MORE)
def test_tables_of_more_densities(table, column):
    """imagine-models (YT20, plane-parallel discs) and GALPROP (the others)."""
    data, model = table("ne_more_dev"), MORE[column]()
    evaluate = eqx.filter_jit(lambda model, x: model(x))
    x = jnp.asarray(data["pos_kpc"].T)
    np.testing.assert_allclose(evaluate(model, x), data[column], rtol=1e-12)
    low = jax.tree.map(lambda leaf: leaf.astype("float32"), model)
    value = evaluate(low, x.astype("float32"))
    assert value.dtype == jnp.float32
    error = np.abs(np.asarray(value) / data[column] - 1.0)[data[column] > 1e-10]
    assert np.median(error) < 1e-6 and np.quantile(error, 0.9) < 1e-5


@pytest.mark.slow
def test_hot_halo_has_its_mass_and_published_columns():
    halo = electrons.YT20()
    assert abs(float(halo.depth()) - 2.6084795) < 1e-7
    assert abs(float(halo.central_density()) / 3.7381470e-4 - 1.0) < 1e-7
    s = jnp.array([0.999e-3, 1.001e-3])  # the series joins the closed form
    low, high = halo._profile(s)
    np.testing.assert_allclose(
        (high - low) / 2e-6, -0.5 * halo.depth() * halo._profile(s[0]), rtol=2e-3
    )
    far = electrons.YT20()(jnp.array([[261.0, 259.0], [0.0, 0.0], [0.0, 0.0]]))
    assert far[0] == 0.0 < far[1]
    domain = synax.Sphere(260.0)
    rays = synax.Sightlines.healpix(4, (-8.5, 0.0, 0.0), domain)
    column = np.asarray(synax.DispersionMeasure(halo, steps=64)(rays))
    assert abs(np.exp(np.mean(np.log(column))) - 43.7) < 0.3  # the paper's mean: 43
    assert 30.0 < column.min() < 32.0 and column.max() < 246.0

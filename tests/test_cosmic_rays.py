"""Cosmic-ray electrons: against hammurabiX, closed forms and their own tables."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax import _constants as const, cosmic_rays as cr

BOX = synax.Box((2.0, 3.0, 1.0), (0.5, 0.0, 0.0))


@pytest.mark.parametrize(
    ("column", "model"),
    [
        ("A", lambda: cr.Analytic()),
        ("A", lambda: cr.Analytic(beta=0.0, theta=0.0)),
        ("B", lambda: cr.Analytic(alpha=2.7, beta=0.03, theta=0.1, r0=6.5, z0=1.3)),
    ],
)
def test_analytic_matches_hammurabi(table, column, model):
    oracle = table("cre_dev")
    position = jnp.asarray(oracle["pos_kpc"].T)
    model = model()

    @eqx.filter_jit
    def evaluate(model, position, gamma):
        spectra = jax.vmap(lambda g, x: model.spectrum(g, x), in_axes=(0, 1))(gamma, position)
        return model(position), model.index(position), spectra

    gamma = jnp.asarray(oracle["E_GeV"]) / const.ELECTRON_REST_ENERGY_GEV
    norm, index, spectrum = evaluate(model, position, gamma)
    # the source's electron mass differs by 2.3e-7 from today's
    np.testing.assert_allclose(norm, oracle[f"norm_{column}"], rtol=1e-6)
    np.testing.assert_allclose(index + 0 * norm, -oracle[f"idx_{column}"], rtol=1e-12)
    speed = np.sqrt(1.0 - 1.0 / gamma)
    flux = spectrum * speed * const.SPEED_OF_LIGHT * 1e6 / (4 * np.pi * 0.51099895069e-3)
    np.testing.assert_allclose(flux, oracle[f"flux_{column}"], rtol=3e-6)


def test_physical_speed_changes_the_normalisation_as_stated():
    here = jnp.array([-8.3, 0.0, 0.006])
    ratio = cr.Analytic(physical_speed=True)(here) / cr.Analytic()(here)
    np.testing.assert_allclose(ratio, 0.9999875973, rtol=1e-9)


def test_a_broken_disc_has_the_flux_that_it_is_given_and_the_indices_of_the_sky():
    here = jnp.array([[-8.3], [0.0], [0.0]])
    model = cr.BrokenAnalytic(flux=0.03, energy=10.0, r0=6.0, z0=2.0)
    gamma = jnp.array([10.0 / const.ELECTRON_REST_ENERGY_GEV])
    speed = jnp.sqrt(1.0 - 1.0 / gamma**2)
    per_density = speed * const.SPEED_OF_LIGHT * 1e6 / (4 * np.pi * const.ELECTRON_REST_ENERGY_GEV)
    np.testing.assert_allclose(model.spectrum(gamma, here)[0] * per_density, 0.03, rtol=1e-12)
    there = jnp.array([[0.0], [5.0], [2.0]])
    disc = np.exp(3.3 / 6.0) / np.cosh(1.0) ** 2
    np.testing.assert_allclose(model(there) / model(here), disc, rtol=1e-12)
    shape = cr.BrokenPowerLaw(float(model(here)[0]), 1.6, 3.23, 6500.0, 0.15)
    some = jnp.geomspace(20.0, 1e8, 9)
    np.testing.assert_allclose(model.spectrum(some, here), shape.spectrum(some, here), rtol=1e-12)
    nu = np.array([0.045, 0.408, 1.42, 23.0])
    b_perp = jnp.full(4, 4.0)
    bright = synax.emission.emissivity(cr.BrokenAnalytic(), here, b_perp, jnp.asarray(nu))[0]
    index = [np.log(bright[i] / bright[1]) / np.log(nu[i] / nu[1]) for i in (0, 2, 3)]
    np.testing.assert_allclose(index, [-2.52, -2.74, -3.0], atol=0.05)  # against 408 MHz
    with pytest.raises(ValueError, match="gamma_min < gamma_max"):
        cr.BrokenAnalytic(gamma_min=10.0, gamma_max=5.0)


def test_uniform_matches_hammurabi(table):
    oracle = table("cre_dev")
    position = jnp.asarray(oracle["pos_kpc"].T)
    norm = oracle["norm_unif"]
    model = cr.Uniform(float(norm.max()), 3.0, 3.0, (-8.3, 0.0, 0.006))
    np.testing.assert_allclose(model(position), norm, rtol=1e-12)
    assert 0 < np.count_nonzero(norm) < norm.size
    assert len(model.surfaces()) == 1
    assert cr.Uniform(1e-5).surfaces() == ()


def test_index_slopes_are_trainable_and_gradients_finite_on_the_axis():
    model = cr.Analytic(beta=0.02, theta=-0.1)
    points = jnp.array([[0.0, -8.3, 0.0], [0.0, 0.0, 0.0], [0.0, 0.006, 1.0]])

    @eqx.filter_jit
    @eqx.filter_grad
    def slope(both):
        model, x = both
        return jnp.sum(model(x)) + jnp.sum(model.index(x))

    gradient = slope((model, points))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
    assert gradient[0].beta < 0
    assert gradient[0].theta != 0


def test_power_law_of_grids():
    rng = np.random.default_rng(0)
    c = synax.GridField(rng.uniform(1.0, 2.0, (4, 5, 3)), BOX)
    p = synax.GridField(rng.uniform(2.5, 3.5, (3, 3, 3)), BOX, outside="nearest")
    model = cr.PowerLaw(c, p)
    x = jnp.asarray(rng.uniform(-0.9, 0.9, (3, 7)))
    gamma = jnp.array([10.0, 1e4])
    expected = c(x) * gamma[:, None] ** -p(x)
    np.testing.assert_allclose(model.spectrum(gamma, x), expected, rtol=1e-12)
    ready = model.prepare()
    np.testing.assert_allclose(ready.index(x), p(x), rtol=1e-14)
    np.testing.assert_allclose(ready(x), c(x), rtol=1e-14)
    assert len(model.surfaces()) == 1
    assert cr.PowerLaw(c).index(x).shape == ()
    with pytest.raises(TypeError, match="normalisation"):
        cr.PowerLaw(1e-5)


def tabulated(power=2.6, n_gamma=9):
    gamma = np.geomspace(10.0, 1e5, n_gamma)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (3, 4, 5)), indexing="ij")
    shape = 1.0 + 0.2 * x + 0.1 * y * z
    return cr.TabulatedSpectrum(gamma[:, None, None, None] ** -power * shape, 10.0, 1e5, BOX)


def test_tabulated_power_law_is_exact_between_energies_and_nodes():
    model = tabulated()
    x = jnp.array([[0.3, -1.2, 2.4], [1.0, -2.0, 0.4], [0.2, 0.9, -0.7]])
    gamma = jnp.array([10.0, 31.0, 4567.0, 1e5])
    u = (x - jnp.array([[0.5], [0.0], [0.0]])) / jnp.array([[2.0], [3.0], [1.0]])
    expected = gamma[:, None] ** -2.6 * (1.0 + 0.2 * u[0] + 0.1 * u[1] * u[2])
    got = eqx.filter_jit(lambda m: m.spectrum(gamma, x))(model)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert model.spectrum(gamma, x[:, 0]).shape == (4,)


def test_tabulated_spectrum_ends_with_its_table_and_box():
    model = tabulated()
    inside, outside = jnp.array([0.5, 0.0, 0.0]), jnp.array([3.0, 0.0, 0.0])
    np.testing.assert_array_equal(model.spectrum(jnp.array([9.9, 1.01e5]), inside), 0.0)
    assert model(outside) == 0.0
    exact = (10.0**-1.6 - 1e5**-1.6) / 1.6
    np.testing.assert_allclose(tabulated(n_gamma=400)(inside), exact, rtol=1e-3)


def test_tabulated_gradient_reaches_the_table_and_survives_zeros():
    model = tabulated()
    model = eqx.tree_at(lambda m: m.values, model, model.values.at[3].set(0.0))
    value = lambda m, g: jnp.sum(m.spectrum(g, jnp.array([0.4, 0.3, 0.1])))
    gradient = eqx.filter_jit(eqx.filter_grad(value))(model, jnp.array([50.0, 400.0, 3000.0]))
    assert bool(jnp.all(jnp.isfinite(gradient.values)))
    assert float(jnp.max(gradient.values)) > 0


def test_tabulated_errors_name_the_argument():
    with pytest.raises(ValueError, match="values"):
        cr.TabulatedSpectrum(np.ones((3, 3, 3)), 10.0, 1e5, BOX)
    with pytest.raises(ValueError, match="gamma_min"):
        cr.TabulatedSpectrum(np.ones((3, 3, 3, 3)), 1e5, 10.0, BOX)


MORE = {
    "C_Sun08": cr.Sun08,
    "C_WMAP07": cr.WMAP.hermes,
    "C_hammurabi3_WMAP07": cr.WMAP.hammurabi3,
    "C_hammurabi3_modWMAP": cr.RidgedDisc,
    "C_hammurabi3_JF11": cr.JF11,
}


@pytest.mark.parametrize("column", MORE)
def test_tables_of_more_discs(table, column):
    """HERMES (Sun08, WMAP07) and hammurabi 3."""
    data, model = table("cre_more_dev"), MORE[column]()
    right = ~data["edge"]
    evaluate = eqx.filter_jit(lambda model, x: model(x))
    x = jnp.asarray(data["pos_kpc"].T)
    value = evaluate(model, x)
    np.testing.assert_allclose(value[right], data[column][right], rtol=1e-12)
    low = jax.tree.map(lambda leaf: leaf.astype("float32"), model)
    single = evaluate(low, x.astype("float32"))
    assert single.dtype == jnp.float32
    right &= data[column] > 1e-30
    error = np.abs(np.asarray(single)[right] / data[column][right] - 1.0)
    assert np.median(error) < 1e-6 and np.quantile(error, 0.9) < 1e-5
    assert float(model.index(x)) == 3.0


def test_spectra_per_energy_are_those_of_hermes(table):
    data = table("cre_more_dev")
    right = ~data["edge"]
    x, mass = jnp.asarray(data["pos_kpc"].T), 0.0005109989525
    for column, model in (("NE_Sun08", cr.Sun08()), ("NE_WMAP07", cr.WMAP.hermes())):
        gamma = jnp.asarray(data["E_GeV"]) / mass
        found = np.asarray(model(x) * gamma**-3.0 / mass)
        np.testing.assert_allclose(found[right], data[column][right], rtol=1e-9)


def test_sun10_is_sun08_with_another_height_and_no_edges():
    x = jnp.array([[-4.0, -8.5, 0.0], [0.0, 0.0, 9.0], [0.0, 0.5, 0.9]])
    lower, upper = cr.Sun10(h_z=1.0)(x), cr.Sun08()(x)
    np.testing.assert_allclose(lower, upper, rtol=1e-14)
    np.testing.assert_allclose(cr.Sun10()(x) / lower, np.exp(-np.array([0.0, 0.5, 0.9]) * 0.25))
    assert (
        float(cr.Sun10()(jnp.array([0.0, 0.0, 3.0])))
        > 0.0
        == float(cr.Sun08()(jnp.array([0.0, 0.0, 3.0])))
    )

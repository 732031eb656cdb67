"""Gaussian random fields on grids: modes, spectra, vanishing divergence, derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.random_fields import Exponential, Matern, PowerLaw, flux_divergence, roughness
from synax.random_fields._modes import hartley, mode_amplitudes, wavevectors

BOX = synax.Box((4.0, 3.0, 1.5))
SHAPE = (9, 8, 6)


def field(key=0, **kwargs):
    key = jax.random.key(key)
    return synax.GaussianField.on_grid(BOX, SHAPE, Matern(2.0, 1.0), key=key, **kwargs)


def test_hartley_is_orthonormal_and_its_own_inverse():
    x = jax.random.normal(jax.random.key(1), (3, 5, 6, 4))
    assert np.allclose(hartley(hartley(x)), x, atol=1e-14)
    assert np.isclose(jnp.sum(hartley(x) ** 2), jnp.sum(x**2), rtol=1e-14)


@pytest.mark.parametrize(
    "spectrum",
    [Matern(2.0, (2.0, 1.5, 0.8)), PowerLaw(2.0, 3.0, 4.0)],
)
def test_covariance_is_that_of_the_spectrum(spectrum):
    # exact: the covariance of the nodes is H diag(sigma^2) H, a cosine sum over the modes
    modes = (6, 5, 4)
    made = synax.GaussianField(jnp.zeros(modes), spectrum, BOX, modes)
    of = lambda latent: eqx.tree_at(lambda f: f.latent, made, latent).values().ravel()
    jacobian = np.asarray(jax.jit(jax.jacfwd(of))(jnp.zeros(modes))).reshape(np.prod(modes), -1)
    covariance = np.asarray(jacobian @ jacobian.T).reshape(*modes, *modes)
    k = np.asarray(wavevectors(BOX, modes, modes))
    power = np.asarray(mode_amplitudes(spectrum, jnp.asarray(k))) ** 2
    step = [2 * h / (n - 1) for h, n in zip((4.0, 3.0, 1.5), modes, strict=True)]
    apart = np.array([2, 1, 3])
    phase = sum(k[i] * apart[i] * step[i] for i in range(3))
    expected = np.mean(power * np.cos(phase))
    assert np.isclose(covariance[0, 0, 0, 2, 1, 3], expected, rtol=1e-12)
    assert np.isclose(covariance[3, 3, 0, 5, 4, 3], expected, rtol=1e-12)
    # the mean over space of the interpolation's variance: each axis as the mass matrix of hats
    next_to = lambda m: np.roll(np.eye(m), 1, 0) + np.roll(np.eye(m), -1, 0)
    mass = [np.eye(m) * 2 / 3 + next_to(m) / 6 for m in modes]
    energy = np.einsum("abcdef,ad,be,cf->", covariance, *mass) / np.prod(modes)
    assert np.isclose(energy, 4.0, rtol=1e-12)


def test_a_power_law_falls_with_its_slope():
    k = jnp.array([[50.0, 100.0], [0.0, 0.0], [0.0, 0.0]])
    low, high = PowerLaw(1.0, 11.0 / 3.0, 5.0).power(k)
    assert np.isclose(np.log2(low / high), 11.0 / 3.0, rtol=1e-3)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_solenoidal_field_has_no_net_flux_through_any_cell(dtype):
    made = synax.SolenoidalField.on_grid(BOX, SHAPE, Matern(3.0, 1.5), key=jax.random.key(2))
    made = jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, made)
    grid = made.grid()
    assert grid.values.dtype == dtype and grid.values.shape == (3, *SHAPE)
    largest = float(jnp.max(jnp.abs(grid.values))) / 0.6  # per the smallest spacing
    assert float(jnp.max(jnp.abs(flux_divergence(grid)))) < 20 * jnp.finfo(dtype).eps * largest
    gaussian = field(vector=True).grid()
    assert float(jnp.std(flux_divergence(gaussian))) > 0.1


def test_flux_is_that_of_the_interpolated_field():
    # independent: integrate B.n over the faces of one cell by Gauss quadrature of the look-up
    grid = field(3, vector=True).grid()
    axes = [np.asarray(a) for a in grid.axes()]
    low, high = np.array([a[2] for a in axes]), np.array([a[3] for a in axes])
    nodes, weights = np.polynomial.legendre.leggauss(2)
    flux = 0.0
    for i in range(3):
        j, k = [n for n in range(3) if n != i]
        for side, sign in ((low, -1.0), (high, 1.0)):
            for s, ws in zip(nodes, weights, strict=True):
                for t, wt in zip(nodes, weights, strict=True):
                    x = np.empty(3)
                    x[i] = side[i]
                    x[j] = 0.5 * (low[j] + high[j] + s * (high[j] - low[j]))
                    x[k] = 0.5 * (low[k] + high[k] + t * (high[k] - low[k]))
                    area = (high[j] - low[j]) * (high[k] - low[k]) / 4.0
                    flux += sign * ws * wt * area * float(grid(jnp.asarray(x))[i])
    volume = np.prod(high - low)
    assert np.isclose(flux / volume, flux_divergence(grid)[2, 2, 2], rtol=1e-10)


def test_solenoidal_field_has_the_stated_rms_where_resolved():
    spectrum = Matern(3.0, 2.5, 2.5)
    made = synax.SolenoidalField.on_grid(synax.Box((6.0,) * 3), (16, 16, 16), spectrum, padding=0.5)
    draw = lambda key: eqx.tree_at(
        lambda f: f.latent, made, jax.random.normal(key, made.latent.shape)
    ).values()
    values = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), 24))
    between = 0.5 * (values + jnp.roll(values, 1, 2))[:, :, 1:]  # midway between two planes
    energy = (2.0 * jnp.mean(values**2) + 4.0 * jnp.mean(between**2)) / 6.0  # along x alone
    assert 3.0 < np.sqrt(3.0 * energy) < 3.3  # along all three axes it is 3


def test_field_equals_its_grid_and_stops_at_the_box():
    for made in (field(vector=True), field(), Exponential(field())):
        x = jnp.array([[0.3, 3.9, 5.0], [-1.0, 2.0, 0.0], [0.2, -1.4, 0.0]])
        assert np.array_equal(made(x), made.prepare()(x))
        assert len(made.surfaces()) == 1
    assert not np.any(field()(x)[..., 2]) and field(outside="nearest").surfaces() == ()


def test_white_modes_are_reachable_leaves():
    made = field()
    assert made.latent.shape[0] >= 9 and float(jnp.std(made.latent)) > 0.8
    loss = eqx.filter_jit(lambda f: jnp.sum(f(jnp.array([[0.3], [-1.0], [0.2]])) ** 2))
    gradient = eqx.filter_jit(eqx.filter_grad(loss))(made)
    assert float(jnp.max(jnp.abs(gradient.latent))) > 0.0
    step = 1e-6
    moved = eqx.tree_at(lambda f: f.spectrum.rms, made, made.spectrum.rms + step)
    difference = (loss(moved) - loss(made)) / step
    assert np.isclose(gradient.spectrum.rms, difference, rtol=1e-4)


def test_zero_modes_have_finite_derivatives():
    made = synax.SolenoidalField.on_grid(BOX, SHAPE, PowerLaw(1.0))
    rays = synax.Sightlines.healpix(1, observer=(0.0, 0.0, 0.0), domain=BOX)
    sky = synax.Synchrotron(made, None, synax.cosmic_rays.WMAP(), steps=8)
    gradient = eqx.filter_grad(lambda s: jnp.sum(s(rays, 1.0).Q))(sky)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.tree.leaves(gradient))


def test_roughness_of_a_ramp_and_of_a_parabola():
    x = jnp.linspace(-4.0, 4.0, 9)[:, None, None] * jnp.ones((9, 8, 6))
    ramp, parabola = synax.GridField(2.0 * x, BOX), synax.GridField(x**2, BOX)
    volume = 1.0 * (6.0 / 7.0) * (3.0 / 5.0)
    assert np.isclose(roughness(ramp), 4.0 * 8 * 8 * 6 * volume, rtol=1e-12)
    assert np.isclose(roughness(parabola, 2), 4.0 * 7 * 8 * 6 * volume, rtol=1e-12)
    assert float(roughness(ramp, 2)) < 1e-20


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="latent must have shape"):
        synax.GaussianField(jnp.zeros((2, 2, 2)), Matern(), BOX, SHAPE)
    with pytest.raises(ValueError, match="padding"):
        synax.GaussianField.on_grid(BOX, SHAPE, Matern(), padding=-1.0)
    with pytest.raises(ValueError, match="length must be"):
        Matern(1.0, (1.0, 2.0))
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        roughness(field().grid(), 3)
    with pytest.raises(ValueError, match="centering='node'"):
        flux_divergence(field().grid())

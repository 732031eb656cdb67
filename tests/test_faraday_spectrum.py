"""Faraday spectra of simulated sightlines against closed forms and against the maps themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax import faraday

RAYS = synax.Sightlines.from_lonlat([0.0, 20.0], [0.0, 5.0], distance=2.0)
B = (-1.5, 2.0, 0.7)


def slab(electrons, magnetic=None, steps=8):
    magnetic = synax.magnetic.Uniform(B) if magnetic is None else magnetic
    rays = synax.cosmic_rays.Uniform(1e-5)
    return synax.Synchrotron(magnetic, electrons, rays, steps=synax.UniformSteps(steps))


@pytest.fixture(scope="module")
def uniform():
    return slab(synax.electrons.Uniform(0.02))


@pytest.fixture(scope="module")
def found(uniform):
    return synax.FaradaySpectrum(uniform, np.arange(-20.0, 100.0, 2.5))(RAYS, 1.4)


def test_burn_slab(uniform, found):
    unrotated = slab(None)(RAYS, 1.4)
    zero = np.asarray(unrotated.Q + 1j * unrotated.U)
    assert np.max(np.abs(found.total / zero - 1)) < 1e-12
    for k, depth in enumerate(np.asarray(found.rotation_measure)):
        assert depth > 20
        low, high = found.phi - 1.25, found.phi + 1.25
        overlap = np.clip(np.minimum(high, depth) - np.maximum(low, 0.0), 0.0, None) / 2.5
        expected = complex(found.total[k]) / depth * overlap
        assert np.max(np.abs(found.values[:, k] - expected)) < 1e-12 * abs(found.total[k])


def test_polarisation_of_the_spectrum_is_that_of_the_map(uniform, found):
    nu = np.array([1.4, 2.4])
    seen = uniform(RAYS, nu)
    x = (0.299792458 / nu) ** 2
    p = found.polarisation(x) * (1.4 / nu[:, None]) ** 3
    error = np.abs(p - (seen.Q + 1j * seen.U)) / np.abs(found.total)
    assert np.max(error) < 5e-3  # the slab ends inside a bin
    model = faraday.BurnSlab(found.rotation_measure, jnp.abs(found.total), 0.0)
    burn = model.polarisation(x[:, None]) * jnp.exp(1j * jnp.angle(found.total))
    exact = (seen.Q + 1j * seen.U) / (1.4 / nu[:, None]) ** 3
    assert np.max(np.abs(burn - exact)) < 1e-12 * np.max(np.abs(exact))


def test_a_screen_in_front_of_a_slab_moves_it():
    near = synax.electrons.Uniform(0.02, radius=1.0, center=(-8.3, 0.0, 0.006))
    sky = slab(near, steps=16)
    phi = np.arange(-5.0, 60.0, 1.0)
    seen = synax.FaradaySpectrum(sky, phi)(RAYS, 1.4)
    half = np.asarray(seen.total) / 2  # the inner kpc rotates, the outer one only shines
    for k, depth in enumerate(np.asarray(seen.rotation_measure)):
        column = np.asarray(seen.values[:, k])
        peak = np.argmax(np.abs(column))
        assert abs(phi[peak] - depth) <= 0.5 + 1e-9
        inside = np.abs(phi - depth / 2) < depth / 2 - 1.0
        assert np.allclose(
            column[inside & (np.arange(phi.size) != peak)], half[k] / depth, rtol=1e-9
        )
        assert abs(column[peak] - half[k]) < abs(half[k]) / depth


def test_no_electrons_and_falling_depths():
    phi = np.arange(-60.0, 61.0, 4.0)
    still = synax.FaradaySpectrum(slab(None), phi)(RAYS, 1.4)
    middle = np.argmin(np.abs(phi))
    # a depth on the edge of a bin belongs to one of them; 0 is the middle of one here
    assert np.allclose(still.values[middle] * 4.0, still.total, rtol=1e-13)
    away = synax.magnetic.Uniform(tuple(-b for b in B))
    ahead = synax.FaradaySpectrum(slab(synax.electrons.Uniform(0.02)), phi)(RAYS, 1.4)
    behind = synax.FaradaySpectrum(slab(synax.electrons.Uniform(0.02), away), phi)(RAYS, 1.4)
    assert np.max(np.abs(behind.values - ahead.values[::-1])) < 1e-13 * np.max(np.abs(ahead.values))


def test_near_and_far_parts_make_the_whole():
    law = faraday._deposit.Deposit(None, jnp.arange(-10.0, 41.0, 2.0))
    step = np.zeros((25, 1))
    step[5:10] = 1.0  # depths 0 to 10
    light = faraday._deposit.Light
    parts = light((None, step, 2 * step, None), (np.zeros((1, 1)),) * 2, np.array([10.0]))
    whole = law.compose(parts, parts)
    expected = np.zeros(25)
    expected[5:15] = 1.0
    assert np.allclose(whole.stokes[1][:, 0], expected) and np.allclose(whole.columns[0], 0.0)
    assert np.allclose(whole.stokes[2], 2 * whole.stokes[1]) and whole.rotation_measure == 20.0


def test_emission_outside_the_grid_is_not_lost(uniform, found):
    short = synax.FaradaySpectrum(uniform, np.arange(0.0, 11.0, 2.5))(RAYS, 1.4)
    assert np.max(np.abs(short.total / found.total - 1)) < 1e-12
    assert np.min(np.abs(short.outside / short.total)) > 0.3


def test_varying_fields_give_the_total_and_the_polarisation_of_the_map():
    rays = synax.Sightlines.from_lonlat([40.0], [10.0], distance=3.0)
    sky = slab(synax.electrons.TwoDisc(), synax.magnetic.WMAP(), 32)
    nu = 0.299792458 / 0.1
    seen, unrotated = sky(rays, nu), slab(None, synax.magnetic.WMAP(), 32)(rays, 1.4)
    expected = [
        complex((unrotated.Q + 1j * unrotated.U)[0]),
        complex((seen.Q + 1j * seen.U)[0]) * (nu / 1.4) ** 3,
    ]
    spectrum = synax.FaradaySpectrum(sky, np.arange(-160.0, 161.0, 4.0))(rays, 1.4)
    p = np.asarray(spectrum.polarisation(np.array([0.0, 0.01])))[:, 0]
    assert np.abs(p[0] / expected[0] - 1) < 1e-12
    assert np.abs(p[1] / expected[1] - 1) < 4e-3  # bins of 4 turn by 0.04 rad


def test_differentiable_and_reverse_equals_forward():
    phi = np.arange(-5.0, 60.0, 5.0)
    weights = np.cos(np.arange(phi.size))[:, None] * np.array([1.0, 0.5])

    def loss(density):
        sky = slab(synax.electrons.Uniform(density), steps=2)
        seen = synax.FaradaySpectrum(sky, phi)(RAYS, 1.4)
        return 1e3 * jnp.sum(weights * (seen.values.real + 0.3 * seen.values.imag))

    @jax.jit
    def every(density):
        return (*jax.value_and_grad(loss)(density), jax.jvp(loss, (density,), (1.0,))[1])

    step = 1e-7
    _, slope, forward = every(0.0201)
    numeric = (every(0.0201 + step)[0] - every(0.0201 - step)[0]) / (2 * step)
    assert abs(slope / numeric - 1) < 1e-5
    assert abs(forward / slope - 1) < 1e-10


def test_bad_input(uniform, found):
    with pytest.raises(TypeError, match=r"synax\.Synchrotron"):
        synax.FaradaySpectrum(3.0, [0.0, 1.0])
    with pytest.raises(ValueError, match="increase"):
        synax.FaradaySpectrum(uniform, [1.0, 0.0])
    with pytest.raises(ValueError, match="two depths"):
        synax.FaradaySpectrum(uniform, [1.0])
    with pytest.raises(ValueError, match="one positive number"):
        synax.FaradaySpectrum(uniform, [0.0, 1.0])(RAYS, [1.4, 2.4])
    with pytest.warns(UserWarning, match="too wide there"):
        found.polarisation(1.0)

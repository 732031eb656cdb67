"""Faraday spectra of simulated sightlines against closed forms and against the maps themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax import faraday

RAYS = synax.Sightlines.from_lonlat([0.0, 20.0], [0.0, 5.0], distance=2.0)
B = (-1.5, 2.0, 0.7)


def slab(electrons, magnetic=None, steps=8, rays=None, **more):
    magnetic = synax.magnetic.Uniform(B) if magnetic is None else magnetic
    rays = synax.cosmic_rays.Uniform(1e-5) if rays is None else rays
    return synax.Synchrotron(magnetic, electrons, rays, steps=synax.UniformSteps(steps), **more)


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


def below(spectrum):
    """The part of the emission of each ray below the upper end of each bin, and those ends."""
    ends = spectrum.phi + 0.5 * spectrum.widths
    return ends, np.cumsum(spectrum.widths[:, None] * np.asarray(spectrum.values), axis=0)


@pytest.mark.parametrize("strength", [None, 2.0])
def test_thin_screen_and_external_dispersion(strength):
    """Emission far behind the rotation: at one depth, or normally distributed about it."""
    screen = synax.electrons.Uniform(0.02, radius=1.0, center=(-8.3, 0.0, 0.006))
    source = synax.cosmic_rays.Uniform(1e-5, radius=1.0, center=(-5.3, 0.0, 0.006))
    turbulence = None if strength is None else synax.Turbulence(strength, 0.0, 0.05)
    rays = synax.Sightlines.from_lonlat([0.0, 3.0], [0.0, 5.0], distance=5.0)
    sky = slab(screen, steps=20, rays=source, turbulence=turbulence)
    seen = synax.FaradaySpectrum(sky, np.arange(-60.0, 90.0, 1.5))(rays, 1.4)
    ends, part = below(seen)
    for k, depth in enumerate(np.asarray(seen.rotation_measure)):
        if strength is None:
            expected = (ends > depth).astype(float)
        else:
            variance = sky.observe(rays, 1.4).rotation_measure_variance[k]
            exact = 2 * (811.9 * 0.02) ** 2 * strength**2 / 3 * 0.05 * 0.95  # of 1 kpc
            assert np.isclose(variance, exact, rtol=5e-3)
            model = faraday.ExternalDispersion(depth, np.sqrt(variance))
            expected = 0.5 * (1 + jax.scipy.special.erf((ends - depth) / np.sqrt(2 * variance)))
            x = np.array([0.0, 0.01, 0.04])
            error = np.abs(seen.polarisation(x)[:, k] / seen.total[k] - model.polarisation(x))
            assert np.max(error) < 2e-3  # the blur of the bins
        assert np.max(np.abs(part[:, k] / complex(seen.total[k]) - expected)) < 1e-5


@pytest.mark.slow
def test_internal_dispersion_to_second_order():
    errors = []
    for steps in (10, 20):
        sky = slab(
            synax.electrons.Uniform(0.02),
            steps=steps,
            turbulence=synax.Turbulence(20.0, 30.0, 5e-4),
        )
        seen = synax.FaradaySpectrum(sky, np.arange(-60.0, 120.0, 3.0))(RAYS, 1.4)
        field = np.asarray(seen.rotation_measure) / (811.9 * 0.02 * 2.0)  # along the ray, uG
        sigma = np.sqrt(2 * (811.9 * 0.02) ** 2 * (4 / 3 + 0.3 * field**2) * 0.05 * 2.0)
        fine = np.arange(-61.5, 118.5, 0.01) + 0.005
        _, part = below(seen)
        for k in range(2):
            model = faraday.InternalDispersion(seen.rotation_measure[k], sigma[k])
            exact = np.cumsum(np.real(model.spectrum(fine)) * 0.01)[299::300]
            errors.append(np.max(np.abs(part[:, k] / complex(seen.total[k]) - exact)))
    assert max(errors[2:]) < 1e-3
    assert all(coarse > 3 * fine for coarse, fine in zip(errors[:2], errors[2:], strict=True))


@pytest.mark.slow
def test_absorbed_emission_is_dimmed_by_what_lies_in_front(found):
    """Free-free absorption in a uniform slab; a background has no polarisation."""
    free_free = synax.FreeFree(8000.0, 0.01)
    sky = slab(synax.electrons.Uniform(0.02), free_free=free_free, background=30.0, steps=12)
    nu = 0.02
    dimmed = synax.FaradaySpectrum(sky, found.phi)(RAYS, nu)
    depth = np.asarray(sky.observe(RAYS, nu).optical_depth)
    assert np.min(depth) > 0.1
    bright = found.total * (1.4 / nu) ** 3
    assert np.max(np.abs(dimmed.total / (bright * -np.expm1(-depth) / depth) - 1)) < 1e-12
    for k, end in enumerate(np.asarray(found.rotation_measure)):
        inside = (found.phi > 2.0) & (found.phi < end - 2.0)
        ratio = dimmed.values[inside, k] / found.values[inside, k] * (nu / 1.4) ** 3
        expected = np.exp(-depth[k] * found.phi[inside] / end)
        assert np.max(np.abs(ratio / expected - 1)) < 0.5 * depth[k] / 24  # a piece has one value


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
    none, one = np.zeros((1, 1)), np.ones(1)
    part = faraday._deposit.Light(
        (None, step, 2 * step, None), (none, none), 10 * one, none, 0 * one
    )
    compose = jax.jit(lambda near, far: law.compose(near, far))
    whole = compose(part, part)
    expected = np.zeros(25)
    expected[5:15] = 1.0
    assert np.allclose(whole.stokes[1][:, 0], expected) and np.allclose(whole.columns[0], 0.0)
    assert np.allclose(whole.stokes[2], 2 * whole.stokes[1]) and whole.rotation_measure == 20.0
    whole = compose(part._replace(optical_depth=none + 0.7, dispersion=one), part)
    blurred = (np.asarray(whole.stokes[1]) - step)[:, 0]
    assert abs(blurred.sum() / (5 * np.exp(-0.7)) - 1) < 1e-6 and whole.dispersion == 1.0
    assert blurred[11:14] == pytest.approx(np.exp(-0.7), rel=0.03) and 0 < blurred[9] < 0.3


def test_emission_outside_the_grid_is_not_lost(uniform, found):
    short = synax.FaradaySpectrum(uniform, np.arange(0.0, 11.0, 2.5))(RAYS, 1.4)
    assert np.max(np.abs(short.total / found.total - 1)) < 1e-12
    assert np.min(np.abs(short.outside / short.total)) > 0.3


def test_varying_fields_give_the_total_and_the_polarisation_of_the_map():
    rays = synax.Sightlines.from_lonlat([40.0], [10.0], distance=3.0)
    parts = (synax.electrons.TwoDisc(), None)  # without faces: of the same cells
    sky, dark = (slab(x, synax.magnetic.WMAP(), 32).integrate_with(faces=False) for x in parts)
    nu = 0.299792458 / 0.1
    seen, unrotated = sky(rays, nu), dark(rays, 1.4)
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
    absorbed = slab(synax.electrons.Uniform(0.02), self_absorption=True)
    with pytest.raises(ValueError, match="self_absorption=False"):
        synax.FaradaySpectrum(absorbed, [0.0, 1.0])
    with pytest.raises(ValueError, match="increase"):
        synax.FaradaySpectrum(uniform, [1.0, 0.0])
    with pytest.raises(ValueError, match="two depths"):
        synax.FaradaySpectrum(uniform, [1.0])
    with pytest.raises(ValueError, match="one positive number"):
        synax.FaradaySpectrum(uniform, [0.0, 1.0])(RAYS, [1.4, 2.4])
    with pytest.warns(UserWarning, match="too wide there"):
        found.polarisation(1.0)

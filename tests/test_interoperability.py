"""The wrappers for other packages do what those packages ask (they are tried where installed)."""

import importlib
from pathlib import Path

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import synax

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


@pytest.fixture
def example(monkeypatch):
    """Import one of the examples of the documentation."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


@pytest.fixture(scope="module")
def sky():
    return synax.Synchrotron(
        synax.magnetic.WMAP(), synax.electrons.Uniform(0.01), synax.cosmic_rays.WMAP(), steps=8
    )


@pytest.fixture(scope="module")
def posterior(sky):
    rays = synax.Sightlines.healpix(1)
    data = 1.1 * sky(rays, 23.0).I[None]
    likelihood = synax.GaussianLikelihood(rays, 23.0, data, 0.05 * data, stokes=("I",))
    return synax.Posterior(sky, {"magnetic.b0": dist.Uniform(0.5, 3.0)}, likelihood)


def test_pysm_component(example, sky):
    component = example("pysm_component").SynaxSynchrotron(sky, nside=2)
    frequencies, weights = np.linspace(28.0, 32.0, 5) * u.GHz, np.array([1.0, 2.0, 3.0, 2.0, 1.0])
    single = np.stack([component.get_emission(nu).value for nu in frequencies])
    stokes = sky(synax.Sightlines.healpix(2), 28.0)
    np.testing.assert_allclose(single[0], 1e6 * np.stack([stokes.I, stokes.Q, -stokes.U]))
    # mean brightness in Jy/sr over the band, in units of K_RJ
    ghz = frequencies.value
    power = np.trapezoid(single * (weights * ghz**2)[:, None, None], ghz, axis=0)
    expected = power / np.trapezoid(weights * ghz**2, ghz)
    band = component.get_emission(frequencies, weights)
    np.testing.assert_allclose(band.value, expected, rtol=1e-12)


def test_pysm_components_of_the_calibrated_galaxy(example):
    made = example("pysm_component").SynaxSynchrotron
    best, first = made.calibrated(1, steps=8), made.calibrated(1, draw=1, steps=8)
    expected = synax.galaxies.draws(2, steps=8)[1]
    flux = lambda galaxy: float(galaxy.cosmic_rays.flux)
    assert flux(best.simulator) == flux(synax.galaxies.calibrated())
    assert flux(first.simulator) == flux(expected) != flux(best.simulator)
    assert made.realised(1, 3, steps=8).simulator.turbulence is None


def test_pysm_sums_the_component(example, sky):
    pysm3 = pytest.importorskip("pysm3")
    component = example("pysm_component").SynaxSynchrotron(sky, nside=2)
    summed = pysm3.Sky(nside=2, component_objects=[component], output_unit=pysm3.units.uK_CMB)
    got, nu = summed.get_emission(30 * u.GHz), 30 * u.GHz
    alone = component.get_emission(nu)
    factors = pysm3.units.cmb_equivalencies(nu)
    np.testing.assert_allclose(got.value, alone.to_value("uK_CMB", factors), rtol=1e-6)
    frequencies, weights = np.linspace(28.0, 32.0, 5) * u.GHz, np.array([1.0, 2.0, 3.0, 2.0, 1.0])
    norm = pysm3.utils.normalize_weights(frequencies.value, weights)
    each = np.stack([component.get_emission(f).value for f in frequencies])
    expected = np.trapezoid(each * norm[:, None, None], frequencies.value, axis=0)
    np.testing.assert_allclose(component.get_emission(frequencies, weights).value, expected)


def test_getdist_samples(example, posterior):
    pytest.importorskip("getdist")
    draws = synax.sample(posterior, jax.random.key(1), chains=2, warmup=20, draws=50, check=False)
    limits = {"magnetic.b0": (0.5, 3.0)}
    samples = example("getdist_samples").to_getdist(draws, {"magnetic.b0": "b_0"}, limits)
    assert samples.getMeans()[0] == pytest.approx(float(draws.posterior["magnetic.b0"].mean()))
    assert samples.getInlineLatex("magnetic.b0").startswith("b_0 = ")


@pytest.mark.filterwarnings("ignore")  # NIFTy warns about its own keywords
def test_nifty_finds_the_answer(example, posterior):
    jft = pytest.importorskip("nifty.re")
    data, sigma = posterior.likelihood.data, posterior.likelihood.noise.sigma
    likelihood = example("nifty_model").gaussian_likelihood(posterior, data, sigma)
    samples, _ = jft.optimize_kl(
        likelihood,
        jnp.zeros(posterior.size),
        key=jax.random.key(0),
        n_total_iterations=4,
        n_samples=3,
        draw_linear_kwargs={"cg_kwargs": {"maxiter": 10}},
        kl_kwargs={"minimize_kwargs": {"maxiter": 10}},
        sample_mode="linear_resample",
    )
    b0 = np.mean([float(posterior.constrain(s)["magnetic.b0"]) for s in samples])
    assert b0 == pytest.approx(1.2 * 1.1**0.5, abs=0.05)


def test_quantities_become_the_units_of_a_map():
    sky = synax.SkyMap(np.full(12, 3.0) * u.mK, "I", nside=1, frequency=408 * u.MHz)
    assert sky.frequency == pytest.approx(0.408) and sky.unit == "K_RJ"
    np.testing.assert_allclose(sky.values, 3e-3)
    with pytest.raises(u.UnitConversionError):
        synax.SkyMap(np.ones(12) * u.mK, "RM", nside=1)

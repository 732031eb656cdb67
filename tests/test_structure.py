"""Realisations of a Galaxy's turbulence: the patterns, and the mean that the closed form gives."""

import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.galaxies import _structure
from synax.random_fields import Periodic, repeated

DATA = Path(__file__).parent.parent / "docs" / "data"


def galaxy(strength=3.0, striation=0.5, length=0.03, **settings):
    return synax.Synchrotron(
        synax.magnetic.Uniform((0.0, 2.0, 1.0)),
        synax.electrons.Uniform(0.02),
        synax.cosmic_rays.Uniform(1e-5, spectral_index=3.0),
        turbulence=synax.Turbulence(strength, striation, length),
        **settings,
    )


def test_a_periodic_field_repeats_without_a_seam():
    box = synax.Box((1.0, 1.0, 1.0))
    grid = synax.magnetic.GaussianRandom(jax.random.key(0), box, (16, 16, 16)).grid()
    field = repeated(grid)
    at = eqx.filter_jit(lambda field, x: field(x))
    period = 2.0 * 16 / 15
    x = np.random.default_rng(0).uniform(-3, 3, (3, 50))
    here = at(field, x)
    np.testing.assert_allclose(at(field, x + period), here, atol=1e-12)
    np.testing.assert_allclose(at(field.prepare(), x), here, atol=1e-12)
    across = np.array([[0.5 * period] * 2, [0.2] * 2, [0.1] * 2])
    left, right = at(field, across + np.array([[-1e-9, 1e-9], [0, 0], [0, 0]])).T
    np.testing.assert_allclose(left, right, atol=1e-7)
    with pytest.raises(TypeError, match=r"box"):
        Periodic(grid, 2.0)


def test_the_field_has_the_strength_and_the_striation_of_the_turbulence():
    made = synax.galaxies.realisation(galaxy(), jax.random.key(1), nodes=32, periods=4.0)
    assert made.turbulence is None
    x = jnp.asarray(np.random.default_rng(1).uniform(-8, 8, (3, 8000)))
    field = made.magnetic
    of = eqx.filter_jit(lambda field: (field.isotropic(x), field.striated(x), field(x)))
    isotropic, striated, whole = map(np.asarray, of(field))
    # some 300 modes carry the energy: one realisation's differs by 0.06 (vector) to 0.1
    assert np.mean(np.sum(np.square(isotropic), 0)) == pytest.approx(1.0, abs=0.18)
    assert np.mean(np.square(striated)) == pytest.approx(1.0, abs=0.3)
    expected = (1 + 0.5**0.5 * striated) * np.array([[0.0], [2.0], [1.0]]) + 3.0 * isotropic
    np.testing.assert_allclose(whole, expected, rtol=1e-12)


def test_the_correlation_length_is_that_of_the_waves_on_the_grid():
    """The limit by its integral; a grid by the correlation of its own waves along an axis."""
    u = np.geomspace(1e-6, 1e8, 20001)
    energy = u**2 / (1 + u**2) ** (11 / 6)
    limit = 0.375 * np.trapezoid(energy / u, u) / np.trapezoid(energy, u)
    coarse, fine = (_structure.integral_scale(n, 3.0) for n in (24, 96))
    assert limit < fine < coarse < 2.0 * limit
    box = synax.Box((0.5, 0.5, 0.5))
    one = (2.0 + np.cos(2.0 * np.pi * np.arange(32) / 32)) / 3.0  # left by interpolation
    left, found = one[:, None, None] * one[:, None] * one, []
    for k in range(8):
        made = synax.magnetic.GaussianRandom(jax.random.key(k), box, (32,) * 3, outer_scale=0.2)
        power = left * np.abs(np.fft.fftn(made.grid().values[0])) ** 2
        found.append(0.5 * (32 / 31) / 0.2 * power[0].sum() / power.sum())
    error = np.std(found) / 8**0.5
    expected = _structure.integral_scale(32, (32 / 31) / 0.2)
    assert abs(np.mean(found) - expected) < 3.0 * error + 0.05 * expected


def test_what_cannot_be_realised_is_refused():
    key = jax.random.key(0)
    for changed, word in (
        (dict(turbulence=None), "has no turbulence"),
        (dict(turbulence=synax.Turbulence(1.0, correlation_length=0.0)), "correlation_length"),
    ):
        with pytest.raises(ValueError, match=word):
            synax.galaxies.realisation(synax.galaxies.wmap(**changed), key)
    with pytest.raises(ValueError, match="nodes must be"):
        synax.galaxies.realisation(galaxy(), key, nodes=8)
    with pytest.raises(ValueError, match="periods must be"):
        synax.galaxies.realisation(galaxy(), key, periods=1.0)


def against_realisations(keys=24, rays=300, frequency=1.4, **settings):
    """Mean over realisations, closed form, error of the mean: of I, Q, U, RM and var(RM).

    Sightlines of 2 kpc through a uniform plasma, within 30 deg of a direction across the field. The
    error comes from the scatter between keys.
    """
    smooth = galaxy(steps=synax.UniformSteps(120), **settings)
    l, b = np.random.default_rng(2).uniform(-30, 30, (2, rays))
    here = (0.0, 0.0, 0.0)
    sight = synax.Sightlines.from_lonlat(l, b, observer=here, domain=synax.Sphere(2.0))
    columns = lambda s: (s.stokes.I, s.stokes.Q, s.stokes.U, s.rotation_measure)
    closed = smooth.observe(sight, frequency)
    seen = []
    for k in range(keys):
        made = synax.galaxies.realisation(smooth, jax.random.key(k), nodes=64, periods=6.0)
        now = [np.asarray(x) for x in columns(made.observe(sight, frequency))]
        variance = np.mean((now[3] - np.asarray(closed.rotation_measure)) ** 2)
        seen.append([*(x.mean() for x in now), variance])
    seen = np.array(seen)
    expected = [float(jnp.mean(x)) for x in columns(closed)]
    expected.append(float(jnp.mean(closed.rotation_measure_variance)))
    return seen.mean(0), np.array(expected), seen.std(0, ddof=1) / np.sqrt(keys)


@pytest.mark.slow
def test_the_closed_form_is_the_mean_over_realisations():
    """Each within 3.5 of its errors, and 1 % for the grid."""
    mean, expected, error = against_realisations(keys=64, rays=200)
    print(mean / expected, error / np.abs(expected))
    allowed = 3.5 * error + 0.01 * np.abs(expected)
    assert np.all(np.abs(mean - expected) < allowed), (mean, expected, error)


def test_realisations_have_the_angular_power_of_the_sky():
    """The record behind the page: within 20 % at 23 GHz, l = 7 to 22, where the maps resolve."""
    record = json.loads((DATA / "structure.json").read_text())
    bins = slice(record["edges"].index(7), record["edges"].index(23))
    for kind in ("EE", "BB"):
        power = {k: np.array(v[bins]) for k, v in record["power"][kind].items()}
        np.testing.assert_allclose(power["realised"] / power["sky"], 1.0, atol=0.2)
        assert np.all(power["mean"] < power["realised"])

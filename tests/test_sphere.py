"""The homogeneous sphere about the observer: closed form for every quantity."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax import _constants as const
from synax.emission import polarised_fraction, spectral_factor

OBSERVER = (-8.3, 0.0, 0.006)
RADIUS, DENSITY, NORMALISATION = 4.0, 0.01, 4.0132854e-5
FIELD = np.array([6.0, -1.0, 2.0])


def simulator(dtype, index=3.0, **kwargs):
    sky = synax.Synchrotron(
        synax.magnetic.Uniform(FIELD),
        synax.electrons.Uniform(DENSITY),
        synax.cosmic_rays.PowerLaw(synax.electrons.Uniform(NORMALISATION), index),
        **kwargs,
    )
    rays = synax.Sightlines.healpix(4, OBSERVER, synax.Sphere(RADIUS, OBSERVER))
    cast = lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x
    return jax.tree.map(cast, sky), jax.tree.map(cast, rays)


def closed_form(rays, frequency, index=3.0):
    """I and Q + iU (K) of the homogeneous sphere, in NumPy and float64."""
    n, east, north = (np.asarray(v, float) for v in (rays.direction, rays.east, rays.north))
    b_l, b_b, b_par = FIELD @ east, FIELD @ north, -(FIELD @ n)
    b_perp = np.hypot(b_l, b_b)
    factor = float(spectral_factor(jnp.asarray(frequency), jnp.asarray(index)))
    intensity = factor * NORMALISATION * b_perp ** ((index + 1) / 2) * RADIUS
    x = (const.SPEED_OF_LIGHT / (frequency * 1e9)) ** 2
    x = x * const.FARADAY_CONSTANT * DENSITY * b_par * RADIUS
    chi0 = np.arctan2(-b_b, b_l)  # E perpendicular to B, north through east; quadrant drops out
    fraction = float(polarised_fraction(jnp.asarray(index)))
    polarised = fraction * intensity * np.exp(2j * chi0 + 1j * x) * np.sinc(x / np.pi)
    return intensity, polarised


@pytest.mark.parametrize("rule", [synax.Midpoint(), synax.GaussLegendre()])
@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 3e-13), ("float32", 3e-4)])
def test_agrees_with_closed_form_for_any_steps(rule, steps, dtype, tolerance):
    frequencies = np.array([0.1, 0.408, 2.4, 30.0])
    sky, rays = simulator(dtype, steps=steps, quadrature=rule)
    stokes = sky(rays, jnp.asarray(frequencies, dtype))
    assert stokes.I.dtype == dtype
    for i, frequency in enumerate(frequencies):
        intensity, polarised = closed_form(rays, frequency)
        np.testing.assert_allclose(stokes.I[i], intensity, rtol=tolerance)
        # the phase of the 0.1 GHz sky is some 1e3 rad: rounding of the phase, not of the sum
        scale = tolerance * np.abs(polarised).max() * (10 if frequency < 0.2 else 1)
        np.testing.assert_allclose(stokes.Q[i], polarised.real, rtol=0, atol=scale)
        np.testing.assert_allclose(stokes.U[i], polarised.imag, rtol=0, atol=scale)


@pytest.mark.parametrize("index", [2.2, 2.8, 3.7])
def test_other_spectral_indices(index):
    sky, rays = simulator("float64", index, steps=3)
    stokes = sky(rays, 1.4)
    intensity, polarised = closed_form(rays, 1.4, index)
    np.testing.assert_allclose(stokes.I, intensity, rtol=1e-12)
    np.testing.assert_allclose(stokes.Q, polarised.real, atol=1e-12 * polarised.real.std())


def test_index_given_as_a_field_is_the_same_sky():
    sky, rays = simulator("float64", 2.8, steps=3)
    field = synax.electrons.Uniform(2.8)
    varying = eqx.tree_at(lambda s: s.cosmic_rays.spectral_index, sky, field)
    frequency = jnp.array([0.408, 1.4])
    a, b = sky(rays, frequency), varying(rays, frequency)
    for name in ("I", "Q", "U"):
        np.testing.assert_allclose(
            getattr(b, name), getattr(a, name), rtol=0, atol=1e-12 * a.I.max()
        )


def test_columns():
    _, rays = simulator("float64")
    electrons = synax.electrons.Uniform(DENSITY)
    dispersion = synax.DispersionMeasure(electrons, steps=3)(rays)
    np.testing.assert_allclose(dispersion, DENSITY * RADIUS * 1e3, rtol=1e-13)
    emission = synax.EmissionMeasure(electrons, filling_factor=0.1, steps=3)(rays)
    np.testing.assert_allclose(emission, DENSITY**2 * RADIUS * 1e4, rtol=1e-13)
    rotation = synax.RotationMeasure(synax.magnetic.Uniform(FIELD), electrons, steps=3)(rays)
    toward = -(FIELD @ np.asarray(rays.direction))
    np.testing.assert_allclose(
        rotation, 0.8119012 * DENSITY * toward * RADIUS * 1e3, rtol=1e-6, atol=1e-9
    )


def test_emissivity_against_an_independent_program(table):
    z = table("case7_emissivity_dev")
    # hammurabiX's own constants (its README): k_B, e, m_e, kpc differ from CODATA in the 6th digit
    factor = jax.vmap(spectral_factor)(jnp.asarray(z["nu_GHz"]), jnp.asarray(z["p"]))
    kelvin = factor * z["N0_cm3"] * z["Bperp_uG"] ** ((z["p"] + 1) / 2) / const.KPC
    wavelength = const.SPEED_OF_LIGHT / (z["nu_GHz"] * 1e9)
    cgs = kelvin * 2 * const.BOLTZMANN / wavelength**2 * 1e3 / 100  # W m^-3 -> erg cm^-3
    np.testing.assert_allclose(cgs, z["j_total"], rtol=3e-5)
    fraction = polarised_fraction(jnp.asarray(z["p"]))
    np.testing.assert_allclose(cgs * fraction, z["j_pol"], rtol=3e-5)

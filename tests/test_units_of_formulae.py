"""Formulae that can be called alone: arguments with a unit are converted, or refused by name."""

import inspect

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax import emission, faraday, instruments
from synax.cosmic_rays import WMAP, BrokenPowerLaw
from synax.emission import CMB, AbstractBackground, Constant, PowerLawBackground

HERE = jnp.array([-8.3, 0.0, 0.0])
UNITS = {  # ours, and another one that converts to it
    "frequency": ("GHz", "MHz"),
    "frequency_ghz": ("GHz", "Hz"),
    "temperature": ("K", "mK"),
    "density": ("cm-3", "m-3"),
    "strength": ("cm-3", "m-3"),
    "b_perp": ("uG", "nT"),
    "b_parallel": ("uG", "nT"),
    "field": ("uG", "nT"),
    "rms": ("uG", "nT"),
    "b_perp_squared": ("uG2", "nT2"),
    "variance": ("uG2", "nT2"),
    "parallel_variance": ("uG2", "nT2"),
    "correlation_length": ("kpc", "pc"),
    "distance": ("kpc", "pc"),
    "length": ("kpc", "pc"),
    "outer_scale": ("kpc", "pc"),
    "position": ("kpc", "pc"),
    "rate": ("rad2 m-4 kpc-1", "rad2 cm-4 pc-1"),
}
PLAIN = {"index": 2.9, "slope": 11 / 3, "ratio": 30.0, "log_rms": 0.3, "correlation": -0.2}
VALUES = {"temperature": 8000.0, "frequency": 0.4, "frequency_ghz": 0.4}
FORMULAE = {
    name: function
    for name, function in vars(emission).items()
    if inspect.isfunction(function) and set(inspect.signature(function).parameters) & set(UNITS)
}


def arguments(function):
    """A number for each argument without a default, and for those with a unit."""
    found = {}
    for name, one in inspect.signature(function).parameters.items():
        if name == "cosmic_rays":
            found[name] = BrokenPowerLaw(1e-5, 2.2, 3.1, 1e3)
        elif name == "position":
            found[name] = HERE
        elif name in UNITS or one.default is inspect.Parameter.empty:
            found[name] = jnp.asarray(VALUES.get(name, PLAIN.get(name, 0.7)))
    return found


def leaves(value):
    return [np.asarray(x) for x in jax.tree.leaves(value)]


def test_the_formulae_are_found():
    assert {"emissivity", "free_free", "cold_rotativity", "turbulent_powers"} <= set(FORMULAE)


@pytest.mark.parametrize("name", sorted(FORMULAE))
def test_quantities_are_converted_and_other_units_refused(name):
    function = FORMULAE[name]
    given = arguments(function)
    plain = leaves(function(**given))
    for argument in set(given) & set(UNITS):
        ours, other = UNITS[argument]
        quantity = (np.asarray(given[argument]) * u.Unit(ours)).to(other)
        found = leaves(function(**{**given, argument: quantity}))
        for a, b in zip(plain, found, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-12)
        with pytest.raises(ValueError, match=argument):
            function(**{**given, argument: np.asarray(given[argument]) * u.s})


def test_units_by_place_and_by_name_are_alike():
    density, b_perp, b_parallel = (jnp.asarray(x) for x in (0.03, 2.0, 1.0))
    plain = emission.cold_rotativity(density, b_perp, b_parallel, jnp.asarray(0.4))
    found = emission.cold_rotativity(0.03e6 / u.m**3, 0.2 * u.nT, 0.1 * u.nT, 400 * u.MHz)
    np.testing.assert_allclose(found, plain, rtol=1e-12)
    rotation = lambda nu: emission.cold_rotativity(density, b_perp, b_parallel, nu)[1]
    derivative = jax.grad(rotation)(jnp.asarray(0.4))
    assert np.isclose(derivative, -2 * plain[1] / 0.4)


@pytest.mark.parametrize("kind", [CMB, PowerLawBackground, lambda: CMB() + Constant(1.0)])
def test_backgrounds_take_a_number_a_list_and_a_quantity(kind):
    background = kind()
    plain = background(jnp.array([0.1, 0.4]))
    assert plain.shape == (2, 1)
    np.testing.assert_allclose(background([0.1, 0.4]), plain, rtol=1e-12)
    np.testing.assert_allclose(background([100, 400] * u.MHz), plain, rtol=1e-12)
    np.testing.assert_allclose(background(0.4), plain[1:], rtol=1e-12)
    for wrong in (0.4 * u.s, 0.0, [[0.4]], None):
        with pytest.raises(ValueError, match="frequency"):
            background(wrong)


def test_a_background_of_ones_own_receives_an_array_in_ghz():
    class Ramp(AbstractBackground):
        def __call__(self, frequency):
            return 2.0 * frequency[:, None]

    np.testing.assert_allclose(Ramp()(400 * u.MHz), [[0.8]], rtol=1e-12)


SOURCES = [
    faraday.ThinScreen(50.0),
    faraday.Ramp(50.0, 0.5),
    faraday.ExternalDispersion(50.0, 9.0),
    faraday.InternalDispersion(50.0, 9.0),
    faraday.QuadraticDepth(50.0),
    faraday.Screened(faraday.BurnSlab(50.0), 9.0),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_sources_take_wavelengths_and_depths_with_a_unit(source):
    wavelengths, phi = np.array([0.01, 0.04]), np.array([12.0, 31.0])
    other = wavelengths * 1e4 * u.cm**2
    for name in ("polarisation", "depolarisation"):
        ask = getattr(source, name)
        np.testing.assert_allclose(ask(other), ask(wavelengths), rtol=1e-9)
        with pytest.raises(ValueError, match="lambda_squared"):
            ask(wavelengths * u.cm)
    found = source.spectrum(phi * 1e-4 * u.rad / u.cm**2)
    np.testing.assert_allclose(found, source.spectrum(phi), rtol=1e-9)
    with pytest.raises(ValueError, match="phi"):
        source.spectrum(phi * u.rad)


@pytest.mark.parametrize(
    "domain",
    [
        synax.Box((20.0, 20.0, 5.0)),
        synax.Sphere(9.0),
        synax.Box((20.0, 9.0, 5.0)) & synax.Sphere(9),
    ],
    ids=lambda domain: type(domain).__name__,
)
def test_domains_take_positions_with_a_unit(domain):
    position = jnp.array([[-8.3, 3.0], [0.0, 9.5], [0.0, 0.0]])
    direction = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    other = np.asarray(position) * 1e3 * u.pc
    assert domain.contains(other).tolist() == [True, isinstance(domain, synax.Box)]
    for name in ("span", "crossings"):
        find = getattr(domain, name)
        np.testing.assert_allclose(find(other, direction), find(position, direction), rtol=1e-12)
        with pytest.raises(ValueError, match="origin"):
            find(other * u.s, direction)
    with pytest.raises(ValueError, match="position"):
        domain.contains(other * u.s)


def test_bands_take_rotation_measures_with_a_unit():
    band = instruments.Bandpass.top_hat(1.3, 1.5)
    rm, other = 30.0, 30e-4 * u.rad / u.cm**2
    np.testing.assert_allclose(band.depolarisation(other), band.depolarisation(rm), rtol=1e-9)
    assert band.nodes_for(other) == band.nodes_for(rm)
    found = instruments.narrow_channel(other, 1400 * u.MHz, 10 * u.MHz)
    np.testing.assert_allclose(found, instruments.narrow_channel(rm, 1.4, 0.01), rtol=1e-9)
    for wrong in (rm * u.rad, np.nan):
        with pytest.raises(ValueError, match="rotation_measure"):
            band.nodes_for(wrong)
    with pytest.raises(ValueError, match="rotation_measure must be one number"):
        band.nodes_for([1.0, 2.0])


def test_power_laws_have_the_unit_of_their_field():
    found = emission.emissivity(WMAP(), HERE * 1e3 * u.pc, 0.3 * u.nT, 408 * u.MHz)
    plain = emission.emissivity(WMAP(), HERE, 3.0, 0.408)
    np.testing.assert_allclose(found, plain, rtol=1e-12)

"""Emission, absorption, rotation and conversion in the frame of the projected field."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from synax import _constants as const, cosmic_rays
from synax.emission import cold_rotativity, power_law_coefficients, relativistic_rotativity
from synax.transfer import polarised_cell


@pytest.fixture(scope="module")
def rows(table):
    found = table("coefficients_dev")
    return dict(zip(found["names"], found["values"].T, strict=True)), dict(
        zip(found["input_names"], found["inputs"].T, strict=True)
    )


def _inputs(given):
    field = given["B"] / const.MICROGAUSS
    return [
        jnp.asarray(x)
        for x in (field * np.sin(given["theta"]), field * np.cos(given["theta"]), given["nu"] / 1e9)
    ]


def test_closed_forms_of_a_power_law(rows):
    values, given = rows
    across, along, nu = _inputs(given)
    found = power_law_coefficients(
        jnp.asarray(given["C"] / const.PER_CM3), jnp.asarray(given["p"]), across, nu, along
    )
    kelvin = const.SPEED_OF_LIGHT**2 / (2.0 * const.BOLTZMANN * given["nu"] ** 2)
    for got, name, unit in (
        (found.emission[2], "jV_closed", kelvin),
        (found.absorption[0], "aI_closed", 1.0),
        (found.absorption[2], "aV_closed", 1.0),
    ):
        assert np.allclose(got, values[name] * unit * const.KPC, rtol=1e-12)
    wide = (given["gmin"] == 1.0) & (given["gmax"] > 1e10)
    for got, name, unit in (
        (found.emission[0], "jI", kelvin),
        (found.emission[1], "jP", kelvin),
        (found.absorption[1], "aP", 1.0),
    ):
        assert np.allclose(got[wide], (values[name] * unit * const.KPC)[wide], rtol=1e-9)
    assert np.any(wide)


def test_cold_rotation_and_conversion(rows):
    values, given = rows
    found = cold_rotativity(jnp.asarray(given["ne"] / const.PER_CM3), *_inputs(given))
    for got, name in zip(found, ("rQ_cold", "rV_cold"), strict=True):
        assert np.allclose(got, values[name] * const.KPC, rtol=1e-12, atol=0.0)
    # rho_V = 2 lambda^2 dRM/ds
    density, across, along, nu = (jnp.asarray(x) for x in (0.03, 3.0, 2.0, 0.1))
    rate = 2.0 * const.WAVELENGTH_SQUARED_AT_1GHZ / nu**2 * const.FARADAY_CONSTANT * density * along
    assert np.isclose(cold_rotativity(density, across, along, nu)[1], rate, rtol=1e-12)


def test_relativistic_rotation_and_conversion(rows):
    values, given = rows
    across, along, nu = _inputs(given)
    for i in range(0, 30, 10):
        electrons = cosmic_rays.CutOffPowerLaw(
            given["C"][i] / const.PER_CM3,
            given["p"][i],
            1e40,
            gamma_min=given["gmin"][i],
            gamma_max=given["gmax"][i],
        )
        found = relativistic_rotativity(electrons, jnp.zeros(3), across[i], along[i], nu[i])
        assert np.isclose(found[0], values["rQ_rel_highfreq"][i] * const.KPC, rtol=1e-9)
        assert np.isclose(found[1], values["rV_rel"][i] * const.KPC, rtol=1e-9)


def test_a_thick_power_law_shows_its_source_function():
    """I = (jI - r jQ)/(aI (1 - r^2)) with r = aQ/aI; P/I = 3/(6p + 13), along the field."""
    for p in (2.0, 3.0):
        c = power_law_coefficients(*(jnp.asarray(x) for x in (1e6, p, 10.0, 0.01)))
        zero = jnp.zeros(())
        emission = jnp.stack([c.emission[0], c.emission[1], zero, zero])
        absorption = jnp.stack([c.absorption[0], c.absorption[1], zero, zero])
        depth = 1e4 / absorption[0]
        out = polarised_cell(emission, absorption, jnp.zeros(3), depth, jnp.zeros(4))
        assert np.isclose(-out[1] / out[0], 3.0 / (6.0 * p + 13.0), rtol=1e-12)


def test_nothing_is_nan_without_a_field():
    def total(across):
        c = power_law_coefficients(
            jnp.asarray(1e-5), jnp.asarray(3.0), across, jnp.asarray(1.0), jnp.asarray(2.0)
        )
        return sum(jnp.sum(x) for x in (*c.emission, *c.absorption))

    assert np.isfinite(total(jnp.asarray(0.0))) and np.isfinite(jax.grad(total)(jnp.asarray(0.0)))

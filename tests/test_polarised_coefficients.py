"""Emission, absorption, rotation and conversion in the frame of the projected field."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

import synax
from synax import _constants as const, cosmic_rays
from synax.emission import (
    Plasma,
    SelfAbsorption,
    cold_rotativity,
    power_law_coefficients,
    power_law_rotativity,
    relativistic_rotativity,
    spectral_table,
)
from synax.emission._rotativity import converting_share
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
    none = power_law_coefficients(jnp.asarray(1.0), jnp.asarray(3.0), 0.0 * across, nu, along)
    np.testing.assert_array_equal((*none.emission, *none.absorption), 0.0)


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
    of_electrons = eqx.filter_jit(relativistic_rotativity)
    for i in range(0, 30, 10):
        electrons = cosmic_rays.CutOffPowerLaw(
            given["C"][i] / const.PER_CM3,
            given["p"][i],
            1e40,
            gamma_min=given["gmin"][i],
            gamma_max=given["gmax"][i],
        )
        found = of_electrons(electrons, jnp.zeros(3), across[i], along[i], nu[i])
        assert np.isclose(found[0], values["rQ_rel_highfreq"][i] * const.KPC, rtol=1e-9)
        assert np.isclose(found[1], values["rV_rel"][i] * const.KPC, rtol=1e-9)


def test_rotation_and_conversion_by_a_power_law(rows, table):
    """The closed form: its table, and the integral over the Kramers-Kronig kernel, p = 2 too."""
    values, given = rows
    across, along, nu = _inputs(given)
    strength, p = (jnp.asarray(x) for x in (given["C"] / const.PER_CM3, given["p"]))
    wide = (given["gmin"] == 1.0) & (given["gmax"] > 1e10)
    q, v = jax.jit(power_law_rotativity)(strength, p, across, along, nu)
    thermal, _ = cold_rotativity(strength / p, across, along, nu)  # the table is without -1/gamma
    assert np.allclose((q + thermal)[wide], values["rQ_rel_kk"][wide] * const.KPC, rtol=1e-6)
    assert np.allclose(v[wide], values["rV_rel"][wide] * const.KPC, rtol=1e-9)
    stored = table("coefficients_dev")
    y, kernel = np.log(stored["S_y"]), CubicSpline(np.log(stored["S_y"]), stored["S_value"])
    u = np.linspace(0.0, 0.5 * (12.0 - y[0]), 40001)
    level = 12.0 - 2.0 * u
    s = np.where(
        level > y[-1], 2.0 + 14.22 * np.exp(-2.0 * level), kernel(np.minimum(level, y[-1]))
    )
    index = np.array([1.5, 1.999, 2.0, 2.001, 2.5, 3.0, 3.9, 4.5])
    expected = np.trapezoid(np.exp(np.outer(2.0 - index, u)) * s, u, axis=1) - 1.0 / index
    share = jax.jit(lambda p: converting_share(p, jnp.asarray(12.0)))
    assert np.allclose(share(jnp.asarray(index)), expected, rtol=5e-6)
    slope = jax.jit(jax.vmap(jax.grad(lambda p: converting_share(p, jnp.asarray(12.0)))))
    h = 1e-4
    difference = (share(jnp.asarray(index + h)) - share(jnp.asarray(index - h))) / (2 * h)
    assert np.allclose(slope(jnp.asarray(index)), difference, rtol=1e-3)


def test_what_the_march_takes_of_relativistic_electrons():
    """Rotation in units of RM, conversion on the sky; tables and grids as the integrals."""
    one = jnp.ones((2, 1))
    plasma = Plasma(2.0 * one, -1.0 * one, 0.5 * one, 0.03 * one, jnp.ones((3, 2, 1)))
    nu = jnp.asarray([0.01, 0.1])
    cut = cosmic_rays.CutOffPowerLaw(1e-5, 2.5, 1e4, gamma_min=2.0, gamma_max=1e5)
    grid = cosmic_rays.TabulatedSpectrum.from_spectrum(cut, synax.Box((4.0, 4.0, 4.0)), (3, 3, 3))
    across, along = jnp.sqrt(jnp.asarray(5.0)), jnp.asarray(-0.5)
    cold, _ = cold_rotativity(jnp.asarray(0.03), across, along, nu)
    where = jnp.ones(3)
    square = 2.0 * const.WAVELENGTH_SQUARED_AT_1GHZ / nu**2
    of_cut = eqx.filter_jit(relativistic_rotativity)(cut, where, across, along, nu)
    for electrons, expected, rtol in (
        (
            cosmic_rays.Uniform(1e-5, spectral_index=2.5),
            power_law_rotativity(jnp.asarray(1e-5), jnp.asarray(2.5), across, along, nu),
            1e-12,
        ),
        (cut, of_cut, 1e-9),
        (grid, of_cut, 0.02),
    ):
        power_law = isinstance(electrons, cosmic_rays.AbstractPowerLaw)
        table = lambda electrons: spectral_table(electrons, absorbing=True)
        given = electrons if power_law else eqx.filter_jit(table)(electrons)
        found = eqx.filter_jit(lambda s, plasma: s(plasma, nu))(SelfAbsorption(given), plasma)
        assert np.allclose(found.rotation[0, 0] * square, expected[1], rtol=rtol)
        # exp(2i chi_0) = -(B_b + i B_l)^2 / B_perp^2
        turn = -((-1.0 + 2.0j) ** 2) / 5.0
        got = found.conversion[0][:, 0, 0] + 1j * found.conversion[1][:, 0, 0]
        hot = np.real(got / turn) - cold
        assert np.allclose(hot, expected[0], rtol=rtol + 1e-9)


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

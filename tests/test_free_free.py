"""Free-free Gaunt factor, absorption and emission."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from synax.emission import free_free, gaunt_factor


@pytest.fixture(scope="module")
def rows(table):
    return table("gaunt_dev")


def test_gaunt_factor_of_the_table(rows):
    values = gaunt_factor(rows["nu_GHz"], rows["T_K"])
    assert np.max(np.abs(values / rows["g_ff"] - 1.0)) < 3e-6
    nodes = gaunt_factor(rows["node_nu_GHz"], rows["node_T_K"])
    assert np.max(np.abs(nodes / rows["node_g_ff"] - 1.0)) < 3e-6
    single = gaunt_factor(*(jnp.asarray(rows[k], jnp.float32) for k in ("nu_GHz", "T_K")))
    assert single.dtype == jnp.float32
    assert np.max(np.abs(single / rows["g_ff"] - 1.0)) < 5e-6


def test_gaunt_factor_differentiates(rows):
    """Against central differences, and against the classical slope at low frequency."""
    nu, temperature = (jnp.asarray(rows[k][::30]) for k in ("nu_GHz", "T_K"))
    slope = jax.jit(jax.vmap(jax.grad(gaunt_factor, argnums=(0, 1))))(nu, temperature)
    for k, value in enumerate((nu, temperature)):
        step = 1e-5 * value
        move = lambda sign, k=k, step=step: gaunt_factor(
            nu + sign * step * (k == 0), temperature + sign * step * (k == 1)
        )
        assert np.allclose(slope[k], (move(1) - move(-1)) / (2.0 * step), rtol=1e-6)
    at_low = jax.jit(jax.grad(gaunt_factor))(1e-3, 1e4) * 1e-3
    assert np.isclose(at_low, -np.sqrt(3.0) / np.pi, rtol=1e-3)


def test_absorption_and_emission_of_the_table(rows):
    inputs = [jnp.asarray(rows[k]) for k in ("ne_cm3", "T_K", "nu_GHz", "filling")]
    kappa, emission = free_free(*inputs)
    assert np.max(np.abs(kappa / rows["kappa_rj_per_kpc"] - 1.0)) < 3e-6
    assert np.max(np.abs(emission / rows["jT_rj_K_per_kpc"] - 1.0)) < 3e-6
    kappa, emission = free_free(*inputs, exact=True)
    assert np.max(np.abs(kappa / rows["kappa_exact_per_kpc"] - 1.0)) < 3e-6
    # K (Rayleigh-Jeans) per kpc -> W m^-3 Hz^-1 sr^-1
    nu = rows["nu_GHz"] * 1e9
    brightness = 2.0 * 1.380649e-23 * nu**2 / 299792458.0**2 / 3.0856775814913673e19
    assert np.max(np.abs(emission * brightness / rows["j_exact_W_m3_Hz_sr"] - 1.0)) < 3e-6


def test_no_gas_and_no_nan():
    total = lambda n: sum(free_free(n, jnp.asarray(8e3), jnp.asarray(0.01), 0.2))
    assert total(jnp.asarray(0.0)) == 0.0
    assert jax.grad(total)(jnp.asarray(0.0)) == 0.0


def test_outside_the_fit():
    with pytest.raises(ValueError, match=r"frequency_ghz must be from 0\.0001 to 1000 GHz"):
        gaunt_factor(2e3, 8e3)
    with pytest.raises(ValueError, match="temperature must be from 2000 to 40000 K"):
        gaunt_factor(1.0, 100.0)
    # traced, it goes on with the classical slopes, continuously
    low = jax.jit(gaunt_factor)(jnp.array([1e-5, 1e-4]), 8e3)
    assert np.isclose(low[0] - low[1], np.sqrt(3.0) / np.pi * np.log(10.0), rtol=1e-12)

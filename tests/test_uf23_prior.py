"""The published covariance of the UF23 fields: its draws, its density, its use in a posterior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax._parameters import set_paths
from synax.magnetic import UF23

VARIANTS = ("base", "neCL", "expX", "spur", "cre10", "synCG", "twistX", "nebCor")
STRUCTURES = ("base", "expX", "spur", "twistX")
"""One variant for each different program."""
each = pytest.mark.parametrize("variant", VARIANTS)
evaluate = jax.jit(lambda field, x: field(x))


@jax.jit
def both_ways(prior, latent):
    value = prior.value(latent)
    return value, prior.latent(value)


@jax.jit
def described(prior, latent):
    """Value, its log density, and the derivatives of the map at a latent vector."""
    value = prior.value(latent)
    return value, prior.log_value(value), jax.jacfwd(prior.value)(latent)


def drawn(data, variant, size):
    """The stored parameters of six draws, in the units of the leaves."""
    stored = (data[f"{variant}_mean"] + data[f"{variant}_delta"])[:, :size]
    unit = np.where(data[f"{variant}_unit"][:size] == "degree", np.radians(1.0), 1.0)
    values, names = stored * unit, list(data[f"{variant}_names"])
    if variant == "expX":  # the height follows from the fitted angle
        xi, a = names.index("PoloidalXi"), names.index("PoloidalA")
        values[:, xi] = values[:, a] * np.tan(values[:, xi])
    return values


@each
def test_stored_draws_and_their_fields_are_reproduced(variant, table):
    data, prior, field = table("uf23_covariance"), UF23.prior(variant), UF23(variant)
    values = drawn(data, variant, prior.size)
    position = jnp.asarray(data["pos_kpc"].T)
    for normals, expected, b in zip(data["normals"], values, data[f"{variant}_B"], strict=True):
        latent = jnp.asarray(normals[: prior.size])
        value, back = both_ways(prior, latent)
        np.testing.assert_allclose(value, expected, rtol=1e-14)
        np.testing.assert_allclose(back, latent, atol=1e-10)
        if variant not in STRUCTURES:
            continue
        there = set_paths(field, dict(zip(prior.names, value, strict=True)))
        # the authors' program has 1000 Mpc for what is infinite, and another parsec
        error = np.linalg.norm(np.asarray(evaluate(there, position)).T - b, axis=1)
        assert np.max(error / np.linalg.norm(b, axis=1)) < 1e-5
    middle = prior.value(jnp.zeros(prior.size))
    own = [float(getattr(field, name)) for name in prior.names]
    np.testing.assert_allclose(middle, own, rtol=1e-14)
    assert "w_toroidal" in prior.names or variant == "twistX"
    assert len(set(prior.names)) == prior.size


@each
def test_density_and_covariance(variant, table):
    """The density is that of the map from normal variates; the covariance is the published one."""
    data, prior = table("uf23_covariance"), UF23.prior(variant)
    n = prior.size
    for seed in (1, 2):
        latent = jnp.asarray(np.random.default_rng(seed).normal(size=n))
        _, density, jacobian = described(prior, latent)
        expected = prior.log_latent(latent) - np.linalg.slogdet(jacobian)[1]
        np.testing.assert_allclose(density, expected, rtol=1e-9)
    unit = np.where(data[f"{variant}_unit"][:n] == "degree", np.radians(1.0), 1.0)
    published = unit[:, None] * data[f"{variant}_V"][:n, :n] * unit
    scale = np.sqrt(np.diag(published))
    ours = np.asarray(prior.cholesky @ prior.cholesky.T)
    np.testing.assert_allclose(ours / np.outer(scale, scale), published / np.outer(scale, scale),
                               atol=2e-6)  # fmt: skip


def test_widths_stay_positive():
    prior = UF23.prior("twistX")
    normals = jnp.asarray(np.random.default_rng(3).normal(size=(20000, prior.size)))
    draws = np.asarray(jax.jit(jax.vmap(prior.value))(normals))
    width = draws[:, prior.names.index("w_disk")]
    assert width.min() > 0.0
    assert 0.01 < np.mean(width < 0.05 * 0.14933338) < 0.03
    smallest = normals[np.argmin(width)]
    value, density, jacobian = described(prior, smallest)
    np.testing.assert_allclose(prior.latent(value), smallest, atol=1e-9)
    expected = prior.log_latent(smallest) - np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(density, expected, rtol=1e-9)
    below = prior.value(jnp.zeros(prior.size)).at[prior.names.index("w_disk")].set(-0.01)
    assert not float(prior.log_value(below)) > -np.inf
    single = UF23.prior("base").value(jnp.zeros(19, jnp.float32))
    assert single.dtype == jnp.float32


def test_posterior_takes_it():
    prior = UF23.prior("expX")
    sky = synax.Synchrotron(UF23("expX"), None, synax.cosmic_rays.WMAP(), steps=4)
    rays = synax.Sightlines.from_lonlat([30.0, 120.0], [10.0, -40.0])
    likelihood = synax.RotationMeasureLikelihood(
        rays, np.array([10.0, -20.0]), 5.0, electrons=synax.electrons.TwoDisc()
    )
    posterior = synax.Posterior(sky, {prior.paths("magnetic"): prior}, likelihood)
    assert posterior.size == prior.size == 19
    assert posterior.paths[0] == "magnetic.b_1" and "magnetic.z_poloidal" in posterior.paths
    params = posterior.current()
    np.testing.assert_allclose(posterior.unconstrain(params), 0.0, atol=1e-9)
    np.testing.assert_allclose(
        posterior.log_prior(params), prior.log_value(prior.value(jnp.zeros(19)))
    )
    moved = posterior.constrain(jnp.ones(19))
    assert float(moved["magnetic.b_1"]) > float(params["magnetic.b_1"])


def test_unknown_variants_are_refused():
    with pytest.raises(ValueError, match=r"variant must be one of.*'base'.*'nebCor'.*'spurs'"):
        UF23.prior("spurs")

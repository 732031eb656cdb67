"""A field with a prior on a mock of known truth: held-out data, error, stated uncertainties."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import optax
import pytest

import synax
from synax.inference import GaussianNoise, Likelihood
from synax.random_fields import Matern

pytestmark = pytest.mark.usefixtures("optimised")
BOX = synax.Box((4.0, 4.0, 2.0))
SHAPE = (10, 10, 6)


class Columns(eqx.Module):
    """Integrals of a scalar field along random chords: a linear tomography, quick to compile."""

    points: jax.Array
    """(3, n_chords * n_points) kpc."""
    n: int = eqx.field(static=True)

    def __call__(self, model):
        return jnp.mean(model(self.points).reshape(self.n, -1), axis=1)


def chords(n, key):
    ends = jax.random.uniform(key, (2, 3, n, 1), minval=-1.0, maxval=1.0)
    ends = ends * BOX.half_lengths[:, None, None]
    s = (jnp.arange(24) + 0.5) / 24
    return Columns(((1 - s) * ends[0] + s * ends[1]).reshape(3, -1), n)


@pytest.mark.slow
def test_a_prior_generalises_and_knows_its_errors():
    spectrum = Matern(1.0, (2.0, 2.0, 1.0), 1.5)
    truth = synax.GaussianField.on_grid(BOX, SHAPE, spectrum, key=jax.random.key(1))
    observable, sigma = chords(400, jax.random.key(2)), 0.05
    clean = observable(truth)
    data = clean + sigma * jax.random.normal(jax.random.key(3), clean.shape)
    held = np.random.default_rng(0).random(400) < 0.2
    start = eqx.tree_at(lambda f: f.latent, truth, jnp.zeros_like(truth.latent))
    likelihood = Likelihood(observable, data, GaussianNoise(sigma), mask=~held)
    posterior = synax.Posterior(start, {"latent": dist.Normal(0.0, 1.0)}, likelihood)
    best = synax.fit(posterior, optimizer=synax.GaussNewton(cg_steps=200, cg_tolerance=1e-4))
    assert best.converged

    # without a prior: every value of the grid is free, and the noise is fitted as well
    free = synax.GridField(jnp.zeros(SHAPE), BOX)
    chi2 = lambda f: jnp.sum(jnp.where(held, 0.0, (observable(f) - data) / sigma) ** 2)
    plain = synax.fit(chi2, free, free=synax.select(free, "values"), optimizer=optax.adam(0.03),
                      steps=1500, check_every=100, tolerance=1e-4)  # fmt: skip
    nodes = truth.values()
    error = lambda f: float(jnp.sqrt(jnp.mean((f - nodes) ** 2) / jnp.mean(nodes**2)))
    assert error(best.model.values()) < 0.8 * error(plain.model.values)
    miss = lambda f: np.asarray(observable(f) - data)[held] / sigma
    assert np.std(miss(plain.model)) > 1.5 * np.std(miss(best.model))

    found = synax.mgvi(posterior, jax.random.key(4), best.latent, samples=60, rounds=2)
    assert found.converged
    draws = jax.vmap(lambda z: posterior.model_at(posterior.constrain(z)).values())(found.samples)
    mean, spread = jnp.mean(draws, 0), jnp.std(draws, 0, ddof=1)
    z = np.asarray((nodes - mean) / spread).ravel()
    # 600 correlated nodes: about 68 % and 95 % within one and two stated deviations
    assert 0.55 < np.mean(np.abs(z) < 1.0) < 0.80 and 0.88 < np.mean(np.abs(z) < 2.0) < 0.995
    # held-out data are predicted to the noise and the stated uncertainty of the prediction
    maps = jax.vmap(lambda z: observable(posterior.model_at(posterior.constrain(z))))(found.samples)
    expected = np.hypot(np.asarray(jnp.std(maps, 0, ddof=1)), sigma)[held]
    pull = np.asarray(data - jnp.mean(maps, 0))[held] / expected
    assert 0.75 < np.std(pull) < 1.25
    assert np.std(miss(best.model)) < 2.0


def test_stated_errors_are_right_for_truths_from_the_prior():
    # 60 integrals of a field of a few hundred modes, each to a hundredth of its rms
    shape, sigma, truths = (6, 6, 4), 1e-2, 12
    made = synax.GaussianField.on_grid(BOX, shape, Matern(1.0, (2.0, 2.0, 1.0), 1.5))
    observable = chords(60, jax.random.key(2))
    likelihood = Likelihood(observable, jnp.zeros(60), GaussianNoise(sigma))
    posterior = synax.Posterior(made, {"latent": dist.Normal(0.0, 1.0)}, likelihood)
    values = jax.jit(jax.vmap(lambda z: posterior.model_at(posterior.constrain(z)).values()))
    pulls = []
    for key in jax.random.split(jax.random.key(8), truths):
        truth, noise, draw = jax.random.split(key, 3)
        latent = posterior.sample_prior_latent(truth)
        data = posterior.mock(noise, posterior.constrain(latent))
        found = synax.mgvi(posterior.with_data(data), draw, samples=32)
        assert found.converged
        drawn = values(found.samples)
        spread = jnp.sqrt(jnp.mean((drawn - jnp.mean(drawn, 0)) ** 2, 0))
        pulls.append((values(latent[None])[0] - jnp.mean(drawn, 0)) / spread)
    # 16 independent pairs each: Student's t gives 66.8 % and 93.7 %
    inside = [np.mean(np.abs(np.stack(pulls)) < k) for k in (1.0, 2.0)]
    assert abs(inside[0] - 0.668) < 0.06 and abs(inside[1] - 0.937) < 0.03, inside

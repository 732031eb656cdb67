"""The search for maxima: the right one among many, and what is said where several compete."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jaxtyping import Array

import synax
from synax.inference import GaussianNoise, Likelihood, assess
from synax.inference._levels import levels, roughness

HALF_TURN = float(np.pi / 2)


class Faraday(eqx.Module):
    """Light of a field with a strength, an angle and a slope, turned on sightlines of any depth."""

    strength: Array
    angle: Array
    slope: Array

    def __call__(self, depth, where):
        turn = 2.0 * self.angle + self.strength * depth * (1.0 + self.slope * where)
        return self.strength**2 * jnp.stack([jnp.cos(turn), jnp.sin(turn)])


RNG = np.random.default_rng(5)
# most sightlines turn the light many times, as those near the plane do
DEPTH = jnp.asarray(np.sort(RNG.exponential(1.0, 60)) ** 2 * 4.0)
WHERE = jnp.asarray(RNG.uniform(-1.0, 1.0, 60))
TRUTH = {"strength": 3.1, "angle": 0.6, "slope": -0.25}
PRIORS = {
    "strength": dist.Uniform(0.0, 10.0),
    "angle": dist.Uniform(-HALF_TURN, HALF_TURN),
    "slope": dist.Normal(0.0, 0.5),
}


def polarisation(model):
    return model(DEPTH, WHERE)


def turned(seed, noise):
    """A posterior with very many maxima; the model's own values are far from the truth."""
    clean = np.asarray(Faraday(**{k: jnp.asarray(v) for k, v in TRUTH.items()})(DEPTH, WHERE))
    sigma = noise * clean.std()
    data = clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)
    likelihood = Likelihood(polarisation, data, GaussianNoise(sigma))
    default = Faraday(jnp.asarray(1.2), jnp.asarray(0.0), jnp.asarray(0.0))
    return synax.Posterior(default, PRIORS, likelihood)


def above_the_truth(posterior, truth):
    """Height of the mode found from nowhere, over that of the mode at the truth."""
    start = {k: jnp.asarray(v) for k, v in truth.items()}
    near = posterior.laplace(start, restarts=0)
    return float(posterior.laplace().logdensity - near.logdensity)


def test_the_right_mode_of_many_is_found_from_anywhere():
    """Ten of ten mocks; one climb from the model's values finds none."""
    for noise in (0.2, 0.8):
        problems = [turned(seed, noise) for seed in range(5)]
        assert all(above_the_truth(p, TRUTH) > -0.1 for p in problems)
    alone = [float(p.constrain(p.laplace(restarts=0).mode)["strength"]) for p in problems]
    assert all(abs(value - TRUTH["strength"]) > 0.5 for value in alone)


def sky(electrons, steps, **field):
    return synax.Synchrotron(
        synax.magnetic.WMAP(**field), electrons, synax.cosmic_rays.WMAP(), steps=steps
    )


def sky_posteriors(truth, frequency, noise, seeds, steps=48):
    """Mocks of the WMAP field seen through YMW16, to be fitted from the published values."""
    rays, electrons = synax.Sightlines.healpix(4), synax.electrons.YMW16()
    stokes = sky(electrons, steps, **truth)(rays, frequency)
    clean = np.stack([stokes.Q, stokes.U])
    sigma = noise * clean.std()
    priors = {
        "magnetic.b0": dist.Uniform(0.0, 10.0),
        "magnetic.psi0": dist.Uniform(-HALF_TURN, HALF_TURN),
        "magnetic.psi1": dist.Normal(0.0, 0.5),
        "magnetic.chi0": dist.Uniform(-HALF_TURN, HALF_TURN),
    }
    # the densities, which nothing varies, are sampled once
    default = sky(electrons, steps).precompute(rays, "electrons", "cosmic_rays")
    for seed in seeds:
        data = clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)
        likelihood = synax.GaussianLikelihood(rays, frequency, data, sigma)
        yield synax.Posterior(default, priors, likelihood)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.3, 1.5])
@pytest.mark.parametrize(
    ("truth", "frequency"),
    [
        ({"b0": 2.1, "psi0": 0.35, "psi1": 0.08, "chi0": 0.30}, 2.4),
        ({"b0": 6.0, "psi0": -0.8, "psi1": 0.3, "chi0": 1.0}, 2.4),
        ({"b0": 2.1, "psi0": 0.35, "psi1": 0.08, "chi0": 0.30}, 1.4),
    ],
)
def test_the_right_mode_of_a_sky_is_found(truth, frequency, noise):
    """Mocks of three skies, with noise of a third and of one and a half times the signal."""
    named = {f"magnetic.{k}": v for k, v in truth.items()}
    posteriors = list(sky_posteriors(truth, frequency, noise, range(6)))
    found = [above_the_truth(p, named) > -0.1 for p in posteriors]
    assert sum(found) >= (6 if noise < 1.0 else 5)


def two_maxima():
    """y^2 is measured: y and -y are alike, but for a slight preference of the prior."""
    likelihood = Likelihood(
        lambda m: m.angle**2 * jnp.ones(2), np.array([4.0, 4.1]), GaussianNoise(0.3)
    )
    model = Faraday(jnp.asarray(0.0), jnp.asarray(1.0), jnp.asarray(0.0))
    return synax.Posterior(model, {"angle": dist.Normal(0.1, 1.5)}, likelihood)


def test_chains_start_in_each_maximum_and_say_so():
    posterior = two_maxima()
    with pytest.warns(synax.ConvergenceWarning) as caught:
        draws = synax.sample(posterior, jax.random.key(1), chains=4, warmup=50, draws=100)
    words = " ".join(str(w.message) for w in caught)
    assert "2 maxima compete" in words and "chains sit in different modes" in words
    means = draws.posterior["angle"].values.mean(axis=1)
    assert np.sum(means > 1.5) == 2 and np.sum(means < -1.5) == 2
    weighed = synax.sample(posterior, jax.random.key(1), "laplace", draws=1000)
    y = weighed.posterior["angle"].values
    # the ratio of two equal peaks is that of the prior's density at them
    expected = 1.0 / (1.0 + np.exp(-2.0 * 2.01 * 0.1 / 1.5**2))
    assert np.mean(y > 0.0) == pytest.approx(expected, abs=0.03)
    assert "compete" not in " ".join(assess(weighed).warnings)


def test_smooth_data_come_first():
    draws = np.random.default_rng(0).normal(size=(400, 1))
    functions = lambda z: np.concatenate([np.sin(9.0 * z), z, np.sin(3.0 * z), 0.0 * z], axis=1)
    rough = roughness(functions(draws), functions(draws + 1e-3), 1e-3)
    assert rough[1] == pytest.approx(1.0, rel=0.1) and np.isinf(rough[3])
    sets = levels(rough, 1)
    assert [list(np.flatnonzero(s)) for s in sets] == [[1], [1, 2], [0, 1, 2, 3]]

"""Samplers against an exactly known posterior, their chunks, and their diagnostics."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jaxtyping import Array

import synax
from synax.inference import GaussianNoise, Likelihood, assess, begin
from synax.inference._results import arviz_module

RNG = np.random.default_rng(11)
MIX = np.array([[1.0, 0.9, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 5.0]])
MATRIX = RNG.normal(size=(20, 3)) @ MIX
DATA = MATRIX @ np.array([0.5, -1.0, 0.2]) + 0.3 * RNG.normal(size=20)
PRECISION = MATRIX.T @ MATRIX / 0.09 + np.eye(3) / 4.0
MEAN = np.linalg.solve(PRECISION, MATRIX.T @ DATA / 0.09)
COVARIANCE = np.linalg.inv(PRECISION)


class Toy(eqx.Module):
    """Three numbers."""

    x: Array


def observable(model):
    return MATRIX @ model.x


@pytest.fixture(scope="module")
def posterior():
    likelihood = Likelihood(observable, DATA, GaussianNoise(0.3))
    return synax.Posterior(Toy(jnp.ones(3)), {"x": dist.Normal(0.0, 2.0)}, likelihood)


def evidence():
    marginal = 0.09 * np.eye(20) + 4.0 * MATRIX @ MATRIX.T
    chi2 = DATA @ np.linalg.solve(marginal, DATA)
    return -0.5 * (chi2 + np.linalg.slogdet(2.0 * np.pi * marginal)[1])


METHODS = {
    "nuts": dict(method="nuts"),
    "hmc": dict(method="hmc"),
    "mclmc": dict(method="mclmc"),
    "rwmh": dict(method=synax.RandomWalk(thin=20)),
    "laplace": dict(method="laplace"),
    "mgvi": dict(method=synax.MGVI(samples=2)),
    "pathfinder": dict(method="hmc", whiten="pathfinder"),
    "unwhitened": dict(method="nuts", whiten="prior", warmup=400),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_recover_a_gaussian(posterior, name):
    options = {"warmup": 100, "draws": 800, "check": False} | METHODS[name]
    data = synax.sample(posterior, jax.random.key(5), **options)
    found = assess(data)
    x = data.posterior["x"].values.reshape(-1, 3)
    ess = np.minimum(found.bulk, x.shape[0])
    pull = (x.mean(0) - MEAN) / np.sqrt(np.diag(COVARIANCE) / ess)
    assert np.all(np.abs(pull) < 4.5)
    # MCLMC is biased by its step size, by less than its energy error allows
    slack = 0.03 if name == "mclmc" else 0.0
    ratio = np.cov(x.T) / np.sqrt(np.outer(np.diag(COVARIANCE), np.diag(COVARIANCE)))
    exact = COVARIANCE / np.sqrt(np.outer(np.diag(COVARIANCE), np.diag(COVARIANCE)))
    assert np.max(np.abs(ratio - exact)) < 6.0 * np.sqrt(2.0 / ess.min()) + slack
    assert np.all(found.rhat < (1.05 if name == "unwhitened" else 1.02))
    assert found.divergences == 0


def test_whitened_chains_are_efficient(posterior):
    data = synax.sample(posterior, jax.random.key(8), warmup=60, draws=500)
    found = assess(data)
    assert np.all(found.rhat < 1.01) and not found.warnings
    assert found.ess_per_gradient > 0.2
    assert found.warmup_gradients < 1500 and found.bfmi > 0.5


def test_laplace_knows_the_evidence(posterior):
    data = synax.sample(posterior, jax.random.key(2), "laplace", draws=200)
    stats = data.sample_stats.attrs
    assert stats["pareto_k"] < 0.7
    assert stats["log_evidence"] == pytest.approx(evidence(), abs=0.02)


def test_laplace_falls_back_by_itself():
    """A bent ridge that the Gaussian at the mode covers badly: NUTS takes over."""
    ridge = lambda m: jnp.stack([m.x[0], m.x[1] - 3.0 * m.x[0] ** 2])
    noise = GaussianNoise(np.array([1.0, 0.05]))
    likelihood = Likelihood(ridge, np.zeros(2), noise)
    bent = synax.Posterior(Toy(jnp.zeros(2)), {"x": dist.Normal(0.0, 10.0)}, likelihood)
    data = synax.sample(bent, jax.random.key(0), "laplace", draws=100, warmup=20, check=False)
    assert data.sample_stats.attrs["method"] == "nuts"
    assert "n_steps" in data.sample_stats


@pytest.mark.slow
def test_nested_sampling_knows_the_evidence(posterior):
    data = synax.sample(posterior, jax.random.key(1), synax.Nested(live=300, delete=60), draws=300)
    stats = data.sample_stats.attrs
    error = max(stats["log_evidence_error"], 0.05)
    assert abs(stats["log_evidence"] - evidence()) < 4.0 * error
    x = data.posterior["x"].values.reshape(-1, 3)
    pull = (x.mean(0) - MEAN) / np.sqrt(np.diag(COVARIANCE) / stats["independent_ess"])
    assert np.all(np.abs(pull) < 5.0)


def run(sampler, state, sizes):
    chunks = []
    for n in sizes:
        state, chunk = sampler.step_chunk(state, n)
        chunks.append(chunk)
    return state, chunks


def test_chunks_and_resumption_are_bit_exact(posterior):
    sampler = synax.Sampler(posterior, "hmc", chains=2, warmup=20)
    state, _ = begin(sampler, jax.random.key(3))
    _, whole = run(sampler, state, [20, 20])
    middle, parts = run(sampler, state, [10, 10])
    leaves, structure = jax.tree.flatten(middle)
    stored = [np.asarray(leaf).copy() for leaf in leaves]
    resumed = jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in stored])
    _, rest = run(sampler, resumed, [10, 10])
    assert [c.warmup for c in (*parts, *rest)] == [True, True, False, False]
    for old, new in ((whole[0], parts), (whole[1], rest)):
        joined = np.concatenate([c.latent for c in new], axis=1)
        np.testing.assert_array_equal(joined, old.latent)
    long, chunk = sampler.step_chunk(state, 50)
    assert int(long.step) == 20 and chunk.latent.shape == (2, 20, 3)


def test_callback_sees_every_chunk(posterior):
    seen = []
    synax.sample(
        posterior, jax.random.key(0), "hmc", chains=2, warmup=10, draws=20, chunk=10,
        callback=lambda state, chunk: seen.append((int(state.step), chunk.warmup)), check=False,
    )  # fmt: skip
    assert seen == [(10, True), (20, False), (30, False)]


def fake(values, **stats):
    az = arviz_module()

    shape = values.shape[:2]
    stats = {"diverging": np.zeros(shape, bool), "energy": RNG.normal(size=shape)} | stats
    data = az.from_dict(posterior={"b0": values}, sample_stats=stats)
    data.sample_stats.attrs["method"] = "nuts"
    return data


def test_diagnose_speaks_plainly(capsys):
    good = RNG.normal(size=(4, 500))
    found = synax.diagnose(fake(good))
    assert "R-hat" in capsys.readouterr().out and not found.warnings
    apart = good + 3.0 * np.arange(4)[:, None]
    assert says(fake(apart), "the chains disagree (R-hat")
    broken = np.zeros((4, 500), bool)
    broken[0, :7] = True
    assert says(fake(good, diverging=broken), "7 of 2000 trajectories diverged")
    slow = fake(good, energy=np.cumsum(RNG.normal(size=(4, 500)), axis=1))
    assert says(slow, "BFMI is 0.0")
    far = fake(good)
    far.sample_stats.attrs["reduced_chi2"] = 400.0
    assert says(far, "misses the data by 20 times the noise")


def says(data, text):
    with pytest.warns(synax.ConvergenceWarning) as record:
        synax.diagnose(data, verbose=False)
    return any(text in str(warning.message) for warning in record)


def test_errors_name_the_argument(posterior):
    key = jax.random.key(0)
    for options, match in (
        ({"method": "gibbs"}, "method must be one of"),
        ({"draws": 0}, "draws must be"),
        ({"chains": 0}, "chains must be"),
        ({"warmup": -1}, "warmup must be"),
        ({"chunk": 0}, "chunk must be"),
        ({"whiten": "no"}, "whiten must be one of 'fisher', 'pathfinder', 'prior'"),
        ({"method": "nested", "checkpoint": "run"}, "'nested' .* cannot be resumed"),
        ({"start": jnp.zeros(5)}, "start must have shape"),
    ):
        with pytest.raises(ValueError, match=match):
            synax.sample(posterior, key, **options)


def test_simulation_based_calibration():
    """Ranks of the truth among posterior draws are uniform (Talts et al. 2018)."""

    def bent(model):
        return jnp.stack([model.x[0] + 0.3 * model.x[1] ** 2, jnp.exp(0.5 * model.x[1])])

    # noise as wide as the prior for some truths: posteriors that lean against the bounds
    likelihood = Likelihood(bent, np.zeros(2), GaussianNoise(0.4))
    base = synax.Posterior(Toy(jnp.zeros(2)), {"x": dist.Uniform(-1.0, 2.0)}, likelihood)
    sampler = synax.Sampler(base, "hmc", chains=1, warmup=100)
    constrain, ranks = jax.jit(jax.vmap(base.constrain)), []
    for i in range(36):
        prior_key, mock_key, run_key = jax.random.split(jax.random.key(i), 3)
        truth = base.sample_prior(prior_key)
        mocked = base.with_data(base.mock(mock_key, truth))
        own = eqx.tree_at(lambda s: s.posterior, sampler, mocked)
        state = own.init_state(run_key)
        state, _ = own.step_chunk(state, 100)
        _, chunk = own.step_chunk(state, 250)
        draws = constrain(chunk.latent[0, ::5])["x"]
        ranks.append(np.sum(np.asarray(draws) < np.asarray(truth["x"]), axis=0))
    for column in np.array(ranks).T:
        counts = np.histogram(column, bins=6, range=(0, 51))[0]
        chi2 = np.sum((counts - 6.0) ** 2 / 6.0)
        assert chi2 < 20.5  # 0.1 % of a chi-squared with 5 degrees of freedom


def test_a_bounded_posterior_is_drawn_exactly():
    """A Gaussian cut by both bounds of a uniform prior: moments by quadrature."""
    likelihood = Likelihood(
        lambda m: m.x, np.array([0.15, 0.9]), GaussianNoise(np.array([0.2, 3.0]))
    )
    cut = synax.Posterior(Toy(jnp.full(2, 0.5)), {"x": dist.Uniform(0.0, 1.0)}, likelihood)
    data = synax.sample(cut, jax.random.key(0), "hmc", warmup=100, draws=1500, check=False)
    found = assess(data)
    grid = (np.arange(4000) + 0.5) / 4000
    for i, (mean, sigma) in enumerate(((0.15, 0.2), (0.9, 3.0))):
        weight = np.exp(-0.5 * ((grid - mean) / sigma) ** 2)
        exact = np.sum(weight * grid) / np.sum(weight)
        spread = np.sqrt(np.sum(weight * (grid - exact) ** 2) / np.sum(weight))
        ess = min(found.bulk[i], 6000.0)
        assert abs(found.mean[i] - exact) < 4.5 * spread / np.sqrt(ess)
        assert found.deviation[i] == pytest.approx(spread, rel=0.06)
    assert found.rhat.max() < 1.02 and found.divergences == 0


def test_box_coordinates_invert_and_know_their_slope():
    from synax.inference._box import log_slope, squash, unsquash

    slopes = jax.jit(lambda u, soft: jnp.diagonal(jax.jacfwd(squash)(u, soft)))
    for soft in (1e-3, 0.05, 0.25):
        fraction, soft = jnp.linspace(0.01, 0.99, 21), jnp.full(21, soft)
        u = unsquash(fraction, soft)
        np.testing.assert_allclose(squash(u, soft), fraction, rtol=1e-9)
        np.testing.assert_allclose(log_slope(u, soft), np.log(slopes(u, soft)), atol=1e-8)
    far, soft = jnp.array([-5.0, 6.0]), jnp.full(2, 0.05)
    assert np.all(np.isfinite(log_slope(far, soft))) and np.all(squash(far, soft) <= 1.0)

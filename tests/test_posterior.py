"""Posteriors: names, bijectors, densities, curvature, modes."""

import astropy.units as u
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import scipy.stats
from jaxtyping import Array

import synax
from synax.inference import CovarianceNoise, GaussianNoise, Likelihood, StudentTNoise

RNG = np.random.default_rng(7)
MATRIX = RNG.normal(size=(12, 4))
DATA = RNG.normal(size=12)


class Toy(eqx.Module):
    """Three numbers and one, seen through a matrix."""

    x: Array
    y: Array


def observable(model):
    return MATRIX.astype(model.x.dtype) @ jnp.concatenate([model.x, model.y[None]])


def curved(model):
    """A mildly non-linear prediction."""
    flat = observable(model)
    return flat + 0.3 * jnp.sin(flat)


def toy(dtype=jnp.float64):
    return Toy(jnp.array([0.4, 0.1, -0.3], dtype), jnp.array(0.7, dtype))


def linear(priors=None, noise=None, function=observable, data=DATA):
    noise = GaussianNoise(0.5) if noise is None else noise
    priors = {"x": dist.Normal(0.0, 2.0), "y": dist.Normal(1.0, 3.0)} if priors is None else priors
    return synax.Posterior(toy(), priors, Likelihood(function, data, noise))


PRIORS = {
    "normal": dist.Normal(0.5, 2.0),
    "uniform": dist.Uniform(-3.0, 4.0),
    "log-normal": dist.LogNormal(0.0, 0.5),
    "log-uniform": dist.LogUniform(0.1, 10.0),
    "shifted": dist.TransformedDistribution(
        dist.Normal(0.0, 1.0), dist.transforms.AffineTransform(2.0, 3.0)
    ),
    "gamma": dist.Gamma(3.0, 2.0),
    "half-normal": dist.HalfNormal(2.0),
    "beta": dist.Beta(2.0, 3.0),
    "truncated": dist.TruncatedNormal(0.0, 1.0, low=-1.0),
    "empirical": synax.EmpiricalPrior(RNG.gamma(4.0, size=400)),
}


@pytest.mark.parametrize("name", PRIORS)
def test_priors_round_trip_and_keep_their_density(name):
    """z -> value -> z, and p(z) = p(value) |dvalue/dz|, with finite gradients."""
    block = linear({"y": PRIORS[name]}).blocks[0]
    z = jnp.linspace(-2.5, 2.5, 7)[:, None]

    @jax.jit
    @jax.vmap
    def evaluate(z):
        prior = block.prior
        value, slope = jax.jvp(lambda t: prior.value(t[None]), (z[0],), (jnp.ones(()),))
        density = prior.log_value(value) + jnp.log(slope)
        return (
            value,
            prior.latent(value),
            prior.log_latent(z),
            density,
            jax.grad(prior.log_latent)(z),
        )

    value, back, log_latent, density, gradient = evaluate(z)
    np.testing.assert_allclose(back, z, atol=1e-9)
    np.testing.assert_allclose(log_latent, density, atol=1e-8)
    assert np.all(np.isfinite(gradient)) and np.all(np.diff(value) > 0)


EDGES = {
    "uniform": (dist.Uniform(-3.0, 4.0), (-3.0, 4.0)),
    "log-uniform": (dist.LogUniform(0.3, 7.7), (0.3, 7.7)),
    "narrow log-uniform": (dist.LogUniform(1e300, 1.001e300), (1e300, 1.001e300)),
    "beta": (dist.Beta(0.5, 0.5), (0.0, 1.0)),
    "truncated": (dist.TruncatedNormal(0.0, 1.0, low=-1.0, high=2.0), (-1.0, 2.0)),
    "one-sided": (dist.TruncatedNormal(0.0, 1.0, low=0.0), (0.0,)),
}


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
@pytest.mark.parametrize("name", EDGES)
def test_the_bounds_of_a_prior_have_finite_latents_and_densities(name, dtype):
    """They belong to the support; what is taken is one rounding inside."""
    prior, edges = EDGES[name]
    if dtype == jnp.float32 and max(edges) > 1e38:
        return
    prior = linear({"y": prior}).blocks[0].prior
    for edge in edges:
        edge = jnp.asarray(edge, dtype)
        latent = prior.latent(edge)
        back = prior.value(latent)
        assert latent.dtype == back.dtype == dtype
        found = (latent, back, prior.log_value(back), prior.log_latent(latent))
        assert all(np.all(np.isfinite(x)) for x in found)
        assert np.all(np.isfinite(jax.grad(prior.log_latent)(latent)))
        rounding = 40.0 * jnp.finfo(dtype).eps
        np.testing.assert_allclose(back, edge, rtol=rounding, atol=rounding)
    for far in (-40.0, 40.0)[: len(edges)]:  # and so have all latents
        value = prior.value(jnp.full(1, far, dtype))
        assert np.isfinite(prior.log_value(value)) and min(edges) <= value
        assert len(edges) == 1 or value <= jnp.asarray(max(edges), dtype)
    for outside in (min(edges) - abs(min(edges)) * 1e-3 - 1e-3, jnp.nan):
        assert not np.isfinite(prior.latent(jnp.asarray(outside, dtype)))


def test_a_start_at_a_bound_is_taken_and_one_beyond_is_refused():
    priors = {"x": dist.Uniform(-3.0, 4.0), "y": dist.LogUniform(0.3, 7.7)}
    posterior = linear(priors)
    start = {"x": jnp.asarray([-3.0, 0.0, 4.0]), "y": 0.3}
    assert np.isfinite(posterior.logdensity(posterior.unconstrain(start)))
    mode = posterior.laplace(start, restarts=0)
    best = posterior.laplace(restarts=0)
    np.testing.assert_allclose(mode.mode, best.mode, atol=5e-3)
    for bad in ({"x": jnp.asarray([-3.1, 0.0, 4.0])}, {"y": 7.8}, {"y": np.nan}):
        with pytest.raises(ValueError, match=f"the prior of '{next(iter(bad))}', .* excludes"):
            posterior.laplace(start | bad, restarts=0)


@pytest.mark.parametrize(
    "prior",
    [
        dist.Uniform(0.0, np.inf),
        dist.Uniform(-1e308, 1e308),
        dist.Uniform(1.0, 1.0 + 1e-15),
        dist.LogUniform(1.0, 1.0 + 2e-16),
        dist.Normal(0.0, np.inf),
        dist.Normal(0.0, 5e-324),
        dist.LogNormal(800.0, 1.0),
    ],
    ids=["endless", "overflowing", "no number", "no step", "wide", "narrow", "far"],
)
def test_priors_without_a_finite_middle_are_refused(prior):
    with pytest.raises(ValueError, match="the prior of 'y' is no distribution: "):
        linear({"y": prior})


def test_standardised_latents_are_standard_normal():
    priors = {"x": PRIORS["uniform"], "y": PRIORS["log-uniform"]}
    posterior = linear(priors)
    z = jnp.array([0.3, -1.0, 2.0, 0.5])
    expected = scipy.stats.norm.logpdf(z).sum()
    assert float(posterior.log_prior_latent(z)) == pytest.approx(expected, 1e-14)
    x = posterior.constrain(z)["x"]
    np.testing.assert_allclose(x, -3.0 + 7.0 * scipy.stats.norm.cdf(z[:3]), rtol=1e-14)


def test_correlated_prior_over_two_paths():
    root = RNG.normal(size=(4, 4))
    covariance = root @ root.T + 0.5 * np.eye(4)
    joint = dist.MultivariateNormal(np.arange(4.0), covariance)
    posterior = linear({("x", "y"): joint})
    params = posterior.constrain(jnp.array([0.1, -0.4, 0.9, 1.3]))
    assert params["x"].shape == (3,) and params["y"].shape == ()
    np.testing.assert_allclose(posterior.unconstrain(params), [0.1, -0.4, 0.9, 1.3], rtol=1e-12)
    flat = np.concatenate([params["x"], [params["y"]]])
    expected = scipy.stats.multivariate_normal.logpdf(flat, np.arange(4.0), covariance)
    assert float(posterior.log_prior(params)) == pytest.approx(expected, 1e-12)


def test_empirical_prior_keeps_margins_and_correlations():
    samples = RNG.multivariate_normal([1.0, -2.0], [[1.0, 0.8], [0.8, 4.0]], size=3000)
    samples[:, 1] = np.exp(0.3 * samples[:, 1])
    prior = synax.EmpiricalPrior(samples)
    draws = jax.jit(jax.vmap(prior.value))(jax.random.normal(jax.random.key(0), (3000, 2)))
    for i in range(2):
        assert scipy.stats.ks_2samp(np.asarray(draws)[:, i], samples[:, i]).pvalue > 0.01
    correlation = [scipy.stats.spearmanr(t).statistic for t in (np.asarray(draws), samples)]
    assert correlation[0] == pytest.approx(correlation[1], abs=0.05)


def test_names_values_and_models():
    posterior = linear({"y": dist.Normal(0.0, 1.0), "x": dist.Normal(0.0, 1.0)})
    assert posterior.labels == ("y", "x[0]", "x[1]", "x[2]")
    params = {"y": jnp.asarray(2.0), "x": jnp.arange(3.0)}
    model = posterior.model_at(params)
    assert float(model.y) == 2.0 and np.array_equal(model.x, np.arange(3.0))
    back = posterior.unflatten(posterior.flatten(params))
    assert all(np.array_equal(back[k], params[k]) for k in params)
    np.testing.assert_array_equal(posterior.predict(params), observable(model))
    by_filter = synax.Posterior(
        toy(), dist.Normal(0.0, 1.0), posterior.likelihood, free=eqx.is_inexact_array
    )
    assert by_filter.paths == ("x", "y")


def test_likelihood_parameters_are_free_too():
    posterior = linear({"y": dist.Normal(0.0, 1.0), "likelihood.noise.sigma": dist.LogNormal(0, 1)})
    params = {"y": jnp.asarray(0.7), "likelihood.noise.sigma": jnp.asarray(0.9)}
    residual = DATA - np.asarray(observable(toy()))
    expected = scipy.stats.norm.logpdf(residual, scale=0.9).sum()
    assert float(posterior.log_likelihood(params)) == pytest.approx(expected, 1e-12)


def test_mock_data_replace_data():
    posterior = linear()
    drawn = posterior.mock(jax.random.key(3), posterior.current())
    other = posterior.with_data(drawn)
    np.testing.assert_allclose(
        other.residuals(other.current()), (drawn - observable(toy())) / 0.5, rtol=1e-12
    )


def exact():
    precision = MATRIX.T @ MATRIX / 0.25 + np.diag([0.25, 0.25, 0.25, 1.0 / 9.0])
    mean = np.linalg.solve(precision, MATRIX.T @ DATA / 0.25 + np.array([0, 0, 0, 1.0 / 9.0]))
    return mean, np.linalg.inv(precision)


def test_laplace_and_forecast_of_a_linear_model_are_exact():
    posterior = linear()
    mean, covariance = exact()
    found = posterior.laplace()
    np.testing.assert_allclose(posterior.flatten(posterior.constrain(found.mode)), mean, atol=1e-3)
    scale = np.diag([2.0, 2.0, 2.0, 3.0])
    np.testing.assert_allclose(scale @ found.covariance @ scale, covariance, rtol=1e-10)
    marginal = 0.25 * np.eye(12) + MATRIX @ np.diag([4.0, 4.0, 4.0, 9.0]) @ MATRIX.T
    offset = MATRIX @ np.array([0.0, 0.0, 0.0, 1.0])
    evidence = scipy.stats.multivariate_normal.logpdf(DATA, offset, marginal)
    assert float(found.log_evidence) == pytest.approx(evidence, abs=1e-3)
    forecast = posterior.forecast()
    np.testing.assert_allclose(forecast.covariance, covariance, rtol=1e-10)
    np.testing.assert_allclose(np.diag(forecast.correlation), 1.0, rtol=1e-12)
    assert "x[1]" in str(forecast)


@pytest.mark.parametrize("noise", ["gaussian", "covariance", "student"])
def test_fisher_is_the_expected_hessian(noise):
    """For noise-free data and a Gaussian it is the Hessian; for any noise its expectation."""
    kinds = {
        "gaussian": GaussianNoise(0.5),
        "covariance": CovarianceNoise(0.2 * np.eye(12) + 0.1),
        "student": StudentTNoise(0.5, 6.0),
    }
    posterior = linear(noise=kinds[noise], function=curved, data=np.asarray(curved(toy())))
    vector = posterior.flatten(posterior.current())
    fisher = posterior.fisher(posterior.current())
    value = lambda v: -posterior.log_likelihood(posterior.unflatten(v))
    hessian = jax.jit(jax.hessian(value))(vector)
    # at zero residual a Student t has curvature (nu + 1)/nu, its mean is (nu + 1)/(nu + 3)
    factor = 6.0 / 9.0 if noise == "student" else 1.0
    np.testing.assert_allclose(fisher, factor * hessian, rtol=1e-10, atol=1e-10)


def test_curvature_agrees_with_gradients_and_products():
    posterior = linear({"x": dist.Uniform(-2.0, 2.0), "y": dist.Gamma(2.0, 1.0)}, function=curved)
    latent = posterior.unconstrain(posterior.current()) + 0.1
    found = posterior.curvature(latent)
    value, gradient = jax.jit(jax.value_and_grad(lambda z: posterior.logdensity(z)))(latent)
    assert float(found.logdensity) == pytest.approx(float(value), 1e-13)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-10, atol=1e-12)
    vector = jnp.arange(1.0, 5.0)
    product = jax.jit(lambda z, v: posterior.precision_product(z)(v))(latent, vector)
    np.testing.assert_allclose(product, found.precision @ vector, rtol=1e-10)
    assert np.all(np.linalg.eigvalsh(found.precision) > 0)


def test_restarts_leave_a_local_maximum():
    """A wave whose frequency is far off: the first start ends in a local maximum."""
    t = np.linspace(0.0, 1.0, 30)
    wave = lambda model: jnp.sin(model.y * t)
    likelihood = Likelihood(wave, np.sin(20.0 * t), GaussianNoise(0.1))
    posterior = synax.Posterior(toy(), {"y": dist.Uniform(0.0, 40.0)}, likelihood)
    start = {"y": jnp.asarray(36.0)}
    stuck = posterior.constrain(posterior.laplace(start, restarts=0).mode)["y"]
    found = posterior.laplace(start)
    assert abs(float(stuck) - 20.0) > 3.0
    assert float(posterior.constrain(found.mode)["y"]) == pytest.approx(20.0, abs=0.05)
    with pytest.raises(ValueError, match="restarts must be an integer"):
        posterior.laplace(start, restarts=-1)


def test_float32_stays_float32():
    data = DATA.astype(np.float32)
    posterior = synax.Posterior(
        toy(jnp.float32),
        {"x": dist.Uniform(-2.0, 2.0), "y": dist.Normal(0.0, 1.0)},
        Likelihood(observable, data, GaussianNoise(0.5)),
    )
    latent = posterior.unconstrain(posterior.current())
    value, gradient = jax.jit(jax.value_and_grad(lambda z: posterior.logdensity(z)))(latent)
    assert latent.dtype == value.dtype == gradient.dtype == jnp.float32
    assert posterior.curvature(latent).precision.dtype == jnp.float32
    assert posterior.mock(jax.random.key(0), posterior.current()).dtype == jnp.float32


@pytest.fixture(scope="module")
def sky_posterior():
    rays = synax.Sightlines.healpix(1)
    sky = synax.Synchrotron(
        synax.magnetic.WMAP(), synax.electrons.Uniform(0.02), synax.cosmic_rays.WMAP(), steps=8
    )
    clean = sky(rays, 2.4)
    likelihood = synax.GaussianLikelihood(rays, 2.4, clean, 1e-3)
    priors = {
        "magnetic.b0": dist.Uniform(0.0, 10.0),
        "magnetic.chi0": dist.Normal(0.5, 0.5),
        "cosmic_rays.r0": dist.LogNormal(1.6, 0.3),
    }
    return synax.Posterior(sky, priors, likelihood)


def test_fisher_of_a_sky_is_the_hessian(sky_posterior):
    vector = sky_posterior.flatten(sky_posterior.current())
    fisher = np.asarray(sky_posterior.fisher(sky_posterior.current()))
    gradient = eqx.filter_jit(lambda p, v: jax.grad(lambda v: -p.log_likelihood(p.unflatten(v)))(v))
    rows = []
    for i in range(3):
        h = 1e-5 * float(vector[i])
        up, down = (gradient(sky_posterior, vector.at[i].add(s * h)) for s in (1.0, -1.0))
        rows.append((np.asarray(up) - np.asarray(down)) / (2.0 * h))
    scale = np.sqrt(np.outer(np.diag(fisher), np.diag(fisher)))
    np.testing.assert_allclose(np.stack(rows) / scale, fisher / scale, atol=1e-6)
    assert np.all(np.isfinite(gradient(sky_posterior, vector)))


def test_errors_name_the_path():
    noise = GaussianNoise(0.5)
    one = dist.Normal(0.0, 1.0)
    for priors, error, match in (
        ({"z": one}, ValueError, "no parameter 'z'"),
        ({"y": 3.0}, TypeError, "the prior of 'y' must be a numpyro distribution"),
        ({"y": dist.Normal(jnp.zeros(2), 1.0)}, ValueError, "the prior of 'y' gives values"),
        ({"y": dist.Poisson(3.0)}, ValueError, "the prior of 'y' is discrete"),
        ({"y": dist.Delta(2.0)}, ValueError, "the prior of 'y' is a Delta, which leaves nothing"),
        ({"x": dist.Delta(0.0).expand([3])}, ValueError, "the prior of 'x' is a Delta"),
        ({"y": one, ("x", "y"): dist.MultivariateNormal(jnp.zeros(4), jnp.eye(4))}, ValueError,
         "'y' has two priors"),
        ({}, TypeError, "priors must be a non-empty dict"),
        ({"likelihood.noise.nothing": one}, ValueError, "noise.nothing"),
    ):  # fmt: skip
        with pytest.raises(error, match=match):
            linear(priors, noise)
    posterior = linear()
    with pytest.raises(ValueError, match="missing \\['x'\\]"):
        posterior.log_prior({"y": jnp.asarray(1.0)})
    with pytest.raises(ValueError, match="latent must have shape \\(4,\\)"):
        posterior.logdensity(jnp.zeros(3))
    with pytest.raises(ValueError, match="start must have shape"):
        posterior.laplace(jnp.zeros(3))
    with pytest.raises(ValueError, match="samples must be"):
        synax.EmpiricalPrior(np.ones(3))


SKY = synax.Synchrotron(
    synax.magnetic.WMAP(), synax.electrons.Uniform(0.01), synax.cosmic_rays.WMAP(), steps=4
)


def of_sky(path, prior):
    rays = synax.Sightlines.from_lonlat([10.0], [5.0])
    return synax.Posterior(SKY, {path: prior}, synax.RotationMeasureLikelihood(rays, [1.0], 1.0))


@pytest.mark.parametrize(
    ("path", "prior", "words"),
    [
        ("magnetic.b0", dist.Normal(0.2 * u.nT, 0.1 * u.nT), "loc = 0.2 nT.*know no units"),
        ("magnetic.b0", dist.Uniform(0 * u.uG, 1 * u.nT), "know no units"),
        ("magnetic.b0", dist.ImproperUniform(dist.constraints.real, (), ()), "is improper"),
        ("electrons.value", dist.Uniform(-1.0, -0.5), "excludes all.*at least 0 cm-3"),
        ("cosmic_rays.spectral_index", dist.Uniform(0.0, 0.3), "greater than 0.333333"),
        ("steps.scale", dist.Uniform(0.0, 1.0), "says how the model is integrated"),
        ("integration.steps", dist.Uniform(0.0, 1.0), "says how the model is integrated"),
    ],
)
def test_priors_that_cannot_be_meant(path, prior, words):
    with pytest.raises(ValueError, match=f"'{path}.*{words}"):
        of_sky(path, prior)


def test_priors_beyond_what_a_parameter_may_be():
    for prior in (dist.Uniform(0.0, 1.0), dist.HalfNormal(0.1), dist.LogNormal(-4.0, 1.0)):
        of_sky("electrons.value", prior)  # no warning
    with pytest.warns(synax.SynaxWarning, match=r"has \d\d % of its probability.*cut the prior"):
        of_sky("electrons.value", dist.Uniform(-1.0, 1.0))
    with pytest.warns(synax.SynaxWarning, match="must be greater than 0.333333"):
        of_sky("cosmic_rays.spectral_index", dist.Normal(0.5, 1.0))

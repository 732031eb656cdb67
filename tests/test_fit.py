"""Fits: gradients and curvature, stopping rules, validation, checkpoints, variational samples."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import optax
import pytest

import synax
from synax.inference import GaussianNoise, Likelihood

KEY = jax.random.key(0)
MATRIX = jax.random.normal(KEY, (40, 6)) * jnp.array([1.0, 3.0, 0.1, 1.0, 10.0, 1.0])
TRUTH = jnp.array([1.0, -2.0, 0.5, 0.0, 1.5, 3.0])


class Line(eqx.Module):
    """A linear model: what a posterior of it must be is known exactly."""

    weights: jax.Array

    def __call__(self):
        return MATRIX @ self.weights


def linear_posterior(seed=1, sigma=0.5):
    noise = sigma * jax.random.normal(jax.random.key(seed), (40,))
    likelihood = Likelihood(lambda m: m(), MATRIX @ TRUTH + noise, GaussianNoise(sigma))
    return synax.Posterior(Line(jnp.zeros(6)), {"weights": dist.Normal(0.0, 2.0)}, likelihood)


def exact(posterior, sigma=0.5):
    precision = MATRIX.T @ MATRIX / sigma**2 + jnp.eye(6) / 4.0
    mean = jnp.linalg.solve(precision, MATRIX.T @ posterior.likelihood.data / sigma**2)
    return mean, jnp.linalg.inv(precision)


def test_many_free_numbers_fit_noise_and_the_verdict_knows():
    """No chi^2 of few data and many numbers is too good; a large one is bad all the same."""
    from synax.inference._goodness import _words_of_many

    wide = jax.random.normal(KEY, (40, 100))
    noise = 0.5 * jax.random.normal(jax.random.key(1), (40,))
    likelihood = Likelihood(lambda m: wide @ m.weights, noise, GaussianNoise(0.5))
    make = lambda scatter: synax.Posterior(
        Line(jnp.zeros(100)), {"weights": dist.Normal(0.0, scatter)}, likelihood
    )
    fitted = synax.fit(make(2.0), optimizer=optax.adam(0.05), steps=300, check=False)
    assert fitted.chi2 < 10 and fitted.goodness.good is None
    assert fitted.verdict.startswith("unknown") and "100 free numbers" in fitted.verdict
    stiff = synax.Posterior(
        Line(jnp.zeros(100)),
        {"weights": dist.Normal(0.0, 1e-4)},
        Likelihood(lambda m: wide @ m.weights, 10 * noise, GaussianNoise(0.5)),
    )
    assert synax.fit(stiff, optimizer=optax.adam(0.05), steps=5, check=False).goodness.good is False
    # few of very many data: both ends of the degrees of freedom agree
    assert _words_of_many(1e6, 1_000_000, 100)[0] is True
    assert _words_of_many(9e5, 1_000_000, 100)[1].startswith("too good")
    assert _words_of_many(9.9e5, 1_000_000, 50_000)[1].startswith("unknown")


def test_gauss_newton_finds_the_mode_of_a_linear_posterior():
    posterior = linear_posterior()
    found = synax.fit(posterior, optimizer=synax.GaussNewton(cg_tolerance=1e-8))
    assert found.converged and "promises" in found.reason and found.history["step"][-1] <= 8
    assert np.allclose(found.model.weights, exact(posterior)[0], rtol=1e-4, atol=1e-4)
    assert np.allclose(found.params["weights"], found.model.weights)
    assert np.isclose(found.loss, -posterior.logdensity(found.latent))


def test_gradients_reach_the_same_mode_more_slowly():
    posterior = linear_posterior()
    best = synax.fit(posterior).loss
    found = synax.fit(posterior, optimizer=optax.adam(0.1), steps=600, tolerance=1e-7)
    assert found.converged and "has not fallen" in found.reason
    assert 0.0 <= found.loss - best < 1e-2
    line_search = synax.fit(posterior, optimizer=optax.lbfgs(), steps=60)
    assert abs(line_search.loss - best) < 1e-8


def test_a_fit_says_whether_it_is_one():
    """chi^2, degrees of freedom, errors, units and words, of a model that fits and of noise."""
    posterior = linear_posterior()
    found = synax.fit(posterior)
    mean, covariance = exact(posterior)
    residual = np.asarray(posterior.likelihood.data - MATRIX @ mean) / 0.5
    assert found.chi2 == pytest.approx(residual @ residual, rel=1e-4)
    # the prior decides a part of one of the six weights
    told = np.trace(np.asarray(MATRIX.T @ MATRIX / 0.25 @ covariance))
    assert found.degrees_of_freedom == pytest.approx(40 - told, abs=1e-6) and 5.0 < told < 6.0
    assert found.verdict.startswith("good") and 0.01 < found.p_value < 0.99
    np.testing.assert_allclose(found.errors["weights"], np.sqrt(np.diag(covariance)), rtol=1e-6)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    np.testing.assert_allclose(found.goodness.correlation, covariance / scale, atol=1e-8)
    assert "<th>error</th><th>unit</th>" in found._repr_html_()
    assert "strongest correlation" in repr(found) and "good: chi^2" in repr(found)
    wrong = eqx.tree_at(lambda p: p.likelihood.data, posterior, posterior.likelihood.data + 2.0)
    with pytest.warns(synax.ConvergenceWarning, match="bad: chi.* times the noise"):
        bad = synax.fit(wrong)
    assert bad.goodness.good is False and bad.p_value < 1e-6
    loss = synax.fit(lambda p: jnp.sum(p**2), jnp.ones(2), optimizer=optax.sgd(0.2))
    assert loss.goodness.good is None and loss.verdict.startswith("unknown")
    with pytest.raises(ValueError, match="restarts needs a Posterior"):
        synax.fit(lambda p: jnp.sum(p**2), jnp.ones(2), restarts=3)


def test_a_fit_leaves_a_wrong_maximum_and_names_rivals():
    time = jnp.linspace(0.0, 1.0, 30)
    noise = GaussianNoise(0.1)
    wave = Likelihood(lambda m: jnp.sin(m.weights[0] * time), np.sin(20.0 * time), noise)
    posterior = synax.Posterior(Line(jnp.ones(1)), {"weights": dist.Uniform(0.0, 40.0)}, wave)
    start = {"weights": jnp.full(1, 36.0)}
    assert float(synax.fit(posterior, start, check=False).params["weights"][0]) == pytest.approx(20)
    with pytest.warns(synax.ConvergenceWarning, match="wrong maximum"):
        synax.fit(posterior, start, restarts=0)
    square = Likelihood(lambda m: m.weights**2 + 0.0 * time, np.full(30, 4.0), noise)
    posterior = synax.Posterior(Line(jnp.ones(1)), {"weights": dist.Normal(0.1, 2.0)}, square)
    with pytest.warns(synax.ConvergenceWarning, match="2 maxima compete"):
        found = synax.fit(posterior)
    assert [float(np.sign(m.params["weights"][0])) for m in found.goodness.maxima] == [1.0, -1.0]


def test_progress_is_shown_on_request_only(capsys):
    synax.fit(linear_posterior(), progress=True)
    assert "fit" in capsys.readouterr().err
    synax.fit(linear_posterior())
    assert capsys.readouterr().err == ""


def test_a_prior_that_excludes_the_model_is_named():
    posterior = linear_posterior()
    posterior = synax.Posterior(
        posterior.model, {"weights": dist.Uniform(1.0, 2.0)}, posterior.likelihood
    )
    words = r"'weights', Uniform from 1 to 2, excludes .*give start="
    with pytest.raises(ValueError, match=words):
        synax.fit(posterior, restarts=0)
    with pytest.warns(synax.ConvergenceWarning) as caught:
        found = synax.fit(posterior)
    assert any("weights[1]" in str(w.message) and "edge of the prior" in str(w.message)
               for w in caught)  # fmt: skip
    assert np.all(np.asarray(found.params["weights"]) >= 1.0)


def rosenbrock(p):
    return jnp.array([10.0 * (p["y"] - p["x"] ** 2), 1.0 - p["x"]])


def test_least_squares_of_a_pytree():
    start = {"x": jnp.array(-1.2), "y": jnp.array(1.0), "name": "kept"}
    found = synax.fit(synax.LeastSquares(rosenbrock), start, steps=100)
    assert found.converged and found.model["name"] == "kept"
    assert np.allclose([found.model["x"], found.model["y"]], 1.0, atol=1e-6)
    for free in ({"x": True, "y": False, "name": False}, "x"):
        half = synax.fit(synax.LeastSquares(rosenbrock), start, free=free, steps=20)
        assert float(half.model["y"]) == 1.0 and half.params["y"] is None
    with pytest.raises(ValueError, match="no parameter 'z'"):
        synax.fit(synax.LeastSquares(rosenbrock), start, free=("x", "z"))


def test_a_plain_loss_takes_gradients_only():
    loss = lambda p: jnp.sum((p - 3.0) ** 2)
    found = synax.fit(loss, jnp.zeros(3), optimizer=optax.sgd(0.2), steps=300)
    assert found.converged and np.allclose(found.model, 3.0, atol=1e-3)
    with pytest.raises(TypeError, match="LeastSquares"):
        synax.fit(loss, jnp.zeros(3), optimizer=synax.GaussNewton())


def test_validation_stops_before_the_noise_is_fitted():
    # 30 weights for 40 data: the unregularised fit reproduces the noise, held-out data tell
    keys = jax.random.split(jax.random.key(3), 3)
    design = jax.random.normal(keys[0], (80, 30)) / 6.0
    truth = jnp.where(jnp.arange(30) < 5, 1.0, 0.0)
    data = design @ truth + 0.3 * jax.random.normal(keys[1], (80,))
    loss = lambda w: jnp.mean((design[:40] @ w - data[:40]) ** 2)
    held_out = lambda w: jnp.mean((design[40:] @ w - data[40:]) ** 2)
    options = {"optimizer": optax.adam(0.05), "steps": 800, "check_every": 5, "tolerance": 1e-9}
    blind = synax.fit(loss, jnp.zeros(30), **options)
    wise = synax.fit(loss, jnp.zeros(30), validation=held_out, **options)
    assert "validation" in wise.reason and wise.converged
    assert np.isclose(wise.validation, held_out(wise.model))
    assert wise.validation == np.min(wise.history["validation"])
    assert wise.validation < 0.9 * float(held_out(blind.model)) and blind.loss < wise.loss


def test_every_way_to_stop_says_why():
    loss = lambda p: jnp.sum((p - 3.0) ** 2)
    options = {"optimizer": optax.sgd(0.01), "check_every": 2}
    used = synax.fit(loss, jnp.zeros(2), steps=5, **options)
    assert not used.converged and used.reason == "all 5 steps were used"
    assert list(used.history["step"]) == [2, 4, 5]
    told = []
    stopped = synax.fit(
        loss, jnp.zeros(2), callback=lambda s: told.append(s) or s.step >= 4, **options
    )
    assert stopped.reason == "stopped by the callback" and [s.step for s in told] == [2, 4]
    exploded = synax.fit(loss, jnp.zeros(2), optimizer=optax.sgd(1e200), steps=20)
    assert "finite" in exploded.reason and not exploded.converged
    assert np.all(np.isfinite(exploded.model))


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="start is missing"):
        synax.fit(lambda p: 0.0)
    with pytest.raises(TypeError, match="optimizer must be"):
        synax.fit(lambda p: 0.0, jnp.zeros(1), optimizer="adam")
    with pytest.raises(ValueError, match="steps must be"):
        synax.fit(lambda p: 0.0, jnp.zeros(1), steps=0)
    with pytest.raises(ValueError, match="free has no meaning"):
        synax.fit(linear_posterior(), free=True)
    with pytest.raises(TypeError, match="validation must be"):
        synax.fit(lambda p: jnp.sum(p), jnp.zeros(1), validation=3)


def test_a_fit_interrupted_goes_on_to_the_same_bytes(tmp_path):
    posterior = linear_posterior()
    options = {"optimizer": optax.adam(0.1), "tolerance": 1e-9, "check_every": 7}
    whole = synax.fit(posterior, steps=70, **options)
    with pytest.warns(synax.ConvergenceWarning, match="not converged .* bad: chi"):
        synax.fit(posterior, steps=35, checkpoint=tmp_path / "run", **options)
    rest = synax.fit(posterior, steps=70, checkpoint=tmp_path / "run", **options)
    assert np.array_equal(rest.latent, whole.latent)
    assert np.array_equal(rest.history["loss"], whole.history["loss"])
    options["optimizer"] = optax.adam(0.2)
    with pytest.raises(ValueError, match="another optimizer"):
        synax.fit(posterior, steps=70, checkpoint=tmp_path / "run", **options)


def test_variational_samples_of_a_linear_posterior_are_exact():
    posterior = linear_posterior()
    mean, covariance = exact(posterior)
    found = synax.mgvi(posterior, jax.random.key(5), samples=600, rounds=4, cg_tolerance=1e-8)
    assert found.converged
    weights = jax.vmap(lambda z: posterior.constrain(z)["weights"])(found.samples)
    # pairs are symmetric about the mean, so the mean of the samples is exact
    assert np.allclose(jnp.mean(weights, 0), mean, atol=2e-2 * np.sqrt(np.diag(covariance)).max())
    ratio = np.cov(np.asarray(weights).T) / np.asarray(covariance)
    assert np.allclose(np.diag(ratio), 1.0, atol=5 * np.sqrt(2 / 300))


def test_variational_samples_keep_the_prior_where_there_are_no_data():
    # 40 data of 120 unknowns, 10,000 sigma to a tenth of one: the exact covariance is dense
    keys = jax.random.split(jax.random.key(7))
    directions = jnp.linalg.qr(jax.random.normal(keys[0], (120, 40)))[0]
    mixed = jnp.linalg.qr(jax.random.normal(keys[1], (40, 40)))[0]
    matrix = (mixed * jnp.logspace(4, -1, 40)) @ directions.T
    likelihood = Likelihood(lambda m: matrix @ m.weights, jnp.zeros(40), GaussianNoise(1.0))
    posterior = synax.Posterior(
        Line(jnp.zeros(120)), {"weights": dist.Normal(0.0, 1.0)}, likelihood
    )
    precision, axes = jnp.linalg.eigh(jnp.eye(120) + matrix.T @ matrix)
    found = synax.mgvi(posterior, KEY, samples=400)
    assert found.converged and found.residual < 0.04
    variance = lambda s: np.asarray(jnp.mean(((s - found.mean) @ axes) ** 2, 0) * precision)
    assert np.allclose(variance(found.samples), 1.0, atol=5 * np.sqrt(2 / 200))
    # systems left unsolved are told, and make samples wider than the posterior, never narrower
    short = synax.mgvi(posterior, KEY, samples=400, rounds=1, cg_steps=10)
    assert not short.converged and short.residual > 1.0
    assert np.min(variance(short.samples)) > 1.0 - 5 * np.sqrt(2 / 200)


def test_variational_needs_standard_latents():
    posterior = linear_posterior()
    other = synax.Posterior(posterior.model, {"weights": dist.Laplace()}, posterior.likelihood)
    with pytest.raises(ValueError, match="standard normal"):
        synax.mgvi(other, KEY)
    with pytest.raises(ValueError, match="even"):
        synax.mgvi(posterior, KEY, samples=3)

"""The joint fit of three skies, on skies made of its own model; and the record of the real one."""

import importlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def joint(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("joint")


def blank(joint):
    """Data of nothing."""
    n = 12 * joint.NSIDE**2
    zero = np.zeros(n)
    return {"haslam": zero[None], "wmap": np.zeros((2, n)), "rm": zero, "rm_error": zero + 1.0}


def test_finds_what_three_skies_were_made_of(joint):
    posterior, _ = joint.problem("JF12", blank(joint), 6)
    start = posterior.current()
    truth = start | {
        "magnetic.parts.0.factor": jnp.asarray(0.6),
        "magnetic.parts.1.factor": jnp.asarray(2.0),
        "magnetic.parts.3.factor": jnp.asarray(3.0),
        "cosmic_rays.z0": jnp.asarray(1.5),
        "likelihood.rm.noise.excess": jnp.asarray(10.0),
    }
    observed = posterior.with_data(posterior.mock(jax.random.key(1), truth))
    found = observed.laplace(start, restarts=0)
    assert found.converged
    pull = jnp.linalg.solve(found.root, found.mode - observed.unconstrain(truth))
    assert posterior.size == 13 and float(pull @ pull) < 34.5  # 99.9 % of chi^2 for 13
    predicted = observed.predict(observed.constrain(found.mode))
    for name, noise in {"haslam": 5.0, "wmap": 1e-5, "rm": 10.0}.items():
        rest = getattr(observed.likelihood, name).data - predicted[name]
        assert float(jnp.std(rest)) == pytest.approx(noise, rel=0.1)


def test_the_prior_is_what_it_says_in_straight_coordinates(joint):
    prior = joint.Shared([1.0, -2.0], [0.5, 3.0])
    draws = jax.jit(jax.vmap(lambda k: prior.sample(k, jnp.float64)))(
        jax.random.split(jax.random.key(0), 4000)
    )
    f, c, *strengths = np.asarray(jax.jit(jax.vmap(prior.value))(draws)).T
    for values, middle, width in (
        (np.log(f), 0.0, 0.2),
        (np.log(c / f**2), np.log(1e-3), 1.0),
        (f * strengths[0], 1.0, 0.5),
        (f * strengths[1], -2.0, 3.0),
    ):
        assert np.mean(values) == pytest.approx(middle, abs=4.0 * width / 4000**0.5)
        assert np.std(values) == pytest.approx(width, rel=0.05)
    latent = draws[0]
    value = prior.value(latent)
    assert np.asarray(prior.latent(value)) == pytest.approx(np.asarray(latent), abs=1e-10)
    volume = np.linalg.slogdet(jax.jit(jax.jacfwd(prior.value))(latent))[1]
    assert float(prior.log_value(value) + volume) == pytest.approx(float(prior.log_latent(latent)))
    # at the brightness that was seen, weaker fields with more cosmic rays lie on a straight line
    seen = lambda b: prior.latent(jnp.asarray([1.0, 1e-3 / (b * b), b, 0.0]))[1]
    assert float(seen(2.0)) == pytest.approx(float(seen(6.0)), abs=0.01)


def test_record_is_of_chains_that_converged():
    record = json.loads((ROOT / "docs/data/benchmark_joint.json").read_text())
    first = record["rows"][0]
    assert first["field"] == "JF12" and first["chains"] == 4 and first["divergences"] == 0
    for row in record["rows"]:
        numbers = row["parameters"].values()
        assert max(p["rhat"] for p in numbers) < 1.01
        assert min(p["bulk"] for p in numbers) > 400
        # the scale radius has a long tail: 331 effective draws for it, as the page says
        assert all(p["tail"] > (400 if "r0" not in p["path"] else 300) for p in numbers)
        assert all(s["correlation"] > 0.4 for s in row["skies"].values())
        assert all(abs(s["white_rms"] - 1.0) < 0.2 for s in row["skies"].values())
        assert max(row["integration_error"].values()) < 0.1
        # errors are right on mock skies, of twelve: rms 1 +- 0.2
        assert all(p["pull"] < 1.5 for p in numbers)

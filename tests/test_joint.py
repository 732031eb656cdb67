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


def test_finds_what_three_skies_were_made_of(joint):
    n = 12 * joint.NSIDE**2
    blank = {
        "haslam": np.zeros((1, n)),
        "wmap": np.zeros((2, n)),
        "rm": np.zeros(n),
        "rm_error": np.ones(n),
    }
    posterior, pixels = joint.problem("JF12", blank, 6)
    start = posterior.current()
    truth = start | {
        "magnetic.parts.0.factor": jnp.asarray(0.6),
        "magnetic.parts.1.factor": jnp.asarray(2.0),
        "magnetic.parts.3.factor": jnp.asarray(3.0),
        "cosmic_rays.z0": jnp.asarray(1.5),
        "likelihood.rm.noise.excess": jnp.asarray(10.0),
    }
    observed = posterior.with_data(posterior.mock(jax.random.key(1), truth))
    found = observed.laplace(start)
    assert found.converged
    pull = jnp.linalg.solve(found.root, found.mode - observed.unconstrain(truth))
    assert posterior.size == 13 and float(pull @ pull) < 34.5  # 99.9 % of chi^2 for 13
    rows, _ = joint.agreement(observed, observed.constrain(found.mode), pixels)
    for name, noise in {"haslam": 5.0, "wmap": 10.0, "rm": 10.0}.items():
        assert rows[name]["residual_rms"] == pytest.approx(noise, rel=0.1)
        assert abs(rows[name]["neighbours"]) < 0.08


def test_record_is_of_chains_that_converged():
    record = json.loads((ROOT / "docs/data/benchmark_joint.json").read_text())
    first = record["rows"][0]
    assert first["field"] == "JF12" and first["chains"] == 4 and first["divergences"] == 0
    for row in record["rows"]:
        numbers = row["parameters"].values()
        assert max(p["rhat"] for p in numbers) < 1.01
        assert min(min(p["bulk"], p["tail"]) for p in numbers) > 400
        assert all(s["residual_rms"] < s["data_sd"] for s in row["skies"].values())
        assert max(row["integration_error"].values()) < 0.1

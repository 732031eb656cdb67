"""Run folders: killed and resumed to the same bytes, refused for another problem, readable."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import xarray

import synax
from synax.inference import GaussianNoise, Likelihood, Run, read_draws, read_log
from synax.inference._store import fingerprint, load_state, save_state

PROGRAM = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp, numpyro.distributions as dist, equinox as eqx
import synax
from synax.inference import GaussianNoise, Likelihood

class Line(eqx.Module):
    slope: jax.Array
    def __call__(self):
        return self.slope * jnp.linspace(-1.0, 1.0, 9)

posterior = synax.Posterior(
    Line(jnp.array([1.0])), {"slope": dist.Normal(0.0, 2.0)},
    Likelihood(lambda m: m(), jnp.linspace(-1.5, 1.2, 9), GaussianNoise(0.5)),
)
synax.sample(
    posterior, jax.random.key(7), "hmc", chains=2, warmup=20, draws=160, chunk=8, check=False,
    checkpoint=sys.argv[1],
)
print("done", flush=True)
"""


def start(folder: Path) -> subprocess.Popen:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, env=environment, cwd=Path(__file__).parent.parent)


def wait_for(folder: Path, files: int, process: subprocess.Popen) -> None:
    limit = time.monotonic() + 120.0
    while len(list(folder.glob("draws/[0-9]*.nc"))) < files and process.poll() is None:
        assert time.monotonic() < limit, "the run wrote no draws"
        time.sleep(0.005)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("draws/*"))}


@pytest.mark.slow
def test_killed_anywhere_and_resumed_gives_the_same_bytes(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole).wait() == 0
    for files in (1, 9, 15):
        process = start(broken)
        wait_for(broken, files, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert start(broken).wait() == 0
    assert len(contents(whole)) == 20 and contents(whole) == contents(broken)
    assert (whole / "posterior.nc").read_bytes() == (broken / "posterior.nc").read_bytes()
    with np.load(whole / "checkpoint.npz") as one, np.load(broken / "checkpoint.npz") as two:
        assert all(np.array_equal(one[name], two[name]) for name in one.files)
    assert [e["event"] for e in read_log(broken)].count("resumed") == 3


class Model(eqx.Module):
    x: jax.Array

    def __call__(self):
        return self.x * jnp.arange(4.0)


def posterior(x=1.0, data=0.0, prior=1.0):
    likelihood = Likelihood(lambda m: m(), jnp.full(4, data), GaussianNoise(1.0))
    return synax.Posterior(Model(jnp.asarray(x)), {"x": dist.Normal(0.0, prior)}, likelihood)


def test_sampling_in_pieces_equals_sampling_at_once(tmp_path):
    def sample_into(folder, posterior, key, **options):
        return synax.sample(posterior, key, checkpoint=folder, check=False, **options)

    options = {"method": "hmc", "chains": 2, "warmup": 10, "chunk": 10}
    key = jax.random.key(1)
    one = jnp.ones(1)  # a parameter may be an array of one number
    short = sample_into(tmp_path / "a", posterior(one), key, draws=10, **options)
    longer = sample_into(tmp_path / "a", posterior(one), key, draws=40, **options)
    whole = sample_into(tmp_path / "b", posterior(one), key, draws=40, **options)
    assert short.posterior["x"].shape == (2, 10, 1)
    assert longer.posterior["x"].equals(whole.posterior["x"])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    chunk = xarray.load_dataset(tmp_path / "a" / "draws" / "000000010.nc", engine="h5netcdf")
    assert np.array_equal(chunk["x"], whole.posterior["x"][:, 10:20])
    draws, stats = read_draws(tmp_path / "a")
    assert np.array_equal(draws["x"], whole.posterior["x"]) and stats["diverging"].shape == (2, 40)
    events = read_log(tmp_path / "a")
    assert events[0]["event"] == "started" and events[-1]["event"] == "finished"
    assert max(e.get("draw", 0) for e in events) == 40
    with pytest.raises(ValueError, match="another data"):
        sample_into(tmp_path / "a", posterior(one, data=1.0), key, draws=40, **options)
    with pytest.raises(ValueError, match="warmup 10 then, 14 now"):
        sample_into(tmp_path / "a", posterior(one), key, draws=40, **{**options, "warmup": 14})


def test_begin_refuses_another_problem_and_says_which_part(tmp_path):
    begin = lambda folder, **k: Run(folder).begin("sample", {"chains": 4}, k)
    begin(tmp_path, posterior=posterior(), key=jax.random.key(0))
    begin(tmp_path, posterior=posterior(), key=jax.random.key(0))
    for changed, word in (
        ({"posterior": posterior(x=2.0)}, "another model"),
        ({"posterior": posterior(data=2.0)}, "another data"),
        ({"posterior": posterior(prior=2.0)}, "another priors"),
        ({"key": jax.random.key(1)}, "another key"),
    ):
        with pytest.raises(ValueError, match=word):
            begin(tmp_path, **{"posterior": posterior(), "key": jax.random.key(0), **changed})
    with pytest.raises(ValueError, match="holds a sample run, not a fit run"):
        Run(tmp_path).begin("fit", {}, {})
    with pytest.raises(ValueError, match="holds a run"):
        Run(tmp_path, resume=False).begin("sample", {}, {})
    path = tmp_path / "run.json"
    record = json.loads(path.read_text())
    record["versions"]["jax"] = "0.0.1"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"jax '0.0.1' then"):
        begin(tmp_path, posterior=posterior(), key=jax.random.key(0))


def test_states_survive_the_disk(tmp_path):
    state = {"a": jnp.arange(3.0), "key": jax.random.key(3), "n": jnp.int32(7)}
    save_state(tmp_path / "s.npz", state, {"step": 4})
    template = jax.tree.map(lambda x: x, {**state, "a": jnp.zeros(3)})
    loaded, note = load_state(tmp_path / "s.npz", template)
    assert note == {"step": 4} and np.array_equal(loaded["a"], state["a"])
    assert np.array_equal(jax.random.key_data(loaded["key"]), jax.random.key_data(state["key"]))
    with pytest.raises(ValueError, match="where this run has"):
        load_state(tmp_path / "s.npz", {**state, "a": jnp.zeros(4)})
    with pytest.raises(ValueError, match="arrays"):
        load_state(tmp_path / "s.npz", {"a": jnp.zeros(3)})


def test_fingerprints_see_values_structure_and_closures():
    import optax

    same = fingerprint(posterior())
    assert same == fingerprint(posterior())
    assert fingerprint(jnp.zeros(2)) != fingerprint(jnp.zeros(2, jnp.float32))
    assert fingerprint(optax.adam(0.1)) == fingerprint(optax.adam(0.1))
    assert fingerprint(optax.adam(0.1)) != fingerprint(optax.adam(0.2))
    assert fingerprint(lambda x: x + 1) != fingerprint(lambda x: x + 2)


OWN_FIELD = """
import jax, jax.numpy as jnp, synax

SCALE = 1.0

@jax.jit
def shape(z):
    return jnp.exp(-SCALE * z * z)

class Mine(synax.AbstractScalarField):
    n0: object = synax.parameter(1.0, "cm-3", "density")
    power = 1.0

    def __call__(self, position):
        return self.n0 * shape(position[2]) ** self.power

    def surfaces(self):
        return (synax.Sphere(2.0),)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.n0 * shape", "self.n0 / shape"),
        ("SCALE = 1.0", "SCALE = 2.0"),
        ("-SCALE", "SCALE"),
        ("power = 1.0", "power = 2.0"),
        ("Sphere(2.0)", "Sphere(3.0)"),
        ('"density"', '"density of electrons"'),
    ],
)
def test_fingerprints_see_the_code_of_a_field_of_ones_own(old, new):
    def made(text):
        names = {"__name__": "a_module_of_mine"}
        exec(text, names)
        return fingerprint(synax.DispersionMeasure(2.0 * names["Mine"](), steps=3))

    assert made(OWN_FIELD) == made(f"# moved\n\n{OWN_FIELD}")
    told = "density" in old  # a text for people computes nothing
    assert (made(OWN_FIELD) == made(OWN_FIELD.replace(old, new))) == told


def test_a_line_that_is_being_written_does_not_disturb_the_reader(tmp_path):
    run = Run(tmp_path)
    run.log("check", loss=jnp.float32(1.5))
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"event": "half')
    assert [e["loss"] for e in read_log(tmp_path)] == [1.5]


def test_the_state_is_written_at_most_so_often(tmp_path):
    run = Run(tmp_path, every_minutes=60.0)
    run.begin("fit", {}, {})
    run.save({"n": jnp.int32(1)}, {})
    run.save({"n": jnp.int32(2)}, {})
    assert int(run.restore({"n": jnp.int32(0)})[0]["n"]) == 1
    run.save({"n": jnp.int32(3)}, {}, force=True)
    assert int(run.restore({"n": jnp.int32(0)})[0]["n"]) == 3

"""`synax fit`, `synax sample`, `synax report`: from a TOML file to a page, and what is refused."""

import base64
import json
import re
from types import SimpleNamespace

import arviz
import numpy as np
import pytest
from run_cli import call, refused

import synax
from synax.inference import read_log

CONFIG = """
seed = 3
[magnetic]
model = "WMAP"
[electrons]
model = "Uniform"
value = 0.01
[sightlines]
nside = 2
[integration]
steps = 6
[[data]]
name = "sky"
frequency = 2.4
sigma = 0.0005
held_out = 0.25
[[data]]
name = "faraday"
kind = "RM"
sigma = 3.0
[priors]
"magnetic.b0" = { uniform = [0, 10] }
"magnetic.psi0" = { normal = [0.5, 0.3] }
[sample]
method = "hmc"
chains = 2
warmup = 20
draws = 20
chunk = 20
"""


@pytest.fixture
def config(tmp_path):
    """Write a configuration, with some text replaced."""

    def write(old="", new="", name="galaxy.toml"):
        assert old in CONFIG
        path = tmp_path / name
        path.write_text(CONFIG.replace(old, new, 1) if old else CONFIG + new)
        return path

    return write


def images(page):
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert all(base64.b64decode(text)[:4] == b"\x89PNG" for text in found)
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing from outside
    return len(found)


def explain_all(run):
    """`synax info` on a run folder and on every file in it."""
    found = {}
    for path in [run, *(p for p in run.rglob("*") if p.is_file())]:
        result = call("info", path, "--json")
        assert result.exit_code == 0, f"{path}: {result.output}"
        found[str(path.relative_to(run))] = json.loads(result.stdout)
        assert call("info", path).exit_code == 0
        assert call("info", path, "-q").stdout.strip() == found[str(path.relative_to(run))]["holds"]
    return found


@pytest.mark.slow
def test_sample_resume_and_report(config, tmp_path):
    path, run = config(), tmp_path / "run"
    result = call("sample", path, "--output", run, "--quiet")
    assert result.exit_code == 0, result.output
    more = ["--resume", "--set", "sample.draws=40", "--json"]
    result = call("sample", path, "--output", run, *more)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert abs(summary["parameters"]["magnetic.b0"]["mean"] - 1.2) < 0.05
    assert summary["divergences"] == 0
    posterior = arviz.from_netcdf(run / "posterior.nc").posterior
    assert posterior["magnetic.b0"].shape == (2, 40)
    assert abs(float(posterior["magnetic.b0"].mean()) - 1.2) < 0.05
    assert [e["draw"] for e in read_log(run) if e["event"] == "draws"] == [20, 40]
    result = call("report", run, "--predictive", 5)
    assert result.exit_code == 0, result.output
    page = (run / "report.html").read_text()
    assert images(page) == 2 + 3 + 2  # traces and corner; Q, U, RM; two predictive checks
    for word in ("R-hat", "magnetic.psi0", "sky Q, held out", "faraday RM, fitted"):
        assert word in page
    explained = explain_all(run)
    assert explained["posterior.nc"]["chains"] == 2 and explained["posterior.nc"]["draws"] == 40
    assert explained["posterior.nc"]["parameters"]["magnetic.b0"]["mean"] == pytest.approx(
        float(posterior["magnetic.b0"].mean())
    )
    assert explained["log.jsonl"]["events"]["draws"] == 2
    changed = config("sigma = 3.0", "sigma = 4.0", "other.toml")
    assert "another data" in refused("sample", changed, "-o", run, "--resume")
    assert "holds a run: --resume" in refused("sample", path, "-o", run)


@pytest.mark.parametrize("how", ["--quiet", "--json"])
@pytest.mark.parametrize("verb", ["fit", "sample"])
def test_what_does_not_fit_is_told_on_stderr_whatever_else_is_not(
    config, tmp_path, monkeypatch, verb, how
):
    """The verdict on a fit and on draws is a warning, which --quiet and --json do not hide."""
    from synax import inference
    from synax.cli import _fit, _runs, _sample

    record = {"loss": 1.0, "warnings": ["chi^2 is 9 times its number"], "good": False}
    found = SimpleNamespace(warnings=record["warnings"], reason="")
    monkeypatch.setattr(_fit, "_fit", lambda *_: found)
    monkeypatch.setattr(_runs, "save_fit", lambda *_: record)
    monkeypatch.setattr(_sample, "_sample", lambda *_: found)
    monkeypatch.setattr(_sample, "_summary", lambda _: record)
    monkeypatch.setattr(inference, "assess", lambda data: data)
    result = call(verb, config(), "--output", tmp_path / "run", how)
    assert result.exit_code == 0, result.output
    assert "warning: chi^2 is 9 times its number" in result.stderr
    assert (result.stdout == "") == (how == "--quiet")


def test_fit_stops_and_reports(config, tmp_path):
    path, run = config(), tmp_path / "run"
    result = call("fit", path, "--output", run, "--json", "--set", "fit.steps=12")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["converged"] and abs(record["parameters"]["magnetic.b0"] - 1.2) < 0.05
    assert record["verdict"].startswith("good") and record["good"]
    assert record["chi2"] < 1.4 * record["degrees_of_freedom"] < 1.4 * record["data"]
    pull = (record["parameters"]["magnetic.b0"] - 1.2) / record["errors"]["magnetic.b0"]
    assert abs(pull) < 5.0 and record["units"]["magnetic.b0"] == "uG"
    assert record["maxima"][0]["share"] == pytest.approx(1.0, abs=0.01)
    with np.load(run / "best.npz", allow_pickle=False) as best:
        assert float(best["magnetic.b0"]) == record["parameters"]["magnetic.b0"]
    result = call("report", run, "--predictive", 2, "-q")
    assert result.exit_code == 0, result.output
    page = (run / "report.html").read_text()
    assert images(page) == 1 + 3 + 2 and record["reason"] in page
    assert record["verdict"] in page and "<td>uG</td>" in page and "Correlations" in page
    explained = explain_all(run)
    assert explained["best.npz"]["parameters"]["magnetic.b0"] == pytest.approx(1.2, abs=0.05)
    assert explained["result.json"]["holds"] == "result of a fit"
    assert explained["report.html"]["figures"] == 6
    assert explained["."]["result.json"]["converged"]
    found = json.loads(call("info", path, "--json").stdout)
    assert found["holds"].startswith("configuration of synax fit") and len(found["data"]) == 2


def test_a_bad_fit_says_so(config, tmp_path):
    """Noise stated ten times too small for a map that the model cannot make."""
    sky = np.random.default_rng(0).normal(0.0, 5e-3, (2, 48))
    np.savez(tmp_path / "sky.npz", Q=sky[0], U=sky[1])
    path = config('name = "sky"', 'name = "sky"\nfile = "sky.npz"')
    result = call("fit", path, "-o", tmp_path / "run", "--set", "fit.restarts=2")
    assert result.exit_code == 0, result.output
    assert "bad: chi^2 = " in result.stdout and "times the noise" in result.stdout
    assert re.search(r"magnetic.b0 .* \+- .* uG", result.stdout)


@pytest.mark.parametrize("both", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_random_field_is_fitted(config, tmp_path, both):
    """To a map, or to a map and rotation measures."""
    field = "[random_field]\nshape = [4, 4, 3]\nrms = 0.5\nlength = [8, 8, 3]\n"
    path = config("" if both else '[[data]]\nname = "faraday"\nkind = "RM"\nsigma = 3.0\n')
    text = path.read_text().replace("[sample]", field + "[sample]")
    path.write_text(text.replace('"magnetic.', '"magnetic.parts.0.'))
    result = call("fit", path, "-o", tmp_path / "run", "--json", "--set", "fit.steps=3")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["parameters"]["magnetic.parts.1.latent"]["shape"][0] == 3


@pytest.mark.slow
def test_circular_polarisation_is_fitted(config, tmp_path):
    more = "[physics]\nself_absorption = true\n[sample]"
    path = config("[sample]", more)
    text = path.read_text().replace("frequency = 2.4", 'frequency = 0.4\nstokes = ["I", "V"]')
    path.write_text(text.replace("sigma = 0.0005", "sigma = 1e-6"))
    result = call("fit", path, "-o", tmp_path / "run", "--json", "--set", "fit.steps=8")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    pull = (record["parameters"]["magnetic.b0"] - 1.2) / record["errors"]["magnetic.b0"]
    assert record["good"] and abs(pull) < 5.0
    result = call("report", tmp_path / "run", "--predictive", 2, "-q")
    assert result.exit_code == 0, result.output
    assert "sky V, held out" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sigma = 3.0", "", "data.1.sigma is missing"),
        ("sigma = 3.0", "sigma = -3.0", "must be positive"),
        ("frequency = 2.4", "", "data.0.frequency is missing"),
        ("steps = 6", "steps = 6\nfrequency = 3", "write it before the first one"),
        ("sigma = 3.0", 'sigma = "3 uK"', "must be a number in rad m-2"),
        (
            "frequency = 2.4",
            'frequency = 2.4\nstokes = ["V"]',
            "set physics.self_absorption = true",
        ),
        ("held_out = 0.25", "held_out = 1.5", "must be less than 1"),
        ('name = "sky"', 'name = "faraday"', "not all different"),
        ('name = "sky"', 'name = "the sky"', "must be letters, digits and _"),
        ('name = "sky"', 'name = "sky"\nfile = "none.fits"', "there is no such file"),
        ("uniform = [0, 10]", "unifrom = [0, 10]", "did you mean 'uniform'?"),
        ("uniform = [0, 10]", "uniform = [10, 0]", "the first must be less"),
        ("uniform = [0, 10]", "lognormal = [-1, 1]", "the first must be positive"),
        ('"magnetic.b0"', '"magnetic.b9"', "b9"),
        ('method = "hmc"', 'method = "hcm"', "did you mean 'hmc'?"),
        ("chains = 2", "chain = 2", "unknown key 'chain' in [sample]"),
        ("[sample]", "[random_field]\nrms = 1.0\n[sample]", "random_field.shape is missing"),
        ("nside = 2", "nside = 3\nordering = 'NEST'", "power of two"),
    ],
)
def test_bad_configurations_are_refused_in_one_sentence(config, tmp_path, old, new, message):
    sentence = refused("sample", config(old, new), "--output", tmp_path / "run")
    assert sentence.startswith("error: ") and message in sentence


def test_without_data_or_priors_there_is_nothing_to_do(config, tmp_path):
    path = tmp_path / "empty.toml"
    path.write_text("[sightlines]\nnside = 2\n")
    assert "there are no data" in refused("fit", path)
    path.write_text(CONFIG.split("[priors]")[0])
    assert "nothing is free" in refused("fit", path)
    assert "does not exist" in refused("fit", tmp_path / "nowhere.toml")


def test_a_fits_file_says_its_frequency_and_noise_has_a_unit(config, tmp_path):
    from synax.cli import _inference_config

    pixels = np.arange(48.0)
    map_of = lambda nu, values: synax.SkyMap(values, "QU", 2, frequency=nu)
    map_of(2.3, np.stack([pixels, -pixels])).save(tmp_path / "one.fits")
    both = np.stack([pixels, -pixels])[:, None].repeat(2, axis=1)
    map_of((2.3, 2.4), both).save(tmp_path / "two.fits")
    load = lambda change: _inference_config.load(config(*change), [])["data"][0]
    found = load(("frequency = 2.4\nsigma = 0.0005", 'file = "one.fits"\nsigma = "0.5 mK"'))
    assert (found["frequency"], found["sigma"]) == (2.3, 5e-4)
    for file, message in (
        ("two.fits", "has 2.3, 2.4"),
        ("none.fits", "there is no such file"),
        ("one.npz", "frequency is missing: Stokes parameters need one"),
    ):
        path = config("frequency = 2.4", f'file = "{file}"')
        assert message in refused("fit", path, "-o", tmp_path / "run")


def test_what_is_no_run_is_refused(config, tmp_path):
    assert "it has no configuration.json" in refused("report", tmp_path)
    assert "there is no such folder" in refused("report", tmp_path / "none")
    (tmp_path / "python").mkdir()
    identity = {"kind": "sample", "fingerprints": {}, "settings": {}}
    (tmp_path / "python" / "run.json").write_text(json.dumps(identity))
    assert "keeps no configuration" in refused("report", tmp_path / "python")
    told = call("info", tmp_path / "python", "--json")
    assert json.loads(told.stdout)["holds"] == "folder of a run from Python"
    assert "holds no run to resume" in refused("fit", config(), "--resume", "-o", tmp_path / "new")
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in refused("fit", config(), "-o", tmp_path / "file")

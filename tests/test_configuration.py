"""One schema for the command line: every bad value is one sentence, every key is documented."""

import json
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

import synax
from synax.cli import _build, _config, _inference_config, _schema, _values as v, app
from synax.cli._console import BadInput
from synax.cli._simulate import _warn_of_error, file_names
from synax.io import load_grid, save_grid
from synax.io._toml import toml_comment, toml_document, toml_value

PROBLEM = """
[[data]]
sigma = 1
frequency = 1
[priors]
"magnetic.b0" = { uniform = [0, 9] }
"""


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(*arguments):
    """Run what must be refused at once; returns the one sentence."""
    result = call(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    lines = result.stderr.splitlines()
    assert len([line for line in lines if "error:" in line]) == 1 and lines[0].startswith("error:")
    return " ".join(result.stderr.split())


@pytest.fixture
def problem(tmp_path):
    """A small configuration of a fit, from text that stands before it."""

    def write(head="", tail=""):
        path = tmp_path / "fit.toml"
        path.write_text(head + PROBLEM + tail, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("output=5", "output = 5: must be a table"),
        ("frequency=" + "1" * 400, "must be finite"),
        ("magnetic.b0=" + "1" * 5000, "has too many digits"),
        ("magnetic.b0=[[1, 2], [3]]", "must have rows of one length"),
        ("magnetic.b0=" + "[" * 3000, "too many brackets"),
        ("magnetic.b0=" + "[" * 20 + "1" + "]" * 20, "must not have more than 8 brackets"),
        ("magnetic.b0=inf", "must be finite"),
        ('magnetic.model="a\\nb"', "must not hold line feeds"),
        ('output.directory="a\\u0000b"', "must not hold line feeds or control"),
        ('output.directory="~nobody-of-this-name/x"', "no such home folder"),
        ("domain=3", "domain = 3: must be a table"),
        ("sightlines.pixels=[]", "must hold at least one pixel"),
        ("sightlines.pixels=true", "must be a whole number"),
        ("integration.steps=1e9", "must be a whole number"),
        ("data.sigma=1", "'data' is for synax fit and synax sample"),
        ("cosmic_rays.spectral_index=0.3", "spectral_index must be greater than"),
        ("cosmic_rays.spectral_index=0.3333333333333333", "spectral_index must be greater than"),
        ("magnetic.psi0=1 kpc", "must be a number in rad"),
        ("=5", "must be KEY=VALUE"),
        ("a..b=5", "must be KEY=VALUE"),
        ("a\nb=5", "must be KEY=VALUE"),
    ],
)
def test_hostile_settings(tmp_path, setting, words):
    assert words in refused("simulate", "-o", tmp_path / "out", "--set", setting)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["no", "False", "'false'", "[0]", "{ a = 1 }", "0", "1", "1.0"])
@pytest.mark.parametrize("model", ["Jaffe13", "UF23", "JF12"])
def test_switches_are_true_or_false(value, model):
    name = {"Jaffe13": "ring", "UF23": "disk", "JF12": "toroidal"}[model]
    setting = _config.parse_set(f"magnetic.{name}={value}")
    part = {"model": model, name: setting.value}
    with pytest.raises(BadInput, match=rf"magnetic\.{name} = .*: must be true or false"):
        _build.build_field("magnetic", [part], 0)


def test_switches_of_other_kinds():
    for part, words in (
        ({"model": "UF23", "variant": 5}, "must be a non-empty string"),
        ({"model": "UF23", "variant": "nothing"}, "variant"),
        (
            {"model": "GaussianRandom", "box": {"half_lengths": [1, 1, 1]}, "shape": [4, 4, 4.5]},
            r"shape\[2\] = 4.5: must be a whole number",
        ),
        (
            {"model": "GaussianRandom", "box": {"half_lengths": [1, 1, 1]}, "shape": [10**5] * 3},
            "GB of memory",
        ),
    ):
        with pytest.raises(BadInput, match=words):
            _build.build_field("magnetic", [part], 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nside", "0"], "error: --nside: sightlines.nside = 0"),
        (["--frequency", "-3"], "error: --frequency: frequency = -3.0"),
        (["--magnetic", "WMPA"], "error: --magnetic: magnetic.model = 'WMPA'"),
        (["--unit", "K"], "error: --unit: output.unit = 'K'"),
        (["--outputs", "I"], "error: --outputs: outputs = 'I'"),
        (["--steps", "0"], "error: --steps: integration.steps"),
        (["--seed", "-1"], "error: --seed: seed = -1"),
        (["--precision", "half"], "error: --precision: integration.precision"),
        (["--nside", "8192", "--electrons", "Uniform"], "148 GB"),
    ],
)
def test_a_flag_is_named(tmp_path, arguments, words, monkeypatch):
    monkeypatch.setattr("synax._checks.memory_limit", lambda: 64e9)
    assert words in refused("simulate", "-o", tmp_path / "out", *arguments)


def test_files_that_are_no_configuration(tmp_path):
    assert "not a regular file" in refused("simulate", "/dev/zero")
    assert "is a folder" in refused("simulate", tmp_path)
    (tmp_path / "big.toml").write_bytes(b"#" * 17_000_000)
    assert "larger than 16 MB" in refused("simulate", tmp_path / "big.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    assert "not valid TOML" in refused("simulate", tmp_path / "latin.toml")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000)
    assert "too many brackets" in refused("simulate", tmp_path / "deep.toml")
    (tmp_path / "long.toml").write_text("seed = " + "1" * 5000)
    assert "not valid TOML" in refused("simulate", tmp_path / "long.toml")
    (tmp_path / "a\nb.toml").write_text("[")
    assert "\\nb.toml" in refused("simulate", tmp_path / "a\nb.toml")


def test_marks_of_byte_order_and_home_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "c.toml").write_text(
        '\ufeffseed = 3\n[magnetic]\ngrid = "~/b.npz"\n[output]\ndirectory = "~/out"\n'
    )
    found = _config.load(tmp_path / "c.toml", [])
    assert found["seed"] == 3
    assert found["magnetic"][0]["grid"] == str(tmp_path / "b.npz")
    assert found["output"]["directory"] == str(tmp_path / "out")
    override = _config.parse_set("output.directory=~/other")
    assert _config.load(None, [override])["output"]["directory"] == str(tmp_path / "other")


def test_the_calibrated_galaxy_is_the_sky_where_no_model_is_named(tmp_path):
    bare = _config.load(None, [])
    assert bare["galaxy"] == "calibrated" and "magnetic" not in bare
    assert _config.load(None, [_config.parse_set("galaxy=wmap")])["galaxy"] == "wmap"
    (tmp_path / "printed.toml").write_text(call("simulate", "--print-config").stdout)
    assert _config.load(tmp_path / "printed.toml", []) == bare
    (tmp_path / "mine.toml").write_text('[electrons]\nmodel = "TwoDisc"\n')
    for path, change in ((None, "magnetic.b0=2.0"), (tmp_path / "mine.toml", "seed=3")):
        named = _config.load(path, [_config.parse_set(change)])
        assert "galaxy" not in named and len(named["cosmic_rays"]) == 1


def test_every_key_is_printed_with_its_meaning():
    for verb in ("rm", "distance", "simulate", "fit", "sample"):
        text = call(verb, "--print-config").stdout
        tomllib.loads(text)
        unused = _schema.UNUSED.get(verb, ())
        tables = [s for name, s in _schema.VERBS[verb].items() if name not in unused]
        sections = [_schema.top(verb), *tables]
        for name, key in (pair for section in sections for pair in section.items()):
            assert name in unused or any(
                line.removeprefix("# ").startswith(f"{name} =") and line.endswith(f"# {key.doc}")
                for line in text.splitlines()
            ), name
    assert "[[data]]" in text and "[priors]" in text and "[start]" in text
    help_text = call("fit", "--help").stdout
    assert "with  and" not in help_text and "--print-config" in help_text


def test_the_commented_examples_are_valid(tmp_path):
    text = call("fit", "--print-config").stdout
    lines = [line.removeprefix("# ") for line in text.splitlines() if " = " in line or "[" in line]
    lines = [line for line in lines if not line.startswith(("A model", "b0", "unit =", "[[mag"))]
    lines = [line for line in lines if line.partition(" ")[0] not in ("radius", "pixels", "galaxy")]
    (tmp_path / "all.toml").write_text("\n".join(lines))
    found = _inference_config.load(tmp_path / "all.toml", [])
    assert found["data"][0]["columns"] == {"I": "T"} and found["start"] == {"magnetic.b0": 2.0}
    assert found["random_field"]["shape"] == [48, 48, 12]


def test_the_schema_for_editors_knows_models_and_bounds():
    schema = json.loads(call("fit", "--print-schema").stdout)
    tables = schema["properties"]
    assert set(tables) == set(_schema.top_level("fit"))
    assert tables["sample"]["properties"]["chains"]["minimum"] == 1
    assert tables["integration"]["properties"]["quadrature"]["enum"] == ["gauss", "midpoint"]
    table = tables["magnetic"]["anyOf"][0]
    assert "JF12.hammurabi" in table["properties"]["model"]["enum"]
    wmap = next(c for c in table["allOf"] if "WMAP" in c["if"]["properties"]["model"]["enum"])
    assert "pitch" in wmap["then"]["properties"]["psi0"]["description"]
    simulation = json.loads(call("simulate", "--print-schema").stdout)
    assert "priors" not in simulation["properties"]


def test_settings_reach_every_table(problem):
    changes = [
        'priors."magnetic.psi0"={ normal = [0, 1] }',
        "priors.magnetic.chi0={ normal = [0, 1] }",
        "data.sigma=3",
        "data.0.name=sky",
        "start.magnetic.b0=2",
        "fit.steps=7",
        "run.every_minutes=2",
        "random_field.shape=[4, 4, 4]",
    ]
    found = _inference_config.load(problem(), [_config.parse_set(s) for s in changes])
    assert list(found["priors"]) == ["magnetic.b0", "magnetic.psi0", "magnetic.chi0"]
    assert (found["data"][0]["sigma"], found["data"][0]["name"]) == (3.0, "sky")
    assert found["start"] == {"magnetic.b0": 2.0} and found["fit"]["steps"] == 7
    assert found["random_field"]["shape"] == [4, 4, 4]
    again = _inference_config.load(
        problem(), [_config.parse_set(s) for s in ("data.0.name=sky", "data.sky.sigma=4")]
    )
    assert again["data"][0]["sigma"] == 4.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("run=5", "run = 5: must be a table"),
        ("sample.chains=1000000000", "at most 100000"),
        ("sample.draws=1e3", "must be a whole number"),
        ("random_field.shape=[4, 4, 4.5]", r"shape\[2\] = 4.5: must be a whole number"),
        ("random_field.rms=1", "random_field.shape is missing"),
        ("data.1.sigma=3", "say which of the data"),
        ("data.held_out=1", "must be less than 1"),
        ("start.magnetic.b0=30", "lies outside its prior, uniform = .0, 9."),
        ("start.magnetic.psi0=0", "is not free; the parameters with a prior are magnetic.b0"),
        ("priors.magnetic.b0=3", "must be one of uniform"),
        ("priors.magnetic.b0={ uniform = [3, 2] }", "the first must be less"),
        ("fit.step=3", "known are optimizer, rate, steps, tolerance, patience"),
        ("smaple.draws=3", "start; did you mean 'sample'"),
    ],
)
def test_bad_settings_of_a_fit(problem, change, words):
    with pytest.raises(BadInput, match=words):
        _inference_config.load(problem(), [_config.parse_set(change)])


def test_draws_that_no_memory_holds(problem, monkeypatch):
    monkeypatch.setattr("synax._checks.memory_limit", lambda: 64e9)
    changes = [_config.parse_set(s) for s in ("sample.chains=100000", "sample.draws=1000000")]
    with pytest.raises(BadInput, match="800 GB"):
        _inference_config.load(problem(), changes)


def test_frequencies_never_share_a_name():
    close = [1.4, 1.4000001, 1.40000000001, 23.0, 1e-3, 0.001000001]
    tree = _config.load(None, [_config.Override("--set", "frequency", close)])
    names = file_names(tree)
    stokes = [file for kind, file in names.items() if kind.startswith("stokes")]
    assert len(set(stokes)) == len(close) and "stokes_23GHz.fits" in stokes
    same = [0.1, 0.10000000000000002]
    with pytest.raises(BadInput, match=r"names a frequency twice, 0\.1 GHz"):
        _config.load(None, [_config.Override("--set", "frequency", same)])


def test_the_rounding_of_a_frequency_is_in_no_name(tmp_path):
    rounded = 0.06 * (1.0 + 2.0**-52)
    assert rounded != 0.06
    names = file_names(_config.load(None, [_config.Override("--set", "frequency", rounded)]))
    assert "stokes_0.06GHz.fits" in names.values() and "stokes 0.06 GHz" in names
    sky = synax.SkyMap(np.ones((3, 1, 12)), "IQU", 1, frequency=(rounded,))
    synax.io.save_map(tmp_path / "a.fits", sky)
    with fits.open(tmp_path / "a.fits") as file:
        assert file[1].header["EXTNAME"] == "IQU 0.06 GHz"
    assert synax.load_map(tmp_path / "a.fits").frequency in (rounded, (rounded,))


def test_grids_are_converted_or_refused(tmp_path):
    box = synax.Box((30.0, 30.0, 30.0))
    expected = {"uG": 1.0, "G": 1e6, "nT": 10.0, "T": 1e10}
    for unit, factor in expected.items():
        file = tmp_path / "b.npz"
        save_grid(file, synax.GridField(np.ones((3, 2, 2, 2)), box, unit=unit), overwrite=True)
        for field in (
            _build.build_field("magnetic", [{"grid": str(file)}], 0),
            load_grid(file),
        ):
            np.testing.assert_allclose(field.values, factor, rtol=1e-12)
            assert field.unit == "uG"
    file = tmp_path / "again.npz"
    for unit, rank, group, words in (
        ("kpc", 3, "magnetic", "cannot convert unit 'kpc' to 'uG'"),
        ("uG", 1, "magnetic", "cannot be used: magnetic must be a vector field"),
        ("m-3", 3, "electrons", "must be a scalar field"),
        ("", 3, "magnetic", "no unit: say it beside the grid, as in unit = 'uG'"),
    ):
        values = np.ones((3, 2, 2, 2)[-rank if rank == 1 else 0 :] if rank == 3 else (2, 2, 2))
        save_grid(file, synax.GridField(values, box, unit=unit), overwrite=True)
        with pytest.raises(BadInput, match=words):
            _build.build_field(group, [{"grid": str(file)}], 0)
    save_grid(file, synax.GridField(np.ones((2, 2, 2)), box, unit=""), overwrite=True)
    told = _build.build_field("electrons", [{"grid": str(file), "unit": "m-3"}], 0)
    np.testing.assert_allclose(told.values, 1e-6, rtol=1e-12)
    np.testing.assert_allclose(load_grid(file, unit="cm-3").values, 1.0)
    save_grid(file, synax.GridField(np.ones((2, 2, 2)), box, unit="m-3"), overwrite=True)
    with pytest.raises(BadInput, match="contradicts"):
        _build.build_field("electrons", [{"grid": str(file), "unit": "cm-3"}], 0)


# whatever is given: success, or one sentence

SHORT = st.text(max_size=12)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    SHORT,
    st.sampled_from(["1 kpc", "3 uG", "nan", "true", "[", "~", "a.b", "\n", "K_RJ", "WMAP"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted(
    {
        *_schema.top_level("fit"),
        *(f"{t}.{k}" for t, keys in _schema.VERBS["fit"].items() for k in keys),
        *(f"data.{k}" for k in _schema.DATA),
        *(f"magnetic.{k}" for k in (*_schema.MODEL, "b0", "psi0", "0", "parts")),
        "priors.magnetic.b0",
        "start.magnetic.b0",
    }
)
QUICK = settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def only_refused(function):
    """Run it; a refusal must be one printable sentence, and no other error may come."""
    try:
        return function()
    except BadInput as error:
        assert str(error).strip()
        return None


def any_value(path, key, value):
    only_refused(lambda: _config.load(None, [_config.Override("--set", key, value)]))
    only_refused(lambda: _inference_config.load(path, [_config.Override("--set", key, value)]))


def any_text(text):
    found = only_refused(lambda: _config.parse_set(text))
    if found is not None:
        only_refused(lambda: _config.load(None, [found]))


@QUICK
@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_of_any_key(problem, key, value):
    any_value(problem(), key, value)


@QUICK
@given(text=st.text(max_size=30) | st.sampled_from(KEYS).map(lambda k: f"{k}=[1, {{"))
def test_any_text_of_a_setting(text):
    any_text(text)


@QUICK
@given(raw=st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8")))
def test_any_file(tmp_path, raw):
    (tmp_path / "any.toml").write_bytes(raw)
    only_refused(lambda: _config.load(tmp_path / "any.toml", []))
    only_refused(lambda: _inference_config.load(tmp_path / "any.toml", []))


@QUICK
@given(value=VALUES, entry=st.sampled_from(["b0", "psi0", "scale", "rotate", "shift", "x"]))
def test_any_parameter_of_a_model(value, entry):
    only_refused(lambda: _build.build_field("magnetic", [{"model": "WMAP", entry: value}], 0))


@QUICK
@given(comment=st.text(max_size=40), text=st.text(max_size=40), key=st.text(max_size=10))
def test_nothing_leaves_a_comment_or_a_string(comment, text, key):
    document = toml_document({"top": text, "table": {key: [text, 1.5, True]}}, [comment])
    found = tomllib.loads(document)
    assert set(found) == {"top", "table"} and set(found["table"]) <= {key, key.encode(
        "utf-8", "replace").decode()}  # fmt: skip
    assert tomllib.loads(toml_comment(comment)) == {}
    assert tomllib.loads(f"x = {toml_value(text)}")["x"] == text.encode(
        "utf-8", "replace").decode()  # fmt: skip


def damage(raw: bytes, cuts: list[tuple[int, int]]) -> bytes:
    """Bytes replaced at some places (a fraction of the length in thousandths, and the new byte)."""
    found = bytearray(raw)
    for place, byte in cuts:
        found[place * len(found) // 1000] = byte
    return bytes(found)


def any_grid(folder: Path, ending: str, cuts: list[tuple[int, int]], length: int) -> None:
    whole = folder / f"whole{ending}"
    if not whole.exists():
        save_grid(whole, synax.GridField(np.ones((3, 2, 3, 2)), synax.Box((1.0, 1.0, 1.0))))
    raw = damage(whole.read_bytes(), cuts)
    bad = folder / f"bad{ending}"
    bad.write_bytes(raw[: length * len(raw) // 1000])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = load_grid(bad)
        except (ValueError, FileNotFoundError) as error:
            assert bad.name in str(error)
        else:
            assert np.isfinite(found.values).all()


CUTS = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), min_size=1, max_size=4)


@pytest.mark.parametrize("ending", [".npz", ".h5", ".fits", ".vti", ".vtk"])
@settings(QUICK, max_examples=25)
@given(cuts=CUTS, length=st.integers(500, 1000))
def test_any_damage_of_a_grid(tmp_path, ending, cuts, length):
    any_grid(tmp_path, ending, cuts, length)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".npz", ".h5", ".fits", ".vti", ".vtk"])
@settings(QUICK, max_examples=1000)
@given(cuts=CUTS, length=st.integers(0, 1000))
def test_much_damage_of_a_grid(tmp_path, ending, cuts, length):
    any_grid(tmp_path, ending, cuts, length)


@pytest.mark.slow
@settings(QUICK, max_examples=3000)
@given(key=st.sampled_from(KEYS), value=VALUES)
def test_many_values_of_any_key(problem, key, value):
    any_value(problem(), key, value)


@pytest.mark.slow
@settings(QUICK, max_examples=3000)
@given(text=st.text(max_size=60))
def test_many_texts_of_a_setting(text):
    any_text(text)


def test_readers_know_their_schema():
    for section in (_schema.TOP, _schema.DATA, *_schema.VERBS["fit"].values()):
        for name, key in section.items():
            assert json.dumps(key.reader.json()), name
    assert v.quantity("", minimum=0.0, below=1.0).json()["anyOf"][0]["exclusiveMaximum"] == 1.0


def test_an_observer_who_sees_nothing_is_refused(tmp_path):
    message = refused("simulate", "-o", tmp_path / "out", "--set", "sightlines.observer=[0, 0, 9]")
    assert "lies outside the domain" in message and not (tmp_path / "out").exists()


def test_a_poor_integration_is_warned_of():
    error = {"outputs": {"RM": {"relative_rms": 0.69}, "DM": {"relative_rms": 0.0}}}
    error |= {"steps": 4, "reliable": False}
    match = r"69 % of the rms \(RM\): 4 steps are too few.* above 5 % is not reliable"
    with pytest.warns(synax.SynaxWarning, match=match):
        _warn_of_error(error)


@pytest.mark.parametrize("domain", ["half_lengths=[9,9,2]", "radius=9"])
def test_sightlines_that_start_beyond_the_domain(tmp_path, domain):
    out = tmp_path / "out"
    given = ["--set", f"domain.{domain}", "--set", "sightlines.minimum_distance='20 kpc'"]
    result = CliRunner().invoke(app, ["simulate", "--nside", "1", *given, "-o", str(out)])
    assert result.exit_code == 2 and not out.exists()
    assert "no sightline reaches so far, the domain ends 1" in " ".join(result.stderr.split())

"""The command line: every verb, every kind of bad input, nothing overwritten."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import healpy
import jax.numpy as jnp
import numpy as np
import pytest
import typer
from astropy.io import fits
from astropy.table import Table
from rich.text import Text
from run_cli import call, refused

import synax
from synax import _catalogue
from synax.cli import _config, _run, _schema, app
from synax.io import load_map, save_grid, save_map

QUICK = ["--nside", "2", "--steps", "8", "--electrons", "Uniform", "--frequency", "2.4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The output of one small simulation."""
    out = tmp_path_factory.mktemp("run") / "deep" / "out"
    result = call("simulate", *QUICK, "--frequency", "23", "--set", "magnetic.b0=2.0", "-o", out)
    assert result.exit_code == 0, result.output
    assert "written to" in result.stdout
    return out


def test_simulate_writes_what_it_says(folder):
    names = {path.name for path in folder.iterdir()}
    stokes = {"stokes_2.4GHz.fits", "stokes_23GHz.fits"}
    assert names == {*stokes, "RM.fits", "DM.fits", "sky.png", "record.json"}
    sky = load_map(folder / "stokes_23GHz.fits")
    assert (sky.kind, sky.nside, sky.unit, sky.frequency) == ("IQU", 2, "K_RJ", 23.0)
    assert healpy.read_map(folder / "RM.fits").shape == (48,)


def test_simulate_gives_the_numbers_of_the_library(folder):
    rays = synax.Sightlines.healpix(2)
    magnetic, electrons = synax.magnetic.WMAP(b0=2.0), synax.electrons.Uniform()
    sky = synax.Synchrotron(magnetic, electrons, synax.cosmic_rays.WMAP(), steps=8)
    stokes = sky(rays, jnp.asarray([2.4, 23.0]))
    for k, name in enumerate(("stokes_2.4GHz.fits", "stokes_23GHz.fits")):
        written = load_map(folder / name)
        for letter in "IQU":
            expected = getattr(stokes, letter)[k]
            scale = float(jnp.max(jnp.abs(expected)))
            np.testing.assert_allclose(getattr(written, letter), expected, atol=1e-11 * scale)
    rm = synax.RotationMeasure(magnetic, electrons, steps=8)(rays)
    np.testing.assert_allclose(load_map(folder / "RM.fits").values, rm, rtol=1e-10, atol=1e-9)
    dm = synax.DispersionMeasure(electrons, steps=8)(rays)
    np.testing.assert_allclose(load_map(folder / "DM.fits").values, dm, rtol=1e-10)
    together = sky.observe(rays, 2.4)
    np.testing.assert_allclose(together.emission_measure, dm * 0.01, rtol=1e-10)


def test_the_record_tells_everything(folder):
    record = json.loads((folder / "record.json").read_text())
    assert record["kind"] == "simulation"
    assert set(record["files"].values()) == {p.name for p in folder.iterdir()}
    assert record["models"]["magnetic"]["b0"] == 2.0
    assert record["models"]["electrons"]["class"] == "Uniform"
    assert record["configuration"]["integration"]["steps"] == 8
    assert record["versions"]["jax"] and record["timings_s"]["total"] > 0
    errors = record["error_estimate"]
    assert (errors["steps"], errors["against_steps"]) == (8, 16)
    assert 0 < errors["outputs"]["I 23 GHz"]["relative_rms"] < 0.1
    worst = max(found["relative_rms"] for found in errors["outputs"].values())
    assert errors["reliable"] == (worst <= 0.05) and "too few" in errors["note"]
    assert (folder / "sky.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_overwritten_unless_asked(folder):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    message = refused("simulate", *QUICK, "--frequency", "23", "-o", folder)
    assert "already holds" in message and "--overwrite" in message
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("magnetc.b0=1", "did you mean 'magnetic'"),
        ("magnetic.b=1", "WMAP has b0, psi0"),
        ("magnetic.b0=[1, 2]", "must be one number in uG"),
        ("magnetic.b0=1 kpc", "must be a number in uG, such as '1.5 uG'"),
        ("magnetic.b0=nan", "must be finite"),
        ("magnetic.b0=true", "must be a number in uG"),
        ("magnetic.0.b0=1", "WMAP has b0, psi0"),
        ("frequency.x=1", "holds no further keys"),
        ("magnetic.model=WMPA", "did you mean 'WMAP'"),
        ("magnetic.class=none.py:Ring", "'none.py': there is no such file"),
        ("magnetic.class=Ring", "must be 'FILE.py:ClassName'"),
        ("magnetic.grid=none.npz", "there is no such file"),
        ("magnetic.model=PowerLaw", "must be one of"),
        ("magnetic.model=GaussianRandom", "magnetic.box is missing"),
        ("electrons.model=WMAP", "electrons.model = 'WMAP': must be one of"),
        ("cosmic_rays.spectral_index=two", "cosmic_rays.spectral_index = 'two'"),
        ("sightlines.nside=0", "must be at least 1"),
        ("sightlines.nside=2.5", "must be a whole number"),
        ("sightlines.pixels=[999999]", "at nside 64 pixels are numbered 0 to 49151"),
        ("sightlines.pixels=none.fits", "there is no such file"),
        ("sightlines.observer=[1, 2]", "must be a list of 3 numbers in kpc"),
        ("integration.steps=0", "must be at least 1"),
        ("integration.precision=double", "must be one of float64, float32"),
        ("domain.half_lengths=[1, 2, -3]", "must be positive in kpc"),
        ("domain.shape=sphere", "domain.radius is missing"),
        ("frequency=-1", "must be positive in GHz"),
        ("frequency=3 kpc", "must be a number in GHz"),
        ("frequency=[1, 1]", "twice"),
        ("outputs=stoke", "did you mean 'stokes'"),
        ("output.unit=K", "must be one of K_RJ"),
        ("output.convention=iau", "did you mean 'IAU'"),
        ("output.overwrite=1", "must be true or false"),
        ("output.directory=/proc/nothing", "not writable"),
        ("seed=-1", "must be at least 0"),
        ("b0", "must be KEY=VALUE"),
    ],
)
def test_bad_settings_are_refused_with_one_sentence(tmp_path, setting, words):
    message = refused("simulate", "-o", tmp_path / "out", "--set", setting)
    assert words in message, message
    assert setting.partition("=")[0].split(".")[0] in message
    assert not (tmp_path / "out").exists()


def test_bad_configuration_files(tmp_path):
    assert "does not exist" in refused("simulate", tmp_path / "no.toml")
    (tmp_path / "a.toml").write_text("frequency = [")
    assert "not valid TOML" in refused("simulate", tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text('[magnetic]\nmodel = "WMAP"\ngrid = "x.npz"\n')
    assert "exactly one of model, class, grid" in refused("simulate", tmp_path / "b.toml")
    (tmp_path / "c.toml").write_text('[integration]\nspacing = "uniform"\nscale = 2.0\n')
    assert "only with integration.spacing" in refused("simulate", tmp_path / "c.toml")
    (tmp_path / "broken.py").write_text("raise RuntimeError('boom')\n")
    leaving = tmp_path / "leaving.py"
    leaving.write_text("import sys\n\nsys.exit(0)\n")  # a script that ends itself ends no program
    leaves = f"magnetic.class={leaving}:Ring"
    assert "it ends the program" in refused("simulate", "--set", leaves, "-o", tmp_path / "out")
    broken = f"magnetic.class={tmp_path / 'broken.py'}:Ring"
    assert "boom" in refused("simulate", "--set", broken, "-o", tmp_path / "out")
    (tmp_path / "scalar.py").write_text(
        "import synax\nclass Ring(synax.AbstractScalarField):\n"
        "    def __call__(self, position):\n        return position[0]\n"
    )
    scalar = f"magnetic.class={tmp_path / 'scalar.py'}:Ring"
    message = refused("simulate", "--set", scalar, "-o", tmp_path / "out")
    assert "must be a vector field" in message
    other = f"magnetic.class={tmp_path / 'scalar.py'}:Rings"
    assert "it has Ring" in refused("simulate", "--set", other, "-o", tmp_path / "out")


def test_runtime_failures_have_code_one(tmp_path, monkeypatch):
    def fail(*args):
        raise MemoryError("out of memory")

    monkeypatch.setattr(_run, "compute", fail)
    result = call("simulate", *QUICK, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "MemoryError: out of memory" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_the_printed_configuration_is_the_default(tmp_path):
    text = call("simulate", "--print-config").stdout
    (tmp_path / "default.toml").write_text(text)
    assert _config.load(tmp_path / "default.toml", []) == _config.load(None, [])


def test_models_lists_every_model():
    listed = json.loads(call("models", "--json").stdout)
    found = {(m["group"], m["name"]) for m in listed}
    assert {("magnetic", "WMAP"), ("electrons", "YMW16"), ("cosmic_rays", "WMAP")} <= found
    assert found == {(e.group, e.name) for e in _catalogue.models()}
    b0 = next(m for m in listed if m["group"] == "magnetic" and m["name"] == "WMAP")["parameters"][
        0
    ]
    assert (b0["name"], b0["unit"], b0["default"]) == ("b0", "uG", 1.2)
    sheet = call("models", "magnetic.WMAP").stdout
    assert "Page et al. 2007" in sheet and "pitch angle at 8 kpc" in " ".join(sheet.split())
    assert "YMW16" in call("models", "electrons").stdout
    assert "did you mean 'JF12'" in refused("models", "JF12x")


def test_every_default_model_builds_and_is_complete():
    for entry in _catalogue.models():
        assert entry.summary and entry.info.paper, entry.name
        for parameter in entry.parameters:
            assert parameter.text, f"{entry.group}.{entry.name}.{parameter.name}"


def test_info_explains_maps_records_and_grids(folder, tmp_path):
    found = json.loads(call("info", folder / "stokes_23GHz.fits", "--json").stdout)
    assert (found["unit"], found["frequency_GHz"], found["convention"]) == ("K_RJ", 23.0, "COSMO")
    assert found["I"]["minimum"] > 0
    assert "record of a simulation" in call("info", folder / "record.json").stdout
    box = synax.Box((1.0, 1.0, 1.0))
    grid = synax.GridField.from_field(synax.electrons.Uniform(0.5), box, (2, 3, 4))
    save_grid(tmp_path / "ne.npz", grid)
    found = json.loads(call("info", tmp_path / "ne.npz", "--json").stdout)
    assert found["values"]["shape"] == [2, 3, 4] and found["values"]["maximum"] == 0.5
    (tmp_path / "x.json").write_text("{}")
    assert "not a record" in refused("info", tmp_path / "x.json")
    (tmp_path / "x.npz").write_text("nothing")
    assert "not a map, grid or record" in refused("info", tmp_path / "x.npz")
    assert "no such file" in refused("info", tmp_path / "nowhere")
    found = json.loads(call("info", folder / "sky.png", "--json").stdout)
    assert found["holds"] == "sky maps" and found["Software"].startswith("synax ")
    assert json.loads(call("info", folder, "--json").stdout)["holds"] == "folder of a simulation"
    (tmp_path / "a.toml").write_text("frequency = 3.0\n")
    found = json.loads(call("info", tmp_path / "a.toml", "--json").stdout)
    assert found["frequency"] == [3.0] and found["galaxy"] == "calibrated"
    for name, text in (("x.html", "<p>"), ("x.png", "no"), ("x.nc", "no"), ("x.jsonl", "no")):
        (tmp_path / name).write_text(text)
        assert "FILE = " in refused("info", tmp_path / name)


def test_convert_maps_and_grids(folder, tmp_path):
    source, target = folder / "stokes_23GHz.fits", tmp_path / "k.fits"
    flags = ["--unit", "uKcmb", "--convention", "IAU", "--ordering", "NEST", "--nside", "1"]
    assert call("convert", source, target, *flags, "--quiet").stdout == ""
    made = load_map(target)
    assert (made.unit, made.ordering, made.nside) == ("uK_CMB", "NEST", 1)
    expected = load_map(source).to_unit("uK_CMB").degrade(1)
    np.testing.assert_allclose(made.to_ordering("RING").U, expected.U, rtol=1e-12)
    assert json.loads(call("info", target, "--json").stdout)["convention"] == "IAU"
    shown = call("convert", target, tmp_path / "healpy.fits").stdout
    assert "sign of U: COSMO" in shown
    signs = [healpy.read_map(path, field=2) for path in (target, tmp_path / "healpy.fits")]
    np.testing.assert_array_equal(signs[0], -signs[1])
    assert "exists" in refused("convert", source, target)
    assert "must be one of" in refused("convert", source, tmp_path / "b.fits", "--unit", "K")
    assert "must divide that of the map" in refused(
        "convert", source, tmp_path / "b.fits", "--nside", 64
    )
    save_map(tmp_path / "rm.fits", load_map(folder / "RM.fits"))
    assert "rad/m2" in refused("convert", tmp_path / "rm.fits", tmp_path / "b.fits", "--unit", "K")
    bare = np.arange(12.0)
    healpy.write_map(tmp_path / "bare.fits", bare, dtype=np.float64)
    assert "has unit ''" in refused("convert", tmp_path / "bare.fits", tmp_path / "b.fits")
    flags = ["--input-unit", "mK_RJ", "--frequency", "1", "--unit", "K_RJ", "--json"]
    result = call("convert", tmp_path / "bare.fits", tmp_path / "b.fits", *flags)
    assert json.loads(result.stdout)["I"]["maximum"] == pytest.approx(0.011)
    grid = synax.GridField.from_field(
        synax.electrons.Uniform(0.5), synax.Box((1.0, 1.0, 1.0)), (2, 3, 4)
    )
    save_grid(tmp_path / "ne.npz", grid)
    assert call("convert", tmp_path / "ne.npz", tmp_path / "ne.fits").exit_code == 0
    assert fits.getdata(tmp_path / "ne.fits").size == 24
    assert "not a sky map" in refused(
        "convert", tmp_path / "ne.npz", tmp_path / "n.h5", "--unit", "K_RJ"
    )


def test_converting_keeps_the_precision_of_the_file(folder, tmp_path):
    source, target = folder / "stokes_23GHz.fits", tmp_path / "nest.fits"
    with _run.precision("float32"):  # as a program finds it that was just started
        result = call("convert", source, target, "--ordering", "NEST", "--json")
    assert json.loads(result.stdout)["precision"] == "float64"
    np.testing.assert_array_equal(load_map(target).to_ordering("RING").I, load_map(source).I)


def test_raw_grids_and_parameter_files(tmp_path):
    box = synax.Box((2.0, 2.0, 1.0))
    grid = synax.GridField.from_field(synax.magnetic.WMAP(), box, (3, 4, 2))
    save_grid(tmp_path / "b.bin", grid)
    assert json.loads(call("info", tmp_path / "b.bin", "--json").stdout)["nodes_of_a_vector"] == 24
    assert "give --shape" in refused("convert", tmp_path / "b.bin", tmp_path / "b.npz")
    command = re.search(
        "(synax convert .*) [(]kpc[)]",
        refused("simulate", "--set", f"magnetic.grid={tmp_path / 'b.bin'}", "-o", tmp_path / "out"),
    )
    assert command is not None
    words = shlex.split(command[1].replace("NX NY NZ", "3 4 2").replace("X Y Z", "3 3 3"))
    assert call(*words[1:]).exit_code == 0
    (tmp_path / "b.npz").unlink()
    header = ["--shape", 3, 4, 2, "--half-lengths", 2, 2, 1]
    assert call("convert", tmp_path / "b.bin", tmp_path / "b.vtk", *header).exit_code == 0
    again = synax.io.load_grid(tmp_path / "b.vtk")
    np.testing.assert_allclose(again.values, grid.values, rtol=1e-15)
    np.testing.assert_array_equal(again.box.half_lengths, box.half_lengths)
    assert "not a raw binary grid" in refused(
        "convert", tmp_path / "b.vtk", tmp_path / "b.npz", *header
    )
    xml = tmp_path / "h.xml"
    xml.write_text('<root><grid><observer><x value="-8.3"/></observer></grid></root>')
    made = call("convert", xml, tmp_path / "h.toml", "--json")
    assert json.loads(made.stdout)["holds"] == "configuration of synax simulate"
    assert "exists" in refused("convert", xml, tmp_path / "h.toml")
    assert call("convert", xml, tmp_path / "h.toml", "--overwrite").exit_code == 0
    assert "not a sky map" in refused("convert", xml, tmp_path / "i.toml", "--input-unit", "K_RJ")


def test_benchmark(tmp_path):
    result = call("benchmark", *"--nside 1 --steps 2 --repeat 1 --electrons Uniform --json".split())
    found = json.loads(result.stdout)
    (tmp_path / "speed.json").write_text(result.stdout)
    assert "record of a benchmark" in call("info", tmp_path / "speed.json").stdout
    assert found["points"] == 24
    assert found["value_and_gradient"]["points_per_s"] > 0
    assert "--nside = 0: must be at least 1" in refused("benchmark", "--nside", "0")


VERBS = typer.main.get_command(app).commands


def examples(verb):
    lines = (line.strip() for line in VERBS[verb].epilog.splitlines())
    return [line for line in lines if line.startswith("synax ")]


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_examples_that_can_be_parsed_and_its_modes(verb):
    text = call(verb, "--help").stdout
    assert f"synax {verb}" in text and "Example" in text
    assert "--json" in text and "--quiet" in text
    for part in (VERBS[verb], *VERBS[verb].params):  # "[view]" would be taken as markup, and eaten
        written = re.sub(r"\[/?(bold|dim|green|)\]", "", getattr(part, "help", None) or "")
        assert Text.from_markup(written).plain == written, (verb, part.name)
    mine = [line for line in examples(verb) if line.split()[1] == verb]
    assert mine
    for line in mine:
        arguments = [a for a in shlex.split(line.partition(">")[0])[2:]]
        VERBS[verb].make_context(verb, arguments)  # raises for unknown options


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::synax.ConvergenceWarning")  # twenty draws are too few
def test_the_examples_of_help_run(tmp_path, monkeypatch):
    """Each as it is written, with small sizes added; those of public data need them."""
    monkeypatch.chdir(tmp_path)
    Path("galaxy.toml").write_text(
        '[electrons]\nmodel = "Uniform"\n[sightlines]\nnside = 1\n[integration]\nsteps = 4\n'
        '[[data]]\nname = "sky"\nfrequency = 2.4\nsigma = 5e-4\n'
        '[priors]\n"magnetic.b0" = { uniform = [0, 10] }\n[fit]\nsteps = 5\n'
        "[sample]\nchains = 2\nwarmup = 10\ndraws = 10\nchunk = 10\n"
    )
    Path("hammurabi.xml").write_text("<root><grid></grid></root>")
    grid = synax.GridField.from_field(
        synax.magnetic.WMAP(), synax.Box((20.0, 20.0, 4.0)), (64, 64, 16)
    )
    save_grid("field.npz", grid)
    save_grid("b.bin", grid)
    healpy.write_map("planck.fits", np.ones(12 * 128**2), dtype=np.float64)
    small = ["--nside", "1", "--steps", "4", "--electrons", "Uniform", "--overwrite"]
    added = {"simulate": small, "benchmark": small[:-1], "sample": [], "fit": []}
    rows = "NAME,l,b,RAJ,DECJ,Dist,DM,RM\n"
    rows += "".join(f"x,{l},-5,05:34:31,22:00:52,2,50,{l}\n" for l in (30, 60, 90))
    for file in ("sources.csv", "pulsars.csv", "psrcat.csv"):
        Path(file).write_text(rows)
    for file in ("pulsars.fits", "pulsars.ecsv"):
        Table.read("pulsars.csv").write(file)
    Path("rms.csv").write_text(rows)
    synax.SkyMap(np.ones(48), "I", 2, frequency=1.4).save("my_map.fits")
    healpy.write_map("mask.fits", np.ones(12), dtype=np.float64)
    for verb in (*_schema.OF_SOURCES, "compare"):
        added[verb] = ["--steps", "4", "--overwrite"]
    for verb in (
        *_schema.OF_SOURCES,
        "simulate",
        "compare",
        "models",
        "info",
        "convert",
        "fit",
        "report",
        "sample",
        "benchmark",
    ):
        for line in examples(verb):
            if "--data" in line:
                continue
            command, _, target = line.partition(" > ")
            _, name, *arguments = shlex.split(command)
            more = [] if "--print-config" in arguments else added.get(name, [])
            if "--galaxy" in arguments or "my_galaxy.toml" in arguments:  # a Galaxy
                more = [m for m in more if m not in ("--electrons", "Uniform")]
            if name == "sample" and "--resume" not in arguments:
                shutil.rmtree("run")
            if name == "sample":
                more = [] if "sample.draws=2000" not in line else ["--set", "sample.draws=20"]
            if line == "synax info synax-run":
                arguments = ["synax-output"]
            result = call(name, *arguments, *more)
            assert result.exit_code == 0, f"{line}: {result.output}"
            if target:
                Path(target).write_text(result.stdout)


def test_the_program_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "synax", "simulate", "--set", "magnetic.b0=x"]
    environment = {**os.environ, "PYTHONPATH": str(Path(synax.__file__).parents[1])}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: magnetic.b0 = 'x': must be a number in uG")
    assert list(tmp_path.iterdir()) == []

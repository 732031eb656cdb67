"""Tables of pulsars and other sources: positions, predictions, the three verbs."""

import json
import sys
import threading

import astropy.units as u
import jax
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from typer.testing import CliRunner

import synax
from synax import catalogues
from synax._numerics._padding import padded_length, padded_parts
from synax.cli import app
from synax.sightlines._tables import positions

CRAB = SkyCoord("05h34m31.95s +22d00m52.2s")
BALL = synax.electrons.Uniform(0.02, 5.0, (-8.3, 0.0, 0.006))


@pytest.mark.parametrize(
    ("names", "frame"),
    [
        (("l", "b"), "galactic"),
        (("GLON", "GLAT"), "galactic"),
        (("RA", "Dec"), "icrs"),
        (("x", "y"), "fk4"),
        (("ELON", "ELAT"), "barycentricmeanecliptic"),
    ],
)
def test_positions_in_frames(names, frame):
    there = CRAB.transform_to(frame).spherical
    table = Table({names[0]: [there.lon.deg], names[1]: [there.lat.deg]})
    given = {"columns": {"lon": "x", "lat": "y"}, "frame": frame} if frame == "fk4" else {}
    found = positions(table, **given)
    np.testing.assert_allclose(found.l, CRAB.galactic.l.deg, atol=1e-8)
    np.testing.assert_allclose(found.b, CRAB.galactic.b.deg, atol=1e-8)


def test_positions_from_text_units_and_coordinates():
    wanted = [CRAB.galactic.l.deg]
    text = Table({"RAJ": ["05:34:31.95"], "DECJ": ["+22:00:52.2"]})
    np.testing.assert_allclose(positions(text).l, wanted, atol=1e-9)
    units = QTable({"l": [CRAB.galactic.l.rad] * u.rad, "b": [CRAB.galactic.b.rad] * u.rad})
    np.testing.assert_allclose(positions(units).l, wanted, atol=1e-9)
    far = QTable({"where": SkyCoord([CRAB.ra], [CRAB.dec], distance=[2000] * u.pc)})
    found = positions(far)
    np.testing.assert_allclose(found.l, wanted, atol=1e-9)
    np.testing.assert_allclose(found.distance, [2.0], rtol=1e-12)
    rays = synax.Sightlines.from_table(far)
    np.testing.assert_allclose(rays.distance, [2.0], rtol=1e-12)
    expected = synax.Sightlines.from_lonlat(CRAB.reshape(1))
    np.testing.assert_allclose(rays.direction, expected.direction, atol=1e-9)


@pytest.mark.parametrize(
    ("table", "given", "words"),
    [
        ({"l": [1.0], "dec": [2.0]}, {}, "no columns of a position"),
        ({"lon": [1.0], "lat": [2.0]}, {}, "frame is missing"),
        ({"l": [1.0], "b": [2.0]}, {"frame": "horizon"}, "frame must be one of"),
        ({"l": [1.0], "b": [2.0]}, {"distance": "dist"}, "there is no column 'dist'"),
        ({"l": [1.0], "b": [2.0]}, {"columns": {"x": "l"}}, "must be one of 'lon', 'lat'"),
        ({"l": [1.0], "b": [2.0]}, {"columns": {"lon": "l"}}, "both lon and lat"),
        ({"l": [1.0], "b": [2.0], "distance": [-1.0]}, {}, "must not be negative"),
        ({"l": [1.0], "b": [95.0]}, {}, "between -90 and 90"),
        ({"l": [1.0, np.nan], "b": [2.0, 0.0]}, {}, "row 1 first"),
        ({"l": ["here"], "b": ["there"]}, {}, "'l' must hold angles, got 'here' in row 0"),
        ({"l": ["1", "", "x"], "b": [1, 2, 3]}, {}, "must hold angles, got 'x' in row 2"),
        ({"l": [1, 2], "b": [9, -91]}, {}, "between -90 and 90 degrees, got -91 in row 1"),
        ({"l": [], "b": []}, {}, "at least one row"),
    ],
)
def test_tables_that_cannot_be_used(table, given, words):
    with pytest.raises(ValueError, match=words):
        synax.Sightlines.from_table(table, **given)


def test_a_distance_in_another_unit():
    table = QTable({"l": [1.0], "b": [2.0], "Dist": [500.0] * u.s})
    with pytest.raises(ValueError, match="'Dist' must be in kpc"):
        synax.Sightlines.from_table(table, distance="Dist")
    with pytest.raises(TypeError, match="pandas DataFrame"):
        synax.Sightlines.from_table([1.0, 2.0])


@pytest.fixture(scope="module")
def pulsars():
    return Table(
        {
            "name": ["near", "far", "nowhere", "beyond"],
            "l": [30.0, 120.0, 10.0, 200.0],
            "b": [-5.0, 2.0, 1.0, 40.0],
            "Dist": MaskedColumn([500.0, 3000.0, 1.0, 9e4], mask=[0, 0, 1, 0], unit="pc"),
        }
    )


def test_measures_of_a_catalogue_closed_form(pulsars):
    """A ball of constant density about the Sun in a constant field."""
    field = synax.magnetic.Uniform((1.0, 2.0, -0.5))
    with pytest.warns(synax.SynaxWarning) as told:
        found = catalogues.rotation_measure(pulsars, field, BALL, distance="Dist", steps=8)
    sentences = sorted(str(w.message) for w in told)
    assert "1 of 3 sources lie beyond the domain" in sentences[0]
    assert "1 of 4 rows have no position or no distance" in sentences[1]
    assert isinstance(found, QTable) and found["rm_model"].unit == u.rad / u.m**2
    assert found.colnames[:4] == pulsars.colnames and "rm_model" not in pulsars.colnames
    l, b = np.radians(pulsars["l"]), np.radians(pulsars["b"])
    toward = -(np.cos(b) * np.cos(l) + 2.0 * np.cos(b) * np.sin(l) - 0.5 * np.sin(b))
    length = 1e3 * np.array([0.5, 3.0, np.nan, 5.0])
    np.testing.assert_allclose(found["rm_model"].value, 0.8119 * 0.02 * length * toward, rtol=3e-4)
    with pytest.warns(synax.SynaxWarning):
        found = catalogues.dispersion_measure(pulsars, BALL, distance="Dist")
    np.testing.assert_allclose(found["dm_model"].value, 0.02 * length, rtol=1e-9)
    with pytest.warns(synax.SynaxWarning, match="no dispersion measure"):
        back = catalogues.distance(found, BALL, dm="dm_model", name="again")
    np.testing.assert_allclose(back["again"][:2].to_value("pc"), [500.0, 3000.0], rtol=1e-9)
    with pytest.warns(synax.SynaxWarning, match="exceed all electrons"):
        assert np.all(np.isinf(catalogues.distance(pulsars, BALL, dm=500.0)["distance_model"]))


def test_another_length_needs_no_new_program():
    assert [padded_length(n) for n in (1, 2, 16, 17, 5000)] == [1, 16, 16, 64, 8192]
    parts = list(padded_parts(4100))
    assert [(p.start, p.stop, len(items)) for p, items in parts] == [
        (0, 4096, 4096),
        (4096, 4100, 16),
    ]
    table = {"l": np.linspace(0.0, 300.0, 5), "b": np.linspace(-40.0, 60.0, 5)}

    def distances(n):
        rows = {name: values[:n] for name, values in table.items()}
        return catalogues.distance(rows, BALL, dm=30.0)["distance_model"].value

    whole = distances(5)
    counted = []

    def count(event, duration, **_):
        counted.append(event)

    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        np.testing.assert_array_equal(distances(3), whole[:3])
    finally:
        jax.monitoring.unregister_event_duration_listener(count)
    assert not [event for event in counted if "backend_compile" in event]


def test_long_maps_in_parts_with_a_bar(capsys):
    rays = synax.Sightlines.healpix(1)
    rm = synax.RotationMeasure(synax.magnetic.Uniform((1.0, 2.0, 3.0)), BALL, steps=4)
    found = synax.in_parts(rm, rays, part=5, progress=True)
    np.testing.assert_allclose(found, rm(rays), rtol=1e-12)
    assert "RotationMeasure" in capsys.readouterr().err
    np.testing.assert_array_equal(synax.in_parts(rm, rays, part=5, progress=False), found)
    assert capsys.readouterr().err == ""
    with pytest.raises(TypeError, match="simulator must be"):
        synax.in_parts(rm.magnetic, rays)


def test_what_a_simulator_holds_for_each_sightline_follows_its_parts():
    rays = synax.Sightlines.healpix(1)
    sky = synax.Synchrotron(
        synax.magnetic.WMAP(),
        synax.electrons.Uniform(0.01),
        synax.cosmic_rays.WMAP(),
        background=np.linspace(1.0, 2.0, 12),
        steps=4,
    )
    fixed = sky.precompute(rays, "magnetic")
    whole = sky(rays, 1.4)
    np.testing.assert_allclose(synax.in_parts(fixed, rays, 1.4, part=5).I, whole.I, rtol=1e-12)
    with pytest.raises(ValueError, match="these run or end elsewhere"):
        synax.in_parts(fixed, synax.Sightlines.healpix(1, (-8.0, 0.0, 0.0)), 1.4, part=5)
    with pytest.warns(synax.SynaxWarning, match="the steps are too few"):
        some = synax.estimate_error(sky, rays, 1.4, n_rays=11)
    with pytest.warns(synax.SynaxWarning, match="the steps are too few"):
        every = synax.estimate_error(sky, rays, 1.4)
    np.testing.assert_allclose(some.rms.I, every.rms.I, rtol=0.3)


def test_progress_goes_where_somebody_sees_it(monkeypatch):
    """A bar on a terminal, a line on a plain one, nothing in a script or where it is unwanted."""
    from synax import _progress

    class Stream:
        def __init__(self, terminal):
            self.text, self.written, self.terminal = "", threading.Event(), terminal

        def isatty(self):
            return self.terminal

        def write(self, text):
            self.text += text
            self.written.set()

        def flush(self):
            pass

    monkeypatch.delenv("SYNAX_PROGRESS", raising=False)
    for terminal, term, show, expected in (
        (True, "xterm", None, "bar"),
        (True, "dumb", None, "line"),
        (True, "xterm", False, "nothing"),
        (False, "xterm", None, "nothing"),
        (False, "xterm", True, "line"),
    ):
        monkeypatch.setattr("sys.stderr", Stream(terminal))
        monkeypatch.setenv("TERM", term)
        assert _progress.shown_as(show) == expected
    monkeypatch.setattr("sys.stderr", Stream(True))
    monkeypatch.setenv("SYNAX_PROGRESS", "0")
    assert _progress.shown_as(True) == "nothing"
    monkeypatch.delenv("SYNAX_PROGRESS")
    with _progress.telling("the map: compiling", patience=0.0):
        assert sys.stderr.written.wait(60)
    assert "the map: compiling (0 s)" in sys.stderr.text
    assert sys.stderr.text.endswith("\r")  # it leaves a clean line
    monkeypatch.setattr("sys.stderr", Stream(False))
    with (
        _progress.progress_bar(True, "rays", 10) as tell,
        _progress.telling("beside a bar", True, patience=0.0),
    ):
        tell(5, "half")
    assert sys.stderr.text.replace(" ", "") == "\rrays:compiling\rrays:5of10,half\n"


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(*arguments):
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    message = " ".join(result.stderr.split())
    assert message.startswith("error: ") and message.count("error:") == 1
    return message


SMALL = ("--electrons", "Uniform", "--set", "electrons.value=0.02", "--steps", "4")


@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits"])
def test_tables_in_and_out(tmp_path, pulsars, ending):
    given, out = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    table = pulsars[:2]
    if ending == "csv":  # keeps no unit
        table["Dist"] = table["Dist"] / 1000.0
    table.write(given)
    result = call("dm", given, "--distance", "Dist", *SMALL, "-o", out)
    assert result.exit_code == 0, result.output
    assert f"written to '{out}'" in result.stdout.replace("\n", "")
    back = Table.read(out)
    assert back.colnames == [*pulsars.colnames, "dm_model"]
    np.testing.assert_allclose(back["dm_model"], [10.0, 60.0], rtol=1e-12)
    if ending != "csv":
        assert back["dm_model"].unit == u.pc / u.cm**3
        assert back.meta["ELECTRON"] == "Uniform"
    assert "exists" in refused("dm", given, *SMALL, "-o", out)
    assert list(tmp_path.iterdir()) == [given, out] or len(list(tmp_path.iterdir())) == 2


def test_one_position_as_json_and_a_configuration(tmp_path):
    config = tmp_path / "galaxy.toml"
    config.write_text(
        'frequency = 2.4\n[electrons]\nmodel = "Uniform"\nvalue = 0.02\n'
        "[sightlines]\nnside = 4096\n"
        "[output]\ndirectory = 'maps'\n[integration]\nsteps = 4\n[catalogue]\nresult = 'd'\n"
    )
    result = call("distance", "--at", "30 -5", "--dm", 50, "-c", config, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    np.testing.assert_allclose(found["rows"][0]["d"], 2.5, rtol=1e-12)
    assert (found["unit"], found["ELECTRON"]) == ("kpc", "Uniform")
    crab = ("rm", "--at", "05:34:31.9 +22:00:52", "--frame", "icrs", "--distance", "2 kpc")
    field = ("--magnetic", "Uniform", "--set", "magnetic.vector=[1, 0, 0]")
    result = call(*crab, *field, *SMALL)
    assert result.exit_code == 0 and "1 source with Uniform, Uniform" in result.stdout


def test_comparison_with_a_measured_column(tmp_path):
    table = tmp_path / "in.csv"
    table.write_text("l,b,distance,DM\n10,2,1,25\n100,20,2,50\n200,-30,3,75\n300,5,4,\n")
    result = call("dm", table, "--measured", "DM", *SMALL, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["agreement"]
    assert found["n"] == 3
    np.testing.assert_allclose([found["scale"], found["correlation"]], [1.25, 1.0], rtol=1e-9)
    assert "--measured: there is no column 'RM'" in refused("dm", table, "--measured", "RM", *SMALL)


def test_what_the_verbs_refuse(tmp_path):
    table = tmp_path / "in.csv"
    table.write_text("l,b,DM\n1,2,30\n")
    assert "did you mean 'DM'" in refused("distance", table, "--dm", "DMM", *SMALL)
    assert "dm must not be negative (pc cm-3), got -3" in refused(
        "distance", table, "--dm", "-3", *SMALL
    )
    assert "must end in one of" in refused("dm", table, *SMALL, "-o", tmp_path / "out.xls")
    assert "either TABLE" in refused("dm", *SMALL)
    assert "either TABLE" in refused("dm", table, "--at", "1 2", *SMALL)
    assert "must be two angles" in refused("dm", "--at", "1", *SMALL)
    assert "must be ROLE=COLUMN" in refused("dm", table, "--columns", "l", *SMALL)
    assert "there is no file" in refused("dm", tmp_path / "none.csv", *SMALL)
    assert "of this name" in refused("dm", table, "--result", "l", *SMALL)
    assert "'catalogue' is for synax rm" in refused("simulate", "--set", "catalogue.dm=3")
    (tmp_path / "bad.fits").write_bytes(b"SIMPLE  = nonsense")
    assert "bad.fits'" in refused("dm", tmp_path / "bad.fits", *SMALL)


def test_a_shell_completes_names_of_models():
    from synax.cli import _complete

    names = [name for name, _ in _complete.magnetic("jf")]
    assert "JF12" in names and all(name.startswith("JF") for name in names)
    assert "YMW16" in [name for name, _ in _complete.electrons("")]
    assert "magnetic.WMAP" in [name for name, _ in _complete.any_model("magnetic.W")]
    assert _complete.galaxies("ca") == ["calibrated"]


def test_columns_that_would_be_guessed(tmp_path):
    table = {"l": [30.0], "b": [1.0], "Dist": [2.0]}
    with pytest.warns(synax.SynaxWarning, match=r"column 'Dist' is not used.*distance = 'Dist'"):
        whole = catalogues.dispersion_measure(table, synax.electrons.Uniform(0.01), steps=8)
    given = {"distance": np.inf, "steps": 8}
    said = catalogues.dispersion_measure(table, synax.electrons.Uniform(0.01), **given)
    np.testing.assert_array_equal(whole["dm_model"], said["dm_model"])
    path = tmp_path / "twins.csv"
    path.write_text("# two of them\nl,l,b\n1,2,3\n")
    result = CliRunner().invoke(app, ["dm", str(path), "--electrons", "Uniform"])
    assert result.exit_code == 2
    assert "has 2 columns called 'l'" in " ".join(result.stderr.split())


@pytest.mark.parametrize("name", ["l", "b", "dm", "observer"])
def test_wrong_units_name_their_argument(name):
    given = {"l": 10.0, "b": 20.0, "dm": 30.0, "observer": (-8.3, 0.0, 0.0)}
    given[name] = given[name] * u.s
    with pytest.raises(ValueError, match=f"^{name} must be in .*it is in 's'"):
        synax.electrons.distance(synax.electrons.TwoDisc(), **given)


def test_sources_are_seen_from_the_models_own_sun():
    """NE2001 has Vela's clump at 0.25 kpc of its Sun, which is at 8.5 kpc from the Centre."""
    model = synax.electrons.NE2001()
    vela = {"l": [263.55], "b": [-2.79], "dm": [67.97]}
    near = synax.electrons.distance(model, 263.55, -2.79, 67.97)
    np.testing.assert_allclose(near, 0.238, atol=0.002)
    found = synax.catalogues.distance(vela, model)
    np.testing.assert_allclose(found["distance_model"].value, near, rtol=1e-9)
    with pytest.warns(synax.SynaxWarning, match="stands 200 pc from the Sun of NE2001"):
        moved = synax.catalogues.distance(vela, model, observer=(-8.3, 0.0, 0.006))
    assert moved["distance_model"][0].value > 2.0
    dm = synax.catalogues.dispersion_measure(vela, model, distance=float(near))
    np.testing.assert_allclose(dm["dm_model"].value, 67.97, rtol=1e-6)
    assert (1.0 * model + synax.electrons.Uniform(0.0)).sun == model.sun


def test_the_sun_of_the_field_counts_where_the_electrons_have_none():
    """And the Sun of the electrons before that of the field."""
    disc, field = synax.electrons.ExponentialDisc(), synax.magnetic.JF12()
    source = {"l": [30.0], "b": [20.0]}
    own, at_sun, default = (
        float(synax.catalogues.rotation_measure(source, field, disc, **o)["rm_model"][0].value)
        for o in ({}, {"observer": field.sun}, {"observer": (-8.2, 0.0, 0.0)})
    )
    assert own == at_sun != default
    moved = synax.electrons.YMW16(sun=(-8.5, 0.0, 0.0))  # a parameter of this model
    pair = (
        synax.electrons.distance(moved, 30.0, 20.0, 30.0, **o)
        for o in ({}, {"observer": moved.sun})
    )
    assert float(next(pair)) == float(next(pair))
    field, disc = synax.magnetic.UF23(), synax.electrons.TwoDisc()
    assert field.sun != disc.sun
    rm = synax.catalogues.rotation_measure
    found = [rm(source, field, disc, steps=8, **o) for o in ({}, {"observer": disc.sun})]
    assert found[0]["rm_model"][0] == found[1]["rm_model"][0]


def test_a_place_that_is_asked_for_is_not_taken_for_the_default(tmp_path):
    """Vela's clump is seen from NE2001's own Sun, and not from the default observer."""
    vela = ("dm", "--at", "263.55 -2.79", "--distance", "0.3", "--electrons", "NE2001", "--json")
    (tmp_path / "here.toml").write_text("[sightlines]\nobserver = [-8.3, 0.0, 0.006]\n")
    asked = (
        ("--set", "sightlines.observer=[-8.3, 0.0, 0.006]"),
        ("--config", tmp_path / "here.toml"),
    )
    found = [call(*vela, *more) for more in ((), *asked)]
    dm = [json.loads(one.stdout)["rows"][0]["dm_model"] for one in found]
    assert dm[0] > 60.0 > 20.0 > dm[1] == dm[2]
    assert found[0].stderr == ""
    for one in found[1:]:
        assert "stands 200 pc from the Sun of NE2001" in " ".join(one.stderr.split())
    printed = tmp_path / "printed.toml"
    printed.write_text(call("dm", "--print-config").stdout)
    again = call(*vela, "--config", printed)
    assert json.loads(again.stdout)["rows"][0]["dm_model"] == dm[0]

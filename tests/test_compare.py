"""Models against the sky: the numbers on made-up skies, and on the real one where it is at hand."""

import json
from types import SimpleNamespace

import healpy
import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import synax
from synax.cli import _compare, _comparison_numbers, _comparisons, _low_frequencies, app
from synax.cli._run import prepare
from synax.plot import _comparison

pytestmark = pytest.mark.filterwarnings("ignore:at 0.003 GHz the Razin effect")
SETTINGS = [
    *("--electrons", "Uniform", "--steps", "8", "--set", "integration.spacing=uniform"),
    *("--set", "domain.half_lengths=[20, 20, 5]"),
]


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """A folder of sky data that is the model itself, scaled: what comes out is known."""
    folder = tmp_path_factory.mktemp("sky")
    magnetic, electrons = synax.magnetic.WMAP(), synax.electrons.Uniform()
    steps = synax.UniformSteps(8)
    sky = synax.Synchrotron(magnetic, electrons, synax.cosmic_rays.WMAP(), steps=steps)
    rays = synax.Sightlines.healpix(32)
    stokes = sky(rays, np.asarray([0.408, 23.0]))
    np.savez(folder / "haslam408_dsds_n64.npz", T_gal_n32=3.0 * stokes.I[0])
    q, u = 1e6 * np.asarray(stokes.Q[1]), 1e6 * np.asarray(stokes.U[1])
    np.savez(folder / "wmapK_pol_pysm_n64.npz", Q_lp_n32=2.0 * q, U_lp_n32=-2.0 * u)
    thick = synax.Synchrotron(
        magnetic, electrons, synax.cosmic_rays.WMAP(), steps=steps, free_free=synax.FreeFree()
    )
    low = _low_frequencies
    maps = np.asarray(thick(synax.Sightlines.healpix(16), np.asarray(low.FREQUENCIES)).I)
    maps = dict(zip(low.FREQUENCIES, maps, strict=True))
    for survey, file in zip(low.SURVEYS, ("lfsm", "gsm2008", "surveys_5deg"), strict=True):
        behind = {nu: low._behind(nu / 1000, survey.cmb) for nu in survey.megahertz}
        arrays = {f"T{nu}": 2.0 * maps[nu / 1000] + behind[nu] for nu in survey.megahertz}
        np.savez(folder / f"{file}_n{16 if survey.prefix == 'five' else 64}.npz", **arrays)
    rm = np.asarray(synax.RotationMeasure(magnetic, electrons, steps=steps)(rays))
    rm = -0.5 * healpy.ud_grade(rm, 16)
    rm[7] = np.nan
    counts = np.full(3072, 4)
    np.savez(folder / "rm_egs_binned_n16.npz", RM=rm, sigma=np.ones(3072), n=counts)
    rng = np.random.default_rng(0)
    distance = rng.uniform(0.2, 3.0, 40)
    distance[0], distance[1] = np.nan, 80.0
    np.savez(
        folder / "pulsars_psrcat167.npz",
        l=rng.uniform(0, 360, 40),
        b=rng.uniform(-60, 60, 40),
        dm=10.0 * np.nan_to_num(distance, nan=1.0) * 1.25,
        dist_indep=distance,
        dist_indep_kind=np.array(["PX", "DIST_A"] * 20),
        globular=np.zeros(40, bool),
        extragalactic=np.zeros(40, bool),
    )
    return folder


@pytest.fixture(scope="module")
def records(made_up, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    result = call("compare", "all", "--data", made_up, *SETTINGS, "-o", out, "--json")
    assert result.exit_code == 0, result.output
    found = {record["comparison"]: record for record in json.loads(result.stdout)}
    for name, record in found.items():
        assert json.loads((out / f"{name}.json").read_text()) == record
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "compare.html").read_text()
    assert page.count("data:image/png;base64,") == len(found) == 5
    assert "WMAP + Uniform + WMAP" in page
    return found


def test_haslam_finds_the_scale(records):
    for numbers in records["haslam"]["numbers"].values():
        assert numbers["scale"] == pytest.approx(3.0, rel=1e-6)
        assert numbers["correlation"] == pytest.approx(1.0, abs=1e-9)
        assert numbers["residual"] < 1e-6
        assert numbers["median_ratio"] == pytest.approx(3.0, rel=1e-6)
        assert numbers["scatter_dex"] < 1e-6


def test_spectra_are_those_of_the_maps(records):
    """Three times the temperature is nine times the power; halves and reversals likewise."""
    for name, power, factor in (
        ("haslam", "T", 9.0), ("wmap", "EE", 4.0), ("wmap", "BB", 4.0), ("faraday", "RM", 0.25)
    ):  # fmt: skip
        pair = {k: np.asarray(v)[2:] for k, v in records[name]["spectra"][power].items()}
        np.testing.assert_allclose(pair["data"], factor * pair["model"], rtol=1e-6)


def test_the_default_is_the_calibrated_galaxy_in_its_own_domain(made_up, monkeypatch):
    monkeypatch.setattr(_compare, "run", lambda prepare, mask, settings, *_: [settings])
    seen = {}
    for name, more in (("default", ()), ("models", ("--electrons", "TwoDisc"))):
        result = call("compare", "pulsars", "--data", made_up, "--json", *more)
        assert result.exit_code == 0, result.output
        seen[name] = json.loads(result.stdout)
    assert seen["default"]["galaxy"] == "calibrated"
    assert seen["default"]["domain"]["half_lengths"] == [20.0, 20.0, 5.0]
    assert "galaxy" not in seen["models"]
    assert seen["models"]["domain"]["half_lengths"] == [25.0, 25.0, 15.0]


def test_low_frequencies_find_scale_and_spectral_index(records):
    numbers = records["low"]["numbers"]
    for regions in numbers["brightness"].values():
        for found in regions.values():
            assert found["scale"] == pytest.approx(2.0, rel=1e-6)
            assert found["median_ratio"] == pytest.approx(2.0, rel=1e-6)
    for regions in numbers["spectral index"].values():
        for found in regions.values():
            assert found.get("data_index", found["model_index"]) == pytest.approx(
                found["model_index"], abs=1e-9
            )
            if "data_slope_index" in found:
                assert found["data_slope_index"] == pytest.approx(found["model_slope_index"])
    assert len(numbers["spectral index"]) == 10
    rng = np.random.default_rng(0)
    high, everywhere = rng.uniform(10.0, 20.0, 50), np.ones(50, bool)
    low = 7.0 + high * (408.0 / 45.0) ** 2.5  # a zero level of its own
    found = _low_frequencies._slope_index(low, high - 3.0, everywhere, 45, 408)
    assert found == pytest.approx(-2.5)
    # absorbed: flatter below 10 MHz, and most in the plane
    alone = numbers["spectral index"]["3 to 10 MHz, model"]
    assert alone["inner plane"]["model_index"] > alone["|b| > 60"]["model_index"] > -3.0
    contrast = {k: v["model_ratio"] for k, v in numbers["plane over poles"].items()}
    assert contrast["3 MHz"] < contrast["40 MHz"]
    assert numbers["plane over poles"]["40 MHz"]["data_ratio"] == pytest.approx(contrast["40 MHz"])


def test_wmap_turns_u_to_the_same_convention(records):
    numbers = records["wmap"]["numbers"]["all"]
    for letter in ("Q", "U", "Q and U", "P"):
        assert numbers[letter]["scale"] == pytest.approx(2.0, rel=1e-6)
    assert numbers["angle"]["median_difference_deg"] < 1e-3


def test_faraday_sees_a_reversed_sign_and_skips_empty_pixels(records):
    numbers = records["faraday"]["numbers"]
    assert numbers["empty_pixels"] == 1
    assert numbers["all"]["n"] == 3071
    assert numbers["all"]["scale"] == pytest.approx(-0.5, rel=1e-6)
    assert numbers["all"]["same_sign"] == 0.0
    assert numbers["all"]["median_error_of_the_data"] == pytest.approx(0.625)


def test_pulsars_end_at_their_distance(records):
    numbers = records["pulsars"]["numbers"]
    assert numbers["beyond_the_domain"] == 1
    assert numbers["all"]["n"] == 38
    assert numbers["all"]["median_ratio"] == pytest.approx(1.25, rel=1e-6)
    assert numbers["all"]["within_a_factor_1.5"] == 1.0


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The model's own sky at 1.4 GHz as files of somebody: what must come out is known."""
    folder = tmp_path_factory.mktemp("own")
    magnetic, electrons = synax.magnetic.WMAP(), synax.electrons.Uniform()
    steps = synax.UniformSteps(8)
    model = synax.Synchrotron(magnetic, electrons, synax.cosmic_rays.WMAP(), steps=steps)
    rays = synax.Sightlines.healpix(8)
    equatorial = synax.Sightlines.healpix(8, frame="equatorial")
    seen = model.observe(rays, 1.4)
    sky = synax.SkyMap.from_stokes(seen.stokes, rays, 1.4)
    (2.0 * sky).to_unit("uK_CMB").to_ordering("NEST").save(folder / "iqu.fits")
    rm = -np.array(seen.rotation_measure)
    rm[:90] = healpy.UNSEEN
    healpy.write_map(folder / "rm.fits", rm, column_names=["RM"], column_units="rad/m2")
    l, b = healpy.pix2ang(8, np.arange(768), lonlat=True)
    healpy.write_map(folder / "north.fits", (b > 15).astype(float), coord="G")
    south = healpy.Rotator(coord=["C", "G"])(l, b, lonlat=True)[1] < 0
    spoilt = np.where(south, 10.0, np.asarray(model(equatorial, 1.4).I))
    healpy.write_map(folder / "bare.fits", spoilt, coord="C")
    rows = [f"{x},{y},{2 * z}" for x, y, z in zip(l, b, seen.rotation_measure, strict=True)]
    (folder / "rms.csv").write_text("\n".join(["glon,glat,measured", *rows]))
    return folder


def own_numbers(folder, tmp_path, file, *options):
    out = tmp_path / file
    result = call("compare", folder / file, *options, *SETTINGS, "-o", out, "--json")
    assert result.exit_code == 0, result.output
    assert (out / "compare.html").is_file()
    found = json.loads(result.stdout)
    found = found if isinstance(found, list) else [found]
    assert all((out / f"{one['comparison']}.png").is_file() for one in found)
    return {one["comparison"]: one["numbers"] for one in found}


def test_an_own_map_is_compared_in_its_own_unit_and_convention(own, tmp_path):
    found = own_numbers(own, tmp_path, "iqu.fits", "--nside", "8")
    assert list(found) == ["map_I_1.4GHz", "map_QU_1.4GHz"]
    assert found["map_I_1.4GHz"]["all"]["scale"] == pytest.approx(2.0, rel=1e-6)
    angle = found["map_QU_1.4GHz"]["all"]["angle"]["median_difference_deg"]
    assert found["map_QU_1.4GHz"]["all"]["Q and U"]["scale"] == pytest.approx(2.0, rel=1e-6)
    assert angle < 1e-3
    missing = own_numbers(own, tmp_path, "rm.fits")["map_RM"]
    told = json.loads(call("info", tmp_path / "iqu.fits", "--json").stdout)
    assert told["holds"] == "folder of comparisons"
    assert told["comparisons"]["map_QU_1.4GHz"] == "iqu.fits: Q and U at 1.4 GHz"
    assert missing["empty_pixels"] == 90
    assert missing["all"]["scale"] == pytest.approx(-1.0, rel=1e-5)
    assert missing["all"]["same_sign"] == 0.0


def test_an_own_map_of_another_frame_and_a_mask(own, tmp_path):
    """What the mask hides is wrong there, and counts for nothing."""
    options = ("--frequency", "1400 MHz", "--unit", "K_RJ", "--mask", own / "north.fits")
    found = own_numbers(own, tmp_path, "bare.fits", *options)["map_I_1.4GHz"]
    assert found["all"]["scale"] == pytest.approx(1.0, rel=1e-6)
    assert found["all"]["n"] == pytest.approx(np.sum(healpy.read_map(own / "north.fits")), rel=0.1)
    assert "|b| < 10" not in found


def test_an_own_table_is_compared_row_by_row(own, tmp_path):
    options = ("--rm", "measured", "--mask", own / "north.fits")
    found = own_numbers(own, tmp_path, "rms.csv", *options)["table_rm"]
    assert found["all"]["scale"] == pytest.approx(2.0, rel=1e-5)
    assert found["rows_left_out"] == 768 - found["all"]["n"]
    assert found["all"]["rank_correlation"] == pytest.approx(1.0)


def test_masks_of_any_resolution_and_frame(own, tmp_path):
    """A mask of another frame hides the same directions; halves of pixels decide."""
    from synax.cli._masks import read_mask

    mask = read_mask(str(own / "north.fits"), "--mask")
    coarse, fine = mask.at(4), mask.at(16)
    b = healpy.pix2ang(4, np.arange(192), lonlat=True)[1]
    assert coarse[b > 20].all() and not coarse[b < 10].any()
    np.testing.assert_allclose(fine.mean(), mask.seen.mean(), atol=1e-12)
    lon, lat = healpy.pix2ang(8, np.arange(768), lonlat=True)
    north = healpy.Rotator(coord=["C", "G"])(lon, lat, lonlat=True)[1] > 15
    healpy.write_map(tmp_path / "c.fits", north.astype(float), coord="C")
    turned = read_mask(str(tmp_path / "c.fits"), "--mask")
    assert np.mean(turned.seen == mask.seen) > 0.95
    assert np.mean(north == mask.seen) < 0.8  # what reading it as Galactic would give


def test_agreement_on_known_numbers():
    rng = np.random.default_rng(3)
    model = rng.normal(size=4000)
    data = 2.0 * model + 1.0 + rng.normal(size=4000)
    found = _comparison_numbers.agreement(model, data)
    assert found["slope"] == pytest.approx(2.0, abs=0.06)
    assert found["offset"] == pytest.approx(1.0, abs=0.06)
    assert found["correlation"] == pytest.approx(2 / np.sqrt(5), abs=0.02)
    assert found["residual"] == pytest.approx(np.sqrt(2 / 6), abs=0.02)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("value", [2.0, 0.0, -1.0])
def test_skies_of_one_value_are_drawn(signed, value):
    """Warnings are errors here: no range is empty, no logarithm is that of zero."""
    axes = Figure().subplots()
    one = np.full(50, value)
    _comparison._scatter(axes, {"all": (one, 3.0 * one)}, "K", signed, 1.5)
    assert axes.get_xlabel() == "model (K)"
    assert np.all(np.isfinite([*axes.get_xlim(), *axes.get_ylim()]))


def test_bad_input(made_up, own, tmp_path, monkeypatch):
    monkeypatch.delenv("SYNAX_DATA", raising=False)
    for arguments, words in (
        (("moon", "--data", made_up), "WHAT = 'moon': must be one of pulsars"),
        (("haslam",), "--data is missing"),
        (("haslam", "--data", tmp_path / "no"), "there is no such folder"),
        (("haslam", "--data", tmp_path), "needs haslam408_dsds_n64.npz there"),
        (("haslam", "--data", made_up, "--nside", 8), "--nside is for a file of yours"),
        (("haslam", "--data", made_up, "--mask", "no.fits"), "--mask = 'no.fits': there is no"),
        ((own / "iqu.fits", "--nside", 3), "must divide that of the map, 8"),
        ((own / "iqu.fits", "--frequency", "5 GHz"), "frequency"),
        ((own / "iqu.fits", "--frequency", "5 m"), "--frequency = '5 m'"),
        ((own / "iqu.fits", "--distance", "3"), "--distance is for a table of sources"),
        ((own / "rms.csv",), "say which column is measured, --rm or --dm"),
        ((own / "rms.csv", "--rm", "RM"), "--rm: "),
        ((own / "rms.csv", "--rm", "measured", "--unit", "K_RJ"), "--unit is for a map"),
        ((own / "rms.csv", "--rm", "measured", "--dm", "measured"), "exclude each other"),
    ):
        result = call("compare", *arguments, "-o", tmp_path / "out")
        assert result.exit_code == 2
        assert words in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_the_real_sky(sky_data):
    """Sizes that hold for any sane set-up; the exact numbers are in the documentation."""
    from synax.cli import _config, _sky_data

    changes = ["integration.steps=128", "integration.spacing=graded"]
    changes += ["domain.half_lengths=[25, 25, 15]", "galaxy=wmap"]
    settings = _config.load(None, [_config.parse_set(text) for text in changes])
    sky = prepare(settings)
    run = SimpleNamespace(
        **{
            name: _comparisons.COMPARISONS[name](sky, _sky_data.read(name, sky_data)).numbers
            for name in ("pulsars", "haslam")
        }
    )
    assert run.pulsars["all"]["n"] > 380
    assert 0.8 < run.pulsars["all"]["median_ratio"] < 1.0
    assert run.pulsars["globular cluster"]["scatter_dex"] < 0.1
    assert run.pulsars["all"]["within_a_factor_2"] > 0.8
    assert 0.75 < run.haslam[f"|b| > {_comparison_numbers.PLANE:g}"]["correlation"] < 0.9
    assert 15 < run.haslam["all"]["median_ratio"] < 30

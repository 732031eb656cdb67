"""Faraday spectra and views from outside on the command line."""

import json

import healpy
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from typer.testing import CliRunner

import synax
from synax.cli import app
from synax.cli._channels import frequencies
from synax.cli._console import BadInput
from synax.instruments import View

TEXT = """
outputs = ["RM", "faraday", "synthesis"]
frequency = { low = 1.0, high = 1.4, channels = 9, without = [[1.18, 1.22]] }
[electrons]
model = "TwoDisc"
[faraday]
depths = [-200, 200]
step = 25
[integration]
steps = 8
spacing = "uniform"
"""
CHANNELS = np.array([1.0, 1.05, 1.1, 1.15, 1.25, 1.3, 1.35, 1.4])
PHI = np.arange(-200.0, 201.0, 25.0)


def simulate(tmp_path, text, *options):
    (tmp_path / "a.toml").write_text(text)
    arguments = [str(tmp_path / "a.toml"), *options, "--output", str(tmp_path / "out"), "--json"]
    return CliRunner().invoke(app, ["simulate", *arguments])


def sky():
    return synax.Synchrotron(
        synax.magnetic.WMAP(),
        synax.electrons.TwoDisc(),
        synax.cosmic_rays.WMAP(),
        steps=synax.UniformSteps(8),
    )


@pytest.mark.slow
def test_spectra_of_a_sky(tmp_path):
    text = TEXT + '[output]\nunit = "mK_RJ"\n'
    result = simulate(tmp_path, text, "--nside", "2", "--set", "faraday.clean=1")
    assert result.exit_code == 0, result.output
    record, folder = json.loads(result.stdout), tmp_path / "out"
    assert sorted(record["files"].values()) == sorted(p.name for p in folder.iterdir())
    assert not list(folder.glob("stokes*")) and (folder / "faraday.png").is_file()
    rays = synax.Sightlines.healpix(2)
    found = synax.io.load_depths(folder / "faraday.fits")
    expected = synax.FaradaySpectrum(sky(), PHI)(rays, 1.4)
    assert found.unit == "mK_RJ/(rad/m2)" and found.nside == 2 and found.pixels is None
    assert np.array_equal(found.phi, PHI)
    error = np.abs(found.values - 1e3 * expected.values)
    assert np.max(error) < 1e-10 * np.max(np.abs(found.values))
    by_healpy = healpy.read_map(folder / "faraday.fits", field=None, hdu=2, dtype=None)
    assert np.array_equal(by_healpy, found.values.imag)
    stokes = sky()(rays, CHANNELS)
    dirty = synax.rm_synthesis(CHANNELS, 1e3 * stokes.Q, 1e3 * stokes.U, PHI)
    seen = synax.io.load_depths(folder / "synthesis_dirty.fits")
    assert np.allclose(seen.values, dirty.values, rtol=1e-9, atol=1e-12)
    clean = synax.io.load_depths(folder / "synthesis_clean.fits")
    assert np.allclose(clean.values, dirty.clean(1.0).restored, rtol=1e-7, atol=1e-9)
    peak = synax.load_map(folder / "synthesis_peak_RM.fits")
    assert np.allclose(peak.values, dirty.peak().depth)
    info = CliRunner().invoke(app, ["info", str(folder / "faraday.fits"), "--json"])
    assert json.loads(info.stdout)["depths"]["number"] == PHI.size


@pytest.mark.slow
def test_a_galaxy_from_outside(tmp_path):
    view = """
[view]
shape = [6, 8]
extent = [36, 27]
inclination = 60
position_angle = 20
distance = 8600
sky = [202.47, 47.195]
beam = "3 arcmin"
[output]
unit = "Jy/beam"
"""
    result = simulate(tmp_path, TEXT.replace('"RM"', '"stokes", "RM"') + view)
    assert result.exit_code == 0, result.output
    record, folder = json.loads(result.stdout), tmp_path / "out"
    assert sorted(record["files"].values()) == sorted(p.name for p in folder.iterdir())
    rays = synax.Sightlines.parallel(
        (6, 8), (36.0, 27.0), inclination=60.0, position_angle=20.0, distance=30.0
    )
    there = View(rays, 8600.0, (202.47, 47.195))
    stokes = sky()(rays, CHANNELS)
    with fits.open(folder / "stokes_1.4GHz.fits") as hdus:
        image, header = hdus[0].data, hdus[0].header
    assert WCS(header).celestial.wcs.crval.tolist() == [202.47, 47.195]
    assert header["CTYPE3"] == "STOKES" and header["BUNIT"] == "Jy/beam"
    factor = there.jansky_per_beam(1.4, 180.0)
    # the image plane lies elsewhere, so cells do too
    expected = np.asarray(there.image(factor * there.smooth(stokes.I[-1], 180.0)))
    assert np.max(np.abs(image[0] - expected)) < 0.05 * np.max(expected)
    with fits.open(folder / "channels_Q.fits") as hdus:
        cube = hdus[0].data
    assert cube.shape == (9, 6, 8) and np.all(np.isnan(cube[4])) and np.isfinite(cube).sum() == 384
    assert np.array_equal(cube[8], image[1])
    with fits.open(folder / "faraday_real.fits") as hdus:
        assert hdus[0].header["CTYPE3"] == "FDEP" and hdus[0].data.shape == (PHI.size, 6, 8)
    for name in ("FDF_tot_dirty.fits", "RM.fits", "stokes_1GHz.fits"):
        info = CliRunner().invoke(app, ["info", str(folder / name), "--json"])
        assert "outside" in json.loads(info.stdout)["holds"]


def test_files_of_spectra_on_some_pixels(tmp_path):
    rays = synax.Sightlines.healpix(2, pixels=np.array([3, 20, 41]), ordering="NEST")
    phi = np.array([-5.0, 0.0, 5.0])
    values = np.arange(9.0).reshape(3, 3) * (1 - 2j)
    synax.io.save_depths(tmp_path / "a.fits", phi, values, rays, unit="K")
    found = synax.io.load_depths(tmp_path / "a.fits")
    assert (found.nside, found.ordering, found.frame, found.unit) == (2, "NEST", "galactic", "K")
    assert np.array_equal(found.pixels, [3, 20, 41]) and np.array_equal(found.phi, phi)
    assert np.array_equal(found.values, values)
    with pytest.raises(FileExistsError):
        synax.io.save_depths(tmp_path / "a.fits", phi, values, rays)
    with pytest.raises(ValueError, match="values must be"):
        synax.io.save_depths(tmp_path / "b.fits", phi, values[:2], rays)
    with pytest.raises(ValueError, match="at most 998"):
        synax.io.save_depths(tmp_path / "b.fits", np.arange(999.0), np.zeros((999, 3)), rays)
    synax.SkyMap(np.zeros(12), "RM", 1).save(tmp_path / "rm.fits")
    with pytest.raises(ValueError, match="holds no Faraday spectra"):
        synax.io.load_depths(tmp_path / "rm.fits")


def test_channels_are_frequencies():
    table = {"low": "1 GHz", "high": 1.4, "channels": 9, "without": [[1.18, 1.22]]}
    assert frequencies("frequency", table) == CHANNELS.tolist()
    assert frequencies("frequency", "408 MHz") == [0.408]
    for change, message in (
        ({"high": 0.5}, "must exceed low"),
        ({"without": [[1.0, 1.4]]}, "leaves 0 of 9"),
        ({"without": [[1.4, 1.0]]}, "low first"),
        ({"gaps": []}, "unknown key frequency.gaps"),
        ({"channels": 1}, "at least 2"),
    ):
        with pytest.raises(BadInput, match=message):
            frequencies("frequency", table | change)
    with pytest.raises(BadInput, match=r"frequency\.high is missing"):
        frequencies("frequency", {"low": 1.0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "faraday.step=1000"], "make 3 to 1,000,000 depths; these make 1"),
        pytest.param(["--set", "faraday.step=0.1"], "at most 998", marks=pytest.mark.slow),
        (["--set", "faraday.depths=[1,-1]"], "faraday.depths = [1.0, -1.0]: must rise"),
        pytest.param(["--frequency", "1.4"], "synthesis needs channels", marks=pytest.mark.slow),
        pytest.param(
            ["--survey", "wmap-k", "--outputs", "synthesis", "--outputs", "stokes"],
            "in several channels",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["--set", "physics.self_absorption=true"],
            "self_absorption=False",
            marks=pytest.mark.slow,
        ),
        (["--set", "output.unit=Jy/beam"], "needs a view with a beam"),
        (["--set", "view.inclination=3", "--nside", "4"], "leave out --nside or [view]"),
        (["--set", "view.shape=[1,4]"], "view.shape[0] = 1"),
        pytest.param(["--set", "view.sky=[0,91]"], "[view] center must be", marks=pytest.mark.slow),
        (["--set", "view.tilt=3"], "unknown key 'tilt' in [view]"),
        pytest.param(
            ["--set", "view.shape=[8,8]", "--frequency", "1", "-f", "1.1", "-f", "1.25"],
            "even spac",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_computed(tmp_path, options, message):
    result = simulate(tmp_path, TEXT, *options)
    text = " ".join(result.output.split())
    assert result.exit_code == 2 and message in text, text
    assert not (tmp_path / "out").exists()

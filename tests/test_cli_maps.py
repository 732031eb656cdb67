"""Maps of the command line: nothing is lost, nothing is silently wrong, one sentence otherwise."""

import json

import healpy
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

import synax
from synax.cli import app

SMALL = ("--nside", "1", "--steps", "4", "--electrons", "Uniform", "--set", "output.figure=false")


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(*arguments):
    """Run what must be refused; returns the one sentence."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    return " ".join(result.stderr.split())


@pytest.mark.parametrize("pair", [("1.4000001", "1.4000002"), ("0.1", "0.10000000001")])
def test_frequencies_that_print_alike_have_files_of_their_own(tmp_path, pair):
    flags = ("-f", pair[0], "-f", pair[1], "--outputs", "stokes", "-o", tmp_path / "o", "--json")
    result = call("simulate", *SMALL, *flags)
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    maps = [synax.load_map(path) for path in sorted((tmp_path / "o").glob("*.fits"))]
    assert {m.frequency for m in maps} == {float(nu) for nu in pair}
    assert len({name for name in record["files"] if name.startswith("stokes")}) == 2
    assert sum(name.startswith("I ") for name in record["error_estimate"]["outputs"]) == 2


def test_files_are_cosmo_and_say_so(tmp_path):
    flags = ("-f", "23", "--outputs", "stokes", "-o", tmp_path / "o")
    shown = call("simulate", *SMALL, *flags).stdout
    assert "sign of U in the files: COSMO, HEALPix's and healpy's own" in shown
    path = tmp_path / "o" / "stokes_23GHz.fits"
    sky = synax.load_map(path)
    np.testing.assert_array_equal(healpy.read_map(path, field=(0, 1, 2)), sky.to_healpy())
    np.testing.assert_array_equal(healpy.read_map(path, field=2), -sky.U)


@pytest.mark.parametrize("value", ["1e300", "1e200"])
def test_numbers_that_overflow_write_nothing(tmp_path, value):
    flags = ("--set", f"magnetic.b0={value}", "-f", "23", "-o", tmp_path / "o")
    message = refused("simulate", *SMALL, *flags)
    assert "is not a finite number in 12 of 12 pixels, so nothing was written" in message
    assert not (tmp_path / "o").exists()


FIT = """
[electrons]
model = "Uniform"
[sightlines]
nside = 1
[integration]
steps = 4
[[data]]
frequency = 23
sigma = 1e-6
{data}
[priors]
"magnetic.b0" = {{ uniform = [0.5, 9] }}
[fit]
optimizer = "adam"
steps = 1
"""


def read(folder, data):
    """The data of a fit as they reach the likelihood, (2, 12) or (12,), NaN where masked."""
    from synax.cli import _inference_config, _problem
    from synax.cli._run import precision

    (folder / "fit.toml").write_text(FIT.format(data=data))
    with precision("float64"):
        settings = _inference_config.load(folder / "fit.toml", [])
        problem = _problem.build(settings)
        ((name, mask),) = problem.masks.items()
        data = getattr(problem.posterior.likelihood, name).data
        return np.where(mask, np.asarray(data).reshape(mask.shape), np.nan)


def no_fit(folder, data):
    (folder / "fit.toml").write_text(FIT.format(data=data))
    return refused("fit", folder / "fit.toml", "--output", folder / "run")


@pytest.fixture
def sky(tmp_path):
    values = np.random.default_rng(4).normal(size=(3, 48))
    return synax.SkyMap(values, "IQU", 2, frequency=23.0)


def test_every_pixel_held_out_is_refused(tmp_path):
    assert "data.0.held_out = 0.99 leaves no pixel of 12" in no_fit(tmp_path, "held_out = 0.99")


def test_data_in_fits_are_converted_and_averaged(tmp_path, sky):
    values = sky.values.at[:, 3].set(np.nan)
    sky = sky._with(values)
    expected = sky.degrade(1).values[1:]
    made = sky.to_unit("uK_CMB").to_ordering("NEST")
    made.save(tmp_path / "a.fits")
    np.testing.assert_allclose(read(tmp_path, 'file = "a.fits"'), expected, rtol=1e-10)
    made.save(tmp_path / "b.fits", convention="IAU")
    np.testing.assert_allclose(read(tmp_path, 'file = "b.fits"'), expected, rtol=1e-10)
    both = jnp.stack([0.0 * values, values], axis=1)
    synax.SkyMap(both, "IQU", 2, frequency=(1.4, 23.0)).save(tmp_path / "c.fits")
    np.testing.assert_allclose(read(tmp_path, 'file = "c.fits"'), expected, rtol=1e-10)
    there = made.to_frame("equatorial")
    there.save(tmp_path / "e.fits")
    turned = there.to_frame("galactic").to_unit("K_RJ").degrade(1).values[1:]
    np.testing.assert_allclose(read(tmp_path, 'file = "e.fits"'), turned, rtol=1e-9, atol=1e-12)
    assert "stokes = ['Q'] lacks" in no_fit(tmp_path, 'file = "e.fits"\nstokes = ["Q"]')
    part = sky._with(values[:, [5, 40]], pixels=[5, 40])
    part.save(tmp_path / "d.fits")
    found, expected = read(tmp_path, 'file = "d.fits"'), part.degrade(1).full().values[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert np.isfinite(found).sum() == 4


def test_data_without_a_frequency_take_that_of_the_table(tmp_path, sky):
    iqu = sky.to_unit("mK_CMB").to_healpy()
    healpy.write_map(tmp_path / "h.fits", iqu, column_units="mK", dtype=np.float64)
    found = read(tmp_path, 'file = "h.fits"\nunit = "mKcmb"')
    np.testing.assert_allclose(found, sky.degrade(1).values[1:], rtol=1e-10)


def test_archives_have_units_and_missing_pixels(tmp_path, sky):
    q = np.array(sky.to_unit("uK_CMB").Q)
    q[:5] = healpy.UNSEEN
    np.savez(tmp_path / "a.npz", Q=q.astype(">f8"), U=-np.asarray(sky.to_unit("uK_CMB").U))
    found = read(tmp_path, 'file = "a.npz"\nunit = "uK_CMB"\nconvention = "COSMO"')
    expected = sky._with(sky.values.at[1, :5].set(np.nan)).degrade(1).values[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(
        1e-6 * read(tmp_path, 'file = "a.npz"\nunit = "K"'),
        read(tmp_path, 'file = "a.npz"\nunit = "uK"'),
    )


@pytest.mark.parametrize(
    ("change", "data", "message"),
    [
        (dict(frequency=30.0), "", "is at 30 GHz, and frequency = 23"),
        ({}, 'unit = "uK_RJ"', "TUNIT1 says K_RJ, and unit = uK_RJ was given"),
        ({}, 'frame = "ecliptic"', "COORDSYS says galactic, and frame = ecliptic was given"),
        ({}, 'convention = "IAU"', "POLCCONV says COSMO, and convention = IAU was given"),
        ({}, 'kind = "RM"', "holds I, Q, U and no RM"),
        ({}, 'columns = { Q = "FOO" }', "there is no column 'FOO'"),
    ],
)
def test_data_that_contradict_the_problem_are_refused(tmp_path, sky, change, data, message):
    sky._with(sky.values, **change).save(tmp_path / "a.fits")
    found = no_fit(tmp_path, f'file = "a.fits"\n{data}')
    assert message in found and "a.fits" in found


def test_data_that_cannot_be_read_are_refused(tmp_path, sky):
    (tmp_path / "a.npz").write_bytes(b"PK" + b"x" * 50)
    assert "a.npz' is not an archive of plain numbers" in no_fit(tmp_path, 'file = "a.npz"')
    np.savez(tmp_path / "a.npz", Q=np.array([{}] * 12), U=np.ones(12))
    assert "is not an archive of plain numbers (objects)" in no_fit(tmp_path, 'file = "a.npz"')
    np.savez(tmp_path / "a.npz", Q=np.ones(12), U=np.full(12, np.inf))
    assert "infinite in 12 of 12 pixels" in no_fit(tmp_path, 'file = "a.npz"')
    np.savez(tmp_path / "a.npz", Q=np.full(12, np.nan), U=np.full(12, healpy.UNSEEN))
    assert "has no value at any of 12 sightlines" in no_fit(tmp_path, 'file = "a.npz"')
    np.savez(tmp_path / "a.npz", Q=np.ones(12), U=np.full(12, np.nan))
    assert "has no value of U at any of 12 sightlines" in no_fit(tmp_path, 'file = "a.npz"')
    np.savez(tmp_path / "a.npz", Q=np.ones(13), U=np.ones(12))
    assert "is not a whole HEALPix map" in no_fit(tmp_path, 'file = "a.npz"')
    fine = (FIT.format(data='file = "a.fits"')).replace("nside = 1", "nside = 4")
    sky.save(tmp_path / "a.fits")
    (tmp_path / "fine.toml").write_text(fine)
    assert "nside is 2" in refused("fit", tmp_path / "fine.toml", "--output", tmp_path / "run")


def test_info_and_convert_of_damaged_files(tmp_path, sky):
    sky.save(tmp_path / "a.fits")
    raw = (tmp_path / "a.fits").read_bytes()
    for size in (100, 2880, 3000, 6000, len(raw) - 2880):
        (tmp_path / "cut.fits").write_bytes(raw[:size])
        assert "cut.fits" in refused("info", tmp_path / "cut.fits")
        assert "cut.fits" in refused("convert", tmp_path / "cut.fits", tmp_path / "b.fits")
    for name in ("cut.h5", "cut.vti", "cut.nc"):
        (tmp_path / name).write_bytes(b"PK\x03\x04" + raw[:100])
        assert name in refused("info", tmp_path / name)


def test_convert_gives_what_the_header_lacks_and_refuses_contradictions(tmp_path, sky):
    source, target = tmp_path / "u.fits", tmp_path / "t.fits"
    healpy.write_map(source, np.arange(12.0), column_names=["UNKNOWN1"], dtype=np.float64)
    lacking = ["--column", "I=UNKNOWN1", "--input-unit", "K_RJ", "--frequency", "408 MHz"]
    assert call("convert", source, target, *lacking, "--input-frame", "equatorial").exit_code == 0
    made = synax.load_map(target)
    assert (made.frequency, made.unit, made.frame) == (pytest.approx(0.408), "K_RJ", "equatorial")
    message = refused("convert", target, tmp_path / "x.fits", "--frequency", "1.4")
    assert "FREQ says 0.408" in message and "--override" in message
    over = ["--frequency", "1.4", "--override"]
    assert call("convert", target, tmp_path / "x.fits", *over).exit_code == 0
    assert synax.load_map(tmp_path / "x.fits").frequency == 1.4
    assert "--column = 'I'" in refused("convert", source, tmp_path / "y.fits", "--column", "I")
    assert "table 'FOO'" in refused("convert", target, tmp_path / "y.fits", "--table", "FOO")

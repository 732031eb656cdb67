"""Surveys: what they see, their noise, their likelihoods and their files."""

import dataclasses
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

import synax
from synax.cli import app
from synax.instruments import (
    Bandpass,
    ChannelSurvey,
    CorrelatedNoise,
    GaussianBeam,
    HitNoise,
    Survey,
    VarianceNoise,
    WhiteNoise,
    WindowFunction,
    presets,
)
from synax.instruments._beams import AbstractBeam

NSIDE = 4
N_PIX = 12 * NSIDE**2
IQU = ("I", "Q", "U")


@pytest.fixture(scope="module")
def sky():
    return synax.Synchrotron(
        synax.magnetic.WMAP(),
        synax.electrons.Uniform(0.003),
        synax.cosmic_rays.WMAP(),
        steps=6,
    )


@pytest.fixture(scope="module")
def survey():
    mask = np.ones(N_PIX, bool)
    mask[:20] = False
    return Survey(
        "test",
        Bandpass.top_hat(1.3, 1.5),
        GaussianBeam(30.0),
        unit="mK_CMB",
        noise=WhiteNoise(5.0, 3.0),
        offset=2700.0,
        mask=mask,
    )


@pytest.fixture(scope="module")
def seen(sky, survey):
    return survey.observe(sky, NSIDE, key=jax.random.key(1))


def test_a_survey_is_band_beam_unit_offset_mask_and_noise(sky, survey, seen):
    rays = synax.Sightlines.healpix(NSIDE)
    stokes = survey.band(sky, rays)
    kelvin = synax.SkyMap.from_stokes(stokes, rays, survey.frequency)
    smooth = GaussianBeam(30.0)(kelvin)
    expected = np.array(smooth.values) * survey.band.unit_factor("K_RJ", "mK_CMB")
    expected[0] += 2700.0
    clean = survey.observe(sky, NSIDE)
    assert clean.unit == "mK_CMB" and np.all(np.isnan(clean.values[:, :20]))
    assert np.allclose(clean.values[:, 20:], expected[:, 20:], rtol=1e-10)
    noise = np.asarray(seen.values - clean.values)[:, 20:]
    side = np.degrees(np.sqrt(4 * np.pi / N_PIX))
    assert abs(np.std(noise[0]) / (5.0 / side) - 1) < 0.25
    assert abs(np.std(noise[1:]) / (3.0 / side) - 1) < 0.2


@pytest.fixture(scope="module")
def turbulent(sky):
    return dataclasses.replace(sky, turbulence=synax.Turbulence(10.0, correlation_length=0.1))


def test_nothing_is_told_of_polarisation_where_none_is_measured(turbulent):
    """Warnings are errors: those of I alone do not come."""
    one = lambda nu, stokes: Survey("a", nu, stokes=stokes, noise=WhiteNoise(1.0))
    maps = one(0.3, ("I",)).observe(turbulent, 1)
    assert maps.kind == "I"
    ChannelSurvey([one(0.3, ("I",)), one(0.4, ("I",))]).observe(turbulent, 1)
    rays = synax.Sightlines.healpix(1)
    seen = {s: synax.inference.SkyMaps(rays, 0.3, s) for s in (("I",), ("I", "Q"))}
    assert seen["I",](turbulent).shape == (1, 12)
    told = pytest.warns(synax.SynaxWarning, match="the turbulence scatters polarisation")
    for sees in (
        lambda: one(0.3, ("Q", "U")).observe(turbulent, 1),
        lambda: ChannelSurvey([one(0.3, IQU), one(0.4, IQU)]).observe(turbulent, 1),
        lambda: seen["I", "Q"](turbulent),
    ):
        with told:
            sees()


@pytest.mark.parametrize("stokes", ["I", "IQU"])
def test_simulate_tells_of_polarisation_where_a_survey_measures_it(tmp_path, stokes):
    (tmp_path / "s.toml").write_text(f'name = "s"\nfrequency = 0.3\nstokes = {list(stokes)}\n')
    small = ("--magnetic", "WMAP", "--electrons", "Uniform", "--nside", "1", "--steps", "1")
    physics = ("--set", "physics.turbulence=10.0", "--set", "physics.correlation_length=0.1")
    more = ("--survey", str(tmp_path / "s.toml"), "--outputs", "stokes", "-o", str(tmp_path / "o"))
    result = CliRunner().invoke(app, ["simulate", *small, *physics, *more])
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "o" / "record.json").read_text())
    told = any("the turbulence scatters polarisation" in one for one in record["warnings"])
    assert told == ("Q" in stokes)
    assert {name[0] for name in record["error_estimate"]["outputs"]} == set(stokes)
    assert synax.load_map(tmp_path / "o" / "survey_s.fits").kind == stokes


def test_likelihood_takes_a_map_and_nothing_else(sky, survey, seen):
    likelihood = survey.likelihood(seen)
    assert likelihood.count == 3 * (N_PIX - 20)
    chi2 = float(jnp.mean(likelihood.residuals(sky) ** 2))
    assert abs(chi2 - 1) < 4 * np.sqrt(2 / likelihood.count)
    to_kelvin = survey.band.unit_factor("mK_CMB", "K_RJ")
    kelvin = dataclasses.replace(seen, values=seen.values * to_kelvin, unit="K_RJ")
    for other in (seen.to_convention("COSMO"), kelvin):
        again = survey.likelihood(other)
        assert np.allclose(again.data, likelihood.data, rtol=1e-12)
        assert np.array_equal(again.noise.sigma, likelihood.noise.sigma)
    there = survey.likelihood(dataclasses.replace(seen, frame="equatorial"))
    assert there.observable.rays.frame == "equatorial" and there.count == likelihood.count
    nest = survey.likelihood(seen.to_ordering("NEST"))
    assert abs(jnp.mean(nest.residuals(sky) ** 2) / chi2 - 1) < 1e-8

    @jax.jit
    @jax.value_and_grad
    def value_and_slope(x):
        field = synax.magnetic.WMAP(b0=x)
        model = synax.Synchrotron(
            field, sky.electrons, sky.cosmic_rays, integration=sky.integration
        )
        return likelihood.logpdf(model)

    step = 1e-5
    slope = value_and_slope(1.2)[1]
    numeric = (value_and_slope(1.2 + step)[0] - value_and_slope(1.2 - step)[0]) / (2 * step)
    assert abs(slope - numeric) < 1e-6 * abs(numeric)


@pytest.mark.parametrize(("beam", "pixels"), [(None, None), (None, [3, 40]), (True, None)])
def test_rays_within_pixels_are_averaged(sky, beam, pixels):
    survey = Survey("S", 23.0, GaussianBeam(90.0) if beam else None, stokes=("Q", "U"))
    rays = synax.Sightlines.healpix(2, pixels=pixels, subsamples=2)
    got = survey.observe(sky, rays)
    light = rays.mean(sky(rays, 23.0))
    plain = Survey("S", 23.0, survey.beam, stokes=("Q", "U")).on(
        synax.Sightlines.healpix(2, pixels=pixels)
    )
    want = plain.of(jnp.stack([light.Q, light.U])[:, None])
    np.testing.assert_allclose(got.values, want, rtol=1e-12, atol=1e-18)
    assert pixels is None or list(got.pixels) == pixels


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HitNoise(-0.01, np.ones(48)), "sigma must be positive"),
        (lambda: HitNoise(np.nan, np.ones(48)), "sigma must be positive"),
        (lambda: HitNoise(1.0, np.ones(48), polarised=0.0), "polarised must be positive"),
        (lambda: WhiteNoise(np.inf), "depth must be positive"),
        (lambda: WhiteNoise([1.0, 2.0]), "depth must be one number"),
        (lambda: CorrelatedNoise(WhiteNoise(1.0), np.inf), "knee must be positive"),
        (lambda: CorrelatedNoise(WhiteNoise(1.0), 30.0, 1.0), "slope must be negative"),
        (lambda: CorrelatedNoise(WhiteNoise(1.0), 30.0, least=-0.1), "least must be between"),
        (lambda: CorrelatedNoise(WhiteNoise(1.0), 30.0, least=0.0), "least must be between"),
        (lambda: Survey("S", 23.0, offset=np.nan), "offset must be finite"),
        (lambda: Survey("S", 23.0, offset=[1.0, 2.0]), "offset must be one number"),
        (lambda: Survey("S", 23.0, nodes=0), "nodes must be"),
    ],
)
def test_numbers_that_no_survey_has(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_noise_by_hits_and_variance():
    hits = np.full(12 * 8**2, 4.0)
    noise = HitNoise(2.0, hits, 3.0)
    sigma = noise.sigma(IQU, NSIDE)
    assert np.allclose(sigma[:, 0], [2 / np.sqrt(16), 3 / np.sqrt(16), 3 / np.sqrt(16)])
    fine = VarianceNoise(np.full(12 * 8**2, 9.0))
    assert np.allclose(fine.sigma(IQU, NSIDE), 1.5)
    drawn = fine.draw(jax.random.key(0), IQU, NSIDE)
    assert abs(np.std(drawn) / 1.5 - 1) < 0.15
    assert np.array_equal(drawn, fine.draw(jax.random.key(0), IQU, NSIDE))
    with pytest.raises(ValueError, match="cannot be brought to nside 16"):
        fine.sigma(IQU, 16)
    with pytest.raises(ValueError, match="whole HEALPix map"):
        HitNoise(1.0, np.ones(11))


def test_correlated_noise_has_its_spectrum_and_its_likelihood():
    noise = CorrelatedNoise(WhiteNoise(1.0, 1.0), knee=4.0, slope=-2.0, least=0.2)
    keys = jax.random.split(jax.random.key(0), 100)
    draws = np.asarray(jax.jit(jax.vmap(lambda k: noise.draw(k, IQU, NSIDE)))(keys))
    white = float(noise.sigma(IQU, NSIDE)[0, 0])
    ell = np.arange(2 * NSIDE + 1)
    excess = np.asarray(noise.excess(2 * NSIDE))
    more = np.sum((2 * ell + 1) * excess) / N_PIX
    assert abs(np.var(draws[:, 0]) / white**2 / (1 + more) - 1) < 0.08
    assert abs(np.var(draws[:, 1:]) / white**2 / (1 + more) - 1) < 0.08
    pixels = np.arange(N_PIX)
    fitted = noise.likelihood(IQU, NSIDE, pixels, 2.0)
    whitened = np.asarray(jax.jit(jax.vmap(lambda d: fitted.whiten(2.0 * d, None)))(draws[:50]))
    assert abs(np.var(whitened) - 1) < 0.06  # what lies above the cut is up to 0.2 of the white
    assert np.var(draws[:50]) / white**2 > 1.3


def test_white_noise_beneath_the_correlated_is_white():
    """Past the types that tests check, which would refuse it before."""
    noise = CorrelatedNoise(WhiteNoise(1.0), 5.0)
    other = eqx.tree_at(lambda n: n.white, noise, HitNoise(1.0, np.ones(12)))
    with pytest.raises(TypeError, match="white must be a WhiteNoise, got HitNoise"):
        other.__check_init__()


def test_presets_and_files(tmp_path, survey):
    assert set(presets()) >= {"haslam", "wmap-k", "planck-30", "s-pass", "c-bass", "lofar"}
    for name in presets():
        one = Survey.preset(name)
        assert one.noise is not None and one.beam is not None and 0.1 < one.frequency < 40
    others = (
        survey,
        Survey(
            "w", 23.0, WindowFunction(np.exp(-np.arange(9.0))), noise=VarianceNoise(np.ones(48))
        ),
        Survey("h", 23.0, stokes=("I",), noise=HitNoise(1.0, np.arange(1.0, 49.0), 2.0)),
        Survey("c", 23.0, noise=CorrelatedNoise(WhiteNoise(1.0), 5.0, -1.0, 0.2)),
        Survey('two\nlines, "quotes" and a \\ \x07', 23.0, GaussianBeam(1.0) @ GaussianBeam(0.5)),
        Survey(
            "of several parts",
            23.0,
            (GaussianBeam(60.0) @ WindowFunction(np.ones(9)))
            @ (WindowFunction(np.exp(-np.arange(9.0)), np.ones(9)) @ GaussianBeam(40.0)),
        ),
    )
    for k, one in enumerate(others):
        path = tmp_path / f"survey{k}.toml"
        one.save(path)
        back = Survey.read(path)
        for name in ("name", "stokes", "unit", "nodes"):
            assert getattr(one, name) == getattr(back, name)
        assert one.band.frequency == back.band.frequency
        assert np.allclose(one.band.measure, back.band.measure, rtol=1e-15)
        left, right = jax.tree.leaves(one), jax.tree.leaves(back)
        assert jax.tree.structure(one.beam) == jax.tree.structure(back.beam)
        assert all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))
        with pytest.raises(FileExistsError):
            one.save(path)


class Ring(AbstractBeam):
    """A beam that no file knows."""

    def window(self, lmax, spin=0):
        return jnp.ones(lmax + 1)

    def check(self, nside):
        pass


def test_what_cannot_be_saved_leaves_nothing_behind(tmp_path, survey):
    other = Survey("a", 23.0, WindowFunction(np.ones(9)) @ Ring(), mask=np.arange(12) > 3)
    with pytest.raises(ValueError, match="a beam of type Ring cannot be written; give its window"):
        other.save(tmp_path / "a.toml")
    assert not list(tmp_path.iterdir())
    taken = tmp_path / "b.toml"
    taken.write_text("mine")
    with pytest.raises(FileExistsError, match=r"b\.toml' exists"):
        Survey("b", 23.0, mask=np.arange(12) > 3).save(taken)
    assert list(tmp_path.iterdir()) == [taken] and taken.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frequency = 3", "has no name"),
        ('name = "a"', r"frequency or \[band\]"),
        ('name = "a"\nfrequency = "3 kg"', "GHz"),
        ('name = "a"\nfrequency = 3\nbeams = 2', "unknown key 'beams'"),
        ('name = "a"\nfrequency = 3\n[noise]\nsigma = 1', "needs one of depth"),
        ('name = "a"\nfrequency = 3\n[beam]\nfwhm = -1', "between 0 and 180"),
        (
            'name = "a"\nfrequency = 3\n[beam]\nparts = [{fwhm = 1}]',
            "beam.parts must be two",
        ),
        ('name = "a"\nfrequency = 3\n[beam]\nparts = [{fwhm = 1}, 2]', "beam.parts must be two"),
        (
            'name = "a"\nfrequency = 3\n[beam]\nparts = [{fwhm = 1}, {}]',
            "one of fwhm, window",
        ),
        ('name = "a"\nfrequency = 3\nunit = "furlong"', "unit must be"),
        ('name = "a"\nfrequency = 3\nmask = "none.fits"', "mask must name a file"),
        ("name = ", "not valid TOML"),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"(?s)bad\.toml.*{message}"):
        Survey.read(path)


def test_bad_maps_are_refused(survey, seen):
    with pytest.raises(ValueError, match="map holds I"):
        survey.likelihood(synax.SkyMap(seen.values[0], "I", NSIDE, unit="mK_CMB", frequency=1.4))
    with pytest.raises(ValueError, match="at 23 GHz"):
        survey.likelihood(dataclasses.replace(seen, frequency=23.0))
    with pytest.raises(ValueError, match="rays are in the galactic frame and the map in the ecl"):
        rays = synax.Sightlines.healpix(NSIDE)
        survey.likelihood(dataclasses.replace(seen, frame="ecliptic"), rays=rays)
    with pytest.raises(ValueError, match=r"a map of IQU needs a frequency \(GHz\), got freq"):
        dataclasses.replace(seen, frequency=None)
    with pytest.raises(ValueError, match="no pixel"):
        survey.likelihood(dataclasses.replace(seen, values=seen.values * jnp.nan))
    with pytest.raises(ValueError, match="has no noise"):
        Survey("a", 1.4).likelihood(seen)
    with pytest.raises(ValueError, match="whole sky"):
        survey.on(synax.Sightlines.healpix(NSIDE, pixels=[1, 2]))


SURVEY = """
name = "small"
unit = "mK_CMB"
[band]
low = 20.0
high = 25.0
[beam]
fwhm = 30
[noise]
depth = 0.001
"""


@pytest.mark.slow
def test_simulate_makes_the_map_of_a_survey(tmp_path):
    (tmp_path / "small.toml").write_text(SURVEY)
    where = ["--survey", str(tmp_path / "small.toml"), "--output", str(tmp_path / "out"), "-q"]
    model = ["--nside", "4", "--steps", "8", "--electrons", "TwoDisc", "--seed", "3"]
    result = CliRunner().invoke(app, ["simulate", *model, *where])
    assert result.exit_code == 0, result.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "survey_small.fits", "RM.fits", "DM.fits", "sky.png", "record.json",
    }  # fmt: skip
    found = synax.io.load_map(tmp_path / "out" / "survey_small.fits").to_convention("IAU")
    sky = synax.Synchrotron(
        synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=8
    )
    expected = Survey.read(tmp_path / "small.toml").observe(sky, 4, key=jax.random.key(3))
    assert found.unit == "mK_CMB" and abs(found.frequency - expected.frequency) < 1e-6
    assert np.allclose(found.values, expected.values, rtol=1e-6, atol=1e-7)


CHANNELS = """
name = "low"
stokes = ["Q", "U"]
unit = "mK_RJ"
nodes = 1
[channels]
low = "140 MHz"
high = 0.150
count = 6
width = "1 MHz"
without = [[0.1435, 0.1445]]
[noise]
depth = 10
"""


def test_channels_of_a_survey(tmp_path, sky):
    """One march for all; likelihood and synthesis are those of the channels one by one."""
    (tmp_path / "low.toml").write_text(CHANNELS)
    survey = ChannelSurvey.read(tmp_path / "low.toml")
    assert np.allclose(survey.frequencies, [0.14, 0.142, 0.146, 0.148, 0.15], rtol=1e-4)
    rays = synax.Sightlines.healpix(1)
    maps = survey.observe(sky, rays, key=jax.random.key(2))
    clean = survey.on(rays)(sky)
    alone = survey.channels[3].on(rays)(sky)
    assert clean.shape == (5, 2, 12) and np.allclose(clean[3], alone, rtol=1e-9, atol=1e-12)
    joint = survey.likelihood(maps)
    each = [c.likelihood(m) for c, m in zip(survey.channels, maps, strict=True)]
    assert joint.count == 5 * 24
    assert np.allclose(joint.data, np.stack([one.data for one in each]))
    noise = joint.noise.sigma[0, 0, 0]
    assert np.allclose(joint.noise.sigma, noise) and np.std(joint.data - clean) / noise < 1.3
    found = survey.synthesis(maps, np.arange(-12.0, 13.0, 1.0))
    q, v = joint.data[:, 0], joint.data[:, 1]
    expected = synax.rm_synthesis(survey.frequencies, q, v, found.phi, sigma=float(noise))
    assert np.allclose(found.values, expected.values) and np.allclose(found.noise, expected.noise)
    with pytest.raises(ValueError, match="one a channel"):
        survey.likelihood(maps[:2])
    with pytest.raises(ValueError, match=r"low\.toml.*ChannelSurvey\.read"):
        Survey.read(tmp_path / "low.toml")
    with pytest.raises(ValueError, match="channels must rise"):
        ChannelSurvey(survey.channels[::-1])
    for old, new, message in (
        ("count = 6", "count = 1", "whole number, 2 to"),
        ('"1 MHz"', '"9 MHz"', "at most their spacing"),
        ("low = ", "lowest = ", "unknown key 'lowest'"),
        ("nodes = 1", "frequency = 1", "not both"),
        ("0.1435, 0.1445", "0.1, 0.2", "leaves 0 of 6"),
    ):
        (tmp_path / "bad.toml").write_text(CHANNELS.replace(old, new))
        with pytest.raises(ValueError, match=rf"bad\.toml.*{message}"):
            ChannelSurvey.read(tmp_path / "bad.toml")


@pytest.mark.slow
def test_simulate_makes_the_channels_of_a_survey(tmp_path):
    (tmp_path / "low.toml").write_text(CHANNELS)
    model = [
        "--nside",
        "1",
        "--steps",
        "8",
        "--electrons",
        "TwoDisc",
        "--set",
        "output.figure=false",
    ]
    more = ["--outputs", "stokes", "--outputs", "synthesis", "--set", "faraday.depths=[-12,12]"]
    more += ["--set", "faraday.step=1"]
    where = ["--survey", str(tmp_path / "low.toml"), "--output", str(tmp_path / "out"), "-q"]
    result = CliRunner().invoke(app, ["simulate", *model, *more, *where])
    assert result.exit_code == 0, result.output
    names = [f"survey_low_{nu}_ghz.fits" for nu in ("0.14", "0.142", "0.146", "0.148", "0.15")]
    assert {p.name for p in (tmp_path / "out").glob("survey*")} == set(names)
    found = synax.io.load_depths(tmp_path / "out" / "synthesis_dirty.fits")
    maps = [synax.load_map(tmp_path / "out" / name) for name in names]
    survey = ChannelSurvey.read(tmp_path / "low.toml")
    expected = survey.synthesis(maps, found.phi)
    assert np.allclose(found.values, expected.values, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--survey", "nothing"], "presets are c-bass, haslam"),
        (["--survey", "wmap-k", "--outputs", "RM"], "a survey needs stokes"),
        (["--survey", "wmap-k", "--set", "sightlines.pixels=[1,2]"], "needs the whole sky"),
    ],
)
def test_bad_surveys_on_the_command_line(tmp_path, options, message):
    place = ["--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["simulate", "--nside", "4", *options, *place])
    assert result.exit_code == 2 and message in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()

"""Beams and bands against healpy, PySM's convention and closed forms."""

import healpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units
from astropy.io import fits

import synax
from synax._numerics import _harmonics as harmonics
from synax.instruments import (
    Bandpass,
    GaussianBeam,
    WindowFunction,
    narrow_channel,
    pixel_window,
)


@pytest.fixture(scope="module")
def reference(table):
    return dict(table("instrument_dev"))


@pytest.fixture(scope="module")
def sky(reference):
    values = jnp.asarray(reference["map0_IQU_cosmo"])
    return synax.SkyMap(values, "IQU", 16, frequency=23.0, convention="COSMO")


@pytest.mark.parametrize("fwhm", [5, 10, 20])
def test_gaussian_beam_is_that_of_the_exact_multipoles(reference, sky, fwhm):
    beam = GaussianBeam(float(fwhm))
    expected = reference[f"map_fwhm{fwhm}_IQU_cosmo"]
    alm = reference["alm_TEB"]
    parts = np.stack([alm.real, alm.imag], axis=1)
    ell = harmonics.multipoles(32)
    i = harmonics.synthesis(jnp.asarray(parts[:1] * beam.window(32)[ell]), 16, 32)
    qu = harmonics.synthesis(jnp.asarray(parts[1:] * beam.window(32, 2)[ell]), 16, 32)
    assert np.max(np.abs(np.concatenate([i, qu]) - expected)) < 1e-10
    assert np.max(np.abs(beam(sky, lmax=32).values - expected)) < 2e-9  # the map's quadrature
    assert np.max(np.abs(beam(sky).values - expected)) < 1e-6
    healpys = healpy.smoothing(np.asarray(sky.values), fwhm=np.radians(fwhm))
    assert np.max(np.abs(beam(sky, lmax=47, iterations=3).values - healpys)) < 1e-12


def test_convention_ordering_kinds_and_frequencies(sky):
    beam = GaussianBeam(10.0)
    expected = beam(sky)
    iau = beam(sky.to_convention("IAU"))
    assert iau.convention == "IAU"
    assert np.max(np.abs(iau.to_convention("COSMO").values - expected.values)) < 1e-13
    nest = beam(sky.to_ordering("NEST"))
    assert np.max(np.abs(nest.to_ordering("RING").values - expected.values)) < 1e-13
    for kind, rows in (("I", slice(0, 1)), ("QU", slice(1, 3))):
        values = sky.values[rows] if kind == "QU" else sky.values[0]
        part = synax.SkyMap(values, kind, 16, frequency=23.0, convention="COSMO")
        assert np.max(np.abs(beam(part).values - expected.values[rows])) < 1e-13
    two = jnp.stack([sky.values, 2 * sky.values], axis=1)
    both = beam(synax.SkyMap(two, "IQU", 16, frequency=(23.0, 30.0), convention="COSMO"))
    assert np.max(np.abs(both.values[:, 1] - 2 * expected.values)) < 1e-12


@pytest.mark.parametrize("components", [1, 2])
def test_transposes_by_the_dot_product(components):
    rng = np.random.default_rng(components)
    nside, lmax = 8, 20
    maps = jnp.asarray(rng.normal(size=(components, 768)))
    alm = jnp.asarray(rng.normal(size=(components, 2, harmonics.multipoles(lmax).size)))
    for run, x, bar in (
        (lambda x: harmonics.analysis(x, nside, lmax, 0), maps, alm),
        (lambda x: harmonics.analysis(x, nside, lmax, 4), maps, alm),
        (lambda x: harmonics.synthesis(x, nside, lmax), alm, maps),
    ):
        value, pull = jax.vjp(run, x)
        left, right = jnp.sum(value * bar), jnp.sum(pull(bar)[0] * x)
        assert abs(left - right) < 1e-12 * jnp.linalg.norm(value) * jnp.linalg.norm(bar)
        push = jax.jvp(run, (x,), (x,))[1]
        assert np.array_equal(push, value)


def test_smoothing_is_differentiable_in_the_map_and_in_the_width():
    rng = np.random.default_rng(0)
    x, bar = jnp.asarray(rng.normal(size=(2, 3, 192)))

    @jax.jit
    def loss(width, x):
        return jnp.sum(bar * GaussianBeam(width).smooth(x, ("I", "Q", "U"), 4))

    value, (by_width, by_map) = jax.value_and_grad(loss, (0, 1))(30.0, x)
    step = 1e-4
    numeric = (loss(30.0 + step, x) - loss(30.0 - step, x)) / (2 * step)
    assert abs(by_width - numeric) < 1e-7 * abs(value)
    assert abs(jnp.sum(by_map * x) - value) < 1e-12 * abs(value)
    several = jax.vmap(loss, (None, 0))(30.0, jnp.stack([x, 2 * x]))
    assert abs(several[1] - 2 * several[0]) < 1e-12 * abs(value)
    single = GaussianBeam(30.0).smooth(x.astype(jnp.float32), ("I", "Q", "U"), 4)
    assert single.dtype == jnp.float32


def test_windows_from_files_and_products(tmp_path, sky):
    beam = GaussianBeam(10.0)
    exact = WindowFunction(beam.window(60), beam.window(60, 2))
    assert np.max(np.abs(exact(sky).values - beam(sky).values)) < 1e-12
    both = (beam @ GaussianBeam(5.0))(sky)
    joined = GaussianBeam(float(np.hypot(10.0, 5.0)))(sky)
    assert np.max(np.abs(both.values - joined.values)) < 1e-10
    text = tmp_path / "beam.txt"
    np.savetxt(text, np.column_stack([np.arange(61), exact.bl]), header="l b_l", fmt="%.17g")
    assert np.allclose(WindowFunction.read(text).bl, exact.bl, rtol=1e-15)
    columns = [
        fits.Column("TEMPERATURE", "D", array=exact.bl),
        fits.Column("GRAD", "D", array=exact.polarised),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "beam.fits")
    found = WindowFunction.read(tmp_path / "beam.fits")
    assert np.array_equal(found.polarised, exact.polarised) and np.array_equal(found.bl, exact.bl)
    (tmp_path / "bad.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"bad\.txt"):
        WindowFunction.read(tmp_path / "bad.txt")


def test_pixel_window(reference):
    found = pixel_window(16, 48)
    assert np.max(np.abs(found.bl - reference["pixwin_T"])) < 4e-4  # the table's own error: 3e-4
    # averaging inside pixels removes what the window says: rms over a sky of one multipole
    fine, coarse, l = 64, 8, 16
    alm = np.zeros(healpy.Alm.getsize(3 * fine - 1), complex)
    at = [healpy.Alm.getidx(3 * fine - 1, l, m) for m in range(l + 1)]
    rng = np.random.default_rng(1)
    alm[at] = rng.normal(size=l + 1) + 1j * rng.normal(size=l + 1)
    resolved = healpy.alm2map(alm, fine)
    ratio = np.std(healpy.ud_grade(resolved, coarse)) / np.std(resolved)
    assert abs(ratio / float(pixel_window(coarse, l).bl[l]) - 1) < 0.01


def test_bad_beams(sky):
    with pytest.raises(ValueError, match="between 0 and 180"):
        GaussianBeam(-1.0)
    with pytest.raises(ValueError, match="missing pixels"):
        GaussianBeam(9.0)(sky.degrade(16)._with(sky.values.at[0, 3].set(jnp.nan)))
    with pytest.raises(ValueError, match="together"):
        GaussianBeam(9.0).smooth(sky.values[1:2], ("Q",), 16)
    with pytest.raises(ValueError, match="lmax must lie"):
        GaussianBeam(9.0)(sky, lmax=48)
    with pytest.raises(ValueError, match=r"lmax must be a positive integer, got 8\.5"):
        GaussianBeam(9.0)(sky, lmax=8.5)
    with pytest.raises(TypeError, match=r"sky must be a synax\.SkyMap"):
        GaussianBeam(9.0)(np.ones(12))
    with pytest.raises(TypeError, match="fwhm must be a number"):
        GaussianBeam("9")
    with pytest.warns(UserWarning, match=r"smaller than the pixels of 3\.66 degrees.*least 128"):
        GaussianBeam(1.0)(sky)


def test_bands_are_those_of_the_table(reference):
    for (low, high, index, at), expected in zip(
        reference["band_rows"], reference["band_values"], strict=True
    ):
        band = Bandpass.top_hat(low, high)
        t = 1.0 / band.colour_correction(index, at)
        columns = (
            t,
            t * band.unit_factor("K_RJ", "K_CMB"),
            t * band.unit_factor("K_RJ", "MJy/sr"),
            t * band.unit_factor("K_RJ", "MJy/sr", reference=at),
            band.effective_frequency(index),
        )
        assert np.allclose(columns, expected[1:], rtol=1e-9)
        nu, weights = band.nodes(4)
        assert abs((nu / at) ** index @ weights / t - 1) < 3e-6
        dense = np.linspace(low, high, 4001)
        assert abs(band.colour_correction(index, at) * t - 1) < 1e-14
        assert abs(Bandpass(dense, 0 * dense + 3).colour_correction(index, at) * t - 1) < 1e-6


def test_bands_are_functions_of_what_jax_traces():
    band = Bandpass.top_hat(20.0, 25.0)
    functions = {
        "colour_correction": (lambda x: band.colour_correction(x, 22.8), -3.0),
        "effective_frequency": (band.effective_frequency, -3.0),
        "depolarisation": (lambda x: abs(band.depolarisation(x)), 900.0),
    }
    for name, (function, at) in functions.items():
        step = 1e-4 * abs(at)
        central = (function(at + step) - function(at - step)) / (2 * step)
        assert abs(central) > 1e-9, name
        np.testing.assert_allclose(jax.grad(function)(at), central, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(jax.jit(function)(at), function(at), rtol=1e-12, err_msg=name)
    both = jnp.asarray([-3.0, -2.0])
    mapped = jax.vmap(functions["colour_correction"][0])(both)
    np.testing.assert_allclose(mapped, band.colour_correction(np.asarray(both), 22.8), rtol=1e-12)
    with pytest.raises(TypeError, match="rotation_measure must be known before JAX traces"):
        jax.jit(band.nodes_for)(100.0)
    rays = synax.Sightlines.healpix(1)
    with pytest.raises(TypeError, match="index must be known before JAX traces"):
        jax.jit(lambda index: band.narrow(None, rays, index))(-3.0)
    with pytest.raises(TypeError, match="frequency must be known before JAX traces"):
        jax.grad(lambda at: band.colour_correction(-3.0, at))(22.8)


def test_band_depolarisation(reference):
    for (low, high, rm), exact, narrow in zip(
        reference["bw_rows"], reference["bw_P"], reference["bw_sinc"], strict=True
    ):
        assert abs(Bandpass.top_hat(low, high).depolarisation(rm) - exact) < 1e-12
        found = narrow_channel(rm, 0.5 * (low + high), high - low)
        assert abs(found - narrow) < 1e-12
    band = Bandpass.top_hat(1.3, 1.5)
    assert band.nodes_for(0.0) <= 4 < band.nodes_for(1000.0) < 20


def test_one_march_through_a_band_is_the_mean_of_many():
    rays = synax.Sightlines.healpix(1, domain=synax.Sphere(10.0))
    sky = synax.Synchrotron(
        synax.magnetic.Uniform((1.0, 2.0, 0.5)),
        synax.electrons.Uniform(0.01),
        synax.cosmic_rays.Uniform(1e-5),
        steps=8,
    )
    band = Bandpass.of_temperature(np.linspace(1.3, 1.5, 33), np.linspace(1.0, 2.0, 33))
    found = band(sky, rays, nodes=6)
    every = sky(rays, np.asarray(band.frequency))
    for name in "IQU":
        expected = band.average(getattr(every, name))
        scale = jnp.max(jnp.abs(getattr(every, name)))
        assert np.max(np.abs(getattr(found, name) - expected)) < 2e-5 * scale


def test_band_files(tmp_path):
    nu = np.linspace(20.0, 25.0, 51)
    one, two = np.exp(-((nu - 22.5) ** 2)), 0.3 * np.exp(-((nu - 23.5) ** 2))
    np.savetxt(tmp_path / "wmap.cbp", np.column_stack([nu, one, two]))
    found = Bandpass.read(tmp_path / "wmap.cbp")
    both = one / np.trapezoid(one, nu) + two / np.trapezoid(two, nu)
    mean = np.trapezoid(both * nu**-3.0, nu) / np.trapezoid(both, nu)
    assert abs(found.colour_correction(-3.0, 1.0) * mean - 1) < 1e-5
    wave = fits.BinTableHDU.from_columns(
        [
            fits.Column("WAVENUMBER", "D", unit="cm-1", array=nu * 5 / 29.9792458),
            fits.Column("TRANSMISSION", "D", array=one),
        ],
        name="BANDPASS_F100",
    )
    giga = fits.BinTableHDU.from_columns(
        [
            fits.Column("WAVENUMBER", "D", unit="GHz", array=nu),
            fits.Column("TRANSMISSION", "D", array=one),
        ],
        name="BANDPASS_F030",
    )
    fits.HDUList([fits.PrimaryHDU(), giga, wave]).writeto(tmp_path / "rimo.fits")
    low = Bandpass.read(tmp_path / "rimo.fits", "030")
    assert abs(low.effective_frequency() - 22.5) < 1e-3  # a response to temperature
    high = Bandpass.read(tmp_path / "rimo.fits", "F100")
    assert abs(np.average(high.frequency, weights=high.measure) - 112.5) < 1e-3
    with pytest.raises(ValueError, match=r"channel must name.*BANDPASS_F030, BANDPASS_F100"):
        Bandpass.read(tmp_path / "rimo.fits", "143")


def test_bad_bands():
    with pytest.raises(ValueError, match=r"entries 1 and 2 are 3 and 2 GHz"):
        Bandpass([1.0, 3.0, 2.0], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="alike"):
        Bandpass([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="not negative"):
        Bandpass([1.0, 2.0, 3.0], [1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match="below high"):
        Bandpass.top_hat(3.0, 2.0)
    with pytest.raises(ValueError, match="unit must be"):
        Bandpass.top_hat(1.0, 2.0).unit_factor("K_RJ", "furlong")
    with pytest.warns(UserWarning, match="2 samples errs by"):
        Bandpass([10.0, 30.0], [1.0, 1.0])
    with pytest.raises(ValueError, match=r"frequency has 1 missing \(masked\) values"):
        Bandpass(np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]), [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="weight must be without a unit; it is in 'GHz'"):
        Bandpass([1.0, 2.0], [1.0, 1.0] * units.GHz)
    with pytest.raises(ValueError, match="frequency must have at least one value"):
        Bandpass([], [])
    with pytest.raises(TypeError, match="frequency must be numbers, got 'wide'"):
        Bandpass("wide", [1.0])
    percent = Bandpass([1.0, 1.1, 1.2] * units.GHz, [50.0, 100.0, 50.0] * units.percent)
    assert percent.weight == (0.5, 1.0, 0.5)


def test_circular_polarisation_goes_through_a_band():
    seen = synax.maps.Stokes(*jnp.arange(1.0, 9.0).reshape(4, 2, 1))
    found = Bandpass.top_hat(1.3, 1.5).combine(seen, np.array([0.25, 0.75]))
    np.testing.assert_allclose(
        [found.I, found.Q, found.U, found.V], [[1.75], [3.75], [5.75], [7.75]]
    )


def test_narrow_channels_in_closed_form_inside_the_march():
    """Emission behind and inside what rotates it across the channel, against many frequencies."""
    rays = synax.Sightlines.from_lonlat([0.0, 3.0], [0.0, 5.0], distance=5.0)
    band = Bandpass.top_hat(0.298, 0.302)

    @jax.jit
    def all_three(density):
        sky = synax.Synchrotron(
            synax.magnetic.Uniform((-1.5, 2.0, 0.7)),
            synax.electrons.Uniform(density, radius=1.0, center=(-8.3, 0.0, 0.006)),
            synax.cosmic_rays.Uniform(1e-5, radius=2.2, center=(-5.3, 0.0, 0.006)),
            steps=synax.UniformSteps(24),
            free_free=synax.FreeFree(8000.0, 0.1),
        )
        p = lambda s: jnp.stack([s.I, s.Q, s.U])
        return p(band.narrow(sky, rays)), p(band(sky, rays, nodes=12)), p(sky(rays, 0.3))

    narrow, exact, plain = all_three(0.05)
    size = np.max(np.abs(exact[1:]))
    assert np.max(np.abs(plain - exact)[1:]) > 0.1 * size
    assert np.max(np.abs(narrow - exact)) < 1.5e-3 * size  # third order
    sky = synax.Synchrotron(
        synax.magnetic.Uniform((-1.5, 2.0, 0.7)), None, synax.cosmic_rays.Uniform(1e-5)
    )
    with pytest.raises(ValueError, match=r"width must lie between 0 and 0\.2 of the frequency"):
        sky(rays, 0.3, width=0.1)
    with pytest.raises(ValueError, match="one for each frequency"):
        sky(rays, [0.3, 0.4], width=[0.1])

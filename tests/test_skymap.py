"""SkyMap: units, conventions, orderings, arithmetic, resolution."""

from types import SimpleNamespace

import astropy.units as u
import healpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.maps._skymap import SkyMap
from synax.maps._stokes import Stokes
from synax.maps._units import BRIGHTNESS_UNITS, conversion_factor

NSIDE = 4
N = 12 * NSIDE**2


@pytest.fixture
def sky():
    rng = np.random.default_rng(1)
    return SkyMap(jnp.asarray(rng.normal(size=(3, N))), "IQU", NSIDE, frequency=23.0)


@pytest.mark.parametrize("frequency", [0.408, 23.0, 353.0])
def test_units_against_astropy(frequency):
    nu = frequency * u.GHz
    rayleigh = u.brightness_temperature(nu)
    thermodynamic = u.thermodynamic_temperature(nu, T_cmb=2.7255 * u.K)
    mjy = (1.0 * u.K).to_value(u.MJy / u.sr, rayleigh)
    np.testing.assert_allclose(conversion_factor("K_RJ", "MJy/sr", frequency), mjy, rtol=1e-8)
    cmb = (mjy * u.MJy / u.sr).to_value(u.K, thermodynamic)
    np.testing.assert_allclose(conversion_factor("K_RJ", "K_CMB", frequency), cmb, rtol=1e-8)


def test_every_unit_in_numbers():
    """1 K (RJ) at 100 GHz: 2 k nu^2/c^2; micro and milli, jansky and megajansky."""
    jansky = 2 * 1.380649e-23 * (1e11 / 299792458.0) ** 2 * 1e26
    x = 6.62607015e-34 * 1e11 / (1.380649e-23 * 2.7255)
    cmb = (np.exp(x) - 1) ** 2 / (x**2 * np.exp(x))
    expected = {"K_RJ": 1.0, "mK_RJ": 1e3, "uK_RJ": 1e6, "K_CMB": cmb, "mK_CMB": 1e3 * cmb}
    expected |= {"uK_CMB": 1e6 * cmb, "Jy/sr": jansky, "MJy/sr": 1e-6 * jansky}
    assert set(expected) == set(BRIGHTNESS_UNITS)
    for unit, number in expected.items():
        assert conversion_factor("K_RJ", unit, 100.0) == pytest.approx(number, rel=1e-9), unit


@pytest.mark.parametrize("unit", BRIGHTNESS_UNITS)
def test_unit_round_trip(sky, unit):
    back = sky.to_unit(unit).to_unit("K_RJ")
    np.testing.assert_allclose(back.values, sky.values, rtol=1e-13)
    assert sky.to_unit(unit).unit == unit


def test_units_follow_each_frequency(sky):
    both = SkyMap(jnp.stack([sky.values] * 2, axis=1), "IQU", NSIDE, frequency=(1.0, 100.0))
    ratio = both.to_unit("K_CMB").I[1] / both.to_unit("K_CMB").I[0]
    expected = conversion_factor("K_RJ", "K_CMB", 100.0) / conversion_factor("K_RJ", "K_CMB", 1.0)
    np.testing.assert_allclose(ratio, expected, rtol=1e-12)


def test_convention_flips_u_only(sky):
    cosmo = sky.to_convention("COSMO")
    np.testing.assert_array_equal(cosmo.U, -sky.U)
    np.testing.assert_array_equal(cosmo.Q, sky.Q)
    np.testing.assert_array_equal(cosmo.to_convention("IAU").values, sky.values)


def test_ordering_agrees_with_healpy(sky):
    nested = sky.to_ordering("NEST")
    np.testing.assert_array_equal(nested.I, healpy.reorder(np.asarray(sky.I), r2n=True))
    np.testing.assert_array_equal(nested.to_ordering("RING").values, sky.values)


def test_degrade_agrees_with_healpy(sky):
    np.testing.assert_allclose(
        sky.degrade(2).Q, healpy.ud_grade(np.asarray(sky.Q), 2), rtol=1e-12, atol=1e-14
    )


def test_partial_sky(sky):
    pixels = np.array([5, 80, 3, 100])
    part = SkyMap(sky.values[:, pixels], "IQU", NSIDE, frequency=23.0, pixels=pixels)
    full = part.full()
    np.testing.assert_array_equal(full.I[pixels], sky.I[pixels])
    assert np.isnan(full.I).sum() == N - 4
    nested = part.to_ordering("NEST").full()
    np.testing.assert_array_equal(nested.to_ordering("RING").values, full.values)
    children = healpy.nest2ring(NSIDE, np.arange(8, 12))
    part = SkyMap(sky.values[:, children], "IQU", NSIDE, frequency=23.0, pixels=children)
    coarse = part.degrade(2)
    np.testing.assert_array_equal(coarse.pixels, [healpy.nest2ring(2, 2)])
    np.testing.assert_allclose(coarse.I[0], sky.I[children].mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("unit", lambda m: m.to_unit("K_CMB")),
        ("convention", lambda m: m.to_convention("COSMO")),
        ("ordering", lambda m: m.to_ordering("NEST")),
        ("nside", lambda m: m.degrade(2)),
        ("frequency", lambda m: m._with(m.values, frequency=2.4)),
        ("frame", lambda m: m._with(m.values, frame="equatorial")),
        ("kind", lambda m: SkyMap(m.I, "RM", NSIDE)),
        ("pixels", lambda m: m._with(m.values, pixels=np.arange(N))),
    ],
)
def test_maps_that_do_not_belong_together_do_not_add(sky, name, other):
    with pytest.raises(ValueError, match=f"maps differ in {name}"):
        sky + other(sky)


def test_arithmetic_and_gradient(sky):
    np.testing.assert_allclose((2.0 * sky - sky / 2.0).values, 1.5 * sky.values, rtol=1e-14)
    np.testing.assert_array_equal((sky + sky).values, 2 * np.asarray(sky.values))
    np.testing.assert_array_equal((-sky).values, -np.asarray(sky.values))
    np.testing.assert_array_equal((sky - 2.0 * sky).values, (-sky).values)
    np.testing.assert_array_equal((np.ones((3, N)) - sky).values, 1.0 - np.asarray(sky.values))
    gradient = jax.grad(lambda m: jnp.sum((m + sky).to_unit("mK_RJ").I))(sky)
    np.testing.assert_allclose(gradient.values[0], 1e3, rtol=1e-12)
    assert not gradient.values[1:].any()
    with pytest.raises(ValueError, match="multiplied"):
        sky * sky


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (dict(kind="XY"), "kind must be one of IQU"),
        (dict(kind="I", unit="Kelvin"), "unit of a map of I must be K_RJ"),
        (dict(kind="I", nside=0), "nside must be at least 1, got 0"),
        (
            dict(kind="I", nside=3, ordering="NEST"),
            "must be a power of two in NEST",
        ),
        (dict(kind="I", frequency=None), "needs a frequency"),
        (dict(kind="RM"), "has no frequency"),
        (dict(kind="I", convention="iau"), "convention must be one of IAU, COSMO"),
        (dict(kind="I", ordering="NESTED"), "ordering must be one of RING, NEST"),
        (dict(kind="IQU"), r"must have shape \(3, 192\), got \(192,\)"),
    ],
)
def test_errors_name_the_argument(kwargs, message):
    with pytest.raises(ValueError, match=message):
        SkyMap(jnp.zeros(N), **{"nside": NSIDE, "frequency": 1.0, **kwargs})


def test_from_stokes(sky):
    rays = synax.Sightlines.healpix(NSIDE)
    made = SkyMap.from_stokes(Stokes(sky.I, sky.Q, sky.U), rays, 23.0)
    np.testing.assert_array_equal(made.values, sky.values)
    assert (made.unit, made.convention, made.frequency) == ("K_RJ", "IAU", 23.0)
    with pytest.raises(ValueError, match="healpix"):
        SkyMap.from_stokes(Stokes(sky.I, sky.Q, sky.U), SimpleNamespace(nside=None), 23.0)


def test_any_nside_in_ring_ordering():
    """A child's centre lies in its parent, and a mean over parents is the map's mean."""
    fine = SkyMap(jnp.arange(12.0 * 36), "RM", 6)
    coarse = fine.degrade(3)
    parents = healpy.vec2pix(3, *healpy.pix2vec(6, np.arange(12 * 36)))
    expected = np.bincount(parents, weights=np.arange(12.0 * 36)) / 4
    np.testing.assert_allclose(coarse.values, expected)
    part = SkyMap(fine.values[:7], "RM", 6, pixels=np.arange(7)).degrade(2)
    np.testing.assert_array_equal(part.pixels, np.unique(parents_of(6, 2, np.arange(7))))
    with pytest.raises(ValueError, match="must divide that of the map, 6, got 4"):
        fine.degrade(4)
    with pytest.raises(ValueError, match="power of two in NEST"):
        fine.to_ordering("NEST")


def parents_of(nside, coarse, pixels):
    return healpy.vec2pix(coarse, *healpy.pix2vec(nside, pixels))


def test_smoothing_multiplies_harmonics(sky):
    """One multipole of T, E, B and V: each is its own times the beam of its spin."""
    l, fwhm, nside = 3, 0.4, 16
    rng = np.random.default_rng(3)
    size = healpy.Alm.getsize(8)
    at = [healpy.Alm.getidx(8, l, m) for m in range(l + 1)]

    def modes():
        alm = np.zeros(size, complex)
        alm[at] = rng.normal(size=l + 1) + 1j * rng.normal(size=l + 1)
        alm[at[0]] = alm[at[0]].real
        return alm

    cosmo = healpy.alm2map([modes(), modes(), modes()], nside, lmax=8)
    v = healpy.alm2map(modes(), nside, lmax=8)
    full = SkyMap(np.stack([*cosmo, v]), "IQUV", nside, frequency=1.0, convention="COSMO")
    s = fwhm / np.sqrt(8 * np.log(2))
    beam = np.exp(-0.5 * s**2 * np.array([12, 8, 8, 12]))[:, None]
    size = np.abs(full.values).max()
    for one in (full, full.to_convention("IAU").to_ordering("NEST")):
        done = one.smooth(fwhm)
        assert (done.convention, done.ordering) == (one.convention, one.ordering)
        # healpy's own quadrature errs by 2e-4 at this nside
        np.testing.assert_allclose(done.values, beam * one.values, atol=5e-4 * size)
    expected = healpy.smoothing(full.to_healpy()[:3], fwhm=fwhm)
    np.testing.assert_allclose(full.smooth(fwhm).to_healpy()[:3], expected, atol=1e-12)
    pair = SkyMap(full.values[1:3], "QU", nside, frequency=1.0, convention="COSMO")
    np.testing.assert_allclose(pair.smooth(fwhm * u.rad).values, full.smooth(fwhm).values[1:3])
    two = SkyMap(jnp.stack([full.I, 2 * full.I]), "I", nside, frequency=(1.0, 2.0)).smooth(fwhm)
    np.testing.assert_allclose(two.I[1], 2 * two.I[0], rtol=1e-12)
    for bad in (0.0, -1.0, 7.0, float("nan")):
        with pytest.raises(ValueError, match="fwhm must be from 0 to pi, in radians"):
            sky.smooth(bad)


def test_smoothing_leaves_missing_pixels_out():
    """A constant stays one, whatever is missing; nothing of the missing pixels leaks in."""
    values = np.ones(12 * 8**2)
    values[40:200] = np.nan
    sky = SkyMap(values, "I", 8, frequency=1.0)
    with pytest.warns(UserWarning, match="smooth: 160 of 768 pixels are missing"):
        done = sky.smooth(0.3)
    np.testing.assert_array_equal(done.mask, sky.mask)
    np.testing.assert_allclose(done.I[np.asarray(done.mask)], 1.0, rtol=1e-12)
    part = SkyMap(np.ones(100), "I", 8, frequency=1.0, pixels=np.arange(300, 400))
    with pytest.warns(UserWarning, match="668 of 768"):
        done = part.smooth(0.3)
    np.testing.assert_allclose(done.values, 1.0, rtol=1e-12)
    np.testing.assert_array_equal(done.pixels, part.pixels)


@pytest.mark.parametrize("ordering", ["RING", "NEST"])
def test_degrading_masked_maps_agrees_with_healpy(ordering):
    rng = np.random.default_rng(5)
    values = rng.normal(size=12 * 16**2)
    values[rng.random(values.size) < 0.6] = healpy.UNSEEN
    sky = SkyMap(values, "RM", 16, ordering=ordering)
    expected = healpy.ud_grade(values, 4, order_in=ordering)
    np.testing.assert_allclose(
        sky.degrade(4).to_healpy(nest=ordering == "NEST"), expected, rtol=1e-12
    )
    strict = healpy.ud_grade(values, 8, order_in=ordering, pess=True)
    np.testing.assert_allclose(
        sky.degrade(8, min_fraction=1.0).to_healpy(ordering == "NEST"), strict, rtol=1e-12
    )
    with pytest.raises(ValueError, match="min_fraction must be from 0 to 1, got 2"):
        sky.degrade(8, min_fraction=2.0)
    gradient = jax.grad(lambda m: jnp.nansum(m.degrade(4).values))(sky)
    assert not jnp.isnan(gradient.values).any()


def test_missing_pixels_have_one_face():
    values = np.arange(1.0, 13.0)
    bad = values.copy()
    bad[3] = healpy.UNSEEN
    swapped = bad.astype(">f4")
    masked = np.ma.masked_array(values, mask=np.arange(12) == 3)
    nan = np.where(np.arange(12) == 3, np.nan, values)
    for given in (bad, swapped, masked, nan, jnp.asarray(bad), masked.astype(">f8"), list(nan)):
        sky = SkyMap(given, "I", 1, frequency=1.0)
        assert np.flatnonzero(np.isnan(sky.I)).tolist() == [3]
        assert np.flatnonzero(~np.asarray(sky.mask)).tolist() == [3]
        assert sky.to_healpy()[3] == pytest.approx(healpy.UNSEEN)
    # in the unit of what was given: marked before it is converted
    assert np.isnan(SkyMap(bad * u.uK, "I", 1, frequency=1.0).I[3])
    assert float(SkyMap(bad * u.uK, "I", 1, frequency=1.0).I[4]) == pytest.approx(5e-6)


def test_values_of_tables_and_frames():
    from astropy.table import Column, MaskedColumn

    column = Column(np.ones(12), unit="mK")
    np.testing.assert_allclose(SkyMap(column, "I", 1, frequency=1.0).I, 1e-3)
    masked = MaskedColumn(np.ones(12), mask=np.arange(12) == 2, unit="mK")
    assert np.isnan(SkyMap(masked, "I", 1, frequency=1.0).I[2])
    pandas = pytest.importorskip("pandas")
    np.testing.assert_array_equal(SkyMap(pandas.Series(np.ones(12)), "I", 1, frequency=1.0).I, 1.0)
    assert SkyMap(np.arange(12), "RM", 1).values.dtype == jnp.result_type(float)
    for values in (np.ones(12, bool), np.ones(12, complex), ["a"] * 12):
        with pytest.raises(TypeError, match="values of a map must be real numbers"):
            SkyMap(values, "RM", 1)


@pytest.mark.parametrize(
    "frequency", [0.0, -1.0, np.nan, np.inf, True, [1.0, -1.0], [2.0, 2.0], []]
)
def test_frequencies_are_positive(frequency):
    with pytest.raises(ValueError, match="frequency"):
        SkyMap(jnp.zeros((np.size(frequency), 12)), "I", 1, frequency=frequency)


@pytest.mark.parametrize("nside", [1.9, True, "2", 0, -4])
def test_nside_is_a_whole_number(nside):
    with pytest.raises(ValueError, match="nside must be"):
        SkyMap(jnp.zeros(12), "RM", nside)


def test_angle_and_strength_of_polarisation():
    angle = jnp.linspace(-1.5, 1.5, 7)
    seen = synax.Stokes(jnp.ones(7), 0.3 * jnp.cos(2 * angle), 0.3 * jnp.sin(2 * angle))
    np.testing.assert_allclose(seen.angle, angle, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(seen.P, 0.3, rtol=1e-12)


def test_arithmetic_with_arrays_and_sums(sky):
    one = SkyMap(np.arange(1.0, 13.0), "I", 1, frequency=1.0)
    for product in (np.ones(12) * one, one * np.ones(12), np.float64(1) * one, jnp.ones(12) * one):
        assert isinstance(product, SkyMap)
        np.testing.assert_array_equal(product.values, one.values)
    assert isinstance(sum([one, one, one]), SkyMap)
    np.testing.assert_array_equal(sum([sky, sky]).values, 2 * sky.values)
    np.testing.assert_array_equal((np.ones(12) - one).values, 1 - one.values)
    np.testing.assert_array_equal((-one + one).values, 0.0)
    np.testing.assert_allclose((one + 500 * u.mK).values, one.values + 0.5)
    for wrong, match in (
        (lambda: sky + 1.0, r"added to I, Q, U alike"), (lambda: 1.0 / sky, "divided by a map"),
        (lambda: sky * (2 * u.K), "by numbers in K"),
        (lambda: one / one, "cannot be divided: the ratio has"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            wrong()
    for wrong in (lambda: one + "a", lambda: one * None, lambda: np.add(np.ones(12), one)):
        with pytest.raises(TypeError):
            wrong()


def test_circular_polarisation(sky, tmp_path):
    rays = synax.Sightlines.healpix(NSIDE)
    stokes = Stokes(sky.I, sky.Q, sky.U, 0.1 * sky.I)
    made = SkyMap.from_stokes(stokes, rays, 23.0)
    assert made.kind == "IQUV" and made.columns == stokes.components == ("I", "Q", "U", "V")
    cosmo = made.to_convention("COSMO")
    np.testing.assert_array_equal(cosmo.V, made.V)
    np.testing.assert_array_equal(cosmo.U, -made.U)
    made.save(tmp_path / "v.fits")
    from synax import load_map

    np.testing.assert_array_equal(load_map(tmp_path / "v.fits").values, made.values)
    assert Stokes(sky.I, sky.Q, sky.U).V is None
    assert len(jax.tree.leaves(Stokes(sky.I, sky.Q, sky.U))) == 3


def test_maps_and_stokes_show_numbers_and_units(sky):
    part = SkyMap(sky.values[:, :2].at[0, 1].set(jnp.nan), "IQU", NSIDE, frequency=23.0,
                  pixels=[5, 7])  # fmt: skip
    text = repr(part)
    assert "NSIDE 4 RING, galactic, 2 of 192 pixels, 23 GHz, K_RJ, IAU" in text
    assert f"{float(part.I[0]):.4g} K_RJ" in text and "1 missing" in text
    assert "<td>K_RJ</td>" in part._repr_html_() and part._repr_html_().count("<tr>") == 4
    stokes = Stokes(sky.I, sky.Q, sky.U)
    assert f"{float(sky.Q.max()):.4g} K" in repr(stokes) and "K (Rayleigh-Jeans)" in repr(stokes)
    assert stokes._repr_html_().count("<td>K</td>") == 3
    jax.jit(lambda m: [repr(m), m.values][1])(sky)
    assert "I" in repr(jax.eval_shape(lambda: stokes))


def test_plots_of_every_kind(sky):
    assert len(sky.plot("I", "P").axes) >= 2
    assert SkyMap(sky.I, "RM", NSIDE).plot().axes
    titles = [a.get_title() for a in SkyMap(sky.I, "V", NSIDE, frequency=1.0).plot().axes]
    assert any("$V$, right-handed" in title for title in titles)
    assert SkyMap(sky.I, "RM", NSIDE).plot("RM").axes
    with pytest.raises(ValueError, match="one panel, 'RM'"):
        SkyMap(sky.I, "RM", NSIDE).plot("Q")


def test_a_computed_map_lacks_no_pixel(sky):
    rays = synax.Sightlines.healpix(NSIDE)
    bad = sky.Q.at[3].set(jnp.nan)
    with pytest.raises(ValueError, match="Q is not a finite number in 1 of 192 pixels"):
        SkyMap.from_stokes(Stokes(sky.I, bad, sky.U), rays, 23.0)
    with pytest.raises(ValueError, match="U is infinite in 192 of 192 pixels"):
        sky._with(sky.values.at[2].set(jnp.inf)).save("never.fits")


@pytest.mark.parametrize("fwhm", ["1 deg", [0.1, 0.2], 1 * u.kpc, None, 60, True])
def test_smoothing_names_its_argument(sky, fwhm):
    with pytest.raises((TypeError, ValueError), match="fwhm must be"):
        sky.smooth(fwhm)


def test_numpy_does_not_take_a_map_for_a_number(sky):
    for function in (np.mean, np.asarray):
        with pytest.raises(TypeError, match=r"a SkyMap is no array of numbers.*I, Q, U"):
            function(sky)
    mask = np.arange(N) < 3
    found = sky * np.ma.array(np.full(N, 2.0), mask=mask)
    np.testing.assert_array_equal(np.isnan(found.U), mask)
    np.testing.assert_array_equal(found.U[3:], 2.0 * sky.U[3:])


def test_one_frequency_of_several():
    rays = synax.Sightlines.healpix(1)
    values = np.arange(24.0).reshape(2, 12)
    both = Stokes(*(jnp.asarray(k * values) for k in (1.0, 2.0, 3.0)))
    np.testing.assert_array_equal(both[1].U, 3 * values[1])
    assert both[1].V is None and both[0, :3].I.shape == (3,)
    sky = synax.SkyMap.from_stokes(both, rays, [0.408, 23.0]).to_convention("COSMO")
    one = sky.at(23.0)
    np.testing.assert_array_equal(one.U, -3 * values[1])
    assert (one.frequency, one.convention, one.values.shape) == (23.0, "COSMO", (3, 12))
    np.testing.assert_array_equal(sky.at(408 * u.MHz).Q, 2 * values[0])
    np.testing.assert_array_equal(one.at(23.0).values, one.values)
    for wrong in (2.3, [0.408]):
        with pytest.raises(ValueError, match=r"one of this map's \(0.408, 23 GHz\)"):
            sky.at(wrong)
    with pytest.raises(ValueError, match=r"\(none\)"):
        synax.SkyMap(values[0], "RM", 1).at(23.0)
    with pytest.raises(TypeError, match="give healpy's `to_healpy"):
        healpy.anafast(sky)
    with pytest.raises(TypeError, match="a SkyMap has no index, got 1: `at"):
        sky[1]
    with pytest.raises(TypeError, match="stokes must be a synax"):
        synax.SkyMap.from_stokes(values, rays, [0.408, 23.0])


def test_titles_of_many_frequencies_are_short():
    sky = synax.SkyMap(np.ones((11, 12)), "I", 1, frequency=np.linspace(0.05, 0.1, 11))
    assert "11 frequencies from 0.05 to 0.1 GHz" in repr(sky) and "000" not in repr(sky)

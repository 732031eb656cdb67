"""SkyMap: units, conventions, orderings, arithmetic, resolution."""

from types import SimpleNamespace

import astropy.units as u
import healpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest

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
    rays = SimpleNamespace(nside=NSIDE, ordering="RING", pixels=None)
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

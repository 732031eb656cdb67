"""Celestial frames and rays inside pixels, against healpy's rotations and resolved skies."""

import astropy.units as u
import healpy
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

import synax
from synax.instruments import GaussianBeam, WindowFunction, pixel_window
from synax.sightlines import _frames as frames


@pytest.fixture(scope="module")
def reference(table):
    return dict(table("instrument_dev"))


@pytest.fixture(scope="module")
def sky():
    # without faces: rays that touch a wall fall on either side of it by rounding
    return synax.Synchrotron(
        synax.magnetic.WMAP(),
        synax.electrons.TwoDisc(),
        synax.cosmic_rays.WMAP(),
        steps=8,
        faces=False,
    )


def test_centres_and_angles_are_healpys(reference):
    lon, lat = np.radians(healpy.pix2ang(16, np.arange(3072), lonlat=True))
    out, _, _ = frames.basis(lon, lat)
    theta, phi = reference["G2C_theta"], reference["G2C_phi"]
    expected = frames.basis(phi, np.pi / 2 - theta)[0]
    assert np.max(np.abs(frames.rotation("galactic", "equatorial") @ out - expected)) < 1e-12
    psi = frames.position_angle(lon, lat, "galactic", "equatorial")
    difference = np.angle(np.exp(1j * (psi - reference["G2C_psi"])))
    opposite = np.angle(np.exp(1j * (psi + reference["G2C_psi"])))
    assert min(np.max(np.abs(difference)), np.max(np.abs(opposite))) < 1e-9


def test_sightlines_of_a_frame_see_the_rotated_sky(sky):
    b = synax.SkyMap.from_stokes
    for frame in ("equatorial", "ecliptic"):
        rays = synax.Sightlines.healpix(4, frame=frame)
        own = b(sky(rays, 23.0), rays, 23.0)
        assert own.frame == frame
        lon, lat = healpy.pix2ang(4, np.arange(192), lonlat=True)
        letters = {"equatorial": "C", "ecliptic": "E"}
        turn = healpy.Rotator(coord=[letters[frame], "G"])
        l, lat_g = np.asarray(turn(lon, lat, lonlat=True))
        galactic = sky(synax.Sightlines.from_lonlat(l, lat_g), 23.0)
        psi = frames.position_angle(np.radians(l), np.radians(lat_g), "galactic", frame)
        p = np.asarray(galactic.Q + 1j * galactic.U) * np.exp(2j * psi)
        assert np.max(np.abs(own.I - galactic.I)) < 1e-11 * np.max(galactic.I)
        assert np.max(np.abs(own.Q + 1j * own.U - p)) < 1e-10 * np.max(np.abs(p))


def test_catalogues_in_any_frame():
    ra, dec = np.array([10.0, 266.4]), np.array([41.0, -28.9])
    by_frame = synax.Sightlines.from_lonlat(ra, dec, frame="equatorial")
    coordinates = SkyCoord(ra * u.deg, dec * u.deg)
    galactic = coordinates.galactic
    by_hand = synax.Sightlines.from_lonlat(galactic.l.deg, galactic.b.deg)
    assert np.max(np.abs(by_frame.direction - by_hand.direction)) < 1e-6  # ICRS against J2000
    given = synax.Sightlines.from_lonlat(coordinates, frame="equatorial")
    assert np.max(np.abs(given.north - by_frame.north)) < 1e-12
    assert np.max(np.abs(by_frame.north - by_hand.north)) > 0.1
    with pytest.raises(ValueError, match="frame"):
        synax.Sightlines.from_lonlat(ra, dec, frame="horizontal")


def test_maps_rotate_with_their_polarisation(reference):
    alm = reference["alm_TEB"].copy()
    maps = jnp.asarray(healpy.alm2map(alm, 16))
    one = synax.SkyMap(maps, "IQU", 16, frequency=23.0, convention="COSMO")
    healpy.Rotator(coord=["G", "C"]).rotate_alm(alm, inplace=True)
    expected = healpy.alm2map(alm, 16)
    found = one.to_frame("equatorial")
    assert found.frame == "equatorial"
    assert np.max(np.abs(found.values - expected)) < 2e-6 * np.max(np.abs(expected))
    iau = one.to_convention("IAU").to_ordering("NEST").to_frame("equatorial")
    back = iau.to_ordering("RING").to_convention("COSMO").values
    assert np.max(np.abs(back - found.values)) < 1e-12 * np.max(np.abs(expected))
    home = found.to_frame("galactic")
    assert np.max(np.abs(home.values - maps)) < 5e-6 * np.max(np.abs(expected))


def test_partial_maps_are_interpolated_with_their_polarisation():
    """Against the rotation of the whole sky by its multipoles, poles included."""
    rng = np.random.default_rng(0)
    lmax, nside = 6, 64
    alm = rng.normal(size=(3, 28)) + 1j * rng.normal(size=(3, 28))
    alm[:, : lmax + 1] = alm[:, : lmax + 1].real
    alm[1:, healpy.Alm.getidx(lmax, np.array([0, 1, 1]), np.array([0, 0, 1]))] = 0.0
    maps = healpy.alm2map(alm, nside, lmax=lmax)
    whole = synax.SkyMap(maps, "IQU", nside, frequency=23.0, convention="COSMO")
    expected = np.asarray(whole.to_frame("equatorial").values)
    missing = healpy.query_disc(nside, [1.0, 0.0, 0.0], 0.5)
    pixels = np.setdiff1d(np.arange(12 * nside**2), missing)
    part = synax.SkyMap(maps[:, pixels], "IQU", nside, frequency=23.0, convention="COSMO",
                        pixels=pixels).to_ordering("NEST")  # fmt: skip
    found = part.to_frame("equatorial").to_ordering("RING")
    assert found.convention == "COSMO" and found.frame == "equatorial"
    there = np.isfinite(np.asarray(found.values))
    assert 0.9 < np.mean(there) < 1.0 and np.all(there[0] == there[1])
    error = np.where(there, np.asarray(found.values) - expected, 0.0)
    assert np.max(np.abs(error)) < 6e-3 * np.max(np.abs(expected))
    sigma = whole._with(np.ones_like(maps)).to_frame("ecliptic", spin=False)
    assert np.allclose(sigma.values, 1.0, rtol=1e-12)


def test_rays_inside_pixels_average_to_the_smoothed_sky(sky):
    nside, count = 8, 2
    rays = synax.Sightlines.healpix(nside, subsamples=count)
    inside = synax.SkyMap.from_stokes(sky(rays, 23.0), rays, 23.0)
    fine = synax.Sightlines.healpix(nside * count)
    resolved = synax.SkyMap.from_stokes(sky(fine, 23.0), fine, 23.0)
    assert np.max(np.abs(inside.I - resolved.degrade(nside).I)) < 1e-12 * np.max(resolved.I)
    # by hand: the resolved polarisation, turned from its own north to that of the pixel's centre
    there = healpy.vec2pix(nside * count, *np.asarray(rays.direction))
    angle = np.arctan2(
        np.sum(np.asarray(rays.north) * np.asarray(fine.east)[:, there], axis=0),
        np.sum(np.asarray(rays.north) * np.asarray(fine.north)[:, there], axis=0),
    )
    p = np.asarray(resolved.Q + 1j * resolved.U)[there] * np.exp(-2j * angle)
    expected = p.reshape(-1, count**2).mean(axis=1)
    assert np.max(np.abs(inside.Q + 1j * inside.U - expected)) < 1e-11 * np.max(np.abs(p))
    assert np.max(np.abs(angle)) > 0.01
    some = synax.Sightlines.healpix(nside, subsamples=count, pixels=[5, 300])
    part = synax.SkyMap.from_stokes(sky(some, 23.0), some, 23.0)
    assert np.array_equal(part.pixels, [5, 300])
    assert np.max(np.abs(part.values - inside.values[:, [5, 300]])) < 1e-12
    four = rays.take(np.array([3, 20]))
    assert four.n_rays == 2 and np.array_equal(four.pixels, [0, 5])


@pytest.mark.slow
def test_rays_inside_pixels_seen_with_a_beam_are_the_resolved_sky_seen_with_it():
    """Nine rays a pixel, their mean corrected for the pixel; one ray through the centre is not."""
    nside, count, nu, beam = 32, 3, 4.8, GaussianBeam(12.0)
    depolarised = synax.Synchrotron(
        synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=16
    )
    look = lambda **more: synax.Sightlines.healpix(**more)
    maps = [
        synax.SkyMap.from_stokes(depolarised(rays, nu), rays, nu)
        for rays in (look(nside=nside, subsamples=count), look(nside=nside * count))
    ]
    # the middle child of each pixel has the same centre
    child = healpy.vec2pix(nside * count, *healpy.pix2vec(nside, np.arange(12 * nside**2)))
    expected = np.asarray(beam(maps[1]).values)[:, child]
    lmax = 2 * nside
    pixel, ell = pixel_window(nside, lmax), np.arange(lmax + 1)
    polarised = beam.window(lmax, 2) / np.where(ell < 2, 1.0, pixel.window(lmax, 2))
    both = WindowFunction(beam.window(lmax) / pixel.window(lmax), polarised)
    found = np.asarray(both(maps[0], lmax=lmax).values)
    size = np.sqrt(np.mean(expected**2, axis=1))
    assert np.all(np.sqrt(np.mean((found - expected) ** 2, axis=1)) < 1e-3 * size)

"""Sightlines and domains: directions, frames, ends."""

import dataclasses

import astropy.units as u
import equinox as eqx
import healpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

import synax
from synax.sightlines import _pixels


def orthonormal(rays):
    frame = np.stack([rays.east, rays.north, rays.direction])
    gram = np.einsum("ikr,jkr->ijr", frame, frame)
    np.testing.assert_allclose(gram, np.eye(3)[:, :, None] * np.ones(rays.n_rays), atol=1e-14)
    np.testing.assert_allclose(np.cross(frame[0].T, frame[1].T), frame[2].T, atol=1e-14)


@pytest.mark.parametrize("ordering", ["RING", "NEST"])
def test_healpix_pixels(ordering):
    rays = synax.Sightlines.healpix(4, ordering=ordering)
    expected = np.array(healpy.pix2vec(4, np.arange(192), nest=ordering == "NEST"))
    np.testing.assert_allclose(rays.direction, expected, atol=1e-14)
    orthonormal(rays)
    mask = np.zeros(192, bool)
    mask[[3, 50, 191]] = True
    some = synax.Sightlines.healpix(4, ordering=ordering, mask=mask)
    np.testing.assert_allclose(some.direction, expected[:, [3, 50, 191]], atol=1e-14)
    assert list(some.pixels) == [3, 50, 191]


def test_frame_is_that_of_the_sky():
    rays = synax.Sightlines.from_lonlat([0.0, 90.0, 37.0], [0.0, 0.0, 90.0])
    np.testing.assert_allclose(rays.direction[:, 0], [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(rays.direction[:, 1], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(rays.east[:, 0], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(rays.north[:, 0], [0, 0, 1], atol=1e-15)
    orthonormal(rays)  # also at the pole


def test_quantities_and_sky_coordinates():
    plain = synax.Sightlines.from_lonlat([10.0], [20.0], 2.5)
    quantity = synax.Sightlines.from_lonlat(
        np.radians([10.0]) * u.rad, [20.0] * u.deg, 2500.0 * u.pc
    )
    coordinate = synax.Sightlines.from_lonlat(
        SkyCoord([10.0] * u.deg, [20.0] * u.deg, frame="galactic").icrs, distance=2.5
    )
    its_own = synax.Sightlines.from_lonlat(
        SkyCoord([10.0] * u.deg, [20.0] * u.deg, distance=[2.5] * u.kpc, frame="galactic")
    )
    nowhere = SkyCoord([10.0] * u.deg, [20.0] * u.deg, frame="galactic")
    assert synax.Sightlines.from_lonlat(nowhere).distance is None
    for other in (quantity, coordinate, its_own):
        np.testing.assert_allclose(other.direction, plain.direction, atol=1e-9)
        np.testing.assert_allclose(other.distance, plain.distance, rtol=1e-12)


def test_an_image_in_other_units():
    plain = synax.Sightlines.parallel((2, 3), (12.0, 8.0), center=(1.0, 0.0, 0.0), distance=50.0)
    other = synax.Sightlines.parallel(
        (2, 3), (12000.0, 8000.0) * u.pc, center=(1.0, 0.0, 0.0) * u.kpc, distance=50.0 * u.kpc
    )
    np.testing.assert_allclose(other.observer, plain.observer, rtol=1e-12)
    for extent in ((1.0, -1.0), (1.0, 2.0, 3.0)):
        with pytest.raises(ValueError, match="extent must be"):
            synax.Sightlines.parallel((2, 3), extent)


def test_ends_lie_on_the_walls():
    box = synax.Box((20.0, 15.0, 5.0), (1.0, -2.0, 0.5))
    rays = synax.Sightlines.healpix(4, domain=box)
    near, far = rays.span()
    assert np.all(np.asarray(near) == 0)
    end = np.asarray(rays.origin + far * rays.direction)
    distance = np.abs(end - np.asarray(box.center)[:, None]) / np.asarray(box.half_lengths)[:, None]
    np.testing.assert_allclose(distance.max(axis=0), 1.0, rtol=1e-13)
    both = synax.Sightlines.healpix(4, domain=box & synax.Sphere(12.0), minimum_distance=0.5)
    assert isinstance(both.domain, synax.Intersection)
    near, far = both.span()
    end = np.asarray(both.origin + far * both.direction)
    on_sphere = np.isclose(np.linalg.norm(end, axis=0), 12.0, rtol=1e-12)
    on_box = np.isclose(distance.max(axis=0), 1.0)
    assert on_sphere.any() and np.all(on_sphere | on_box)
    assert np.all(np.asarray(near) >= 0.5)


def test_a_ray_outside_the_domain_sees_nothing():
    with pytest.warns(synax.SynaxWarning, match="outside the domain: 1 of 2 sightlines"):
        rays = synax.Sightlines.from_lonlat(
            [0.0, 180.0], [0.0, 0.0], domain=synax.Sphere(2.0), observer=(-8.3, 0.0, 0.0)
        )
    near, far = rays.span()
    np.testing.assert_allclose(near, [6.3, 0.0], atol=1e-13)
    np.testing.assert_allclose(far, [10.3, 0.0], atol=1e-13)
    dispersion = synax.DispersionMeasure(synax.electrons.Uniform(1.0), steps=2)(rays)
    np.testing.assert_allclose(dispersion, [4000.0, 0.0], rtol=1e-13)

    def ends(observer):
        rays = synax.Sightlines.from_lonlat(
            [0.0, 180.0], [0.0, 0.0], domain=synax.Sphere(2.0), observer=observer
        )
        return jnp.sum(rays.span()[1])

    gradient = jax.jit(jax.grad(ends))(jnp.array([-8.3, 0.3, 0.1]))
    assert bool(jnp.all(jnp.isfinite(gradient)))


def test_distances_end_rays():
    rays = synax.Sightlines.from_lonlat([30.0, 60.0], [5.0, -5.0], [1.5, 100.0])
    _, far = rays.span()
    assert float(far[0]) == pytest.approx(1.5) and float(far[1]) < 30.0


@pytest.mark.parametrize("inclination", [0.0, 60.0, 90.0])
def test_a_galaxy_from_outside(inclination):
    """Face-on or tilted, the columns through a sphere are those of a sphere."""
    shape, extent = (9, 11), (12.0, 10.0)
    rays = synax.Sightlines.parallel(
        shape,
        extent,
        inclination=inclination,
        azimuth=20.0,
        position_angle=30.0,
        domain=synax.Box((20.0, 20.0, 20.0)),
    )
    orthonormal(rays)
    column = synax.DispersionMeasure(synax.electrons.Uniform(1.0, 4.0), steps=3)(rays)
    across = ((np.arange(11) + 0.5) / 11 - 0.5) * 12.0
    along = ((np.arange(9) + 0.5) / 9 - 0.5) * 10.0
    impact = np.hypot(*np.meshgrid(across, along))
    chord = 2e3 * np.sqrt(np.clip(16.0 - impact**2, 0.0, None))
    np.testing.assert_allclose(np.asarray(column).reshape(shape), chord, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("inclination", [0.0, 90.0])
def test_an_image_is_the_right_way_up(inclination):
    """Rows run from bottom to top and columns from left to right, as the image's basis says."""
    rays = synax.Sightlines.parallel(
        (5, 7), (7.0, 5.0), inclination=inclination, azimuth=90.0, position_angle=0.0
    )
    # azimuth 90: the observer stands on the +y side; up is -y seen from above, +z seen edge-on
    up = np.array([0.0, -1.0, 0.0] if inclination == 0 else [0.0, 0.0, 1.0])
    right = np.array([-1.0, 0.0, 0.0])
    place = 1.0 * up + 2.0 * right  # one row above the middle, two columns to the right of it
    blob = synax.electrons.Uniform(1.0, 0.4, place)
    image = np.asarray(synax.DispersionMeasure(blob, steps=4)(rays)).reshape(rays.image_shape)
    assert np.argwhere(image > 0).tolist() == [[3, 5]]
    np.testing.assert_allclose(np.asarray(rays.north)[:, 0], up, atol=1e-15)
    np.testing.assert_allclose(np.asarray(rays.east)[:, 0], -right, atol=1e-15)


def test_face_on_view_shows_the_plane():
    rays = synax.Sightlines.parallel((3, 3), (6.0, 6.0))
    np.testing.assert_allclose(rays.direction[:, 0], [0, 0, -1], atol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: synax.Sightlines.healpix(0), "nside must be"),
        (lambda: synax.Sightlines.healpix(3, ordering="NEST"), "power of two"),
        (lambda: synax.Sightlines.healpix(4, ordering="ring"), "'RING' or 'NEST', got 'ring'"),
        (lambda: synax.Sightlines.healpix(4, pixels=[192]), r"0..191"),
        (lambda: synax.Sightlines.healpix(4, pixels=[]), "non-empty"),
        (lambda: synax.Sightlines.healpix(4, mask=np.ones(3, bool)), r"\(192,\)"),
        (lambda: synax.Sightlines.healpix(4, observer=(1.0, 2.0)), "observer must be"),
        (lambda: synax.Sightlines.from_lonlat([1.0], [91.0]), "-90 <= b <= 90"),
        (lambda: synax.Sightlines.from_lonlat([1.0, 2.0], [1.0]), "alike"),
        (lambda: synax.Sightlines.from_lonlat([1.0], [1.0], -2.0), "distance must be positive"),
        (lambda: synax.Sightlines.parallel((0, 3), (1.0, 1.0)), "shape must be"),
        (lambda: synax.Sightlines.parallel((3, 3), (0.0, 1.0)), "extent must be .width, height"),
        (lambda: synax.Box((1.0, 2.0)), "half_lengths must have shape"),
        (lambda: synax.Box((1.0, -2.0, 1.0)), "half_lengths must be positive"),
        (lambda: synax.Sphere(0.0), "radius must be positive"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_directions_may_be_traced():
    """Inside jit the same rays; the derivative by longitude points to the east."""
    b = np.array([20.0, -80.0])

    def aim(l):
        return synax.Sightlines.from_lonlat(l, b, 2.0)

    l = jnp.array([10.0, 300.0])
    traced, plain = eqx.filter_jit(aim)(l), aim(l)
    for name in ("direction", "east", "north", "distance"):
        np.testing.assert_allclose(getattr(traced, name), getattr(plain, name), atol=1e-15)
    slope = jax.jit(jax.jacfwd(lambda x: aim(jnp.array([x, 300.0])).direction[:, 0]))(10.0)
    degree, shrink = np.pi / 180.0, np.cos(np.radians(20.0))
    np.testing.assert_allclose(slope, degree * shrink * plain.east[:, 0], rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda x: synax.Sightlines.healpix(1, pixels=x.astype(int)[None]), "pixels"),
        (lambda x: synax.Sightlines.healpix(1, mask=x > jnp.zeros(12)), "mask"),
        (lambda x: synax.Sightlines.parallel((2, 2), (1.0, 1.0), inclination=x), "inclination"),
        (lambda x: synax.Sightlines.parallel((2, 2), (1.0, 1.0), center=[x, 0.0, 0.0]), "center"),
    ],
)
def test_what_cannot_be_traced_says_so(make, name):
    with pytest.raises(TypeError, match=f"^{name} must be known before JAX traces"):
        jax.eval_shape(lambda x: make(x).direction, jnp.array(1.0))


def test_every_ray_may_start_somewhere_else():
    near = np.linspace(0.0, 2.0, 12)
    rays = synax.Sightlines.healpix(1, minimum_distance=near)
    np.testing.assert_allclose(rays.span()[0], near, rtol=1e-12)
    electrons = synax.electrons.TwoDisc()
    column = synax.DispersionMeasure(electrons, steps=2048, block=5)
    whole = synax.Sightlines.healpix(1)
    front = dataclasses.replace(whole, distance=jnp.maximum(near, 1e-12))
    np.testing.assert_allclose(column(rays) + column(front), column(whole), rtol=1e-7)
    np.testing.assert_allclose(column(rays.sharded()), column(rays), rtol=1e-12)
    with pytest.raises(ValueError, match="one for each of 12 rays"):
        synax.Sightlines.healpix(1, minimum_distance=[1.0, 2.0])


@pytest.mark.parametrize("nside", [1, 2, 3, 16, 2**20 + 5, 2**29])
def test_centres_on_rings_are_those_of_healpy(nside):
    """Also where rings begin, at the border of cap and belt, and on the equator."""
    n, count = nside, 12 * nside**2
    some = np.random.default_rng(0).integers(0, count, 2000)
    ring = np.random.default_rng(1).integers(1, n + 1, 500)
    first = 2 * ring * (ring - 1)
    near = np.array([0, 2 * n * (n - 1), 6 * n * n, 6 * n * n + 2 * n, count])[:, None]
    pixels = np.concatenate([some, first, first - 1, (near + np.arange(-9, 9)).ravel()])
    pixels = np.unique(pixels.clip(0, count - 1))
    lon, lat = healpy.pix2ang(nside, pixels, lonlat=True)
    found = _pixels.ring_centres(nside, pixels)
    np.testing.assert_allclose(found[0], np.radians(lon), rtol=0, atol=4e-15)
    np.testing.assert_allclose(found[1], np.radians(lat), rtol=0, atol=2e-15)

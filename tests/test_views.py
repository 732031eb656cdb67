"""Images of galaxies from outside: place, scale, orientation, beams, cubes."""

import astropy.units as u
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

import synax
from synax.instruments import View

CENTER = (202.47, 47.195)
DISTANCE = 8600.0


class Blob(synax.AbstractScalarField):
    """Electrons at one place: an object without any symmetry with the image."""

    where: jax.Array

    def __call__(self, position):
        x, y, z = position
        a, b, c = self.where
        return jnp.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 0.5)


COLUMN = eqx.filter_jit(
    lambda blob, rays: synax.DispersionMeasure(blob, steps=synax.UniformSteps(200))(rays)
)


def brightest(place, **angles):
    """Sky coordinates of the brightest pixel of a blob, and the view."""
    rays = synax.Sightlines.parallel(
        (60, 80), (40.0, 30.0), distance=60, domain=synax.Sphere(30.0), **angles
    )
    return rays, np.asarray(COLUMN(Blob(jnp.asarray(place)), rays))


@pytest.mark.parametrize(
    ("place", "angles", "east", "north"),
    [
        # from above with azimuth 0 image up is -x, image left (east) is -y
        ((0.0, -6.0, 0.0), {}, 6.0, 0.0),
        ((-5.0, 0.0, 0.0), {}, 0.0, 5.0),
        ((-5.0, -6.0, 0.0), {}, 6.0, 5.0),
        # edge-on from +x: up is +z; left of an observer who looks along -x is -y
        ((0.0, -6.0, 4.0), {"inclination": 90.0}, 6.0, 4.0),
        # at 60 degrees a point in the plane on the far side lies above the centre, foreshortened
        ((-8.0, -6.0, 0.0), {"inclination": 60.0}, 6.0, 8.0 * np.cos(np.radians(60))),
        # the galaxy turned from north to east by 90 degrees: what was up is now to the left
        ((-5.0, 0.0, 0.0), {"position_angle": 90.0}, 5.0, 0.0),
        # the axis of an edge-on galaxy at 30 degrees east of north
        (
            (0.0, 0.0, 4.5),
            {"inclination": 90.0, "position_angle": 30.0},
            2.25,
            4.5 * np.cos(np.radians(30)),
        ),
    ],
)
def test_images_are_neither_mirrored_nor_upside_down(tmp_path, place, angles, east, north):
    rays, seen = brightest(place, **angles)
    view = View(rays, DISTANCE, CENTER)
    path = tmp_path / "blob.fits"
    view.save(path, seen, unit="pc/cm3")
    with fits.open(path) as hdus:
        data, wcs = hdus[0].data, WCS(hdus[0].header)
    weights = np.where(data > 0.3 * data.max(), data, 0.0)
    rows, columns = np.mgrid[: data.shape[0], : data.shape[1]]
    y, x = (np.sum(weights * a) / np.sum(weights) for a in (rows, columns))
    there = wcs.pixel_to_world(x, y)
    middle = SkyCoord(*CENTER, unit="deg")
    separation = middle.spherical_offsets_to(there)
    found = [a.to_value("rad") * DISTANCE for a in separation]
    assert abs(found[0] - east) < 0.06 and abs(found[1] - north) < 0.06


def test_polarisation_angles_count_from_image_north_to_image_east():
    rays = synax.Sightlines.parallel((2, 2), (1.0, 1.0), distance=60, domain=synax.Sphere(5.0))
    # from above image up is -x, east is -y; B along up + east gives E at 135 degrees: U < 0
    sky = synax.Synchrotron(
        synax.magnetic.Uniform((-1.0, -1.0, 0.0)), None, synax.cosmic_rays.Uniform(1e-5), steps=2
    )
    seen = sky(rays, 1.4)
    assert np.allclose(seen.U / seen.I, -0.75) and np.max(np.abs(seen.Q / seen.I)) < 1e-12


@pytest.fixture(scope="module")
def view():
    rays = synax.Sightlines.parallel((40, 30), (15.0, 20.0), distance=60)
    return View(rays, DISTANCE * u.kpc, SkyCoord(*CENTER, unit="deg"))


def test_scale_and_beams(view):
    assert np.allclose(view.pixel, 0.5 / DISTANCE * 206264.806247, rtol=1e-9)
    point = np.zeros(1200)
    point[20 * 30 + 15] = 1.0
    image = np.asarray(view.image(view.smooth(jnp.asarray(point), 48.0)))
    assert abs(image.sum() - 1) < 1e-6
    sigma = 48.0 / np.sqrt(8 * np.log(2)) / view.pixel[0]
    rows, columns = np.mgrid[:40, :30]
    r2 = (rows - 20) ** 2 + (columns - 15) ** 2
    expected = np.exp(-r2 / 2 / sigma**2) / (2 * np.pi * sigma**2)
    assert np.max(np.abs(image - expected)) < 1e-6
    # a uniform source of 1 K has as many Jy/beam as the beam has pixels times Jy in a pixel
    at_1_ghz = 2 * 1.380649e-23 * (1.4e9 / 299792458.0) ** 2 * 1e26
    area = np.pi / 4 / np.log(2) * (48.0 / 206264.806247) ** 2
    assert abs(view.jansky_per_beam(1.4, 48.0) / (at_1_ghz * area) - 1) < 1e-9
    rng = np.random.default_rng(0)
    x, bar = jnp.asarray(rng.normal(size=(2, 3, 1200)))
    value, pull = jax.vjp(lambda x: view.smooth(x, 48.0), x)
    assert abs(jnp.sum(value * bar) - jnp.sum(pull(bar)[0] * x)) < 1e-10
    with pytest.warns(UserWarning, match="smaller than the pixels of 12 arcsec"):
        view.smooth(x, 5.0)


def test_cubes_have_axes_that_rm_tools_reads(view, tmp_path):
    nu = 1.3 + 0.01 * np.array([0, 1, 2, 5, 6])
    rng = np.random.default_rng(1)
    q, v = rng.normal(size=(2, 5, 1200))
    names = view.save_channels(tmp_path / "cube", nu, q, v, beam=20.0, unit="Jy/beam")
    with fits.open(names[0]) as hdus:
        header, data = hdus[0].header, hdus[0].data
        spectral = WCS(header).spectral.pixel_to_world_values(np.arange(7))
    assert np.allclose(spectral, 1.3e9 + 1e7 * np.arange(7))
    assert np.allclose(np.loadtxt(names[2]), spectral)
    assert np.all(np.isnan(data[3:5])) and np.array_equal(data[5].ravel(), q[3])
    assert header["BUNIT"] == "Jy/beam" and abs(header["BMAJ"] * 3600 - 20) < 1e-9
    found = synax.rm_synthesis(nu, q, v, np.linspace(-200, 200, 11))
    names = view.save_faraday(
        tmp_path / "", found.phi, found.values, lambda0_squared=found.lambda0_squared
    )
    assert names[0].name == "FDF_real_dirty.fits"
    with fits.open(names[2]) as hdus:
        header, data = hdus[0].header, hdus[0].data
    assert (header["CTYPE3"], header["CUNIT3"], header["CRVAL3"]) == ("FDEP", "rad/m^2", -200.0)
    assert header["CDELT3"] == 40.0 and abs(header["LAMSQ0"] - found.lambda0_squared) < 1e-15
    assert np.allclose(data.reshape(11, -1), np.abs(found.values))
    with pytest.raises(FileExistsError):
        view.save_faraday(tmp_path / "", found.phi, found.values)


def test_rm_lite_reads_the_cubes(view, tmp_path):
    """The published program, where it is installed: axis, lost channels and spectra."""
    program = pytest.importorskip("rm_lite.tools_3d.rmsynth")
    nu = 1.3 + 0.01 * np.array([0, 1, 2, 5, 6])
    q, v = np.random.default_rng(2).normal(size=(2, 5, 1200))
    names = view.save_channels(tmp_path / "cube", nu, q, v)
    found = synax.rm_synthesis(nu, q, v, np.arange(-200.0, 201.0, 40.0))
    theirs = program.rmsynth_3d_from_fits(
        names[0],
        names[1],
        phi_max_radm2=200.0,
        d_phi_radm2=40.0,
        weight_type="uniform",
        lam_sq_0_m2=found.lambda0_squared,
    )
    cube = np.asarray(theirs.fdf_dirty_cube).reshape(11, -1)
    assert np.max(np.abs(cube - found.values)) < 1e-5 * np.max(np.abs(cube))  # single precision


def test_quantities_are_converted(view, tmp_path):
    values = np.ones(view.rays.n_rays)
    np.testing.assert_allclose(
        view.jansky_per_beam(1400.0 * u.MHz, 0.25 * u.arcmin), view.jansky_per_beam(1.4, 15.0)
    )
    np.testing.assert_allclose(view.smooth(values, 1 * u.arcmin), view.smooth(values, 60.0))
    degrees = tuple(c * u.deg for c in CENTER)
    assert View(view.rays, DISTANCE * u.kpc, degrees).center == pytest.approx(CENTER)
    view.save(tmp_path / "m.fits", values, unit="K", frequency=1.4e9 * u.Hz, beam=0.5 * u.arcmin)
    header = fits.getheader(tmp_path / "m.fits")
    assert header["RESTFRQ"] == pytest.approx(1.4e9)
    assert header["BMAJ"] == pytest.approx(30.0 / 3600.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"frequency": -1.4}, "frequency must be positive"),
        ({"frequency": 1.4 * u.m}, "frequency must be in GHz"),
        ({"frequency": [1.4, 2.4]}, "frequency must be one number"),
        ({"frequency": "1.4"}, "frequency must be a number"),
        ({"beam": -15.0}, "beam must be positive"),
        ({"stokes": "X"}, "stokes must be letters out of IQUV, got 'X'"),
    ],
)
def test_what_an_image_cannot_be_written_with(view, tmp_path, given, message):
    values = np.ones(view.rays.n_rays)
    with pytest.raises((ValueError, TypeError), match=message):
        view.save(tmp_path / "bad.fits", values, **{"unit": "K", **given})
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"a beam of 1e\+09 arcsec would take"):
        view.smooth(values, 1e9)


def test_bad_views(view, tmp_path):
    with pytest.raises(ValueError, match=r"Sightlines\.parallel"):
        View(synax.Sightlines.healpix(1), 100.0)
    with pytest.raises(ValueError, match="distance must be positive"):
        View(view.rays, -1.0)
    with pytest.raises(ValueError, match="needs the beam"):
        view.save(tmp_path / "a.fits", np.zeros(1200), unit="Jy/beam")
    with pytest.raises(ValueError, match="even spacing"):
        view.save_channels(tmp_path / "a", [1.0, 1.1, 1.25], *np.zeros((2, 3, 1200)))
    with pytest.raises(ValueError, match="reverse them"):
        view.save_channels(tmp_path / "a", [1.2, 1.1, 1.0], *np.zeros((2, 3, 1200)))
    assert not list(tmp_path.iterdir())

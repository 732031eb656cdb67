"""Electrons computed by propagation programs: layouts made here, read back."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits

import synax
from synax import _constants as const
from synax.io import load_dragon, load_galprop, load_hammurabi_electrons

ENERGY = 0.5 * 1.2 ** np.arange(30)  # GeV, kinetic
R, Z = np.linspace(0.0, 12.0, 7), np.linspace(-4.0, 4.0, 5)
X, Y = np.linspace(-12.0, 12.0, 5), np.linspace(-10.0, 14.0, 4)


def _flux(energy, x, y, z):
    """1/(GeV m^2 s sr): linear in space, so that resampling keeps it."""
    return 200.0 * energy**-3.1 * (20.0 + x + 0.5 * y) * (5.0 - np.abs(z))


def _expected(gamma, x, y, z):
    energy = (gamma - 1.0) * const.ELECTRON_REST_ENERGY_GEV
    speed = math.sqrt(1.0 - 1.0 / gamma**2) * const.SPEED_OF_LIGHT
    density = 4.0 * math.pi / speed * _flux(energy, x, y, z) * 1e-6
    return density * const.ELECTRON_REST_ENERGY_GEV


@eqx.filter_jit
def spectrum(model, gamma, point):
    return model.spectrum(gamma, point)


def _check(model, point, own, factor=1.0):
    """N at a point (frame here) against the flux at that of the file's frame."""
    gammas = np.array([2e3, 3e4, 1.5e5])
    values = spectrum(model, jnp.asarray(gammas), jnp.asarray(point))
    expected = [factor * _expected(gamma, *own) for gamma in gammas]
    assert np.allclose(values, expected, rtol=2e-4, atol=0.0)


def _galprop(path, axes, starts, steps, species):
    grids = np.meshgrid(ENERGY * 1e3, *axes[::-1], indexing="ij")
    megavolts, *space = grids
    x, y, z = space[::-1] if len(axes) == 3 else (space[1], 0.0 * space[1], space[0])
    values = megavolts**2 * _flux(megavolts * 1e-3, x, y, z) * 1e-7
    image = fits.PrimaryHDU(np.stack([values * weight for *_, weight in species]))
    for k, (start, step) in enumerate(zip(starts, steps, strict=True)):
        image.header[f"CRVAL{k + 1}"], image.header[f"CDELT{k + 1}"] = start, step
    for s, (charge, mass, _) in enumerate(species):
        image.header[f"NUCZ{s + 1:03d}"], image.header[f"NUCA{s + 1:03d}"] = charge, mass
    image.writeto(path)


SPECIES = ((1, 1, 1e3), (-1, 0, 1.0), (1, 0, 0.1))
LOG = (math.log10(500.0), math.log10(1.2))


def test_galprop_in_three_dimensions(tmp_path):
    path = tmp_path / "nuclei_full_54_test.gz"
    starts, steps = (X[0], Y[0], Z[0], LOG[0], 1), (6.0, 8.0, 2.0, LOG[1], 1)
    _galprop(path, (X, Y, Z), starts, steps, SPECIES)
    model = load_galprop(path)
    assert isinstance(model, synax.cosmic_rays.TabulatedSpectrum)
    _check(model, (-8.0, 3.0, 2.0), (8.0, -3.0, 2.0), 1.1)  # the Sun is at positive x there
    straight = load_galprop(path, turned=False)
    _check(straight, (-8.0, 3.0, 2.0), (-8.0, 3.0, 2.0), 1.1)


def test_galprop_in_two_dimensions(tmp_path):
    path = tmp_path / "nuclei_full_54_flat"
    starts, steps = (R[0], Z[0], LOG[0], 1), (2.0, 2.0, LOG[1], 1)
    _galprop(path, (R, Z), starts, steps, SPECIES)
    model = load_galprop(path, shape=(13, 13, 5))
    _check(model, (0.0, -8.0, 2.0), (8.0, 0.0, 2.0), 1.1)
    assert model.spectrum(jnp.array([1e4]), jnp.array([11.0, 11.0, 0.0]))[0] == 0.0


def _dragon(path, axes, names, keep=True):
    first = fits.PrimaryHDU()
    first.header["Ekmin"], first.header["Ekin_fac"] = ENERGY[0], 1.2
    first.header["dimE"] = len(ENERGY)
    for name, axis in zip(names, axes, strict=True):
        first.header[f"{name}min"], first.header[f"{name}max"] = axis[0], axis[-1]
        first.header[f"dim{name}"] = len(axis)
    *space, energy = np.meshgrid(*axes[::-1], ENERGY, indexing="ij")
    x, y, z = space[::-1] if len(axes) == 3 else (space[1], 0.0 * space[1], space[0])
    images = []
    for charge, mass, weight in SPECIES:
        image = fits.ImageHDU(weight * _flux(energy, x, y, z))
        image.header["Z_"], image.header["A"] = charge, mass
        images.append(image)
    fits.HDUList([first, *(images if keep else images[:1])]).writeto(path)


def test_dragon(tmp_path):
    _dragon(tmp_path / "run3d.fits.gz", (X, Y, Z), "xyz")
    _check(load_dragon(tmp_path / "run3d.fits.gz"), (-8.0, 3.0, 2.0), (8.0, -3.0, 2.0), 1.1)
    _dragon(tmp_path / "run2d.fits", (R, Z), "rz")
    model = load_dragon(tmp_path / "run2d.fits", shape=(13, 13, 5))
    _check(model, (8.0, 0.0, -2.0), (8.0, 0.0, -2.0), 1.1)


@pytest.mark.parametrize("fastest", [True, False])
def test_hammurabi(tmp_path, fastest):
    path, box = tmp_path / "cre.bin", synax.Box((12.0, 12.0, 4.0), (0.0, 2.0, 0.0))
    total = np.geomspace(1.0, 200.0, 40)
    x, y, z, energy = np.meshgrid(X, Y, Z, total, indexing="ij")
    flux = _flux(energy - const.ELECTRON_REST_ENERGY_GEV, x, y, z)
    flux = flux if fastest else np.moveaxis(flux, -1, 0)
    flux.astype("<f8").tofile(path)
    model = load_hammurabi_electrons(
        path, shape=(5, 4, 5), box=box, energies=(1.0, 200.0, 40), energy_fastest=fastest
    )
    _check(model, (-8.0, 3.0, 2.0), (-8.0, 3.0, 2.0))


def test_what_does_not_fit_is_named(tmp_path):
    (tmp_path / "cut.fits.gz").write_bytes(b"PK\x03\x04" + bytes(100))
    for load in (load_galprop, load_dragon):
        with pytest.raises(ValueError, match="is not a FITS file"):
            load(tmp_path / "cut.fits.gz")
    path = tmp_path / "map.fits"
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(path)
    with pytest.raises(ValueError, match=r"map\.fits.*4 axes .* this one has 2"):
        load_galprop(path)
    with pytest.raises(ValueError, match=r"keyword xmin is missing"):
        load_dragon(path)
    protons = tmp_path / "protons.fits"
    _dragon(protons, (R, Z), "rz", keep=False)
    with pytest.raises(ValueError, match="no image with Z_ = -1 or 1 and A = 0"):
        load_dragon(protons)
    starts, steps = (R[0], Z[0], LOG[0], 1), (2.0, 2.0, LOG[1], 1)
    nuclei = tmp_path / "nuclei.fits"
    _galprop(nuclei, (R, Z), starts, steps, SPECIES[:1])
    with pytest.raises(ValueError, match="no species with NUCA = 0"):
        load_galprop(nuclei)
    raw = tmp_path / "raw.bin"
    raw.write_bytes(b"\0" * 16)
    with pytest.raises(ValueError, match=r"16 bytes; 3 energies on \(2, 2, 2\) nodes need 192"):
        load_hammurabi_electrons(
            raw, shape=(2, 2, 2), box=synax.Box((1.0, 1.0, 1.0)), energies=(1.0, 2.0, 3)
        )


GALPROP_HEADERS = [
    ({"CTYPE1": "z", "CTYPE2": "r"}, "axis 1 must be r, CTYPE1 says 'z'"),
    ({"CUNIT2": "pc"}, r"axis 2 \(z\) must be in kpc, CUNIT2 says 'pc'"),
    ({"CUNIT3": "GeV"}, r"axis 3 \(Ekin\) must be in log10 mev"),
    ({"CDELT1": -2.0}, "axis r must ascend from 0 or more, it goes from 0 to -12 kpc"),
    ({"CRVAL1": -6.0}, "axis r must ascend from 0 or more"),
    ({"CRVAL1": 5.0}, "axis r begins at 5 kpc"),
    ({"CDELT2": 0.0}, "axis z must ascend"),
    ({"CDELT3": "x"}, "keyword CDELT3 must be a number, it is 'x'"),
]


def test_contradictions_in_a_header_are_named(tmp_path):
    starts, steps = (R[0], Z[0], LOG[0], 1), (2.0, 2.0, LOG[1], 1)
    for k, (cards, match) in enumerate(GALPROP_HEADERS):
        path = tmp_path / f"galprop{k}.fits"
        _galprop(path, (R, Z), starts, steps, SPECIES)
        with fits.open(path, "update") as file:
            file[0].header.update(cards)
        with pytest.raises(ValueError, match=match):
            load_galprop(path)
    path = tmp_path / "turned.fits"
    _dragon(path, (R, Z), "rz")
    with fits.open(path, "update") as file:  # as many values, along other axes
        file[0].header["DIMR"], file[0].header["DIMZ"] = 5, 7
    with pytest.raises(ValueError, match=r"the shape \(5, 7, 30\), dimE and the axes say \(7, 5"):
        load_dragon(path)
    for key, value, match in (("DIMR", 4.5, "dimr must be a whole"), ("RMAX", -1.0, "axis r must")):
        _dragon(tmp_path / f"{key}.fits", (R, Z), "rz")
        with fits.open(tmp_path / f"{key}.fits", "update") as file:
            file[0].header[key] = value
        with pytest.raises(ValueError, match=match):
            load_dragon(tmp_path / f"{key}.fits")
    with pytest.raises(ValueError, match="energies must be"):
        load_hammurabi_electrons(
            path, shape=(2, 2, 2), box=synax.Box((1.0, 1.0, 1.0)), energies=(1.0, math.inf, 3)
        )


def test_galprop_counts_from_its_reference_pixel(tmp_path):
    path = tmp_path / "reference.fits"
    _galprop(path, (R, Z), (4.0, 0.0, LOG[0], 1), (2.0, 2.0, LOG[1], 1), SPECIES)
    with fits.open(path, "update") as file:
        file[0].header["CRPIX1"], file[0].header["CRPIX2"] = 3.0, 3.0
    _check(load_galprop(path, shape=(13, 13, 5)), (0.0, -8.0, 2.0), (8.0, 0.0, 2.0), 1.1)

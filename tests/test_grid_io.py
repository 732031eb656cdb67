"""Grids on disk: the same bits back in every format, and one clear error for a bad file."""

import os
import stat

import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.io import load_grid, save_grid

RNG = np.random.default_rng(3)
BOX = synax.Box((20.0, 20.0 / 3.0, 0.1), (1.0 / 7.0, 0.0, -2.0))
SHAPE = (4, 3, 5)
VECTOR = RNG.normal(size=(3, *SHAPE))
ENDINGS = [".npz", ".h5", ".hdf5", ".fits", ".vti", ".vtk"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("rank", ["scalar", "vector"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip_keeps_the_bits(tmp_path, ending, rank, dtype):
    values = jnp.asarray(VECTOR if rank == "vector" else VECTOR[0], dtype)
    settings = {"centering": "cell", "outside": "nearest", "order": "cubic"}
    if rank == "scalar":
        settings = {"centering": "node", "outside": "linear", "unit": ""}
    grid = synax.GridField(values, BOX, **settings)
    path = tmp_path / f"grid{ending}"
    save_grid(path, grid, quantity="test field")
    back = load_grid(path, quantity="test field")
    assert back.values.dtype == dtype
    np.testing.assert_array_equal(back.values, grid.values)
    np.testing.assert_array_equal(back.box.half_lengths, BOX.half_lengths)
    np.testing.assert_array_equal(back.box.center, BOX.center)
    for name in ("centering", "outside", "order", "unit"):
        assert getattr(back, name) == getattr(grid, name)
    assert os.listdir(tmp_path) == [path.name]


def test_hammurabi_binary_layout(tmp_path):
    """x slowest, z fastest, components interleaved, gauss, little endian."""
    path, box = tmp_path / "b.bin", synax.Box((1.0, 1.0, 1.0))
    save_grid(path, synax.GridField(VECTOR, box))
    raw = np.frombuffer(path.read_bytes(), "<f8")
    assert raw.size == VECTOR.size
    i, j, k = 2, 1, 3
    first = 3 * ((i * SHAPE[1] + j) * SHAPE[2] + k)
    np.testing.assert_allclose(raw[first : first + 3], VECTOR[:, i, j, k] * 1e-6, rtol=1e-15)
    back = load_grid(path, shape=SHAPE, box=box)
    np.testing.assert_allclose(back.values, VECTOR, rtol=4e-16)
    assert (back.unit, back.centering, back.outside) == ("uG", "node", "zero")
    density = synax.GridField(VECTOR[0], box)
    save_grid(tmp_path / "n.bin", density)
    back = load_grid(tmp_path / "n.bin", shape=SHAPE, box=box)
    np.testing.assert_array_equal(back.values, VECTOR[0])
    assert back.unit == "cm-3"


def test_vti_is_image_data_a_viewer_understands(tmp_path):
    from xml.etree import ElementTree

    path = tmp_path / "b.vti"
    save_grid(path, synax.GridField(VECTOR, BOX), quantity="B")
    image = ElementTree.parse(path).getroot().find("ImageData")
    assert image.get("WholeExtent") == "0 3 0 2 0 4"
    spacing = np.array(image.get("Spacing").split(), float)
    np.testing.assert_allclose(spacing, 2 * np.asarray(BOX.half_lengths) / [3, 2, 4])
    data = image.find("Piece/PointData/DataArray")
    assert (data.get("Name"), data.get("NumberOfComponents")) == ("B", "3")
    save_grid(path, synax.GridField(VECTOR, BOX, centering="cell"), overwrite=True)
    image = ElementTree.parse(path).getroot().find("ImageData")
    assert image.get("WholeExtent") == "0 4 0 3 0 5"
    assert image.find("Piece/CellData/DataArray") is not None


def test_legacy_vtk_is_laid_out_as_its_format_says(tmp_path):
    path = tmp_path / "b.vtk"
    save_grid(path, synax.GridField(VECTOR, BOX), quantity="my field")
    head, _, data = path.read_bytes().partition(b"VECTORS my_field double\n")
    lines = head.decode("latin1").splitlines()
    assert lines[0] == "# vtk DataFile Version 3.0" and lines[2] == "BINARY"
    assert lines[3] == "DATASET STRUCTURED_POINTS" and "DIMENSIONS 4 3 5" in lines
    assert "POINT_DATA 60" in lines
    values = np.frombuffer(data[: 8 * VECTOR.size], ">f8")
    first = 3 * (2 + 4 * (1 + 3 * 3))  # x fastest, then y, then z; components together
    np.testing.assert_array_equal(values[first : first + 3], VECTOR[:, 2, 1, 3])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cut short"):
        load_grid(path)


def test_fits_axes_carry_coordinates(tmp_path):
    from astropy.io import fits

    path = tmp_path / "b.fits"
    grid = synax.GridField(VECTOR, BOX)
    save_grid(path, grid)
    header = fits.getheader(path)
    assert [header[f"CTYPE{n}"] for n in (1, 2, 3)] == ["Z", "Y", "X"]
    assert header["BUNIT"] == "uG"
    x0 = header["CRVAL3"] + (1 - header["CRPIX3"]) * header["CDELT3"]
    np.testing.assert_allclose(x0, grid.axes()[0][0], rtol=1e-14)


def test_units_are_converted_or_refused(tmp_path):
    path = tmp_path / "b.npz"
    save_grid(path, synax.GridField(VECTOR * 1e-6, BOX, unit="G"))
    back = load_grid(path, unit="uG")
    np.testing.assert_allclose(back.values, VECTOR, rtol=1e-14)
    assert back.unit == "uG"
    with pytest.raises(ValueError, match=r"b\.npz.*'G' to 'cm-3'"):
        load_grid(path, unit="cm-3")
    with pytest.raises(ValueError, match="not known to astropy"):
        save_grid(tmp_path / "c.npz", synax.GridField(VECTOR, BOX, unit="smoot/second"))
    with pytest.raises(ValueError, match=r"'uG' to 'cm-3'"):
        save_grid(tmp_path / "c.bin", synax.GridField(VECTOR[0], BOX, unit="uG"))
    with pytest.raises(ValueError, match="node-centred"):
        save_grid(tmp_path / "c.bin", synax.GridField(VECTOR, BOX, centering="cell"))


@pytest.mark.parametrize("ending", [*ENDINGS, ".bin"])
def test_nothing_is_overwritten_unasked_and_no_half_files(tmp_path, ending):
    path, grid = tmp_path / f"g{ending}", synax.GridField(VECTOR, BOX)
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=rf"g\{ending}.*overwrite=True"):
        save_grid(path, grid)
    assert path.read_bytes() == b"precious"
    save_grid(path, grid, overwrite=True)
    assert path.read_bytes() != b"precious"
    assert stat.S_IMODE(path.stat().st_mode) & 0o400
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_bad_files_are_named(tmp_path, ending):
    path = tmp_path / f"bad{ending}"
    with pytest.raises(FileNotFoundError, match=path.name):
        load_grid(path)
    path.write_bytes(b"\x00\x01 nonsense" * 40)
    with pytest.raises(ValueError, match=rf"bad\{ending}' is not a readable grid"):
        load_grid(path)
    save_grid(path, synax.GridField(VECTOR, BOX), overwrite=True)
    with pytest.raises(ValueError, match=r"holds 'magnetic field', expected 'velocity'"):
        load_grid(path, quantity="velocity")
    with pytest.raises(ValueError, match="shape and box are in the file"):
        load_grid(path, shape=SHAPE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"bad\{ending}'"):
        load_grid(path)


def test_a_file_that_is_not_ours(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, values=VECTOR)
    with pytest.raises(ValueError, match=r"other\.npz' is not a grid written by synax: it lacks"):
        load_grid(path)
    np.savez(path, values=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match=r"other\.npz' is not a readable grid"):
        load_grid(path)


def test_raw_binary_errors(tmp_path):
    path = tmp_path / "b.bin"
    path.write_bytes(b"\x00" * 80)
    with pytest.raises(ValueError, match="give shape and box"):
        load_grid(path)
    with pytest.raises(ValueError, match=r"has 80 bytes; shape \(4, 3, 5\) needs 480"):
        load_grid(path, shape=SHAPE, box=BOX)
    with pytest.raises(ValueError, match=r"unknown ending '\.txt'"):
        save_grid(tmp_path / "b.txt", synax.GridField(VECTOR, BOX))
    with pytest.raises(FileNotFoundError, match="folder"):
        save_grid(tmp_path / "no" / "b.npz", synax.GridField(VECTOR, BOX))
    with pytest.raises(TypeError, match=r"must be a synax\.GridField"):
        save_grid(tmp_path / "b.npz", synax.magnetic.WMAP())

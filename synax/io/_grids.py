"""Grids on disk, by the ending of the file's name: .npz, .h5, .fits, .vti, .vtk, and raw .bin.

All but `.bin` carry the box, centring, behaviour outside, order, unit and name of the quantity,
and give back the same bits. `.bin` is hammurabiX's headerless binary.
"""

import dataclasses
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from .. import _checks as checks
from .._parameters import unit_factor
from ..fields._domain import Box
from ..fields._grid import GridField
from ._atomic import atomic, check_target
from ._hammurabi_grids import read_raw, write_raw
from ._sizes import check_fits, check_hdf5, check_npz, check_regular
from ._vti import read_vti, write_vti
from ._vtk import read_vtk, write_vtk

_TEXT = ("quantity", "unit", "centering", "outside", "order")
_NUMBERS = ("half_lengths", "center")

Contents = tuple[np.ndarray, dict[str, Any]]


class _Format(NamedTuple):
    write: Callable[[Path, np.ndarray, dict[str, Any]], None]
    read: Callable[[Path], Contents]


def save_grid(
    path: str | os.PathLike,
    grid: Any,
    *,
    quantity: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a grid to a file; the ending of the name says how.

    **Arguments:**

    - `path`: `.npz`, `.h5` or `.hdf5` (HDF5), `.fits` (axes z, y, x[, component] in FITS order,
      coordinates in kpc), `.vti` (VTK image data, for ParaView), `.vtk` (the same in the
      legacy format), or `.bin`: hammurabiX's raw
      little-endian float64 (x slowest, z fastest, the components of a vector interleaved, in
      gauss; scalars in cm^-3), which takes node-centred grids only and keeps no box.
    - `quantity`: name stored with the values; 'magnetic field' or 'density' by default.
    - `overwrite`: replace an existing file. The file appears whole or not at all.

    **Raises** `FileExistsError` naming the path; `ValueError` for an unknown ending or a unit
    that astropy does not know; for `.bin` also for other units or cell-centred grids.
    """
    if not isinstance(grid, GridField):
        raise TypeError(f"save_grid: grid must be a synax.GridField, got {type(grid).__name__}")
    path = Path(path)
    ending = _ending(path)
    check_target(path, overwrite)
    unit_factor(grid.unit, "", "grid.unit", convert=False)
    values = np.asarray(grid.values)
    if ending == ".bin":
        if grid.centering != "node":
            raise ValueError(f"'{path}': a hammurabiX grid is node-centred, this one is not")
        scale = unit_factor(grid.unit, "G" if values.ndim == 4 else "cm-3", f"'{path}'")
        with atomic(path, overwrite) as temporary:
            write_raw(temporary, values, scale)
        return
    default = "magnetic field" if values.ndim == 4 else "density"
    facts = {"quantity": quantity or default, "unit": grid.unit, "centering": grid.centering}
    facts |= {"outside": grid.outside, "order": grid.order}
    facts |= {name: np.asarray(getattr(grid.box, name), dtype=np.float64) for name in _NUMBERS}
    with atomic(path, overwrite) as temporary:
        _FORMATS[ending].write(temporary, values, facts)


def load_grid(
    path: str | os.PathLike,
    *,
    unit: str | None = None,
    quantity: str | None = None,
    shape: Any = None,
    box: Box | None = None,
) -> GridField:
    """Read a grid that `save_grid` wrote, or a hammurabiX `.bin`.

    **Arguments:**

    - `unit`: convert to this unit (an error if the file's cannot be), or what the values are in
      where the file says nothing. Not given: magnetic fields come in microgauss and densities in
      cm^-3, whatever the file's unit; other quantities as stored.
    - `quantity`: if given, the name that the file must carry.
    - `shape`, `box`: needed for `.bin`, which knows neither; forbidden otherwise. A file of three
      times as many numbers as nodes is a vector. Values come back in microgauss or cm^-3, with
      `outside="zero"`.

    **Raises** `FileNotFoundError`, or `ValueError` naming the file and what is wrong with it:
    values that are not finite, a header that promises more than the file holds, a unit that does
    not convert.
    """
    grid = read_grid(path, quantity=quantity, shape=shape, box=box)
    try:
        if unit is None:
            return grid.to_unit(_package_unit(grid.unit))
        # values without a unit are in the one that is given
        return dataclasses.replace(grid, unit=grid.unit or unit).to_unit(unit)
    except ValueError as problem:
        raise ValueError(f"'{path}': {str(problem).removeprefix('unit: ')}") from None


def _package_unit(unit: str) -> str:
    """The package's own unit of the same kind, or the same unit."""
    for own in ("uG", "cm-3"):
        try:
            unit_factor(unit, own, "unit")
        except ValueError:
            continue
        return own
    return unit


def read_grid(
    path: str | os.PathLike,
    *,
    quantity: str | None = None,
    shape: Any = None,
    box: Box | None = None,
) -> GridField:
    """`load_grid` that leaves the values in the unit of the file."""
    path = Path(path)
    ending = _ending(path)
    if not path.exists():
        raise FileNotFoundError(f"no file '{path}'")
    if ending == ".bin":
        if shape is None or box is None:
            raise ValueError(f"'{path}': a raw binary has no header: give shape and box")
        values = read_raw(path, checks.grid_shape("shape", shape))
        found = {"outside": "zero", "centering": "node", "order": "linear"}
        found["unit"] = "uG" if values.ndim == 4 else "cm-3"
    else:
        if shape is not None or box is not None:
            raise ValueError(f"'{path}': shape and box are in the file; do not give them")
        values, found, box = _read(path, ending, quantity)
    try:
        settings = {name: found[name] for name in ("centering", "outside", "order")}
        return GridField(jnp.asarray(values), box, unit=found["unit"], **settings)
    except (ValueError, TypeError) as problem:
        text = str(problem).removeprefix("GridField: ")
        raise ValueError(f"'{path}': {text}") from None


def _read(path: Path, ending: str, quantity: str | None) -> tuple[np.ndarray, dict[str, Any], Box]:
    try:
        check_regular(path)
        values, facts = _FORMATS[ending].read(path)
    except Exception as problem:  # whatever a library says of a broken file
        text = " ".join(str(problem).split()) or type(problem).__name__
        raise ValueError(f"'{path}' is not a readable grid: {text}") from problem
    facts = {"unit": "", **facts}
    missing = [name for name in (*_TEXT, *_NUMBERS) if name not in facts]
    if missing:
        raise ValueError(f"'{path}' is not a grid written by synax: it lacks {missing}")
    if values.dtype.kind != "f":
        raise ValueError(f"'{path}': values must be floating-point numbers, not {values.dtype}")
    if quantity is not None and facts["quantity"] != quantity:
        raise ValueError(f"'{path}' holds '{facts['quantity']}', expected '{quantity}'")
    half, center = (np.asarray(facts[name], dtype=np.float64) for name in _NUMBERS)
    try:
        return values, facts, Box(half, center)
    except ValueError as problem:
        raise ValueError(f"'{path}': {problem}") from None


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in _FORMATS and ending != ".bin":
        raise ValueError(f"'{path}': unknown ending '{ending}', use one of {[*_FORMATS, '.bin']}")
    return ending


def _write_npz(path: Path, values: np.ndarray, facts: dict[str, Any]) -> None:
    with open(path, "wb") as file:
        np.savez(file, values=values, **facts)


def _read_npz(path: Path) -> Contents:
    check_npz(path)
    # opened here, since np.load leaves a broken archive open
    with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
        facts = {k: file[k] for k in file.files}
    values = facts.pop("values")
    return values, {k: str(v) if k in _TEXT else v for k, v in facts.items()}


def _write_hdf5(path: Path, values: np.ndarray, facts: dict[str, Any]) -> None:
    import h5py

    buffer = BytesIO()  # a full disk crashes the library where it writes itself
    with h5py.File(buffer, "w") as file:
        data = file.create_dataset("values", data=values)
        data.attrs["axes"] = "x, y, z" if values.ndim == 3 else "component, x, y, z"
        for name, value in facts.items():
            data.attrs[name] = value
    path.write_bytes(buffer.getbuffer())


def _read_hdf5(path: Path) -> Contents:
    import h5py

    with h5py.File(path, "r") as file:
        data: Any = file["values"]
        check_hdf5(data)
        return data[()], dict(data.attrs)


def _write_fits(path: Path, values: np.ndarray, facts: dict[str, Any]) -> None:
    from astropy.io import fits

    image = fits.PrimaryHDU(values)
    header = image.header
    header["BUNIT"] = facts["unit"]
    for name in ("quantity", "centering", "outside", "order"):
        header[name[:8].upper()] = facts[name]
    box = np.stack([facts["half_lengths"], facts["center"]])
    node = facts["centering"] == "node"
    for number, axis in enumerate((2, 1, 0), start=1):
        n = values.shape[axis - 3]
        header[f"CTYPE{number}"], header[f"CUNIT{number}"] = "xyz"[axis].upper(), "kpc"
        header[f"CRPIX{number}"] = 0.5 * (n + 1)
        header[f"CRVAL{number}"] = box[1, axis]
        header[f"CDELT{number}"] = 2.0 * box[0, axis] / (n - 1 if node else n)
    # decimal header cards would lose the last bit of the box
    exact = fits.ImageHDU(box, name="BOX")
    fits.HDUList([image, exact]).writeto(path, overwrite=True)


def _read_fits(path: Path) -> Contents:
    from astropy.io import fits

    check_fits(path, check_regular(path))
    with fits.open(path, memmap=False) as file:
        values, header = file[0].data, file[0].header
        if values is None:
            raise ValueError("no image in the first unit")
        names = {"unit": "BUNIT"} | {n: n[:8].upper() for n in _TEXT if n != "unit"}
        facts = {name: header[key] for name, key in names.items() if key in header}
        if "BOX" in file:
            half, center = file["BOX"].data.astype(np.float64)
            facts |= {"half_lengths": half, "center": center}
    return values.astype(values.dtype.newbyteorder("=")), facts


_FORMATS = {
    ".npz": _Format(_write_npz, _read_npz),
    ".h5": _Format(_write_hdf5, _read_hdf5),
    ".hdf5": _Format(_write_hdf5, _read_hdf5),
    ".fits": _Format(_write_fits, _read_fits),
    ".vti": _Format(write_vti, read_vti),
    ".vtk": _Format(write_vtk, read_vtk),
}

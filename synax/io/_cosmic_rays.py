"""Cosmic-ray electrons computed by propagation programs, as `cosmic_rays.TabulatedSpectrum`."""

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import _checks as checks, _constants as const
from ..cosmic_rays import TabulatedSpectrum
from ..fields._domain import Box
from ._fits_size import is_fits

_ELECTRON, _POSITRON = (-1, 0), (1, 0)  # charge and mass number
_CM3 = 1e-6  # m^-3 in cm^-3


class _Cube(NamedTuple):
    """Flux, 1/(GeV m^2 s sr), on (n_energy, nx, ny, nz) or (n_energy, nr, nz) nodes."""

    flux: np.ndarray
    kinetic: np.ndarray
    """GeV, ascending."""
    axes: tuple[np.ndarray, ...]
    """Coordinates of the nodes in the file's own frame, kpc."""


def load_galprop(
    path: str | os.PathLike, *, turned: bool = True, shape: tuple[int, int, int] | None = None
) -> TabulatedSpectrum:
    """Electrons and positrons of a GALPROP file `nuclei_full_*` (FITS, gzipped or not).

    The primary image has axes (r, z, Ekin, species) or (x, y, z, Ekin, species) in FITS order,
    with CRVAL, CDELT and CRPIX (1 if there is none) in kpc, log10(MeV) and counting; NUCZnnn and
    NUCAnnn give charge and mass of each species; values are Ekin^2 times flux,
    MeV cm^-2 s^-1 sr^-1. All species with A = 0 are added up (primary and secondary electrons,
    positrons). CTYPE and CUNIT, where there are any, must say the same.

    **Arguments:**

    - `path`: the file.
    - `turned`: True turns a three-dimensional frame by 180 degrees about z, to the one here, with
      the Sun at negative x (GALPROP's is at positive x).
    - `shape`: nodes along x, y, z of the result; default: the file's, for (r, z) files 2 n_r - 1
      along x and y. Resampled linearly in space.

    **Returns** N(gamma, x), cm^-3; kinetic energies become uniform steps in ln gamma, at least
    as many (log-log).

    **Raises** `ValueError` naming what does not fit.

    **Reference:** Strong & Moskalenko 1998, ApJ 509, 212; the layout is that of GALPROP 54 to 56.
    """
    from astropy.io import fits

    path = Path(path)
    _check_fits(path)
    with fits.open(path) as file:
        header: Any = file[0].header  # type: ignore[attr-defined]
        data: Any = file[0].data  # type: ignore[attr-defined]
        if data is None or data.ndim not in (4, 5):
            got = "none" if data is None else str(data.ndim)
            raise ValueError(
                f"'{path}': a GALPROP file of electrons has 4 axes (r, z, Ekin, species) or 5 "
                f"(x, y, z, Ekin, species), this one has {got}"
            )
        n = data.ndim
        names = ("r", "z", "Ekin") if n == 4 else ("x", "y", "z", "Ekin")
        nodes = [
            _axis(header, k, data.shape[-k], name, path) for k, name in enumerate(names, start=1)
        ]
        wanted = [
            s
            for s in range(data.shape[0])
            if _number(header, f"NUCA{s + 1:03d}", path) == 0
            and abs(_number(header, f"NUCZ{s + 1:03d}", path)) == 1
        ]
        if not wanted:
            raise ValueError(f"'{path}': no species with NUCA = 0 (electrons, positrons)")
        values = np.sum(np.asarray(data[wanted], np.float64), axis=0)
    megavolts = 10.0 ** nodes[-1]
    flux = values / megavolts.reshape(-1, *(1,) * (n - 2)) ** 2  # cm^-2 s^-1 sr^-1 MeV^-1
    # FITS order is reversed in memory: (E, z, y, x) -> (E, x, y, z)
    flux = np.transpose(flux, (0, *range(n - 2, 0, -1))) * 1e4 * 1e3
    return _tabulated(_Cube(flux, megavolts * 1e-3, tuple(nodes[:-1])), path, turned, shape)


def load_dragon(
    path: str | os.PathLike, *, turned: bool = True, shape: tuple[int, int, int] | None = None
) -> TabulatedSpectrum:
    """Electrons and positrons of a DRAGON file (FITS, gzipped or not).

    The primary header has Ekmin (GeV), Ekin_fac, dimE, and rmin, rmax, dimr or xmin, xmax, dimx,
    ymin, ymax, dimy (kpc), and zmin, zmax, dimz. Each further image is one species, with keywords
    Z_ and A, axes (E, r, z) or (E, x, y, z) in FITS order, flux in 1/(GeV m^2 s sr). All species
    with A = 0 are added up.

    Arguments, result and errors are those of `load_galprop`.

    **Reference:** Evoli et al. 2008, JCAP 10, 018; the layout is the one that HERMES reads
    (Dundovic et al. 2021, A&A 653, A18).
    """
    from astropy.io import fits

    path = Path(path)
    _check_fits(path)
    with fits.open(path) as file:
        header: Any = file[0].header  # type: ignore[attr-defined]
        names = ("r", "z") if "RMIN" in header or "DIMR" in header else ("x", "y", "z")
        number = lambda key: _number(header, key, path)
        axes = tuple(
            np.linspace(number(f"{a}min"), number(f"{a}max"), _count(header, f"dim{a}", path))
            for a in names
        )
        n_energy = _count(header, "dimE", path)
        kinetic = number("Ekmin") * number("Ekin_fac") ** np.arange(n_energy)
        expected = (n_energy, *(len(a) for a in axes))
        total = np.zeros(expected)
        found = 0
        for image in file[1:]:
            head: Any = image.header  # type: ignore[attr-defined]
            if "Z_" not in head or (int(head["Z_"]), int(head.get("A", -1))) not in (
                _ELECTRON,
                _POSITRON,
            ):
                continue
            data: Any = image.data  # type: ignore[attr-defined]
            stored = expected[:0:-1] + expected[:1]
            got = None if data is None else data.shape
            if got not in (stored, (total.size,)):
                raise ValueError(
                    f"'{path}': a species has the shape {got}, dimE and the axes say {stored} "
                    f"({', '.join(names[::-1])}, E)"
                )
            cube = np.asarray(data, np.float64).reshape(stored)
            total += np.transpose(cube, (len(axes), *range(len(axes) - 1, -1, -1)))
            found += 1
    if not found:
        raise ValueError(f"'{path}': no image with Z_ = -1 or 1 and A = 0 (electrons, positrons)")
    return _tabulated(_Cube(total, kinetic, axes), path, turned, shape)


def load_hammurabi_electrons(
    path: str | os.PathLike,
    *,
    shape: tuple[int, int, int],
    box: Box,
    energies: tuple[float, float, int],
    energy_fastest: bool = True,
) -> TabulatedSpectrum:
    """Electrons of a raw grid of hammurabiX (its `cre_num` file).

    Little-endian float64 without header: flux in 1/(GeV m^2 s sr) on nx x ny x nz nodes (x slowest,
    the outermost on the faces of the box) and energies, which hammurabiX takes for total energies.

    **Arguments:**

    - `path`: the file.
    - `shape`: nx, ny, nz. `box`: a `synax.Box`.
    - `energies`: first and last energy (GeV) and how many, uniform in the logarithm.
    - `energy_fastest`: True: energies vary fastest (2020 and later), False: slowest (2019).

    **Returns** N(gamma, x), cm^-3.

    **Raises** `ValueError` if the size of the file is another.
    """
    path = Path(path)
    low, high = float(energies[0]), float(energies[1])
    if not 0.0 < low < high < math.inf or energies[2] < 2 or energies[2] != int(energies[2]):
        raise ValueError(
            "energies must be (first, last, number) in GeV, ascending, finite, at least 2, got "
            f"{energies}"
        )
    n_energy, shape = int(energies[2]), checks.grid_shape("shape", shape)
    size, expected = path.stat().st_size, 8 * n_energy * math.prod(shape)
    if size != expected:
        raise ValueError(
            f"'{path}' has {size} bytes; {n_energy} energies on {shape} nodes need {expected}"
        )
    flux = np.fromfile(path, dtype="<f8").astype(np.float64)
    flux = (
        np.moveaxis(flux.reshape(*shape, n_energy), -1, 0)
        if energy_fastest
        else flux.reshape(n_energy, *shape)
    )
    total = np.exp(np.linspace(math.log(low), math.log(high), n_energy))
    axes = tuple(
        float(c) + float(h) * np.linspace(-1.0, 1.0, n)
        for c, h, n in zip(box.center, box.half_lengths, shape, strict=True)
    )
    kinetic = total - const.ELECTRON_REST_ENERGY_GEV
    return _tabulated(_Cube(flux, kinetic, axes), path, False, None)


def _check_fits(path: Path) -> None:
    if path.is_file() and not is_fits(path):
        raise ValueError(f"'{path}' is not a FITS file")


def _number(header: Any, key: str, path: Path) -> float:
    if key.upper() not in header:
        raise ValueError(f"'{path}': keyword {key} is missing")
    try:
        return float(header[key.upper()])
    except (TypeError, ValueError):
        raise ValueError(
            f"'{path}': keyword {key} must be a number, it is {header[key.upper()]!r}"
        ) from None


def _count(header: Any, key: str, path: Path) -> int:
    value = _number(header, key, path)
    if value != round(value) or value < 2:
        raise ValueError(
            f"'{path}': keyword {key} must be a whole number, 2 or more, it is {value:g}"
        )
    return int(value)


def _axis(header: Any, k: int, size: int, name: str, path: Path) -> np.ndarray:
    """Nodes of axis k. What a header may say of it besides start and step must agree."""
    kind = str(header.get(f"CTYPE{k}", "")).strip()
    if kind.lower() in {"r", "x", "y", "z"} - {name}:
        raise ValueError(f"'{path}': axis {k} must be {name}, CTYPE{k} says {kind!r}")
    unit = str(header.get(f"CUNIT{k}", "")).strip()
    wanted = ("mev", "log10(mev)", "log10 mev") if name == "Ekin" else ("kpc",)
    if unit and unit.lower() not in wanted:
        raise ValueError(
            f"'{path}': axis {k} ({name}) must be in {wanted[-1]}, CUNIT{k} says {unit!r}"
        )
    first = _number(header, f"CRPIX{k}", path) if f"CRPIX{k}" in header else 1.0
    start, step = _number(header, f"CRVAL{k}", path), _number(header, f"CDELT{k}", path)
    return start + step * (np.arange(size) + 1.0 - first)


def _tabulated(
    cube: _Cube, path: Path, turned: bool, shape: tuple[int, int, int] | None
) -> TabulatedSpectrum:
    flux, kinetic, axes = cube
    if not np.all(np.isfinite(flux)) or np.any(flux < 0):
        bad = int(np.sum(~(flux >= 0)) + np.sum(np.isinf(flux)))
        raise ValueError(f"'{path}': {bad} of {flux.size} fluxes are negative or not finite")
    if kinetic[0] <= 0 or np.any(np.diff(kinetic) <= 0) or min(flux.shape) < 2:
        raise ValueError(
            f"'{path}': energies must be positive and ascending, at least two per axis"
        )
    for name, axis in zip("rz" if len(axes) == 2 else "xyz", axes, strict=True):
        low = 0.0 if name == "r" else -math.inf
        if not low <= axis[0] or not np.all(np.diff(axis) > 0) or not math.isfinite(axis[-1]):
            raise ValueError(
                f"'{path}': axis {name} must ascend{' from 0 or more' if name == 'r' else ''}, it "
                f"goes from {axis[0]:g} to {axis[-1]:g} kpc"
            )
    if len(axes) == 2 and axes[0][0] > axes[0][1] - axes[0][0]:
        raise ValueError(
            f"'{path}': axis r begins at {axes[0][0]:g} kpc, with nodes every "
            f"{axes[0][1] - axes[0][0]:g} kpc: what lies nearer to the axis is not in the file"
        )
    if shape is not None:
        shape = checks.grid_shape("shape", shape)
    gamma = 1.0 + kinetic / const.ELECTRON_REST_ENERGY_GEV
    speed = np.sqrt(1.0 - 1.0 / gamma**2)
    # flux = beta c n(E) / 4 pi, and N(gamma) = n(E) m c^2
    density = 4.0 * math.pi / (const.SPEED_OF_LIGHT * speed) * const.ELECTRON_REST_ENERGY_GEV * _CM3
    number = flux * density.reshape(-1, *(1,) * (flux.ndim - 1))
    number, levels = _uniform_energies(number, np.log(gamma))
    nodes, box = _nodes(axes, shape)
    values = _resampled(number, axes, nodes)
    if turned:
        values = values[:, ::-1, ::-1, :]
        box = Box(box.half_lengths, np.asarray(box.center) * np.array([-1.0, -1.0, 1.0]))
    return TabulatedSpectrum(values, math.exp(levels[0]), math.exp(levels[-1]), box)


def _uniform_energies(number: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """N at uniform steps in ln gamma, log-log (linear where N is 0)."""
    step = np.min(np.diff(level))
    n = math.ceil((level[-1] - level[0]) / step - 1e-6) + 1
    wanted = np.linspace(level[0], level[-1], n)
    if n == len(level) and np.allclose(wanted, level, rtol=0.0, atol=1e-9 * step):
        return number, wanted
    low = np.clip(np.searchsorted(level, wanted, side="right") - 1, 0, len(level) - 2)
    share = (wanted - level[low]) / (level[low + 1] - level[low])
    share = share.reshape(-1, *(1,) * (number.ndim - 1))
    a, b = number[low], number[low + 1]
    positive = (a > 0) & (b > 0)
    logs = [np.log(np.where(positive, x, 1.0)) for x in (a, b)]
    smooth = np.exp(logs[0] + share * (logs[1] - logs[0]))
    return np.where(positive, smooth, a + share * (b - a)), wanted


def _nodes(
    axes: tuple[np.ndarray, ...], shape: tuple[int, int, int] | None
) -> tuple[tuple[np.ndarray, ...], Box]:
    """Nodes of the result along x, y, z, and their box."""
    if len(axes) == 2:
        radius, z = axes
        ends = [(-radius[-1], radius[-1])] * 2 + [(z[0], z[-1])]
        shape = shape or (2 * len(radius) - 1, 2 * len(radius) - 1, len(z))
    else:
        ends = [(a[0], a[-1]) for a in axes]
        shape = shape or (len(axes[0]), len(axes[1]), len(axes[2]))
    nodes = tuple(np.linspace(a, b, n) for (a, b), n in zip(ends, shape, strict=True))
    half = tuple(0.5 * (b - a) for a, b in ends)
    return nodes, Box(half, tuple(0.5 * (a + b) for a, b in ends))


def _resampled(
    number: np.ndarray, axes: tuple[np.ndarray, ...], nodes: tuple[np.ndarray, ...]
) -> np.ndarray:
    """N on the nodes, linear in space; 0 beyond the largest radius of a cylindrical file."""
    if len(axes) == 3:
        for k, (old, new) in enumerate(zip(axes, nodes, strict=True)):
            if len(old) != len(new) or not np.allclose(old, new):
                number = _along(number, k + 1, old, new)
        return number
    radius, z = axes
    number = _along(number, 2, z, nodes[2])
    r = np.hypot(*np.meshgrid(nodes[0], nodes[1], indexing="ij"))
    values = _along(number, 1, radius, np.clip(r, radius[0], radius[-1]).ravel())
    values = values.reshape(len(number), *r.shape, -1)
    return np.where((r <= radius[-1] * (1 + 1e-9))[None, :, :, None], values, 0.0)


def _along(values: np.ndarray, axis: int, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    low = np.clip(np.searchsorted(old, new, side="right") - 1, 0, len(old) - 2)
    share = (new - old[low]) / (old[low + 1] - old[low])
    share = np.expand_dims(share, tuple(k for k in range(values.ndim) if k != axis))
    a, b = np.take(values, low, axis), np.take(values, low + 1, axis)
    return a + share * (b - a)

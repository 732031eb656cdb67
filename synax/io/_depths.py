"""Faraday spectra of the sky in HEALPix FITS files: one column for each Faraday depth."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Complex, Float, Int

from .._version import __version__
from ..sightlines._sightlines import Sightlines
from ._atomic import atomic, check_ending

LARGEST = 998
"""Depths of one file: FITS tables have at most 999 columns."""

_FRAMES = {"galactic": "G", "equatorial": "C", "ecliptic": "E"}


class DepthMaps(NamedTuple):
    """Faraday spectra by pixel, as a file holds them."""

    phi: Float[np.ndarray, " n_phi"]
    """Faraday depths, rad/m^2."""
    values: Complex[np.ndarray, "n_phi n_pix"]
    """F(phi), IAU."""
    nside: int
    pixels: Int[np.ndarray, " n_pix"] | None
    """Numbers of the pixels; None: the whole sky."""
    ordering: str
    frame: str
    unit: str


def check_depths(count: int) -> None:
    """Raise `ValueError` for more depths than a file can hold."""
    if count > LARGEST:
        raise ValueError(
            f"phi has {count} depths, but a HEALPix table holds at most {LARGEST}: take larger "
            "steps or a smaller range"
        )


def save_depths(
    path: str | os.PathLike,
    phi: Any,
    values: Any,
    rays: Sightlines,
    *,
    unit: str = "K/(rad/m2)",
    overwrite: bool = False,
    facts: Mapping[str, str | int | float] | None = None,
) -> None:
    """Write Faraday spectra on HEALPix sightlines: two tables, FARADAY REAL and FARADAY IMAG.

    Each column is the map of one depth, which `healpy.read_map(path, field=None, hdu=1)` reads
    (2: the imaginary part); a third table, DEPTHS, lists the depths. The sign of U is IAU's.

    **Arguments:**

    - `phi`: (n_phi,) rad/m^2.
    - `values`: complex (n_phi, n_pix), of `FaradaySpectrum` or `rm_synthesis`.
    - `rays`: of `Sightlines.healpix`.
    - `facts`: further cards.

    **Raises** `ValueError` for shapes that do not fit or more than 998 depths; `FileExistsError`
    unless `overwrite`.
    """
    from astropy.io import fits

    check_ending(path, "a cube of Faraday spectra")
    phi, cube = np.asarray(phi, float), np.asarray(values)
    if rays.nside is None:
        raise ValueError("rays must come from Sightlines.healpix; images: View.save_faraday")
    if phi.ndim != 1 or cube.shape != (phi.size, rays.n_rays // rays.subsamples**2):
        raise ValueError(
            f"values must be (n_phi, n_pix) for {phi.size} depths and {rays.n_rays} sightlines, "
            f"got {cube.shape}"
        )
    check_depths(phi.size)
    pixels = None if rays.pixels is None else np.asarray(rays.pixels)[:: rays.subsamples**2]
    tables: list[Any] = [fits.PrimaryHDU()]
    for name, part in (("REAL", cube.real), ("IMAG", cube.imag)):
        code = "E" if part.dtype == np.float32 else "D"
        columns = [
            fits.Column(f"PHI_{k:03d}", code, unit=unit, array=row) for k, row in enumerate(part)
        ]
        if pixels is not None:
            columns.insert(0, fits.Column("PIXEL", "K", array=pixels))
        table = fits.BinTableHDU.from_columns(columns)
        header = table.header
        header["EXTNAME"] = f"FARADAY {name}"
        header["PIXTYPE"] = "HEALPIX"
        header["ORDERING"] = "NESTED" if rays.ordering == "NEST" else "RING"
        header["NSIDE"] = rays.nside
        header["INDXSCHM"] = "IMPLICIT" if pixels is None else "EXPLICIT"
        header["OBJECT"] = "FULLSKY" if pixels is None else "PARTIAL"
        if pixels is None:
            header["FIRSTPIX"], header["LASTPIX"] = 0, 12 * rays.nside**2 - 1
        header["COORDSYS"] = (_FRAMES[rays.frame], rays.frame)
        header["POLCCONV"] = ("IAU", "sign of U, and so of the depths")
        header["CREATOR"], header["VERSION"] = "synax", __version__
        for key, value in (facts or {}).items():
            header[key] = value
        tables.append(table)
    depths = fits.BinTableHDU.from_columns([fits.Column("PHI", "D", unit="rad/m2", array=phi)])
    depths.header["EXTNAME"] = "DEPTHS"
    with atomic(path, overwrite) as temporary:
        fits.HDUList([*tables, depths]).writeto(temporary, overwrite=True)


def load_depths(path: str | os.PathLike) -> DepthMaps:
    """Read what `save_depths` wrote.

    **Raises** `FileNotFoundError`; `ValueError` for any other file.
    """
    from astropy.io import fits

    if not Path(path).is_file():
        raise FileNotFoundError(f"no file '{os.fspath(path)}'")
    try:
        with fits.open(path, memmap=False) as hdus:
            parts = [hdus[f"FARADAY {name}"] for name in ("REAL", "IMAG")]
            header, names = parts[0].header, parts[0].columns.names
            columns = [n for n in names if n.startswith("PHI_")]
            real, imag = (np.stack([np.asarray(t.data[n]) for n in columns]) for t in parts)
            pixels = np.asarray(parts[0].data["PIXEL"], int) if "PIXEL" in names else None
            phi = np.asarray(hdus["DEPTHS"].data["PHI"], float)
            frame = {letter: name for name, letter in _FRAMES.items()}[header["COORDSYS"]]
            ordering = "NEST" if header["ORDERING"] == "NESTED" else "RING"
            nside, unit = int(header["NSIDE"]), str(parts[0].columns[columns[0]].unit)
    except Exception as error:  # whatever a library makes of a foreign file
        raise ValueError(f"'{os.fspath(path)}' holds no Faraday spectra ({error})") from None
    native = lambda x: x.astype(x.dtype.newbyteorder("="))
    return DepthMaps(phi, native(real) + 1j * native(imag), nside, pixels, ordering, frame, unit)

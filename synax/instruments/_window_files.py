"""Window functions in the files of surveys."""

import os
from pathlib import Path
from typing import Any

import numpy as np

_INTENSITY = ("T", "TEMPERATURE", "BEAM", "BL", "B_L", "WL", "TT")
_POLARISATION = ("E", "GRAD", "GRADIENT", "EMODE", "POLARIZATION", "POLARISATION", "EE")


def read_window(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray | None]:
    """b_l of intensity, and of polarisation where the file has it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'")
    with path.open("rb") as file:
        fits = file.read(6) == b"SIMPLE"
    return _from_fits(path) if fits else (_from_text(path), None)


def _from_fits(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
        for table in tables:
            columns: Any = table.columns
            names = {name.upper(): name for name in columns.names or ()}
            first = next((names[n] for n in _INTENSITY if n in names), None)
            if first is None:
                continue
            second = next((names[n] for n in _POLARISATION if n in names), None)
            column = lambda n, t=table: np.asarray(t.data[n], float).ravel()
            return column(first), None if second is None else column(second)
    raise ValueError(f"'{path}' has no table with a column named one of {', '.join(_INTENSITY)}")


def _from_text(path: Path) -> np.ndarray:
    try:
        rows = np.loadtxt(path, ndmin=2, comments="#")
    except (ValueError, UnicodeDecodeError):
        raise ValueError(f"'{path}' is neither FITS nor columns of numbers") from None
    if rows.shape[1] == 1:
        return rows[:, 0]
    ell = rows[:, 0]
    if not np.array_equal(ell, np.arange(ell.size)):
        raise ValueError(f"'{path}' must list every multipole from 0 in its first column")
    return rows[:, 1]

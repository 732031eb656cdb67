"""Bandpasses in the files of WMAP and Planck."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from .._constants import SPEED_OF_LIGHT

_GHZ_PER_WAVENUMBER = SPEED_OF_LIGHT * 1e-7
"""GHz in one cm^-1."""


def read_band(path: str | os.PathLike, channel: str | None) -> tuple[np.ndarray, np.ndarray, bool]:
    """Frequency (GHz), weight, and whether the weight is the response to temperature."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'")
    with path.open("rb") as file:
        fits = file.read(6) == b"SIMPLE"
    frequency, weight, temperature = _planck(path, channel) if fits else _text(path)
    keep = np.isfinite(weight) & (frequency > 0) & (weight > 1e-6 * np.nanmax(weight))
    if np.count_nonzero(keep) < 2:
        raise ValueError(f"'{path}' holds no band: fewer than two frequencies have a response")
    first, last = np.flatnonzero(keep)[[0, -1]]
    frequency, weight = frequency[first : last + 1], np.maximum(weight[first : last + 1], 0.0)
    return frequency, weight, temperature


def _text(path: Path) -> tuple[np.ndarray, np.ndarray, bool]:
    try:
        rows = np.loadtxt(path, ndmin=2, comments=("#", ";"))
    except (ValueError, UnicodeDecodeError):
        raise ValueError(f"'{path}' is neither FITS nor columns of numbers") from None
    if rows.shape[1] not in (2, 3):
        raise ValueError(
            f"'{path}' has {rows.shape[1]} columns; a band has two (GHz, response to I_nu) or, as "
            "WMAP's, three (GHz, responses of two detectors to temperature)"
        )
    if rows.shape[1] == 2:
        return rows[:, 0], rows[:, 1], False
    # both detectors count alike: each response is brought to unit area first
    areas = np.trapezoid(rows[:, 1:], rows[:, 0], axis=0)
    return rows[:, 0], np.sum(rows[:, 1:] / areas, axis=1), True


def _planck(path: Path, channel: str | None) -> tuple[np.ndarray, np.ndarray, bool]:
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        tables: dict[str, Any] = {
            hdu.name.upper(): hdu
            for hdu in hdus
            if isinstance(hdu, fits.BinTableHDU) and hdu.name.upper().startswith("BANDPASS_")
        }
        names = ", ".join(tables) or "none"
        wanted = [n for n in tables if channel is not None and n.endswith(channel.upper())]
        if len(tables) == 1 and channel is None:
            wanted = list(tables)
        if len(wanted) != 1:
            raise ValueError(
                f"channel must name one of the bands in '{path}' ({names}), got {channel!r}"
            )
        table = tables[wanted[0]]
        columns = {name.upper(): name for name in table.columns.names}
        missing = {"WAVENUMBER", "TRANSMISSION"} - set(columns)
        if missing:
            raise ValueError(f"'{path}' {wanted[0]} has no column {sorted(missing)[0]}")
        x, weight = (
            np.asarray(table.data[columns[n]], float).ravel()
            for n in ("WAVENUMBER", "TRANSMISSION")
        )
        unit = str(table.columns[columns["WAVENUMBER"]].unit or "").lower()
        low = wanted[0].rsplit("F", 1)[-1][:3] in ("030", "044", "070")
        in_ghz = "hz" in unit or (not unit and low)
    return x if in_ghz else _GHZ_PER_WAVENUMBER * x, weight, low

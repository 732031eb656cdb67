"""Sky maps in HEALPix FITS files, with everything that `SkyMap` knows in the header.

One binary table per frequency; the first is what `healpy.read_map(file)` opens. Partial skies
are stored with explicit pixel numbers. NaN is written as HEALPix's UNSEEN and read back as NaN.
"""

import os
from typing import Any

import numpy as np

from ..maps._skymap import COMPONENTS, SkyMap
from ..maps._units import BRIGHTNESS_UNITS
from ._atomic import atomic

_UNSEEN = -1.6375e30
_COORDSYS = {"galactic": "G", "equatorial": "C", "ecliptic": "E"}
_NAMES = {"I": "I_STOKES", "Q": "Q_STOKES", "U": "U_STOKES"}
_ALIASES = {
    "I": "I", "TEMPERATURE": "I", "I_STOKES": "I", "INTENSITY": "I", "T": "I",
    "Q": "Q", "Q_POLARISATION": "Q", "Q_POLARIZATION": "Q", "Q_STOKES": "Q",
    "U": "U", "U_POLARISATION": "U", "U_POLARIZATION": "U", "U_STOKES": "U",
    "RM": "RM", "DM": "DM", "EM": "EM",
}  # fmt: skip
_UNIT_ALIASES = {
    "rad m-2": "rad/m2", "rad/m^2": "rad/m2", "pc cm-3": "pc/cm3", "pc cm-6": "pc/cm6",
    "uKrj": "uK_RJ", "Krj": "K_RJ", "Kcmb": "K_CMB", "uKcmb": "uK_CMB",
}  # fmt: skip


def save_map(path: str | os.PathLike, sky: SkyMap, *, overwrite: bool = False) -> None:
    """Write a map to a FITS file that `healpy.read_map(path)` opens without options.

    Keywords: NSIDE, ORDERING, COORDSYS, POLCCONV, TUNITn, FREQ (GHz), one table a frequency.

    **Raises** `FileExistsError` if the file is there and `overwrite` is not given;
    `FileNotFoundError` or `PermissionError` naming the folder. A failed write leaves no file.
    """
    from astropy.io import fits

    frequencies = sky.frequency if isinstance(sky.frequency, tuple) else (sky.frequency,)
    tables = [fits.PrimaryHDU()]
    for k, frequency in enumerate(frequencies):
        tables.append(_table(sky, k, frequency))
    with atomic(path, overwrite) as temporary:
        fits.HDUList(tables).writeto(temporary, overwrite=True)


def _table(sky: SkyMap, k: int, frequency: float | None) -> Any:
    from astropy.io import fits

    columns = []
    if sky.pixels is not None:
        columns.append(fits.Column("PIXEL", "K", array=np.asarray(sky.pixels)))
    for name in sky.columns:
        values = np.asarray(sky.component(name))
        values = values[k] if isinstance(sky.frequency, tuple) else values
        code = "E" if values.dtype == np.float32 else "D"
        filled = np.where(np.isnan(values), _UNSEEN, values)
        columns.append(fits.Column(_NAMES.get(name, name), code, unit=sky.unit, array=filled))
    table = fits.BinTableHDU.from_columns(columns)
    header = table.header
    header["EXTNAME"] = sky.kind if frequency is None else f"{sky.kind} {frequency:g} GHz"
    header["PIXTYPE"] = ("HEALPIX", "HEALPix pixelisation")
    header["ORDERING"] = ("NESTED" if sky.ordering == "NEST" else "RING", "pixel ordering")
    header["NSIDE"] = (sky.nside, "resolution")
    partial = sky.pixels is not None
    header["OBJECT"] = "PARTIAL" if partial else "FULLSKY"
    header["INDXSCHM"] = "EXPLICIT" if partial else "IMPLICIT"
    if not partial:
        header["FIRSTPIX"], header["LASTPIX"] = 0, 12 * sky.nside**2 - 1
    header["COORDSYS"] = (_COORDSYS[sky.frame], sky.frame)
    header["BAD_DATA"] = (_UNSEEN, "value of missing pixels")
    if "U" in sky.columns:
        header["POLCCONV"] = (sky.convention, "sign of U; COSMO: U reversed from IAU")
    if frequency is not None:
        header["FREQ"] = (frequency, "[GHz] frequency")
    header["CREATOR"] = "synax"
    return table


def load_map(
    path: str | os.PathLike,
    *,
    unit: str | None = None,
    frequency: float | None = None,
    convention: str | None = None,
) -> SkyMap:
    """Read a HEALPix FITS map (ours, healpy's, or an archive's) with its metadata.

    Our own files need no options. For other files `unit`, `frequency` (GHz) and `convention`
    give what the header lacks. A polarised file without POLCCONV is taken as 'COSMO', the
    default of HEALPix. Pixels with HEALPix's UNSEEN value become NaN.

    **Raises** `FileNotFoundError`; `ValueError` that names the file and what is missing in it.
    """
    from astropy.io import fits

    if not os.path.isfile(path):
        raise FileNotFoundError(f"no file '{path}'")
    try:
        hdus = fits.open(path, memmap=False)
    except OSError as error:
        raise ValueError(f"'{path}' is not a FITS file: {error}") from None
    with hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        if not tables:
            raise ValueError(f"'{path}' holds no binary table, so no HEALPix map")
        maps = [
            _read_table(table, os.fspath(path), unit, frequency, convention) for table in tables
        ]
    first = maps[0]
    if len(maps) == 1 or any(other.kind != first.kind for other in maps[1:]):
        return first
    stacked = np.stack([np.asarray(m.values) for m in maps], axis=-2)
    frequencies = tuple(m.frequency for m in maps)
    return first._with(_array(stacked), frequency=frequencies)


def _array(values: np.ndarray) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(values)


def _read_table(
    table: Any, path: str, unit: str | None, frequency: float | None, convention: str | None
) -> SkyMap:
    header, names = table.header, [name.upper() for name in table.columns.names]
    partial = header.get("OBJECT") == "PARTIAL" or header.get("INDXSCHM") == "EXPLICIT"
    pixels = table.data.field(0).ravel().astype(np.int64) if partial else None
    found = {}
    for k, name in enumerate(names[int(partial) :], start=int(partial)):
        if name in _ALIASES:
            found[_ALIASES[name]] = k
    kind = next((key for key, parts in COMPONENTS.items() if set(parts) <= set(found)), None)
    if kind is None:
        known = ", ".join(sorted(_ALIASES))
        raise ValueError(f"'{path}' has columns {names}; a map needs one or more of {known}")
    order = [found[name] for name in COMPONENTS[kind]]
    values = np.stack([table.data.field(k).ravel().astype(_native(table, k)) for k in order])
    values = np.where((values <= 0.999 * _UNSEEN) | ~np.isfinite(values), np.nan, values)
    unit = unit or str(header.get(f"TUNIT{order[0] + 1}", "")).strip()
    unit = _UNIT_ALIASES.get(unit, unit)
    if kind in ("IQU", "QU", "I"):
        if unit not in BRIGHTNESS_UNITS:
            allowed = ", ".join(BRIGHTNESS_UNITS)
            raise ValueError(f"'{path}' has unit '{unit}'; give one of {allowed}")
        frequency = frequency if frequency is not None else header.get("FREQ")
        if frequency is None:
            raise ValueError(f"'{path}' has no FREQ keyword; give the frequency in GHz")
    else:
        frequency = None
    coordsys = str(header.get("COORDSYS", "G")).strip().upper()[:1]
    frame = {"C": "equatorial", "Q": "equatorial", "E": "ecliptic"}.get(coordsys, "galactic")
    count = values.shape[-1]
    nside = int(header.get("NSIDE", round((count / 12) ** 0.5)))
    nested = str(header.get("ORDERING", "RING")).strip().upper().startswith("NEST")
    default = "COSMO" if "U" in found else "IAU"
    return SkyMap(
        _array(values if len(order) > 1 else values[0]),
        kind,
        nside,
        unit=unit,
        frequency=frequency,
        ordering="NEST" if nested else "RING",
        frame=frame,
        convention=convention or str(header.get("POLCCONV", default)).strip().upper(),
        pixels=pixels,
    )


def _native(table: Any, k: int) -> Any:
    """The column's precision in this machine's byte order."""
    return np.float32 if table.data.field(k).dtype.itemsize == 4 else np.float64

"""Sky maps in HEALPix FITS files, with everything that `SkyMap` knows in the header.

One binary table per frequency; the first is what `healpy.read_map(file)` opens. Partial skies
are stored with explicit pixel numbers. NaN is written as HEALPix's UNSEEN and read back as NaN.
"""

import datetime
import logging
import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._version import __version__
from ..maps._given import UNSEEN
from ..maps._kinds import ALL_FREQUENCIES, COMPONENTS, FRAMES, UNITS, choose
from ..maps._skymap import SkyMap
from ..maps._units import as_frequency, conversion_factor, label
from . import _fits_cards as header_of
from ._atomic import atomic, check_ending
from ._fits_cards import Cards
from ._fits_columns import (
    NAMES,
    Chosen,
    check_columns,
    check_pixelisation,
    choose_columns,
    partial,
    pixel_numbers,
    row_count,
    values_of,
)
from ._fits_size import checked_tables

_COORDSYS = {"galactic": "G", "equatorial": "C", "ecliptic": "E"}
_LOG = logging.getLogger("synax")


def save_map(
    path: str | os.PathLike,
    sky: SkyMap,
    *,
    overwrite: bool = False,
    convention: str = "COSMO",
    facts: Mapping[str, str | int | float] | None = None,
) -> None:
    """Write a map to a FITS file that `healpy.read_map(path)` opens without options.

    Keywords: NSIDE, ORDERING, COORDSYS, POLCCONV, TUNITn, FREQ (GHz), one table a frequency;
    VERSION of this package and DATE.

    **Arguments:**

    - `convention`: sign of U in the file. 'COSMO' is HEALPix's own, which healpy takes for granted
      whatever POLCCONV says: with 'IAU' its spectra and smoothed maps of E and B would be wrong.
    - `facts`: further cards of the header, such as `{"MODEL": "JF12", "SEED": 3}`.

    **Raises** `FileExistsError` if the file is there and `overwrite` is not given;
    `FileNotFoundError` or `PermissionError` naming the folder; `ValueError` if a value is infinite
    (NaN is a missing pixel), or if the name ends as that of another format does (`sky.png`). A
    failed write leaves no file.
    """
    from astropy.io import fits

    check_ending(path, "a map")
    sky.check_finite(missing=True)
    sky = sky.to_convention(convention)
    frequencies = sky.frequency if isinstance(sky.frequency, tuple) else (sky.frequency,)
    tables: list[Any] = [fits.PrimaryHDU()]
    for k, frequency in enumerate(frequencies):
        tables.append(_table(sky, k, frequency))
        _add_facts(tables[-1].header, facts or {})
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
        filled = np.where(np.isnan(values), UNSEEN, values)
        columns.append(fits.Column(NAMES.get(name, name), code, unit=sky.unit, array=filled))
    table = fits.BinTableHDU.from_columns(columns)
    header = table.header
    header["EXTNAME"] = sky.kind if frequency is None else f"{sky.kind} {label(frequency)} GHz"
    header["PIXTYPE"] = ("HEALPIX", "HEALPix pixelisation")
    header["ORDERING"] = ("NESTED" if sky.ordering == "NEST" else "RING", "pixel ordering")
    header["NSIDE"] = (sky.nside, "resolution")
    part = sky.pixels is not None
    header["OBJECT"] = "PARTIAL" if part else "FULLSKY"
    header["INDXSCHM"] = "EXPLICIT" if part else "IMPLICIT"
    if not part:
        header["FIRSTPIX"], header["LASTPIX"] = 0, 12 * sky.nside**2 - 1
    header["COORDSYS"] = (_COORDSYS[sky.frame], sky.frame)
    header["BAD_DATA"] = (UNSEEN, "value of missing pixels")
    if "U" in sky.columns:
        header["POLCCONV"] = (sky.convention, "sign of U; COSMO: U reversed from IAU")
    if "V" in sky.columns:
        header["COMMENT"] = "V > 0: right-handed (IEEE)"
    if frequency is not None:
        header["FREQ"] = (frequency, "[GHz] frequency")
    header["CREATOR"] = ("synax", "https://pypi.org/project/synax-sky")
    header["VERSION"] = (__version__, "of the creator")
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    header["DATE"] = (now, "when written, UTC")
    return table


def _add_facts(header: Any, facts: Mapping[str, str | int | float]) -> None:
    for key, value in facts.items():
        if not (key.isascii() and key.isupper() and 0 < len(key) <= 8) or key in header:
            raise ValueError(f"facts: '{key}' must be a new keyword of up to 8 capitals")
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            raise ValueError(f"facts: {key} = {value!r} must be printable ASCII")
        header[key] = value


def load_map(
    path: str | os.PathLike,
    *,
    columns: Mapping[str, str] | None = None,
    table: int | str | None = None,
    unit: str | None = None,
    frequency: Any = None,
    ordering: str | None = None,
    frame: str | None = None,
    convention: str | None = None,
    override: bool = False,
) -> SkyMap:
    """Read a HEALPix FITS map (ours, healpy's, or an archive's) with its metadata.

    Our own files need no options. The tables of a file with several maps of one kind at different
    frequencies become one `SkyMap`; tables of other things (weights, beams) are left alone.

    **Arguments:**

    - `columns`: names of the columns by component, `{"I": "UNKNOWN1"}` or
      `{"RM": "faraday_sky_mean", "PIXEL": "PIX"}`, where they do not say it themselves.
    - `table`: number of the extension (from 1) or its EXTNAME, where several do not go together.
    - `unit`, `frequency` (GHz), `ordering`, `frame`, `convention`: what the header lacks; 'K' there
      is completed by K_RJ or K_CMB. An argument that contradicts the header is refused.
    - `override`: with True, arguments replace what the header says.

    **Returns** the map with U in the IAU convention, whatever the file has. Missing pixels (NaN,
    UNSEEN, BAD_DATA, TNULLn) are NaN. A file without COORDSYS is taken as galactic, and U without
    POLCCONV as COSMO, HEALPix's own; the logger `synax` says so.

    **Raises** `FileNotFoundError`; `ValueError` that names the file, the card or column, its value
    and what is allowed: for damaged files, headers that contradict the file's size, each other or
    an argument, and for words and numbers that mean nothing.
    """
    sky, notes = read_map(
        path,
        columns=columns,
        table=table,
        unit=unit,
        frequency=frequency,
        ordering=ordering,
        frame=frame,
        convention=convention,
        override=override,
    )
    for note in notes:
        _LOG.warning("'%s': %s", os.fspath(path), note)
    return sky.to_convention("IAU")


def read_map(
    path: str | os.PathLike,
    *,
    columns: Mapping[str, str] | None = None,
    table: int | str | None = None,
    **given: Any,
) -> tuple[SkyMap, list[str]]:
    """A map in the convention of its file, and what was assumed for want of a card.

    The arguments are those of `load_map`, and `fallback_frequency` (GHz), which unlike `frequency`
    may differ from what the header says.
    """
    if columns is not None:
        check_columns(columns)
    if given.get("frequency") is not None:
        given["frequency"] = as_frequency(given["frequency"])
        if isinstance(given["frequency"], tuple):
            raise ValueError(f"frequency must be one number (GHz), got {given['frequency']}")
    if given.get("frame") is not None:
        choose("frame", given["frame"], FRAMES)
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a file's name, got {path!r}")
    if isinstance(table, bool) or not isinstance(table, int | str | None):
        raise TypeError(f"table must be a number or a name of an extension, got {table!r}")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no file '{os.fspath(path)}'")
    if not checked_tables(path):
        raise ValueError(f"'{os.fspath(path)}' holds no binary table, so no HEALPix map")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read_file(os.fspath(path), columns, table, given)
    except _Known as known:
        raise ValueError(str(known)) from None


class _Known(Exception):
    """A sentence of ours, among the exceptions of a library."""


def _read_file(
    path: str, columns: Mapping[str, str] | None, table: int | str | None, given: dict[str, Any]
) -> tuple[SkyMap, list[str]]:
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False, lazy_load_hdus=False) as hdus:
            tables = [(k, h) for k, h in enumerate(hdus) if isinstance(h, fits.BinTableHDU)]
            return _maps(path, hdus[0].header, tables, columns, table, given)
    except ValueError as error:
        if str(error).startswith(f"'{path}'"):
            raise _Known(str(error)) from None
        raise _Known(f"'{path}' is not a readable map: {_one_line(error)}") from None
    except Exception as error:
        raise _Known(f"'{path}' is not a readable map: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")


def _maps(
    path: str,
    first: Any,
    tables: list[tuple[int, Any]],
    columns: Mapping[str, str] | None,
    wanted: int | str | None,
    given: dict[str, Any],
) -> tuple[SkyMap, list[str]]:
    tables = [(k, h) for k, h in tables if wanted is None or wanted in (k, h.name.strip())]
    if not tables:
        raise ValueError(f"'{path}' has no binary table {wanted!r}")
    found: list[tuple[int, SkyMap]] = []
    notes: list[str] = []
    for k, hdu in tables:
        cards = Cards(path, f"extension {k}", hdu.header, first)
        names = [str(name or "") for name in hdu.columns.names]
        if columns is not None and len(tables) > 1 and not _has(names, columns):
            continue
        chosen = choose_columns(cards, names, columns)
        if chosen is not None:
            found.append((k, _read_table(cards, hdu, chosen, **given)))
            notes += [note for note in cards.notes if note not in notes]
    if not found:
        described = "; ".join(f"{k}: {', '.join(map(str, h.columns.names))}" for k, h in tables)
        known = ", ".join(sorted({part for parts in COMPONENTS.values() for part in parts}))
        raise ValueError(
            f"'{path}' has columns {described}, and none has a known name; choose with "
            f"columns={{...}} of {known}"
        )
    return _together(path, found), notes


def _has(names: list[str], columns: Mapping[str, str]) -> bool:
    present = {name.strip().upper() for name in names}
    return all(name.upper() in present for name in columns.values())


def _together(path: str, found: list[tuple[int, SkyMap]]) -> SkyMap:
    """Several tables as one map of several frequencies, if all but the frequency agrees."""
    first_number, first = found[0]
    if len(found) == 1:
        return first
    for number, other in found[1:]:
        where = f"'{path}': extensions {first_number} and {number}"
        for name in ("kind", "nside", "unit", "ordering", "frame", "convention"):
            mine, theirs = getattr(first, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(
                    f"{where} differ in {name} ({mine} and {theirs}); choose one with table"
                )
        if not np.array_equal(_numbers(first), _numbers(other)):
            raise ValueError(f"{where} hold different pixels; choose one with table")
    frequencies: Any = tuple(m.frequency for _, m in found)
    if None in frequencies or len(set(frequencies)) < len(frequencies):
        numbers = ", ".join(str(number) for number, _ in found)
        raise ValueError(
            f"'{path}': extensions {numbers} are maps of {first.kind} at the same frequency; "
            "choose one with table"
        )
    stacked = np.stack([np.asarray(m.values) for _, m in found], axis=-2)
    return first._with(stacked, frequency=frequencies)


def _numbers(sky: SkyMap) -> np.ndarray:
    return np.arange(12 * sky.nside**2) if sky.pixels is None else np.asarray(sky.pixels)


def _read_table(
    cards: Cards,
    table: Any,
    chosen: Chosen,
    *,
    unit: str | None = None,
    frequency: float | None = None,
    fallback_frequency: float | None = None,
    ordering: str | None = None,
    frame: str | None = None,
    convention: str | None = None,
    override: bool = False,
) -> SkyMap:
    names, kind, index = table.columns.names, chosen.kind, chosen.components
    part = partial(cards, chosen.pixel)
    counts = {names[k]: row_count(table, k) for k in (*index.values(), chosen.pixel)
              if k is not None}  # fmt: skip
    if len(set(counts.values())) > 1:
        cards.refuse(f"columns have different lengths: {counts}")
    count = next(iter(counts.values()))
    nside = header_of.nside_of(cards, None if part else count)
    check_pixelisation(cards, nside, part)
    units = [header_of.unit_of(cards, k, names[k], UNITS[kind], unit, override)
             for k in index.values()]  # fmt: skip
    nu = None
    if kind not in ALL_FREQUENCIES:
        nu = header_of.frequency_of(cards, frequency, override, fallback_frequency)
    elif frequency is not None:
        cards.refuse(f"a map of {kind} has no frequency, got frequency = {frequency:g}")
    values = [values_of(cards, table, k) for k in index.values()]
    for n, own in enumerate(units):
        if own != units[0] and nu is not None:
            values[n] = values[n] * values[n].dtype.type(conversion_factor(own, units[0], nu))
    order = header_of.ordering_of(cards, nside, ordering, override)
    pixels = None if chosen.pixel is None else pixel_numbers(cards, table, chosen.pixel, nside)
    polarised = "U" in index
    return SkyMap(
        np.stack(values) if len(values) > 1 else values[0],
        kind,
        nside,
        unit=units[0],
        frequency=nu,
        ordering=order,
        frame=header_of.frame_of(cards, frame, override),
        convention=header_of.convention_of(cards, polarised, convention, override),
        pixels=pixels,
    )

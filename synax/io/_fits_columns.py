"""Which columns of a FITS table are which components of a map, and their values."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..maps._given import as_pixels, is_unseen
from ..maps._kinds import COMPONENTS, STOKES
from ..maps._units import spelled
from ._fits_cards import Cards

NAMES = {"I": "I_STOKES", "Q": "Q_STOKES", "U": "U_STOKES", "V": "V_STOKES"}
"""Names of columns in files of ours; other components have their own."""

_ALIASES = {
    **{alias: "I" for alias in ("I", "TEMPERATURE", "INTENSITY", "T")},
    **{name: name for name in COMPONENTS if len(COMPONENTS[name]) == 1},
    **{form.format(name): name for name in STOKES for form in ("{}", "{}_STOKES", "STOKES_{}")},
    **{f"{name}_{word}": name for name in STOKES[1:] for word in ("POLARISATION", "POLARIZATION")},
}
_PIXEL = ("PIXEL", "PIXELS", "PIX", "PIXNUM", "HPIX", "HEALPIX")
_PLAIN = ("SIGNAL", "SIGNALS")
"""Names that do not say what is in them; the unit of the column does."""


class Chosen(NamedTuple):
    """The columns of a table, counted from 0."""

    kind: str
    components: dict[str, int]
    pixel: int | None


def choose_columns(
    cards: Cards, names: list[str], columns: Mapping[str, str] | None
) -> Chosen | None:
    """The columns that make a map; None if the table has none.

    **Raises** `ValueError` where two columns are the same component, or a part is missing.
    """
    plain = [name.strip().upper().replace("-", "_").replace(" ", "_") for name in names]
    pixel = next((k for k, name in enumerate(plain) if name in _PIXEL), None)
    if columns is not None:
        wanted = {component: _index(cards, names, name) for component, name in columns.items()}
        pixel = wanted.pop("PIXEL", pixel)
    else:
        wanted = {}
        for k, name in enumerate(plain):
            component = _ALIASES.get(name)
            if component is None and name in _PLAIN:
                component = _by_unit(cards.get(f"TUNIT{k + 1}", own=True))
            if component is None:
                continue
            if component in wanted:
                cards.refuse(
                    f"columns {names[wanted[component]]} and {names[k]} are both {component}; "
                    f"choose with columns={{'{component}': '{names[k]}'}}"
                )
            wanted[component] = k
    if not wanted:
        return None
    for kind, parts in COMPONENTS.items():
        if set(parts) == set(wanted):
            return Chosen(kind, {part: wanted[part] for part in parts}, pixel)
    kinds = ", ".join(COMPONENTS)
    found = ", ".join(f"{names[k]} ({part})" for part, k in wanted.items())
    cards.refuse(f"columns {found} are none of the kinds {kinds}; choose with columns={{...}}")


def _index(cards: Cards, names: list[str], name: str) -> int:
    matching = [k for k, other in enumerate(names) if other.strip().upper() == name.upper()]
    if len(matching) != 1:
        how = "no column" if not matching else f"{len(matching)} columns"
        cards.refuse(f"there is {how} '{name}'; its columns are {', '.join(names)}")
    return matching[0]


def _by_unit(unit: Any) -> str:
    return {"rad/m2": "RM", "pc/cm3": "DM", "pc/cm6": "EM"}.get(spelled(unit or ""), "I")


def check_columns(columns: Any) -> None:
    """Raise unless `columns` maps components (and 'PIXEL') to names of columns."""
    allowed = sorted({part for parts in COMPONENTS.values() for part in parts} | {"PIXEL"})
    if not isinstance(columns, Mapping) or not columns:
        raise TypeError(f"columns must be a dict such as {{'I': 'SIGNAL'}}, got {columns!r}")
    for component, name in columns.items():
        if component not in allowed or not isinstance(name, str):
            raise ValueError(
                f"columns must have keys among {', '.join(allowed)} and names of columns, got "
                f"{component!r}: {name!r}"
            )


def partial(cards: Cards, pixel: int | None) -> bool:
    """Whether a table holds a part of the sky, with the number of each pixel."""
    scheme = cards.get("INDXSCHM", own=True)
    coverage = cards.get("OBJECT", own=True)
    explicit = str(scheme).upper() == "EXPLICIT" or str(coverage).upper() == "PARTIAL"
    if scheme is not None and str(scheme).upper() not in ("EXPLICIT", "IMPLICIT"):
        cards.refuse(f"INDXSCHM = {scheme!r} must be EXPLICIT or IMPLICIT")
    if str(scheme).upper() == "IMPLICIT" and (pixel is not None or explicit):
        what = "a column of pixel numbers" if pixel is not None else "OBJECT = 'PARTIAL'"
        cards.refuse(f"INDXSCHM = 'IMPLICIT' and {what} contradict each other")
    if explicit and pixel is None:
        cards.refuse("a part of the sky needs a column PIXEL; choose it with columns={'PIXEL': ..}")
    return pixel is not None


def pixel_numbers(cards: Cards, table: Any, k: int, nside: int) -> np.ndarray:
    """The pixel numbers of a partial map, checked."""
    numbers = np.asarray(table.data.field(k)).ravel()
    try:
        return as_pixels(numbers.astype(numbers.dtype.newbyteorder("=")), nside)
    except ValueError as error:
        cards.refuse(f"column {table.columns.names[k]}: {error}")


def values_of(cards: Cards, table: Any, k: int) -> np.ndarray:
    """The values of a column, NaN where they are missing: NaN, UNSEEN, BAD_DATA or TNULLn."""
    name, form = table.columns.names[k], table.columns[k].format
    if "P" in form or "Q" in form or not set(form) & set("EDIJKB"):
        cards.refuse(f"column {name} has TFORM{k + 1} = {form}, which must be one of real numbers")
    raw = np.asarray(table.data.field(k)).ravel()
    values = raw.astype(np.float32 if raw.dtype.kind == "f" and raw.dtype.itemsize == 4 else float)
    null = table.columns[k].null
    missing = is_unseen(values)
    bad = cards.number("BAD_DATA")
    if bad is not None:
        missing |= is_unseen(values, bad)
    if null is not None and raw.dtype.kind in "iu":
        missing |= raw == null
    if np.isinf(values[~missing]).any():
        cards.refuse(f"column {name} is infinite in {np.isinf(values[~missing]).sum()} pixels")
    return np.where(missing, np.nan, values).astype(values.dtype)


def check_pixelisation(cards: Cards, nside: int, part: bool) -> None:
    """PIXTYPE, and for a whole sky FIRSTPIX and LASTPIX, where they are given."""
    for key, expected in (("FIRSTPIX", 0), ("LASTPIX", 12 * nside**2 - 1)):
        found = cards.whole(key)
        if found is not None and found != expected and not part:
            cards.refuse(f"{key} = {found}: a whole sky of NSIDE = {nside} has {expected}")
    kind = cards.get("PIXTYPE")
    if kind is not None and str(kind).upper() != "HEALPIX":
        cards.refuse(f"PIXTYPE = {kind!r} must be HEALPIX")


def row_count(table: Any, k: int) -> int:
    """Numbers in one column, all rows together."""
    return math.prod(np.shape(table.data.field(k)))

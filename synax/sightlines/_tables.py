"""Directions, distances and other numbers from tables: columns by name, frames by astropy."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float

from .. import _checks as checks

TABLE_FRAMES = {
    "galactic": "galactic",
    "equatorial": "icrs",
    "icrs": "icrs",
    "fk5": "fk5",
    "fk4": "fk4",
    "ecliptic": "barycentricmeanecliptic",
    "supergalactic": "supergalactic",
}
"""Frames of a table's angles, and astropy's names for them (fk5: J2000, fk4: B1950)."""

ROLES = ("lon", "lat", "distance", "dm")
"""What a column of a catalogue can be."""

_PAIRS = (
    ("l", "b", "galactic"),
    ("gl", "gb", "galactic"),
    ("glon", "glat", "galactic"),
    ("l_deg", "b_deg", "galactic"),
    ("ra", "dec", "icrs"),
    ("raj2000", "dej2000", "icrs"),
    ("_raj2000", "_dej2000", "icrs"),
    ("ra_icrs", "de_icrs", "icrs"),
    ("rajd", "decjd", "icrs"),
    ("raj", "decj", "icrs"),
    ("elon", "elat", "ecliptic"),
)
"""Names of columns that say what they are, in capitals or not; the first pair found is used."""

Values = Float[np.ndarray, " n_rows"]


class Positions(NamedTuple):
    """Where the sources of a table are; NaN where the table has no value."""

    l: Values
    """Galactic longitude, degrees."""
    b: Values
    """Galactic latitude, degrees."""
    distance: Values | None
    """kpc, of coordinates that have one."""


def as_table(table: Any) -> Any:
    """An astropy Table of what is one, or becomes one: DataFrame, dict of columns, record array.

    **Raises** `TypeError` for anything else, `ValueError` for a table without rows.
    """
    from astropy.table import Table

    if isinstance(table, Table):
        pass
    elif hasattr(table, "iterrows"):  # pandas, not imported for it
        table = Table.from_pandas(table)
    elif isinstance(table, Mapping) or getattr(getattr(table, "dtype", None), "names", None):
        table = Table(table)
    if not isinstance(table, Table):
        raise TypeError(
            "table must be an astropy Table, a pandas DataFrame or a dict of columns, got "
            f"{type(table).__name__}"
        )
    if len(table) == 0:
        raise ValueError("table must have at least one row, got none")
    return table


def positions(
    table: Any, columns: Mapping[str, str] | None = None, frame: str | None = None
) -> Positions:
    """Galactic positions of the sources of a table.

    **Arguments:**

    - `table`: an astropy Table.
    - `columns`: names of columns by what they are: {'lon': 'RAJ', 'lat': 'DECJ'}. Default: a
      column of `SkyCoord`, else a usual pair of names (l and b, GLON and GLAT, ra and dec, ...).
    - `frame`: of the angles, one of `TABLE_FRAMES`; default: what the names of the columns say.

    Angles are in the unit of their column, degrees if it has none; text such as 05:34:31.9 is
    read as hours in an equatorial right ascension, and as degrees elsewhere.

    **Raises** `ValueError` that names the column and what there is.
    """
    columns = checked_columns(table, columns)
    if frame is not None:
        checks.choice("frame", frame, tuple(TABLE_FRAMES))
    if ("lon" in columns) != ("lat" in columns):
        raise ValueError("columns must name both lon and lat, or neither")
    if "lon" not in columns:
        coordinates = [name for name in table.colnames if hasattr(table[name], "galactic")]
        if coordinates:
            return _of_coordinates(table[coordinates[0]])
    lon, lat, own = _pair(table, columns)
    frame = frame or own
    if frame is None:
        raise ValueError(
            f"frame is missing: columns '{lon}' and '{lat}' do not say whether they are "
            f"{', '.join(TABLE_FRAMES)}"
        )
    from astropy.coordinates import SkyCoord

    hours = TABLE_FRAMES[frame] in ("icrs", "fk5", "fk4")
    x, y = _angle(table, lon, hours), _angle(table, lat, False)
    known = np.isfinite(x) & np.isfinite(y)
    if np.any(np.abs(y[known]) > 90.0):
        row = int(np.argmax(known & (np.abs(y) > 90.0)))
        raise ValueError(
            f"column '{lat}' must lie between -90 and 90 degrees, got {y[row]:g} in row {row}"
        )
    place: Any = SkyCoord(
        np.where(known, x, 0.0), np.where(known, y, 0.0), unit="deg", frame=TABLE_FRAMES[frame]
    )
    place = cast(Any, place.galactic)
    l, b = (np.where(known, np.asarray(a.deg), np.nan) for a in (place.l, place.b))
    return Positions(l, b, None)


def numbers(table: Any, name: str, unit: str) -> Values:
    """A column as numbers in `unit` (its own unit converted, if it has one); NaN where missing.

    **Raises** `ValueError` naming the column: not there, no numbers, a unit of another kind.
    """
    from astropy import units

    column = _column(table, name)
    own = getattr(column, "unit", None)
    values = _plain(column, name)
    if own is None or units.Unit(own) == units.dimensionless_unscaled:
        return values
    try:
        return np.asarray(units.Quantity(values, own).to_value(unit), float)
    except units.UnitConversionError:
        raise ValueError(f"column '{name}' must be in {unit}; it is in '{own}'") from None


def role(
    table: Any, given: Any, columns: Mapping[str, str] | None, name: str, unit: str
) -> Values | None:
    """Numbers of a role: those given, or those of the column given, named, or called like it.

    **Arguments:**

    - `given`: a column's name, a number, one number for each row, a Quantity, or None for the
      column that `columns` names, or the one whose name is that of the role.

    **Returns** (n_rows,) in `unit`, NaN where missing; None where there is no such column.

    **Raises** `ValueError` for an unknown column, another length or unit, negative numbers.
    """
    from .._parameters import as_parameter

    if given is None:
        named = checked_columns(table, columns).get(name)
        like = [c for c in table.colnames if c.lower() == name]
        given = named or (like[0] if like else None)
        if given is None:
            return None
    if isinstance(given, str):
        values = numbers(table, given, unit)
    else:
        values = np.asarray(as_parameter(given, unit, name), float)
        if values.shape not in ((), (len(table),)):
            raise ValueError(
                f"{name} must be one number or one for each of {len(table)} rows, got shape "
                f"{values.shape}"
            )
        values = np.broadcast_to(values, (len(table),))
    if np.any(values < 0):
        raise ValueError(f"{name} must not be negative ({unit}), got {values[values < 0][0]:g}")
    return values


def checked_columns(table: Any, columns: Mapping[str, str] | None) -> dict[str, str]:
    """Names of columns by role, all of which are there."""
    found = dict(columns or {})
    for key, name in found.items():
        checks.choice("a key of columns", key, ROLES)
        _column(table, name)
    return found


def _column(table: Any, name: str) -> Any:
    if name not in table.colnames:
        raise ValueError(
            f"there is no column '{name}' in the table, which has {', '.join(table.colnames)}"
        )
    return table[name]


def _pair(table: Any, columns: Mapping[str, str]) -> tuple[str, str, str | None]:
    """Names of the columns of longitude and latitude, and the frame their names say."""
    lowered = {name.lower(): name for name in reversed(table.colnames)}
    if "lon" in columns:
        lon, lat = columns["lon"], columns["lat"]
        own = [f for x, y, f in _PAIRS if (x, y) == (lon.lower(), lat.lower())]
        return lon, lat, own[0] if own else None
    for x, y, frame in _PAIRS:
        if x in lowered and y in lowered:
            return lowered[x], lowered[y], frame
    if "lon" in lowered and "lat" in lowered:
        return lowered["lon"], lowered["lat"], None
    raise ValueError(
        f"no columns of a position are known in the table, which has {', '.join(table.colnames)}: "
        "name them in columns, as in lon = 'RAJ', lat = 'DECJ'"
    )


def _angle(table: Any, name: str, hours: bool) -> Values:
    """A column of angles in degrees: numbers in the column's unit, or sexagesimal text."""
    from astropy import units
    from astropy.coordinates import Angle

    column = _column(table, name)
    if column.dtype.kind not in "SUO":
        return numbers(table, name, "deg")
    mask = np.broadcast_to(np.asarray(getattr(column, "mask", False), bool), (len(column),))
    text = [str(x).strip() for x in np.asarray(column)]
    missing = mask | np.isin(text, ("", "nan", "None", "--", "*"))
    parted = any(":" in x or " " in x for x in text)
    own = units.Unit(column.unit) if getattr(column, "unit", None) is not None else None
    sexagesimal = hours and parted and own != units.deg
    unit = units.hourangle if sexagesimal else units.deg
    try:
        values = Angle([("0" if m else x) for x, m in zip(text, missing, strict=True)], unit=unit)
    except ValueError:
        row = next((i for i, x in enumerate(text) if not (missing[i] or _is_angle(x, unit))), 0)
        raise ValueError(
            f"column '{name}' must hold angles, got '{text[row]}' in row {row}"
        ) from None
    return np.where(missing, np.nan, np.asarray(values.deg, float))


def _is_angle(text: str, unit: Any) -> bool:
    from astropy.coordinates import Angle

    try:
        return bool(np.isfinite(Angle(text, unit=unit).deg))
    except ValueError:
        return False


def _plain(column: Any, name: str) -> Values:
    """Numbers of a column without their unit, NaN where masked."""
    mask = getattr(column, "mask", None)
    column = getattr(column, "unmasked", column)
    values = np.ma.getdata(np.asanyarray(getattr(column, "value", column)))
    if values.dtype.kind not in "fiu" or values.ndim != 1:
        raise ValueError(f"column '{name}' must hold one number in each row")
    values = values.astype(float)
    return values if mask is None else np.where(np.asarray(mask), np.nan, values)


def _of_coordinates(column: Any) -> Positions:
    sky = column.galactic
    known = getattr(sky.distance.unit, "physical_type", None) == "length"
    distance = np.asarray(sky.distance.to_value("kpc"), float) if known else None
    return Positions(np.asarray(sky.l.deg, float), np.asarray(sky.b.deg, float), distance)

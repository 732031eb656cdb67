"""What a model predicts for every source of a table, as a further column of it.

Rows go in parts of few lengths, so a catalogue of another length needs no new program.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from .. import _checks as checks
from .._numerics._padding import padded_parts
from ..electrons import dispersion_measure as _dispersion_measure, distance as _distance
from ..electrons._distance import own_sun
from ..fields._domain import AbstractDomain, Sphere
from ..fields._field import AbstractField
from ..sightlines import Sightlines
from ..sightlines._tables import as_table, positions, role
from ..simulators import RotationMeasure

REACH = 30.0
"""Radius (kpc) about the Galactic Centre within which there is anything, unless told otherwise."""

UNITS = {"rm": "rad m-2", "dm": "pc cm-3", "distance": "kpc"}
"""Units of the results."""


class _Rows(NamedTuple):
    """The rows of a table that can be computed, and a number for each."""

    count: int  # pyright: ignore[reportIncompatibleMethodOverride]
    use: np.ndarray
    l: Float[np.ndarray, " n"]
    b: Float[np.ndarray, " n"]
    value: Float[np.ndarray, " n"]


def rotation_measure(
    table: Any,
    magnetic: AbstractField,
    electrons: AbstractField,
    *,
    distance: Any = None,
    columns: Mapping[str, str] | None = None,
    frame: str | None = None,
    observer: Any = None,
    domain: AbstractDomain | None = None,
    name: str = "rm_model",
    **settings: Any,
) -> Any:
    """The table with a column of rotation measures, RM = 0.812 int n_e B_par ds (rad m^-2).

    **Arguments:**

    - `table`: an astropy Table or QTable, a pandas DataFrame or a dict of columns.
    - `magnetic`: microgauss. `electrons`: cm^-3.
    - `distance`: where rays end: a column's name, kpc (a number, one a row, or a Quantity), or
      `inf` for all of the domain. Default: the distances of a `SkyCoord` column, the column that
      `columns` names, a column called 'distance', else all of the domain.
    - `columns`: names of columns by what they are ('lon', 'lat', 'distance'); default: a
      `SkyCoord` column, or a usual pair of names such as l and b, GLON and GLAT, ra and dec.
    - `frame`: of the angles: 'galactic', 'icrs' (or 'equatorial'), 'fk5', 'fk4', 'ecliptic',
      'supergalactic'; default: what the names of the columns say.
    - `observer`: kpc. Default: the Sun that the model of the electrons was made with
      (`electrons.sun`), else that of the field, else (-8.3, 0, 0.006). Pulsars are seen from there:
      clumps and shells of a model lie about its own Sun.
    - `domain`: default: a sphere of 30 kpc about the Galactic Centre.
    - `name`: of the new column.
    - `settings`: those of `synax.Integration`, such as `steps`.

    **Returns** an astropy QTable: the columns of `table`, and the new one, NaN where a row has no
    position or no distance.

    **Raises** `ValueError` that names the column or argument. **Warns** (`synax.SynaxWarning`) of
    rows without a position or distance, and of distances beyond the domain.

    ```python
    pulsars = {"l": [30.0, 120.0], "b": [-5.0, 2.0], "distance": [3.0, 1.2]}
    found = synax.catalogues.rotation_measure(
        pulsars, synax.magnetic.UF23(), synax.electrons.YMW16()
    )
    ```
    """
    given = as_table(table)
    domain = Sphere(REACH) if domain is None else domain
    rows = _rows(given, distance, columns, frame, name)
    simulator = RotationMeasure(magnetic, electrons, **settings)
    observer = _place(electrons, observer, magnetic)

    def compute(l: Any, b: Any, ends: Any) -> Any:
        return simulator(Sightlines.from_lonlat(l, b, ends, observer=observer, domain=domain))

    return _with_column(given, rows, name, UNITS["rm"], _in_parts(rows, compute), domain, observer)


def dispersion_measure(
    table: Any,
    electrons: AbstractField,
    *,
    distance: Any = None,
    columns: Mapping[str, str] | None = None,
    frame: str | None = None,
    observer: Any = None,
    domain: AbstractDomain | None = None,
    name: str = "dm_model",
    steps: int = 256,
) -> Any:
    """The table with a column of dispersion measures, DM = int n_e ds (pc cm^-3).

    **Arguments:**

    - as of `rotation_measure`.
    - `steps`: cells per ray.

    **Returns** an astropy QTable with the columns of `table` and the new one.

    **Raises** and **warns** as `rotation_measure` does.
    """
    given = as_table(table)
    domain = Sphere(REACH) if domain is None else domain
    observer = _place(electrons, observer)
    rows = _rows(given, distance, columns, frame, name)

    def compute(l: Any, b: Any, ends: Any) -> Any:
        options = {"observer": observer, "domain": domain, "steps": steps}
        return _dispersion_measure(electrons, l, b, ends, **options)

    return _with_column(given, rows, name, UNITS["dm"], _in_parts(rows, compute), domain, observer)


def distance(
    table: Any,
    electrons: AbstractField,
    *,
    dm: Any = None,
    columns: Mapping[str, str] | None = None,
    frame: str | None = None,
    observer: Any = None,
    domain: AbstractDomain | None = None,
    name: str = "distance_model",
    steps: int = 256,
) -> Any:
    """The table with a column of distances (kpc) at which the model reaches the measured DMs.

    **Arguments:**

    - as of `dispersion_measure`.
    - `dm`: a column's name, or pc cm^-3 (a number, one a row, or a Quantity); default: the column
      that `columns` names, or one called 'dm'.

    **Returns** an astropy QTable with the columns of `table` and the new one: `inf` where the
    model has fewer electrons than the DM asks for, NaN where a row lacks a value.

    **Raises** `ValueError` that names the column or argument. **Warns** (`synax.SynaxWarning`) of
    rows without a value, and of DMs beyond the model.
    """
    given = as_table(table)
    found = role(given, dm, columns, "dm", UNITS["dm"])
    if found is None:
        raise ValueError(
            f"dm is missing: the table has no column 'dm', but {', '.join(given.colnames)}"
        )
    place = positions(given, columns, frame)
    rows = _usable(given, place.l, place.b, found, name, "dispersion measure")
    observer = _place(electrons, observer)
    domain = Sphere(REACH) if domain is None else domain

    def compute(l: Any, b: Any, dm: Any) -> Any:
        options = {"observer": observer, "domain": domain, "steps": steps}
        return _distance(electrons, l, b, dm, **options)

    values = _in_parts(rows, compute)
    beyond = int(np.isinf(values).sum())
    if beyond:
        checks.warn(
            f"{beyond} of {values.size} dispersion measures exceed all electrons of the model on "
            "their sightline: their distance is inf"
        )
    return _with_column(given, rows, name, UNITS["distance"], values)


def _place(electrons: Any, observer: Any, *others: Any) -> Any:
    """Where sightlines begin: as given, else the first model's own Sun."""
    checks.instance("electrons", electrons, AbstractField, "a scalar field")
    checks.unitless_leaves("a model", (electrons, *others))
    return observer if observer is not None else own_sun(electrons, *others)


def _rows(
    table: Any, distance: Any, columns: Mapping[str, str] | None, frame: str | None, name: str
) -> _Rows:
    """Positions and distances (kpc, inf for none) of the rows that have both."""
    place = positions(table, columns, frame)
    ends = role(table, distance, columns, "distance", "kpc")
    if ends is None and place.distance is None:
        _warn_of_likely(table)
    if ends is None:
        ends = np.full(len(table), np.inf) if place.distance is None else place.distance
    return _usable(table, place.l, place.b, ends, name, "distance")


def _warn_of_likely(table: Any) -> None:
    """Warn of a column that reads like a distance where none was named."""
    likely = [one for one in table.colnames if one.lower().startswith("dist")]
    if likely:
        checks.warn(
            f"column '{likely[0]}' is not used: sightlines go to the end of the domain; give "
            f"distance = '{likely[0]}' if sources lie there, or distance = inf"
        )


def _usable(table: Any, l: Any, b: Any, value: Any, name: str, what: str) -> _Rows:
    if name in table.colnames:
        raise ValueError(f"name = '{name}': the table has a column of this name; give another")
    positive = value > 0 if what == "distance" else value >= 0
    use = np.isfinite(l) & np.isfinite(b) & positive
    if not use.any():
        raise ValueError(f"no row of the table has both a position and a {what}")
    if not use.all():
        checks.warn(
            f"{(~use).sum()} of {use.size} rows have no position or no {what}: their {name} is NaN"
        )
    return _Rows(use.size, use, l[use], b[use], value[use])


def _in_parts(rows: _Rows, compute: Callable[..., Any]) -> Float[np.ndarray, " n"]:
    found = np.empty(rows.l.size)
    for here, items in padded_parts(rows.l.size):
        values = np.asarray(compute(rows.l[items], rows.b[items], rows.value[items]))
        found[here] = values[: here.stop - here.start]
    return found


def _with_column(
    table: Any,
    rows: _Rows,
    name: str,
    unit: str,
    values: Float[np.ndarray, " n"],
    domain: AbstractDomain | None = None,
    observer: Any = None,
) -> Any:
    from astropy import units
    from astropy.table import QTable

    if domain is not None:
        _warn_of_wall(rows, domain, observer)
    out = QTable(table)
    whole = np.full(rows.count, np.nan)
    whole[rows.use] = values
    out[name] = whole * units.Unit(unit)
    return out


def _warn_of_wall(rows: _Rows, domain: AbstractDomain, observer: Any) -> None:
    """Warn of sources behind the domain's wall, where nothing is integrated."""

    def wall(l: Any, b: Any, _: Any) -> Any:
        return Sightlines.from_lonlat(l, b, observer=observer, domain=domain).span()[1]

    far = _in_parts(rows, wall)
    beyond = int(np.sum(np.isfinite(rows.value) & (rows.value > far * (1 + 1e-6))))
    if beyond:
        checks.warn(
            f"{beyond} of {rows.value.size} sources lie beyond the domain: their sightlines end at "
            "its wall; give a larger domain to go on"
        )

"""What `synax rm`, `dm` and `distance` do: read a table, compute a column, write the table."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _config
from ._console import BadInput, print_json, stdout, suggestion
from ._given_files import told


class Asked(NamedTuple):
    """What the command line says: the sources, what their columns are, and the model."""

    verb: str
    table: Path | None
    at: list[str] | None
    columns: list[str] | None
    frame: str | None
    roles: dict[str, str | None]
    config: Path | None
    models: dict[str, Any]
    change: list[str] | None
    result: str | None
    measured: str | None = None
    """The column that the new one is compared with."""


OPTIONS = ("table", "at", "columns", "frame", "config", "change", "result", "measured")
"""What an `Asked` takes from the command line as it is."""


def run(asked: Asked, output: Path | None, overwrite: bool) -> dict[str, Any]:
    """Check everything, compute, write; returns the table and what is told of it."""
    from ..io._tables import check_table_target, write_table
    from ._run import precision

    verb = asked.verb
    settings, overrides = _settings(asked)
    if output is not None:
        try:
            check_table_target(output, overwrite)
        except (OSError, ValueError) as error:
            raise BadInput(f"--output: {error}") from None
    given = _table(asked.table, asked.at, settings["catalogue"].get("frame"))
    measured = measured_column(given, asked.measured, verb, "--measured")
    with precision(settings["integration"]["precision"]), _config.named(overrides):
        name = settings["catalogue"].get("result", f"{verb}_model")
        column = _compute(verb, given, settings, name)
    given[name] = column
    facts = _facts(verb, settings)
    if output is not None:
        try:
            write_table(output, given, overwrite=overwrite, facts=facts)
        except ValueError as error:
            raise BadInput(f"--output: {error}") from None
    found = {"verb": verb, "name": name, "table": given, "facts": facts}
    return found if measured is None else {**found, "agreement": _agreement(column, measured)}


def measured_column(table: Any, name: str | None, verb: str, flag: str) -> np.ndarray | None:
    """The numbers of a measured column, NaN where missing; `flag` names it."""
    from ..catalogues._sources import UNITS
    from ..sightlines._tables import numbers

    if name is None:
        return None
    try:
        return numbers(table, name, UNITS[verb])
    except ValueError as error:
        raise BadInput(f"{flag}: {error}") from None


def _agreement(model: Any, measured: np.ndarray) -> dict[str, Any]:
    """Scale, correlation and the rest of what `synax compare` tells, where both have numbers."""
    from ._comparison_numbers import agreement

    model = np.asarray(model.value)
    both = np.isfinite(model) & np.isfinite(measured)
    if both.sum() < 3:
        raise BadInput(f"--measured: only {both.sum()} rows have a number in both columns")
    same = np.sign(model[both]) == np.sign(measured[both])
    return {**agreement(model[both], measured[both]), "same_sign": float(np.mean(same))}


def _settings(asked: Asked) -> tuple[dict[str, Any], list[_config.Override]]:
    models = asked.models
    flags = {
        "galaxy": ("--galaxy", models["galaxy"]),
        "magnetic": ("--magnetic", _by_name(models.get("magnetic"))),
        "electrons": ("--electrons", _by_name(models["electrons"])),
        "integration.steps": ("--steps", models["steps"]),
        "catalogue.columns": ("--columns", pairs(asked.columns)),
        "catalogue.frame": ("--frame", asked.frame),
        "catalogue.result": ("--result", asked.result),
        **{f"catalogue.{role}": (f"--{role}", value) for role, value in asked.roles.items()},
    }
    overrides = [
        _config.Override(flag, path, value)
        for path, (flag, value) in flags.items()
        if value is not None
    ]
    overrides += [_config.parse_set(text) for text in asked.change or []]
    return _config.load(asked.config, overrides, asked.verb), overrides


def _by_name(model: str | None) -> dict[str, str] | None:
    return None if model is None else {"model": model}


def pairs(columns: list[str] | None) -> dict[str, str] | None:
    """'lon=RAJ,lat=DECJ' as a table; names with commas or = need a TOML file."""
    if not columns:
        return None
    found = {}
    for pair in ",".join(columns).split(","):
        key, equals, name = (part.strip() for part in pair.partition("="))
        if not (equals and key and name):
            raise BadInput(f"--columns {pair!r}: must be ROLE=COLUMN, as in lon=RAJ,lat=DECJ")
        found[key] = name
    return found


def _table(path: Path | None, at: list[str] | None, frame: str | None) -> Any:
    from astropy.table import Table

    from ..io._tables import read_table

    if (path is None) == (not at):
        raise BadInput("give either TABLE, a file with sources, or --at, a position")
    if path is not None:
        try:
            return read_table(path)
        except (OSError, ValueError) as error:
            raise BadInput(f"TABLE: {told(error)}") from None
    parts = [position.replace(",", " ").split() for position in at or []]
    wrong = [position for position, found in zip(at or [], parts, strict=True) if len(found) != 2]
    if wrong:
        raise BadInput(f"--at {wrong[0]!r}: must be two angles, such as '30.5 -5'")
    names = ("l", "b") if frame in (None, "galactic") else ("lon", "lat")
    try:
        values = [[float(x) for x in column] for column in zip(*parts, strict=True)]
    except ValueError:
        values = [list(column) for column in zip(*parts, strict=True)]
    return Table(dict(zip(names, values, strict=True)))


def _compute(verb: str, table: Any, settings: dict[str, Any], name: str) -> Any:
    """The new column, a Quantity."""
    from . import _run

    lines = {k: v for k, v in settings["sightlines"].items() if k != "pixels"} | {"nside": 1}
    sky = _run.prepare({**settings, "sightlines": lines})
    return predicted(verb, sky, table, settings["catalogue"], name)


def predicted(verb: str, sky: Any, table: Any, wanted: dict[str, Any], name: str) -> Any:
    """The new column of `verb` for every row, a Quantity; `wanted` as in [catalogue]."""
    from .. import catalogues

    common = {
        "columns": wanted.get("columns"),
        "frame": wanted.get("frame"),
        "observer": place_of_sources(sky),
        "domain": sky.geometry["domain"],
        "name": name,
    }
    electrons, steps = sky.fields["electrons"], sky.integration["steps"].n
    try:
        if verb == "distance":
            value = _role(table, wanted.get("dm"), "dm", "pc cm-3")
            found = catalogues.distance(table, electrons, dm=value, steps=steps, **common)
        else:
            value = _role(table, wanted.get("distance"), "distance", "kpc")
            if verb == "dm":
                found = catalogues.dispersion_measure(
                    table, electrons, distance=value, steps=steps, **common
                )
            else:
                found = catalogues.rotation_measure(
                    table,
                    sky.fields["magnetic"],
                    electrons,
                    distance=value,
                    **common,
                    **sky.integration,
                )
    except (ValueError, TypeError) as error:
        raise BadInput(" ".join(str(error).split())) from None
    return found[name]


def place_of_sources(sky: Any) -> Any:
    """Where sources are seen from; None, the models' own Sun, where no place is asked for."""
    return None if sky.observer is None else tuple(sky.observer)


def _role(table: Any, given: Any, name: str, unit: str) -> Any:
    """A column's name as it is; else the text as a number in `unit`."""
    from ._values import quantity

    if given is None or given in table.colnames:
        return given
    if str(given).strip() == "inf":
        return float("inf")
    if not isinstance(given, str) or given[:1].isdigit() or given[:1] in "+-.":
        number = float(given) if _is_number(given) else given
        return quantity(unit)(f"catalogue.{name}", number)
    raise BadInput(
        f"catalogue.{name} = {given!r}: is no column of the table, which has "
        f"{', '.join(table.colnames)}{suggestion(given, table.colnames)}"
    )


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _facts(verb: str, settings: dict[str, Any]) -> dict[str, str | int]:
    """What a table's header says of its new column."""
    from ._record import version
    from ._write import facts

    found = {"SYNAX": version(), **facts(settings)}
    if "galaxy" in settings:
        found = {"SYNAX": version(), "GALAXY": settings["galaxy"], "SEED": settings["seed"]}
    if verb != "rm":
        found.pop("MAGNETIC", None)
    found.pop("COSMICRA", None)
    return found


MOST_ROWS = 20


def tell(found: dict[str, Any], quiet: bool, as_json: bool, output: Path | None) -> None:
    table, name = found["table"], found["name"]
    if as_json:
        print_json(_plain(found))
        return
    if quiet:
        return
    console = stdout()
    if output is None:
        shown = table if len(table) <= MOST_ROWS else table[:MOST_ROWS]
        for line in shown.pformat(max_lines=-1, max_width=100):
            console.print(line, markup=False, soft_wrap=True)
        if len(table) > MOST_ROWS:
            console.print(f"... {len(table) - MOST_ROWS} more rows: give --output FILE for all")
    values = np.asarray(table[name], float)
    known = values[np.isfinite(values)]
    unit = {"rm": "rad/m2", "dm": "pc/cm3", "distance": "kpc"}[found["verb"]]
    facts = found["facts"]
    models = ", ".join(facts[k] for k in ("GALAXY", "MAGNETIC", "ELECTRON") if k in facts)
    line = f"{len(table)} source{'s' * (len(table) != 1)} with {models}: {name} in {unit}"
    if known.size > 1:
        line += f", {known.min():.4g} to {known.max():.4g}, median {np.median(known):.4g}"
    console.print(line, markup=False, soft_wrap=True)
    if "agreement" in found:
        a = found["agreement"]
        told = f"against the measured column ({a['n']} rows): best scale {a['scale']:.3g}, "
        told += f"correlation {a['correlation']:.2f}, residual {a['residual']:.2f} of the rms"
        told += f", same sign {100 * a['same_sign']:.0f} %" if found["verb"] == "rm" else ""
        console.print(told, markup=False, soft_wrap=True)
    if output is not None:
        console.print(f"written to '{output}'", markup=False, soft_wrap=True)


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """The table as plain data; numbers that are not finite are null."""
    from ..io._plain_json import explained

    table, columns = found["table"], {}
    for name in table.colnames:
        values = np.ma.getdata(np.asanyarray(getattr(table[name], "value", table[name])))
        columns[name] = values.tolist() if values.dtype.kind in "fiub" else [str(x) for x in values]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    unit = str(table[found["name"]].unit)
    told = {"verb": found["verb"], "column": found["name"], "unit": unit, **found["facts"]}
    more = {key: found[key] for key in ("agreement",) if key in found}
    return explained({**told, **more, "rows": rows})

"""Tables of sources in files: CSV, ECSV, FITS, VOTable, by astropy."""

import csv
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._atomic import atomic, check_target

FORMATS = {
    ".csv": "ascii.csv",
    ".tsv": "ascii.tab",
    ".ecsv": "ascii.ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".xml": "votable",
}
"""astropy's format by the ending of the file."""


def table_format(path: str | os.PathLike, what: str = "file") -> str:
    """astropy's name of a file's format; `ValueError` that lists the endings that are known."""
    path = Path(path)
    ending = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"{what} '{path}' must end in one of {', '.join(FORMATS)}")
    return FORMATS[ending]


def read_table(path: str | os.PathLike) -> Any:
    """The table of a file, with the units that its format keeps.

    **Raises** `ValueError` that names the file: no such file, another ending, not readable.
    """
    from astropy.table import Table

    path, kind = Path(path), table_format(path)
    if not path.is_file():
        raise ValueError(f"there is no file '{path}'")
    options: dict[str, Any] = {}
    if kind == "ascii.csv":
        with path.open(encoding="utf-8", errors="replace") as lines:
            kind = "ascii.ecsv" if lines.readline().startswith("# %ECSV") else kind
        options = {"comment": "#"} if kind == "ascii.csv" else {}
    if kind == "fits":
        from ._fits_size import checked_tables

        if path.suffix != ".gz" and checked_tables(path) == 0:
            raise ValueError(f"'{path}' has no table")
    try:
        with warnings.catch_warnings():  # of units and cards that a catalogue spells its own way
            warnings.simplefilter("ignore")
            table = Table.read(path, format=kind, **options)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"'{path}' is not a readable table ({kind}): {reason}") from None
    if kind == "ascii.csv":
        _refuse_twins(path)
    if len(table) == 0 or not table.colnames:
        raise ValueError(f"'{path}' has no rows")
    return table


def _refuse_twins(path: Path) -> None:
    """Raise `ValueError` for a CSV file whose header has one name twice: readers rename one."""
    with path.open(encoding="utf-8", errors="replace", newline="") as lines:
        rows = csv.reader(line for line in lines if line.strip() and not line.startswith("#"))
        names = [name.strip() for name in next(rows, [])]
    twins = [name for name in names if name and names.count(name) > 1]
    if twins:
        raise ValueError(f"'{path}' has {names.count(twins[0])} columns called '{twins[0]}'")


def check_table_target(path: str | os.PathLike, overwrite: bool) -> None:
    """Raise before any work, `ValueError` or `OSError`, if a table could not be written there."""
    table_format(path, "the file")
    check_target(path, overwrite)


def write_table(
    path: str | os.PathLike,
    table: Any,
    *,
    overwrite: bool = False,
    facts: Mapping[str, str | int | float] | None = None,
) -> None:
    """Write a table, whole or not at all; `facts` go into the header, where the format has one.

    **Raises** `ValueError` or `OSError` that names the file.
    """
    kind = table_format(path, "the file")
    out = table.copy(copy_data=False)
    if kind in ("fits", "ascii.ecsv"):
        out.meta.update(facts or {})
    else:
        out.meta.clear()
    with atomic(path, overwrite) as temporary:
        try:
            with warnings.catch_warnings():  # of cards that FITS cannot hold
                warnings.simplefilter("ignore")
                out.write(temporary, format=kind, overwrite=True)
        except (TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"'{path}' cannot hold this table ({kind}): {reason}") from None

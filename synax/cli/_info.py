"""`synax info`: what a file written by this program holds."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ._console import BadInput, fails_cleanly, print_json, stdout

_EPILOG = """
[bold]Examples[/]

synax info synax-output/stokes_23GHz.fits

synax info synax-output/record.json --json
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("info", epilog=_EPILOG)(info)


@fails_cleanly
def info(
    file: Annotated[Path, typer.Argument(help="A map, a grid, or a JSON record.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Explain a file: sky map (FITS), field on a grid (npz, HDF5, FITS) or record (JSON)."""
    found = explain(file)
    if as_json:
        print_json(found)
    else:
        _show(found)


def explain(file: Path) -> dict[str, Any]:
    """What a file holds, as plain data; `BadInput` if it is none of ours."""
    if not file.is_file():
        raise BadInput(f"FILE = '{file}': there is no such file")
    if file.suffix == ".json":
        return {"file": str(file), **_record(file)}
    if is_map(file):
        return {"file": str(file), **_map(file)}
    try:
        from ..io import load_grid

        return {"file": str(file), "holds": "field on a grid", **_grid(load_grid(file))}
    except (ValueError, OSError, KeyError, ImportError) as error:
        text = " ".join(str(error).split())
        raise BadInput(
            f"FILE = '{file}': not a map, grid or record of this program ({text})"
        ) from None


def is_map(file: Path) -> bool:
    """Whether a file is FITS with a binary table, as HEALPix maps are."""
    from astropy.io import fits

    try:
        with fits.open(file) as hdus:
            return any(isinstance(hdu, fits.BinTableHDU) for hdu in hdus)
    except OSError:
        return False


def _record(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"FILE = '{file}': not valid JSON ({error})") from None
    if not isinstance(record, dict) or record.get("program") != "synax":
        raise BadInput(f"FILE = '{file}': JSON, but not a record of this program")
    return {"holds": f"record of a {record.pop('kind')}", **record}


def _map(file: Path) -> dict[str, Any]:
    import numpy as np

    from ..io import load_map

    try:
        sky = load_map(file)
    except ValueError as error:
        raise BadInput(f"FILE: {error}") from None
    found: dict[str, Any] = {
        "holds": f"HEALPix map of {', '.join(sky.columns)}",
        "unit": sky.unit,
        "frequency_GHz": sky.frequency,
        "nside": sky.nside,
        "ordering": sky.ordering,
        "frame": sky.frame,
        "convention": sky.convention if "U" in sky.columns else None,
        "pixels": f"{sky.values.shape[-1]} of {12 * sky.nside**2}",
        "precision": str(sky.values.dtype),
    }
    for name in sky.columns:
        values = np.asarray(sky.component(name), dtype=float)
        values = values[np.isfinite(values)]
        if values.size:
            keys = ("minimum", "median", "mean", "maximum", "rms")
            numbers = (values.min(), np.median(values), values.mean(), values.max())
            rms = np.sqrt(np.mean(values**2))
            found[name] = {k: float(v) for k, v in zip(keys, (*numbers, rms), strict=True)}
    return {key: value for key, value in found.items() if value is not None}


def _grid(grid: Any) -> dict[str, Any]:
    import numpy as np

    from .. import _catalogue

    values = np.asarray(grid.values, dtype=float)
    return {
        **_catalogue.describe(grid),
        "values": {
            "shape": list(values.shape),
            "dtype": str(grid.values.dtype),
            "minimum": float(values.min()),
            "maximum": float(values.max()),
            "rms": float(np.sqrt(np.mean(values**2))),
        },
    }


def _show(found: dict[str, Any]) -> None:
    from rich.pretty import Pretty
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for key, value in found.items():
        shown = Pretty(value) if isinstance(value, dict | list) else str(value)
        table.add_row(f"[bold]{key}[/]", shown)
    stdout().print(table)

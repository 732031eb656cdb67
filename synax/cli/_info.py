"""`synax info`: what a file written by this program holds."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ._console import fails_cleanly, print_json, stdout
from ._explain import explain

_EPILOG = """
[bold]Examples[/]

synax info synax-output/stokes_23GHz.fits

synax info synax-output/record.json --json

synax info synax-run
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("info", epilog=_EPILOG)(info)


@fails_cleanly
def info(
    file: Annotated[Path, typer.Argument(help="A file or folder that this program wrote.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only say what it is.")] = False,
) -> None:
    """Explain a file: a sky map (FITS), a field on a grid (npz, HDF5, FITS, VTK), a record (JSON),
    a configuration (TOML), a figure, a report, anything in the folder of a run, or that folder.
    """
    found = explain(file)
    if as_json:
        print_json({key: found[key] for key in ("file", "holds")} if quiet else found)
    elif quiet:
        typer.echo(found["holds"])
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.pretty import Pretty
    from rich.table import Table

    if str(found["holds"]).startswith("folder"):
        found = _brief(found)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for key, value in found.items():
        shown = Pretty(value) if isinstance(value, dict | list) else escape(str(value))
        table.add_row(f"[bold]{escape(key)}[/]", shown)
    stdout().print(table)


MOST_FILES = 20


def _brief(found: dict[str, Any]) -> dict[str, Any]:
    """A folder in some lines: what it and its documents hold, and the first of its files."""
    brief = {}
    for key, value in found.items():
        if key == "files":
            names = value[:MOST_FILES]
            more = len(value) - len(names)
            brief[key] = ", ".join(names) + (f", and {more} more" if more else "")
        elif isinstance(value, dict) and "holds" in value:
            brief[key] = f"{value['holds']} (synax info {value['file']})"
        elif not isinstance(value, dict | list):
            brief[key] = value
    return brief

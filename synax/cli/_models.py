"""`synax models`: the catalogue, made from the code."""

from typing import Annotated, Any

import typer

from . import _complete
from ._console import choose, fails_cleanly, print_json, stdout

_EPILOG = """
[bold]Examples[/]

synax models

synax models magnetic.WMAP

synax models YMW16 --json
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("models", epilog=_EPILOG)(models)


@fails_cleanly
def models(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A model (WMAP, magnetic.WMAP) or a group; default: all.",
            autocompletion=_complete.any_model,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only names.")] = False,
) -> None:
    """List the models with paper, Sun position and parameters (unit, default, meaning)."""
    from .. import _catalogue

    entries = _catalogue.models()
    if name is not None:
        groups = [group for group, _, _ in _catalogue.GROUPS]
        known = {f"{e.group}.{e.name}" for e in entries} | {e.name for e in entries}
        choose("NAME", name, [*groups, *sorted(known)])
        entries = [e for e in entries if name in (e.group, e.name, f"{e.group}.{e.name}")]
    if as_json:
        print_json([entry.as_dict() for entry in entries])
    elif quiet:
        typer.echo("\n".join(f"{entry.group}.{entry.name}" for entry in entries))
    elif name is None or name == entries[0].group:
        _table(entries)
    else:
        for entry in entries:
            _sheet(entry)


def _table(entries: list[Any]) -> None:
    from rich.table import Table

    table = Table(title="Models of synax", title_justify="left", row_styles=["", "dim"])
    for heading in ("model", "paper", "Sun (kpc)", "parameters"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        free = sum(p.kind == "number" for p in entry.parameters)
        table.add_row(f"{entry.group}.{entry.name}", entry.info.paper, _sun(entry), str(free))
    console = stdout()
    console.print(table)
    console.print("`synax models NAME` shows the parameters, units and defaults of one.")


def _sun(entry: Any) -> str:
    return "-" if entry.info.sun is None else ", ".join(f"{x:g}" for x in entry.info.sun)


def _sheet(entry: Any) -> None:
    from rich.table import Table

    console = stdout()
    console.print(f"[bold]{entry.group}.{entry.name}[/]")
    console.print(entry.summary, markup=False)
    console.print(f"paper: {entry.info.paper}", markup=False)
    if entry.info.sun is not None:
        console.print(f"Sun: {_sun(entry)} kpc", markup=False)
    if entry.info.notes:
        console.print(f"notes: {entry.info.notes}", markup=False)
    if entry.variants:
        names = ", ".join(f"{entry.name}.{v}" for v in entry.variants)
        console.print(f"variants: {names}", markup=False)
    table = Table()
    for heading in ("parameter", "default", "unit", "meaning"):
        table.add_column(heading, overflow="fold")
    for p in entry.parameters:
        table.add_row(p.name, _short(p.default), p.unit, p.text)
    console.print(table)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "(" + ", ".join(_short(v) for v in value) + ")"
    return str(value)

"""`synax rm`, `synax dm`, `synax distance`: models on tables of pulsars and other sources."""

from pathlib import Path
from typing import Annotated, Any

import typer

from . import _config, _options
from ._console import fails_cleanly
from ._options import Options, takes
from ._sources_run import OPTIONS, Asked, run, tell

_TABLE = Annotated[
    Path | None,
    typer.Argument(help="Table of sources: CSV, TSV, ECSV, FITS or VOTable.", metavar="[TABLE]"),
]
_AT = Annotated[
    list[str] | None,
    typer.Option("--at", help="In place of a table, a position: '30.5 -5', degrees; repeat."),
]
_DM = Annotated[
    str | None, typer.Option("--dm", help="A column, or one dispersion measure: pc cm-3.")
]
_RESULT = Annotated[str | None, typer.Option("--result", help="Name of the new column.")]
_MEASURED = Annotated[
    str | None,
    typer.Option("--measured", help="A column to compare with: scale, correlation, same sign."),
]
_OUTPUT = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File for the table with the new column: by its ending."),
]

_MODELS: dict[str, Any] = {
    "galaxy": _options.Galaxy,
    "magnetic": _options.Magnetic,
    "electrons": _options.Electrons,
    "steps": _options.Steps,
}


def _verb(role: str, without: tuple[str, ...] = ()) -> Options:
    """The options of a verb; `role` is the number that it needs of each source."""
    roles = {"distance": _options.Distance, "dm": _DM}
    found: Options = {
        "table": (_TABLE, None),
        "at": (_AT, None),
        role: (roles[role], None),
        "columns": (_options.Columns, None),
        "frame": (_options.Frame, None),
        "config": (_options.ConfigFile, None),
        **{name: (kind, None) for name, kind in _MODELS.items()},
        "change": (_options.changes("electrons.A=2"), None),
        "result": (_RESULT, None),
        "measured": (_MEASURED, None),
        "output": (_OUTPUT, None),
        "overwrite": (_options.Overwrite, False),
        "quiet": (_options.Quiet, False),
        "as_json": (_options.as_json("the table"), False),
        "print_config": (_options.PrintConfig, False),
        "print_schema": (_options.PrintSchema, False),
    }
    return {name: option for name, option in found.items() if name not in without}


_EXAMPLES = {
    "rm": """
synax rm sources.csv --magnetic JF12 --output predicted.csv

synax rm pulsars.fits --distance Dist --galaxy calibrated -o pulsars_rm.fits

synax rm sources.csv --measured RM --galaxy calibrated

synax rm --at "264 -3" --distance "290 pc" --magnetic UF23
""",
    "dm": """
synax dm pulsars.ecsv --distance Dist --electrons NE2001 -o pulsars_dm.ecsv

synax dm --at "30 -5" --distance 3
""",
    "distance": """
synax distance pulsars.csv --dm DM --output distances.csv

synax distance psrcat.csv --columns lon=RAJ,lat=DECJ --frame icrs --dm DM -o distances.csv

synax distance --at "30 -5" --dm 100 --electrons NE2025
""",
}


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    for verb, function in (("rm", rm), ("dm", dm), ("distance", distance)):
        epilog = f"\n[bold]Examples[/]\n{_EXAMPLES[verb]}"
        app.command(verb, epilog=epilog)(function)


@fails_cleanly
@takes(_verb("distance"))
def rm(**given: Any) -> None:
    """Rotation measures (rad/m2) of a model for every source of a table.

    A source without a distance is behind the whole Galaxy. Positive: the field points to us.
    """
    _answer("rm", "distance", given)


@fails_cleanly
@takes(_verb("distance", without=("magnetic",)))
def dm(**given: Any) -> None:
    """Dispersion measures (pc/cm3) of a model for every source of a table.

    A source without a distance is behind the whole Galaxy.
    """
    _answer("dm", "distance", given)


@fails_cleanly
@takes(_verb("dm", without=("magnetic",)))
def distance(**given: Any) -> None:
    """Distances (kpc) at which a model reaches the dispersion measures of a table.

    A distance is inf where the model has fewer electrons than the dispersion measure asks for.
    """
    _answer("distance", "dm", given)


def _answer(verb: str, role: str, given: dict[str, Any]) -> None:
    if _config.printed(verb, given["print_config"], given["print_schema"]):
        return
    asked = Asked(
        verb,
        roles={role: given[role]},
        models={name: given[name] for name in _MODELS if name in given},
        **{name: given[name] for name in OPTIONS},
    )
    output = given["output"]
    tell(run(asked, output, given["overwrite"]), given["quiet"], given["as_json"], output)

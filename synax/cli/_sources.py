"""`synax rm`, `synax dm`, `synax distance`: models on tables of pulsars and other sources."""

from pathlib import Path
from typing import Annotated

import typer

from . import _complete, _config
from ._console import fails_cleanly
from ._options import Electrons, Magnetic, Steps
from ._sources_run import Asked, run, tell

Catalogue = Annotated[
    Path | None,
    typer.Argument(help="Table of sources: CSV, TSV, ECSV, FITS or VOTable.", metavar="[TABLE]"),
]
At = Annotated[
    list[str] | None,
    typer.Option("--at", help="In place of a table, a position: '30.5 -5', degrees; repeat."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", help="Which column is what: lon=RAJ,lat=DECJ,distance=Dist,dm=DM."),
]
Frame = Annotated[
    str | None,
    typer.Option("--frame", help="galactic, icrs, fk5, fk4, ecliptic, supergalactic."),
]
Distance = Annotated[
    str | None,
    typer.Option("--distance", "-d", help="A column, or one distance: kpc, or '500 pc'; or inf."),
]
Dm = Annotated[
    str | None, typer.Option("--dm", help="A column, or one dispersion measure: pc cm-3.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file, as for `synax simulate`.")
]
Galaxy = Annotated[
    str | None,
    typer.Option(
        help="A whole Galaxy: calibrated, wmap, jf12, uf23.", autocompletion=_complete.galaxies
    ),
]
Change = Annotated[list[str] | None, typer.Option("--set", help="Any key: electrons.A=2; repeat.")]
Result = Annotated[str | None, typer.Option("--result", help="Name of the new column.")]
Measured = Annotated[
    str | None,
    typer.Option("--measured", help="A column to compare with: scale, correlation, same sign."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File for the table with the new column: by its ending."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the table as JSON.")]

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
def rm(
    table: Catalogue = None,
    at: At = None,
    distance: Distance = None,
    columns: Columns = None,
    frame: Frame = None,
    config: ConfigFile = None,
    galaxy: Galaxy = None,
    magnetic: Magnetic = None,
    electrons: Electrons = None,
    steps: Steps = None,
    change: Change = None,
    result: Result = None,
    measured: Measured = None,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    print_config: _config.PrintConfig = False,
    print_schema: _config.PrintSchema = False,
) -> None:
    """Rotation measures (rad/m2) of a model for every source of a table.

    A source without a distance is behind the whole Galaxy. Positive: the field points to us.
    """
    models = {"galaxy": galaxy, "magnetic": magnetic, "electrons": electrons, "steps": steps}
    roles = {"distance": distance}
    if not _config.printed("rm", print_config, print_schema):
        asked = Asked(
            "rm", table, at, columns, frame, roles, config, models, change, result, measured
        )
        tell(run(asked, output, overwrite), quiet, as_json, output)


@fails_cleanly
def dm(
    table: Catalogue = None,
    at: At = None,
    distance: Distance = None,
    columns: Columns = None,
    frame: Frame = None,
    config: ConfigFile = None,
    galaxy: Galaxy = None,
    electrons: Electrons = None,
    steps: Steps = None,
    change: Change = None,
    result: Result = None,
    measured: Measured = None,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    print_config: _config.PrintConfig = False,
    print_schema: _config.PrintSchema = False,
) -> None:
    """Dispersion measures (pc/cm3) of a model for every source of a table.

    A source without a distance is behind the whole Galaxy.
    """
    models = {"galaxy": galaxy, "electrons": electrons, "steps": steps}
    roles = {"distance": distance}
    if not _config.printed("dm", print_config, print_schema):
        asked = Asked(
            "dm", table, at, columns, frame, roles, config, models, change, result, measured
        )
        tell(run(asked, output, overwrite), quiet, as_json, output)


@fails_cleanly
def distance(
    table: Catalogue = None,
    at: At = None,
    dm: Dm = None,
    columns: Columns = None,
    frame: Frame = None,
    config: ConfigFile = None,
    galaxy: Galaxy = None,
    electrons: Electrons = None,
    steps: Steps = None,
    change: Change = None,
    result: Result = None,
    measured: Measured = None,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    print_config: _config.PrintConfig = False,
    print_schema: _config.PrintSchema = False,
) -> None:
    """Distances (kpc) at which a model reaches the dispersion measures of a table.

    A distance is inf where the model has fewer electrons than the dispersion measure asks for.
    """
    models = {"galaxy": galaxy, "electrons": electrons, "steps": steps}
    if not _config.printed("distance", print_config, print_schema):
        roles = {"dm": dm}
        asked = Asked(
            "distance", table, at, columns, frame, roles, config, models, change, result, measured
        )
        tell(run(asked, output, overwrite), quiet, as_json, output)

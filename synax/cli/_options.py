"""Options that several verbs have: each is said once, and a verb names those that it takes."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from . import _complete

Magnetic = Annotated[
    str | None,
    typer.Option(help="Magnetic model by name.", autocompletion=_complete.magnetic),
]
Electrons = Annotated[
    str | None,
    typer.Option(help="Electron model by name.", autocompletion=_complete.electrons),
]
CosmicRays = Annotated[
    str | None,
    typer.Option(help="Cosmic-ray model by name.", autocompletion=_complete.cosmic_rays),
]
Galaxy = Annotated[
    str | None,
    typer.Option(
        help="A whole Galaxy: calibrated (like the real sky), wmap, jf12, uf23.",
        autocompletion=_complete.galaxies,
    ),
]
Steps = Annotated[int | None, typer.Option(help="Integration steps per ray.")]
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
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file, as for `synax simulate`.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")]
PrintConfig = Annotated[
    bool,
    typer.Option("--print-config", help="Print every key with its default and meaning, and exit."),
]
PrintSchema = Annotated[
    bool,
    typer.Option(
        "--print-schema", help="Print the JSON schema of the TOML file (for editors), and exit."
    ),
]


def changes(example: str) -> Any:
    """--set, with an example of a key of that verb."""
    return Annotated[list[str] | None, typer.Option("--set", help=f"Any key: {example}; repeat.")]


def as_json(what: str) -> Any:
    """--json, and what it prints."""
    return Annotated[bool, typer.Option("--json", help=f"Print {what} as JSON.")]


Options = dict[str, tuple[Any, Any]]
"""Annotated type and default of options, by the name of the argument."""


def takes(options: Options) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb written as `def verb(**given)` these options, for typer and `--help`."""

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        verb.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
            [
                inspect.Parameter(
                    name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
                )
                for name, (kind, default) in options.items()
            ],
            return_annotation=None,
        )
        verb.__annotations__ = {name: kind for name, (kind, _) in options.items()}
        return verb

    return decorate

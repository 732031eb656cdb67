"""Options that several verbs have."""

from typing import Annotated

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
Steps = Annotated[int | None, typer.Option(help="Integration steps per ray.")]

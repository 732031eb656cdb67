"""The command line: `synax simulate`, `models`, `info`, `convert`, `compare`, `benchmark`."""

from .._beginning import ends_at_once as _ends_at_once

_undo = _ends_at_once()

from ._app import app as app, main as main, program as program

_undo()

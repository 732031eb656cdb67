"""The command line: `synax simulate`, `models`, `info`, `convert`, `compare`, `benchmark`."""

from ._app import app as app, main as main, program as program

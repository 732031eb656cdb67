"""The application: one file a verb, put together here."""

import typer

from .._numerics._cores import use_cores
from . import (
    _benchmark,
    _compare,
    _convert,
    _fit,
    _info,
    _models,
    _report,
    _sample,
    _simulate,
)
from ._console import FAILED, say_interrupted
from ._signals import leave, watched

app = typer.Typer(
    name="synax",
    help="The Galaxy's synchrotron sky: simulate it, look at it, compare it with the real one.",
    epilog="Start with: [bold]synax simulate[/]. Every verb has its own --help with an example.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for verb in (_simulate, _models, _info, _convert, _compare, _fit, _sample, _report, _benchmark):
    verb.register(app)


def _version(value: bool) -> bool:
    if value:
        from ._record import version

        typer.echo(f"synax {version()}")
        raise typer.Exit()
    return value


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def _swallowed(end: SystemExit) -> BaseException | None:
    """What typer made a silent exit of: an interrupt that came before a verb had begun."""
    exit_ = end.__context__
    return None if exit_ is None else exit_.__cause__


def main() -> None:
    """Entry point of the `synax` command: every core of a CPU gets its own rays, or chains."""
    code: int = FAILED
    with watched():
        try:
            use_cores()
            app()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else FAILED * bool(end.code)
            if isinstance(signal := _swallowed(end), KeyboardInterrupt):
                code = say_interrupted(signal)
        except KeyboardInterrupt as signal:
            code = say_interrupted(signal)
        leave(code)

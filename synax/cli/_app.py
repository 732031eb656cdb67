"""The application: one file a verb, put together here."""

import gc
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

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
    _sources,
)
from ._console import BAD_INPUT, FAILED, complain, say_interrupted
from ._programs import kept_programs
from ._signals import end, leave, watched
from ._surroundings import output_told_apart, prepare
from ._usage import Verb, Verbs

app = typer.Typer(
    name="synax",
    cls=Verbs,
    help="The Galaxy's synchrotron sky: simulate it, look at it, compare it with the real one.",
    epilog="Start with: [bold]synax simulate[/]. Every verb has its own --help with an example.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for verb in (
    _simulate,
    _sources,
    _models,
    _info,
    _convert,
    _compare,
    _fit,
    _sample,
    _report,
    _benchmark,
):
    verb.register(app)
for command in app.registered_commands:
    command.cls = Verb


def _version(value: bool) -> bool:
    if value:
        from ._record import version

        typer.echo(f"synax {version()}")
        raise typer.Exit()
    return value


if TYPE_CHECKING:
    _Context = typer.Context
else:
    _Context = typer.Context.__base__  # Click's own class, which is what typer hands over

_COMPILING = ("simulate", "compare", "fit", "sample")
"""Verbs whose compiled programs are kept; `benchmark` measures compilation."""


@app.callback()
def _root(
    context: _Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
    compile_cache: bool = typer.Option(
        True,
        " /--no-compile-cache",
        help="Keep no compiled programs in the cache folder, and take none from it.",
    ),
) -> None:
    if context.obj is not None and compile_cache and context.invoked_subcommand in _COMPILING:
        context.obj.enter_context(kept_programs())


def _empty(arguments: list[str]) -> str | None:
    """The refusal of an argument without text: `--output "$UNSET"` would write where one stands."""
    for before, word in zip(["synax", *arguments], arguments, strict=False):
        option, equals, value = word.partition("=")
        if not word.strip():
            return f"the argument after '{before}' is empty: give a value, or leave it out"
        if equals and option.startswith("-") and not value.strip():
            return f"{option} is empty: give a value, or leave it out"
    return None


def _swallowed(end: SystemExit) -> BaseException | None:
    """What typer made a silent exit of: an interrupt that came before a verb had begun."""
    exit_ = end.__context__
    return None if exit_ is None else exit_.__cause__


def program() -> None:
    """The `synax` command of the shell: `main`, and the end of the process."""
    main()
    end()


def main() -> None:
    """The `synax` command for other programs: every core of a CPU gets its own rays, or chains."""
    code: int = FAILED
    with watched():
        try:
            prepare()
            refusal = _empty(sys.argv[1:])
            if refusal is not None:
                complain(refusal)
                raise SystemExit(BAD_INPUT)
            gc.freeze()  # collections that walk all modules would take a tenth of a short run
            gc.set_threshold(50_000, 20, 20)
            use_cores()
            with output_told_apart(), ExitStack() as until_the_end:
                app(obj=until_the_end)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else FAILED * bool(end.code)
            if isinstance(signal := _swallowed(end), KeyboardInterrupt):
                code = say_interrupted(signal)
        except KeyboardInterrupt as signal:
            code = say_interrupted(signal)
        leave(code)

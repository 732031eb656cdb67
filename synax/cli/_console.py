"""How every verb talks and fails: one sentence on stderr, exit code 2 for bad input, 1 else;
130 with `interrupted` after Ctrl-C, 141 if nobody reads what is printed."""

import contextlib
import difflib
import functools
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import typer
from rich.console import Console

from .._checks import SynaxWarning
from ..io._atomic import CannotWrite
from ..io._plain_json import dumps
from ._surroundings import OutputLost

FAILED, BAD_INPUT, INTERRUPTED, NOT_READ = 1, 2, 130, 141


class BadInput(Exception):
    """What the user gave cannot be used; the message is one sentence that says what can."""


def stdout() -> Console:
    """A console on the current standard output."""
    width = None if sys.stdout.isatty() else 120
    return Console(file=sys.stdout, highlight=False, width=width)


def stderr() -> Console:
    """A console on the current standard error."""
    return Console(file=sys.stderr, highlight=False)


def fails_cleanly(verb: Callable[..., None]) -> Callable[..., None]:
    """Turn exceptions of a verb into one sentence and an exit code.

    SYNAX_TRACEBACK=1 in the environment shows the whole traceback of a runtime failure.
    """

    @functools.wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with warnings.catch_warnings():
                # as sentences; those of libraries stay with their libraries' rules
                warnings.showwarning = _show_warning
                warnings.simplefilter("once", SynaxWarning)
                verb(*args, **kwargs)
        except BadInput as error:
            complain(str(error))
            raise typer.Exit(BAD_INPUT) from None
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt as signal:
            raise typer.Exit(say_interrupted(signal)) from None
        except CannotWrite as error:
            complain(str(error))
            raise typer.Exit(FAILED) from None
        except OutputLost:
            raise  # it is told where all verbs end
        except Exception as error:
            if os.environ.get("SYNAX_TRACEBACK"):
                raise
            text = " ".join(str(error).split()) or "no message"
            complain(f"{type(error).__name__}: {text} (SYNAX_TRACEBACK=1 shows where)")
            raise typer.Exit(FAILED) from None

    # typer keeps line feeds inside of paragraphs, and the screen is narrower or wider than ours
    paragraphs = inspect.cleandoc(verb.__doc__ or "").split("\n\n")
    run.__doc__ = "\n\n".join(" ".join(text.split()) for text in paragraphs)
    return run


def say_interrupted(signal: BaseException) -> int:
    """Say that the program was interrupted and how to go on; returns the exit code."""
    stderr().print(": ".join(["interrupted", *map(str, signal.args)]), markup=False, soft_wrap=True)
    return getattr(signal, "code", INTERRUPTED)


def complain(message: str) -> None:
    """One sentence on standard error, marked as an error."""
    from rich.text import Text

    stderr().print(Text.assemble(("error:", "bold red"), " ", one_line(message)), soft_wrap=True)


def one_line(text: str) -> str:
    """A text with line feeds and control characters shown, not obeyed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextlib.contextmanager
def noted() -> Iterator[list[str]]:
    """What is warned of inside; shown as before, and once also where only its numbers differ."""
    told: list[str] = []
    sentences: set[str] = set()
    show = warnings.showwarning

    def note(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, SynaxWarning):
            # other sightlines of the same sky have other numbers
            sentence = re.sub(r"\d[\d.e+-]*", "#", str(message))
            if sentence in sentences:
                return
            sentences.add(sentence)
            told.append(str(message))
        show(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", SynaxWarning)
        warnings.showwarning = note
        yield told


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    from rich.text import Text

    line = Text.assemble(("warning:", "bold yellow"), " ", one_line(str(message)))
    stderr().print(line, soft_wrap=True)


def print_json(data: Any) -> None:
    """Write plain data to standard output as JSON."""
    sys.stdout.write(dumps(data, indent=2) + "\n")


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """'; did you mean 'x'?' for the nearest allowed name, or nothing."""
    lowered = {str(a).lower(): str(a) for a in allowed}
    close = difflib.get_close_matches(str(name)[:80].lower(), lowered, n=1, cutoff=0.5)
    return f"; did you mean '{lowered[close[0]]}'?" if close else ""


def choose(key: str, value: Any, allowed: Iterable[str]) -> str:
    """`value` if it is one of `allowed`; else `BadInput` with the choices and the nearest one."""
    allowed = list(allowed)
    if isinstance(value, str) and value in allowed:
        return value
    choices = ", ".join(allowed)
    given = repr(value)
    given = given if len(given) <= 200 else f"{given[:80]}...{given[-20:]}"
    hint = suggestion(value, allowed) if isinstance(value, str) else ""
    raise BadInput(f"{key} = {given}: must be one of {choices}{hint}")

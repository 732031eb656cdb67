"""Words on the command line that no verb takes, told in one sentence."""

import errno
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ._console import BAD_INPUT, FAILED, NOT_READ, complain
from ._surroundings import OutputLost, print_no_more


def usage_sentence(error: Any, words: Sequence[str]) -> str:
    """What is wrong with the words, and where it is said what is allowed."""
    text = " ".join(error.format_message().split()).rstrip(".")
    names = getattr(getattr(error, "param", None), "opts", ())
    given = _given(names, words)
    lead = f"Invalid value for '{names[0]}': " if names else ""
    if given is not None and text.startswith(lead):
        rest = text[len(lead) :]
        text = f"{names[0]} = {given!r}: {rest[0].lower() + rest[1:]}"
    help_ = f"{error.ctx.command_path} --help" if error.ctx is not None else "synax --help"
    return f"{text}{'' if text.endswith('?') else ';'} `{help_}` shows what is allowed"


def _given(names: Sequence[str], words: Sequence[str]) -> str | None:
    """What followed an option, the last time it came."""
    for i in reversed(range(len(words))):
        name, equals, value = words[i].partition("=")
        if name in names:
            return value if equals else "".join(words[i + 1 : i + 2])
    return None


@contextmanager
def _told(words: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except OutputLost as error:
        print_no_more()
        if error.errno == errno.EPIPE:  # the reader has seen enough
            raise typer.Exit(NOT_READ) from None
        complain(f"cannot write standard output: {error.strerror}")
        raise typer.Exit(FAILED) from None
    except Exception as error:
        # by name: typer has a copy of Click's classes, of which it makes none public
        if type(error).__name__ == "NoArgsIsHelpError" or not hasattr(error, "format_message"):
            raise
        complain(usage_sentence(error, words))
        raise typer.Exit(BAD_INPUT) from None


def _switches_take_nothing(options: list[Any]) -> list[Any]:
    """The options, where the help of a switch names no value that might follow it."""
    for option in options:
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    return options


class Verb(TyperCommand):
    """One verb: new versions of typer write `<bool>` after a switch, which takes no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _switches_take_nothing(super().get_params(ctx))


class Verbs(TyperGroup):
    """The verbs of the program; what is wrong with its arguments is told in one sentence."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _switches_take_nothing(super().get_params(ctx))

    def make_context(self, info_name: Any, args: list[str], *more: Any, **extra: Any) -> Any:
        self.words = list(args)
        with _told(self.words):
            return super().make_context(info_name, args, *more, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _told(getattr(self, "words", sys.argv[1:])):
            return super().invoke(ctx)

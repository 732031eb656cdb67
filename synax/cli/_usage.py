"""Words on the command line that no verb takes, told in one sentence."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from ._console import BAD_INPUT, complain


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
    except Exception as error:
        # by name: typer has a copy of Click's classes, of which it makes none public
        if type(error).__name__ == "NoArgsIsHelpError" or not hasattr(error, "format_message"):
            raise
        complain(usage_sentence(error, words))
        raise typer.Exit(BAD_INPUT) from None


class Verbs(TyperGroup):
    """The verbs of the program; what is wrong with its arguments is told in one sentence."""

    def make_context(self, info_name: Any, args: list[str], *more: Any, **extra: Any) -> Any:
        self.words = list(args)
        with _told(self.words):
            return super().make_context(info_name, args, *more, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _told(getattr(self, "words", sys.argv[1:])):
            return super().invoke(ctx)

"""What the program finds where it starts, made fit for it: open streams, a home folder.

A shell, a scheduler or a container may leave any of these out; libraries then fail on import.
"""

import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def prepare() -> None:
    """Open the standard streams that are closed, and see to a home folder."""
    _open_streams()
    _have_home()
    logging.getLogger("matplotlib").addFilter(_worth_saying)


class OutputLost(OSError):
    """Standard output cannot be written: its reader has ended, or its disk is full."""


@contextmanager
def output_told_apart() -> Iterator[None]:
    """Inside, what fails on standard output is an `OutputLost`, and no error of a file."""
    stream: Any = sys.stdout
    known = {name: getattr(stream, name) for name in ("write", "flush")}
    for name, function in known.items():
        setattr(stream, name, _told_apart(function))
    try:
        yield
    finally:
        for name in known:
            delattr(stream, name)


def _told_apart(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def told(*args: Any) -> Any:
        try:
            return function(*args)
        except OSError as error:
            raise OutputLost(error.errno, error.strerror) from None

    return told


def print_no_more() -> None:
    """What else is printed goes nowhere."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")


def _open_streams() -> None:
    """Nothing is written to a stream that is closed; no file may get its number either."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))


def _have_home() -> None:
    """A user that the machine does not know, without HOME: the root folder, as in containers."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.path.abspath(os.sep)


def _worth_saying(record: logging.LogRecord) -> bool:
    """Matplotlib needs no folder that can be written: it makes one for this run."""
    text = str(record.msg)
    return not ("mkdir -p failed" in text or "temporary cache directory" in text)

"""Progress of fits, chains and long maps: the one place that decides whether and how to show it.

A bar on a terminal; one line that counts in notebooks and on plain terminals; nothing in scripts
whose standard error is a file or a pipe, and nothing anywhere with SYNAX_PROGRESS=0.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Tell = Callable[[str, int, str], None]
"""Told of (the name of a bar, steps done, what to show beside it)."""

OFF = ("0", "off", "no", "false")
"""Values of SYNAX_PROGRESS that silence every bar."""

_BUSY: ContextVar[bool] = ContextVar("busy", default=False)
"""Whether a bar is on the screen, beside which nothing else is written."""

PATIENCE = 2.0
"""Seconds of silence before a compilation is spoken of."""


def shown_as(show: bool | None) -> str:
    """'bar', 'line' or 'nothing'; `show`: True, False, or None where somebody would see it."""
    if show is False or os.environ.get("SYNAX_PROGRESS", "").lower() in OFF:
        return "nothing"
    if sys.stderr.isatty():
        return "line" if os.environ.get("TERM", "dumb") == "dumb" else "bar"
    return "line" if show or _notebook() else "nothing"


def _notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


@contextmanager
def progress_bars(
    show: bool | None, totals: Mapping[str, int], first: str = "compiling", keep: bool = True
) -> Iterator[Tell]:
    """A bar for each name on standard error, which says `first` until it is told of a step.

    **Arguments:**

    - `show`: True, False, or None where somebody would see it.
    - `totals`: steps, by name.
    - `keep`: leave the finished bars on the screen.

    **Returns** the function that is told (name, steps done, what to show beside the bar).
    """
    how = shown_as(show)
    if how == "nothing":
        yield lambda name, done, note: None
        return
    mark = _BUSY.set(True)
    try:
        with _rich(totals, first, keep) if how == "bar" else _counted(totals, first) as tell:
            yield tell
    finally:
        _BUSY.reset(mark)


@contextmanager
def progress_bar(
    show: bool | None, what: str, total: int, first: str = "compiling", keep: bool = True
) -> Iterator[Callable[[int, str], None]]:
    """`progress_bars` with a single bar; yields the function told (steps done, a note)."""
    with progress_bars(show, {what: total}, first, keep) as tell:
        yield lambda done, note="": tell(what, done, note)


@contextmanager
def _rich(totals: Mapping[str, int], first: str, keep: bool) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(file=sys.stderr, highlight=False)
    with Progress(*columns, console=console, transient=not keep) as bar:
        tasks = {name: bar.add_task(name, total=n, note=first) for name, n in totals.items()}
        yield lambda name, done, note: bar.update(tasks[name], completed=done, note=note)


@contextmanager
def _counted(totals: Mapping[str, int], first: str) -> Iterator[Tell]:
    """One line that is written over itself: 'fit: 12 of 200, loss 3.4'."""
    longest = 0

    def write(text: str) -> None:
        nonlocal longest
        longest = max(longest, len(text))
        sys.stderr.write(f"\r{text:<{longest}}")
        sys.stderr.flush()

    def tell(name: str, done: int, note: str) -> None:
        write(f"{name}: {done:,} of {totals[name]:,}" + (f", {note}" if note else ""))

    write(f"{next(iter(totals))}: {first}")
    try:
        yield tell
    finally:
        sys.stderr.write("\n")
        sys.stderr.flush()


@contextmanager
def telling(what: str, show: bool | None = None, patience: float = PATIENCE) -> Iterator[None]:
    """Say `what` on standard error while a block takes longer than `patience` seconds.

    For what cannot be counted, such as the compilation of one map. The line disappears at the end.
    """
    elsewhere = threading.current_thread() is not threading.main_thread()
    if elsewhere or _BUSY.get() or shown_as(show) == "nothing":
        yield
        return
    done, begun, said = threading.Event(), time.monotonic(), []

    def tell() -> None:
        wait = patience
        while not done.wait(wait):
            said.append(f"{what} ({time.monotonic() - begun:.0f} s)")
            sys.stderr.write(f"\r{said[-1]}")
            sys.stderr.flush()
            wait = 1.0

    speaker: Any = threading.Thread(target=tell, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        done.set()
        speaker.join()
        if said:
            sys.stderr.write("\r" + " " * len(said[-1]) + "\r")
            sys.stderr.flush()

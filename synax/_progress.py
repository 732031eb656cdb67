"""Progress of fits, chains and long maps in Python: a bar on a terminal, silence in scripts."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(
    show: bool | None, what: str, total: int, first: str = "searching, compiling"
) -> Iterator[Callable[[int, str], None]]:
    """A bar on standard error that says `first` until it is told of a first step.

    **Arguments:**

    - `show`: True, False, or None for a bar only where standard error is a terminal.
    - `what`: its name.
    - `total`: steps.

    **Returns** the function that is told (steps done, what to show beside the bar).
    """
    if show is False or (show is None and not sys.stderr.isatty()):
        yield lambda done, note: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(what, total=total, note=first)
        yield lambda done, note: bar.update(task, completed=done, note=note)

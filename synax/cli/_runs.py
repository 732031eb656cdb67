"""What `synax fit` and `synax sample` share: the run folder, its configuration, the bars."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from ..io._atomic import atomic
from . import _config, _inference_config
from ._console import BadInput, stderr

Config = Annotated[Path, typer.Argument(help="TOML file with [priors] and [[data]].")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Run folder (run.directory).")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")]
Change = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any key: fit.steps=500, sample.draws=2000; repeat."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
"""What `synax fit` and `synax sample` take."""


class Opened(NamedTuple):
    """A run that may begin."""

    settings: dict[str, Any]
    run: Any
    problem: Any


@contextmanager
def opened(
    kind: str, config: Path, output: Path | None, resume: bool, change: list[str] | None
) -> Iterator[Opened]:
    """The configured problem and its run folder, at the configured precision inside the block.

    The configuration is kept again at the end: a resumed run may have changed it.
    """
    settings = _inference_config.load(config, overrides(output, change))
    run = prepare(settings, kind, resume)
    from . import _problem, _run

    with _run.precision(settings["integration"]["precision"]), refusals():
        yield Opened(settings, run, _problem.build(settings))
        keep(run.folder, kind, settings)


def overrides(output: Path | None, change: list[str] | None) -> list[_config.Override]:
    """The changes that the command line makes to a configuration."""
    found = [_config.parse_set(text) for text in change or []]
    if output is not None:
        found.append(_config.Override("--output", "run.directory", str(output)))
    return found


def prepare(settings: dict[str, Any], kind: str, resume: bool) -> Any:
    """The run in the configured folder; `BadInput` if it is taken, or not there to be resumed.

    The configuration is kept as configuration.json, from which `synax report` starts.
    """
    from ..inference import Run

    folder = Path(settings["run"]["directory"])
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"run.directory = '{folder}': is a file, not a folder")
    there = (folder / "run.json").exists()
    if there and not resume:
        raise BadInput(
            f"run.directory = '{folder}' holds a run: --resume to go on with it, or choose another "
            "folder with --output"
        )
    if resume and not there:
        raise BadInput(f"run.directory = '{folder}' holds no run to resume: leave out --resume")
    if not there:
        folder.mkdir(parents=True, exist_ok=True)
        keep(folder, kind, settings)
    return Run(folder, every_minutes=settings["run"]["every_minutes"])


def keep(folder: Path, kind: str, settings: dict[str, Any]) -> None:
    """Write the configuration into the run folder, for `synax report`."""
    with atomic(folder / "configuration.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps({"kind": kind, **settings}, indent=2) + "\n")


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the refusal to resume another problem into bad input."""
    from ..inference import RunRefused

    try:
        yield
    except RunRefused as error:
        raise BadInput(str(error)) from None


def save_fit(folder: Path, settings: dict[str, Any], problem: Any, result: Any) -> dict[str, Any]:
    """Write best.npz (every free parameter) and result.json; returns what the latter holds."""
    values = {path: np.asarray(value) for path, value in result.params.items()}
    with atomic(folder / "best.npz", overwrite=True) as temporary:
        with open(temporary, "wb") as file:
            np.savez(file, **values)
    record = {
        "reason": result.reason,
        "converged": result.converged,
        "loss": result.loss,
        "validation": None if np.isnan(result.validation) else result.validation,
        "steps": int(result.history["step"][-1]) if result.history["step"].size else 0,
        "parameters": {
            path: float(v) if v.ndim == 0 else {"shape": list(v.shape)}
            for path, v in values.items()
        },
    }
    with atomic(folder / "result.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    return record


@contextmanager
def bars(talk: bool, totals: dict[str, int]) -> Iterator[Callable[[str, int, str], None]]:
    """One bar for each name; yields the function told (name, how far, what to show beside it)."""
    if not talk:
        yield lambda name, done, note: None
        return
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
    with Progress(*columns, console=stderr()) as progress:
        tasks = {
            name: progress.add_task(name, total=total, note="compiling")
            for name, total in totals.items()
        }
        yield lambda name, done, note: progress.update(tasks[name], completed=done, note=note)

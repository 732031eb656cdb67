"""What `synax fit` and `synax sample` share: the run folder, its configuration, the options."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from ..io._atomic import write_whole
from ..io._plain_json import explained
from ..io._sealed import seal, seal_document
from . import _config, _inference_config, _options
from ._console import BadInput, stderr

Config = Annotated[
    Path | None, typer.Argument(help="TOML file with data and priors; see --print-config.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Run folder (run.directory).")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")]
OPTIONS: _options.Options = {
    "config": (Config, None),
    "output": (Output, None),
    "resume": (Resume, False),
    "change": (_options.changes("fit.steps=500, sample.draws=2000"), None),
    "quiet": (_options.Quiet, False),
    "as_json": (_options.as_json("the result"), False),
    "print_config": (_options.PrintConfig, False),
    "print_schema": (_options.PrintSchema, False),
}
"""What `synax fit` and `synax sample` take."""


class Opened(NamedTuple):
    """A run that may begin."""

    settings: dict[str, Any]
    run: Any
    problem: Any


_LATER = ("best.npz", "result.json")


@contextmanager
def opened(
    kind: str, config: Path | None, output: Path | None, resume: bool, change: list[str] | None
) -> Iterator[Opened]:
    """The configured problem and its run folder, at the configured precision inside the block.

    Nothing is written before the problem is built and the folder found fit for it.
    """
    if config is None:
        raise BadInput("CONFIG is missing: a TOML file with data and priors, see --print-config")
    settings = _inference_config.load(config, overrides(output, change))
    with refusals():
        run = prepare(settings, kind, resume)
        from . import _problem, _run

        with _run.precision(settings["integration"]["precision"]):
            problem = _problem.build(settings)
            try:
                with run:
                    yield Opened(settings, run, problem)
            except KeyboardInterrupt as signal:
                if (run.folder / "run.json").exists():
                    signal.args = (
                        *signal.args,
                        f"'{run.folder}' goes on with --resume",
                    )
                raise


def overrides(output: Path | None, change: list[str] | None) -> list[_config.Override]:
    """The changes that the command line makes to a configuration."""
    found = [_config.parse_set(text) for text in change or []]
    if output is not None:
        found.append(_config.Override("--output", "run.directory", str(output)))
    return found


def prepare(settings: dict[str, Any], kind: str, resume: bool) -> Any:
    """The run of the configured folder; `BadInput` if it is taken, or not there to be resumed.

    Writes nothing; when it begins it keeps the configuration, from which `synax report` starts.
    """
    from ..inference import Run

    folder = Path(settings["run"]["directory"])
    run = Run(
        folder,
        every_minutes=settings["run"]["every_minutes"],
        documents={"configuration.json": {"kind": kind, **settings}},
        others=_LATER,
        tell=lambda text: stderr().print("note:", text, markup=False, soft_wrap=True),
    )
    try:
        there = run.check()
    except OSError as error:
        raise BadInput(f"run.directory = '{folder}': {error}") from None
    if there and not resume:
        raise BadInput(
            f"run.directory = '{folder}' holds a run: --resume to go on with it, or choose another "
            "folder with --output"
        )
    if resume and not there:
        raise BadInput(f"run.directory = '{folder}' holds no run to resume: leave out --resume")
    return run


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the refusal of a folder, or of a damaged file in it, into bad input."""
    from ..inference import RunRefused
    from ..io._sealed import DamagedFile

    try:
        yield
    except (RunRefused, DamagedFile) as error:
        raise BadInput(str(error)) from None


def save_fit(folder: Path, settings: dict[str, Any], problem: Any, result: Any) -> dict[str, Any]:
    """Write best.npz (every free parameter) and result.json; returns what the latter holds."""
    values = {path: np.asarray(value) for path, value in result.params.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **values)
    write_whole(folder / "best.npz", seal(buffer.getvalue()))
    record = {
        "reason": result.reason,
        "converged": result.converged,
        "loss": result.loss,
        "validation": None if np.isnan(result.validation) else result.validation,
        "steps": int(result.history["step"][-1]) if result.history["step"].size else 0,
        "parameters": {
            path: v.item() if v.ndim == 0 else {"shape": list(v.shape)}
            for path, v in values.items()
        },
        **_quality(result.goodness),
    }
    record = explained(record)
    write_whole(folder / "result.json", seal_document(record).encode())
    return record


def _quality(found: Any) -> dict[str, Any]:
    """How well the parameters fit and are known, as plain data."""
    number = lambda x: np.asarray(x).item() if np.all(np.isfinite(x)) else None
    single = lambda values: {k: number(v) for k, v in values.items() if np.size(v) == 1}
    strongest = None
    if found.correlation is not None and len(found.correlation) > 1:
        off = np.nan_to_num(np.abs(np.triu(found.correlation, 1)))
        i, j = (int(k) for k in np.unravel_index(int(np.argmax(off)), off.shape))
        strongest = {
            "between": [found.labels[i], found.labels[j]],
            "value": number(found.correlation[i, j]),
        }
    top = found.maxima[0].logdensity if found.maxima else 0.0
    return {
        "verdict": found.verdict,
        "good": found.good,
        "chi2": number(found.chi2),
        "data": found.count,
        "degrees_of_freedom": number(found.degrees_of_freedom),
        "p_value": number(found.p_value),
        "errors": single(found.errors),
        "units": found.units,
        "strongest_correlation": strongest,
        "correlation": None if found.correlation is None else {
            "labels": list(found.labels),
            "matrix": [[number(x) for x in row] for row in found.correlation],
        },
        "maxima": [
            {"below_the_highest": number(top - m.logdensity), "share": number(m.share),
             "parameters": single(m.params)}
            for m in found.maxima
        ],
        "warnings": list(found.warnings),
    }  # fmt: skip

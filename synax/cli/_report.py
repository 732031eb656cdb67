"""`synax report`: a run as one page to look at and to pass on."""

import io
import os
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from ..io._atomic import check_target, write_whole
from ..io._sealed import read_document, read_sealed
from ._console import BadInput, fails_cleanly, print_json, stdout
from ._explain import explain
from ._given_files import NO_SUCH, no_file
from ._runs import refusals

_EPILOG = """
[bold]Examples[/]

synax report run

synax report run --output result.html --predictive 100
"""


class Found(NamedTuple):
    """What a run folder holds."""

    kind: str
    settings: dict[str, Any]
    draws: dict[str, np.ndarray]
    """{path: (chains, draws, ...)}; the best point as a single draw for a fit."""
    stats: dict[str, np.ndarray]
    result: dict[str, Any]
    log: list[dict[str, Any]]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("report", epilog=_EPILOG)(report)


@fails_cleanly
def report(
    run: Annotated[Path, typer.Argument(help="Folder of `synax fit` or `synax sample`.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file; default RUN/report.html.")
    ] = None,
    predictive: Annotated[
        int, typer.Option(help="Draws for the posterior predictive checks.", min=2)
    ] = 40,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Describe the page as JSON.")] = False,
) -> None:
    """Write one self-contained HTML page: maps, residuals, traces, corner plot, diagnostics,
    posterior predictive checks. Works while the run is still going on.
    """
    found = read(run)
    target = run / "report.html" if output is None else output
    if output is not None and target.exists() and not overwrite:
        raise BadInput(f"--output '{target}' exists: choose another name, or --overwrite")
    try:
        check_target(target, overwrite=True)
        if not (output or overwrite or _replaceable(target)):
            raise BadInput(f"'{target}' is no report of synax: give --output, or --overwrite")
    except OSError as error:
        raise BadInput(f"--output '{target}': {error}") from None
    from . import _predictive, _problem, _report_page, _run

    with _run.precision(found.settings["integration"]["precision"]):
        problem = _problem.build(found.settings)
        checks = _predictive.check(problem, found.draws, predictive, found.settings["seed"])
    page = _report_page.page(run, found, problem, checks)
    write_whole(target, page.encode())
    if as_json:
        print_json(explain(target))
    elif not quiet:
        stdout().print(f"written to '{target}'", markup=False)


def read(run: Path) -> Found:
    """The contents of a run folder; `BadInput` if it is none, or empty so far."""
    from ..inference import read_draws, read_log

    path = run / "configuration.json"
    if why := no_file(path):
        said = "it has no configuration.json" if why == NO_SUCH else f"configuration.json: {why}"
        if not os.path.isdir(run):
            said = "there is no such folder"
        elif (run / "run.json").is_file():
            said = (
                "a run of Python's synax.fit or synax.sample keeps no configuration, so there is "
                "no page of it; synax info tells what it holds"
            )
        raise BadInput(f"'{run}' is not a run folder of synax: {said}")
    with refusals():
        settings = read_document(path)
    kind = settings.pop("kind")
    result: dict[str, Any] = {}
    try:
        if kind == "fit":
            if not (run / "best.npz").is_file():
                raise BadInput(f"'{run}': the fit has not finished; go on with synax fit --resume")
            with np.load(io.BytesIO(read_sealed(run / "best.npz")), allow_pickle=False) as file:
                draws, stats = {k: file[k][None, None] for k in file.files}, {}
            result = read_document(run / "result.json")
        else:
            draws, stats = read_draws(run)
        log = read_log(run)
    except (ValueError, OSError) as error:
        raise BadInput(str(error)) from None
    return Found(kind, settings, draws, stats, result, log)


def _replaceable(target: Path) -> bool:
    """Whether a page is not there yet, or is one of ours."""
    return not target.exists() or b'name="generator" content="synax"' in target.read_bytes()[:4096]

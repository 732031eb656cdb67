"""`synax report`: a run as one page to look at and to pass on."""

import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from ..io._atomic import atomic
from ._console import BadInput, fails_cleanly, print_json, stdout
from ._explain import explain

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
    if not target.parent.is_dir():
        raise BadInput(f"--output '{target}': there is no folder '{target.parent}'")
    from . import _predictive, _problem, _report_page, _run

    with _run.precision(found.settings["integration"]["precision"]):
        problem = _problem.build(found.settings)
        checks = _predictive.check(problem, found.draws, predictive, found.settings["seed"])
    page = _report_page.page(run, found, problem, checks)
    with atomic(target, overwrite=True) as temporary:
        temporary.write_text(page, encoding="utf-8")
    if as_json:
        print_json(explain(target))
    elif not quiet:
        stdout().print(f"written to [bold]{target}[/]")


def read(run: Path) -> Found:
    """The contents of a run folder; `BadInput` if it is none, or empty so far."""
    from ..inference import read_draws, read_log

    path = run / "configuration.json"
    if not path.is_file():
        raise BadInput(f"'{run}' is not a run folder of synax: it has no configuration.json")
    settings = json.loads(path.read_text(encoding="utf-8"))
    kind = settings.pop("kind")
    result: dict[str, Any] = {}
    if kind == "fit":
        best = run / "best.npz"
        if not best.is_file():
            raise BadInput(f"'{run}': the fit has not finished; go on with synax fit --resume")
        with np.load(best, allow_pickle=False) as file:
            draws, stats = {k: file[k][None, None] for k in file.files}, {}
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    else:
        try:
            draws, stats = read_draws(run)
        except ValueError as error:
            raise BadInput(str(error)) from None
    return Found(kind, settings, draws, stats, result, read_log(run))

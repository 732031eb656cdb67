"""`synax fit`: the most probable parameters or grid, into a run folder."""

from collections.abc import Iterator
from typing import Any

import typer
from rich.markup import escape

from .._checks import warn
from .._progress import progress_bar
from . import _config, _runs
from ._console import fails_cleanly, print_json, stdout
from ._options import takes

_EPILOG = """
[bold]Examples[/]

synax fit galaxy.toml --output run

synax fit galaxy.toml --output run --resume --set fit.steps=500

synax report run
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("fit", epilog=_EPILOG)(fit)


@fails_cleanly
@takes(_runs.OPTIONS)
def fit(**given: Any) -> None:
    """Find the most probable parameters (or grid) of a model, given data.

    The state is kept in the run folder: a fit that was killed goes on with --resume. Data set
    aside by held_out decide which model is the best and when to stop.
    """
    if _config.printed("fit", given["print_config"], given["print_schema"]):
        return
    talk, as_json = not (given["quiet"] or given["as_json"]), given["as_json"]
    where = (given[name] for name in ("config", "output", "resume", "change"))
    with _runs.opened("fit", *where) as (settings, run, problem):
        result = _fit(problem, settings["fit"], run, talk)
        record = _runs.save_fit(run.folder, settings, problem, result)
    for text in () if talk else record["warnings"]:
        warn(text)
    if as_json:
        print_json(record)
    if talk:
        console = stdout()
        for line in _lines(record):
            console.print(line)
        console.print(f"{result.reason}; written to '{run.folder}'", markup=False)
    if record["loss"] is None:
        raise RuntimeError(
            f"the fit failed: {result.reason}, at every parameter that it tried last"
        )


def _lines(record: dict[str, Any]) -> Iterator[str]:
    """The verdict, red where it is bad; parameters with errors and units; what to beware of."""
    colour = {True: "green", False: "bold red", None: "yellow"}[record["good"]]
    yield f"[{colour}]{escape(record['verdict'])}[/]"
    for path, value in record["parameters"].items():
        if isinstance(value, float):
            error, unit = record["errors"].get(path), record["units"].get(path, "")
            spread = "" if error is None else f" +- {error:.2g}"
            yield escape(f"{path:<36} {value:.6g}{spread} {unit}".rstrip())
        else:
            yield escape(f"{path:<36} array of {value['shape']}")
    strongest = record["strongest_correlation"]
    if strongest is not None:
        one, other = strongest["between"]
        yield escape(f"strongest correlation {strongest['value']:+.2f}: {one}, {other}")
    for text in record["warnings"]:
        if text != record["verdict"]:
            yield f"[bold red]warning:[/] {escape(text)}"


def _fit(problem: Any, s: dict[str, Any], run: Any, talk: bool) -> Any:
    import optax

    from ..inference import GaussNewton, fit as run_fit

    optimizers = {
        "gauss-newton": lambda: GaussNewton(),
        "adam": lambda: optax.adam(s["rate"]),
        "lbfgs": lambda: optax.lbfgs(),
    }
    with progress_bar(None if talk else False, "fit", s["steps"], "searching, compiling") as tell:
        return run_fit(
            problem.posterior,
            optimizer=optimizers[s["optimizer"]](),
            steps=s["steps"],
            tolerance=s["tolerance"],
            patience=s["patience"],
            validation=problem.held_out,
            checkpoint=run,
            restarts=s["restarts"] if s["optimizer"] == "gauss-newton" else 0,
            check=False,
            progress=False,
            callback=lambda step: tell(step.step, f"loss {step.loss:.6g}"),
        )

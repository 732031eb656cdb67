"""`synax sample`: chains of a posterior, into a run folder."""

from typing import Any

import typer

from .._checks import warn
from .._progress import progress_bars
from . import _config, _runs
from ._console import fails_cleanly, print_json, stdout
from ._options import takes

_EPILOG = """
[bold]Examples[/]

synax sample galaxy.toml --output run

synax sample galaxy.toml --output run --resume

synax sample galaxy.toml --output run --resume --set sample.draws=2000

synax report run
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("sample", epilog=_EPILOG)(sample)


@fails_cleanly
@takes(_runs.OPTIONS)
def sample(**given: Any) -> None:
    """Sample the posterior of a model's parameters, given data.

    State and draws are kept in the run folder (NetCDF; log.jsonl tells another terminal how far
    it is): a run that was killed goes on with --resume and ends with the same bytes.
    """
    if _config.printed("sample", given["print_config"], given["print_schema"]):
        return
    talk, as_json = not (given["quiet"] or given["as_json"]), given["as_json"]
    where = (given[name] for name in ("config", "output", "resume", "change"))
    with _runs.opened("sample", *where) as (settings, run, problem):
        data = _sample(problem, settings, run, talk)
    from ..inference import assess

    if not talk:
        for text in assess(data).warnings:
            warn(text)
    if as_json:
        print_json({"folder": str(run.folder), **_summary(data)})
    elif talk:
        print(assess(data))
        stdout().print(f"written to '{run.folder}'", markup=False)


def _summary(data: Any) -> dict[str, Any]:
    """Moments and diagnostics of every parameter, as plain data (no number: null)."""
    import math

    from ..inference import assess

    found = assess(data)
    number = lambda x: float(x) if math.isfinite(x) else None
    columns = {
        "mean": found.mean,
        "deviation": found.deviation,
        "ess_bulk": found.bulk,
        "ess_tail": found.tail,
        "rhat": found.rhat,
    }
    return {
        "parameters": {
            label: {name: number(values[k]) for name, values in columns.items()}
            for k, label in enumerate(found.labels)
        },
        "divergences": found.divergences,
        "bfmi": number(found.bfmi),
        "gradients": found.gradients,
        "warnings": list(found.warnings),
    }


def _sample(problem: Any, settings: dict[str, Any], run: Any, talk: bool) -> Any:
    import jax
    import numpy as np

    from ..inference import sample as run_sample

    s = settings["sample"]
    totals = {f"chain {i}": s["warmup"] + s["draws"] for i in range(s["chains"])}
    with progress_bars(None if talk else False, totals, "searching, compiling") as advance:

        def tell(state: Any, part: Any) -> None:
            phase = "warm-up" if part.warmup else "draws"
            bad = np.asarray(part.stats["diverging"]).sum(axis=1)
            for i, lp in enumerate(np.asarray(part.stats["lp"])[:, -1]):
                note = f", {bad[i]} divergences" if bad[i] else ""
                advance(f"chain {i}", int(state.step), f"{phase}, ln p {lp:.1f}{note}")

        return run_sample(
            problem.posterior,
            jax.random.key(settings["seed"]),
            s["method"],
            s["chains"],
            s["warmup"],
            s["draws"],
            restarts=s["restarts"],
            whiten=s["whiten"],
            chunk=s["chunk"],
            callback=tell,
            check=False,
            progress=False,
            checkpoint=run,
        )

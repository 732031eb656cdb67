"""`synax sample`: chains of a posterior, into a run folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from . import _inference_config, _runs
from ._console import fails_cleanly, stdout

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
def sample(
    config: Annotated[Path, typer.Argument(help="TOML file with [priors] and [[data]].")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder (run.directory).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Any key: sample.draws=2000; repeat.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")] = False,
) -> None:
    """Sample the posterior of a model's parameters, given data.

    State and draws are kept in the run folder (NetCDF; log.jsonl tells another terminal how far
    it is): a run that was killed goes on with --resume and ends with the same bytes.
    """
    settings = _inference_config.load(config, _runs.overrides(output, change))
    run = _runs.prepare(settings, "sample", resume)
    from . import _problem, _run

    with _run.precision(settings["integration"]["precision"]), _runs.refusals():
        problem = _problem.build(settings)
        data = _sample(problem, settings, run, not quiet)
        _runs.keep(run.folder, "sample", settings)
    if not quiet:
        from ..inference import diagnose

        diagnose(data)
        stdout().print(f"written to [bold]{run.folder}[/]")


def _sample(problem: Any, settings: dict[str, Any], run: Any, talk: bool) -> Any:
    import jax
    import numpy as np

    from ..inference import sample as run_sample

    s = settings["sample"]
    totals = {f"chain {i}": s["warmup"] + s["draws"] for i in range(s["chains"])}
    with _runs.bars(talk, totals) as advance:

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
            whiten=s["whiten"],
            chunk=s["chunk"],
            callback=tell,
            check=False,
            checkpoint=run,
        )

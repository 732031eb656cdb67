"""`synax benchmark`: how many points per second this machine marches."""

import time
from typing import Annotated, Any

import typer

from . import _values as v
from ._console import fails_cleanly, print_json, stdout

_EPILOG = """
[bold]Example[/]

synax benchmark --nside 16 --steps 256
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("benchmark", epilog=_EPILOG)(benchmark)


@fails_cleanly
def benchmark(
    nside: Annotated[int, typer.Option(help="HEALPix resolution.")] = 32,
    steps: Annotated[int, typer.Option(help="Integration steps per ray.")] = 256,
    electrons: Annotated[str, typer.Option(help="Electron model by name.")] = "YMW16",
    precision: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    repeat: Annotated[int, typer.Option(help="Timed repetitions; the fastest counts.")] = 3,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print one number.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Time I, Q, U at 2.4 GHz of the default sky, and their gradient for four parameters.

    A point is one step of one ray, everything evaluated inside: fields, emission, rotation.
    """
    v.nside("--nside", nside)
    v.integer(1)("--steps", steps)
    v.integer(1)("--repeat", repeat)
    v.choice("float64", "float32")("--precision", precision)
    found = measure(nside, steps, electrons, precision, repeat)
    if as_json:
        print_json(found)
    elif quiet:
        typer.echo(f"{found['forward']['points_per_s']:.6g}")
    else:
        _show(found)


def measure(nside: int, steps: int, electrons: str, precision: str, repeat: int) -> dict[str, Any]:
    """Seconds and points per second, first call (with compilation) and fastest repetition."""
    import equinox as eqx
    import jax

    import synax

    from . import _build, _record, _run

    with _run.precision(precision):
        rays = synax.Sightlines.healpix(nside)
        sky = synax.Synchrotron(
            magnetic=synax.magnetic.WMAP(),
            electrons=_build.build_field("electrons", [{"model": electrons}], 0),
            cosmic_rays=synax.cosmic_rays.WMAP(),
            steps=steps,
        )
        names = ("magnetic.b0", "magnetic.psi0", "magnetic.psi1", "magnetic.chi0")
        free, fixed = eqx.partition(sky, synax.select(sky, *names))

        def loss(free: Any, fixed: Any) -> Any:
            stokes = eqx.combine(free, fixed)(rays, 2.4)
            return (stokes.I**2 + stokes.Q**2 + stokes.U**2).sum()

        forward = eqx.filter_jit(lambda free, fixed: eqx.combine(free, fixed)(rays, 2.4))
        gradient = eqx.filter_jit(eqx.filter_value_and_grad(loss))
        points = rays.n_rays * steps
        record = _record.start("benchmark")
        record.update(nside=nside, steps=steps, electrons=electrons)
        record.update(precision=precision, points=points)
        for name, run in (("forward", forward), ("value_and_gradient", gradient)):
            times = []
            for _ in range(repeat + 1):
                begin = time.perf_counter()
                jax.block_until_ready(run(free, fixed))
                times.append(time.perf_counter() - begin)
            best = min(times[1:])
            record[name] = {"first_s": times[0], "best_s": best, "points_per_s": points / best}
    return record


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    size = f"NSIDE {found['nside']} x {found['steps']} steps"
    parts = (size, found["electrons"], found["precision"], found["machine"]["device"])
    table = Table(title=", ".join(parts), title_justify="left")
    for heading in ("", "first call (s)", "best (s)", "million points/s"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in ("forward", "value_and_gradient"):
        row = found[name]
        rate = f"{row['points_per_s'] / 1e6:.2f}"
        label = name.replace("_", " ")
        table.add_row(label, f"{row['first_s']:.2f}", f"{row['best_s']:.3f}", rate)
    stdout().print(table)

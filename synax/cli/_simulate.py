"""`synax simulate`: from a configuration to maps, a figure and a record."""

import functools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import _checks as checks
from .._progress import progress_bar
from ..io._atomic import check_place, check_target, together
from ..maps._units import label
from . import _config, _options, _record
from ._console import BadInput, fails_cleanly, noted, print_json, stdout

_EPILOG = """
[bold]Examples[/]

synax simulate

synax simulate --galaxy calibrated --nside 32

synax simulate --nside 16 --magnetic JF12 --set magnetic.b_x=4.0 --output jf12

synax simulate --print-config > my_galaxy.toml

synax simulate my_galaxy.toml --frequency 1.4 --frequency "30 GHz" --overwrite
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("simulate", epilog=_EPILOG)(simulate)


@fails_cleanly
def simulate(
    config: Annotated[
        Path | None,
        typer.Argument(help="TOML file; what it leaves out is as in --print-config."),
    ] = None,
    frequency: Annotated[
        list[str] | None,
        typer.Option("--frequency", "-f", help="GHz, or with a unit; repeat for several."),
    ] = None,
    nside: Annotated[int | None, typer.Option(help="HEALPix resolution.")] = None,
    steps: _options.Steps = None,
    magnetic: _options.Magnetic = None,
    electrons: _options.Electrons = None,
    cosmic_rays: _options.CosmicRays = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option("--outputs", help="stokes, RM, DM, EM, tau, faraday, synthesis; repeat."),
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of I, Q, U.")] = None,
    convention: Annotated[str | None, typer.Option(help="Sign of U: IAU or COSMO.")] = None,
    ordering: Annotated[str | None, typer.Option(help="RING or NEST.")] = None,
    pixels: Annotated[
        str | None, typer.Option("--pixels", "--mask", help="FITS mask: only its non-zero pixels.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="float64 or float32.")] = None,
    seed: Annotated[int | None, typer.Option(help="For random parts of models.")] = None,
    galaxy: _options.Galaxy = None,
    survey: Annotated[
        str | None, typer.Option(help="TOML file or preset: what that survey would see.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the results.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any key: magnetic.b0=3.0, domain.radius=15; repeat."),
    ] = None,
    overwrite: _options.Overwrite = False,
    quiet: _options.Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    print_config: _options.PrintConfig = False,
    print_schema: _options.PrintSchema = False,
) -> None:
    """Compute sky maps: I, Q, U at every frequency, rotation and dispersion measures.

    Writes FITS maps (read by healpy without options), sky.png and record.json (versions,
    configuration, timings, numerical error) into the output folder. Faraday spectra, RM
    synthesis of many channels, and images of a galaxy from outside: tables `faraday` and `view`.
    """
    if _config.printed("simulate", print_config, print_schema):
        return
    flags = {
        "frequency": ("--frequency", [_number(f) for f in frequency] if frequency else None),
        "sightlines.nside": ("--nside", nside),
        "integration.steps": ("--steps", steps),
        "magnetic": ("--magnetic", magnetic and {"model": magnetic}),
        "electrons": ("--electrons", electrons and {"model": electrons}),
        "cosmic_rays": ("--cosmic-rays", cosmic_rays and {"model": cosmic_rays}),
        "outputs": ("--outputs", outputs or None),
        "output.unit": ("--unit", unit),
        "output.convention": ("--convention", convention),
        "sightlines.ordering": ("--ordering", ordering),
        "sightlines.pixels": ("--pixels", pixels),
        "integration.precision": ("--precision", precision),
        "seed": ("--seed", seed),
        "galaxy": ("--galaxy", galaxy),
        "survey": ("--survey", survey),
        "output.directory": ("--output", None if output is None else str(output)),
        "output.overwrite": ("--overwrite", overwrite or None),
    }
    overrides = [
        _config.Override(flag, path, value)
        for path, (flag, value) in flags.items()
        if value is not None
    ]
    overrides += [_config.parse_set(s) for s in change or []]
    settings = _config.load(config, overrides)
    with _config.named(overrides):
        record = run(settings, talk=not (quiet or as_json))
    if as_json:
        print_json(record)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def file_names(settings: dict[str, Any]) -> dict[str, str]:
    """The files a run writes, by what they hold."""
    from . import _faraday

    names = {}
    if "survey" in settings:
        from ._survey import file_names as of_survey, load

        if "stokes" in settings["outputs"]:
            names |= of_survey(load(settings["survey"]))
    elif "stokes" in settings["outputs"]:
        for nu in settings["frequency"]:
            names[f"stokes {label(nu)} GHz"] = f"stokes_{label(nu)}GHz.fits"
    if "tau" in settings["outputs"]:
        for nu in settings["frequency"]:
            names[f"tau {label(nu)} GHz"] = f"tau_{label(nu)}GHz.fits"
    names.update({k: f"{k}.fits" for k in settings["outputs"] if k in ("RM", "DM", "EM")})
    if settings["output"]["figure"] and ("view" not in settings or "stokes" in settings["outputs"]):
        names |= {"figure": "sky.png"} if names else {}
    names |= _faraday.file_names(settings)
    return {**names, "record": "record.json"}


def check_folder(folder: Path, names: list[str], overwrite: bool) -> None:
    """Raise `BadInput` unless all these files could be written into `folder`; make nothing."""
    try:
        check_place(folder)
        present = [name for name in names if (folder / name).is_file()]
        if present and not overwrite:
            raise BadInput(
                f"output.directory = '{folder}' already holds {', '.join(present)}: choose another "
                "folder with --output, or --overwrite to replace them"
            )
        real: dict[Path, str] = {}
        for name in names if folder.exists() else ():
            other = real.setdefault(check_target(folder / name, overwrite), name)
            if other != name:
                raise BadInput(
                    f"output.directory = '{folder}': {other} and {name} are links to one file; "
                    "remove one of them"
                )
    except OSError as error:
        raise BadInput(f"output.directory = '{folder}': {error}") from None


def run(settings: dict[str, Any], talk: bool) -> dict[str, Any]:
    """Check everything, compute, write; returns the record that was written."""
    from ._run import precision

    with precision(settings["integration"]["precision"]), noted() as told:
        return _run_at_precision(settings, talk, told)


def _run_at_precision(settings: dict[str, Any], talk: bool, told: list[str]) -> dict[str, Any]:
    from . import _faraday, _run, _survey, _view, _write
    from ._lowered import Lowered

    begin = time.perf_counter()
    options = settings["output"]
    survey, wanted = None, settings
    if "survey" in settings:
        survey = _survey.load(settings["survey"])
        wanted = _survey.prepared(settings, survey)
    folder, names = Path(options["directory"]), file_names(wanted)
    check_folder(folder, list(names.values()), options["overwrite"])
    exact = functools.partial(_run.precision, settings["integration"]["precision"])
    lowered = Lowered.of(wanted, exact)
    sky = _run.prepare(wanted)
    if survey is not None:
        sky = sky._replace(intensity_alone=_survey.channels(survey)[0].stokes == ("I",))
    described = _write.describe(sky)
    spectrum = _faraday.check(wanted, sky)
    ready = time.perf_counter()
    meanwhile = threading.Thread(target=_write.prepare, args=(settings,), daemon=True)
    if lowered is not None and lowered.is_kept:  # while it is being loaded
        meanwhile.start()
    total = len(sky.pixels) * (1 if spectrum is None else 2)
    with progress_bar(None if talk else False, "sightlines", total, keep=False) as tell:
        advance = _counting(tell)
        begun = (lambda: None) if meanwhile.ident else meanwhile.start
        results, report = _run.compute(sky, advance, begun, lowered)
        found = _faraday.compute(wanted, sky, spectrum, results, advance)
    meanwhile.join()
    depths = _depths(sky, results.get(_run.DEPTH))
    results = {name: results[name] for name in sky.outputs}
    computed = time.perf_counter()
    _write.check_finite(sky, results)
    own = {k: x for k, x in results.items() if survey is None or k != "stokes"}
    made = {} if sky.view is not None else _write.sky_maps(sky, own, settings)
    if survey is not None:
        maps = _survey.seen(survey, sky, results["stokes"], settings)
        made |= zip(_survey.file_names(survey), maps, strict=True)
        found = _faraday.of_survey(found, settings, survey, maps)
    with together(folder, options["overwrite"]) as stage:
        if sky.view is not None:
            _view.write(sky.view, results, settings, stage, names)
        else:
            _write.maps(made, settings, stage, names)
        _faraday.write(found, settings, sky, stage, names, _write.facts(settings))
        error = report()
        _warn_of_error(error)
        written = time.perf_counter()
        record = {
            **_record.start("simulation"),
            "configuration": settings,
            "models": described,
            "seed": settings["seed"],
            "n_rays": len(sky.pixels),
            "timings_s": {
                "set_up": ready - begin,
                "maps": computed - ready,
                "files_and_error_estimate": written - computed,
                "total": written - begin,
            },
            "error_estimate": error,
            **depths,
            "warnings": list(told),
            "files": names,
        }
        with stage(names["record"]) as temporary:
            temporary.write_text(_record.text(record), encoding="utf-8")
    if talk:
        _summary(record, folder)
    return record


def _depths(sky: Any, depth: Any) -> dict[str, Any]:
    """The optical depth at each frequency, if something absorbs."""
    import numpy as np

    if depth is None:
        return {}
    pairs = zip(sky.frequency, depth, strict=True)
    number = lambda x: float(f"{x:.4g}")
    found = {
        f"{label(nu)} GHz": {"median": number(np.median(x)), "largest": number(np.max(x))}
        for nu, x in pairs
    }
    return {"optical_depth": found}


def _warn_of_error(error: dict[str, Any]) -> None:
    outputs = error["outputs"]
    worst = max(outputs, key=lambda name: outputs[name]["relative_rms"])
    size = outputs[worst]["relative_rms"]
    if not error["reliable"]:
        checks.warn(
            f"the integration error is {100 * size:.0f} % of the rms ({worst}): "
            f"{error['steps']} steps are too few, give more with --steps; an estimate above 5 % is "
            "not reliable, the true error may be larger"
        )


def _counting(tell: Callable[[int, str], None]) -> Callable[[int], None]:
    """The function told of every n rays done, where `tell` wants how many there are by now."""
    done = [0]

    def advance(n: int) -> None:
        done[0] += n
        tell(done[0], "")

    return advance


def _summary(record: dict[str, Any], folder: Path) -> None:
    from rich.markup import escape

    console, times = stdout(), record["timings_s"]
    console.print(f"[bold]{record['n_rays']:,}[/] sightlines in {times['total']:.1f} s")
    outputs = record["error_estimate"]["outputs"]
    worst = max(outputs, key=lambda name: outputs[name]["relative_rms"])
    bound = "at most" if record["error_estimate"]["reliable"] else "not reliable, more than"
    console.print(
        f"integration error, by doubling the steps: {bound} "
        f"{outputs[worst]['relative_rms']:.1e} of the rms ({worst})"
    )
    for name, depth in record.get("optical_depth", {}).items():
        console.print(
            f"optical depth at {name}: {depth['median']:.2g} in the median, "
            f"{depth['largest']:.2g} at most"
        )
    console.print(
        f"written to [bold]{escape(str(folder))}[/]:",
        ", ".join(record["files"].values()),
        soft_wrap=True,
    )
    if "view" in record["configuration"]:
        console.print("angles count from image up (north) through left (east): sign of U is IAU")
    elif "stokes" in record["configuration"]["outputs"]:
        convention = record["configuration"]["output"]["convention"]
        own = {"COSMO": "HEALPix's and healpy's own", "IAU": "not that of healpy"}[convention]
        console.print(f"sign of U in the files: {convention}, {own} (POLCCONV)")

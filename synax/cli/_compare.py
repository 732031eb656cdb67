"""`synax compare`: a Galaxy against the real sky: numbers as JSON, figures, and one page."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from . import _config, _record
from ._console import BadInput, choose, fails_cleanly, print_json, stdout
from ._options import CosmicRays, Electrons, Magnetic, Steps

_NAMES = ("pulsars", "haslam", "low", "wmap", "faraday")
_PAGE = "compare.html"

_EPILOG = """
[bold]Examples[/]

synax compare all --data sky-data

synax compare all --data sky-data --galaxy jf12 --output jf12

synax compare faraday --data sky-data --magnetic JF12 --output jf12-faraday

synax compare all --data sky-data --json
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("compare", epilog=_EPILOG)(compare)


@fails_cleanly
def compare(
    what: Annotated[str, typer.Argument(help="pulsars, haslam, low, wmap, faraday, or all.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the sky data; default: $SYNAX_DATA.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file, as for `synax simulate`.")] = None,
    galaxy: Annotated[
        str | None,
        typer.Option(help="A whole Galaxy: calibrated (the default), wmap, jf12, uf23."),
    ] = None,
    magnetic: Magnetic = None,
    electrons: Electrons = None,
    cosmic_rays: CosmicRays = None,
    steps: Steps = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Any key: magnetic.b0=-1.2; repeat.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path(
        "synax-compare"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Compare a Galaxy, or models by name, with the real sky.

    Writes NAME.json and NAME.png for each comparison, and compare.html with all of them.
    pulsars: dispersion measures to pulsars with independent distances. haslam: brightness at
    408 MHz. low: brightness and spectral index from 40 to 1420 MHz, with free-free absorption.
    wmap: Q and U at 23 GHz. faraday: rotation measures of extragalactic sources.
    """
    choose("WHAT", what, (*_NAMES, "all"))
    flags = {
        "galaxy": ("--galaxy", galaxy),
        "magnetic": ("--magnetic", magnetic and {"model": magnetic}),
        "electrons": ("--electrons", electrons and {"model": electrons}),
        "cosmic_rays": ("--cosmic-rays", cosmic_rays and {"model": cosmic_rays}),
        "integration.steps": ("--steps", steps),
    }
    changes = [*_flags(flags), *(_config.parse_set(text) for text in change or [])]
    overrides = []
    if any(c.path.partition(".")[0] in _config.GROUPS for c in changes):
        # high enough for globular clusters; a whole Galaxy keeps the domain that it is made for
        overrides = [_config.Override("--set", "domain.half_lengths", [25.0, 25.0, 15.0])]
    settings = _config.load(config, changes if config else [*overrides, *changes])
    names = _NAMES if what == "all" else (what,)
    records = run(names, _data_folder(data), settings, output, overwrite)
    if as_json:
        print_json(records if what == "all" else records[0])
    elif not quiet:
        for record in records:
            _show(record)
        stdout().print(f"written to '{output}'", markup=False)


def _flags(flags: dict[str, tuple[str, Any]]) -> list[_config.Override]:
    return [
        _config.Override(flag, path, value)
        for path, (flag, value) in flags.items()
        if value is not None
    ]


def _data_folder(given: Path | None) -> Path:
    folder = given or (Path(os.environ["SYNAX_DATA"]) if os.environ.get("SYNAX_DATA") else None)
    if folder is None:
        raise BadInput("--data is missing: give the folder of the sky data, or set SYNAX_DATA")
    if not folder.is_dir():
        raise BadInput(f"--data '{folder}': there is no such folder")
    return folder


def run(
    names: tuple[str, ...], data: Path, settings: dict[str, Any], output: Path, overwrite: bool
) -> list[dict[str, Any]]:
    """Run comparisons, write NAME.json and NAME.png for each and a page; returns the records."""
    from ..io._atomic import together
    from . import _compare_page, _comparison_figures, _comparisons, _run, _sky_data, _write
    from ._simulate import check_folder

    files = [f"{name}.{ending}" for name in names for ending in ("json", "png")] + [_PAGE]
    check_folder(output, files, overwrite)
    read = {name: _sky_data.read(name, data) for name in names}
    records, figures = [], {}
    with _run.precision(settings["integration"]["precision"]):
        with together(output, overwrite) as stage:
            for name in names:
                own = _comparisons.FREQUENCIES.get(name, settings["frequency"])
                wanted = {**settings, "frequency": list(own)}
                sky = _run.prepare(wanted)
                found = _comparisons.COMPARISONS[name](sky, read[name])
                record = {
                    **_record.start("comparison"),
                    "comparison": name,
                    "title": _comparisons.TITLES[name],
                    "data_files": [file for file, _ in _sky_data.FILES[name].values()],
                    "models": _write.describe(sky),
                    "configuration": wanted,
                    "numbers": found.numbers,
                    "spectra": _spectra(found.spectra or {}),
                }
                figures[name] = figure = _comparison_figures.draw(name, found)
                with stage(f"{name}.png") as temporary:
                    facts = _write.png_facts(f"comparison with data: {name}")
                    figure.savefig(temporary, dpi=130, facecolor="white", metadata=facts)
                with stage(f"{name}.json") as temporary:
                    temporary.write_text(_record.text(record), encoding="utf-8")
                records.append(record)
            with stage(_PAGE) as temporary:
                title = f"{_whose(settings)} against the real sky"
                text = _compare_page.page(title, records, figures)
                temporary.write_text(text, encoding="utf-8")
    return records


def _whose(settings: dict[str, Any]) -> str:
    if "galaxy" in settings:
        return f"The Galaxy '{settings['galaxy']}'"
    models = [part.get("model", "own") for g in _config.GROUPS for part in settings[g]]
    return " + ".join(models)


def _spectra(found: dict[str, Any]) -> dict[str, Any]:
    """Angular spectra as plain data: C_l from l = 0."""
    pairs = found.items()
    return {k: {"data": d.tolist(), "model": m.tolist()} for k, (d, m) in pairs}


def _show(record: dict[str, Any]) -> None:
    from rich.table import Table

    from ._compare_page import SHOWN, numbers_table, shortened

    columns, rows = numbers_table(shortened(record))
    table = Table(title=record["title"], title_justify="left")
    table.add_column("where")
    for key in columns:
        table.add_column(SHOWN[key], justify="right")
    for row in rows:
        table.add_row(*row)
    stdout().print(table)

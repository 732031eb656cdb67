"""`synax compare`: a Galaxy against the real sky: numbers as JSON, figures, and one page."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from .._progress import progress_bar
from . import _config, _options, _record
from ._console import BadInput, choose, fails_cleanly, print_json, stdout
from ._given_files import NO_SUCH, no_file

_NAMES = ("pulsars", "haslam", "low", "wmap", "faraday")
_PAGE = "compare.html"

_EPILOG = """
[bold]Examples[/]

synax compare all --data sky-data

synax compare haslam --data sky-data --galaxy jf12 --mask mask.fits

synax compare my_map.fits --frequency "1.4 GHz" --mask mask.fits

synax compare rms.csv --rm RM --magnetic UF23 --output uf23

synax compare all --data sky-data --json
"""

_OF_MAPS = ("frequency", "unit", "convention", "ordering", "nside")
_OF_TABLES = ("rm", "dm", "distance")
_OF_BOTH = ("columns", "frame")


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("compare", epilog=_EPILOG)(compare)


@fails_cleanly
def compare(
    what: Annotated[
        str,
        typer.Argument(
            help="pulsars, haslam, low, wmap, faraday, or all; or a file of yours: a HEALPix map "
            "(FITS), or with --rm or --dm a table of sources."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the sky data; default: $SYNAX_DATA.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(help="FITS mask: only what lies in its non-zero pixels counts.")
    ] = None,
    frequency: Annotated[
        str | None,
        typer.Option(
            "--frequency", "-f", help="Of your map: GHz, or with a unit; if it says none."
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Of your map, if it says none: K_RJ, uK_CMB, rad/m2, ...")
    ] = None,
    convention: Annotated[
        str | None, typer.Option(help="Sign of U in your map, if it says none: IAU or COSMO.")
    ] = None,
    ordering: Annotated[
        str | None, typer.Option(help="Of your map, if it says none: RING or NEST.")
    ] = None,
    frame: Annotated[
        str | None,
        typer.Option(help="Of your map or table: galactic, equatorial, icrs, ecliptic, fk5, ..."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", help="Which column is what: I=TEMPERATURE, or lon=RAJ,lat=DECJ."),
    ] = None,
    nside: Annotated[
        int | None,
        typer.Option(help="Resolution at which your map is compared; default: 32 or coarser."),
    ] = None,
    rm: Annotated[
        str | None, typer.Option("--rm", help="Column of your table: rotation measures, rad/m2.")
    ] = None,
    dm: Annotated[
        str | None, typer.Option("--dm", help="Column of your table: dispersion measures, pc/cm3.")
    ] = None,
    distance: _options.Distance = None,
    config: Annotated[Path | None, typer.Option(help="TOML file, as for `synax simulate`.")] = None,
    galaxy: _options.Galaxy = None,
    magnetic: _options.Magnetic = None,
    electrons: _options.Electrons = None,
    cosmic_rays: _options.CosmicRays = None,
    steps: _options.Steps = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Any key: magnetic.b0=-1.2; repeat.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path(
        "synax-compare"
    ),
    overwrite: _options.Overwrite = False,
    quiet: _options.Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Compare a Galaxy, or models by name, with the real sky, or with your own data.

    Writes NAME.json and NAME.png for each comparison, and compare.html with all of them.
    pulsars: dispersion measures to pulsars with independent distances. haslam: brightness at
    408 MHz. low: brightness and spectral index from 40 to 1420 MHz, with free-free absorption.
    wmap: Q and U at 23 GHz. faraday: rotation measures of extragalactic sources.
    A map of yours is compared in its own unit, I, Q and U or RM, whatever its frame.
    """
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
    own = {
        "frequency": frequency,
        "unit": unit,
        "convention": convention,
        "ordering": ordering,
        "frame": frame,
        "columns": columns,
        "nside": nside,
        "rm": rm,
        "dm": dm,
        "distance": distance,
    }
    settings = _config.load(config, changes if config else [*overrides, *changes], "compare")
    if what == "all" or what in _NAMES:
        _not_for(own, own, f"a file of yours, not for '{what}'")
        names = _NAMES if what == "all" else (what,)
        prepare = lambda hidden: _public(names, data, hidden)
    else:
        if (why := no_file(what)) not in (None, NO_SUCH):
            raise BadInput(f"WHAT = '{what}': {why}")
        if why:
            choose("WHAT", what, (*_NAMES, "all", "a file of yours"))
        prepare = lambda hidden: [_own(Path(what), own, hidden)]
    records = run(prepare, mask, settings, output, overwrite, None if not quiet else False)
    if as_json:
        print_json(records if what == "all" or len(records) > 1 else records[0])
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


def _not_for(given: dict[str, Any], names: Any, what: str) -> None:
    for name in names:
        if given[name] not in (None, []):
            raise BadInput(f"--{name} is for {what}")


class Task(NamedTuple):
    """Comparisons that one model answers."""

    titles: dict[str, str]
    """Of each comparison, by the name of its files."""
    data_files: list[str]
    frequency: list[float]
    """GHz, at which the physics are chosen; none: as configured."""
    compare: Callable[[Any], list[Any]]


def _public(names: tuple[str, ...], given: Path | None, mask: Any) -> list[Task]:
    """The comparisons with the files of a folder."""
    from . import _comparisons, _sky_data

    folder, found = _data_folder(given), []
    for name in names:
        data = _sky_data.read(name, folder)
        data = data if mask is None else _comparisons.masked(name, data, mask)
        run_one = lambda sky, n=name, d=data: [_comparisons.COMPARISONS[n](sky, d)]
        files = [file for file, _ in _sky_data.FILES[name].values()]
        own = list(_comparisons.FREQUENCIES.get(name, ()))
        found.append(Task({name: _comparisons.TITLES[name]}, files, own, run_one))
    return found


def _own(file: Path, own: dict[str, Any], mask: Any) -> Task:
    """The comparison with a file of the user's."""
    from ._sources_run import pairs

    columns = pairs(own["columns"])
    if own["rm"] is not None and own["dm"] is not None:
        raise BadInput("--rm and --dm exclude each other: give one column")
    verb = next((v for v in ("rm", "dm") if own[v] is not None), None)
    if verb is None:
        from ._own_map import OwnMap

        if file.suffix in (".csv", ".tsv", ".ecsv", ".vot", ".xml"):
            raise BadInput(f"'{file}' is a table: say which column is measured, --rm or --dm")
        _not_for(own, _OF_TABLES, "a table of sources: give --rm or --dm, its measured column")
        given = {k: own[k] for k in ("unit", "convention", "ordering", "frame")}
        nu = _frequency(own["frequency"])
        read: Any = OwnMap(file, {**given, "columns": columns, "frequency": nu}, mask, own["nside"])
    else:
        from ._own_table import OwnTable

        _not_for(own, _OF_MAPS, f"a map, and '{file}' is a table (--{verb})")
        wanted = {"columns": columns, "frame": own["frame"], "distance": own["distance"]}
        read = OwnTable(file, verb, own[verb], wanted, mask)
    return Task(read.titles(), [str(file)], list(read.frequency), read.compare)


def _frequency(text: str | None) -> float | None:
    from ._values import quantity

    if text is None:
        return None
    try:
        given: Any = float(text)
    except ValueError:
        given = text
    return quantity("GHz", positive=True)("--frequency", given)


def _data_folder(given: Path | None) -> Path:
    folder = given or (Path(os.environ["SYNAX_DATA"]) if os.environ.get("SYNAX_DATA") else None)
    if folder is None:
        raise BadInput("--data is missing: give the folder of the sky data, or set SYNAX_DATA")
    if not os.path.isdir(folder):
        why = no_file(folder)
        why = "there is no such folder" if why in (None, NO_SUCH) else why
        raise BadInput(f"--data '{folder}': {why}")
    return folder


def run(
    prepare: Callable[[Any], list[Task]],
    mask: str | None,
    settings: dict[str, Any],
    output: Path,
    overwrite: bool,
    show: bool | None = False,
) -> list[dict[str, Any]]:
    """Run comparisons, write NAME.json and NAME.png for each and a page; returns the records.

    `prepare` reads the data, less what the mask hides. `show`: a bar, as in `progress_bar`.
    """
    from ..io._atomic import together
    from . import _compare_page, _run, _write
    from ._masks import read_mask
    from ._simulate import check_folder

    records, figures = [], {}
    with _run.precision(settings["integration"]["precision"]):
        tasks = prepare(None if mask is None else read_mask(mask, "--mask"))
        files = [f"{n}.{end}" for task in tasks for n in task.titles for end in ("json", "png")]
        check_folder(output, [*files, _PAGE], overwrite)
        bar = progress_bar(show, "comparisons", len(tasks), keep=False)
        with together(output, overwrite) as stage, bar as tell:
            for k, task in enumerate(tasks):
                tell(k, next(iter(task.titles)))
                wanted = {**settings, "frequency": task.frequency or settings["frequency"]}
                sky = _run.prepare(wanted)
                for (name, title), found in zip(
                    task.titles.items(), task.compare(sky), strict=True
                ):
                    record = {
                        **_record.start("comparison"),
                        "comparison": name,
                        "title": title,
                        "data_files": task.data_files,
                        "mask": mask,
                        "models": _write.describe(sky),
                        "configuration": wanted,
                        "numbers": found.numbers,
                        "spectra": _spectra(found.spectra or {}),
                    }
                    figures[name] = _png(found.draw(title=title), name)
                    with stage(f"{name}.png") as temporary:
                        temporary.write_bytes(figures[name])
                    with stage(f"{name}.json") as temporary:
                        temporary.write_text(_record.text(record), encoding="utf-8")
                    records.append(record)
            with stage(_PAGE) as temporary:
                title = f"{_whose(settings)} against the real sky"
                text = _compare_page.page(title, records, figures)
                temporary.write_text(text, encoding="utf-8")
    return records


def _png(figure: Any, name: str) -> bytes:
    from ._write import png_facts

    buffer, facts = io.BytesIO(), png_facts(f"comparison with data: {name}")
    figure.savefig(buffer, format="png", dpi=130, facecolor="white", metadata=facts)
    return buffer.getvalue()


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

"""`synax convert`: maps between units, conventions, orderings; grids between file formats."""

from pathlib import Path
from typing import Annotated, Any

import typer

from . import _values as v
from ._console import BadInput, fails_cleanly, print_json, stdout
from ._explain import explain, is_map
from ._given_files import no_file

_EPILOG = """
[bold]Examples[/]

synax convert synax-output/stokes_23GHz.fits k_band.fits --unit uK_CMB --convention COSMO

synax convert planck.fits mine.fits --input-unit K_CMB --frequency 30 --nside 64

synax convert field.npz field.h5

synax convert b.bin b.vti --shape 64 64 16 --half-lengths 20 20 4

synax convert hammurabi.xml from_hammurabi.toml
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("convert", epilog=_EPILOG)(convert)


@fails_cleanly
def convert(
    source: Annotated[Path, typer.Argument(help="Map, grid or hammurabiX XML to read.")],
    target: Annotated[Path, typer.Argument(help="File to write; a grid's format is its ending.")],
    unit: Annotated[str | None, typer.Option(help="Unit of the new map.")] = None,
    convention: Annotated[
        str | None, typer.Option(help="COSMO (healpy's; the default) or IAU.")
    ] = None,
    ordering: Annotated[str | None, typer.Option(help="RING or NEST.")] = None,
    nside: Annotated[int | None, typer.Option(help="Coarser resolution to average to.")] = None,
    input_unit: Annotated[
        str | None, typer.Option(help="Unit of the source, if its header lacks it.")
    ] = None,
    input_convention: Annotated[
        str | None, typer.Option(help="Convention of the source, if its header lacks it.")
    ] = None,
    input_ordering: Annotated[
        str | None, typer.Option(help="RING or NEST, if the source's header lacks it.")
    ] = None,
    input_frame: Annotated[
        str | None, typer.Option(help="galactic, equatorial or ecliptic, if the header lacks it.")
    ] = None,
    frequency: Annotated[
        str | None, typer.Option(help="GHz or with a unit, if the source's header lacks it.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="Column by component: I=UNKNOWN1, RM=faraday_sky_mean."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="Extension of a FITS file, by number or name.")
    ] = None,
    override: Annotated[
        bool, typer.Option("--override", help="Options win over what the source's header says.")
    ] = False,
    shape: Annotated[
        tuple[int, int, int] | None, typer.Option(help="Nodes along x y z of a .bin grid.")
    ] = None,
    half_lengths: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Half-lengths of the box of a .bin grid, kpc."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the target.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Describe the target as JSON.")] = False,
) -> None:
    """Convert a sky map (unit, convention, ordering, resolution) or a grid (file format).

    Endings of grids: npz, h5, fits, vti and vtk (ParaView), bin (hammurabiX's raw grids).
    A parameter file of hammurabiX (.xml) becomes a configuration (.toml) of `synax simulate`.
    """
    from ..io._atomic import check_target

    if why := no_file(source):
        raise BadInput(f"SOURCE = '{source}': {why}")
    try:
        check_target(target, overwrite)
    except OSError as error:
        raise BadInput(f"TARGET: {error}") from None
    changes = {"unit": unit, "convention": convention, "ordering": ordering, "nside": nside}
    given: dict[str, Any] = {
        "unit": input_unit,
        "convention": input_convention,
        "ordering": input_ordering,
        "frame": input_frame,
        "frequency": frequency,
        "columns": column or None,
        "table": table,
    }
    raw = {"shape": shape, "half_lengths": half_lengths}
    if source.suffix.lower() != ".bin":
        _no_options(source, raw, "a raw binary grid")
    elif None in raw.values():
        raise BadInput(f"'{source}' has no header: give --shape and --half-lengths (kpc)")
    from ._run import precision

    note = ""
    with precision("float64"):  # what is stored in float32 stays so
        if source.suffix.lower() != ".xml" and is_map(source, "SOURCE"):
            written = _map(source, target, changes, given, override, overwrite)
            note = f"; sign of U: {written}" if written else ""
        else:
            _no_options(source, changes, "a sky map")
            _no_options(source, {f"input {k}": x for k, x in given.items()}, "a sky map")
            if source.suffix.lower() == ".xml":
                _configuration(source, target, overwrite)
                note = "; what was not mapped is listed at its head"
            else:
                _grid(source, target, overwrite, raw)
    if as_json:
        print_json(explain(target))
    elif not quiet:
        stdout().print(f"written '{target}'{note}", markup=False)


def _no_options(source: Path, options: dict[str, Any], what: str) -> None:
    for key, value in options.items():
        if value is not None:
            raise BadInput(f"{key} = {value!r}: '{source}' is not {what}, it has none")


def _configuration(source: Path, target: Path, overwrite: bool) -> None:
    from ..io._atomic import atomic
    from ..io._hammurabi_xml import hammurabi_xml, toml_text

    if target.suffix != ".toml":
        raise BadInput(f"TARGET = '{target}': a configuration is written as .toml")
    try:
        text = toml_text(*hammurabi_xml(source))
    except (ValueError, OSError) as error:
        raise BadInput(f"SOURCE: {error}") from None
    with atomic(target, overwrite) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


def _map(
    source: Path,
    target: Path,
    changes: dict[str, Any],
    given: dict[str, Any],
    override: bool,
    overwrite: bool,
) -> str:
    """Write the converted map; the convention of its U, or nothing where there is none."""
    from ..io import load_map, save_map
    from ..maps._kinds import FRAMES, UNITS
    from ..maps._units import spelled

    for option, key, allowed in (
        ("--convention", changes["convention"], ("IAU", "COSMO")),
        ("--input-convention", given["convention"], ("IAU", "COSMO")),
        ("--ordering", changes["ordering"], ("RING", "NEST")),
        ("--input-ordering", given["ordering"], ("RING", "NEST")),
        ("--input-frame", given["frame"], FRAMES),
    ):
        if key is not None:
            v.choice(*allowed)(option, key)
    if given["frequency"] is not None:
        given["frequency"] = _frequency(given["frequency"])
    if given["columns"] is not None:
        given["columns"] = dict(_pair(text) for text in given["columns"])
    if given["table"] is not None and given["table"].isdecimal():
        given["table"] = int(given["table"])
    try:
        sky = load_map(source, override=override, **given)
    except (ValueError, TypeError) as error:
        raise BadInput(f"SOURCE: {error}") from None
    if changes["unit"] is not None:
        unit = v.choice(*UNITS[sky.kind])("--unit", spelled(changes["unit"]))
        try:
            sky = sky.to_unit(unit)
        except ValueError as error:
            raise BadInput(f"--unit = '{unit}': {error}") from None
    if changes["nside"] is not None:
        wanted = v.nside("--nside", changes["nside"])
        if sky.nside % wanted:
            raise BadInput(f"--nside = {wanted}: must divide that of the map, {sky.nside}")
        sky = sky.degrade(wanted)
    if changes["ordering"] is not None:
        v.check_nested("nside", sky.nside, changes["ordering"])
        sky = sky.to_ordering(changes["ordering"])
    if target.suffix not in (".fits", ".fit"):
        raise BadInput(f"TARGET = '{target}': a sky map is written as .fits")
    convention = changes["convention"] or "COSMO"
    try:
        save_map(target, sky, overwrite=overwrite, convention=convention)
    except ValueError as error:
        raise BadInput(f"SOURCE = '{source}': {error}, so nothing was written") from None
    return convention if "U" in sky.columns else ""


def _frequency(text: str) -> float:
    try:
        value: float | str = float(text)
    except ValueError:
        value = text
    return v.quantity("GHz", positive=True)("--frequency", value)


def _pair(text: str) -> tuple[str, str]:
    component, equals, name = text.partition("=")
    if not equals:
        raise BadInput(f"--column = '{text}': must be a component and a column, as in I=UNKNOWN1")
    return component, name


def _grid(source: Path, target: Path, overwrite: bool, raw: dict[str, Any]) -> None:
    from ..fields._domain import Box
    from ..io import save_grid
    from ..io._grids import read_grid

    try:
        header = {} if raw["shape"] is None else {"box": Box(raw["half_lengths"])}
        grid = read_grid(source, shape=raw["shape"], **header)
    except (ValueError, OSError, KeyError) as error:
        raise BadInput(f"SOURCE = '{source}': {' '.join(str(error).split())}") from None
    try:
        save_grid(target, grid, overwrite=overwrite)
    except ValueError as error:
        raise BadInput(f"TARGET = '{target}': {' '.join(str(error).split())}") from None

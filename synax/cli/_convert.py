"""`synax convert`: maps between units, conventions, orderings; grids between file formats."""

from pathlib import Path
from typing import Annotated, Any

import typer

from . import _values as v
from ._console import BadInput, fails_cleanly, print_json, stdout
from ._explain import explain, is_map

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
    convention: Annotated[str | None, typer.Option(help="IAU or COSMO.")] = None,
    ordering: Annotated[str | None, typer.Option(help="RING or NEST.")] = None,
    nside: Annotated[int | None, typer.Option(help="Coarser resolution to average to.")] = None,
    input_unit: Annotated[
        str | None, typer.Option(help="Unit of the source, if its header lacks it.")
    ] = None,
    input_convention: Annotated[
        str | None, typer.Option(help="Convention of the source, if its header lacks it.")
    ] = None,
    frequency: Annotated[
        float | None, typer.Option(help="GHz, if the source's header lacks it.")
    ] = None,
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

    if not source.is_file():
        raise BadInput(f"SOURCE = '{source}': there is no such file")
    try:
        check_target(target, overwrite)
    except OSError as error:
        raise BadInput(f"TARGET: {error}") from None
    changes = {"unit": unit, "convention": convention, "ordering": ordering, "nside": nside}
    given = {"unit": input_unit, "convention": input_convention, "frequency": frequency}
    raw = {"shape": shape, "half_lengths": half_lengths}
    if source.suffix.lower() != ".bin":
        _no_options(source, raw, "a raw binary grid")
    elif None in raw.values():
        raise BadInput(f"'{source}' has no header: give --shape and --half-lengths (kpc)")
    from ._run import precision

    note = ""
    with precision("float64"):  # what is stored in float32 stays so
        if source.suffix.lower() != ".xml" and is_map(source):
            _map(source, target, changes, given, overwrite)
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
        stdout().print(f"written [bold]{target}[/]{note}")


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
    except (ValueError, UnicodeDecodeError) as error:
        raise BadInput(f"SOURCE: {error}") from None
    with atomic(target, overwrite) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


def _map(
    source: Path, target: Path, changes: dict[str, Any], given: dict[str, Any], overwrite: bool
) -> None:
    from ..io import load_map, save_map
    from ..maps._skymap import UNITS

    for option, key, allowed in (
        ("--convention", changes["convention"], ("IAU", "COSMO")),
        ("--input-convention", given["convention"], ("IAU", "COSMO")),
        ("--ordering", changes["ordering"], ("RING", "NEST")),
    ):
        if key is not None:
            v.choice(*allowed)(option, key)
    if given["frequency"] is not None:
        v.quantity("GHz", positive=True)("--frequency", given["frequency"])
    try:
        sky = load_map(source, **given)
    except ValueError as error:
        raise BadInput(f"SOURCE: {error}") from None
    if changes["unit"] is not None:
        sky = sky.to_unit(v.choice(*UNITS[sky.kind])("--unit", changes["unit"]))
    if changes["convention"] is not None:
        sky = sky.to_convention(changes["convention"])
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
    save_map(target, sky, overwrite=overwrite)


def _grid(source: Path, target: Path, overwrite: bool, raw: dict[str, Any]) -> None:
    from ..fields._domain import Box
    from ..io import load_grid, save_grid

    try:
        header = {} if raw["shape"] is None else {"box": Box(raw["half_lengths"])}
        grid = load_grid(source, shape=raw["shape"], **header)
    except (ValueError, OSError, KeyError) as error:
        raise BadInput(f"SOURCE = '{source}': {' '.join(str(error).split())}") from None
    try:
        save_grid(target, grid, overwrite=overwrite)
    except ValueError as error:
        raise BadInput(f"TARGET = '{target}': {' '.join(str(error).split())}") from None

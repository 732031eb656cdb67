"""The data of a fit, from the file of a [[data]] table to numbers on the problem's sightlines."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ..maps._skymap import SkyMap
from ..maps._units import label
from ..sightlines._sightlines import Sightlines
from ._console import BadInput
from ._given_files import no_file

_Values = Float[np.ndarray, "*shape"]


def read_data(part: dict[str, Any], names: list[str], rays: Sightlines) -> _Values:
    """Components `names` of the file of a [[data]] table on the rays, NaN where they are missing.

    **Returns** (n_names, n_rays) for Stokes parameters, K (Rayleigh-Jeans) in IAU, and (n_rays,)
    for rotation and dispersion measures.

    **Raises** `BadInput` that names the data set, the file, and in what it contradicts the problem.
    """
    path, where = Path(part["file"]), f"data '{part['name']}'"
    if why := no_file(path):
        raise BadInput(f"{where}: file = '{path}': {why}")
    try:
        maps = (_archive if path.suffix == ".npz" else _fits)(path, part, names)
        for one in maps:
            _check_finite(path, one)
        maps = _in_frame(maps, names, rays.frame)
        rows = [_on_rays(path, one, rays) for one in maps]
    except (ValueError, TypeError) as error:
        raise BadInput(f"{where}: {' '.join(str(error).split())}") from None
    values = np.stack(rows) if part["kind"] == "stokes" else rows[0]
    empty = [name for name, row in zip(names, rows, strict=True) if not np.isfinite(row).any()]
    if empty:
        of = f"of {', '.join(empty)} " if len(empty) < len(names) else ""
        raise BadInput(f"{where}: '{path}' has no value {of}at any of {rays.n_rays} sightlines")
    return values


def frequency(where: str, part: dict[str, Any]) -> float:
    """Frequency (GHz) of a [[data]] table that gives none: that in the header of its FITS file.

    **Raises** `BadInput` if there is no such file, or its header has none or several.
    """
    from ..io._fits_maps import read_map

    missing = f"{where}.frequency is missing: Stokes parameters need one, in GHz"
    if "file" not in part or Path(part["file"]).suffix == ".npz":
        raise BadInput(missing)
    path = Path(part["file"])
    if why := no_file(path):
        raise BadInput(f"{where}.file = '{path}': {why}")
    given = {key: part.get(key) for key in ("columns", "table", "convention", "ordering", "frame")}
    try:
        held = read_map(path, unit=_unit(part), **given)[0].frequency
    except (ValueError, TypeError) as error:
        raise BadInput(f"{missing}; {' '.join(str(error).split())}") from None
    if not isinstance(held, float):
        there = "none" if held is None else ", ".join(label(nu) for nu in held)
        raise BadInput(f"{missing}; the header of '{path}' has {there}")
    return held


def _unit(part: dict[str, Any]) -> str | None:
    """The unit that a table gives; kelvin without a kind are of Rayleigh-Jeans here."""
    unit = part.get("unit")
    return f"{unit}_RJ" if unit in ("K", "mK", "uK") else unit


def _archive(path: Path, part: dict[str, Any], names: list[str]) -> list[SkyMap]:
    """Whole skies in a NumPy archive, which knows neither unit nor frame."""
    import healpy

    arrays, columns = {}, part.get("columns", {name: name for name in names})
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            lacking = [n for n in names if columns.get(n) not in archive.files]
            found = ", ".join(archive.files)
            if not lacking:
                arrays = {n: archive[columns[n]] for n in names}
    except Exception as error:
        what = "objects" if "pickle" in str(error) else f"{type(error).__name__}"
        raise ValueError(f"'{path}' is not an archive of plain numbers ({what})") from None
    if lacking:
        raise ValueError(f"'{path}' has no array for {lacking[0]}, but {found}; say it in columns")
    maps = []
    for name, values in arrays.items():
        if values.ndim != 1 or not healpy.isnpixok(values.size):
            raise ValueError(
                f"{name} in '{path}' has shape {values.shape}, which is not a whole HEALPix map"
            )
        stokes = part["kind"] == "stokes"
        if stokes and not part.get("unit"):
            logging.getLogger("synax").warning(
                "'%s' names no unit: %s is taken as K (Rayleigh-Jeans); unit = ... in the table of "
                "the data says another",
                path,
                name,
            )
        one = SkyMap(
            values.astype(float) if values.dtype.kind == "f" else values,
            "I" if stokes else part["kind"],
            healpy.npix2nside(values.size),
            unit=_unit(part) or "",
            frequency=part["frequency"] if stokes else None,
            ordering=part.get("ordering", "RING"),
            frame=part.get("frame", "galactic"),
        )
        maps.append(-one if name == "U" and part.get("convention") == "COSMO" else one)
    return maps


def _fits(path: Path, part: dict[str, Any], names: list[str]) -> list[SkyMap]:
    """Maps of a FITS file, which knows what it holds; what it lacks is in the table."""
    from ..io._fits_maps import read_map

    stokes = part["kind"] == "stokes"
    sky, notes = read_map(
        path,
        columns=part.get("columns"),
        table=part.get("table"),
        unit=_unit(part),
        fallback_frequency=part["frequency"] if stokes else None,
        convention=part.get("convention"),
        ordering=part.get("ordering"),
        frame=part.get("frame"),
    )
    for note in notes:
        logging.getLogger("synax").warning("'%s': %s", path, note)
    lacking = [name for name in names if name not in sky.columns]
    if lacking:
        raise ValueError(
            f"'{path}' holds {', '.join(sky.columns)} and no {lacking[0]}; say it in columns"
        )
    sky = sky.to_convention("IAU")
    planes = [np.asarray(sky.component(name), float) for name in names]
    if stokes:
        wanted = part["frequency"]
        held = sky.frequency if isinstance(sky.frequency, tuple) else (sky.frequency,)
        near = [k for k, nu in enumerate(held) if nu and math.isclose(nu, wanted, rel_tol=1e-6)]
        if len(near) != 1:
            there = ", ".join(label(nu) for nu in held if nu)
            raise ValueError(f"'{path}' is at {there} GHz, and frequency = {label(wanted)}")
        if isinstance(sky.frequency, tuple):
            planes = [plane[near[0]] for plane in planes]
    settings = {key: getattr(sky, key) for key in ("unit", "ordering", "frame", "pixels")}
    kind, nu = ("I", part["frequency"]) if stokes else (part["kind"], None)
    return [SkyMap(plane, kind, sky.nside, frequency=nu, **settings) for plane in planes]


def _check_finite(path: Path, sky: SkyMap) -> None:
    try:
        sky.check_finite(missing=True)
    except ValueError as error:
        raise ValueError(f"'{path}': {error}") from None


def _in_frame(maps: list[SkyMap], names: list[str], frame: str) -> list[SkyMap]:
    """Components rotated into the frame of the sightlines; Q and U turn into each other."""
    if all(one.frame == frame for one in maps):
        return maps
    if ("Q" in names) != ("U" in names):
        raise ValueError(
            f"the file is in {maps[0].frame} coordinates: Q and U turn into each other there, and "
            f"stokes = {names} lacks one of them"
        )
    found = dict(zip(names, maps, strict=True))
    if "Q" in names:
        pair = np.stack([np.asarray(found[s].values) for s in "QU"])
        settings = {k: getattr(maps[0], k) for k in ("unit", "ordering", "frame", "pixels")}
        both = SkyMap(pair, "QU", maps[0].nside, frequency=maps[0].frequency, **settings)
        both = both.to_frame(frame)
        settings = {k: getattr(both, k) for k in ("unit", "ordering", "frame", "pixels")}
        for name in "QU":
            values = both.component(name)
            found[name] = SkyMap(values, "I", both.nside, frequency=both.frequency, **settings)
    return [found[name].to_frame(frame) for name in names]


def _on_rays(path: Path, sky: SkyMap, rays: Sightlines) -> Float[np.ndarray, " n_rays"]:
    """One component at the sightlines, averaged to their resolution where it is finer."""
    if rays.nside is None or sky.nside % rays.nside:
        raise ValueError(
            f"nside is {sky.nside} in '{path}' and {rays.nside} in [sightlines], which must divide "
            "it: data can be averaged, not made finer"
        )
    sky = sky.to_unit("K_RJ") if sky.frequency is not None else sky
    sky = sky.degrade(rays.nside).to_ordering(rays.ordering).full()
    values = np.asarray(sky.values)
    return values if rays.pixels is None else values[np.asarray(rays.pixels)]

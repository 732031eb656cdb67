"""What the files and folders of this program hold, as plain data."""

import html
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..io._plain_json import from_exact
from ..io._sealed import KEY, DamagedFile, is_sealed, read_document, read_sealed
from . import _explain_fits
from ._console import BadInput
from ._given_files import no_file


def explain(file: Path) -> dict[str, Any]:
    """What a file or folder holds, as plain data; `BadInput` if it is none of ours."""
    from ._run import precision

    with precision("float64"):  # what is stored in float32 stays so
        return _explain(file)


def _explain(file: Path) -> dict[str, Any]:
    if os.path.isdir(file):
        return {"file": str(file), **_folder(file)}
    if why := no_file(file):
        raise BadInput(f"FILE = '{file}': {why}")
    reader = _READERS.get(file.suffix.lower())
    if reader is not None:
        return {"file": str(file), **reader(file)}
    if is_map(file):
        return {"file": str(file), **(_explain_fits.depths(file) or _map(file))}
    return {"file": str(file), **(_explain_fits.image(file) or _grid(file))}


def is_map(file: Path, what: str = "FILE") -> bool:
    """Whether a file is FITS with a binary table, as HEALPix maps are; `BadInput` for damage."""
    from ..io._fits_size import checked_tables, is_fits

    if not is_fits(file):
        return False
    try:
        return checked_tables(file) > 0
    except (OSError, ValueError) as error:
        raise BadInput(f"{what}: {error}") from None


def _refuse(file: Path, why: str) -> BadInput:
    return BadInput(f"FILE = '{file}': {why}")


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _refuse(file, f"not valid JSON ({error})") from None
    known = isinstance(found, dict)
    if known and KEY in found:
        found = _intact(read_document, file)
    if known and found.get("program") == "synax":
        return {"holds": f"record of a {found.pop('kind')}", **found}
    if known and {"kind", "fingerprints", "settings"} <= found.keys():
        return {"holds": f"identity of a run of '{found.pop('kind')}'", **found}
    if known and {"kind", "priors", "data"} <= found.keys():
        return {"holds": f"configuration of synax {found.pop('kind')}", **found}
    if known and {"reason", "converged", "parameters"} <= found.keys():
        return {"holds": "result of a fit", **found}
    raise _refuse(file, "JSON, but not a record of this program")


def _intact(read: Callable[[Path], Any], file: Path) -> Any:
    try:
        return read(file)
    except DamagedFile as error:
        raise BadInput(f"FILE: {error}") from None


def _check_seal(file: Path, always: bool) -> None:
    """Refuse a file of a run whose checksum is wrong, or (`always`) is not there."""
    if always or is_sealed(file.read_bytes()):
        _intact(read_sealed, file)


def _toml(file: Path) -> dict[str, Any]:
    from . import _config, _inference_config, _schema

    keys = _config.read(file).keys()
    if keys & {"data", "priors", "start", *_schema.INFERENCE}:
        return {
            "holds": "configuration of synax fit and synax sample",
            **_inference_config.load(file, []),
        }
    return {"holds": "configuration of synax simulate", **_config.load(file, [])}


def _npz(file: Path) -> dict[str, Any]:
    import numpy as np

    _check_seal(file, file.name.startswith("checkpoint"))
    try:
        with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            names = {name: arrays[name].shape for name in arrays.files}
            note = json.loads(str(arrays["note"])) if "note" in names else None
            values = {
                n: arrays[n].item() for n, shape in names.items() if shape == () and n != "note"
            }
    except Exception:  # whatever numpy and zip make of a damaged archive
        return _grid(file)
    if note is not None:
        return {"holds": "checkpoint of a run", "arrays": len(names) - 1, "note": from_exact(note)}
    if "half_lengths" in names or not any("." in name for name in names):
        return _grid(file)
    shown = {n: values[n] if n in values else {"shape": list(s)} for n, s in names.items()}
    return {"holds": "best parameters of a fit", "parameters": shown}


def _netcdf(file: Path) -> dict[str, Any]:
    import xarray

    _check_seal(file, file.name == "posterior.nc" or file.parent.name == "draws")
    try:
        tree = xarray.open_groups(file, engine="h5netcdf")
        groups = {name: data.load() for name, data in tree.items() if data.data_vars}
        for data in tree.values():
            data.close()
    except (OSError, ValueError) as error:
        raise _refuse(file, f"not readable NetCDF ({error})") from None
    posterior = groups.get("/posterior", groups.get("/"))
    if posterior is None or "draw" not in posterior.sizes:
        raise _refuse(file, "NetCDF, but no draws of this program")
    return {
        "holds": "draws of synax sample",
        "chains": posterior.sizes.get("chain", 1),
        "draws": posterior.sizes["draw"],
        "groups": [name.strip("/") or "draws of one chunk" for name in groups],
        "parameters": _moments(posterior),
    }


def _moments(draws: Any) -> dict[str, Any]:
    found = {}
    for name, values in draws.data_vars.items():
        if str(name).startswith("stats."):
            continue
        rest = [values.sizes[d] for d in values.dims if d not in ("chain", "draw")]
        mean, deviation = float(values.mean()), float(values.std())
        found[str(name)] = {"shape": rest} if rest else {"mean": mean, "deviation": deviation}
    return found


def _log(file: Path) -> dict[str, Any]:
    from ..inference import read_log

    entries = read_log(file.parent) if file.name == "log.jsonl" else []
    if not entries:
        raise _refuse(file, "not the log of a run, or empty")
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry["event"]] = counts.get(entry["event"], 0) + 1
    return {"holds": "log of a run", "events": counts, "first": entries[0], "last": entries[-1]}


def _png(file: Path) -> dict[str, Any]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            text, size = dict(getattr(image, "text", {})), image.size
    except OSError as error:
        raise _refuse(file, f"not a picture ({error})") from None
    if not str(text.get("Software", "")).startswith("synax"):
        raise _refuse(file, "a picture, but not one of this program")
    return {"holds": text.get("Title", "a figure"), "pixels": list(size), **text}


def _html(file: Path) -> dict[str, Any]:
    page = file.read_text(encoding="utf-8")
    title = re.search(r'<meta name="generator" content="synax"><title>(.*?)</title>', page)
    if title is None:
        raise _refuse(file, "a page, but not a report of this program")
    what = "page of comparisons" if file.name == "compare.html" else "report of a run"
    return {
        "holds": f"{what}, to be opened in a browser",
        "title": html.unescape(title[1]),
        "figures": page.count("data:image/png;base64,"),
    }


def _raw(file: Path) -> dict[str, Any]:
    numbers, rest = divmod(file.stat().st_size, 8)
    if rest or not numbers:
        raise _refuse(file, "not a raw grid: its size is no multiple of 8 bytes")
    found: dict[str, Any] = {"holds": "raw grid of hammurabiX (float64, no header)"}
    found["nodes_of_a_scalar"] = numbers
    return found | ({"nodes_of_a_vector": numbers // 3} if numbers % 3 == 0 else {})


_PROGRESS = ("posterior.nc", "log.jsonl")
"""Files of every run's folder of which more is told."""


def _folder(folder: Path) -> dict[str, Any]:
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    if (folder / "configuration.json").is_file():
        found = {"holds": "folder of a run", "files": files}
        for name in ("configuration.json", "result.json", *_PROGRESS):
            if (folder / name).is_file():
                found[name] = explain(folder / name)
        return found
    if (folder / "run.json").is_file():
        found = {"holds": "folder of a run from Python", "files": files}
        for name in ("run.json", *_PROGRESS):
            if (folder / name).is_file():
                found[name] = explain(folder / name)
        return found
    if (folder / "record.json").is_file():
        record = _json(folder / "record.json")
        return {**record, "holds": f"folder of a {record['holds'].split()[-1]}", "files": files}
    if (folder / "compare.html").is_file():
        titles = {}
        for file in sorted(folder.glob("*.json")):
            with suppress(BadInput):  # a folder may hold files of others
                record = _json(file)
                if {"comparison", "title"} <= record.keys():
                    titles[record["comparison"]] = record["title"]
        return {"holds": "folder of comparisons", "comparisons": titles, "files": files}
    raise _refuse(folder, "a folder, but neither of a run, of a simulation, nor of comparisons")


def _map(file: Path) -> dict[str, Any]:
    import numpy as np

    from ..io._fits_maps import read_map

    try:
        sky, notes = read_map(file)
    except (OSError, ValueError) as error:
        raise BadInput(f"FILE: {error}") from None
    found: dict[str, Any] = {
        "holds": f"HEALPix map of {', '.join(sky.columns)}",
        "unit": sky.unit,
        "frequency_GHz": sky.frequency,
        "nside": sky.nside,
        "ordering": sky.ordering,
        "frame": sky.frame,
        "convention": sky.convention if "U" in sky.columns else None,
        "assumed": notes or None,
        "pixels": f"{sky.values.shape[-1]} of {12 * sky.nside**2}",
        "missing": int((~np.asarray(sky.mask)).sum()) or None,
        "precision": str(sky.values.dtype),
    }
    for name in sky.columns:
        values = np.asarray(sky.component(name), dtype=float)
        values = values[np.isfinite(values)]
        if values.size:
            keys = ("minimum", "median", "mean", "maximum", "rms")
            numbers = (values.min(), np.median(values), values.mean(), values.max())
            rms = np.sqrt(np.mean(values**2))
            found[name] = {k: float(v) for k, v in zip(keys, (*numbers, rms), strict=True)}
    return {key: value for key, value in found.items() if value is not None}


def _grid(file: Path) -> dict[str, Any]:
    import numpy as np

    from .. import _catalogue
    from ..io._grids import read_grid

    try:
        grid = read_grid(file)
    except Exception as error:  # whatever a library makes of a foreign file
        text = " ".join(str(error).split())
        raise _refuse(file, f"not a map, grid or record of this program ({text})") from None
    values = np.asarray(grid.values, dtype=float)
    return {
        "holds": "field on a grid",
        **_catalogue.describe(grid),
        "values": {
            "shape": list(values.shape),
            "dtype": str(grid.values.dtype),
            "minimum": float(values.min()),
            "maximum": float(values.max()),
            "rms": float(np.sqrt(np.mean(values**2))),
        },
    }


_READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".json": _json,
    ".toml": _toml,
    ".npz": _npz,
    ".nc": _netcdf,
    ".jsonl": _log,
    ".png": _png,
    ".html": _html,
    ".bin": _raw,
}

"""Draws on disk: a NetCDF4 file a chunk, named after its first draw, with a checksum.

HDF5 is written in memory and goes to the disk as bytes: the library crashes at the end of the
program where its own writing has failed.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from ..io._atomic import write_whole
from ..io._sealed import DamagedFile, read_sealed, seal

FOLDER = "draws"
Columns = Mapping[str, ArrayLike]
"""Numbers by name, (chains, draws, ...)."""
_NAME = re.compile(r"[0-9]{9}\.nc")


def netcdf(groups: dict[str | None, Any]) -> bytes:
    """NetCDF4 of xarray Datasets by group (None: the file itself)."""
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:
        for name, data in groups.items():
            target = file if name is None else file.create_group(name)
            data.dump_to_store(H5NetCDFStore(target, autoclose=False))
    return buffer.getvalue()


def write_chunk(folder: Path, run: str, first: int, posterior: Columns, stats: Columns) -> None:
    """Write draws from number `first` on, {name: (chains, draws, ...)}, of the run named `run`.

    Files that begin among these draws, of an earlier run of other chunks, are superseded and go.
    """
    import xarray

    variables = {
        f"{group}{name}": (("chain", "draw", *_dims(name, v)), np.asarray(v))
        for group, found in (("", posterior), ("stats.", stats))
        for name, v in found.items()
    }
    data = xarray.Dataset(variables, attrs={"run": run, "first": first})
    write_whole(folder / FOLDER / f"{first:09d}.nc", seal(netcdf({None: data})))
    for start, path in _chunks(folder):
        if first < start < first + data.sizes["draw"]:
            path.unlink(missing_ok=True)


def read_chunks(
    folder: Path, run: str | None = None, stop: int | None = None
) -> dict[str, np.ndarray]:
    """Draws of every chunk one after the other, {name: (chains, draws, ...)}; {} if there are none.

    **Arguments:**

    - `run`: the name that every chunk must carry (default: that of the first).
    - `stop`: read no chunk that begins at this draw or later, and miss none before it.

    **Raises** `DamagedFile` naming the file that is damaged, missing or another run's.
    """
    import xarray

    parts: list[dict[str, np.ndarray]] = []
    total = 0
    for start, path in _chunks(folder):
        if stop is not None and start >= stop:
            break
        if start > total:
            raise DamagedFile(f"draws {total} to {start - 1} are missing before '{path}'")
        content = read_sealed(path)
        try:
            with xarray.load_dataset(io.BytesIO(content), engine="h5netcdf") as data:
                mark, first = data.attrs.get("run"), data.attrs.get("first")
                values = {str(name): v.values[:, total - start :] for name, v in data.items()}
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise DamagedFile(f"'{path}' holds no draws of synax ({error})") from None
        run = mark if run is None else run
        if mark != run or first != start or (parts and values.keys() != parts[0].keys()):
            raise DamagedFile(f"'{path}' holds other draws than its place in this run says")
        parts.append(values)
        total += next(iter(values.values())).shape[1]
    if stop is not None and total < stop:
        raise DamagedFile(f"draws {total} to {stop - 1} are missing in '{folder / FOLDER}'")
    return {k: np.concatenate([p[k] for p in parts], axis=1) for k in (parts[0] if parts else {})}


def _chunks(folder: Path) -> list[tuple[int, Path]]:
    files = sorted((Path(folder) / FOLDER).glob("*.nc"))
    return [(int(path.stem), path) for path in files if _NAME.fullmatch(path.name)]


def _dims(name: str, value: Any) -> tuple[str, ...]:
    return tuple(f"{name}_dim_{i}" for i in range(np.ndim(value) - 2))

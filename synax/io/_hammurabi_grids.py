"""hammurabiX's raw binary grids: float64, little endian, no header, x slowest and z fastest."""

import math
from pathlib import Path

import numpy as np

from ._sizes import check_regular

_MICROGAUSS_PER_GAUSS = 1e6


def write_raw(path: Path, values: np.ndarray, scale: float) -> None:
    """Write `values` (nx, ny, nz) or (3, nx, ny, nz) times `scale`, components interleaved."""
    last = np.moveaxis(values, 0, -1) if values.ndim == 4 else values
    np.ascontiguousarray(last * scale, dtype="<f8").tofile(path)


def read_raw(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Vectors (3, nx, ny, nz) in microgauss or scalars (nx, ny, nz), told apart by the size."""
    count, nodes = check_regular(path), math.prod(shape)
    if count not in (8 * nodes, 24 * nodes):
        raise ValueError(
            f"'{path}' has {count} bytes; shape {shape} needs {8 * nodes} (scalar) "
            f"or {24 * nodes} (vector)"
        )
    data = np.fromfile(path, dtype="<f8").astype(np.float64)
    if count == 8 * nodes:
        return data.reshape(shape)
    return np.moveaxis(data.reshape(*shape, 3), -1, 0) * _MICROGAUSS_PER_GAUSS

"""What the files of grids declare about their size, compared with the file before reading it.

A header can ask for any amount of memory; nothing is allocated for what the file does not hold, or
for what the machine cannot.
"""

import math
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

from .. import _checks as checks


def check_regular(path: Path) -> int:
    """Bytes of a regular file; `ValueError` for a device, pipe or folder."""
    kind = os.stat(path)
    if not stat.S_ISREG(kind.st_mode):
        raise ValueError("it is not a regular file")
    checks.memory("reading it", kind.st_size)
    return kind.st_size


def check_npz(path: Path) -> None:
    """Members of an archive that unpack to more than memory, or declare more than they hold."""
    import numpy as np

    with zipfile.ZipFile(path) as archive:
        checks.memory("what it unpacks to", sum(item.file_size for item in archive.infolist()))
        for item in archive.infolist():
            if not item.filename.endswith(".npy"):
                continue
            with archive.open(item) as member:
                version = np.lib.format.read_magic(member)
                read = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }.get(version)
                if read is None:
                    raise ValueError(f"{item.filename} is of an unknown version")
                shape, _, dtype = read(member)
                if dtype.hasobject:
                    raise ValueError(f"{item.filename} holds Python objects, which are not read")
            check_declared(item.filename, shape, dtype.itemsize, item.file_size)


def check_fits(path: Path, size: int) -> None:
    """The image of the first unit against the length of the file."""
    from astropy.io import fits

    with open(path, "rb") as file:
        if file.read(9) != b"SIMPLE  =":
            raise ValueError("it does not begin as FITS does")
        file.seek(0)
        header = fits.Header.fromfile(file)
    shape = [header.get(f"NAXIS{k + 1}", 0) for k in range(min(int(header.get("NAXIS", 0)), 999))]
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"NAXISn must be whole numbers, got {shape}")
    check_declared("its image", shape, abs(int(header.get("BITPIX", 8))) // 8, size)


def check_hdf5(data: Any) -> None:
    """A dataset, which may be stored compressed, against memory."""
    count = math.prod(int(n) for n in data.shape)
    checks.memory(f"its values of shape {tuple(data.shape)}", count * data.dtype.itemsize)


def check_declared(what: str, shape: Any, itemsize: int, available: int) -> None:
    """Raise `ValueError` if an array of this shape is longer than what there is of it."""
    needed = math.prod(int(n) for n in shape) * itemsize
    if needed > available:
        raise ValueError(
            f"the file is cut short: {what} of shape {tuple(shape)} needs {needed} bytes, and "
            f"there are {available}"
        )

"""Reading small text files that users give: regular files only, of a size that a text has."""

import os
import stat
from pathlib import Path

LARGEST = 16_000_000
"""bytes"""


def read_text(path: str | os.PathLike, largest: int = LARGEST) -> str:
    """The text of a regular file in UTF-8 (a byte-order mark is left out).

    **Raises** `FileNotFoundError` and other `OSError`; `ValueError` for what is no regular file
    (devices, pipes, folders), is larger than `largest` bytes, or is no UTF-8.
    """
    path = Path(path)
    kind = os.stat(path)
    if stat.S_ISDIR(kind.st_mode):
        raise ValueError(f"'{path}' is a folder")
    if not stat.S_ISREG(kind.st_mode):
        raise ValueError(f"'{path}' is not a regular file")
    with open(path, "rb") as file:
        raw = file.read(largest + 1)  # files of /proc have no size
    if len(raw) > largest:
        raise ValueError(f"'{path}' is larger than {largest / 1e6:g} MB")
    return raw.decode("utf-8-sig")

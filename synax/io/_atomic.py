"""Files appear whole or not at all: written under a temporary name, then renamed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_target(path: str | os.PathLike, overwrite: bool) -> Path:
    """Raise before any work if `path` could not be written: exists, no folder, no permission."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"'{path}' is a folder; give the name of a file")
    if path.exists() and not overwrite:
        raise FileExistsError(f"'{path}' exists; pass overwrite=True (--overwrite) to replace it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"folder '{path.parent}' of '{path.name}' does not exist")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"folder '{path.parent}' is not writable")
    return path


@contextmanager
def atomic(path: str | os.PathLike, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary name beside `path`, of the same ending; rename it when all went well."""
    path = check_target(path, overwrite)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

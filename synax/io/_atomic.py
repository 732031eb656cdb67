"""Files appear whole or not at all: written under a temporary name, then renamed.

A temporary file is named `.synax-HOST-PID-START-RANDOM.partial` and the ending of its target. Those
of a process that was killed are removed at the next write into the same folder, by that name and
only if their process has ended. Nothing else is ever removed.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ._process import Owner, this_process

_OURS = re.compile(
    r"\.synax-([0-9a-f]{8})-([1-9][0-9]{0,18})-([0-9a-f]*)-[0-9a-f]{12}\.partial(\.\w{1,16})?"
)
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}


class CannotWrite(OSError):
    """A file could not be written; the message names it and says why."""

    def __init__(self, path: str | os.PathLike, why: str, number: int | None = None):
        super().__init__(f"cannot write '{path}': {why}")
        self.why, self.errno = why, number


class CameMeanwhile(CannotWrite, FileExistsError):
    """Another program has made the file since it was looked for."""

    def __init__(self, path: str | os.PathLike):
        why = "it has come into being meanwhile, by another program; choose another name or folder"
        super().__init__(path, why, errno.EEXIST)


def check_target(path: str | os.PathLike, overwrite: bool) -> Path:
    """The file that `path` means, links followed; raises if it could not be written.

    **Raises** before any work, an `OSError` that names the path: it exists, is a folder, a device
    or a link to nothing, has no folder, or one that may not be written.
    """
    path = Path(path)
    if "\0" in str(path):
        raise CannotWrite(path, "the name has a null character")
    try:
        there = os.path.lexists(path)
        real = Path(os.path.realpath(path)) if there and path.is_symlink() else path
        mode = real.stat().st_mode if there else None
    except FileNotFoundError:
        raise FileNotFoundError(f"'{path}' is a link to a file that does not exist") from None
    except OSError as error:
        raise CannotWrite(path, error.strerror or str(error)) from None
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(f"'{path}' is a folder; give the name of a file")
    if mode is not None and not stat.S_ISREG(mode):
        raise FileExistsError(f"'{path}' is a device or a pipe; give the name of a file")
    if mode is not None and not overwrite:
        raise FileExistsError(f"'{path}' exists; pass overwrite=True (--overwrite) to replace it")
    if not real.parent.is_dir():
        raise FileNotFoundError(f"folder '{real.parent}' of '{path.name}' does not exist")
    _probe(real.parent)
    if len(os.fsencode(real.name)) > 255:
        raise CannotWrite(path, "the name is longer than 255 bytes")
    return real


_FITS = (".fits", ".fit", ".fts", ".fz")
_ENDINGS = {
    *_FITS,
    *(".png", ".pdf", ".svg", ".jpg", ".jpeg", ".npz", ".npy", ".h5", ".hdf5", ".nc", ".vti"),
    *(".vtk", ".csv", ".tsv", ".ecsv", ".vot", ".xml", ".txt", ".json", ".toml", ".html"),
}
"""Endings that say a format."""


def check_ending(
    path: str | os.PathLike, what: str, kind: str = "FITS", endings: tuple[str, ...] = _FITS
) -> None:
    """Raise `ValueError` if a file's name says another format than the one it is written in.

    Names without an ending, or with one that says no format (`sky.23GHz`), are anybody's choice.
    """
    path = Path(path)
    found = (path.with_suffix("") if path.suffix.lower() in (".gz", ".bz2") else path).suffix
    if found.lower() in _ENDINGS and found.lower() not in endings:
        raise ValueError(
            f"'{path}': {what} is written as {kind}: give a name that ends in {endings[0]}, not in "
            f"{found}"
        )


def check_place(folder: str | os.PathLike) -> Path:
    """The folder, if it is there and writable or could be made; makes nothing.

    **Raises** an `OSError` that names the part of the path at fault.
    """
    folder = Path(folder)
    there = folder
    if "\0" in str(folder):
        raise CannotWrite(folder, "the name has a null character")
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if there.is_symlink() and not os.path.exists(there):
        raise FileNotFoundError(f"'{there}' is a link to a folder that does not exist")
    if not there.is_dir():
        raise NotADirectoryError(f"'{there}' is a file, not a folder")
    _probe(there)
    if any(len(os.fsencode(part)) > 255 for part in folder.parts):
        raise CannotWrite(folder, "a name is longer than 255 bytes")
    return folder


@contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Say which file it was when the disk is full, read-only or broken."""
    try:
        yield
    except CameMeanwhile:
        raise
    except CannotWrite as error:  # of a temporary name inside
        raise CannotWrite(path, error.why, error.errno) from None
    except OSError as error:
        if error.errno in _DISK:
            raise CannotWrite(path, error.strerror or str(error), error.errno) from error
        if type(error) is not OSError or error.errno is not None:
            raise
        raise CannotWrite(path, f"is the disk full? ({error})") from error  # NumPy's, for one


@contextmanager
def atomic(path: str | os.PathLike, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary name beside `path`, of the same ending; rename it when all went well.

    **Raises** what `check_target` raises; `CannotWrite` naming `path` if the disk fails.
    """
    target = check_target(path, overwrite)
    remove_leftovers(target.parent)
    with writing(path):
        temporary = _temporary(target)
        try:
            yield temporary
            _settle(temporary)
            _place(temporary, target, overwrite)
        finally:
            temporary.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike, content: bytes, overwrite: bool = True) -> None:
    """Write bytes into a file that appears whole or not at all."""
    with atomic(path, overwrite) as temporary:
        temporary.write_bytes(content)


Stage = Callable[[str], AbstractContextManager[Path]]


@contextmanager
def together(folder: str | os.PathLike, overwrite: bool = False) -> Iterator[Stage]:
    """Files of one folder that appear when all of them are written, or none of them.

    Yields `stage`; `with stage(name) as temporary` writes one of them. The folder is made if need
    be, and removed again if the block fails.

    **Raises** what `check_target` raises; `CameMeanwhile` for a file that is there without
    `overwrite`; `CannotWrite` for two names that are links to one file, and if the disk fails.
    """
    folder = check_place(folder)
    pending: dict[Path, Path] = {}

    @contextmanager
    def stage(name: str) -> Iterator[Path]:
        if os.path.lexists(folder / name) and not overwrite:
            raise CameMeanwhile(folder / name)  # who stages has looked before
        target = check_target(folder / name, overwrite)
        if target in pending:
            raise CannotWrite(folder / name, f"another output is '{target}', by a link")
        with writing(target):
            pending[target] = temporary = _temporary(target)
            yield temporary
            _settle(temporary)

    made, placed = make_folder(folder), []
    remove_leftovers(folder)
    try:
        yield stage
        with _alone(folder):
            for target, temporary in pending.items():
                new = not target.exists()
                with writing(target):
                    _place(temporary, target, overwrite)
                placed += [target] if new else []
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        raise
    finally:
        for temporary in pending.values():
            temporary.unlink(missing_ok=True)
        if not placed:
            remove_folders(made)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Others who place files there wait, where folders can be locked: no half of two runs."""
    handle = None
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder with those above it; returns the new ones, the innermost first."""
    new = [folder, *folder.parents]
    new = new[: next(i for i, path in enumerate([*new, None]) if path is None or path.exists())]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return new


def remove_folders(made: list[Path]) -> None:
    """Remove folders that `make_folder` made, as far as they are empty."""
    for path in made:
        with contextlib.suppress(OSError):
            path.rmdir()


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files of ended processes from a folder (not from those below it)."""
    removed = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _OURS.fullmatch(entry.name)
            if found is None or not entry.is_file(follow_symlinks=False):
                continue
            if Owner(found[1], int(found[2]), found[3]).alive() is False:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
                    removed.append(Path(entry.path))
    return removed


def _temporary(target: Path) -> Path:
    """A new empty file beside the target, of its ending."""
    ending = target.suffix if re.fullmatch(r"\.\w{1,16}", target.suffix) else ""
    mark = "-".join(map(str, this_process()))
    path = target.parent / f".synax-{mark}-{secrets.token_hex(6)}.partial{ending}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path


def _probe(folder: Path) -> None:
    """Raise unless files can be made there; some file systems tell only when one tries."""
    try:
        if os.access(folder, os.W_OK | os.X_OK):
            _temporary(folder / "probe").unlink()
            return
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CannotWrite(folder, error.strerror, error.errno) from None
    raise PermissionError(f"folder '{folder}' is not writable")


def _settle(temporary: Path) -> None:
    """Wait until the content is on the disk: a full one may say so only now."""
    handle = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _place(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give a finished file its name; a file that has come meanwhile is not replaced unasked."""
    if not overwrite:
        try:
            os.link(temporary, target)
            return
        except FileExistsError:
            raise CameMeanwhile(target) from None
        except OSError:  # no hard links there
            if os.path.lexists(target):
                raise CameMeanwhile(target) from None
    os.replace(temporary, target)

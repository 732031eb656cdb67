"""One process at a time in a folder: a file that names it, locked for as long as it lives."""

import contextlib
import errno
import json
import os
import platform
import time
import weakref
from pathlib import Path
from typing import Any

from ._atomic import _temporary, writing
from ._process import Owner, this_process

NAME = "run.lock"


class FolderInUse(ValueError):
    """Another process works in the folder; the message names it."""


class FolderLock:
    """The lock of a folder, held from construction to `release` (or the end of the process).

    The kernel's lock on the file decides where there is one, so that a killed owner holds nothing;
    elsewhere the process that the file names is looked for.

    **Raises** `FolderInUse` with the process, the machine and since when.
    """

    def __init__(self, folder: Path):
        self.path = Path(folder) / NAME
        self.dead: str | None = None
        """Who held it before and ended without giving it back."""
        while True:
            handle = self._make()
            if handle is not None:
                break
            self._clear()
        self._release = weakref.finalize(self, _let_go, self.path, handle)

    def release(self) -> None:
        """Give the folder free."""
        self._release()

    def _make(self) -> int | None:
        """A new lock file, whole from its first moment; None if one is there."""
        about = {
            "program": "synax",
            "host": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "owner": list(this_process()),
        }
        with writing(self.path):
            temporary = _temporary(self.path)
            try:
                handle = os.open(temporary, os.O_RDWR)
                _write(handle, json.dumps(about).encode() + b"\n")
                _flock(handle)
                try:
                    os.link(temporary, self.path)
                except FileExistsError:
                    os.close(handle)
                    return None
                except OSError:  # no hard links there
                    os.close(handle)
                    return self._make_in_place(json.dumps(about).encode() + b"\n")
                return handle
            finally:
                temporary.unlink(missing_ok=True)

    def _make_in_place(self, content: bytes) -> int | None:
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        except FileExistsError:
            return None
        _write(handle, content)
        _flock(handle)
        return handle

    def _clear(self) -> None:
        """Remove the lock of an ended process; raise if its owner lives or cannot be asked."""
        try:
            handle = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return
        except OSError as error:
            raise FolderInUse(f"'{self.path}' cannot be opened: {error.strerror}") from None
        try:
            owner, who = _owner(self.path, os.read(handle, 4096))
            locked = _flock(handle)
            if locked is False or (locked is None and owner.alive()):
                raise FolderInUse(f"'{self.path.parent}' is in use by {who}: wait until it ends")
            if owner.alive() is None:
                raise FolderInUse(
                    f"'{self.path.parent}' is in use by {who}, which cannot be asked from here: "
                    f"if it has ended, delete '{self.path}'"
                )
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(self.path), os.fstat(handle)):
                    os.unlink(self.path)
                    self.dead = who
        finally:
            os.close(handle)


def _write(handle: int, content: bytes) -> None:
    if os.write(handle, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _flock(handle: int) -> bool | None:
    """Whether the kernel's lock was had; None where there are no such locks."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def _owner(path: Path, content: bytes) -> tuple[Owner, str]:
    try:
        about: Any = json.loads(content)
        owner = Owner(*about["owner"])
        who = f"process {int(owner.pid)} on {about['host']} (since {about['since']})"
    except (ValueError, KeyError, TypeError):
        raise FolderInUse(
            f"'{path}' is no lock that synax can read: choose another folder, or delete that file "
            "if no program works here"
        ) from None
    return owner, who


def _let_go(path: Path, handle: int) -> None:
    with contextlib.suppress(OSError):
        if os.path.samestat(os.stat(path), os.fstat(handle)):
            os.unlink(path)
    with contextlib.suppress(OSError):
        os.close(handle)

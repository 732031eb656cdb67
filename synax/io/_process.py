"""Which process owns a file, and whether that process is still there."""

import functools
import hashlib
import os
import platform
from pathlib import Path
from typing import NamedTuple


class Owner(NamedTuple):
    """A process, told apart from any later one of the same number."""

    host: str
    """Eight hexadecimal digits of the machine and of its table of processes."""
    pid: int
    started: str
    """When it began, in hexadecimal digits; empty where the system does not say."""

    def alive(self) -> bool | None:
        """Whether the process runs; None where it cannot be asked from here."""
        if self.host != _host() or os.name != "posix":
            return None
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:  # it runs, and is another user's
            pass
        now = _started(self.pid)
        return now is not None and now == self.started


def this_process() -> Owner:
    """The process that calls."""
    return Owner(_host(), os.getpid(), _started(os.getpid()) or "")


@functools.cache
def _host() -> str:
    try:
        table = os.readlink("/proc/self/ns/pid")  # containers number their processes themselves
    except OSError:
        table = ""
    return hashlib.sha256(f"{platform.node()} {table}".encode()).hexdigest()[:8]


def _started(pid: int) -> str | None:
    """Boot of the machine and tick of the start; '' if unknown, None if it has ended."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        return ""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        state, tick = words[0], int(words[19])
    except (OSError, IndexError, ValueError):
        return None
    return None if state in "ZX" else f"{boot.read_text()[:8]}{tick:x}"

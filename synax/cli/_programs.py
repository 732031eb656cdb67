"""Compiled programs of the command line, kept in the user's cache folder from run to run.

JAX can read and write compiled programs in a folder. It writes them in place, so that a run that
shares the folder, or a later one, may read half a program and crash. Here each run has a folder of
its own: checked programs are linked into it before JAX looks, and what JAX has added is checked
and moved out of it, under a name that holds its digest, when the run ends. The folder of a run that
was killed is removed by a later one. Nothing here is an error: without a cache, JAX compiles.

Programs that are not compiled yet (see `_lowered`) are kept in the same way, under names of ours.
"""

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import jax

from ..io._process import Owner, this_process

MOST_BYTES = 128 * 2**20
MOST_PROGRAMS = 2000
MOST_OF_OURS = 4
"""Beyond any, the oldest are removed; one that is needed again is made and kept again."""
OURS = "lowered-"
"""How names of our own begin: one for each configuration, of up to 10 MB."""

_ENDING = "-cache"
_KEPT = re.compile(r"([\w.-]{1,150}-[0-9a-f]{64})\.([0-9a-f]{64})")
_MADE = re.compile(r"([\w.-]{1,150}-[0-9a-f]{64})" + _ENDING)
_PRIVATE = re.compile(r"run-([0-9a-f]{8})-([1-9][0-9]{0,18})-([0-9a-f]*)-[0-9a-f]{12}")
_MACHINE = re.compile(r"jax-[\w.+-]+-[0-9a-f]{16}")

_OPEN: ContextVar["Programs | None"] = ContextVar("_OPEN", default=None)


@contextlib.contextmanager
def kept_programs() -> Iterator[None]:
    """Inside, JAX takes compiled programs from the user's cache folder, and adds new ones.

    Does nothing where the user has given JAX a cache of their own, or the folder cannot be used.
    """
    if jax.config.jax_compilation_cache_dir:
        yield
        return
    store = Programs.open(cache_folder())
    if store is None:
        yield
        return
    with store, warnings.catch_warnings():
        # a full disk while JAX writes: the program runs all the same, and is checked below
        warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
        jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
        jax.config.update("jax_compilation_cache_dir", str(store.private))
        mark = _OPEN.set(store)
        try:
            yield
        finally:
            _OPEN.reset(mark)


def opened() -> "Programs | None":
    """The programs of this run, inside of `kept_programs`; None where there are none."""
    return _OPEN.get()


def cache_folder() -> Path | None:
    """The folder for programs of this JAX on this machine; None without a home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "synax" / f"jax-{jax.__version__}-{_machine()}"


@functools.cache
def _machine() -> str:
    """What compiled programs depend on beside JAX's own key: the instructions of this processor."""
    flags = ""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(errors="replace")
        flags = "".join(re.findall(r"^(?:flags|Features|model name)\s*:.*$", text, re.M)[:2])
    words = (platform.machine(), platform.processor(), sys.platform, flags)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


class Programs:
    """The kept programs, and the folder of this run (`private`), which JAX reads and writes."""

    def __init__(self, folder: Path):
        self.folder, self.linked = folder, set[str]()
        mark = "-".join(map(str, this_process()))
        self.private = folder / f"run-{mark}-{secrets.token_hex(6)}"
        self.private.mkdir(mode=0o700)

    @staticmethod
    def open(folder: Path | None) -> "Programs | None":
        """The programs in a folder, which is made; None if it cannot be written or trusted."""
        if folder is None:
            return None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _only_ours(folder):
                return None
            _sweep(folder)
            store = Programs(folder)
        except OSError:
            return None
        store._fill()
        return store

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *_: Any) -> None:
        with contextlib.suppress(OSError):
            self._publish()
            _bound(self.folder.parent)
        _remove_private(self.private)

    def has(self, digest: str) -> bool:
        """Whether a run has kept something under this name of ours, 64 hexadecimal digits."""
        return self._ours(digest).exists()

    def read(self, digest: str) -> bytes | None:
        """What a run has kept under this name of ours, whole; None if none has."""
        path = self._ours(digest)
        try:
            content = zlib.decompress(path.read_bytes())
            os.utime(path)  # a link: the program that is kept counts as new
        except (OSError, zlib.error):
            return None
        return content

    def write(self, digest: str, content: bytes) -> None:
        """Keep this under a name of ours when the run ends."""
        with contextlib.suppress(OSError):  # not made smaller: that takes longer than to read it
            self._ours(digest).write_bytes(zlib.compress(content, 0))

    def _ours(self, digest: str) -> Path:
        return self.private / f"{OURS}{digest}{_ENDING}"

    def _fill(self) -> None:
        """Give JAX every kept program that is what its name says; remove the others."""
        for path, key, digest in _kept(self.folder):
            try:
                with path.open("rb") as file:
                    whole = hashlib.file_digest(file, "sha256").hexdigest() == digest
                if not whole:
                    path.unlink()
                    continue
                target = self.private / f"{key}{_ENDING}"
                if not target.exists():
                    _link(path, target)
                    self.linked.add(target.name)
            except OSError:
                continue

    def _publish(self) -> None:
        """Keep what JAX has added, if it is whole."""
        kept = {key for _, key, _ in _kept(self.folder)}
        for made in list(self.private.iterdir()):
            found = _MADE.fullmatch(made.name)
            if found is None or not made.is_file() or made.name in self.linked:
                continue
            content = made.read_bytes()
            if found[1] in kept or not _whole(content):
                continue
            name = f"{found[1]}.{hashlib.sha256(content).hexdigest()}"
            os.replace(made, self.folder / name)


def _only_ours(folder: Path) -> bool:
    """Whether nobody else can put a program there: whoever can, runs code as this user."""
    about = os.lstat(folder)
    if not stat.S_ISDIR(about.st_mode):
        return False
    if os.name != "posix":
        return True
    return about.st_uid == os.geteuid() and not about.st_mode & 0o022


def _kept(folder: Path) -> list[tuple[Path, str, str]]:
    """Path, key and digest of the kept programs."""
    with os.scandir(folder) as entries:
        names = [(e.path, _KEPT.fullmatch(e.name)) for e in entries]
    return [(Path(path), found[1], found[2]) for path, found in names if found]


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # no hard links there
        shutil.copyfile(path, target)


def _whole(content: bytes) -> bool:
    """Whether a program was written to its end: both compressions say so themselves."""
    try:
        if content[:1] == b"\x78":
            stream = zlib.decompressobj()
            stream.decompress(content)
            return stream.eof and not stream.unused_data
        return _decompress_zstd(content)
    except Exception:  # of whichever library reads it
        return False


def _decompress_zstd(content: bytes) -> bool:
    try:
        from compression import zstd  # pyright: ignore[reportMissingImports]

        return bool(zstd.decompress(content))
    except ImportError:
        import zstandard  # pyright: ignore[reportMissingImports]

        return bool(zstandard.decompress(content))


def _sweep(folder: Path) -> None:
    """Remove the private folders of runs that have ended."""
    with os.scandir(folder) as entries:
        found = [(e.path, _PRIVATE.fullmatch(e.name)) for e in entries if e.is_dir()]
    for path, mark in found:
        if mark and Owner(mark[1], int(mark[2]), mark[3]).alive() is False:
            _remove_private(Path(path))


def _remove_private(folder: Path) -> None:
    """Remove what JAX has put into a private folder, then the folder."""
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if _MADE.fullmatch(path.name) or path.name.endswith("-atime"):
                path.unlink()
        folder.rmdir()


def _bound(everything: Path) -> None:
    """Keep programs of all versions and machines within bounds: the newest ones stay."""
    folders = [f for f in everything.iterdir() if _MACHINE.fullmatch(f.name) and f.is_dir()]
    paths = [path for folder in folders for path, *_ in _kept(folder)]
    sized = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            about = path.stat()
            sized.append((about.st_mtime_ns, about.st_size, path))
    size = count = ours = 0
    for _, each, path in sorted(sized, reverse=True):
        ours += path.name.startswith(OURS)
        if path.name.startswith(OURS) and ours > MOST_OF_OURS:
            path.unlink(missing_ok=True)
            continue
        size, count = size + each, count + 1
        if size > MOST_BYTES or count > MOST_PROGRAMS:
            path.unlink(missing_ok=True)
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()  # of a version no longer in use, once empty

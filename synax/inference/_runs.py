"""Runs: a folder that survives being killed, and tells any terminal how far it has come.

    run.json                  what is computed: fingerprints, settings, versions
    run.lock                  the process that works here, while it does
    checkpoint.npz            the latest state, replaced as a whole
    checkpoint-previous.npz   the one before it, for the case that the latest is damaged
    draws/*.nc                results, a NetCDF4 file a chunk, named after its first draw
    posterior.nc              all of them as ArviZ data, when the run has finished
    log.jsonl                 one JSON object a line: what happened when

Every step is a function of the state alone, and files appear whole or not at all, so a run that
was killed anywhere and started again ends with the same bytes as one that was not. Checkpoints and
draws carry checksums. A folder that holds other files of these names is refused.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .._checks import warn
from ..io._atomic import (
    atomic,
    check_place,
    check_target,
    make_folder,
    remove_folders,
    remove_leftovers,
    write_whole,
    writing,
)
from ..io._lock import FolderInUse, FolderLock
from ..io._plain_json import dumps
from ..io._sealed import DamagedFile, seal, seal_document
from ._draws import FOLDER, Columns, netcdf, read_chunks, write_chunk
from ._identity import Facts, Identity, RunRefused, check_same, identity, read_identity
from ._store import Note, load_state, state_bytes

_FILES = ("run.json", "checkpoint.npz", "checkpoint-previous.npz", "posterior.nc", "log.jsonl")


Arrays = dict[str, np.ndarray]
"""Draws by name, each (chains, draws, ...)."""


class RunWarning(UserWarning):
    """A run goes on, but not from where it was left."""


def _warn(text: str) -> None:
    warn(text, RunWarning)


class Run:
    """One folder of checkpoints, results and log; `with` it, or let `open_run` make it.

    At the end of a `with` block the folder is given free; if the block fails before any state was
    saved, what the run wrote is removed.
    """

    def __init__(
        self,
        folder: Any,
        *,
        resume: bool = True,
        every_minutes: float = 0.0,
        documents: dict[str, dict[str, object]] | None = None,
        others: tuple[str, ...] = (),
        tell: Callable[[str], None] = _warn,
    ):
        """Nothing is written before `begin`.

        **Arguments:**

        - `every_minutes`: write the state at most that often (0: whenever it is offered).
        - `documents`: JSON documents to be kept beside run.json, by name.
        - `others`: further files that the caller will write here.
        - `tell`: told in one line when a checkpoint or a lock had to be passed over; the default
          is a `RunWarning`.
        """
        self.folder, self.resume, self.every = Path(folder), resume, 60.0 * every_minutes
        self.documents, self.others, self.tell = documents or {}, others, tell
        self.saved_at = -np.inf
        self._name = ""
        self._lock: FolderLock | None = None
        self._written: list[Path] = []
        self._made: list[Path] = []
        self._kept = self._trusted = True

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.close(failed=error is not None)

    def check(self) -> bool:
        """Whether the folder holds a run. Writes nothing.

        **Raises** `RunRefused` if it holds no run but files whose names a run needs, or if the
        run in it is damaged; `OSError` if nothing could be written there.
        """
        check_place(self.folder)
        names = (*_FILES, *self.documents, *self.others)
        found = [name for name in names if os.path.lexists(self.folder / name)]
        draws = self.folder / FOLDER
        if "run.json" in found:
            read_identity(self.folder / "run.json")
            for name in found:
                check_target(self.folder / name, overwrite=True)
            if os.path.lexists(draws):
                check_place(draws)
            return True
        if os.path.lexists(draws) and not (draws.is_dir() and not any(draws.iterdir())):
            found.append(FOLDER)
        if found:
            raise RunRefused(
                f"'{self.folder}' holds {', '.join(found)}, but no run of synax (no run.json): "
                "choose another folder, for these files would be replaced"
            )
        return False

    def begin(self, kind: str, settings: Facts, parts: Facts) -> None:
        """State what is computed, or check that the folder holds the same computation.

        **Raises** `RunRefused`, a `ValueError` that says what differs, that the folder is taken,
        damaged, in use or not a run's; `OSError` if it cannot be written.
        """
        here = identity(kind, settings, parts)
        self._kept = self._find(here)
        self._made = [*make_folder(self.folder), *self._made]
        try:
            self._lock = self._lock or FolderLock(self.folder)
            there = self._find(here)  # it may have come while there was no lock
        except BaseException as error:
            self.close(failed=True)
            if isinstance(error, FolderInUse):
                raise RunRefused(str(error)) from None
            raise
        self._name, self._kept = here["run"], there
        remove_leftovers(self.folder)
        remove_leftovers(self.folder / FOLDER)
        self._made = [*make_folder(self.folder / FOLDER), *self._made]
        if not there:
            self._write("run.json", (json.dumps(here, indent=2) + "\n").encode())
        for name, document in self.documents.items():
            self._write(name, seal_document(document).encode())
        if self._lock.dead is not None:
            self.tell(f"'{self.folder}' was left by {self._lock.dead}, which has ended")
        if there:
            self.log("resumed")
        else:
            self.log("started", **{k: here[k] for k in ("kind", "settings", "versions")})

    def _find(self, here: Identity) -> bool:
        if not self.check():
            return False
        if not self.resume:
            raise RunRefused(f"'{self.folder}' already holds a run: resume it, or choose another")
        check_same(self.folder, read_identity(self.folder / "run.json"), here)
        return True

    def _write(self, name: str, content: bytes) -> None:
        write_whole(self.folder / name, content)
        self._written.append(self.folder / name)

    def close(self, failed: bool = False) -> None:
        """Give the folder free; after a failure that left nothing to go on from, remove it."""
        if failed and not self._kept:
            for path in self._written:
                path.unlink(missing_ok=True)
            self._written.clear()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        if failed and not self._kept:
            remove_folders(self._made)

    def restore(self, template: Any) -> tuple[Any, Note] | None:
        """The latest state and note, in the structure of `template`; None at the beginning.

        If the latest checkpoint is damaged the one before it is taken, and told.

        **Raises** `RunRefused` naming the files if neither can be used.
        """
        last, previous = self.folder / "checkpoint.npz", self.folder / "checkpoint-previous.npz"
        if not last.exists() and not previous.exists():
            return None
        problems = []
        for path in (last, previous):
            try:
                state, note = load_state(path, template)
                if note.get("run") != self._name:
                    raise DamagedFile(f"'{path}' is the checkpoint of another run")
            except FileNotFoundError:
                problems.append(f"there is no '{path}'")
                continue
            except (DamagedFile, OSError) as error:
                problems.append(str(error))
                continue
            self._trusted = path == last
            if problems:
                self.tell(f"{problems[0]}: going on from the one before it")
                self.log("previous checkpoint", because=problems[0])
            own: Any = note["note"]
            return state, own
        raise RunRefused(f"no checkpoint can be used: {'; '.join(problems)}; begin another run")

    def save(self, state: Any, note: Facts, *, force: bool = False) -> None:
        """Write the state, unless the last one is younger than `every_minutes`."""
        now = time.monotonic()
        if not force and now - self.saved_at < self.every:
            return
        path = self.folder / "checkpoint.npz"
        content = state_bytes(state, {"run": self._name, "note": note})
        if self._trusted and path.exists():
            _keep(path, path.with_name("checkpoint-previous.npz"))
        write_whole(path, content)
        self.saved_at, self._kept, self._trusted = now, True, True

    def write_draws(self, first: int, posterior: Columns, stats: Columns) -> None:
        """Write draws from number `first` on, {name: (chains, draws, ...)}; again if need be."""
        self._kept = True
        write_chunk(self.folder, self._name, first, posterior, stats)

    def draws(self, stop: int | None = None) -> tuple[Arrays, Arrays]:
        """Parameters and statistics of the draws so far, all of them before `stop` for certain.

        **Raises** `DamagedFile`, a `ValueError` that names the file.
        """
        return _parted(read_chunks(self.folder, self._name, stop))

    def write_result(self, data: Any) -> None:
        """Write ArviZ data as `posterior.nc`, to be opened by `arviz.from_netcdf`."""
        content = netcdf({name: data[name] for name in data.groups()})
        write_whole(self.folder / "posterior.nc", seal(content))

    def log(self, event: str, **values: Any) -> None:
        """Append one line to the log."""
        path = self.folder / "log.jsonl"
        entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **values}
        with writing(path):
            new = not path.exists()
            with open(path, "ab+") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - 1))
                torn = size > 0 and file.read(1) != b"\n"  # a line that was cut off
                file.write(b"\n" * torn + dumps(entry).encode() + b"\n")
        if new:
            self._written.append(path)


@contextmanager
def open_run(folder: Any, kind: str, settings: Facts, parts: Facts) -> Iterator[Run]:
    """The run in a folder (or a `Run` made by the caller), begun or checked against itself.

    The folder is given free at the end of the block, a `Run` of the caller by the caller.
    """
    mine = contextlib.nullcontext(folder) if isinstance(folder, Run) else Run(folder)
    with mine as run:
        run.begin(kind, settings, parts)
        yield run


def read_draws(folder: Any) -> tuple[Arrays, Arrays]:
    """The draws of a run folder, finished or not: parameters and statistics, (chains, draws, ...).

    **Raises** `ValueError` if there are none, or one that names the file if a file is damaged.
    """
    folder = Path(folder)
    path = folder / "run.json"
    whole = read_chunks(folder, read_identity(path)["run"] if path.exists() else None)
    if not whole:
        raise ValueError(f"'{folder}' holds no draws yet")
    return _parted(whole)


def _keep(path: Path, second: Path) -> None:
    """Give a file a second name as well, at once."""
    with atomic(second, overwrite=True) as temporary:
        temporary.unlink()
        try:
            os.link(path, temporary)
        except OSError:  # no hard links there
            temporary.write_bytes(path.read_bytes())


def _parted(whole: Arrays) -> tuple[Arrays, Arrays]:
    stats = {k.removeprefix("stats."): v for k, v in whole.items() if k.startswith("stats.")}
    return {k: v for k, v in whole.items() if not k.startswith("stats.")}, stats


def read_log(folder: Any) -> list[dict[str, Any]]:
    """The log of a run folder; lines that are just being written, or damaged, are left out.

    **Raises** `ValueError` if there is no log.
    """
    path = Path(folder) / "log.jsonl"
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ValueError(f"'{path}' cannot be read: {error.strerror}") from None
    entries = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line.decode("utf-8"))
            if isinstance(entry, dict) and "event" in entry:
                entries.append(entry)
    return entries

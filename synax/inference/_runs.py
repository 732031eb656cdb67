"""Runs: a folder that survives being killed, and tells any terminal how far it has come.

    run.json         what is computed: fingerprints, settings, versions
    checkpoint.npz   the latest state, replaced as a whole
    draws/*.nc       results, a NetCDF4 file a chunk, named after its first draw
    posterior.nc     all of them as ArviZ data, when the run has finished
    log.jsonl        one JSON object a line: what happened when

Every step is a function of the state alone, and files appear whole or not at all, so a run that
was killed anywhere and started again ends with the same bytes as one that was not.
"""

import importlib.metadata
import json
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from ..io._atomic import atomic
from ._posterior import Posterior
from ._store import fingerprint, load_state, save_state

_PACKAGES = ("jax", "jaxlib", "equinox", "numpy", "blackjax", "optax")


class RunRefused(ValueError):
    """A folder holds a run of another problem, or one that was not to be touched."""


class Run:
    """One folder of checkpoints, results and log. Make it with `open_run`."""

    def __init__(self, folder: Any, *, resume: bool = True, every_minutes: float = 0.0):
        """`every_minutes`: write the state at most that often (0: whenever it is offered)."""
        self.folder, self.resume, self.every = Path(folder), resume, 60.0 * every_minutes
        self.saved_at = -np.inf

    def begin(self, kind: str, settings: dict[str, Any], parts: dict[str, Any]) -> None:
        """State what is computed, or check that the folder holds the same computation.

        **Raises** `RunRefused`, a `ValueError` that says what differs or that the folder is taken.
        """
        identity = {
            "kind": kind,
            "settings": json.loads(json.dumps(settings)),
            "fingerprints": {name: fingerprint(part) for name, part in _split(parts).items()},
            "versions": versions(),
        }
        path = self.folder / "run.json"
        if path.exists():
            if not self.resume:
                raise ValueError(
                    f"'{self.folder}' already holds a run: resume it, or choose another"
                )
            _check_same(self.folder, json.loads(path.read_text(encoding="utf-8")), identity)
            self.log("resumed")
        else:
            (self.folder / "draws").mkdir(parents=True, exist_ok=True)
            with atomic(path) as temporary:
                temporary.write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
            self.log("started", **{k: identity[k] for k in ("kind", "settings", "versions")})
        for left in self.folder.glob("**/.*-*"):
            left.unlink(missing_ok=True)

    def restore(self, template: Any) -> tuple[Any, dict[str, Any]] | None:
        """The latest state and note, in the structure of `template`; None at the beginning."""
        path = self.folder / "checkpoint.npz"
        return load_state(path, template) if path.exists() else None

    def save(self, state: Any, note: dict[str, Any], *, force: bool = False) -> None:
        """Write the state, unless the last one is younger than `every_minutes`."""
        now = time.monotonic()
        if force or now - self.saved_at >= self.every:
            save_state(self.folder / "checkpoint.npz", state, note)
            self.saved_at = now

    def write_draws(self, first: int, posterior: dict[str, Any], stats: dict[str, Any]) -> None:
        """Write draws from number `first` on, {name: (chains, draws, ...)}; again if need be."""
        import xarray

        variables = {
            f"{group}{name}": (("chain", "draw", *_dims(name, v)), np.asarray(v))
            for group, found in (("", posterior), ("stats.", stats))
            for name, v in found.items()
        }
        path = self.folder / "draws" / f"{first:09d}.nc"
        with atomic(path, overwrite=True) as temporary:
            xarray.Dataset(variables).to_netcdf(temporary, engine="h5netcdf")

    def write_result(self, data: Any) -> None:
        """Write ArviZ data as `posterior.nc`, to be opened by `arviz.from_netcdf`."""
        with atomic(self.folder / "posterior.nc", overwrite=True) as temporary:
            data.to_netcdf(str(temporary), engine="h5netcdf")

    def log(self, event: str, **values: Any) -> None:
        """Append one line to the log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **values}
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(entry, default=_number) + "\n")


def open_run(folder: Any, kind: str, settings: dict[str, Any], parts: dict[str, Any]) -> Run:
    """The run in a folder (or a `Run` made by the caller), begun or checked against itself."""
    run = folder if isinstance(folder, Run) else Run(folder)
    run.begin(kind, settings, parts)
    return run


def read_draws(folder: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The draws of a run folder, finished or not: parameters and statistics, (chains, draws, ...).

    **Raises** `ValueError` if there are none.
    """
    import xarray

    files = sorted((Path(folder) / "draws").glob("[0-9]*.nc"))
    if not files:
        raise ValueError(f"'{folder}' holds no draws yet")
    loaded = [xarray.load_dataset(f, engine="h5netcdf") for f in files]
    whole = {str(v): np.concatenate([d[v].values for d in loaded], axis=1) for v in loaded[0]}
    stats = {k.removeprefix("stats."): v for k, v in whole.items() if k.startswith("stats.")}
    return {k: v for k, v in whole.items() if not k.startswith("stats.")}, stats


def read_log(folder: Any) -> list[dict[str, Any]]:
    """The log of a run folder; a line that is just being written is left out."""
    entries = []
    for line in (Path(folder) / "log.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return entries


def versions() -> dict[str, str]:
    """Versions of what the bytes of a result depend on."""
    found = {}
    for package in ("synax-sky", *_PACKAGES):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _split(parts: dict[str, Any]) -> dict[str, Any]:
    """A posterior counts as three: its model, its priors, its data."""
    split: dict[str, Any] = {}
    for name, part in parts.items():
        if isinstance(part, Posterior):
            split |= {"model": part.model, "priors": part.blocks, "data": part.likelihood}
        else:
            split[name] = part
    return split


def _check_same(folder: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    if there["kind"] != here["kind"]:
        raise RunRefused(f"'{folder}' holds a {there['kind']} run, not a {here['kind']} run")
    problems = []
    for group in ("fingerprints", "settings", "versions"):
        old, new = there[group], here[group]
        for name in sorted({*old, *new}):
            if old.get(name) == new.get(name):
                continue
            if group == "fingerprints":
                problems.append(f"another {name}")
            else:
                problems.append(f"{name} {old.get(name)!r} then, {new.get(name)!r} now")
    if problems:
        raise RunRefused(f"'{folder}' cannot be resumed: {'; '.join(problems)}")


def _dims(name: str, value: Any) -> tuple[str, ...]:
    return tuple(f"{name}_dim_{i}" for i in range(np.ndim(value) - 2))


def _number(value: Any) -> Any:
    if eqx.is_array(value) or isinstance(value, np.ndarray | np.generic):
        return np.asarray(value).tolist()
    return str(value)

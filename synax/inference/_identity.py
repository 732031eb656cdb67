"""What a run computes, as the fingerprints in its run.json."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypedDict

from ..io._plain_json import exact
from ._density import LatentDensity
from ._store import fingerprint

_PACKAGES = ("jax", "jaxlib", "equinox", "numpy", "blackjax", "optax")
_GROUPS: Final = ("fingerprints", "settings", "versions")
Facts = Mapping[str, object]
"""Settings, or what a run depends on, by name."""


class Identity(TypedDict):
    """The content of run.json."""

    kind: str
    settings: dict[str, object]
    fingerprints: dict[str, str]
    versions: dict[str, str]
    run: str


class RunRefused(ValueError):
    """A folder holds a run of another problem, is damaged, in use, or not ours to write into."""


def identity(kind: str, settings: Facts, parts: Facts) -> Identity:
    """The content of run.json: kind, settings, fingerprints, versions, and the name of the run."""
    found: Identity = {
        "kind": kind,
        "settings": json.loads(json.dumps(exact(settings))),
        "fingerprints": {name: fingerprint(part) for name, part in _split(parts).items()},
        "versions": versions(),
        "run": "",
    }
    found["run"] = _name(found)
    return found


def read_identity(path: Path) -> Identity:
    """What run.json holds; `RunRefused` if it is damaged or another program's."""
    try:
        found = json.loads(path.read_bytes().decode("utf-8"))
        if all(isinstance(found[group], dict) for group in _GROUPS) and found["run"] == _name(
            found
        ):
            return found
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    except OSError as error:
        raise RunRefused(f"'{path}' cannot be read: {error.strerror}") from None
    raise RunRefused(f"'{path}' is not the run.json of a run of synax, or it is damaged")


def check_same(folder: Path, there: Identity, here: Identity) -> None:
    """Raise `RunRefused` that says what differs between the run in a folder and this one."""
    if there["kind"] != here["kind"]:
        raise RunRefused(f"'{folder}' holds a {there['kind']} run, not a {here['kind']} run")
    problems = []
    for group in _GROUPS:
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


def versions() -> dict[str, str]:
    """Versions of what the bytes of a result depend on."""
    found = {}
    for package in ("synax-sky", *_PACKAGES):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _name(found: Facts) -> str:
    """The name of a run: a digest of what it computes, whatever the versions."""
    what = [found[key] for key in ("kind", "settings", "fingerprints")]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]


def _split(parts: Facts) -> dict[str, object]:
    """A posterior counts as three: its model, its priors, its data."""
    split: dict[str, object] = {}
    for name, part in parts.items():
        if isinstance(part, LatentDensity):
            split |= {"model": part.model, "priors": part.blocks, "data": part.likelihood}
        else:
            split[name] = part
    return split

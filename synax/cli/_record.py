"""The JSON record of a run: what was computed, with what, on what, how long, how well."""

import functools
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

from ..io._atomic import write_whole
from ..io._plain_json import dumps, explained

_PACKAGES = ("jax", "jaxlib", "equinox", "interpax", "numpy", "healpy", "astropy")


def version() -> str:
    """The installed version of this package ('uninstalled' when run from a source tree)."""
    return package_version("synax-sky") or "uninstalled"


@functools.cache
def package_version(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Versions of this package, Python and what the numbers depend on."""
    found = {name: package_version(name) for name in _PACKAGES}
    return {
        "synax": version(),
        "python": platform.python_version(),
        **{name: value for name, value in found.items() if value},
    }


def machine() -> dict[str, Any]:
    """Processor, operating system and JAX backend of this run."""
    import jax

    device = jax.devices()[0]
    return {
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "backend": jax.default_backend(),
        "device": device.device_kind,
        "n_devices": jax.device_count(),
    }


def start(kind: str) -> dict[str, Any]:
    """The beginning of every record: its kind, the versions, the machine, the command line."""
    return {
        "program": "synax",
        "kind": kind,
        "versions": versions(),
        "machine": machine(),
        "command": ["synax", *sys.argv[1:]],
    }


def text(record: dict[str, Any]) -> str:
    """A record as JSON; numbers that are not finite are null, and listed under `not_finite`."""
    return dumps(explained(record), indent=2) + "\n"


def save(record: dict[str, Any], path: Path, overwrite: bool) -> None:
    """Write a record as JSON, whole or not at all."""
    write_whole(path, text(record).encode(), overwrite)

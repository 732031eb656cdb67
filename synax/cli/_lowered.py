"""Programs of `synax simulate` that are kept before they are compiled: a later run traces nothing.

JAX keeps compiled programs and finds one by its text, which it makes anew in each run: Python walks
through every model, for a second or two. Here the text itself is kept (StableHLO, by `jax.export`),
with what that run warned of. Its name holds a digest of all that decides it: the configuration,
every file of this package, the versions of the others, JAX's settings, the devices. Configurations
that name files are left out: those may change.
"""

import functools
import hashlib
import json
import os
import platform
import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import jax

from .._numerics._mesh import as_mesh
from ..io._plain_json import dumps
from . import _values as v
from ._programs import Programs, opened
from ._record import package_version

_FORMAT = 1
_OTHERS = ("jax", "jaxlib", "equinox", "interpax", "jaxtyping", "numpy", "scipy")
_PACKAGE = Path(__file__).parents[1]
_NOT_OF_PROGRAMS = ("jax_compilation_cache_dir", "jax_persistent_cache_", "jax_logging_level")
"""Settings of JAX by which no program differs: the folder of the cache is another in each run."""


class Program:
    """A compiled program with its arrays' places on the devices."""

    def __init__(self, exported: Any):
        mesh = as_mesh()
        everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        self.arguments = [(a.shape, a.dtype) for a in exported.in_avals]
        self._places = [place or everywhere for place in exported.in_shardings_jax(mesh)]
        lowered = jax.jit(exported.call, in_shardings=tuple(self._places))
        self._compiled = lowered.lower(*exported.in_avals).compile()
        self._given: list[Any] = [None] * len(self._places)
        self._placed = list(self._given)

    def __call__(self, leaves: list[Any]) -> Any:
        """The results for these arrays; those that were there before are not copied again."""
        new = [k for k, leaf in enumerate(leaves) if leaf is not self._given[k]]
        placed = jax.device_put([leaves[k] for k in new], [self._places[k] for k in new])
        for k, array in zip(new, placed, strict=True):
            self._given[k], self._placed[k] = leaves[k], array
        return self._compiled(*self._placed)


class Lowered:
    """The program of one configuration: that of an earlier run, or the one that this run traces.

    Made by `of`, which begins to read and to load at once, while the caller goes on.
    """

    def __init__(self, store: Programs, key: str, precision: Callable[[], AbstractContextManager]):
        self._store, self._key, self._precision = store, key, precision
        self.is_kept = store.has(key)
        """Whether an earlier run has kept it."""
        self._program: Program | None = None
        self._text = b""
        self.told: list[str] = []
        """What the run that traced the program warned of, once that is `found`."""
        self._loading = threading.Thread(target=self._load, daemon=True)
        self._loading.start()

    @staticmethod
    def of(
        config: dict[str, Any], precision: Callable[[], AbstractContextManager]
    ) -> "Lowered | None":
        """The program for a configuration; None where none can be kept.

        `precision()` is a context in which JAX has the dtype of the program.
        """
        store = opened()
        if store is None or jax.config.values["jax_disable_jit"] or _names_a_file(config):
            return None
        return Lowered(store, digest(config), precision)

    def _load(self) -> None:
        with suppress(Exception), warnings.catch_warnings():  # then it is traced
            content = self._store.read(self._key)
            if content is None:
                return
            end = 8 + int.from_bytes(content[:8], "little")
            told = json.loads(content[8:end])["told"]
            with self._precision():
                program = Program(_exporting().deserialize(bytearray(content[end:])))
            self.told, self._program = told, program

    def found(self, leaves: list[Any]) -> Program | None:
        """The program of an earlier run for arrays like these."""
        self._loading.join()
        program = self._program
        if program is None or program.arguments != [(x.shape, x.dtype) for x in leaves]:
            return None
        return program

    def trace(self, function: Callable[..., Any], leaves: list[Any]) -> Program:
        """A program of this function, which `keep` then keeps."""
        exported = _exporting().export(jax.jit(function))(*leaves)
        self._text = bytes(exported.serialize())
        return Program(exported)

    def keep(self, told: list[str]) -> None:
        """Keep the program that was traced, with what was warned of meanwhile."""
        head = dumps({"told": told}).encode()
        self._store.write(self._key, len(head).to_bytes(8, "little") + head + self._text)


def _exporting() -> Any:
    import jax.export

    return jax.export


def _names_a_file(config: Any) -> bool:
    """Whether fields or pixels come from a file; the frequencies of a survey are in `config`."""
    lines = config.get("sightlines", {})
    return isinstance(lines.get("pixels"), str) or _has_source(config)


def _has_source(tree: Any) -> bool:
    if isinstance(tree, list):
        return any(map(_has_source, tree))
    if not isinstance(tree, dict):
        return False
    files = [source for source in v.SOURCES if source != "model"]
    return any(key in files or _has_source(value) for key, value in tree.items())


def digest(config: dict[str, Any]) -> str:
    """64 hexadecimal digits of everything that decides the program of a configuration."""
    asked = {name: part for name, part in config.items() if name != "output"}
    devices = [(d.platform, d.device_kind, d.id) for d in jax.devices()]
    settings = {
        name: str(value)
        for name, value in jax.config.values.items()
        if not name.startswith(_NOT_OF_PROGRAMS)
    }
    versions = [platform.python_version(), *map(package_version, _OTHERS)]
    everything = [_FORMAT, asked, source(), versions, settings, devices]
    return hashlib.sha256(dumps(everything, sort_keys=True).encode()).hexdigest()


@functools.cache
def source(package: Path = _PACKAGE) -> str:
    """A digest of every file of a package, by name and content."""
    found = hashlib.sha256()
    for folder, below, names in os.walk(package):
        below[:] = sorted(name for name in below if name != "__pycache__")
        for name in sorted(names):
            path = Path(folder, name)
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(f"{path.relative_to(package)}\n{content}\n".encode())
    return found.hexdigest()

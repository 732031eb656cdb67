"""Fingerprints of problems, and PyTrees of arrays on disk: npz with a checksum, never pickle."""

import contextlib
import hashlib
import io
import json
import re
import types
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..io._atomic import write_whole
from ..io._plain_json import exact, from_exact
from ..io._sealed import DamagedFile, read_sealed, seal

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def fingerprint(tree: Any) -> str:
    """SHA-256 of a PyTree: its structure with static fields, and every value in it."""
    digest = hashlib.sha256()
    _feed(digest, tree, set())
    return digest.hexdigest()


def _feed(digest: Any, tree: Any, seen: set[int]) -> None:
    leaves, structure = jax.tree.flatten(tree, is_leaf=_is_distribution)
    digest.update(_ADDRESS.sub("", str(structure)).encode())
    for leaf in leaves:
        if _is_distribution(leaf):
            _feed_distribution(digest, leaf, seen)
        else:
            _feed_leaf(digest, leaf, seen)


def _is_distribution(x: Any) -> bool:
    return hasattr(type(x), "gather_pytree_aux_fields")


def _feed_distribution(digest: Any, x: Any, seen: set[int]) -> None:
    """A numpyro distribution: the order of its parts as a PyTree differs between processes."""
    digest.update(f"{type(x).__module__}.{type(x).__qualname__}".encode())
    for names in (type(x).gather_pytree_data_fields(), type(x).gather_pytree_aux_fields()):
        for name in sorted(names):
            digest.update(name.encode())
            _feed(digest, x.__dict__.get(name), seen)


def _feed_leaf(digest: Any, leaf: Any, seen: set[int]) -> None:
    if eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if eqx.is_array(leaf) or isinstance(leaf, np.ndarray | np.generic):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    elif isinstance(leaf, types.FunctionType):
        _feed_function(digest, leaf, seen)
    else:
        digest.update(_ADDRESS.sub("", f"{type(leaf).__qualname__}:{leaf!r}").encode())


def _feed_function(digest: Any, function: types.FunctionType, seen: set[int]) -> None:
    """Name, code, defaults and what the function closes over (an optimiser's learning rate)."""
    if id(function) in seen:
        return
    seen.add(id(function))
    digest.update(f"{function.__module__}.{function.__qualname__}".encode())
    _feed_code(digest, function.__code__)
    cells = [c.cell_contents for c in function.__closure__ or () if _filled(c)]
    for value in (function.__defaults__, function.__kwdefaults__, cells):
        _feed(digest, value, seen)


def _feed_code(digest: Any, code: types.CodeType) -> None:
    digest.update(code.co_code + repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _feed_code(digest, constant)
        elif isinstance(constant, frozenset):  # its order differs from process to process
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(repr(constant).encode())


def _filled(cell: Any) -> bool:
    with contextlib.suppress(ValueError):
        _ = cell.cell_contents
        return True
    return False


Note = dict[str, object]
"""What is stored beside a state, as JSON."""


def save_state(path: Path, tree: Any, note: Mapping[str, object]) -> None:
    """Write the arrays of a PyTree and a JSON note into one npz file with a checksum."""
    write_whole(path, state_bytes(tree, note))


def state_bytes(tree: Any, note: Mapping[str, object]) -> bytes:
    """What `save_state` writes."""
    arrays = {f"leaf{i}": _as_numpy(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}
    arrays["note"] = np.array(json.dumps(exact(note), allow_nan=False))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return seal(buffer.getvalue())


def _as_numpy(leaf: Any) -> np.ndarray:
    if eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    if array.dtype.hasobject:
        raise TypeError(f"a state must be made of arrays, got {type(leaf).__name__}")
    return array


def load_state(path: Path, template: Any) -> tuple[Any, Note]:
    """Read what `save_state` wrote, into the structure, shapes and dtypes of `template`.

    The leaves of `template` are arrays or `jax.ShapeDtypeStruct`.

    **Raises** `DamagedFile`, a `ValueError`, for a file that is not as it was written;
    `ValueError` where it holds another structure.
    """
    leaves, structure = jax.tree.flatten(template)
    content = read_sealed(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            note = from_exact(json.loads(str(file["note"])))
            arrays = [file[f"leaf{i}"] for i in range(len(file.files) - 1)]
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedFile(f"'{path}' is no checkpoint of synax ({error})") from None
    if len(arrays) != len(leaves):
        raise ValueError(f"'{path}' holds {len(arrays)} arrays, this run needs {len(leaves)}")
    restored = [_like(a, leaf, path) for a, leaf in zip(arrays, leaves, strict=True)]
    return jax.tree.unflatten(structure, restored), note


def _like(array: np.ndarray, leaf: Any, path: Path) -> Any:
    if eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    if array.shape != leaf.shape or array.dtype != leaf.dtype:
        raise ValueError(
            f"'{path}' holds an array {array.dtype}{array.shape} where this run has "
            f"{leaf.dtype}{leaf.shape}"
        )
    return jnp.asarray(array)

"""Fingerprints of problems, and PyTrees of arrays on disk: npz with a checksum, never pickle."""

import contextlib
import hashlib
import io
import json
import re
import sys
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
_PLAIN = (int, float, complex, str, bytes)


def fingerprint(tree: Any) -> str:
    """SHA-256 of a PyTree: its structure with static fields, and every value in it.

    Of classes and functions of the user's own the code counts too, with what it takes from its
    module; that of installed packages is told by their versions.
    """
    digest, seen = hashlib.sha256(), set()
    _feed(digest, tree, seen)
    for kind in _own_classes(tree):
        _feed_class(digest, kind, seen)
    return digest.hexdigest()


def _own_classes(tree: Any) -> list[type]:
    """The user's own classes of all modules in a tree, static fields included, each once."""
    found: dict[type, None] = {}
    stack = [tree]
    while stack:
        x = stack.pop()
        if isinstance(x, eqx.Module):
            found |= dict.fromkeys(kind for kind in type(x).__mro__ if _is_own(kind.__module__))
            stack += [x.__dict__[name] for name in sorted(x.__dict__)]
        elif isinstance(x, Mapping):
            stack += [x[name] for name in sorted(x, key=repr)]
        elif isinstance(x, tuple | list):
            stack += x
    return list(found)


def _is_own(module: str) -> bool:
    """Whether a module is neither of this package, nor installed, nor of Python itself."""
    top = module.partition(".")[0]
    if top in (__name__.partition(".")[0], "builtins") or top in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return not {"site-packages", "dist-packages"} & set(Path(file).parts)


def _feed_class(digest: Any, kind: type, seen: set[int]) -> None:
    """What a class computes: its functions, and plain values beside them."""
    digest.update(kind.__qualname__.encode())
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, property):
            parts = [value.fget]
        else:  # methods are wrapped by equinox, static ones by Python
            parts = [getattr(value, "method", getattr(value, "__func__", value))]
        for part in parts:
            if isinstance(part, types.FunctionType) and name != "__init__":
                digest.update(name.encode())
                _feed_function(digest, part, seen)
            elif isinstance(part, _PLAIN) and not name.startswith("__"):
                digest.update(f"{name}={part!r}".encode())


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
    if _is_own(function.__module__ or ""):
        for name in _names(function.__code__):
            _feed_global(digest, function, name, seen)


def _names(code: types.CodeType) -> list[str]:
    """Names that a function takes from its module or from objects, those inside it included."""
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return sorted({*code.co_names, *(name for part in inner for name in _names(part))})


def _feed_global(digest: Any, function: types.FunctionType, name: str, seen: set[int]) -> None:
    """A function or plain value of the user's own module."""
    value = function.__globals__.get(name)
    value = getattr(value, "__wrapped__", value)  # by jit
    if isinstance(value, types.FunctionType) and _is_own(value.__module__ or ""):
        _feed_function(digest, value, seen)
    elif isinstance(value, _PLAIN) and not name.startswith("__"):
        digest.update(f"{name}={value!r}".encode())
    elif isinstance(value, np.ndarray | jax.Array):
        _feed_leaf(digest, value, seen)


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

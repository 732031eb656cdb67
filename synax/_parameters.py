"""How a model declares its parameters, and how a user names them.

`parameter(default, unit, text)` makes a field of an `eqx.Module` a leaf: a Python number (or an
astropy Quantity) given to the constructor becomes an array of the default floating-point type;
arrays and tracers pass through. Unit and text stay attached, so lists of models are made from
the code itself. `select` turns dotted paths into the filter that `eqx.partition` takes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

Scalar = Float[Array, ""]


class ModelInfo(NamedTuple):
    """What the catalogue of models says about a model class (`info` class attribute)."""

    paper: str
    """Citation with equation or table."""
    sun: tuple[float, float, float] | None = None
    """Position of the Sun the model was fitted with (kpc, common frame); None where unused."""
    notes: str = ""
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """Versions that have names of their own, as arguments of the constructor."""


def as_parameter(value: Any, unit: str = "") -> Any:
    """Turn a number, sequence or astropy Quantity into a floating-point array.

    Quantities are converted to `unit` (astropy's spelling). JAX arrays, tracers and other
    PyTrees (a field given where a number is allowed) are returned as they are, so the function
    can serve as an `eqx.field` converter inside `jit` and after tree surgery.
    """
    if hasattr(value, "to_value"):
        value = value.to_value(unit)
    if value is None:
        return None
    if isinstance(value, bool | str):
        raise TypeError(f"expected a number or an array with unit '{unit}', got {value!r}")
    if isinstance(value, (int, float, list, tuple)) or type(value).__module__ == "numpy":
        return jnp.asarray(value, dtype=jnp.result_type(float))
    return value


def holds(value: Any, test: Callable[[Any], Any]) -> bool:
    """Whether a test is true everywhere in `value`; taken for granted where it is being traced."""
    return isinstance(value, jax.core.Tracer) or bool(np.all(test(np.asarray(value))))


def parameter(default: Any, unit: str, text: str) -> Any:
    """Declare a trainable leaf of a model.

    **Arguments:**

    - `default`: published value (number or nested tuple of numbers), or `...` for none.
    - `unit`: astropy-readable unit string ('uG', 'kpc', 'rad', 'cm-3', '' for none).
    - `text`: one line on the meaning, with the paper's symbol or table.
    """

    def convert(value: Any) -> Any:
        return as_parameter(value, unit)

    kwargs: dict[str, Any] = {"converter": convert, "metadata": {"unit": unit, "text": text}}
    if default is not ...:
        kwargs["default"] = default
    return eqx.field(**kwargs)


def _getter(path: str) -> Callable[[Any], Any]:
    def get(tree: Any) -> Any:
        node = tree
        for name in path.split("."):
            node = node[int(name)] if name.lstrip("-").isdigit() else getattr(node, name)
        return node

    return get


def get_path(tree: PyTree, path: str) -> Any:
    """Follow a dotted path ('magnetic.parts.0.b0') through attributes and indices.

    Raises `ValueError` naming the path and the names that exist at the failing level.
    """
    node = tree
    for i, name in enumerate(path.split(".")):
        try:
            node = _getter(name)(node)
        except (AttributeError, IndexError, TypeError, KeyError, ValueError):
            where = ".".join(path.split(".")[:i]) or type(tree).__name__
            if hasattr(node, "__dataclass_fields__"):
                allowed = sorted(node.__dataclass_fields__)
            elif isinstance(node, (tuple, list)):
                allowed = [str(k) for k in range(len(node))]
            else:
                allowed = []
            raise ValueError(
                f"no parameter '{path}': '{where}' has no '{name}'; it has {allowed}"
            ) from None
    return node


def set_paths(tree: PyTree, values: dict[str, Any]) -> PyTree:
    """Return a copy of `tree` with the leaves at the dotted paths replaced (no new structure).

    Numbers become arrays of the dtype of the leaf they replace. Raises `ValueError` for an
    unknown path and for a value whose shape differs from the leaf's.
    """
    for path, value in values.items():
        old = get_path(tree, path)
        if eqx.is_array(old) and not isinstance(value, jax.core.Tracer):
            value = jnp.asarray(value, dtype=old.dtype)
        if eqx.is_array(old) and jnp.shape(value) != old.shape:
            raise ValueError(
                f"parameter '{path}' has shape {old.shape}, got a value of shape {jnp.shape(value)}"
            )
        tree = eqx.tree_at(_getter(path), tree, value, is_leaf=lambda x: x is None)
    return tree


def select(tree: PyTree, *paths: str) -> PyTree[bool]:
    """A filter that is True on the floating-point leaves under the given dotted paths.

    **Arguments:** `tree`: any PyTree, usually a simulator. `paths`: 'magnetic.b0', or a whole
    branch such as 'magnetic'.

    **Returns** a PyTree of bool with the structure of `tree`, ready for `eqx.partition`,
    `eqx.filter` and friends.

    **Raises** `ValueError` for a path that does not exist or holds no floating-point array.

    ```python
    free, fixed = eqx.partition(sky, synax.select(sky, "magnetic.b0", "magnetic.chi0"))
    ```
    """
    spec = jax.tree.map(lambda _: False, tree)
    for path in paths:
        branch = get_path(tree, path)
        chosen = jax.tree.map(eqx.is_inexact_array, branch)
        if not any(jax.tree.leaves(chosen)):
            raise ValueError(f"'{path}' holds no floating-point array, so nothing there can vary")
        spec = eqx.tree_at(_getter(path), spec, chosen, is_leaf=lambda x: x is None)
    return spec

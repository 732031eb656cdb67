"""Dotted paths of the floating-point arrays in a PyTree."""

from typing import Any

import equinox as eqx
import jax


def _dotted(path: Any) -> str:
    names = []
    for key in path:
        name = getattr(key, "name", getattr(key, "idx", getattr(key, "key", None)))
        names.append(str(name))
    return ".".join(names)


def leaf_paths(tree: Any) -> list[str]:
    """Dotted paths of all floating-point arrays in `tree`, in PyTree order."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [_dotted(path) for path, leaf in leaves if eqx.is_inexact_array(leaf)]


def filtered_paths(tree: Any, spec: Any) -> list[str]:
    """Dotted paths of the floating-point arrays that a filter (bools or a function) selects."""
    return leaf_paths(eqx.filter(tree, spec))

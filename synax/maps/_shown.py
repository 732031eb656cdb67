"""How containers of maps show themselves: a title, and a line of numbers for each component."""

import html
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

_HEAD = ("component", "shape", "minimum", "median", "maximum", "missing")


def _row(name: str, values: Any) -> tuple[str, ...]:
    """Name, shape, smallest, middle and largest number, and how many are no number."""
    if not eqx.is_array_like(values) or isinstance(values, jax.core.Tracer):
        return (name, eqx.tree_pformat(values), "", "", "", "")
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        return (name, str(array.shape), "", "", "", "")
    finite = array[np.isfinite(array)].astype(float)
    numbers = (finite.min(), np.median(finite), finite.max()) if finite.size else ()
    shown = [f"{x:.4g}" for x in numbers] or ["-"] * 3
    return (name, str(array.shape), *shown, str(array.size - finite.size))


def as_text(title: str, components: Mapping[str, Any], unit: str) -> str:
    """Several lines: the title, then each component with its range in `unit`."""
    lines = [title]
    for name, values in components.items():
        _, shape, low, middle, high, missing = _row(name, values)
        numbers = f"{low} to {high} {unit}, median {middle}" if high else ""
        numbers = f"{middle} {unit}" if shape == "()" else numbers
        lost = f", {missing} missing" if missing not in ("", "0") else ""
        lines.append(f"  {name} {shape} {numbers}{lost}".rstrip())
    return "\n".join(lines)


def as_html(title: str, components: Mapping[str, Any], unit: str) -> str:
    """The same as a table, for notebooks."""
    head = "".join(f"<th>{name}</th>" for name in (*_HEAD, "unit"))
    rows = []
    for name, values in components.items():
        cells = "".join(f"<td>{html.escape(x)}</td>" for x in (*_row(name, values), unit))
        rows.append(f"<tr>{cells}</tr>")
    caption = f"<caption>{html.escape(title)}</caption>"
    body = "".join(rows)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

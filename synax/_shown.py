"""How models show themselves: a title, and a line for each parameter with its value and unit."""

import dataclasses
import html
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from ._operators import Refusing

MOST_LINES = 60
"""Lines of a text; tables in notebooks have all."""

_WIDEST = 100


class Row(NamedTuple):
    """A parameter: its path, value, unit and meaning; of a part of the model, its class."""

    path: str
    value: str
    unit: str = ""
    text: str = ""


def number(value: Any) -> str:
    """A value in few characters: numbers to six digits, long arrays by their shape."""
    if isinstance(value, jax.core.Tracer):
        return f"traced{list(value.shape) or ''}"
    if not eqx.is_array_like(value) or isinstance(value, bool | int):
        return str(value)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or array.size > 8 or array.ndim > 1:
        return f"shape {array.shape}"
    digits = 6 if array.ndim == 0 else 4
    shown = [f"{x:.{digits}g}" for x in np.atleast_1d(array).astype(float)]
    return shown[0] if array.ndim == 0 else f"({', '.join(shown)})"


def rows(tree: Any, prefix: str = "") -> Iterator[Row]:
    """Every value of a Module, with the path by which `synax.select` and `replace` know it."""
    for field in dataclasses.fields(tree):
        value = getattr(tree, field.name, None)
        unit, text = field.metadata.get("unit", ""), field.metadata.get("text", "")
        yield from _rows(value, f"{prefix}{field.name}", unit, text)


def _rows(value: Any, path: str, unit: str, text: str) -> Iterator[Row]:
    if isinstance(value, eqx.Module):
        yield Row(path, type(value).__name__, "", paper(value) or text)
        yield from rows(value, f"{path}.")
    elif isinstance(value, tuple | list) and any(isinstance(v, eqx.Module) for v in value):
        for i, item in enumerate(value):
            yield from _rows(item, f"{path}.{i}", unit, text)
    elif _is_key(value):
        yield Row(path, "random key", "", text)
    elif value is not None and not callable(value):
        yield Row(path, number(value), unit, text)


def _is_key(value: Any) -> bool:
    return isinstance(value, jax.Array) and jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key)


def paper(module: Any) -> str:
    """The paper that a model is of, or ''."""
    return getattr(getattr(type(module), "info", None), "paper", "")


def title(module: Any) -> str:
    """Name of a Module's class, and of its paper."""
    name, of = type(module).__name__, paper(module)
    return f"{name}: {of}" if of else name


def in_line(module: Any) -> str:
    """A small Module on one line: Box(half_lengths=(20, 20, 5) kpc, center=(0, 0, 0) kpc)."""
    parts = [f"{r.path}={r.value} {r.unit}".rstrip() for r in rows(module)]
    return f"{type(module).__name__}({', '.join(parts)})"


def as_text(heading: str, lines: Iterable[Row]) -> str:
    """The heading, and the rows in columns."""
    found = list(lines)
    more = len(found) - MOST_LINES
    shown = found[:MOST_LINES]
    widths = [max((len(row[k]) for row in shown), default=0) for k in range(3)]
    text = [heading]
    for row in shown:
        cells = "  ".join(f"{row[k]:<{widths[k]}}" for k in range(3))
        line = f"  {cells}  {row.text}".rstrip()
        text.append(line if len(line) <= _WIDEST else f"{line[: _WIDEST - 3]}...")
    if more > 0:
        text.append(f"  ... and {more} more: print a part of it")
    return "\n".join(text)


def as_html(
    heading: str, lines: Iterable[Row], head: tuple[str, ...] = ("parameter", "value", "unit", "")
) -> str:
    """The same as a table, for notebooks."""
    row = lambda cells, tag: (
        "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"
    )
    body = "".join(row(line, "td") for line in lines)
    caption = f"<caption>{html.escape(heading)}</caption>"
    return f"<table>{caption}<thead>{row(head, 'th')}</thead><tbody>{body}</tbody></table>"


class Shown(Refusing, eqx.Module):
    """Modules that show their parameters, with values and units, as text and in notebooks."""

    def __repr__(self) -> str:
        return as_text(title(self), rows(self))

    def _repr_html_(self) -> str:
        return as_html(title(self), rows(self))

"""The page of `synax compare`: every comparison of one run, with its numbers and figures."""

import html
import json
from collections.abc import Iterator
from typing import Any

from ._html import document, embedded, table

SHOWN = {
    "n": "n",
    "scale": "scale",
    "correlation": "correlation",
    "residual": "residual",
    "median_ratio": "data/model",
    "scatter_dex": "dex",
    "same_sign": "same sign",
    "rank_correlation": "rank corr.",
    "within_a_factor_2": "within x2",
    "median_difference_deg": "angle (deg)",
    "data_index": "data index",
    "model_index": "model index",
    "data_slope_index": "data index by slope",
    "model_slope_index": "model index by slope",
}
"""The numbers that tables show, and what they are called there."""

_MEANING = (
    "scale brings the model to the data (1 is right); correlation is Pearson's; residual the rms "
    "of data - scale × model over the rms of the data; data/model is the median ratio, dex half of "
    "its 16 to 84 % range; angle the median turn of polarisation. Angular spectra are those of "
    "|b| > 10°, divided by the share of the sky. Nothing is fitted but the scale."
)


def page(title: str, records: list[dict[str, Any]], figures: dict[str, bytes]) -> str:
    """The whole page as text; `title` says whose sky it is, `figures` are PNG by comparison."""
    parts = [f"<h1>{html.escape(title)}</h1>", f"<p class=quiet>{_MEANING}</p>"]
    for record in records:
        name = record["comparison"]
        parts.append(f"<h2>{html.escape(record['title'])}</h2>")
        columns, rows = numbers_table(shortened(record))
        parts.append(table(["where", *(SHOWN[c] for c in columns)], rows))
        parts.append(embedded(figures[name], record["title"]))
    text = html.escape(json.dumps(records[0]["configuration"], indent=2))
    parts.append(f"<details><summary>as it was run</summary><pre>{text}</pre></details>")
    return document(title, parts)


def shortened(record: dict[str, Any]) -> dict[str, Any]:
    """The numbers that tables show: of the comparison below 1.5 GHz, those of two regions."""
    numbers = record["numbers"]
    if record["comparison"] != "low":
        return numbers
    tables = numbers["brightness"] | numbers["spectral index"]
    return {
        f"{name}, {region}": found[region]
        for name, found in tables.items()
        for region in ("|b| > 10", "inner plane")
        if region in found
    }


def numbers_table(numbers: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Keys of the columns, and a line of cells for each part of the sky."""
    rows = list(_rows(numbers, ""))
    columns = list(dict.fromkeys(key for _, row in rows for key in row if key in SHOWN))
    return columns, [[where, *(_cell(row.get(key)) for key in columns)] for where, row in rows]


def _rows(numbers: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in numbers.items():
        if not isinstance(value, dict):
            continue
        name = f"{where}, {key}" if where else key
        if any(isinstance(item, dict) for item in value.values()):
            yield from _rows(value, name)
        else:
            yield name, value


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.3g}"

"""Rows of records as tables of a page: headings, numbers, and columns that fit."""

import re

COLUMNS = {
    "sample": "sample",
    "n": "number",
    "scale": "best scale",
    "correlation": "correlation",
    "median_ratio": "median of data / model",
    "scatter_dex": "scatter (dex)",
    "within_a_factor_2": "within a factor 2",
    "data_rms": "rms of data",
    "model_rms": "rms of model",
    "same_sign": "same sign",
    "forward_ns": "value (ns)",
    "floor_ns": "its functions (ns)",
    "gradient_ns": "and gradient (ns)",
    "compile_cpu_s": "compile (s)",
    "gradient_compile_cpu_s": "compile gradient (s)",
    "error_float32": "float32, median error",
    "worst_float32": "float32, 99th percentile",
    "divergence": "rms of div B over rms of B (1/kpc)",
    "data_sd": "standard deviation of data",
    "residual_rms": "rms of residual",
    "missed": "what is missed",
    "product_mean": "mean",
    "product_sd": "sd",
    "pull": "error on mocks (sd)",
    "pull_independent": "same, if pixels are taken as independent",
    "moved": "goes farthest without",
    "rhat": "R-hat",
    "bulk": "bulk ESS",
    "tail": "tail ESS",
    "free": "free numbers",
    "truths": "truths",
    "starts_apart": "two starts end apart by (ln density)",
    "fitted_std_mk": "fitted pixels, std (mK)",
    "held_out_std_mk": "held out, std (mK)",
    "held_out_rms_sigma": "held out, rms (σ)",
    "error_of_b_near": "error of B near the Sun",
    "error_of_b": "error of B, whole box",
    "b_within": "B within 1, 2 stated σ",
    "b_near_within": "same, near the Sun",
    "held_out_within": "held out within 1, 2 stated σ",
    "held_out_rms_stated": "held out, rms (stated σ)",
    "fitted_std_k": "fitted pixels, std (K)",
    "fitted_median_k": "median",
    "validation_std_k": "validation, std (K)",
    "held_out_std_k": "held out, std (K)",
    "held_out_median_k": "median",
    "seconds": "time (s)",
    "stopped": "stopped",
}

_WIDEST = 8
"""Columns that a page holds side by side."""

_UNTOLD = ("begun",)
"""Keys of records that no table shows."""


def table(rows, columns):
    lines = ["| " + " | ".join(cell(_heading(c)) for c in columns) + " |"]
    lines += ["|---" * len(columns) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(cell(number(row.get(c, ""))) for c in columns) + " |")
    return "\n".join(lines)


def tables_of(rows):
    """One table for all rows that have the same columns, so that no cell is empty.

    What is the same in every row is told once, and a table of few rows and many columns is turned.
    """
    groups = {}
    for row in rows:
        filled = {k: v for k, v in row.items() if v not in (None, "") and k not in _UNTOLD}
        groups.setdefault(tuple(filled), []).append(filled)
    parts = []
    for found in groups.values():
        columns = list(found[0])
        same = [c for c in columns[1:] if len(found) > 2 and len({str(r[c]) for r in found}) == 1]
        columns = [c for c in columns if c not in same]
        parts.append(fitting_table(found, columns))
        if same:
            told = ", ".join(f"{_heading(c)} {number(found[0][c])}" for c in same)
            parts.append(f"In all rows: {told}.")
    return parts


def fitting_table(rows, columns):
    """The table of these columns, turned where it is wide and has few rows."""
    if len(columns) <= _WIDEST or len(rows) > _WIDEST:
        return table(rows, columns)
    head, *rest = columns
    turned = [{"": _heading(c), **{str(k): r.get(c) for k, r in enumerate(rows)}} for c in rest]
    turned = [{k: "" if v is None else v for k, v in row.items()} for row in turned]
    names = [cell(_heading(head)), *(cell(number(r[head])) for r in rows)]
    lines = table(turned, list(turned[0])).splitlines()
    return "\n".join(["| " + " | ".join(names) + " |", *lines[1:]])


def _heading(column):
    """A column's name with its unit in brackets: theirs_s is 'theirs (s)'."""
    if column in COLUMNS:
        return COLUMNS[column]
    text = column.replace("_", " ")
    text = re.sub(r"\bMpoints per s\b", "rate (million points/s)", text)
    text = re.sub(r"(?<!per) (s|ns|MB|GB|mK|ms)( per point)?$", r" (\1\2)", text)
    return text


def cell(text):
    return str(text).replace("|", r"\|").replace("\n", " ")


def number(value):
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        between = " × " if all(isinstance(v, int) for v in value) else ", "
        return between.join(number(v) for v in value)
    return str(value)


def power_text(value):
    """3·10⁻⁷: one digit and the power of ten."""
    if value == 0:
        return "0"
    digit, power = f"{value:.0e}".split("e")
    return f"{digit}·10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"

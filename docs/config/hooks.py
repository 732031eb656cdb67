"""What the site makes from the code itself: tables of models, of speed and accuracy, and formulae.

A page asks for a table with a line such as `<!-- generated: models magnetic -->`.
"""

import html
import json
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent
_REQUEST = re.compile(r"^<!-- generated: ([\w-]+)((?: [\w.-]+)*) -->$", re.MULTILINE)
_FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)


def on_page_markdown(markdown, **_):
    """Replace requests for tables."""
    return _REQUEST.sub(lambda m: GENERATORS[m[1]](*m[2].split()), markdown)


def on_page_content(content, **_):
    """Formulae as MathML, which browsers draw without any script."""
    from latex2mathml.converter import convert

    def draw(match):
        text = html.unescape(match[2]).strip()
        display = "block" if text.startswith(r"\[") else "inline"
        formula = convert(text[2:-2], display=display)
        return re.sub(
            r"(<mi>(?:sin|cos|tan|ln|exp|tanh)</mi>)", r'\1<mspace width="0.14em"/>', formula
        )

    return _FORMULA.sub(draw, content)


def models(group=None):
    """The table of all models, or of one group."""
    from synax._catalogue import models as catalogue

    rows = ["| model | what it is | paper | Sun (kpc) | remarks |", "|---|---|---|---|---|"]
    for entry in catalogue(group):
        sun = "" if entry.info.sun is None else ", ".join(f"{x:g}" for x in entry.info.sun)
        name = f"`{entry.group}.{entry.name}`"
        if entry.variants:
            name += "<br>" + " ".join(f"`.{v}()`" for v in entry.variants)
        cells = (name, entry.summary, entry.info.paper, sun, entry.info.notes)
        rows.append("| " + " | ".join(_cell(c) for c in cells) + " |")
    return "\n".join(rows)


def parameters(group):
    """Every model of a group with its parameters, units and defaults."""
    from synax._catalogue import models as catalogue

    text = []
    for entry in catalogue(group):
        text += [f'\n??? note "Parameters of `{entry.name}`"\n']
        rows = ["| name | default | unit | meaning |", "|---|---|---|---|"]
        for p in entry.parameters:
            cells = (f"`{p.name}`", _number(p.default), p.unit, p.text)
            rows.append("| " + " | ".join(_cell(c) for c in cells) + " |")
        text += ["    " + row for row in rows]
    return "\n".join(text)


def public_names():
    """Every public class and function: {name under which users find it: where it is defined}."""
    import importlib

    names = {}
    for module in (
        "",
        ".random_fields",
        ".magnetic",
        ".electrons",
        ".cosmic_rays",
        ".io",
        ".plot",
        ".inference",
    ):
        space = vars(importlib.import_module(f"synax{module}"))
        for name, value in space.items():
            if not name.startswith("_") and hasattr(value, "__module__") and callable(value):
                if value not in [v for v, _ in names.values()]:
                    names[f"synax{module}.{name}"] = (value, value.__module__)
    return {name: where for name, (_, where) in names.items()}


def reference(*prefixes):
    """Documentation of the public names defined under any of the prefixes."""
    chosen = [n for n, where in public_names().items() if where.startswith(prefixes)]
    return "\n\n".join(f"::: {name}" for name in sorted(chosen, key=str.lower))


def comparison():
    """How models did against the sky: docs/data/comparison.json, if it has been made."""
    return tables("comparison")


def benchmarks():
    """All tables of docs/data/benchmarks.json."""
    return tables("benchmarks")


def tables(name):
    """Tables with title, text and rows from a JSON file that a program of this project wrote."""
    file = DOCS / "data" / f"{name}.json"
    found = json.loads(file.read_text())
    parts = [f"*{found['where']}*"] if "where" in found else []
    for table in found["tables"]:
        parts += [f"### {table['title']}", table.get("text", "")]
        columns = list(table["rows"][0])
        parts.append(
            "\n".join(
                [
                    "| " + " | ".join(columns) + " |",
                    "|---" * len(columns) + "|",
                    *(
                        "| " + " | ".join(_cell(_number(row.get(c, ""))) for c in columns) + " |"
                        for row in table["rows"]
                    ),
                ]
            )
        )
        if "command" in table:
            parts.append(f"`{table['command']}`")
    return "\n\n".join(parts)


def _number(value):
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(_number(v) for v in value) + ")"
    return str(value)


def _cell(text):
    return str(text).replace("|", r"\|").replace("\n", " ")


GENERATORS = {
    "models": models,
    "parameters": parameters,
    "reference": reference,
    "comparison": comparison,
    "benchmarks": benchmarks,
}

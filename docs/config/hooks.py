"""What mkdocs calls, and what pages take from the code itself: models, reference, notebooks.

A page asks for a table with a line such as `<!-- generated: models magnetic -->`.
"""

import dataclasses
import html
import importlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # tests load this file by its path

import page_records as records
import page_tables as tables
from page_records import DOCS

_REQUEST = re.compile(r"^<!-- generated: ([\w-]+)((?: [\w.-]+)*) -->$", re.MULTILINE)
_FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)


def on_config(config, **_):
    """The version below every page; the repository and links to edit, where there is one."""
    import synax

    commit = _git("rev-parse", "--short", "HEAD")
    config.copyright = f"synax {synax.__version__}" + (f", commit {commit}" if commit else "")
    home = os.environ.get("SYNAX_REPOSITORY") or _git("remote", "get-url", "origin")
    home = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", home).removesuffix(".git")
    if home.startswith("https://"):
        config.repo_url, config.repo_name = home, home.split("//")[1].partition("/")[2]
        config.edit_uri_template = f"{home}/edit/main/docs/{{path}}"
    return config


def _git(*arguments):
    """What git says about this checkout, or ''."""
    command = ["git", "-C", str(DOCS), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def on_page_markdown(markdown, **_):
    """Replace requests for tables."""
    return _REQUEST.sub(lambda m: GENERATORS[m[1]](*m[2].split()), markdown)


def on_page_content(content, page=None, **_):
    """Formulae as MathML, drawn without any script; words of the glossary as links."""
    from latex2mathml.converter import convert

    if page is not None and page.file.src_uri == "glossary.md":
        content = _with_anchors(content)
    elif page is not None and not page.file.src_uri.startswith(("reference/", "notebooks/")):
        content = link_terms(content, "../" * page.url.count("/") + "glossary/")

    def draw(match):
        text = html.unescape(match[2]).strip()
        display = "block" if text.startswith(r"\[") else "inline"
        formula = convert(text[2:-2], display=display)
        return re.sub(
            r"(<mi>(?:sin|cos|tan|ln|exp|tanh)</mi>)", r'\1<mspace width="0.14em"/>', formula
        )

    return _FORMULA.sub(draw, content)


TERMS = {
    "adjoint": r"adjoint",
    "cell": r"cells?(?= a ray| per ray| faces?\b)|(?<=256 )cells|(?<=[Ee]ach )cell",
    "domain": r"domain",
    "face": r"(?<=cell )faces?",
    "latent": r"latents?",
    "leaf": r"leaf|(?<=[Ii]ts )leaves|(?<=whose )leaves|(?<=[Aa] class with )leaves",
    "march": r"march",
    "pytree": r"PyTrees?",
    "traced": r"traced",
}
"""Words of the glossary, and how they stand in a page."""

_SKIP = ("a", "code", "pre", "script", "style", "h1", "h2", "h3", "h4", "math", "title", "summary")


def link_terms(content, glossary):
    """Each word of the glossary as a link where a page uses it first, not in headings or code."""
    left, inside, parts = dict(TERMS), [], []
    for part in re.split(r"(<[^>]*>)", content):
        if part.startswith("<"):
            name = re.match(r"</?([\w-]*)", part)[1].lower()
            if name in _SKIP and part.startswith("</"):
                inside = inside[: inside.index(name)] if name in inside else inside
            elif name in _SKIP and not part.endswith("/>"):
                inside = [*inside, name]
        elif not inside:
            part = _linked(part, left, glossary)
        parts.append(part)
    return "".join(parts)


def _linked(text, left, glossary):
    """A text with links at the first of each word in `left`, which gets shorter."""
    parts = []
    while left:
        each = {t: re.search(rf"(?<![\w/#-])(?:{p})(?![\w-])", text) for t, p in left.items()}
        found = {term: match for term, match in each.items() if match}
        if not found:
            break
        term = min(found, key=lambda t: found[t].start())
        start, end = found[term].span()
        link = f'<a class="term" href="{glossary}#{term}">{text[start:end]}</a>'
        parts += [text[:start], link]
        text = text[end:]
        del left[term]
    return "".join([*parts, text])


def _with_anchors(content):
    """The glossary with a place to jump to at each word."""
    anchor = lambda m: f'<dt id="{m[1].split(",")[0].lower().replace(" ", "-")}">{m[0][4:]}'
    return re.sub(r"<dt><strong>([^<]*)</strong>", anchor, content)


def models(group=None):
    """The table of all models, or of one group."""
    from synax._catalogue import models as catalogue

    rows = ["| model | what it is | paper | Sun (kpc) | remarks |", "|---|---|---|---|---|"]
    for entry in catalogue(group):
        sun = "" if entry.info.sun is None else ", ".join(f"{x:g}" for x in entry.info.sun)
        name = f"`{entry.group}.{entry.name}`"
        if entry.variants:
            name += "<br>" + " ".join(f"`.{v}`" for v in entry.variants)
        cells = (name, entry.summary, entry.info.paper, sun, entry.info.notes)
        rows.append("| " + " | ".join(tables.cell(c) for c in cells) + " |")
    return "\n".join(rows)


def parameters(group):
    """Every model of a group with its parameters, units and defaults."""
    from synax._catalogue import models as catalogue

    text = []
    for entry in catalogue(group):
        text += [f'\n??? note "Parameters of `{entry.name}`"\n']
        rows = ["| name | default | unit | meaning |", "|---|---|---|---|"]
        for p in entry.parameters:
            cells = (f"`{p.name}`", tables.number(p.default), p.unit, p.text)
            rows.append("| " + " | ".join(tables.cell(c) for c in cells) + " |")
        text += ["    " + row for row in rows]
    return "\n".join(text)


def public_names():
    """Every public class and function: {name under which users find it: where it is defined}."""
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
        ".faraday",
        ".instruments",
        ".galaxies",
        ".catalogues",
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
    return "\n\n".join(_entry(name) for name in sorted(chosen, key=str.lower))


def _entry(name):
    """A name's documentation; of a class below its constructor, with defaults and units."""
    module, _, own = name.rpartition(".")
    value = getattr(importlib.import_module(module), own)
    if not inspect.isclass(value) or inspect.isabstract(value) or issubclass(value, Exception):
        return f"::: {name}"
    call = _constructor(own, value)
    head = f"### `{name}` {{ #{name} data-toc-label='{own}' }}"
    options = "    options: { show_root_heading: false, heading_level: 4 }"
    return f"{head}\n\n```{{ .python .constructor }}\n{call}\n```\n\n::: {name}\n{options}"


def _constructor(name, cls):
    """The call of a class as text, one argument a line where there are several."""
    described = {}
    if dataclasses.is_dataclass(cls):
        described = {field.name: field.metadata for field in dataclasses.fields(cls)}
    try:
        arguments = inspect.signature(cls).parameters.values()
    except ValueError:
        return name
    lines, star = [], False
    for one in arguments:
        if one.kind is one.KEYWORD_ONLY and not star:
            lines.append("    *,")
            star = True
        mark = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        star = star or mark == "*"
        default = "" if one.default is one.empty else f"={_default(one.default)}"
        facts = described.get(one.name, {})
        note = ": ".join(x for x in (facts.get("unit"), facts.get("text")) if x)
        lines.append(f"    {mark}{one.name}{default}," + (f"  # {note}" if note else ""))
    if not lines:
        return f"{name}()"
    return "\n".join([f"{name}(", *lines, ")"])


def _default(value):
    if type(value).__name__ in ("_HAS_DEFAULT_FACTORY_CLASS", "object"):
        return "..."
    if isinstance(value, float):
        value = float(f"{value:.6g}")
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= 60 and "\n" not in text else "..."


def notebook(name):
    """A notebook as a page: its text, its code, and what it printed and drew."""
    parts, outputs = [], recorded(name)
    for text, source in notebook_cells(name):
        if text:
            lines = [re.sub(r"^# ?", "", line) for line in source.splitlines()]
            parts.append("\n".join(lines).replace("](../docs/", "](../"))
        elif source:
            parts.append(f"```{{ .python }}\n{source}\n```")
            found = outputs.get(notebook_digest(source), {})
            if found.get("text"):
                parts.append(f"```{{ .text .output }}\n{found['text']}\n```")
            for file in found.get("figures", ()):
                parts.append(f"![Figure of this cell](../images/notebooks/{file}){{ .figure }}")
    return "\n\n".join(parts)


def notebook_cells(name):
    """(is it text, its source) of every cell of a notebook."""
    return _maker().cells(DOCS.parent / "notebooks" / f"{name}.py")


def notebook_digest(source):
    """The mark by which the record of a notebook knows a cell."""
    return _maker().digest(source)


def recorded(name):
    """What each cell gave when the notebook was recorded, by the digest of the cell."""
    file = DOCS / "data" / "notebooks" / f"{name}.json"
    if not file.is_file():
        return {}
    return {cell["cell"]: cell for cell in json.loads(file.read_text())["outputs"]}


def _maker():
    spec = importlib.util.spec_from_file_location("make_notebooks", DOCS / "make_notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_NOTEBOOKS = {
    "quick_start": ("Quick start", "A sky, its figures, a gradient, a FITS file", 2),
    "gallery": ("Gallery of models", "Every magnetic model, cut and seen from the Sun", 12),
    "new_field": ("A new field", "A field of your own: mock data, a fit, a posterior", 2),
    "from_sky_to_data": (
        "From sky to data",
        "A survey and its likelihood, galaxies from outside, Faraday spectra",
        5,
    ),
    "sampling": ("Sampling", "NUTS with diagnostics, and what they catch", 2),
    "low_frequencies": (
        "Low frequencies",
        "Depolarisation from 30 GHz to 100 MHz, and the steps it takes",
        1,
    ),
    "one_megahertz": (
        "The sky from 1 MHz to 100 GHz", "Turnover, the dark plane, optical depths", 2
    ),
    "paper_figures": (
        "Figures of the paper",
        "Accuracy, errors, posterior and grid fit of Diao et al. 2024",
        1,
    ),
    "sky_data": ("Real data", "Pulsars and the Faraday sky against real data", 2),
    "haslam": ("The 408 MHz sky", "A grid fitted to the 408 MHz sky", 1),
    "joint_fit": (
        "A joint fit", "Brightness, polarisation and rotation measures fitted together", 1
    ),
    "devices": ("Devices", "The same sky on one and on several devices", 0),
}  # fmt: skip
"""Title, what it shows, and which of its figures stands for it."""


def notebooks():
    """The gallery: a thumbnail, a title and a sentence for each notebook."""
    cards = []
    for name, (title, text, number) in _NOTEBOOKS.items():
        picture = f"images/notebooks/{name}-{number}.png"
        if not (DOCS / picture).is_file():
            picture = "images/architecture.svg"
        cards.append(
            f"<div markdown>\n[![{title}](../{picture})]({name}.md)\n\n"
            f"**[{title}]({name}.md)**<br>{text}\n</div>"
        )
    return '<div class="gallery" markdown>\n' + "\n".join(cards) + "\n</div>"


_SIZE_OF_0_1 = {
    "top": 3679, "cli": 3630, "cosmic_rays": 382, "electrons": 1585, "emission": 90,
    "inference": 4502, "io": 945, "magnetic": 2251, "plot": 1186, "random_fields": 413,
    "transfer": 913,
}  # fmt: skip
"""Lines of Python by folder at revision a3f5386."""


def size():
    """Lines of Python by folder, of version 0.1 and now."""
    root = DOCS.parent
    count = lambda files: sum(len(f.read_text().splitlines()) for f in files)
    package = root / "synax"
    folders = sorted(f for f in package.iterdir() if (f / "__init__.py").is_file())
    now = {"top": count(package.glob("*.py"))}
    now |= {f.name: count(f.rglob("*.py")) for f in folders}
    lines = ["| folder | 0.1 | now |", "|---|---|---|"]
    for name, number in now.items():
        shown = name if name == "top" else f"`{name}/`"
        lines.append(f"| {shown} | {_SIZE_OF_0_1.get(name, '–')} | {number} |")
    total = f"{sum(_SIZE_OF_0_1.values())} | {sum(now.values())}"
    tests = count((root / "tests").glob("*.py"))
    return "\n".join(
        [*lines, f"| **all of `synax/`** | {total} |", f"| `tests/` | 6508 | {tests} |"]
    )


GENERATORS = {
    made.__name__: made for made in (
        models, parameters, reference, notebook, notebooks, size,
        records.measured, records.benchmarks, records.accuracy, records.joint, records.grids,
        records.comparison, records.calibration, records.structure, records.slopes,
        records.published, records.published_bubble, records.published_uf23,
        records.free_free, records.one_sky, records.validation, records.precision,
    )
}  # fmt: skip
"""What makes each table, by the name with which pages ask for it."""

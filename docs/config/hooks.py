"""What the site makes from the code itself: tables of models, of speed and accuracy, and formulae.

A page asks for a table with a line such as `<!-- generated: models magnetic -->`.
"""

import dataclasses
import html
import importlib
import importlib.util
import inspect
import itertools
import json
import os
import re
import subprocess
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent
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


def measured(*columns):
    """Columns of docs/data/benchmark_models.json, which benchmarks/models.py writes."""
    file = DOCS / "data" / "benchmark_models.json"
    if not file.exists():
        return "Run `python benchmarks/models.py --json docs/data/benchmark_models.json`."
    record = json.loads(file.read_text())
    machine = record["machine"]
    told = f"*{machine['cpu']}, {machine['cores']} cores, JAX {machine['jax']}, one core, float64.*"
    return told + "\n\n" + _table(record["rows"], ["model", *columns])


def benchmarks():
    """One table for every record docs/data/benchmark_*.json that a program in benchmarks/ wrote."""
    parts = []
    for file in sorted((DOCS / "data").glob("benchmark_*.json")):
        if file.stem == "benchmark_models":  # has its own page
            continue
        record = json.loads(file.read_text())
        if record["benchmark"] in (
            "accuracy",
            "joint fit",
            "grids",
            "free_free",
            "one_sky",
        ):  # have their own pages
            continue
        parts += [f"### {record['benchmark'].replace('_', ' ').capitalize()}", _where(record)]
        for title, rows in {"": record["rows"], **record.get("tables", {})}.items():
            parts += [f"*{title}*"] * bool(title)
            parts += _tables(rows)
        settings = {
            k: v for k, v in record.items() if k not in ("benchmark", "machine", "rows", "tables")
        }
        told = "; ".join(f"{k}: {_number(v)}" for k, v in settings.items())
        parts += [f"`python {program(record)}`" + (f" ({told})" if told else "")]
    return "\n\n".join(parts) or "Run `python benchmarks/engine.py` for those of your machine."


_PROGRAMS = {
    "against_hammurabi": "against.py --hammurabi PATH",
    "precision": "laws.py --only precision",
    "calls": "laws.py --only calls",
    "galaxy": "laws.py --only galaxy",
}
"""What wrote a record that is not called as its program is."""


def program(record):
    """The program that wrote a record, with what it was asked for."""
    name = record["benchmark"]
    return f"benchmarks/{_PROGRAMS.get(name, f'{name}.py')}"


def accuracy():
    """Error against points and time: docs/data/benchmark_accuracy.json, and its figure."""
    record = json.loads((DOCS / "data/benchmark_accuracy.json").read_text())
    parts = [_where(record)]
    for sky in dict.fromkeys(r["sky"] for r in record["rows"]):
        rows = [r for r in record["rows"] if r["sky"] == sky]
        columns = [k for k in rows[0] if k not in ("sky", "first_s")]
        parts += [f"**{sky}**", _table(rows, columns)]
    if record.get("slopes"):
        slopes = [{k: "–" if v is None else v for k, v in r.items()} for r in record["slopes"]]
        parts += [
            "Slopes: the error falls as points (or time) to this power; `–` where fewer than three "
            "errors lie between 0.3 and three times that of the reference, which is told last.",
            _table(slopes, list(slopes[0])),
        ]
    if (DOCS / "images/accuracy.png").exists():
        parts.insert(1, "![Error against points a ray](images/accuracy.png){ .figure }")
    return "\n\n".join(parts)


def joint():
    """One model fitted to three skies: docs/data/benchmark_joint.json, and its figure."""
    record = json.loads((DOCS / "data/benchmark_joint.json").read_text())
    rows = record["rows"]
    agreement = [
        {
            "field": row["field"],
            "sky": _SKIES[name],
            **{k: f"{sky[k]:.3g} {sky['unit']}" for k in ("data_sd", "residual_rms")},
            "correlation": round(sky["correlation"], 2),
            "missed": f"{sky['missed_rms']:.3g} {sky['unit']} over {sky['missed_degrees']:.0f}°",
        }
        for row in rows
        for name, sky in row["skies"].items()
    ]
    named = lambda name, p: f"{name} ({p['unit']})" if p["unit"] else name
    found = [
        {
            "parameter": named(name, p),
            "mean": p["mean"],
            "sd": p["sd"],
            "rhat": f"{p['rhat']:.4f}",
            **{k: round(p[k]) for k in ("bulk", "tail")},
        }
        for name, p in rows[0]["parameters"].items()
    ]
    tried = [
        {
            "parameter": named(name, p),
            **{k: p[k] for k in ("product_mean", "product_sd")},
            **{k: f"{p[k]:.2g}" for k in ("pull", "pull_independent")},
            "moved": f"{p['moved']:+.1f} σ ({p['without']})",
        }
        for name, p in rows[0]["parameters"].items()
        if name != "electrons"
    ]
    parts = [
        _table(agreement, list(agreement[0])),
        f"Posterior with {rows[0]['field']}, {rows[0]['chains']} chains:",
        _table(found, list(found[0])),
        "The same for the densities as published (`electrons` 1), and whether errors are right:",
        _table(tried, list(tried[0])),
    ]
    if (DOCS / "images/joint.png").exists():
        parts.append("![Data, model and residual of three skies](images/joint.png){ .figure }")
    return "\n\n".join(parts)


_SKIES = {"haslam": "I, 408 MHz", "wmap": "Q and U, 23 GHz", "rm": "rotation measure"}


def grids(letter):
    """One experiment of benchmarks/grids.py ('c' or 'd'): docs/data/benchmark_grids.json."""
    record = json.loads((DOCS / "data/benchmark_grids.json").read_text())
    found = [(t, rows) for t, rows in record["tables"].items() if t.startswith(f"({letter})")]
    if not found:
        return "Run `python benchmarks/grids.py --json docs/data/benchmark_grids.json`."
    ((title, rows),) = found
    keys = dict.fromkeys(k for row in rows for k in row)
    columns = [k for k in keys if k == "fit" or k in _COLUMNS]
    return f"*{title[4:]}.*\n\n" + _fitting(rows, columns)


def _where(record):
    """The machine of a benchmark, as one line in italics."""
    machine = record["machine"]
    device = ", ".join(sorted(set(machine["devices"])))
    where = f"{machine['cpu']}, {machine['cores']} cores, device {device}, JAX {machine['jax']}"
    return f"*{where}; load {machine['load']:.1f} at the start.*"


def comparison():
    """What `synax compare` found: docs/data/comparison_*.json."""
    parts = []
    for file in sorted((DOCS / "data").glob("comparison_*.json")):
        record = json.loads(file.read_text())
        rows = []
        for sample, numbers in record["numbers"].items():
            if not isinstance(numbers, dict):
                continue
            nested = numbers if "n" not in numbers else {"": numbers}
            for name, found in nested.items():
                if isinstance(found, dict) and "n" in found:
                    rows.append({"sample": f"{sample} {name}".strip(), **found})
        if record["comparison"] == "low":
            parts += [f"## {record['title']}", _low(record["numbers"])]
            rows = None
        if rows is not None:
            parts += [
                f"## {record['title']}",
                _table(rows, [k for k in _COLUMNS if any(k in r for r in rows)]),
            ]
        picture = f"images/compare-{record['comparison']}.png"
        if (DOCS / picture).exists():
            parts.append(f"![{record['title']}: data and model]({picture}){{ .figure }}")
    return "\n\n".join(parts)


def _low(numbers):
    """Four tables: brightness, spectral index, that of slopes, and how bright the plane is."""
    inner, away = "inner plane", "|b| > 10"
    bright = [
        {
            "survey": name,
            f"data / model, {away}": found[away]["median_ratio"],
            "its correlation": found[away]["correlation"],
            f"data / model, {inner}": found[inner]["median_ratio"],
            "and correlation": found[inner]["correlation"],
        }
        for name, found in numbers["brightness"].items()
    ]
    regions = ("|b| > 60", away, inner)
    index = [
        {"index": name}
        | {
            f"{r}: {who}": found[r].get(f"{who}_index", "")
            for r in regions
            for who in ("data", "model")
        }
        for name, found in numbers["spectral index"].items()
    ]
    slopes = [
        {"index by slope, |b| > 10": name, "data": there["data_slope_index"],
         "model": there["model_slope_index"]}
        for name, found in numbers["spectral index"].items()
        if "data_slope_index" in (there := found[away])
    ]  # fmt: skip
    plane = [
        {"plane over poles": nu, "data": x.get("data_ratio", ""), "model": x["model_ratio"]}
        for nu, x in numbers["plane over poles"].items()
    ]
    return "\n\n".join(part for rows in (bright, index, slopes, plane) for part in _tables(rows))


def calibration():
    """What `benchmarks/calibrate.py` found for each Galaxy: docs/data/calibration.json."""
    record = json.loads((DOCS / "data" / "calibration.json").read_text())
    heads = {
        "Brightness at 408 MHz": "scale | r | rms / mean | index 0.4 to 23 GHz",
        "Polarisation at 23 GHz": "scale | r",
        "Rotation measures": "scale | r | same sign | without Gum: scale | r",
    }
    tables = {}
    for title, head in heads.items():
        tables[title] = [f"| Galaxy | sky | {head} |", "|---" * (head.count("|") + 3) + "|"]
    for name, parts in record["galaxies"].items():
        for part, row in parts.items():
            light, both, rm = row["408 MHz"], row["Q and U"], row["RM"]
            away = row["RM away from the Gum nebula"]
            fit = lambda found: [found["scale"], found["correlation"]]
            values = (
                [*fit(light), light["residual_over_mean"], row["index"]["model"]],
                fit(both),
                [*fit(rm), rm["same_sign_above_20"], *fit(away)],
            )
            for lines, numbers in zip(tables.values(), values, strict=True):
                cells = " | ".join(f"{x:.2f}" for x in numbers)
                lines.append(f"| `{name}()` | {part} | {cells} |")
    parts = (f"**{title}**\n\n" + "\n".join(lines) for title, lines in tables.items())
    return "\n\n".join(parts)


def structure():
    """Angular power of realisations over the sky's: docs/data/structure.json."""
    record = json.loads((DOCS / "data" / "structure.json").read_text())
    edges = record["edges"]
    bins = [f"{a} to {b - 1}" for a, b in itertools.pairwise(edges)]
    lines = ["| l | " + " | ".join(bins) + " |", "|---" * (len(bins) + 1) + "|"]
    names = {"I": "408 MHz", "EE": "23 GHz, E", "BB": "23 GHz, B"}
    for key, name in names.items():
        power = record["power"][key]
        for kind, label in (("realised", "realisations"), ("mean", "the mean")):
            pairs = zip(power[kind], power["sky"], strict=True)
            cells = " | ".join(f"{a / b:.2f}" for a, b in pairs)
            lines.append(f"| {name}: {label} | {cells} |")
    return "\n".join(lines)


def published():
    """What `benchmarks/published_fields.py` found: docs/data/published_fields.json."""
    record = json.loads((DOCS / "data" / "published_fields.json").read_text())
    best = max(row["log_evidence"] for row in record["rows"])
    kinds = {
        "χ² of the pixels fitted": ["chi2 " + k for k in ("I", "Q", "U", "RM", "DM")],
        "χ² of the pixels held out": ["held out " + k for k in ("I", "Q", "U", "RM")],
    }
    start = "| field | Local Bubble | numbers |"
    whole = [f"{start} free | r of Q, U | r of RM | ln Z |", "|---" * 7 + "|"]
    chi = {
        title: [
            f"{start} {' | '.join(k.split()[-1] for k in keys)} |",
            "|---" * (3 + len(keys)) + "|",
        ]
        for title, keys in kinds.items()
    }
    for row in record["rows"]:
        start = f"| {row['field']} | {'yes' if row['bubble'] else 'no'} | {row['numbers']} | "
        both = f"{row['r QU']:.2f} | {row['r RM']:.2f}"
        whole.append(f"{start}{row['free']} | {both} | {row['log_evidence'] - best:.0f} |")
        for title, keys in kinds.items():
            chi[title].append(start + " | ".join(f"{row[k]:.2f}" for k in keys) + " |")
    tables = {"Evidence and correlations": whole, **chi}
    return "\n\n".join(f"**{title}**\n\n" + "\n".join(rows) for title, rows in tables.items())


def slopes():
    """Indices by slope, of the sky and of the calibrated Galaxy, at |b| > 10 deg."""
    read = lambda name: json.loads((DOCS / "data" / f"{name}.json").read_text())
    lines = ["| between | from | the sky | the calibrated Galaxy |", "|---" * 4 + "|"]
    for name, found in read("comparison_low")["numbers"]["spectral index"].items():
        there = found["|b| > 10"]
        if "data_slope_index" in there:
            between, source = name.split(", ")
            pair = " | ".join(f"{there[f'{who}_slope_index']:.2f}" for who in ("data", "model"))
            lines.append(f"| {between} | {source} | {pair} |")
    index = read("calibration")["galaxies"]["calibrated"]["held out"]["index"]
    last = f"{index['data']:.2f} | {index['model']:.2f}"
    return "\n".join([*lines, f"| 0.408 to 23 GHz | template at 408 MHz | {last} |"])


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


def free_free():
    """What a map lacks without free-free: docs/data/benchmark_free_free.json."""
    record = json.loads((DOCS / "data" / "benchmark_free_free.json").read_text())
    regions = [k.split(":")[0] for k in record["rows"][0] if "largest depth" in k]
    head = " | ".join(f"{_cell(r)}: largest depth | I without" for r in regions)
    lines = [f"| GHz | {head} |", "|---" * (1 + 2 * len(regions)) + "|"]
    for row in record["rows"]:
        cells = [_number(row["GHz"])]
        for r in regions:
            low, high = row[f"{r}: smallest, largest"]
            median = row[f"{r}: I without over I with, median"]
            cells += [
                f"{row[f'{r}: largest depth']:.1g}",
                f"{median:.3f} ({low:.2f} to {high:.2f})",
            ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def one_sky():
    """Polarisation of the mean over turbulence and of single skies: benchmark_one_sky.json."""
    record = json.loads((DOCS / "data" / "benchmark_one_sky.json").read_text())
    lines = [
        "| GHz | P of the mean | P of one sky | their ratio | P/I of one sky |",
        "|---" * 5 + "|",
    ]
    for row in record["rows"]:
        mean = row["P of the mean"]
        cells = [
            _number(row["GHz"]),
            "0" if mean < 1e-6 * row["P of one sky"] else f"{mean:.2g}",
            f"{row['P of one sky']:.2g}",
            f"{row['their ratio']:.2f}",
            f"{row['P/I of one sky']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def published_bubble():
    """By how much ln Z is greater in the Local Bubble, field by field."""
    rows = json.loads((DOCS / "data" / "published_fields.json").read_text())["rows"]
    known = {(r["field"], r["numbers"], r["bubble"]): r["log_evidence"] for r in rows}
    lines = ["| field | gain in ln Z, as published | refitted |", "|---" * 3 + "|"]
    for field in dict.fromkeys(row["field"] for row in rows):
        gains = (known[field, n, True] - known[field, n, False] for n in ("published", "refitted"))
        lines.append(f"| {field} | " + " | ".join(f"{gain:+.1f}" for gain in gains) + " |")
    return "\n".join(lines)


def published_uf23():
    """The refit of UF23 (base) beside the published numbers."""
    record = json.loads((DOCS / "data" / "published_fields.json").read_text())["uf23"]
    lines = ["| number | published | refitted | in the Local Bubble |", "|---" * 4 + "|"]
    pair = lambda v, e: f"{v:.2f} ± {e:.2f}"
    alone, within = record["without"], record["with bubble"]
    for name, row in alone.items():
        cells = [pair(row["published"], row["sd"])]
        for found in (row, within[name]):
            cells.append(f"{pair(found['refitted'], found['refitted_sd'])} ({found['pull']:+.1f})")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def validation():
    """Every row of docs/data/validation.json, which benchmarks/validation.py writes."""
    record = json.loads((DOCS / "data" / "validation.json").read_text())
    parts = []
    for part in dict.fromkeys(row["part"] for row in record["rows"]):
        rows = [row for row in record["rows"] if row["part"] == part]
        lines = ["| what | quantity | against | points | median error | worst | bound | |"]
        lines += ["|---" * 8 + "|"]
        for row in rows:
            errors = (_power(row[k]) for k in ("median", "worst", "bound"))
            cells = (f"`{row['what']}`", row["of"], row["against"], row["points"], *errors)
            lines.append("| " + " | ".join(_cell(c) for c in (*cells, row["because"])) + " |")
        parts += [f"### {part}", "\n".join(lines)]
    return "\n\n".join(parts)


def precision():
    """Float32 against float64: docs/data/precision.json, which benchmarks/precision.py writes."""
    record = json.loads((DOCS / "data" / "precision.json").read_text())
    parts = []
    for title, rows in record["tables"].items():
        columns = list(rows[0])
        lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        show = lambda v: _power(v) if isinstance(v, float) and 0 < abs(v) < 0.01 else _number(v)
        lines += ["| " + " | ".join(show(row[c]) for c in columns) + " |" for row in rows]
        parts += [f"**{title}**", "\n".join(lines)]
    return "\n\n".join(parts)


def _power(value):
    """3·10⁻⁷: one digit and the power of ten."""
    if value == 0:
        return "0"
    digit, power = f"{value:.0e}".split("e")
    return f"{digit}·10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


_COLUMNS = {
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


def _table(rows, columns):
    lines = ["| " + " | ".join(_cell(_heading(c)) for c in columns) + " |"]
    lines += ["|---" * len(columns) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(_cell(_number(row.get(c, ""))) for c in columns) + " |")
    return "\n".join(lines)


def _heading(column):
    """A column's name with its unit in brackets: theirs_s is 'theirs (s)'."""
    if column in _COLUMNS:
        return _COLUMNS[column]
    text = column.replace("_", " ")
    text = re.sub(r"\bMpoints per s\b", "rate (million points/s)", text)
    text = re.sub(r"(?<!per) (s|ns|MB|GB|mK|ms)( per point)?$", r" (\1\2)", text)
    return text


def _tables(rows):
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
        parts.append(_fitting(found, columns))
        if same:
            told = ", ".join(f"{_heading(c)} {_number(found[0][c])}" for c in same)
            parts.append(f"In all rows: {told}.")
    return parts


def _fitting(rows, columns):
    """The table of these columns, turned where it is wide and has few rows."""
    if len(columns) <= _WIDEST or len(rows) > _WIDEST:
        return _table(rows, columns)
    head, *rest = columns
    turned = [{"": _heading(c), **{str(k): r.get(c) for k, r in enumerate(rows)}} for c in rest]
    turned = [{k: "" if v is None else v for k, v in row.items()} for row in turned]
    names = [_cell(_heading(head)), *(_cell(_number(r[head])) for r in rows)]
    lines = _table(turned, list(turned[0])).splitlines()
    return "\n".join(["| " + " | ".join(names) + " |", *lines[1:]])


_WIDEST = 8
"""Columns that a page holds side by side."""

_UNTOLD = ("begun",)
"""Keys of records that no table shows."""


def _number(value):
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        between = " × " if all(isinstance(v, int) for v in value) else ", "
        return between.join(_number(v) for v in value)
    return str(value)


def _cell(text):
    return str(text).replace("|", r"\|").replace("\n", " ")


GENERATORS = {
    "models": models,
    "parameters": parameters,
    "reference": reference,
    "comparison": comparison,
    "calibration": calibration,
    "structure": structure,
    "published": published,
    "free_free": free_free,
    "one_sky": one_sky,
    "size": size,
    "slopes": slopes,
    "published_bubble": published_bubble,
    "published_uf23": published_uf23,
    "measured": measured,
    "benchmarks": benchmarks,
    "accuracy": accuracy,
    "joint": joint,
    "grids": grids,
    "notebook": notebook,
    "notebooks": notebooks,
    "validation": validation,
    "precision": precision,
}

"""What pages tell of docs/data/*.json, which the programs in benchmarks/ write."""

import itertools
import json
from pathlib import Path

from page_tables import COLUMNS, cell, fitting_table, number, power_text, table, tables_of

DOCS = Path(__file__).resolve().parent.parent


def _record(name):
    return json.loads((DOCS / "data" / f"{name}.json").read_text())


def measured(*columns):
    """Columns of docs/data/benchmark_models.json, which benchmarks/models.py writes."""
    file = DOCS / "data" / "benchmark_models.json"
    if not file.exists():
        return "Run `python benchmarks/models.py --json docs/data/benchmark_models.json`."
    record = json.loads(file.read_text())
    machine = record["machine"]
    told = f"*{machine['cpu']}, {machine['cores']} cores, JAX {machine['jax']}, one core, float64.*"
    return told + "\n\n" + table(record["rows"], ["model", *columns])


def benchmarks():
    """One table for every record docs/data/benchmark_*.json that a program in benchmarks/ wrote."""
    parts = []
    for file in sorted((DOCS / "data").glob("benchmark_*.json")):
        record = json.loads(file.read_text())
        if record["benchmark"] in _OWN_PAGES:
            continue
        parts += [f"### {record['benchmark'].replace('_', ' ').capitalize()}", _where(record)]
        for title, rows in {"": record["rows"], **record.get("tables", {})}.items():
            parts += [f"*{title}*"] * bool(title)
            parts += tables_of(rows)
        settings = {
            k: v for k, v in record.items() if k not in ("benchmark", "machine", "rows", "tables")
        }
        told = "; ".join(f"{k}: {number(v)}" for k, v in settings.items())
        parts += [f"`python {program(record)}`" + (f" ({told})" if told else "")]
    return "\n\n".join(parts) or "Run `python benchmarks/engine.py` for those of your machine."


_OWN_PAGES = ("models", "accuracy", "joint fit", "grids", "free_free", "one_sky")
"""Records that are shown elsewhere."""

_PROGRAMS = {
    "against_hammurabi": "against.py --hammurabi PATH",
    "precision": "laws.py --only precision",
    "calls": "laws.py --only calls",
    "galaxy": "laws.py --only galaxy",
    "models_on_sky_slower": "models_on_sky.py --combinations WMAP+TwoDisc ...",
}
"""What wrote a record that is not called as its program is."""


def program(record):
    """The program that wrote a record, with what it was asked for."""
    name = record["benchmark"]
    return f"benchmarks/{_PROGRAMS.get(name, f'{name}.py')}"


def accuracy():
    """Error against points and time: docs/data/benchmark_accuracy.json, and its figure."""
    record = _record("benchmark_accuracy")
    parts = [_where(record)]
    for sky in dict.fromkeys(r["sky"] for r in record["rows"]):
        rows = [r for r in record["rows"] if r["sky"] == sky]
        columns = [k for k in rows[0] if k not in ("sky", "first_s")]
        parts += [f"**{sky}**", table(rows, columns)]
    if record.get("slopes"):
        slopes = [{k: "–" if v is None else v for k, v in r.items()} for r in record["slopes"]]
        parts += [
            "Slopes: the error falls as points (or time) to this power; `–` where fewer than three "
            "errors lie between 0.3 and three times that of the reference, which is told last.",
            table(slopes, list(slopes[0])),
        ]
    if (DOCS / "images/accuracy.png").exists():
        parts.insert(1, "![Error against points a ray](images/accuracy.png){ .figure }")
    return "\n\n".join(parts)


def joint():
    """One model fitted to three skies: docs/data/benchmark_joint.json, and its figure."""
    record = _record("benchmark_joint")
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
        table(agreement, list(agreement[0])),
        f"Posterior with {rows[0]['field']}, {rows[0]['chains']} chains:",
        table(found, list(found[0])),
        "The same for the densities as published (`electrons` 1), and whether errors are right:",
        table(tried, list(tried[0])),
    ]
    if (DOCS / "images/joint.png").exists():
        parts.append("![Data, model and residual of three skies](images/joint.png){ .figure }")
    return "\n\n".join(parts)


_SKIES = {"haslam": "I, 408 MHz", "wmap": "Q and U, 23 GHz", "rm": "rotation measure"}


def grids(letter):
    """One experiment of benchmarks/grids.py ('c' or 'd'): docs/data/benchmark_grids.json."""
    record = _record("benchmark_grids")
    found = [(t, rows) for t, rows in record["tables"].items() if t.startswith(f"({letter})")]
    if not found:
        return "Run `python benchmarks/grids.py --json docs/data/benchmark_grids.json`."
    ((title, rows),) = found
    keys = dict.fromkeys(k for row in rows for k in row)
    columns = [k for k in keys if k == "fit" or k in COLUMNS]
    return f"*{title[4:]}.*\n\n" + fitting_table(rows, columns)


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
        low = record["comparison"] == "low"
        columns = [k for k in COLUMNS if any(k in r for r in rows)]
        parts += [f"## {record['title']}", _low(record["numbers"]) if low else table(rows, columns)]
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
    return "\n\n".join(part for rows in (bright, index, slopes, plane) for part in tables_of(rows))


def calibration():
    """What `benchmarks/calibrate.py` found for each Galaxy: docs/data/calibration.json."""
    record = _record("calibration")
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
    record = _record("structure")
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
    record = _record("published_fields")
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


def published_bubble():
    """By how much ln Z is greater in the Local Bubble, field by field."""
    rows = _record("published_fields")["rows"]
    known = {(r["field"], r["numbers"], r["bubble"]): r["log_evidence"] for r in rows}
    lines = ["| field | gain in ln Z, as published | refitted |", "|---" * 3 + "|"]
    for field in dict.fromkeys(row["field"] for row in rows):
        gains = (known[field, n, True] - known[field, n, False] for n in ("published", "refitted"))
        lines.append(f"| {field} | " + " | ".join(f"{gain:+.1f}" for gain in gains) + " |")
    return "\n".join(lines)


def published_uf23():
    """The refit of UF23 (base) beside the published numbers."""
    record = _record("published_fields")["uf23"]
    lines = ["| number | published | refitted | in the Local Bubble |", "|---" * 4 + "|"]
    pair = lambda v, e: f"{v:.2f} ± {e:.2f}"
    alone, within = record["without"], record["with bubble"]
    for name, row in alone.items():
        cells = [pair(row["published"], row["sd"])]
        for found in (row, within[name]):
            cells.append(f"{pair(found['refitted'], found['refitted_sd'])} ({found['pull']:+.1f})")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def slopes():
    """Indices by slope, of the sky and of the calibrated Galaxy, at |b| > 10 deg."""
    lines = ["| between | from | the sky | the calibrated Galaxy |", "|---" * 4 + "|"]
    for name, found in _record("comparison_low")["numbers"]["spectral index"].items():
        there = found["|b| > 10"]
        if "data_slope_index" in there:
            between, source = name.split(", ")
            pair = " | ".join(f"{there[f'{who}_slope_index']:.2f}" for who in ("data", "model"))
            lines.append(f"| {between} | {source} | {pair} |")
    index = _record("calibration")["galaxies"]["calibrated"]["held out"]["index"]
    last = f"{index['data']:.2f} | {index['model']:.2f}"
    return "\n".join([*lines, f"| 0.408 to 23 GHz | template at 408 MHz | {last} |"])


def free_free():
    """What a map lacks without free-free: docs/data/benchmark_free_free.json."""
    record = _record("benchmark_free_free")
    regions = [k.split(":")[0] for k in record["rows"][0] if "largest depth" in k]
    head = " | ".join(f"{cell(r)}: largest depth | I without" for r in regions)
    lines = [f"| GHz | {head} |", "|---" * (1 + 2 * len(regions)) + "|"]
    for row in record["rows"]:
        cells = [number(row["GHz"])]
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
    record = _record("benchmark_one_sky")
    lines = [
        "| GHz | P of the mean | P of one sky | their ratio | P/I of one sky |",
        "|---" * 5 + "|",
    ]
    for row in record["rows"]:
        mean = row["P of the mean"]
        cells = [
            number(row["GHz"]),
            "0" if mean < 1e-6 * row["P of one sky"] else f"{mean:.2g}",
            f"{row['P of one sky']:.2g}",
            f"{row['their ratio']:.2f}",
            f"{row['P/I of one sky']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def validation():
    """Every row of docs/data/validation.json, which benchmarks/validation.py writes."""
    record = _record("validation")
    parts = []
    for part in dict.fromkeys(row["part"] for row in record["rows"]):
        rows = [row for row in record["rows"] if row["part"] == part]
        lines = ["| what | quantity | against | points | median error | worst | bound | |"]
        lines += ["|---" * 8 + "|"]
        for row in rows:
            errors = (power_text(row[k]) for k in ("median", "worst", "bound"))
            cells = (f"`{row['what']}`", row["of"], row["against"], row["points"], *errors)
            lines.append("| " + " | ".join(cell(c) for c in (*cells, row["because"])) + " |")
        parts += [f"### {part}", "\n".join(lines)]
    return "\n\n".join(parts)


def precision():
    """Float32 against float64: docs/data/precision.json, which benchmarks/precision.py writes."""
    record = _record("precision")
    parts = []
    for title, rows in record["tables"].items():
        columns = list(rows[0])
        lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        show = lambda v: power_text(v) if isinstance(v, float) and 0 < abs(v) < 0.01 else number(v)
        lines += ["| " + " | ".join(show(row[c]) for c in columns) + " |" for row in rows]
        parts += [f"**{title}**", "\n".join(lines)]
    return "\n\n".join(parts)

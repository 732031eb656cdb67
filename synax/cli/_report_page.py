"""The page of `synax report`: HTML with its figures inside."""

import html
from pathlib import Path
from typing import Any

import numpy as np

from ._html import document, image, table
from ._predictive import Check
from ._report import Found

_INK = "#20242c"
_UNITS = {"I": "K", "Q": "K", "U": "K", "P": "K", "RM": "rad/m²", "DM": "pc/cm³"}
_PREFIX = {"K": 1.0, "m": 1e3, "μ": 1e6}
_MOST_IN_CORNER = 8


def page(run: Path, found: Found, problem: Any, checks: list[Check]) -> str:
    """The whole page as text."""
    scalars = {k: v for k, v in found.draws.items() if v[0, 0].size == 1}
    parts = [_head(run, found)]
    if found.kind == "sample":
        parts += _sampled(found, scalars)
    else:
        parts += _fitted(found)
    parts.append("<h2>Data and predictions</h2>")
    parts.append(_check_table(checks))
    for check in checks:
        for row, label in enumerate(check.labels):
            parts.append(image(_maps(check, row, label, problem.rays), f"{check.name} {label}"))
    parts.append("<h2>Posterior predictive checks</h2>")
    parts.append(
        "<p>Left: deviations of the data from the mean prediction, in units of their expected "
        "scatter, against a unit normal curve. Right: χ² of the data under each draw, against "
        "χ² of mock data drawn from it; a fair model has points on both sides of the line.</p>"
    )
    parts += [image(_predictive(check), f"predictive check of {check.name}") for check in checks]
    parts.append("<h2>Configuration</h2>")
    import json

    text = html.escape(json.dumps(found.settings, indent=2))
    parts.append(f"<details><summary>as it was run</summary><pre>{text}</pre></details>")
    return document(f"{found.kind} in {run}", parts)


def _head(run: Path, found: Found) -> str:
    last = found.log[-1] if found.log else {}
    state = f"last entry of the log: {last.get('event', 'none')}, {last.get('time', '')}"
    what = "Samples of a posterior" if found.kind == "sample" else "Most probable model"
    line = html.escape(f"run folder {run}; {state}")
    return f"<h1>{what}</h1><p class=quiet>{line}</p>"


def _sampled(found: Found, scalars: dict[str, np.ndarray]) -> list[str]:
    from ..inference._diagnostics import assess
    from ..inference._results import arviz_module
    from ..plot import corner, trace

    data = arviz_module().from_dict(posterior=found.draws, sample_stats=found.stats)
    data.sample_stats.attrs["method"] = found.settings["sample"]["method"]
    d = assess(data)
    rows = []
    for k, label in enumerate(d.labels[:40]):
        mark = lambda fine, text: f"<span class={'good' if fine else 'bad'}>{text}</span>"
        enough = 100 * len(next(iter(found.draws.values())))
        rows.append([
            html.escape(label), f"{d.mean[k]:.6g}", f"{d.deviation[k]:.2g}",
            mark(d.bulk[k] >= enough, f"{d.bulk[k]:.0f}"),
            mark(d.tail[k] >= enough, f"{d.tail[k]:.0f}"),
            mark(d.rhat[k] < 1.01, f"{d.rhat[k]:.4f}"),
        ])  # fmt: skip
    verdict = "".join(f"<p class=bad>{html.escape(w)}</p>" for w in d.warnings)
    if not d.warnings:
        verdict = "<p class=good>No diagnostic gives cause for doubt.</p>"
    chains, draws = next(iter(found.draws.values())).shape[:2]
    parts = [
        "<h2>Diagnostics</h2>", verdict,
        table(["parameter", "mean", "sd", "ESS bulk", "ESS tail", "R-hat"], rows),
        f"<p>{chains} chains of {draws} draws; {d.divergences} divergences, BFMI {d.bfmi:.2f}, "
        f"{d.gradients_per_draw:.1f} gradients a draw, smallest ESS per gradient "
        f"{d.ess_per_gradient:.3f}.</p>",
    ]  # fmt: skip
    if scalars:
        few = dict(list(scalars.items())[:_MOST_IN_CORNER])
        # a line for each part of a path: long ones would run into each other
        labels = {name: name.removeprefix("likelihood.").replace(".", ".\n") for name in few}
        cut = len(few) < len(scalars)
        note = f"<p>The first {len(few)} of {len(scalars)} parameters.</p>" if cut else ""
        traces, margins = trace(few, labels=labels), corner(few, labels=labels)
        parts += ["<h2>Traces</h2>", note, image(traces, "traces of the chains")]
        parts += ["<h2>Corner plot</h2>", note, image(margins, "corner plot")]
    return parts


def _fitted(found: Found) -> list[str]:
    result = found.result
    mark = {True: "good", False: "bad", None: "quiet"}[result.get("good")]
    errors, units = result.get("errors", {}), result.get("units", {})
    rows = []
    for path, v in result["parameters"].items():
        shown = f"{v:.6g}" if isinstance(v, float) else f"array {v['shape']}"
        error = errors.get(path)
        spread = "" if error is None else f"{error:.2g}"
        rows.append([html.escape(path), shown, spread, html.escape(units.get(path, ""))])
    ended = "good" if result["converged"] else "bad"
    warnings = [w for w in result.get("warnings", []) if w != result.get("verdict")]
    return [
        "<h2>Result</h2>",
        f"<p class={mark}>{html.escape(result.get('verdict', ''))}</p>",
        *(f"<p class=bad>{html.escape(text)}</p>" for text in warnings),
        f"<p class={ended}>{html.escape(result['reason'])} (after {result['steps']} steps)</p>",
        table(["parameter", "value", "error", "unit"], rows),
        *_correlations(result.get("correlation")),
        *_maxima(result.get("maxima", [])),
        image(_history(found.log), "history of the fit"),
    ]


def _correlations(found: dict[str, Any] | None) -> list[str]:
    """The matrix, strong correlations in red; nothing for one parameter or very many."""
    if found is None or not 1 < len(found["labels"]) <= _MOST_IN_CORNER:
        return []
    rows = []
    for label, row in zip(found["labels"], found["matrix"], strict=True):
        cells = ["" if x is None else f"{x:+.2f}" for x in row]
        strong = [x is not None and 0.95 < abs(x) < 0.999999 for x in row]
        cells = [
            f"<span class=bad>{c}</span>" if s else c for c, s in zip(cells, strong, strict=True)
        ]
        rows.append([html.escape(label), *cells])
    return ["<h3>Correlations</h3>", table(["", *map(html.escape, found["labels"])], rows)]


def _maxima(found: list[dict[str, Any]]) -> list[str]:
    """Maxima that the search met, where there is more than one."""
    if len(found) < 2:
        return []
    names = list(found[0]["parameters"])[:_MOST_IN_CORNER]
    rows = [
        [str(k + 1), f"{m['below_the_highest']:.1f}", f"{m['share']:.2g}",
         *(f"{m['parameters'][n]:.4g}" for n in names)]
        for k, m in enumerate(found)
    ]  # fmt: skip
    head = ["", "ln p below the highest", "share of the probability", *map(html.escape, names)]
    return ["<h3>Maxima that the search met</h3>", table(head, rows)]


def _history(log: list[dict[str, Any]]) -> Any:
    from ..plot import figure as new_figure

    steps = [e for e in log if e["event"] == "check"]
    figure = new_figure(figsize=(8.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    x = [e["step"] for e in steps]
    loss = np.array([e["loss"] for e in steps], float)
    axes.plot(x, loss, "o-", ms=3, color="#2a6f97", label="loss")
    axes.set(xlabel="step", ylabel="−ln p (posterior)")
    score = np.array([np.nan if e["validation"] is None else e["validation"] for e in steps], float)
    if np.isfinite(score).any():
        other = axes.twinx()
        other.plot(x, score, "s--", ms=3, color="#d1495b")
        other.set_ylabel("−ln p per held-out datum", color="#d1495b")
    if loss.size and np.nanmin(loss) > 0:
        axes.set_yscale("log")
    return figure


def _check_table(checks: list[Check]) -> str:
    rows = []
    for c in checks:
        for k, label in enumerate(c.labels):
            left = c.data[k] - c.mean[k]
            for where, mask in (("fitted", c.used[k]), ("held out", ~c.used[k])):
                mask = mask & np.isfinite(left)
                if mask.any():
                    rows.append([
                        f"{html.escape(c.name)} {label}, {where}", str(int(mask.sum())),
                        f"{np.std(c.data[k][mask]):.4g}", f"{np.std(left[mask]):.4g}",
                        f"{np.sqrt(np.mean(c.pull[k][mask] ** 2)):.3f}", f"{c.p_value:.2f}",
                    ])  # fmt: skip
    head = ["data", "number", "sd of data", "sd of residual", "rms in units of scatter", "p of χ²"]
    return table(head, rows)


def _maps(check: Check, row: int, label: str, rays: Any) -> Any:
    """Data, mean prediction and deviation in units of the expected scatter."""
    from matplotlib.colors import Normalize

    from ..plot import draw_mollweide, figure as new_figure
    from ..plot._sky import _log_norm, _readable, _signed_norm

    n = 12 * rays.nside**2
    pixels = np.arange(n) if rays.pixels is None else np.asarray(rays.pixels)

    def full(values: np.ndarray) -> np.ndarray:
        whole = np.full(n, np.nan)
        whole[pixels] = values
        return whole

    data, mean, pull = (full(a[row]) for a in (check.data, check.mean, check.pull))
    unit, positive = _UNITS[label], label in ("I", "P", "DM")
    if unit == "K":
        unit = _readable(data, "K_RJ")[1]
        data, mean = (_PREFIX[unit[0]] * values for values in (data, mean))
    norm = _log_norm(data) if positive else _signed_norm(data)
    figure = new_figure(figsize=(13.2, 3.7), layout="constrained")
    axes = figure.subplots(1, 3)
    cmap = "inferno" if positive else "RdBu_r"
    shown = {"ordering": rays.ordering, "cmap": cmap, "norm": norm, "label": unit}
    draw_mollweide(axes[0], data, title=f"{check.name}: {label}", **shown)
    draw_mollweide(axes[1], mean, title="mean prediction", **shown)
    draw_mollweide(
        axes[2], pull, ordering=rays.ordering, cmap="RdBu_r", norm=Normalize(-4.0, 4.0),
        title="(data − prediction) / scatter", label="standard deviations",
    )  # fmt: skip
    return figure


def _predictive(check: Check) -> Any:
    from ..plot import figure as new_figure

    figure = new_figure(figsize=(11.0, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = np.linspace(-5.0, 5.0, 200)
    for name, mask, colour in (
        ("fitted", check.used, "#2a6f97"),
        ("held out", ~check.used, "#d1495b"),
    ):
        pull = check.pull[mask & np.isfinite(check.pull)]
        if pull.size:
            label = f"{name}: rms {np.sqrt(np.mean(pull**2)):.2f}"
            style = {"histtype": "step", "lw": 1.4, "color": colour, "label": label}
            left.hist(np.clip(pull, -5, 5), 50, range=(-5, 5), density=True, **style)
    left.plot(x, np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi), color=_INK, lw=0.8)
    left.set(xlabel=f"{check.name}: deviation / scatter", ylabel="density")
    left.legend(frameon=False, fontsize=9)
    right.plot(check.chi2, check.replicated, ".", color="#2a6f97")
    both = [*check.chi2, *check.replicated]
    right.plot([min(both), max(both)], [min(both), max(both)], color=_INK, lw=0.8)
    right.set(xlabel="χ² of the data", ylabel="χ² of mock data",
              title=f"mock data fit worse in {100 * check.p_value:.0f} % of the draws")  # fmt: skip
    return figure

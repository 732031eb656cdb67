"""Posterior draws: corner and trace plots."""

from typing import Any

import numpy as np
from jaxtyping import Float

_INK = "#20242c"
_COLOURS = ("#2a6f97", "#d1495b", "#e9a23b", "#5b8e7d", "#6d597a", "#bc6c25")

Draws = dict[str, Float[np.ndarray, "n_chains n_draws"]]


def as_draws(draws: Any) -> Draws:
    """Named scalars of a posterior, each (n_chains, n_draws).

    Accepts ArviZ data (its `posterior` group), an xarray Dataset or a dictionary of arrays
    (n_draws,) or (n_chains, n_draws, ...); vector parameters are split into their components.
    """
    if hasattr(draws, "posterior"):
        draws = draws.posterior
    if hasattr(draws, "data_vars"):
        draws = {str(k): v.transpose("chain", "draw", ...).values for k, v in draws.items()}
    named: Draws = {}
    for name, values in draws.items():
        values = np.asarray(values, dtype=float)
        values = values[None] if values.ndim == 1 else values
        flat = values.reshape(*values.shape[:2], -1)
        for k in range(flat.shape[2]):
            named[name if flat.shape[2] == 1 else f"{name}[{k}]"] = flat[..., k]
    if not named:
        raise ValueError("there are no parameters to plot")
    return named


def corner(
    draws: Any,
    truth: dict[str, float] | None = None,
    *,
    labels: dict[str, str] | None = None,
    bins: int = 36,
) -> Any:
    """One- and two-dimensional marginal distributions of posterior draws.

    **Arguments:**

    - `draws`: ArviZ data, xarray Dataset, or dictionary of arrays.
    - `truth`: values to mark.
    - `labels`: nicer names, with units. Contours hold 39 % and 86 % of the draws (1 and 2 sigma in
      two dimensions); titles give the median and the central 68 %.

    **Returns** a matplotlib `Figure`.
    """
    from ._shown import Shown

    named = {name: values.ravel() for name, values in as_draws(draws).items()}
    truth, labels = truth or {}, labels or {}
    names, n = list(named), len(named)
    edges = {k: _edges(v, truth.get(k), bins) for k, v in named.items()}
    figure = Shown(figsize=(1.3 + 1.9 * n, 1.1 + 1.9 * n))
    figure.subplots_adjust(left=0.14, right=0.97, bottom=0.14, top=0.93, wspace=0.06, hspace=0.06)
    panels = np.atleast_2d(figure.subplots(n, n, squeeze=False))
    for row, column in np.ndindex(n, n):
        axes, x, y = panels[row, column], names[column], names[row]
        if column > row:
            axes.set_visible(False)
            continue
        if row == column:
            axes.hist(named[x], edges[x], histtype="stepfilled", color=_COLOURS[0], alpha=0.35)
            axes.hist(named[x], edges[x], histtype="step", color=_COLOURS[0], lw=1.4)
            axes.set_title(_summary(named[x]), fontsize=9, color=_INK)
            axes.set_yticks([])
        else:
            _contours(axes, named[x], named[y], edges[x], edges[y])
            axes.set_ylim(edges[y][[0, -1]])
            if y in truth:
                axes.axhline(truth[y], color=_COLOURS[1], lw=1.0)
        if x in truth:
            axes.axvline(truth[x], color=_COLOURS[1], lw=1.0)
        axes.set_xlim(edges[x][[0, -1]])
        _ticks(axes, labels.get(x, x) if row == n - 1 else "", bottom=True)
        if row != column:
            _ticks(axes, labels.get(y, y) if column == 0 else "", bottom=False)
    figure.align_labels()
    return figure


def _edges(values: np.ndarray, truth: float | None, bins: int) -> np.ndarray:
    low, high = np.percentile(values, [0.1, 99.9])
    if truth is not None:
        low, high = min(low, truth), max(high, truth)
    pad = 0.08 * (high - low) or 0.5 * (abs(low) or 1.0)
    return np.linspace(low - pad, high + pad, bins + 1)


def _summary(values: np.ndarray) -> str:
    low, middle, high = np.percentile(values, [15.865, 50.0, 84.135])
    spread = max(high - low, 1e-300) / 2
    digits = max(0, 1 - int(np.floor(np.log10(spread)))) if spread < 1e3 else 0
    digits = min(digits, 9)
    up, down = f"{high - middle:.{digits}f}", f"{middle - low:.{digits}f}"
    return f"${middle:.{digits}f}^{{+{up}}}_{{-{down}}}$"


def _contours(
    axes: Any, x: np.ndarray, y: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray
) -> None:
    from scipy.ndimage import gaussian_filter

    counts, _, _ = np.histogram2d(x, y, bins=(x_edges, y_edges))
    counts = gaussian_filter(counts, 1.2)
    ordered = np.sort(counts.ravel())[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    levels = [ordered[np.searchsorted(share, part)] for part in (0.865, 0.393)]
    middles = [0.5 * (e[1:] + e[:-1]) for e in (x_edges, y_edges)]
    if levels[1] > levels[0] > 0:
        fill = [*levels, counts.max() * 1.001]
        axes.contourf(*middles, counts.T, levels=fill, colors=["#a9c9dc", "#2a6f97"], alpha=0.8)
        axes.contour(*middles, counts.T, levels=levels, colors=_COLOURS[0], linewidths=0.9)
    else:
        axes.plot(x, y, ".", ms=2, color=_COLOURS[0])


def _ticks(axes: Any, label: str, *, bottom: bool) -> None:
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    axis = axes.xaxis if bottom else axes.yaxis
    axis.set_major_formatter(ScalarFormatter(useOffset=False))
    axis.set_major_locator(MaxNLocator(3, prune="both"))
    axis.set_tick_params(labelsize=8, labelrotation=35 if bottom else 0)
    if label:
        axis.set_label_text(label, color=_INK)
    else:
        axis.set_ticklabels([])


def trace(
    draws: Any, truth: dict[str, float] | None = None, *, labels: dict[str, str] | None = None
) -> Any:
    """Every chain of every parameter: distribution on the left, draws in order on the right.

    Titles give the rank-normalised split R-hat and the bulk effective sample size (ArviZ).
    Arguments as in `corner`. **Returns** a matplotlib `Figure`.
    """
    from ..inference._results import arviz_module
    from ._shown import Shown

    arviz = arviz_module()
    named = as_draws(draws)
    truth, labels = truth or {}, labels or {}
    figure = Shown(figsize=(11.0, 0.6 + 1.7 * len(named)), layout="constrained")
    panels = figure.subplots(len(named), 2, squeeze=False, width_ratios=[1, 2.4])
    for (left, right), (name, chains) in zip(panels, named.items(), strict=True):
        edges = _edges(chains, truth.get(name), 40)
        for k, chain in enumerate(chains):
            colour = _COLOURS[k % len(_COLOURS)]
            left.hist(chain, edges, histtype="step", density=True, color=colour, lw=1.2)
            right.plot(chain, color=colour, lw=0.6, alpha=0.9)
        if name in truth:
            left.axvline(truth[name], color=_INK, lw=1.0, ls="--")
            right.axhline(truth[name], color=_INK, lw=1.0, ls="--")
        ess = float(arviz.ess(chains))  # type: ignore[arg-type]
        text = f"effective samples {ess:.0f}"
        if chains.shape[1] >= 4:
            text = f"R-hat {float(arviz.rhat(chains)):.3f}, " + text  # type: ignore[arg-type]
        right.set_title(text, fontsize=9, color=_INK, loc="right")
        left.set(xlabel=labels.get(name, name), yticks=[])
        left.locator_params(axis="x", nbins=5)
        right.set(ylabel=labels.get(name, name), xlim=(0, chains.shape[1] - 1))
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
    panels[-1, 1].set_xlabel("draw")
    return figure

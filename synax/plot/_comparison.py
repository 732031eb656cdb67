"""Figures of models against the real sky."""

from typing import Any

import numpy as np
from jaxtyping import Float

from ._sky import _log_norm, _signed_norm, draw_mollweide, draw_sources

_DATA, _MODEL = "#20242c", "#d1495b"
_Map = Float[np.ndarray, " n_pix"]
_Power = Float[np.ndarray, " n_ell"]


def comparison(
    pairs: dict[str, tuple[_Map, _Map]],
    latitude: _Map,
    *,
    unit: str,
    title: str,
    signed: bool,
    cmap: str,
    scale: float = 1.0,
    spectra: dict[str, tuple[_Power, _Power]] | None = None,
) -> Any:
    """Data, model and what is left on one colour scale, scatter, profiles, angular spectra.

    **Arguments:**

    - `pairs`: name -> (data, model) RING maps, one row each.
    - `latitude`: degrees, of each pixel.
    - `signed`: colours that keep the sign (RM, Q, U) instead of logarithmic ones.
    - `scale`: the slope of a line in the scatter.
    - `spectra`: name -> (data, model), C_l from l = 0.
    """
    from ._shown import Shown, spaced

    rows = len(pairs)
    figure = Shown(figsize=(18.0, 3.9 * (rows + 1)), layout="constrained")
    spaced(figure, w_pad=0.12, h_pad=0.1)
    figure.suptitle(title, fontsize=15, color=_DATA)
    grid = figure.add_gridspec(rows + 1, 3)
    for row, (name, (data, model)) in enumerate(pairs.items()):
        norm = _signed_norm(data) if signed else _log_norm(data)
        style: dict[str, Any] = {"cmap": cmap, "norm": norm, "label": unit}
        left = data - model
        rest = style if signed else {"cmap": "RdBu_r", "norm": _signed_norm(left), "label": unit}
        panels = ((data, "measured", style), (model, "model", style))
        for column, (values, what, how) in enumerate((*panels, (left, "measured - model", rest))):
            axes = figure.add_subplot(grid[row, column])
            draw_mollweide(axes, values, title=f"{name}, {what}", **how)
    _scatter(figure.add_subplot(grid[rows, 0]), pairs, unit, signed, scale)
    _profile(figure.add_subplot(grid[rows, 1]), pairs, latitude, unit, signed)
    if spectra:
        _spectra(figure.add_subplot(grid[rows, 2]), spectra, unit)
    return figure


def _spectra(axes: Any, spectra: dict[str, tuple[_Power, _Power]], unit: str) -> None:
    """l (l + 1) C_l / 2 pi of data and model against l."""
    for style, (name, pair) in zip(("-", "--", ":"), spectra.items(), strict=False):
        for values, color, label in zip(pair, (_DATA, _MODEL), ("measured", "model"), strict=True):
            ell = np.arange(2, len(values))
            power = ell * (ell + 1) * np.asarray(values)[2:] / (2.0 * np.pi)
            axes.plot(ell, power, style, color=color, lw=1.6, label=f"{name}, {label}")
    axes.set(xscale="log", yscale="log", xlabel="multipole l")
    axes.set_xticks(ticks := [2, 5, 10, 20, 50], [str(t) for t in ticks])
    axes.tick_params(axis="x", which="minor", labelbottom=False)
    axes.set_ylabel(rf"$l(l+1)C_l/2\pi$ ({unit})$^2$")
    _finish(axes)


def _scatter(axes: Any, pairs: dict[str, Any], unit: str, signed: bool, scale: float) -> None:
    data = np.concatenate([d for d, _ in pairs.values()])
    model = np.concatenate([m for _, m in pairs.values()])
    use = np.isfinite(data) & np.isfinite(model)
    if not signed:
        use &= (data > 0) & (model > 0)
    data, model = data[use], model[use]
    if not data.size:
        axes.set(xlabel=f"model ({unit})", ylabel=f"measured ({unit})")
        axes.text(0.5, 0.5, "no positive values", ha="center", transform=axes.transAxes)
        return
    ranges = []
    for values in (model, data):
        top = float(np.percentile(np.abs(values), 99.7))
        low = -top if signed else float(np.percentile(values, 0.3))
        if low >= top:  # all values are one
            low, top = (low - 1.0, top + 1.0) if signed else (0.5 * low, 2.0 * top)
        ranges.append((low, top))
    (x0, x1), (y0, y1) = ranges
    kind = "linear" if signed else "log"
    extent = (x0, x1, y0, y1) if signed else tuple(np.log10([x0, x1, y0, y1]))
    axes.hexbin(
        *(model, data),
        extent=extent,
        xscale=kind,
        yscale=kind,
        gridsize=60,
        bins="log",
        mincnt=1,
        cmap="Greys",
    )
    line = np.array([x0, x1])
    if scale != 1.0:
        label = f"measured = {scale:.3g} model"
        axes.plot(line, scale * line, color=_MODEL, lw=1.4, label=label)
    axes.plot(line, line, color=_MODEL, lw=1.2, ls=":", label="measured = model")
    axes.set(xlim=(x0, x1), ylim=(y0, y1))
    axes.set(xlabel=f"model ({unit})", ylabel=f"measured ({unit})")
    _finish(axes)


def _profile(axes: Any, pairs: dict[str, Any], latitude: _Map, unit: str, signed: bool) -> None:
    """Median over longitude against latitude; of the absolute value for signed quantities."""
    edges = np.linspace(-90, 90, 37)
    middle = 0.5 * (edges[1:] + edges[:-1])
    band = np.digitize(latitude, edges) - 1
    styles = ("-", "--", ":")
    for style, (name, (data, model)) in zip(styles, pairs.items(), strict=False):
        for values, color, label in ((data, _DATA, "measured"), (model, _MODEL, "model")):
            values = np.abs(values) if signed else values
            medians = [_median(values[band == k]) for k in range(len(middle))]
            name_of = f"|{name}|" if signed else name
            axes.plot(middle, medians, style, color=color, lw=1.6, label=f"{name_of}, {label}")
    axes.set(xlabel="Galactic latitude (deg)", ylabel=f"median over longitude ({unit})")
    axes.set_yscale("log")
    axes.set_xlim(-90, 90)
    axes.set_xticks(range(-90, 91, 30))
    _finish(axes)


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def pulsars(
    data: _Map, model: _Map, distance: _Map, latitude: _Map, *, title: str, unit: str
) -> Any:
    """Measured against modelled dispersion measures, and their ratio against distance."""
    from ._shown import Shown, spaced

    figure = Shown(figsize=(14.5, 6.0), layout="constrained")
    spaced(figure, w_pad=0.12, h_pad=0.1)
    figure.suptitle(title, fontsize=15, color=_DATA)
    left, right = figure.subplots(1, 2)
    use = np.isfinite(model) & (model > 0)
    style: dict[str, Any] = {"c": np.abs(latitude[use]), "cmap": "viridis_r", "s": 20, "lw": 0}
    limits = np.array([0.7, 1.4]) * [
        min(data[use].min(), model[use].min()),
        max(data[use].max(), model[use].max()),
    ]
    points = left.scatter(model[use], data[use], **style)
    left.plot(limits, limits, color=_MODEL, lw=1.2, label="measured = model")
    left.fill_between(limits, limits / 2, limits * 2, color=_MODEL, alpha=0.1, label="factor 2")
    left.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    left.set(xlabel=f"model DM ({unit})", ylabel=f"measured DM ({unit})")
    right.scatter(distance[use], data[use] / model[use], **style)
    right.axhline(1.0, color=_MODEL, lw=1.2)
    right.axhspan(0.5, 2.0, color=_MODEL, alpha=0.1)
    right.set(xscale="log", yscale="log", xlabel="distance (kpc)", ylabel="measured / model")
    bar = figure.colorbar(points, ax=[left, right], pad=0.01, aspect=40)
    bar.set_label("|b| (deg)", color=_DATA)
    bar.outline.set_visible(False)
    _finish(left)
    _finish(right, legend=False)
    return figure


def sources(
    l: Float[np.ndarray, " n"],
    b: Float[np.ndarray, " n"],
    data: Float[np.ndarray, " n"],
    model: Float[np.ndarray, " n"],
    *,
    unit: str,
    title: str,
    signed: bool,
) -> Any:
    """A catalogue's numbers and a model's: where they are on the sky, and one against the other.

    **Arguments:**

    - `l`, `b`: of the sources, degrees.
    - `data`, `model`: measured and modelled, in `unit`; finite.
    - `signed`: rotation measures, which have a sign; else positive numbers.

    **Returns** a matplotlib `Figure`.
    """
    from ._shown import Shown, spaced

    figure = Shown(figsize=(18.0, 4.6), layout="constrained")
    spaced(figure, w_pad=0.12, h_pad=0.1)
    figure.suptitle(title, fontsize=15, color=_DATA)
    left, middle, right = figure.subplots(1, 3)
    usual = np.clip(data, *np.percentile(data, [3.0, 97.0]))  # single sources lie far out
    norm = _signed_norm(usual) if signed else _log_norm(usual)
    style: dict[str, Any] = {"norm": norm, "cmap": "RdBu_r" if signed else "cividis"}
    for axes, values, name in ((left, data, "measured"), (middle, model, "model")):
        draw_sources(axes, l, b, values, title=name, label=unit, **style)
    _scatter(right, {"": (data, model)}, unit, signed, 1.0)
    return figure


def _finish(axes: Any, legend: bool = True) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2, lw=0.5)
    axes.tick_params(colors=_DATA)
    if legend:
        axes.legend(frameon=False, fontsize=10)

"""Data, model and what is left, on the same scale."""

from typing import Any

import numpy as np

from ..maps._skymap import SkyMap
from ._sky import _frequency, _log_norm, _readable, _signed_norm, draw_mollweide
from ._stokes import at_frequency

_INK = "#20242c"


def residuals(
    data: SkyMap,
    model: SkyMap,
    component: str = "I",
    *,
    sigma: Any = None,
    frequency: float | None = None,
) -> Any:
    """Data, model, residual and its histogram for one component of two maps.

    **Arguments:**

    - `data`, `model`: maps of one kind, unit and convention.
    - `component`: 'I', 'Q', 'U', 'RM', ...
    - `sigma`: standard deviation in the map's unit, a number or (n_pix,): the residual is then in
      units of it, and a unit normal curve is drawn over the histogram.
    - `frequency`: GHz, of maps at several.

    **Returns** a matplotlib `Figure`. **Raises** `ValueError` if the maps do not belong together.
    """
    from matplotlib.colors import Normalize

    from ._shown import Shown, spaced

    left = (data - model).full()  # checks unit, convention, frame, ordering and frequency
    data, model, left = (at_frequency(m.full(), frequency) for m in (data, model, left))
    given = np.asarray(data.component(component))
    given, unit = _readable(given, data.unit) if data.frequency else (given, data.unit)
    raw = np.asarray(data.component(component))
    finite = np.isfinite(raw) & (raw != 0)
    factor = float(given[finite][0] / raw[finite][0]) if finite.any() else 1.0
    fitted = factor * np.asarray(model.component(component))
    rest = factor * np.asarray(left.component(component))
    rest_unit = unit
    if sigma is not None:
        rest, rest_unit = rest / (factor * np.asarray(sigma)), "σ"
    signed = component not in ("I", "DM", "EM", "TAU")
    norm, cmap = (_signed_norm(given), "RdBu_r") if signed else (_log_norm(given), "inferno")
    top = float(np.nanpercentile(np.abs(rest), 99.5)) or 1.0
    where = "" if data.frequency is None else f", {_frequency(float(data.frequency))}"  # type: ignore[arg-type]

    figure = Shown(figsize=(14.8, 9.4), layout="constrained")
    spaced(figure, w_pad=0.1, h_pad=0.1)
    grid = figure.add_gridspec(2, 2)
    maps = (
        (grid[0, 0], given, "data", norm, cmap, unit),
        (grid[0, 1], fitted, "model", norm, cmap, unit),
        (grid[1, 0], rest, "data - model", Normalize(-top, top), "RdBu_r", rest_unit),
    )
    for place, values, name, scale, colours, label in maps:
        draw_mollweide(
            figure.add_subplot(place),
            values,
            ordering=data.ordering,
            cmap=colours,
            norm=scale,
            title=f"{component}, {name}{where}",
            label=label,
        )
    axes = figure.add_subplot(grid[1, 1])
    shown = rest[np.isfinite(rest)]
    edges = np.linspace(-top, top, 61)
    axes.hist(shown, edges, density=True, color="#8d99ae", label=f"std {shown.std():.3g}")
    if sigma is not None:
        x = np.linspace(-top, top, 200)
        curve = np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)
        axes.plot(x, curve, color="#d1495b", lw=1.5, label="unit normal")
    axes.set(xlabel=f"data - model ({rest_unit})", ylabel="density", xlim=(-top, top))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure

"""A galaxy seen from outside: images on the parallel sightlines of `Sightlines.parallel`."""

from typing import Any

import numpy as np

from ..maps._stokes import Stokes
from ..sightlines._sightlines import Sightlines
from ._sky import _frequency, _log_norm, _readable


def image(
    stokes: Stokes, rays: Sightlines, frequency: float, *, extent: tuple[float, float]
) -> Any:
    """Total and polarised intensity of a distant galaxy, with the direction of its field.

    **Arguments:**

    - `stokes`: at one frequency, K (RJ), on the `rays` of `Sightlines.parallel`.
    - `frequency`: GHz.
    - `extent`: width and height of the image (kpc), as given there. The lines are perpendicular to
      the electric vector.

    **Returns** a matplotlib `Figure`. **Raises** `ValueError` if the rays are no image.
    """
    from ._shown import Shown

    if rays.image_shape is None:
        raise ValueError("rays must come from Sightlines.parallel; these have no image_shape")
    ny, nx = rays.image_shape
    total, q, u = (np.asarray(s).reshape(ny, nx) for s in (stokes.I, stokes.Q, stokes.U))
    box = (-extent[0] / 2, extent[0] / 2, -extent[1] / 2, extent[1] / 2)
    figure = Shown(figsize=(12.6, 0.9 + 5.4 * extent[1] / extent[0]), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    panels = ((left, total, "inferno", "Total"), (right, np.hypot(q, u), "viridis", "Polarised"))
    for axes, values, cmap, name in panels:
        scaled, label = _readable(values, "K_RJ")
        norm = _log_norm(scaled)
        axes.set_facecolor("black")
        shown = axes.imshow(scaled, extent=box, origin="lower", cmap=cmap, norm=norm)
        bar = figure.colorbar(shown, ax=axes, pad=0.02, extend="both")
        bar.set_label(label)
        bar.outline.set_visible(False)
        axes.set_title(f"{name} intensity, {_frequency(frequency)}")
        axes.set_xlabel("offset (kpc)")
    left.set_ylabel("offset (kpc)")
    step = max(1, nx // 24)
    rows, columns = (a[step // 2 :: step, step // 2 :: step] for a in np.indices((ny, nx)))
    q, u = q[rows, columns], u[rows, columns]
    field = 0.5 * np.arctan2(u, q) + 0.5 * np.pi
    bright = np.hypot(q, u) > 1e-3 * np.hypot(q, u).max()
    x = box[0] + (columns + 0.5) * extent[0] / nx
    y = box[2] + (rows + 0.5) * extent[1] / ny
    style = {"headlength": 0, "headaxislength": 0, "headwidth": 1, "pivot": "mid"}
    along = (-np.sin(field)[bright], np.cos(field)[bright])  # east is to the left
    right.quiver(x[bright], y[bright], *along, color="white", width=0.003, scale=30, **style)
    return figure

"""Cuts through any field: face-on and edge-on, with field lines, and profiles along sightlines."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import unitless_leaves
from ..fields._field import AbstractField
from ..sightlines._sightlines import SUN, Sightlines

_INK = "#20242c"
_MICROGAUSS, _DENSITY = "μG", r"cm$^{-3}$"


def slices(
    field: AbstractField,
    *,
    half_width: float = 18.0,
    half_height: float = 6.0,
    z: float = 0.0,
    y: float = 0.0,
    observer: tuple[float, float, float] = SUN,
    label: str | None = None,
    title: str = "",
    shape: int = 400,
) -> Any:
    """A field face-on (at height `z`) and edge-on (at `y`), with field lines if it is a vector.

    Colours are the strength |B| of a vector field and the value of a scalar one; lines follow
    the components in the plane of the cut. Face-on is seen from the north, the Sun at the left.

    **Arguments:**

    - `field`: any field.
    - `half_width`, `half_height`, `z`, `y`: kpc.
    - `observer`: where to put the mark of the Sun.
    - `label`: of the colour bar; default: |B| in microgauss, or cm^-3.
    - `shape`: pixels along the width.

    **Returns** a matplotlib `Figure`.
    """
    from ._shown import Shown

    figure = Shown(figsize=(12.4, 5.2), layout="constrained")
    draw_slices(
        figure,
        field,
        half_width=half_width,
        half_height=half_height,
        z=z,
        y=y,
        observer=observer,
        label=label,
        title=title,
        shape=shape,
    )
    return figure


def draw_slices(
    figure: Any,
    field: AbstractField,
    *,
    half_width: float = 18.0,
    half_height: float = 6.0,
    z: float = 0.0,
    y: float = 0.0,
    observer: tuple[float, float, float] = SUN,
    label: str | None = None,
    title: str = "",
    shape: int = 400,
) -> None:
    """Draw what `slices` shows on an empty figure or subfigure."""
    left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.25])
    face, (h, v) = _plane(half_width, half_width, shape, lambda a, b: (a, b, z + 0 * a))
    edge, (he, ve) = _plane(half_width, half_height, shape, lambda a, b: (a, y + 0 * a, b))
    values = [_evaluate(field, points) for points in (face, edge)]
    vector = values[0].ndim == 3
    strengths = [np.linalg.norm(f, axis=0) if vector else f for f in values]
    norm = _norm(np.concatenate([s.ravel() for s in strengths]))
    cmap = "magma" if vector else "cividis"
    if label is None:
        label = f"$|B|$ ({_MICROGAUSS})" if vector else _DENSITY
    draw = {"cmap": cmap, "norm": norm, "vector": vector}
    _cut(left, h, v, strengths[0], values[0][[0, 1]] if vector else None, **draw)
    shown = _cut(right, he, ve, strengths[1], values[1][[0, 2]] if vector else None, **draw)
    for axes, name, place in (
        (left, f"face-on, $z = {z:g}$ kpc", (observer[0], observer[1])),
        (right, f"edge-on, $y = {y:g}$ kpc", (observer[0], observer[2])),
    ):
        axes.plot(*place, "o", ms=6, mfc="#ffd166", mec="black", mew=0.8)
        axes.set_title(name, color=_INK)
        axes.set_xlabel("$x$ (kpc)")
    left.set_ylabel("$y$ (kpc)")
    right.set_ylabel("$z$ (kpc)")
    bar = figure.colorbar(shown, ax=[left, right], pad=0.015, aspect=30, extend="both")
    bar.set_label(label, color=_INK)
    bar.outline.set_visible(False)
    if title:
        figure.suptitle(title, color=_INK, fontsize=14)


@eqx.filter_jit
def _compiled(field: AbstractField, position: Float[Array, "3 *points"]) -> Float[Array, "..."]:
    return field(position)


def _evaluate(field: AbstractField, position: Any) -> np.ndarray:
    unitless_leaves("field", field)
    return np.asarray(_compiled(field, jnp.asarray(position)))


def _plane(
    half_width: float, half_height: float, shape: int, place: Any
) -> tuple[Float[np.ndarray, "3 nv nh"], tuple[np.ndarray, np.ndarray]]:
    rows = max(2, round(shape * half_height / half_width))
    h = half_width * (2 * (np.arange(shape) + 0.5) / shape - 1)
    v = half_height * (2 * (np.arange(rows) + 0.5) / rows - 1)
    return np.stack(place(*np.meshgrid(h, v))), (h, v)


def _norm(strength: np.ndarray) -> Any:
    from matplotlib.colors import AsinhNorm, LogNorm, Normalize

    finite = strength[np.isfinite(strength)]
    if finite.size and finite.min() < 0:
        top = float(np.percentile(np.abs(finite), 99.5)) or 1.0
        return AsinhNorm(0.1 * top, -top, top)
    positive = finite[finite > 0]
    if positive.size == 0:
        return Normalize(0.0, 1.0)
    low, high = np.percentile(positive, [1.0, 99.7])
    low = max(low, 1e-3 * high)
    return LogNorm(low, high) if high > 3.0 * low else Normalize(0.0, 1.1 * high)


def _cut(
    axes: Any,
    h: np.ndarray,
    v: np.ndarray,
    strength: np.ndarray,
    lines: np.ndarray | None,
    *,
    cmap: str,
    norm: Any,
    vector: bool,
) -> Any:
    from matplotlib import colormaps

    axes.set_facecolor(colormaps[cmap](0.0) if norm.vmin >= 0 else "white")
    shown = axes.imshow(
        np.ma.masked_where(~np.isfinite(strength) | (vector & (strength == 0)), strength),
        extent=(
            *(1.5 * h[[0, -1]] - 0.5 * h[[1, -2]]),
            *(1.5 * v[[0, -1]] - 0.5 * v[[1, -2]]),
        ),
        origin="lower",
        cmap=cmap,
        norm=norm,
        interpolation="bilinear",
    )
    if lines is not None and np.any(np.hypot(*lines) > 0):
        # where the field crosses the plane steeply, its projection says little
        hidden = np.hypot(*lines) <= np.maximum(1e-3 * norm.vmin, 0.05 * strength)
        a, b = (np.ma.masked_where(hidden, component) for component in lines)
        with np.errstate(invalid="ignore", divide="ignore"):
            axes.streamplot(
                h, v, a, b, color="white", linewidth=0.6, arrowsize=0.55, density=(1.3, 1.3)
            )
    axes.set(xlim=(h[0], h[-1]), ylim=(v[0], v[-1]), aspect="equal")
    axes.tick_params(colors=_INK)
    return shown


def profile(
    fields: dict[str, AbstractField],
    l: float,
    b: float,
    *,
    distance: float | None = None,
    observer: tuple[float, float, float] = SUN,
    points: int = 800,
) -> Any:
    """Fields along one sightline: B towards the observer and across, densities.

    **Arguments:**

    - `fields`: name -> field; a panel each.
    - `l`, `b`: degrees.
    - `distance`: kpc, default: to the wall of the default box.
    - `observer`: kpc.

    **Returns** a matplotlib `Figure`; B_par > 0 points to the observer, as in rotation measures.

    ```python
    synax.plot.profile({"B": synax.magnetic.JF12(), "n_e": synax.electrons.YMW16()}, 45.0, 2.0)
    ```
    """
    from ._shown import Shown

    if not fields:
        raise ValueError("profile needs at least one field")
    rays = Sightlines.from_lonlat([l], [b], distance, observer=observer)
    near, far = (float(end[0]) for end in rays.span())
    s = near + (far - near) * (np.arange(points) + 0.5) / points
    position = rays.origin + jnp.asarray(s) * rays.direction[:, 0, None]
    figure = Shown(figsize=(8.0, 1.0 + 2.1 * len(fields)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(fields), 1, sharex=True))
    for axes, (name, field) in zip(panels, fields.items(), strict=True):
        value = _evaluate(field, position)
        if value.ndim == 2:
            away, east, north = (
                np.einsum("i,is->s", np.asarray(e)[:, 0], value)
                for e in (rays.direction, rays.east, rays.north)
            )
            axes.plot(s, -away, color="#2a6f97", lw=1.5, label="towards the observer")
            axes.plot(s, np.hypot(east, north), color="#d1495b", lw=1.5, label="across")
            axes.axhline(0.0, color=_INK, lw=0.5)
            axes.legend(frameon=False, fontsize=9, ncols=2)
            axes.set_ylabel(f"{name} ({_MICROGAUSS})")
        else:
            axes.plot(s, value, color=_INK, lw=1.5)
            axes.set_ylabel(f"{name} ({_DENSITY})")
            if value.min() > 0 and value.max() > 30 * value.min():
                axes.set_yscale("log")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2, lw=0.5)
    panels[0].set_title(f"$l = {l:g}°$, $b = {b:g}°$", color=_INK)
    panels[-1].set_xlabel("distance from the observer (kpc)")
    panels[-1].set_xlim(near, far)
    return figure

"""Sky maps as a person likes to see them: Mollweide, l = 0 in the middle, growing to the left."""

import functools
import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ..maps._skymap import SkyMap

_WIDTH = 1200
_INK = "#20242c"


def mollweide_pixels() -> tuple[Float[np.ndarray, "ny nx"], Float[np.ndarray, "ny nx"], Any]:
    """Longitude and latitude (degrees) of the image's pixels, and which lie on the sky.

    l = -(pi / 2) x / cos t, sin b = (2 t + sin 2t) / pi, sin t = y, for |x| <= 2, |y| <= 1.
    """
    x = np.linspace(-2.0, 2.0, _WIDTH)[None, :]
    y = np.linspace(-1.0, 1.0, _WIDTH // 2)[:, None]
    theta = np.arcsin(y)
    on_sky = (x / 2.0) ** 2 + y**2 <= 1.0
    safe = np.maximum(np.cos(theta), 1e-6)
    lon = np.where(on_sky, -90.0 * x / safe, 0.0)
    lat = np.degrees(np.arcsin((2.0 * theta + np.sin(2.0 * theta)) / math.pi)) + 0.0 * x
    return lon, lat, on_sky


@functools.lru_cache(maxsize=2)
def on_image(
    n_pix: int, nest: bool, smooth: bool
) -> tuple[Int[np.ndarray, "k ny nx"], Float[np.ndarray, "k ny nx"], Any]:
    """The HEALPix pixels that every pixel of the image is made of, their weights, and the sky."""
    import healpy

    nside = healpy.npix2nside(n_pix)
    lon, lat, on_sky = mollweide_pixels()
    if smooth:
        return *healpy.get_interp_weights(nside, lon, lat, nest=nest, lonlat=True), on_sky
    pixels = healpy.ang2pix(nside, lon, lat, nest=nest, lonlat=True)[None]
    return pixels, np.ones(pixels.shape), on_sky


def draw_mollweide(
    axes: Any,
    values: Float[np.ndarray, " n_pix"],
    *,
    ordering: str = "RING",
    cmap: str = "inferno",
    norm: Any = None,
    title: str = "",
    label: str = "",
) -> Any:
    """Draw one HEALPix map (NaN: absent) on matplotlib axes, with graticule and colour bar.

    **Returns** the image, whose `.colorbar` can be adjusted.
    """
    from matplotlib.patches import Ellipse

    values = np.asarray(values, dtype=float)
    smooth = values.size < 12 * 512**2 and bool(np.isfinite(values).all())
    pixels, weights, on_sky = on_image(values.size, ordering == "NEST", smooth)
    image = np.sum(values[pixels] * weights, axis=0)
    image = np.ma.masked_where(~on_sky | ~np.isfinite(image), image)
    shown = axes.imshow(
        image, extent=(-2, 2, -1, 1), origin="lower", cmap=cmap, norm=norm, interpolation="bilinear"
    )
    _graticule(axes, "#707070" if cmap == "RdBu_r" else "white")
    axes.images[-1].set_clip_path(Ellipse((0, 0), 4, 2, transform=axes.transData))
    _bare(axes, title)
    _colour_bar(axes, shown, norm, label)
    return shown


def draw_sources(
    axes: Any,
    l: Float[np.ndarray, " n"],
    b: Float[np.ndarray, " n"],
    values: Float[np.ndarray, " n"],
    *,
    cmap: str,
    norm: Any,
    title: str = "",
    label: str = "",
) -> Any:
    """Draw sources as dots on a Mollweide sky, with graticule and colour bar; l, b in degrees.

    **Returns** the dots, whose `.colorbar` can be adjusted.
    """
    angle = np.asarray([_auxiliary(math.radians(x)) for x in np.clip(b, -89.9, 89.9)])
    x = -((np.asarray(l) + 180.0) % 360.0 - 180.0) / 90.0 * np.cos(angle)
    size = float(np.clip(4e4 / len(angle), 3.0, 30.0))
    order = np.argsort(np.abs(values))
    place = (x[order], np.sin(angle)[order])
    shown = axes.scatter(*place, c=values[order], s=size, lw=0, cmap=cmap, norm=norm)
    _graticule(axes, "#707070")
    _bare(axes, title)
    _colour_bar(axes, shown, norm, label)
    return shown


def _bare(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=13, color=_INK, pad=8)
    axes.set_axis_off()
    axes.set(xlim=(-2.04, 2.04), ylim=(-1.03, 1.03), aspect="equal", xticks=(), yticks=())


def _colour_bar(axes: Any, shown: Any, norm: Any, label: str) -> None:
    from matplotlib.colors import LogNorm

    bar = axes.figure.colorbar(
        shown, ax=axes, orientation="horizontal", shrink=0.62, aspect=38, pad=0.03, extend="both"
    )
    bar.set_label(label, color=_INK, fontsize=11)
    if hasattr(norm, "linear_width"):
        ticks = _signed_ticks(norm)
        bar.set_ticks(ticks, labels=[f"{x:g}".replace("-", "−") for x in ticks])
        bar.ax.minorticks_off()
    elif isinstance(norm, LogNorm) and _within_two_decades(norm):
        # matplotlib writes 6 x 10^0, 2 x 10^1, 3 x 10^1, ... over each other
        ticks = _short_ticks(norm.vmin, norm.vmax)
        bar.set_ticks(ticks, labels=[f"{x:g}" for x in ticks])
        bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=10, colors=_INK)
    bar.outline.set_visible(False)


def _short_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two positive numbers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [factor * 10.0**k for k in powers for factor in (1.0, 2.0, 5.0)]
    return [x for x in marks if low <= x <= high]


def _signed_ticks(norm: Any) -> list[float]:
    """Zero and the powers of ten that stand clear of it."""
    lowest = math.ceil(math.log10(1.5 * norm.linear_width))
    highest = math.floor(math.log10(norm.vmax))
    marks = [10.0**k for k in range(lowest, highest + 1)]
    marks = marks or [max(f * 10.0**highest for f in (1, 2, 5) if f * 10.0**highest < norm.vmax)]
    return [-x for x in reversed(marks)] + [0.0] + marks


def _graticule(axes: Any, color: str) -> None:
    from matplotlib.patches import Ellipse

    sky = Ellipse((0, 0), 4, 2, facecolor="#e8e8ea", edgecolor="none", zorder=-1)
    axes.add_patch(sky)
    style = {"color": color, "lw": 0.5, "alpha": 0.4, "zorder": 3}
    theta = np.linspace(-0.5 * math.pi, 0.5 * math.pi, 181)
    for lon in range(-120, 121, 60):
        axes.plot(-lon / 90.0 * np.cos(theta), np.sin(theta), **style)
    for lat in range(-60, 61, 30):
        t = _auxiliary(math.radians(lat))
        axes.plot([-2 * math.cos(t), 2 * math.cos(t)], [math.sin(t)] * 2, **style)
    edge = Ellipse((0, 0), 4, 2, facecolor="none", edgecolor=_INK, lw=0.8, zorder=4)
    axes.add_patch(edge)


def _auxiliary(lat: float) -> float:
    """The angle t of the projection: 2 t + sin 2t = pi sin(lat), by Newton's method."""
    t = lat
    for _ in range(20):
        t -= (2 * t + math.sin(2 * t) - math.pi * math.sin(lat)) / (2 + 2 * math.cos(2 * t))
    return t


def _within_two_decades(norm: Any) -> bool:
    return norm.vmin is not None and norm.vmax is not None and norm.vmax < 100.0 * norm.vmin


def sky(*maps: SkyMap) -> Any:
    """One figure of several maps: I and P of a Stokes map, and RM, DM, EM, with units on the bars.

    Brightness, DM and EM have logarithmic colours, RM an inverse hyperbolic sine that keeps its
    sign. A map at several frequencies shows the highest one.

    ```python
    synax.plot.sky(stokes_map, rm_map).savefig("sky.png")
    ```
    """
    from ._shown import Shown, spaced

    panels = [panel for sky in maps for panel in _panels(sky)]
    if not panels:
        raise ValueError("sky needs at least one map")
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    figure = Shown(figsize=(7.4 * columns, 4.7 * rows), layout="constrained")
    spaced(figure, w_pad=0.12, h_pad=0.12)
    grid = figure.add_gridspec(rows, 2 * columns)
    for k, panel in enumerate(panels):
        row, column = divmod(k, columns)
        lonely = len(panels) > 1 and k == len(panels) - 1 and column == 0
        place = slice(1, 3) if lonely else slice(2 * column, 2 * column + 2)
        draw_mollweide(figure.add_subplot(grid[row, place]), **panel)
    return figure


def _panels(sky: SkyMap) -> list[dict[str, Any]]:
    full = sky.full()
    last = full.frequency[-1] if isinstance(full.frequency, tuple) else full.frequency
    if isinstance(full.frequency, tuple):
        last = max(full.frequency)
        k = full.frequency.index(last)
        full = full._with(full.values[..., k, :], frequency=last)
    common = {"ordering": full.ordering}
    if sky.kind == "RM":
        values = np.asarray(full.values)
        return [
            {
                **common,
                "values": values,
                "cmap": "RdBu_r",
                "norm": _signed_norm(values),
                "title": "Rotation measure",
                "label": r"rad m$^{-2}$",
            }
        ]
    if sky.kind in ("DM", "EM", "TAU"):
        names = {
            "DM": ("Dispersion measure", r"pc cm$^{-3}$", "cividis"),
            "EM": ("Emission measure", r"pc cm$^{-6}$", "cividis"),
            "TAU": ("Optical depth", "", "cividis"),
        }
        title, label, cmap = names[sky.kind]
        title = title if last is None else f"{title}, {_frequency(last)}"
        values = np.asarray(full.values)
        norm = _log_norm(values)
        return [
            {**common, "values": values, "cmap": cmap, "norm": norm, "title": title, "label": label}
        ]
    panels = []
    if "I" in full.columns:
        panels.append(("Total intensity", np.asarray(full.I), "inferno"))
    if "Q" in full.columns:
        panels.append(("Polarised intensity", np.asarray(full.P), "viridis"))
    return [
        {
            **common,
            "values": scaled,
            "cmap": cmap,
            "norm": _log_norm(scaled),
            "title": f"{title}, {_frequency(last)}",
            "label": label,
        }
        for title, values, cmap in panels
        for scaled, label in [_readable(values, sky.unit)]
    ]


def _frequency(ghz: float) -> str:
    return f"{ghz * 1e3:g} MHz" if ghz < 1 else f"{ghz:g} GHz"


def _readable(values: np.ndarray, unit: str) -> tuple[np.ndarray, str]:
    """Values in kelvin with the prefix that gives readable numbers; other units as they are."""
    kind = unit.rpartition("K_")[2] if "K_" in unit else ""
    if not kind:
        return values, unit.replace("/sr", r" sr$^{-1}$")
    scale = {"K": 1.0, "m": 1e-3, "u": 1e-6}[unit[0]]
    finite = np.abs(values[np.isfinite(values)])
    top = scale * float(np.percentile(finite, 99)) if finite.size else 1.0
    prefix, factor = ("", 1.0) if top >= 0.5 else ("m", 1e3) if top >= 5e-4 else ("μ", 1e6)
    return values * scale * factor, f"{prefix}K ({kind})"


def _log_norm(values: np.ndarray) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0 or positive.min() == positive.max():
        return Normalize()
    low, high = np.percentile(positive, [1.0, 99.7])
    return LogNorm(max(low, 1e-4 * high), high)


def _signed_norm(values: np.ndarray) -> Any:
    from matplotlib.colors import AsinhNorm

    finite = np.abs(values[np.isfinite(values)])
    top = float(np.percentile(finite, 99.7)) if finite.size else 0.0
    top = top if top > 0 else 1.0
    return AsinhNorm(linear_width=max(float(np.median(finite)), 1e-3 * top), vmin=-top, vmax=top)

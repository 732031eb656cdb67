"""Stokes maps with the direction of the magnetic field that the polarisation shows."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ..maps._skymap import SkyMap
from ._sky import _frequency, _log_norm, _readable, _signed_norm, draw_mollweide, mollweide_pixels
from ._texture import line_integral_convolution

_PANELS = ("I", "P", "Q", "U", "V", "angle")
_TITLES = {
    "I": "Total intensity $I$",
    "P": "Polarised intensity $P$",
    "Q": "Stokes $Q$",
    "U": "Stokes $U$",
    "V": "Stokes $V$, right-handed",
    "angle": "Polarisation angle",
}


def stokes(
    sky: SkyMap,
    panels: tuple[str, ...] = ("I", "P", "Q", "U"),
    *,
    frequency: float | None = None,
    direction: str | None = "texture",
) -> Any:
    """Maps of I, Q, U, P and the polarisation angle, one panel each.

    **Arguments:**

    - `sky`: map of kind 'IQU', 'IQUV', 'QU' or 'V'.
    - `panels`: any of 'I', 'P', 'Q', 'U', 'V', 'angle'.
    - `frequency`: GHz; which one of a map at several. Default: the highest.
    - `direction`: how the panels of P and the angle show the direction of the magnetic field
      projected on the sky (perpendicular to the electric vector, uncorrected for Faraday
      rotation): 'texture' (line integral convolution), 'lines' (headless vectors) or None.

    **Returns** a matplotlib `Figure`. Q and U are drawn in the map's own convention, which the
    title names; the angle is always IAU.

    ```python
    synax.plot.stokes(sky_map, ("P", "angle"), direction="lines").savefig("polarisation.pdf")
    ```
    """
    from ._shown import Shown, spaced

    for name in panels:
        if name not in _PANELS:
            raise ValueError(f"panels must be among {', '.join(_PANELS)}, got '{name}'")
    if direction not in ("texture", "lines", None):
        raise ValueError(f"direction must be 'texture', 'lines' or None, got {direction!r}")
    sky = at_frequency(sky, frequency).full()
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure = Shown(figsize=(7.4 * columns, 4.7 * rows), layout="constrained")
    spaced(figure, w_pad=0.1, h_pad=0.1)
    for k, name in enumerate(panels):
        axes = figure.add_subplot(rows, columns, k + 1)
        _draw(axes, sky, name)
        if name in ("P", "angle") and direction is not None:
            draw_direction(axes, sky, style=direction)
    return figure


def at_frequency(sky: SkyMap, frequency: float | None = None) -> SkyMap:
    """One frequency (GHz) of a map at several; default: the highest."""
    if not isinstance(sky.frequency, tuple):
        if frequency is not None and frequency != sky.frequency:
            raise ValueError(f"the map is at {sky.frequency} GHz, not at {frequency}")
        return sky
    frequency = max(sky.frequency) if frequency is None else frequency
    if frequency not in sky.frequency:
        raise ValueError(f"frequency must be one of {sky.frequency} GHz, got {frequency}")
    k = sky.frequency.index(frequency)
    return sky._with(sky.values[..., k, :], frequency=frequency)


def _draw(axes: Any, sky: SkyMap, name: str) -> None:
    where = _frequency(float(sky.frequency))  # type: ignore[arg-type]
    style: dict[str, Any]
    if name == "angle":
        iau = sky.to_convention("IAU")
        values = 0.5 * np.degrees(np.arctan2(np.asarray(iau.U), np.asarray(iau.Q)))
        from matplotlib.colors import Normalize

        style = {"cmap": "twilight_shifted", "norm": Normalize(-90, 90), "label": "degrees (IAU)"}
    else:
        values, label = _readable(np.asarray(getattr(sky, name)), sky.unit)
        if name in "QUV":
            style = {"cmap": "RdBu_r", "norm": _signed_norm(values), "label": label}
            where += "" if name == "V" else f", {sky.convention}"
        else:
            cmap = "inferno" if name == "I" else "viridis"
            style = {"cmap": cmap, "norm": _log_norm(values), "label": label}
    shown = draw_mollweide(
        axes, values, ordering=sky.ordering, title=f"{_TITLES[name]}, {where}", **style
    )
    if name == "angle":
        # interpolate Q and U, not the angle, which jumps by 180 degrees
        image = image_directions(sky)
        shown.set_data(np.ma.masked_where(~image.valid, image.angle))
        shown.set_interpolation("nearest")
        shown.colorbar.set_ticks([-90, -45, 0, 45, 90])


def draw_direction(axes: Any, sky: SkyMap, *, style: str = "texture", across: int = 44) -> None:
    """Draw the direction of the projected magnetic field on a Mollweide map.

    **Arguments:**

    - `axes`: as left by `draw_mollweide`.
    - `sky`: map at one frequency.
    - `style`: 'texture' or 'lines'.
    - `across`: number of lines along the equator.
    """
    step = 1 if style == "texture" else mollweide_pixels()[0].shape[1] // across
    dx, dy, valid, x, y, _ = image_directions(sky, step)
    if style == "texture":
        texture = line_integral_convolution(dx, dy, valid)
        shade = np.zeros((*texture.shape, 4))
        shade[..., :3] = np.where(texture > 0.5, 1.0, 0.0)[..., None]
        shade[..., 3] = np.where(valid, 0.9 * np.abs(texture - 0.5), 0.0)
        axes.imshow(shade, extent=(-2, 2, -1, 1), origin="lower", zorder=2, interpolation="none")
        axes.set(xlim=(-2.04, 2.04), ylim=(-1.03, 1.03))
        return
    valid &= (x / 2.0) ** 2 + y * y < 0.97
    size = np.where(valid, np.hypot(dx, dy), 1.0)
    half = 0.4 * 4.0 / across
    u, v = half * dx / size, half * dy / size
    lines = np.stack([np.stack([x - u, y - v], -1), np.stack([x + u, y + v], -1)], -2)[valid]
    from matplotlib.collections import LineCollection

    style_of = {"linewidths": 2.2, "capstyle": "round", "zorder": 2.9}
    axes.add_collection(LineCollection(list(lines), colors="black", **style_of))
    style_of = {"linewidths": 1.0, "capstyle": "round", "zorder": 2.95}
    axes.add_collection(LineCollection(list(lines), colors="white", **style_of))


_Image = Float[np.ndarray, "ny nx"]


class Directions(NamedTuple):
    """The projected field at points of the Mollweide image."""

    across: _Image
    up: _Image
    valid: Bool[np.ndarray, "ny nx"]
    x: _Image
    y: _Image
    angle: _Image
    """Polarisation angle (of the electric vector), degrees, IAU."""


def image_directions(sky: SkyMap, step: int = 1) -> Directions:
    """Direction of the projected field in the axes of the Mollweide image, every `step` pixels.

    With the auxiliary angle t of the projection, a step to the east changes x by
    -(2/pi) cos t / cos b, one to the north x by (2/pi) l sin t t' and y by cos t t', where
    t' = pi cos b / (4 cos^2 t).
    """
    import healpy

    sky = sky.to_convention("IAU")
    lon, lat, on_sky = (a[step // 2 :: step, step // 2 :: step] for a in mollweide_pixels())
    nest = sky.ordering == "NEST"
    q, u = (
        healpy.get_interp_val(np.nan_to_num(np.asarray(m)), lon, lat, nest=nest, lonlat=True)
        for m in (sky.Q, sky.U)
    )
    pixel = healpy.ang2pix(sky.nside, lon, lat, nest=nest, lonlat=True)
    valid = on_sky & np.isfinite(np.asarray(sky.Q)[pixel]) & (np.hypot(q, u) > 0)
    valid &= np.abs(lat) < 89.0
    electric = 0.5 * np.arctan2(u, q)
    field = electric + 0.5 * np.pi  # B is perpendicular to E
    east, north = np.sin(field), np.cos(field)
    height, width = mollweide_pixels()[0].shape
    y = np.linspace(-1.0, 1.0, height)[step // 2 :: step, None] + 0.0 * lon
    x = np.linspace(-2.0, 2.0, width)[None, step // 2 :: step] + 0.0 * lon
    cos_t = np.sqrt(np.maximum(1.0 - y * y, 1e-12))
    cos_b = np.maximum(np.cos(np.radians(lat)), 1e-6)
    slope = np.pi * cos_b / (4.0 * cos_t**2)
    across = -(2.0 / np.pi) * cos_t / cos_b * east
    across = across + (2.0 / np.pi) * np.radians(lon) * y * slope * north
    return Directions(across, cos_t * slope * north, valid, x, y, np.degrees(electric))

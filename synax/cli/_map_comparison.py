"""Measured maps beside a model's: numbers by part of the sky, angular spectra, and the figure.

Maps are RING, IAU, of one NSIDE and frame; pixels without data are NaN and count nowhere.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ..maps._spectra import NO_CUT, Spectra, cut_spectra
from ._comparison_numbers import PLANE, agreement, logarithmic, parts_of_sky, signed

Map = Float[np.ndarray, " n_pix"]


class Comparison(NamedTuple):
    """One comparison: its numbers, its figure, and angular spectra."""

    numbers: dict[str, Any]
    draw: Callable[..., Any]
    """Makes the figure; takes `title`."""
    spectra: dict[str, tuple[np.ndarray, np.ndarray]] | None = None
    """C_l of data and of model off the plane, by name."""


def directions(nside: int, frame: str = "galactic") -> tuple[Map, Map]:
    """Galactic longitude and latitude (degrees) of the pixels of a map in some frame."""
    import healpy

    lon, lat = healpy.pix2ang(nside, np.arange(12 * nside**2), lonlat=True)
    if frame == "galactic":
        return lon, lat
    turn: Any = healpy.Rotator(coord=[{"equatorial": "C", "ecliptic": "E"}[frame], "G"])
    l, b = turn(lon, lat, lonlat=True)
    return l, b


def positive(
    name: str, data: Map, model: Map, b: Map, unit: str, cmap: str = "inferno"
) -> Comparison:
    """A quantity that is positive: brightness, dispersion and emission measure, optical depth.

    `b`: Galactic latitude of the pixels, degrees.
    """
    numbers = {
        where: {**agreement(model[part], data[part]), **logarithmic(model[part], data[part])}
        for where, part in parts_of_sky(b, np.isfinite(data)).items()
    }
    spectra = _spectra({name: data}, {name: model}, b)
    style = {"unit": unit, "signed": False, "cmap": cmap, "scale": numbers["all"]["scale"]}
    return Comparison(numbers, _drawn({name: (data, model)}, b, spectra, style), spectra)


def polarisation(q: Map, u: Map, model_q: Map, model_u: Map, b: Map, unit: str) -> Comparison:
    """Stokes Q and U, polarised intensity, and how far the angle is turned."""
    p, model_p = np.hypot(q, u), np.hypot(model_q, model_u)
    cosine = (q * model_q + u * model_u) / np.maximum(p * model_p, 1e-30)
    turned = 0.5 * np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    numbers: dict[str, Any] = {}
    for where, part in parts_of_sky(b, np.isfinite(p)).items():
        both = np.concatenate([model_q[part], model_u[part]]), np.concatenate([q[part], u[part]])
        numbers[where] = {
            "Q": agreement(model_q[part], q[part]),
            "U": agreement(model_u[part], u[part]),
            "Q and U": agreement(*both),
            "P": {**agreement(model_p[part], p[part]), **logarithmic(model_p[part], p[part])},
            "angle": {
                "median_difference_deg": float(np.median(turned[part])),
                "mean_cosine_of_twice_the_difference": float(np.mean(cosine[part])),
            },
        }
    spectra = _spectra({"Q": q, "U": u}, {"Q": model_q, "U": model_u}, b)
    scale = numbers["all"]["Q and U"]["scale"]
    style = {"unit": unit, "signed": True, "cmap": "RdBu_r", "scale": scale}
    pairs = {"Q": (q, model_q), "U": (u, model_u)}
    return Comparison(numbers, _drawn(pairs, b, spectra, style), spectra)


def rotation(data: Map, model: Map, b: Map, error: Map | None = None) -> Comparison:
    """Rotation measures, rad/m2; `error` of each pixel, where it is known."""
    filled = np.isfinite(data)
    numbers: dict[str, Any] = {"empty_pixels": int((~filled).sum())}
    for where, part in parts_of_sky(b, filled).items():
        numbers[where] = {
            **agreement(model[part], data[part]),
            **signed(model[part], data[part]),
        }
        if error is not None:
            numbers[where]["median_error_of_the_data"] = float(np.nanmedian(error[part]))
    spectra = _spectra({"RM": data}, {"RM": model}, b)
    style = {"unit": r"rad m$^{-2}$", "signed": True, "cmap": "RdBu_r"}
    return Comparison(numbers, _drawn({"RM": (data, model)}, b, spectra, style), spectra)


def _spectra(data: dict[str, Map], model: dict[str, Map], b: Map) -> Any:
    """Angular spectra off the plane, of the model where there are data; None without any there."""
    first = next(iter(data.values()))
    seen = np.isfinite(first) & (np.abs(b) > PLANE)
    if not seen.any():
        return None
    off = lambda maps: {name: np.where(seen, values, np.nan) for name, values in maps.items()}
    measured: Spectra = cut_spectra(off(data), NO_CUT)
    modelled = cut_spectra(off(model), NO_CUT)
    return {name: (measured[name], modelled[name]) for name in measured}


def _drawn(pairs: dict[str, Any], b: Map, spectra: Any, style: dict[str, Any]) -> Any:
    from .. import plot

    return functools.partial(plot.comparison, pairs, b, spectra=spectra, **style)

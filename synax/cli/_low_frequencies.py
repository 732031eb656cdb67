"""Models against the sky below 1.5 GHz: brightness at each frequency, and spectral indices.

What lies behind the Galaxy (CMB, unresolved sources) is taken out of the data, which are the
total; the sources are those of Gervasi et al. 2008.
"""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..emission import CMB, AbstractBackground, PowerLawBackground
from ..maps._resolution import averaged
from ..sightlines._sightlines import Sightlines
from ._comparison_numbers import FEWEST, agreement, logarithmic
from ._map_comparison import Comparison
from ._run import Sky

NSIDE = 16

Map = Float[np.ndarray, " n_pix"]


class SkySurvey(NamedTuple):
    """Maps of one origin: where they are, and what is in them beside the Galaxy."""

    prefix: str
    title: str
    megahertz: tuple[int, ...]
    cmb: bool


SURVEYS = (
    SkySurvey("lfsm", "LFSM", (40, 50, 74, 150, 408), True),
    SkySurvey("gsm", "GSM2008", (45, 150, 408, 1420), False),
    SkySurvey("five", "surveys of 5 deg", (150, 408, 1420), True),
)

INDICES = (
    ("lfsm", 40, 408),
    ("gsm", 45, 408),
    ("five", 150, 408),
    ("lfsm", 150, 408),
    ("gsm", 150, 408),
    ("gsm", 408, 1420),
    ("five", 408, 1420),
)
"""Survey, and the two frequencies (MHz) between which spectral indices are compared."""

ALONE = ((3, 10), (10, 40), (10, 408))
"""Frequencies (MHz) between which the model's index is given alone."""

_MEGAHERTZ = sorted(
    {nu for s in SURVEYS for nu in s.megahertz} | {nu for pair in ALONE for nu in pair}
)
FREQUENCIES = tuple(nu / 1000 for nu in _MEGAHERTZ)
"""GHz, of the model's maps."""


def low(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """The sky from 40 to 1420 MHz: brightness and spectral index by region, at NSIDE 16."""
    import healpy

    from .. import plot

    rays = Sightlines.healpix(NSIDE, **sky.geometry)
    brightness = sky.brightness(rays, np.asarray(FREQUENCIES))
    model = dict(zip(_MEGAHERTZ, brightness, strict=True))
    measured: dict[str, Map] = {}
    for survey in SURVEYS:
        for nu in survey.megahertz:
            given = np.asarray(data[f"{survey.prefix}_T{nu}"], float)
            behind = _behind(nu / 1000, survey.cmb)
            measured[f"{survey.prefix}_{nu}"] = _coarse(given) - behind
    l, b = healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2), lonlat=True)
    regions = _regions(l, b)
    numbers: dict[str, Any] = {"brightness": {}, "spectral index": {}, "plane over poles": {}}
    for survey in SURVEYS:
        for nu in survey.megahertz:
            d, m = measured[f"{survey.prefix}_{nu}"], model[nu]
            numbers["brightness"][f"{survey.title} {nu} MHz"] = {
                name: {**agreement(m[part], d[part]), **logarithmic(m[part], d[part])}
                for name, part in regions.items()
                if np.isfinite(d[part]).sum() >= FEWEST
            }
    for prefix, first, second in INDICES:
        title = next(s.title for s in SURVEYS if s.prefix == prefix)
        pair = measured[f"{prefix}_{first}"], measured[f"{prefix}_{second}"]
        d = _index(*pair, first, second)
        m = _where(d, _index(model[first], model[second], first, second))
        slope = lambda maps, part, ends=(first, second): _slope_index(*maps, part, *ends)
        numbers["spectral index"][f"{first} to {second} MHz, {title}"] = {
            name: {
                "n": int(part.sum()),
                "data_index": _median(d[part]),
                **_of(m[part]),
                "data_slope_index": slope(pair, part),
                "model_slope_index": slope((model[first], model[second]), part),
            }
            for name, region in regions.items()
            if (part := region & np.isfinite(d)).sum() >= FEWEST
        }
    for first, second in ALONE:
        m = _index(model[first], model[second], first, second)
        numbers["spectral index"][f"{first} to {second} MHz, model"] = {
            name: {"n": int(part.sum()), **_of(m[part])} for name, part in regions.items()
        }
    inner, poles = regions["inner plane"], regions["|b| > 60"]
    contrast = lambda x: _median(x[inner]) / _median(x[poles])
    for nu in _MEGAHERTZ:
        seen = next((s.prefix for s in SURVEYS if nu in s.megahertz), None)
        if seen is None:
            found = {"model_ratio": contrast(model[nu])}
        else:
            d = measured[f"{seen}_{nu}"]
            found = {"model_ratio": contrast(_where(d, model[nu])), "data_ratio": contrast(d)}
        numbers["plane over poles"][f"{nu} MHz"] = found
    pairs = {f"{nu} MHz": (measured[f"lfsm_{nu}"], model[nu]) for nu in (40, 408)}
    scale = numbers["brightness"]["LFSM 408 MHz"]["all"]["scale"]
    style: dict[str, Any] = {"unit": "K", "signed": False, "cmap": "inferno", "scale": scale}
    return Comparison(numbers, functools.partial(plot.comparison, pairs, b, **style))


def _where(data: Map, model: Map) -> Map:
    """The model where there are data."""
    return np.where(np.isfinite(data), model, np.nan)


def _coarse(values: Map) -> Map:
    """The mean of what is there in each pixel of NSIDE 16."""
    import healpy

    found, _ = averaged(
        jnp.asarray(values), None, healpy.npix2nside(values.size), NSIDE, False, 0.0
    )
    return np.asarray(found)


def _behind(frequency: float, cmb: bool) -> float:
    """K (Rayleigh-Jeans) of what is behind the Galaxy."""
    parts: AbstractBackground = PowerLawBackground()
    parts = parts + CMB() if cmb else parts
    return float(parts(jnp.asarray([frequency]))[0, 0])


def _regions(l: Map, b: Map) -> dict[str, np.ndarray]:
    from_centre = np.abs((l + 180.0) % 360.0 - 180.0)
    return {
        "all": np.ones(b.shape, bool),
        "|b| > 60": np.abs(b) > 60.0,
        "|b| > 10": np.abs(b) > 10.0,
        "inner plane": (np.abs(b) < 5.0) & (from_centre < 60.0),
        "outer plane": (np.abs(b) < 5.0) & (from_centre > 90.0),
    }


def _index(first: Map, second: Map, low: int, high: int) -> Map:
    """d ln T / d ln nu in each pixel; NaN where a temperature is not positive."""
    use = (first > 0) & (second > 0)
    ratio = np.log(np.where(use, second, 1.0) / np.where(use, first, 1.0))
    return np.where(use, ratio / np.log(high / low), np.nan)


def _slope_index(first: Map, second: Map, part: np.ndarray, low: int, high: int) -> float:
    """The index of the slope of one map against the other, which no zero level changes."""
    return float(np.log(np.std(first[part]) / np.std(second[part])) / np.log(low / high))


def _of(index: Map) -> dict[str, float]:
    return {"model_index": _median(index)}


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")

"""Models against the sky below 1.5 GHz: brightness at each frequency, and spectral indices.

What lies behind the Galaxy (CMB, unresolved sources) is taken out of the data, which are the
total; the sources are those of Gervasi et al. 2008.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..emission import CMB, AbstractBackground, PowerLawBackground
from ..sightlines._sightlines import Sightlines
from ._comparison_numbers import agreement, logarithmic
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

INDICES = (("lfsm", 40, 408), ("gsm", 45, 408), ("five", 150, 408), ("five", 408, 1420))
"""Survey, and the two frequencies (MHz) between which spectral indices are compared."""

ALONE = ((3, 10), (10, 40), (10, 408))
"""Frequencies (MHz) between which the model's index is given alone."""

_MEGAHERTZ = sorted(
    {nu for s in SURVEYS for nu in s.megahertz} | {nu for pair in ALONE for nu in pair}
)
FREQUENCIES = tuple(nu / 1000 for nu in _MEGAHERTZ)
"""GHz, of the model's maps."""


def low(sky: Sky, data: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Numbers and arrays of the comparison below 1.5 GHz, on pixels of NSIDE 16."""
    import healpy

    rays = Sightlines.healpix(NSIDE, **sky.geometry)
    brightness = np.asarray(sky.synchrotron()(rays, np.asarray(FREQUENCIES)).I)
    model = dict(zip(_MEGAHERTZ, brightness, strict=True))
    measured: dict[str, Map] = {}
    for survey in SURVEYS:
        for nu in survey.megahertz:
            given = np.asarray(data[f"{survey.prefix}_T{nu}"], float)
            behind = _behind(nu / 1000, survey.cmb)
            measured[f"{survey.prefix}_{nu}"] = healpy.ud_grade(given, NSIDE) - behind
    l, b = healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2), lonlat=True)
    regions = _regions(l, b)
    numbers: dict[str, Any] = {"brightness": {}, "spectral index": {}, "plane over poles": {}}
    for survey in SURVEYS:
        for nu in survey.megahertz:
            d, m = measured[f"{survey.prefix}_{nu}"], model[nu]
            numbers["brightness"][f"{survey.title} {nu} MHz"] = {
                name: {**agreement(m[part], d[part]), **logarithmic(m[part], d[part])}
                for name, part in regions.items()
            }
    for prefix, first, second in INDICES:
        title = next(s.title for s in SURVEYS if s.prefix == prefix)
        d = _index(measured[f"{prefix}_{first}"], measured[f"{prefix}_{second}"], first, second)
        m = _index(model[first], model[second], first, second)
        numbers["spectral index"][f"{first} to {second} MHz, {title}"] = {
            name: {"n": int(part.sum()), "data_index": _median(d[part]), **_of(m[part])}
            for name, part in regions.items()
        }
    for first, second in ALONE:
        m = _index(model[first], model[second], first, second)
        numbers["spectral index"][f"{first} to {second} MHz, model"] = {
            name: {"n": int(part.sum()), **_of(m[part])} for name, part in regions.items()
        }
    inner, poles = regions["inner plane"], regions["|b| > 60"]
    contrast = lambda x: _median(x[inner]) / _median(x[poles])
    for nu in _MEGAHERTZ:
        found = {"model_ratio": contrast(model[nu])}
        seen = next((s.prefix for s in SURVEYS if nu in s.megahertz), None)
        if seen is not None:
            found["data_ratio"] = contrast(measured[f"{seen}_{nu}"])
        numbers["plane over poles"][f"{nu} MHz"] = found
    arrays = {
        "data_40": measured["lfsm_40"],
        "model_40": model[40],
        "data_408": measured["lfsm_408"],
        "model_408": model[408],
        "b": b,
    }
    return numbers, arrays


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


def _of(index: Map) -> dict[str, float]:
    return {"model_index": _median(index)}


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")

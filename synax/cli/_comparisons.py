"""Models against the real sky: what each comparison computes, and its numbers.

Every function takes the models and the data and returns the arrays to draw and plain numbers:
scale a of data ~ a model, correlation, scatter. Nothing is fitted but that scale.
"""

from typing import Any, NamedTuple

import numpy as np

from ..maps._spectra import cut_spectra
from ..sightlines._sightlines import Sightlines
from ..simulators import DispersionMeasure, RotationMeasure
from ._comparison_numbers import agreement, logarithmic
from ._low_frequencies import FREQUENCIES as LOW, low as _low
from ._run import Sky

_PLANE = 10.0
"""Latitude (degrees) that divides the disc from the rest in the numbers."""


class Comparison(NamedTuple):
    """One comparison: its numbers, the arrays the figure needs, and angular spectra."""

    numbers: dict[str, Any]
    arrays: dict[str, np.ndarray]
    spectra: dict[str, tuple[np.ndarray, np.ndarray]] | None = None
    """C_l of data and of model off the plane, by name."""


def _latitude(nside: int) -> np.ndarray:
    import healpy

    return healpy.pix2ang(nside, np.arange(12 * nside**2), lonlat=True)[1]


def _regions(b: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "all": np.ones(b.shape, bool),
        f"|b| > {_PLANE:g}": np.abs(b) > _PLANE,
        f"|b| < {_PLANE:g}": np.abs(b) < _PLANE,
    }


def pulsars(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """Dispersion measures along the sightlines of pulsars with independent distances."""
    distance, measured = data["dist_indep"], data["dm"]
    use = np.isfinite(distance) & (distance > 0) & np.isfinite(measured) & (measured > 0)
    use &= ~data["extragalactic"].astype(bool) if "extragalactic" in data else True
    l, b, distance, measured = (a[use] for a in (data["l"], data["b"], distance, measured))
    kind, globular = data["dist_indep_kind"][use], data["globular"][use].astype(bool)
    rays = Sightlines.from_lonlat(
        l, b, distance, observer=sky.geometry["observer"], domain=sky.geometry["domain"]
    )
    inside = np.asarray(rays.span()[1]) > 0.999 * distance
    model = DispersionMeasure(sky.fields["electrons"], **sky.integration)(rays)
    model = np.where(inside, np.asarray(model), np.nan)
    sets = {
        "all": inside,
        "parallax": inside & (kind == "PX"),
        "association": inside & (kind != "PX") & ~globular,
        "globular cluster": inside & globular,
        f"|b| > {_PLANE:g}": inside & (np.abs(b) > _PLANE),
        f"|b| < {_PLANE:g}": inside & (np.abs(b) < _PLANE),
    }
    numbers: dict[str, Any] = {"beyond_the_domain": int((~inside).sum())}
    for name, part in sets.items():
        if part.sum() > 2:
            numbers[name] = {
                **agreement(model[part], measured[part]),
                **logarithmic(model[part], measured[part]),
                "within_a_factor_1.5": _within(model[part], measured[part], 1.5),
                "within_a_factor_2": _within(model[part], measured[part], 2.0),
            }
    arrays = {"l": l, "b": b, "distance": distance, "data": measured, "model": model}
    return Comparison(numbers, {**arrays, "globular": globular})


def _within(model: np.ndarray, data: np.ndarray, factor: float) -> float:
    return float(np.mean(np.abs(np.log(model / data)) < np.log(factor)))


def haslam(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """The 408 MHz sky: brightness temperature, zero level of the data subtracted."""
    measured = data["T_gal_n32"]
    rays = _whole_sky(sky, 32)
    model = np.asarray(sky.synchrotron()(rays, 0.408).I)
    numbers = {
        name: {**agreement(model[part], measured[part]), **logarithmic(model[part], measured[part])}
        for name, part in _regions(_latitude(32)).items()
    }
    arrays = {"data": measured, "model": model, "b": _latitude(32)}
    return Comparison(numbers, arrays, _spectra({"T": measured}, {"T": model}))


def wmap(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """Q and U at 23 GHz, microkelvin (Rayleigh-Jeans), both in the IAU convention."""
    q, u = data["Q_lp_n32"], -data["U_lp_n32"]
    stokes = sky.synchrotron()(_whole_sky(sky, 32), 23.0)
    model_q, model_u = 1e6 * np.asarray(stokes.Q), 1e6 * np.asarray(stokes.U)
    p, model_p = np.hypot(q, u), np.hypot(model_q, model_u)
    cosine = (q * model_q + u * model_u) / np.maximum(p * model_p, 1e-30)
    turned = 0.5 * np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    numbers: dict[str, Any] = {}
    for name, part in _regions(_latitude(32)).items():
        both = np.concatenate([model_q[part], model_u[part]]), np.concatenate([q[part], u[part]])
        numbers[name] = {
            "Q": agreement(model_q[part], q[part]),
            "U": agreement(model_u[part], u[part]),
            "Q and U": agreement(*both),
            "P": {**agreement(model_p[part], p[part]), **logarithmic(model_p[part], p[part])},
            "angle": {
                "median_difference_deg": float(np.median(turned[part])),
                "mean_cosine_of_twice_the_difference": float(np.mean(cosine[part])),
            },
        }
    arrays = {"Q": q, "U": u, "model_Q": model_q, "model_U": model_u, "b": _latitude(32)}
    return Comparison(numbers, arrays, _spectra({"Q": q, "U": u}, {"Q": model_q, "U": model_u}))


def faraday(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """Rotation measures of extragalactic sources: medians in pixels of nside 16."""
    import healpy

    measured, error = data["RM"], 1.25 * data["sigma"] / np.sqrt(np.maximum(data["n"], 1))
    fine = RotationMeasure(sky.fields["magnetic"], sky.fields["electrons"], **sky.integration)
    model = healpy.ud_grade(np.asarray(fine(_whole_sky(sky, 32)), float), 16)
    filled = np.isfinite(measured)
    numbers: dict[str, Any] = {"empty_pixels": int((~filled).sum())}
    for name, part in _regions(_latitude(16)).items():
        part = part & filled
        m, d = model[part], measured[part]
        numbers[name] = {
            **agreement(m, d),
            "same_sign": float(np.mean(np.sign(m) == np.sign(d))),
            "rank_correlation": float(np.corrcoef(_rank(m), _rank(d))[0, 1]),
            "median_error_of_the_data": float(np.median(error[part])),
        }
    arrays = {"data": measured, "model": model, "b": _latitude(16)}
    modelled = np.where(filled, model, np.nan)
    return Comparison(numbers, arrays, _spectra({"RM": measured}, {"RM": modelled}))


def _spectra(data: dict[str, np.ndarray], model: dict[str, np.ndarray]) -> Any:
    measured, modelled = cut_spectra(data, _PLANE), cut_spectra(model, _PLANE)
    return {name: (measured[name], modelled[name]) for name in measured}


def _rank(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(float)


def _whole_sky(sky: Sky, nside: int) -> Sightlines:
    return Sightlines.healpix(nside, **sky.geometry)


def low(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """The sky from 40 to 1420 MHz: brightness and spectral index by region."""
    return Comparison(*_low(sky, data))


COMPARISONS = {
    "pulsars": pulsars,
    "haslam": haslam,
    "low": low,
    "wmap": wmap,
    "faraday": faraday,
}
"""Every comparison by name."""

FREQUENCIES = {"low": LOW}
"""GHz, of comparisons whose physics depend on them."""

TITLES = {
    "pulsars": "Dispersion measures of pulsars with independent distances",
    "haslam": "The sky at 408 MHz (Remazeilles et al. 2015)",
    "low": "The sky from 40 to 1420 MHz (LFSM, GSM2008, surveys of 5 degrees)",
    "wmap": "Polarisation at 23 GHz (WMAP nine-year)",
    "faraday": "Rotation measures of extragalactic sources",
}

"""The comparisons with public data: what each computes with the models and the files it reads.

Every function takes the models and the data and returns numbers (scale a of data ~ a model,
correlation, scatter) and a figure. Nothing is fitted but that scale.
"""

import functools
from typing import Any

import numpy as np

from ..electrons._distance import own_sun
from ..sightlines._sightlines import Sightlines
from ..simulators import DispersionMeasure, RotationMeasure
from ._comparison_numbers import PLANE, agreement, logarithmic, within
from ._low_frequencies import FREQUENCIES as LOW, low
from ._map_comparison import Comparison, directions, polarisation, positive, rotation
from ._masks import Mask
from ._run import Sky
from ._sources_run import place_of_sources


def pulsars(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """Dispersion measures along the sightlines of pulsars with independent distances."""
    from .. import plot

    distance, measured = data["dist_indep"], data["dm"]
    use = np.isfinite(distance) & (distance > 0) & np.isfinite(measured) & (measured > 0)
    use &= ~data["extragalactic"].astype(bool) if "extragalactic" in data else True
    l, b, distance, measured = (a[use] for a in (data["l"], data["b"], distance, measured))
    kind, globular = data["dist_indep_kind"][use], data["globular"][use].astype(bool)
    place = place_of_sources(sky) or own_sun(sky.fields["electrons"])
    rays = Sightlines.from_lonlat(l, b, distance, observer=place, domain=sky.geometry["domain"])
    inside = np.asarray(rays.span()[1]) > 0.999 * distance
    model = DispersionMeasure(sky.fields["electrons"], **sky.integration)(rays)
    model = np.where(inside, np.asarray(model), np.nan)
    sets = {
        "all": inside,
        "parallax": inside & (kind == "PX"),
        "association": inside & (kind != "PX") & ~globular,
        "globular cluster": inside & globular,
        f"|b| > {PLANE:g}": inside & (np.abs(b) > PLANE),
        f"|b| < {PLANE:g}": inside & (np.abs(b) < PLANE),
    }
    numbers: dict[str, Any] = {"beyond_the_domain": int((~inside).sum())}
    for name, part in sets.items():
        if part.sum() > 2:
            numbers[name] = {
                **agreement(model[part], measured[part]),
                **logarithmic(model[part], measured[part]),
                "within_a_factor_1.5": within(model[part], measured[part], 1.5),
                "within_a_factor_2": within(model[part], measured[part], 2.0),
            }
    unit = r"pc cm$^{-3}$"
    draw = functools.partial(plot.pulsars, measured, model, distance, b, unit=unit)
    return Comparison(numbers, draw)


def haslam(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """The 408 MHz sky: brightness temperature, zero level of the data subtracted."""
    model = sky.brightness(_whole_sky(sky, 32), 0.408)
    return positive("T", data["T_gal_n32"], model, directions(32)[1], "K")


def wmap(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """Q and U at 23 GHz, microkelvin (Rayleigh-Jeans), both in the IAU convention."""
    stokes = sky.synchrotron()(_whole_sky(sky, 32), 23.0)
    model_q, model_u = 1e6 * np.asarray(stokes.Q), 1e6 * np.asarray(stokes.U)
    q, u = data["Q_lp_n32"], -data["U_lp_n32"]
    return polarisation(q, u, model_q, model_u, directions(32)[1], "μK")


def faraday(sky: Sky, data: dict[str, np.ndarray]) -> Comparison:
    """Rotation measures of extragalactic sources: medians in pixels of nside 16."""
    import healpy

    error = 1.25 * data["sigma"] / np.sqrt(np.maximum(data["n"], 1))
    fine = RotationMeasure(sky.fields["magnetic"], sky.fields["electrons"], **sky.integration)
    model = healpy.ud_grade(np.asarray(fine(_whole_sky(sky, 32)), float), 16)
    return rotation(data["RM"], model, directions(16)[1], error)


def _whole_sky(sky: Sky, nside: int) -> Sightlines:
    return Sightlines.healpix(nside, **sky.geometry)


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

_MAPS = {
    "haslam": ("T_gal_n32",),
    "wmap": ("Q_lp_n32", "U_lp_n32"),
    "faraday": ("RM",),
    "low": ("lfsm_", "gsm_", "five_"),
}
"""The maps of each comparison, or how their names begin."""


def masked(name: str, data: dict[str, np.ndarray], mask: Mask) -> dict[str, np.ndarray]:
    """The data of a comparison without what a mask hides."""
    if name == "pulsars":
        use = mask.towards(data["l"], data["b"])
        return {key: values[use] for key, values in data.items()}
    return {
        key: mask.cut(values) if key.startswith(_MAPS[name]) else values
        for key, values in data.items()
    }

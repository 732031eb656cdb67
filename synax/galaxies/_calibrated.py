"""The Galaxy that this package has fitted to the sky, and draws from what the fit left open."""

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import _checks as checks, electrons, magnetic
from .._parameters import set_paths
from ..emission import Turbulence
from ..simulators import Synchrotron
from ._halo import broken_halo

_DATA = Path(__file__).parent / "data"


def calibrated(**settings: Any) -> Synchrotron:
    """A Galaxy that looks like the sky: fit 'local-bubble 2' of 2026-11-26.

    The field has the form of UF23 (base) outside of the Local Bubble and its wall, the thermal
    electrons are YMW16 times a factor, the cosmic rays a halo with a spectrum that bends (it holds
    from 40 MHz to 30 GHz); the turbulence is a thin disc and a thick one, with a striated part. Its
    numbers are those of the greatest posterior
    given the 408 MHz brightness, Q and U at 23 GHz, rotation measures at |b| > 10 deg and
    dispersion measures of pulsars, for the observer and the domain that `Sightlines.healpix` has
    by default. How near it comes to the sky, also to the half of it that
    was held out, is in `docs/galaxies.md`. The fitted brightness does not contain the extragalactic
    background; `background=synax.emission.PowerLawBackground()` adds it.

    The numbers describe the sky and not the Galaxy: a smooth model makes up for loops and spurs
    that it does not have. Near the plane nothing was fitted.

    **Arguments:**

    - `settings`: any keyword arguments of `synax.Synchrotron`, such as `steps`; a part that is
      given (`magnetic`, `electrons`, `cosmic_rays`, `turbulence`) takes the fitted one's place.

    **Returns** a `synax.Synchrotron`; every number of it is a leaf.
    """
    return with_numbers(starting_form(**settings), numbers(), settings)


def draws(number: int | None = None, **settings: Any) -> list[Synchrotron]:
    """Galaxies drawn from the posterior of the calibration: the spread of their maps is its error.

    **Arguments:**

    - `number`: how many, at most the 64 that are kept; None for all.
    - `settings`: any keyword arguments of `synax.Synchrotron`.

    **Returns** a list of simulators of one structure, so that one compilation serves all.

    **Raises** `ValueError` for a number below 1 or above what is kept.
    """
    kept = _kept()
    count = len(next(iter(kept.values())))
    number = count if number is None else checks.integer("number", number, maximum=count)
    form = starting_form(**settings)
    return [
        with_numbers(form, {path: values[i] for path, values in kept.items()}, settings)
        for i in range(number)
    ]


def starting_form(**settings: Any) -> Synchrotron:
    """The Galaxy before it is fitted: models with their published numbers, or plain ones."""
    thin, thick = magnetic.UF26Strength(), magnetic.ExponentialStrength(r0=10.0, z0=3.0)
    turbulence = Turbulence(thin + 3.0 * thick, striation=0.4, correlation_length=0.09)
    parts = {
        "magnetic": magnetic.LocalBubble(magnetic.UF23()),
        "electrons": 1.0 * electrons.YMW16(),
        "cosmic_rays": broken_halo(),
        "turbulence": turbulence,
    }
    return Synchrotron(**{**parts, **settings})


def with_numbers(
    form: Synchrotron, values: dict[str, Any], settings: dict[str, Any]
) -> Synchrotron:
    """Set the fitted numbers, but those of a part that the caller has replaced."""
    return set_paths(form, {k: v for k, v in values.items() if k.split(".")[0] not in settings})


@functools.cache
def record() -> dict[str, Any]:
    """What is kept of the fit: its name, its date, its numbers by path."""
    return json.loads((_DATA / "calibrated.json").read_text())


def numbers() -> dict[str, float]:
    """The fitted numbers by path."""
    return record()["numbers"]


@functools.cache
def _kept() -> dict[str, np.ndarray]:
    with np.load(_DATA / "calibrated.npz", allow_pickle=False) as file:
        values = file["values"]
        return {str(path): values[:, i] for i, path in enumerate(file["paths"])}

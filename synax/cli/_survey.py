"""`synax simulate --survey`: what a survey would see, from a TOML file or one of the presets."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..instruments import Survey, presets
from ..maps._skymap import SkyMap
from ..sightlines._sightlines import Sightlines
from ._console import BadInput
from ._run import Sky


def load(name: str) -> Survey:
    """The survey that a file or a preset describes; `BadInput` in one sentence."""
    if name in presets():
        return Survey.preset(name)
    if not Path(name).is_file():
        known = ", ".join(presets())
        raise BadInput(f"survey = '{name}': no such file, and no preset; presets are {known}")
    try:
        return Survey.read(name)
    except (ValueError, OSError) as error:
        raise BadInput(f"survey: {error}") from None


def prepared(settings: dict[str, Any], survey: Survey) -> dict[str, Any]:
    """The settings of the computation: Stokes parameters at the frequencies of the band."""
    lines = settings["sightlines"]
    if survey.beam is not None and "pixels" in lines:
        raise BadInput(
            f"sightlines.pixels: survey '{survey.name}' has a beam and needs the whole sky"
        )
    if "stokes" not in settings["outputs"]:
        raise BadInput(f"outputs = {settings['outputs']!r}: a survey needs stokes")
    try:
        survey.mask_at(lines["nside"])
        if survey.noise is not None:
            survey.noise.sigma(survey.stokes, lines["nside"])
    except ValueError as error:
        raise BadInput(f"survey '{survey.name}': {error}") from None
    return {**settings, "frequency": survey.frequencies().tolist()}


def file_name(survey: Survey) -> str:
    """The survey's name as that of a file."""
    letters = [c.lower() if c.isalnum() or c in ".-" else "_" for c in survey.name]
    return "survey_" + "".join(letters) + ".fits"


def seen(survey: Survey, sky: Sky, stokes: np.ndarray, settings: dict[str, Any]) -> SkyMap:
    """The survey's map, with noise by the seed, from (3, n_freq, n_pix) at its frequencies."""
    some = sky.pixels if "pixels" in settings["sightlines"] else None
    rays = Sightlines.healpix(sky.nside, pixels=some, ordering=sky.ordering, **sky.geometry)
    rows = ["IQU".index(s) for s in survey.stokes]
    values = survey.on(rays).of(jnp.asarray(stokes[rows]))
    return survey.seen(values, rays, key=jax.random.key(settings["seed"]))

"""`synax simulate --survey`: what a survey would see, from a TOML file or one of the presets."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..instruments import ChannelSurvey, Survey, presets
from ..instruments._survey_files import read_table
from ..maps._skymap import SkyMap
from ..maps._units import label
from ..sightlines._sightlines import Sightlines
from ._console import BadInput
from ._given_files import NO_SUCH, no_file, told
from ._run import Sky

Surveys = Survey | ChannelSurvey


def load(name: str) -> Surveys:
    """The survey that a file or a preset describes; `BadInput` in one sentence."""
    if name in presets():
        return Survey.preset(name)
    why = no_file(name)
    if why not in (None, NO_SUCH):
        raise BadInput(f"survey = '{name}': {why}")
    if why:
        known = ", ".join(presets())
        raise BadInput(f"survey = '{name}': no such file, and no preset; presets are {known}")
    try:
        many = "channels" in read_table(name)[0]
        return ChannelSurvey.read(name) if many else Survey.read(name)
    except (ValueError, OSError) as error:
        raise BadInput(f"survey: {told(error)}") from None


def channels(survey: Surveys) -> tuple[Survey, ...]:
    """The bands of a survey, one or many."""
    return survey.channels if isinstance(survey, ChannelSurvey) else (survey,)


def prepared(settings: dict[str, Any], survey: Surveys) -> dict[str, Any]:
    """The settings of the computation: Stokes parameters at the frequencies of the band."""
    lines, parts = settings["sightlines"], channels(survey)
    one = parts[0]
    if one.beam is not None and "pixels" in lines:
        raise BadInput(f"sightlines.pixels: survey '{one.name}' has a beam and needs the whole sky")
    if not {"stokes", "synthesis"} & set(settings["outputs"]):
        raise BadInput(f"outputs = {settings['outputs']!r}: a survey needs stokes")
    if "synthesis" in settings["outputs"] and (len(parts) == 1 or "Q" not in one.stokes):
        raise BadInput(
            f"outputs: synthesis needs Q and U in several channels, and survey '{one.name}' has "
            f"{', '.join(one.stokes)} in {len(parts)}; describe them with [channels] in its file"
        )
    try:
        one.mask_at(lines["nside"])
        if one.noise is not None:
            one.noise.sigma(one.stokes, lines["nside"])
    except ValueError as error:
        raise BadInput(f"survey '{one.name}': {error}") from None
    nodes = survey.nodes() if isinstance(survey, ChannelSurvey) else survey.frequencies()
    return {**settings, "frequency": nodes.tolist()}


def file_names(survey: Surveys) -> dict[str, str]:
    """The files of a survey's maps, by what they hold."""
    parts = channels(survey)
    key = lambda one: (
        "stokes survey" if len(parts) == 1 else f"stokes survey {label(one.frequency)}"
    )
    return {key(one): file_name(one) for one in parts}


def file_name(survey: Survey) -> str:
    """The survey's name as that of a file."""
    letters = [c.lower() if c.isalnum() or c in ".-" else "_" for c in survey.name]
    return "survey_" + "".join(letters) + ".fits"


def seen(
    survey: Surveys, sky: Sky, stokes: np.ndarray, settings: dict[str, Any]
) -> tuple[SkyMap, ...]:
    """The survey's maps, with noise by the seed, from (3, n_freq, n_pix) at its frequencies."""
    some = sky.pixels if "pixels" in settings["sightlines"] else None
    rays = Sightlines.healpix(sky.nside, pixels=some, ordering=sky.ordering, **sky.geometry)
    rows = ["IQU".index(s) for s in channels(survey)[0].stokes]
    values = survey.on(rays).of(jnp.asarray(stokes[rows]))
    found = survey.seen(values, rays, key=jax.random.key(settings["seed"]))
    return found if isinstance(found, tuple) else (found,)

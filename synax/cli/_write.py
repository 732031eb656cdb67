"""The files of a simulation: FITS maps and the figure."""

import importlib
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np

from .. import _catalogue
from ..io import save_map
from ..io._atomic import Stage
from ..maps._kinds import STOKES, stokes_kind
from ..maps._skymap import SkyMap
from ..maps._units import label
from ._console import BadInput
from ._record import version
from ._run import DEPTH, Sky, precision

_CARDS = {"magnetic": "MAGNETIC", "electrons": "ELECTRON", "cosmic_rays": "COSMICRA"}
_SOURCES = ("model", "class", "grid")


def png_facts(title: str) -> dict[str, str]:
    """What a figure's file says about itself."""
    return {"Software": f"synax {version()}", "Title": title}


def prepare(settings: dict[str, Any]) -> None:
    """Import and make what writing needs. It takes a second, best while other cores compute."""
    with suppress(Exception):  # whoever imports it in earnest says what is wrong
        importlib.import_module("astropy.io.fits")
        if settings["output"]["figure"]:
            importlib.import_module("healpy")
            from .. import plot
            from ..plot._sky import on_image

            figure = plot.figure()
            figure.text(0.5, 0.5, r"m$^{-2}$")  # fonts and formulae take their time once
            figure.savefig(io.BytesIO())
            lines = settings["sightlines"]
            if "view" not in settings and "pixels" not in lines:
                on_image(12 * lines["nside"] ** 2, lines["ordering"] == "NEST", True)


def describe(sky: Sky) -> dict[str, Any]:
    """Every value of the fields and of the geometry, as plain data."""
    parts = {**sky.fields, **{k: v for k, v in sky.geometry.items() if k == "domain"}}
    return {name: _catalogue.describe(part) for name, part in parts.items()}


def sky_maps(sky: Sky, results: dict[str, np.ndarray], settings: dict[str, Any]) -> dict:
    """The results as `SkyMap`s in the wanted unit (IAU), by name of output file."""
    whole = len(sky.pixels) == 12 * sky.nside**2 and "pixels" not in settings["sightlines"]
    common = {"ordering": sky.ordering, "pixels": None if whole else sky.pixels}
    unit = settings["output"]["unit"]
    maps = {}
    for kind, values in results.items():
        if kind == DEPTH:
            for k, nu in enumerate(sky.frequency):
                made = SkyMap(values[k], "TAU", sky.nside, frequency=nu, **common)
                maps[f"{DEPTH} {label(nu)} GHz"] = made
            continue
        if kind != "stokes":
            maps[kind] = SkyMap(values, kind, sky.nside, **common)
            continue
        which = stokes_kind(len(values))
        for k, nu in enumerate(sky.frequency):
            made = SkyMap(values[:, k], which, sky.nside, frequency=nu, **common)
            try:
                maps[f"stokes {label(nu)} GHz"] = made.to_unit(unit)
            except ValueError as error:
                raise BadInput(f"output.unit = '{unit}': {error}") from None
    return maps


def check_finite(sky: Sky, results: dict[str, np.ndarray]) -> None:
    """Raise `BadInput` if a computed number is NaN or infinite: a computed map lacks no pixel."""
    for kind, values in results.items():
        planes = {kind: values}
        if kind == "stokes":
            planes = {
                f"{name} at {label(nu)} GHz": values[i, k]
                for i, name in enumerate(STOKES[: len(values)])
                for k, nu in enumerate(sky.frequency)
            }
        for name, plane in planes.items():
            bad = ~np.isfinite(plane)
            if bad.any():
                raise BadInput(
                    f"{name} is not a finite number in {bad.sum()} of {bad.size} pixels, so "
                    "nothing was written: look for extreme values among the parameters of the "
                    "models, or in their grids"
                )


def facts(settings: dict[str, Any]) -> dict[str, str | int]:
    """What the header of a map says of the run: its models by name, and the seed."""
    found: dict[str, str | int] = {}
    if "galaxy" in settings:
        return {"GALAXY": settings["galaxy"], "SEED": settings["seed"]}
    for group, key in _CARDS.items():
        tables = settings[group] if isinstance(settings[group], list) else [settings[group]]
        names = [str(next((t[s] for s in _SOURCES if s in t), "?")) for t in tables]
        text = " + ".join(names)
        if text.isascii() and text.isprintable():
            found[key] = text[:60]
    return {**found, "SEED": settings["seed"]}


def maps(
    made: dict[str, SkyMap], settings: dict[str, Any], stage: Stage, names: dict[str, str]
) -> None:
    """Write every map and the figure where `stage` (of `together`) says."""
    convention, known = settings["output"]["convention"], facts(settings)
    made = {name: one for name, one in made.items() if name in names}

    def save() -> None:
        with precision(settings["integration"]["precision"]):  # which each thread has for itself
            for name, one in made.items():
                with stage(names[name]) as temporary:
                    save_map(temporary, one, overwrite=True, convention=convention, facts=known)

    with ThreadPoolExecutor(1) as another:  # the disk and the figure do not wait for each other
        saved = another.submit(save)
        if "figure" in names:
            _draw(made, stage, names["figure"])
        saved.result()


def _draw(made: dict[str, SkyMap], stage: Stage, name: str) -> None:
    """Draw the highest frequency, the columns, and the greatest optical depth."""
    from .. import plot

    stokes = [m for kind, m in made.items() if kind.startswith("stokes")]
    highest = [max(stokes, key=lambda m: m.frequency)] if stokes else []
    depths = [m for m in made.values() if m.kind == "TAU"]
    deepest = [min(depths, key=lambda m: m.frequency)] if depths else []
    columns = [m for m in made.values() if m.frequency is None]
    save_figure(plot.sky(*highest, *columns, *deepest), "sky maps", stage, name)


def save_figure(figure: Any, title: str, stage: Stage, name: str) -> None:
    """Write a figure with what it says about itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_facecolor("white")
    figure.set_dpi(120)
    with stage(name) as temporary:
        # `savefig` would draw everything twice, the first time for the layout alone
        FigureCanvasAgg(figure).print_png(
            temporary,
            metadata=png_facts(title),
            pil_kwargs={"compress_level": 1},  # half a second less, a tenth larger
        )

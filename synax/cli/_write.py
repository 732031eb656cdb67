"""The files of a simulation: FITS maps and the figure."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import _catalogue
from ..io import save_map
from ..io._atomic import Stage
from ..maps._skymap import SkyMap
from ._record import version
from ._run import Sky


def png_facts(title: str) -> dict[str, str]:
    """What a figure's file says about itself."""
    return {"Software": f"synax {version()}", "Title": title}


def describe(sky: Sky) -> dict[str, Any]:
    """Every value of the fields and of the geometry, as plain data."""
    parts = {**sky.fields, **{k: v for k, v in sky.geometry.items() if k == "domain"}}
    return {name: _catalogue.describe(part) for name, part in parts.items()}


def sky_maps(sky: Sky, results: dict[str, np.ndarray], settings: dict[str, Any]) -> dict:
    """The results as `SkyMap`s in the wanted unit and convention, by name of output file."""
    whole = len(sky.pixels) == 12 * sky.nside**2 and "pixels" not in settings["sightlines"]
    common = {"ordering": sky.ordering, "pixels": None if whole else sky.pixels}
    unit, convention = settings["output"]["unit"], settings["output"]["convention"]
    maps = {}
    for kind, values in results.items():
        if kind != "stokes":
            maps[kind] = SkyMap(jnp.asarray(values), kind, sky.nside, **common)
            continue
        for k, nu in enumerate(sky.frequency):
            made = SkyMap(jnp.asarray(values[:, k]), "IQU", sky.nside, frequency=nu, **common)
            maps[f"stokes {nu:g} GHz"] = made.to_unit(unit).to_convention(convention)
    return maps


def maps(
    sky: Sky, results: dict[str, np.ndarray], settings: dict[str, Any], stage: Stage,
    names: dict[str, str],
) -> None:  # fmt: skip
    """Write every map and the figure where `stage` (of `together`) says."""
    made = sky_maps(sky, results, settings)
    for name, one in made.items():
        with stage(names[name]) as temporary:
            save_map(temporary, one, overwrite=True)
    if "figure" in names:
        from .. import plot

        stokes = [m for name, m in made.items() if name.startswith("stokes")]
        highest = [max(stokes, key=lambda m: m.frequency)] if stokes else []
        others = [m for name, m in made.items() if not name.startswith("stokes")]
        figure = plot.sky(*highest, *others)
        with stage(names["figure"]) as temporary:
            figure.savefig(
                temporary,
                dpi=120,
                facecolor="white",
                metadata=png_facts("sky maps"),
                pil_kwargs={"compress_level": 1},  # half a second less, a tenth larger
            )

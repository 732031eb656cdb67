"""[view]: a galaxy seen from outside, and the FITS images that are made of it."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ..fields._domain import AbstractDomain, Box, Sphere
from ..instruments import View
from ..instruments._view import Image
from ..io._images import write_image
from ..maps._stokes import Stokes
from ..maps._units import kelvin_rj_per
from ..sightlines._sightlines import Sightlines
from ._console import BadInput
from ._schema import PER_BEAM

_COLUMNS = {"RM": "rad m-2", "DM": "pc cm-3", "EM": "pc cm-6"}


def build(settings: dict[str, Any], domain: AbstractDomain) -> View:
    """The view that [view] describes; the image plane is put outside the domain."""
    names = ("inclination", "position_angle", "azimuth", "center")
    angles = {name: settings[name] for name in names}
    try:
        rays = Sightlines.parallel(
            settings["shape"],
            settings["extent"],
            distance=_reach(domain, settings),
            domain=domain,
            **angles,
        )
        view = View(rays, settings["distance"], settings["sky"])
        if "beam" in settings:
            view.check_beam(settings["beam"])
    except ValueError as error:
        raise BadInput(f"[view] {error}") from None
    return view


def _reach(domain: AbstractDomain, settings: dict[str, Any]) -> float:
    """How far the image plane must lie from the middle of the image, and a little more (kpc)."""
    assert isinstance(domain, Box | Sphere)
    size = domain.radius if isinstance(domain, Sphere) else domain.half_lengths
    offset = np.asarray(domain.center) - np.asarray(settings["center"])
    return 1.01 * float(np.linalg.norm(np.asarray(size)) + np.linalg.norm(offset))


def smoothed(view: View, settings: dict[str, Any], values: Any) -> Any:
    """Values (..., n_rays) seen with the beam of [view], if it has one."""
    beam = settings["view"].get("beam")
    if beam is None:
        return values
    if np.iscomplexobj(values):
        return view.smooth(values.real, beam) + 1j * view.smooth(values.imag, beam)
    return view.smooth(values, beam)


def per_kelvin(view: View, settings: dict[str, Any], frequency: float) -> float:
    """What 1 K (Rayleigh-Jeans) is called in the unit of the output."""
    unit = settings["output"]["unit"]
    if unit == PER_BEAM:
        return view.jansky_per_beam(frequency, settings["view"]["beam"])
    return 1.0 / kelvin_rj_per(unit, frequency)


def fits_unit(unit: str) -> str:
    """A unit of brightness as FITS spells it: kelvin have no kinds there."""
    return unit.replace("K_RJ", "K").replace("K_CMB", "K")


def images(
    view: View, results: dict[str, np.ndarray], names: dict[str, str], settings: dict[str, Any]
) -> dict[str, Image]:
    """The results of the march as images, by name of output."""
    beam, unit = settings["view"].get("beam"), settings["output"]["unit"]
    found = {}
    for kind in _COLUMNS:
        if kind in names:
            found[kind] = view.as_image(results[kind], unit=_COLUMNS[kind])
    for key in (name for name in names if name.startswith("tau")):
        k = settings["frequency"].index(float(key.split()[1]))
        nu = settings["frequency"][k]
        found[key] = view.as_image(results["tau"][k], unit="", frequency=nu)
    if not any(name.startswith("stokes") for name in names):
        return found
    keys = [name for name in names if name.startswith("stokes")]
    for k, (key, nu) in enumerate(zip(keys, settings["frequency"], strict=True)):
        values = smoothed(view, settings, results["stokes"][:3, k])
        values = np.asarray(values) * per_kelvin(view, settings, nu)
        found[key] = view.as_image(
            values, unit=fits_unit(unit), frequency=nu, beam=beam, stokes="IQU"
        )
    return found


def write(
    view: View,
    results: dict[str, np.ndarray],
    settings: dict[str, Any],
    stage: Any,
    names: dict[str, str],
) -> None:
    """Write the images of the march and the figure where `stage` (of `together`) says."""
    from ._write import facts, save_figure

    for name, image in images(view, results, names, settings).items():
        with stage(names[name]) as temporary:
            write_image(temporary, image.values, image.header | facts(settings), True)
    if "figure" in names:
        from .. import plot

        k = int(np.argmax(settings["frequency"]))
        seen = smoothed(view, settings, results["stokes"][:3, k])
        nu, extent = settings["frequency"][k], tuple(settings["view"]["extent"])
        figure = plot.image(Stokes(*map(jnp.asarray, seen)), view.rays, nu, extent=extent)
        save_figure(figure, "a galaxy from outside", stage, names["figure"])

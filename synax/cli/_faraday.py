"""Outputs 'faraday' and 'synthesis': Faraday spectra of a simulation, as files and a figure."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..faraday import DepthSpectrum, FaradaySpectrum, Synthesis, rm_synthesis
from ..faraday._clean import Cleaned
from ..instruments._view import Image
from ..io._depths import check_depths, save_depths
from ..io._images import write_image
from ..maps._skymap import SkyMap
from ..maps._units import kelvin_rj_per
from ..sightlines._sightlines import Sightlines
from . import _view
from ._console import BadInput
from ._schema import PER_BEAM

if TYPE_CHECKING:
    from ._run import Sky

MOST = 1_000_000
"""Depths that one configuration may have."""

BLOCK = 50_000_000
"""Numbers of a Faraday spectrum that are computed at once."""


class Found(NamedTuple):
    """What was asked for of the Faraday spectra; None for the rest."""

    spectrum: DepthSpectrum | None
    synthesis: Synthesis | None
    cleaned: Cleaned | None


def count(table: dict[str, Any]) -> int:
    """Depths of a [faraday] table."""
    first, last = table["depths"]
    return int(np.floor((last - first) / table["step"] * (1 + 1e-12))) + 1 if last > first else 0


def depths(settings: dict[str, Any]) -> np.ndarray:
    """Faraday depths of the [faraday] table, rad/m^2."""
    table = settings["faraday"]
    n = count(table)
    if not 3 <= n <= MOST:
        raise BadInput(
            f"faraday.depths = {table['depths']}: must rise and, with faraday.step = "
            f"{table['step']:g}, make 3 to {MOST:,} depths; these make {n:,}"
        )
    return table["depths"][0] + table["step"] * np.arange(n)


def file_names(settings: dict[str, Any]) -> dict[str, str]:
    """The files of the Faraday spectra, by what they hold."""
    outputs, image = settings["outputs"], "view" in settings
    names = {}
    parts = ("real", "im", "tot")
    if "faraday" in outputs:
        if image:
            names |= {f"faraday {p}": f"faraday_{p}.fits" for p in parts}
        else:
            names["faraday"] = "faraday.fits"
    if "synthesis" in outputs:
        kinds = ("dirty", "clean") if "clean" in settings["faraday"] else ("dirty",)
        for kind in kinds:
            if image:
                names |= {f"synthesis {kind} {p}": f"FDF_{p}_{kind}.fits" for p in parts}
            else:
                names[f"synthesis {kind}"] = f"synthesis_{kind}.fits"
        if image:
            names |= {f"channels {x}": f"channels{x}" for x in ("_Q.fits", "_U.fits", ".freq")}
        names["synthesis peak"] = "synthesis_peak_RM.fits"
    if settings["output"]["figure"] and {"faraday", "synthesis"} & set(outputs):
        names["faraday figure"] = "faraday.png"
    return names


def check(settings: dict[str, Any], sky: "Sky") -> FaradaySpectrum | None:
    """Raise `BadInput` for what cannot be made, before anything is computed."""
    outputs = settings["outputs"]
    if not {"faraday", "synthesis"} & set(outputs):
        return None
    phi, nu = depths(settings), settings["frequency"]
    if sky.view is None:
        try:
            check_depths(phi.size)
        except ValueError as error:
            raise BadInput(f"faraday.step = {settings['faraday']['step']:g}: {error}") from None
    if "synthesis" in outputs:
        if len(nu) < 3:
            raise BadInput(
                f"frequency = {nu}: synthesis needs channels, such as {{ low = 0.8, high = 1.088, "
                "channels = 64 }"
            )
        try:
            empty = np.zeros((len(nu), 1))
            rm_synthesis(nu, empty, empty, phi)
            if sky.view is not None:
                one = np.zeros((len(nu), sky.view.rays.n_rays), np.float32)
                sky.view.channel_images(nu, one, one, unit="K")
        except ValueError as error:
            raise BadInput(f"frequency: {error}") from None
    if "faraday" not in outputs:
        return None
    try:
        return FaradaySpectrum(sky.synchrotron(), phi)
    except ValueError as error:
        raise BadInput(f"outputs: faraday: {error}") from None


def compute(
    settings: dict[str, Any],
    sky: "Sky",
    simulator: FaradaySpectrum | None,
    results: dict[str, np.ndarray],
    advance: Callable[[int], None],
) -> Found:
    """The spectra, in the unit and with the beam of the output."""
    spectrum = None if simulator is None else _spectrum(settings, sky, simulator, advance)
    if "synthesis" not in settings["outputs"] or "survey" in settings:
        return Found(spectrum, None, None)
    nu = settings["frequency"]
    factors = np.asarray([_per_kelvin(settings, sky, f) for f in nu])[:, None]
    q, u = (np.asarray(_seen(settings, sky, results["stokes"][k])) * factors for k in (1, 2))
    return _cleaned(spectrum, rm_synthesis(nu, q, u, depths(settings)), settings)


def _cleaned(
    spectrum: DepthSpectrum | None, synthesis: Synthesis, settings: dict[str, Any]
) -> Found:
    limit = settings["faraday"].get("clean")
    return Found(spectrum, synthesis, None if limit is None else synthesis.clean(limit))


def of_survey(found: Found, settings: dict[str, Any], survey: Any, maps: Any) -> Found:
    """The same with RM synthesis of a survey's channels, noise included, K_RJ."""
    if "synthesis" not in settings["outputs"]:
        return found
    return _cleaned(found.spectrum, survey.synthesis(maps, depths(settings)), settings)


def _per_kelvin(settings: dict[str, Any], sky: "Sky", frequency: float) -> float:
    if sky.view is not None:
        return _view.per_kelvin(sky.view, settings, frequency)
    return 1.0 / kelvin_rj_per(settings["output"]["unit"], frequency)


def _seen(settings: dict[str, Any], sky: "Sky", values: Any) -> Any:
    return values if sky.view is None else _view.smoothed(sky.view, settings, values)


def _spectrum(
    settings: dict[str, Any],
    sky: "Sky",
    simulator: FaradaySpectrum,
    advance: Callable[[int], None],
) -> DepthSpectrum:
    frequency = settings["faraday"].get("frequency", max(settings["frequency"]))
    n, factor = len(sky.pixels), _per_kelvin(settings, sky, frequency)
    size = min(n, max(1, BLOCK // len(simulator.phi)))
    size = -(-n // -(-n // size))
    parts: list[list[np.ndarray]] = []
    found = None
    for start in range(0, n, size):
        pixels = sky.pixels[start : start + size]
        filled = np.pad(pixels, (0, size - len(pixels)), mode="edge")
        found = simulator(sky.rays(filled).sharded(), frequency)
        per_ray = (found.values, found.outside, found.rotation_measure)
        parts.append([np.asarray(x)[..., : len(pixels)] for x in per_ray])
        advance(len(pixels))
    values, outside, rm = (np.concatenate(x, axis=-1) for x in zip(*parts, strict=True))
    values, outside = (factor * _seen(settings, sky, x) for x in (values, outside))
    assert found is not None  # there is a pixel
    return DepthSpectrum(found.phi, found.widths, *map(jnp.asarray, (values, outside, rm)))


def write(
    found: Found,
    settings: dict[str, Any],
    sky: "Sky",
    stage: Any,
    names: dict[str, str],
    facts: dict[str, Any],
) -> None:
    """Write every file and the figure where `stage` (of `together`) says."""
    unit = "K_RJ" if "survey" in settings else settings["output"]["unit"]
    if sky.view is not None:
        for name, image in _images(found, settings, sky).items():
            with stage(names[name]) as temporary:
                write_image(temporary, image.values, image.header | facts, True)
    else:
        some = sky.pixels if "pixels" in settings["sightlines"] else None
        rays = Sightlines.healpix(sky.nside, pixels=some, ordering=sky.ordering, **sky.geometry)
        cubes = {}
        if found.spectrum is not None:
            cubes["faraday"] = (found.spectrum.values, f"{unit}/(rad/m2)")
        if found.synthesis is not None:
            cubes["synthesis dirty"] = (found.synthesis.values, unit)
        if found.cleaned is not None:
            cubes["synthesis clean"] = (found.cleaned.restored, unit)
        for name, (values, spelled) in cubes.items():
            with stage(names[name]) as temporary:
                save_depths(
                    temporary, depths(settings), values, rays,
                    unit=spelled, overwrite=True, facts=facts,
                )  # fmt: skip
        if found.synthesis is not None:
            from ..io import save_map

            depth = found.synthesis.peak().depth
            peak = SkyMap(depth, "RM", sky.nside, ordering=sky.ordering, pixels=some)
            with stage(names["synthesis peak"]) as temporary:
                save_map(temporary, peak, overwrite=True, facts=facts)
    if "faraday figure" in names:
        _figure(found, unit, stage, names["faraday figure"])


def _images(found: Found, settings: dict[str, Any], sky: "Sky") -> dict[str, Image]:
    """The images of the spectra, by name of output."""
    view, beam = sky.view, settings["view"].get("beam")
    assert view is not None
    unit = _view.fits_unit(settings["output"]["unit"])
    parts, made = ("real", "im", "tot"), {}
    if found.spectrum is not None:
        per_depth = f"{unit} rad-1 m2" if unit != PER_BEAM else "Jy beam-1 rad-1 m2"
        cubes = view.faraday_images(
            found.spectrum.phi, found.spectrum.values, unit=per_depth, beam=beam
        )
        made |= {f"faraday {p}": x for p, x in zip(parts, cubes.values(), strict=True)}
    if found.synthesis is not None:
        seen, common = found.synthesis, {"unit": unit, "beam": beam}
        restored = None if found.cleaned is None else found.cleaned.restored
        for kind, values in (("dirty", seen.values), ("clean", restored)):
            if values is not None:
                cubes = view.faraday_images(
                    seen.phi, values, lambda0_squared=seen.lambda0_squared, **common
                )
                both = zip(parts, cubes.values(), strict=True)
                made |= {f"synthesis {kind} {p}": x for p, x in both}
        nu = np.asarray(settings["frequency"])
        order = np.argsort(nu)
        q, u = np.asarray(seen.data.real)[order], np.asarray(seen.data.imag)[order]
        channels = view.channel_images(nu[order], q, u, **common)
        made |= {f"channels {end}": x for end, x in channels.items()}
        made["synthesis peak"] = view.as_image(seen.peak().depth, unit="rad m-2", beam=beam)
    return made


def _figure(found: Found, unit: str, stage: Any, name: str) -> None:
    """Spectrum of the sightline that is brightest in polarised light."""
    from .. import plot
    from ._write import save_figure

    one = found.spectrum if found.spectrum is not None else (found.cleaned or found.synthesis)
    assert one is not None
    values = one.restored if isinstance(one, Cleaned) else one.values
    ray = int(np.argmax(np.max(np.abs(np.asarray(values)), axis=0)))
    figure = plot.faraday_spectrum(jax.tree.map(np.asarray, one), ray, unit=unit)
    save_figure(figure, "Faraday spectrum", stage, name)

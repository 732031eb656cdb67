"""`synax compare FILE`: a map of the user's beside the model, in the map's own unit."""

from pathlib import Path
from typing import Any

import numpy as np

from ..io._fits_maps import load_map
from ..maps._kinds import STOKES
from ..maps._skymap import SkyMap
from ..maps._units import label
from ..sightlines._sightlines import Sightlines
from ..simulators import DispersionMeasure, EmissionMeasure, RotationMeasure
from ..simulators._validity import only_for
from ._console import BadInput
from ._map_comparison import Comparison, directions, polarisation, positive, rotation
from ._masks import Mask
from ._run import Sky

DEFAULT_NSIDE = 32
"""Resolution of a comparison, unless the map is coarser or another one is asked for."""

_COLUMNS = {
    "DM": ("Dispersion measures", r"pc cm$^{-3}$", "cividis"),
    "EM": ("Emission measures", r"pc cm$^{-6}$", "cividis"),
    "TAU": ("Optical depth", "1", "cividis"),
}


class OwnMap:
    """What a file of the user's holds, ready to be compared: one part for I, one for Q and U."""

    def __init__(self, file: Path, given: dict[str, Any], mask: Mask | None, nside: int | None):
        """Read the file and average it to `nside`, in its own frame; `BadInput` for what cannot be.

        `given` are arguments of `synax.load_map`: what the header lacks.
        """
        try:
            sky = load_map(file, **given)
            sky.check_finite(missing=True)
            self.sky = _prepared(sky, mask, _resolution(sky, nside))
        except FileNotFoundError:
            raise BadInput(f"WHAT = '{file}': there is no such file") from None
        except (ValueError, TypeError) as error:
            text = " ".join(str(error).split()).replace("pass ", "give ")
            raise BadInput(text if text.startswith("'") else f"'{file}': {text}") from None
        kinds = {"IQU": ("I", "QU"), "IQUV": ("I", "QU", "V")}.get(sky.kind, (sky.kind,))
        at = self.sky.frequency if isinstance(self.sky.frequency, tuple) else (self.sky.frequency,)
        self.file, self.parts = file, [(kind, k, nu) for k, nu in enumerate(at) for kind in kinds]
        self.frequency = [nu for nu in at if nu is not None]
        """GHz; empty for columns such as rotation measures."""

    def titles(self) -> dict[str, str]:
        """Name and title of each part."""
        found = {}
        for kind, _, nu in self.parts:
            at = "" if nu is None else f"_{label(nu)}GHz"
            what = {"I": "I", "QU": "Q and U", "RM": "rotation measures"}.get(kind, kind)
            told = "" if nu is None else f" at {label(nu)} GHz"
            told += "" if self.sky.frame == "galactic" else f", {self.sky.frame} coordinates"
            found[f"map_{kind}{at}"] = f"{self.file.name}: {what}{told}"
        return found

    def compare(self, sky: Sky) -> list[Comparison]:
        """Each part of the map beside the model."""
        rays = Sightlines.healpix(self.sky.nside, frame=self.sky.frame, **sky.geometry)
        model = self._model(sky, rays)
        return [self._compared(model, kind, k) for kind, k, _ in self.parts]

    def _model(self, sky: Sky, rays: Sightlines) -> SkyMap:
        kind, own = self.sky.kind, self.sky
        magnetic, electrons = sky.fields["magnetic"], sky.fields["electrons"]
        if own.frequency is None:
            simulator = {
                "RM": lambda: RotationMeasure(magnetic, electrons, **sky.integration),
                "DM": lambda: DispersionMeasure(electrons, **sky.integration),
                "EM": lambda: EmissionMeasure(electrons, **sky.integration),
            }[kind]()
            return SkyMap(simulator(rays), kind, own.nside, frame=own.frame)
        nu = np.asarray(own.frequency)
        if kind == "TAU":
            with only_for(("I",)):
                depth = sky.synchrotron().observe(rays, nu).optical_depth
            if depth is None:
                raise BadInput(
                    f"'{self.file}' holds optical depths, and nothing absorbs in the model: "
                    "--set physics.free_free=true"
                )
            return SkyMap(depth, "TAU", own.nside, frequency=own.frequency, frame=own.frame)
        with only_for(own.columns):
            stokes = sky.synchrotron()(rays, nu)
        if "V" in own.columns and stokes.V is None:
            raise BadInput(
                f"'{self.file}' holds V, which the model gives with "
                "--set physics.self_absorption=true"
            )
        found = np.stack([np.asarray(getattr(stokes, name)) for name in own.columns])
        found = found[0] if len(own.columns) == 1 else found
        made = SkyMap(found, kind, own.nside, frequency=own.frequency, frame=own.frame)
        return made.to_unit(own.unit)

    def _compared(self, model: SkyMap, kind: str, k: int) -> Comparison:
        several = isinstance(self.sky.frequency, tuple)

        def plane(sky: SkyMap, name: str) -> np.ndarray:
            values = np.asarray(sky.component(name), float)
            return values[k] if several else values

        pair = lambda name: (plane(self.sky, name), plane(model, name))
        unit, b = self.sky.unit.replace("_", " "), directions(self.sky.nside, self.sky.frame)[1]
        if kind == "QU":
            (q, model_q), (u, model_u) = pair("Q"), pair("U")
            return polarisation(q, u, model_q, model_u, b, unit)
        if kind == "RM":
            return rotation(*pair("RM"), b)
        if kind in STOKES:
            return positive(kind, *pair(kind), b, unit)
        _, unit, cmap = _COLUMNS[kind]
        return positive(kind, *pair(kind), b, unit, cmap)


def _resolution(sky: SkyMap, nside: int | None) -> int:
    if nside is None:
        nside = next(n for n in range(min(sky.nside, DEFAULT_NSIDE), 0, -1) if sky.nside % n == 0)
    if nside < 1 or sky.nside % nside:
        raise BadInput(
            f"--nside {nside}: must divide that of the map, {sky.nside}: data can be averaged, not "
            "made finer"
        )
    return nside


def _prepared(sky: SkyMap, mask: Mask | None, nside: int) -> SkyMap:
    """The whole sky in RING and IAU, averaged to `nside`; NaN where hidden or absent."""
    sky = sky.full().to_convention("IAU").to_ordering("RING")
    if mask is not None:
        seen = mask.towards(*directions(sky.nside, sky.frame))
        sky = sky + np.broadcast_to(np.where(seen, 0.0, np.nan), sky.values.shape)
    sky = sky.degrade(nside)
    if not np.isfinite(np.asarray(sky.values)).any():
        why = "" if mask is None else f" that --mask '{mask.file}' leaves"
        raise ValueError(f"holds no pixel with data{why}")
    return sky

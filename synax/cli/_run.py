"""The computation behind `synax simulate`: blocks of rays on all cores, and the error estimate."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from .._observables import (
    DispersionMeasure,
    EmissionMeasure,
    RotationMeasure,
    Synchrotron,
)
from .._sightlines import Sightlines
from . import _build

_RAYS_PER_BLOCK = 4096
_RAYS_FOR_THE_ERROR = 192


class Sky(NamedTuple):
    """What is computed: fields, where to look, how to integrate, which outputs."""

    fields: dict[str, Any]
    nside: int
    ordering: str
    pixels: np.ndarray
    """Pixel of every ray."""
    geometry: dict[str, Any]
    """observer, domain and minimum_distance of the sightlines."""
    frequency: tuple[float, ...]
    outputs: tuple[str, ...]
    integration: dict[str, Any]

    def rays(self, pixels: np.ndarray) -> Sightlines:
        """Sightlines of some of the pixels."""
        return Sightlines.healpix(
            self.nside, pixels=pixels, ordering=self.ordering, **self.geometry
        )


def precision(name: str) -> contextlib.AbstractContextManager:
    """JAX's float64 switched on or off inside a `with` block of this thread only."""
    switch = getattr(jax, "enable_x64", None)
    if switch is None:
        from jax.experimental import enable_x64 as switch
    return switch(name == "float64")


def prepare(config: dict[str, Any]) -> Sky:
    """Build everything a configuration describes; `BadInput` for what cannot be used."""
    seed = config["seed"]
    fields = {g: _build.build_field(g, config[g], seed) for g in ("magnetic", "electrons")}
    fields["cosmic_rays"] = _build.build_field("cosmic_rays", config["cosmic_rays"], seed)
    lines = config["sightlines"]
    pixels = _build.pixel_numbers(lines)
    geometry = {
        "observer": lines["observer"],
        "minimum_distance": lines["minimum_distance"],
        "domain": _build.domain(config["domain"]),
    }
    return Sky(
        fields,
        lines["nside"],
        lines["ordering"],
        np.arange(12 * lines["nside"] ** 2) if pixels is None else pixels,
        geometry,
        tuple(config["frequency"]),
        tuple(config["outputs"]),
        _build.integration(config["integration"]),
    )


def simulators(sky: Sky, integration: dict[str, Any]) -> dict[str, Callable]:
    """One function per output, from sightlines to values (..., n_rays)."""
    f = sky.fields
    magnetic, electrons, cosmic_rays = f["magnetic"], f["electrons"], f["cosmic_rays"]
    frequency = np.asarray(sky.frequency)

    def stokes(rays: Sightlines) -> Any:
        found = Synchrotron(magnetic, electrons, cosmic_rays, **integration)(rays, frequency)
        return np.stack([found.I, found.Q, found.U])

    makers = {
        "stokes": stokes,
        "RM": RotationMeasure(magnetic, electrons, **integration),
        "DM": DispersionMeasure(electrons, **integration),
        "EM": EmissionMeasure(electrons, **integration),
    }
    return {name: makers[name] for name in sky.outputs}


def compute(
    sky: Sky, precision_name: str, advance: Callable[[int], None] = lambda n: None
) -> dict[str, np.ndarray]:
    """All outputs on all pixels: {'stokes': (3, n_freq, n_pix), 'RM': (n_pix,), ...}.

    Blocks of equal size, so that each output is compiled once; on a CPU several blocks run at
    a time. `advance(n)` is told of every `n` rays done.
    """
    run = simulators(sky, sky.integration)
    results: dict[str, np.ndarray] = {}

    def one(task: tuple[str, slice, np.ndarray]) -> None:
        name, where, pixels = task
        with precision(precision_name):
            values = np.asarray(run[name](sky.rays(pixels)))
        shape = (*values.shape[:-1], len(sky.pixels))
        out = results.setdefault(name, np.empty(shape, values.dtype))
        out[..., where] = values[..., : where.stop - where.start]
        advance(where.stop - where.start)

    tasks = [(name, *block) for block in _blocks(sky.pixels) for name in run]
    workers = max(1, os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
    with ThreadPoolExecutor(min(workers, len(tasks))) as pool:
        for _ in pool.map(one, tasks):
            pass
    return results


def _blocks(pixels: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    count = -(-len(pixels) // _RAYS_PER_BLOCK)
    size = -(-len(pixels) // count)
    for start in range(0, len(pixels), size):
        block = pixels[start : start + size]
        filled = np.concatenate([block, np.repeat(block[-1:], size - len(block))])
        yield slice(start, start + len(block)), filled


def step_doubling(
    sky: Sky, results: dict[str, np.ndarray], precision_name: str
) -> dict[str, dict[str, Any]]:
    """Numerical error of the integration: rays spread over the map, once more with twice the steps.

    For each output (and component, and frequency): rms and largest difference, and the rms
    relative to the rms of the values.
    """
    steps = sky.integration["steps"]
    with precision(precision_name):
        doubled = _with_steps(steps, 2 * steps.n)
        run = simulators(sky, {**sky.integration, "steps": doubled})
        count = min(_RAYS_FOR_THE_ERROR, len(sky.pixels))
        chosen = np.linspace(0, len(sky.pixels) - 1, count).astype(int)
        rays = sky.rays(sky.pixels[chosen])
        finer = {name: np.asarray(one(rays)) for name, one in run.items()}
    report: dict[str, dict[str, Any]] = {}
    for name, fine in finer.items():
        coarse = results[name][..., chosen]
        if name == "stokes":
            for i, letter in enumerate("IQU"):
                for k, nu in enumerate(sky.frequency):
                    report[f"{letter} {nu:g} GHz"] = _difference(coarse[i, k], fine[i, k])
        else:
            report[name] = _difference(coarse, fine)
    return {"steps": steps.n, "against_steps": 2 * steps.n, "n_rays": count, "outputs": report}


def _with_steps(steps: Any, n: int) -> Any:
    import dataclasses

    return dataclasses.replace(steps, n=n)


def _difference(coarse: np.ndarray, fine: np.ndarray) -> dict[str, float]:
    difference = np.asarray(coarse, float) - np.asarray(fine, float)
    rms = float(np.sqrt(np.mean(difference**2)))
    size = float(np.sqrt(np.mean(np.asarray(fine, float) ** 2)))
    return {
        "rms": rms,
        "largest": float(np.max(np.abs(difference))),
        "relative_rms": rms / size if size > 0 else 0.0,
    }

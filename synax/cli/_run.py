"""The computation behind `synax simulate`: blocks of rays on all cores, and the error estimate."""

import contextlib
import dataclasses
import importlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from .._joint import observe_together
from .._observables import (
    BLOCKS,
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
    switch: Any = getattr(jax, "enable_x64", None)
    if switch is None:  # before JAX 0.8
        switch = importlib.import_module("jax.experimental").enable_x64
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


Outputs = dict[str, np.ndarray]


def simulator(sky: Sky, integration: dict[str, Any]) -> Callable[[Sightlines], Outputs]:
    """The function from sightlines to all wanted outputs, (..., n_rays) each, in one march."""
    f = sky.fields
    magnetic, electrons, cosmic_rays = f["magnetic"], f["electrons"], f["cosmic_rays"]
    frequency = np.asarray(sky.frequency)

    def together(rays: Sightlines) -> Outputs:
        emitter = Synchrotron(magnetic, electrons, cosmic_rays, **integration)
        found = observe_together(emitter, rays, frequency)
        stokes = np.stack([np.asarray(getattr(found.stokes, letter)) for letter in "IQU"])
        columns = {"RM": found.rotation, "DM": found.dispersion, "EM": found.emission}
        return {"stokes": stokes, **{name: np.asarray(x) for name, x in columns.items()}}

    def apart(rays: Sightlines) -> Outputs:
        makers = {
            "RM": lambda: RotationMeasure(magnetic, electrons, **integration),
            "DM": lambda: DispersionMeasure(electrons, **integration),
            "EM": lambda: EmissionMeasure(electrons, **integration),
        }
        return {name: np.asarray(makers[name]()(rays)) for name in sky.outputs}

    chosen = together if "stokes" in sky.outputs else apart
    return lambda rays: {k: x for k, x in chosen(rays).items() if k in sky.outputs}


def compute(
    sky: Sky, advance: Callable[[int], None] = lambda n: None
) -> tuple[Outputs, dict[str, Any]]:
    """All outputs on all pixels, and the numerical error estimated by doubling the steps.

    **Returns** {'stokes': (3, n_freq, n_pix), 'RM': (n_pix,), ...} and the report of `_errors`.

    Rays go in blocks of equal size, so that they are compiled once; on a CPU the two programs
    compile, and later the blocks run, several at a time. `advance(n)` is told of every `n` rays.
    """
    on_cpu = jax.default_backend() == "cpu"
    integration = {**sky.integration, "block": BLOCKS["cores"] if on_cpu else None}
    coarse, fine = simulator(sky, integration), simulator(sky, _doubled(integration))
    results: Outputs = {}
    switch = "float64" if jax.config.read("jax_enable_x64") else "float32"
    count = min(_RAYS_FOR_THE_ERROR, len(sky.pixels))
    chosen = np.linspace(0, len(sky.pixels) - 1, count).astype(int)

    def block(where: slice, pixels: np.ndarray) -> None:
        with precision(switch):  # the setting belongs to the thread
            found = coarse(sky.rays(pixels))
        for name, values in found.items():
            shape = (*values.shape[:-1], len(sky.pixels))
            out = results.setdefault(name, np.empty(shape, values.dtype))
            out[..., where] = values[..., : where.stop - where.start]
        advance(where.stop - where.start)

    def again() -> Outputs:
        with precision(switch):
            return fine(sky.rays(sky.pixels[chosen]))

    first, *rest = _blocks(sky.pixels)
    workers = (os.cpu_count() or 1) if on_cpu else 1
    with ThreadPoolExecutor(workers) as pool:
        compiled = pool.submit(block, *first)
        doubled = pool.submit(again)
        compiled.result()
        for one in [pool.submit(block, *b) for b in rest]:
            one.result()
        finer = doubled.result()
    steps = sky.integration["steps"].n
    errors = _errors(sky, {n: results[n][..., chosen] for n in finer}, finer)
    return results, {
        "method": "the same rays with twice the steps",
        "steps": steps,
        "against_steps": 2 * steps,
        "n_rays": len(chosen),
        "outputs": errors,
    }


def _blocks(pixels: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    count = -(-len(pixels) // _RAYS_PER_BLOCK)
    size = -(-len(pixels) // count)
    for start in range(0, len(pixels), size):
        block = pixels[start : start + size]
        filled = np.concatenate([block, np.repeat(block[-1:], size - len(block))])
        yield slice(start, start + len(block)), filled


def _doubled(integration: dict[str, Any]) -> dict[str, Any]:
    steps = integration["steps"]
    return {**integration, "steps": dataclasses.replace(steps, n=2 * steps.n)}


def _errors(
    sky: Sky, coarse: dict[str, np.ndarray], fine: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Rms and largest difference of each output, component and frequency; relative to the rms."""
    report = {}
    for name, values in fine.items():
        if name != "stokes":
            report[name] = _difference(coarse[name], values)
            continue
        for i, letter in enumerate("IQU"):
            for k, nu in enumerate(sky.frequency):
                found = _difference(coarse[name][i, k], values[i, k])
                report[f"{letter} {nu:g} GHz"] = found
    return report


def _difference(coarse: np.ndarray, fine: np.ndarray) -> dict[str, float]:
    difference = np.asarray(coarse, float) - np.asarray(fine, float)
    rms = float(np.sqrt(np.mean(difference**2)))
    size = float(np.sqrt(np.mean(np.asarray(fine, float) ** 2)))
    return {
        "rms": rms,
        "largest": float(np.max(np.abs(difference))),
        "relative_rms": rms / size if size > 0 else 0.0,
    }

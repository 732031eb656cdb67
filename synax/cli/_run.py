"""The computation behind `synax simulate`: blocks of rays on all cores, and the error estimate."""

import contextlib
import dataclasses
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import _checks as checks
from .._parameters import as_parameter
from ..fields._domain import Sphere
from ..instruments import View
from ..maps._kinds import STOKES
from ..maps._units import label
from ..sightlines._sightlines import Sightlines
from ..simulators import Synchrotron
from ..simulators._accuracy import RELIABLE
from ..simulators._engine import BLOCKS
from ..simulators._validity import check_dispersion, only_for
from ..transfer import Light
from . import _build, _faraday, _schema, _view
from ._console import BadInput, noted
from ._lowered import Lowered
from ._marching import DEPTH as DEPTH, SCATTER, Outputs, Together, simulator


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
    physics: dict[str, Any]
    integration: dict[str, Any]
    view: View | None = None
    """The image of a galaxy seen from outside; `pixels` are then its."""
    observer: list[float] | None = None
    """The observer that was asked for, kpc; None where nothing was said."""
    intensity_alone: bool = False
    """Whether nothing is made of Q and U, so that nothing is told of them."""

    def synchrotron(self, **fields: Any) -> Synchrotron:
        """The simulator of Stokes parameters, with some fields in place of its own."""
        f = self.fields | fields
        parts = (f["magnetic"], f["electrons"], f["cosmic_rays"])
        return Synchrotron(*parts, **self.physics, **self.integration)

    def brightness(self, rays: Sightlines, frequency: Any) -> np.ndarray:
        """I alone, K: what is told of the polarisation of means does not concern it."""
        with only_for(("I",)):
            return np.asarray(self.synchrotron()(rays, frequency).I)

    def rays(self, pixels: np.ndarray) -> Sightlines:
        """Sightlines of some of the pixels, which may repeat."""
        if self.view is not None:
            return self.view.rays.take(pixels)
        found, order = np.unique(pixels, return_inverse=True)
        rays = Sightlines.healpix(self.nside, pixels=found, ordering=self.ordering, **self.geometry)
        return rays.take(order)


def precision(name: str) -> contextlib.AbstractContextManager:
    """JAX's float64 switched on or off inside a `with` block of this thread only."""
    switch: Any = getattr(jax, "enable_x64", None)
    if switch is None:  # before JAX 0.8
        switch = importlib.import_module("jax.experimental").enable_x64
    return switch(name == "float64")


def prepare(config: dict[str, Any]) -> Sky:
    """Build everything a configuration describes; `BadInput` for what cannot be used."""
    check_memory(config)
    seed = config["seed"]
    physics = _build.physics(config["physics"], config["frequency"])
    if "galaxy" in config:
        fields = _galaxy(config["galaxy"], physics)
    else:
        fields = {g: _build.build_field(g, config[g], seed) for g in _schema.GROUPS}
    if config["physics"]["realisation"]:
        fields = _realised(fields, physics, seed)
    if "turbulence" in physics and physics["self_absorption"]:
        raise BadInput(
            "physics.self_absorption = true and turbulence exclude each other: the law of light "
            "with circular polarisation carries no unresolved field; physics.realisation = true "
            "puts one random field in its place"
        )
    if config["physics"]["filling_factor"] == _schema.SCATTERING:
        _fill(physics, fields["electrons"])
    lines = config["sightlines"]
    domain = _build.domain(config["domain"])
    view = _view.build(config["view"], domain) if "view" in config else None
    if view is not None:
        pixels = np.arange(view.rays.n_rays)
        geometry = {"minimum_distance": 0.0, "domain": domain}
    else:
        pixels = _build.pixel_numbers(lines)
        pixels = np.arange(12 * lines["nside"] ** 2) if pixels is None else pixels
        lines = {"observer": list(_schema.SUN), **lines}
        geometry = {name: lines[name] for name in ("observer", "minimum_distance")}
        geometry["domain"] = domain
        _check_observer(lines["observer"], domain)
        _check_start(lines, domain)
    if DEPTH in config["outputs"] and not (physics["self_absorption"] or "free_free" in physics):
        raise BadInput(
            "outputs: tau needs something that absorbs: set physics.free_free = true or "
            "physics.self_absorption = true (auto has none at 0.3 GHz and above)"
        )
    return Sky(
        fields,
        lines["nside"],
        lines["ordering"],
        pixels,
        geometry,
        tuple(config["frequency"]),
        _marched(config["outputs"]),
        physics,
        _build.integration(config["integration"]),
        view,
        config["sightlines"].get("observer"),
    )


def _marched(outputs: list[str]) -> tuple[str, ...]:
    """What the march has to give for these outputs."""
    wanted = ["stokes" if name == "synthesis" else name for name in outputs]
    return tuple(n for n in _schema.MAPS if n in wanted) or ("RM",)


def _galaxy(name: str, physics: dict[str, Any]) -> dict[str, Any]:
    """The fields of a whole Galaxy; what else it has goes into `physics`, where that has none."""
    from .. import galaxies

    galaxy = getattr(galaxies, name)()
    for part in ("turbulence", "free_free", "background"):
        if getattr(galaxy, part) is not None:
            physics.setdefault(part, getattr(galaxy, part))
    return {group: getattr(galaxy, group) for group in _schema.GROUPS}


def _realised(fields: dict[str, Any], physics: dict[str, Any], seed: int) -> dict[str, Any]:
    """The fields with one random field in place of the turbulence, which leaves `physics`."""
    from ..galaxies import realisation

    if "turbulence" not in physics:
        raise BadInput(
            "physics.realisation = true needs turbulence: set physics.turbulence, or a galaxy that "
            "has it, such as galaxy = 'calibrated'"
        )
    parts = (fields["magnetic"], fields["electrons"], fields["cosmic_rays"])
    mean = Synchrotron(*parts, turbulence=physics.pop("turbulence"))
    try:
        one = realisation(mean, jax.random.key(seed))
    except ValueError as error:  # no correlation length
        raise BadInput(f"physics.realisation = true: {error}") from None
    return fields | {"magnetic": one.magnetic}


def _fill(physics: dict[str, Any], electrons: Any) -> None:
    """Put the filling factor of the electrons' own parts in."""
    from ..electrons._ne2001 import AbstractNE
    from ..emission import FluctuationFilling, FreeFree

    if not isinstance(electrons, AbstractNE):
        raise BadInput(
            f"physics.filling_factor = '{_schema.SCATTERING}' needs electrons.model = 'NE2001' or "
            f"'NE2025', got {type(electrons).__name__}"
        )
    if "free_free" in physics:
        filling = FluctuationFilling(electrons)
        physics["free_free"] = FreeFree(physics["free_free"].temperature, filling)


def check_memory(config: dict[str, Any], results: bool = True) -> None:
    """Raise `BadInput` if sightlines and maps would not fit into this machine's memory.

    A map is counted twice: as the integrator's result and as the map that is written.
    """
    lines, outputs = config["sightlines"], config["outputs"]
    pixels = lines.get("pixels")
    count = 12 * lines["nside"] ** 2
    count = len(pixels) if isinstance(pixels, list) else count
    where = f"sightlines.nside = {lines['nside']}"
    if "view" in config:
        pixels, shape = None, config["view"]["shape"]
        count, where = shape[0] * shape[1], f"view.shape = {shape}"
    if isinstance(pixels, str):  # only the mask itself, which is read whole
        size, what = 24.0 * count, f"a mask of {count:,} pixels"
    else:
        maps = _maps(config, outputs)
        width = 4 if config["integration"]["precision"] == "float32" else 8
        size = count * (8.0 + 2.0 * width * maps * results)
        what = f"{count:,} sightlines" + (f" and {maps} maps of them" if results else "")
    try:
        checks.memory(f"{where}: {what}", size)
    except ValueError as error:
        raise BadInput(str(error)) from None


def _maps(config: dict[str, Any], outputs: list[str]) -> int:
    """How many maps a configuration asks for; a Faraday spectrum has two a depth."""
    maps = sum(1 for name in outputs if name in ("RM", "DM", "EM"))
    maps += len(config["frequency"]) * (DEPTH in outputs)
    if {"stokes", "synthesis"} & set(outputs):
        maps += 3 * len(config["frequency"])
    if "faraday" in config and {"faraday", "synthesis"} & set(outputs):
        maps += 2 * len({"faraday", "synthesis"} & set(outputs)) * _faraday.count(config["faraday"])
    return maps


def _check_observer(observer: list[float], domain: Any) -> None:
    offset = np.abs(np.asarray(observer) - np.asarray(domain.center))
    inside = (
        np.linalg.norm(offset) <= float(domain.radius)
        if isinstance(domain, Sphere)
        else np.all(offset <= np.asarray(domain.half_lengths))
    )
    if not inside:
        raise BadInput(
            f"sightlines.observer = {observer}: lies outside the domain, where nothing is "
            "integrated; give a larger domain or another observer"
        )


def _check_start(lines: dict[str, Any], domain: Any) -> None:
    """Refuse sightlines that start beyond all of the domain: the maps would be 0."""
    offset = np.abs(np.asarray(lines["observer"]) - np.asarray(domain.center))
    reach = (
        np.linalg.norm(offset) + float(domain.radius)
        if isinstance(domain, Sphere)
        else np.linalg.norm(offset + np.asarray(domain.half_lengths))
    )
    if lines["minimum_distance"] >= reach:
        raise BadInput(
            f"sightlines.minimum_distance = {lines['minimum_distance']:g}: no sightline reaches so "
            f"far, the domain ends {reach:.4g} kpc from the observer; give a smaller one"
        )


def compute(
    sky: Sky,
    advance: Callable[[int], None] = lambda n: None,
    begun: Callable[[], None] = lambda: None,
    lowered: Lowered | None = None,
) -> tuple[Outputs, Callable[[], dict[str, Any]]]:
    """All outputs on all pixels, and the numerical error estimated by doubling the steps.

    **Returns** {'stokes': (3, n_freq, n_pix), 'RM': (n_pix,), ...} and a function that waits for
    the report of `_errors`: it is still being computed.

    Rays go in blocks of equal size over all devices. The doubled steps are those of the near and
    the far half of some rays, one after the other, so that one compiled program does everything.
    `advance(n)` is told of every `n` rays; `begun()` is called while the first of them compute;
    `lowered` is the program of an earlier run, or keeps that of this one.
    """
    devices = len(jax.devices())
    largest = devices * (BLOCKS["cpu"] if jax.default_backend() == "cpu" else BLOCKS["other"])
    size = max(2, -(-len(sky.pixels) // -(-len(sky.pixels) // largest)))
    run, results = simulator(sky, lowered), {}

    def march(pixels: np.ndarray, near: Any, far: Any) -> Outputs:
        fill = lambda x: np.pad(x, (0, size - len(pixels)), mode="edge")
        near, far = (as_parameter(fill(np.broadcast_to(x, pixels.shape))) for x in (near, far))
        rays = sky.rays(fill(pixels))
        return run(dataclasses.replace(rays, minimum_distance=near, distance=far).sharded())

    def finish(start: int, found: Outputs) -> None:
        count = min(size, len(sky.pixels) - start)
        for name in (*sky.outputs, *({DEPTH, SCATTER} & set(found))):
            values = np.asarray(found[name])[..., :count]
            if name == "stokes" and sky.intensity_alone:
                values = values[:1]
            shape = (*values.shape[:-1], len(sky.pixels))
            out = results.setdefault(name, np.empty(shape, values.dtype))
            out[..., start : start + count] = values
        advance(count)

    count = min(size // 2, len(sky.pixels))
    chosen = np.linspace(0, len(sky.pixels) - 1, count).astype(int)
    some, steps = sky.pixels[chosen], sky.integration["steps"]
    near = middle = np.zeros(count)

    running: list[tuple[int, Outputs]] = []  # the next block is made ready while one runs
    with noted() as told:
        for start in range(0, len(sky.pixels), size):
            pixels = sky.pixels[start : start + size]
            running.append((start, march(pixels, sky.geometry["minimum_distance"], np.inf)))
            if start == 0:
                begun()
                near, middle = (np.asarray(x) for x in _near_and_middle(sky.rays(some), steps))
            else:
                finish(*running.pop(0))
        if sky.physics["self_absorption"]:  # halves of a ray do not add up: a second program
            halves = None
        else:
            halves = march(
                np.concatenate([some, some]),
                np.concatenate([near, middle]),
                np.concatenate([middle, np.full(count, np.inf)]),
            )
        finish(*running.pop())
    if lowered is not None and isinstance(run, Together) and run.traced:
        lowered.keep(told)
    if SCATTER in results and not sky.intensity_alone:
        check_dispersion(jnp.asarray(results[SCATTER]), np.asarray(sky.frequency))

    def report() -> dict[str, Any]:
        finer = _finer(sky, some) if halves is None else _joined(sky, halves, count)
        return _report(sky, results, chosen, finer)

    return results, report


def _report(
    sky: Sky, results: Outputs, chosen: np.ndarray, finer: dict[str, np.ndarray]
) -> dict[str, Any]:
    steps = sky.integration["steps"].n
    errors = _errors(sky, {n: results[n][..., chosen] for n in sky.outputs}, finer)
    return {
        "method": "the same rays with twice the steps",
        "steps": steps,
        "against_steps": 2 * steps,
        "n_rays": len(chosen),
        "outputs": errors,
        "reliable": all(found["relative_rms"] <= RELIABLE for found in errors.values()),
        "note": f"relative errors above {RELIABLE} say that the steps are too few, not by how much",
    }


def _finer(sky: Sky, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of some pixels with twice the steps."""
    steps = sky.integration["steps"]
    twice = dataclasses.replace(steps, n=2 * steps.n)
    run = simulator(sky._replace(integration=sky.integration | {"steps": twice}))
    return {name: np.asarray(x) for name, x in run(sky.rays(pixels)).items()}


@eqx.filter_jit
def _near_and_middle(rays: Sightlines, steps: Any) -> tuple[Any, Any]:
    """Where each ray starts, and where half its cells are over (kpc)."""
    near, far = rays.span()
    middle = steps.distance((steps.coordinate(near) + steps.coordinate(far)) / 2)
    return near, jnp.maximum(middle, jnp.finfo(middle.dtype).tiny)  # 0 outside the domain


def _joined(sky: Sky, halves: Outputs, count: int) -> Outputs:
    """The outputs of `count` whole rays from those of their near parts, then of their far ones."""
    parts = {name: np.asarray(x) for name, x in halves.items()}
    near = {name: x[..., :count] for name, x in parts.items()}
    far = {name: x[..., count : 2 * count] for name, x in parts.items()}
    whole = {name: near[name] + far[name] for name in near if name != "stokes"}
    if "stokes" not in near:
        return whole
    law = sky.synchrotron().law(jnp.asarray(sky.frequency))
    compose = eqx.filter_jit(lambda law, near, far: law.compose(near, far).stokes)

    def light(part: Outputs) -> Light:
        components = (*part["stokes"], None)[:4]
        return Light(components, (), part.get("RM"), part.get(DEPTH), part.get(SCATTER))

    joined = compose(law, light(near), light(far))
    return whole | {"stokes": np.stack([np.asarray(x) for x in joined if x is not None])}


def _errors(
    sky: Sky, coarse: dict[str, np.ndarray], fine: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Rms and largest difference of each output, component and frequency; relative to the rms."""
    report = {}
    for name in coarse:
        values = fine[name]
        if name == DEPTH:
            for k, nu in enumerate(sky.frequency):
                report[f"{DEPTH} {label(nu)} GHz"] = _difference(coarse[name][k], values[k])
            continue
        if name != "stokes":
            report[name] = _difference(coarse[name], values)
            continue
        for i, letter in enumerate(STOKES[: len(coarse[name])]):
            for k, nu in enumerate(sky.frequency):
                found = _difference(coarse[name][i, k], values[i, k])
                report[f"{letter} {label(nu)} GHz"] = found
    return report


def _difference(coarse: np.ndarray, fine: np.ndarray) -> dict[str, float]:
    with np.errstate(over="ignore", invalid="ignore"):  # maps that overflow are refused later
        difference = np.asarray(coarse, float) - np.asarray(fine, float)
        rms = float(np.sqrt(np.mean(difference**2)))
        size = float(np.sqrt(np.mean(np.asarray(fine, float) ** 2)))
    return {
        "rms": rms,
        "largest": float(np.max(np.abs(difference))),
        "relative_rms": rms / size if size > 0 else 0.0,
    }

"""Numerical error of a simulation: estimated by step doubling, and steps chosen to meet a goal.

The error of a result with 2 n steps is estimated by its difference from the one with n. For a
rule of order p the true error is 2^p - 1 times smaller; where a field has jumps that it does not
name, about as large. So the estimate errs on the safe side. What both miss is a structure smaller
than a cell; so rays that cross the most surfaces are looked at beside random ones, and a
simulator without faces is compared with one that has them.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from .. import _checks as checks
from ..fields._surfaces import AbstractSurface, crossings_of
from ..maps._stokes import Stokes
from ..sightlines._sightlines import Sightlines
from ._engine import AbstractSimulator, resolved
from ._sampled import check_free_cells
from ._synchrotron import Synchrotron
from ._taken import taken

_LOOKED_AT = 4096
"""Rays among which those that cross the most surfaces are sought."""

RELIABLE = 0.05
"""An estimate above this says that the steps are too few, and not by how much."""

_BOTH = ("rms", "worst")


class ErrorEstimate(NamedTuple):
    """Numerical error of each map: per frequency for `Stokes`, a number for RM, DM and EM.

    - `rms`: rms over the random rays of the error of I, Q, U, each over the standard deviation of
      its map; for I, DM and EM, and for a map that is the same everywhere, over the map's rms.
    - `worst`: the same with the largest error of a ray, those that cross the most surfaces
      included.
    - `steps`: the number of steps it holds for.
    - `n_rays`: random rays sampled.
    """

    rms: Stokes | Array
    worst: Stokes | Array
    steps: int
    n_rays: int

    def __repr__(self) -> str:
        """Two numbers for each map; of several frequencies the largest."""
        named = lambda found: {k: getattr(found, k) for k in found.components}
        both = [named(x) if isinstance(x, Stokes) else {"map": x} for x in (self.rms, self.worst)]
        lines = [
            f"  {name}  rms {float(np.max(both[0][name])):.2g}, "
            f"worst ray {float(np.max(both[1][name])):.2g}"
            for name in both[0]
        ]
        head = f"ErrorEstimate with {self.steps} steps, of {self.n_rays} rays, relative to the map"
        return "\n".join([head, *lines])

    @property
    def reliable(self) -> bool:
        """Whether every `rms` is below 5 %; a larger one is a lower bound of the true error."""
        return _largest(self) <= RELIABLE


def _largest(estimate: ErrorEstimate) -> float:
    return max(float(jnp.max(x)) for x in jax.tree.leaves(estimate.rms))


class _Sample(NamedTuple):
    rays: Sightlines
    """The random ones first."""
    n_random: int
    numbers: Int[np.ndarray, " n_rays"] | None
    """Which of all rays they are; None: all."""


@eqx.filter_jit
def _cuts(surfaces: Sequence[AbstractSurface], rays: Sightlines) -> Int[Array, " n_rays"]:
    """How many surfaces each ray crosses."""
    near, far = rays.span()
    origin = jnp.broadcast_to(rays.origin, rays.direction.shape)
    found = crossings_of(surfaces, origin, rays.direction)
    return jnp.sum((found > near) & (found < far), axis=0)


def _subset(simulator: AbstractSimulator, rays: Sightlines, n_rays: int, seed: int) -> _Sample:
    """Random rays, and a quarter as many of those that cross the most surfaces."""
    if rays.n_rays <= n_rays:
        return _Sample(dataclasses.replace(rays, mesh=None), rays.n_rays, None)
    random = np.random.default_rng(seed)
    chosen = np.sort(random.choice(rays.n_rays, n_rays, replace=False))
    surfaces = simulator.integrate_with(faces=True).surfaces()
    if not surfaces:
        return _Sample(rays.take(chosen), n_rays, chosen)
    others = np.setdiff1d(np.arange(rays.n_rays), chosen)
    if others.size > _LOOKED_AT:
        others = np.sort(random.choice(others, _LOOKED_AT, replace=False))
    cuts = np.asarray(_cuts(surfaces, rays.take(others)))
    most = others[np.argsort(-cuts, kind="stable")[: n_rays // 4]]
    chosen = np.concatenate([chosen, most])
    return _Sample(rays.take(chosen), n_rays, chosen)


def _on(few: _Sample, sky: Any, rays: Sightlines) -> Any:
    """The simulator for the rays of a sample."""
    return sky if few.numbers is None else taken(sky, rays, few.numbers)


def _with_steps(sky: AbstractSimulator, n: int) -> Any:
    return sky.integrate_with(steps=dataclasses.replace(sky.steps, n=n))


def _seen(sky: Any, rays: Sightlines, frequency: Any) -> Stokes | Array:
    """What a simulator shows."""
    return sky(rays, frequency) if isinstance(sky, Synchrotron) else sky(rays)


def _check(sky: AbstractSimulator, frequency: Any, name: str) -> None:
    check_free_cells(sky, name)
    if isinstance(sky, Synchrotron) == (frequency is None):
        needs = "needs a frequency (GHz)" if frequency is None else "has no frequency"
        raise TypeError(f"{type(sky).__name__} {needs}, got frequency={frequency!r}")


def _compare(coarse: Any, fine: Any, steps: int, n_random: int) -> ErrorEstimate:
    def error(a: Array, b: Array, signed: bool) -> tuple[Array, Array]:
        ours = b[..., :n_random]
        scale = jnp.sqrt(jnp.mean(ours * ours, -1))
        if signed:  # but the deviation of a map that is the same everywhere is rounding
            deviation, rounding = jnp.std(ours, -1), 1e3 * jnp.finfo(ours.dtype).eps
            scale = jnp.where(deviation > rounding * scale, deviation, scale)
        scale = jnp.where(scale > 0, scale, 1.0)
        gap = jnp.abs(a - b)
        rms = jnp.sqrt(jnp.mean(gap[..., :n_random] ** 2, -1))
        return rms / scale, jnp.max(gap, -1) / scale

    if not isinstance(coarse, Stokes):
        signed = bool(jnp.any(fine < 0))
        return ErrorEstimate(*error(coarse, fine, signed), steps, n_random)
    rms, worst = {}, {}
    for name in coarse.components:
        pair = getattr(coarse, name), getattr(fine, name)
        rms[name], worst[name] = error(*pair, name != "I")
    return ErrorEstimate(Stokes(**rms), Stokes(**worst), steps, n_random)


def _doubled_twice(latest: ErrorEstimate, before: ErrorEstimate) -> ErrorEstimate:
    """The larger of the changes of two doublings; twice that where the second was no smaller.

    Errors of the rule fall 16-fold with a doubling, those of jumps that no field names come and
    go. A change that fell less than 3-fold is of the second kind, and either may be small by
    chance.
    """

    def larger(new: Array, old: Array) -> Array:
        return jnp.maximum(new, old) * jnp.where(3.0 * new > old, 2.0, 1.0)

    rms, worst = (jax.tree.map(larger, getattr(latest, x), getattr(before, x)) for x in _BOTH)
    return ErrorEstimate(rms, worst, latest.steps, latest.n_rays)


def _worse(a: ErrorEstimate, b: ErrorEstimate) -> ErrorEstimate:
    """The larger of two estimates, for the steps of the first."""
    rms, worst = (jax.tree.map(jnp.maximum, getattr(a, x), getattr(b, x)) for x in _BOTH)
    return ErrorEstimate(rms, worst, a.steps, a.n_rays)


def _change(
    sky: AbstractSimulator, few: _Sample, frequency: Any, coarse: Any
) -> tuple[ErrorEstimate, Any]:
    """The estimate for a simulator, given what it shows with half its steps; and what it shows."""
    fine, n = _seen(sky, few.rays, frequency), sky.steps.n
    estimate = _compare(coarse, fine, n, few.n_random)
    if sky.integration.faces:
        return estimate, fine
    faced = sky.integrate_with(faces=True)
    if not faced.surfaces():
        return estimate, fine
    return _worse(
        estimate, _compare(fine, _seen(faced, few.rays, frequency), n, few.n_random)
    ), fine


def estimate_error(
    sky: AbstractSimulator,
    rays: Sightlines,
    frequency: Any = None,
    *,
    n_rays: int = 256,
    seed: int = 0,
) -> ErrorEstimate:
    """Estimate the numerical error of `sky(rays, frequency)` on a subset of its rays.

    Runs the subset with the simulator's steps, half and a quarter of them, and without `faces` also
    with them; the largest difference is the estimate. Where halving the steps once more did not
    make the difference three times as large, it is doubled: jumps rule the error then.

    **Arguments:**

    - `sky`: a `Synchrotron`, `RotationMeasure`, `DispersionMeasure` or `EmissionMeasure`.
    - `frequency`: GHz, for a `Synchrotron` alone.
    - `n_rays`: size of the random subset, to which a quarter as many rays are added, those that
      cross the most surfaces.
    - `seed`: of the choice.

    **Returns** an `ErrorEstimate`.

    **Raises** `ValueError` for fewer than two steps, and for fields that were sampled along
    sightlines, whose cells cannot be divided; `TypeError` for a frequency that is missing
    or not asked for. **Warns** (`synax.SynaxWarning`) of an estimate above 5 %, which is not
    reliable: steps so coarse miss what finer ones would meet, and the true error may be larger.
    """
    _check(sky, frequency, "estimate_error")
    few = _subset(sky, rays, n_rays, seed)
    sky = _on(few, resolved(sky, few.rays), rays)
    n = sky.steps.n
    if n < 2:
        raise ValueError(f"estimate_error needs at least 2 steps to halve, got {n}")
    coarse = _seen(_with_steps(sky, n // 2), few.rays, frequency)
    latest = _change(sky, few, frequency, coarse)[0]
    if n >= 4:
        coarser = _seen(_with_steps(sky, n // 4), few.rays, frequency)
        latest = _doubled_twice(latest, _compare(coarser, coarse, n // 2, few.n_random))
    if not any(map(checks.is_traced, jax.tree.leaves(latest.rms))) and not latest.reliable:
        checks.warn(
            f"the estimated error, {100 * _largest(latest):.0f} % with {n} steps, is above "
            f"{100 * RELIABLE:.0f} %: it says that the steps are too few, and the true error may "
            "be larger; synax.with_tolerance chooses their number"
        )
    return latest


def with_tolerance(
    sky: Any,
    rays: Sightlines,
    frequency: Any = None,
    tolerance: float | None = None,
    *,
    max_steps: int = 8192,
    n_rays: int = 256,
    seed: int = 0,
) -> tuple[Any, ErrorEstimate]:
    """Choose the number of steps so that the rms error of every map is below `tolerance`.

    The number is doubled on a subset of rays until the last two doublings changed every map by
    less (two, because a jump that no field names makes a small change now and then by chance).
    The estimate is made of both as in `estimate_error`.

    **Arguments:**

    - `sky`, `rays`, `frequency`, `n_rays`, `seed`: as for `estimate_error`.
    - `tolerance`: goal for every entry of `ErrorEstimate.rms`.
    - `max_steps`: where to give up.

    **Returns** the simulator with the steps chosen, and the estimate for them.

    **Raises** `ValueError` if the tolerance is not positive or a field was sampled along
    sightlines, `RuntimeError` if `max_steps` does
    not reach it (the message has the error reached).
    """
    _check(sky, frequency, "with_tolerance")
    if tolerance is None or not 0 < tolerance < np.inf:
        raise ValueError(f"tolerance must be positive and finite, got {tolerance!r}")
    few = _subset(sky, rays, n_rays, seed)
    given = resolved(sky, few.rays)
    sky, n = _on(few, given, rays), 8
    coarse, before = _seen(_with_steps(sky, n), few.rays, frequency), None
    while True:
        n *= 2
        latest, fine = _change(_with_steps(sky, n), few, frequency, coarse)
        estimate = latest if before is None else _doubled_twice(latest, before)
        reached = _largest(estimate)
        if before is not None and reached <= tolerance:
            return _with_steps(given, n), estimate
        if 2 * n > max_steps:
            raise RuntimeError(
                f"tolerance {tolerance:g} not reached with {n} steps: estimated error {reached:.2g}"
                " (a field may jump where it names no surface)"
            )
        coarse, before = fine, latest


def memory_estimate(
    sky: Synchrotron, rays: Sightlines, frequency: Any, *, gradient: bool = False
) -> int:
    """Peak bytes that a simulation (or its gradient) will use on its device, before running it.

    Compiles the program and asks the compiler: arguments, results and temporaries. With
    `gradient`, of the derivative of a scalar with respect to every floating-point leaf of `sky`.
    """
    sky = resolved(sky, rays)
    frequency = jnp.asarray(frequency, rays.direction.dtype)

    def loss(sky: Synchrotron, rays: Sightlines) -> Any:
        stokes = sky(rays, frequency)
        return sum(jnp.sum(x * x) for x in jax.tree.leaves(stokes))

    run = eqx.filter_grad(loss) if gradient else (lambda sky, rays: sky(rays, frequency))
    jitted: Any = eqx.filter_jit(run)
    compiled = jitted.lower(sky, rays).compile()
    analysis = compiled.compiled.memory_analysis()
    return int(
        analysis.temp_size_in_bytes
        + analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
    )

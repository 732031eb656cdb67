"""Numerical error of a simulation: estimated by step doubling, and steps chosen to meet a goal.

The error of a result with 2 n steps is estimated by its difference from the one with n. For a
rule of order p the true error is 2^p - 1 times smaller; where a field has jumps that it does not
name, about as large. So the estimate errs on the safe side.
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..maps._stokes import Stokes
from ..sightlines._sightlines import Sightlines
from ._engine import resolved
from ._synchrotron import Synchrotron


class ErrorEstimate(NamedTuple):
    """Numerical error per frequency (last axis of the simulation left out).

    `rms`: rms over the sampled rays of the error of I, Q, U, each over the standard deviation of
    its map (for I: over the rms of I). `worst`: the same with the largest error of a ray.
    `steps`: the number of steps it holds for. `n_rays`: rays sampled.
    """

    rms: Stokes
    worst: Stokes
    steps: int
    n_rays: int


def _subset(rays: Sightlines, n_rays: int, seed: int) -> Sightlines:
    if rays.n_rays <= n_rays:
        return dataclasses.replace(rays, mesh=None)
    chosen = np.sort(np.random.default_rng(seed).choice(rays.n_rays, n_rays, replace=False))
    return rays.take(chosen)


def _with_steps(sky: Synchrotron, n: int) -> Synchrotron:
    return sky.integrate_with(steps=dataclasses.replace(sky.steps, n=n))


def _compare(coarse: Stokes, fine: Stokes, steps: int, n_rays: int) -> ErrorEstimate:
    rms, worst = {}, {}
    for name in coarse.components:
        a, b = getattr(coarse, name), getattr(fine, name)
        scale = jnp.sqrt(jnp.mean(b * b, -1)) if name == "I" else jnp.std(b, -1)
        scale = jnp.where(scale > 0, scale, 1.0)
        rms[name] = jnp.sqrt(jnp.mean((a - b) ** 2, -1)) / scale
        worst[name] = jnp.max(jnp.abs(a - b), -1) / scale
    return ErrorEstimate(Stokes(**rms), Stokes(**worst), steps, n_rays)


def _worse(a: ErrorEstimate, b: ErrorEstimate) -> ErrorEstimate:
    """The larger of two estimates, for the steps of the first."""
    rms, worst = (jax.tree.map(jnp.maximum, x, y) for x, y in ((a.rms, b.rms), (a.worst, b.worst)))
    return ErrorEstimate(rms, worst, a.steps, a.n_rays)


def estimate_error(
    sky: Synchrotron, rays: Sightlines, frequency: Any, *, n_rays: int = 256, seed: int = 0
) -> ErrorEstimate:
    """Estimate the numerical error of `sky(rays, frequency)` on a random subset of its rays.

    Runs the subset with the simulator's steps, half and a quarter of them; the larger difference
    is the estimate.

    **Arguments:**

    - `n_rays`: size of the subset.
    - `seed`: of its choice.

    **Raises** `ValueError` for fewer than two steps.
    """
    few = _subset(rays, n_rays, seed)
    sky = resolved(sky, few)
    n = sky.steps.n
    if n < 2:
        raise ValueError(f"estimate_error needs at least 2 steps to halve, got {n}")
    fine, coarse = sky(few, frequency), _with_steps(sky, n // 2)(few, frequency)
    latest = _compare(coarse, fine, n, few.n_rays)
    if n < 4:
        return latest
    # one difference may be small by chance: the one before it counts too
    coarser = _with_steps(sky, n // 4)(few, frequency)
    return _worse(latest, _compare(coarser, coarse, n // 2, few.n_rays))


def with_tolerance(
    sky: Synchrotron,
    rays: Sightlines,
    frequency: Any,
    tolerance: float,
    *,
    max_steps: int = 8192,
    n_rays: int = 256,
    seed: int = 0,
) -> tuple[Synchrotron, ErrorEstimate]:
    """Choose the number of steps so that the rms error of I, Q and U is below `tolerance`.

    The number is doubled on a random subset of rays until the last two doublings changed every
    map by less (two, because a jump that no field names makes a small change now and then by
    chance); the larger change is the estimate.

    **Arguments:**

    - `tolerance`: goal for every entry of `ErrorEstimate.rms`.
    - `max_steps`: where to give up.

    **Returns** the simulator with the steps chosen, and the estimate for them.

    **Raises** `ValueError` if the tolerance is not positive, `RuntimeError` if `max_steps` does
    not reach it (the message has the error reached).
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance must be positive, got {tolerance!r}")
    few = _subset(rays, n_rays, seed)
    sky = resolved(sky, few)
    n = 8
    coarse, before = _with_steps(sky, n)(few, frequency), None
    while True:
        n *= 2
        fine = _with_steps(sky, n)(few, frequency)
        latest = _compare(coarse, fine, n, few.n_rays)
        estimate = latest if before is None else _worse(latest, before)
        reached = max(float(jnp.max(x)) for x in jax.tree.leaves(estimate.rms))
        if before is not None and reached <= tolerance:
            return _with_steps(sky, n), estimate
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

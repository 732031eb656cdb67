"""Where a simulator leaves out physics that matters: said with the number and the remedy."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks
from ..emission._gaunt import free_free
from ..fields._field import AbstractField
from ..maps._units import HIGHEST_FREQUENCY
from ..sightlines._sightlines import Sightlines
from ._sampled import sampled_fields

ABSORPTION_BELOW = 0.3
"""GHz; above it free-free absorption is not looked for: with the calibrated Galaxy its depth is
0.005 at most (benchmarks/free_free.py). The command line switches free-free on below it."""
PLASMA_BELOW = 1e-3
"""GHz; below it self-absorption and the Razin effect (about 20 n_e / B_perp Hz, n_e in cm^-3, B in
gauss: 0.2 MHz for 0.03 cm^-3 and 3 microgauss) come within a few per cent to unity."""
TOLERATED_DEPTH = 0.05
"""Optical depth left out, on the worst sightline, of which nothing is said."""
_TEMPERATURE = 8000.0  # K, of warm ionised gas
_CELLS = 48


def check_validity(sky: Any, rays: Sightlines, frequency: Float[Array, "*freq"]) -> None:
    """Warn (`synax.SynaxWarning`) of physics that is left out and matters at these frequencies.

    Looks at values only where they are known, and at no more than 64 sightlines.
    """
    if any(map(checks.is_traced, jax.tree.leaves((sky, rays, frequency)))):
        return
    with jax.ensure_compile_time_eval():  # inside a `jit` that closes over all of these
        _check_values(sky, rays, frequency)


def _check_values(sky: Any, rays: Sightlines, frequency: Float[Array, "*freq"]) -> None:
    highest, lowest = float(np.max(frequency)), float(np.min(frequency))
    if highest > HIGHEST_FREQUENCY:
        checks.warn(
            f"frequency = {highest:g} GHz is above {HIGHEST_FREQUENCY:g} GHz, where the Galaxy's "
            "synchrotron emission is not seen; frequencies are in GHz, so divide megahertz by 1e3 "
            "and hertz by 1e9"
        )
    if lowest < PLASMA_BELOW:
        checks.warn(
            f"frequency = {lowest:g} GHz is below {PLASMA_BELOW:g} GHz, where the Razin effect, "
            "which is left out, suppresses emission; results there are an upper limit"
        )
    if lowest >= ABSORPTION_BELOW or sky.free_free is not None or sky.electrons is None:
        return
    if sampled_fields(sky.electrons):
        return
    depth = np.asarray(_optical_depth(sky.electrons, _some(rays), lowest))
    if depth.max() > TOLERATED_DEPTH:
        checks.warn(
            f"at {lowest:g} GHz free-free absorption is left out, with an optical depth of "
            f"{np.median(depth):.2g} in the median and {depth.max():.2g} at most (for "
            f"{_TEMPERATURE:g} K): give the simulator free_free=synax.FreeFree()"
        )


def _some(rays: Sightlines, n: int = 64) -> Sightlines:
    """At most `n` of the sightlines, on one device."""
    count = min(n, rays.n_rays)
    return rays.take(np.linspace(0, rays.n_rays - 1, count).astype(int))


@eqx.filter_jit
def _optical_depth(
    electrons: AbstractField, rays: Sightlines, frequency: float
) -> Float[Array, " n_rays"]:
    """Free-free optical depth by a coarse midpoint sum."""
    near, far = rays.span()
    length = (far - near) / _CELLS
    distance = near + (jnp.arange(_CELLS)[:, None] + 0.5) * length
    position = rays.origin[:, None] + distance * rays.direction[:, None]
    density = electrons.prepare()(position)
    temperature, nu = jnp.asarray(_TEMPERATURE), jnp.asarray(frequency)
    return jnp.sum(free_free(density, temperature, nu)[0], 0) * length

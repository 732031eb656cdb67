"""Where a simulator leaves out physics that matters: said with the number and the remedy."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks, _constants as const
from ..emission import FluctuationFilling, FreeFree, power_law_coefficients
from ..emission._gaunt import free_free
from ..emission._gaunt_table import TEMPERATURE_RANGE
from ..emission._power_law import X_FACTOR
from ..emission._turbulence_model import at
from ..fields._field import AbstractField
from ..maps._units import HIGHEST_FREQUENCY
from ..sightlines._sightlines import Sightlines
from ._columns import EmissionMeasure
from ._look import QUICKLY, divided, is_published, points, some
from ._sampled import sampled_fields

ABSORPTION_BELOW = 0.3
"""GHz; above it absorption is looked for in grids and in fields of one's own only: with the
calibrated Galaxy its depth is 0.005 at most (benchmarks/free_free.py). The command line switches
free-free on below it."""
TOLERATED_DEPTH = 0.05
"""Optical depth left out, on the worst sightline, of which nothing is said."""
TOLERATED_EXCESS = 0.05
"""Excess of I without the Razin effect, in the median of the sightlines, of which the same."""
TOLERATED_SCATTER = 2.0
"""Scatter (rad, rms) of twice the polarisation angle by turbulence, of which nothing is said: P of
the calibrated Galaxy is then 0.2 of that of one sky (docs/galaxies.md)."""
_MEDIAN_OF = 4096  # rays, about
_TEMPERATURE = 8000.0  # K, of warm ionised gas
_RAZIN = 19.2e-3  # GHz cm^3 microgauss: the square of the plasma frequency over 3/2 of the gyro one
_EXCESS = 1.75
"""I without the Razin effect over I with it is exp(1.75 nu_R/nu), within 5 % below nu_R/nu = 0.5:
P ~ (1 + a/x)^(-1/2) F(x (1 + a/x)^(3/2)), a = nu_R/nu, over electrons of index 2 to 3."""


class _LeftOut(NamedTuple):
    """What is estimated on each of some sightlines; zeros for what is not there."""

    free_free: Float[Array, " n_rays"]
    """Optical depth of the thermal electrons."""
    self_absorption: Float[Array, " n_rays"]
    """That of the relativistic ones."""
    razin: Float[Array, " n_rays"]
    """Razin frequency weighted with the emission, GHz."""
    share: Float[Array, " n_rays"]
    """Synchrotron emission over that and the gas's (if free-free is given), unabsorbed."""


def check_validity(sky: Any, rays: Sightlines, frequency: Float[Array, "*freq"]) -> None:
    """Warn (`synax.SynaxWarning`) of physics that is left out and matters at these frequencies.

    Looks at values only where they are known, and at no more than 64 sightlines.
    """
    if any(map(checks.is_traced, jax.tree.leaves((sky, rays, frequency)))):
        return
    with checks.known_values():  # inside a `jit` that closes over all of these
        _check_values(sky, rays, frequency)


def _check_values(sky: Any, rays: Sightlines, frequency: Float[Array, "*freq"]) -> None:
    highest, lowest = float(np.max(frequency)), float(np.min(frequency))
    if highest > HIGHEST_FREQUENCY:
        checks.warn(
            f"frequency = {highest:g} GHz is above {HIGHEST_FREQUENCY:g} GHz, where the Galaxy's "
            "synchrotron emission is not seen; frequencies are in GHz, so divide megahertz by 1e3 "
            "and hertz by 1e9"
        )
    if sky.free_free is not None:
        _check_gas(sky.free_free, sky.electrons, rays)
    known = not sampled_fields(sky.fields()) and not divided(sky)
    if lowest >= ABSORPTION_BELOW and (not known or all(map(is_published, sky.fields()))):
        return
    found = None
    if known:
        found = _estimated(sky, some(rays), jnp.asarray(lowest))
        _tell_plasma(sky, found, lowest)
    if sky.electrons is not None and sky.free_free is None:
        depth = _whole_depth(sky, rays, lowest) if found is None else found.free_free
        _tell_free_free(depth, lowest)


_NO_POLARISATION: ContextVar[bool] = ContextVar("no polarisation", default=False)


@contextmanager
def only_for(stokes: tuple[str, ...]) -> Iterator[None]:
    """Inside, nothing is told that concerns other Stokes parameters than these alone."""
    token = _NO_POLARISATION.set(_NO_POLARISATION.get() or tuple(stokes) == ("I",))
    try:
        yield
    finally:
        _NO_POLARISATION.reset(token)


def check_dispersion(variance: Any, frequency: Float[Array | np.ndarray, "*freq"]) -> None:
    """Warn where a mean over turbulence has far less polarisation than one sky.

    **Arguments:**

    - `variance`: of the rotation measures, rad^2 m^-4: a result of the march; None without one.
    - `frequency`: GHz.
    """
    if variance is None or checks.is_traced(variance) or checks.is_traced(frequency):
        return
    if _NO_POLARISATION.get():
        return
    if not variance.is_fully_addressable:  # rays of other processes
        return
    some = np.asarray(variance[:: max(1, variance.size // _MEDIAN_OF)])
    lowest, scatter = float(np.min(frequency)), float(np.sqrt(np.median(some)))
    turn = 2.0 * const.WAVELENGTH_SQUARED_AT_1GHZ / lowest**2 * scatter
    if turn > TOLERATED_SCATTER:
        checks.warn(
            f"at {lowest:g} GHz the turbulence scatters polarisation angles by {0.5 * turn:.2g} "
            f"rad (rotation measures by {scatter:.3g} rad/m2, median): Q and U are means over "
            "random fields, far below those of one sky; synax.galaxies.realisation, on the command "
            "line physics.realisation = true, gives one"
        )


def _check_gas(thermal: FreeFree, electrons: AbstractField, rays: Sightlines) -> None:
    """Temperatures for which the Gaunt factor is known, filling factors that are some."""
    low = high = thermal.temperature
    unsure = [f for f in thermal.fields() if not isinstance(f, FluctuationFilling)]
    if unsure and not sampled_fields((thermal, electrons)):
        low, high, filling = map(float, _gas(thermal, electrons, some(rays)))
        if not filling > 0.0:
            raise ValueError(
                "free_free: filling_factor must be positive where there are electrons; the field "
                f"falls to {filling:g} on the sightlines"
            )
    if isinstance(low, AbstractField):
        return
    least, most = TEMPERATURE_RANGE
    if float(low) < least or float(high) > most:
        value = f"{float(low):g}" if low is high else f"{float(low):g} to {float(high):g}"
        checks.warn(
            f"free_free: temperature = {value} K leaves {least:g} to {most:g} K, where the Gaunt "
            "factor is known; beyond, it goes on with the classical formula's slope (1 % off at "
            "150000 K; at 1000 K 0.5 % at 1 GHz, 10 % at 100 GHz)"
        )


def _whole_depth(sky: Any, rays: Sightlines, frequency: float) -> Float[Array, " n_rays"]:
    """Free-free optical depth of electrons that are known along the sightlines only."""
    measure = EmissionMeasure(sky.electrons, integration=sky.integration)(rays)
    one = free_free(jnp.asarray(1.0), jnp.asarray(_TEMPERATURE), jnp.asarray(frequency))[0]
    return one / const.PC_PER_KPC * measure


def _tell_free_free(depth: Float[Array, " n_rays"], frequency: float) -> None:
    found = np.asarray(depth)
    if found.max() > TOLERATED_DEPTH:
        checks.warn(
            f"at {frequency:g} GHz free-free absorption is left out, with an optical depth of "
            f"{np.median(found):.2g} in the median and {found.max():.2g} at most (for "
            f"{_TEMPERATURE:g} K): give the simulator free_free=synax.FreeFree(), on the command "
            "line physics.free_free = true"
        )


def _tell_plasma(sky: Any, found: _LeftOut, frequency: float) -> None:
    depth, razin = map(np.asarray, (found.self_absorption, found.razin))
    if depth.max() > TOLERATED_DEPTH and not sky.self_absorption:
        checks.warn(
            f"at {frequency:g} GHz synchrotron self-absorption is left out, with an optical depth "
            f"of {np.median(depth):.2g} in the median and {depth.max():.2g} at most: give the "
            "simulator self_absorption=True, on the command line physics.self_absorption = true"
        )
    excess = np.asarray(found.share) * np.expm1(np.minimum(_EXCESS * razin / frequency, 50.0))
    if np.median(excess) > TOLERATED_EXCESS:
        checks.warn(
            f"at {frequency:g} GHz the Razin effect is left out, which suppresses emission below "
            f"{1e3 * np.median(razin):.2g} MHz in the median and {1e3 * razin.max():.2g} MHz at "
            f"most: I is too bright, by a factor of {1.0 + np.median(excess):.3g} in the median; "
            "no option mends it, a higher frequency does"
        )


@eqx.filter_jit
def _gas(thermal: FreeFree, electrons: AbstractField, rays: Sightlines) -> tuple[Array, ...]:
    """Lowest and highest temperature and lowest filling factor, where there is gas."""
    position, length = points(rays)
    there = (electrons.prepare()(position) > 0) & (length > 0)
    temperature, filling = (at(x, position) for x in (thermal.temperature, thermal.filling_factor))
    return (
        jnp.min(jnp.where(there, temperature, jnp.inf)),
        jnp.max(jnp.where(there, temperature, -jnp.inf)),
        jnp.min(jnp.where(there, filling, jnp.inf)),
    )


@functools.partial(eqx.filter_jit, compiler_options=QUICKLY)
def _estimated(sky: Any, rays: Sightlines, frequency: Float[Array, ""]) -> _LeftOut:
    """By coarse midpoint sums; relativistic electrons by a power law of index 3 that touches their
    spectrum at the energy that shines at this frequency."""
    position, length = points(rays)
    field = sky.magnetic.prepare()(position)
    along = jnp.sum(field * rays.direction[:, None], axis=0)
    square = jnp.maximum(jnp.sum(field * field, axis=0) - along * along, 0.0)
    if sky.turbulence is not None:
        random = sky.turbulence.unresolved(position)
        square = square * (1.0 + random.striation) + 2.0 * random.variance
    across, number, gamma = (
        jnp.sqrt(square),
        *_shining(sky.cosmic_rays, square, position, frequency),
    )
    electrons = power_law_coefficients(number * gamma**3, jnp.asarray(3.0), across, frequency)
    total = lambda x: jnp.sum(x[1:], axis=0)
    lost, none = total(electrons.absorption[0]) * length, jnp.zeros_like(length)
    if sky.electrons is None:
        return _LeftOut(none, lost, none, none)
    density = sky.electrons.prepare()(position)
    absorption, emission = free_free(density, jnp.asarray(_TEMPERATURE), frequency)
    thermal = total(absorption) * length
    shining = total(electrons.emission[0])
    gas = 0.0 if sky.free_free is None else total(emission)
    share = shining / jnp.maximum(shining + gas, 1e-30)
    light = total(number * square)
    lit = light > 0
    razin = jnp.where(lit, total(number * across * density), 0.0) / jnp.where(lit, light, 1.0)
    return _LeftOut(thermal, lost, _RAZIN * razin, share)


def _shining(
    cosmic_rays: Any,
    square: Float[Array, "*points"],
    position: Float[Array, "3 *points"],
    frequency: Float[Array, ""],
) -> tuple[Float[Array, "*points"], Float[Array, ""]]:
    """N at the energy whose critical frequency is this one in the rms field, and that energy."""
    lowest, highest = cosmic_rays.gamma_range
    typical = jnp.sqrt(jnp.maximum(jnp.mean(square), 1e-6))
    gamma = jnp.clip(jnp.sqrt(X_FACTOR * frequency / typical), 1.001 * lowest, 0.999 * highest)
    return cosmic_rays.prepare().spectrum(gamma[None], position)[0], gamma

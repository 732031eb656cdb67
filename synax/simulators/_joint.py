"""Everything a set of sightlines shows, in one march: Stokes parameters and the columns."""

from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import stored
from ..maps._stokes import Stokes
from ..sightlines._sightlines import Sightlines
from ..transfer import AbstractMedium, Frame, Medium
from ._checked import check_frequency
from ._observables import (
    Synchrotron,
    _integrate,
    _SynchrotronMedium,
    _to_stokes,
    index_is_three,
)
from ._sampled import localise


class Observed(NamedTuple):
    """What `observe_together` returns."""

    stokes: Stokes
    """K (Rayleigh-Jeans), (*freq, n_rays)."""
    rotation: Float[Array, " n_rays"]
    """Rotation measure, rad m^-2."""
    dispersion: Float[Array, " n_rays"]
    """Dispersion measure, pc cm^-3."""
    emission: Float[Array, " n_rays"]
    """Emission measure for a filling factor of one, pc cm^-6."""


class _JointMedium(AbstractMedium):
    synchrotron: _SynchrotronMedium

    def coefficients(
        self, position: Float[Array, "3 n_nodes n_rays"], frame: Frame, cell: Array
    ) -> Medium:
        here = localise(self.synchrotron, cell)
        density = stored(here.electrons(position))  # or each of its three uses computes it
        found = here.medium(position, frame, density)
        columns = (density[None], (density * density)[None])
        return found._replace(emission=(*found.emission, *columns))


def observe_together(sky: Synchrotron, rays: Sightlines, frequency: Any) -> Observed:
    """Stokes parameters, RM, DM and EM along `rays`, the fields evaluated once.

    **Arguments:** `sky`: a simulator with electrons. `frequency`: GHz, a number or (n_freq,).
    """
    if sky.electrons is None:
        raise ValueError("observe_together needs a simulator with electrons, got None")
    frequency = check_frequency(frequency)
    return _observe(sky._resolved(rays), rays, frequency, index_is_three(sky.cosmic_rays))


@eqx.filter_jit
def _observe(sky: Synchrotron, rays: Sightlines, frequency: Array, cubic: bool) -> Observed:
    flat = frequency.reshape(-1).astype(rays.direction.dtype)
    lambda_squared = const.WAVELENGTH_SQUARED_AT_1GHZ / flat[:, None] ** 2
    medium = _SynchrotronMedium(sky.magnetic, sky.electrons, sky.cosmic_rays, flat, cubic)
    totals = _integrate(sky, _JointMedium(medium), rays, lambda_squared)
    intensity, (density,), (squared,) = totals.emission
    shape = (*frequency.shape, rays.n_rays)
    assert totals.polarised is not None and totals.depth is not None  # the medium has both
    return Observed(
        _to_stokes(sky.cosmic_rays, intensity, totals.polarised, flat, shape),
        totals.depth,
        const.PC_PER_KPC * density,
        const.PC_PER_KPC * squared,
    )

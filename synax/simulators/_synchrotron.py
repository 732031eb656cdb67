"""Synchrotron emission of the Galaxy, and everything else one march can show."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .. import _constants as const
from ..cosmic_rays import AbstractPowerLaw
from ..emission import ClosedForm, Columns, FaradayRotation, SynchrotronEmission
from ..emission._synchrotron import index_is_three
from ..fields._field import AbstractField
from ..maps._stokes import Stokes
from ..sightlines._sightlines import Sightlines
from ..transfer import Thin
from ._checked import check_frequency, check_simulator
from ._engine import (
    AbstractSimulator,
    Integration,
    Medium,
    Plan,
    as_integration,
    plan,
    resolved,
    run,
)
from ._sampled import sample_along


class Observation(eqx.Module):
    """What one march shows; a column is None where the simulator has no electrons."""

    stokes: Stokes
    """K (Rayleigh-Jeans), IAU, each (*freq, n_rays)."""
    rotation_measure: Float[Array, " n_rays"] | None
    """rad m^-2, positive for a field that points to the observer."""
    dispersion_measure: Float[Array, " n_rays"] | None
    """pc cm^-3."""
    emission_measure: Float[Array, " n_rays"] | None
    """pc cm^-6, for a filling factor of one."""


class Synchrotron(AbstractSimulator):
    """Synchrotron emission with Faraday rotation: fields and sightlines to Stokes parameters.

    I = int j_I ds,  Q + iU = int j_P exp(2i chi_0) exp(2i lambda^2 RM(s)) ds

    **Arguments:**

    - `magnetic`: vector field (microgauss).
    - `electrons`: thermal-electron density (cm^-3), or None for no Faraday rotation.
    - `cosmic_rays`: power-law electrons (normalisation in cm^-3, and index).
    - `steps`, `quadrature`, `adjoint`, `faces`, `block`, `precision`: see
      `synax.simulators.Integration`.

    **Reference:** Rybicki & Lightman 1979, ch. 6; Burn 1966, MNRAS 133, 67.
    """

    magnetic: AbstractField
    electrons: AbstractField | None
    cosmic_rays: AbstractPowerLaw
    integration: Integration

    def __init__(
        self,
        magnetic: AbstractField,
        electrons: AbstractField | None,
        cosmic_rays: AbstractPowerLaw,
        *,
        integration: Integration | None = None,
        **settings: Any,
    ):
        self.magnetic, self.electrons, self.cosmic_rays = magnetic, electrons, cosmic_rays
        self.integration = as_integration(integration, settings)

    def __check_init__(self):
        check_simulator(self)

    def fields(self) -> tuple[AbstractField, ...]:
        electrons = () if self.electrons is None else (self.electrons,)
        return (self.magnetic, *electrons, self.cosmic_rays)

    def __call__(self, rays: Any, frequency: Any) -> Stokes:
        """Brightness temperatures along `rays`.

        **Arguments:** `rays`: sightlines. `frequency`: GHz, a number or (n_freq,), or an astropy
        Quantity.

        **Returns** `Stokes` in K (Rayleigh-Jeans), IAU sign of U, each of shape
        (*frequency.shape, n_rays).

        **Raises** `ValueError` for frequencies that are not positive or not one-dimensional.
        """
        return self._observe(rays, frequency, ()).stokes

    def observe(self, rays: Any, frequency: Any) -> Observation:
        """Stokes parameters and the columns along `rays`, the fields evaluated once.

        **Arguments** and errors as for a call of the simulator.

        **Returns** an `Observation`: `stokes`, `rotation_measure`, `dispersion_measure`,
        `emission_measure`; columns are None without electrons.
        """
        powers = () if self.electrons is None else (1, 2)
        return self._observe(rays, frequency, powers)

    def _observe(self, rays: Any, frequency: Any, powers: tuple[int, ...]) -> Observation:
        frequency = check_frequency(frequency)
        sky = resolved(self, rays)
        return _simulate(sky, rays, frequency, plan(sky), index_is_three(self.cosmic_rays), powers)

    def precompute(self, rays: Sightlines, *names: str) -> "Synchrotron":
        """A simulator in which the named fields are evaluated once along `rays`.

        **Arguments:** `names`: any of 'magnetic', 'electrons', 'cosmic_rays'. The cells are those
        that this simulator uses now. The result works with the same sightlines only.

        **Raises** `ValueError` for another name.
        """
        allowed = ("magnetic", "electrons", "cosmic_rays")
        unknown = [n for n in names if n not in allowed]
        if unknown or not names:
            raise ValueError(f"precompute takes names out of {allowed}, got {names}")
        sky = resolved(self, rays)
        surfaces = sky.surfaces()
        for name in names:
            field = getattr(sky, name)
            if field is not None:
                sample = sample_along(
                    field, rays, sky.steps, quadrature=sky.quadrature, surfaces=surfaces
                )
                sky = eqx.tree_at(lambda s, name=name: getattr(s, name), sky, sample)
        return sky


@eqx.filter_jit
def _simulate(
    sky: Synchrotron,
    rays: Sightlines,
    frequency: Array,
    plan: Plan,
    cubic: bool,
    powers: tuple[int, ...],
) -> Observation:
    shape = (*frequency.shape, rays.n_rays)
    flat = frequency.reshape(-1).astype(rays.direction.dtype)
    constant_index = not isinstance(sky.cosmic_rays.spectral_index, AbstractField)
    emissivity = ClosedForm(sky.cosmic_rays, cubic, deferred=constant_index)
    processes = (SynchrotronEmission(emissivity),)
    if sky.electrons is not None:
        columns = (Columns(powers),) if powers else ()
        processes = (*processes, FaradayRotation(), *columns)
    medium = Medium(sky.magnetic, sky.electrons, processes)
    light = run(sky, plan, medium, Thin(flat), rays)
    i, q, u, _ = light.stokes
    factors = emissivity.factors(flat)
    if factors is not None:
        i, q, u = factors[0] * i, factors[1] * q, factors[1] * u
    stokes = Stokes(*(x.reshape(shape) for x in (i, q, u)))
    dm, em = (const.PC_PER_KPC * x[0] for x in light.columns) if powers else (None, None)
    return Observation(stokes, light.rotation_measure, dm, em)

"""Columns along sightlines: rotation, dispersion and emission measures."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .. import _constants as const
from .._parameters import parameter
from .._progress import telling
from ..emission import Columns, FaradayRotation
from ..fields._field import AbstractField
from ..sightlines._sightlines import Sightlines
from ..transfer import Light, Thin
from ._checked import check_simulator
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


class RotationMeasure(AbstractSimulator):
    """RM = 0.812 int n_e B_par ds, rad m^-2; positive for a field that points to the observer.

    **Arguments:**

    - `magnetic` (microgauss), `electrons` (cm^-3), and those of `synax.simulators.Integration`. To
      a finite distance: give the sightlines one.
    """

    magnetic: AbstractField
    electrons: AbstractField
    integration: Integration

    def __init__(
        self,
        magnetic: AbstractField,
        electrons: AbstractField,
        *,
        integration: Integration | None = None,
        **settings: Any,
    ):
        self.magnetic, self.electrons = magnetic, electrons
        self.integration = as_integration(integration, settings)

    def __check_init__(self):
        check_simulator(self)

    def fields(self) -> tuple[AbstractField, ...]:
        return (self.magnetic, self.electrons)

    def __call__(self, rays: Any) -> Float[Array, " n_rays"]:
        """Rotation measure of each sightline, rad m^-2 (n_rays,)."""
        sky = resolved(self, rays)
        measure = _light(sky, (FaradayRotation(),), rays).rotation_measure
        assert measure is not None  # there is rotation
        return measure


class DispersionMeasure(AbstractSimulator):
    """DM = int n_e ds, pc cm^-3.

    **Arguments:**

    - `electrons` (cm^-3), and those of `synax.simulators.Integration`.
    """

    electrons: AbstractField
    integration: Integration

    def __init__(
        self,
        electrons: AbstractField,
        *,
        integration: Integration | None = None,
        **settings: Any,
    ):
        self.electrons = electrons
        self.integration = as_integration(integration, settings)

    def __check_init__(self):
        check_simulator(self)

    def fields(self) -> tuple[AbstractField, ...]:
        return (self.electrons,)

    def __call__(self, rays: Any) -> Float[Array, " n_rays"]:
        """Dispersion measure of each sightline, pc cm^-3 (n_rays,)."""
        sky = resolved(self, rays)
        return const.PC_PER_KPC * _light(sky, (Columns((1,)),), rays).columns[0][0]


class EmissionMeasure(AbstractSimulator):
    """EM = int n_e^2 / f ds, pc cm^-6.

    **Arguments:**

    - `electrons` (cm^-3), `filling_factor` f: volume fraction of the clumps whose mean density n_e
      is, in (0, 1], and those of `synax.simulators.Integration`.
    """

    electrons: AbstractField
    filling_factor: Float[Array, ""] = parameter(
        ..., "", "volume fraction of the clumps", above=0.0, maximum=1.0
    )
    integration: Integration

    def __init__(
        self,
        electrons: AbstractField,
        filling_factor: Any = 1.0,
        *,
        integration: Integration | None = None,
        **settings: Any,
    ):
        self.electrons, self.filling_factor = electrons, filling_factor
        self.integration = as_integration(integration, settings)

    def __check_init__(self):
        check_simulator(self)

    def fields(self) -> tuple[AbstractField, ...]:
        return (self.electrons,)

    def __call__(self, rays: Any) -> Float[Array, " n_rays"]:
        """Emission measure of each sightline, pc cm^-6 (n_rays,)."""
        sky = resolved(self, rays)
        column = _light(sky, (Columns((2,)),), rays).columns[0][0]
        return const.PC_PER_KPC / self.filling_factor * column


def _light(sky: AbstractSimulator, processes: tuple[Any, ...], rays: Sightlines) -> Light:
    with telling(f"{type(sky).__name__}: compiling"):
        return _compiled(sky, plan(sky), processes, rays)


@eqx.filter_jit
def _compiled(
    sky: AbstractSimulator, plan: Plan, processes: tuple[Any, ...], rays: Sightlines
) -> Light:
    magnetic = getattr(sky, "magnetic", None)
    return run(sky, plan, Medium(magnetic, sky.electrons, processes), Thin(), rays)

"""What a likelihood compares data with: functions of the model that return one array."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import as_parameter
from .._shown import Shown
from ..fields._field import AbstractField, check_rank
from ..sightlines._sightlines import Sightlines
from ..simulators import AbstractSimulator, DispersionMeasure, RotationMeasure, Synchrotron
from ..simulators._validity import only_for
from ._data import Read, catalogue_values, sky_rows

COMPONENTS = ("I", "Q", "U", "V", "P")
"""What `SkyMaps` may hold."""


def _frequency(value: Any) -> Any:
    value = as_parameter(value, "GHz", "frequency")
    if value.ndim > 1 or not checks.holds(value, lambda x: x > 0):
        raise ValueError(f"frequency must be positive (GHz), a number or (n_freq,), got {value}")
    return value


class AbstractObservable(Shown):
    """A function of the model that returns one array, and reads data of the same kind."""

    rays: eqx.AbstractVar[Sightlines]

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """What is observed, for figures and tables."""

    @property
    @abc.abstractmethod
    def unit(self) -> str:
        """Unit of data and predictions."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of data and predictions."""

    @abc.abstractmethod
    def read_spread(self, name: str, value: Any) -> Read:
        """Standard deviations in `unit`, of any shape, from what a user holds."""

    @abc.abstractmethod
    def read_signed(self, name: str, value: Any) -> Read:
        """Data in `unit`, of any shape, from what a user holds."""

    @abc.abstractmethod
    def __call__(self, model: Any) -> Float[Array, "*shape"]:
        """The prediction of a model."""

    def read(self, name: str, value: Any) -> Read:
        """Data in `unit` and of `shape`, from what a user holds."""
        found = self.read_signed(name, value)
        if found.values.shape != self.shape:
            raise ValueError(
                f"{name} must have shape {self.shape} ({self.label} along the sightlines), "
                f"got {found.values.shape}"
            )
        return found


class SkyMaps(AbstractObservable):
    """Stokes parameters of `model(rays, frequency)`, stacked: (n_stokes, *freq, n_rays) K.

    **Arguments:**

    - `rays`: sightlines of the pixels.
    - `frequency`: GHz, a number or (n_freq,).
    - `stokes`: which of 'I', 'Q', 'U', 'V', 'P'. V needs a model with circular polarisation, such
      as `Synchrotron(..., self_absorption=True)`.

    **Raises** `ValueError` for other names or frequencies, and, when called, for a model that has
    no V.
    """

    rays: Sightlines
    frequency: Float[Array, "*freq"]
    stokes: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, rays: Sightlines, frequency: Any, stokes: tuple[str, ...]):
        if not stokes or any(s not in COMPONENTS for s in stokes):
            names = ", ".join(map(repr, COMPONENTS))
            raise ValueError(f"stokes must be among {names}, got {stokes}")
        if len(set(stokes)) < len(stokes):
            raise ValueError(f"stokes must name each component once, got {stokes}")
        self.rays, self.frequency, self.stokes = rays, _frequency(frequency), tuple(stokes)

    @property
    def label(self) -> str:
        return ", ".join(self.stokes)

    @property
    def unit(self) -> str:
        return "K"

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.stokes), *self.frequency.shape, self.rays.n_rays)

    def read_signed(self, name: str, value: Any) -> Read:
        return sky_rows(name, value, self.stokes, self.rays, self.frequency)

    def read_spread(self, name: str, value: Any) -> Read:
        return sky_rows(name, value, self.stokes, self.rays, self.frequency, signed=False)

    def __call__(self, model: Any) -> Float[Array, "n_stokes *freq n_rays"]:
        if isinstance(model, Synchrotron) and not model.self_absorption:
            self._refuse_v()
        with only_for(self.stokes):
            maps = model(self.rays, self.frequency)
        if getattr(maps, "V", None) is None:
            self._refuse_v()
        return jnp.stack([getattr(maps, s) for s in self.stokes])

    def _refuse_v(self) -> None:
        if "V" in self.stokes:
            raise ValueError(
                "stokes holds 'V', and the model has no circular polarisation: give "
                "Synchrotron(..., self_absorption=True), or leave V out"
            )


class AbstractCatalogue(AbstractObservable):
    """One number for each sightline, through fields of the model or others in their place."""

    kind: ClassVar[str]
    """As in `SkyMap`: 'RM' or 'DM'."""
    own_unit: ClassVar[str]

    @property
    def label(self) -> str:
        return self.kind

    @property
    def unit(self) -> str:
        return self.own_unit

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.rays.n_rays,)

    def read_signed(self, name: str, value: Any) -> Read:
        return self.read_spread(name, value)

    def read_spread(self, name: str, value: Any) -> Read:
        return catalogue_values(name, value, self.kind, self.unit, self.rays)


class RotationMeasures(AbstractCatalogue):
    """Rotation measures (rad m^-2) through the magnetic field and electrons of a model.

    **Arguments:**

    - `rays`: sightlines of the sources.
    - `magnetic`, `electrons`: fields in place of the model's, or None.
    """

    rays: Sightlines
    magnetic: AbstractField | None = None
    electrons: AbstractField | None = None
    kind: ClassVar[str] = "RM"
    own_unit: ClassVar[str] = "rad/m2"

    def __check_init__(self):
        _check_field("magnetic", self.magnetic, "vector")
        _check_field("electrons", self.electrons, "scalar")

    def __call__(self, model: AbstractSimulator) -> Float[Array, " n_rays"]:
        magnetic = _field(model, "magnetic", self.magnetic)
        electrons = _field(model, "electrons", self.electrons)
        return RotationMeasure(magnetic, electrons, integration=model.integration)(self.rays)


class DispersionMeasures(AbstractCatalogue):
    """Dispersion measures (pc cm^-3) through the electrons of a model.

    **Arguments:**

    - `rays`: sightlines of the sources.
    - `electrons`: a field in place of the model's, or None.
    """

    rays: Sightlines
    electrons: AbstractField | None = None
    kind: ClassVar[str] = "DM"
    own_unit: ClassVar[str] = "pc/cm3"

    def __check_init__(self):
        _check_field("electrons", self.electrons, "scalar")

    def __call__(self, model: AbstractSimulator) -> Float[Array, " n_rays"]:
        electrons = _field(model, "electrons", self.electrons)
        return DispersionMeasure(electrons, integration=model.integration)(self.rays)


def _field(model: AbstractSimulator, name: str, given: AbstractField | None) -> AbstractField:
    """A field of the model, or the one in its place."""
    field = getattr(model, name, None) if given is None else given
    return checks.instance(name, field, AbstractField, "a field of the model, or given here")


def _check_field(name: str, field: Any, rank: str) -> None:
    if field is not None:
        check_rank(field, rank, name)

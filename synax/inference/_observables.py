"""What a likelihood compares data with: functions of the model that return one array."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._parameters import as_parameter
from ..fields._field import AbstractField
from ..sightlines._sightlines import Sightlines
from ..simulators import AbstractSimulator, DispersionMeasure, RotationMeasure
from ._data import Read, catalogue_values, sky_rows


def _frequency(value: Any) -> Any:
    value = as_parameter(value, "GHz")
    if value.ndim > 1 or not np.all(np.asarray(value) > 0):
        raise ValueError(f"frequency must be positive (GHz), a number or (n_freq,), got {value}")
    return value


class SkyMaps(eqx.Module):
    """Stokes parameters of `model(rays, frequency)`, stacked: (n_stokes, *freq, n_rays) K."""

    rays: Sightlines
    frequency: Float[Array, "*freq"]
    stokes: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, rays: Sightlines, frequency: Any, stokes: tuple[str, ...]):
        if not stokes or any(s not in ("I", "Q", "U", "P") for s in stokes):
            raise ValueError(f"stokes must be among 'I', 'Q', 'U', 'P', got {stokes}")
        self.rays, self.frequency, self.stokes = rays, _frequency(frequency), stokes

    @property
    def label(self) -> str:
        """What is observed, for figures and tables."""
        return ", ".join(self.stokes)

    @property
    def unit(self) -> str:
        """Unit of data and predictions."""
        return "K"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of data and predictions: (n_stokes, *freq, n_rays)."""
        return (len(self.stokes), *self.frequency.shape, self.rays.n_rays)

    def read(self, name: str, value: Any) -> Read:
        """Data in K, from what a user holds."""
        found = sky_rows(name, value, self.stokes, self.rays, self.frequency)
        if found.values.shape != self.shape:
            raise ValueError(
                f"{name} must have shape {self.shape} (stokes {self.stokes}, frequencies, "
                f"sightlines), got {found.values.shape}"
            )
        return found

    def read_spread(self, name: str, value: Any) -> Read:
        """Standard deviations in K, of any shape, from what a user holds."""
        return sky_rows(name, value, self.stokes, self.rays, self.frequency, signed=False)

    def __call__(self, model: Any) -> Float[Array, "n_stokes *freq n_rays"]:
        maps = model(self.rays, self.frequency)
        return jnp.stack([getattr(maps, s) for s in self.stokes])


class RotationMeasures(eqx.Module):
    """Rotation measures (rad m^-2) of `rays` through the magnetic field and electrons of a model.

    `magnetic`, `electrons`: fields in place of the model's, or None.
    """

    rays: Sightlines
    magnetic: AbstractField | None = None
    electrons: AbstractField | None = None

    @property
    def label(self) -> str:
        """What is observed, for figures and tables."""
        return "RM"

    @property
    def unit(self) -> str:
        """Unit of data and predictions."""
        return "rad/m2"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of data and predictions: (n_rays,)."""
        return (self.rays.n_rays,)

    def read(self, name: str, value: Any) -> Read:
        """Data in rad/m2, from what a user holds."""
        found = self.read_spread(name, value)
        if found.values.shape != self.shape:
            raise ValueError(f"{name} must have shape {self.shape}, got {found.values.shape}")
        return found

    def read_spread(self, name: str, value: Any) -> Read:
        """Standard deviations in rad/m2, of any shape, from what a user holds."""
        return catalogue_values(name, value, "RM", "rad/m2", self.rays)

    def __call__(self, model: AbstractSimulator) -> Float[Array, " n_rays"]:
        magnetic = model.magnetic if self.magnetic is None else self.magnetic
        electrons = model.electrons if self.electrons is None else self.electrons
        return RotationMeasure(magnetic, electrons, integration=model.integration)(self.rays)


class DispersionMeasures(eqx.Module):
    """Dispersion measures (pc cm^-3) of `rays` through the electrons of a model.

    `electrons`: a field in place of the model's, or None.
    """

    rays: Sightlines
    electrons: AbstractField | None = None

    @property
    def label(self) -> str:
        """What is observed, for figures and tables."""
        return "DM"

    @property
    def unit(self) -> str:
        """Unit of data and predictions."""
        return "pc/cm3"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of data and predictions: (n_rays,)."""
        return (self.rays.n_rays,)

    def read(self, name: str, value: Any) -> Read:
        """Data in pc/cm3, from what a user holds."""
        found = self.read_spread(name, value)
        if found.values.shape != self.shape:
            raise ValueError(f"{name} must have shape {self.shape}, got {found.values.shape}")
        return found

    def read_spread(self, name: str, value: Any) -> Read:
        """Standard deviations in pc/cm3, of any shape, from what a user holds."""
        return catalogue_values(name, value, "DM", "pc/cm3", self.rays)

    def __call__(self, model: AbstractSimulator) -> Float[Array, " n_rays"]:
        electrons = model.electrons if self.electrons is None else self.electrons
        return DispersionMeasure(electrons, integration=model.integration)(self.rays)

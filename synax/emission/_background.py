"""Light from behind the Galaxy."""

import abc
import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks, _constants as const
from .._operators import is_zero
from .._parameters import as_parameter, parameter
from .._shown import Shown


class AbstractBackground(Shown):
    """Unpolarised brightness behind the last cell of every ray."""

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "__call__" in vars(cls):
            type.__setattr__(cls, "__call__", _gated(vars(cls)["__call__"]))

    @abc.abstractmethod
    def __call__(self, frequency: Float[Array, " n_freq"]) -> Float[Array, "n_freq _"]:
        """Brightness temperature (K, Rayleigh-Jeans), a column or one value a ray.

        `frequency` (GHz) may be a number, which counts as one frequency, or a Quantity. What a
        subclass writes receives an array (n_freq,).
        """

    _arithmetic = "a background can be added to another background, such as CMB() + Constant(1.0)"

    def __add__(self, other: Any) -> "Backgrounds":
        if not isinstance(other, AbstractBackground):
            self._refuse("+", other)
        return Backgrounds((self, other))

    def __radd__(self, other: Any) -> "AbstractBackground":
        """`sum([a, b])` begins with the number 0, which adds nothing."""
        return self if is_zero(other) else self._refuse("+", other, reflected=True)


def _gated(call: Callable[..., Any]) -> Callable[..., Any]:
    """A background's `__call__` that converts the frequencies, and checks them."""

    @functools.wraps(call)
    def checked(self: AbstractBackground, frequency: Any) -> Any:
        frequency = as_parameter(frequency, "GHz", "frequency")
        if frequency is None or frequency.ndim > 1:
            raise ValueError(
                "frequency must be a number or (n_freq,) in GHz, got "
                f"{None if frequency is None else frequency.shape}"
            )
        return call(self, checks.positive("frequency", jnp.atleast_1d(frequency), "GHz"))

    return checked


def one_or_a_ray(name: str, temperature: Any) -> None:
    """Raise unless a temperature is a number or has one axis, that of the rays."""
    if jnp.ndim(temperature) > 1:
        raise ValueError(
            f"{name}: temperature must be one number or have shape (n_rays,), got shape "
            f"{jnp.shape(temperature)}"
        )


class Backgrounds(AbstractBackground):
    """Several backgrounds together."""

    parts: tuple[AbstractBackground, ...]

    def __call__(self, frequency: Float[Array, " n_freq"]) -> Float[Array, "n_freq _"]:
        return functools.reduce(jnp.add, [part(frequency) for part in self.parts])


class Constant(AbstractBackground):
    """The same brightness temperature at all frequencies, for all rays or one for each."""

    temperature: Float[Array, "*n_rays"] = parameter(
        ..., "K", "brightness temperature", minimum=0.0
    )

    def __check_init__(self):
        one_or_a_ray("Constant", self.temperature)

    def __call__(self, frequency: Float[Array, " n_freq"]) -> Float[Array, "n_freq _"]:
        return jnp.ones_like(frequency)[:, None] * jnp.atleast_1d(self.temperature)


class PowerLawBackground(AbstractBackground):
    """T (nu / nu_0)^-beta; the default is the extragalactic background of unresolved sources.

    **Reference:** Gervasi et al. 2008, ApJ 682, 223: 0.88 K at 0.61 GHz, index 2.707.
    """

    temperature: Float[Array, "*n_rays"] = parameter(
        0.88, "K", "brightness temperature at nu_0", minimum=0.0
    )
    index: Float[Array, ""] = parameter(2.707, "", "temperature spectral index beta")
    reference: Float[Array, ""] = parameter(0.61, "GHz", "nu_0", above=0.0)

    def __check_init__(self):
        one_or_a_ray("PowerLawBackground", self.temperature)

    def __call__(self, frequency: Float[Array, " n_freq"]) -> Float[Array, "n_freq _"]:
        spectrum = (frequency / self.reference) ** -self.index
        return spectrum[:, None] * jnp.atleast_1d(self.temperature)


class CMB(AbstractBackground):
    """The microwave background as Rayleigh-Jeans temperature, T x / (e^x - 1), x = h nu / k T.

    **Reference:** Fixsen 2009, ApJ 707, 916.
    """

    temperature: Float[Array, ""] = parameter(2.7255, "K", "thermodynamic temperature", above=0.0)

    def __call__(self, frequency: Float[Array, " n_freq"]) -> Float[Array, "n_freq _"]:
        ratio = const.PLANCK * const.GHZ / const.BOLTZMANN
        x = ratio * frequency / self.temperature
        return (self.temperature * x / jnp.expm1(x))[:, None]

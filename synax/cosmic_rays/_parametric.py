"""Cosmic-ray electrons with broken, cut-off and curved power laws."""

import abc
import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import log
from .._parameters import ModelInfo, parameter
from ..fields._field import AbstractField, check_rank
from ..fields._surfaces import AbstractSurface
from ._base import AbstractCosmicRays

Values = Float[Array, "..."]


def energy_range(gamma_min: float, gamma_max: float, name: str) -> None:
    """Refuse Lorentz factors that are no range."""
    if not 1.0 <= gamma_min < gamma_max < float("inf"):
        raise ValueError(
            f"{name}: 1 <= gamma_min < gamma_max is needed, got {gamma_min}, {gamma_max}"
        )


class AbstractParametricSpectrum(AbstractCosmicRays):
    """N(gamma) = normalisation times a shape; calling the model gives the normalisation, cm^-3.

    The normalisation and every parameter of the shape is a number (a leaf) or a scalar field.
    Between `gamma_min` and `gamma_max` (static); 0 outside.
    """

    normalisation: eqx.AbstractVar[Any]
    gamma_min: eqx.AbstractVar[float]
    gamma_max: eqx.AbstractVar[float]

    def __check_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, AbstractField):
                check_rank(value, "scalar", f"{type(self).__name__}: {field.name}")

    @abc.abstractmethod
    def parameters(self) -> tuple[Any, ...]:
        """The parameters of the shape: numbers or fields."""

    @abc.abstractmethod
    def shape(self, gamma: Values, *parameters: Values) -> Values:
        """N / normalisation at Lorentz factors, parameters broadcast against them."""

    @property
    def gamma_range(self) -> tuple[float, float]:
        """Lowest and highest Lorentz factor."""
        return self.gamma_min, self.gamma_max

    @property
    def has_uniform_shape(self) -> bool:
        """Whether the shape is the same everywhere."""
        return not any(isinstance(x, AbstractField) for x in self.parameters())

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        value = self.normalisation
        if isinstance(value, AbstractField):
            return value(position)
        return value + 0.0 * position[0]

    def spectrum(
        self, gamma: Float[Array, "*energies"], position: Float[Array, "3 *points"]
    ) -> Float[Array, "..."]:
        here = [x(position) if isinstance(x, AbstractField) else x for x in self.parameters()]
        gamma = gamma.reshape(gamma.shape + (1,) * (position.ndim - 1))
        inside = (gamma >= self.gamma_min * (1 - 1e-12)) & (gamma <= self.gamma_max * (1 + 1e-12))
        return jnp.where(inside, self(position) * self.shape(gamma, *here), 0.0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        fields = (self.normalisation, *self.parameters())
        return tuple(s for f in fields if isinstance(f, AbstractField) for s in f.surfaces())

    def prepare(self) -> "AbstractParametricSpectrum":
        is_field = lambda x: isinstance(x, AbstractField) and x is not self
        return jax.tree.map(lambda x: x.prepare() if is_field(x) else x, self, is_leaf=is_field)


class Renormalised(AbstractParametricSpectrum):
    """The shape of another spectrum, the same everywhere, with a normalisation of its own."""

    normalisation: Any = parameter(..., "cm-3", "C (number or scalar field)")
    like: AbstractParametricSpectrum
    gamma_min: float = eqx.field(static=True)
    gamma_max: float = eqx.field(static=True)

    def breaks(self) -> tuple[Any, ...]:
        return self.like.breaks()

    def parameters(self) -> tuple[Any, ...]:
        return self.like.parameters()

    def shape(self, gamma: Values, *parameters: Values) -> Values:
        return self.like.shape(gamma, *parameters)


def broken_shape(
    gamma: Values, below: Values, above: Values, break_: Values, width: Values | None = None
) -> Values:
    """Two power laws that join over `width` in ln gamma (None: sharply), 1 at a sharp break."""
    level = log(gamma / break_)
    if width is None:
        return jnp.exp(-jnp.where(level < 0, below, above) * level)
    bend = width * jax.nn.softplus(level / width)
    return jnp.exp(-below * level - (above - below) * bend)


class BrokenPowerLaw(AbstractParametricSpectrum):
    """Two power laws that join smoothly or sharply.

    N = C (gamma/gamma_b)^-p1 (1 + (gamma/gamma_b)^(1/w))^(-(p2 - p1) w)

    with gamma_b = `gamma_break`, p1 = `index_below`, p2 = `index_above`, w = `width`; C is the
    normalisation at the break but for the factor 2^(-(p2 - p1) w). `width` None: a sharp break,
    N = C (gamma/gamma_b)^-p1 below and ^-p2 above (C is N at the break).
    """

    normalisation: Any = parameter(1e-17, "cm-3", "C (number or scalar field)")
    index_below: Any = parameter(2.2, "", "p1, index below the break (number or field)")
    index_above: Any = parameter(3.1, "", "p2, index above the break (number or field)")
    gamma_break: Any = parameter(
        1e4, "", "Lorentz factor of the break (number or field)", above=0.0
    )
    width: Any = parameter(0.3, "", "w, width of the break in ln gamma; None: sharp", above=0.0)
    gamma_min: float = eqx.field(static=True, default=10.0, converter=float)
    gamma_max: float = eqx.field(static=True, default=1e9, converter=float)

    info: ClassVar[ModelInfo] = ModelInfo(paper="none: a shape for the user's own numbers")

    def __check_init__(self):
        energy_range(self.gamma_min, self.gamma_max, "BrokenPowerLaw")

    def parameters(self) -> tuple[Any, ...]:
        smooth = () if self.width is None else (self.width,)
        return (self.index_below, self.index_above, self.gamma_break, *smooth)

    def breaks(self) -> tuple[Any, ...]:
        sharp = self.width is None and not isinstance(self.gamma_break, AbstractField)
        return (self.gamma_break,) if sharp else ()

    def shape(self, gamma: Values, *parameters: Values) -> Values:
        return broken_shape(gamma, *parameters)


class CutOffPowerLaw(AbstractParametricSpectrum):
    """N = C gamma^-p exp(-(gamma/gamma_c)^s) with gamma_c = `gamma_cut`, s = `sharpness`."""

    normalisation: Any = parameter(4e-5, "cm-3", "C (number or scalar field)")
    index: Any = parameter(3.0, "", "p (number or field)")
    gamma_cut: Any = parameter(
        1e6, "", "Lorentz factor of the cut-off (number or field)", above=0.0
    )
    sharpness: Any = parameter(1.0, "", "s (number or field)", above=0.0)
    gamma_min: float = eqx.field(static=True, default=10.0, converter=float)
    gamma_max: float = eqx.field(static=True, default=1e9, converter=float)

    info: ClassVar[ModelInfo] = ModelInfo(paper="none: a shape for the user's own numbers")

    def __check_init__(self):
        energy_range(self.gamma_min, self.gamma_max, "CutOffPowerLaw")

    def parameters(self) -> tuple[Any, ...]:
        return (self.index, self.gamma_cut, self.sharpness)

    def shape(self, gamma: Values, *parameters: Values) -> Values:
        index, cut, sharpness = parameters
        return jnp.exp(-index * log(gamma) - jnp.exp(sharpness * log(gamma / cut)))


class LogParabola(AbstractParametricSpectrum):
    """N = C (gamma/gamma_0)^(-p - q ln(gamma/gamma_0)): index p at `pivot`, `curvature` q."""

    normalisation: Any = parameter(4e-17, "cm-3", "C, N at the pivot (number or scalar field)")
    index: Any = parameter(3.0, "", "p, index at the pivot (number or field)")
    curvature: Any = parameter(0.1, "", "q (number or field)")
    pivot: Any = parameter(1e4, "", "gamma_0 (number or field)", above=0.0)
    gamma_min: float = eqx.field(static=True, default=10.0, converter=float)
    gamma_max: float = eqx.field(static=True, default=1e9, converter=float)

    info: ClassVar[ModelInfo] = ModelInfo(paper="none: a shape for the user's own numbers")

    def __check_init__(self):
        energy_range(self.gamma_min, self.gamma_max, "LogParabola")

    def parameters(self) -> tuple[Any, ...]:
        return (self.index, self.curvature, self.pivot)

    def shape(self, gamma: Values, *parameters: Values) -> Values:
        index, curvature, pivot = parameters
        level = log(gamma / pivot)
        return jnp.exp(-(index + curvature * level) * level)

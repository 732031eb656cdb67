"""Closed forms: polarisation against wavelength, and Faraday spectrum, of simple sources.

Every model answers `polarisation(lambda_squared)`, the depolarisation curve with its angles, and
all but thin ones `spectrum(phi)`, with P(lambda^2) = int F(phi) exp(2i phi lambda^2) dphi.
"""

import abc
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import fresnel
from jaxtyping import Array, Complex, Float

from .._numerics._erfcx import erfcx
from .._parameters import in_units, parameter
from .._shown import Shown


def _polarisation() -> Any:
    return parameter(1.0, "", "polarised brightness without rotation (any unit)")


def _angle() -> Any:
    return parameter(0.0, "rad", "angle of the electric vector at the source")


class AbstractFaradaySource(Shown):
    """A source of polarisation at one or many Faraday depths.

    `lambda_squared` and `phi` may be Quantities in any source, also in one of your own.
    """

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        for name, unit in (("polarisation", "lambda_squared m2"), ("spectrum", "phi rad/m2")):
            if name in vars(cls):
                argument, unit = unit.split()
                type.__setattr__(cls, name, in_units(**{argument: unit})(vars(cls)[name]))

    @abc.abstractmethod
    def polarisation(self, lambda_squared: Float[Any, "*shape"]) -> Complex[Array, "*shape"]:
        """Q + iU at `lambda_squared` (m^2), in the unit of `amplitude`."""

    @abc.abstractmethod
    def spectrum(self, phi: Float[Any, "*shape"]) -> Complex[Array, "*shape"]:
        """F at depths `phi` (rad/m^2), in the unit of `amplitude` per rad/m^2."""

    @in_units(lambda_squared="m2")
    def depolarisation(self, lambda_squared: Float[Any, "*shape"]) -> Float[Array, "*shape"]:
        """|P(lambda^2)| / |P(0)|."""
        zero = jnp.zeros_like(jnp.asarray(lambda_squared, float))
        return jnp.abs(self.polarisation(lambda_squared)) / jnp.abs(self.polarisation(zero))


def _emission(source: Any) -> Array:
    return source.amplitude * jnp.exp(2j * source.angle)


def _decay(z: Complex[Array, "*shape"]) -> Complex[Array, "*shape"]:
    """(1 - exp(-z))/z, also at z = 0."""
    small = jnp.abs(z) < 1e-2
    safe = jnp.where(small, 1.0, z)
    series = 1.0 - z / 2 * (1.0 - z / 3 * (1.0 - z / 4 * (1.0 - z / 5 * (1.0 - z / 6))))
    return jnp.where(small, series, -jnp.expm1(-safe) / safe)


class ThinScreen(AbstractFaradaySource):
    """Everything at one depth: P = p exp(2i (chi_0 + R lambda^2)), F = p exp(2i chi_0) delta.

    `spectrum` is zero but at the depth itself, where it is infinite.
    """

    depth: Float[Array, "..."] = parameter(..., "rad/m2", "Faraday depth R")
    amplitude: Float[Array, "..."] = _polarisation()
    angle: Float[Array, "..."] = _angle()

    def polarisation(self, lambda_squared):
        return _emission(self) * jnp.exp(2j * self.depth * jnp.asarray(lambda_squared, float))

    def spectrum(self, phi):
        there = jnp.asarray(phi, float) == self.depth
        return jnp.where(there, jnp.inf, 0.0) * _emission(self)


class BurnSlab(AbstractFaradaySource):
    """Uniform emission and rotation: P = e exp(i R lambda^2) sinc(R lambda^2), F = e/|R|.

    F lies between 0 and R, the depth through the whole slab.

    **Reference:** Burn 1966, MNRAS 133, 67, eq. 18.
    """

    depth: Float[Array, "..."] = parameter(..., "rad/m2", "Faraday depth R of the far side")
    amplitude: Float[Array, "..."] = _polarisation()
    angle: Float[Array, "..."] = _angle()

    def polarisation(self, lambda_squared):
        return _emission(self) * _decay(-2j * self.depth * jnp.asarray(lambda_squared, float))

    def spectrum(self, phi):
        part = jnp.asarray(phi, float) / self.depth
        return _emission(self) / jnp.abs(self.depth) * ((part >= 0) & (part <= 1))


class Ramp(AbstractFaradaySource):
    """A slab whose emission grows with depth: 1 + a (2 phi/R - 1) of the mean, 0 < phi/R < 1."""

    depth: Float[Array, "..."] = parameter(..., "rad/m2", "Faraday depth R of the far side")
    slope: Float[Array, "..."] = parameter(..., "", "a; the far side is (1 + a)/(1 - a) brighter")
    amplitude: Float[Array, "..."] = _polarisation()
    angle: Float[Array, "..."] = _angle()

    def polarisation(self, lambda_squared):
        z = self.depth * jnp.asarray(lambda_squared, float)
        small = jnp.abs(z) < 0.1
        safe = jnp.where(small, 1.0, z)
        odd = (jnp.sin(safe) - safe * jnp.cos(safe)) / safe**2
        w = z * z
        series = z / 3 * (1 - w / 10 * (1 - w / 28 * (1 - w / 54 * (1 - w / 88))))
        odd = jnp.where(small, series, odd)
        return _emission(self) * jnp.exp(1j * z) * (jnp.sinc(z / jnp.pi) + 1j * self.slope * odd)

    def spectrum(self, phi):
        part = jnp.asarray(phi, float) / self.depth
        inside = (part >= 0) & (part <= 1)
        profile = (1.0 + self.slope * (2.0 * part - 1.0)) / jnp.abs(self.depth)
        return _emission(self) * jnp.where(inside, profile, 0.0)


class ExternalDispersion(AbstractFaradaySource):
    """Many depths in front: P = e exp(2i R lambda^2 - 2 sigma^2 lambda^4), F = e normal(R, sigma).

    **Reference:** Burn 1966, MNRAS 133, 67, eq. 21.
    """

    depth: Float[Array, "..."] = parameter(..., "rad/m2", "mean Faraday depth R")
    sigma: Float[Array, "..."] = parameter(..., "rad/m2", "its scatter over the beam")
    amplitude: Float[Array, "..."] = _polarisation()
    angle: Float[Array, "..."] = _angle()

    def polarisation(self, lambda_squared):
        x = jnp.asarray(lambda_squared, float)
        return _emission(self) * jnp.exp(2j * self.depth * x - 2.0 * (self.sigma * x) ** 2)

    def spectrum(self, phi):
        z = (jnp.asarray(phi, float) - self.depth) / self.sigma
        return _emission(self) * jnp.exp(-0.5 * z * z) / (jnp.sqrt(2.0 * jnp.pi) * self.sigma)


class InternalDispersion(AbstractFaradaySource):
    """A slab with a random field: P = e (1 - exp(-S))/S, S = 2 sigma^2 lambda^4 - 2i R lambda^2.

    R and sigma are the depth and its scatter through the whole slab; R > 0 is a regular field
    that points to the observer (the published sign of the imaginary part is for the other sense).

    **Reference:** Sokoloff et al. 1998, MNRAS 299, 189, eq. 34.
    """

    depth: Float[Array, "..."] = parameter(..., "rad/m2", "mean Faraday depth R of the far side")
    sigma: Float[Array, "..."] = parameter(..., "rad/m2", "its scatter")
    amplitude: Float[Array, "..."] = _polarisation()
    angle: Float[Array, "..."] = _angle()

    def polarisation(self, lambda_squared):
        x = jnp.asarray(lambda_squared, float)
        return _emission(self) * _decay(2.0 * (self.sigma * x) ** 2 - 2j * self.depth * x)

    def spectrum(self, phi):
        r, s = jnp.abs(self.depth), self.sigma
        phi = jnp.asarray(phi, float) * jnp.sign(self.depth)
        size, root = jnp.abs(phi), jnp.sqrt(2.0) * s
        # erfc(x) = exp(-x^2) erfcx(x): both exponents are then -(|phi| -+ R)^2/2s^2 and the like
        near, far = (size - r) / root, (size + r) / root
        lead = jnp.where(near < 0, 2.0 * jnp.exp((phi - size) * r / s**2), 0.0)
        tail = jnp.exp((phi - size) * r / s**2 - near**2) * jnp.sign(near) * erfcx(jnp.abs(near))
        tail = jnp.where(near == 0, jnp.exp((phi - size) * r / s**2), tail)
        other = jnp.exp((phi + size) * r / s**2 - far**2) * erfcx(far)
        return _emission(self) * (lead + tail - other) / (2.0 * r)


class QuadraticDepth(AbstractFaradaySource):
    """Depth that grows with the square of the path: P = e int_0^1 exp(2i R x^2 lambda^2) dx."""

    depth: Float[Array, "..."] = parameter(..., "rad/m2", "Faraday depth R of the far side")
    amplitude: Float[Array, "..."] = _polarisation()
    angle: Float[Array, "..."] = _angle()

    def polarisation(self, lambda_squared):
        z = self.depth * jnp.asarray(lambda_squared, float)
        size = jnp.abs(z)
        small = size < 1e-3
        scale = jnp.sqrt(jnp.where(small, 1.0, size) * (4.0 / jnp.pi))
        sine, cosine = fresnel(scale)
        value = (cosine + 1j * jnp.sign(z) * sine) / scale
        series = 1.0 + 2j * z / 3 - 2.0 * z * z / 5 - 4j * z**3 / 21
        return _emission(self) * jnp.where(small, series, value)

    def spectrum(self, phi):
        part = jnp.asarray(phi, float) / self.depth
        inside = (part > 0) & (part <= 1)
        profile = 0.5 / (jnp.abs(self.depth) * jnp.sqrt(jnp.where(inside, part, 1.0)))
        return _emission(self) * jnp.where(inside, profile, 0.0)


class Screened(AbstractFaradaySource):
    """A source behind a uniform screen: its spectrum moved by the screen's depth."""

    source: AbstractFaradaySource
    depth: Float[Array, "..."] = parameter(..., "rad/m2", "Faraday depth of the screen")

    def polarisation(self, lambda_squared):
        turn = jnp.exp(2j * self.depth * jnp.asarray(lambda_squared, float))
        return self.source.polarisation(lambda_squared) * turn

    def spectrum(self, phi):
        return self.source.spectrum(jnp.asarray(phi, float) - self.depth)

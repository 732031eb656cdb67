"""Power spectra of Gaussian random fields."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._parameters import Scalar, parameter
from .._shown import Shown

Wavevector = Float[Array, "3 *modes"]


class AbstractSpectrum(Shown):
    """The power of a random field as a function of the wave vector; its leaves may be inferred."""

    rms: eqx.AbstractVar[Scalar]
    """Of the interpolated field, averaged over space; for a vector field of |B|, all three
    components together."""

    @abc.abstractmethod
    def power(self, wavevector: Wavevector) -> Float[Array, "*modes"]:
        """Power up to a common factor at `wavevector` (3, *modes), rad/kpc; `rms` sets the factor.

        Even in the wave vector, positive, and differentiable.
        """


class Matern(AbstractSpectrum):
    """The Matern family: correlated over `length`, with a chosen smoothness.

    P(k) ~ [1 + |k l|^2 / (2 nu)]^-(nu + 3/2), with l one length or one along each axis.

    **Reference:** Stein 1999, Interpolation of Spatial Data, sect. 2.7.
    """

    rms: Scalar = parameter(
        1.0, "", "standard deviation (of all components together), in the field's unit"
    )
    length: Float[Array, "..."] = parameter(1.0, "kpc", "correlation length l, or (3,)")
    smoothness: Scalar = parameter(1.5, "", "nu: the field has ceil(nu) - 1 derivatives")

    def __check_init__(self):
        _check_lengths("length", self.length)

    def power(self, wavevector: Wavevector) -> Float[Array, "*modes"]:
        x = _squared(wavevector, self.length) / (2.0 * self.smoothness)
        return jnp.exp(-(self.smoothness + 1.5) * jnp.log1p(x))


class PowerLaw(AbstractSpectrum):
    """A power law below an outer scale L: P(k) ~ [1 + |k L / (2 pi)|^2]^(-slope/2).

    A three-dimensional Kolmogorov spectrum has slope 11/3.
    """

    rms: Scalar = parameter(
        1.0, "", "standard deviation (of all components together), in the field's unit"
    )
    slope: Scalar = parameter(11.0 / 3.0, "", "P ~ k^-slope on small scales")
    outer_scale: Float[Array, "..."] = parameter(5.0, "kpc", "wavelength L of the break, or (3,)")

    def __check_init__(self):
        _check_lengths("outer_scale", self.outer_scale)

    def power(self, wavevector: Wavevector) -> Float[Array, "*modes"]:
        x = _squared(wavevector, self.outer_scale / (2.0 * jnp.pi))
        return jnp.exp(-0.5 * self.slope * jnp.log1p(x))


def _squared(wavevector: Wavevector, length: Array) -> Float[Array, "*modes"]:
    lengths = jnp.broadcast_to(length, (3,)).astype(wavevector.dtype)
    x, y, z = ((k * l) ** 2 for k, l in zip(wavevector, lengths, strict=True))
    return x + y + z


def _check_lengths(name: str, value: Array) -> None:
    if eqx.is_array(value) and value.shape not in ((), (3,)):
        raise ValueError(f"{name} must be a number or (3,) lengths in kpc, got {value.shape}")

"""Gaussian random fields on periodic uniform grids: coloured noise and discrete vector calculus.

White noise stays fixed while the spectrum changes, so every statistic is differentiable in its
parameters. The noise is drawn in real space, number by number from the key, so it does not
depend on how many devices hold it. Wave numbers are in cycles per kpc; a grid of N nodes with
spacing d repeats after N d.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .._checks import is_traced
from .._numerics._math import safe_sqrt
from .._numerics._once import once
from ..fields._domain import Box
from ._modes import check_resolved, seen_between_nodes

Scalar = Float[Array, ""]
Half = Complex[Array, "3 nx ny nz_half"]
AXES = (-3, -2, -1)


class Waves(NamedTuple):
    """The half spectrum of a real grid."""

    k: Float[Array, "nx ny nz_half"]
    """|k|, cycles per kpc."""
    kappa: Float[Array, "3 nx ny nz_half"]
    """Wave vector of the central difference, sin(2 pi k_i d_i)/d_i (rad per kpc)."""
    weight: Float[Array, " nz_half"]
    """How many modes of the full spectrum each one stands for."""
    seen: Float[Array, "nx ny nz_half"]
    """Share of its variance that trilinear interpolation leaves, averaged over space."""


def waves(shape: tuple[int, int, int], box: Box, dtype: jnp.dtype) -> Waves:
    """Wave numbers of the nodes of a grid whose first and last nodes lie on the box's faces."""
    k2, kappa = jnp.zeros((), dtype), []
    for axis, n in enumerate(shape):
        spacing = (2.0 * box.half_lengths[axis] / (n - 1)).astype(dtype)
        index = np.fft.rfftfreq(n, 1.0 / n) if axis == 2 else np.fft.fftfreq(n, 1.0 / n)
        # exactly 0 in the Nyquist plane, where +k and -k are the same mode
        sine = np.where(2 * np.abs(index) == n, 0.0, np.sin(2.0 * np.pi * index / n))
        column = [1, 1, 1]
        column[axis] = -1
        k = jnp.asarray(index / n, dtype).reshape(column) / spacing
        k2 = k2 + k * k
        kappa.append(jnp.asarray(sine, dtype).reshape(column) / spacing)
    nz = shape[2]
    weight = np.full(nz // 2 + 1, 2.0)
    weight[0] = 1.0
    if nz % 2 == 0:
        weight[-1] = 1.0
    vectors = jnp.stack([jnp.broadcast_to(v, k2.shape) for v in kappa])
    seen = seen_between_nodes(shape, dtype)[..., : nz // 2 + 1]
    return Waves(safe_sqrt(k2), vectors, jnp.asarray(weight, dtype), jnp.asarray(seen))


def spectral_shape(
    modes: Waves, slope: Scalar, rise: Scalar, outer_scale: Scalar, *, at_nodes: bool = False
) -> Float[Array, "nx ny nz_half"]:
    """Factors that give white noise of unit variance the spectrum wanted, and unit variance.

    The variance is that of the interpolated field averaged over space, or `at_nodes`. The energy
    per unit wave number is E(k) ~ u^rise / (1 + u^2)^((rise + slope)/2), u = k L: a power law
    k^-slope above 1/L and k^rise below. Modes that the central difference cannot see (the mean and
    those that alternate from node to node along some axes only) get nothing.
    """
    power = _power(modes, slope, rise, outer_scale)
    count = modes.k.shape[0] * modes.k.shape[1] * jnp.sum(modes.weight)
    seen = 1.0 if at_nodes else modes.seen
    mean = jnp.sum(modes.weight * power * seen) / count
    positive = power > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, power / mean, 1.0)), 0.0)


def check_spectrum(
    name: str, shape: tuple[int, int, int], box: Box, slope: Any, rise: Any, outer_scale: Any
) -> None:
    """Warn (`synax.SynaxWarning`) if the grid does not resolve the spectrum."""
    values = (box.half_lengths, slope, rise, outer_scale)
    if any(map(is_traced, values)):
        return
    check_resolved(name, *map(np.asarray, _variances(shape, box, slope, rise, outer_scale)))


@once(static=(0,))
def _variances(
    shape: tuple[int, int, int], box: Box, slope: Scalar, rise: Scalar, outer_scale: Scalar
) -> tuple[Float[Array, "nx ny nz_half"], Float[Array, "nx ny nz_half"]]:
    """The power of the modes of a grid, and the share that interpolation leaves."""
    modes = waves(shape, box, jnp.result_type(float))
    return modes.weight * _power(modes, slope, rise, outer_scale), modes.seen


def _power(
    modes: Waves, slope: Scalar, rise: Scalar, outer_scale: Scalar
) -> Float[Array, "nx ny nz_half"]:
    seen = jnp.sum(modes.kappa**2, axis=0) > 0
    log_u = jnp.log(jnp.where(seen, modes.k, 1.0) * outer_scale)
    energy = rise * log_u - 0.5 * (rise + slope) * jnp.logaddexp(0.0, 2.0 * log_u)
    # E(k) is spread over a shell of area ~ k^2
    return jnp.where(seen, jnp.exp(energy - 2.0 * log_u), 0.0)


def to_waves(grid: Float[Array, "*c nx ny nz"]) -> Complex[Array, "*c nx ny nz_half"]:
    """Forward transform over the last three axes."""
    return jnp.fft.rfftn(grid, axes=AXES)


def to_grid(
    spectrum: Complex[Array, "*c nx ny nz_half"], shape: tuple[int, int, int]
) -> Float[Array, "*c nx ny nz"]:
    """Inverse of `to_waves` for a grid of the given shape."""
    return jnp.fft.irfftn(spectrum, s=shape, axes=AXES)


def solenoidal(spectrum: Half, modes: Waves) -> Half:
    """The part orthogonal to kappa: its central difference divergence is 0 to rounding."""
    norm2 = jnp.sum(modes.kappa**2, axis=0)
    inverse = jnp.where(norm2 > 0, 1.0, 0.0) / jnp.where(norm2 > 0, norm2, 1.0)
    along = jnp.sum(modes.kappa * spectrum, axis=0) * inverse
    return spectrum - modes.kappa * along


def twist(spectrum: Half, modes: Waves, helicity: Scalar) -> Half:
    """Give a solenoidal field a fraction `helicity` of the largest possible helicity.

    Modes are split into those with curl b = +-|kappa| b, whose powers are weighted with
    1 +- helicity; the total power is kept.
    """
    plus, minus = safe_sqrt(1.0 + helicity), safe_sqrt(1.0 - helicity)
    norm2 = jnp.sum(modes.kappa**2, axis=0)
    unit = modes.kappa / jnp.sqrt(jnp.where(norm2 > 0, norm2, 1.0))
    curl = 1j * jnp.cross(unit, spectrum, axis=0)
    return 0.5 * (plus + minus) * spectrum + 0.5 * (plus - minus) * curl

"""From white modes to values on a grid: the orthonormal Hartley transform."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..fields._domain import Box
from ._spectra import AbstractSpectrum

Shape3 = tuple[int, int, int]


def hartley(values: Float[Array, "*components mx my mz"]) -> Float[Array, "*components mx my mz"]:
    """The orthonormal Hartley transform along the last three axes: real, and its own inverse.

    h_k = N^-1/2 sum_n x_n (cos + sin)(2 pi k.n / N)
    """
    transformed = jnp.fft.fftn(values, axes=(-3, -2, -1), norm="ortho")
    return transformed.real - transformed.imag


def wavevectors(box: Box, shape: Shape3, modes: Shape3) -> Float[Array, "3 mx my mz"]:
    """Wave vectors (rad/kpc) of a grid of `modes` nodes that continues that of `shape` in `box`."""
    axes = [
        2.0 * jnp.pi * jnp.fft.fftfreq(m).astype(box.half_lengths.dtype) / spacing
        for m, spacing in zip(modes, spacings(box, shape), strict=True)
    ]
    return jnp.stack(jnp.meshgrid(*axes, indexing="ij"))


def spacings(box: Box, shape: Shape3) -> list[Float[Array, ""]]:
    """Distances (kpc) between the nodes of a grid whose outer nodes lie on the walls of `box`."""
    return [2.0 * box.half_lengths[i] / (n - 1) for i, n in enumerate(shape)]


def mode_amplitudes(
    spectrum: AbstractSpectrum, wavevector: Float[Array, "3 mx my mz"]
) -> Float[Array, "mx my mz"]:
    """Standard deviations of the modes; their mean square, the variance of a node, is rms^2."""
    power = spectrum.power(wavevector)
    return spectrum.rms * jnp.sqrt(power / jnp.mean(power))


def padded(shape: Shape3, padding: float) -> Shape3:
    """Sizes with at least `padding` times more nodes, rounded up to ones with fast transforms."""
    from scipy.fft import next_fast_len

    if not padding >= 0.0:
        raise ValueError(f"padding must be zero or a positive fraction, got {padding!r}")
    x, y, z = (next_fast_len(round(n * (1.0 + padding))) for n in shape)
    return x, y, z

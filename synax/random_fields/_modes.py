"""From white modes to values on a grid: the orthonormal Hartley transform."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import is_traced, warn
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


def seen_between_nodes(modes: Shape3, dtype: Any = float) -> Float[np.ndarray, "mx my mz"]:
    """Share of a mode's variance that trilinear interpolation leaves, averaged over space.

    (2 + cos(k_i d_i)) / 3 along each axis: 1 for long waves, 1/27 where all three alternate from
    node to node.
    """
    axes = [(2.0 + np.cos(2.0 * np.pi * np.fft.fftfreq(m))) / 3.0 for m in modes]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    return (x * y * z).astype(dtype)


def mode_amplitudes(
    spectrum: AbstractSpectrum, wavevector: Float[Array, "3 mx my mz"]
) -> Float[Array, "mx my mz"]:
    """Standard deviations of the modes of a field whose interpolation has the variance rms^2."""
    power = spectrum.power(wavevector)
    seen = seen_between_nodes(power.shape, power.dtype)
    return spectrum.rms * jnp.sqrt(power / jnp.mean(power * seen))


MOST_UNSEEN = 0.65
"""Share of a field's variance at the nodes that may be lost between them before it is said; of
white noise 0.70 is lost, of a Kolmogorov spectrum with four nodes an outer scale 0.58."""


def check_resolved(name: str, power: Any, seen: Any) -> None:
    """Warn (`synax.SynaxWarning`) if most of the power is on scales that the grid cannot carry."""
    if is_traced(power):
        return
    power = np.asarray(power)
    lost = 1.0 - float(np.sum(power * seen) / np.sum(power))
    if lost > MOST_UNSEEN:
        warn(
            f"{name}: {100 * lost:.0f} % of the variance at the nodes of this grid is lost between "
            "them (the strength asked for holds on average over space, but not its structure); "
            "give the grid more nodes or the spectrum a longer scale"
        )


def padded(shape: Shape3, padding: float) -> Shape3:
    """Sizes with at least `padding` times more nodes, rounded up to ones with fast transforms."""
    from scipy.fft import next_fast_len

    if not padding >= 0.0:
        raise ValueError(f"padding must be zero or a positive fraction, got {padding!r}")
    x, y, z = (int(next_fast_len(round(n * (1.0 + padding))) or n) for n in shape)
    return x, y, z

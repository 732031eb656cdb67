"""Pieces of the older spiral fields: a wave along logarithmic spirals, and its direction.

Their papers count the azimuth theta clockwise from the direction to the Sun: theta = pi - phi. The
pitch angle p is negative for trailing arms.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import log, sincos
from .._parameters import Scalar

Points = Float[Array, "*points"]


def wave(
    x: Points, y: Points, r: Points, pitch: Scalar, pivot: Scalar, phase: Scalar | float
) -> Points:
    """cos(theta - ln(r / pivot) / tan(pitch) + phase); `r` = sqrt(x^2 + y^2) > 0."""
    sin_a, cos_a = sincos(phase - log(r / pivot) / jnp.tan(pitch))
    return -(x * cos_a + y * sin_a) / r


def along_spiral(per_radius: Points, x: Points, y: Points, pitch: Scalar) -> tuple[Points, Points]:
    """x and y components of S (sin p e_r - cos p e_phi), from `per_radius` = S / r."""
    sin_p, cos_p = jnp.sin(pitch), jnp.cos(pitch)
    return per_radius * (sin_p * x + cos_p * y), per_radius * (sin_p * y - cos_p * x)


def reversal_phase(pitch: Scalar, d: Scalar, r_sun: Scalar) -> Scalar:
    """Phi = ln(1 + d / r_sun) / tan(pitch) - pi/2: the wave reverses at r_sun + d towards l = 0."""
    return jnp.log1p(d / r_sun) / jnp.tan(pitch) - 0.5 * math.pi

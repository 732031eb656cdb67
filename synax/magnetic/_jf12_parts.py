"""The pieces that the members of the Jansson & Farrar (2012) family share, as pure functions."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._numerics._math import atan2, kept, log, logistic, sincos, stored
from .._parameters import Scalar
from ..fields._surfaces import LogarithmicSpirals

Points = Float[Array, "*points"]
Arms = Float[Array, "n_arms"]

R_ARMS = (5.1, 6.3, 7.1, 8.3, 9.8, 11.4, 12.7, 15.5)
"""Radii (kpc) where the outer wall of each arm crosses the negative x axis (JF12a, table 1)."""
PITCH = math.radians(11.5)
THETA_X = math.radians(49.0)


def transition(coordinate: Points, centre: Scalar, width: Scalar) -> Points:
    """L = 1 / (1 + exp(-2 (coordinate - centre) / width)) (JF12a, eq. 5)."""
    return logistic(kept(2.0 * (coordinate - centre) / width))


def angle_in_arms(x: Points, y: Points, r_squared: Points, r_arms: Arms, pitch: Scalar) -> Points:
    """Azimuth (rad, in [0, 2 pi)) past the last arm's outer wall, at the same radius.

    A wall is the spiral r = r_arms[j] exp((phi - pi) tan(pitch)); the arms follow one another
    from the last (angle 0) to the first, each ending where `arm_ends` says.
    """
    k = jnp.abs(jnp.tan(pitch))
    sense = jnp.sign(pitch)
    angle = sense * (atan2(y, x) - math.pi) - (0.5 * log(r_squared) - jnp.log(r_arms[-1])) / k
    turns = angle * (0.5 / math.pi)
    return 2.0 * math.pi * (kept(turns) - jnp.floor(turns))


def arm_ends(r_arms: Arms, pitch: Scalar) -> Arms:
    """Angle (rad, as `angle_in_arms`) at which arm j + 1 ends and arm j begins; last entry 0."""
    return jnp.log(r_arms[-1] / r_arms) / jnp.abs(jnp.tan(pitch))


@jax.custom_jvp
def in_arm(values: Arms, angle: Points, ends: Arms) -> Points:
    """The entry of `values` that belongs to the arm at `angle`.

    A chain of selections: half the cost of a gather.
    """
    chosen = values[0]
    for j in range(values.shape[0] - 1):
        chosen = jnp.where(angle < ends[j], values[j + 1], chosen)
    return jnp.broadcast_to(chosen, angle.shape)


@in_arm.defjvp
def _in_arm_jvp(primals, tangents):
    """One sum over arms, whose transpose is one sum over points; the walls count as fixed."""
    _, angle, ends = primals
    column = (-1,) + (1,) * angle.ndim
    start = jnp.concatenate([jnp.full((1,), jnp.inf, ends.dtype), ends[:-1]])
    inside = (angle < start.reshape(column)) & (angle >= ends.reshape(column))
    moved = jnp.where(inside, tangents[0].reshape(column), 0.0)
    return in_arm(*primals), stored(jnp.sum(moved, axis=0))


def arm_walls(r_arms: Arms, pitch: Scalar, r_min: Scalar, r_max: Scalar) -> LogarithmicSpirals:
    """The walls between the arms, from radius `r_min` to `r_max` (kpc)."""
    return LogarithmicSpirals(r_arms * jnp.exp(-math.pi * jnp.tan(pitch)), pitch, r_min, r_max)


def toroidal_strength(
    r: Points,
    z: Points,
    outside_disk: Points,
    north: tuple[Scalar, Scalar],
    south: tuple[Scalar, Scalar],
    w_halo: Scalar,
    z_halo: Scalar,
) -> Points:
    """B_phi of the toroidal halo (JF12a, eq. 6); `north`, `south`: strength, outer radius."""
    above = z >= 0
    b = jnp.where(above, north[0], south[0])
    edge = jnp.where(above, north[1], south[1])
    # 1 - L(r) = L mirrored at the edge
    fade = logistic(kept(2.0 * (edge - r) / w_halo)) * jnp.exp(kept(-jnp.abs(z) / z_halo))
    return kept(b) * fade * outside_disk


def x_strength(
    r: Points, height: Points, b_x: Scalar, theta_x: Scalar, r_core: Scalar, r_scale: Scalar
) -> tuple[Points, Points, Bool[Array, "*points"]]:
    """The X field at `height` = |z| above the plane (JF12a, eqs. 7-10).

    **Returns** (B_r / r, B_z, inside): the first for z > 0, `inside` where the inclination
    varies (r < r_core + height / tan theta_x).
    """
    sin, cos = sincos(theta_x)
    cot = cos / sin
    edge = kept(r_core + height * cot)
    inside = r < edge
    shrink = r_core / edge
    r_outer = jnp.where(inside, 1.0, r)
    r_plane = kept(jnp.where(inside, r * shrink, r - height * cot))
    strength = b_x * jnp.exp(kept(-r_plane / r_scale))
    strength = strength * jnp.where(inside, shrink * shrink, r_plane / r_outer)
    # inside, the tilt T obeys tan T = |z| / (r - r_plane) = edge tan(theta_x) / r
    rise = kept(edge / cot)
    hypotenuse = jnp.sqrt(rise * rise + r * r)
    radial = strength * jnp.where(inside, 1.0 / hypotenuse, cos / r_outer)
    vertical = strength * jnp.where(inside, rise / hypotenuse, sin)
    return radial, vertical, inside

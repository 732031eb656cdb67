"""YMW16 as hammurabiX computes it, to compare with its maps; not the published model."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import atan2, larger, smaller
from .._parameters import ModelInfo
from ..fields._surfaces import AbstractSurface
from . import _ymw16_parts as parts
from ._ymw16 import AbstractYMW16

_TURN = 2.0 * math.pi
_START = tuple(math.radians(a) for a in (44.4, 120.0, 218.6, 330.3))
_PITCH = tuple(math.radians(a) for a in (11.43, 9.84, 10.38, 10.54))


class YMW16Hammurabi(AbstractYMW16):
    """The YMW16 of hammurabiX, with its departures from the published model.

    It differs from `YMW16` thus: the warped height serves every component; the Local Arm is
    missing and the other four start at rounded angles, with two windings each; the modulation of
    the Carina-Sagittarius arm is void (a slip of units); components are not cut at six scale
    lengths; shells near the Sun end at y = 0 or x = 0 of the model's frame; the thick disc is
    lowered in the Local Bubble before the bubble is compared; the edge is at 25 kpc. More than a
    quarter of random points differ by over 10 %. Use it to compare with hammurabiX's maps only.
    The parameters are those of `YMW16`; nothing depends on those of what is missing or rounded.

    **Reference:** Wang et al. 2020, ApJS 247, 18 (source of 2021-04-22).
    """

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="hammurabi X (Wang et al. 2020, ApJS 247, 18), its version of YMW16",
        sun=(-8.3, 0.0, 0.006),
        notes="for comparison with hammurabiX maps; not the published YMW16",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        p = self
        x, y, z = position
        radius, azimuth, _, flare = parts.disc_frame(p, position)
        slope = p.warp_slope * (radius - p.warp_radius) / jnp.where(radius > 0, radius, 1.0)
        z = jnp.where(radius > p.warp_radius, z - slope * y, z)
        warped = jnp.stack([x, y, z])
        beyond = (radius - p.taper_radius) / p.taper_length
        taper = parts.sech2_product(jnp.where(beyond > 0, beyond, 0.0))
        thick = p.thick_density * taper * parts.sech2_product(z / p.thick_height)
        ring = (radius - p.thin_radius) / p.thin_width
        thin = parts.sech2_product(ring, z / (p.thin_height * flare))
        thin = jnp.where(z > 10.0 * p.thin_height * flare, 0.0, thin)
        fade = (radius - p.arm_taper_radius) / p.arm_taper_length
        arms = parts.sech2_product(fade, z / (p.arm_height * flare)) * self._arms(radius, azimuth)
        arms = jnp.where(z > 10.0 * p.arm_height * flare, 0.0, arms)
        dense = taper * larger(p.thin_density * thin, arms)
        toward = x < 0  # the Sun's half of the Galaxy
        gum = jnp.where(toward & (y <= 0), self._gum(warped), 0.0)
        wall, inside = self._bubble(warped)
        wall = jnp.where(toward, wall, 0.0)
        n = jnp.where(inside, p.bubble_thick, 1.0) * thick + dense
        loop = jnp.where(toward, self._loop(warped), 0.0)
        result = n + self._center(warped)
        result = jnp.where(loop > n, loop, result)
        result = jnp.where(gum > n, gum, result)
        result = jnp.where((wall > n) & (inside | (wall > gum)), wall, result)
        return jnp.where(x * x + y * y + z * z <= 25.0**2, result, 0.0)

    def _arms(self, radius: Array, azimuth: Array) -> Array:
        p = self
        total: Any = 0.0
        for j in range(4):
            phase = azimuth - _START[j]
            tangent = math.tan(_PITCH[j])
            ridge = p.arm_radius[j] * jnp.exp(tangent * jnp.where(phase < 0, phase + _TURN, phase))
            outer = jnp.abs(radius - math.exp(_TURN * tangent) * ridge)
            gap = math.cos(_PITCH[j]) * smaller(jnp.abs(radius - ridge), outer)
            u = gap / p.arm_width[j]
            total = total + p.arm_density[j] * parts.sech2_product(jnp.where(u > 10.0, 400.0, u))
        return total

    def _center(self, position: Array) -> Array:
        p = self
        x, y, z = position
        x0, y0, z0 = p.center_position
        rho2 = ((x - x0) ** 2 + (y - y0) ** 2) / p.center_radius**2
        u = (z - z0) / p.center_height
        density = p.center_density * jnp.exp(-rho2) * parts.sech2_product(u)
        return jnp.where((rho2 <= 10.0) & (jnp.abs(u) <= 10.0), density, 0.0)

    def _gum(self, position: Array) -> Array:
        density = parts.gum_nebula(self, position)
        lowest = self.gum_density * math.exp(-10.0)
        return jnp.where(density >= lowest, density, 0.0)

    def _bubble(self, position: Array) -> tuple[Array, Array]:
        p = self
        x, y, z = position
        gap = parts.bubble_gap(p, position)
        longitude = atan2(y, x - p.sun[0])
        total: Any = 0.0
        for i in range(2):
            turn = jnp.abs(longitude - p.bubble_longitude[i])
            turn = smaller(turn, jnp.abs(longitude + _TURN - p.bubble_longitude[i]))
            v, w = gap / p.bubble_width[i], z / p.bubble_height[i]
            walls = parts.sech2_product(turn / p.bubble_spread[i], v, w)
            total = total + p.bubble_density[i] * walls
        return total, gap <= 0

    def _loop(self, position: Array) -> Array:
        x, y, z = position
        # its centre is rounded to 8106.207 pc
        return parts.loop_i(self, jnp.stack([x + 1e-6, y, z]), cut=10.0)

    @property
    def has_surroundings(self) -> bool:
        return True

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return parts.shells(self)

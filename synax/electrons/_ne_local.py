"""The local interstellar medium of NE2001: four regions of constant density."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._parameters import Scalar, parameter
from ..fields._surfaces import AbstractSurface, Ellipsoid, Quadric

_DEGREE = math.pi / 180.0


class LocalISM(eqx.Module):
    """Local Hot Bubble (lhb), Loop I, Local Super-Bubble (lsb), Low-Density Region (ldr).

    Where regions overlap the first of these names prevails. Positions in the common frame, kpc;
    axes and angles as published: along the directions of l = 90 deg (y) and l = 180 deg (-x),
    turned about z.

    **Reference:** Cordes & Lazio 2002, arXiv:astro-ph/0207156, table 4.
    """

    ldr_axes: Float[Array, "3"] = parameter((1.50, 0.750, 0.50), "kpc", "semi-axes")
    ldr_center: Float[Array, "3"] = parameter((-8.06, 1.36, 0.0), "kpc", "centre")
    ldr_angle: Scalar = parameter(-24.2 * _DEGREE, "rad", "angle about z")
    ldr_density: Scalar = parameter(0.012, "cm-3", "density")
    lsb_axes: Float[Array, "3"] = parameter((1.050, 0.4250, 0.3250), "kpc", "semi-axes")
    lsb_center: Float[Array, "3"] = parameter((-9.0, -0.75, -0.05), "kpc", "centre")
    lsb_angle: Scalar = parameter(139.0 * _DEGREE, "rad", "angle about z")
    lsb_density: Scalar = parameter(0.016, "cm-3", "density")
    lhb_axes: Float[Array, "3"] = parameter((0.085, 0.100, 0.330), "kpc", "semi-axes, height")
    lhb_center: Float[Array, "3"] = parameter((-8.45, 0.01, 0.17), "kpc", "centre")
    lhb_angle: Scalar = parameter(15.0 * _DEGREE, "rad", "tilt of the axis away from +x")
    lhb_density: Scalar = parameter(0.005, "cm-3", "density")
    loop_center: Float[Array, "3"] = parameter((-8.40, -0.045, 0.07), "kpc", "centre")
    loop_radii: Float[Array, "2"] = parameter(
        (0.120, 0.180), "kpc", "inside and edge of shell", minimum=0.0
    )
    loop_density: Float[Array, "2"] = parameter((0.0125, 0.0125), "cm-3", "inside, shell")

    def __call__(
        self, position: Float[Array, "3 *points"]
    ) -> tuple[Float[Array, "*points"], Bool[Array, "*points"]]:
        """Density (cm^-3) and whether the position is in any region."""
        x, y, z = position
        ldr = _inside(_ellipsoid(self.ldr_axes, self.ldr_angle), self.ldr_center, position)
        lsb = _inside(_ellipsoid(self.lsb_axes, self.lsb_angle), self.lsb_center, position)
        center, (a, b, height) = self.lhb_center, self.lhb_axes
        bottom = center[2] - height
        # below the plane the bubble narrows to a point
        narrow = (z >= bottom) & (z <= 0.0)
        across = jnp.where(narrow, 0.001 + (a - 0.001) * (1.0 - z / bottom), a)
        along = x - center[0] + jnp.tan(self.lhb_angle) * z
        lhb = ((y - center[1]) / across) ** 2 + (along / b) ** 2 <= 1.0
        lhb = lhb & (jnp.abs(z - center[2]) <= height)
        d2 = sum((u - c) ** 2 for u, c in zip(position, self.loop_center, strict=True))
        inner, outer = self.loop_radii
        loop = (d2 <= outer * outer) & (z >= 0.0)
        loop_density = jnp.where(d2 <= inner * inner, *self.loop_density)
        density = jnp.where(ldr, self.ldr_density, 0.0)
        density = jnp.where(lsb, self.lsb_density, density)
        density = jnp.where(loop, loop_density, density)
        density = jnp.where(lhb, self.lhb_density, density)
        return density, ldr | lsb | loop | lhb

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        """Edges of the three large regions and, above the plane, the wall of the hot bubble."""
        slope = jnp.tan(self.lhb_angle)
        inverse = 1.0 / self.lhb_axes**2
        zero = jnp.zeros_like(slope)
        wall = [
            [inverse[1], zero, slope * inverse[1]],
            [zero, inverse[0], zero],
            [slope * inverse[1], zero, slope * slope * inverse[1]],
        ]
        foot = self.lhb_center.at[2].set(0.0)
        return (
            Quadric(self.ldr_center, _ellipsoid(self.ldr_axes, self.ldr_angle)),
            Quadric(self.lsb_center, _ellipsoid(self.lsb_axes, self.lsb_angle)),
            Quadric(foot, jnp.stack([jnp.stack(row) for row in wall])),
            Ellipsoid(self.loop_center, self.loop_radii[1] * jnp.ones_like(self.loop_center)),
        )


def _ellipsoid(axes: Float[Array, "3"], angle: Scalar) -> Float[Array, "3 3"]:
    """Matrix A of the turned ellipsoid (x - c)^T A (x - c) = 1 in the common frame."""
    c, s = jnp.cos(angle), jnp.sin(angle)
    p, q, r = 1.0 / axes**2
    across, along, mixed = c * c * p + s * s * q, s * s * p + c * c * q, c * s * (p - q)
    zero = jnp.zeros_like(c)
    rows = [[along, -mixed, zero], [-mixed, across, zero], [zero, zero, r]]
    return jnp.stack([jnp.stack(row) for row in rows])


def _inside(
    matrix: Float[Array, "3 3"], center: Float[Array, "3"], position: Float[Array, "3 *points"]
) -> Bool[Array, "*points"]:
    x, y, z = (u - c for u, c in zip(position, center, strict=True))
    q = matrix[0, 0] * x * x + matrix[1, 1] * y * y + matrix[2, 2] * z * z
    return q + 2.0 * matrix[0, 1] * x * y <= 1.0

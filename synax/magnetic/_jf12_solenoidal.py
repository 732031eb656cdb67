"""The divergence-free version of the JF12 field by Kleimann et al. (2019)."""

import math
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import (
    cylindrical_radius,
    kept,
    larger,
    safe_divide,
    safe_sqrt,
    sincos,
    vector,
)
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._domain import Sphere
from ..fields._level_sets import AbstractLevelSets, within_disc
from ..fields._surfaces import AbstractSurface, Cylinder, FlaredCylinder, Plane
from . import _jf12_parts as parts
from ._jf12_base import MOVED, AbstractJF12


class JF12Solenoidal(AbstractJF12):
    """JF12 made solenoidal: disk flux returned in rings, X field smooth through the plane.

    - Disk (`disk`): B_r = p(r) b_j sin i, B_phi = p(r) b_j cos i - q(r) H sin i, with p = 5 kpc / r
      and q = d(r p)/dr = 0 except within `delta` of the inner and outer edge, where p falls to
      0 with a continuous slope, and H the integral of b_j over the azimuth at 5 kpc. b_8 is not
      free: it makes H periodic, so the net radial flux vanishes. No molecular ring.
    - Toroidal halo (`toroidal`): as in `JF12`.
    - X field (`x_field`): as in `JF12` for |z| > z_x; below, field lines are parabolas that
      cross the plane vertically, and the cone between its regions bends into a parabola with a
      step of 4 % in the X field.

    **Returns** microgauss, (3, *points); zero for rho >= `r_max`.

    **Reference:** Kleimann, Schorlepp, Merten & Becker Tjus 2019, ApJ 877, 76; delta = 3 kpc
    and z_x = 0.5 kpc as there and in CRPropa3. Positive `pitch`, `delta` and `z_x` required.
    """

    b_arms: Float[Array, "7"] = parameter(
        (0.1, 3.0, -0.9, -0.8, -2.0, -4.2, 0.0), "uG", "arm strengths at 5 kpc, b_1..b_7"
    )
    delta: Scalar = parameter(
        3.0, "kpc", "width of the rings that return the disk's flux", above=0.0
    )
    z_x: Scalar = parameter(0.5, "kpc", "height below which the X field lines are parabolas, z_s")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Kleimann et al. 2019, ApJ 877, 76",
        sun=(-8.5, 0.0, 0.0),
        notes=(
            "defaults of CRPropa3; div B = 0 to rounding inside and across every wall; field lines "
            "end on the outer sphere only"
        ),
        moved=MOVED,
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        height = jnp.abs(z)
        r2 = x * x + y * y
        rho2 = r2 + z * z
        r = safe_sqrt(r2)
        outside_disk = parts.transition(height, self.h_disk, self.w_disk)
        around = jnp.zeros_like(x)  # B_phi / r
        outward = jnp.zeros_like(x)  # B_r / r
        upward = jnp.zeros_like(x)
        if self.toroidal:
            strength = self.toroidal_strength(r, z, outside_disk)
            around = around + jnp.where(rho2 > self.r_hole**2, safe_divide(strength, r), 0.0)
        if self.x_field:
            radial, upward = self._x_field(r, z)
            outward = outward + radial
        if self.disk:
            disk_outward, disk_around = self._disk(x, y, r)
            outward = outward + disk_outward * (1.0 - outside_disk)
            around = around + disk_around * (1.0 - outside_disk)
        within = rho2 < self.r_max**2
        outward, around, upward = (jnp.where(within, b, 0.0) for b in (outward, around, upward))
        return vector(outward * x - around * y, outward * y + around * x, upward)

    def _x_field(self, r: parts.Points, z: parts.Points) -> tuple[parts.Points, parts.Points]:
        """B_r / r and B_z: `JF12`'s at the height where each line becomes a parabola."""
        tan = jnp.tan(self.theta_x)
        zeta = jnp.clip(z / self.z_x, -1.0, 1.0)
        lift = kept(0.5 * self.z_x * (1.0 - zeta * zeta) / tan)
        edge = self.r_x_core + self.z_x / tan
        inner_stretch = edge / (edge - lift)
        inside = r * inner_stretch < edge
        outer_stretch = 1.0 + lift / jnp.where(inside, 1.0, r)
        # radius that the field line reaches at |z| = z_x, over the radius here
        stretch = jnp.where(inside, inner_stretch, outer_stretch)
        compression = jnp.where(inside, stretch * stretch, stretch)
        radial, vertical, _ = parts.x_strength(
            r * stretch,
            larger(jnp.abs(z), self.z_x),
            self.b_x,
            self.theta_x,
            self.r_x_core,
            self.r_x,
        )
        return zeta * compression * stretch * radial, compression * vertical

    def _disk(
        self, x: parts.Points, y: parts.Points, r: parts.Points
    ) -> tuple[parts.Points, parts.Points]:
        """B_r / r and B_phi / r of the disk in the plane."""
        ends = parts.arm_ends(self.r_arms, self.pitch)
        starts = jnp.concatenate([jnp.full((1,), 2.0 * math.pi, ends.dtype), ends[:-1]])
        spans = starts - ends
        last = -jnp.sum(spans[:-1] * self.b_arms) / spans[-1]
        b_arms = jnp.concatenate([self.b_arms, last[None]])
        # H is b_j times the angle plus a constant in each arm, continuous at the walls
        flux = b_arms * spans
        before = jnp.cumsum(flux[::-1])[::-1] - flux
        offsets = before - b_arms * ends
        # H = 0 where the spiral meets 5 kpc at azimuth 0
        turns = (jnp.log(self.r_arms[-1] / 5.0) / jnp.tan(self.pitch) - math.pi) / (2.0 * math.pi)
        origin = 2.0 * math.pi * (turns - jnp.floor(turns))
        offsets = offsets - (
            parts.in_arm(b_arms, origin, ends) * origin + parts.in_arm(offsets, origin, ends)
        )

        annulus = (r > self.r_disk) & (r < self.r_max)
        r_safe = jnp.where(annulus, r, self.r_disk)
        angle = parts.angle_in_arms(x, y, r_safe * r_safe, self.r_arms, self.pitch)
        b = parts.in_arm(b_arms, angle, ends)
        integral = b * angle + parts.in_arm(offsets, angle, ends)
        p, q = self._radial_profile(r_safe)
        sin_i, cos_i = sincos(self.pitch)
        scale = jnp.where(annulus, 1.0 / r_safe, 0.0)
        return scale * p * b * sin_i, scale * (p * b * cos_i - q * integral * sin_i)

    def _radial_profile(self, r: parts.Points) -> tuple[parts.Points, parts.Points]:
        """p(r), and q(r) = d(r p)/dr which feeds the returning flux."""
        inner, outer = self.r_disk + self.delta, self.r_max - self.delta
        near = r < inner
        ring = near | (r > outer)
        foot = kept(jnp.where(near, self.r_disk, self.r_max))
        joint = kept(jnp.where(near, inner, outer))
        gap = foot - joint
        k = (foot / joint - 2.0) / (gap * gap)
        d = r - joint
        p = 5.0 / joint * (2.0 - r / joint + k * d * d)
        q = 5.0 / joint * (2.0 - 2.0 * r / joint + k * d * (3.0 * r - joint))
        return jnp.where(ring, p, 5.0 / r), jnp.where(ring, q, 0.0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        found: tuple[AbstractSurface, ...] = (Sphere(self.r_max),)
        if self.disk:
            walls = parts.arm_walls(self.r_arms, self.pitch, self.r_disk, self.r_max)
            edges = (self.r_disk, self.r_disk + self.delta, self.r_max - self.delta)
            found = (*found, *(Cylinder(edge) for edge in edges), walls)
        if self.toroidal:
            found = (*found, Sphere(self.r_hole), Plane())
        if self.x_field:
            slope = 1.0 / jnp.tan(self.theta_x)
            cone = FlaredCylinder(self.r_x_core, slope)
            bent = _BentCone(self.r_x_core, slope, self.z_x)
            found = (*found, Plane(self.z_x), Plane(-self.z_x), cone, bent)
        return found


class _BentCone(AbstractLevelSets):
    """The cone r = radius + slope |z| below |z| = height, where it bends into the parabola
    r = radius + slope (height^2 + z^2) / (2 height)."""

    radius: Array
    slope: Array
    height: Array

    looks: ClassVar[int] = 32
    most: ClassVar[int] = 4

    def ends(self, origin: Array, direction: Array) -> tuple[Array, Array]:
        # just short of the planes, where the cone itself is named
        widest = self.radius + self.slope * self.height
        return within_disc(origin, direction, 1.01 * widest, 0.9999 * self.height)

    def levels(self, position: Array) -> Array:
        x, y, z = position
        edge = self.radius + 0.5 * self.slope * (self.height + z * z / self.height)
        return (cylindrical_radius(x, y) - edge)[None]

    def level(self, which: Array, position: Array) -> Array:
        del which
        return self.levels(position)[0]

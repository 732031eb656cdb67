"""The piecewise model of Korochkin, Semikoz & Tinyakov (2024)."""

import functools
import math
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._numerics._math import (
    azimuth,
    cylindrical_radius,
    larger,
    log,
    safe_divide,
    sincos,
    smaller,
    stored,
    vector,
)
from .._numerics._near import where_near
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractVectorField
from ..fields._level_sets import AbstractLevelSets, within_disc
from ..fields._surfaces import AbstractSurface, Ellipsoid, FlaredCylinder, Plane, Wall

PerArm = Float[Array, "5"]


def _degrees(*values: int | float) -> tuple[float, ...]:
    return tuple(math.radians(v) for v in values)


class KST24(AbstractVectorField):
    """Spiral arms, toroidal halo rings, an X field and the wall of the Local Bubble.

    Above z = north_z_min and below z = south_z_max: halo ring plus X field. Inside the outer
    radius of the Local Bubble: the bubble field alone (0 within its inner radius). Elsewhere:
    the sum of the arms plus the X field. The parts are

    - rings: B = -b e_phi between two radii and two heights;
    - X field: B = x_b (R0/r) [sign(z) sin(theta) e_r + cos(theta) e_z], R0 = r - |z| tan(theta)
      between x_r_min and x_r_max, |z| <= x_z_max;
    - bubble wall: B = b A [n - e (e.n)] between R and R + t, A = 1 + R^2/(2 R t + t^2), with e the
      unit vector from the centre and n the direction of the undisturbed field;
    - arms (in the order Scutum, Carina-Sagittarius, Local, Perseus 1, Perseus 2): B along the
      logarithmic spiral through the nearest point of its axis (one Newton correction), inside a
      tube (d/R_p)^eps + (|z|/R_z)^eps <= 1 about it; divergence widens the tube, flux is kept.

    **Reference:** Korochkin, Semikoz & Tinyakov 2024, A&A 693, A284 (2025), tables 1 and 2.
    """

    arms: bool = eqx.field(static=True, default=True)
    """Whether the spiral arms are included."""
    toroidal: bool = eqx.field(static=True, default=True)
    """Whether the two toroidal rings are included."""
    x_field: bool = eqx.field(static=True, default=True)
    """Whether the X field is included."""
    bubble: bool = eqx.field(static=True, default=True)
    """Whether the Local Bubble is included."""

    north_b: Scalar = parameter(-3.2, "uG", "strength of the northern ring (clockwise)")
    north_z_min: Scalar = parameter(1.185, "kpc", "base of the northern ring, top of the disc")
    north_z_max: Scalar = parameter(2.1, "kpc", "top of the northern ring")
    north_r_min: Scalar = parameter(1.0, "kpc", "inner radius of the northern ring", minimum=0.0)
    north_r_max: Scalar = parameter(9.1, "kpc", "outer radius of the northern ring", minimum=0.0)
    south_b: Scalar = parameter(3.2, "uG", "strength of the southern ring (clockwise)")
    south_z_min: Scalar = parameter(-2.5, "kpc", "bottom of the southern ring")
    south_z_max: Scalar = parameter(-1.22, "kpc", "top of the southern ring, bottom of the disc")
    south_r_min: Scalar = parameter(1.0, "kpc", "inner radius of the southern ring", minimum=0.0)
    south_r_max: Scalar = parameter(14.0, "kpc", "outer radius of the southern ring", minimum=0.0)

    x_b: Scalar = parameter(1.8, "uG", "strength of the X field at the plane")
    x_theta: Scalar = parameter(math.radians(28.0), "rad", "angle of the X field from the z axis")
    x_r_min: Scalar = parameter(1.0, "kpc", "inner radius of the X field at the plane", minimum=0.0)
    x_r_max: Scalar = parameter(6.2, "kpc", "outer radius of the X field at the plane", minimum=0.0)
    x_z_max: Scalar = parameter(10.0, "kpc", "height at which the X field ends")

    bubble_center: Float[Array, "3"] = parameter((-8.2, 0.095, -0.05), "kpc", "bubble centre")
    bubble_radius: Scalar = parameter(
        0.2, "kpc", "inner radius R of the bubble's wall", minimum=0.0
    )
    bubble_width: Scalar = parameter(0.03, "kpc", "thickness t of the bubble's wall", above=0.0)
    bubble_b: Scalar = parameter(-3.5, "uG", "strength of the undisturbed field")
    bubble_longitude: Scalar = parameter(
        math.radians(50.0), "rad", "direction of n from the x axis"
    )
    bubble_latitude: Scalar = parameter(math.radians(2.0), "rad", "direction of n from the plane")

    arm_b: PerArm = parameter((4.9, 1.3, -3.5, -2.0, -3.5), "uG", "strength of each arm")
    arm_phase: PerArm = parameter(_degrees(-134, -80, -2.2, 46, 46), "rad", "phi0 of each arm")
    arm_shift: PerArm = parameter(
        (1.0, 1.37, -0.15, -1.0, -1.0), "kpc", "x of the spiral's centre, sign reversed"
    )
    arm_height: PerArm = parameter(
        (0.8, 1.0, 0.73, 0.4, 1.2), "kpc", "vertical radius of the tube", minimum=0.0
    )
    arm_width: PerArm = parameter(
        (1.0, 0.79, 1.0, 1.1, 1.1), "kpc", "radius along the plane", minimum=0.0
    )
    arm_exponent: PerArm = parameter((2.0, 2.3, 1.45, 2.0, 2.0), "", "shape eps of the tube")
    arm_divergence: PerArm = parameter(_degrees(0, 3, 0, 0, 0), "rad kpc-1", "growth with length")
    arm_r_min: PerArm = parameter((3.0, 3.0, 3.3, 3.0, 3.0), "kpc", "inner end")
    arm_r_max: PerArm = parameter((16.0, 15.0, 14.0, 17.0, 17.0), "kpc", "outer end")
    arm_z_max: PerArm = parameter((1.0, 1.2, 1.0, 1.0, 2.0), "kpc", "vertical end")
    arm_pitch: Scalar = parameter(math.radians(20.0), "rad", "pitch angle of all arms")
    arm_pivot: Scalar = parameter(
        3.0, "kpc", "radius a of every spiral at phi = -phi0", minimum=0.0
    )
    arm_start: Scalar = parameter(
        5.0, "kpc", "radius from which a diverging arm widens", minimum=0.0
    )
    arm_cap: Scalar = parameter(1.2, "kpc", "largest radius of a tube", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Korochkin, Semikoz & Tinyakov 2024, A&A 693, A284, tables 1-2",
        sun=(-8.2, 0.0, 0.0),
        notes="piecewise: hard edges everywhere, B = 0 at the Sun; away from them rms of div B "
        "is 0.008 |B|/kpc, from the arms",
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        disc = (z <= self.north_z_min) & (z >= self.south_z_max)
        b_x, b_y = self._arms(x, y, z, disc) if self.arms else (0.0 * x, 0.0 * y)
        b_z = 0.0 * z
        if self.toroidal:
            clockwise = self._rings(x, y, z)
            b_x, b_y = b_x + clockwise * y, b_y - clockwise * x
        if self.x_field:
            radial, vertical = self._x(x, y, z)
            b_x, b_y, b_z = b_x + radial * x, b_y + radial * y, b_z + vertical
        if self.bubble:
            inside, wall = self._bubble(x, y, z)
            only = inside & disc
            b_x, b_y, b_z = (
                jnp.where(only, w, b) for w, b in zip(wall, (b_x, b_y, b_z), strict=True)
            )
        return vector(b_x, b_y, b_z)

    def _rings(self, x: Array, y: Array, z: Array) -> Array:
        """-B_phi / r."""
        r = cylindrical_radius(x, y)
        north = (z > self.north_z_min) & (z < self.north_z_max)
        north = north & (r >= self.north_r_min) & (r <= self.north_r_max)
        south = (z > self.south_z_min) & (z < self.south_z_max)
        south = south & (r >= self.south_r_min) & (r <= self.south_r_max)
        strength = jnp.where(north, self.north_b, 0.0) + jnp.where(south, self.south_b, 0.0)
        return safe_divide(strength, r)

    def _x(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """B_r / r and B_z."""
        r = cylindrical_radius(x, y)
        sin, cos = stored((jnp.sin(self.x_theta), jnp.cos(self.x_theta)))
        r_plane = r - jnp.abs(z) * (sin / cos)
        inside = (r_plane >= self.x_r_min) & (r_plane <= self.x_r_max)
        inside = inside & (jnp.abs(z) <= self.x_z_max)
        inverse = 1.0 / jnp.where(inside, r, 1.0)
        strength = jnp.where(inside, self.x_b * r_plane, 0.0) * inverse
        return strength * sin * jnp.where(z < 0, -inverse, inverse), strength * cos

    def _bubble(
        self, x: Array, y: Array, z: Array
    ) -> tuple[Bool[Array, "*points"], tuple[Array, Array, Array]]:
        """Whether the point is in the bubble or its wall, and the field there."""
        offset = [p - c for p, c in zip((x, y, z), self.bubble_center, strict=True)]
        d2 = offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2
        radius, outer = self.bubble_radius, self.bubble_radius + self.bubble_width
        inside = d2 < outer * outer
        wall = inside & (d2 >= radius * radius)
        squeeze = 1.0 + radius**2 / (outer * outer - radius**2)
        cos_b = jnp.cos(self.bubble_latitude)
        n = (
            cos_b * jnp.cos(self.bubble_longitude),
            cos_b * jnp.sin(self.bubble_longitude),
            jnp.sin(self.bubble_latitude),
        )
        squeeze, *n = stored((squeeze, *n))
        along = sum(o * k for o, k in zip(offset, n, strict=True)) / jnp.where(wall, d2, 1.0)
        strength = jnp.where(wall, self.bubble_b * squeeze, 0.0)
        u, v, w = (strength * (k - o * along) for o, k in zip(offset, n, strict=True))
        return inside, (u, v, w)

    def _arms(
        self, x: Array, y: Array, z: Array, disc: Bool[Array, "*points"]
    ) -> tuple[Array, Array]:
        """B_x and B_y of all arms."""
        reach = jnp.max(self.arm_r_max + jnp.abs(self.arm_shift))
        near = disc & (jnp.abs(z) <= jnp.max(self.arm_z_max)) & (x * x + y * y <= reach**2)
        return where_near(near, self._arms_in_disc, x, y, z)

    def _arms_in_disc(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        arm = self._arm(lambda value: value.reshape((-1,) + (1,) * z.ndim))
        x, y = x + arm.shift, y + 0.0 * arm.shift
        r = cylindrical_radius(x, y)
        inside = (r >= arm.r_min) & (r <= arm.r_max) & (jnp.abs(z) <= arm.z_max)
        inside = inside & (z <= self.north_z_min) & (z >= self.south_z_max)
        r, x, y = (jnp.where(inside, v, c) for v, c in ((r, 1.0), (x, 1.0), (y, 0.0)))
        (sin_t, cos_t), width, height, distance2 = self._section(arm, r, x, y)
        narrow = 1.0 / (width * height)
        within = self._within(arm, distance2, z, width, height, narrow)
        strength = stored(arm.b * arm.height * arm.width) * narrow / r
        strength = jnp.where(inside & within, strength, 0.0)
        sin_p, cos_p = jnp.sin(self.arm_pitch), jnp.cos(self.arm_pitch)
        along_r = strength * (sin_p * cos_t - cos_p * sin_t)
        along_phi = strength * (sin_p * sin_t + cos_p * cos_t)
        b_x, b_y = stored((along_r * x - along_phi * y, along_r * y + along_phi * x))
        # added row by row: a reduction is not vectorised on CPU
        return functools.reduce(jnp.add, b_x), functools.reduce(jnp.add, b_y)

    def _within(self, arm: "_Arm", *tube: Array) -> Bool[Array, "5 *points"]:
        """Whether places are in the tubes, with the arguments of `_power`."""
        # in float32, with nothing of float64 between: vectors of twice as many numbers
        rough = lambda x: jax.lax.stop_gradient(x).astype(jnp.float32)
        return stored(_power(*stored(jax.tree.map(rough, (arm, *tube)))) <= 1.0)

    def _arm(self, pick: Callable[[PerArm], Array]) -> "_Arm":
        """What `pick` takes of each parameter of the arms."""
        return _Arm(*(pick(getattr(self, f"arm_{name}")) for name in _Arm._fields))

    def _section(
        self, arm: "_Arm", r: Array, x: Array, y: Array
    ) -> tuple[tuple[Array, Array], Array, Array, Array]:
        """Sine and cosine of the angle to the nearest point of the arm's axis, the radii of the
        tube there along the plane and across it, and the horizontal distance squared.

        **Arguments:**

        - `arm`: which arm.
        - `r`, `x`, `y`: place in the frame of its spiral, kpc, r > 0.
        """
        sin_p, cos_p = jnp.sin(self.arm_pitch), jnp.cos(self.arm_pitch)
        k = sin_p / cos_p
        turns = 0.5 / math.pi
        # stored: in an expression of points they would be computed at every point
        start = (jnp.log(self.arm_pivot) / k + arm.phase) * turns
        start, widening = stored((start, arm.divergence / sin_p))
        windings = log(r) * (turns / k) - azimuth(x, y) * turns - start
        # radius on the winding just inside the point, or just outside where that is nearer
        inner = r * jnp.exp((-2.0 * math.pi * k) * (windings - jnp.floor(windings)))
        outer = inner * jnp.exp(2.0 * math.pi * k)
        axis = jnp.where(r - inner > outer - r, outer, inner)
        turn = (r / axis - 1.0) * (sin_p * cos_p)
        axis = axis * jnp.exp(k * turn)
        sin_t, cos_t = sincos(turn)
        grown = 1.0 + (axis - self.arm_start) * widening
        # the derivative by a divergence of 0, as published, is that towards widening
        widens = (grown > 1.0) | ((widening == 0) & (axis > self.arm_start))
        grown = jnp.where(widens, grown, 1.0)
        width = smaller(arm.width * grown, self.arm_cap)
        height = smaller(arm.height * grown, self.arm_cap)
        return (sin_t, cos_t), width, height, (axis * cos_t - r) ** 2 + (axis * sin_t) ** 2

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        named: list[AbstractSurface] = [Plane(self.north_z_min), Plane(self.south_z_max)]
        if self.arms:
            named.append(_Tubes(self))
        if self.toroidal:
            named += [Plane(self.north_z_max), Plane(self.south_z_min)]
            # both rings begin at one radius: walls of their own heights, which are not the same
            north, south = (
                (self.north_z_min, self.north_z_max),
                (self.south_z_min, self.south_z_max),
            )
            named += [Wall(radius, *north) for radius in (self.north_r_min, self.north_r_max)]
            named += [Wall(radius, *south) for radius in (self.south_r_min, self.south_r_max)]
        if self.x_field:
            named += [Plane(), Plane(self.x_z_max), Plane(-self.x_z_max)]
            slope = jnp.tan(self.x_theta)
            named += [FlaredCylinder(self.x_r_min, slope), FlaredCylinder(self.x_r_max, slope)]
        if self.bubble:
            for radius in (self.bubble_radius, self.bubble_radius + self.bubble_width):
                named.append(
                    Ellipsoid(self.bubble_center, radius * jnp.ones_like(self.bubble_center))
                )
        return tuple(named)


class _Arm(NamedTuple):
    """Parameters of the arms, by the names of the model's leaves without `arm_`."""

    b: Array
    phase: Array
    shift: Array
    height: Array
    width: Array
    exponent: Array
    divergence: Array
    r_min: Array
    r_max: Array
    z_max: Array


def _power(
    arm: _Arm, distance2: Array, z: Array, width: Array, height: Array, narrow: Array
) -> Array:
    """(d/R_p)^eps + (|z|/R_z)^eps, 1 on the wall of the tube; `narrow` is 1 / (R_p R_z)."""
    across, above = height * narrow, z * width * narrow
    half = 0.5 * arm.exponent

    def power(u: Array) -> Array:
        return jnp.where(u > 0, jnp.exp(half * log(jnp.where(u > 0, u, 1.0))), 0.0)

    return power(distance2 * across * across) + power(above * above)


class _Tubes(AbstractLevelSets):
    """The walls and the ends of the arms' tubes."""

    field: KST24

    looks: ClassVar[int] = 96
    most: ClassVar[int] = 18

    def ends(self, origin: Array, direction: Array) -> tuple[Array, Array]:
        field = self.field
        radius = jnp.max(field.arm_r_max + jnp.abs(field.arm_shift))
        return within_disc(origin, direction, radius, jnp.max(field.arm_z_max))

    def levels(self, position: Array) -> Array:
        column = lambda value: value.reshape((-1,) + (1,) * (position.ndim - 1))
        return self._level(self.field._arm(column), position)

    def level(self, which: Array, position: Array) -> Array:
        return self._level(self.field._arm(lambda value: value[which]), position)

    def _level(self, arm: _Arm, position: Array) -> Array:
        """Negative inside the tubes."""
        x, y, z = position
        x, y = x + arm.shift, y + 0.0 * arm.shift
        r = cylindrical_radius(x, y)
        away = r > 0.1  # no arm begins so far inside
        safe = (jnp.where(away, v, c) for v, c in ((r, 1.0), (x, 1.0), (y, 0.0)))
        _, *tube = self.field._section(arm, *stored(tuple(safe)))
        width, height, distance2 = stored(tuple(tube))
        wall = _power(arm, distance2, z, width, height, 1.0 / (width * height)) - 1.0
        along = larger(arm.r_min - r, r - arm.r_max)
        return larger(wall, larger(along, jnp.abs(z) - arm.z_max))

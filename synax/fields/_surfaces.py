"""Surfaces where a field jumps or bends, and where a straight ray cuts them.

`crossings(origin, direction)` gives signed distances along the ray (kpc); a crossing that does
not exist is `inf`. They are differentiable with respect to the surface's parameters and the
ray, so the integrator can put cell faces there and derivatives with respect to an edge come out
right.
"""

import abc
import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics._math import atan2, larger, log, safe_sqrt, smaller
from .._numerics._once import once
from .._parameters import parameter

Rays = Float[Array, "3 *#rays"]
Distances = Float[Array, "n_crossings *rays"]
Place = Float[np.ndarray, "3"]


class AbstractSurface(eqx.Module):
    """A surface that knows where a ray cuts it."""

    @abc.abstractmethod
    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        """Signed distances (kpc) of the crossings, `inf` where there are fewer; fixed number.

        **Arguments:**

        - `origin`: (3, *rays) kpc.
        - `direction`: unit vectors (3, *rays).
        """

    def gap(self, place: Place) -> float:
        """Distance (kpc, to first order) from a place to the surface; inf where it is not known.

        Computed by NumPy, for surfaces whose numbers are known.
        """
        del place
        return math.inf

    def left_out(self, origin: Rays, direction: Rays, faces: bool) -> Float[Array, "*rays"] | None:
        """Largest column (kpc cm^-3) on each ray of a small structure without a face.

        None where a surface is never left out.

        **Arguments:**

        - `origin`, `direction`: of the rays, kpc and unit vectors.
        - `faces`: whether crossings are faces at all.
        """
        del origin, direction, faces
        return None


def crossings_of(surfaces: Sequence[AbstractSurface], origin: Rays, direction: Rays) -> Distances:
    """Crossings of all surfaces, in no particular order.

    Surfaces of one kind are cut together: their code is compiled once.

    **Arguments:**

    - as for `AbstractSurface.crossings`.
    """
    kinds: list[list[AbstractSurface]] = []
    for surface in surfaces:
        alike = (kind for kind in kinds if _one_kind(surface, kind[0]))
        kind = next(alike, None)
        if kind is None:
            kinds.append(kind := [])
        kind.append(surface)
    found = [jnp.zeros((0, *direction.shape[1:]), direction.dtype)]
    for kind in kinds:
        if len(kind) == 1:
            found.append(kind[0].crossings(origin, direction))
            continue
        together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *kind)
        cut = jax.vmap(lambda surface: surface.crossings(origin, direction))(together)
        found.append(cut.reshape((-1, *cut.shape[2:])))
    return jnp.concatenate(found)


def _one_kind(a: AbstractSurface, b: AbstractSurface) -> bool:
    """Whether two surfaces differ in the values of their leaves only."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    shape = lambda x: (jnp.shape(x), jnp.result_type(x))
    return all(shape(x) == shape(y) for x, y in pairs)


def distinct(surfaces: Sequence[AbstractSurface]) -> tuple[int, ...]:
    """Numbers of the surfaces that do not repeat an earlier one, as far as values are known."""
    kept: list[int] = []
    for i, surface in enumerate(surfaces):
        if not any(_same(surface, surfaces[k]) for k in kept):
            kept.append(i)
    return tuple(kept)


def _same(a: AbstractSurface, b: AbstractSurface) -> bool:
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = list(zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    if any(x is not y and isinstance(v, jax.core.Tracer) for x, y in pairs for v in (x, y)):
        return False
    return all(x is y or np.array_equal(np.asarray(x), np.asarray(y)) for x, y in pairs)


@once
def _quadratic(a: Array, b: Array, c: Array) -> Distances:
    """Real roots of a t^2 + 2 b t + c = 0 in order, or inf; finite derivatives everywhere.

    As a goes to 0 one root leaves for infinity and the other is kept.
    """
    discriminant = b * b - a * c
    tiny = jnp.finfo(a.dtype).eps ** 2
    curved = a > tiny
    hit = (discriminant > 0) & (curved | (b * b > tiny))
    root = jnp.sqrt(jnp.where(hit, discriminant, 1.0))
    # q = b +- root without cancellation; the two roots are -q/a and -c/q
    q = jnp.where(b > 0, b + root, b - root)
    q_safe = jnp.where(hit & (q != 0), q, 1.0)
    t1, t2 = -q / jnp.where(hit & curved, a, 1.0), -c / q_safe
    t1 = jnp.where(curved, t1, jnp.inf)
    near, far = smaller(t1, t2), larger(t1, t2)
    return jnp.where(hit, jnp.stack([near, far]), jnp.inf)


def _column(vector: Array, like: Array) -> Array:
    return vector.astype(like.dtype).reshape((3,) + (1,) * (like.ndim - 1))


class Plane(AbstractSurface):
    """The plane z = `height` (kpc)."""

    height: Float[Array, ""] = parameter(0.0, "kpc", "height above the Galactic plane")

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        slope = direction[2]
        parallel = jnp.abs(slope) < 1e-12
        t = (self.height - origin[2]) / jnp.where(parallel, 1.0, slope)
        return jnp.where(parallel, jnp.inf, t)[None]

    def gap(self, place: Place) -> float:
        return abs(float(place[2] - self.height))


class Cylinder(AbstractSurface):
    """The infinite cylinder of `radius` (kpc) about the z axis through `center` (x, y)."""

    radius: Float[Array, ""] = parameter(..., "kpc", "cylindrical radius")
    center: Float[Array, "2"] = parameter((0.0, 0.0), "kpc", "position of the axis")

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        x, y = origin[0] - self.center[0], origin[1] - self.center[1]
        u, v = direction[0], direction[1]
        return _quadratic(u * u + v * v, x * u + y * v, x * x + y * y - self.radius**2)

    def gap(self, place: Place) -> float:
        return abs(float(np.hypot(*(place[:2] - np.asarray(self.center))) - self.radius))


class Wall(AbstractSurface):
    """The part of the cylinder of `radius` about the z axis that lies between two heights."""

    radius: Float[Array, ""] = parameter(..., "kpc", "cylindrical radius")
    z_min: Float[Array, ""] = parameter(..., "kpc", "lower end")
    z_max: Float[Array, ""] = parameter(..., "kpc", "upper end")

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        t = Cylinder(self.radius).crossings(origin, direction)
        z = origin[2] + jnp.where(jnp.isfinite(t), t, 0.0) * direction[2]
        return jnp.where((z > self.z_min) & (z < self.z_max), t, jnp.inf)

    def gap(self, place: Place) -> float:
        across = float(np.hypot(*place[:2]) - self.radius)
        beyond = max(float(self.z_min - place[2]), float(place[2] - self.z_max), 0.0)
        return math.hypot(across, beyond)


class FlaredCylinder(AbstractSurface):
    """The surface r = radius + slope |z|: two cones about the z axis that meet in the plane."""

    radius: Float[Array, ""] = parameter(..., "kpc", "cylindrical radius in the plane z = 0")
    slope: Float[Array, ""] = parameter(..., "", "growth of the radius with height, >= 0")

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        (x, y, z), (u, v, w) = origin, direction
        slope = self.slope * jnp.asarray([1.0, -1.0], z.dtype).reshape((2,) + (1,) * w.ndim)
        apex = self.radius + slope * z
        a = u * u + v * v - (slope * w) ** 2
        b = x * u + y * v - slope * w * apex
        c = x * x + y * y - apex * apex
        # one half's cone goes on beyond the plane, and as a mirrored cone beyond its apex
        turned = jnp.where(a < 0, -1.0, 1.0)
        t = _quadratic(turned * a, turned * b, turned * c)
        there = z + jnp.where(jnp.isfinite(t), t, 0.0) * w
        t = jnp.swapaxes(jnp.where(slope * there >= 0, t, jnp.inf), 0, 1)
        return t.reshape((4, *t.shape[2:]))

    def gap(self, place: Place) -> float:
        slope = float(self.slope)
        across = np.hypot(*place[:2]) - float(self.radius) - slope * abs(place[2])
        return abs(float(across)) / math.hypot(1.0, slope)


class Ellipsoid(AbstractSurface):
    """An ellipsoid with axes along x, y, z."""

    center: Float[Array, "3"] = parameter(..., "kpc", "centre")
    semi_axes: Float[Array, "3"] = parameter(..., "kpc", "semi-axes")

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        axes = _column(self.semi_axes, origin)
        p, d = (origin - _column(self.center, origin)) / axes, direction / axes
        return _quadratic(jnp.sum(d * d, 0), jnp.sum(p * d, 0), jnp.sum(p * p, 0) - 1.0)

    def gap(self, place: Place) -> float:
        axes = np.asarray(self.semi_axes)
        return _gap_of_quadric(place - np.asarray(self.center), np.diag(1.0 / axes**2))


class Quadric(AbstractSurface):
    """The general quadric (x - c)^T A (x - c) = 1 (tilted ellipsoids, slanted cylinders)."""

    center: Float[Array, "3"] = parameter(..., "kpc", "centre")
    matrix: Float[Array, "3 3"] = parameter(..., "kpc-2", "symmetric matrix A")

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        matrix = self.matrix.astype(origin.dtype)
        p = origin - _column(self.center, origin)
        ap, ad = (_turned(matrix, v) for v in (p, direction))
        return _quadratic(jnp.sum(direction * ad, 0), jnp.sum(p * ad, 0), jnp.sum(p * ap, 0) - 1.0)

    def gap(self, place: Place) -> float:
        return _gap_of_quadric(place - np.asarray(self.center), np.asarray(self.matrix))


def _turned(matrix: Float[Array, "3 3"], v: Rays) -> Rays:
    """Matrix times vectors (3, ...): as sums, which XLA fuses with what follows."""
    x, y, z = v
    return jnp.stack([row[0] * x + row[1] * y + row[2] * z for row in matrix])


def _gap_of_quadric(offset: Place, matrix: Float[np.ndarray, "3 3"]) -> float:
    value, slope = offset @ matrix @ offset - 1.0, 2.0 * np.linalg.norm(matrix @ offset)
    return float(abs(value) / slope) if slope > 0 else math.inf


class LogarithmicSpirals(AbstractSurface):
    """Walls r = radius_j exp(phi tan(pitch)), any winding, between two cylindrical radii.

    All walls share one pitch angle. Along a straight ray at distance t from its closest approach
    b to the axis, ln r - phi tan(pitch) has exactly one turning point, t = b tan(pitch): on
    each side it is monotone, so every winding of every wall is met at most once there and a
    safeguarded Newton iteration finds it; one last step carries first and second derivatives.
    """

    radii: Float[Array, "n_walls"] = parameter(..., "kpc", "radius of each wall at phi = 0")
    pitch: Float[Array, ""] = parameter(..., "rad", "pitch angle, > 0 where r grows with phi")
    r_min: Float[Array, ""] = parameter(..., "kpc", "inner end of the walls")
    r_max: Float[Array, ""] = parameter(..., "kpc", "outer end of the walls")
    windings: int = eqx.field(static=True, default=2)
    """How many windings of one wall a ray can meet on one side of its turning point."""

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        k = jnp.tan(self.pitch).astype(origin.dtype)
        u, v = direction[0], direction[1]
        norm2 = u * u + v * v
        vertical = norm2 < 1e-12
        norm = jnp.sqrt(jnp.where(vertical, 1.0, norm2))
        u, v = u / norm, v / norm
        closest = -(origin[0] * u + origin[1] * v)  # horizontal path to closest approach
        impact = origin[0] * v - origin[1] * u  # signed: > 0 when moving anticlockwise
        # moving along +t the azimuth turns by sense * atan(t / b); a ray through the axis may be
        # taken to pass it on either side
        sense = jnp.where(impact > 0, 1.0, -1.0)
        phi0 = atan2(-u * sense, v * sense)  # azimuth of the point of closest approach
        b = sense * impact + 1e-9
        turn = sense * k * b

        def phase(t: Array) -> Array:
            return 0.5 * log(b * b + t * t) - k * (
                phi0 + sense * atan2(t, jnp.broadcast_to(b, t.shape))
            )

        t_end = safe_sqrt(self.r_max**2 - b * b)
        t_start = safe_sqrt(self.r_min**2 - b * b)
        period = 2.0 * math.pi * jnp.abs(k)
        level = jnp.log(self.radii).astype(origin.dtype)
        level = level.reshape((-1,) + (1,) * b.ndim)
        # axes: side of the turning point, winding, wall, rays
        side = jnp.asarray([-1.0, 1.0], b.dtype).reshape((2, 1, 1) + (1,) * b.ndim)
        end = side * larger(t_end, 1e-9)
        start = jnp.where(jnp.abs(turn) > t_start, turn, side * t_start)
        start = jnp.clip(start, -jnp.abs(end), jnp.abs(end))
        low, high = phase(start), phase(end)
        first = jnp.ceil((smaller(low, high) - level) / period)
        winding = first + jnp.arange(self.windings).reshape((-1, 1) + (1,) * b.ndim)
        target = level + winding * period
        exists = (target <= larger(low, high)) & (t_end > 0) & ~vertical
        t = self._solve(phase, target, exists, start, end, high > low, b, k, sense)
        t = t.reshape((-1, *b.shape))
        radius2 = b * b + jnp.where(jnp.isfinite(t), t, 0.0) ** 2
        valid = jnp.isfinite(t) & (radius2 > self.r_min**2) & (radius2 < self.r_max**2)
        return jnp.where(valid, (closest + t) / norm, jnp.inf)

    def gap(self, place: Place) -> float:
        x, y, _ = place
        r = float(np.hypot(x, y))
        if not float(self.r_min) < r < float(self.r_max):
            return math.inf
        k = math.tan(float(self.pitch))
        windings = (math.log(r) - np.log(np.asarray(self.radii)) - k * np.arctan2(y, x)) / k
        turns = windings / (2.0 * math.pi)
        nearest = float(np.min(np.abs(turns - np.round(turns))))
        return nearest * 2.0 * math.pi * r * abs(math.sin(float(self.pitch)))

    def _solve(
        self,
        phase: Any,
        target: Array,
        exists: Array,
        start: Array,
        end: Array,
        rising: Array,
        b: Array,
        k: Array,
        sense: Array,
    ) -> Array:
        """Root of phase(t) = target between start and end (monotone there), or inf."""
        fixed = jax.lax.stop_gradient
        low = jnp.broadcast_to(fixed(start), target.shape)
        high = jnp.broadcast_to(fixed(end), target.shape)

        def slope(t: Array) -> Array:
            return (t - sense * k * b) / (b * b + t * t)

        near_enough = 0.01 * math.sqrt(jnp.finfo(b.dtype).eps)  # kpc; the last step squares it

        def open_still(state: tuple[Array, ...]) -> Array:
            round, *_, moving = state
            return (round < 24) & moving

        def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
            round, low, high, t, _ = state
            ahead = fixed(phase(t) - target)
            beyond = (ahead > 0) == rising
            high, low = jnp.where(beyond, t, high), jnp.where(beyond, low, t)
            newton = t - ahead / fixed(slope(t))
            inside = (newton - low) * (newton - high) <= 0
            new = jnp.where(inside, newton, 0.5 * (low + high))
            moving = jnp.any(exists & (jnp.abs(new - t) > near_enough))
            return round + 1, low, high, new, moving

        begin = (jnp.zeros((), jnp.int32), low, high, 0.5 * (low + high), jnp.asarray(True))
        t = jax.lax.while_loop(open_still, step, begin)[3]
        t = jnp.where(exists, fixed(t), 2.0 * b)
        rate = jnp.where(exists, slope(t), 1.0)
        move = (phase(t) - target) / rate
        # one step has the first derivatives; zero but for its second derivative, this has those
        size2 = b * b + t * t
        bend = fixed((size2 - 2.0 * t * (t - sense * k * b)) / (size2 * size2 * rate))
        rest = move - fixed(move)
        return jnp.where(exists, t - move - 0.5 * bend * (rest * rest), jnp.inf)


class Moved(AbstractSurface):
    """Another surface, turned by `rotation` about the origin and then shifted by `offset`."""

    surface: AbstractSurface
    rotation: Float[Array, "3 3"]
    offset: Float[Array, "3"]

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        back = self.rotation.T.astype(origin.dtype)
        shifted = origin - _column(self.offset, origin)
        return self.surface.crossings(_turned(back, shifted), _turned(back, direction))

    def gap(self, place: Place) -> float:
        back = np.asarray(self.rotation).T
        return self.surface.gap(back @ (place - np.asarray(self.offset)))

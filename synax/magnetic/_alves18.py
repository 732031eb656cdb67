"""Direction of the field in the wall of the Local Bubble, after Alves et al. (2018)."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import safe_sqrt, sincos
from .._parameters import Scalar, parameter
from .._shown import Shown

Directions = Float[Array, "3 *rays"]


class Alves18(Shown):
    """Direction of the field in a thin spheroidal shell round the Sun, seen along each sightline.

    A uniform field along n_0, swept into the shell by an explosion at its centre: with e the unit
    vector from the centre of the spheroid to the point of the shell and n the shell's normal,

    B ~ n x (n_0 x e) = n_0 (n.e) - e (n.n_0).

    It has no strength, so it is no field to be integrated: use it for angles of dust polarisation,
    which cannot tell B from -B. Its axes are Galactic, as `Sightlines.direction` is.

    ```python
    rays = synax.Sightlines.healpix(4)
    shell = synax.magnetic.Alves18()
    print(shell(rays.direction).shape, shell.distance(rays.direction).shape)
    ```

    **Reference:** Alves et al. 2018, A&A 611, L5, in the reading of imagine-models (2026).
    """

    longitude: Scalar = parameter(
        math.radians(71.0), "rad", "Galactic longitude that n_0 points to (71 deg)"
    )
    latitude: Scalar = parameter(
        math.radians(-16.0), "rad", "Galactic latitude that n_0 points to (-16 deg)"
    )
    radius: Scalar = parameter(0.1, "kpc", "equatorial semi-axis a of the spheroid", above=0.0)
    elongation: Scalar = parameter(2.7, "", "polar semi-axis over a", above=0.0)
    centre: Float[Array, "3"] = parameter(
        (0.17, 0.56, 0.0), "", "centre of the spheroid from the Sun, over a"
    )
    psi: Scalar = parameter(math.radians(216.0), "rad", "azimuth of the axis's tilt (216 deg)")
    theta: Scalar = parameter(math.radians(30.0), "rad", "tilt of the axis from z (30 deg)")

    def __call__(self, direction: Directions) -> Directions:
        """Unit vectors of B (3, *rays) where sightlines along `direction` meet the shell."""
        normal, e = self._at_shell(direction)
        (sin_l, cos_l), (sin_b, cos_b) = sincos(self.longitude), sincos(self.latitude)
        n_0 = _column(jnp.stack([cos_b * cos_l, cos_b * sin_l, sin_b]), direction)
        b = n_0 * _dot(normal, e) - e * _dot(normal, n_0)
        return _unit(b)

    def distance(self, direction: Directions) -> Float[Array, "*rays"]:
        """Distance (kpc) of the shell along unit vectors `direction` (3, *rays)."""
        centre = self._centre(direction)
        q_u, q_c = self._quadric(direction), self._quadric(centre)
        uu, uc, cc = _dot(direction, q_u), _dot(direction, q_c), _dot(centre, q_c)
        return (uc + safe_sqrt(uc * uc - uu * (cc - 1.0))) / uu

    def normal(self, direction: Directions) -> Directions:
        """Outward unit normals (3, *rays) of the shell along `direction`."""
        return self._at_shell(direction)[0]

    def _at_shell(self, direction: Directions) -> tuple[Directions, Directions]:
        offset = self.distance(direction) * direction - self._centre(direction)
        return _unit(self._quadric(offset)), _unit(offset)

    def _centre(self, like: Directions) -> Float[Array, "3 ..."]:
        return _column(self.radius * self.centre, like)

    def _quadric(self, v: Float[Array, "3 ..."]) -> Float[Array, "3 ..."]:
        """(1 - k k^T) v / a^2 + k (k.v) / (elongation a)^2, k the axis."""
        (sin_p, cos_p), (sin_t, cos_t) = sincos(self.psi), sincos(self.theta)
        k = _column(jnp.stack([sin_p * sin_t, -cos_p * sin_t, cos_t]), v)
        along = _dot(k, v)
        polar = self.elongation * self.radius
        return (v - along * k) / self.radius**2 + along * k / polar**2


def _dot(a: Float[Array, "3 ..."], b: Float[Array, "3 ..."]) -> Float[Array, "..."]:
    return jnp.sum(a * b, axis=0)


def _unit(v: Directions) -> Directions:
    return v / jnp.sqrt(_dot(v, v))


def _column(v: Float[Array, "3"], like: Directions) -> Float[Array, "3 ..."]:
    return v.astype(like.dtype).reshape((3,) + (1,) * (like.ndim - 1))

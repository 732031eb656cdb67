"""The spiral disc with reversals of Han et al. (2018), and its form in Xu & Han (2024)."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import atan2, cylindrical_radius, kept, log, sincos, vector
from .._parameters import ModelInfo, Scalar, described, parameter
from ..fields._field import AbstractVectorField
from ..fields._surfaces import (
    AbstractSurface,
    Cylinder,
    Distances,
    LogarithmicSpirals,
    Plane,
    Rays,
)
from ._jf12_parts import in_arm


class Han18(AbstractVectorField):
    """The disc of Han et al. (2018): seven spiral zones whose fields alternate in sense.

    With t = phi + pi in (0, 2 pi], the azimuth past the Sun's, and k = tan(pitch), a point belongs
    to the zone i with r_zones[i] < R < r_zones[i+1] of

    R = r exp(-t k), or one turn further out (R exp(2 pi k)) where R is below the first radius,
    or one turn further in (R exp(-2 pi k)) where that is above the last but one. There

    B = b_zones[i] exp(-r / l_r - |z| / l_z) [sin(pitch) e_r + cos(pitch) e_phi]

    for r_min <= r <= r_max; zero elsewhere. b > 0 is anticlockwise seen from the north.

    The last zone is never reached: its points are always one turn further in. With a Sun nearer
    than 8.5 kpc the local field has the wrong sense; `XH24Disc()` moves that boundary to 8.16 kpc.

    **Reference:** Han et al. 2018, ApJS 234, 11 (arXiv:1712.01997), eq. 4 and table 5, in the
    reading of imagine-models (2026), whose program defines the rule of turns.
    """

    b_zones: Float[Array, "n_zones"] = parameter(
        (4.5, -3.0, 6.3, -4.7, 3.3, -8.7, 0.0), "uG", "strength of each zone at r = 0, z = 0"
    )
    r_zones: Float[Array, "n_radii"] = parameter(
        (3.0, 4.1, 4.9, 6.1, 7.5, 8.5, 10.5, 15.0),
        "kpc",
        "radii of the zones' walls at the Sun's azimuth",
        above=0.0,
    )
    pitch: Scalar = parameter(math.radians(11.0), "rad", "pitch angle of walls and field (11 deg)")
    l_r: Scalar = parameter(5.0, "kpc", "radial scale length, A", above=0.0)
    l_z: Scalar = parameter(0.4, "kpc", "scale height, H", above=0.0)
    r_min: Scalar = parameter(3.0, "kpc", "inner edge", above=0.0)
    r_max: Scalar = parameter(15.0, "kpc", "outer edge", minimum=0.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Han et al. 2018, ApJS 234, 11",
        sun=(-8.5, 0.0, 0.0),
        notes="a disc only, horizontal; B = 0 at the Sun and the wrong sense just inside it (see "
        "XH24Disc); away from jumps rms of div B is 0.014 |B|/kpc; flux ends at both radii and on "
        "a seam at the Sun's azimuth, 10.2 < r < 10.5 kpc",
    )

    def __check_init__(self):
        if self.r_zones.shape[0] != self.b_zones.shape[0] + 1:
            raise ValueError(
                f"Han18: r_zones must have one entry more than b_zones ({self.b_zones.shape[0]}), "
                f"got {self.r_zones.shape[0]}"
            )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        r = cylindrical_radius(x, y)
        within = (r >= self.r_min) & (r <= self.r_max)
        r, x, y = (jnp.where(within, v, c) for v, c in ((r, 8.0), (x, -8.0), (y, 0.0)))
        sin_p, cos_p = sincos(self.pitch)
        k = sin_p / cos_p
        turn, walls = 2.0 * math.pi * k, jnp.log(self.r_zones)
        first = log(r) - k * (atan2(y, x) + math.pi)  # ln R
        winding = jnp.where(first < walls[0], first + turn, first)
        winding = jnp.where(winding > walls[-2], first - turn, winding)
        # zones run outwards, arms of JF12 inwards: hence the signs; empty inside and outside
        values = jnp.pad(self.b_zones, 1)
        ends = -jnp.concatenate([walls, jnp.full((1,), jnp.inf, walls.dtype)])
        b = in_arm(values, -winding, ends) * jnp.exp(kept(-r / self.l_r - jnp.abs(z) / self.l_z))
        per_r = jnp.where(within, b, 0.0) / r
        along, across = per_r * sin_p, per_r * cos_p
        return vector(along * x - across * y, along * y + across * x, 0.0 * z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        # the last wall is out of reach; a ray may meet three turns of one wall
        radii = self.r_zones[:-1] * jnp.exp(math.pi * jnp.tan(self.pitch))
        walls = LogarithmicSpirals(radii, self.pitch, self.r_min, self.r_max, windings=3)
        turn = jnp.exp(2.0 * math.pi * jnp.tan(self.pitch))
        seam = Seam(self.r_zones[0] * turn, self.r_zones[-2])
        return (Cylinder(self.r_min), Cylinder(self.r_max), Plane(), walls, seam)


@described(
    ModelInfo(
        paper="Xu & Han 2024, ApJ 966, 240; Han et al. 2018, ApJS 234, 11",
        sun=(-8.3, 0.0, 0.0),
        notes="Han18 with the local reversal at 8.16 kpc and an edge at 20 kpc; "
        "add XH24 for the halo",
    )
)
def XH24Disc(**changes: Any) -> Han18:
    """The disc that Xu & Han (2024) combine with their halo: Han18 with three numbers changed.

    The reversal near the Sun lies at 8.16 kpc and not at 8.5, the last zone has 4.5 microgauss,
    and the disc ends at 20 kpc. Its field at the Sun has the sense that is observed. `changes` are
    further arguments of `Han18`.

    **Reference:** Xu & Han 2024, ApJ 966, 240, in the reading of imagine-models (2026).
    """
    published = {
        "b_zones": (4.5, -3.0, 6.3, -4.7, 3.3, -8.7, 4.5),
        "r_zones": (3.0, 4.1, 4.9, 6.1, 7.5, 8.16, 10.5, 15.0),
        "r_max": 20.0,
    }
    return Han18(**{**published, **changes})


class Seam(AbstractSurface):
    """The part of the half-plane at the Sun's azimuth (y = 0, x < 0) between two radii."""

    r_min: Scalar = parameter(..., "kpc", "inner end")
    r_max: Scalar = parameter(..., "kpc", "outer end")

    def crossings(self, origin: Rays, direction: Rays) -> Distances:
        parallel = jnp.abs(direction[1]) < 1e-12
        t = -origin[1] / jnp.where(parallel, 1.0, direction[1])
        r = -(origin[0] + t * direction[0])
        return jnp.where(parallel | (r < self.r_min) | (r > self.r_max), jnp.inf, t)[None]

"""Sightlines: where to look from, in which directions, and how far."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from .._numerics._math import larger, smaller
from .._numerics._mesh import as_mesh
from .._parameters import as_parameter, holds
from ..fields._domain import AbstractDomain, Box

SUN = (-8.3, 0.0, 0.006)
"""Default observer (kpc): the Sun of the paper and of YMW16."""


def _default_domain() -> Box:
    return Box((20.0, 20.0, 5.0))


class Sightlines(eqx.Module):
    """A set of straight rays with a polarisation basis, each with a near and a far end.

    Use one of the constructors `healpix`, `from_lonlat`, `parallel`. The observer and the domain
    are leaves, so derivatives with respect to them exist.
    """

    observer: Float[Array, "3 *n_rays"]
    """Origin of the rays (3,) or, for parallel rays, of each (3, n_rays); kpc."""
    direction: Float[Array, "3 n_rays"]
    """Unit vectors away from the observer."""
    east: Float[Array, "3 n_rays"]
    """Unit vectors e_l toward increasing longitude (to the right in `parallel` images)."""
    north: Float[Array, "3 n_rays"]
    """Unit vectors e_b toward increasing latitude (up in `parallel` images)."""
    domain: AbstractDomain
    minimum_distance: Float[Array, "*start"]
    """Where all rays start, or each of them (kpc)."""
    distance: Float[Array, " n_rays"] | None = None
    """Where each ray ends (kpc) if before the domain's wall; None: at the wall."""
    pixels: Int[np.ndarray, " n_rays"] | None = eqx.field(static=False, default=None)
    nside: int | None = eqx.field(static=True, default=None)
    ordering: str = eqx.field(static=True, default="RING")
    image_shape: tuple[int, int] | None = eqx.field(static=True, default=None)
    mesh: jax.sharding.Mesh | None = eqx.field(static=True, default=None)
    """Devices the rays are divided over; None: no division."""

    @property
    def n_rays(self) -> int:
        """Number of sightlines."""
        return self.direction.shape[1]

    def span(self) -> tuple[Float[Array, " n_rays"], Float[Array, " n_rays"]]:
        """Distances (kpc) of the near and far end of each ray; equal where it misses the domain."""
        near, far = self.domain.span(self.origin, self.direction)
        if self.distance is not None:
            far = smaller(far, self.distance)
        near = larger(near, self.minimum_distance)
        return near, larger(near, far)

    @property
    def origin(self) -> Float[Array, "3 _"]:
        """Origin of the rays, shaped to broadcast against `direction`."""
        return self.observer if self.observer.ndim == 2 else self.observer[:, None]

    def sharded(self, devices: Any = None) -> "Sightlines":
        """The same sightlines divided over several devices.

        **Arguments:** `devices`: a list of devices or a one-dimensional `jax.sharding.Mesh`;
        default: all there are, on every host. Simulators called with the result run on all of
        them, with parameters replicated and one reduction for a gradient; nothing else changes.
        """
        mesh = as_mesh(devices)
        rays = dataclasses.replace(self, mesh=mesh)
        known = not isinstance(self.direction, jax.core.Tracer)
        if known and jax.process_count() == 1 and self.n_rays % mesh.size == 0:
            across = jax.sharding.NamedSharding(
                mesh, jax.sharding.PartitionSpec(None, *mesh.axis_names)
            )
            placed = jax.device_put((self.direction, self.east, self.north), across)
            names = ("direction", "east", "north")
            rays = dataclasses.replace(rays, **dict(zip(names, placed, strict=True)))
        return rays

    def replicate(self, tree: PyTree) -> PyTree:
        """A simulator (any PyTree) with its arrays copied to every device of these sightlines.

        Without it JAX copies them again at every call from outside `jit`, which matters for grids.
        Grids that are `sharded` over the same devices stay divided.
        """
        if self.mesh is None:
            return tree
        everywhere = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec())

        def place(x: Any) -> Any:
            where = getattr(x, "sharding", None)
            here = isinstance(where, jax.sharding.NamedSharding) and where.mesh == self.mesh
            return x if here else eqx.filter_shard(x, everywhere)

        return jax.tree.map(place, tree)

    def __check_init__(self):
        if self.distance is not None and not holds(self.distance, lambda x: x > 0):
            raise ValueError("distance must be positive (kpc)")
        if self.minimum_distance.ndim and self.minimum_distance.shape != (self.n_rays,):
            raise ValueError(
                f"minimum_distance must be a number or one for each of {self.n_rays} rays, got "
                f"shape {self.minimum_distance.shape}"
            )

    @staticmethod
    def healpix(
        nside: int,
        observer: Any = SUN,
        domain: AbstractDomain | None = None,
        *,
        pixels: Any = None,
        mask: Any = None,
        ordering: str = "RING",
        minimum_distance: Any = 0.0,
    ) -> "Sightlines":
        """The pixel centres of a HEALPix map in Galactic coordinates.

        **Arguments:**

        - `nside`: HEALPix resolution (a power of two in NEST).
        - `observer`: position (3,) kpc.
        - `domain`: region of integration; default: the box of half-lengths (20, 20, 5) kpc.
        - `pixels`: pixel numbers in `ordering`; default: the whole sky.
        - `mask`: boolean map of 12 nside^2, True where a sightline is wanted (instead of pixels).
        - `ordering`: 'RING' or 'NEST'.
        - `minimum_distance`: where the rays start (kpc), a number or one for each.

        **Raises** `ValueError` for an invalid nside, ordering, mask or pixel list.

        **Reference:** Gorski et al. 2005, ApJ 622, 759.
        """
        import healpy

        if isinstance(nside, bool) or int(nside) != nside or not healpy.isnsideok(int(nside)):
            raise ValueError(f"nside must be a positive integer HEALPix accepts, got {nside!r}")
        if ordering not in ("RING", "NEST"):
            raise ValueError(f"ordering must be 'RING' or 'NEST', got {ordering!r}")
        if ordering == "NEST" and not healpy.isnsideok(int(nside), nest=True):
            raise ValueError(f"nside must be a power of two in NEST ordering, got {nside}")
        nside, n_pixels = int(nside), 12 * int(nside) ** 2
        if pixels is not None and mask is not None:
            raise ValueError("give pixels or mask, not both")
        if mask is not None:
            mask = np.asarray(mask)
            if mask.shape != (n_pixels,) or mask.dtype != bool:
                raise ValueError(
                    f"mask must be a boolean array of shape ({n_pixels},) for nside {nside}, "
                    f"got {mask.dtype} of shape {mask.shape}"
                )
            pixels = np.flatnonzero(mask)
        if pixels is not None:
            pixels = np.asarray(pixels)
            if pixels.ndim != 1 or pixels.size == 0 or not np.issubdtype(pixels.dtype, np.integer):
                raise ValueError("pixels must be a non-empty one-dimensional array of integers")
            if pixels.min() < 0 or pixels.max() >= n_pixels:
                raise ValueError(f"pixels must lie in 0..{n_pixels - 1} for nside {nside}")
        numbers = np.arange(n_pixels) if pixels is None else pixels
        lon, lat = healpy.pix2ang(nside, numbers, nest=ordering == "NEST", lonlat=True)
        return _from_angles(
            np.radians(lon),
            np.radians(lat),
            observer,
            domain,
            minimum_distance,
            pixels=pixels,
            nside=nside,
            ordering=ordering,
        )

    @staticmethod
    def from_lonlat(
        l: Any,
        b: Any = None,
        distance: Any = None,
        *,
        observer: Any = SUN,
        domain: AbstractDomain | None = None,
        minimum_distance: Any = 0.0,
    ) -> "Sightlines":
        """Directions from a catalogue (pulsars, extragalactic sources).

        **Arguments:**

        - `l`, `b`: Galactic longitude and latitude in degrees (n_rays,), or astropy Quantities;
          or `l` alone as a `SkyCoord` of any frame, whose distances count if it has any.
        - `distance`: kpc (or Quantity), a number or (n_rays,); None: to the domain's wall.

        **Raises** `ValueError` for shapes that differ, latitudes beyond 90 degrees, distances
        that are not positive.
        """
        if hasattr(l, "galactic"):
            sky = l.galactic
            l, b = sky.l, sky.b
            if distance is None and sky.distance.unit.physical_type == "length":
                distance = np.atleast_1d(sky.distance.to_value("kpc"))
        l, b = (np.atleast_1d(_value(a, "deg")).astype(float) for a in (l, b))
        if l.shape != b.shape or l.ndim != 1:
            raise ValueError(f"l and b must be (n_rays,) alike, got {l.shape} and {b.shape}")
        if not (np.all(np.isfinite(l)) and np.all(np.abs(b) <= 90.0)):
            raise ValueError("l and b must be finite degrees, with -90 <= b <= 90")
        if distance is not None:
            distance = as_parameter(distance, "kpc")
            distance = jnp.broadcast_to(distance, l.shape)
        return _from_angles(
            np.radians(l), np.radians(b), observer, domain, minimum_distance, distance=distance
        )

    @staticmethod
    def parallel(
        shape: tuple[int, int],
        extent: Any,
        *,
        inclination: float = 0.0,
        position_angle: float = 0.0,
        azimuth: float = 0.0,
        center: Any = (0.0, 0.0, 0.0),
        distance: Any = 100.0,
        domain: AbstractDomain | None = None,
    ) -> "Sightlines":
        """A galaxy seen from far away: parallel rays through an image plane.

        **Arguments:**

        - `shape`: pixels (ny, nx), rows from bottom to top.
        - `extent`: full width and height of the image; here and below kpc or Quantities.
        - `inclination`: degrees between the line of sight and the galaxy's axis: 0 looks down on
          the north face, 90 edge-on.
        - `azimuth`: degrees; the side of the galaxy that faces the observer when inclined.
        - `position_angle`: degrees the image is turned anticlockwise.
        - `center`: point at the centre of the image (kpc). `distance`: of the image plane behind
          which rays start (kpc); it must lie outside the domain.

        Polarisation angles count from image up (north) towards image left (east).
        """
        if len(shape) != 2 or min(shape) < 1:
            raise ValueError(f"shape must be (ny, nx) with positive integers, got {shape}")
        sides = [float(_value(side, "kpc")) for side in extent]
        if len(sides) != 2 or min(sides) <= 0:
            raise ValueError(f"extent must be (width, height), positive (kpc), got {extent}")
        width, height = sides
        center, distance = np.asarray(_value(center, "kpc"), float), _value(distance, "kpc")
        inc, pa, az = (np.radians(_value(a, "deg")) for a in (inclination, position_angle, azimuth))
        toward = np.array([np.sin(inc) * np.cos(az), np.sin(inc) * np.sin(az), np.cos(inc)])
        up = np.array([-np.cos(inc) * np.cos(az), -np.cos(inc) * np.sin(az), np.sin(inc)])
        n = -toward
        left = np.cross(up, n)
        up, left = np.cos(pa) * up + np.sin(pa) * left, np.cos(pa) * left - np.sin(pa) * up
        ny, nx = shape
        across = (np.arange(nx) + 0.5) / nx - 0.5
        along = (np.arange(ny) + 0.5) / ny - 0.5
        h, v = np.meshgrid(across * width, along * height)
        origin = center[:, None] - distance * n[:, None]
        origin = origin - left[:, None] * h.ravel() + up[:, None] * v.ravel()
        ones = np.ones((1, ny * nx))
        real = jnp.result_type(float)
        return Sightlines(
            jnp.asarray(origin, real),
            *(jnp.asarray(a[:, None] * ones, real) for a in (n, left, up)),
            _default_domain() if domain is None else domain,
            as_parameter(0.0),
            image_shape=(ny, nx),
        )


def _value(quantity: Any, unit: str) -> Any:
    return quantity.to_value(unit) if hasattr(quantity, "to_value") else quantity


def _from_angles(
    lon: Float[np.ndarray, " n_rays"],
    lat: Float[np.ndarray, " n_rays"],
    observer: Any,
    domain: AbstractDomain | None,
    minimum_distance: Any,
    **kwargs: Any,
) -> Sightlines:
    observer = as_parameter(observer, "kpc")
    if observer.shape != (3,):
        raise ValueError(f"observer must be a position (3,) in kpc, got shape {observer.shape}")
    sl, cl, sb, cb = np.sin(lon), np.cos(lon), np.sin(lat), np.cos(lat)
    frame = (
        np.stack([cb * cl, cb * sl, sb]),
        np.stack([-sl, cl, np.zeros_like(sl)]),
        np.stack([-sb * cl, -sb * sl, cb]),
    )
    return Sightlines(
        observer,
        *(jnp.asarray(v, observer.dtype) for v in frame),
        _default_domain() if domain is None else domain,
        as_parameter(minimum_distance, "kpc"),
        **kwargs,
    )

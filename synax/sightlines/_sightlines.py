"""Sightlines: where to look from, in which directions, and how far."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from .. import _checks as checks
from .._numerics._math import larger, smaller
from .._numerics._mesh import as_mesh
from .._parameters import as_parameter
from .._shown import number
from ..fields._domain import AbstractDomain, Box
from ._frames import basis, in_frame, lonlat, rotation
from ._image import check_image_plane, image_plane
from ._pixels import centres, pixel_numbers, pixels_of_mask, spread
from ._tables import as_table, positions, role

SUN = (-8.3, 0.0, 0.006)
"""Default observer (kpc): the Sun of the paper and of YMW16."""


RAY_BYTES = 10 * 8
"""Memory of one sightline: three unit vectors and a pixel number."""


def _default_domain() -> Box:
    return Box((20.0, 20.0, 5.0))


class Sightlines(eqx.Module):
    """A set of straight rays with a polarisation basis, each with a near and a far end.

    Use one of the constructors `healpix`, `from_lonlat`, `from_table`, `parallel`. The observer
    and the domain are leaves, so derivatives with respect to them exist.
    """

    observer: Float[Array, "3 *n_rays"]
    """Origin of the rays (3,) or, for parallel rays, of each (3, n_rays); kpc."""
    direction: Float[Array, "3 n_rays"]
    """Unit vectors away from the observer."""
    east: Float[Array, "3 n_rays"]
    """Unit vectors e_l toward increasing longitude (to the left in `parallel` images)."""
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
    frame: str = eqx.field(static=True, default="galactic")
    """Whose longitude and latitude `east` and `north` follow."""
    subsamples: int = eqx.field(static=True, default=1)
    """Rays on a side of each pixel; `mean` averages over them."""
    mesh: jax.sharding.Mesh | None = eqx.field(static=True, default=None)
    """Devices the rays are divided over; None: no division."""

    def __repr__(self) -> str:
        start = number(self.observer) if self.observer.ndim == 1 else "an image plane"
        where = f"{self.n_rays} sightlines from {start} kpc in {self.domain!r}"
        facts = []
        if self.nside is not None:
            facts.append(f"NSIDE {self.nside} {self.ordering}")
        if self.image_shape is not None:
            facts.append(f"image of {self.image_shape[0]} x {self.image_shape[1]} pixels")
        facts += [self.frame] if self.image_shape is None else []
        facts += ["to distances of their own"] if self.distance is not None else []
        facts += [f"over {self.mesh.size} devices"] if self.mesh is not None else []
        return f"Sightlines: {where}; {', '.join(facts)}"

    @property
    def n_rays(self) -> int:
        """Number of sightlines."""
        return self.direction.shape[1]

    def per_ray(self) -> "Sightlines":
        """Which leaves have a last axis of rays."""
        spec = jax.tree.map(lambda _: False, self)
        origin, start = self.observer.ndim == 2, self.minimum_distance.ndim == 1
        end = None if self.distance is None else True
        return eqx.tree_at(
            lambda r: (r.observer, r.direction, r.east, r.north, r.minimum_distance, r.distance),
            spec,
            (origin, True, True, True, start, end),
            is_leaf=lambda n: n is None,
        )

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

    def take(self, numbers: Any) -> "Sightlines":
        """Some of the sightlines, in the order of `numbers`, which may repeat; on one device.

        **Raises** `ValueError` for numbers that are no integers from 0 to `n_rays` - 1.
        """
        numbers = np.asarray(checks.concrete("numbers", numbers))
        if numbers.dtype == bool or not np.issubdtype(numbers.dtype, np.integer):
            raise ValueError(f"numbers must be integers, got {numbers.dtype}")
        if numbers.ndim != 1 or numbers.size == 0:
            raise ValueError(f"numbers must be (n,), n > 0, got shape {numbers.shape}")
        if numbers.min() < 0 or numbers.max() >= self.n_rays:
            raise ValueError(
                f"numbers must lie in 0..{self.n_rays - 1}, got {numbers.min()} to {numbers.max()}"
            )
        pick = lambda x: jnp.asarray(np.asarray(x)[..., numbers])
        spec = dataclasses.replace(self, mesh=None, image_shape=None, pixels=None)
        chosen = jax.tree.map(lambda x, ray: pick(x) if ray else x, spec, spec.per_ray())
        pixels = self.pixels
        if pixels is None and self.nside is not None:
            pixels = np.arange(self.n_rays) // self.subsamples**2
        pixels = None if pixels is None else np.asarray(pixels)[numbers]
        return dataclasses.replace(chosen, pixels=pixels, subsamples=1)

    def mean(self, seen: PyTree) -> PyTree:
        """The mean over the rays of each pixel: of arrays (..., n_rays), such as `Stokes`."""
        if self.subsamples == 1:
            return seen
        each = self.subsamples**2
        return jax.tree.map(lambda x: jnp.mean(x.reshape(*x.shape[:-1], -1, each), -1), seen)

    def sharded(self, devices: Any = None) -> "Sightlines":
        """The same sightlines divided over several devices.

        **Arguments:**

        - `devices`: a list of devices or a one-dimensional `jax.sharding.Mesh`; default: all there
          are, on every host. Simulators called with the result run on all of them, with parameters
          replicated and one reduction for a gradient; nothing else changes.
        """
        mesh = as_mesh(devices)
        rays = dataclasses.replace(self, mesh=mesh)
        known = not isinstance(self.direction, jax.core.Tracer)
        if known and jax.process_count() == 1 and self.n_rays % mesh.size == 0:
            across = jax.sharding.NamedSharding(
                mesh, jax.sharding.PartitionSpec(None, *mesh.axis_names)
            )
            vectors = lambda rays: (rays.direction, rays.east, rays.north)
            # not by `replace`, whose checks would wait for what the devices are at
            rays = eqx.tree_at(vectors, rays, jax.device_put(vectors(self), across))
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
        if not isinstance(self.domain, AbstractDomain | jax.ShapeDtypeStruct):
            checks.instance("domain", self.domain, AbstractDomain, "a synax.Box or synax.Sphere")
        if eqx.is_array(self.direction) and self.direction.shape[-1] == 0:
            raise ValueError("there must be at least one sightline, got none")
        checks.finite("observer", self.observer, "kpc")
        checks.finite("direction", self.direction)
        checks.at_least("minimum_distance", self.minimum_distance, 0.0, "kpc")
        if self.distance is not None and not checks.holds(self.distance, lambda x: x > 0):
            raise ValueError(f"distance must be positive (kpc), got {checks.shown(self.distance)}")
        if self.minimum_distance.ndim and self.minimum_distance.shape != (self.n_rays,):
            raise ValueError(
                f"minimum_distance must be a number or one for each of {self.n_rays} rays, got "
                f"shape {self.minimum_distance.shape}"
            )

    @staticmethod
    def healpix(
        nside: Any,
        observer: Any = SUN,
        domain: Any = None,
        *,
        pixels: Any = None,
        mask: Any = None,
        ordering: str = "RING",
        minimum_distance: Any = 0.0,
        frame: str = "galactic",
        subsamples: int = 1,
    ) -> "Sightlines":
        """The pixel centres of a HEALPix map, in Galactic coordinates unless asked otherwise.

        **Arguments:**

        - `nside`: HEALPix resolution (a power of two in NEST).
        - `observer`: position (3,) kpc.
        - `domain`: region of integration; default: the box of half-lengths (20, 20, 5) kpc.
        - `pixels`: pixel numbers in `ordering`; default: the whole sky.
        - `mask`: boolean map of 12 nside^2, True where a sightline is wanted (instead of pixels).
        - `ordering`: 'RING' or 'NEST'.
        - `minimum_distance`: where the rays start (kpc), a number or one for each.
        - `frame`: 'galactic', 'equatorial' or 'ecliptic': of the pixels and of polarisation.
        - `subsamples`: rays on a side of each pixel: subsamples^2 of them, spread evenly, one
          pixel after another. `rays.mean(...)` averages over them: the depolarisation inside
          pixels. Their polarisation is referred to the north of the pixel's centre.

        **Raises** `ValueError` for an invalid nside, ordering, mask or pixel list (every pixel
        once, in range), for an observer that is not finite, for more rays than memory holds.
        **Warns** (`synax.SynaxWarning`) if the observer is outside the domain.

        **Reference:** Gorski et al. 2005, ApJ 622, 759.
        """
        nside = checks.integer("nside", nside)
        if nside > 2**29:
            raise ValueError(f"nside must be a positive integer HEALPix accepts, got {nside!r}")
        checks.choice("ordering", ordering, ("RING", "NEST"))
        if ordering == "NEST" and nside & (nside - 1):
            raise ValueError(f"nside must be a power of two in NEST ordering, got {nside}")
        n_pixels = 12 * nside**2
        if pixels is not None and mask is not None:
            raise ValueError("give pixels or mask, not both")
        if mask is not None:
            pixels = pixels_of_mask(np.asarray(checks.concrete("mask", mask)), nside)
        if pixels is not None:
            pixels = pixel_numbers(pixels, nside)
        else:
            count = n_pixels * checks.integer("subsamples", subsamples) ** 2
            checks.memory(f"nside = {nside}: {count:,} sightlines", RAY_BYTES * count)
        numbers = np.arange(n_pixels) if pixels is None else pixels
        nest = ordering == "NEST"
        vectors = basis(*centres(nside, numbers, nest))
        if subsamples > 1:
            vectors = spread(vectors, numbers, nside, nest, subsamples)
            pixels = None if pixels is None else np.repeat(pixels, subsamples**2)
        facts = {"pixels": pixels, "nside": nside, "ordering": ordering, "subsamples": subsamples}
        return _from_vectors(vectors, observer, domain, minimum_distance, frame, **facts)

    @staticmethod
    def from_lonlat(
        l: Any,
        b: Any = None,
        distance: Any = None,
        *,
        observer: Any = SUN,
        domain: Any = None,
        minimum_distance: Any = 0.0,
        frame: str = "galactic",
    ) -> "Sightlines":
        """Directions from a catalogue (pulsars, extragalactic sources).

        **Arguments:**

        - `l`, `b`: Galactic longitude and latitude in degrees (n_rays,), or astropy Quantities,
          or values that JAX traces; or `l` alone as a `SkyCoord` of any frame, whose distances
          count if it has any.
        - `distance`: kpc (or Quantity), a number or (n_rays,); None: to the domain's wall.
        - `frame`: 'galactic', 'equatorial' (ICRS) or 'ecliptic': what `l` and `b` are (right
          ascension and declination, for instance), and whose north polarisation refers to.

        **Raises** `ValueError` for shapes that differ, latitudes beyond 90 degrees, distances
        that are not positive, units of another kind. **Warns** (`synax.SynaxWarning`) if the
        observer is outside the domain.
        """
        if hasattr(l, "galactic"):
            sky = l.galactic
            l, b = in_frame(l, frame)
            if distance is None and sky.distance.unit.physical_type == "length":
                distance = np.atleast_1d(sky.distance.to_value("kpc"))
        if b is None:
            raise TypeError("b is missing: give longitude and latitude, or l as a SkyCoord")
        l, b = lonlat(l, b)
        if distance is not None:
            distance = as_parameter(distance, "kpc", "distance")
            if distance.shape not in ((), (1,), l.shape):
                raise ValueError(
                    f"distance must be one number or one for each of {l.size} sightlines, got "
                    f"shape {distance.shape}"
                )
            distance = jnp.broadcast_to(distance, l.shape)
        degree = np.pi / 180.0
        vectors = basis(degree * l, degree * b)
        return _from_vectors(vectors, observer, domain, minimum_distance, frame, distance=distance)

    @staticmethod
    def from_table(
        table: Any,
        *,
        distance: Any = None,
        columns: Any = None,
        frame: str | None = None,
        observer: Any = SUN,
        domain: Any = None,
        minimum_distance: Any = 0.0,
    ) -> "Sightlines":
        """One sightline for each row of a catalogue; polarisation refers to Galactic north.

        **Arguments:**

        - `table`: an astropy Table or QTable, a pandas DataFrame or a dict of columns.
        - `distance`: where rays end: a column's name, or kpc (a number, one a row, or a Quantity).
          Default: the distances of a `SkyCoord` column, the column that `columns` names, a column
          called 'distance', else the domain's wall.
        - `columns`: names of columns by what they are: {'lon': 'RAJ', 'lat': 'DECJ'}; default: a
          `SkyCoord` column, or a usual pair of names such as l and b, GLON and GLAT, ra and dec.
        - `frame`: of the angles: 'galactic', 'icrs' (or 'equatorial'), 'fk5', 'fk4', 'ecliptic',
          'supergalactic'; default: what the names of the columns say.

        **Raises** `ValueError` that names the column, and for rows without a position or distance.
        **Warns** (`synax.SynaxWarning`) if the observer is outside the domain.
        """
        given = as_table(table)
        place = positions(given, columns, frame)
        ends = role(given, distance, columns, "distance", "kpc")
        ends = place.distance if ends is None else ends
        lacking = ~(np.isfinite(place.l) & np.isfinite(place.b))
        lacking |= False if ends is None else ~(ends > 0)
        if lacking.any():
            raise ValueError(
                f"{lacking.sum()} of {lacking.size} rows of the table have no position or no "
                f"positive distance, row {np.flatnonzero(lacking)[0]} first: leave them out"
            )
        return Sightlines.from_lonlat(
            place.l,
            place.b,
            ends,
            observer=observer,
            domain=domain,
            minimum_distance=minimum_distance,
        )

    @staticmethod
    def parallel(
        shape: Any,
        extent: Any,
        *,
        inclination: Any = 0.0,
        position_angle: Any = 0.0,
        azimuth: Any = 0.0,
        center: Any = (0.0, 0.0, 0.0),
        distance: Any = 100.0,
        domain: Any = None,
    ) -> "Sightlines":
        """A galaxy seen from far away: parallel rays through an image plane.

        **Arguments:**

        - `shape`: pixels (ny, nx), rows from bottom to top.
        - `extent`: full width and height of the image; here and below kpc or Quantities.
        - `inclination`: degrees between the line of sight and the galaxy's axis: 0 looks down on
          the north face, 90 edge-on.
        - `azimuth`: degrees; the side of the galaxy that faces the observer when inclined.
        - `position_angle`: degrees from image up (north) through image left (east) to the
          galaxy's axis (its +z, projected), as astronomers count. The major axis of an inclined
          disc lies 90 degrees further: for a catalogued angle of the major axis give that minus
          90 (the same image as plus 90 with the other side of the disc in front).
        - `center`: point at the centre of the image (kpc). `distance`: of the image plane behind
          which rays start (kpc); it must lie outside the domain.

        Polarisation angles count from image up (north) towards image left (east).

        **Raises** `ValueError` for an image plane within the domain, which would lose a part.
        """
        try:
            ny, nx = (checks.integer("shape", n) for n in shape)
        except (TypeError, ValueError):
            raise ValueError(
                f"shape must be (ny, nx) with positive integers, got {checks.shown(shape)}"
            ) from None
        checks.memory(f"shape = {(ny, nx)}: {ny * nx:,} sightlines", RAY_BYTES * ny * nx)
        distance, origin, axes = image_plane(
            (ny, nx), extent, center, distance, inclination, position_angle, azimuth
        )
        ones = np.ones((1, ny * nx))
        real = jnp.result_type(float)
        rays = Sightlines(
            jnp.asarray(origin, real),
            *(jnp.asarray(a[:, None] * ones, real) for a in axes),
            _default_domain() if domain is None else domain,
            as_parameter(0.0),
            image_shape=(ny, nx),
        )
        check_image_plane(rays.domain.crossings(rays.origin, rays.direction), distance)
        return rays


def _check_observer(rays: Sightlines) -> None:
    """Warn of an observer outside the domain, with how many rays still meet it."""
    if any(map(checks.is_traced, jax.tree.leaves(rays))):
        return
    inside = bool(rays.domain.contains(rays.observer))
    if inside and not np.any(np.asarray(rays.minimum_distance) > 0.0):
        return
    near, far = rays.span()
    meeting = int(np.sum(np.asarray(far > near)))
    if inside:
        if meeting < rays.n_rays:
            checks.warn(
                f"{rays.n_rays - meeting} of {rays.n_rays} sightlines end before they start at "
                f"minimum_distance = {checks.shown(rays.minimum_distance)} kpc, and are 0; give a "
                "smaller one, or a larger domain"
            )
        return
    place = ", ".join(f"{x:g}" for x in np.asarray(rays.observer))
    checks.warn(
        f"observer ({place}) kpc lies outside the domain: {meeting} of {rays.n_rays} sightlines "
        "meet it, and the others are 0; give a larger domain, or another observer"
    )


def _from_vectors(
    vectors: tuple[Any, ...], observer: Any, domain: Any, start: Any, frame: str, **facts: Any
) -> Sightlines:
    observer = as_parameter(observer, "kpc", "observer")
    if observer.shape != (3,):
        raise ValueError(f"observer must be a position (3,) in kpc, got shape {observer.shape}")
    turn = rotation(frame, "galactic")
    vectors = vectors if frame == "galactic" else tuple(turn @ v for v in vectors)
    rays = Sightlines(
        observer,
        *(jnp.asarray(v, observer.dtype) for v in vectors),
        _default_domain() if domain is None else domain,
        as_parameter(start, "kpc", "minimum_distance"),
        frame=frame,
        **facts,
    )
    _check_observer(rays)
    return rays

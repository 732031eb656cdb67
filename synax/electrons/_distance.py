"""Dispersion measure from distance and distance from dispersion measure, for any density."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import smaller
from .._numerics._padding import padded_length
from .._parameters import as_parameter
from ..fields._domain import AbstractDomain, Sphere
from ..fields._field import AbstractField, check_rank
from ..fields._surfaces import crossings_of
from ..fields._surroundings import warn_of_surroundings

SUN = (-8.3, 0.0, 0.006)
_SCALE = 0.3  # kpc: cells grow with distance as 1 + s / 0.3 kpc, fine among the local shells
# four-point Gauss-Legendre rule on [0, 1] (Abramowitz & Stegun, table 25.4)
_NODES = (0.06943184420297371, 0.33000947820757187, 0.6699905217924281, 0.9305681557970262)
_WEIGHTS = (0.17392742256872692, 0.32607257743127307, 0.32607257743127307, 0.17392742256872692)

Rays = Float[Array, " n_rays"]


def dispersion_measure(
    field: AbstractField,
    l: Any,
    b: Any,
    distance: Any,
    *,
    observer: Any = None,
    domain: AbstractDomain | None = None,
    steps: int = 256,
) -> Float[Array, "..."]:
    """DM = int_0^distance n_e ds, in pc cm^-3.

    **Arguments:**

    - `field`: thermal-electron density, any scalar field (cm^-3).
    - `l`, `b`: Galactic longitude and latitude, degrees.
    - `distance`: from the observer, kpc; `inf` for all of the domain. The three broadcast.
    - `observer`: position (3,), kpc. Default: the Sun of the model (`field.sun`), about which its
      clumps and shells lie; (-8.3, 0, 0.006) where it has none.
    - `domain`: where there are electrons; default: 30 kpc about the Galactic Centre.
    - `steps`: cells per ray (static); the field's surfaces add cells of their own.

    **Returns** an array of the broadcast shape, differentiable in all but `steps`.

    **Raises** `TypeError` if `field` is not a scalar field, `ValueError` for negative distances.
    """
    rays, distance, shape = _rays(field, l, b, distance, "distance", observer, domain)
    return _cut(_column(field, *rays, distance, steps), shape)


def distance(
    field: AbstractField,
    l: Any,
    b: Any,
    dm: Any,
    *,
    observer: Any = None,
    domain: AbstractDomain | None = None,
    steps: int = 256,
) -> Float[Array, "..."]:
    """Distance (kpc) at which the dispersion measure reaches `dm` (pc cm^-3).

    The inverse of `dispersion_measure` with the same arguments. It is `inf`, with zero
    derivatives, where `dm` exceeds all there is in the domain. Derivatives of any order follow from
    the implicit function theorem, d(distance) = (d dm - dDM) / n_e, and are zero where n_e is 0.

    **Raises** `TypeError` if `field` is not a scalar field, `ValueError` for negative `dm`.

    ```python
    d = synax.electrons.distance(synax.electrons.YMW16(), 30.0, -5.0, dm=100.0)
    ```
    """
    rays, dm, shape = _rays(field, l, b, dm, "dm", observer, domain)
    return _cut(_inverse(field, *rays, dm, steps), shape)


def _rays(
    field: AbstractField,
    l: Any,
    b: Any,
    value: Any,
    name: str,
    observer: Any,
    domain: AbstractDomain | None,
) -> tuple[tuple[Array, Array, AbstractDomain], Rays, tuple[int, ...]]:
    check_rank(field, "scalar", "field")
    unit = "kpc" if name == "distance" else "pc cm-3"
    value = as_parameter(value, unit, name)
    given = observer is not None
    observer = as_parameter(observer if given else own_sun(field), "kpc", "observer")
    if given:
        warn_of_surroundings((field,), observer)
    if not isinstance(value, jax.core.Tracer) and not bool(jnp.all(value >= 0)):
        raise ValueError(f"{name} must not be negative ({unit}), got {value}")
    l, b = (as_parameter(x, "deg", axis) for x, axis in ((l, "l"), (b, "b")))
    l, b, value = jnp.broadcast_arrays(l, b, value)
    shape = l.shape
    l, b, value = _filled(l.ravel(), b.ravel(), value.ravel())
    lon, lat = jnp.deg2rad(l), jnp.deg2rad(b)
    across = jnp.cos(lat)
    direction = jnp.stack([across * jnp.cos(lon), across * jnp.sin(lon), jnp.sin(lat)])
    domain = Sphere(30.0) if domain is None else domain
    return (observer, direction, domain), value, shape


def own_sun(*fields: AbstractField) -> Any:
    """The Sun of the first field that was made with one, else the default observer: (3,) kpc.

    Numbers, or an array: YMW16 has its Sun among its parameters.
    """
    return next((field.sun for field in fields if field.sun is not None), SUN)


def _filled(*values: Rays) -> tuple[Float[Array, " n_filled"], ...]:
    """Filled up to one of few lengths, so that few programs are compiled; as is inside `jit`."""
    n = values[0].size
    if n == 0 or any(isinstance(x, jax.core.Tracer) for x in values):
        return values
    return tuple(jnp.pad(x, (0, padded_length(n) - n), mode="edge") for x in values)


def _cut(values: Rays, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """The values that were asked for, in their shape."""
    return values[: math.prod(shape)].reshape(shape)


def _faces(
    field: AbstractField,
    observer: Float[Array, "3"],
    direction: Float[Array, "3 n_rays"],
    domain: AbstractDomain,
    steps: int,
) -> Float[Array, "n_faces n_rays"]:
    """Ends of the cells on each ray, kpc: growing with distance, and at the field's surfaces."""
    origin = jnp.broadcast_to(observer[:, None], direction.shape)
    near, far = domain.span(origin, direction)
    low, high = jnp.log1p(near / _SCALE), jnp.log1p(far / _SCALE)
    fraction = jnp.linspace(0.0, 1.0, steps + 1)[:, None].astype(direction.dtype)
    regular = _SCALE * jnp.expm1(low + fraction * (high - low))
    cuts = crossings_of(field.surfaces(), origin, direction)
    cuts = jnp.where((cuts > near) & (cuts < far), cuts, near)
    return jnp.sort(jnp.concatenate([regular, cuts]), axis=0)


def _cell(
    field: AbstractField,
    observer: Float[Array, "3"],
    direction: Float[Array, "3 n_rays"],
    start: Rays,
    end: Rays,
) -> Rays:
    """Dispersion measure between two distances, by one Gauss-Legendre rule."""
    total = jnp.zeros_like(start)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        s = start + node * (end - start)
        position = jnp.stack([observer[k] + s * direction[k] for k in range(3)])
        total = total + weight * field(position)
    return const.PC_PER_KPC * (end - start) * total


@eqx.filter_jit
def _column(
    field: AbstractField,
    observer: Float[Array, "3"],
    direction: Float[Array, "3 n_rays"],
    domain: AbstractDomain,
    end: Rays,
    steps: int,
) -> Rays:
    faces = _faces(field, observer, direction, domain, steps)
    faces = smaller(faces, jnp.broadcast_to(end, faces.shape))
    ready = field.prepare()

    @jax.checkpoint
    def add(total: Rays, cell: tuple[Rays, Rays]) -> tuple[Rays, None]:
        return total + _cell(ready, observer, direction, *cell), None

    return jax.lax.scan(add, jnp.zeros_like(end), (faces[:-1], faces[1:]))[0]


@eqx.filter_jit
def _inverse(
    field: AbstractField,
    observer: Float[Array, "3"],
    direction: Float[Array, "3 n_rays"],
    domain: AbstractDomain,
    dm: Rays,
    steps: int,
) -> Rays:
    return _root(field, observer, direction, domain, dm, steps=steps)


@eqx.filter_custom_jvp
def _root(
    field: AbstractField,
    observer: Float[Array, "3"],
    direction: Float[Array, "3 n_rays"],
    domain: AbstractDomain,
    dm: Rays,
    *,
    steps: int,
) -> Rays:
    root, found = _search(field, observer, direction, domain, dm, steps)
    return jnp.where(found, root, jnp.inf)


@_root.def_jvp
def _root_jvp(primals: Any, tangents: Any, *, steps: int) -> tuple[Rays, Rays]:
    """The implicit function theorem at the root, which itself has derivatives: of any order."""
    *where, _ = primals
    *moved, change = tangents
    field, observer, direction, _ = where
    root = _root(*primals, steps=steps)
    found = jnp.isfinite(root)
    end = jnp.where(found, root, 0.0)
    column = lambda *where: _column(*where, end, steps)
    moves = any(tangent is not None for tangent in jax.tree.leaves(tuple(moved)))
    grown = eqx.filter_jvp(column, tuple(where), tuple(moved))[1] if moves else 0.0
    slope = const.PC_PER_KPC * field(observer[:, None] + end * direction)
    positive = found & (slope > 0)
    missing = (0.0 if change is None else change) - grown
    return root, jnp.where(positive, missing, 0.0) / jnp.where(positive, slope, 1.0)


def _search(
    field: AbstractField,
    observer: Float[Array, "3"],
    direction: Float[Array, "3 n_rays"],
    domain: AbstractDomain,
    dm: Rays,
    steps: int,
) -> tuple[Rays, Array]:
    """Root of DM(s) = dm, and whether there is one; the end of the ray otherwise."""
    faces = _faces(field, observer, direction, domain, steps)
    ready = field.prepare()

    def add(state: tuple[Array, ...], cell: tuple[Rays, Rays]) -> tuple[tuple[Array, ...], None]:
        total, before, low, high, found = state
        start, end = cell
        grown = total + _cell(ready, observer, direction, start, end)
        here = ~found & (grown >= enough)
        return (
            grown,
            jnp.where(here, total, before),
            jnp.where(here, start, low),
            jnp.where(here, end, high),
            found | here,
        ), None

    # what is all there is to the rounding of the sum is reached
    enough = dm * (1.0 - faces.shape[0] * jnp.finfo(dm.dtype).eps)
    zero = jnp.zeros_like(dm)
    state = (zero, zero, faces[-1], faces[-1], zero > 0)
    (_, before, low, high, found), _ = jax.lax.scan(add, state, (faces[:-1], faces[1:]))
    begin = low

    def refine(_: Array, state: tuple[Rays, Rays, Rays]) -> tuple[Rays, Rays, Rays]:
        low, high, s = state
        excess = before + _cell(ready, observer, direction, begin, s) - dm
        high, low = jnp.where(excess > 0, s, high), jnp.where(excess > 0, low, s)
        slope = const.PC_PER_KPC * ready(observer[:, None] + s * direction)
        newton = s - excess / jnp.where(slope > 0, slope, 1.0)
        usable = (slope > 0) & (newton >= low) & (newton <= high)
        return low, high, jnp.where(usable, newton, 0.5 * (low + high))

    return jax.lax.fori_loop(0, 40, refine, (low, high, 0.5 * (low + high)))[2], found

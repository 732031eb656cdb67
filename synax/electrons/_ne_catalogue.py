"""Published lists of clumps and voids, and an index of what lies near a point.

An index divides space into cubes and lists for each the objects that reach into it. Most points
lie in cubes without any; where all points of a call do, nothing more is computed.
"""

import functools
import importlib.resources
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .._numerics._math import stored
from .._numerics._near import where_near

Position = Float[Array, "3 *points"]
_BLOCK = 8  # cubes along the side of a block
_MARGIN = 1e-5  # kpc, for the rounding of positions in float32
DENSITY, LIMIT = 9, 10  # columns of `Catalogue.rows`


class Catalogue(NamedTuple):
    """Objects as quadrics q = |M (x - c)|^2 <= limit, with an index over cubes."""

    rows: Float[np.ndarray, "n_rows 11"]
    """Centre c (3), M (6, an upper triangle by rows), density, limit: 1 where the density is
    uniform, more where it fades as exp(-q); last row: no object."""
    spheres: bool
    """Whether all objects are spheres."""
    blocks: Int[np.ndarray, "n_blocks"]
    """By block of cubes: its number among those that have objects, from 1; 0 without."""
    near: Int[np.ndarray, "n_cubes n_near"]
    """Row numbers by cube in the list's order, padded with the last row."""
    low: Float[np.ndarray, "3"]
    shape: tuple[int, int, int]
    """Number of blocks along each axis."""
    size: float
    """Side of a cube, kpc."""


def _read(name: str) -> Float[np.ndarray, "n columns"]:
    path = importlib.resources.files("synax.electrons") / "data" / f"{name}.csv"
    with path.open() as lines:
        return np.loadtxt(lines, delimiter=",", ndmin=2)


def _centers(l: np.ndarray, b: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Positions (n, 3) kpc in the common frame for a Sun at (-8.5, 0, 0)."""
    l, b = np.radians(l), np.radians(b)
    across = distance * np.cos(b)
    return np.stack([across * np.cos(l) - 8.5, across * np.sin(l), distance * np.sin(b)], 1)


@functools.cache
def clumps(model: str) -> Catalogue:
    """Spheres: n exp(-q) for q < 5 or, with an edge, n for q <= 1."""
    l, b, density, distance, radius, edge, _ = _read(f"{model}_clumps").T
    matrix = np.eye(3) / radius[:, None, None]
    limit = np.where(edge == 1, 1.0, 5.0)
    return _index(_centers(l, b, distance), matrix, density, limit, 0.05)


@functools.cache
def voids(model: str) -> Catalogue:
    """Ellipsoids turned about y, then z: n exp(-q) for q < 3 or, with an edge, n for q <= 1."""
    l, b, distance, density, *axes, theta_y, theta_z, edge, _ = _read(f"{model}_voids").T
    (s1, s2), (c1, c2) = (f(np.radians([theta_y, theta_z])) for f in (np.sin, np.cos))
    zero = np.zeros_like(s1)
    turn = np.array([[c1 * c2, s2, s1 * c2], [-c1 * s2, c2, -s1 * s2], [-s1, zero, c1]])
    matrix = (turn / np.array(axes)[:, None]).transpose(2, 0, 1)
    # the published axes are (y, -x, z) of the common frame
    matrix = np.stack([-matrix[:, :, 1], matrix[:, :, 0], matrix[:, :, 2]], axis=2)
    limit = np.where(edge == 1, 1.0, 3.0)
    return _index(_centers(l, b, distance), matrix, density, limit, 0.2)


@functools.cache
def squared(model: str, kind: str) -> Catalogue:
    """The clumps or voids of a model with F n^2 in place of n, F their fluctuation parameter.

    Outside the objects' edges and where they overlap as for `clumps` and `voids`.

    **Arguments:**

    - `kind`: 'clumps' or 'voids'.
    """
    plain = {"clumps": clumps, "voids": voids}[kind](model)
    fluctuation = _read(f"{model}_{kind}").T[-1]
    rows = plain.rows.copy()
    faded = fades(rows[:-1, LIMIT])
    rows[:-1, 3:9] *= np.where(faded, np.sqrt(2.0), 1.0)[:, None]  # (n e^-q)^2 = n^2 e^-2q
    rows[:-1, LIMIT] *= np.where(faded, 2.0, 1.0)
    rows[:-1, DENSITY] = fluctuation * rows[:-1, DENSITY] ** 2
    return plain._replace(rows=rows)


def _index(
    center: np.ndarray,
    matrix: np.ndarray,
    density: np.ndarray,
    limit: np.ndarray,
    size: float,
) -> Catalogue:
    n, stretch = len(center), np.linalg.svd(matrix, compute_uv=False)
    reach = np.sqrt(limit) / stretch.min(axis=1)
    low = (center - reach[:, None]).min(axis=0) - 2.0 * _MARGIN
    high = (center + reach[:, None]).max(axis=0) + 2.0 * _MARGIN
    shape = np.ceil((high - low) / (_BLOCK * size)).astype(int)
    half = 0.5 * size * math.sqrt(3.0) + _MARGIN
    lists: dict[int, list[int]] = {}
    for i in range(n):
        first, last = (
            np.floor((center[i] + d - low) / size)
            for d in (-reach[i] - _MARGIN, reach[i] + _MARGIN)
        )
        axes = [np.arange(a, b + 1, dtype=int) for a, b in zip(first, last, strict=True)]
        cubes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        away = np.linalg.norm((low + (cubes + 0.5) * size - center[i]) @ matrix[i].T, axis=1)
        cubes = cubes[away <= math.sqrt(limit[i]) + half * stretch[i].max()]
        block = np.ravel_multi_index(tuple((cubes // _BLOCK).T), tuple(shape))
        inside = np.ravel_multi_index(tuple((cubes % _BLOCK).T), (_BLOCK,) * 3)
        for number in (block * _BLOCK**3 + inside).tolist():
            lists.setdefault(number, []).append(i)
    used = sorted({number // _BLOCK**3 for number in lists})
    blocks = np.zeros(int(np.prod(shape)), dtype=np.int16)
    blocks[used] = np.arange(1, len(used) + 1)
    near = np.full(((len(used) + 1) * _BLOCK**3, max(map(len, lists.values()))), n, dtype=np.uint8)
    for number, members in lists.items():
        where = int(blocks[number // _BLOCK**3]) * _BLOCK**3 + number % _BLOCK**3
        near[where, : len(members)] = members
    # |M v| is that of the triangle of M = Q R
    triangle = np.linalg.qr(matrix).R[:, *np.triu_indices(3)]
    columns = [center, triangle, density[:, None], limit[:, None]]
    nothing = np.zeros((1, 11))
    nothing[0, LIMIT] = -1.0  # no point satisfies q <= -1
    rows = np.concatenate([np.concatenate(columns, axis=1), nothing])
    spheres = bool(np.all(stretch.max(axis=1) == stretch.min(axis=1)))
    nx, ny, nz = (int(k) for k in shape)
    return Catalogue(rows, spheres, blocks, near, low, (nx, ny, nz), size)


def take(table: np.ndarray, index: Int[Array, "*points"]) -> Array:
    """Entries of a flat table, by numbers that lie inside it."""
    return jnp.asarray(table).at[index].get(mode="promise_in_bounds")


def fades(limit: Any) -> Any:
    """Whether objects fade outwards, by their limits."""
    return limit > 1.0


def turned(value: Callable[[int], Any], vector: Sequence[Any]) -> tuple[Any, Any, Any]:
    """M times a vector, given what a column of `Catalogue.rows` holds."""
    x, y, z = vector
    first = value(3) * x + value(4) * y + value(5) * z
    return first, value(6) * y + value(7) * z, value(8) * z


def _cube(catalogue: Catalogue, position: Position) -> Int[Array, "*points"]:
    """Number of the cube that each position lies in."""
    (nx, ny, nz), low = catalogue.shape, catalogue.low
    cell = [(u - c) * (1.0 / catalogue.size) for u, c in zip(position, low, strict=True)]
    sides = [_BLOCK * n for n in (nx, ny, nz)]
    inside = functools.reduce(
        jnp.logical_and, [(u >= 0) & (u < side) for u, side in zip(cell, sides, strict=True)]
    )
    i, j, k = (jnp.where(inside, u, 0.0).astype(jnp.int32) for u in cell)
    block = ((i // _BLOCK) * ny + j // _BLOCK) * nz + k // _BLOCK
    block = jnp.where(inside, take(catalogue.blocks, block).astype(jnp.int32), 0)
    within = lambda u: u % _BLOCK
    return ((block * _BLOCK + within(i)) * _BLOCK + within(j)) * _BLOCK + within(k)


def _members(
    catalogue: Catalogue, cube: Int[Array, "*points"], k: Int[Array, ""]
) -> Int[Array, "*points"]:
    """Row number of the k-th object of each cube."""
    n_near = catalogue.near.shape[1]
    return take(catalogue.near.ravel(), cube * n_near + k).astype(jnp.int32)


def density_in(
    catalogue: Catalogue, row: Int[Array, "*objects_points"], position: Position
) -> tuple[Float[Array, "*objects_points"], Bool[Array, "*objects_points"]]:
    """Density of the objects at the positions, and whether these are inside them."""
    value = lambda k: take(catalogue.rows[:, k].astype(position.dtype), row)
    offset = [u - value(k) for k, u in enumerate(position)]
    if catalogue.spheres:
        x, y, z = offset
        scale = value(3)
        q = (x * x + y * y + z * z) * (scale * scale)
    else:
        u, v, w = turned(value, offset)
        q = u * u + v * v + w * w
    limit = value(LIMIT)
    faded = fades(limit)
    inside = jnp.where(faded, q < limit, q <= limit)
    fade = jnp.exp(-jnp.where(inside & faded, q, 0.0))
    return jnp.where(inside, value(DENSITY) * fade, 0.0), inside


def total_density(catalogue: Catalogue, position: Position) -> Float[Array, "*points"]:
    """Densities of all objects that hold a position, added up."""
    cube, near, nothing = _listing(catalogue, position)

    def total(cube: Array, position: Position) -> Array:
        def add(total: Array, k: Array) -> tuple[Array, None]:
            row = _members(catalogue, cube, k)
            density = lambda row, position: density_in(catalogue, row, position)[0]
            return total + where_near(row != nothing, density, row, position), None

        return jax.lax.scan(add, jnp.zeros_like(position[0]), _places(catalogue))[0]

    return where_near(near, total, cube, position)


def last_density(
    catalogue: Catalogue, position: Position
) -> tuple[Float[Array, "*points"], Bool[Array, "*points"]]:
    """Density of the last object of the list that holds a position, and whether there is one."""
    cube, near, nothing = _listing(catalogue, position)

    def last(cube: Array, position: Position) -> tuple[Array, Array]:
        fixed = jax.lax.stop_gradient(position)

        def choose(chosen: Array, k: Array) -> tuple[Array, None]:
            row = _members(catalogue, cube, k)
            better = lambda: jnp.where(density_in(catalogue, row, fixed)[1], row, chosen)
            return jax.lax.cond(jnp.any(row != nothing), better, lambda: chosen), None

        none = jnp.full(position.shape[1:], nothing, jnp.int32)
        chosen = jax.lax.scan(choose, none, _places(catalogue))[0]
        return density_in(catalogue, chosen, position)

    return where_near(near, last, cube, position)


def _listing(
    catalogue: Catalogue, position: Position
) -> tuple[Int[Array, "*points"], Bool[Array, "*points"], int]:
    """Cube of each position, whether any object reaches into it, and the row of no object."""
    cube = stored(_cube(catalogue, jax.lax.stop_gradient(position)))
    nothing = _last(catalogue)
    # lists are filled from the front
    return cube, _members(catalogue, cube, jnp.zeros((), jnp.int32)) != nothing, nothing


def _last(catalogue: Catalogue) -> int:
    """Number of the row that is no object."""
    return catalogue.rows.shape[0] - 1


def _places(catalogue: Catalogue) -> Int[Array, "n_near"]:
    return jnp.arange(catalogue.near.shape[1], dtype=jnp.int32)

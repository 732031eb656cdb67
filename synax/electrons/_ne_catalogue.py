"""Published lists of clumps and voids, and an index of what lies near a point.

An index divides space into cubes and lists for each the objects that reach into it; a point then
looks at a handful of objects instead of hundreds.
"""

import functools
import importlib.resources
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

Position = Float[Array, "3 *points"]


class Catalogue(NamedTuple):
    """Objects as quadrics |M (x - c)|^2 <= limit, with an index over cubes."""

    rows: Float[np.ndarray, "n_rows 15"]
    """Centre (3), M (9, by rows), density, limit, 1 if uniform (edge) else 0; last row: void."""
    near: Int[np.ndarray, "n_cubes n_near"]
    """Row numbers by cube in the list's order, padded with the last row; last cube: nothing."""
    low: Float[np.ndarray, "3"]
    shape: tuple[int, int, int]
    size: float


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
    return _index(_centers(l, b, distance), matrix, density, limit, edge, 0.4)


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
    return _index(_centers(l, b, distance), matrix, density, limit, edge, 0.8)


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
    faded = rows[:-1, 14] == 0
    rows[:-1, 3:12] *= np.where(faded, np.sqrt(2.0), 1.0)[:, None]  # (n e^-q)^2 = n^2 e^-2q
    rows[:-1, 13] *= np.where(faded, 2.0, 1.0)
    rows[:-1, 12] = fluctuation * rows[:-1, 12] ** 2
    return plain._replace(rows=rows)


def _index(
    center: np.ndarray,
    matrix: np.ndarray,
    density: np.ndarray,
    limit: np.ndarray,
    edge: np.ndarray,
    size: float,
) -> Catalogue:
    reach = np.sqrt(limit) / np.linalg.svd(matrix, compute_uv=False).min(axis=1)
    low = (center - reach[:, None]).min(axis=0) - 1e-6
    high = (center + reach[:, None]).max(axis=0) + 1e-6
    shape = np.ceil((high - low) / size).astype(int)
    lists: dict[int, list[int]] = {}
    for i, (c, r) in enumerate(zip(center, reach, strict=True)):
        first = np.floor((c - r - low) / size).astype(int)
        last = np.floor((c + r - low) / size).astype(int)
        for cube in np.ndindex(*(last - first + 1)):
            corner = low + (first + cube) * size
            gap = c - np.clip(c, corner, corner + size)
            if gap @ gap <= r * r:
                number = int(np.ravel_multi_index(first + cube, shape))
                lists.setdefault(number, []).append(i)
    n = len(center)
    near = np.full((int(np.prod(shape)) + 1, max(map(len, lists.values()))), n, dtype=np.int16)
    for number, members in lists.items():
        near[number, : len(members)] = members
    columns = [center, matrix.reshape(n, 9), density[:, None], limit[:, None], edge[:, None]]
    nothing = np.zeros((1, 15))
    nothing[0, 13] = -1.0  # no point satisfies q <= -1
    rows = np.concatenate([np.concatenate(columns, axis=1), nothing])
    nx, ny, nz = (int(k) for k in shape)
    return Catalogue(rows, near, low, (nx, ny, nz), size)


def neighbours(catalogue: Catalogue, position: Position) -> Int[Array, "n_near *points"]:
    """Row numbers of the objects that may hold each position."""
    column = (3,) + (1,) * (position.ndim - 1)
    offset = jax.lax.stop_gradient(position) - catalogue.low.astype(position.dtype).reshape(column)
    cube = jnp.floor(offset / catalogue.size)
    shape = jnp.asarray(catalogue.shape, cube.dtype).reshape(column)
    inside = jnp.all((cube >= 0) & (cube < shape), axis=0)
    i, j, k = jnp.where(inside, cube, 0.0).astype(jnp.int32)
    number = (i * catalogue.shape[1] + j) * catalogue.shape[2] + k
    number = jnp.where(inside, number, catalogue.near.shape[0] - 1)
    return jnp.moveaxis(jnp.asarray(catalogue.near)[number], -1, 0).astype(jnp.int32)


def density_in(
    catalogue: Catalogue, row: Int[Array, "*objects_points"], position: Position
) -> tuple[Float[Array, "*objects_points"], Bool[Array, "*objects_points"]]:
    """Density of the objects at the positions, and whether these are inside them."""
    table = jnp.asarray(catalogue.rows, position.dtype)
    value = lambda k: table[row, k]
    dx, dy, dz = (u - value(k) for k, u in enumerate(position))
    u, v, w = (value(k) * dx + value(k + 1) * dy + value(k + 2) * dz for k in (3, 6, 9))
    q = u * u + v * v + w * w
    limit, uniform = value(13), value(14) > 0.5
    inside = jnp.where(uniform, q <= limit, q < limit)
    fade = jnp.exp(-jnp.where(inside & ~uniform, q, 0.0))
    return jnp.where(inside, value(12) * fade, 0.0), inside


def total_density(catalogue: Catalogue, position: Position) -> Float[Array, "*points"]:
    """Densities of all objects that hold a position, added up."""
    near = neighbours(catalogue, position)

    def add(total: Array, row: Array) -> tuple[Array, None]:
        return total + density_in(catalogue, row, position)[0], None

    return jax.lax.scan(add, jnp.zeros_like(position[0]), near)[0]


def last_density(
    catalogue: Catalogue, position: Position
) -> tuple[Float[Array, "*points"], Bool[Array, "*points"]]:
    """Density of the last object of the list that holds a position, and whether there is one."""
    fixed = jax.lax.stop_gradient(position)
    near = neighbours(catalogue, fixed)

    def choose(chosen: Array, row: Array) -> tuple[Array, None]:
        return jnp.where(density_in(catalogue, row, fixed)[1], row, chosen), None

    nothing = jnp.full(position.shape[1:], catalogue.rows.shape[0] - 1, near.dtype)
    return density_in(catalogue, jax.lax.scan(choose, nothing, near)[0], position)

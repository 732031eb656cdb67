"""Where rays enter and leave the clumps and voids of NE2001 and NE2025."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..fields._surfaces import AbstractSurface
from . import _ne_catalogue as catalogue

Rays = Float[Array, "3 *#rays"]
Value = Callable[[int], Array]

_CONTRAST = 0.03  # cm^-3, of a void with its surroundings
_LONGEST = 0.3  # kpc, of a passage, when passages are compared: long ones have cells of their own


class ListedObjects(AbstractSurface):
    """The edges of the `most` clumps (or voids) of a list that a ray notices most.

    There are hundreds of them, and a ray meets a few. Those that change its column density most
    are met by faces: where the ray enters, where it leaves and, for clumps, whose density fades as
    exp(-q), at its densest and one scale length on either side of it.
    """

    lists: str = eqx.field(static=True)
    """Name of the model's lists."""
    voids: bool = eqx.field(static=True, default=False)
    """Whether these are the voids."""
    most: int = eqx.field(static=True, default=3)
    """Number of objects that one ray can have faces at."""

    def crossings(self, origin: Rays, direction: Rays) -> Float[Array, "n_crossings *rays"]:
        listed = self._listed()
        rows = self._noticed(*jax.lax.stop_gradient((origin, direction)))[1]
        column = lambda k: catalogue.take(listed.rows[:, k].astype(direction.dtype), rows)
        there = rows < len(listed.rows) - 1
        middle, half, scale = _passage(column, origin, direction, there)
        within = there & (scale < half) & (catalogue.fades(column(catalogue.LIMIT)))
        faces = [jnp.where(there, middle + side * half, jnp.inf) for side in (-1.0, 1.0)]
        if not self.voids:
            faces += [jnp.where(within, middle + k * scale, jnp.inf) for k in (-1.0, 0.0, 1.0)]
        return jnp.concatenate(faces)

    def left_out(self, origin: Rays, direction: Rays, faces: bool) -> Float[Array, "*rays"] | None:
        if self.voids and not faces:  # what a void adds is smaller than what a clump does
            return None
        more = ListedObjects(self.lists, self.voids, self.most + 1 if faces else 1)
        return more._noticed(origin, direction)[0][-1]

    def _listed(self) -> catalogue.Catalogue:
        return (catalogue.voids if self.voids else catalogue.clumps)(self.lists)

    def _noticed(
        self, origin: Rays, direction: Rays
    ) -> tuple[Float[Array, "most *rays"], Int[Array, "most *rays"]]:
        """Columns and row numbers of the objects that each ray notices most, in that order."""
        rows = self._listed().rows
        shape = jnp.broadcast_shapes(origin.shape, direction.shape)[1:]
        none = jnp.full(shape, len(rows) - 1, jnp.int32)
        nothing = jnp.zeros(shape, direction.dtype)

        def add(best: tuple, new: tuple) -> tuple[tuple, None]:
            number, row = new
            middle, half, _ = _passage(lambda k: row[k], origin, direction, jnp.asarray(True))
            passage = jnp.where(middle + half > 0, 2.0 * half, 0.0)
            density = row[catalogue.DENSITY]
            density = jnp.where(self.voids & (density < _CONTRAST), _CONTRAST, density)
            column = density * jnp.minimum(passage, _LONGEST)
            columns, numbers, number = [], [], jnp.broadcast_to(number, shape)
            for held, its in zip(*best, strict=True):
                more = column > held
                columns.append(jnp.where(more, column, held))
                numbers.append(jnp.where(more, number, its))
                column, number = jnp.where(more, held, column), jnp.where(more, its, number)
            return (tuple(columns), tuple(numbers)), None

        count = np.arange(len(rows) - 1, dtype=np.int32)
        start = ((nothing,) * self.most, (none,) * self.most)
        found, _ = jax.lax.scan(add, start, (count, rows[:-1].astype(direction.dtype)))
        return jnp.stack(found[0]), jnp.stack(found[1])


def _passage(
    value: Value, origin: Rays, direction: Rays, there: Array
) -> tuple[Array, Array, Array]:
    """Distance (kpc) where a ray is deepest in an object, half its passage, and its scale there.

    Half the passage is 0 where the object is missed. **Arguments:** `value`: columns of the
    objects' rows. `there`: False where there is no object.
    """
    offset = [u - value(k) for k, u in enumerate(origin)]
    p, d = (catalogue.turned(value, v) for v in (offset, list(direction)))
    square = jnp.where(there, sum(u * u for u in d), 1.0)
    middle = -sum(u * v for u, v in zip(p, d, strict=True)) / square
    deepest = sum((u + middle * v) ** 2 for u, v in zip(p, d, strict=True))
    depth = value(catalogue.LIMIT) - deepest
    scale = 1.0 / jnp.sqrt(square)
    half = jnp.where(depth > 0, jnp.sqrt(jnp.where(depth > 0, depth, 1.0)), 0.0) * scale
    return middle, half, scale

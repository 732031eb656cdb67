"""Pixels of a map numbered otherwise, and averaged to coarser ones."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._numerics._once import once


def power_of_two(nside: int) -> None:
    """Raise `ValueError` for a resolution that nested numbering does not have."""
    if nside & (nside - 1):
        raise ValueError(f"nside must be a power of two in NEST ordering, got {nside}")


def renumbered(pixels: Any, nside: int, ordering: str) -> np.ndarray:
    """The numbers in `ordering` of pixels numbered in the other."""
    import healpy

    power_of_two(nside)
    return (healpy.nest2ring if ordering == "RING" else healpy.ring2nest)(nside, pixels)


def order_of_whole_sky(nside: int, ordering: str) -> np.ndarray:
    """Where each pixel of a whole sky in `ordering` stands in one in the other."""
    numbers = np.arange(12 * nside**2)
    return renumbered(numbers, nside, "NEST" if ordering == "RING" else "RING")


def averaged(
    values: Float[Array, "*shape"],
    pixels: Any,
    nside: int,
    coarse: int,
    nested: bool,
    min_fraction: float,
) -> tuple[Float[Array, "*coarse"], np.ndarray]:
    """The mean of the values that are there, over the children of each coarser pixel.

    **Arguments:**

    - `values` (..., n_pix), NaN where missing.
    - `pixels`: their numbers or None for the whole sky, at `nside`.
    - `coarse`: the wanted nside.
    - `min_fraction`: of its children that a pixel needs.

    **Returns** the means (..., n_coarse), NaN for pixels with fewer, and the pixels they belong to:
    those with a child among `pixels`.
    """
    import healpy

    if coarse < 1 or nside % coarse:
        raise ValueError(f"nside must divide that of the map, {nside}, got {coarse}")
    if not 0.0 <= min_fraction <= 1.0:
        raise ValueError(f"min_fraction must be from 0 to 1, got {min_fraction}")
    if nested:
        power_of_two(coarse)
    ratio = nside // coarse
    numbers = np.arange(12 * nside**2) if pixels is None else np.asarray(pixels)
    x, y, face = healpy.pix2xyf(nside, numbers, nest=nested)
    parents = healpy.xyf2pix(coarse, x // ratio, y // ratio, face, nest=nested)
    owners, member = np.unique(parents, return_inverse=True)
    enough = min_fraction * ratio**2
    return _means(values, jnp.asarray(member), enough, len(owners)), owners


@once(static=(3,))
def _means(
    values: Float[Array, "*shape"], member: Int[Array, " n_pix"], enough: Any, n_coarse: int
) -> Float[Array, "*coarse"]:
    """Means over the members of each coarser pixel that has enough of them."""
    shape = (*values.shape[:-1], n_coarse)
    there = ~jnp.isnan(values)
    total = jnp.zeros(shape, values.dtype).at[..., member].add(jnp.where(there, values, 0.0))
    count = jnp.zeros(shape, jnp.int32).at[..., member].add(there.astype(jnp.int32))
    mean = total / jnp.maximum(count, 1).astype(values.dtype)
    return jnp.where((count > 0) & (count >= enough), mean, jnp.nan)

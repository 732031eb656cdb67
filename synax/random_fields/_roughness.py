"""A smoothness prior for plain grids."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..fields._grid import GridField


def roughness(field: GridField, order: int = 1) -> Float[Array, ""]:
    """Integral of the squared gradient (order 1) or second differences (order 2) of a grid.

    sum over axes i and components of int |d^n f / dx_i^n|^2 dV, by differences between nodes.
    `loss + 0.5 * strength * roughness(field)` is a maximum a posteriori fit with the improper
    Gaussian prior that prefers smooth fields. Where the amplitude matters too, use `GaussianField`.

    **Returns** (field unit)^2 kpc^(3 - 2 order).
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    counts = [n - 1 if field.centering == "node" else n for n in field.shape]
    spacing = [2.0 * field.box.half_lengths[i] / n for i, n in enumerate(counts)]
    volume = spacing[0] * spacing[1] * spacing[2]
    total = jnp.zeros((), field.values.dtype)
    for i in range(3):
        differences = jnp.diff(field.values, n=order, axis=i - 3) / spacing[i] ** order
        total = total + jnp.sum(differences**2)
    return volume * total

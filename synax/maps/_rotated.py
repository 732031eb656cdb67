"""Sky maps on the pixels of another celestial frame, by their multipoles."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._parameters import holds
from ..sightlines._frames import rotation

if TYPE_CHECKING:
    from ._skymap import SkyMap

ITERATIONS = 10
"""Corrections of the quadrature."""


def rotated(sky: "SkyMap", frame: str) -> "SkyMap":
    """See `SkyMap.to_frame`."""
    if sky.pixels is not None or not holds(sky.values, np.isfinite):
        raise ValueError("a change of frame needs the whole sky; this map has missing pixels")
    ring = sky.to_ordering("RING").to_convention("COSMO")
    values = np.asarray(ring.values, np.float64)
    rows = len(sky.columns)
    flat = values.reshape(rows, -1, values.shape[-1])
    out = np.empty_like(flat)
    for k in range(flat.shape[1]):
        out[:, k] = _turned(flat[:, k], sky.columns, sky.nside, rotation(sky.frame, frame))
    made = jnp.asarray(out.reshape(values.shape), sky.values.dtype)
    turned = ring._with(made, frame=frame)
    return turned.to_ordering(sky.ordering).to_convention(sky.convention)


def _turned(
    maps: Float[np.ndarray, "rows n_pix"],
    columns: tuple[str, ...],
    nside: int,
    matrix: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "rows n_pix"]:
    import healpy

    lmax = max(2, min(3 * nside - 1, 5 * nside // 2))
    out = np.empty_like(maps)
    for k, name in enumerate(columns):
        if name not in "QU":
            alm = healpy.map2alm(maps[k], lmax=lmax, iter=ITERATIONS)
            healpy.rotate_alm(alm, matrix=matrix)
            out[k] = healpy.alm2map(alm, nside, lmax=lmax)
    if "Q" in columns:
        q, u = columns.index("Q"), columns.index("U")
        pair, alm = np.stack([maps[q], maps[u]]), 0.0
        left = pair
        for _ in range(ITERATIONS):
            alm = alm + np.asarray(healpy.map2alm_spin(list(left), 2, lmax=lmax))
            left = pair - np.asarray(healpy.alm2map_spin(list(alm), nside, 2, lmax))
        e, b = alm
        healpy.rotate_alm([np.zeros_like(e), e, b], matrix=matrix)
        out[q], out[u] = healpy.alm2map_spin([e, b], nside, 2, lmax)
    return out

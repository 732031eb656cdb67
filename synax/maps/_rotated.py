"""Sky maps on the pixels of another celestial frame: by multipoles, or from neighbours."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from .._parameters import holds
from ..sightlines._frames import basis, rotation

if TYPE_CHECKING:
    from ._skymap import SkyMap

ITERATIONS = 10
"""Corrections of the quadrature."""


def rotated(sky: "SkyMap", frame: str, spin: bool) -> "SkyMap":
    """See `SkyMap.to_frame`. `spin`: whether Q and U turn into each other (errors do not)."""
    whole = sky.pixels is None and holds(sky.values, np.isfinite)
    convention = "COSMO" if whole else "IAU"
    ring = sky.to_ordering("RING").full()
    ring = ring.to_convention(convention) if spin else ring
    values = np.asarray(ring.values, np.float64)
    rows = len(sky.columns)
    flat = values.reshape(rows, -1, values.shape[-1])
    columns = sky.columns if spin else ("I",) * rows
    if whole and spin:
        turn = rotation(sky.frame, frame)
        each = [_turned(flat[:, k], columns, sky.nside, turn) for k in range(flat.shape[1])]
        out = np.stack(each, axis=1)
    else:
        out = _interpolated(flat, columns, sky.nside, rotation(frame, sky.frame))
    made = jnp.asarray(out.reshape(values.shape), sky.values.dtype)
    turned = ring._with(made, frame=frame).to_ordering(sky.ordering)
    return turned.to_convention(sky.convention) if spin else turned


def _interpolated(
    maps: Float[np.ndarray, "rows planes n_pix"],
    columns: tuple[str, ...],
    nside: int,
    back: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "rows planes n_pix"]:
    """Each new pixel from the four old ones about it; Q and U are carried to it along the sphere.

    U is IAU's. NaN where one of the four is missing.
    """
    import healpy

    theta, phi = healpy.pix2ang(nside, np.arange(maps.shape[-1]))
    place, east, north = (back @ v for v in basis(phi, np.pi / 2 - theta))
    near, weights = healpy.get_interp_weights(nside, *healpy.vec2ang(place.T))
    out = np.zeros_like(maps)
    for pixel, weight in zip(near, weights, strict=True):
        share = np.where(weight > 0, weight * maps[..., pixel], 0.0)
        if "Q" in columns:
            q, u = (columns.index(s) for s in "QU")
            angle = _carried(pixel, nside, place, east, north)
            c, s = np.cos(2 * angle), np.sin(2 * angle)
            share[q], share[u] = c * share[q] - s * share[u], s * share[q] + c * share[u]
        out += share
    return out


def _carried(
    pixel: Int[np.ndarray, " n"],
    nside: int,
    place: Float[np.ndarray, "3 n"],
    east: Float[np.ndarray, "3 n"],
    north: Float[np.ndarray, "3 n"],
) -> Float[np.ndarray, " n"]:
    """Angle of a pixel's north, carried to a place near it, from that place's north to its east."""
    import healpy

    theta, phi = healpy.pix2ang(nside, pixel)
    here, _, own = basis(phi, np.pi / 2 - theta)
    dot = lambda a, b: np.sum(a * b, axis=0)
    own = own - (here + place) * (dot(place, own) / (1.0 + dot(here, place)))
    return np.arctan2(dot(own, east), dot(own, north))


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

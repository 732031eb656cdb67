"""Pixels of HEALPix maps: which, centres, points within; healpy takes a second to import."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from .. import _checks as checks


def pixels_of_mask(mask: np.ndarray, nside: int) -> Int[np.ndarray, " n"]:
    """Numbers of the pixels where a mask is True."""
    n_pixels = 12 * nside**2
    if mask.shape != (n_pixels,) or mask.dtype != bool:
        raise ValueError(
            f"mask must be a boolean array of shape ({n_pixels},) for nside {nside}, "
            f"got {mask.dtype} of shape {mask.shape}"
        )
    if not mask.any():
        raise ValueError("mask must be True somewhere: it leaves no sightline")
    return np.flatnonzero(mask)


def pixel_numbers(pixels: Any, nside: int) -> Int[np.ndarray, " n"]:
    """Numbers of pixels, each once and in range."""
    last = 12 * nside**2 - 1
    pixels = np.asarray(checks.concrete("pixels", pixels))
    if pixels.ndim != 1 or pixels.size == 0 or not np.issubdtype(pixels.dtype, np.integer):
        raise ValueError(
            "pixels must be a non-empty one-dimensional array of integers, got "
            f"{pixels.dtype} of shape {pixels.shape}"
        )
    if pixels.min() < 0 or pixels.max() > last:
        wrong = pixels.min() if pixels.min() < 0 else pixels.max()
        raise ValueError(f"pixels must lie in 0..{last} for nside {nside}, got {wrong}")
    pixels = pixels.astype(np.int64)  # files have another byte order, which JAX does not know
    found, counts = np.unique(pixels, return_counts=True)
    if found.size < pixels.size:
        raise ValueError(f"pixels must be different: {found[counts > 1][0]} stands there twice")
    return pixels


def centres(nside: int, numbers: np.ndarray, nest: bool) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude (rad) of pixel centres."""
    if nest:
        import healpy

        numbers = healpy.nest2ring(nside, numbers)
    return ring_centres(nside, numbers)


def ring_centres(nside: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude (rad) of the centres of pixels in RING ordering.

    Rings i = 1 ... n of a cap hold 4 i pixels at 1 - |sin b| = i^2 / (3 n^2); those of the belt
    hold 4 n at sin b = 4/3 - 2 i / (3 n), every second one shifted by half a pixel.

    **Reference:** Gorski et al. 2005, ApJ 622, 759, equations 4 to 9.
    """
    n, p = nside, np.asarray(pixels, np.int64)
    southern = p >= 6 * n * n
    p = np.where(southern, 12 * n * n - 1 - p, p)  # the southern half is the northern, turned
    cap = p < 2 * n * (n - 1)
    ring = ((1 + np.sqrt(1.0 + 2.0 * p)) / 2).astype(np.int64)
    ring = ring - (2 * ring * (ring - 1) > p) + (2 * ring * (ring + 1) <= p)  # if rounded wrongly
    belt = p - 2 * n * (n - 1)
    i = np.where(cap, ring, belt // (4 * n) + n)
    j = np.where(cap, p - 2 * ring * (ring - 1), belt % (4 * n))
    half = np.where(cap, 0.5, np.where((i - n) % 2 == 0, 0.5, 0.0))
    half = np.where(southern, 1.0 - half, half)
    turn = (j + half) / (4.0 * np.where(cap, i, n))
    depth = np.where(cap, i * i / (3.0 * n * n), (2.0 * i - n) / (3.0 * n))  # 1 - sin b
    latitude = np.arctan2(1.0 - depth, np.sqrt(depth * (2.0 - depth)))  # also exact at the pole
    turn, latitude = np.where(southern, 1.0 - turn, turn), np.where(southern, -latitude, latitude)
    return 2 * np.pi * turn, latitude


def spread(
    vectors: tuple[np.ndarray, ...], pixels: np.ndarray, nside: int, nest: bool, count: int
) -> tuple[Float[np.ndarray, "3 n_rays"], ...]:
    """Points spread over each pixel, with its basis carried to them along great circles."""
    import healpy

    x, y, face = (a[:, None, None] for a in healpy.pix2xyf(nside, pixels, nest=nest))
    step = np.arange(count)
    fine = healpy.xyf2pix(
        nside * count,
        (x * count + step[:, None] + 0 * step).ravel(),
        (y * count + step + 0 * step[:, None]).ravel(),
        (face + 0 * step[:, None] + 0 * step).ravel(),
    )
    there = np.stack(healpy.pix2vec(nside * count, fine))
    here, east, north = (np.repeat(v, count**2, axis=1) for v in vectors)
    # the rotation from `here` to `there` about their common normal
    both = here + there
    scale = 1.0 + np.sum(here * there, axis=0)
    carry = lambda e: e - both * (np.sum(there * e, axis=0) / scale)
    return there, carry(east), carry(north)

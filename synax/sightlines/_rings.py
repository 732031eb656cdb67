"""Centres of HEALPix pixels on their rings, in NumPy: healpy takes a second to import."""

import numpy as np


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

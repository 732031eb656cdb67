"""The average effect of HEALPix pixels on multipoles, by sums over pairs of points inside them."""

import numpy as np

POINTS = 8
"""Points on a side of a pixel; their own pixels are corrected for to second order."""


def pixel_windows(nside: int, lmax: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of intensity and of polarisation, (lmax + 1,) each."""
    import healpy

    fine = nside * POINTS
    count = min(nside, max(1, round(np.sqrt(samples / 2))))
    side = ((np.arange(count) + 0.5) / count * nside).astype(int)
    x, y, face = (a.ravel() for a in np.meshgrid(side, side, [0, 4], indexing="ij"))
    offsets = np.arange(POINTS)
    sub_x = (x[:, None, None] * POINTS + offsets[:, None]) + 0 * offsets
    sub_y = (y[:, None, None] * POINTS + offsets) + 0 * offsets[:, None]
    faces = np.broadcast_to(face[:, None, None], sub_x.shape)
    pixels = healpy.xyf2pix(fine, sub_x.ravel(), sub_y.ravel(), faces.ravel())
    points = np.stack(healpy.pix2vec(fine, pixels)).reshape(3, x.size, POINTS**2)
    cosine = np.clip(np.einsum("kpi,kpj->pij", points, points).reshape(-1), -1.0, 1.0)
    weight = np.repeat(np.where(face == 0, 2.0, 1.0), POINTS**4)
    # what pairs of points miss is the spread inside each of the points' own pixels
    variance = np.pi / (36.0 * fine**2)
    values, counts = _binned(cosine, weight)
    ell = np.arange(lmax + 1)
    total = _mean(_legendre(values, lmax), counts) * np.exp(-ell * (ell + 1) * variance)
    spin = _mean(_spin_two(values, lmax), counts)
    spin[2:] *= np.exp(-(ell[2:] * (ell[2:] + 1) - 4) * variance)
    root = lambda x: np.sqrt(np.maximum(x, 0.0))
    return root(total), np.where(ell < 2, 1.0, root(spin))


def _binned(cosine: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances gathered in narrow bins: the mean of 1 - cos in each, and its weight."""
    near = 1.0 - cosine
    edges = np.linspace(0.0, near.max() * (1 + 1e-9), 4001)
    k = np.digitize(near, edges)
    counts = np.bincount(k, weight, 4002)
    sums = np.bincount(k, weight * near, 4002)
    kept = counts > 0
    return 1.0 - sums[kept] / counts[kept], counts[kept]


def _mean(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return rows @ counts / counts.sum()


def _legendre(x: np.ndarray, lmax: int) -> np.ndarray:
    rows = np.ones((lmax + 1, x.size))
    rows[1] = x
    for l in range(2, lmax + 1):
        rows[l] = ((2 * l - 1) * x * rows[l - 1] - (l - 1) * rows[l - 2]) / l
    return rows


def _spin_two(x: np.ndarray, lmax: int) -> np.ndarray:
    """d^l_22 = ((1 + x)/2)^2 P^(0,4)_(l-2)(x); zero below l = 2."""
    from scipy.special import eval_jacobi

    rows = np.zeros((lmax + 1, x.size))
    for l in range(2, lmax + 1):
        rows[l] = (0.5 * (1.0 + x)) ** 2 * eval_jacobi(l - 2, 0, 4, x)
    return rows

"""How `data/ne_arms.npz` is made from the published curves of NE2001's spiral arms.

`python -m synax.electrons._ne_arm_tables` writes it again. What the tables hold and how they are
used: `_ne_arms.py`.
"""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import CubicSpline

from ._ne_arms import AROUND, COARSE, FAR, FINE, LOCAL, N_ARMS, REACH, SAMPLES, ArmTables

# a, r_min (kpc), theta_min (rad), extent (rad); Cordes & Lazio 2002, table 2
_CURVES = (
    (4.25, 3.48, 0.0, 6.0),
    (4.25, 3.48, 3.141, 6.0),
    (4.89, 4.90, 2.525, 6.0),
    (4.89, 3.76, 4.24, 6.0),
    (4.57, 8.10, 5.847, 0.55),
)
# arm, range (deg), amplitude, centre and width (deg) of r *= 1 + amplitude cos(pi (th - c) / w)
_DISTORTIONS = (
    (1, 370.0, 410.0, 0.04, 390.0, 40.0),
    (1, 315.0, 370.0, -0.07, 345.0, 55.0),
    (1, 180.0, 315.0, 0.16, 260.0, 135.0),
    (3, 290.0, 395.0, -0.11, 350.0, 105.0),
)

Plane = Float[np.ndarray, "*n 2"]


def arm_curves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Azimuth (5, 50) and radius (5, 50) of the samples, and their places (5, 50, 2)."""
    theta, radius = [], []
    for a, r_min, start, extent in _CURVES:
        along = np.linspace(0.0, extent, SAMPLES)
        theta.append(start + along)
        radius.append(r_min * np.exp(along / a))
    for j, low, high, amplitude, center, width in _DISTORTIONS:
        degree = np.degrees(theta[j])
        bump = 1.0 + amplitude * np.cos(np.pi * (degree - center) / width)
        radius[j] = radius[j] * np.where((degree > low) & (degree <= high), bump, 1.0)
    places = [_place(th, r) for th, r in zip(theta, radius, strict=True)]
    return np.array(theta), np.array(radius), np.array(places)


def _place(theta: np.ndarray, radius: np.ndarray) -> Plane:
    """Azimuth counts from the Sun's direction (-x), towards -y."""
    return np.stack([-radius * np.cos(theta), -radius * np.sin(theta)], axis=-1)


def build() -> ArmTables:
    """The tables, in two seconds."""
    theta, radius, samples = arm_curves()
    slopes = np.zeros((N_ARMS, 2 * SAMPLES, 9))
    points = np.zeros((N_ARMS, SAMPLES, 2 * AROUND, 2))
    for j, (th, r) in enumerate(zip(theta, radius, strict=True)):
        curve = CubicSpline(th, r)
        known = np.concatenate([samples[j], np.sum(samples[j] ** 2, axis=1)[:, None]], axis=1)
        for i in range(SAMPLES):
            low, high = max(0, i - 3), min(i + 3, SAMPLES)
            knots = th[low:high]
            splined = CubicSpline(knots, known[low:high])
            for side in (0, 1):
                piece = min(max(i - low - 1 + side, 0), len(knots) - 2)
                third = splined.c[0, piece]
                terms = (splined(th[i], 1), splined(th[i], 2), 3.0 * third)
                slopes[j, 2 * i + side] = np.concatenate(
                    [(q[2], -2.0 * q[0], -2.0 * q[1]) for q in terms]
                )
            mesh = np.arange(knots[0], knots[-1], FINE)
            m = _first_fine(i, th[1] - th[0]) + np.arange(2 * AROUND)
            points[j, i] = _place(a := mesh[np.clip(m, 0, len(mesh) - 1)], curve(a))
    words = [_candidates(samples[j], *COARSE) for j in range(4)]
    coarse = np.stack([(words[j] & 4095) | words[j + 1] << 12 for j in (0, 2)])
    local = _candidates(samples[4], *LOCAL)
    return ArmTables(samples, theta[:, 1] - theta[:, 0], slopes, points, coarse, local)


def _first_fine(i: int, spacing: float) -> int:
    """Number, among the program's azimuths about sample i, of the first that is kept."""
    return math.floor(min(i, 3) * spacing / FINE) - AROUND + 1


def _candidates(
    samples: Plane, x0: float, y0: float, size: float, n: int
) -> Int[np.ndarray, "n_cells"]:
    """The samples that may be nearest in each square cell, three numbers of 6 bits.

    Elsewhere than beside an arm with kinks there are one or two.
    """
    x, y = x0 + size * np.arange(n + 1), y0 + size * np.arange(n + 1)
    d2 = ((x[:, None] - samples[:, 0]) ** 2)[:, None] + ((y[:, None] - samples[:, 1]) ** 2)[None]
    apart = 0.6 * np.max(np.linalg.norm(np.diff(samples, axis=0), axis=1))
    reach = math.hypot(REACH + 1.5 * size, apart)  # of a sample, where the curve is within REACH
    nearest, reached = d2.argmin(axis=-1), d2.min(axis=-1) < reach**2
    corners = lambda table: np.stack([table[i : n + i, k : n + k] for i in (0, 1) for k in (0, 1)])
    number, near = corners(nearest), corners(reached).any(axis=0)
    found = np.repeat(number[0][None], 3, axis=0)
    # where corners differ (regions of nearest samples are convex) the cell is looked at closely
    mixed = np.nonzero(near & (number.min(axis=0) < number.max(axis=0)))
    inner = np.stack(np.meshgrid(*[np.linspace(0.0, size, 9)] * 2), axis=-1).reshape(-1, 2)
    place = np.stack([x[mixed[0]], y[mixed[1]]], axis=-1)[:, None] + inner
    d2 = np.sum(samples**2, axis=1) - 2.0 * place @ samples.T
    counts = (d2.argmin(axis=-1)[..., None] == np.arange(SAMPLES)).sum(axis=1)
    often = np.argsort(-counts, axis=1, kind="stable")[:, :3]
    seen = np.take_along_axis(counts, often, 1) > 0
    found[:, *mixed] = np.where(seen, often, often[:, :1]).T
    word = found[0] | found[1] << 6 | found[2] << 12
    return np.where(near, word, FAR).ravel().astype(np.int32)


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).parent / "data" / "ne_arms.npz", **build()._asdict())

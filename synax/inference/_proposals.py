"""Where a search for maxima looks next, told by the maxima that it has met."""

import numpy as np
from jaxtyping import Float

from ._curvature import Mode

LEAD = 30.0
"""Maxima that are lower than the best by more than this say nothing of where others lie."""
LEADERS = 2
"""Rungs are added to the ladder from so many of the best maxima."""

Latents = Float[np.ndarray, "draws n_latent"]


def near(modes: list[Mode], n: int, rng: np.random.Generator) -> Latents:
    """These maxima, and draws from the Gaussians at them: the same number from each, n in all."""
    parts, each = [], n // len(modes)
    for mode in modes:
        xi = rng.standard_normal((each, mode.latent.size))
        xi[0] = 0.0
        parts.append(np.asarray(mode.latent, np.float64) + xi @ _root(mode).T)
    return np.concatenate(parts)


def beyond(modes: list[Mode], n: int, rng: np.random.Generator) -> Latents:
    """One step of the ladder, or half of one, from the best maxima: n draws.

    Faraday rotation makes rows of maxima, a turn of the light between neighbours. The step from
    one maximum to another, made from a third one, leads to a fourth. Draws are spread around
    where it ends like the Gaussian where it begins.

    **Arguments:**

    - `modes`: at least two, the highest first.

    **Reference:** steps between members of a population: ter Braak 2006, Stat. Comput. 16, 239.
    """
    heights = np.array([float(mode.curvature.logdensity) for mode in modes])
    row = max(2, int(np.sum(heights > heights[0] - LEAD)))
    at = np.stack([np.asarray(mode.latent, np.float64) for mode in modes[:row]])
    roots = np.stack([_root(mode) for mode in modes[:LEADERS]])
    begin, ends = rng.integers(len(roots), size=n), rng.integers(row, size=n)
    others = (ends + rng.integers(1, row, size=n)) % row
    share = rng.choice([0.5, 1.0], size=(n, 1))
    xi = rng.standard_normal((n, at.shape[1]))
    spread = np.einsum("nij,nj->ni", roots[begin], xi)
    return at[begin] + share * (at[ends] - at[others]) + spread


def _root(mode: Mode) -> Float[np.ndarray, "n_latent n_latent"]:
    """R with R R^T = the covariance of the Gaussian at a maximum, however flat that is."""
    values, vectors = np.linalg.eigh(np.asarray(mode.curvature.precision, np.float64))
    return vectors / np.sqrt(np.maximum(values, 1e-12 * max(values.max(), 1e-300)))

"""Data in the order in which a search should believe them: the smoothest functions first.

A datum that is a smooth function of the parameters (a pixel far from the plane) leads a search from
afar. One that turns many times within the prior (Faraday rotation near the plane) makes a maximum
of its own at each turn, and helps only once the others have said roughly where to look.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from ._density import LatentDensity
from ._likelihood import AbstractLikelihood, JointLikelihood, Likelihood

FRACTIONS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the data that are used one after the other, before all are."""


def roughness(
    residuals: Float[np.ndarray, "draws n"],
    moved: Float[np.ndarray, "pairs n"],
    step: float,
) -> Float[np.ndarray, " n"]:
    """How fast each datum changes, in its own standard deviations for one of the parameters'.

    **Arguments:**

    - `residuals`: whitened, at draws of the prior.
    - `moved`: at the first of these draws, moved by `step` standard deviations of the prior in a
      random direction.

    **Returns** about 1 for a linear function and more for one that turns; infinite where the
    datum does not know the parameters.
    """
    slope = np.sqrt(np.mean((moved - residuals[: len(moved)]) ** 2, axis=0)) / step
    spread = np.std(residuals, axis=0)
    known = spread > 0.0
    return np.where(known, slope / np.where(known, spread, 1.0), np.inf)


def levels(rough: Float[np.ndarray, " n"], least: int) -> list[Bool[np.ndarray, " n"]]:
    """Which data each level uses: growing sets, the smoothest data first, at the end all.

    **Arguments:**

    - `least`: no level has fewer data than this.
    """
    order = np.argsort(rough, kind="stable")
    n = int(np.isfinite(rough).sum())
    sizes = sorted({max(least, round(share * n)) for share in FRACTIONS})
    found = []
    for size in sizes:
        if size < n:
            mask = np.zeros(rough.size, bool)
            mask[order[:size]] = True
            found.append(mask)
    return [*found, np.ones(rough.size, bool)]


def can_be_masked(likelihood: AbstractLikelihood) -> bool:
    """Whether `masked` can leave out data: of `Likelihood`s, alone or in a `JointLikelihood`."""
    parts = likelihood.parts if isinstance(likelihood, JointLikelihood) else (likelihood,)
    return all(isinstance(part, Likelihood) for part in parts)


def masked(posterior: LatentDensity, use: Bool[np.ndarray, " n"]) -> LatentDensity:
    """The posterior given only some of its data, in the order of its residuals.

    One compiled program serves all choices: the masks are arrays.
    """
    likelihood = posterior.likelihood
    if not can_be_masked(likelihood):
        return posterior
    joint = isinstance(likelihood, JointLikelihood)
    parts, start = [], 0
    for part in likelihood.parts if joint else (likelihood,):
        stop = start + part.data.size
        own = use[start:stop].reshape(part.data.shape)
        own = jnp.asarray(own if part.mask is None else own & np.asarray(part.mask))
        parts.append(eqx.tree_at(lambda p: p.mask, part, own, is_leaf=lambda x: x is None))
        start = stop
    new = eqx.tree_at(lambda j: j.parts, likelihood, tuple(parts)) if joint else parts[0]
    return eqx.tree_at(lambda p: p.likelihood, posterior, new)

"""The maxima that compete: their Gaussians, the chains that start there, what is told of them."""

import json
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ._box import WIDEST, boxed, has_boxes
from ._curvature import find_mode
from ._density import LatentDensity
from ._laplace import Laplace, as_laplace, off_bounds, reduced_chi2, search
from ._search import Maxima, shares_of

Latent = Float[Array, " n_latent"]
Told = dict[str, int | float | str]
"""What a result says of itself: plain numbers, and lists as JSON."""


class Placement(NamedTuple):
    """The coordinates of each chain: latent = center + root @ xi."""

    center: Float[Array, "chains n"]
    root: Float[Array, "chains n n"]
    group: Int[Array, " chains"]
    """Number of the maximum of each chain; chains of one share what the warm-up learns."""
    soft: Float[Array, "_"]
    """These are latents of `boxed(posterior, soft)`; empty where latents are used as they are."""


class Competing(NamedTuple):
    """The Gaussians at the maxima that compete, in common coordinates in which chains can run."""

    maxima: tuple[Laplace, ...]
    """In the coordinates of `boxed(posterior, soft)`, the largest evidence first."""
    soft: Latent
    """Marginal standard deviations at the best, as fractions of the priors' intervals; empty
    where no prior is bounded."""
    found: Maxima
    """All maxima, in the coordinates of `boxed(posterior)`."""
    numbers: tuple[int, ...]
    """Which of `found` each of `maxima` is."""

    @property
    def weights(self) -> Float[np.ndarray, " maxima"]:
        """Shares of the probability, by the Gaussians."""
        return shares_of(np.array([float(g.log_evidence) for g in self.maxima]))

    def places(self, chains: int) -> Placement:
        """Chains in every maximum that competes.

        Each maximum gets a chain, the most probable first, for as long as there are chains; what
        is left is shared out by probability.
        """
        weights = self.weights[:chains]
        shares = np.maximum(1, np.floor(chains * weights / weights.sum()).astype(int))
        while shares.sum() > chains:
            shares[np.argmax(shares)] -= 1
        while shares.sum() < chains:
            shares[np.argmax(weights / weights.sum() - shares / chains)] += 1
        group = np.repeat(np.arange(len(shares)), shares)
        center = jnp.stack([self.maxima[i].mode for i in group])
        root = jnp.stack([self.maxima[i].root for i in group])
        return Placement(center, root, jnp.asarray(group, jnp.int32), self.soft)

    def told(self, posterior: LatentDensity, group: Int[np.ndarray, " chains"]) -> Told:
        """What is stored of the search: 'reduced_chi2' at the best maximum, 'maxima' as JSON.

        'maxima' lists the distinct maxima, the highest first: `ln_density` (of the parameters'
        straight coordinates), `share` of the probability by their Gaussians, `chains` started
        there (of those in `group`), and `parameters` that are single numbers.
        """
        straight, found = boxed(posterior), self.found
        chains = {i: int(np.sum(group == k)) for k, i in enumerate(self.numbers)}
        maxima = []
        for i, (mode, share) in enumerate(zip(found.modes, found.shares, strict=True)):
            params = straight.constrain(mode.latent)
            maxima.append({
                "ln_density": float(mode.curvature.logdensity),
                "share": float(share),
                "chains": chains.get(i, 0),
                "parameters": {k: np.asarray(v).item() for k, v in params.items() if v.size == 1},
            })  # fmt: skip
        return {
            "reduced_chi2": reduced_chi2(straight, found.modes[0].latent),
            "maxima": json.dumps(maxima),
        }


def competing_gaussians(
    posterior: LatentDensity,
    start: Any = None,
    *,
    restarts: int | None = None,
    key: PRNGKeyArray | None = None,
) -> Competing:
    """The Gaussians at the maxima that matter, in coordinates in which chains can run."""
    found = search(posterior, start, restarts=restarts, key=key)
    numbers = found.competing or (0,)
    chosen = [found.modes[i] for i in numbers]
    if not has_boxes(posterior):
        gaussians = [as_laplace(mode, found.evaluations) for mode in chosen]
        return _sorted(gaussians, jnp.zeros((0,), chosen[0].latent.dtype), found, numbers)
    straight = boxed(posterior)
    # a singular matrix cannot occur: boxed priors add the precision of a uniform variate
    precisions = [mode.curvature.precision for mode in chosen]
    deviation = jnp.stack([jnp.sqrt(jnp.diagonal(jnp.linalg.inv(p))) for p in precisions])
    soft = jnp.clip(jnp.max(deviation, axis=0), 1e-7, WIDEST)
    bent, evaluations, modes = boxed(posterior, soft), found.evaluations, []
    for mode in chosen:
        modes.append(find_mode(bent, off_bounds(bent, straight, mode.latent)))
        evaluations += modes[-1].steps
    return _sorted([as_laplace(mode, evaluations) for mode in modes], soft, found, numbers)


def _sorted(
    gaussians: list[Laplace], soft: Latent, found: Maxima, numbers: tuple[int, ...]
) -> Competing:
    order = np.argsort([-float(g.log_evidence) for g in gaussians])
    return Competing(
        tuple(gaussians[i] for i in order), soft, found, tuple(numbers[i] for i in order)
    )

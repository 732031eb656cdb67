"""Where a search or a chain begins, from what a user gives as `start`."""

import logging
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._density import LatentDensity
from ._priors import AbstractPrior, innermost

LOG = logging.getLogger("synax")
Latent = Float[Array, " n_latent"]


def start_latent(posterior: LatentDensity, start: Any, *, or_prior: bool = False) -> Latent:
    """A latent vector from None (values in the model), parameter values, or a latent vector.

    **Arguments:**

    - `or_prior`: where the priors exclude the values in the model, take the middle of the priors
      (latents of 0) and say so in the log, in place of an error.

    **Raises** `ValueError` that names the parameters outside the support of their priors.
    """
    given = posterior.current() if start is None else start
    latent = posterior.unconstrain(given) if isinstance(given, dict) else jnp.asarray(given)
    if latent.shape != (posterior.size,):
        raise ValueError(f"start must have shape ({posterior.size},), got {latent.shape}")
    if bool(jnp.all(jnp.isfinite(latent))):
        return latent
    outside = _outside(posterior, given)
    if start is None and or_prior:
        LOG.info("%s: the search starts from the middle of the priors", outside)
        return jnp.zeros_like(latent)
    remedy = "give start= inside them" if start is None else "choose another start"
    raise ValueError(f"start lies outside the support of the priors ({outside}): {remedy}")


def _outside(posterior: LatentDensity, given: Any) -> str:
    """'the prior of 'x' excludes 3.5' for each parameter whose latent is not finite."""
    if not isinstance(given, dict):
        return "the latent vector is not finite"
    words = []
    for block in posterior.blocks:
        value = block.join(posterior._checked(given))
        if not bool(jnp.all(jnp.isfinite(block.prior.latent(value)))):
            shown = np.array2string(np.asarray(value), precision=6, threshold=6)
            names, range_ = " and ".join(f"'{p}'" for p in block.paths), _support(block.prior)
            words.append(f"the prior of {names}{range_} excludes {shown}")
    return ", ".join(words)


def _support(prior: AbstractPrior) -> str:
    distribution = innermost(getattr(prior, "distribution", None))
    low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
    if low is None or high is None:
        return ""
    return f", {type(distribution).__name__} from {np.min(low):g} to {np.max(high):g},"

"""A simulator for some of its sightlines: what it holds for each of them is picked with them."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..emission import AbstractBackground
from ..sightlines._sightlines import Sightlines
from ._sampled import check_samples, is_sampled, sampled_fields


class Picked(AbstractBackground):
    """A background behind some of the sightlines that it was made for."""

    behind: AbstractBackground
    numbers: Int[Array, " n_rays"]

    def __call__(self, frequency: Float[Array, " n_freq"]) -> Float[Array, "n_freq _"]:
        found = self.behind(frequency)
        return found if found.shape[-1] == 1 else found[:, self.numbers]


def taken(simulator: Any, rays: Sightlines, numbers: Int[np.ndarray, " n"]) -> Any:
    """The simulator of `rays` for `rays.take(numbers)`: background and sampled fields follow.

    **Raises** `ValueError` for fields that were sampled along other sightlines.
    """
    samples = sampled_fields(simulator)
    if samples:
        check_samples(samples, rays)
        pick = lambda x, ray: jnp.asarray(x)[..., numbers] if ray else x

        def some(field: Any) -> Any:
            chosen = jax.tree.map(pick, field, field.per_ray())
            return dataclasses.replace(chosen, fingerprint=None)

        simulator = jax.tree.map(
            lambda x: some(x) if is_sampled(x) else x, simulator, is_leaf=is_sampled
        )
    behind = getattr(simulator, "background", None)
    if behind is None:
        return simulator
    return eqx.tree_at(lambda s: s.background, simulator, Picked(behind, jnp.asarray(numbers)))

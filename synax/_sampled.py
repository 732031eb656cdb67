"""A field evaluated once along given sightlines, to be used in its place.

What is expensive and does not depend on the free parameters need not be evaluated again at
every step of a fit.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._field import AbstractField
from ._sightlines import Sightlines
from .transfer import AbstractQuadrature, AbstractSteps, Cells, Place


class Here(AbstractField):
    """The value of a sampled field at the point being integrated, whatever the position."""

    value: Array

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "..."]:
        return self.value


class SampledField(AbstractField):
    """Values of a field at the quadrature points of a set of sightlines.

    Made by `synax.sample_along`. It stands in for the field inside a simulator (also as a part
    of a sum or a product) for the same sightlines, steps and quadrature, and brings the cells it
    was sampled on with it. It cannot be evaluated at free positions.
    """

    values: Float[Array, "n_cells n_nodes *components n_rays"]
    cells: Cells
    steps: AbstractSteps
    quadrature: AbstractQuadrature

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "..."]:
        if position.shape[1:] != (2,):  # the shape that `check_rank` asks for
            raise TypeError(
                "a SampledField has values only along its own sightlines; "
                "use the original field to evaluate it at other positions"
            )
        components = self.values.shape[2:-1]
        return jnp.zeros((*components, *position.shape[1:]), self.values.dtype)

    def at(self, place: Place) -> Here:
        """The field as seen from one cell and node."""
        value = jax.lax.dynamic_index_in_dim(self.values, place.cell, keepdims=False)
        return Here(value[place.node])


def is_sampled(x: Any) -> bool:
    """Leaf predicate for trees that may hold sampled fields."""
    return isinstance(x, SampledField)


def sampled_fields(tree: Any) -> list[SampledField]:
    """All sampled fields in a PyTree."""
    return [x for x in jax.tree.leaves(tree, is_leaf=is_sampled) if is_sampled(x)]


def localise(tree: Any, place: Place) -> Any:
    """Replace every sampled field in a tree by its value at `place`."""
    return jax.tree.map(lambda x: x.at(place) if is_sampled(x) else x, tree, is_leaf=is_sampled)


def per_ray_filter(tree: Any) -> Any:
    """Filter spec that is True on the leaves with a last axis of rays (sampled values)."""

    def mark(x: Any) -> Any:
        if not is_sampled(x):
            return False
        spec = jax.tree.map(lambda _: False, x)
        return eqx.tree_at(lambda f: f.values, spec, True)

    return jax.tree.map(mark, tree, is_leaf=is_sampled)


def check_same_cells(samples: list[SampledField], rays: Sightlines) -> SampledField | None:
    """The first sample, after checking that all fit the sightlines and each other."""
    if not samples:
        return None
    first = samples[0]
    if first.values.shape[-1] != rays.n_rays:
        raise ValueError(
            f"a SampledField with {first.values.shape[-1]} sightlines was given to a simulator "
            f"called with {rays.n_rays}"
        )
    for other in samples[1:]:
        same = (
            other.values.shape[:2] == first.values.shape[:2]
            and type(other.steps) is type(first.steps)
            and type(other.quadrature) is type(first.quadrature)
            and other.cells.first.shape == first.cells.first.shape
        )
        if not same:
            raise ValueError(
                "the SampledFields in one simulator must be sampled with the same sightlines, "
                "steps, quadrature and surfaces: use Synchrotron.precompute for all of them at once"
            )
    return first

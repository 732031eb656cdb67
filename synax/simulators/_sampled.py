"""A field evaluated once along given sightlines, to be used in its place.

What is expensive and does not depend on the free parameters need not be evaluated again at
every step of a fit.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from ..cosmic_rays import AbstractPowerLaw, PowerLaw
from ..fields._field import AbstractField
from ..fields._surfaces import AbstractSurface
from ..sightlines._sightlines import Sightlines
from ..transfer import (
    AbstractQuadrature,
    AbstractSteps,
    GaussLegendre,
    GradedSteps,
)
from ..transfer._cells import Cells, faces, place_cells


class Here(AbstractField):
    """The value of a sampled field at the point being integrated, whatever the position."""

    value: Array
    rank: str = eqx.field(static=True)

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "..."]:
        return self.value


class SampledField(AbstractField):
    """Values of a field at the quadrature points of a set of sightlines.

    Made by `synax.sample_along`. It stands in for the field inside a simulator (also as a part
    of a sum or a product) for the same sightlines, steps and quadrature, and brings the cells it
    was sampled on with it. It cannot be evaluated at free positions.
    """

    values: Float[Array, "n_cells *components n_nodes n_rays"]
    cells: Cells | None
    steps: AbstractSteps
    quadrature: AbstractQuadrature

    @property
    def rank(self) -> str:
        return "vector" if self.values.ndim == 4 else "scalar"

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "..."]:
        raise TypeError(
            "a SampledField has values only along its own sightlines; "
            "use the original field to evaluate it at other positions"
        )

    def per_ray(self) -> "SampledField":
        """Which leaves have a last axis of rays."""
        spec = jax.tree.map(lambda _: False, self)
        cells = jax.tree.map(lambda _: True, self.cells)
        where = lambda f: (f.values, f.cells)
        return eqx.tree_at(where, spec, (True, cells), is_leaf=lambda n: n is None)

    def at(self, cell: Array) -> Here:
        """The field as seen from the nodes of one cell."""
        return Here(jax.lax.dynamic_index_in_dim(self.values, cell, keepdims=False), self.rank)


def is_sampled(x: Any) -> bool:
    """Leaf predicate for trees that may hold sampled fields."""
    return isinstance(x, SampledField)


def sampled_fields(tree: Any) -> list[SampledField]:
    """All sampled fields in a PyTree."""
    return [x for x in jax.tree.leaves(tree, is_leaf=is_sampled) if is_sampled(x)]


def localise(tree: Any, cell: Array) -> Any:
    """Replace every sampled field in a tree by its values in one cell."""
    return jax.tree.map(lambda x: x.at(cell) if is_sampled(x) else x, tree, is_leaf=is_sampled)


def without_cells(tree: Any) -> Any:
    """The tree with the cells of its sampled fields dropped (the march has them already)."""
    drop = lambda x: dataclasses.replace(x, cells=None) if is_sampled(x) else x
    return jax.tree.map(drop, tree, is_leaf=is_sampled)


def per_ray(tree: Any) -> Any:
    """Filter spec that is True on the leaves with a last axis of rays."""
    knows = lambda x: hasattr(x, "per_ray")
    mark = lambda x: x.per_ray() if knows(x) else False
    return jax.tree.map(mark, tree, is_leaf=knows)


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
            other.values.shape[0] == first.values.shape[0]
            and other.values.shape[-2:] == first.values.shape[-2:]
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


def cells_along(
    rays: Sightlines, surfaces: Sequence[AbstractSurface], steps: AbstractSteps
) -> tuple[Cells, int]:
    """Where the cells lie on each ray, with faces at the surfaces, and how many there are."""
    near, far = rays.span()
    origin = jnp.broadcast_to(rays.origin, rays.direction.shape)
    crossings = [s.crossings(origin, rays.direction) for s in surfaces]
    stacked = jnp.concatenate(crossings) if crossings else jnp.zeros((0, rays.n_rays))
    return place_cells(near, far, stacked.astype(near.dtype), steps)


def crossings_along(rays: Sightlines, surfaces: Sequence[AbstractSurface]) -> int:
    """How many faces the surfaces add to each ray."""
    find = lambda s, r: s.crossings(jnp.broadcast_to(r.origin, r.direction.shape), r.direction)
    return sum(eqx.filter_eval_shape(find, s, rays).shape[0] for s in surfaces)


def as_steps(steps: Any) -> AbstractSteps:
    """Converter: an integer means that many cells, short near the observer and longer far away."""
    if isinstance(steps, AbstractSteps):
        return steps
    try:
        return GradedSteps(checks.integer("steps: n", steps))
    except ValueError:
        raise ValueError(
            f"steps: n must be a positive integer or a rule for steps, got {checks.shown(steps)}"
        ) from None


def sample_along(
    field: AbstractField,
    rays: Sightlines,
    steps: AbstractSteps | int = 256,
    *,
    quadrature: AbstractQuadrature | None = None,
    surfaces: Sequence[AbstractSurface] | None = None,
) -> AbstractField:
    """Evaluate a field once at every quadrature point of some sightlines.

    **Arguments:**

    - `field`: scalar or vector field, or power-law cosmic rays.
    - `rays`, `steps`, `quadrature`: as the simulator will use them (quadrature: its default).
    - `surfaces`: where cell faces go; default: the field's own. Give those of all fields of the
      simulator, or use `Synchrotron.precompute`, which does.

    **Returns** a field that `Synchrotron` and the other simulators accept in place of `field`,
    with memory cells x nodes x components x rays. Cosmic rays stay a power law, with normalisation
    and (if it is a field) index sampled.
    """
    checks.instance("field", field, AbstractField, "a field (a synax.AbstractField)")
    checks.instance("rays", rays, Sightlines, "synax.Sightlines")
    steps = as_steps(steps).resolve(rays)
    quadrature = GaussLegendre() if quadrature is None else quadrature
    surfaces = field.surfaces() if surfaces is None else surfaces
    if isinstance(field, AbstractPowerLaw):
        index = field.spectral_index
        if isinstance(index, AbstractField):
            index = _sample(index, rays, steps, quadrature, tuple(surfaces))
        normalisation = _sample(field, rays, steps, quadrature, tuple(surfaces))
        return PowerLaw(normalisation, index)
    return _sample(field, rays, steps, quadrature, tuple(surfaces))


@eqx.filter_jit
def _sample(
    field: AbstractField,
    rays: Sightlines,
    steps: AbstractSteps,
    quadrature: AbstractQuadrature,
    surfaces: tuple[AbstractSurface, ...],
) -> SampledField:
    cells, n_cells = cells_along(rays, surfaces, steps)
    field = field.prepare()

    def one(k: Array) -> Array:
        (near,), (length,) = faces(cells, k, 1, n_cells, steps)
        nodes = jnp.asarray(quadrature.nodes, near.dtype)[:, None]
        distance = near + nodes * length
        return field(rays.origin[:, None] + distance * rays.direction[:, None])

    values = jax.lax.map(one, jnp.arange(n_cells, dtype=jnp.int32))
    return SampledField(values, cells, steps, quadrature)

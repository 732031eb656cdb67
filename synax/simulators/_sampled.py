"""A field evaluated once along given sightlines, to be used in its place.

What is expensive and does not depend on the free parameters need not be evaluated again at
every step of a fit.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks
from .._checks import is_traced
from ..cosmic_rays import AbstractParametricSpectrum, AbstractPowerLaw, PowerLaw
from ..cosmic_rays._parametric import Renormalised
from ..fields._field import AbstractField
from ..fields._surfaces import AbstractSurface, crossings_of
from ..sightlines._sightlines import Sightlines
from ..transfer import (
    AbstractQuadrature,
    AbstractSteps,
    AbstractTransfer,
    GaussLegendre,
    GradedSteps,
)
from ..transfer._cells import Cells, faces, place_cells
from ._standing import warn_of_place


class Here(AbstractField):
    """The value of a sampled field at the point being integrated, whatever the position."""

    value: Array
    kind: str = eqx.field(static=True)

    @property
    def rank(self) -> str:
        return self.kind

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
    fingerprint: str | None = eqx.field(static=True, default=None)
    """Of the sightlines it was made with; None where they were being traced."""
    bound_to_rays: ClassVar[bool] = True

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
    knows = lambda x: hasattr(x, "per_ray") or isinstance(x, AbstractTransfer)
    return jax.tree.map(lambda x: _marked(x) if knows(x) else False, tree, is_leaf=knows)


def _marked(x: Any) -> Any:
    """The spec of something that knows it, or of a law of light: what is behind each ray."""
    if hasattr(x, "per_ray"):
        return x.per_ray()
    spec = jax.tree.map(lambda _: False, x)
    behind = getattr(x, "background", None)
    if behind is None or jnp.shape(behind)[-1:] in ((), (1,)):
        return spec
    return eqx.tree_at(lambda law: law.background, spec, True)


def fingerprint(rays: Sightlines) -> str | None:
    """A digest of where rays run and end; None where that is not known while tracing."""
    arrays = jax.tree.leaves((rays.observer, rays.direction, rays.span()))
    known = all(not is_traced(x) and getattr(x, "is_fully_addressable", True) for x in arrays)
    if not known:
        return None
    digest = hashlib.blake2b(digest_size=16)
    for x in arrays:
        digest.update(np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()


def _shape(cells: Cells | None) -> tuple[int, ...] | None:
    return None if cells is None else cells.number.shape


def check_free_cells(tree: Any, what: str) -> None:
    """Raise `ValueError` if there is a sampled field, which brings its cells: `what` had no effect.

    **Arguments:**

    - `what`: as the beginning of the message.
    """
    if sampled_fields(tree):
        raise ValueError(
            f"{what} needs the original fields: a SampledField (of precompute or sample_along) "
            "keeps the cells that it was sampled on"
        )


def check_samples(samples: list[SampledField], rays: Sightlines) -> None:
    """Raise `ValueError` unless sampled fields fit the sightlines and each other."""
    if not samples:
        return
    first = samples[0]
    if first.values.shape[-1] != rays.n_rays:
        raise ValueError(
            f"a SampledField with {first.values.shape[-1]} sightlines was given to a simulator "
            f"called with {rays.n_rays}"
        )
    marks = {mark for mark in (*(s.fingerprint for s in samples), fingerprint(rays)) if mark}
    if len(marks) > 1:
        raise ValueError(
            "a SampledField holds values along its own sightlines, and these run or end "
            "elsewhere: call precompute (or sample_along) again with the new sightlines"
        )
    for other in samples[1:]:
        same = (
            other.values.shape[0] == first.values.shape[0]
            and other.values.shape[-2:] == first.values.shape[-2:]
            and type(other.quadrature) is type(first.quadrature)
            and _shape(other.cells) == _shape(first.cells)
            and _alike((other.steps, other.cells), (first.steps, first.cells))
        )
        if not same:
            raise ValueError(
                "the SampledFields in one simulator must be sampled with the same sightlines, "
                "steps, quadrature and surfaces: use Synchrotron.precompute for all of them at once"
            )


def _alike(a: Any, b: Any) -> bool:
    """Whether two trees are equal, as far as their values are known."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    unknown = lambda x: is_traced(x) or not getattr(x, "is_fully_addressable", True)
    return all(
        x is y or unknown(x) or unknown(y) or np.array_equal(np.asarray(x), np.asarray(y))
        for x, y in pairs
    )


def cells_along(
    rays: Sightlines, surfaces: Sequence[AbstractSurface], steps: AbstractSteps
) -> tuple[Cells, int]:
    """Where the cells lie on each ray, with faces at the surfaces, and how many there are."""
    near, far = rays.span()
    origin = jnp.broadcast_to(rays.origin, rays.direction.shape)
    crossings = crossings_of(surfaces, origin, rays.direction)
    return place_cells(near, far, crossings.astype(near.dtype), steps)


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

    - `field`: scalar or vector field, or cosmic rays.
    - `rays`, `steps`, `quadrature`: as the simulator will use them (quadrature: its default).
    - `surfaces`: where cell faces go; default: the field's own. Give those of all fields of the
      simulator, or use `Synchrotron.precompute`, which does.

    **Returns** a field that `Synchrotron` and the other simulators accept in place of `field`,
    with memory cells x nodes x components x rays. Cosmic rays keep their spectrum: of a power
    law, normalisation and (if it is a field) index are sampled, of a spectrum of the same shape
    everywhere the normalisation. **Warns** (`synax.SynaxWarning`) of an observer off the Sun about
    which the field has structure.
    """
    checks.instance("field", field, AbstractField, "a field (a synax.AbstractField)")
    checks.unitless_leaves("field", field)
    checks.instance("rays", rays, Sightlines, "synax.Sightlines")
    warn_of_place((field,), rays)
    steps = as_steps(steps).resolve(rays)
    quadrature = GaussLegendre() if quadrature is None else quadrature
    surfaces = field.surfaces() if surfaces is None else surfaces
    mark = fingerprint(rays)
    if isinstance(field, AbstractPowerLaw):
        index = field.spectral_index
        if isinstance(index, AbstractField):
            index = _sample(index, rays, steps, quadrature, tuple(surfaces), mark)
        normalisation = _sample(field, rays, steps, quadrature, tuple(surfaces), mark)
        return PowerLaw(normalisation, index)
    if isinstance(field, AbstractParametricSpectrum) and field.has_uniform_shape:
        normalisation = _sample(field, rays, steps, quadrature, tuple(surfaces), mark)
        return Renormalised(normalisation, field, field.gamma_min, field.gamma_max)
    return _sample(field, rays, steps, quadrature, tuple(surfaces), mark)


@eqx.filter_jit
def _sample(
    field: AbstractField,
    rays: Sightlines,
    steps: AbstractSteps,
    quadrature: AbstractQuadrature,
    surfaces: tuple[AbstractSurface, ...],
    mark: str | None,
) -> SampledField:
    cells, n_cells = cells_along(rays, surfaces, steps)
    field = field.prepare()

    def one(k: Array) -> Array:
        (near,), (length,) = faces(cells, k, 1, steps).rows()
        nodes = jnp.asarray(quadrature.nodes, near.dtype)[:, None]
        distance = near + nodes * length
        return field(rays.origin[:, None] + distance * rays.direction[:, None])

    values = jax.lax.map(one, jnp.arange(n_cells, dtype=jnp.int32))
    return SampledField(values, cells, steps, quadrature, mark)

"""How a simulator runs: fields made ready, rays divided over blocks and devices, cells placed."""

import abc
import dataclasses
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._numerics._math import stored
from .._numerics._mesh import PLANES, RAYS, REPLICATED, as_mesh, over_rays
from .._shown import Shown
from ..emission import AbstractProcess, Plasma, Turbulence
from ..fields._field import AbstractField
from ..fields._surfaces import AbstractSurface, distinct
from ..sightlines._sightlines import Sightlines
from ..transfer import (
    AbstractAdjoint,
    AbstractQuadrature,
    AbstractReversibleTransfer,
    AbstractSteps,
    AbstractTransfer,
    Coefficients,
    GaussLegendre,
    Light,
    ReversibleAdjoint,
)
from ..transfer._base import AbstractGeometry, AbstractMedium, Frame
from ..transfer._cells import Cells
from ..transfer._march import Arguments, March, Problem
from ._checked import check_call
from ._sampled import (
    as_steps,
    cells_along,
    check_free_cells,
    check_samples,
    crossings_along,
    localise,
    per_ray,
    sampled_fields,
    without_cells,
)
from ._slab import check_same_devices, divided_grids, mark_divided, own_slabs
from ._standing import known_surfaces

BLOCKS = {"cpu": 2048, "other": 131072}
"""Rays advanced together unless the user says otherwise.

- cpu: the arrays of a block stay in a core's cache.
- other: enough threads for a GPU.
"""
FEWEST = 256
"""Rays of a block at least, of laws that carry light: `BLOCKS` over the number of frequencies."""


class Integration(Shown):
    """How a simulator integrates; every simulator takes these as keyword arguments.

    - `steps`: cells per ray: an integer (cells that grow with distance, `GradedSteps`), or a rule
      such as `UniformSteps(256)`. Every crossing of a named surface that a ray can have adds one
      cell.
    - `quadrature`: `GaussLegendre()` (fourth order, two points a cell) or `Midpoint()`.
    - `adjoint`: how to differentiate; see `ReversibleAdjoint`.
    - `faces`: put cell faces where rays cross the fields' surfaces.
    - `block`: rays advanced together; sets the working memory, not the result. Default: what
      measured best on the device.
    - `precision`: dtype in which fields are evaluated, such as `jnp.float32`; phases, depths and
      sums keep the dtype of the rays. Default: the dtype of the rays.
    """

    steps: AbstractSteps = eqx.field(default=256, converter=as_steps)
    quadrature: AbstractQuadrature = eqx.field(default_factory=GaussLegendre)
    adjoint: AbstractAdjoint = eqx.field(default_factory=ReversibleAdjoint)
    faces: bool = eqx.field(static=True, default=True)
    block: int | None = eqx.field(static=True, default=None)
    precision: Any = eqx.field(static=True, default=None)

    def __check_init__(self):
        checks.instance(
            "quadrature", self.quadrature, AbstractQuadrature, "such as synax.GaussLegendre()"
        )
        checks.instance("adjoint", self.adjoint, AbstractAdjoint, "such as ReversibleAdjoint()")
        if not isinstance(self.faces, bool):
            raise ValueError(f"faces must be True or False, got {self.faces!r}")
        if self.block is not None:
            checks.integer("block", self.block)
        if self.precision is not None and not _is_float(self.precision):
            raise ValueError(
                f"precision must be jnp.float32, jnp.float64 or None, got {self.precision!r}"
            )


def _is_float(precision: Any) -> bool:
    try:
        return jnp.dtype(precision) in (jnp.dtype("float32"), jnp.dtype("float64"))
    except TypeError:
        return False


def as_integration(integration: Integration | None, settings: dict[str, Any]) -> Integration:
    """The integration of a simulator, from either of the two ways to give it."""
    if integration is not None and settings:
        raise TypeError(f"give integration or {sorted(settings)}, not both")
    known = [f.name for f in dataclasses.fields(Integration)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise TypeError(f"unexpected argument {unknown[0]!r}; a simulator also takes {known}")
    return Integration(**settings) if integration is None else integration


S = TypeVar("S", bound="AbstractSimulator")


class AbstractSimulator(Shown):
    """Fields, and how they are integrated along sightlines."""

    integration: eqx.AbstractVar[Integration]

    @abc.abstractmethod
    def fields(self) -> tuple[AbstractField, ...]:
        """The fields that are evaluated, in a fixed order."""

    @property
    def steps(self) -> AbstractSteps:
        """The rule for the lengths of cells."""
        return self.integration.steps

    @property
    def quadrature(self) -> AbstractQuadrature:
        """The quadrature rule of a cell."""
        return self.integration.quadrature

    @property
    def adjoint(self) -> AbstractAdjoint:
        """How the simulator is differentiated."""
        return self.integration.adjoint

    def integrate_with(self: S, **changes: Any) -> S:
        """The same fields integrated otherwise: any arguments of `Integration`, such as `steps`.

        **Raises** `ValueError` for other steps, quadrature or faces where a field was sampled
        along sightlines: it keeps the cells that it was sampled on.
        """
        for name in ("steps", "quadrature", "faces"):
            if name in changes:
                check_free_cells(self, f"integrate_with({name}=...)")
        new = dataclasses.replace(self.integration, **changes)
        return eqx.tree_at(lambda s: s.integration, self, new)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        """The surfaces at which cells end, each once as far as values are known."""
        if not self.integration.faces:
            return ()
        named = tuple(s for f in self.fields() for s in f.surfaces())
        return tuple(named[i] for i in distinct(named))

    def cells(self, rays: Sightlines) -> tuple[Cells, int]:
        """Where the cells lie on each ray, and how many there are."""
        return cells_along(rays, self.surfaces(), self.steps)


class Plan(eqx.Module):
    """What of a call is decided before tracing."""

    faces: tuple[int, ...] = eqx.field(static=True)
    """Numbers of the fields' surfaces that are cell faces."""


def resolved(simulator: S, rays: Sightlines) -> S:
    """The simulator with a known number of steps, after a check of what it was given."""
    check_call(simulator, rays)
    check_samples(sampled_fields(simulator), rays)
    steps = simulator.steps.resolve(rays)
    if steps is simulator.steps:
        return simulator
    return eqx.tree_at(lambda s: s.integration.steps, simulator, steps)


def plan(simulator: AbstractSimulator) -> Plan:
    """Each surface of the fields once, as far as values are known now."""
    if not simulator.integration.faces:
        return Plan(())
    fields = simulator.fields()
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(fields))
    each = tuple(f.surfaces() for f in fields) if traced else known_surfaces(fields)
    named, kinds = tuple(s for some in each for s in some), _kinds(fields)
    shared = len(kinds) > len(set(kinds))  # only fields of one kind can share a surface
    return Plan(distinct(named) if shared else tuple(range(len(named))))


def _kinds(tree: Any) -> list[type]:
    """The types of all fields in a nest of fields and tuples."""
    if isinstance(tree, tuple):
        return [kind for part in tree for kind in _kinds(part)]
    if not isinstance(tree, AbstractField):
        return []
    return [type(tree), *_kinds(tuple(vars(tree).values()))]


class Medium(AbstractMedium):
    """The plasma along the rays, and the processes in it."""

    magnetic: AbstractField | None
    electrons: AbstractField | None
    processes: tuple[AbstractProcess, ...]
    turbulence: Turbulence | None = None

    def coefficients(
        self,
        position: Float[Array, "3 n_nodes n_rays"],
        frame: Frame,
        cell: Array,
        frequency: Float[Array, " n_freq"] | None,
    ) -> Coefficients:
        here = localise(self, cell)
        b_l = b_b = b_away = None
        if here.magnetic is not None:
            b = _components(here.magnetic(position))
            axes = (frame.east, frame.north, frame.direction)
            # each is used several times, and so is its cotangent
            b_l, b_b, b_away = stored(tuple(_dot(b, axis) for axis in axes))
        density = None if here.electrons is None else stored(here.electrons(position))
        random = distance = None
        if here.turbulence is not None:
            random = here.turbulence.unresolved(position)
            distance = _depth(position, frame)
        plasma = Plasma(b_l, b_b, b_away, density, position, random, distance)
        total = Coefficients()
        for process in here.processes:
            total = total.plus(process(plasma, frequency))
        return total


def _dot(a: Any, b: Any) -> Array:
    (ax, ay, az), (bx, by, bz) = a, b
    return ax * bx + ay * by + az * bz


def _depth(position: Float[Array, "3 n_nodes n_rays"], frame: Frame) -> Array:
    """Distance (kpc) from the observer, or from where the ray of one outside enters the domain."""
    away = _dot(_components(position), frame.direction) - _dot(frame.origin, frame.direction)
    return away if frame.entry is None else away - frame.entry


def _components(b: Float[Array, "3 *points"]) -> tuple[Array, ...]:
    """The components as arrays; as one operation, whose transpose is one concatenation."""
    return tuple(jax.lax.squeeze(part, (0,)) for part in jax.lax.split(b, (1, 1, 1)))


class _Lines(AbstractGeometry):
    rays: Sightlines
    surfaces: tuple[AbstractSurface, ...]
    given: Cells | None
    """Cells of sampled fields; None: found from the surfaces, block by block."""

    def frame(self) -> Frame:
        rays = self.rays
        entry, _ = rays.domain.span(rays.origin, rays.direction)
        return Frame(rays.origin, rays.direction, rays.east, rays.north, entry)

    def cells(self, steps: AbstractSteps) -> Cells:
        if self.given is not None:
            return self.given
        return cells_along(self.rays, self.surfaces, steps)[0]


def _prepared(medium: Medium, precision: Any) -> Medium:
    """The medium with the parameter-only work of its fields done, once for all points."""
    is_field = lambda x: isinstance(x, AbstractField)
    ready = jax.tree.map(lambda x: x.prepare() if is_field(x) else x, medium, is_leaf=is_field)
    if precision is None:
        return ready
    cast = lambda x: x.astype(precision) if eqx.is_inexact_array(x) else x
    return jax.tree.map(cast, ready)


def _mesh(rays: Sightlines) -> jax.sharding.Mesh | None:
    """The devices to use: those of the sightlines, or all cores after `use_cores()`."""
    if rays.mesh is not None:
        return rays.mesh
    cores = getattr(jax.config, "jax_num_cpu_devices", 1) or 1
    if cores < 2 or jax.process_count() > 1 or jax.default_backend() != "cpu":
        return None
    return as_mesh()


def _block(integration: Integration, mesh: jax.sharding.Mesh | None, law: AbstractTransfer) -> int:
    if integration.block is not None:
        return integration.block
    platform = jax.default_backend() if mesh is None else mesh.devices.flat[0].platform
    block = BLOCKS["cpu" if platform == "cpu" else "other"]
    if isinstance(law, AbstractReversibleTransfer) or law.frequency is None:
        return block
    # it carries the light itself, of all frequencies, and has as many times more in memory
    few = max(block // law.frequency.size, FEWEST)
    return 2 ** (few.bit_length() - 1)  # a power of two fills its vectors


def run(
    simulator: AbstractSimulator,
    plan: Plan,
    medium: Medium,
    law: AbstractTransfer,
    rays: Sightlines,
) -> Light:
    """The light of all rays; called inside `jit`."""
    check_same_devices(divided_grids(medium), rays)
    n_rays, mesh = rays.n_rays, rays.mesh
    block = _block(simulator.integration, mesh, law)
    rays = dataclasses.replace(rays, mesh=None, pixels=None)
    surfaces = ()
    if simulator.integration.faces:
        named = tuple(s for f in simulator.fields() for s in f.surfaces())
        surfaces = tuple(named[i] for i in plan.faces)
    arguments = (simulator.integration, surfaces, medium, law, rays)
    if mesh is None:
        return _run_here(*arguments, block)
    integration, surfaces, medium, law, rays = arguments
    arguments = (integration, surfaces, _prepared(medium, integration.precision), law, rays)
    divided = jax.tree.map(lambda ray: RAYS if ray else REPLICATED, per_ray(arguments))
    divided = mark_divided(arguments, divided, PLANES)
    local = lambda a: _run_here(*a[:2], own_slabs(a[2]), *a[3:], block)
    return over_rays(local, arguments, divided, n_rays, mesh)


def _run_here(
    integration: Integration,
    surfaces: tuple[AbstractSurface, ...],
    medium: Medium,
    law: AbstractTransfer,
    rays: Sightlines,
    block: int,
) -> Light:
    medium = _prepared(medium, integration.precision)
    samples = sampled_fields(medium)
    if not samples:
        steps, rule = integration.steps, integration.quadrature
        lines = _Lines(rays, surfaces, None)
        n_cells = steps.n + crossings_along(rays, surfaces)
    else:
        sample = samples[0]
        steps, rule = sample.steps, sample.quadrature
        lines = _Lines(rays, (), sample.cells)
        n_cells = sample.values.shape[0]
    problem = Problem(without_cells(medium), lines, steps, law)
    per_ray_half, shared = eqx.partition(problem, per_ray(problem))
    march = March(n_cells, rule, block, law.inward, integration.precision)
    arguments = Arguments(shared, per_ray_half)
    return march.finish(arguments, integration.adjoint.run(march, arguments))

"""Simulators: fields integrated along sightlines into what a telescope measures."""

import abc
import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._mesh import PLANES, RAYS, REPLICATED, over_rays
from .._parameters import holds, parameter
from ..cosmic_rays import AbstractPowerLaw
from ..emission import field_power, polarised_fraction, spectral_factor
from ..fields._field import AbstractField
from ..fields._surfaces import AbstractSurface, distinct
from ..maps._stokes import Stokes
from ..sightlines._sightlines import Sightlines
from ..transfer import (
    AbstractAdjoint,
    AbstractGeometry,
    AbstractMedium,
    AbstractQuadrature,
    AbstractSteps,
    Arguments,
    Cells,
    Frame,
    GaussLegendre,
    March,
    Medium,
    Problem,
    ReversibleAdjoint,
    Totals,
)
from ._checked import check_call, check_frequency, check_simulator
from ._sampled import (
    as_steps,
    cells_along,
    check_same_cells,
    crossings_along,
    localise,
    per_ray_filter,
    sample_along,
    sampled_fields,
    without_cells,
)
from ._slab import check_same_devices, divided_grids, mark_divided, own_slabs

BLOCKS = {"cores": 2048, "cpu": 12288, "other": 131072}
"""Rays advanced together unless the user says otherwise.

- cores: each core of a CPU works on its own rays; their arrays stay in its cache.
- cpu: the cores share every operation, which must be long enough to be worth dividing.
- other: enough threads for a GPU.
"""


def _block(simulator: "AbstractSimulator", mesh: jax.sharding.Mesh | None) -> int:
    if simulator.block is not None:
        return simulator.block
    platform = jax.default_backend() if mesh is None else mesh.devices.flat[0].platform
    if platform != "cpu":
        return BLOCKS["other"]
    return BLOCKS["cpu" if mesh is None else "cores"]


def _dot(a: Any, b: Any) -> Array:
    (ax, ay, az), (bx, by, bz) = a, b
    return ax * bx + ay * by + az * bz


def _components(b: Float[Array, "3 *points"]) -> tuple[Array, ...]:
    """The components as arrays; as one operation, whose transpose is one concatenation."""
    return tuple(jnp.squeeze(part, 0) for part in jax.lax.split(b, (1, 1, 1)))


def index_is_three(cosmic_rays: AbstractPowerLaw) -> bool:
    """Whether the spectral index is known (not being traced) to be 3."""
    index = cosmic_rays.spectral_index
    known = eqx.is_array(index) and not isinstance(index, jax.core.Tracer)
    return known and holds(index, lambda p: p == 3.0)


class _Lines(AbstractGeometry):
    rays: Sightlines
    surfaces: tuple[AbstractSurface, ...]
    given: Cells | None
    """Cells of sampled fields; None: found from the surfaces, block by block."""

    def frame(self) -> Frame:
        rays = self.rays
        return Frame(rays.origin, rays.direction, rays.east, rays.north)

    def cells(self, steps: AbstractSteps) -> Cells:
        if self.given is not None:
            return self.given
        return cells_along(self.rays, self.surfaces, steps)[0]


class _SynchrotronMedium(AbstractMedium):
    magnetic: AbstractField
    electrons: AbstractField | None
    cosmic_rays: AbstractPowerLaw
    frequency: Float[Array, " n_freq"]
    index_is_three: bool = eqx.field(static=True)
    """Known while tracing: then no power of B_perp is needed."""

    def coefficients(
        self, position: Float[Array, "3 n_nodes n_rays"], frame: Frame, cell: Array
    ) -> Medium:
        here = localise(self, cell)
        density = None if here.electrons is None else here.electrons(position)
        return here.medium(position, frame, density)

    def medium(
        self, position: Float[Array, "3 n_nodes n_rays"], frame: Frame, density: Array | None
    ) -> Medium:
        """The coefficients for electrons of this density (cm^-3)."""
        b = _components(self.magnetic(position))
        b_l, b_b, b_away = (_dot(b, e) for e in (frame.east, frame.north, frame.direction))
        index = self.cosmic_rays.index(position)
        b_perp_squared = b_l * b_l + b_b * b_b
        strength = self.cosmic_rays(position)
        if not self.index_is_three:
            strength = strength * field_power(b_perp_squared, index)
        # E is perpendicular to B: exp(2i chi_0) = -(B_b + i B_l)^2 / B_perp^2
        total = (strength * b_perp_squared)[None]
        q = (strength * ((b_l - b_b) * (b_l + b_b)))[None]
        u = (strength * (-2.0 * b_b * b_l))[None]
        if index.ndim:
            factor = spectral_factor(self.frequency[:, None, None], index)
            polarised = factor * polarised_fraction(index)
            total, q, u = factor * total, polarised * q, polarised * u
        rotation = None
        if density is not None:
            rotation = -const.FARADAY_CONSTANT * density * b_away
        return Medium((total,), (q, u), rotation)


class _ColumnMedium(AbstractMedium):
    """Integrands without polarisation: n_e, n_e^2, n_e B_par."""

    electrons: AbstractField
    magnetic: AbstractField | None
    power: int = eqx.field(static=True)

    def coefficients(
        self, position: Float[Array, "3 n_nodes n_rays"], frame: Frame, cell: Array
    ) -> Medium:
        here = localise(self, cell)
        density = here.electrons(position) ** self.power
        if here.magnetic is not None:
            density = -density * _dot(_components(here.magnetic(position)), frame.direction)
        return Medium((density[None],), None, None)


class AbstractSimulator(eqx.Module):
    """Fields, and how they are integrated along sightlines."""

    steps: eqx.AbstractVar[AbstractSteps]
    quadrature: eqx.AbstractVar[AbstractQuadrature]
    adjoint: eqx.AbstractVar[AbstractAdjoint]
    faces: eqx.AbstractVar[bool | tuple[int, ...]]
    block: eqx.AbstractVar[int | None]

    @abc.abstractmethod
    def fields(self) -> tuple[AbstractField, ...]:
        """The fields that are evaluated, in a fixed order."""

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        """The surfaces at which cells end."""
        if self.faces is False:
            return ()
        named = tuple(s for f in self.fields() for s in f.surfaces())
        if self.faces is True:
            return named
        if not all(0 <= i < len(named) for i in self.faces):
            raise ValueError(
                f"faces must be numbers of surfaces below {len(named)}, got {self.faces}"
            )
        return tuple(named[i] for i in self.faces)

    def cells(self, rays: Sightlines) -> tuple[Cells, int]:
        """Where the cells lie on each ray, and how many there are."""
        return cells_along(rays, self.surfaces(), self.steps)

    def _resolved(self, rays: Any) -> "AbstractSimulator":
        """The simulator with a known number of steps, each surface named once."""
        check_call(self, rays)
        sky = eqx.tree_at(lambda s: s.steps, self, self.steps.resolve(rays))
        kinds = _kinds(self.fields())
        if self.faces is not True or len(kinds) == len(set(kinds)):
            return sky  # only fields of one kind can share a surface
        return dataclasses.replace(sky, faces=distinct(self.surfaces()))


def _kinds(tree: Any) -> list[type]:
    """The types of all fields in a nest of fields and tuples."""
    if isinstance(tree, tuple):
        return [kind for part in tree for kind in _kinds(part)]
    if not isinstance(tree, AbstractField):
        return []
    return [type(tree), *_kinds(tuple(vars(tree).values()))]


def _prepared(medium: AbstractMedium) -> AbstractMedium:
    """The medium with the parameter-only work of its fields done, once for all points."""
    is_field = lambda x: isinstance(x, AbstractField)
    return jax.tree.map(lambda x: x.prepare() if is_field(x) else x, medium, is_leaf=is_field)


def _integrate(
    simulator: AbstractSimulator,
    medium: AbstractMedium,
    rays: Sightlines,
    lambda_squared: Array | None = None,
) -> Totals:
    check_same_devices(divided_grids(medium), rays)
    n_rays, mesh = rays.n_rays, rays.mesh
    block = _block(simulator, mesh)
    rays = dataclasses.replace(rays, mesh=None, pixels=None)
    if mesh is None:
        return _integrate_here(simulator, medium, rays, lambda_squared, block)
    arguments = (simulator, _prepared(medium), rays, lambda_squared)
    divided = jax.tree.map(lambda ray: RAYS if ray else REPLICATED, per_ray_filter(arguments))
    divided = mark_divided(arguments, divided, PLANES)
    local = lambda a: _integrate_here(a[0], own_slabs(a[1]), *a[2:], block)
    return over_rays(local, arguments, divided, n_rays, mesh)


def _integrate_here(
    simulator: AbstractSimulator,
    medium: AbstractMedium,
    rays: Sightlines,
    lambda_squared: Array | None,
    block: int,
) -> Totals:
    medium = _prepared(medium)
    sample = check_same_cells(sampled_fields(medium), rays)
    if sample is None:
        surfaces = simulator.surfaces()
        steps, rule = simulator.steps, simulator.quadrature
        lines = _Lines(rays, surfaces, None)
        n_cells = steps.n + crossings_along(rays, surfaces)
    else:
        steps, rule = sample.steps, sample.quadrature
        lines = _Lines(rays, (), sample.cells)
        n_cells = sample.values.shape[0]
    problem = Problem(without_cells(medium), lines, steps, lambda_squared)
    per_ray, shared = eqx.partition(problem, per_ray_filter(problem))
    march = March(n_cells, rule, block)
    return simulator.adjoint.run(march, Arguments(shared, per_ray))


class Synchrotron(AbstractSimulator):
    """Synchrotron emission with Faraday rotation: fields and sightlines to Stokes parameters.

    I = int j_I ds,  Q + iU = int j_P exp(2i chi_0) exp(2i lambda^2 RM(s)) ds

    **Arguments:**

    - `magnetic`: vector field (microgauss).
    - `electrons`: thermal-electron density (cm^-3), or None for no Faraday rotation.
    - `cosmic_rays`: power-law electrons (normalisation in cm^-3, and index).
    - `steps`: cells per ray: an integer (cells that grow with distance, `GradedSteps`), or a rule
      such as `UniformSteps(256)`. Every named surface of a field that a ray can cross adds one
      cell.
    - `quadrature`: `GaussLegendre()` (fourth order, two points a cell) or `Midpoint()`.
    - `adjoint`: how to differentiate; see `ReversibleAdjoint`.
    - `faces`: put cell faces where rays cross the fields' surfaces (or only some: numbers in
      their order).
    - `block`: rays advanced together; sets the working memory, not the result. Default: what
      measured best on the device.

    **Reference:** Rybicki & Lightman 1979, ch. 6; Burn 1966, MNRAS 133, 67.
    """

    magnetic: AbstractField
    electrons: AbstractField | None
    cosmic_rays: AbstractPowerLaw
    steps: AbstractSteps = eqx.field(default=256, converter=as_steps)
    quadrature: AbstractQuadrature = eqx.field(default_factory=GaussLegendre)
    adjoint: AbstractAdjoint = eqx.field(default_factory=ReversibleAdjoint)
    faces: bool | tuple[int, ...] = eqx.field(static=True, default=True)
    block: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_simulator(self)

    def fields(self) -> tuple[AbstractField, ...]:
        electrons = () if self.electrons is None else (self.electrons,)
        return (self.magnetic, *electrons, self.cosmic_rays)

    def __call__(self, rays: Any, frequency: Any) -> Stokes:
        """Brightness temperatures along `rays`.

        **Arguments:** `rays`: sightlines. `frequency`: GHz, a number or (n_freq,), or an astropy
        Quantity.

        **Returns** `Stokes` in K (Rayleigh-Jeans), IAU sign of U, each of shape
        (*frequency.shape, n_rays).

        **Raises** `ValueError` for frequencies that are not positive or not one-dimensional.
        """
        frequency = check_frequency(frequency)
        sky = self._resolved(rays)
        return _simulate(sky, rays, frequency, index_is_three(self.cosmic_rays))

    def precompute(self, rays: Sightlines, *names: str) -> "Synchrotron":
        """A simulator in which the named fields are evaluated once along `rays`.

        **Arguments:** `names`: any of 'magnetic', 'electrons', 'cosmic_rays'. The cells are those
        that this simulator uses now; call the result with the same sightlines only.

        **Raises** `ValueError` for another name.
        """
        allowed = ("magnetic", "electrons", "cosmic_rays")
        unknown = [n for n in names if n not in allowed]
        if unknown or not names:
            raise ValueError(f"precompute takes names out of {allowed}, got {names}")
        sky = self._resolved(rays)
        surfaces = sky.surfaces()
        for name in names:
            field = getattr(sky, name)
            if field is not None:
                sample = sample_along(
                    field, rays, sky.steps, quadrature=sky.quadrature, surfaces=surfaces
                )
                sky = eqx.tree_at(lambda s, name=name: getattr(s, name), sky, sample)
        return sky


@eqx.filter_jit
def _simulate(sky: Synchrotron, rays: Sightlines, frequency: Array, cubic: bool) -> Stokes:
    shape = (*frequency.shape, rays.n_rays)
    dtype = rays.direction.dtype
    flat = frequency.reshape(-1).astype(dtype)
    lambda_squared = const.WAVELENGTH_SQUARED_AT_1GHZ / flat[:, None] ** 2
    medium = _SynchrotronMedium(sky.magnetic, sky.electrons, sky.cosmic_rays, flat, cubic)
    totals = _integrate(sky, medium, rays, lambda_squared)
    return _to_stokes(sky.cosmic_rays, totals.emission[0], totals.polarised, flat, shape)


def _to_stokes(
    cosmic_rays: AbstractPowerLaw,
    intensity: Float[Array, "_ n_rays"],
    polarised: tuple[Float[Array, "_ n_rays"], Float[Array, "_ n_rays"]],
    frequency: Float[Array, " n_freq"],
    shape: tuple[int, ...],
) -> Stokes:
    """The sums of a march as brightness: a constant spectral index is put in at the end."""
    (q, u), index = polarised, cosmic_rays.spectral_index
    if not isinstance(index, AbstractField):
        factor = spectral_factor(frequency, index)[:, None]
        fraction = factor * polarised_fraction(index)
        intensity, q, u = factor * intensity, fraction * q, fraction * u
    return Stokes(intensity.reshape(shape), q.reshape(shape), u.reshape(shape))


@eqx.filter_jit
def _column(
    simulator: AbstractSimulator,
    electrons: AbstractField,
    magnetic: AbstractField | None,
    power: int,
    rays: Sightlines,
) -> Float[Array, " n_rays"]:
    medium = _ColumnMedium(electrons, magnetic, power)
    return _integrate(simulator, medium, rays).emission[0][0]


class RotationMeasure(AbstractSimulator):
    """RM = 0.812 int n_e B_par ds, rad m^-2; positive for a field that points to the observer.

    Arguments as in `Synchrotron`. To a finite distance: give the sightlines one.
    """

    magnetic: AbstractField
    electrons: AbstractField
    steps: AbstractSteps = eqx.field(default=256, converter=as_steps)
    quadrature: AbstractQuadrature = eqx.field(default_factory=GaussLegendre)
    adjoint: AbstractAdjoint = eqx.field(default_factory=ReversibleAdjoint)
    faces: bool | tuple[int, ...] = eqx.field(static=True, default=True)
    block: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_simulator(self)

    def fields(self) -> tuple[AbstractField, ...]:
        return (self.magnetic, self.electrons)

    def __call__(self, rays: Any) -> Float[Array, " n_rays"]:
        """Rotation measure of each sightline, rad m^-2 (n_rays,)."""
        return const.FARADAY_CONSTANT * _column(
            self._resolved(rays), self.electrons, self.magnetic, 1, rays
        )


class DispersionMeasure(AbstractSimulator):
    """DM = int n_e ds, pc cm^-3. Arguments as in `Synchrotron`."""

    electrons: AbstractField
    steps: AbstractSteps = eqx.field(default=256, converter=as_steps)
    quadrature: AbstractQuadrature = eqx.field(default_factory=GaussLegendre)
    adjoint: AbstractAdjoint = eqx.field(default_factory=ReversibleAdjoint)
    faces: bool | tuple[int, ...] = eqx.field(static=True, default=True)
    block: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_simulator(self)

    def fields(self) -> tuple[AbstractField, ...]:
        return (self.electrons,)

    def __call__(self, rays: Any) -> Float[Array, " n_rays"]:
        """Dispersion measure of each sightline, pc cm^-3 (n_rays,)."""
        return const.PC_PER_KPC * _column(self._resolved(rays), self.electrons, None, 1, rays)


class EmissionMeasure(AbstractSimulator):
    """EM = int n_e^2 / f ds, pc cm^-6. Arguments as in `Synchrotron`.

    `filling_factor` f: volume fraction of the clumps whose mean density n_e is, in (0, 1].
    """

    electrons: AbstractField
    filling_factor: Float[Array, ""] = parameter(
        1.0, "", "volume fraction of the clumps", above=0.0, maximum=1.0
    )
    steps: AbstractSteps = eqx.field(default=256, converter=as_steps)
    quadrature: AbstractQuadrature = eqx.field(default_factory=GaussLegendre)
    adjoint: AbstractAdjoint = eqx.field(default_factory=ReversibleAdjoint)
    faces: bool | tuple[int, ...] = eqx.field(static=True, default=True)
    block: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_simulator(self)

    def fields(self) -> tuple[AbstractField, ...]:
        return (self.electrons,)

    def __call__(self, rays: Any) -> Float[Array, " n_rays"]:
        """Emission measure of each sightline, pc cm^-6 (n_rays,)."""
        column = const.PC_PER_KPC * _column(self._resolved(rays), self.electrons, None, 2, rays)
        return column / self.filling_factor

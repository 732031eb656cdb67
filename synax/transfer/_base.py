"""The three kinds of object that a march joins: geometry, medium, and the law of light.

Geometry (`AbstractGeometry`) says where the cells of each ray lie. The medium (`AbstractMedium`)
says what emits, absorbs and rotates at a place (`Coefficients`). The law of light
(`AbstractTransfer`) says what one cell does to the light. None of them knows the others.
"""

import abc
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._cells import AbstractSteps, Cells


class Frame(NamedTuple):
    """Origin and orthonormal frame of each ray: (3, n_rays), the origin (3, n_rays or 1); kpc.

    `entry`: (n_rays,) kpc, how far from the origin there begins to be a medium; None: at once.
    """

    origin: Array
    direction: Array
    east: Array
    north: Array
    entry: Array | None = None


class AbstractGeometry(eqx.Module):
    """What the march sees of the sightlines."""

    surfaces: eqx.AbstractVar[Any]
    """Their parameters move faces at crossings only; all other leaves move every face."""

    @abc.abstractmethod
    def frame(self) -> Frame:
        """Origins and directions."""

    @abc.abstractmethod
    def cells(self, steps: AbstractSteps) -> Cells:
        """Where the cells of each ray lie."""


Four = tuple[Any, Any, Any, Any]
"""Stokes components I, Q, U, V; None is zero."""


class Coefficients(NamedTuple):
    """What the medium does to light at each point (towards the observer); None is zero.

    Arrays are (rows, n_nodes, n_rays) with one row or n_freq. After `AbstractQuadrature.expand`
    each is the `Line` through its nodes.

    - `columns`: integrated as they are.
    - `emission`: j_I, j_Q, j_U, j_V, K/kpc, IAU.
    - `absorption`: a_I, a_Q, a_U, a_V, 1/kpc.
    - `rotation`: dRM/ds, rad m^-2 kpc^-1; rho_V = 2 lambda^2 dRM/ds.
    - `dispersion`: d sigma_RM^2/ds of unresolved fields, rad^2 m^-4 kpc^-1.
    - `conversion`: rho_Q, rho_U, rad/kpc.
    """

    columns: tuple[Any, ...] = ()
    emission: Four = (None, None, None, None)
    absorption: Four = (None, None, None, None)
    rotation: Any = None
    dispersion: Any = None
    conversion: tuple[Any, Any] = (None, None)

    def plus(self, other: "Coefficients") -> "Coefficients":
        """Both together, term by term; columns side by side."""
        return Coefficients(
            (*self.columns, *other.columns),
            _sum(self.emission, other.emission),
            _sum(self.absorption, other.absorption),
            _sum((self.rotation,), (other.rotation,))[0],
            _sum((self.dispersion,), (other.dispersion,))[0],
            _sum(self.conversion, other.conversion),
        )


def _sum(a: tuple[Any, ...], b: tuple[Any, ...]) -> Any:
    add = lambda x, y: y if x is None else (x if y is None else x + y)
    return tuple(add(x, y) for x, y in zip(a, b, strict=True))


class AbstractMedium(eqx.Module):
    """What the march sees of the Galaxy."""

    @abc.abstractmethod
    def coefficients(
        self,
        position: Float[Array, "3 n_nodes n_rays"],
        frame: Frame,
        cell: Array,
        frequency: Float[Array, " n_freq"] | None,
    ) -> Coefficients:
        """Local coefficients at the nodes of cell number `cell` of each ray."""


class Cell(NamedTuple):
    """One cell of every ray: its length (kpc) and its coefficients, as lines through the nodes."""

    length: Float[Array, " n_rays"]
    lines: Coefficients


class Light(NamedTuple):
    """What arrives at the observer; None for what the law or the medium does not have."""

    stokes: Four
    """I, Q, U, V: (rows, n_rays) K."""
    columns: tuple[Float[Array, "_ n_rays"], ...] = ()
    rotation_measure: Float[Array, " n_rays"] | None = None
    """rad m^-2."""
    optical_depth: Float[Array, "_ n_rays"] | None = None
    dispersion: Float[Array, " n_rays"] | None = None
    """Variance of the rotation measure by unresolved fields, rad^2 m^-4."""


class AbstractTransfer(eqx.Module):
    """The law of light: what one cell does to it. Its leaf is the frequency (GHz)."""

    frequency: eqx.AbstractVar[Float[Array, " n_freq"] | None]
    if TYPE_CHECKING:
        inward: ClassVar[bool]
    else:
        inward: eqx.AbstractClassVar[bool]
    """Whether cells are taken from the far end to the observer."""

    @abc.abstractmethod
    def check(self, coefficients: Coefficients) -> None:
        """Raise `ValueError` naming the law that can, for coefficients this one cannot carry."""

    @abc.abstractmethod
    def init(self, cell: Cell) -> Any:
        """The path before the first cell: what is carried from cell to cell (a PyTree).

        **Arguments:**

        - `cell`: shapes and dtypes only.
        """

    @abc.abstractmethod
    def step(self, path: Any, cell: Cell) -> tuple[Any, Any]:
        """The path behind a cell, and what the cell adds to the sums (added up, never read)."""

    @abc.abstractmethod
    def finish(self, path: Any, sums: Any) -> Light:
        """What the observer receives, from the last path and the sums over all cells."""


class AbstractReversibleTransfer(AbstractTransfer):
    """A law whose cells can be undone, so that reverse mode needs no stored states."""

    @abc.abstractmethod
    def undo(self, path: Any, cell: Cell) -> Any:
        """The path in front of a cell, from the path behind it."""

    @abc.abstractmethod
    def compose(self, near: Light, far: Light) -> Light:
        """What a ray shows whose near and far parts show these."""


def zeros_like(line: Any) -> Array | None:
    """Zeros of the shape that the integral of a line over a cell has; None for None."""
    return None if line is None else jnp.zeros(line.mean.shape, line.mean.dtype)


def needs(law: str, other: str, what: dict[str, Any]) -> None:
    """Raise `ValueError` if any of the named coefficients is there."""
    there = [name for name, value in what.items() if jax.tree.leaves(value)]
    if there:
        raise ValueError(f"transfer={law} cannot carry {' and '.join(there)}; use transfer={other}")

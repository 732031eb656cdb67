"""The law of light of a Faraday spectrum: every cell put where its depths lie."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..transfer._base import (
    AbstractReversibleTransfer,
    Cell,
    Coefficients,
    Light,
    needs,
    zeros_like,
)
from ..transfer._quadrature import Line


class Deposit(AbstractReversibleTransfer):
    """Polarised emission below each of a set of Faraday depths, without absorption.

    A cell between the depths a (near side) and b (far side) is a box between them, or a trapezium
    where its emission changes along the ray: with t = (e - a)/(b - a) cut to 0 ... 1 the part of
    the cell in front of depth e, and emission j0 + j1 tau, tau in (-1/2, 1/2),

    below(e) += L G(t) for b >= a, else L (G(1) - G(t)),  G(t) = j0 t + j1 (t^2 - t)/2.

    A cell without rotation lies at one depth. The sums are differentiable in a, b and j.
    """

    frequency: Float[Array, " n_freq"] | None
    edges: Float[Array, " n_edges"]
    """Increasing Faraday depths, rad/m^2."""

    inward: ClassVar[bool] = False

    def check(self, coefficients: Coefficients) -> None:
        c = coefficients
        more = {"absorption": c.absorption, "dispersion": c.dispersion, "conversion": c.conversion}
        needs("Deposit()", "Thin() or Absorbing() with rm_synthesis", more)

    def init(self, cell: Cell) -> Array | None:
        return zeros_like(cell.lines.rotation)

    def step(self, path: Array | None, cell: Cell) -> tuple[Array | None, Any]:
        lines, length = cell.lines, cell.length
        q, u = lines.emission[1:3]
        across = None if lines.rotation is None else length * lines.rotation.mean
        near = jnp.zeros_like(length) if path is None else path
        part, back = self._part(near, across)
        below = tuple(length * _below(line, part, back) for line in (q, u))
        whole = tuple(length * line.mean for line in (q, u))
        return (None if path is None else path + across), (below, whole)

    def _part(self, near: Array, across: Array | None) -> tuple[Array, Array]:
        """Part of the cell in front of each edge (n_edges, n_rays), and where depths fall."""
        edges = self.edges[:, None]
        here = (edges > near).astype(near.dtype)
        if across is None:
            return here, jnp.zeros_like(near, bool)
        flat = across == 0.0
        inside = (edges - near) / jnp.where(flat, 1.0, across)
        return jnp.where(flat, here, jnp.clip(inside, 0.0, 1.0)), across < 0.0

    def undo(self, path: Array | None, cell: Cell) -> Array | None:
        return None if path is None else path - cell.length * cell.lines.rotation.mean

    def finish(self, path: Array | None, sums: Any) -> Light:
        below, whole = sums
        bins = tuple(jnp.diff(x, axis=0) for x in below)
        outside = tuple(w[0] - (b[-1] - b[0]) for w, b in zip(whole, below, strict=True))
        return Light((None, *bins, None), tuple(x[None] for x in outside), path, None)

    def compose(self, near: Light, far: Light) -> Light:
        """Both parts; each bin of the far one is a box that moves by the near part's depth."""
        together = lambda a, b: None if a is None else a + b
        bins, outside = [], []
        for k, column in ((1, 0), (2, 1)):
            there, behind = far.stokes[k], near.columns[column] + far.columns[column]
            if near.rotation_measure is not None:
                moved = jax.vmap(self._moved, (1, 0), 1)(there, near.rotation_measure)
                behind = behind + jnp.sum(there - moved, axis=0)
                there = moved
            bins.append(near.stokes[k] + there)
            outside.append(behind)
        depth = together(near.rotation_measure, far.rotation_measure)
        return Light((None, *bins, None), tuple(outside), depth, None)

    def _moved(self, column: Float[Array, " n_phi"], depth: Float[Array, ""]) -> Array:
        below = jnp.concatenate([jnp.zeros(1, column.dtype), jnp.cumsum(column)])
        return jnp.diff(jnp.interp(self.edges - depth, self.edges, below))


def _below(line: Line, part: Array, back: Array) -> Array:
    inside = line.mean * part
    if line.slope is not None:
        inside = inside - 0.5 * line.slope * (part * (1.0 - part))
    return jnp.where(back, line.mean - inside, inside)

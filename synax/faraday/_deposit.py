"""The law of light of a Faraday spectrum: every cell put where its depths lie."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import erfc
from jaxtyping import Array, Float

from .._numerics._math import safe_sqrt
from ..transfer._absorbing import Path
from ..transfer._base import (
    AbstractReversibleTransfer,
    Cell,
    Coefficients,
    Light,
    needs,
    zeros_like,
)
from ..transfer._quadrature import Line
from ..transfer._thin import integral

PIECES = 2
"""Parts of a cell that each lie at one optical depth and one dispersion."""


class Deposit(AbstractReversibleTransfer):
    """Polarised emission below each of a set of Faraday depths.

    A cell between the depths a (near side) and b (far side) is a box between them, or a trapezium
    where its emission changes along the ray: with t = (e - a)/(b - a) cut to 0 ... 1 the part of
    the cell in front of depth e, and emission j0 + j1 tau, tau in (-1/2, 1/2),

    below(e) += L G(t) for b >= a, else L (G(1) - G(t)),  G(t) = j0 t + j1 (t^2 - t)/2.

    A cell without rotation lies at one depth. Unresolved fields in front (sigma_RM^2) blur the box
    with a normal distribution, absorption in front dims it: each half of a cell has one value of
    both, which is of second order in its length. The sums are differentiable in a, b and j.
    """

    frequency: Float[Array, " n_freq"] | None
    edges: Float[Array, " n_edges"]
    """Increasing Faraday depths, rad/m^2."""

    inward: ClassVar[bool] = False

    def check(self, coefficients: Coefficients) -> None:
        c = coefficients
        more = {"polarised absorption": c.absorption[1:], "conversion": c.conversion}
        needs("Deposit()", "Polarised() with rm_synthesis", more)

    def init(self, cell: Cell) -> Path:
        lines = cell.lines
        return Path(*map(zeros_like, (lines.rotation, lines.absorption[0], lines.dispersion)))

    def _across(self, cell: Cell) -> Path:
        lines = cell.lines
        depths = (lines.rotation, lines.absorption[0], lines.dispersion)
        return Path(*(integral(line, cell.length) for line in depths))

    def step(self, path: Path, cell: Cell) -> tuple[Path, Any]:
        lines = cell.lines
        plain = lines.absorption[0] is None and lines.dispersion is None
        pieces = [cell] if plain else [_piece(cell, k) for k in range(PIECES)]
        below, whole = [0.0, 0.0], [0.0, 0.0]
        for piece in pieces:
            across, length = self._across(piece), piece.length
            part, back = self._part(path, across, length)
            dim = _dimming(path.optical_depth, across.optical_depth)
            for k, line in enumerate(piece.lines.emission[1:3]):
                straight = line if across.dispersion is None else Line(line.mean, None)
                below[k] = below[k] + dim * length * _below(straight, part, back)
                whole[k] = whole[k] + dim * length * line.mean
            path = _behind(path, across)
        return path, (tuple(below), tuple(whole))

    def _part(self, path: Path, across: Path, length: Array) -> tuple[Array, Array]:
        """Part of the cell below each edge (n_edges, n_rays) or, where depths fall, in front."""
        near = path.rotation_measure
        near = jnp.zeros_like(length) if near is None else near
        depth = across.rotation_measure
        hard, back = _inside(self.edges[:, None], near, depth)
        if across.dispersion is None:
            return hard, back
        below = jnp.where(back, 1.0 - hard, hard)
        variance = path.dispersion + 0.5 * across.dispersion
        depth = jnp.zeros_like(near) if depth is None else depth
        blurred = _blurred(self.edges[:, None] - near, depth, variance, below)
        return blurred, jnp.zeros_like(back)

    def undo(self, path: Path, cell: Cell) -> Path:
        subtract = lambda a, b: None if a is None else a - b
        return Path(*map(subtract, path, self._across(cell)))

    def finish(self, path: Path, sums: Any) -> Light:
        below, whole = sums
        bins = tuple(jnp.diff(x, axis=0) for x in below)
        outside = tuple(w[0] - (b[-1] - b[0]) for w, b in zip(whole, below, strict=True))
        return Light((None, *bins, None), tuple(x[None] for x in outside), *path)

    def compose(self, near: Light, far: Light) -> Light:
        """Both parts; each bin of the far one is a box, moved, blurred and dimmed by the near."""
        together = lambda a, b: None if a is None else a + b
        dim = 1.0 if near.optical_depth is None else jnp.exp(-near.optical_depth)
        depth, spread = near.rotation_measure, near.dispersion
        bins, outside = [], []
        for k, column in ((1, 0), (2, 1)):
            there = dim * far.stokes[k]
            behind = near.columns[column] + dim * far.columns[column]
            if depth is not None:
                variance = jnp.zeros_like(depth) if spread is None else spread
                moved = jax.vmap(self._moved, (1, 0, 0), 1)(there, depth, variance)
                behind = behind + jnp.sum(there - moved, axis=0)
                there = moved
            bins.append(near.stokes[k] + there)
            outside.append(behind)
        return Light(
            (None, *bins, None),
            tuple(outside),
            together(depth, far.rotation_measure),
            together(near.optical_depth, far.optical_depth),
            together(spread, far.dispersion),
        )

    def _moved(
        self, column: Float[Array, " n_phi"], depth: Float[Array, ""], variance: Float[Array, ""]
    ) -> Array:
        edges, low, width = self.edges[:, None], self.edges[:-1] + depth, jnp.diff(self.edges)
        hard, _ = _inside(edges, low, width)
        below = _blurred(edges - low, width, variance * jnp.ones_like(width), hard)
        return jnp.diff(below @ column)


def _piece(cell: Cell, number: int) -> Cell:
    """One of the equal parts of a cell, counted from the near side."""
    middle = (number + 0.5) / PIECES - 0.5

    def part(line: Line) -> Line:
        if line.slope is None:
            return line
        return Line(line.mean + middle * line.slope, line.slope * (1.0 / PIECES))

    is_line = lambda x: isinstance(x, Line)
    return Cell(cell.length * (1.0 / PIECES), jax.tree.map(part, cell.lines, is_leaf=is_line))


def _behind(path: Path, across: Path) -> Path:
    return Path(*(None if a is None else a + b for a, b in zip(path, across, strict=True)))


def _dimming(depth: Array | None, across: Array | None) -> Array | float:
    """exp(-tau) averaged over a piece that emits evenly."""
    if depth is None or across is None:
        return 1.0
    small = jnp.abs(across) < 1e-3
    safe = jnp.where(small, 1.0, across)
    mean = jnp.where(small, 1.0 - across * (0.5 - across * (1 / 6)), -jnp.expm1(-safe) / safe)
    return jnp.exp(-depth) * mean


def _inside(edges: Array, near: Array, across: Array | None) -> tuple[Array, Array]:
    """Part of a cell in front of each edge, and where depths fall along the ray."""
    here = (edges > near).astype(near.dtype)
    if across is None:
        return here, jnp.zeros_like(near, bool)
    flat = across == 0.0
    inside = (edges - near) / jnp.where(flat, 1.0, across)
    return jnp.where(flat, here, jnp.clip(inside, 0.0, 1.0)), across < 0.0


def _blurred(start: Array, across: Array, variance: Array, below: Array) -> Array:
    """Part of a box below an edge after a normal distribution has blurred it.

    With u = start - across t the distance from depth t of the box up to the edge and Phi the
    normal distribution, int_0^1 Phi(u/sigma) dt = below + sigma/across (h(u_0) - h(u_1)),
    h(u) = normal density of u/sigma - |u/sigma| Phi(-|u/sigma|); for short boxes its series.
    """
    sigma = safe_sqrt(variance)
    blurs = sigma > 0.0
    scale = jnp.where(blurs, sigma, 1.0)
    short = jnp.abs(across) < 0.03 * scale
    length = jnp.where(short, 1.0, across)
    more = (_rest(start / scale) - _rest((start - across) / scale)) * (scale / length)
    middle, width = (start - 0.5 * across) / scale, across / scale
    bend = -middle * _density(middle)
    series = 0.5 * erfc(-middle * math.sqrt(0.5)) + (width * width / 24.0) * bend
    return jnp.where(blurs, jnp.where(short, series, below + more), below)


def _density(x: Array) -> Array:
    return jnp.exp(-0.5 * x * x) * (1.0 / math.sqrt(2.0 * math.pi))


def _rest(x: Array) -> Array:
    size = jnp.abs(x)
    return _density(x) - 0.5 * size * erfc(size * math.sqrt(0.5))


def _below(line: Line, part: Array, back: Array) -> Array:
    inside = line.mean * part
    if line.slope is not None:
        inside = inside - 0.5 * line.slope * (part * (1.0 - part))
    return jnp.where(back, line.mean - inside, inside)

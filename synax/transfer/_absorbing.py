"""Light with absorption: free-free, self-absorption of the intensity, Faraday dispersion."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import sincos, stored
from ._base import AbstractReversibleTransfer, Cell, Coefficients, Light, needs, zeros_like
from ._moments import complex_moments, product, real_moments
from ._quadrature import Line
from ._thin import Sums, composed, integral, wavelength_squared, within_channel


class Path(NamedTuple):
    """What lies in front of a cell; None for what the medium does not have."""

    rotation_measure: Any
    """(n_rays,) rad m^-2."""
    optical_depth: Any
    """(rows, n_rays)."""
    dispersion: Any
    """sigma_RM^2, rad^2 m^-4."""


class Absorbing(AbstractReversibleTransfer):
    """Emission, absorption alike for all Stokes parameters, Faraday rotation and dispersion.

    I = int j_I exp(-tau(s)) ds,
    Q + iU = int j_P exp(2i chi_0 - tau(s) - 2 lambda^4 sigma_RM^2(s) + 2i lambda^2 RM(s)) ds.

    Absorption that is alike for all Stokes parameters commutes with rotation, so depths and sums
    add up away from the observer. A cell of constant coefficients is exact at any optical and
    Faraday depth. With lines j0 + j1 tau and k0 + k1 tau in a cell (k = a + 2 lambda^4 s -
    2i lambda^2 f for Q + iU, k = a for I), z = -k0 L:

    sum += exp(depth in front + k1 L/12) [j0 M0 + j1 M1] L e^(z/2),
    M0 = sinh(z/2) / (z/2), M1 = (h cosh h - sinh h) / (2 h^2) with h = z/2: fourth order.

    Real parts of k1 and the slopes j1 are damped by 1 / (1 + (a0 L / 2)^4), which keeps the order
    and keeps thick cells positive. Nothing is ever divided by exp(-tau). Undoing loses
    eps tau_total: with float32 beyond tau = 1e4 give the simulator `RecomputeAdjoint()`.

    **Reference:** Rybicki & Lightman 1979, eq. 1.29; Burn 1966, MNRAS 133, 67.
    """

    frequency: Float[Array, " n_freq"] | None = None
    background: Float[Array, "n_freq #n_rays"] | None = None
    """Brightness temperature behind the last cell, K."""
    width: Float[Array, " n_freq"] | None = None
    """Full widths of the channels, GHz: emission is depolarised by the rotation in front of it."""

    inward: ClassVar[bool] = False

    def check(self, coefficients: Coefficients) -> None:
        c = coefficients
        polarised = {"polarised absorption": c.absorption[1:], "Faraday conversion": c.conversion}
        needs("Absorbing()", "Polarised()", polarised)

    def init(self, cell: Cell) -> Path:
        lines = cell.lines
        return Path(*map(zeros_like, (lines.rotation, lines.absorption[0], lines.dispersion)))

    def _across(self, cell: Cell) -> Path:
        lines = cell.lines
        depths = (lines.rotation, lines.absorption[0], lines.dispersion)
        return Path(*(integral(line, cell.length) for line in depths))

    def step(self, path: Path, cell: Cell) -> tuple[Path, Sums]:
        lines, length = cell.lines, cell.length
        columns = tuple(length * line.mean for line in lines.columns)
        loss = _loss(path.optical_depth, lines.absorption[0], length)
        fade = _fading(loss, length)
        i, v = (
            None if line is None else _attenuated(line, fade)
            for line in (lines.emission[0], lines.emission[3])
        )
        q = u = None
        if lines.emission[1] is not None:
            if lines.dispersion is not None:
                square = wavelength_squared(self.frequency) ** 2
                more = _loss(path.dispersion, lines.dispersion, length)
                both = zip(loss, more, strict=True)
                fade = _fading(_Loss(*(a + 2.0 * square * b for a, b in both)), length)
            q, u = self._rotated(path, lines, fade, length)
        add = lambda a, b: None if a is None else a + b
        return Path(*map(add, path, self._across(cell))), Sums((i, q, u, v), columns)

    def _rotated(
        self, path: Path, lines: Coefficients, fade: "_Fading", length: Array
    ) -> tuple[Array, Array]:
        _, q_line, u_line, _ = lines.emission
        twice = 2.0 * wavelength_squared(self.frequency)
        turn = half_turn = jnp.zeros((), length.dtype)
        if lines.rotation is not None:
            half = 0.5 * lines.rotation.mean * length
            middle = path.rotation_measure + half
            if lines.rotation.slope is not None:
                middle = middle - lines.rotation.slope * length * (1.0 / 12.0)
            turn, half_turn = stored((twice * middle, twice * half))
        m0, m1 = complex_moments(fade.half, half_turn, fade.decay)
        q, u = product((q_line.mean, u_line.mean), m0)
        if q_line.slope is not None:
            q1, u1 = product((fade.damp * q_line.slope, fade.damp * u_line.slope), m1)
            q, u = q + q1, u + u1
        s, c = sincos(turn)
        factor = fade.front
        if self.width is not None and lines.rotation is not None:
            factor = factor * within_channel(turn, self.frequency, self.width)
        return product((factor * q, factor * u), (c, s))

    def undo(self, path: Path, cell: Cell) -> Path:
        subtract = lambda a, b: None if a is None else a - b
        return Path(*map(subtract, path, self._across(cell)))

    def finish(self, path: Path, sums: Sums) -> Light:
        i, q, u, v = sums.stokes
        if self.background is not None:
            depth = path.optical_depth
            i = i + (self.background if depth is None else self.background * jnp.exp(-depth))
        return Light((i, q, u, v), sums.columns, *path)

    def compose(self, near: Light, far: Light) -> Light:
        return composed(self, near, far)


class _Loss(NamedTuple):
    """Depth in front of a cell, half the depth across it, and its bend k1 L/12."""

    front: Array
    half: Array
    bend: Array


class _Fading(NamedTuple):
    """What the depths of a cell do: `front` is L exp(-(depth in front) + bend).

    `half`: minus half the depth across, `decay`: its exponential, `damp`: of slopes in thick cells.
    """

    front: Array
    half: Array
    decay: Array
    damp: Array


def _loss(depth: Array | None, line: Line | None, length: Array) -> _Loss:
    zero = jnp.zeros((), length.dtype)
    if line is None:
        return _Loss(zero, zero, zero)
    bend = zero if line.slope is None else line.slope * length * (1.0 / 12.0)
    return _Loss(depth, 0.5 * line.mean * length, bend)


def _fading(loss: _Loss, length: Array) -> _Fading:
    loss = stored(loss)  # and so their cotangents, which several sums over frequencies take
    square = loss.half * loss.half
    damp = 1.0 / (1.0 + square * square)
    front, decay = stored((jnp.exp(damp * loss.bend - loss.front), jnp.exp(-loss.half)))
    return _Fading(length * front, -loss.half, decay, damp)


def _attenuated(line: Line, fade: _Fading) -> Array:
    m0, m1 = real_moments(fade.half, fade.decay)
    value = line.mean * m0
    if line.slope is not None:
        value = value + fade.damp * line.slope * m1
    return fade.front * value

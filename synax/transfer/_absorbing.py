"""Light with absorption: free-free, self-absorption of the intensity, Faraday dispersion."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import sincos
from ._base import AbstractReversibleTransfer, Cell, Coefficients, Light, needs, zeros_like
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
        i, v = (
            None if line is None else _attenuated(line, loss, length)
            for line in (lines.emission[0], lines.emission[3])
        )
        q = u = None
        if lines.emission[1] is not None:
            q, u = self._rotated(path, lines, loss, length)
        add = lambda a, b: None if a is None else a + b
        return Path(*map(add, path, self._across(cell))), Sums((i, q, u, v), columns)

    def _rotated(
        self, path: Path, lines: Coefficients, loss: "Loss", length: Array
    ) -> tuple[Array, Array]:
        _, q_line, u_line, _ = lines.emission
        lambda_squared = wavelength_squared(self.frequency)
        if lines.dispersion is not None:
            four = 2.0 * lambda_squared * lambda_squared
            more = _loss(path.dispersion, lines.dispersion, length)
            loss = Loss(*(a + four * b for a, b in zip(loss, more, strict=True)))
        start, damp = _damped(loss)
        turn = half_turn = jnp.zeros((), length.dtype)
        if lines.rotation is not None:
            half_turn = (0.5 * lines.rotation.mean * length) * (2.0 * lambda_squared)
            turn = 2.0 * lambda_squared * path.rotation_measure + half_turn
            if lines.rotation.slope is not None:
                bend = lines.rotation.slope * length * (1.0 / 12.0)
                turn = turn - 2.0 * lambda_squared * bend
        m0, m1 = complex_moments(-loss.half, half_turn)
        q, u = _product((q_line.mean, u_line.mean), m0)
        if q_line.slope is not None:
            q1, u1 = _product((damp * q_line.slope, damp * u_line.slope), m1)
            q, u = q + q1, u + u1
        s, c = sincos(turn)
        factor = length * jnp.exp(start)
        if self.width is not None and lines.rotation is not None:
            factor = factor * within_channel(turn, self.frequency, self.width)
        return _product((factor * q, factor * u), (c, s))

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


class Loss(NamedTuple):
    """Depth in front of a cell, half the depth across it, and its bend k1 L/12."""

    front: Array
    half: Array
    bend: Array


def _loss(depth: Array | None, line: Line | None, length: Array) -> Loss:
    zero = jnp.zeros((), length.dtype)
    if line is None:
        return Loss(zero, zero, zero)
    bend = zero if line.slope is None else line.slope * length * (1.0 / 12.0)
    return Loss(depth, 0.5 * line.mean * length, bend)


def _damped(loss: Loss) -> tuple[Array, Array]:
    """The exponent at the front of a cell, and the factor that damps slopes in thick cells."""
    square = loss.half * loss.half
    damp = 1.0 / (1.0 + square * square)
    return damp * loss.bend - loss.front, damp


def _product(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """Complex product of (real, imaginary) pairs."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _attenuated(line: Line, loss: Loss, length: Array) -> Array:
    start, damp = _damped(loss)
    m0, m1 = real_moments(-loss.half)
    value = line.mean * m0
    if line.slope is not None:
        value = value + damp * line.slope * m1
    return length * jnp.exp(start) * value


def real_moments(h: Array) -> tuple[Array, Array]:
    """e^h sinh(h)/h and e^h (h cosh h - sinh h)/(2 h^2), h <= 0; series where |h| is small."""
    w = h * h
    small = w < 0.06
    safe = jnp.where(small, -1.0, h)
    e = jnp.exp(2.0 * safe)
    m0 = (e - 1.0) / (2.0 * safe)
    m1 = (safe * (e + 1.0) - (e - 1.0)) / (4.0 * safe * safe)
    series0, series1 = _series(w)
    shift = jnp.exp(jnp.where(small, h, 0.0))
    return (
        jnp.where(small, shift * series0, m0),
        jnp.where(small, shift * series1 * h, m1),
    )


def _series(w: Array) -> tuple[Array, Array]:
    """sinh(h)/h and (h cosh h - sinh h)/(2 h^3) as series in w = h^2, for |w| < 0.06."""
    m0 = 1.0 + w / 6.0 * (1.0 + w / 20.0 * (1.0 + w / 42.0 * (1.0 + w / 72.0 * (1.0 + w / 110.0))))
    m1 = (1.0 + w / 10.0 * (1.0 + w / 28.0 * (1.0 + w / 54.0 * (1.0 + w / 88.0)))) / 6.0
    return m0, m1


def complex_moments(x: Array, y: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """e^x sinh(h)/h and e^x (h cosh h - sinh h)/(2 h^2) for h = x + iy, x <= 0.

    The factor e^h is split: the real part is put in here, the phase e^(iy) is the caller's.
    """
    r, i = x * x - y * y, 2.0 * x * y
    size = x * x + y * y
    small = size < 0.06
    # series in w = h^2 = r + i i
    r, i = jnp.where(small, r, 0.0), jnp.where(small, i, 0.0)
    s0 = _complex_horner(r, i, (1 / 6, 1 / 20, 1 / 42, 1 / 72, 1 / 110))
    s1 = _complex_horner(r, i, (1 / 10, 1 / 28, 1 / 54, 1 / 88))
    small_x, small_y = jnp.where(small, x, 0.0), jnp.where(small, y, 0.0)
    grow = jnp.exp(small_x)
    a0, b0 = grow * s0[0], grow * s0[1]
    a1, b1 = _product((small_x * (grow / 6.0), small_y * (grow / 6.0)), s1)
    # closed form, with e^x cosh h and e^x sinh h from e^(2x)
    safe_x, safe_y = jnp.where(small, -1.0, x), jnp.where(small, 0.0, y)
    s, c = sincos(safe_y)
    e = jnp.exp(2.0 * safe_x)
    plus, minus = 0.5 * (e + 1.0), 0.5 * (e - 1.0)
    cosh, sinh = (plus * c, minus * s), (minus * c, plus * s)
    inverse = 1.0 / (safe_x * safe_x + safe_y * safe_y)
    over = (safe_x * inverse, -safe_y * inverse)
    c0 = _product(sinh, over)
    c1 = _product((0.5 * (cosh[0] - c0[0]), 0.5 * (cosh[1] - c0[1])), over)
    pick = lambda p, q: (jnp.where(small, p[0], q[0]), jnp.where(small, p[1], q[1]))
    return pick((a0, b0), c0), pick((a1, b1), c1)


def _complex_horner(r: Array, i: Array, ratios: tuple[float, ...]) -> tuple[Array, Array]:
    """1 + w c0 (1 + w c1 (1 + ...)) for w = r + i i."""
    a, b = jnp.ones_like(r), jnp.zeros_like(i)
    for ratio in ratios[::-1]:
        a, b = 1.0 + ratio * (r * a - i * b), ratio * (r * b + i * a)
    return a, b

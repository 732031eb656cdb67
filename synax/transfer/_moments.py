"""Moments of light emitted in a cell: what absorption and rotation across it leave.

With h half the (negative) complex depth of a cell,

M0 = sinh(h)/h,  M1 = (h cosh h - sinh h)/(2 h^2),  N1 = M1/h,

entire functions whose derivatives close on themselves: M0' = 2 M1, M1' = M0/2 - 2 N1. That is how
they are differentiated here: the transpose of a cell then costs no new elementary function.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import sincos, stored

_SMALL = 0.06
"""|h|^2 below which the series are used."""

Values = Float[Array, "..."]
Pair = tuple[Values, Values]
"""Real and imaginary part."""


def product(a: Pair, b: Pair) -> Pair:
    """Complex product."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


class _Real(NamedTuple):
    m0: Values
    m1: Values
    n1: Values


class _Complex(NamedTuple):
    m0: Pair
    m1: Pair
    n1: Pair


# ratios of neighbouring terms in w = h^2
_M0 = (1 / 6, 1 / 20, 1 / 42, 1 / 72, 1 / 110)
_N1 = (1 / 10, 1 / 28, 1 / 54, 1 / 88)


def _horner(w: Values, ratios: tuple[float, ...]) -> Values:
    """1 + w c0 (1 + w c1 (1 + ...))."""
    value = 1.0 + ratios[-1] * w
    for ratio in ratios[-2::-1]:
        value = 1.0 + ratio * w * value
    return value


def _series(w: Values) -> tuple[Values, Values]:
    """M0 and N1 as series in w = h^2."""
    return _horner(w, _M0), _horner(w, _N1) * (1 / 6)


def _complex_series(r: Values, i: Values) -> tuple[Pair, Pair]:
    """M0 and N1 for w = r + i i."""
    m0 = _complex_horner(r, i, _M0)
    n1 = _complex_horner(r, i, _N1)
    return m0, (n1[0] * (1 / 6), n1[1] * (1 / 6))


def _complex_horner(r: Values, i: Values, ratios: tuple[float, ...]) -> Pair:
    """The same for w = r + i i."""
    a, b = 1.0 + ratios[-1] * r, ratios[-1] * i
    for ratio in ratios[-2::-1]:
        a, b = 1.0 + ratio * (r * a - i * b), ratio * (r * b + i * a)
    return a, b


def _of_rotation(x: Values) -> _Real:
    """M0(ix), M1(ix)/i and M1(ix)/(ix)."""
    w = x * x
    small = w < _SMALL
    safe = jnp.where(small, 1.0, x)
    s, c = sincos(x)
    over = 1.0 / safe
    m0 = s * over
    n1 = (m0 - c) * (0.5 * over * over)
    series0, series1 = _series(-w)
    m0, n1 = jnp.where(small, series0, m0), jnp.where(small, series1, n1)
    return _Real(*stored((m0, n1 * x, n1)))


def _of_absorption(h: Values, decay: Values) -> _Real:
    """e^h times M0, M1, N1 for h <= 0."""
    w = h * h
    small = w < _SMALL
    over = 1.0 / jnp.where(small, -1.0, h)
    square = decay * decay
    m0 = (square - 1.0) * (0.5 * over)
    n1 = (0.5 * (square + 1.0) - m0) * (0.5 * over * over)
    series0, series1 = _series(w)
    m0 = jnp.where(small, decay * series0, m0)
    n1 = jnp.where(small, decay * series1, n1)
    return _Real(*stored((m0, n1 * h, n1)))


def _of_both(x: Values, y: Values, decay: Values) -> _Complex:
    """e^x times M0, M1, N1 of h = x + iy, x <= 0; the phase e^(iy) is the caller's."""
    xx, yy = x * x, y * y
    size = xx + yy
    small = size < _SMALL
    s, c = sincos(y)
    square = decay * decay
    plus, minus = 0.5 * (square + 1.0), 0.5 * (square - 1.0)
    cosh, sinh = (plus * c, minus * s), (minus * c, plus * s)
    inverse = 1.0 / jnp.where(small, 1.0, size)
    over = (x * inverse, -y * inverse)
    m0 = product(sinh, over)
    n1 = product((0.5 * (cosh[0] - m0[0]), 0.5 * (cosh[1] - m0[1])), product(over, over))
    # series in w = h^2; beyond their range their values are not used, and finite
    series0, series1 = _complex_series(xx - yy, 2.0 * x * y)
    pick = lambda a, b: jnp.where(small, decay * a, b)
    m0 = (pick(series0[0], m0[0]), pick(series0[1], m0[1]))
    n1 = (pick(series1[0], n1[0]), pick(series1[1], n1[1]))
    return _Complex(*stored((m0, product(n1, (x, y)), n1)))


@jax.custom_jvp
def sinc_moments(x: Values) -> tuple[Values, Values]:
    """sin(x)/x and (sin x - x cos x)/(2 x^2): M0(ix), M1(ix)/i."""
    m0, m1, _ = _of_rotation(x)
    return m0, m1


@sinc_moments.defjvp
def _sinc_moments_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    m0, m1, n1 = _of_rotation(x)
    return (m0, m1), (-2.0 * m1 * dx, (0.5 * m0 - 2.0 * n1) * dx)


@jax.custom_jvp
def real_moments(h: Values, decay: Values) -> tuple[Values, Values]:
    """e^h sinh(h)/h and e^h (h cosh h - sinh h)/(2 h^2), h <= 0.

    `decay` is e^h, which the caller has; the derivative by h knows it and takes none by `decay`.
    """
    m0, m1, _ = _of_absorption(h, decay)
    return m0, m1


@real_moments.defjvp
def _real_moments_jvp(primals: Any, tangents: Any) -> Any:
    m0, m1, n1 = _of_absorption(*primals)
    dh, _ = tangents
    return (m0, m1), ((m0 + 2.0 * m1) * dh, (m1 + 0.5 * m0 - 2.0 * n1) * dh)


@jax.custom_jvp
def complex_moments(x: Values, y: Values, decay: Values) -> tuple[Pair, Pair]:
    """e^x sinh(h)/h and e^x (h cosh h - sinh h)/(2 h^2) for h = x + iy, x <= 0.

    The factor e^h is split: the real part is put in here (`decay` is e^x, as in `real_moments`),
    the phase e^(iy) is the caller's.
    """
    m0, m1, _ = _of_both(x, y, decay)
    return m0, m1


@complex_moments.defjvp
def _complex_moments_jvp(primals: Any, tangents: Any) -> Any:
    m0, m1, n1 = _of_both(*primals)
    dx, dy, _ = tangents
    d0 = (2.0 * m1[0], 2.0 * m1[1])
    d1 = (0.5 * m0[0] - 2.0 * n1[0], 0.5 * m0[1] - 2.0 * n1[1])
    slope = lambda m, d: ((m[0] + d[0]) * dx - d[1] * dy, (m[1] + d[1]) * dx + d[0] * dy)
    return (m0, m1), (slope(m0, d0), slope(m1, d1))

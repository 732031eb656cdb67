"""Scalar functions of one cell of polarised transfer, smooth where the eigenvalues meet.

The propagator exp(-K t) of a cell is, in the Jones form, a sum of a few matrices with
coefficients that are integrals of f = exp(-A t) cosh(sqrt(y) t) and g = exp(-A t) sinh(sqrt(y) t)
/ sqrt(y) at two arguments, y1 = (Re w)^2 >= 0 and y2 = -(Im w)^2 <= 0. Only means over y1, y2 and
divided differences such as f' = (f(y1) - f(y2))/(y1 - y2) appear; they are smooth functions of
P = y1 + y2 and q2 = -y1 y2, also where w = 0. That is why near w = 0 everything is written in P
and q2, and square roots are taken only away from it.
"""

import math
from functools import reduce
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._numerics._math import sincos, smaller, stored

_TERMS = 10  # y^k / (2k)! with |y| < 1 reaches 1e-16
_MOMENTS = 2 * _TERMS + 1
_EVEN = tuple(1.0 / math.factorial(2 * k) for k in range(_TERMS))
_ODD = tuple(1.0 / math.factorial(2 * k + 1) for k in range(_TERMS))
# int_0^1 exp(-z t) dt and int_0^1 t exp(-z t) dt for |z| < 1/4
_E = tuple((-1.0) ** k / math.factorial(k + 1) for k in range(12))
_E1 = tuple((-1.0) ** k / (math.factorial(k) * (k + 2)) for k in range(12))

Values = Float[Array, "..."]


class Depths(NamedTuple):
    """What the functions of a cell depend on: scalars made of its depths.

    `a`: A, absorption; `p`: y1 + y2 = |a_P|^2 - |rho|^2; `q`: a_P . rho, q^2 = -y1 y2; `size`:
    |a_P|^2 + |rho|^2; `cross2`: |a_P x rho|^2.
    """

    a: Values
    p: Values
    q: Values
    size: Values
    cross2: Values


class Weights(NamedTuple):
    """Weights of the matrices of a cell, with s = `size`.

    `outer` = mean f + s f'/2, `inner` = mean f - s f'/2, `bend` = f', `along` = (y g)',
    `turned` = g'.
    """

    outer: Values
    inner: Values
    bend: Values
    along: Values
    turned: Values


class _Pair(NamedTuple):
    f_mean: Values
    f_slope: Values
    g_mean: Values
    g_slope: Values


class Cell(NamedTuple):
    """`propagator` at t = 1; `source` and `moment`: its integrals over (0, 1), times 1 and t."""

    propagator: Weights
    source: Weights | None
    moment: Weights | None


class _Point(NamedTuple):
    f: Values
    g: Values


class _Roots(NamedTuple):
    """Where all is small (`near`), and y1, y2, y1 - y2 elsewhere (there, of a harmless place).

    `p`, `q2`: arguments of the power series: P and q2 where near; elsewhere y and 0, with y that
    of y1, y2 which is nearer to 0 (0 if neither is below 1). `first` (`second`): y1 (y2) is beyond
    1 and needs exponentials (circular functions).
    """

    near: Bool[Array, "..."]
    p: Values
    q2: Values
    first: Bool[Array, "..."]
    second: Bool[Array, "..."]
    difference: Values
    y1: Values
    y2: Values


class _Series(NamedTuple):
    """Sums of the series of f and g, and of their slopes."""

    f: Values
    f_slope: Values
    g: Values
    g_slope: Values


def _horner(x: Values, coefficients: tuple) -> Values:
    total = coefficients[-1] + jnp.zeros_like(x)
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def _exp(x: Values) -> Values:
    """exp(x), held at the square root of the largest number: unphysical growth stays finite."""
    limit = 0.5 * math.log(float(jnp.finfo(x.dtype).max))
    return jnp.exp(smaller(limit, x))  # in this order NaN stays NaN


def _roots(p: Values, q2: Values) -> _Roots:
    size = jnp.where(p > 0, p, -p)
    near = (size < 1.0) & (q2 < 1.0 - size)  # both y1 and -y2 are below 1
    p_far, q2_far = jnp.where(near, 2.0, p), jnp.where(near, 0.0, q2)
    difference = jnp.sqrt(p_far * p_far + 4.0 * q2_far)
    positive = p_far > 0
    large = 0.5 * (difference + jnp.where(positive, p_far, -p_far))
    small = q2_far / large  # not the difference of nearly equal numbers
    y1, y2 = jnp.where(positive, large, small), -jnp.where(positive, small, large)
    low = jnp.where(small < 1.0, jnp.where(positive, y2, y1), 0.0)
    p, q2 = jnp.where(near, p, low), jnp.where(near, q2, 0.0)
    return _Roots(near, *stored((p, q2)), y1 >= 1.0, y2 <= -1.0, *stored((difference, y1, y2)))


def _powers(p: Values, q2: Values) -> list[Values]:
    """h_k = (y1^(k+1) - y2^(k+1)) / (y1 - y2) for k = 0 ..., polynomials in p and q2."""
    h = [jnp.ones_like(p), p]
    while len(h) < _TERMS:
        one = p * h[-1] + q2 * h[-2]
        h += stored((one, p * one + q2 * h[-1]))
    return h


def _series(even: tuple, odd: tuple, h: list[Values]) -> _Series:
    """Sums c_k h_k and c_(k+1) h_k for the series of f and of g.

    The second is the divided difference of sum c_k y^k, and the first less p/2 times that its
    mean. With q2 = 0 the first is its value at y = p.
    """

    def total(c: tuple, first: int) -> Values:
        terms = [x * h[k] for k, x in enumerate(c[first:])]
        return reduce(jnp.add, terms[::-1])

    return _Series(total(even, 0), total(even, 1), total(odd, 0), total(odd, 1))


def _near(series: _Series, p: Values) -> _Pair:
    return _Pair(
        series.f - 0.5 * p * series.f_slope,
        series.f_slope,
        series.g - 0.5 * p * series.g_slope,
        series.g_slope,
    )


def _joined(pair: _Pair, depths: Depths) -> Weights:
    """Weights from means and slopes: where y1 and y2 do not differ much for the functions."""
    f, f_slope, g, g_slope = pair
    half = 0.5 * f_slope * depths.size
    return Weights(f + half, f - half, f_slope, g + 0.5 * depths.p * g_slope, g_slope)


def _apart(first: _Point, second: _Point, at: _Roots, depths: Depths) -> Weights:
    """Weights from the values at y1 and y2, without the differences of large numbers.

    size - (y1 - y2) = 4 |a x rho|^2 / (size + y1 - y2), 0 for pure rotation and pure dichroism.
    """
    excess = 4.0 * depths.cross2 / (depths.size + at.difference)
    bend = (first.f - second.f) / at.difference
    more = 0.5 * bend * excess
    along = (at.y1 * first.g - at.y2 * second.g) / at.difference
    turned = (first.g - second.g) / at.difference
    return Weights(first.f + more, second.f - more, bend, along, turned)


def _pair(weights: Weights, p: Values) -> _Pair:
    mean = 0.5 * (weights.outer + weights.inner)
    return _Pair(mean, weights.bend, weights.along - 0.5 * p * weights.turned, weights.turned)


def _choose(condition: Bool[Array, "..."], a: tuple, b: tuple) -> tuple:
    return type(a)(*(jnp.where(condition, x, y) for x, y in zip(a, b, strict=True)))


def _truncated_moments(a: Values) -> list[Values]:
    """int_0^1 t^j exp(-a t) dt / j! for j = 0 ..., |a| < 1.7, by downward recursion (stable)."""
    decay = jnp.exp(-a)
    value, found = jnp.zeros_like(a), []
    for j in range(_MOMENTS + 3, 0, -1):
        value = a * value + decay * (1.0 / math.factorial(j))
        if j % 3 == 0:
            value = stored(value)
        if j <= _MOMENTS:
            found.append(value)
    return found[::-1]


def _moment_series(a: Values, h: list[Values], order: int) -> list[_Series]:
    """The integrals where everything is small: series in y with moments of exp(-a t)."""
    psi = stored(tuple(_truncated_moments(jnp.where(jnp.abs(a) < 1.7, a, 0.0))))
    k = range(_TERMS)
    found = [_series(psi[0:-1:2], psi[1::2], h)]
    if order > 1:
        even = tuple((2 * i + 1) * psi[2 * i + 1] for i in k)
        odd = tuple((2 * i + 2) * psi[2 * i + 2] for i in k)
        found.append(_series(even, odd, h))
    return found


def _decays(z: Values, decay: Values) -> tuple[Values, Values]:
    """int_0^1 exp(-z t) dt and int_0^1 t exp(-z t) dt, given exp(-z)."""
    small = jnp.abs(z) < 0.25
    near, far = jnp.where(small, z, 0.0), jnp.where(small, 1.0, z)
    whole = jnp.where(small, _horner(near, _E), (1.0 - decay) / far)
    return whole, jnp.where(small, _horner(near, _E1), (whole - decay) / far)


def cell_functions(depths: Depths, order: int) -> Cell:
    """Weights of the matrices of a cell.

    **Arguments:**

    - `depths`: the cell.
    - `order` (static): 0 for the propagator alone, 1 with its integral, 2 with the integral of t
      times it.
    """
    a, p, q2 = depths.a, depths.p, depths.q * depths.q
    at = _roots(p, q2)
    h = _powers(at.p, at.q2)
    decay = _exp(-a)
    # y1 >= 1: growing and decaying exponentials apart; |y2| >= 1: oscillation; else series in y
    l1 = jnp.sqrt(jnp.where(at.first, at.y1, 1.0))
    slow, fast = _exp(l1 - a), _exp(-l1 - a)
    l2 = jnp.sqrt(jnp.where(at.second, -at.y2, 1.0))
    sine, cosine = sincos(l2)
    series = _Series(*(decay * x for x in _series(_EVEN, _ODD, h)))
    low = _Point(series.f, series.g)
    first = _choose(at.first, _Point(0.5 * (slow + fast), 0.5 * (slow - fast) / l1), low)
    second = _choose(at.second, _Point(decay * cosine, decay * sine / l2), low)
    l1, slow, fast, first, second, series = stored((l1, slow, fast, first, second, series))
    near, apart = _joined(_near(series, at.p), depths), _apart(first, second, at, depths)
    propagator = stored(_choose(at.near, near, apart))
    if order == 0:
        return Cell(propagator, None, None)

    # Integrals. 1. A dominates: rational in the propagator's functions, so that nothing cancels;
    # 2. all small: moments; 3. else each of y1, y2 on its own.
    a2 = a * a
    thick = (a2 >= 1.0) & (p * p + 4.0 * q2 <= 0.5 * a2 * a2)
    moments = stored(_moment_series(a, h, order))
    firsts = _at_first(a, at, first, moments, (l1, slow, fast))
    seconds = _at_second(a, at, second, moments)
    ends, found = [_pair(propagator, p)], []
    for level in range(order):
        alone = _apart(firsts[level], seconds[level], at, depths)
        ends.append(_rational_pair(level, a, p, q2, ends, thick))
        together = _choose(thick, ends[-1], _near(moments[level], at.p))
        together = _joined(together, depths)
        found.append(stored(_choose(thick | at.near, together, alone)))
    return Cell(propagator, found[0], found[1] if order > 1 else None)


def _at_first(
    a: Values,
    at: _Roots,
    end: _Point,
    moments: list[_Series],
    exponentials: tuple[Values, Values, Values],
) -> list[_Point]:
    """The integrals at y1, where A may equal its square root (a perfect polariser)."""
    l1, slow, fast = exponentials
    a2 = a * a
    rational = (a2 >= 1.0) & (4.0 * at.y1 <= 3.0 * a2)
    divisor = jnp.where(rational, a2 - at.y1, 1.0)
    # one of A - l1, A + l1 may vanish, the other is at least 1
    positive = a > 0
    small, decay = jnp.where(positive, a - l1, a + l1), jnp.where(positive, slow, fast)
    large = jnp.where(positive, a + l1, a - l1)
    far = (1.0 - jnp.where(positive, fast, slow)) / large
    ones = _decays(small, decay)
    others = far, (far - jnp.where(positive, fast, slow)) / large
    sign = jnp.where(positive, 0.5, -0.5) / l1
    points: list[_Point] = []
    for level, series in enumerate(moments):
        one, other = ones[level], others[level]
        exponential = _Point(0.5 * (one + other), sign * (one - other))
        low = _choose(at.first, exponential, _Point(series.f, series.g))
        high = _rational(level, a, at.y1, end, divisor, points)
        points.append(_choose(rational, high, low))
    return points


def _at_second(a: Values, at: _Roots, end: _Point, moments: list[_Series]) -> list[_Point]:
    """The integrals at y2 <= 0."""
    divisor = a * a - at.y2
    rational = divisor >= 1.0
    divisor = jnp.where(rational, divisor, 1.0)
    points: list[_Point] = []
    for level, series in enumerate(moments):
        high = _rational(level, a, at.y2, end, divisor, points)
        points.append(_choose(rational, high, _Point(series.f, series.g)))
    return points


def _rational(
    level: int, a: Values, y: Values, end: _Point, divisor: Values, before: list[_Point]
) -> _Point:
    """The integrals at y by partial integration, from the propagator's functions."""
    f, g = end
    if level == 0:
        return _Point((a - a * f - y * g) / divisor, (1.0 - f - a * g) / divisor)
    whole = before[0]
    return _Point(
        (2.0 * a * whole.f - 1.0 + f - a * f - y * g) / divisor,
        (2.0 * a * whole.g - f + g - a * g) / divisor,
    )


def _rational_pair(
    level: int, a: Values, p: Values, q2: Values, ends: list[_Pair], thick: Bool[Array, "..."]
) -> _Pair:
    """Means and divided differences of `_rational`, by the product rule of the latter."""
    a = jnp.where(thick, a, 1.0)
    p, q2 = jnp.where(thick, p, 0.0), jnp.where(thick, q2, 0.0)
    middle = a * a - 0.5 * p  # mean of A^2 - y
    quarter = 0.25 * p * p + q2
    product = middle * middle - quarter
    fm, fs, gm, gs = ends[0]
    yg_slope = gm + 0.5 * p * gs
    yg_mean = 0.5 * p * gm + quarter * gs
    if level == 0:
        u, u_slope = a - a * fm - yg_mean, -a * fs - yg_slope
        v, v_slope = 1.0 - fm - a * gm, -fs - a * gs
    else:
        whole = ends[1]
        u = 2.0 * a * whole.f_mean - 1.0 + fm - a * fm - yg_mean
        u_slope = 2.0 * a * whole.f_slope + fs - a * fs - yg_slope
        v = 2.0 * a * whole.g_mean - fm + gm - a * gm
        v_slope = 2.0 * a * whole.g_slope - fs + gs - a * gs
    return _Pair(
        (u * middle + quarter * u_slope) / product,
        (u_slope * middle + u) / product,
        (v * middle + quarter * v_slope) / product,
        (v_slope * middle + v) / product,
    )

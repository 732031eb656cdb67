"""The functions of a cell that hardly absorbs, whatever it rotates: short series in absorption.

With x = |rho|^2 - |a_P|^2 all of them are made of c_k(x) = sum_j (-x)^j / (k + 2j)!, that is of
c_0 = cos(sqrt x), c_1 = sin(sqrt x)/sqrt x, and c_k = 1/k! - x c_(k+2): in P and q2 of
`_cell_functions`, f = c_0 + q2 (c_3 - 2 c_4)/2, f' = c_2 + q2 (c_5 - 4 c_6)/2 and so on, where q2
is of second order in the polarised absorption a_P. Since int_0^1 (1-t)^m/m! t^k c_k(x t^2) dt =
c_(k+m+1)(x), integrals with exp(A (1 - t)) are power series in A of the c_k that follow. No square
root is taken where x is small, and nothing is divided by it.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._numerics._math import sincos, stored
from ._cell_functions import Depths, Weights

Values = Float[Array, "..."]

DEEPEST = 0.01
"""The largest |A| of a cell that hardly absorbs: A^m of the series reaches 1e-16 with c_10."""
_LAST = 10
_FAR = 6.0  # beyond it the recurrence for the c_k runs upwards without loss, below it downwards
_SERIES, _POWERS = 9, 7


def is_faint(depth: Values, polarised: tuple[Values, Values, Values]) -> Bool[Array, "..."]:
    """Where these series hold to rounding, in values and in first derivatives.

    What they leave out is of fourth order in a_P: of third order in derivatives by it.

    **Arguments:**

    - `depth`: A.
    - `polarised`: a_P.
    """
    limit = float(jnp.finfo(depth.dtype).eps) ** (2.0 / 3.0)
    return (jnp.abs(depth) <= DEEPEST) & (sum(x * x for x in polarised) <= limit)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def stumpff(x: Values, last: int) -> tuple[Values, ...]:
    """c_0 ... c_last for x > -1: c_k = sum_j (-x)^j / (k + 2j)!."""
    near = x < _FAR
    small, large = stored((jnp.where(near, x, 0.0), jnp.where(near, _FAR, x)))
    low = [_tail(small, last), _tail(small, last - 1)]
    for k in range(last - 2, -1, -1):
        low.append(1.0 / math.factorial(k) - small * low[-2])
    root = jnp.sqrt(large)
    sine, cosine = sincos(root)
    high, inverse = [cosine, sine / root], 1.0 / large
    high = list(stored((*high, inverse)))
    inverse = high.pop()
    for k in range(last - 1):
        high.append((1.0 / math.factorial(k) - high[k]) * inverse)
    return stored(tuple(jnp.where(near, a, b) for a, b in zip(low[::-1], high, strict=True)))


@stumpff.defjvp
def _stumpff_jvp(last: int, primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    c = stumpff(x, last + 2)
    half = -0.5 * dx
    return c[: last + 1], tuple(half * (c[k + 1] - k * c[k + 2]) for k in range(last + 1))


def _tail(x: Values, k: int) -> Values:
    """c_k by its series, for |x| < 6."""
    total = jnp.ones_like(x)
    for j in range(_SERIES, 0, -1):
        total = 1.0 - x * total * (1.0 / ((k + 2 * j) * (k + 2 * j - 1)))
    return total * (1.0 / math.factorial(k))


def faint_functions(depths: Depths, order: int) -> tuple[Weights, ...]:
    """Weights of the matrices of a cell that hardly absorbs, but for the factor exp(-A).

    **Arguments:**

    - `depths`: the cell.
    - `order` (static): 0 for the propagator alone, 1 with its integral over t in (0, 1), 2 with
      that of 1 - t times it.

    **Returns** those.
    """
    a, q2 = depths.a, depths.q * depths.q
    square, half = 0.5 * (depths.size + depths.p), 0.5 * q2
    c = stumpff(-depths.p, _LAST)
    # to first order in q2; what multiplies high powers of A needs none
    c = tuple(
        x + half * (c[k + 3] - (k + 2.0) * c[k + 4]) if k + 4 <= _LAST else x
        for k, x in enumerate(c)
    )
    found, ends = [stored(c)], [jnp.ones_like(a)]
    for level in range(order):
        sums = [found[-1][-1]]
        for z in found[-1][-2:0:-1]:
            sums.append(z + a * sums[-1])
        found.append(stored(tuple(sums[::-1])))
        ends.append(_end(a, level))
    return tuple(_weights(z, end, square, q2) for z, end in zip(found, ends, strict=True))


def _end(a: Values, level: int) -> Values:
    """sum_m A^m / (m + 1)!, or sum_m (m + 1) A^m / (m + 2)!: the integrals without rotation."""
    total = jnp.zeros_like(a)
    for m in range(_POWERS - 1, -1, -1):
        total = total * a + (m + 1) ** level / math.factorial(m + 1 + level)
    return total


def _weights(z: tuple[Values, ...], end: Values, square: Values, q2: Values) -> Weights:
    lost = square * z[2]
    return Weights(end + lost + q2 * z[4], z[0] - lost, z[2], z[1], z[3])

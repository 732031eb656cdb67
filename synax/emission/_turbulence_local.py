"""The means over turbulence where each point has an index of its own: fewer terms, in one pass.

Each mean is that for p = 3, which needs no series, to the power (p + 1)/4, times 1 + (p - 3) h with
a small and smooth h of p and of the random share of the field. Of the Chebyshev coefficients of h
some 50 make all but 1e-5 of the values; which of them depends on p at every point, so that there
they are summed, not tabulated.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics._math import log
from ._turbulence import _SCALE, INDEX_RANGE, _kummer, chebyshev_table, joint_boost

_LEFT_OUT = 1e-6
"""Of each coefficient in the share, the largest sum of coefficients in p that is left out."""
_SHARES, _INDICES = 24, 14
_ISOTROPIC, _STRIATED = 2.0, 1.0
"""S of the share S / (b^2/(2 s) + S), with which the series converge fastest."""

Values = Float[Array, "..."]
Rows = tuple[tuple[float, ...], ...]


def _over_cubic(b: float, shift: float, x: float, p: float) -> float:
    """A mean of x = b^2/(2 s) over the (p + 1)/4 - shift power of its value for p = 3."""
    m = (p + 1.0) / 4.0 - shift
    cubic = x + (b if shift == 0.0 else 1.0)
    return _kummer(m, b, x) * ((x + _SCALE) / cubic) ** m


def _series(mean: Callable[[float, float], float], scale: float) -> Rows:
    """The coefficients that count of (mean - 1)/(p - 3): a row for each power of the share."""
    excess = lambda x, p: (mean(x, p) - 1.0) / (p - 3.0)
    table = chebyshev_table(excess, scale, _SHARES, _INDICES)
    tails = np.cumsum(np.abs(table[:, ::-1]), axis=1)[:, ::-1]
    counts = [int(np.count_nonzero(tail > _LEFT_OUT)) for tail in tails]
    last = max(i for i, n in enumerate(counts) if n)
    kept = zip(table[: last + 1], counts, strict=False)
    return tuple(tuple(row[:n].tolist()) for row, n in kept)


@functools.lru_cache(maxsize=1)
def _rows() -> tuple[Rows, Rows, Rows]:
    """Of the total, the polarised and the striated mean; of the last its 4/(p + 1)-th power."""
    total = lambda x, p: _over_cubic(1.0, 0.0, x, p)
    polarised = lambda x, p: _over_cubic(3.0, 1.0, x, p)
    striated = lambda x, p: _over_cubic(0.5, 0.0, x, p) ** (4.0 / (p + 1.0))
    one, other = _series(total, _ISOTROPIC), _series(polarised, _ISOTROPIC)
    return one, other, _series(striated, _STRIATED)


def _basis(index: Values) -> list[Values]:
    """Chebyshev polynomials of p."""
    low, high = INDEX_RANGE
    y = (index - 0.5 * (low + high)) * (2.0 / (high - low))
    found = [jnp.ones_like(y), y]
    while len(found) < max(len(row) for rows in _rows() for row in rows):
        found.append(2.0 * y * found[-1] - found[-2])
    return found


def _mean(rows: Rows, excess: Values, basis: list[Values], x: Values) -> Values:
    """1 + (p - 3) h, h by Clenshaw's recurrence in x.

    Of coefficients that are series in p; where x is a number, these series are summed last.
    """
    if x.ndim == 0:
        powers = [jnp.ones_like(x), x]
        while len(powers) < len(rows):
            powers.append(2.0 * x * powers[-1] - powers[-2])
        length = max(map(len, rows))
        columns = (
            [(row[k], t) for row, t in zip(rows, powers, strict=False) if k < len(row)]
            for k in range(length)
        )
        numbers = [sum(c * t for c, t in column) for column in columns]
        h = sum((c * b for c, b in zip(numbers, basis, strict=False)), 0.0)
        return 1.0 + excess * h
    series = lambda row: sum((c * b for c, b in zip(row, basis, strict=False)), 0.0)
    parts = [series(row) for row in rows]
    after, value = jnp.zeros_like(x), parts[-1]
    for part in parts[-2:0:-1]:
        after, value = value, part + 2.0 * x * value - after
    return 1.0 + excess * (parts[0] + x * value - after)


def _share(scale: float, regular: Values, random: Values) -> Values:
    """The random share S / (b^2/(2 s) + S), from -1 to 1; 0 where no field is."""
    part = 2.0 * scale * random
    whole = regular + part
    there = whole > 0
    return 2.0 * jnp.where(there, part, 0.5) / jnp.where(there, whole, 1.0) - 1.0


def local_powers(
    b_perp_squared: Values, striation: Values, isotropic: Values, index: Values
) -> tuple[Values, Values, Values]:
    """What a power law's emission needs of a field with turbulence, at an index of each point.

    The values are those of `striated_square`, `joint_boost` and `turbulent_powers`, within 1e-5
    (relative), the last two over B^((p - 3)/2) with B^2 = b_perp_squared (1 + striation) +
    2 isotropic, the mean square.

    **Arguments** (broadcast against each other):

    - `b_perp_squared`: of the regular field, microgauss^2.
    - `striation`: energy of the striated part over that of the regular field.
    - `isotropic`: variance of each component of the isotropic part, microgauss^2.
    - `index`: p, in 1 ... 6.

    **Returns** total (microgauss^2), the polarised factor (a pure number), and what multiplies the
    square of the regular field for its striated part.
    """
    total, polarised, along = _rows()
    basis, excess = _basis(index), index - 3.0
    second = 1.0 + striation
    boost = second * _mean(
        along, excess, basis, _share(_STRIATED, jnp.ones_like(second), striation)
    )
    boost = joint_boost(boost, striation, b_perp_squared, isotropic)
    square, random = b_perp_squared * boost, 2.0 * isotropic
    size, whole = square + random, b_perp_squared * second + random
    there = whole > 0
    ratio = jnp.where(there, size, 1.0) / jnp.where(there, whole, 1.0)
    power = jnp.exp(0.25 * excess * log(ratio))
    x = _share(_ISOTROPIC, square, isotropic)
    found = size * power * _mean(total, excess, basis, x)
    return found, power * _mean(polarised, excess, basis, x), boost

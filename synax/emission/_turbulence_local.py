"""The means over turbulence where each point has an index of its own: fewer terms, in one pass.

The functions are those of `_turbulence`. Of their Chebyshev coefficients in x and p, some 55 of 576
make all but 1e-5 of the values; which of them depends on p at every point, so that there they are
summed, not tabulated.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics._math import log
from ._turbulence import INDEX_RANGE, _split, _tables, joint_boost

_LEFT_OUT = 6e-7
"""Of each coefficient in x, the largest sum of coefficients in p that is left out."""

Values = Float[Array, "..."]
Rows = tuple[tuple[float, ...], ...]


def _leading(table: np.ndarray) -> Rows:
    """The coefficients that count: one row for each power of x, each as long as it must be."""
    tails = np.cumsum(np.abs(table[:, ::-1]), axis=1)[:, ::-1]
    counts = [int(np.count_nonzero(tail > _LEFT_OUT)) for tail in tails]
    last = max(i for i, n in enumerate(counts) if n)
    kept = zip(table[: last + 1], counts, strict=False)
    return tuple(tuple(row[:n].tolist()) for row, n in kept)


@functools.lru_cache(maxsize=1)
def _rows() -> tuple[Rows, Rows, Rows]:
    total, polarised, striated = _tables()
    return _leading(total), _leading(polarised), _leading(striated)


def _basis(index: Values) -> list[Values]:
    """Chebyshev polynomials of p."""
    low, high = INDEX_RANGE
    y = (index - 0.5 * (low + high)) * (2.0 / (high - low))
    found = [jnp.ones_like(y), y]
    while len(found) < max(len(row) for rows in _rows() for row in rows):
        found.append(2.0 * y * found[-1] - found[-2])
    return found


def _mean(rows: Rows, basis: list[Values], x: Values) -> Values:
    """Clenshaw's recurrence in x over coefficients that are series in p."""
    series = lambda row: sum((c * b for c, b in zip(row, basis, strict=False)), 0.0)
    parts = [series(row) for row in rows]
    after, value = jnp.zeros_like(x), parts[-1]
    for part in parts[-2:0:-1]:
        after, value = value, part + 2.0 * x * value - after
    return parts[0] + x * value - after


def local_powers(
    b_perp_squared: Values, striation: Values, isotropic: Values, index: Values
) -> tuple[Values, Values, Values]:
    """What a power law's emission needs of a field with turbulence, at an index of each point.

    The values are those of `striated_square`, `joint_boost` and `turbulent_powers`, within 1e-5
    (relative).

    **Arguments** (broadcast against each other):

    - `b_perp_squared`: of the regular field, microgauss^2.
    - `striation`: energy of the striated part over that of the regular field.
    - `isotropic`: variance of each component of the isotropic part, microgauss^2.
    - `index`: p, in 1 ... 6.

    **Returns** total (microgauss^((p+1)/2)), the polarised factor (microgauss^((p-3)/2)), and what
    multiplies the square of the regular field for its striated part.
    """
    total, polarised, along = _rows()
    basis = _basis(index)
    size, _, x = _split(jnp.ones_like(striation), striation)
    boost = size * jnp.exp(4.0 / (index + 1.0) * log(_mean(along, basis, x)))
    boost = joint_boost(boost, striation, b_perp_squared, isotropic)
    size, logarithm, x = _split(b_perp_squared * boost, isotropic)
    # at 0 it is held finite, as the products with b^2 vanish there
    at_zero = jnp.where(index > 3.0, 0.0, 1.0)
    power = jnp.where(size > 0, jnp.exp(0.25 * (index - 3.0) * logarithm), at_zero)
    found = size * power * _mean(total, basis, x)
    return found, power * _mean(polarised, basis, x), boost

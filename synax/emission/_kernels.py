"""The functions F and G of synchrotron emission, and x^2 K_5/3 of absorption.

F(x) = x int_x^inf K_5/3, G(x) = x K_2/3(x), A(x) = x^2 K_5/3(x), with derivatives that close on
themselves: x F' = F - A, x G' = 5 G/3 - A, x A' = A/3 - x^2 G.

Each is exp(-x) times powers of x^(1/3) and 1 + x^(2/3), which have its limits at both ends, times
a Chebyshev series in x^(1/3) / (x^(1/3) + 1.5), made once from
K_nu = int exp(-x cosh u) cosh(nu u) du.

**Reference:** Westfold 1959, ApJ 130, 241; Rybicki & Lightman 1979, sect. 6.4.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_TERMS, _SCALE = 36, 1.5
_LARGEST = 750.0  # exp(-x) has underflowed in double precision

Values = Float[Array, "..."]


def _integrals(x: np.ndarray) -> np.ndarray:
    """e^x times F, G, A by the trapezoidal rule, which converges geometrically here."""
    x = x[:, None]
    u = np.arccosh(1.0 + _LARGEST / x) * np.linspace(0.0, 1.0, 1501)
    weight = np.exp(-2.0 * x * np.sinh(0.5 * u) ** 2) * u[:, 1:2]
    weight[:, 0] *= 0.5
    k53 = np.cosh(5.0 / 3.0 * u)
    parts = (x * k53 / np.cosh(u), x * np.cosh(2.0 / 3.0 * u), x * x * k53)
    return np.stack([np.sum(weight * part, axis=1) for part in parts])


def _limits(x: Any, xp: Any) -> tuple[Any, Any, Any]:
    """x^(1/3), and the powers that F, G and A follow towards 0 and infinity."""
    root = xp.cbrt(x)
    square = xp.sqrt(1.0 + root * root)
    quarter = root * xp.sqrt(square)
    return root, quarter, quarter * square * square * square


@functools.lru_cache(maxsize=1)
def _coefficients() -> np.ndarray:
    """Chebyshev coefficients of F, G and A, (3, 36)."""
    angle = np.pi * (np.arange(_TERMS) + 0.5) / _TERMS
    part = 0.5 * (1.0 + np.cos(angle))
    x = (_SCALE * part / (1.0 - part)) ** 3
    _, low, high = _limits(x, np)
    values = _integrals(x) / np.stack([low, low, high])
    k = np.arange(_TERMS)
    transform = np.cos(k[:, None] * angle) * np.where(k == 0, 1.0, 2.0)[:, None] / _TERMS
    return values @ transform.T


def scaled_kernels(x: Any, xp: Any = jnp) -> tuple[Any, Any, Any]:
    """exp(x) F, exp(x) G, exp(x) A for x >= 0, with the array library `xp` (jnp or np)."""
    root, low, high = _limits(x, xp)
    t = (root - _SCALE) / (root + _SCALE)
    found = []
    for row, limit in zip(_coefficients(), (low, low, high), strict=True):
        after, value = 0.0, float(row[-1])
        for c in row[-2:0:-1]:
            after, value = value, float(c) + 2.0 * t * value - after
        found.append(limit * (float(row[0]) + t * value - after))
    return tuple(found)


@jax.custom_jvp
def synchrotron_kernels(x: Values) -> tuple[Values, Values, Values]:
    """F(x), G(x) and A(x) = x^2 K_5/3(x).

    To 1e-12 (relative, float64); 0 at x = 0, and where exp(-x) underflows. Differentiable to any
    order for x > 0; at x = 0, where the slopes are infinite, they are set to 0.

    **Arguments:**

    - `x`: (...), frequency over the electron's critical frequency, not negative.

    **Returns** three arrays (...).
    """
    decay = jnp.exp(-x)
    f, g, a = scaled_kernels(x)
    return decay * f, decay * g, decay * a


@synchrotron_kernels.defjvp
def _synchrotron_kernels_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    f, g, a = synchrotron_kernels(x)
    positive = x > 0
    share = jnp.where(positive, dx, 0.0) / jnp.where(positive, x, 1.0)
    slopes = ((f - a) * share, (5.0 / 3.0 * g - a) * share, a * (share / 3.0) - x * g * dx)
    return (f, g, a), slopes

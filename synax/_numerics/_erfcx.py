"""The scaled complementary error function, which JAX has from 0.10.1 on only."""

import jax.numpy as jnp
from jaxtyping import Array, Float

_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2,
     3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2,
     1.28261652607737228e3, 2.84423683343917062e3),
)  # fmt: skip
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip
_LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip


def _ratio(coefficients: tuple[tuple[float, ...], ...], x: Array) -> Array:
    """A rational function by Horner's rule."""
    over, under = (jnp.polyval(jnp.asarray(c, x.dtype), x) for c in coefficients)
    return over / under


def erfcx(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """exp(x^2) erfc(x) for x >= 0: from 1 at x = 0 to 1/(x sqrt(pi)) far away.

    Three rational functions, to 10^-15 of the value; derivatives are theirs. NaN for x < 0.

    **Reference:** Cody 1969, Math. Comp. 23, 631 (coefficients of his program CALERF).
    """
    small, large = x <= 0.46875, x > 4.0
    s = jnp.where(small, x, 0.25)
    near = jnp.exp(s * s) * (1.0 - s * _ratio(_SMALL, s * s))
    middle = _ratio(_MIDDLE, jnp.where(small | large, 1.0, x))
    y = jnp.where(large, x, 5.0)
    z = 1.0 / (y * y)
    far = (1.0 / jnp.sqrt(jnp.pi) - z * _ratio(_LARGE, z)) / y
    value = jnp.where(small, near, jnp.where(large, far, middle))
    return jnp.where(x >= 0, value, jnp.nan)

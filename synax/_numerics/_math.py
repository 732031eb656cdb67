"""Elementary functions that stay finite, with finite derivatives, where the textbook form does not.

All are elementwise, keep the dtype of their argument, and are differentiable to any order.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._once import once
from ._stored import stored as stored

_TWO_OVER_PI = 2.0 / math.pi
# pi/2 in three parts of 33, 33 and 53 bits (Cody & Waite 1980): n times a part is exact
# for n < 2^20, so the reduced argument keeps full accuracy up to about 1.6e6 rad.
_PIO2_HIGH = 1.57079632673412561417e00
_PIO2_MIDDLE = 6.07710050630396597660e-11
_PIO2_LOW = 2.02226624879595063154e-21
_PIO2_F32 = (1.5703125, 4.837512969970703125e-4, 7.54978995489188216e-8)

# Minimax coefficients on [-pi/4, pi/4] of (sin r - r)/r^3 and (cos r - 1 + r^2/2)/r^4, as in
# the public fdlibm kernels k_sin, k_cos (Sun Microsystems, 1993) and cephes sinf, cosf.
_SIN64 = (
    -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
    2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10,
)  # fmt: skip
_COS64 = (
    4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
    -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11,
)  # fmt: skip
_SIN32 = (-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4)
_COS32 = (4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5)


def _horner(x: Array, coefficients: tuple[float, ...]) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


@jax.custom_jvp
def sincos(x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Sine and cosine (radians) from one range reduction; about the cost of one exponential.

    Absolute error below 2e-16 (float64) for |x| < 1e6 and below 1.5e-7 (float32) for |x| < 1e3,
    then growing in proportion to |x|.
    """
    return _sincos(jnp.asarray(x))


@once
def _sincos(x: Array) -> tuple[Array, Array]:
    n = jnp.round(x * _TWO_OVER_PI)
    if x.dtype == jnp.float64:
        r = ((x - n * _PIO2_HIGH) - n * _PIO2_MIDDLE) - n * _PIO2_LOW
        sin_c, cos_c = _SIN64, _COS64
    else:
        r = ((x - n * _PIO2_F32[0]) - n * _PIO2_F32[1]) - n * _PIO2_F32[2]
        sin_c, cos_c = _SIN32, _COS32
    r2 = r * r
    s = r + r * r2 * _horner(r2, sin_c)
    c = 1.0 - 0.5 * r2 + r2 * r2 * _horner(r2, cos_c)
    # quadrant = n mod 4, in floating point: odd -> swap, then signs
    half = jnp.floor(0.5 * n)
    odd = n - 2.0 * half  # 0 or 1
    sign_s = 1.0 - 2.0 * (half - 2.0 * jnp.floor(0.5 * half))  # quadrants 2, 3 negative
    swap = odd > 0.5
    sin_x = sign_s * jnp.where(swap, c, s)
    cos_x = sign_s * jnp.where(swap, -s, c)
    return stored((sin_x, cos_x))


@sincos.defjvp
def _sincos_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    s, c = sincos(x)
    return (s, c), (c * dx, -s * dx)


# Chebyshev interpolant in w = s^2 of (2 artanh(s)/s - 2)/w on |s| <= 3 - 2 sqrt(2); error 1e-17.
_LOG64 = (
    0.666666666666667, 0.39999999999899505, 0.28571428625975487, 0.2222221113479508,
    0.18182889125261723, 0.15331721600556042, 0.14616449685043406,
)  # fmt: skip
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10


@jax.custom_jvp
def log(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Natural logarithm, on CPU in float64 a third of the cost of `jnp.log`; error 4e-16 relative
    (1e-12 above 1.2e308).

    -inf at 0 (and for subnormal numbers), NaN below, as `jnp.log`.
    """
    return jnp.log(x) if x.dtype != jnp.float64 else _log(x)


@once
def _log(x: Array) -> Array:
    return stored(jax.lax.platform_dependent(x, cpu=_log64, default=jnp.log))


def _log64(x: Array) -> Array:
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    # 0x3FE6A09E667F3BCD is sqrt(1/2): the mantissa is brought to sqrt(1/2) .. sqrt(2)
    exponent = jax.lax.shift_right_arithmetic(bits - 0x3FE6A09E667F3BCD, jnp.int64(52))
    exponent = jnp.minimum(exponent, 1023)  # of the scale below, which would be subnormal
    # a product, as second derivatives through a loop differentiate this: JAX drops the rule there
    scale = jax.lax.bitcast_convert_type(
        jax.lax.shift_left(1024 - exponent, jnp.int64(52)), jnp.float64
    )
    n = exponent.astype(x.dtype)
    f = 0.5 * (x * scale) - 1.0
    s = f / (2.0 + f)
    w = s * s
    value = n * _LN2_HIGH + (2.0 * s + (s * w * _horner(w, _LOG64) + n * _LN2_LOW))
    value = jnp.where(x < jnp.finfo(x.dtype).tiny, -jnp.inf, value)
    return jnp.where(x >= 0, jnp.where(x == jnp.inf, jnp.inf, value), jnp.nan)


@log.defjvp
def _log_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return log(x), dx / x


# Chebyshev interpolants in w = t^2 of (arctan(t)/t - 1)/w on |t| <= tan(pi/8); relative error
# of arctan 1.3e-16 (ten terms) and 2.4e-9 (five terms).
_ATAN64 = (
    -0.3333333333333325, 0.1999999999989834, -0.14285714266084615, 0.11111109635728997,
    -0.09090852530438077, 0.07691054665297893, -0.06649608403607653, 0.05736299323019215,
    -0.04483225390414698, 0.022749021143478994,
)  # fmt: skip
_ATAN32 = (
    -0.33333331760434554, 0.19999540314957973, -0.14263949753605792, 0.10743668324830666,
    -0.06451718869360486,
)  # fmt: skip


@jax.custom_jvp
def atan2(y: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Angle of (x, y) in (-pi, pi], rad; 0 with zero derivative at the origin.

    About the cost of two exponentials where `jnp.arctan2` costs ten. Error below 5e-16
    (float64), 4e-7 (float32). A negative zero y counts as 0.
    """
    return _atan2(y, x)


@once
def _atan2(y: Array, x: Array) -> Array:
    ax, ay = jnp.abs(x), jnp.abs(y)
    low, high = jnp.minimum(ax, ay), jnp.maximum(ax, ay)
    # arctan a = pi/4 + arctan((a - 1)/(a + 1)) brings the argument below tan(pi/8)
    upper = low > 0.41421356237309503 * high
    above = jnp.where(upper, low - high, low)
    below = jnp.where(upper, low + high, high)
    t = above / jnp.where(below == 0, 1.0, below)
    w = t * t
    series = _horner(w, _ATAN64 if t.dtype == jnp.float64 else _ATAN32)
    angle = t + t * w * series + jnp.where(upper, 0.25 * math.pi, 0.0).astype(t.dtype)
    angle = jnp.where(ay > ax, 0.5 * math.pi - angle, angle)
    angle = jnp.where(x < 0, math.pi - angle, angle)
    return stored(jnp.where(y < 0, -angle, angle))


@atan2.defjvp
def _atan2_jvp(primals, tangents):
    (y, x), (dy, dx) = primals, tangents
    r2 = x * x + y * y
    inverse = jnp.where(r2 > 0, 1.0, 0.0) / jnp.where(r2 > 0, r2, 1.0)
    return atan2(y, x), (x * dy - y * dx) * inverse


def smaller(a: Float[Array, "..."] | float, b: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """The smaller of two values, with a derivative that survives compilation.

    JAX differentiates `jnp.minimum` by asking which argument equals the result. A compiler that
    evaluates the argument twice, rounded differently (fused multiply-add), finds neither equal
    and the derivative comes out 0; a comparison of the arguments has no such trap.
    """
    return jnp.where(a < b, a, b)


def larger(a: Float[Array, "..."] | float, b: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """The larger of two values, safe to differentiate under `jit` (see `smaller`)."""
    return jnp.where(a > b, a, b)


def _exchanges(n: int) -> list[list[tuple[int, int]]]:
    """Batcher's odd-even merge sort of n rows: the pairs to put in order, stage by stage."""
    stages, p = [], 1
    while p < n:
        pairs, k = [], p
        while k >= 1:
            pairs += [
                (i, i + k)
                for j in range(k % p, n - k, 2 * k)
                for i in range(j, min(j + k, n - k))
                if i // (2 * p) == (i + k) // (2 * p)
            ]
            k //= 2
        stages.append(pairs)
        p *= 2
    return stages


def sorted_rows(x: Float[Array, "n_rows *shape"]) -> Float[Array, "n_rows *shape"]:
    """`x` in ascending order along its first axis; for the rows of surface crossings.

    A few rows by a sorting network, vectorised over the other axes: XLA's sort costs ten times as
    much on a CPU. For many the network would take too long to compile; they are counted: the place
    of a row is the number of rows before it.

    **Reference:** Batcher 1968, Proc. AFIPS 32, 307.
    """
    if x.shape[0] < 2:
        return x
    if x.shape[0] > 8:
        return _put_in_place(x, _places(jax.lax.stop_gradient(x)))
    rows = list(x)
    for pairs in _exchanges(len(rows)):
        for i, j in pairs:
            a, b = rows[i], rows[j]
            swap = b < a
            rows[i], rows[j] = jnp.where(swap, b, a), jnp.where(swap, a, b)
        rows = list(stored(tuple(rows)))
    return jnp.stack(rows)


def _places(x: Float[Array, "n_rows *shape"]) -> Int[Array, "n_rows *shape"]:
    """Where each row belongs in ascending order; equal ones stay in their order. NaN as inf."""
    x = jnp.where(jnp.isnan(x), jnp.inf, x)
    number = jnp.arange(x.shape[0], dtype=jnp.int32)
    column = number.reshape(-1, *[1] * (x.ndim - 1))

    def one(place: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
        value, which = row
        before = (value < x) | ((value == x) & (which < column))
        return place + before.astype(jnp.int32), None

    return jax.lax.scan(one, jnp.zeros(x.shape, jnp.int32), (x, number))[0]


def _put_in_place(x: Array, place: Array) -> Array:
    """`x` with each row at its place, a permutation of rows at each point of the other axes."""
    return jnp.put_along_axis(jnp.zeros_like(x), place, x, 0, inplace=False)


def sech2(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sech^2 x = 4 e / (1 + e)^2 with e = exp(-2|x|): one exponential, no overflow."""
    e = jnp.exp(-2.0 * jnp.abs(x))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def logistic(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1 / (1 + exp(-x)), without overflow in value or derivative."""
    return jax.nn.sigmoid(x)


def safe_sqrt(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sqrt(x) for x > 0, else 0 with zero derivative (rounding may leave x slightly negative)."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def safe_divide(
    numerator: Float[Array, "*shape"], denominator: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """numerator / denominator, and 0 with zero derivatives where the denominator is 0."""
    nonzero = denominator != 0
    return jnp.where(nonzero, numerator / jnp.where(nonzero, denominator, 1.0), 0.0)


@jax.custom_jvp
def reciprocal(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1 / x, with a derivative that does not overflow where the square of 1 / x would."""
    return 1.0 / x


@reciprocal.defjvp
def _reciprocal_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    inverse = reciprocal(x)
    return inverse, -inverse * (inverse * dx)


def cylindrical_radius(
    x: Float[Array, "*points"], y: Float[Array, "*points"]
) -> Float[Array, "*points"]:
    """sqrt(x^2 + y^2), 0 with zero derivative on the axis."""
    return safe_sqrt(x * x + y * y)


def azimuth(x: Float[Array, "*points"], y: Float[Array, "*points"]) -> Float[Array, "*points"]:
    """atan2(y, x) in (-pi, pi], 0 with zero derivative on the axis."""
    return atan2(y, x)


def polar(
    x: Float[Array, "*points"], y: Float[Array, "*points"]
) -> tuple[Float[Array, "*points"], Float[Array, "*points"], Float[Array, "*points"]]:
    """sqrt(x^2 + y^2) and the cosine and sine of the azimuth; 0, 1, 0 on the axis.

    On the axis all derivatives are taken as 0.
    """
    r2 = x * x + y * y
    off_axis = r2 > 0
    r_safe = jnp.sqrt(jnp.where(off_axis, r2, 1.0))
    inverse = 1.0 / r_safe
    return (
        jnp.where(off_axis, r_safe, 0.0),
        jnp.where(off_axis, x * inverse, 1.0),
        jnp.where(off_axis, y * inverse, 0.0),
    )


def sinc(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sin(x)/x, smooth through 0 (series below |x| = 0.03, exact there to rounding)."""
    x2 = x * x
    small = x2 < 1e-3
    series = 1.0 - x2 / 6.0 * (1.0 - x2 / 20.0 * (1.0 - x2 / 42.0 * (1.0 - x2 / 72.0)))
    safe = jnp.where(small, 1.0, x)
    return jnp.where(small, series, sincos(safe)[0] / safe)


@jax.custom_jvp
def kept(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The value itself; its derivative is `stored`.

    Where many parameters act on a field through one quantity, each parameter's reverse derivative
    is a sum over points of its own, and the compiler would evaluate the whole chain behind that
    quantity anew for each of them.
    """
    return x


@kept.defjvp
def _kept_jvp(primals, tangents):
    return primals[0], stored(tangents[0])


def vector(
    x: Float[Array, "*shape"], y: Float[Array, "*shape"], z: Float[Array, "*shape"]
) -> Float[Array, "3 *shape"]:
    """Stack three components, as `jnp.stack`, in the form that XLA on CPU compiles well.

    Fused into a concatenation, long expressions are emitted anew for every use inside a loop
    with branches, and run five to twenty times slower; so they are stored first. The same holds
    for their derivatives.
    """
    return jnp.stack(stored((x, y, z)))

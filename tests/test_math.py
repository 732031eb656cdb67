"""Fast elementary functions against NumPy's, their derivatives and edges; stored arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from synax._numerics._erfcx import erfcx
from synax._numerics._linear import linear_call
from synax._numerics._math import (
    atan2,
    azimuth,
    kept,
    larger,
    log,
    reciprocal,
    sincos,
    smaller,
    sorted_rows,
    stored,
)
from synax._numerics._once import once
from synax.emission._kernels import synchrotron_kernels
from synax.emission._rotativity import _expm1_over
from synax.transfer._faint_functions import stumpff
from synax.transfer._moments import complex_moments, real_moments, sinc_moments


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 5e-16), (np.float32, 4e-7)])
def test_matches_numpy_all_round_the_circle(dtype, tolerance):
    angle = np.linspace(-np.pi, np.pi, 20001)[1:]
    y, x = np.sin(angle).astype(dtype), np.cos(angle).astype(dtype)
    got = jax.jit(atan2)(jnp.asarray(y), jnp.asarray(x))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, np.arctan2(y, x), rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 4e-15), (np.float32, 2e-6)])
def test_erfcx_matches_scipy(dtype, tolerance):
    x = np.concatenate([[0.0], np.geomspace(1e-7, 1e6, 2000)]).astype(dtype)
    got, slope = jax.jit(jax.vmap(jax.value_and_grad(erfcx)))(jnp.asarray(x))
    assert got.dtype == dtype
    exact = special.erfcx(x.astype(np.float64))
    np.testing.assert_allclose(got, exact, rtol=tolerance)
    near = x < 10.0
    expected = 2.0 * x * exact - 2.0 / np.sqrt(np.pi)
    np.testing.assert_allclose(slope[near], expected[near], rtol=2e3 * tolerance)
    assert np.isnan(erfcx(jnp.asarray(-1.0)))


def test_moments_of_the_sine_join_their_series():
    """(sin x)/x and (sin x - x cos x)/2x^2 against more digits, on both sides of x^2 = 0.06."""
    x = np.linspace(0.1, 0.5, 401)
    m0, m1 = sinc_moments(jnp.asarray(x))
    t = x.astype(np.longdouble)
    np.testing.assert_allclose(m0, (np.sin(t) / t).astype(float), rtol=4e-16)
    exact = ((np.sin(t) - t * np.cos(t)) / (2 * t * t)).astype(float)
    np.testing.assert_allclose(m1, exact, rtol=3e-14)  # the closed form cancels 60 ulp


def test_moments_with_absorption_and_their_derivatives():
    """e^x M0, e^x M1 of h = x + iy and their slopes by x and y, against more digits."""
    angle = np.linspace(0.0, 2.0 * np.pi, 73)
    size = np.geomspace(0.02, 30.0, 41)
    h = (-np.abs(np.outer(size, np.cos(angle))) + 1j * np.outer(size, np.sin(angle))).ravel()
    x, y = jnp.asarray(h.real), jnp.asarray(h.imag)
    moments = lambda x, y: complex_moments(x, y, jnp.exp(x))
    ones, zeros = jnp.ones_like(x), jnp.zeros_like(x)
    values, by_x = jax.jvp(moments, (x, y), (ones, zeros))
    by_y = jax.jvp(moments, (x, y), (zeros, ones))[1]
    h = h.astype(np.clongdouble)
    grow = np.exp(h.real)
    m0, m1 = np.sinh(h) / h, (h * np.cosh(h) - np.sinh(h)) / (2 * h * h)
    d0, d1 = 2 * m1, 0.5 * m0 - 2 * m1 / h
    joined = lambda pair: np.asarray(pair[0]) + 1j * np.asarray(pair[1])
    for k, (m, d) in enumerate(((m0, d0), (m1, d1))):
        exact = (grow * m, grow * (m + d), 1j * grow * d)
        for found, expected in zip((values, by_x, by_y), exact, strict=True):
            error = np.abs(joined(found[k]) - expected.astype(complex))
            np.testing.assert_array_less(error, 1e-14 + 0.0 * error)
    near = np.asarray(y) == 0.0  # without rotation
    real, slope = jax.jvp(lambda x: real_moments(x, jnp.exp(x)), (x[near],), (ones[near],))
    np.testing.assert_allclose(real, [values[0][0][near], values[1][0][near]], rtol=1e-12)
    np.testing.assert_allclose(slope, [by_x[0][0][near], by_x[1][0][near]], rtol=1e-12, atol=1e-15)


def test_axes_diagonals_and_origin():
    x = jnp.array([1.0, 1.0, 0.0, -1.0, -1.0, -1.0, 0.0, 1.0, 0.0])
    y = jnp.array([0.0, 1.0, 1.0, 1.0, 0.0, -1.0, -1.0, -1.0, 0.0])
    np.testing.assert_allclose(atan2(y, x), np.arctan2(y, x), atol=5e-16)
    assert jax.grad(atan2)(x[-1], y[-1]) == 0.0
    assert jax.grad(azimuth, argnums=1)(x[-1], y[-1]) == 0.0


def test_first_and_second_derivatives():
    y, x = jnp.array(0.3), jnp.array(-1.2)
    for k in (0, 1):
        np.testing.assert_allclose(
            jax.grad(atan2, argnums=k)(y, x), jax.grad(jnp.arctan2, argnums=k)(y, x), rtol=1e-14
        )
    np.testing.assert_allclose(jax.hessian(atan2)(y, x), jax.hessian(jnp.arctan2)(y, x), rtol=1e-13)


def test_scale_does_not_matter():
    scale = jnp.array([1e-150, 1e-20, 1.0, 1e20, 1e150])
    np.testing.assert_allclose(atan2(scale * 2.0, -scale), np.arctan2(2.0, -1.0), rtol=4e-16)


def test_smaller_and_larger_keep_their_derivative_when_compiled():
    """A minimum whose arguments the compiler may evaluate twice, rounded differently."""
    r = jnp.linspace(1.0, 20.0, 997)

    def gap(scale):
        first = jnp.abs(r - scale * jnp.exp(0.2 * jnp.log(r)))
        return smaller(first, jnp.abs(r - scale * jnp.exp(0.2 * jnp.log(r) + 1.0)))

    slope = lambda f: lambda s: jax.jvp(f, (s,), (jnp.ones_like(s),))[1]
    scale = jnp.array(3.3)
    for f in (gap, lambda s: larger(gap(s), 0.5 * r)):
        np.testing.assert_allclose(jax.jit(slope(f))(scale), slope(f)(scale), rtol=1e-12)
    assert float(jax.grad(lambda a: smaller(a, jnp.array(2.0)))(jnp.array(1.0))) == 1.0
    assert float(jax.grad(lambda a: larger(a, jnp.array(2.0)))(jnp.array(1.0))) == 0.0


def test_logarithm():
    x = np.concatenate(
        [np.logspace(-307, 307, 5001), np.linspace(0.5, 2.0, 5001), 1.0 + np.logspace(-15, -1, 500)]
    )
    np.testing.assert_allclose(jax.jit(log)(jnp.asarray(x)), np.log(x), rtol=4e-16, atol=4e-16)
    edges = jnp.array([0.0, -1.0, jnp.inf, jnp.nan, 1.0])
    np.testing.assert_array_equal(log(edges), [-np.inf, np.nan, np.inf, np.nan, 0.0])
    assert float(jax.grad(log)(jnp.array(4.0))) == 0.25
    assert log(jnp.float32(2.0)).dtype == jnp.float32
    largest = np.array([1.2e308, 1.5e308, np.finfo(float).max])
    np.testing.assert_allclose(log(jnp.asarray(largest)), np.log(largest), rtol=1e-12)


OWN_RULES = {
    "log": log,
    "sincos": sincos,
    "atan2": lambda x: atan2(x, x * x - 1.2),
    "reciprocal": reciprocal,
    "kept": lambda x: kept(x * x),
    "kernels": synchrotron_kernels,
    "expm1_over": lambda x: _expm1_over(0.01 * x),
    "sinc_moments": sinc_moments,
    "real_moments": lambda x: real_moments(-x, jnp.exp(-x)),
    "complex_moments": lambda x: complex_moments(-x, x * x - 0.5, jnp.exp(-x)),
    "stumpff": lambda x: stumpff(x, 5),
}


@pytest.mark.parametrize("name", OWN_RULES)
def test_second_derivatives_through_a_loop_are_those_outside(name):
    """JAX drops rules of derivatives where it transposes a loop, and then differentiates what
    they stand for."""

    def value(x):
        parts = jax.tree.leaves(OWN_RULES[name](x))
        return sum(jnp.sin((i + 1.0) * part) for i, part in enumerate(parts))

    def looped(x):
        add = lambda total, k: (total + value(k * x), None)
        return jax.lax.scan(add, 0.0, jnp.ones(1))[0]

    bend = lambda f: jax.jit(jax.vmap(lambda x: jax.jvp(jax.grad(f), (x,), (jnp.ones(()),))[1]))
    x = jnp.array([0.21, 1.3, 4.7])
    np.testing.assert_allclose(bend(looped)(x), bend(value)(x), rtol=1e-9)


def test_stored_is_the_identity_for_every_derivative_and_survives_the_compiler():
    def f(x):
        s, c = stored((jnp.sin(x), jnp.cos(x)))
        return jnp.sum(s * c + s)

    plain = lambda x: jnp.sum(jnp.sin(x) * jnp.cos(x) + jnp.sin(x))
    x = jnp.linspace(0.1, 2.0, 5)
    for derive in (lambda f: f, jax.grad, jax.hessian, jax.jacfwd):
        found, expected = jax.jit(lambda x, derive=derive: (derive(f)(x), derive(plain)(x)))(x)
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(jax.vmap(f)(x[:, None]), jax.vmap(plain)(x[:, None]), rtol=1e-14)
    if jax.default_backend() == "cpu":
        assert "call(" in jax.jit(f).lower(x).compile().as_text()


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 13, 40])
def test_sorted_rows(n):
    x = np.random.default_rng(n).normal(size=(n, 50))
    x[:, :5] = np.round(x[:, :5])  # ties
    np.testing.assert_array_equal(sorted_rows(jnp.asarray(x)), np.sort(x, axis=0))
    weights = np.arange(1.0, n + 1.0)[:, None]
    loss = lambda sort, x: jnp.sum(weights * jnp.sin(sort(x)))
    slopes = lambda sort: jax.jit(jax.grad(lambda x: loss(sort, x)))(x[:, 5:])
    expected, found = slopes(lambda x: jnp.sort(x, axis=0)), slopes(sorted_rows)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rows_that_are_no_numbers_are_kept():
    x = np.random.default_rng(2).normal(size=(12, 5))
    x[3, 1] = x[7, 1] = x[0, 2] = np.nan
    x[9, 2], x[4, 3] = np.inf, -np.inf
    found = np.asarray(sorted_rows(jnp.asarray(x)))
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(x, axis=0))


def test_once_is_traced_once_for_all_programs():
    traced = []

    @once(static=(1,))
    def power(x, n):
        traced.append(n)
        return x**n

    x = jnp.asarray(np.linspace(1.0, 2.0, 3))
    cube = lambda x: power(x, 3)
    np.testing.assert_allclose(cube(x), x**3, rtol=1e-15)
    np.testing.assert_allclose(jax.jit(lambda x: 1.0 + cube(x))(x), 1.0 + x**3, rtol=1e-15)
    slope = jax.jit(jax.grad(lambda x: jnp.sum(cube(x))))(x)
    np.testing.assert_allclose(slope, 3.0 * x**2, rtol=1e-15)
    np.testing.assert_allclose(jax.jvp(cube, (x,), (x,))[1], 3.0 * x**3, rtol=1e-15)
    assert traced == [3]
    power(x, 2)
    assert traced == [3, 2]


def test_static_arguments_that_are_equal_but_not_alike_are_traced_apart():
    alike = once(lambda x, how: jnp.copysign(x, how[1]), static=(1,))
    x = jnp.ones(2)
    for how in ((0, 0.0), (0, -0.0), (0, 0.0)):
        np.testing.assert_array_equal(alike(x, how), np.copysign(1.0, how[1]))
    kind = once(lambda x, how: x if isinstance(how, float) else -x, static=(1,))
    assert [float(kind(x, how)[0]) for how in (1, 1.0, True)] == [-1.0, 1.0, -1.0]


def test_a_linear_call_that_is_told_its_shapes_is_not_traced_for_them():
    traced = []

    def times(residuals, operands):
        traced.append("forward")
        return [residuals[0] @ operands[0]]

    def back(residuals, cotangents):
        return [residuals[0].T @ cotangents[0]]

    matrix, x = jnp.arange(6.0).reshape(2, 3), jnp.array([1.0, -2.0, 0.5])
    call = lambda x, like: linear_call(times, back, [matrix], [x], like)[0]
    like = [jnp.zeros(2)]
    jax.make_jaxpr(lambda x: call(x, like))(x)
    assert not traced
    several = jnp.stack([x, 2.0 * x], axis=1)
    for given in (None, like):
        mapped = jax.vmap(lambda x, given=given: call(x, given), in_axes=1)
        np.testing.assert_allclose(mapped(several), (matrix @ several).T, rtol=1e-15)
        loss = lambda several, mapped=mapped: jnp.sum(mapped(several)[1])
        slope = jax.jit(jax.grad(loss))(several)
        expected = np.outer(np.sum(matrix, 0), [0.0, 1.0])
        np.testing.assert_allclose(slope, expected, rtol=1e-15)

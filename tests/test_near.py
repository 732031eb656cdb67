"""Structure that is computed only where some point is near it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from synax._numerics._near import where_near

N = 512


def shell(parameters, x):
    """A bump that ends at radius 2."""
    r2 = jnp.sum(x * x, axis=0)
    bump = parameters["a"] * jnp.exp(-parameters["b"] * r2) * jnp.sin(x[0])
    return jnp.where(r2 < 4.0, bump, 0.0)


def near_shell(parameters, x):
    near = jnp.sum(x * x, axis=0) < 4.0
    return where_near(near, lambda x: shell(parameters, x), x)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, N))
    x[..., 128:384] += 9.0
    weight = jnp.asarray(rng.normal(size=(2, N)))
    return {"a": jnp.asarray(2.0), "b": jnp.asarray(0.7)}, jnp.asarray(x), weight


def everything(field):
    """Value, all derivatives of first order, one of second, and two maps."""

    def of(parameters, x, weight):
        loss = lambda p, x: jnp.sum(weight * field(p, x) ** 2)
        pushed = jax.jvp(loss, (parameters, x), (parameters, x))
        curved = jax.jvp(jax.grad(loss, (0, 1)), (parameters, x), (parameters, x))
        twice = jax.tree.map(lambda q: jnp.stack([q, 2.0 * q]), parameters)
        each = jax.vmap(jax.grad(loss), (0, None))(twice, x)
        return field(parameters, x), pushed, curved, each

    return jax.jit(of)


def test_equals_the_plain_function_with_all_its_derivatives(problem):
    found, plain = (everything(field)(*problem) for field in (near_shell, shell))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_nothing_is_computed_where_no_point_is_near():
    """The shell is not a number here, and yet zeros come with zero derivatives."""
    far = lambda x: where_near(x > jnp.inf, lambda x: x / 0.0, x)
    assert not np.any(jax.jit(far)(jnp.ones(N)))
    assert not np.any(jax.jit(jax.grad(lambda x: jnp.sum(far(x))))(jnp.ones(N)))


def test_whole_numbers_may_be_among_the_arrays():
    rows = jnp.arange(N) // 256
    slope = jnp.asarray([0.0, 3.0])
    function = lambda rows, x: jnp.where(rows == 1, slope[rows] * x, 0.0)
    total = lambda x: jnp.sum(where_near(rows == 1, function, rows, x))
    gradient = jax.grad(total)(jnp.ones(N))
    assert gradient.tolist() == [0.0] * 256 + [3.0] * 256

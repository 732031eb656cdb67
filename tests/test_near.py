"""Structure that is computed only where some point is near it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from synax._numerics._near import where_near

N = 512  # four groups of neighbours on a CPU


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
    x[..., 128:384] += 9.0  # two groups are far away
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


def test_one_point_or_a_prime_number_of_them(problem):
    parameters, x, _ = problem
    for part in (x[:, 0, 0], x[:, 0, :131]):
        expected = shell(parameters, part)
        np.testing.assert_allclose(near_shell(parameters, part), expected, rtol=1e-12)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="groups are for CPUs")
def test_groups_without_a_near_point_are_left_out():
    near = jnp.zeros(N, bool).at[130].set(True)
    found = where_near(near, lambda x: jnp.ones_like(x), jnp.zeros(N))
    assert found.tolist() == [0.0] * 128 + [1.0] * 128 + [0.0] * 256


def test_whole_numbers_may_be_among_the_arrays():
    rows = jnp.arange(N) // 256
    slope = jnp.asarray([0.0, 3.0])
    function = lambda rows, x: jnp.where(rows == 1, slope[rows] * x, 0.0)
    total = lambda x: jnp.sum(where_near(rows == 1, function, rows, x))
    gradient = jax.grad(total)(jnp.ones(N))
    assert gradient.tolist() == [0.0] * 256 + [3.0] * 256

"""What is asked of every model of the field, each asked in one place."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

evaluate = eqx.filter_jit(lambda model, position: model(position))
crossings = eqx.filter_jit(
    lambda model, origin, direction: jnp.concatenate(
        [surface.crossings(origin, direction) for surface in model.surfaces()]
    )
)
# the tests are short of compile time, not of run time
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def points(n, seed=0, half=(20.0, 20.0, 5.0)):
    """Positions (3, n) in a box, kpc."""
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (n, 3)) * half).T


def norm(value):
    """|value| of scalars (n,) and vectors (3, n)."""
    return np.abs(value) if value.ndim == 1 else np.linalg.norm(value, axis=0)


def in_single_precision(model):
    """The model with float32 leaves."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf, np.float32)), model)


@quick_jit
def value_and_pull(model, position):
    """The model's value, and the derivatives of its sum: one program, none for each operation."""
    value, pull = jax.vjp(lambda m, x: m(x), model, position)
    return value, pull(jnp.ones_like(value))


def check_gradients(model, seed=3):
    """Derivatives in every parameter and position equal central differences."""
    x = points(200, seed=seed, half=(17.0, 17.0, 4.0))
    x, weights = np.asarray(x), np.random.default_rng(1).normal(size=(3, 200))
    flat, rebuild = ravel_pytree(model)
    flat = np.asarray(flat)
    n = flat.size
    d_flat, d_x = np.zeros((n + 1, n)), np.zeros((n + 1, *x.shape))
    d_flat[:n] = np.diag(1e-6 * np.maximum(np.abs(flat), 0.1))
    d_x[n] = np.random.default_rng(2).normal(size=x.shape) * 1e-6

    def loss(flat, x):
        return jnp.sum(weights * rebuild(flat)(x))

    many = jax.jit(jax.vmap(loss))
    above, below = (np.asarray(many(flat + s * d_flat, x + s * d_x)) for s in (1.0, -1.0))
    numeric = 0.5 * (above - below)
    along = jax.jit(jax.vmap(lambda df, dx: jax.jvp(loss, (flat, x), (df, dx))[1]))
    np.testing.assert_allclose(along(d_flat, d_x), numeric, rtol=1e-6, atol=1e-11)


def check_finite_at(model, singular):
    """Value and reverse derivatives are finite in float32; returns the value."""
    model, x = in_single_precision(model), np.asarray(singular, np.float32)
    value, pulled = value_and_pull(model, x)
    assert value.dtype == jnp.float32
    for leaf in jax.tree.leaves((value, pulled)):
        assert np.all(np.isfinite(leaf))
    return value


def check_jumps(model, origin, direction, length, least, smallest, axis=0.0):
    """Every jump along rays lies on a named surface, and there are at least so many.

    `origin`, `direction`: (3, n_rays). `smallest`: change that counts as a jump. `axis`: jumps
    within this distance of the axis do not count, for spirals wind faster there than any step.
    """
    direction = jnp.asarray(direction / np.linalg.norm(direction, axis=0))
    origin, s = jnp.asarray(origin), jnp.linspace(0.0, length, 8001)
    path = origin[:, :, None] + direction[:, :, None] * s
    value = evaluate(model, path)
    value = value if value.ndim == 3 else value[None]
    step = np.linalg.norm(np.diff(np.asarray(value), axis=2), axis=0)
    # a jump is a step far above its neighbours on both sides
    smooth = np.maximum(step[:, :-2], step[:, 2:])
    jump = (step[:, 1:-1] > 20 * smooth) & (step[:, 1:-1] > smallest)
    jump &= np.hypot(*np.asarray(path)[:2, :, 1:-2]) >= axis
    assert jump.sum() >= least
    cuts, s = np.asarray(crossings(model, origin, direction)), np.asarray(s)
    for ray, k in zip(*np.nonzero(jump), strict=True):
        middle = 0.5 * (s[k + 1] + s[k + 2])
        assert np.min(np.abs(cuts[:, ray] - middle)) < s[1]


def divergence(model, position):
    """B and div B at positions (3, n)."""
    value, push = jax.linearize(model, position)
    unit = jnp.eye(3)[:, :, None] + 0.0 * position
    return value, sum(push(unit[i])[i] for i in range(3))


def relative_divergence(model):
    """Rms of div B over the rms of B within 15 kpc of the Centre and 3 kpc of the plane, 1/kpc."""
    box = np.array([15.0, 15.0, 3.0])[:, None]
    position = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (3, 4000)) * box)
    value, div = quick_jit(functools.partial(divergence, model))(position)
    return float(jnp.sqrt(jnp.mean(div**2) / jnp.mean(jnp.sum(value * value, axis=0))))

"""Structure that fills little of space, computed only where some point is near it."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from ._linear import Flat, linear_call

_NEIGHBOURS = 128
"""Points that are left out together; fewer make more turns of a loop."""


def where_near(
    near: Bool[Array, "*points"], function: Callable[..., PyTree], *arrays: Array
) -> PyTree:
    """`function(*arrays)`, or zeros without computing it where no point is near.

    For structure that fills little of space: `function` must vanish at every point that is not
    near. On a CPU neighbours along the last axis are taken together, so that a few near points do
    not make it compute all of them. Reverse derivatives compute the value anew and leave out the
    same points. Under `vmap` everything is computed.

    **Arguments:**

    - `function`: pure, of points one by one; it may close over parameters.
    - `arrays`: what it takes, with the last axis of `near`.

    **Returns** arrays with the last axis of `near`.
    """
    n = near.shape[-1] if near.ndim else 1
    equal = (size for size in range(_NEIGHBOURS, n) if n % size == 0)
    size = next(equal, n) if jax.default_backend() == "cpu" else n
    group = arrays if size == n else [x[..., :size] for x in arrays]
    converted, parameters = jax.closure_convert(lambda *group: function(*group), *group)
    return _where_near((near, arrays, parameters), function=converted, size=size)


@eqx.filter_custom_jvp
def _where_near(arguments: Any, *, function: Callable[..., PyTree], size: int) -> PyTree:
    near, arrays, parameters = arguments
    return _grouped(near, lambda *group: function(*group, *parameters), arrays, size)


@_where_near.def_jvp
def _where_near_jvp(
    primals: Any, tangents: Any, *, function: Callable[..., PyTree], size: int
) -> tuple[PyTree, PyTree]:
    (arguments,), (moves,) = primals, tangents
    value = _where_near(arguments, function=function, size=size)
    moves = jax.tree.map(lambda x, t: t, arguments, moves, is_leaf=lambda x: x is None)[1:]
    spec = jax.tree.map(lambda x, t: t is not None, arguments[1:], moves)
    residuals, residual_tree = jax.tree.flatten(arguments)
    operands, operand_tree = jax.tree.flatten(moves)
    value_tree = jax.tree.structure(value)

    def forward(residuals: Flat, operands: Flat) -> Flat:
        near, *inputs = jax.tree.unflatten(residual_tree, residuals)
        moving, still = eqx.partition(tuple(inputs), spec)
        moves = jax.tree.unflatten(operand_tree, operands)

        def run(moving: Any) -> PyTree:
            arrays, parameters = eqx.combine(moving, still)
            return _grouped(near, lambda *group: function(*group, *parameters), arrays, size)

        return jax.tree.leaves(jax.jvp(run, (moving,), (moves,))[1])

    def transpose(residuals: Flat, cotangents: Flat) -> Flat:
        near, arrays, parameters = jax.tree.unflatten(residual_tree, residuals)
        bar = jax.tree.unflatten(value_tree, cotangents)

        def of_group(bar: PyTree, *arrays: Array) -> tuple[PyTree, PyTree]:
            moving, still = eqx.partition((arrays, parameters), spec)

            def run(moving: Any) -> PyTree:
                arrays, parameters = eqx.combine(moving, still)
                return function(*arrays, *parameters)

            arrays_bar, parameters_bar = jax.vjp(run, moving)[1](bar)[0]
            # one number a group, as the last axis
            return arrays_bar, jax.tree.map(lambda x: x[..., None], parameters_bar)

        arrays_bar, parameters_bar = _grouped(near, of_group, (bar, *arrays), size)
        total = jax.tree.map(lambda x: jnp.sum(x, axis=-1), parameters_bar)
        return jax.tree.leaves((arrays_bar, total))

    out = linear_call(forward, transpose, residuals, operands)
    return value, jax.tree.unflatten(value_tree, out)


def _grouped(
    near: Bool[Array, "*points"], function: Callable[..., PyTree], arrays: PyTree, size: int
) -> PyTree:
    """`function(*arrays)` group by group, zeros for groups without a near point.

    What it returns has a last axis of points, or of length one: a number for each group.
    """
    n = near.shape[-1] if near.ndim else 1
    if size == n:
        return _if_any(near, lambda: function(*arrays))

    def parts(x: Array) -> Array:
        return jnp.moveaxis(x.reshape((*x.shape[:-1], n // size, size)), -2, 0)

    def whole(x: Array) -> Array:
        x = jnp.moveaxis(x, 0, -2)
        return x.reshape((*x.shape[:-2], -1))

    some = lambda part: _if_any(part[0], lambda: function(*part[1]))
    every = lambda: jax.tree.map(whole, jax.lax.map(some, jax.tree.map(parts, (near, arrays))))
    return _if_any(near, every)


def _if_any(near: Bool[Array, "*points"], function: Callable[[], PyTree]) -> PyTree:
    zeros = lambda: jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(function))
    return jax.lax.cond(jnp.any(near), function, zeros)

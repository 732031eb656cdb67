"""A linear function with its transpose given by hand, for every kind of differentiation.

`jax.custom_vjp` forbids forward mode and `jax.custom_derivatives.linear_call` neither vmaps nor
differentiates its residuals, so this one primitive does: under `jvp` it is its own derivative,
under transposition it becomes the function given (as plain JAX, so second derivatives stream
too), under `vmap` both are mapped.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

Flat = list[Any]
LinearFunction = Callable[[Flat, Flat], Flat]

_linear_p = Primitive("synax_linear")
_linear_p.multiple_results = True


def linear_call(
    fun: LinearFunction,
    transpose: LinearFunction,
    residuals: Flat,
    operands: Flat,
    like: Flat | None = None,
) -> Flat:
    """fun(residuals, operands), linear in operands; `transpose(residuals, cotangents)` its adjoint.

    All are flat lists of arrays; neither function may close over tracers. `like`: arrays of the
    shapes and dtypes of the result; without them `fun` is traced once more to find those.
    """
    shapes = None if like is None else tuple((jnp.shape(x), jnp.result_type(x)) for x in like)
    return _linear_p.bind(
        *residuals,
        *operands,
        fun=fun,
        transpose=transpose,
        n_residuals=len(residuals),
        shapes=shapes,
    )


def _impl(*args: Any, fun: LinearFunction, n_residuals: int, **others: Any) -> Flat:
    del others
    arrays = _as_arrays(args)
    return fun(arrays[:n_residuals], arrays[n_residuals:])


def _as_arrays(args: Any) -> Flat:
    """JAX gives constants of a program as NumPy's arrays, of which a model may not know all."""
    return [jnp.asarray(x) if isinstance(x, np.ndarray) else x for x in args]


def _abstract_eval(*avals: Any, **params: Any) -> Flat:
    if params["shapes"] is not None:
        return [jax.core.ShapedArray(*each) for each in params["shapes"]]
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals]
    out = jax.eval_shape(lambda *args: _impl(*args, **params), *shapes)
    return [jax.core.ShapedArray(o.shape, o.dtype) for o in out]


def _jvp(primals: Any, tangents: Any, **params: Any) -> tuple[Flat, Flat]:
    n = params["n_residuals"]
    out = _linear_p.bind(*primals, **params)
    operand_tangents = [ad.instantiate_zeros(t) for t in tangents[n:]]
    total = _linear_p.bind(*primals[:n], *operand_tangents, **params)
    moving = [i for i in range(n) if type(tangents[i]) is not ad.Zero]
    if moving:

        def of_residuals(*residuals: Any) -> Flat:
            args = list(primals)
            for i, r in zip(moving, residuals, strict=True):
                args[i] = r
            return _impl(*args, **params)

        _, extra = jax.jvp(
            of_residuals, [primals[i] for i in moving], [tangents[i] for i in moving]
        )
        total = [a + b for a, b in zip(total, extra, strict=True)]
    return out, total


def _transpose(cotangents: Any, *args: Any, **params: Any) -> Flat:
    n = params["n_residuals"]
    residuals, operands = _as_arrays(args[:n]), args[n:]
    cotangents = [ad.instantiate_zeros(c) for c in cotangents]
    out = params["transpose"](residuals, cotangents)
    return [None] * n + [
        o if ad.is_undefined_primal(x) else None for o, x in zip(out, operands, strict=True)
    ]


def _batch(args: Any, dims: Any, **params: Any) -> tuple[Flat, Flat]:
    n = params["n_residuals"]
    fun, transpose = params["fun"], params["transpose"]
    res_dims, op_dims = list(dims[:n]), list(dims[n:])

    def batched_fun(residuals: Flat, operands: Flat) -> Flat:
        return jax.vmap(fun, in_axes=(res_dims, op_dims), out_axes=0)(residuals, operands)

    def batched_transpose(residuals: Flat, cotangents: Flat) -> Flat:
        out = jax.vmap(transpose, in_axes=(res_dims, 0), out_axes=0)(residuals, cotangents)
        return [
            jnp.sum(o, 0) if d is None else jnp.moveaxis(o, 0, d)
            for o, d in zip(out, op_dims, strict=True)
        ]

    shapes = params["shapes"]
    if shapes is not None:
        size = next(x.shape[d] for x, d in zip(args, dims, strict=True) if d is not None)
        shapes = tuple(((size, *shape), dtype) for shape, dtype in shapes)
    out = _linear_p.bind(
        *args, fun=batched_fun, transpose=batched_transpose, n_residuals=n, shapes=shapes
    )
    return out, [0] * len(out)


_linear_p.def_impl(_impl)
_linear_p.def_abstract_eval(_abstract_eval)
ad.primitive_jvps[_linear_p] = _jvp
ad.primitive_transposes[_linear_p] = _transpose
batching.primitive_batchers[_linear_p] = _batch
mlir.register_lowering(_linear_p, mlir.lower_fun(_impl, multiple_results=True))

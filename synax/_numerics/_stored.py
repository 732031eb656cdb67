"""Intermediate arrays that are computed once on a CPU.

XLA's CPU compiler writes one loop per array and computes cheap-looking operands anew in every
loop that uses them. A sine made of multiplications looks cheap to it, and six results that
depend on five sines then cost thirty. It drops optimisation barriers before it decides, but it
respects a call that must not be inlined; the call of the identity costs nothing.
"""

from typing import Any

import jax
from jax.extend.core import Primitive
from jax.extend.mlir import ir
from jax.interpreters import ad, batching, mlir

_stored_p = Primitive("synax_stored")
_stored_p.multiple_results = True


def stored(x: Any) -> Any:
    """The same arrays, computed once and kept on CPU; the plain identity elsewhere.

    A GPU keeps the values in registers and must not be stopped from fusing. Derivatives (of any
    kind and order) are stored likewise.
    """
    leaves, structure = jax.tree.flatten(x)
    return jax.tree.unflatten(structure, _stored_p.bind(*leaves)) if leaves else x


def _jvp(primals: Any, tangents: Any) -> tuple[list[Any], list[Any]]:
    tangents = [ad.instantiate_zeros(t) for t in tangents]
    return _stored_p.bind(*primals), _stored_p.bind(*tangents)


def _transpose(cotangents: Any, *args: Any) -> list[Any]:
    del args
    return _stored_p.bind(*[ad.instantiate_zeros(c) for c in cotangents])


def _batch(args: Any, dims: Any) -> tuple[list[Any], list[Any]]:
    return _stored_p.bind(*args), list(dims)


@jax.jit
def _identity(*x: Any) -> tuple[Any, ...]:
    return x


def _lower_on_cpu(ctx: Any, *operands: Any) -> Any:
    results = mlir.lower_fun(_identity, multiple_results=True)(ctx, *operands)
    call: Any = getattr(results[0], "owner", None)
    if getattr(call, "name", None) == "func.call":
        keep = ir.DictAttr.get({"inlineable": ir.StringAttr.get("false")})
        call.attributes["mhlo.frontend_attributes"] = keep
    return results


_stored_p.def_impl(lambda *x: list(x))
_stored_p.def_abstract_eval(lambda *x: list(x))
ad.primitive_jvps[_stored_p] = _jvp
ad.primitive_transposes[_stored_p] = _transpose
batching.primitive_batchers[_stored_p] = _batch
mlir.register_lowering(_stored_p, lambda ctx, *x: x)
mlir.register_lowering(_stored_p, _lower_on_cpu, platform="cpu")

"""Whether a condition holds everywhere: one answer for all that is mapped, too."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Bool

_everywhere_p = Primitive("synax_everywhere")


def everywhere(condition: Bool[Array, "*shape"]) -> Bool[Array, ""]:
    """`jnp.all(condition)`; under `vmap`, over the mapped axis as well.

    So a `jax.lax.cond` by it stays a branch under `vmap`, where any other would compute both.
    """
    return _everywhere_p.bind(condition)


def _impl(condition: Any) -> Any:
    return jnp.all(condition)


def _jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    del tangents
    out = _everywhere_p.bind(*primals)
    return out, ad.Zero.from_primal_value(out)


def _batch(args: Any, dims: Any) -> tuple[Any, Any]:
    del dims
    return _everywhere_p.bind(*args), None  # not mapped


_everywhere_p.def_impl(_impl)
_everywhere_p.def_abstract_eval(lambda x: jax.core.ShapedArray((), jnp.bool_))
ad.primitive_jvps[_everywhere_p] = _jvp
batching.primitive_batchers[_everywhere_p] = _batch
mlir.register_lowering(_everywhere_p, mlir.lower_fun(_impl, multiple_results=False))

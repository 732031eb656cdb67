"""Functions that JAX traces once.

JAX traces a function anew in each program that calls it, and outside of programs makes one of each
operation. A sine of forty operations costs ten milliseconds in each program, and forty programs
outside.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax


def once(function: Callable[..., Any] | None = None, *, static: tuple[int, ...] = ()) -> Any:
    """The function, traced once for all arguments of the same shapes and dtypes.

    Inside a program its operations stand where it is called, as if it were traced there. Outside it
    is one program.

    **Arguments:**

    - `function`: of arrays, numbers or trees of them. None: returns a decorator.
    - `static`: positions of the arguments that are neither.
    """
    if function is None:
        return functools.partial(once, static=static)
    traced = jax.jit(function, static_argnums=static, inline=True)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        with _mesh_given():
            return traced(*args)

    return call


_use_mesh = getattr(jax.sharding, "use_abstract_mesh", None)


def _mesh_given() -> contextlib.AbstractContextManager:
    """The mesh of this place, given by name: JAX keeps apart what it traced without one and with
    an empty one, which it puts there to differentiate."""
    if _use_mesh is None:  # before JAX 0.7
        return contextlib.nullcontext()
    return _use_mesh(jax.sharding.get_abstract_mesh())

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

    @functools.wraps(function)
    def plain(*args: Any) -> Any:
        return function(*(x.value if isinstance(x, _Static) else x for x in args))

    traced = jax.jit(plain, static_argnums=static, inline=True)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        with _mesh_given():
            return traced(*(_Static(x) if k in static else x for k, x in enumerate(args)))

    return call


class _Static:
    """A static argument that equals only what is written alike; elsewhere 1 == 1.0, 0.0 == -0.0."""

    def __init__(self, value: Any):
        self.value, self._key = value, _key(value)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, _Static) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _key(value: Any) -> tuple[Any, ...]:
    if type(value) is tuple:
        return (tuple, *map(_key, value))
    return type(value), repr(value) if isinstance(value, float | complex) else value


_use_mesh = getattr(jax.sharding, "use_abstract_mesh", None)


def _mesh_given() -> contextlib.AbstractContextManager:
    """The mesh of this place, given by name: JAX keeps apart what it traced without one and with
    an empty one, which it puts there to differentiate."""
    if _use_mesh is None:  # before JAX 0.7
        return contextlib.nullcontext()
    return _use_mesh(jax.sharding.get_abstract_mesh())

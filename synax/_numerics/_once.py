"""Functions that JAX traces once.

JAX traces a function anew in each program that calls it, and outside of programs makes one of each
operation. A sine of forty operations costs ten milliseconds in each program, and forty programs
outside.
"""

from collections.abc import Callable
from functools import partial
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
        return partial(once, static=static)
    return jax.jit(function, static_argnums=static, inline=True)

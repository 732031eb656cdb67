"""Checks of arguments, in one place: each names the argument, what came, and what is allowed.

They run before anything is computed. What is being traced by JAX has no value yet and passes.
"""

import operator
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class SynaxWarning(UserWarning):
    """Input that is allowed and physically doubtful; the message has the number and the remedy."""


_BENEATH = ("synax", "equinox", "jax", "jaxtyping", "beartype")
"""Packages whose lines are not the user's."""


def warn(message: str, category: type[Warning] = SynaxWarning) -> None:
    """Issue a warning that points at the user's line: outside this package and what calls it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_beneath(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_beneath(module: str) -> bool:
    return module.partition(".")[0] in _BENEATH


def is_traced(value: Any) -> bool:
    """Whether JAX is tracing `value`, so that it has no number."""
    return isinstance(value, jax.core.Tracer)


@contextmanager
def known_values() -> Iterator[None]:
    """Inside a function that JAX traces, what does not depend on its arguments is computed."""
    # only there: a program compiled inside of this has its constants computed one by one
    tracing = is_traced(jnp.negative(0.0))
    with jax.ensure_compile_time_eval() if tracing else nullcontext():
        yield


@contextmanager
def told_of_tracing(what: str) -> Iterator[None]:
    """What JAX says of Python that cannot be traced, in one sentence that names whose it is.

    **Raises** `TypeError` in the place of JAX's own errors, from which it is raised.
    """
    try:
        yield
    except jax.errors.TracerArrayConversionError as error:
        remedy = "uses NumPy on what JAX traces: use jax.numpy (jnp.exp for np.exp)"
        raise TypeError(f"{what} {remedy}") from error
    except jax.errors.TracerBoolConversionError as error:
        remedy = "asks for the truth of what JAX traces (if, while, and, or, max): use jnp.where"
        raise TypeError(f"{what} {remedy}") from error
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerIntegerConversionError) as error:
        remedy = (
            "needs the number of what JAX traces (float, int, range): compute with arrays, or make "
            "it eqx.field(static=True)"
        )
        raise TypeError(f"{what} {remedy}") from error


def unitless_leaves(name: str, tree: Any) -> None:
    """Refuse Quantities among the leaves, where surgery on a tree has put them: JAX drops units."""
    if not any(isinstance(x, np.ndarray) and hasattr(x, "unit") for x in jax.tree.leaves(tree)):
        return
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if hasattr(leaf, "unit"):
            raise TypeError(
                f"{name}{jax.tree_util.keystr(path)} must be a plain number or array, got the "
                f"Quantity {shown(leaf)}: JAX drops units; synax.replace and constructors convert "
                "them, equinox.tree_at does not"
            )


def concrete(name: str, value: Any) -> Any:
    """`value`, if it has numbers: what decides how many rays there are, or where, must."""
    if any(map(is_traced, jax.tree.leaves(value))):
        raise TypeError(
            f"{name} must be known before JAX traces (outside jit, grad and vmap), got a traced "
            "value"
        )
    return value


def holds(value: Any, test: Callable[[Any], Any]) -> bool:
    """Whether a test is true everywhere in `value`; taken for granted where it is being traced."""
    if is_traced(value) or not getattr(value, "is_fully_addressable", True):
        return True
    far = isinstance(value, jax.Array) and any(d.platform != "cpu" for d in value.devices())
    if far and value.size > 4096:  # leave large arrays where they are
        return bool(jnp.all(jnp.asarray(test(value))))
    return bool(np.all(test(np.asarray(value))))


def shown(value: Any) -> str:
    """A value as it stands in a message: numbers without dtype, large arrays by their shape."""
    if is_traced(value):
        return "a traced value"
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        if value.size > 8:
            return f"an array of shape {value.shape}"
        return str(np.asarray(value).tolist())
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return f"{type(value).__name__}(...)"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def integer(name: str, value: Any, minimum: int = 1, maximum: int | None = None) -> int:
    """A whole number (Python's or NumPy's, no bool) in a range, as an int."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        wanted = "a positive integer" if minimum == 1 else f"an integer, at least {minimum}"
        raise ValueError(f"{name} must be {wanted}, got {shown(value)}") from None
    if number < minimum or (maximum is not None and number > maximum):
        wanted = "a positive integer" if minimum == 1 else f"an integer, at least {minimum}"
        upper = "" if maximum is None else f" and at most {maximum}"
        raise ValueError(f"{name} must be {wanted}{upper}, got {number}")
    return number


def choice(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """`value`, if it is one of `allowed`."""
    allowed = tuple(allowed)
    if not any(type(value) is type(one) and value == one for one in allowed):
        *most, last = (repr(one) for one in allowed)
        names = f"{', '.join(most)} or {last}" if most else last
        raise ValueError(f"{name} must be one of {names}, got {shown(value)}")
    return value


def instance(name: str, value: Any, kind: type | tuple[type, ...], wanted: str) -> Any:
    """`value`, if it is of this kind; `wanted` says the kind in words."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {wanted}, got {type(value).__name__} {shown(value)}")
    return value


def random_key(name: str, value: Any) -> Any:
    """`value`, if it is a key of JAX's random numbers, of either kind."""
    kind = getattr(value, "dtype", None)
    made = isinstance(value, jax.Array | jax.core.Tracer | jax.ShapeDtypeStruct)
    if made and (jnp.issubdtype(kind, jax.dtypes.prng_key) or kind == jnp.uint32):
        return value
    raise TypeError(
        f"{name} must be a random key such as jax.random.key(0), got {type(value).__name__} "
        f"{shown(value)}"
    )


def broadcast(name: str, **shapes: tuple[int, ...]) -> None:
    """Refuse shapes that do not broadcast against each other, saying whose they are."""
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        told = ", ".join(f"{what} {shape}" for what, shape in shapes.items())
        raise ValueError(f"{name}: shapes do not broadcast against each other: {told}") from None


def finite(name: str, value: Any, unit: str = "") -> Any:
    """`value`, if all its numbers are finite."""
    if not holds(value, lambda x: abs(x) < np.inf):
        got = shown(value)
        if np.ndim(value):
            bad = int(np.size(value) - np.sum(np.isfinite(np.asarray(value))))
            got = f"{bad} of {np.size(value)} that are not"
        raise ValueError(f"{name} must be finite{_in(unit)}, got {got}")
    return value


def positive(name: str, value: Any, unit: str = "") -> Any:
    """`value`, if all its numbers are finite and above 0."""
    return above(name, value, 0.0, unit)


def above(name: str, value: Any, limit: float | int, unit: str = "") -> Any:
    """`value`, if all its numbers are finite and above a limit."""
    if not holds(value, lambda x: (x > limit) & (x < np.inf)):
        wanted = "positive" if limit == 0.0 else f"greater than {limit:.6g}"
        raise ValueError(f"{name} must be {wanted} and finite{_in(unit)}, got {shown(value)}")
    return value


def at_least(name: str, value: Any, limit: float | int, unit: str = "") -> Any:
    """`value`, if all its numbers are finite and not below a limit."""
    if not holds(value, lambda x: (x >= limit) & (x < np.inf)):
        raise ValueError(
            f"{name} must be finite and at least {limit:g}{_in(unit)}, got {shown(value)}"
        )
    return value


def shaped(name: str, value: Any, shape: tuple[int, ...], unit: str = "") -> Any:
    """`value`, if it has this shape."""
    if np.shape(value) != shape:
        want = "be one number" if shape == () else f"have shape {shape}"
        raise ValueError(f"{name} must {want}{_in(unit)}, got {shown(value)}")
    return value


def grid_shape(name: str, shape: Any, minimum: int = 2, arrays: int = 1) -> tuple[int, int, int]:
    """Three whole numbers of nodes; refused if `arrays` of their floats cannot be held."""
    try:
        count = len(shape)
    except TypeError:
        count = 0
    if count != 3:
        raise ValueError(f"{name} must be three numbers >= {minimum}, got {shown(shape)}")
    if any(isinstance(n, float) and n.is_integer() for n in shape):
        raise ValueError(f"{name} must be three whole numbers (no floats), got {shown(shape)}")
    try:
        nx, ny, nz = (integer(name, n, minimum) for n in shape)
    except ValueError:
        raise ValueError(
            f"{name} must be three numbers >= {minimum}, got {shown(tuple(shape))}"
        ) from None
    memory(f"{name} = {(nx, ny, nz)}", arrays * nx * ny * nz * jnp.result_type(float).itemsize)
    return nx, ny, nz


def memory(what: str, n_bytes: float | int) -> None:
    """Raise `ValueError` if so many bytes are more than this machine lets the program have."""
    limit = memory_limit()
    if n_bytes > limit:
        raise ValueError(
            f"{what} would take {gigabytes(n_bytes)} of memory; this machine allows "
            f"{gigabytes(limit)}"
        )


def gigabytes(n_bytes: float | int) -> str:
    """'58 GB'."""
    size = n_bytes / 1e9
    return f"{size:,.0f} GB" if size >= 10 else f"{size:.2g} GB"


def memory_limit() -> float:
    """Bytes that this process may use: the machine's, its container's or its own limit."""
    limits = []
    try:
        limits.append(float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        pass
    try:
        import resource

        own = resource.getrlimit(resource.RLIMIT_AS)[0]
        if own != resource.RLIM_INFINITY:
            limits.append(float(own))
    except ImportError:
        pass
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(float(Path(file).read_text()))
        except (OSError, ValueError):
            continue
    return min(limits, default=float("inf"))


def bounded(name: str, value: Any, bounds: dict[str, Any], unit: str = "") -> Any:
    """`value`, if all its numbers are finite and within `above`, `minimum` and `maximum`."""
    above_, minimum, maximum = (bounds.get(k) for k in ("above", "minimum", "maximum"))
    finite(name, value, unit)
    if above_ is not None:
        above(name, value, above_, unit)
    if minimum is not None:
        at_least(name, value, minimum, unit)
    if maximum is not None and not holds(value, lambda x: x <= maximum):
        raise ValueError(f"{name} must be at most {maximum:g}{_in(unit)}, got {shown(value)}")
    return value


def _in(unit: str) -> str:
    return f" ({unit})" if unit else ""

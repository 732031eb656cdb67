"""How a model declares its parameters, and how a user names them.

`parameter(default, unit, text)` makes a field of an `eqx.Module` a leaf: a Python number (or an
astropy Quantity) given to the constructor becomes an array of the default floating-point type;
arrays and tracers pass through. Unit and text stay attached, so lists of models are made from
the code itself. `select` turns dotted paths into the filter that `eqx.partition` takes.
"""

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from . import _checks as checks
from ._checks import holds as holds

Scalar = Float[Array, ""]
if TYPE_CHECKING:
    MaybeScalar = Any
else:
    MaybeScalar = Scalar | None
"""A number that only some versions of a model have; None in the others."""


Made = TypeVar("Made", bound=Callable[..., Any])


class ModelInfo(NamedTuple):
    """What the catalogue of models says about a model class (`info` class attribute)."""

    paper: str
    """Citation with equation or table."""
    sun: tuple[float, float, float] | None = None
    """Position of the Sun the model was fitted with (kpc, common frame); None where unused."""
    notes: str = ""
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """Versions that have names of their own, as arguments of the constructor."""
    moved: Mapping[str, str] = MappingProxyType({})
    """Names that the paper lists with the model and that are none of its numbers: where they go."""
    toy: bool = False
    """Whether it is no model of the Galaxy, but of whatever numbers it is given."""


def described(info: ModelInfo) -> Callable[[Made], Made]:
    """Put a function that makes a model into the catalogue: `info` becomes its attribute."""

    def describe(make: Made) -> Made:
        vars(make)["info"] = info
        return make

    return describe


def hint_of_moved(model: Any, name: str) -> str:
    """Where a name goes that is none of the model's (a class or an instance), or ''."""
    info = getattr(model, "info", None)
    moved = info.moved if isinstance(info, ModelInfo) else {}
    return f"; '{name}' is {moved[name]}" if name in moved else ""


def check_names(cls: type, given: Mapping[str, Any]) -> None:
    """Raise `TypeError` for a keyword that a model has not, with those that it has."""
    if given.keys() <= getattr(cls, "__dataclass_fields__", {}).keys():
        return
    known = inspect.signature(cls.__init__).parameters
    if any(one.kind is one.VAR_KEYWORD for one in known.values()):
        return
    allowed = sorted(known.keys() - {"self"})
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
            meant = f"; did you mean '{near[0]}'?" if near else ""
            raise TypeError(
                f"{cls.__name__} has no parameter '{name}'; it has {', '.join(allowed) or 'none'}"
                f"{hint_of_moved(cls, name) or meant}"
            )


_TURNS = 4.0 * math.pi
"""Angles beyond which numbers are taken for degrees."""


def as_parameter(value: Any, unit: str = "", name: str = "value") -> Any:
    """Turn numbers, a sequence, a table's column or an astropy Quantity into a float array.

    Units are converted to `unit` (astropy's spelling). Tracers and other modules (a field given
    where a number is allowed) are returned as they are, so the function can serve as an
    `eqx.field` converter inside `jit` and after tree surgery.

    **Arguments:**

    - `name`: what the messages call the value.

    **Raises** `ValueError` for a unit that does not convert, for missing values, for a sequence
    with holes; `TypeError` for what is no real number.
    """
    if value is None or isinstance(value, eqx.Module | jax.ShapeDtypeStruct):
        return value
    if isinstance(value, jax.core.Tracer):
        whole = jnp.issubdtype(value.dtype, jnp.integer)
        return value.astype(jnp.result_type(float)) if whole else value
    value = without_unit(value, unit, name)
    if isinstance(value, jax.Array):
        if jnp.issubdtype(value.dtype, jnp.floating):
            return value
        if jnp.issubdtype(value.dtype, jnp.integer):
            return value.astype(jnp.result_type(float))
        raise TypeError(f"{name} must be real numbers{_in(unit)}, got {value.dtype}")
    if isinstance(value, str | bool | dict | set | type) or callable(value):
        raise TypeError(
            f"{name} must be a number or an array{_in(unit)}, got {checks.shown(value)}"
        )
    if isinstance(value, list | tuple) and any(map(checks.is_traced, jax.tree.leaves(value))):
        return jnp.asarray(value, dtype=jnp.result_type(float))
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{name} must be an array of numbers, with rows of one length; got "
            f"{checks.shown(value)}"
        ) from None
    if array.dtype.kind not in "fiu":
        kind = "nothing" if array.size == 0 else str(array.dtype)
        raise TypeError(
            f"{name} must be real numbers{_in(unit)}, got {checks.shown(value)} ({kind})"
        )
    return jnp.asarray(array.astype(array.dtype.newbyteorder("=")), dtype=jnp.result_type(float))


def without_unit(value: Any, unit: str, name: str = "value") -> Any:
    """The numbers of a Quantity, or of a table's column with a unit, in `unit`; others as is.

    **Raises** `ValueError` naming the value for a unit that does not convert, and for masked
    arrays with missing values.
    """
    if not isinstance(value, np.ndarray | list | tuple) and not hasattr(value, "unit"):
        return value
    if isinstance(value, list | tuple):
        if any(hasattr(item, "to_value") for item in value):
            return [without_unit(item, unit, name) for item in value]
        return value
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has {int(np.ma.count_masked(value))} missing (masked) values")
    own = getattr(value, "unit", None)
    if own is None:
        return value
    quantity = value if hasattr(value, "to_value") else value.quantity
    try:
        return quantity.to_value(unit)
    except Exception:  # UnitConversionError, without importing astropy here
        wanted = f"in {unit}, or in a unit that converts to it" if unit else "without a unit"
        raise ValueError(f"{name} must be {wanted}; it is in '{own}'") from None


def in_units(**units: str) -> Callable[[Made], Made]:
    """Decorate a function of plain numbers: arguments that have a unit are converted to these.

    Numbers and arrays of JAX, traced ones too, pass as they are.

    ```python
    @in_units(frequency="GHz", density="cm-3")
    def absorption(density, frequency): ...
    ```

    **Raises** `ValueError` naming the argument for a unit that does not convert.
    """

    def decorate(function: Made) -> Made:
        names = tuple(inspect.signature(function).parameters)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            given = (
                _number(x, units.get(name), name) for x, name in zip(args, names, strict=False)
            )
            kwargs = {name: _number(x, units.get(name), name) for name, x in kwargs.items()}
            return function(*given, *args[len(names) :], **kwargs)

        return cast(Made, called)

    return decorate


def _number(value: Any, unit: str | None, name: str) -> Any:
    """A value as it is, or the numbers of one that has a unit."""
    if unit is None or value is None or isinstance(value, jax.Array | int | float):
        return value
    plain = without_unit(value, unit, name)
    return value if plain is value else jnp.asarray(plain, jnp.result_type(float))


def unit_factor(old: str, new: str, name: str, convert: bool = True) -> float:
    """Number that turns values in one unit into another; `ValueError` names what it is of.

    `convert=False`: only whether the old one is known.
    """
    from astropy import units

    if old == new:
        return 1.0
    found = []
    for unit in (old, new):
        try:
            found.append(units.Unit(unit))
        except (ValueError, TypeError):
            raise ValueError(f"{name}: unit '{unit}' is not known to astropy") from None
    if not convert:
        return 1.0
    try:
        return float(found[0].to(found[1]))
    except units.UnitConversionError:
        raise ValueError(f"{name}: cannot convert unit '{old}' to '{new}'") from None


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ""


def parameter(
    default: Any,
    unit: str,
    text: str,
    *,
    above: float | int | None = None,
    minimum: float | int | None = None,
    maximum: float | int | None = None,
) -> Any:
    """Declare a trainable leaf of a model.

    **Arguments:**

    - `default`: published value (number or nested tuple of numbers), or `...` for none.
    - `unit`: astropy-readable unit string ('uG', 'kpc', 'rad', 'cm-3', '' for none).
    - `text`: one line on the meaning, with the paper's symbol or table.
    - `above`, `minimum`, `maximum`: what the numbers must exceed, or may just be; they must
      always be finite.

    The constructor raises `ValueError` naming the parameter for a value outside these bounds, or
    of another shape than its annotation says. It warns of plain numbers of more than two turns for
    an angle.
    """

    def convert(value: Any) -> Any:
        name = declared.name or "value"
        may_be_none = default is None or declared.type is Any or NoneType in get_args(declared.type)
        if value is None and not may_be_none:
            raise TypeError(f"{name} must be a number or an array{_in(unit)}, got None")
        given, value = value, as_parameter(value, unit, name)
        if eqx.is_array(value) and not checks.is_traced(value):
            if unit == "rad" and isinstance(given, int | float | list | tuple):
                _check_turns(name, given)
            checks.bounded(name, value, bounds, unit)
            _check_shape(name, value, declared.type, unit)
        return value

    bounds = {"above": above, "minimum": minimum, "maximum": maximum}
    kwargs: dict[str, Any] = {
        "converter": convert,
        "metadata": {"unit": unit, "text": text, "bounds": bounds},
    }
    if default is not ...:
        kwargs["default"] = default
    declared = eqx.field(**kwargs)  # its name is known once the class is made
    return declared


def _check_turns(name: str, given: Any) -> None:
    """Warn of plain numbers that are degrees by their size."""
    plain = [x for x in jax.tree.leaves(given) if isinstance(x, int | float)]
    if any(abs(x) > _TURNS for x in plain):
        checks.warn(
            f"{name} is in radians, and {checks.shown(given)} is more than two turns; if it is in "
            "degrees, give numpy.radians of it, or a Quantity"
        )


def _check_shape(name: str, value: Any, declared: Any, unit: str) -> None:
    """Raise `ValueError` if an array has not the shape of its annotation, `Float[Array, "3 n"]`."""
    # of 'one number, or None' the array counts: None has not come here
    kinds = [kind for kind in get_args(declared) or (declared,) if hasattr(kind, "dim_str")]
    if len(kinds) != 1 or isinstance(value, kinds[0]):
        return
    words = kinds[0].dim_str.split()
    wanted = (
        f"have shape ({', '.join(words)}{',' * (len(words) == 1)})" if words else "be one number"
    )
    raise ValueError(f"{name} must {wanted}{_in(unit)}, got {checks.shown(value)}")


def _step(node: Any, name: str) -> Any:
    if isinstance(node, dict):
        return node[name]
    return node[int(name)] if name.lstrip("-").isdigit() else getattr(node, name)


def _getter(path: str) -> Callable[[Any], Any]:
    return lambda tree: functools.reduce(_step, path.split("."), tree)


def get_path(tree: PyTree, path: str) -> Any:
    """Follow a dotted path ('magnetic.parts.0.b0') through attributes and indices.

    Raises `ValueError` naming the path and the names that exist at the failing level.
    """
    node = tree
    for i, name in enumerate(path.split(".")):
        try:
            node = _step(node, name)
        except (AttributeError, IndexError, TypeError, KeyError, ValueError):
            where = ".".join(path.split(".")[:i]) or type(tree).__name__
            if hasattr(node, "__dataclass_fields__"):
                allowed = sorted(node.__dataclass_fields__.keys() - {"info"})
            elif isinstance(node, (tuple, list)):
                allowed = [str(k) for k in range(len(node))]
            elif isinstance(node, dict):
                allowed = sorted(map(str, node))
            else:
                allowed = []
            raise ValueError(
                f"no parameter '{path}': '{where}' has no '{name}'; it has {allowed}"
                f"{hint_of_moved(node, name) or _hint(tree, path, name, allowed)}"
            ) from None
    return node


def _hint(tree: PyTree, path: str, name: str, allowed: list[str]) -> str:
    """'; did you mean ...?' with a like name at the failing level, or a path that ends so."""
    found = _paths_ending(tree, path) if path == name else []
    near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    found = found or [path.removesuffix(name) + one if path.endswith(name) else one for one in near]
    return f"; did you mean {' or '.join(repr(p) for p in found[:3])}?" if found else ""


def _paths_ending(node: Any, name: str, deepest: int = 6) -> list[str]:
    """Dotted paths of the attributes of that name, at any depth."""
    if isinstance(node, dict):
        parts = {str(k): part for k, part in node.items()}
    elif isinstance(node, (tuple, list)):
        parts = {str(k): part for k, part in enumerate(node)}
    else:
        parts = {k: getattr(node, k, None) for k in getattr(node, "__dataclass_fields__", {})}
    found = [name] if name in parts else []
    for key, part in parts.items() if deepest else ():
        found += [f"{key}.{rest}" for rest in _paths_ending(part, name, deepest - 1)]
    return found


def set_paths(tree: PyTree, values: dict[str, Any]) -> PyTree:
    """Return a copy of `tree` with the leaves at the dotted paths replaced (no new structure).

    Numbers become arrays of the dtype of the leaf they replace. Raises `ValueError` for an
    unknown path and for a value whose shape differs from the leaf's.
    """
    for path, value in values.items():
        old = get_path(tree, path)
        if eqx.is_array(old) and not isinstance(value, jax.core.Tracer):
            there = isinstance(value, jax.Array)
            value = value.astype(old.dtype) if there else jnp.asarray(np.asarray(value, old.dtype))
        if eqx.is_array(old) and jnp.shape(value) != old.shape:
            raise ValueError(
                f"parameter '{path}' has shape {old.shape}, got a value of shape {jnp.shape(value)}"
            )
        tree = eqx.tree_at(_getter(path), tree, value, is_leaf=lambda x: x is None)
    return tree


def replace(tree: PyTree, values: Any) -> PyTree:
    """A copy of a model or simulator with other values at some dotted paths.

    ```python
    louder = synax.replace(sky, {"magnetic.b0": 2.0, "electrons.n1": 0.01})
    ```

    **Arguments:**

    - `values`: a dict of new values by path, as `select` takes paths; numbers, arrays of the old
      shape, or astropy Quantities, which are converted to the parameter's unit.

    **Raises** `ValueError` for an unknown path (naming those that exist), another shape, a unit
    that does not convert or a number that is not finite or outside the parameter's bounds;
    `TypeError` for what is no number.
    """
    if not isinstance(values, Mapping):
        raise TypeError(
            "values must be a dict such as {'magnetic.b0': 2.0}, got "
            f"{type(values).__name__} {checks.shown(values)}"
        )
    found = {}
    for path, value in values.items():
        old, facts = get_path(tree, path), facts_of(tree, path)  # an unknown path is told first
        unit, bounds = facts.get("unit", ""), facts.get("bounds", {})
        if eqx.is_array(old) and (value is None or isinstance(value, eqx.Module)):
            raise TypeError(
                f"parameter '{path}' must be a number or an array{_in(unit)}, got "
                f"{checks.shown(value)}"
            )
        value = as_parameter(value, unit, f"parameter '{path}'")
        if eqx.is_array(value):
            checks.bounded(f"parameter '{path}'", value, bounds, unit)
        found[path] = value
    changed = set_paths(tree, found)
    for owner in _owners(found):
        _check_again(get_path(changed, owner) if owner else changed)
    return changed


def facts_of(tree: PyTree, path: str) -> Mapping[str, Any]:
    """What `parameter` declared of the leaf at a path: unit, text, bounds; {} for other leaves."""
    owner, _, name = path.rpartition(".")
    parent = get_path(tree, owner) if owner else tree
    described = getattr(parent, "__dataclass_fields__", {}).get(name)
    return {} if described is None else described.metadata


def _owners(paths: Iterable[str]) -> list[str]:
    """Paths of all that holds these leaves, innermost first; '' is the tree itself."""
    found = {path.rpartition(".")[0] for path in paths}
    for path in tuple(found):
        words = path.split(".")
        found |= {".".join(words[:k]) for k in range(len(words))}
    return sorted(found, key=lambda path: (-path.count("."), not path, path))


def _check_again(module: Any) -> None:
    """The checks that a constructor would make, which surgery on a tree leaves out."""
    for kind in type(module).__mro__:
        check = vars(kind).get("__check_init__")
        if check is not None:
            check(module)


def select(tree: PyTree, *paths: Any) -> PyTree[bool]:
    """A filter that is True on the floating-point leaves under the given dotted paths.

    **Arguments:**

    - `tree`: any PyTree, usually a simulator.
    - `paths`: 'magnetic.b0', or a whole branch such as 'magnetic'.

    **Returns** a PyTree of bool with the structure of `tree`, ready for `eqx.partition`,
    `eqx.filter` and friends.

    **Raises** `ValueError` for a path that does not exist or holds no floating-point array,
    `TypeError` for what is no path.

    ```python
    free, fixed = eqx.partition(sky, synax.select(sky, "magnetic.b0", "magnetic.chi0"))
    ```
    """
    for path in paths:
        checks.instance("a path", path, str, "a dotted name such as 'magnetic.b0'")
    spec = jax.tree.map(lambda _: False, tree)
    for path in paths:
        branch = get_path(tree, path)
        chosen = jax.tree.map(eqx.is_inexact_array, branch)
        if not any(jax.tree.leaves(chosen)):
            raise ValueError(f"'{path}' holds no floating-point array, so nothing there can vary")
        spec = eqx.tree_at(_getter(path), spec, chosen, is_leaf=lambda x: x is None)
    return spec

"""Fields: maps from Galactocentric position (kpc) to a physical value, and their algebra.

A field is an `eqx.Module` whose parameters are its leaves. It is a pure function of position:
it never sees the ray, the frequency or the observer. Components come first, so one position is
`(3,)`, a batch is `(3, *points)`, and a vector field answers in the shape it was asked.
"""

import abc
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._operators import is_number, is_zero
from .._parameters import as_parameter, check_names, parameter, unit_factor
from .._shown import Shown
from ._surfaces import AbstractSurface, Moved

Value = Float[Array, "..."]
Position = Float[Array, "3 *points"]
RANKS = ("scalar", "vector")


class AbstractField(Shown):
    """Anything that can be evaluated at positions.

    Subclass `AbstractScalarField` or `AbstractVectorField`, declare the parameters as module
    fields and write `__call__`. Name the places where the field jumps or bends sharply in
    `surfaces()`: the integrator then puts cell faces there.

    Positions may be given as an astropy Quantity or as plain numbers; whatever `__call__` a
    subclass writes receives an array (3, *points) in kpc.
    """

    if TYPE_CHECKING:  # read only: a property overrides it as well

        @property
        def rank(self) -> str:
            """'scalar' or 'vector': what the field is at a point."""
            ...

    else:
        rank: eqx.AbstractVar[str]
        """'scalar' or 'vector': what the field is at a point."""

    bound_to_rays: ClassVar[bool] = False
    """Whether its values belong to sightlines, whatever the position it is asked for."""

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "__call__" in vars(cls):
            type.__setattr__(cls, "__call__", _gated(vars(cls)["__call__"]))
        if "surfaces" in vars(cls):
            type.__setattr__(cls, "surfaces", _listed(vars(cls)["surfaces"]))

    def __new__(cls, *_: Any, **given: Any) -> "AbstractField":
        check_names(cls, given)
        return super().__new__(cls)

    @abc.abstractmethod
    def __call__(self, position: Position) -> Value:
        """Value at `position` (Galactocentric, kpc, components first)."""

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        """Surfaces where the field is discontinuous or bends sharply (none by default)."""
        return ()

    @property
    def sun(self) -> tuple[float, float, float] | None:
        """Position of the Sun (kpc) that the model was made with: `Sightlines(observer=B.sun)`.

        Of a combination of fields: that of the first model in it that has one, moved with it. None
        where the model has none.
        """
        info = getattr(self, "info", None)
        if info is not None:
            return info.sun
        parts = getattr(self, "parts", (getattr(self, "field", None),))
        known = [part.sun for part in parts if isinstance(part, AbstractField)]
        return next((sun for sun in known if sun is not None), None)

    @property
    def has_surroundings(self) -> bool:
        """Whether the model itself places clumps, bubbles or shells about its own Sun."""
        return False

    def prepare(self) -> "AbstractField":
        """An equivalent field whose parameter-only work is done (the field itself by default).

        The integrator calls it once before it evaluates the field many times.
        """
        return self

    _arithmetic = (
        "a field can be added to and subtracted from a field of its rank (a constant is "
        "magnetic.Uniform or electrons.Uniform), multiplied by a number or a scalar field, and "
        "divided by a number"
    )

    def __add__(self, other: Any) -> "Sum":
        if not isinstance(other, AbstractField):
            self._refuse("+", other)
        return Sum((*_parts(self), *_parts(other)))

    def __radd__(self, other: Any) -> "AbstractField":
        """`sum([a, b])` begins with the number 0, which adds nothing."""
        return self if is_zero(other) else self._refuse("+", other, reflected=True)

    def __sub__(self, other: Any) -> "Sum":
        if not isinstance(other, AbstractField):
            self._refuse("-", other)
        return self + (-1.0) * other

    def __mul__(self, factor: Any) -> "Scaled":
        if isinstance(factor, AbstractField) and factor.rank == "vector":
            return Scaled(factor, self)  # a profile times a vector field
        if not isinstance(factor, AbstractField):
            return Scaled(self, factor) if is_number(factor) else self._refuse("*", factor)
        own = AbstractField.__mul__
        if type(self).__mul__ is own and type(factor).__mul__ is not own:
            return factor * self  # a profile times a population is a population
        return Scaled(self, factor)

    def __rmul__(self, factor: Any) -> "Scaled":
        if not isinstance(factor, AbstractField) and not is_number(factor):
            self._refuse("*", factor, reflected=True)
        return self * factor

    def __truediv__(self, factor: Any) -> "Scaled":
        if not is_number(factor) or is_zero(factor):
            self._refuse("/", factor)
        return Scaled(self, 1.0 / factor)

    def __neg__(self) -> "Scaled":
        return Scaled(self, -1.0)

    def rotated(self, rotation_vector: Any) -> "Rotated":
        """The field turned bodily about the Galactic Centre by a rotation vector (rad)."""
        return Rotated(self, rotation_vector)

    def shifted(self, offset: Any) -> "Shifted":
        """The field moved by `offset` (3,) kpc: value(x) = original(x - offset)."""
        return Shifted(self, offset)

    def inside(self, domain: Any) -> "Inside":
        """The field cut off (0) outside a domain such as `synax.Sphere` or `synax.Box`."""
        return Inside(self, domain)

    def permuted(self, *components: int) -> "Permuted":
        """A vector field with its components re-ordered, at the same position."""
        return Permuted(self, components)


class AbstractScalarField(AbstractField):
    """A field with one value per point: position (3, *points) kpc -> (*points,)."""

    @property
    def rank(self) -> str:
        return "scalar"


class AbstractVectorField(AbstractField):
    """A field with a vector per point: position (3, *points) kpc -> (3, *points)."""

    @property
    def rank(self) -> str:
        return "vector"


def _gated(call: Callable[..., Value]) -> Callable[..., Value]:
    """A field's `__call__` that converts the position and checks the shape of the value."""

    @functools.wraps(call)
    def checked(self: AbstractField, position: Any) -> Value:
        position = as_position(position)
        checks.unitless_leaves(type(self).__name__, self)
        with checks.told_of_tracing(f"{type(self).__name__}.__call__"):
            value = call(self, position)
        value = _as_value(self, value, position)
        expected = position.shape if self.rank == "vector" else position.shape[1:]
        if jnp.shape(value) != expected:
            raise TypeError(
                f"{type(self).__name__} is a {self.rank} field: for positions of shape "
                f"{position.shape} it must give values of shape {expected}, not {jnp.shape(value)}"
            )
        return value

    return checked


def _as_value(field: AbstractField, value: Any, position: Position) -> Any:
    """What a field answers, as real numbers; whole numbers and switches become floating-point."""
    kind = type(value).__name__
    if eqx.is_array_like(value):
        dtype = jnp.result_type(value)
        if jnp.issubdtype(dtype, jnp.floating):
            return value
        if dtype.kind in "iub":
            return jnp.asarray(value, position.dtype)
        kind = str(dtype)
    remedy = ": give jnp.stack of the components" if isinstance(value, tuple | list) else ""
    raise TypeError(
        f"{type(field).__name__} must give an array of real numbers when it is called, not "
        f"{kind}{remedy}"
    )


def _listed(surfaces: Callable[..., Any]) -> Callable[..., tuple[AbstractSurface, ...]]:
    """A field's `surfaces` that checks what it answers."""

    @functools.wraps(surfaces)
    def checked(self: AbstractField) -> tuple[AbstractSurface, ...]:
        named = surfaces(self)
        if isinstance(named, tuple | list):
            wrong = [type(one).__name__ for one in named if not isinstance(one, AbstractSurface)]
        else:
            wrong = [type(named).__name__]
        if wrong:
            raise TypeError(
                f"{type(self).__name__}.surfaces() must give a tuple of surfaces such as "
                f"(synax.Sphere(2.0),), or (), got {wrong[0]}"
                f"{' in it' if isinstance(named, tuple | list) else ''}"
            )
        return tuple(named)

    return checked


def _check_free(field: Any, what: str) -> None:
    """Refuse to move a field, a part of which has no values elsewhere."""
    bound = lambda x: isinstance(x, AbstractField) and x.bound_to_rays
    found = [x for x in jax.tree.leaves(field, is_leaf=bound) if bound(x)]
    if found:
        raise TypeError(
            f"a {type(found[0]).__name__} has values only along its own sightlines and cannot be "
            f"{what}: move the original field, and sample that"
        )


def as_position(position: Any) -> Position:
    """Positions as an array (3, *points) in kpc; Quantities are converted.

    **Raises** `ValueError` for another shape, with the remedy for positions (n, 3).
    """
    position = as_parameter(position, "kpc", "position")
    shape = jnp.shape(position)
    if not shape or shape[0] != 3:
        remedy = ""
        if len(shape) > 1 and shape[-1] == 3:
            remedy = ": components come first, so give jnp.moveaxis(position, -1, 0)"
        raise ValueError(f"position must have shape (3, *points), got {shape}{remedy}")
    return position


def is_vector_value(value: Value, position: Position) -> bool:
    """Whether a value returned for `position` is a vector (3, *points) rather than (*points,)."""
    return value.ndim == position.ndim


def _by_component(function: Callable[..., Value], position: Position, *values: Value) -> Value:
    """Apply a function of scalars to scalar fields, or to each component of vector fields.

    XLA's CPU compiler undoes stack-then-unstack only if nothing stands in between; an operation
    on the stacked vector costs ten times as much.
    """
    if not is_vector_value(values[0], position):
        return function(*values)
    return jnp.stack([function(*components) for components in zip(*values, strict=True)])


def check_rank(field: Any, rank: str, name: str) -> None:
    """Raise `TypeError` naming the argument unless `field` is a field of rank 'scalar' or 'vector'.

    The rank is the one that the field declares; its value's shape is checked when it is called.
    A Quantity among its leaves is refused too.
    """
    if not isinstance(field, AbstractField):
        raise TypeError(
            f"{name} must be a {rank} field (a synax.AbstractField), got {type(field).__name__}"
        )
    if field.rank != rank:
        raise TypeError(
            f"{name} must be a {rank} field, got {type(field).__name__}, a {field.rank} field"
        )
    checks.unitless_leaves(name, field)


def check_unit(field: Any, unit: str, name: str) -> None:
    """Raise `ValueError` if a grid that stands for `name` holds numbers in another unit.

    Looks at the field itself and into sums, multiples and moved fields; a profile that
    multiplies another field may have any unit.
    """
    if isinstance(field, Sum):
        for k, part in enumerate(field.parts):
            check_unit(part, unit, f"{name}.parts.{k}")
    elif isinstance(field, Scaled):
        if not isinstance(field.factor, AbstractField):
            check_unit(field.field, unit, f"{name}.field")
    elif isinstance(field, Rotated | Shifted | Inside | Permuted):
        check_unit(field.field, unit, f"{name}.field")
    else:
        own = getattr(field, "unit", unit)
        if not isinstance(own, str) or own == unit:
            return
        kind = type(field).__name__
        if not own:
            raise ValueError(
                f"{name} must be in {unit}, and this {kind} has no unit: give it unit='{unit}'"
            )
        if unit_factor(own, unit, name) != 1.0:
            raise ValueError(
                f"{name} must be in {unit}, and this {kind} is in '{own}': give "
                f"grid.to_unit('{unit}')"
            )


def _parts(field: AbstractField) -> tuple[AbstractField, ...]:
    return field.parts if isinstance(field, Sum) else (field,)


class Sum(AbstractField):
    """The sum of several fields (all scalar or all vector)."""

    parts: tuple[AbstractField, ...]

    def __check_init__(self):
        ranks = {part.rank for part in self.parts if isinstance(part, AbstractField)}
        if len(ranks) > 1:
            named = ", ".join(f"{type(part).__name__} ({part.rank})" for part in self.parts)
            raise TypeError(f"a vector and a scalar field cannot be added: {named}")

    @property
    def rank(self) -> str:
        return self.parts[0].rank

    def __call__(self, position: Position) -> Value:
        values = [part(position) for part in self.parts]
        return _by_component(lambda *x: functools.reduce(jnp.add, x), position, *values)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return tuple(s for part in self.parts for s in part.surfaces())

    def prepare(self) -> "Sum":
        return Sum(tuple(part.prepare() for part in self.parts))


class Scaled(AbstractField):
    """A field times a number, or times a scalar field (a profile)."""

    field: AbstractField
    factor: Any = parameter(..., "", "number, or scalar field of position")

    def __check_init__(self):
        if isinstance(self.factor, AbstractField):
            check_rank(self.factor, "scalar", "factor of a field")

    @property
    def rank(self) -> str:
        return self.field.rank

    def __call__(self, position: Position) -> Value:
        factor = self.factor(position) if isinstance(self.factor, AbstractField) else self.factor
        return _by_component(lambda x: factor * x, position, self.field(position))

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        own = self.factor.surfaces() if isinstance(self.factor, AbstractField) else ()
        return (*self.field.surfaces(), *own)

    def prepare(self) -> "Scaled":
        factor = self.factor.prepare() if isinstance(self.factor, AbstractField) else self.factor
        return Scaled(self.field.prepare(), factor)


def rotation_matrix(rotation_vector: Float[Array, "3"]) -> Float[Array, "3 3"]:
    """Matrix of the rotation by |v| rad about v (Rodrigues), smooth through v = 0."""
    v = rotation_vector
    angle2 = jnp.sum(v * v)
    small = angle2 < 1e-8
    angle = jnp.sqrt(jnp.where(small, 1.0, angle2))
    a = jnp.where(small, 1.0 - angle2 / 6.0, jnp.sin(angle) / angle)
    b = jnp.where(small, 0.5 - angle2 / 24.0, (1.0 - jnp.cos(angle)) / (angle * angle))
    zero = jnp.zeros_like(v[0])
    cross = jnp.stack(
        [
            jnp.stack([zero, -v[2], v[1]]),
            jnp.stack([v[2], zero, -v[0]]),
            jnp.stack([-v[1], v[0], zero]),
        ]
    )
    return jnp.eye(3, dtype=v.dtype) + a * cross + b * (cross @ cross)


def _apply(matrix: Float[Array, "3 3"], vector: Position) -> Position:
    x, y, z = vector
    return jnp.stack([row[0] * x + row[1] * y + row[2] * z for row in matrix])


class Rotated(AbstractField):
    """A field turned bodily: value(x) = R original(R^T x) (scalars: original(R^T x))."""

    field: AbstractField
    rotation_vector: Float[Array, "3"] = parameter(..., "rad", "axis times angle")

    def __check_init__(self):
        _check_free(self.field, "rotated")

    @property
    def rank(self) -> str:
        return self.field.rank

    @property
    def sun(self) -> Any:
        """The Sun of the field, turned with it."""
        own = self.field.sun
        return None if own is None else rotation_matrix(self.rotation_vector) @ jnp.asarray(own)

    def __call__(self, position: Position) -> Value:
        matrix = rotation_matrix(self.rotation_vector).astype(position.dtype)
        value = self.field(_apply(matrix.T, position))
        return _apply(matrix, value) if is_vector_value(value, position) else value

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        matrix = rotation_matrix(self.rotation_vector)
        zero = jnp.zeros_like(self.rotation_vector)
        return tuple(Moved(s, matrix, zero) for s in self.field.surfaces())

    def prepare(self) -> "Rotated":
        return Rotated(self.field.prepare(), self.rotation_vector)


class Shifted(AbstractField):
    """A field moved by an offset (kpc): value(x) = original(x - offset)."""

    field: AbstractField
    offset: Float[Array, "3"] = parameter(..., "kpc", "displacement")

    def __check_init__(self):
        _check_free(self.field, "shifted")

    @property
    def rank(self) -> str:
        return self.field.rank

    @property
    def sun(self) -> Any:
        """The Sun of the field, moved with it."""
        own = self.field.sun
        return None if own is None else self.offset + jnp.asarray(own)

    def __call__(self, position: Position) -> Value:
        offset = self.offset.reshape((3,) + (1,) * (position.ndim - 1))
        return self.field(position - offset.astype(position.dtype))

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        eye = jnp.eye(3, dtype=self.offset.dtype)
        return tuple(Moved(s, eye, self.offset) for s in self.field.surfaces())

    def prepare(self) -> "Shifted":
        return Shifted(self.field.prepare(), self.offset)


class Inside(AbstractField):
    """A field cut off outside a domain; the domain's boundary becomes one of its surfaces."""

    field: AbstractField
    domain: AbstractSurface

    def __check_init__(self):
        if not hasattr(self.domain, "contains"):
            checks.instance("domain", self.domain, (), "a domain such as synax.Box or Sphere")

    @property
    def rank(self) -> str:
        return self.field.rank

    def __call__(self, position: Position) -> Value:
        inside = self.domain.contains(position)
        cut = lambda x: jnp.where(inside, x, 0.0)
        return _by_component(cut, position, self.field(position))

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (*self.field.surfaces(), self.domain)

    def prepare(self) -> "Inside":
        return Inside(self.field.prepare(), self.domain)


class Permuted(AbstractField):
    """A vector field with its components re-ordered (the paper's 16-parameter test uses this)."""

    field: AbstractField
    components: tuple[int, ...] = eqx.field(static=True)

    @property
    def rank(self) -> str:
        return "vector"

    def __check_init__(self):
        if isinstance(self.field, AbstractField):
            check_rank(self.field, "vector", "field of a permutation")
        if sorted(self.components) != [0, 1, 2]:
            raise ValueError(
                f"components must be a permutation of (0, 1, 2), got {self.components}"
            )

    def __call__(self, position: Position) -> Value:
        value = self.field(position)
        return jnp.stack([value[i] for i in self.components])

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return self.field.surfaces()

    def prepare(self) -> "Permuted":
        return Permuted(self.field.prepare(), self.components)

"""Positive fields: the exponential of another."""

import jax.numpy as jnp

from ..fields._field import AbstractField, AbstractScalarField, Position, Value
from ..fields._surfaces import AbstractSurface


class Exponential(AbstractScalarField):
    """exp(f(x)) of a scalar field f: with a `GaussianField`, a log-normal field of median one.

    As a factor it modulates a model without changing its sign:
    `synax.electrons.YMW16() * synax.random_fields.Exponential(g)`.
    """

    field: AbstractField

    def __call__(self, position: Position) -> Value:
        return jnp.exp(self.field(position))

    def prepare(self) -> "Exponential":
        """With the field inside prepared."""
        return Exponential(self.field.prepare())

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return self.field.surfaces()

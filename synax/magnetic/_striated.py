"""Strength of a striated field: one that is random in sign only, along a regular field."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import safe_sqrt
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractField, AbstractScalarField, check_rank
from ..fields._surfaces import AbstractSurface


class StriatedStrength(AbstractScalarField):
    """sqrt(beta) |B|: rms of a field along B of random sign, with beta times its energy.

    Rotation measures see B alone on the average; <B_perp^2>, to which the emissivity for the
    electron index p = 3 is proportional, grows by 1 + beta (`emissivity_factor`), in total and in
    polarised intensity alike.

    **Returns** microgauss, (*points,).

    **Reference:** Jansson & Farrar 2012, ApJ 761, L11 (JF12b): beta = 1.36 for their field.
    """

    field: AbstractField
    beta: Scalar = parameter(1.36, "", "striated energy over regular energy (JF12b)")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Jansson & Farrar 2012, ApJ 761, L11", notes="a strength, no field"
    )

    def __check_init__(self):
        check_rank(self.field, "vector", "StriatedStrength: field")

    def emissivity_factor(self) -> Scalar:
        """1 + beta: synchrotron emissivity with the striated part over that without, for p = 3."""
        return 1.0 + self.beta

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = self.field(position)
        return jnp.sqrt(self.beta) * safe_sqrt(x * x + y * y + z * z)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return self.field.surfaces()

    def prepare(self) -> "StriatedStrength":
        return StriatedStrength(self.field.prepare(), self.beta)

"""Columns: integrals of the thermal-electron density along the ray."""

import equinox as eqx
from jaxtyping import Array, Float

from ..transfer._base import Coefficients
from ._process import AbstractProcess, Plasma


class Columns(AbstractProcess):
    """n_e to each of some powers: 1 for the dispersion measure, 2 for the emission measure."""

    powers: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"] | None) -> Coefficients:
        return Coefficients(columns=tuple((plasma.density**p)[None] for p in self.powers))

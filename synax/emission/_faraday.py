"""Faraday rotation by cold electrons."""

from jaxtyping import Array, Float

from .. import _constants as const
from ..transfer._base import Coefficients
from ._process import AbstractProcess, Plasma


class FaradayRotation(AbstractProcess):
    """dRM/ds = 0.812 n_e B_par (per pc), positive for a field that points to the observer."""

    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"] | None) -> Coefficients:
        density = -const.FARADAY_CONSTANT * plasma.density
        return Coefficients(rotation=density * plasma.b_away)

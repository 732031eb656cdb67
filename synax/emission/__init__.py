"""Emission formulae: pure functions of local quantities."""

from ._power_law import (
    field_power as field_power,
    polarised_fraction as polarised_fraction,
    spectral_factor as spectral_factor,
)

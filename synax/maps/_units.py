"""Units of sky maps: brightness temperatures, intensities, and the factors between them.

T_RJ = I_nu c^2 / (2 k nu^2);  T_CMB = T_RJ (e^x - 1)^2 / (x^2 e^x),  x = h nu / (k T_cmb).
"""

import math

from .._constants import BOLTZMANN, CMB_TEMPERATURE, GHZ, PLANCK, SPEED_OF_LIGHT

_JANSKY = 1e-26  # W m^-2 Hz^-1

_PREFIX = {"": 1.0, "m": 1e-3, "u": 1e-6}

BRIGHTNESS_UNITS = (
    *(prefix + "K_RJ" for prefix in _PREFIX),
    *(prefix + "K_CMB" for prefix in _PREFIX),
    "Jy/sr",
    "MJy/sr",
)
"""Units a map of the sky's brightness may have."""


def kelvin_rj_per(unit: str, frequency: float) -> float:
    """K (Rayleigh-Jeans) in one `unit` of `BRIGHTNESS_UNITS`, at `frequency` (GHz).

    Raises `ValueError` for an unknown unit.
    """
    if unit not in BRIGHTNESS_UNITS:
        raise ValueError(f"unit must be one of {', '.join(BRIGHTNESS_UNITS)}, got '{unit}'")
    if unit.endswith("K_RJ"):
        return _PREFIX[unit[:-4]]
    hertz = frequency * GHZ
    if unit.endswith("K_CMB"):
        x = PLANCK * hertz / (BOLTZMANN * CMB_TEMPERATURE)
        return _PREFIX[unit[:-5]] * (0.5 * x / math.sinh(0.5 * x)) ** 2
    jansky = _JANSKY * SPEED_OF_LIGHT**2 / (2.0 * BOLTZMANN * hertz**2)
    return jansky * (1e6 if unit == "MJy/sr" else 1.0)


def conversion_factor(source: str, target: str, frequency: float) -> float:
    """Number to multiply a map in unit `source` by to have it in `target`, at `frequency` (GHz)."""
    return kelvin_rj_per(source, frequency) / kelvin_rj_per(target, frequency)

"""Units of sky maps: brightness temperatures, intensities, and the factors between them.

T_RJ = I_nu c^2 / (2 k nu^2);  T_CMB = T_RJ (e^x - 1)^2 / (x^2 e^x),  x = h nu / (k T_cmb).
"""

import math
import re
from typing import Any

import numpy as np

from .._constants import BOLTZMANN, CMB_TEMPERATURE, GHZ, PLANCK, SPEED_OF_LIGHT

_JANSKY = 1e-26  # W m^-2 Hz^-1

HIGHEST_FREQUENCY = 405.0
"""GHz; above all channels that see synchrotron emission, a number is more likely MHz or Hz."""

_LARGEST_X = 600.0
"""h nu / k T from which on the exponential of the CMB's spectrum leaves the numbers."""

_PREFIX = {"": 1.0, "m": 1e-3, "u": 1e-6}

BRIGHTNESS_UNITS = (
    *(prefix + "K_RJ" for prefix in _PREFIX),
    *(prefix + "K_CMB" for prefix in _PREFIX),
    "Jy/sr",
    "MJy/sr",
)
"""Units a map of the sky's brightness may have."""

BARE_KELVIN = tuple(prefix + "K" for prefix in _PREFIX)
"""Kelvin that do not say whether they are of Rayleigh-Jeans or of the CMB."""

UNKNOWN = ("", "unknown", "undefined", "undef", "none", "null", "n/a", "?", "-")
"""What headers write where they know no unit."""

_TEMPERATURE = re.compile(
    r"(?P<prefix>mu|m|u|milli|micro)?[- ]?([kK]elvin|K)(?P<kind>.*)", re.DOTALL
)
_KINDS = {
    "": "", "rj": "_RJ", "cmb": "_CMB", "antenna": "_RJ", "brightness": "_RJ",
    "rayleighjeans": "_RJ", "thermodynamic": "_CMB", "thermo": "_CMB",
}  # fmt: skip
_OTHERS = {
    "Jy/sr": "Jy/sr", "Jysr-1": "Jy/sr", "MJy/sr": "MJy/sr", "MJysr-1": "MJy/sr",
    "rad/m2": "rad/m2", "radm-2": "rad/m2", "m-2rad": "rad/m2",
    "pc/cm3": "pc/cm3", "pccm-3": "pc/cm3", "cm-3pc": "pc/cm3",
    "pc/cm6": "pc/cm6", "pccm-6": "pc/cm6", "cm-6pc": "pc/cm6",
}  # fmt: skip


def spelled(unit: Any) -> str:
    """Our name of a unit: 'uKcmb', 'muK_CMB' and 'uK (thermodynamic)' are 'uK_CMB'.

    Kelvin without a kind become 'K', 'mK', 'uK' (`BARE_KELVIN`); what is not known is given back
    as it came.
    """
    text = str(unit).strip().replace("\u00b5", "u").replace("\u03bc", "u")
    found = _TEMPERATURE.fullmatch(text)
    if found:
        prefix = {"mu": "u", "milli": "m", "micro": "u"}.get(found["prefix"], found["prefix"] or "")
        kind = re.sub(r"[^a-z]", "", found["kind"].lower())
        kind = _KINDS.get(kind.removesuffix("temperature"))
        return text if kind is None else f"{prefix}K{kind}"
    plain = re.sub(r"[\s^*._()]", "", text)
    return _OTHERS.get(plain, text)


def as_frequency(value: Any) -> float | tuple[float, ...] | None:
    """Frequencies as positive, finite numbers in GHz; a Quantity is converted.

    Raises `ValueError` or `TypeError` that names the argument and the value.
    """
    if value is None:
        return None
    try:
        array = np.asarray(_in_gigahertz(value), dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"frequency must be numbers in GHz, got {value!r}") from None
    if array.ndim > 1 or array.size == 0 or np.asarray(value).dtype.kind == "b":
        raise ValueError(f"frequency must be a number or a list of numbers (GHz), got {value!r}")
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise ValueError(f"frequency must be positive and finite (GHz), got {value}")
    if array.ndim and len(set(array.tolist())) < array.size:
        raise ValueError(f"frequency holds a number twice: {array.tolist()}")
    return float(array) if array.ndim == 0 else tuple(array.tolist())


def _in_gigahertz(value: Any) -> Any:
    value = getattr(value, "quantity", value)  # a column of an astropy table that has a unit
    if not hasattr(value, "to_value"):
        return value
    try:
        return value.to_value("GHz")
    except Exception:
        raise TypeError(f"frequency in {value.unit} is no frequency") from None


def label(frequency: float) -> str:
    """The frequency (GHz) in the fewest digits that agree with it to twelve: '23', '1.4000001'.

    What differs in later digits only is rounding: 0.06 and 0.060000000000000005 are one frequency.
    """
    return f"{frequency:.12g}"


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
        if x > _LARGEST_X:
            raise ValueError(f"frequency = {frequency:g} GHz: the CMB has no brightness there")
        return _PREFIX[unit[:-5]] * (0.5 * x / math.sinh(0.5 * x)) ** 2
    jansky = _JANSKY * SPEED_OF_LIGHT**2 / (2.0 * BOLTZMANN * hertz**2)
    return jansky * (1e6 if unit == "MJy/sr" else 1.0)


def conversion_factor(source: str, target: str, frequency: float) -> float:
    """Number to multiply a map in unit `source` by to have it in `target`, at `frequency` (GHz)."""
    return kelvin_rj_per(source, frequency) / kelvin_rj_per(target, frequency)

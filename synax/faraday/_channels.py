"""The channels of a polarised observation: what a set of wavelengths can tell of Faraday depth."""

import functools
import math
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from .._constants import WAVELENGTH_SQUARED_AT_1GHZ

HIGHEST_FREQUENCY = 1e4
"""GHz; larger numbers are hertz or megahertz given for gigahertz."""


def _numbers(value: Any, unit: str) -> np.ndarray:
    value = value.to_value(unit) if hasattr(value, "to_value") else value
    return np.asarray(value, dtype=float)


def check_frequencies(frequencies: Any) -> Float[np.ndarray, " n_freq"]:
    """Frequencies of channels as an array in GHz.

    **Raises** `ValueError` unless they are one-dimensional, positive, in GHz and in order.
    """
    found = _numbers(frequencies, "GHz")
    if found.ndim != 1 or found.size < 2:
        raise ValueError(
            f"frequencies must be (n_freq,) with at least two channels, got shape {found.shape}"
        )
    if not (np.all(np.isfinite(found)) and np.all(found > 0)):
        raise ValueError("frequencies must be finite and positive (GHz)")
    if found.max() > HIGHEST_FREQUENCY:
        raise ValueError(
            f"frequencies must be in GHz, got up to {found.max():g}: divide by 1e9 if they are in "
            "hertz, or give an astropy Quantity"
        )
    steps = np.diff(found)
    wrong = np.flatnonzero(steps * np.sign(steps[0] or 1.0) <= 0)
    if wrong.size:
        k = int(wrong[0])
        raise ValueError(
            f"frequencies must rise or fall from channel to channel; channels {k} and {k + 1} are "
            f"{found[k]:g} and {found[k + 1]:g} GHz: sort them, and the data with them"
        )
    return found


class Channels:
    """Frequencies with weights, and the response to Faraday depth that follows from them.

    R(phi) = sum w exp(-2i phi (lambda^2 - lambda_0^2)) / sum w

    **Arguments:**

    - `frequencies`: (n_freq,) GHz or Quantity, rising or falling; gaps are allowed.
    - `weights`: (n_freq,), not negative; a channel of weight zero is left out. None: all alike.
    - `sigma`: (n_freq,) or a number: noise of Q and of U in each channel, in their unit.
      Without `weights`, weights are 1/sigma^2.

    **Raises** `ValueError` for channels out of order or weights that do not fit.

    **Reference:** Brentjens & de Bruyn 2005, A&A 441, 1217, eqs. 25, 26, 61 to 63.
    """

    frequency: Float[np.ndarray, " n_freq"]
    """GHz."""
    lambda_squared: Float[np.ndarray, " n_freq"]
    """m^2."""
    weights: Float[np.ndarray, " n_freq"]
    sigma: Float[np.ndarray, " n_freq"] | None

    def __init__(self, frequencies: Any, weights: Any = None, sigma: Any = None):
        self.frequency = check_frequencies(frequencies)
        self.lambda_squared = WAVELENGTH_SQUARED_AT_1GHZ / self.frequency**2
        n = self.frequency.size
        self.sigma = None
        if sigma is not None:
            self.sigma = _per_channel("sigma", sigma, n)
            if not np.all(self.sigma > 0):
                raise ValueError("sigma must be positive in every channel")
        if weights is None:
            self.weights = np.ones(n) if self.sigma is None else 1.0 / self.sigma**2
        else:
            self.weights = _per_channel("weights", weights, n)
        if not (np.all(self.weights >= 0) and np.count_nonzero(self.weights) >= 2):
            raise ValueError("weights must not be negative, and positive in at least two channels")

    def __repr__(self) -> str:
        low, high = np.min(self.frequency), np.max(self.frequency)
        return (
            f"{self.frequency.size} from {low:g} to {high:g} GHz, response {self.fwhm:.3g} rad/m2"
        )

    @property
    def used(self) -> np.ndarray:
        """True where a channel has weight."""
        return self.weights > 0

    @functools.cached_property
    def lambda0_squared(self) -> float:
        """Weighted mean of lambda^2 (m^2), to which the phases of a spectrum refer."""
        return float(np.average(self.lambda_squared, weights=self.weights))

    @functools.cached_property
    def fwhm(self) -> float:
        """Full width of |R(phi)| at half its maximum (rad/m^2), measured, not by a rule."""
        from scipy.optimize import brentq

        used = self.lambda_squared[self.used]
        step = 0.02 / (used.max() - used.min())
        above = lambda phi: float(np.abs(self.rmsf(np.asarray([phi]))[0])) - 0.5
        start = 0.0
        while above(start + step) > 0:
            start += step
        return 2.0 * float(brentq(above, start, start + step, xtol=1e-12 * step))

    @functools.cached_property
    def widths(self) -> Float[np.ndarray, " n_freq"]:
        """Width of each channel in lambda^2 (m^2): the smaller distance to a neighbour."""
        steps = np.abs(np.diff(self.lambda_squared))
        return np.minimum(np.append(steps, np.inf), np.append(np.inf, steps))

    @property
    def largest_scale(self) -> float:
        """Width in Faraday depth (rad/m^2) to which the channels are still sensitive: pi/min."""
        return math.pi / float(self.lambda_squared[self.used].min())

    @property
    def largest_depth(self) -> float:
        """Faraday depth (rad/m^2) at which a channel halves the signal: sqrt(3)/width."""
        return math.sqrt(3.0) / float(self.widths[self.used].max())

    def rmsf(self, phi: Any) -> Complex[np.ndarray, " n_phi"]:
        """R(phi): the spectrum of unit polarisation at Faraday depth 0, angle 0."""
        phase = np.multiply.outer(
            np.asarray(phi, float), self.lambda_squared - self.lambda0_squared
        )
        return np.exp(-2j * phase) @ self.weights / self.weights.sum()

    def phi(self, largest: float | None = None) -> Float[np.ndarray, " n_phi"]:
        """Depths (rad/m^2) from -largest to largest, ten to the width of the response.

        **Arguments:**

        - `largest`: default `largest_depth`, at least five widths.
        """
        if largest is None:
            largest = max(self.largest_depth, 5.0 * self.fwhm)
        count = math.ceil(10.0 * largest / self.fwhm)
        return np.linspace(-largest, largest, 2 * count + 1)


def _per_channel(name: str, value: Any, n: int) -> np.ndarray:
    found = np.asarray(value, dtype=float)
    if found.shape not in ((), (n,)):
        raise ValueError(f"{name} must have one number for each of {n} channels, got {found.shape}")
    if not np.all(np.isfinite(found)):
        raise ValueError(f"{name} must be finite; give weight 0 to a channel that is not used")
    return np.broadcast_to(found, (n,)).copy()

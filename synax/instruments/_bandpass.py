"""Bands: what a receiver of finite width makes of a spectrum, and of rotating polarisation."""

import functools
import math
import os
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .._checks import concrete, finite, is_traced, shaped, shown, warn
from .._constants import WAVELENGTH_SQUARED_AT_1GHZ
from .._numerics._quadrature import gauss_legendre
from .._parameters import in_units, without_unit
from .._shown import Shown
from ..maps._stokes import Stokes
from ..maps._units import BRIGHTNESS_UNITS, conversion_factor, kelvin_rj_per
from ..sightlines._sightlines import Sightlines
from ._quadrature import gauss_of_measure


def _as_tuple(value: Any, name: str = "frequency", unit: str = "GHz") -> tuple[float, ...]:
    """Numbers in a row, known before tracing; `ValueError` or `TypeError` that names them."""
    value = concrete(name, without_unit(value, unit, name))
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, got {shown(value)}") from None
    if numbers.size == 0:
        raise ValueError(f"{name} must have at least one value, got none")
    return tuple(numbers.tolist())


def _weights(value: Any) -> tuple[float, ...]:
    return _as_tuple(value, "weight", "")


def _array(value: Any) -> Any:
    """Real numbers as NumPy's array, or JAX's if they are being traced."""
    return jnp.asarray(value, float) if is_traced(value) else np.asarray(value, dtype=float)


class Bandpass(Shown):
    """The response of a receiver to specific intensity, at given frequencies.

    T_RJ = int w nu^2 T dnu / int w nu^2 dnu, by the trapezoidal rule over the frequencies: PySM's
    convention (w is the response to I_nu, in Jy/sr). Only ratios of weights count.

    **Arguments:**

    - `frequency`: (n,) GHz or Quantity, increasing. One frequency is a band without width.
    - `weight`: (n,), not negative.

    `Bandpass.top_hat(low, high)`, `Bandpass.of_temperature(frequency, weight)` for responses to
    Rayleigh-Jeans temperature, `Bandpass.read(path)` for files of WMAP and Planck.

    **Raises** `ValueError` for frequencies out of order, or weights that do not fit. **Warns** if
    the frequencies are too few for the trapezoidal rule.

    **Reference:** Planck 2013 results IX, A&A 571, A9, eqs. 4 to 11 (conventions).
    """

    frequency: tuple[float, ...] = eqx.field(static=True, converter=_as_tuple)
    """GHz."""
    weight: tuple[float, ...] = eqx.field(static=True, converter=_weights)
    measure: tuple[float, ...] = eqx.field(static=True, default=())
    """Weight times the width that each frequency stands for; made from the others."""

    def __post_init__(self):
        self.frequency, self.weight = _as_tuple(self.frequency), _weights(self.weight)
        nu, w = np.asarray(self.frequency), np.asarray(self.weight)
        if nu.ndim != 1 or nu.shape != w.shape:
            raise ValueError(
                f"frequency and weight must be (n,) alike, got {nu.shape} and {w.shape}"
            )
        if not (np.all(np.isfinite(nu)) and np.all(nu > 0)):
            raise ValueError("frequency must be finite and positive (GHz)")
        wrong = np.flatnonzero(np.diff(nu) <= 0)
        if wrong.size:
            k = int(wrong[0])
            raise ValueError(
                f"frequency must increase; entries {k} and {k + 1} are {nu[k]:g} and "
                f"{nu[k + 1]:g} GHz: sort them, and the weights with them"
            )
        if not (np.all(np.isfinite(w)) and np.all(w >= 0) and w.max() > 0):
            raise ValueError("weight must be finite, not negative, and positive somewhere")
        if not self.measure:
            step = np.gradient(nu) if nu.size > 1 else np.ones(1)
            step[[0, -1]] *= 0.5 if nu.size > 1 else 1.0
            self.measure = tuple((w * step).tolist())
            _warn_if_coarse(nu, w)
        if sum(self.measure) <= 0:
            raise ValueError("weight must be positive at more than the ends of the band")

    @staticmethod
    def top_hat(low: Any, high: Any) -> "Bandpass":
        """A flat response between two frequencies (GHz or Quantity), with exact integrals."""
        (low,), (high,) = _as_tuple(low), _as_tuple(high)
        if not 0 < low < high:
            raise ValueError(f"low must be positive and below high (GHz), got {low} and {high}")
        x, step = gauss_legendre(96)
        nu = 0.5 * (low + high) + 0.5 * (high - low) * x
        return Bandpass(nu, np.ones_like(nu), tuple((0.5 * (high - low) * step).tolist()))

    @staticmethod
    def of_temperature(frequency: Any, weight: Any) -> "Bandpass":
        """The band of a receiver whose `weight` is its response to Rayleigh-Jeans temperature.

        That is how WMAP's and Planck LFI's responses are published; w is divided by nu^2.
        """
        nu, w = np.asarray(_as_tuple(frequency)), np.asarray(_weights(weight))
        if nu.shape != w.shape:
            raise ValueError(
                f"frequency and weight must be (n,) alike, got {nu.shape} and {w.shape}"
            )
        return Bandpass(nu, w / nu**2)

    @staticmethod
    def read(path: str | os.PathLike, channel: str | None = None) -> "Bandpass":
        """The band in a file: text in columns (WMAP's, or two of any kind), or Planck's RIMO.

        **Arguments:**

        - `channel`: the table of a FITS file, such as '030' or 'BANDPASS_F100'.

        - WMAP: GHz, and the response of two detectors to Rayleigh-Jeans temperature, which are
          weighted by their areas. - Two columns: GHz, and the response to I_nu.
        - Planck LFI: GHz and response to Rayleigh-Jeans temperature. HFI: cm^-1, response to I_nu.

        **Raises** `FileNotFoundError`; `ValueError` that names the file and what it lacks.
        """
        from ._band_files import read_band

        frequency, weight, of_temperature = read_band(path, channel)
        make = Bandpass.of_temperature if of_temperature else Bandpass
        return make(frequency, weight)

    @functools.cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies (GHz), and normalised weights of T_RJ at them."""
        nu = np.asarray(self.frequency)
        share = np.asarray(self.measure) * nu**2
        return nu, share / share.sum()

    def effective_frequency(self, index: Any = 0.0) -> Any:
        """Mean frequency (GHz) of what the band receives from a source of T_RJ ~ nu^index.

        A float; a scalar array, if JAX traces the index.
        """
        nu, share = self._arrays
        received = share * (nu / nu[0]) ** index
        mean = nu @ received / received.sum()
        return mean if is_traced(mean) else float(mean)

    def average(self, values: Float[Array, "n *shape"]) -> Float[Array, "*shape"]:
        """The band's Rayleigh-Jeans temperature, from those at all its frequencies."""
        return jnp.tensordot(jnp.asarray(self._arrays[1], values.dtype), values, axes=1)

    def colour_correction(self, index: Any, reference: Any) -> Float[Array | np.ndarray, "*shape"]:
        """What to multiply the band's T_RJ by to have it at `reference`, for T_RJ ~ nu^index.

        **Arguments:**

        - `index`: a number or array (synchrotron about -3), which JAX may trace.
        - `reference`: GHz.
        """
        nu, share = self._arrays
        (reference,) = _as_tuple(reference)
        index = _array(index)
        return _array(1.0 / ((nu / reference) ** index[..., None] @ share))

    def unit_factor(self, source: str, target: str, reference: Any = None) -> float:
        """Number to multiply a map of this band in unit `source` by to have it in `target`.

        - K_RJ: as above. K_CMB: int w nu^2 T / int w nu^2 a(nu), a = x^2 e^x/(e^x - 1)^2.
        - Jy/sr: the mean, int w I_nu / int w (PySM); with a `reference` (GHz) that of a source of
          constant nu I_nu: int w I_nu / int w (reference/nu) (IRAS, Planck HFI).

        **Raises** `ValueError` for an unknown unit.
        """
        return self._per_kelvin(target, reference) / self._per_kelvin(source, reference)

    def _per_kelvin(self, unit: str, reference: Any) -> float:
        """What T_RJ = 1 K over the whole band is called in `unit`."""
        nu, share = self._arrays
        if unit not in BRIGHTNESS_UNITS or unit.endswith("K_RJ"):
            return conversion_factor("K_RJ", unit, 1.0)
        if unit.endswith("K_CMB"):
            return 1.0 / float(share @ [kelvin_rj_per(unit, f) for f in nu])
        measure = np.asarray(self.measure)
        if reference is not None:
            measure = measure * _as_tuple(reference)[0] / nu
        at_1_ghz = 1.0 / kelvin_rj_per(unit, 1.0)
        return at_1_ghz * float(np.asarray(self.measure) @ nu**2) / float(measure.sum())

    def depolarisation(self, rotation_measure: Any) -> Complex[Array | np.ndarray, "*shape"]:
        """Polarisation of a band with unit polarisation behind an RM (rad/m^2), per its own.

        int w exp(2i RM lambda^2) dnu / int w dnu, for constant polarised intensity. Narrow bands:
        see `narrow_channel`.
        """
        nu, measure = np.asarray(self.frequency), np.asarray(self.measure)
        x = WAVELENGTH_SQUARED_AT_1GHZ / nu**2
        rm = _array(without_unit(rotation_measure, "rad/m2", "rotation_measure"))
        exp = jnp.exp if is_traced(rm) else np.exp
        mean = exp(2j * rm[..., None] * x) @ (measure / measure.sum())
        return mean if is_traced(mean) else np.asarray(mean)

    def nodes(self, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies (GHz) and weights that stand for the band: Gauss quadrature of w nu^2.

        The average of any polynomial in nu of degree below twice the `count` is exact.
        """
        return gauss_of_measure(*self._arrays, count)

    def nodes_for(self, rotation_measure: Any, tolerance: float = 1e-4) -> int:
        """How many nodes average exp(2i RM lambda^2) nu^-3 to `tolerance`, for |RM| up to this."""
        nu, share = self._arrays
        rm = without_unit(rotation_measure, "rad/m2", "rotation_measure")
        rm = np.asarray(concrete("rotation_measure", rm), float)
        finite("rotation_measure", shaped("rotation_measure", rm, (), "rad/m2"), "rad/m2")
        x = lambda f: WAVELENGTH_SQUARED_AT_1GHZ / f**2
        source = lambda f: (f / nu[0]) ** -3.0 * np.exp(2j * rm * x(f))
        exact, scale = source(nu) @ share, np.abs(source(nu)) @ share
        for count in range(1, nu.size):
            f, weights = self.nodes(count)
            if abs(source(f) @ weights - exact) < tolerance * scale:
                return count
        return nu.size

    def narrow(self, sky: Any, rays: Sightlines, index: Any = -3.0) -> Stokes:
        """I, Q, U (and V) of a simulator through this band as one narrow channel.

        One frequency, at which lambda^2 has its mean over what the band receives, and sin(x)/x of
        the rotation across it at every cell: the cost of a single frequency. The mean and the
        scatter of lambda^2 are those of a source of T_RJ ~ nu^index, so errors are of third order
        in the width: 1.2 10^-3 for 1.3 % and a rotation by 3 rad across the band.

        **Arguments:**

        - `sky`: a simulator that takes `width`, as `Synchrotron` does.
        - `index`: of the brightness temperature.

        **Returns** `Stokes` in K (Rayleigh-Jeans), IAU, each (n_rays,).

        **Raises** `ValueError` for bands wider than a fifth of their frequency.
        """
        nu, share = self._arrays
        received = share * (nu / nu[0]) ** concrete("index", index)
        total, received = received.sum(), received / received.sum()
        x = nu**-2.0
        mean = float(x @ received)
        scatter = math.sqrt(max(float((x - mean) ** 2 @ received), 0.0))
        middle = mean**-0.5
        # a flat channel has sqrt(12) standard deviations, and lambda^2 twice the relative width
        seen = sky(rays, middle, width=middle * math.sqrt(3.0) * scatter / mean)
        factor = float(total / (middle / nu[0]) ** index)
        return jax.tree.map(lambda x: factor * x, seen)

    def __call__(self, sky: Any, rays: Sightlines, nodes: int = 4) -> Stokes:
        """I, Q, U (and V) of a simulator through this band, by one march for all nodes.

        **Arguments:**

        - `sky`: a simulator, `sky(rays, frequency) -> Stokes`.
        - `nodes`: frequencies inside the band; `nodes_for(rm)` says how many Faraday rotation
          needs.

        **Returns** `Stokes` in K (Rayleigh-Jeans), IAU, each (n_rays,).
        """
        nu, weights = self.nodes(nodes)
        return self.combine(sky(rays, nu), weights)

    def combine(self, stokes: Stokes, weights: Float[np.ndarray, " n"]) -> Stokes:
        """The band's Stokes parameters from those at its nodes, (n, n_rays) each."""
        mean = lambda x: jnp.tensordot(jnp.asarray(weights, x.dtype), x, axes=1)
        return jax.tree.map(mean, stokes)


@in_units(rotation_measure="rad/m2", frequency="GHz", width="GHz")
def narrow_channel(rotation_measure: Any, frequency: Any, width: Any) -> Float[Array, "*shape"]:
    """Depolarisation within a narrow channel: sinc(2 RM lambda^2 dnu/nu) of the unrotated.

    **Arguments:**

    - `rotation_measure`: rad/m^2.
    - `frequency`, `width`: centre and full width of the channel, GHz; all broadcast. The phase is
      that at the centre; errors are of second order in width/frequency.

    **Reference:** Gardner & Whiteoak 1966, ARA&A 4, 245.
    """
    nu = jnp.asarray(frequency, float)
    turn = 2.0 * jnp.asarray(rotation_measure) * WAVELENGTH_SQUARED_AT_1GHZ / nu**2
    return jnp.sinc(turn * jnp.asarray(width) / nu / jnp.pi)


def _warn_if_coarse(nu: np.ndarray, w: np.ndarray) -> None:
    """Compare the trapezoidal rule with the integral of the broken line between the samples."""
    if nu.size < 2:
        return
    x, step = gauss_legendre(8)
    middle, half = 0.5 * (nu[1:] + nu[:-1]), 0.5 * np.diff(nu)
    f = middle[:, None] + half[:, None] * x
    line = np.interp(f.ravel(), nu, w).reshape(f.shape) * step * half[:, None]
    exact = float(np.sum(line / f) / np.sum(line * f**2))
    rule = float(np.trapezoid(w / nu, nu) / np.trapezoid(w * nu**2, nu))
    if abs(rule / exact - 1.0) > 1e-3:
        warn(
            f"a band of {nu.size} samples errs by {abs(rule / exact - 1.0):.2%} for a spectrum "
            "T ~ nu^-3: give more samples, or Bandpass.top_hat(low, high) for a flat band",
        )

"""RM synthesis: from Q and U at many wavelengths to polarisation by Faraday depth."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .._checks import warn
from .._shown import Shown
from ._channels import Channels
from ._clean import Cleaned, clean


class Peak(NamedTuple):
    """The highest point of each Faraday spectrum, each entry (*sky,)."""

    depth: Float[Array, "*sky"]
    """Faraday depth, rad/m^2."""
    depth_error: Float[Array, "*sky"]
    """Its standard deviation, rad/m^2."""
    polarisation: Float[Array, "*sky"]
    """|F| there, in the unit of Q and U."""
    noise: Float[Array, "*sky"]
    """Standard deviation of the real and of the imaginary part of F."""
    angle: Float[Array, "*sky"]
    """Polarisation angle at the source, (-pi/2, pi/2] rad."""
    angle_error: Float[Array, "*sky"]
    """Its standard deviation, rad."""


class Synthesis(Shown):
    """The Faraday spectrum that `rm_synthesis` finds ("dirty": blurred by the response).

    F(phi) = sum w P exp(-2i phi (lambda^2 - lambda_0^2)) / sum w
    """

    phi: Float[np.ndarray, " n_phi"]
    """Faraday depths, rad/m^2."""
    values: Complex[Array, "n_phi *sky"]
    """F(phi), in the unit of Q and U per response (RMSF)."""
    data: Complex[Array, "n_freq *sky"]
    """Q + iU; zero in channels that have no weight."""
    channels: Channels = eqx.field(static=True)

    @property
    def lambda0_squared(self) -> float:
        """m^2, to which the phases refer."""
        return self.channels.lambda0_squared

    @property
    def fwhm(self) -> float:
        """Width of the response, rad/m^2."""
        return self.channels.fwhm

    @property
    def rmsf(self) -> Complex[np.ndarray, " n_phi"]:
        """The response R at the same depths."""
        return self.channels.rmsf(self.phi)

    @property
    def noise(self) -> Float[Array, "*sky"]:
        """Standard deviation of the real and of the imaginary part of F.

        From the channels' sigma where it was given; else from the scatter of each channel about
        its neighbour, both derotated by the depth of the highest sample.
        """
        c = self.channels
        share = c.weights / c.weights.sum()
        if c.sigma is not None:
            level = np.sqrt(np.sum((share * c.sigma) ** 2))
            return jnp.full(self.values.shape[1:], level, self.data.real.dtype)
        used = np.flatnonzero(c.used)
        depth = _highest(self.phi, self.values)
        turn = _by_channel(c.lambda_squared[used], depth.ndim) * depth
        relative = _by_channel(np.sqrt(share[used] / share.max()), depth.ndim)
        step = jnp.diff(self.data[used] * jnp.exp(-2j * turn), axis=0)
        # a difference of two complex numbers holds four times the variance of one component
        both = relative[1:] ** 2 * relative[:-1] ** 2 / (relative[1:] ** 2 + relative[:-1] ** 2)
        sigma = jnp.sqrt(jnp.mean(jnp.abs(step) ** 2 * both, axis=0) / 2.0)
        return sigma * np.sqrt(np.sum(share[used]) * share.max())

    def peak(self) -> Peak:
        """Depth, amplitude and angle of the maximum of |F|, between the sampled depths.

        The maximum of the exact F(phi) is found by Newton's method from the highest sample.
        Errors are those of a single thin component in the noise (`noise`); with weights
        1/sigma^2 they are the smallest possible.

        **Reference:** Brentjens & de Bruyn 2005, A&A 441, 1217, sect. 4.3 and appendix A.
        """
        c, noise = self.channels, self.noise
        x = c.lambda_squared - c.lambda0_squared
        weights = c.weights / c.weights.sum()
        depth = _refined(self.phi, self.values, self.data, x, weights)
        phase = _by_channel(x, depth.ndim) * depth
        f = jnp.sum(_by_channel(weights, depth.ndim) * self.data * jnp.exp(-2j * phase), axis=0)
        height = jnp.abs(f)
        sigma = c.sigma
        if sigma is None:  # noise as the weights say: 1/sigma^2
            sigma = np.where(c.used, 1.0 / np.sqrt(np.where(c.used, weights, 1.0)), 0.0)
        unit = np.sqrt(np.sum((weights * sigma) ** 2))
        scatter = np.sqrt(np.sum((weights * sigma * x) ** 2)) / np.sum(weights * x * x) / unit
        relative = noise / jnp.where(height > 0, 2.0 * height, 1.0)
        turn = jnp.angle(f) - 2.0 * depth * c.lambda0_squared
        angle = 0.5 * (turn - 2.0 * np.pi * jnp.ceil(turn / (2.0 * np.pi) - 0.5))
        error = relative * np.sqrt(1.0 + (scatter * c.lambda0_squared) ** 2)
        return Peak(depth, relative * scatter, height, noise, angle, error)

    def moments(self, threshold: Any = 0.0) -> tuple[Array, Array, Array]:
        """Integrated polarisation, mean depth and width of |F| where it exceeds `threshold`.

        **Arguments:**

        - `threshold`: in the unit of Q and U, a number or (*sky,).

        **Returns** three arrays (*sky,): sum |F| over depth divided by the response's width, in
        the unit of Q and U; mean (rad/m^2); standard deviation (rad/m^2). NaN where nothing
        exceeds the threshold.
        """
        return moments(self.phi, self.values, threshold, self.fwhm)

    def clean(self, threshold: Any, gain: float = 0.1, iterations: int = 1000) -> Cleaned:
        """RM-CLEAN: the spectrum as a sum of thin components, restored with a Gaussian.

        **Arguments:**

        - `threshold`: stop where |F| falls below it, in the unit of Q and U; a number or (*sky,).
        - `gain`: part of the highest point that is taken in one step, in (0, 1].
        - `iterations`: at most this many steps for each line of sight.

        **Returns** `Cleaned`: components, residual and restored spectrum, (n_phi, *sky).

        **Raises** `ValueError` unless depths are equally spaced and gain and threshold make sense.

        **Reference:** Heald, Braun & Edmonds 2009, A&A 503, 409, appendix A.
        """
        return clean(self.phi, self.values, self.channels, threshold, gain, iterations)


def rm_synthesis(
    frequencies: Any,
    Q: Any,
    U: Any,
    phi: Any = None,
    *,
    weights: Any = None,
    sigma: Any = None,
) -> Synthesis:
    """The Faraday spectrum of Q and U measured in many channels.

    F(phi) = sum w P exp(-2i phi (lambda^2 - lambda_0^2)) / sum w,  P = Q + iU

    **Arguments:**

    - `frequencies`: (n_freq,) GHz or Quantity, rising or falling; gaps are allowed.
    - `Q`, `U`: (n_freq, *sky), any unit, the same for both; IAU sign of U. They are
      differentiable; channels of weight zero may hold anything.
    - `phi`: (n_phi,) Faraday depths, rad/m^2, increasing; None: as far as the channels see, ten to
      the width of the response.
    - `weights`: (n_freq,), for instance 1/sigma^2 or 0. `sigma`: noise of Q and U in each channel;
      without `weights` the weights are 1/sigma^2.

    **Returns** `Synthesis`: `values` (n_phi, *sky), `rmsf`, `fwhm`, `lambda0_squared`, `peak()`,
    `moments()`, `clean()`. Positive depths are of fields that point to the observer.

    **Raises** `ValueError` for channels out of order, shapes or units that differ, data that are
    not finite. **Warns** where depths lie beyond what the channels resolve, or too far apart.

    **Reference:** Brentjens & de Bruyn 2005, A&A 441, 1217, eqs. 25, 26 and 38.

    ```python
    nu = np.linspace(0.8, 1.088, 288)
    angle = 0.3 + 50.0 * (0.299792458 / nu) ** 2
    found = synax.rm_synthesis(nu, np.cos(2 * angle), np.sin(2 * angle))
    assert abs(found.peak().depth - 50.0) < 1e-6
    ```
    """
    channels = Channels(frequencies, weights, sigma)
    q, u = _same_unit(Q, U)
    n = channels.frequency.size
    for name, value in (("Q", q), ("U", u)):
        if value.ndim == 0 or value.shape[0] != n:
            raise ValueError(f"{name} must be ({n}, *sky) for {n} channels, got {value.shape}")
    if q.shape != u.shape:
        raise ValueError(f"Q and U must have the same shape, got {q.shape} and {u.shape}")
    if not np.all(channels.used):
        keep = _by_channel(channels.used, q.ndim - 1)
        q, u = jnp.where(keep, q, 0.0), jnp.where(keep, u, 0.0)
    _check_finite(q, u)
    depths = channels.phi() if phi is None else _check_phi(phi)
    if phi is not None:
        _warn_about(depths, channels)
    data = jax.lax.complex(q, u)
    phase = np.multiply.outer(depths, channels.lambda_squared - channels.lambda0_squared)
    kernel = np.exp(-2j * phase) * (channels.weights / channels.weights.sum())
    values = jnp.tensordot(jnp.asarray(kernel, data.dtype), data, axes=1)
    return Synthesis(depths, values, data, channels)


def moments(
    phi: np.ndarray, values: Complex[Array, "n_phi *sky"], threshold: Any, width: float
) -> tuple[Array, Array, Array]:
    """Zeroth, first and second moment of |F| above a threshold; see `Synthesis.moments`."""
    height = jnp.abs(values)
    height = jnp.where(height > jnp.asarray(threshold), height, 0.0)
    step = np.gradient(phi) if phi.size > 1 else np.ones(1)
    depth, step = (_by_channel(x, height.ndim - 1) for x in (phi, step))
    total = jnp.sum(height * step, axis=0)
    there = total > 0
    safe = jnp.where(there, total, 1.0)
    mean = jnp.sum(depth * height * step, axis=0) / safe
    variance = jnp.sum((depth - mean) ** 2 * height * step, axis=0) / safe
    spread = jnp.where(variance > 0, jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)
    blank = lambda x: jnp.where(there, x, jnp.nan)
    return total / width, blank(mean), blank(spread)


def _by_channel(x: Any, ndim: int) -> Any:
    return np.asarray(x).reshape(-1, *(1,) * ndim)


def _same_unit(q: Any, u: Any) -> tuple[Array, Array]:
    if hasattr(q, "to_value") != hasattr(u, "to_value"):
        bare, name = (q, "Q") if hasattr(u, "to_value") else (u, "U")
        raise ValueError(
            f"Q and U must have the same unit; {name} is a bare {type(bare).__name__} while the "
            "other has one"
        )
    if hasattr(q, "to_value"):
        if not u.unit.is_equivalent(q.unit):
            raise ValueError(f"Q and U must have the same unit, got '{q.unit}' and '{u.unit}'")
        q, u = q.value, u.to_value(q.unit)
    q, u = jnp.asarray(q), jnp.asarray(u)
    for name, value in (("Q", q), ("U", u)):
        if jnp.iscomplexobj(value):
            raise ValueError(f"{name} must be real, got {value.dtype}")
    dtype = jnp.result_type(q, u)
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
    return q.astype(dtype), u.astype(dtype)


def _check_finite(q: Array, u: Array) -> None:
    for name, value in (("Q", q), ("U", u)):
        if isinstance(value, jax.core.Tracer):
            continue
        bad = ~np.isfinite(np.asarray(value)).reshape(value.shape[0], -1)
        if bad.any():
            channel = int(np.flatnonzero(bad.any(axis=1))[0])
            raise ValueError(
                f"{name} is not finite in channel {channel}: give weights with a zero there"
            )


def _check_phi(phi: Any) -> np.ndarray:
    phi = phi.to_value("rad/m2") if hasattr(phi, "to_value") else phi
    phi = np.asarray(phi, dtype=float)
    if phi.ndim != 1 or phi.size < 1 or not np.all(np.isfinite(phi)):
        raise ValueError(f"phi must be finite depths (n_phi,) in rad/m2, got shape {phi.shape}")
    if not np.all(np.diff(phi) > 0):
        raise ValueError("phi must increase (rad/m2)")
    return phi


def _warn_about(phi: np.ndarray, channels: Channels) -> None:
    farthest, limit = float(np.abs(phi).max()), channels.largest_depth
    if farthest > limit:
        warn(
            f"phi goes to {farthest:g} rad/m2, but channels this wide halve what lies beyond "
            f"{limit:g} rad/m2: use narrower channels or a smaller range",
        )
    span = float(np.ptp(phi))
    if phi.size > 1 and span < channels.fwhm / 100:
        warn(
            f"phi spans {span:g} rad/m2, a small part of the response's width of "
            f"{channels.fwhm:.4g} rad/m2: no spectrum has a shape there; use a larger range, and "
            "frequencies in GHz"
        )
    step = float(np.diff(phi).max()) if phi.size > 1 else 0.0
    if step > channels.fwhm / 2:
        warn(
            f"phi has steps of {step:g} rad/m2, more than half of the response's width of "
            f"{channels.fwhm:g} rad/m2: peaks can fall between samples; use steps of "
            f"{channels.fwhm / 4:g} or less",
        )


def _highest(phi: np.ndarray, values: Array) -> Array:
    """Depth of the highest sample of each spectrum."""
    return jnp.asarray(phi)[jnp.argmax(jnp.abs(jax.lax.stop_gradient(values)), axis=0)]


def _refined(
    phi: np.ndarray, values: Array, data: Array, x: np.ndarray, weights: np.ndarray
) -> Array:
    """Where |F(phi)|^2 has its maximum: Newton from the highest sample, within one step of it."""
    start = _highest(phi, values)
    reach = float(np.diff(phi).max()) if phi.size > 1 else np.inf
    x, weights = _by_channel(x, start.ndim), _by_channel(weights, start.ndim)

    def newton(_: Any, depth: Array) -> Array:
        term = weights * data * jnp.exp(-2j * x * depth)
        f, slope, bend = (jnp.sum((-2j * x) ** k * term, axis=0) for k in range(3))
        first = jnp.real(jnp.conj(f) * slope)
        second = jnp.real(jnp.conj(f) * bend) + jnp.abs(slope) ** 2
        moved = depth - jnp.where(second < 0, first / jnp.where(second < 0, second, 1.0), 0.0)
        return jnp.clip(moved, start - reach, start + reach)

    return jax.lax.fori_loop(0, 8, newton, start)

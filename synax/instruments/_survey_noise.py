"""Noise of surveys: how it depends on the pixels, realisations, and what a likelihood needs."""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .. import _checks as checks
from .._numerics._harmonics import multipoles, synthesis
from .._parameters import as_parameter, holds
from .._shown import Shown
from ..inference import AbstractNoise, GaussianNoise, LowRankNoise

MOST_MODES = 2500
"""Modes of correlated noise that a likelihood can hold."""


def pixel_area(nside: int) -> float:
    """Solid angle of a HEALPix pixel, square degrees."""
    return math.degrees(1.0) ** 2 * math.pi / (3.0 * nside**2)


class AbstractSurveyNoise(Shown):
    """Noise of a survey, in the unit of its maps, on pixels of any size (RING order)."""

    @abc.abstractmethod
    def sigma(self, stokes: tuple[str, ...], nside: int) -> Float[Array, "n_stokes n_pix"]:
        """Standard deviation of the independent noise of each pixel of the whole sky."""

    @abc.abstractmethod
    def draw(
        self, key: PRNGKeyArray, stokes: tuple[str, ...], nside: int
    ) -> Float[Array, "n_stokes n_pix"]:
        """One realisation over the whole sky."""

    @abc.abstractmethod
    def likelihood(
        self, stokes: tuple[str, ...], nside: int, pixels: np.ndarray, factor: float
    ) -> AbstractNoise:
        """The same noise in a likelihood for these pixels, in units `factor` times the map's."""


def _white(noise: AbstractSurveyNoise, key: Any, stokes: tuple[str, ...], nside: int) -> Array:
    sigma = noise.sigma(stokes, nside)
    return sigma * jax.random.normal(key, sigma.shape, sigma.dtype)


def _independent(
    noise: AbstractSurveyNoise,
    stokes: tuple[str, ...],
    nside: int,
    pixels: np.ndarray,
    factor: float,
) -> GaussianNoise:
    return GaussianNoise(factor * noise.sigma(stokes, nside)[:, pixels])


class WhiteNoise(AbstractSurveyNoise):
    """Independent noise, alike everywhere: sigma = depth / sqrt(pixel area).

    **Arguments:**

    - `depth`: noise of I in a square degree, unit of the map times degree.
    - `polarised`: the same of Q and of U; None: sqrt(2) times `depth`.
    """

    depth: Float[Array, ""] = eqx.field(converter=lambda x: as_parameter(x, "", "depth"))
    polarised: Float[Array, ""] | None = eqx.field(
        default=None, converter=lambda x: as_parameter(x, "", "polarised")
    )

    def __check_init__(self):
        for name, value in (("depth", self.depth), ("polarised", self.polarised)):
            if value is not None:
                checks.positive(name, checks.shaped(name, value, ()))

    def sigma(self, stokes, nside):
        polarised = math.sqrt(2.0) * self.depth if self.polarised is None else self.polarised
        depths = jnp.stack([self.depth if s == "I" else polarised for s in stokes])
        ones = jnp.ones((1, 12 * nside**2), depths.dtype)
        return depths[:, None] / math.sqrt(pixel_area(nside)) * ones

    def draw(self, key, stokes, nside):
        return _white(self, key, stokes, nside)

    def likelihood(self, stokes, nside, pixels, factor):
        return _independent(self, stokes, nside, pixels, factor)


class HitNoise(AbstractSurveyNoise):
    """Independent noise by the number of observations: sigma = sigma_0 / sqrt(hits).

    **Arguments:**

    - `sigma`: of one observation of I, unit of the map.
    - `hits`: (n_pix,) of the whole sky, RING; on coarser pixels they add up.
    - `polarised`: sigma of one observation of Q and of U; None: sqrt(2) sigma. Pixels without hits
      have infinite noise: mask them.
    """

    sigma_0: Float[Array, ""]
    hits: Float[Array, " n_pix"]
    polarised: Float[Array, ""] | None

    def __init__(self, sigma: Any, hits: Any, polarised: Any = None):
        self.sigma_0 = as_parameter(sigma, "", "sigma")
        self.hits = as_parameter(hits, "", "hits")
        self.polarised = as_parameter(polarised, "", "polarised")
        for name, value in (("sigma", self.sigma_0), ("polarised", self.polarised)):
            if value is not None:
                checks.positive(name, checks.shaped(name, value, ()))
        _check_map("hits", self.hits)

    def sigma(self, stokes, nside):
        hits = _resampled("hits", self.hits, nside, total=True)
        polarised = math.sqrt(2.0) * self.sigma_0 if self.polarised is None else self.polarised
        one = jnp.stack([self.sigma_0 if s == "I" else polarised for s in stokes])
        return one[:, None] / jnp.sqrt(hits)

    def draw(self, key, stokes, nside):
        return _white(self, key, stokes, nside)

    def likelihood(self, stokes, nside, pixels, factor):
        return _independent(self, stokes, nside, pixels, factor)


class VarianceNoise(AbstractSurveyNoise):
    """Independent noise by maps of its variance.

    **Arguments:**

    - `variance`: (n_pix,) for all Stokes parameters alike, or (n_stokes, n_pix), unit of the map
      squared, whole sky, RING. On coarser pixels the mean of n pixels has 1/n of the mean variance.
    """

    variance: Float[Array, "*stokes n_pix"] = eqx.field(
        converter=lambda x: as_parameter(x, "", "variance")
    )

    def __check_init__(self):
        _check_map("variance", self.variance)

    def sigma(self, stokes, nside):
        own = math.isqrt(self.variance.shape[-1] // 12)
        ratio = (own // nside) ** 2
        variance = _resampled("variance", self.variance, nside, total=False) / ratio
        return jnp.sqrt(jnp.broadcast_to(variance, (len(stokes), variance.shape[-1])))

    def draw(self, key, stokes, nside):
        return _white(self, key, stokes, nside)

    def likelihood(self, stokes, nside, pixels, factor):
        return _independent(self, stokes, nside, pixels, factor)


class CorrelatedNoise(AbstractSurveyNoise):
    """White noise that rises at large angles, as drifts make it: N_l = N (1 + (l/knee)^slope).

    **Arguments:**

    - `white`: `WhiteNoise`.
    - `knee`: multipole at which both parts are equal.
    - `slope`: negative, usually -1 to -2. The monopole and dipole have no excess.

    Its likelihood holds the excess of every multipole up to where it is `least` of the white
    noise.
    """

    white: WhiteNoise
    knee: Float[Array, ""] = eqx.field(converter=lambda x: as_parameter(x, "", "knee"))
    slope: Float[Array, ""] = eqx.field(
        default=-1.5, converter=lambda x: as_parameter(x, "", "slope")
    )
    least: float = eqx.field(static=True, default=0.1)

    def __check_init__(self):
        checks.instance("white", self.white, WhiteNoise, "a WhiteNoise")
        checks.positive("knee", checks.shaped("knee", self.knee, ()))
        checks.finite("slope", checks.shaped("slope", self.slope, ()))
        if not holds(self.slope, lambda x: x < 0):
            raise ValueError(f"slope must be negative, got {self.slope}")
        least = self.least
        if isinstance(least, bool) or not isinstance(least, int | float) or not 0 < least < 1:
            raise ValueError(f"least must be between 0 and 1, got {checks.shown(least)}")

    def sigma(self, stokes, nside):
        return self.white.sigma(stokes, nside)

    def excess(self, lmax: int) -> Float[Array, " _"]:
        """(l/knee)^slope of l = 0 ... lmax, zero below 2."""
        ell = np.arange(lmax + 1)
        return jnp.where(ell < 2, 0.0, (np.maximum(ell, 1) / self.knee) ** self.slope)

    def _amplitudes(self, stokes: tuple[str, ...], nside: int, lmax: int) -> Array:
        """Standard deviation of each real degree of freedom of a_lm: (n_stokes, 2, n_alm)."""
        sigma = self.white.sigma(stokes, nside)[:, 0]
        level = sigma * math.sqrt(4.0 * math.pi / (12 * nside**2))
        ell = multipoles(lmax)
        zero = np.arange(ell.size) <= lmax
        part = np.stack([np.where(zero, 1.0, math.sqrt(0.5)), np.where(zero, 0.0, math.sqrt(0.5))])
        return level[:, None, None] * jnp.sqrt(self.excess(lmax))[ell] * part

    def draw(self, key, stokes, nside):
        one, two = jax.random.split(key)
        lmax = 2 * nside
        scale = self._amplitudes(stokes, nside, lmax)
        alm = scale * jax.random.normal(one, scale.shape, scale.dtype)
        return _to_maps(alm, stokes, nside, lmax) + self.white.draw(two, stokes, nside)

    def likelihood(self, stokes, nside, pixels, factor):
        reach = float(self.knee) * self.least ** (1.0 / float(self.slope))
        lmax = max(2, min(2 * nside, math.ceil(reach)))
        scale = np.asarray(self._amplitudes(stokes, nside, lmax))
        modes = np.argwhere(scale > 0)
        if len(modes) > MOST_MODES:
            raise ValueError(
                f"correlated noise with knee {float(self.knee):g} has {len(modes)} modes, more "
                f"than {MOST_MODES}: raise least, or give the likelihood a smaller knee"
            )
        unit = np.zeros((len(modes), *scale.shape))
        unit[np.arange(len(modes)), *modes.T] = scale[tuple(modes.T)]
        maps = _to_maps(jnp.asarray(unit), stokes, nside, lmax)
        columns = factor * np.asarray(maps)[:, :, pixels].reshape(len(modes), -1).T
        return LowRankNoise(factor * self.sigma(stokes, nside)[:, pixels], columns)


def _to_maps(
    alm: Float[Array, "*batch n_stokes 2 n_alm"], stokes: tuple[str, ...], nside: int, lmax: int
) -> Float[Array, "*batch n_stokes n_pix"]:
    """Maps of independent coefficients; Q and U as spin 2, IAU sign of U."""
    parts = []
    if "I" in stokes:
        parts.append(synthesis(alm[..., :1, :, :], nside, lmax))
    if "Q" in stokes:
        parts.append(synthesis(alm[..., -2:, :, :], nside, lmax) * jnp.asarray([[1.0], [-1.0]]))
    return jnp.concatenate(parts, axis=-2)


def _check_map(name: str, value: Array) -> None:
    n = value.shape[-1] if value.ndim else 0
    nside = math.isqrt(n // 12)
    if n < 12 or 12 * nside**2 != n:
        raise ValueError(f"{name} must be a whole HEALPix map (12 nside^2 pixels), got {n} pixels")
    if not holds(value, lambda x: np.isfinite(x) & (x >= 0)):
        raise ValueError(f"{name} must be finite and not negative")


def _resampled(name: str, values: Array, nside: int, total: bool) -> Array:
    """A map on coarser pixels: sums (hits) or means (variances)."""
    import healpy

    own = math.isqrt(values.shape[-1] // 12)
    if own == nside:
        return values
    if own < nside or own % nside:
        raise ValueError(f"{name} has nside {own}, which cannot be brought to nside {nside}")
    x, y, face = healpy.pix2xyf(own, np.arange(12 * own**2))
    ratio = own // nside
    parents = healpy.xyf2pix(nside, x // ratio, y // ratio, face)
    out = jnp.zeros((*values.shape[:-1], 12 * nside**2), values.dtype).at[..., parents].add(values)
    return out if total else out / ratio**2

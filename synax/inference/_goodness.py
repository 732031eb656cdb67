"""Is a fit a fit? chi^2 with its degrees of freedom, errors, correlations, a verdict in words."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._box import bounds, boxed
from ._curvature import curvature
from ._density import LatentDensity, Params
from ._likelihood import JointLikelihood, Likelihood
from ._noise import StudentTNoise
from ._search import MOST_PARAMETERS, Maxima
from ._units import unit_of

LOWEST_P = 1e-3
"""Data that are less probable than this under the fit make it a bad one."""
HIGHEST_P = 1.0 - 1e-4
"""Fits better than this are too good: noise stated too large, or fitted."""


@dataclasses.dataclass(frozen=True)
class Maximum:
    """One maximum of a posterior that the search met."""

    params: dict[str, np.ndarray]
    """{path: value} there."""
    logdensity: float
    """Log density of the posterior in the search's coordinates; only differences mean something."""
    share: float
    """Share of the probability, by the Gaussians at all maxima."""


@dataclasses.dataclass(frozen=True)
class Goodness:
    """How well parameters fit the data, and how well the data tell them."""

    verdict: str
    """In words, beginning with 'good', 'bad', 'too good' or 'unknown'."""
    good: bool | None
    """None where nothing is known: losses, and noise that is fitted itself."""
    chi2: float = math.nan
    """Sum of squares of the residuals in units of the noise."""
    count: int = 0
    """Data that were used."""
    degrees_of_freedom: float = math.nan
    """Data less the parameters that these determine (a prior that decides counts for less); with
    more than 64 free numbers, of which nobody counts how many the data determine, all data."""
    p_value: float = math.nan
    """Probability that noise alone gives a larger chi^2; NaN where chi^2 follows no known law."""
    labels: tuple[str, ...] = ()
    """A name for each number of `deviations` and `correlation`."""
    deviations: Float[np.ndarray, " n"] | None = None
    """Standard deviations from the Fisher matrix and the priors' curvature, in the parameters'
    units; None for more than 64 numbers."""
    correlation: Float[np.ndarray, "n n"] | None = None
    """Correlations of the same."""
    errors: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """`deviations` as {path: array}."""
    units: dict[str, str] = dataclasses.field(default_factory=dict)
    """{path: unit}; '' where a parameter has none."""
    maxima: tuple[Maximum, ...] = ()
    """Distinct maxima that the search met, the highest first."""
    warnings: tuple[str, ...] = ()
    """What a user must know before using the numbers."""


def goodness_of_loss() -> Goodness:
    """What can be said of a plain loss: nothing about noise."""
    return Goodness(
        "unknown: a loss without a likelihood has no noise to compare its residuals with", None
    )


def goodness_of_squares(residuals: Any, free: int) -> Goodness:
    """What can be said of least squares: chi^2, if the residuals are in units of their noise."""
    count = sum(np.size(r) for r in jax.tree.leaves(residuals))
    chi2 = float(sum(np.sum(np.asarray(r, np.float64) ** 2) for r in jax.tree.leaves(residuals)))
    freedom = float(count - free)
    p = _survival(chi2, freedom)
    good, verdict = _words(chi2, count, freedom, p)
    note = f"{verdict}, if the residuals are in units of their noise"
    return Goodness(note, good, chi2, count, freedom, p)


def goodness(posterior: LatentDensity, params: Params, found: Maxima | None) -> Goodness:
    """All of it for a `Posterior` at some parameters.

    **Arguments:**

    - `found`: what the search before the fit met, if there was one.
    """
    likelihood = posterior.likelihood
    chi2, count = float(_chi2(posterior, params)), likelihood.count
    units = {path: unit_of(posterior, path) for path in posterior.paths}
    deviations = correlation = None
    errors: dict[str, np.ndarray] = {}
    freedom, edges = float(count), []
    if posterior.size <= MOST_PARAMETERS:
        covariance, told, edges = _covariance(posterior, params)
        deviations = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = covariance / np.outer(deviations, deviations)
        errors = {p: np.asarray(v) for p, v in posterior.unflatten(jnp.asarray(deviations)).items()}
        freedom = count - told
    law = _law(posterior)
    p = _survival(chi2, freedom) if law is None else math.nan
    good, verdict = _words(chi2, count, freedom, p) if law is None else (None, _unknown(chi2, law))
    if law is None and deviations is None and good is not False:
        good, verdict = _words_of_many(chi2, count, posterior.size)
    maxima = () if found is None else _maxima(posterior, found)
    warnings = [] if good is not False else [verdict]
    rivals = [m for m in maxima[1:] if m.share > 1e-3]
    if rivals:
        top = maxima[0].logdensity
        heights = ", ".join(f"{m.logdensity - top:+.1f} ({m.share:.2g})" for m in rivals)
        warnings.append(
            f"{len(rivals) + 1} maxima compete: ln p of the others (and their share of the "
            f"probability) is {heights}; the errors know the highest alone: sample, or look at "
            "`maxima`"
        )
    if edges:
        warnings.append(
            f"{', '.join(edges)} at the edge of the prior: its error is cut by the edge; widen the "
            "prior, or fix the parameter"
        )
    return Goodness(
        verdict, good, chi2, count, freedom, p, posterior.labels, deviations, correlation,
        errors, units, maxima, tuple(warnings),
    )  # fmt: skip


@eqx.filter_jit
def _chi2(posterior: LatentDensity, params: Params) -> Float[Array, ""]:
    return jnp.sum(posterior.residuals(params) ** 2)


@eqx.filter_jit
def _slopes(posterior: LatentDensity, latent: Array) -> Float[Array, "n_params n_latent"]:
    return jax.jacfwd(lambda z: posterior.flatten(posterior.constrain(z)))(latent)


def _covariance(posterior: LatentDensity, params: Params) -> tuple[np.ndarray, float, list[str]]:
    """Covariance of the parameters, how many of them the data tell, and those at an edge."""
    straight = boxed(posterior)
    low, high = (np.asarray(x, np.float64) for x in bounds(straight))
    latent = np.clip(np.asarray(straight.unconstrain(params), np.float64), low, high)
    edge = np.minimum(latent - low, high - latent)
    here = curvature(straight, jnp.asarray(latent, posterior.dtype))
    fisher, precision = (np.asarray(m, np.float64) for m in (here.fisher, here.precision))
    if not np.all(np.isfinite(precision)) or not np.all(np.diagonal(precision) > 0):
        count = len(posterior.labels)  # the data's own scale is out of range: nothing to invert
        return np.full((count, count), np.nan), 0.0, []
    scale = 1.0 / np.sqrt(np.diagonal(precision))
    inverse = np.linalg.pinv(precision * np.outer(scale, scale), hermitian=True)
    covariance = inverse * np.outer(scale, scale)
    told = float(np.sum(fisher * covariance))
    slopes = np.asarray(_slopes(straight, jnp.asarray(latent, posterior.dtype)), np.float64)
    # cut by an edge of the interval that the data, not the prior, would have it cross
    spread = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    near = (edge < 1e-4) | ((edge < spread) & (spread < 0.2))
    edges = [
        label for label, row in zip(posterior.labels, slopes, strict=True)
        if np.any(near & (row != 0.0))
    ]  # fmt: skip
    return slopes @ covariance @ slopes.T, told, edges


def _law(posterior: LatentDensity) -> str | None:
    """Why chi^2 follows no known law, or None where it does."""
    if any(".noise." in path for path in posterior.paths):
        return "the noise is fitted, too"
    likelihood = posterior.likelihood
    parts = likelihood.parts if isinstance(likelihood, JointLikelihood) else (likelihood,)
    if any(isinstance(p, Likelihood) and isinstance(p.noise, StudentTNoise) for p in parts):
        return "the noise is Student's t, whose squares follow no chi^2"
    return None


def _survival(chi2: float, freedom: float) -> float:
    from scipy.special import chdtrc  # scipy.stats takes seconds to import

    if not (math.isfinite(chi2) and freedom > 0.0):
        return math.nan
    return float(chdtrc(freedom, chi2))


def _unknown(chi2: float, law: str) -> str:
    return f"unknown: chi^2 = {chi2:.5g} says little, for {law}"


def _words(chi2: float, count: int, freedom: float, p: float) -> tuple[bool | None, str]:
    numbers = f"chi^2 = {chi2:.5g} for {freedom:.4g} degrees of freedom"
    if math.isnan(p):
        return None, f"unknown: {numbers}; more parameters than data"
    rms = math.sqrt(chi2 / freedom)
    if p < LOWEST_P:
        return False, (
            f"bad: {numbers} (p {_shown(p)}); the residuals are {rms:.3g} times the noise (rms): a "
            "wrong maximum, a model that cannot describe the data, or noise stated too small"
        )
    if p > HIGHEST_P:
        return None, (
            f"too good: {numbers} (p = {p:.6g}); the residuals are {rms:.3g} times the noise (rms):"
            " noise stated too large, or data that are not independent"
        )
    return True, f"good: {numbers} (p = {p:.2g})"


def _words_of_many(chi2: float, count: int, free: int) -> tuple[bool | None, str]:
    """The verdict where the data determine an unknown part of many free numbers."""
    fewest = max(count - free, 0)
    least, most = _survival(chi2, float(fewest)), _survival(chi2, float(count))
    if least > HIGHEST_P:
        return _words(chi2, count, float(fewest), least)
    numbers = f"chi^2 = {chi2:.5g} for {fewest} to {count} degrees of freedom"
    if least >= LOWEST_P and most <= HIGHEST_P:
        return True, f"good: {numbers} (p = {least:.2g} to {most:.2g})"
    return None, (
        f"unknown: {numbers}: {free} free numbers fit some of the noise, and it is not counted how "
        "much; hold out a part of the data"
    )


def _shown(p: float) -> str:
    return f"= {p:.2g}" if p > 1e-300 else "< 1e-300"


def _maxima(posterior: LatentDensity, found: Maxima) -> tuple[Maximum, ...]:
    straight = boxed(posterior)
    return tuple(
        Maximum(
            {k: np.asarray(v) for k, v in straight.constrain(mode.latent).items()},
            float(mode.curvature.logdensity),
            float(share),
        )
        for mode, share in zip(found.modes, found.shares, strict=True)
    )

"""Likelihoods of the usual data: sky maps, and catalogues of rotation and dispersion measures.

Each function makes a `Likelihood` of an observable and a noise.
"""

from typing import Any

import numpy as np

from .._checks import concrete, holds, instance, shown
from .._parameters import without_unit
from ..fields._field import AbstractField
from ..sightlines._sightlines import Sightlines
from ._data import Read
from ._likelihood import Likelihood
from ._noise import AbstractNoise, CovarianceNoise, GaussianNoise, StudentTNoise
from ._observables import AbstractObservable, DispersionMeasures, RotationMeasures, SkyMaps


def GaussianLikelihood(
    rays: Any,
    frequency: Any,
    data: Any,
    sigma: Any = None,
    *,
    stokes: tuple[str, ...] | list[str] = ("Q", "U"),
    mask: Any = None,
    covariance: Any = None,
    excess: Any = None,
    gain: Any = 1.0,
    offset: Any = 0.0,
) -> Likelihood:
    """Maps of Stokes parameters with Gaussian noise: ln L = -chi^2 / 2 - sum ln sigma + const.

    **Arguments:**

    - `rays`: sightlines of the pixels. `frequency`: GHz, a number or (n_freq,).
    - `data`: a `SkyMap` (its unit, frequency, frame, convention and missing pixels are known), a
      `Stokes`, a dict, or an array (n_stokes, *freq, n_rays) in K; Quantities are converted. NaN,
      UNSEEN and masked values are missing.
    - `sigma`: standard deviation (K): number, broadcastable array, `SkyMap`, `Stokes` or dict; or
      `covariance` in its place: a matrix over the flattened data, or an `AbstractNoise`. A datum
      whose sigma is missing is missing.
    - `stokes`: which of 'I', 'Q', 'U', 'V', 'P' the data hold. V needs a model with circular
      polarisation (`self_absorption=True`).
    - `excess`: further independent scatter (K), a number; usually given a prior.
    - `mask`, `gain`, `offset`: as in `Likelihood`.

    **Raises** `ValueError` or `TypeError` naming the argument that does not fit.
    """
    observable = SkyMaps(_sightlines(rays), frequency, tuple(stokes))
    if (sigma is None) == (covariance is None):
        raise ValueError("give sigma or covariance, one of the two")
    if isinstance(covariance, AbstractNoise):
        noise = covariance
    elif covariance is not None:
        noise = CovarianceNoise(_squared(covariance))
    else:
        sigma, mask = _spread("sigma", sigma, observable, mask)
        noise = GaussianNoise(sigma, _scatter(excess, observable))
    return Likelihood(observable, data, noise, mask=mask, gain=gain, offset=offset)


def StudentTLikelihood(
    rays: Any,
    frequency: Any,
    data: Any,
    scale: Any,
    *,
    dof: Any = 4.0,
    stokes: tuple[str, ...] | list[str] = ("Q", "U"),
    mask: Any = None,
    gain: Any = 1.0,
    offset: Any = 0.0,
) -> Likelihood:
    """Maps of Stokes parameters with Student t noise: outliers do not drag the fit.

    **Arguments:**

    - `scale`: width of the core, K, in place of sigma; a prior may be given to
      'likelihood.noise.scale'.
    - `dof`: degrees of freedom; likewise 'likelihood.noise.dof'.
    - the others: those of `GaussianLikelihood`.
    """
    observable = SkyMaps(_sightlines(rays), frequency, tuple(stokes))
    scale, mask = _spread("scale", scale, observable, mask)
    noise = StudentTNoise(scale, dof)
    return Likelihood(observable, data, noise, mask=mask, gain=gain, offset=offset)


def RotationMeasureLikelihood(
    rays: Any,
    data: Any,
    sigma: Any,
    *,
    excess: Any = None,
    dof: Any = None,
    magnetic: AbstractField | None = None,
    electrons: AbstractField | None = None,
    mask: Any = None,
    gain: Any = 1.0,
    offset: Any = 0.0,
) -> Likelihood:
    """A catalogue of Faraday rotation measures (rad m^-2), with the model's B and n_e.

    **Arguments:**

    - `rays`: sightlines of the sources (with distances for pulsars), or of a map's pixels.
    - `data`, `sigma`: (n_rays,) rad m^-2, Quantities, or a `SkyMap` of kind 'RM'. NaN, UNSEEN and
      masked values are missing.
    - `excess`: scatter intrinsic to the sources. `dof`: if given, Student t noise.
    - `magnetic`, `electrons`: fields to use in place of the model's (for instance sampled along
      these rays).
    - `mask`, `gain`, `offset`: as in `Likelihood`.
    """
    observable = RotationMeasures(_sightlines(rays), magnetic, electrons)
    noise, mask = _catalogue_noise(observable, sigma, excess, dof, mask)
    return Likelihood(observable, data, noise, mask=mask, gain=gain, offset=offset)


def DispersionMeasureLikelihood(
    rays: Any,
    data: Any,
    sigma: Any,
    *,
    excess: Any = None,
    dof: Any = None,
    electrons: AbstractField | None = None,
    mask: Any = None,
    gain: Any = 1.0,
    offset: Any = 0.0,
) -> Likelihood:
    """A catalogue of dispersion measures (pc cm^-3), with the model's n_e.

    **Arguments:**

    - those of `RotationMeasureLikelihood`, without `magnetic`.
    """
    observable = DispersionMeasures(_sightlines(rays), electrons)
    noise, mask = _catalogue_noise(observable, sigma, excess, dof, mask)
    return Likelihood(observable, data, noise, mask=mask, gain=gain, offset=offset)


def _sightlines(rays: Any) -> Sightlines:
    return instance("rays", rays, Sightlines, "synax.Sightlines")


def _catalogue_noise(
    observable: AbstractObservable, sigma: Any, excess: Any, dof: Any, mask: Any
) -> tuple[AbstractNoise, Any]:
    if dof is not None and excess is not None:
        raise ValueError("give excess or dof, not both")
    sigma, mask = _spread("sigma", sigma, observable, mask)
    if dof is not None:
        return StudentTNoise(sigma, dof), mask
    return GaussianNoise(sigma, _scatter(excess, observable)), mask


def _spread(name: str, value: Any, observable: AbstractObservable, mask: Any) -> tuple[Any, Any]:
    """A standard deviation, 1 where it is missing, and the mask without what is missing."""
    values, there = observable.read_spread(name, value)
    if there is None:
        return values, mask
    concrete("mask", mask)
    values = np.where(there, np.asarray(values), 1.0)
    shape = np.broadcast_shapes(np.shape(values), observable.shape)
    there = np.broadcast_to(there, shape)
    if mask is None or np.asarray(mask).dtype != bool:
        return values, there if mask is None else mask
    return values, there & np.asarray(mask)


def _scatter(excess: Any, observable: AbstractObservable) -> Any:
    if excess is None:
        return None
    values: Read = observable.read_spread("excess", excess)
    lost = values.there is not None and not np.all(values.there)
    if lost or not holds(values.values, lambda x: np.isfinite(x) & (x >= 0.0)):
        raise ValueError(f"excess must be finite and not negative, got {shown(excess)}")
    return values.values


def _squared(covariance: Any) -> Any:
    """A covariance in K^2."""
    return without_unit(covariance, "K2", "covariance")

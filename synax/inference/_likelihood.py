"""Likelihoods: data, what a model predicts for them, and the noise between the two.

Every likelihood has `predict(model)`, `residuals(model)`, `logpdf(model)`, `mock(key, model)` and
`with_data(data)`. Its numbers (noise, gain, offset) are leaves; in a `Posterior` they are named
'likelihood.noise.sigma', 'likelihood.gain', and 'likelihood.NAME.gain' in a joint likelihood.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .. import _checks as checks
from .._parameters import as_parameter, holds
from ..fields._field import AbstractField
from ..maps._stokes import Stokes
from ..sightlines._sightlines import Sightlines
from ._noise import AbstractNoise, CovarianceNoise, GaussianNoise, StudentTNoise
from ._observables import DispersionMeasures, RotationMeasures, SkyMaps


class AbstractLikelihood(eqx.Module):
    """The probability of data given a model (any PyTree that the observables understand)."""

    @abc.abstractmethod
    def predict(self, model: Any) -> Any:
        """Noise-free data: an array, or a dict of arrays in a joint likelihood."""

    @abc.abstractmethod
    def residuals(self, model: Any) -> Float[Array, " n"]:
        """Data minus prediction in units of the noise, flat and independent; 0 where masked."""

    @abc.abstractmethod
    def logpdf(self, model: Any) -> Float[Array, ""]:
        """Log likelihood, normalised."""

    @abc.abstractmethod
    def evaluate(self, model: Any) -> tuple[Float[Array, ""], Float[Array, " m"]]:
        """`logpdf` and `features` from one prediction.

        Features are functions whose Jacobian J gives the Fisher matrix J^T J, those of the noise
        parameters included.
        """

    @abc.abstractmethod
    def mock(self, key: PRNGKeyArray, model: Any) -> Any:
        """Data drawn from the model, as `predict` returns them, with noise."""

    @abc.abstractmethod
    def with_data(self, data: Any) -> "AbstractLikelihood":
        """The same likelihood for other data (as `mock` returns them)."""

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """Number of data that are used."""


class Likelihood(AbstractLikelihood):
    """One data set: data = gain * prediction + offset + noise.

    **Arguments:**

    - `observable`: function of the model that returns an array in the shape of the data.
    - `data`: array; what is masked may hold anything, NaN included.
    - `noise`: `GaussianNoise`, `StudentTNoise`, `CovarianceNoise` or `LowRankNoise`.
    - `mask`: True where data are used; broadcasts to the data. None: all.
    - `gain`, `offset`: numbers or arrays that broadcast to the data (calibration).

    **Raises** `ValueError` for data that are not finite where they are used, or a mask or noise
    that does not fit the data.
    """

    observable: Any
    data: Float[Array, "*shape"]
    noise: AbstractNoise
    mask: np.ndarray | None
    gain: Float[Array, "..."]
    offset: Float[Array, "..."]

    def __init__(
        self,
        observable: Any,
        data: Any,
        noise: AbstractNoise,
        *,
        mask: Any = None,
        gain: Any = 1.0,
        offset: Any = 0.0,
    ):
        data, mask = _check_data(data, mask)
        self.observable, self.data, self.noise, self.mask = observable, data, noise, mask
        self.gain, self.offset = as_parameter(gain, "", "gain"), as_parameter(offset, "", "offset")
        for name, value in (("gain", self.gain), ("offset", self.offset)):
            checks.finite(name, value)
            _check_broadcast(name, value, data.shape)
        for name in ("sigma", "excess", "scale"):
            value = getattr(noise, name, None)
            if value is not None:
                _check_broadcast(name, value, data.shape)
                if name != "excess" and not holds(value, lambda x: x > 0):
                    raise ValueError(f"{name} must be positive")
        for name in ("cholesky", "factor"):
            if hasattr(noise, name) and getattr(noise, name).shape[0] != data.size:
                label = "covariance" if name == "cholesky" else name
                raise ValueError(
                    f"{label} must have {data.size} rows, one for each datum, "
                    f"got {getattr(noise, name).shape[0]}"
                )

    def predict(self, model: Any) -> Float[Array, "*shape"]:
        prediction = self.observable(model)
        dtype = prediction.dtype
        return self.gain.astype(dtype) * prediction + self.offset.astype(dtype)

    def _residual(self, model: Any) -> Float[Array, "*shape"]:
        prediction = self.predict(model)
        if prediction.shape != self.data.shape:
            raise ValueError(
                f"data has shape {self.data.shape}, the model predicts {prediction.shape}"
            )
        return self.data.astype(prediction.dtype) - prediction

    def residuals(self, model: Any) -> Float[Array, " n"]:
        return self.noise.whiten(self._residual(model), self.mask)

    def logpdf(self, model: Any) -> Float[Array, ""]:
        return self.noise.logpdf(self._residual(model), self.mask)

    def evaluate(self, model: Any) -> tuple[Float[Array, ""], Float[Array, " m"]]:
        residual = self._residual(model)
        # the data are constants: features of minus the residual have the same Jacobian
        features = self.noise.features(-residual, self.mask)
        return self.noise.logpdf(residual, self.mask), features

    def mock(self, key: PRNGKeyArray, model: Any) -> Float[Array, "*shape"]:
        prediction = self.predict(model)
        return prediction + self.noise.draw(key, prediction)

    def with_data(self, data: Any) -> "Likelihood":
        data, _ = _check_data(data, self.mask)
        if data.shape != self.data.shape:
            raise ValueError(f"data must have shape {self.data.shape}, got {data.shape}")
        return eqx.tree_at(lambda x: x.data, self, data)

    @property
    def count(self) -> int:
        return self.data.size if self.mask is None else int(self.mask.sum())


def _check_broadcast(name: str, value: Any, shape: tuple[int, ...]) -> None:
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} of shape {value.shape} does not broadcast to data of shape {shape}"
        )


def _check_data(data: Any, mask: Any) -> tuple[Array, np.ndarray | None]:
    data = as_parameter(data, "", "data")
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != bool:
            raise ValueError(f"mask must be boolean (True: used), got {mask.dtype}")
        _check_broadcast("mask", mask, data.shape)
        mask = np.broadcast_to(mask, data.shape)
        if not mask.any():
            raise ValueError("mask must be True somewhere: no datum is used")
        data = jnp.where(mask, data, 0.0)
    if not holds(data, np.isfinite):
        raise ValueError("data must be finite where they are used: give a mask")
    return data, mask


def _stack(value: Any, stokes: tuple[str, ...], name: str) -> Any:
    """A Stokes object or a dict of arrays as one array (n_stokes, ...)."""
    if isinstance(value, Stokes):
        return jnp.stack([getattr(value, s) for s in stokes])
    if isinstance(value, dict):
        missing = [s for s in stokes if s not in value]
        if missing:
            raise ValueError(f"{name} has no {missing}; stokes is {stokes}")
        return jnp.stack([jnp.asarray(value[s]) for s in stokes])
    return value


def _sky_data(
    rays: Sightlines, frequency: Any, data: Any, stokes: tuple[str, ...]
) -> tuple[SkyMaps, Array]:
    observable = SkyMaps(rays, frequency, tuple(stokes))
    data = jnp.asarray(_stack(data, observable.stokes, "data"))
    shape = (len(observable.stokes), *observable.frequency.shape, rays.n_rays)
    if data.shape != shape:
        raise ValueError(
            f"data must have shape {shape} (stokes {observable.stokes}, frequencies, sightlines), "
            f"got {data.shape}"
        )
    return observable, data


class GaussianLikelihood(Likelihood):
    """Maps of Stokes parameters with Gaussian noise: ln L = -chi^2 / 2 - sum ln sigma + const.

    **Arguments:**

    - `rays`: sightlines of the pixels. `frequency`: GHz, a number or (n_freq,).
    - `data`: K; a `Stokes`, a dict, or an array (n_stokes, *freq, n_rays).
    - `sigma`: standard deviation (K): number, broadcastable array, `Stokes` or dict; or
      `covariance` in its place: a matrix over the flattened data, or an `AbstractNoise`.
    - `stokes`: which of 'I', 'Q', 'U', 'P' the data hold.
    - `excess`: further independent scatter (K), a number; usually given a prior.
    - `mask`, `gain`, `offset`: as in `Likelihood`.

    **Raises** `ValueError` naming the argument that does not fit.
    """

    def __init__(
        self,
        rays: Sightlines,
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
    ):
        observable, data = _sky_data(rays, frequency, data, tuple(stokes))
        if (sigma is None) == (covariance is None):
            raise ValueError("give sigma or covariance, one of the two")
        if covariance is None:
            noise = GaussianNoise(_stack(sigma, observable.stokes, "sigma"), excess)
        elif isinstance(covariance, AbstractNoise):
            noise = covariance
        else:
            noise = CovarianceNoise(covariance)
        super().__init__(observable, data, noise, mask=mask, gain=gain, offset=offset)


class StudentTLikelihood(Likelihood):
    """Maps of Stokes parameters with Student t noise: outliers do not drag the fit.

    **Arguments:** as `GaussianLikelihood`, with `scale` (K) in place of sigma and `dof`, the
    degrees of freedom (both may be given priors: 'likelihood.noise.scale', '...noise.dof').
    """

    def __init__(
        self,
        rays: Sightlines,
        frequency: Any,
        data: Any,
        scale: Any,
        *,
        dof: Any = 4.0,
        stokes: tuple[str, ...] | list[str] = ("Q", "U"),
        mask: Any = None,
        gain: Any = 1.0,
        offset: Any = 0.0,
    ):
        observable, data = _sky_data(rays, frequency, data, tuple(stokes))
        noise = StudentTNoise(_stack(scale, observable.stokes, "scale"), dof)
        super().__init__(observable, data, noise, mask=mask, gain=gain, offset=offset)


class RotationMeasureLikelihood(Likelihood):
    """A catalogue of Faraday rotation measures (rad m^-2), with the model's B and n_e.

    **Arguments:** `rays`: sightlines of the sources (with distances for pulsars). `data`, `sigma`:
    (n_rays,). `excess`: scatter intrinsic to the sources. `dof`: if given, Student t noise.
    `magnetic`, `electrons`: fields to use in place of the model's (for instance sampled along
    these rays). `mask`, `gain`, `offset`: as in `Likelihood`.
    """

    def __init__(
        self,
        rays: Sightlines,
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
    ):
        observable = RotationMeasures(rays, magnetic, electrons)
        noise = _catalogue_noise(rays, data, sigma, excess, dof)
        super().__init__(observable, data, noise, mask=mask, gain=gain, offset=offset)


class DispersionMeasureLikelihood(Likelihood):
    """A catalogue of dispersion measures (pc cm^-3), with the model's n_e.

    **Arguments:** as `RotationMeasureLikelihood`, without `magnetic`.
    """

    def __init__(
        self,
        rays: Sightlines,
        data: Any,
        sigma: Any,
        *,
        excess: Any = None,
        dof: Any = None,
        electrons: AbstractField | None = None,
        mask: Any = None,
        gain: Any = 1.0,
        offset: Any = 0.0,
    ):
        observable = DispersionMeasures(rays, electrons)
        noise = _catalogue_noise(rays, data, sigma, excess, dof)
        super().__init__(observable, data, noise, mask=mask, gain=gain, offset=offset)


def _catalogue_noise(
    rays: Sightlines, data: Any, sigma: Any, excess: Any, dof: Any
) -> AbstractNoise:
    if jnp.shape(data) != (rays.n_rays,):
        raise ValueError(f"data must have shape ({rays.n_rays},), got {jnp.shape(data)}")
    if dof is None:
        return GaussianNoise(sigma, excess)
    if excess is not None:
        raise ValueError("give excess or dof, not both")
    return StudentTNoise(sigma, dof)


class JointLikelihood(AbstractLikelihood):
    """Several independent data sets, one model: `JointLikelihood(haslam=..., rm=...)`.

    Predictions, data and mocks are dicts with the names. The parameters of a data set are named
    'likelihood.haslam.gain', 'likelihood.rm.noise.excess', and so on.
    """

    parts: tuple[AbstractLikelihood, ...]
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, **parts: Any):
        if not parts:
            raise ValueError("JointLikelihood needs at least one named likelihood")
        for name, part in parts.items():
            if not isinstance(part, AbstractLikelihood):
                raise TypeError(f"{name} must be a likelihood, got {type(part).__name__}")
            if hasattr(type(self), name) or name in ("parts", "names"):
                raise ValueError(f"a data set cannot be named '{name}'")
        self.names, self.parts = tuple(parts), tuple(parts.values())

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__.get("names", ())
        if name in names:
            return self.parts[names.index(name)]
        raise AttributeError(f"no data set '{name}'; there are {names}")

    def predict(self, model: Any) -> dict[str, Any]:
        return {n: p.predict(model) for n, p in zip(self.names, self.parts, strict=True)}

    def residuals(self, model: Any) -> Float[Array, " n"]:
        return jnp.concatenate([p.residuals(model) for p in self.parts])

    def logpdf(self, model: Any) -> Float[Array, ""]:
        return sum((p.logpdf(model) for p in self.parts[1:]), self.parts[0].logpdf(model))

    def evaluate(self, model: Any) -> tuple[Float[Array, ""], Float[Array, " m"]]:
        values, features = zip(*(p.evaluate(model) for p in self.parts), strict=True)
        return sum(values[1:], values[0]), jnp.concatenate(features)

    def mock(self, key: PRNGKeyArray, model: Any) -> dict[str, Any]:
        keys = jax.random.split(key, len(self.parts))
        return {n: p.mock(k, model) for n, p, k in zip(self.names, self.parts, keys, strict=True)}

    def with_data(self, data: dict[str, Any]) -> "JointLikelihood":
        if set(data) != set(self.names):
            raise ValueError(f"data must have the names {self.names}, got {tuple(data)}")
        pairs = zip(self.names, self.parts, strict=True)
        return JointLikelihood(**{n: p.with_data(data[n]) for n, p in pairs})

    @property
    def count(self) -> int:
        return sum(p.count for p in self.parts)

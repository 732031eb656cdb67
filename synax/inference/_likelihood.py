"""Likelihoods: data, what a model predicts for them, and the noise between the two.

Every likelihood has `predict(model)`, `residuals(model)`, `logpdf(model)`, `mock(key, model)` and
`with_data(data)`. Its numbers (noise, gain, offset) are leaves; in a `Posterior` they are named
'likelihood.noise.sigma', 'likelihood.gain', and 'likelihood.NAME.gain' in a joint likelihood.
"""

import abc
import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .. import _checks as checks
from .._checks import holds
from .._parameters import as_parameter
from .._shown import Shown
from ._data import PLAIN, read
from ._noise import AbstractNoise, check_broadcast
from ._observables import AbstractObservable


class AbstractLikelihood(Shown):
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

    - `observable`: function of the model that returns an array in the shape of the data; those of
      this package (`SkyMaps`, ...) know their unit and what a sky map is.
    - `data`: array, Quantity or masked array. UNSEEN and masked values are missing; what `mask`
      leaves out may hold anything, NaN included.
    - `noise`: `GaussianNoise`, `StudentTNoise`, `CovarianceNoise` or `LowRankNoise`.
    - `mask`: True where data are used; broadcasts to the data. None: all.
    - `gain`, `offset`: numbers or arrays that broadcast to the data (calibration).

    **Raises** `ValueError` for data that are not finite where they are used, or of another unit, a
    mask or noise that does not fit them, or if no datum is left; `TypeError` for complex data and
    for a mask that is being traced. Data, noise, gain and offset may be traced.
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
        data, mask = _read_data(observable, data, mask)
        mask = noise.check(data.shape, mask)
        if mask is not None and not mask.any():
            raise ValueError("data hold no value that is there and used: there is nothing to fit")
        self.observable, self.data, self.noise, self.mask = observable, data, noise, mask
        unit = PLAIN.get(getattr(observable, "unit", ""), "")
        self.gain, self.offset = (
            as_parameter(gain, "", "gain"),
            as_parameter(offset, unit, "offset"),
        )
        for name, value in (("gain", self.gain), ("offset", self.offset)):
            checks.finite(name, value)
            check_broadcast(name, value, data.shape)

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
        data, mask = _read_data(self.observable, data, self.mask)
        if data.shape != self.data.shape:
            raise ValueError(f"data must have shape {self.data.shape}, got {data.shape}")
        new = eqx.tree_at(lambda x: x.data, self, data)
        return eqx.tree_at(lambda x: x.mask, new, mask, is_leaf=lambda x: x is None)

    @property
    def count(self) -> int:
        return self.data.size if self.mask is None else int(self.mask.sum())


def _read_data(observable: Any, data: Any, mask: Any) -> tuple[Array, np.ndarray | None]:
    """Data in the observable's unit with 0 where there are none, and where they are used."""
    if mask is not None:
        mask = np.asarray(checks.concrete("mask", mask))
        if mask.dtype != bool:
            raise ValueError(f"mask must be boolean (True: used), got {mask.dtype}")
        if not mask.any():
            raise ValueError(
                "mask must be True somewhere, and sigma not missing there: no datum is used"
            )
    if isinstance(observable, AbstractObservable):
        found = observable.read("data", data)
    else:
        found = read("data", data, getattr(observable, "unit", ""), nan_is_missing=False)
    data, there = found
    if mask is not None:
        check_broadcast("mask", mask, data.shape)
        mask = np.broadcast_to(mask, data.shape)
        there = mask if there is None else mask & there
    if there is not None:
        data = jnp.where(there, data, 0.0)
    if not holds(data, np.isfinite):
        raise ValueError("data must be finite where they are used: give a mask")
    return data, there


class JointLikelihood(AbstractLikelihood):
    """Several independent data sets, one model: `JointLikelihood(haslam=..., rm=...)`.

    Predictions, data and mocks are dicts with the names. The parameters of a data set are named
    'likelihood.haslam.gain', 'likelihood.rm.noise.excess', and so on.
    """

    parts: tuple[AbstractLikelihood, ...]
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, *unnamed: Any, **parts: Any):
        if unnamed:
            raise TypeError(
                "JointLikelihood takes likelihoods by name, as in JointLikelihood(haslam=..., "
                f"rm=...), got {checks.shown(unnamed[0])} without one"
            )
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

    def predict(self, model: Any) -> dict[str, Array]:
        return {n: p.predict(model) for n, p in zip(self.names, self.parts, strict=True)}

    def residuals(self, model: Any) -> Float[Array, " n"]:
        return jnp.concatenate([p.residuals(model) for p in self.parts])

    def logpdf(self, model: Any) -> Float[Array, ""]:
        return functools.reduce(jnp.add, [p.logpdf(model) for p in self.parts])

    def evaluate(self, model: Any) -> tuple[Float[Array, ""], Float[Array, " m"]]:
        values, features = zip(*(p.evaluate(model) for p in self.parts), strict=True)
        return functools.reduce(jnp.add, values), jnp.concatenate(features)

    def mock(self, key: PRNGKeyArray, model: Any) -> dict[str, Array]:
        keys = jax.random.split(key, len(self.parts))
        return {n: p.mock(k, model) for n, p, k in zip(self.names, self.parts, keys, strict=True)}

    def with_data(self, data: Mapping[str, object]) -> "JointLikelihood":
        if set(data) != set(self.names):
            raise ValueError(f"data must have the names {self.names}, got {tuple(data)}")
        pairs = zip(self.names, self.parts, strict=True)
        return JointLikelihood(**{n: p.with_data(data[n]) for n, p in pairs})

    @property
    def count(self) -> int:
        return sum(p.count for p in self.parts)

"""A log density over one flat latent vector, and what its numbers stand for."""

import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._checks import random_key
from .._parameters import get_path, set_paths
from ._likelihood import AbstractLikelihood
from ._priors import AbstractPrior

Latent = Float[Array, " n_latent"]
Params = Mapping[str, ArrayLike]
"""Parameter values by dotted path, as arguments."""
Arrays = dict[str, Array]
"""Parameter values by dotted path, as results."""
PREFIX = "likelihood."


class Block(eqx.Module):
    """One prior and the parameters it covers."""

    prior: AbstractPrior
    paths: tuple[str, ...] = eqx.field(static=True)
    shapes: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def split(self, value: Array) -> Arrays:
        """The value of the prior as {path: array}."""
        if len(self.paths) == 1:
            return {self.paths[0]: value}
        params: Arrays = {}
        start = 0
        for path, shape in zip(self.paths, self.shapes, strict=True):
            size = math.prod(shape)
            params[path] = value[start : start + size].reshape(shape)
            start += size
        return params

    def join(self, params: Params) -> Array:
        """The inverse of `split`."""
        if len(self.paths) == 1:
            return jnp.asarray(params[self.paths[0]])
        return jnp.concatenate([jnp.ravel(params[path]) for path in self.paths])


class LatentDensity(eqx.Module):
    """ln p(latent) = ln L(model with the parameters) + ln prior(latent), of one flat vector.

    What fits, samplers and approximations see of a `Posterior`: the density of the latent vector,
    its two terms, and the way between the vector and parameter values.
    """

    model: eqx.AbstractVar[Any]
    """What the likelihood predicts data from."""
    blocks: eqx.AbstractVar[tuple[Block, ...]]
    """The priors, each with the parameters that it covers, in the order of the latent vector."""
    likelihood: eqx.AbstractVar[AbstractLikelihood]

    def _leaf(self, path: str) -> Any:
        if path.startswith(PREFIX):
            return get_path(self.likelihood, path.removeprefix(PREFIX))
        return get_path(self.model, path)

    # names and shapes

    @property
    def paths(self) -> tuple[str, ...]:
        """The free parameters' paths, in the order of the latent vector."""
        return tuple(p for block in self.blocks for p in block.paths)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each free parameter."""
        return {p: s for b in self.blocks for p, s in zip(b.paths, b.shapes, strict=True)}

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each number of `flatten(params)`: 'magnetic.b0', 'magnetic.arms[2]'."""
        labels = []
        for path, shape in self.shapes.items():
            size = math.prod(shape)
            labels += [path] if not shape else [f"{path}[{i}]" for i in range(size)]
        return tuple(labels)

    @property
    def size(self) -> int:
        """Length of the latent vector."""
        return sum(block.prior.size for block in self.blocks)

    @property
    def dtype(self) -> Any:
        """Floating-point type of the latent vector."""
        return jnp.result_type(*(self._leaf(path).dtype for path in self.paths))

    # between latents and parameters

    def constrain(self, latent: Latent) -> Arrays:
        """Parameter values {path: array} of a latent vector (n_latent,)."""
        if latent.shape != (self.size,):
            raise ValueError(f"latent must have shape ({self.size},), got {latent.shape}")
        params: Arrays = {}
        start = 0
        for block in self.blocks:
            stop = start + block.prior.size
            params |= block.split(block.prior.value(latent[start:stop]))
            start = stop
        return params

    def unconstrain(self, params: Params) -> Latent:
        """The latent vector of parameter values (the inverse of `constrain`)."""
        params = self._checked(params)
        return jnp.concatenate([b.prior.latent(b.join(params)) for b in self.blocks])

    def _checked(self, params: Params) -> Arrays:
        shapes = self.shapes
        missing = [p for p in shapes if p not in params]
        extra = [p for p in params if p not in shapes]
        if missing or extra:
            raise ValueError(f"params must hold {list(shapes)}: missing {missing}, unknown {extra}")
        dtype, checked = self.dtype, {}
        for path, shape in shapes.items():
            value = jnp.asarray(params[path], dtype)
            if value.shape != shape:
                raise ValueError(f"params['{path}'] must have shape {shape}, got {value.shape}")
            checked[path] = value
        return checked

    def flatten(self, params: Params) -> Float[Array, " n_params"]:
        """Parameter values as one vector, in the order of `labels`."""
        params = self._checked(params)
        return jnp.concatenate([jnp.ravel(params[p]) for p in self.paths])

    def unflatten(self, vector: Float[Array, " n_params"]) -> Arrays:
        """The inverse of `flatten`."""
        params: Arrays = {}
        start = 0
        for path, shape in self.shapes.items():
            params[path] = vector[start : start + math.prod(shape)].reshape(shape)
            start += math.prod(shape)
        return params

    def current(self) -> Arrays:
        """The values that the free parameters have in `model` and `likelihood` themselves."""
        return {path: self._leaf(path) for path in self.paths}

    def placed(self, params: Params) -> tuple[Any, AbstractLikelihood]:
        """Model and likelihood with the parameters put in."""
        inside: Arrays = {}
        outside: Arrays = {}
        for path, value in self._checked(params).items():
            value = value.astype(self._leaf(path).dtype)
            if path.startswith(PREFIX):
                inside[path.removeprefix(PREFIX)] = value
            else:
                outside[path] = value
        return set_paths(self.model, outside), set_paths(self.likelihood, inside)

    def model_at(self, params: Params) -> Any:
        """The model with the parameters put in."""
        return self.placed(params)[0]

    # densities

    def log_prior(self, params: Params) -> Float[Array, ""]:
        """Log prior density of parameter values."""
        params = self._checked(params)
        return _total([b.prior.log_value(b.join(params)) for b in self.blocks])

    def log_prior_latent(self, latent: Latent) -> Float[Array, ""]:
        """Log prior density of a latent vector."""
        parts, start = [], 0
        for block in self.blocks:
            stop = start + block.prior.size
            parts.append(block.prior.log_latent(latent[start:stop]))
            start = stop
        return _total(parts)

    def log_likelihood(self, params: Params) -> Float[Array, ""]:
        """Log likelihood of parameter values."""
        model, likelihood = self.placed(params)
        return likelihood.logpdf(model)

    def log_likelihood_latent(self, latent: Latent) -> Float[Array, ""]:
        """Log likelihood of a latent vector."""
        return self.log_likelihood(self.constrain(latent))

    def logdensity(self, latent: Latent) -> Float[Array, ""]:
        """Log posterior density (not normalised) of a latent vector: for any JAX sampler."""
        return self.log_likelihood_latent(latent) + self.log_prior_latent(latent)

    # simulation

    def sample_prior(self, key: Any) -> Arrays:
        """Parameter values drawn from the prior."""
        return self.constrain(self.sample_prior_latent(key))

    def sample_prior_latent(self, key: Any) -> Latent:
        """A latent vector drawn from the prior."""
        random_key("key", key)
        keys, dtype = jax.random.split(key, len(self.blocks)), self.dtype
        parts = [b.prior.sample(k, dtype) for b, k in zip(self.blocks, keys, strict=True)]
        return jnp.concatenate(parts)

    def predict(self, params: Params) -> Any:
        """Noise-free data of parameter values, as the likelihood's `predict` gives them."""
        model, likelihood = self.placed(params)
        return likelihood.predict(model)

    def evaluate(self, params: Params) -> tuple[Float[Array, ""], Float[Array, " m"]]:
        """Log likelihood, and the functions whose Jacobian J gives the Fisher matrix J^T J."""
        model, likelihood = self.placed(params)
        return likelihood.evaluate(model)

    def residuals(self, params: Params) -> Float[Array, " n"]:
        """Data minus prediction in units of the noise, flat and independent."""
        model, likelihood = self.placed(params)
        return likelihood.residuals(model)

    def mock(self, key: Any, params: Params) -> Any:
        """Data drawn from the model with these parameters, noise included."""
        random_key("key", key)
        model, likelihood = self.placed(params)
        return likelihood.mock(key, model)


def _total(parts: list[Array]) -> Float[Array, ""]:
    return sum(parts[1:], parts[0])

"""From a model, priors and data to a log density over one flat latent vector."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .._parameters import get_path, set_paths
from ._curvature import (
    Curvature,
    Forecast,
    curvature,
    fisher_of_params,
    forecast_matrices,
    precision_product,
)
from ._laplace import Laplace, laplace
from ._likelihood import AbstractLikelihood
from ._paths import filtered_paths, leaf_paths
from ._priors import AbstractPrior, as_prior

Latent = Float[Array, " n_latent"]
Params = dict[str, Any]
PREFIX = "likelihood."


class Block(eqx.Module):
    """One prior and the parameters it covers."""

    prior: AbstractPrior
    paths: tuple[str, ...] = eqx.field(static=True)
    shapes: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def split(self, value: Array) -> Params:
        """The value of the prior as {path: array}."""
        if len(self.paths) == 1:
            return {self.paths[0]: value}
        params, start = {}, 0
        for path, shape in zip(self.paths, self.shapes, strict=True):
            size = _size(shape)
            params[path] = value[start : start + size].reshape(shape)
            start += size
        return params

    def join(self, params: Params) -> Array:
        """The inverse of `split`."""
        if len(self.paths) == 1:
            return params[self.paths[0]]
        return jnp.concatenate([jnp.ravel(params[path]) for path in self.paths])


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


class Posterior(eqx.Module):
    """The posterior of the free parameters of a model, given data.

    ln p(latent) = ln L(model with the parameters) + ln prior(latent)

    **Arguments:**

    - `model`: a simulator (any PyTree that the likelihood understands).
    - `priors`: {dotted path: numpyro distribution}. A path may name an array (a scalar
      distribution then serves all elements), or a branch ('magnetic': all its numbers). A tuple
      of paths is a joint prior over them, concatenated in that order. Paths that begin with
      'likelihood.' are numbers of the likelihood (noise, gains, offsets). Values may also be
      `EmpiricalPrior` or any `AbstractPrior`. With `free`, a single distribution for all.
    - `likelihood`: see `GaussianLikelihood`, `StudentTLikelihood`, `JointLikelihood`.
    - `free`: instead of naming paths, a filter (PyTree of bool from `synax.select`, or a function
      such as `eqx.is_inexact_array`); `priors` is then one distribution, or a function from path
      to distribution.

    What is not free keeps its value. The latent vector holds standardised coordinates: N(0, 1)
    under the prior for normal, uniform, log-normal, log-uniform and multivariate normal priors,
    unconstrained coordinates for others.

    **Raises** `ValueError` or `TypeError` that names the path at fault.

    ```python
    posterior = synax.Posterior(
        sky,
        priors={"magnetic.b0": numpyro.distributions.Uniform(0, 10)},
        likelihood=synax.GaussianLikelihood(rays, 2.4, data, sigma),
    )
    ```
    """

    model: Any
    blocks: tuple[Block, ...]
    likelihood: AbstractLikelihood

    def __init__(
        self, model: Any, priors: Any, likelihood: AbstractLikelihood, *, free: Any = None
    ):
        if not isinstance(likelihood, AbstractLikelihood):
            raise TypeError(
                f"likelihood must be a synax likelihood, got {type(likelihood).__name__}"
            )
        if free is not None:
            paths = filtered_paths(model, free)
            if not paths:
                raise ValueError("free selects no floating-point array of the model")
            if isinstance(priors, dict):
                raise TypeError("priors must be a distribution or a function of path with free")
            chosen = {p: priors(p) if _is_function(priors) else priors for p in paths}
            priors = chosen
        if not isinstance(priors, dict) or not priors:
            raise TypeError("priors must be a non-empty dict {path: distribution}")
        self.model, self.likelihood = model, likelihood
        blocks: list[Block] = []
        for key, distribution in priors.items():
            blocks.extend(self._make_blocks(key, distribution))
        seen: set[str] = set()
        for path in (p for block in blocks for p in block.paths):
            if path in seen:
                raise ValueError(f"'{path}' has two priors")
            seen.add(path)
        self.blocks = tuple(blocks)

    def _leaf(self, path: str) -> Any:
        if path.startswith(PREFIX):
            return get_path(self.likelihood, path.removeprefix(PREFIX))
        return get_path(self.model, path)

    def _make_blocks(self, key: Any, distribution: Any) -> list[Block]:
        paths = key if isinstance(key, tuple) else (key,)
        leaves = [self._leaf(path) for path in paths]
        if len(paths) == 1 and not eqx.is_array(leaves[0]):
            names = leaf_paths(leaves[0])
            if not names:
                raise ValueError(
                    f"'{key}' holds no floating-point array, so nothing there can vary"
                )
            return [
                b for name in names for b in self._make_blocks(f"{paths[0]}.{name}", distribution)
            ]
        for path, leaf in zip(paths, leaves, strict=True):
            if not eqx.is_inexact_array(leaf):
                raise ValueError(
                    f"'{path}' holds no floating-point array, so nothing there can vary"
                )
        shapes = tuple(leaf.shape for leaf in leaves)
        whole = shapes[0] if len(paths) == 1 else (sum(map(_size, shapes)),)
        return [Block(as_prior(distribution, whole, f"'{key}'"), paths, shapes)]

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
            size = _size(shape)
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

    def constrain(self, latent: Latent) -> Params:
        """Parameter values {path: array} of a latent vector (n_latent,)."""
        if latent.shape != (self.size,):
            raise ValueError(f"latent must have shape ({self.size},), got {latent.shape}")
        params, start = {}, 0
        for block in self.blocks:
            stop = start + block.prior.size
            params |= block.split(block.prior.value(latent[start:stop]))
            start = stop
        return params

    def unconstrain(self, params: Params) -> Latent:
        """The latent vector of parameter values (the inverse of `constrain`)."""
        params = self._checked(params)
        return jnp.concatenate([b.prior.latent(b.join(params)) for b in self.blocks])

    def _checked(self, params: Params) -> Params:
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

    def unflatten(self, vector: Float[Array, " n_params"]) -> Params:
        """The inverse of `flatten`."""
        params, start = {}, 0
        for path, shape in self.shapes.items():
            params[path] = vector[start : start + _size(shape)].reshape(shape)
            start += _size(shape)
        return params

    def current(self) -> Params:
        """The values that the free parameters have in `model` and `likelihood` themselves."""
        return {path: self._leaf(path) for path in self.paths}

    def placed(self, params: Params) -> tuple[Any, AbstractLikelihood]:
        """Model and likelihood with the parameters put in."""
        params = self._checked(params)
        inside: Params = {}
        outside: Params = {}
        for path, value in params.items():
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

    def sample_prior(self, key: PRNGKeyArray) -> Params:
        """Parameter values drawn from the prior."""
        return self.constrain(self.sample_prior_latent(key))

    def sample_prior_latent(self, key: PRNGKeyArray) -> Latent:
        """A latent vector drawn from the prior."""
        keys, dtype = jax.random.split(key, len(self.blocks)), self.dtype
        parts = [b.prior.sample(k, dtype) for b, k in zip(self.blocks, keys, strict=True)]
        return jnp.concatenate(parts)

    def predict(self, params: Params) -> Any:
        """Noise-free data of parameter values, as the likelihood's `predict` gives them."""
        model, likelihood = self.placed(params)
        return likelihood.predict(model)

    def residuals(self, params: Params) -> Float[Array, " n"]:
        """Data minus prediction in units of the noise, flat and independent."""
        model, likelihood = self.placed(params)
        return likelihood.residuals(model)

    def mock(self, key: PRNGKeyArray, params: Params) -> Any:
        """Data drawn from the model with these parameters, noise included."""
        model, likelihood = self.placed(params)
        return likelihood.mock(key, model)

    def with_data(self, data: Any) -> "Posterior":
        """The same problem with other data (as `mock` returns them)."""
        return eqx.tree_at(lambda p: p.likelihood, self, self.likelihood.with_data(data))

    # curvature

    def fisher(self, params: Params) -> Float[Array, "n_params n_params"]:
        """Fisher matrix of the likelihood, in the order and units of `labels`.

        Exact Gauss-Newton, J^T C^-1 J with J by forward mode, noise parameters included; the
        prior is not in it. Its inverse is the covariance that the data alone would give.
        """
        return fisher_of_params(self, self.flatten(params))

    def curvature(self, latent: Latent) -> Curvature:
        """Log density, gradient, Fisher matrix and prior curvature in latent space, in one pass."""
        return curvature(self, latent)

    def precision_product(self, latent: Latent) -> Callable[[Latent], Latent]:
        """v -> (Fisher + prior curvature) v at a latent, matrix-free: for grids, inside `jit`."""
        return precision_product(self, latent)

    def laplace(
        self,
        start: Any = None,
        *,
        max_steps: int = 150,
        restarts: int | None = None,
        key: PRNGKeyArray | None = None,
    ) -> Laplace:
        """The Gaussian approximation at the highest mode that is found.

        **Arguments:**

        - `start`: parameter values, a latent vector, or None for the values in the model.
        - `max_steps`: evaluations of value, gradient and curvature at most, for each climb.
        - `restarts`: climbs from draws of the prior beside the one from `start`, at each stage of
          the search; default 8 for up to 64 free numbers. 0: the mode above `start`.
        - `key`: for the draws; default `jax.random.key(0)`.
        """
        return laplace(self, start, max_steps=max_steps, restarts=restarts, key=key)

    def forecast(self, params: Params | None = None, *, prior: bool = True) -> Forecast:
        """Errors and correlations to expect around `params` (default: the values in the model).

        **Arguments:** `prior`: add the curvature of the priors to the Fisher matrix.

        ```python
        print(posterior.forecast())
        ```
        """
        vector = self.flatten(self.current() if params is None else params)
        covariance, errors, correlation = forecast_matrices(self, vector, prior)
        return Forecast(self.labels, vector, errors, correlation, covariance)


def _is_function(priors: Any) -> bool:
    # numpyro distributions are callable, too: they have a support
    return callable(priors) and not hasattr(priors, "support")


def _total(parts: list[Array]) -> Float[Array, ""]:
    return sum(parts[1:], parts[0])

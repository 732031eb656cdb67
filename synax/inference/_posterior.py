"""From a model, priors and data to a log density over one flat latent vector."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._checks import random_key
from .._parameters import facts_of, get_path
from .._shown import Row, as_html, as_text, number, rows
from ..simulators import Integration
from ..transfer._cells import AbstractSteps
from ._curvature import Curvature, Forecast, curvature, fisher_of_params, forecast_matrices
from ._density import Block, Latent, LatentDensity, Params
from ._laplace import Laplace, laplace
from ._likelihood import AbstractLikelihood
from ._objective import PosteriorObjective
from ._paths import filtered_paths, leaf_paths
from ._priors import as_prior, check_bounds
from ._units import unit_of


class Posterior(LatentDensity):
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

    def _rows(self) -> list[Row]:
        """Free parameters with their values and priors first, then those that stay."""
        free = {p: block for block in self.blocks for p in block.paths}
        found = [
            Row(path, number(self._leaf(path)), unit_of(self, path), f"free: {block.prior!r}")
            for path, block in free.items()
        ]
        fixed = rows(self.model) if isinstance(self.model, eqx.Module) else ()
        kept = [r for r in fixed if r.path not in free and not r.path.startswith("integration")]
        values = [row for row in kept if row.unit or row.value[:1] in "0123456789-("]
        return [*found, *(row._replace(text="fixed") for row in values)]

    def _title(self) -> str:
        model, likelihood = type(self.model).__name__, type(self.likelihood).__name__
        return f"Posterior of {len(self.labels)} free numbers: {model}, {likelihood}"

    def __repr__(self) -> str:
        return as_text(self._title(), self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._rows(), ("parameter", "value", "unit", "prior"))

    def _make_blocks(self, key: Any, distribution: Any) -> list[Block]:
        paths = key if isinstance(key, tuple) else (key,)
        leaves = [self._leaf(path) for path in paths]
        for path in paths:
            if not path.startswith("likelihood.") and _of_integration(self.model, path):
                raise ValueError(
                    f"'{path}' says how the model is integrated and is no parameter of it: it "
                    "takes no prior"
                )
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
        whole = shapes[0] if len(paths) == 1 else (sum(map(math.prod, shapes)),)
        prior = as_prior(distribution, whole, f"'{key}'")
        if len(paths) == 1 and not paths[0].startswith("likelihood."):
            facts = facts_of(self.model, paths[0])
            check_bounds(prior, facts.get("bounds", {}), f"'{key}'", facts.get("unit", ""))
        return [Block(prior, paths, shapes)]

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
        return PosteriorObjective(self).quadratic(latent).product

    def laplace(
        self,
        start: Any = None,
        *,
        max_steps: int = 150,
        restarts: int | None = None,
        key: Any = None,
    ) -> Laplace:
        """The Gaussian approximation at the highest mode that is found.

        **Arguments:**

        - `start`: parameter values, a latent vector, or None for the values in the model.
        - `max_steps`: evaluations of value, gradient and curvature at most, for each climb.
        - `restarts`: climbs from draws of the prior beside the one from `start`, at each stage of
          the search; default 8 for up to 64 free numbers. 0: the mode above `start`.
        - `key`: for the draws; default `jax.random.key(0)`.
        """
        if key is not None:
            random_key("key", key)
        return laplace(self, start, max_steps=max_steps, restarts=restarts, key=key)

    def forecast(self, params: Params | None = None, *, prior: bool = True) -> Forecast:
        """Errors and correlations to expect around `params` (default: the values in the model).

        **Arguments:**

        - `prior`: add the curvature of the priors to the Fisher matrix.

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


def _of_integration(model: Any, path: str) -> bool:
    """Whether a path leads into the numbers of the integration, such as `steps.scale`."""
    words = path.split(".")
    on_the_way = (get_path(model, ".".join(words[: k + 1])) for k in range(len(words)))
    return any(isinstance(node, Integration | AbstractSteps) for node in on_the_way)

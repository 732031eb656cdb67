"""What an optimiser sees: a loss of a vector or PyTree and, where there is one, its curvature."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from .._parameters import select
from ._density import LatentDensity
from ._start import start_latent

Vector = Float[Array, " n"]


class LeastSquares(eqx.Module):
    """The loss |r|^2 / 2 of residuals r(params), for `fit` with `GaussNewton`.

    **Arguments:**

    - `residuals`: function of the parameters (a PyTree, for instance a model) that returns an array
      or a PyTree of arrays, in units of their standard deviations.
    """

    residuals: Callable[[Any], Any]

    def flat(self, params: Any) -> Vector:
        """The residuals as one vector."""
        return ravel_pytree(self.residuals(params))[0]

    def __call__(self, params: Any) -> Float[Array, ""]:
        r = self.flat(params)
        return 0.5 * jnp.sum(r * r)


class Quadratic(NamedTuple):
    """A loss near a point: value, gradient, and products with its Gauss-Newton matrix."""

    loss: Float[Array, ""]
    gradient: Vector
    product: Callable[[Vector], Vector]


class AbstractObjective(eqx.Module):
    """A loss of the coordinates that an optimiser moves."""

    @abc.abstractmethod
    def loss(self, x: Any) -> Float[Array, ""]:
        """The number to make small."""

    @abc.abstractmethod
    def model(self, x: Any) -> Any:
        """What the coordinates stand for: the model with its parameters put in."""


class LossObjective(AbstractObjective):
    """A plain function of a PyTree, some of whose arrays vary."""

    function: Callable[[Any], Any]
    fixed: Any

    def model(self, x: Any) -> Any:
        return eqx.combine(x, self.fixed)

    def loss(self, x: Any) -> Float[Array, ""]:
        return self.function(self.model(x))


class AbstractCurvedObjective(AbstractObjective):
    """A loss of a vector whose Gauss-Newton matrix is known as a product."""

    @abc.abstractmethod
    def quadratic(self, x: Vector) -> Quadratic:
        """The loss around `x`, linearised once; use it inside one jitted function."""


class ResidualObjective(AbstractCurvedObjective):
    """`LeastSquares` of a PyTree, ravelled."""

    target: LeastSquares
    fixed: Any
    unravel: Callable[[Vector], Any]

    def model(self, x: Vector) -> Any:
        return eqx.combine(self.unravel(x), self.fixed)

    def residuals(self, x: Vector) -> Any:
        """The residuals, as the user's function gives them."""
        return self.target.residuals(self.model(x))

    def loss(self, x: Vector) -> Float[Array, ""]:
        return self.target(self.model(x))

    def quadratic(self, x: Vector) -> Quadratic:
        residual, push = jax.linearize(lambda x: self.target.flat(self.model(x)), x)
        pull = jax.linear_transpose(push, x)
        product = lambda v: pull(push(v))[0]
        return Quadratic(0.5 * jnp.sum(residual * residual), pull(residual)[0], product)


class PosteriorObjective(AbstractCurvedObjective):
    """Minus the log density of a `Posterior`, of its latent vector."""

    posterior: LatentDensity

    def model(self, x: Vector) -> Any:
        return self.posterior.model_at(self.posterior.constrain(x))

    def loss(self, x: Vector) -> Float[Array, ""]:
        return -self.posterior.logdensity(x)

    def quadratic(self, x: Vector) -> Quadratic:
        posterior = self.posterior
        pair, push = jax.linearize(lambda x: posterior.evaluate(posterior.constrain(x)), x)
        pull = jax.linear_transpose(push, x)
        zero = jnp.zeros_like(pair[0])
        minus_prior = lambda x: -posterior.log_prior_latent(x)
        prior, prior_gradient = jax.value_and_grad(minus_prior)(x)
        gradient = prior_gradient - pull((zero + 1.0, jnp.zeros_like(pair[1])))[0]

        def product(v: Vector) -> Vector:
            own = jax.jvp(jax.grad(minus_prior), (x,), (v,))[1]
            return own + pull((zero, push(v)[1]))[0]

        return Quadratic(prior - pair[0], gradient, product)


def as_objective(
    target: Any, start: Any, free: Any, curved: bool | None, *, or_prior: bool = False
) -> tuple[AbstractObjective, Any]:
    """The objective of a posterior, a `LeastSquares` or a function, and its starting point.

    `curved`: whether the optimiser needs curvature, or None where it may choose. `or_prior`: see
    `start_latent`.
    """
    if isinstance(target, LatentDensity):
        if free is not None:
            raise ValueError("free has no meaning with a Posterior: its priors say what is free")
        return PosteriorObjective(target), start_latent(target, start, or_prior=or_prior)
    if not callable(target):
        raise TypeError(
            f"fit needs a Posterior, a LeastSquares or a loss function, got {type(target).__name__}"
        )
    if start is None:
        raise ValueError("start is missing: a loss function needs the parameters to start from")
    if isinstance(free, str):
        free = (free,)
    if isinstance(free, (tuple, list)) and free and all(isinstance(path, str) for path in free):
        free = select(start, *free)
    varying, fixed = eqx.partition(start, eqx.is_inexact_array if free is None else free)
    if not jax.tree.leaves(varying):
        raise ValueError("nothing is free: start has no floating-point array that `free` selects")
    if isinstance(target, LeastSquares) and curved is not False:
        x, unravel = ravel_pytree(varying)
        return ResidualObjective(target, fixed, unravel), x
    if curved:
        raise TypeError("GaussNewton needs a Posterior or synax.LeastSquares(residuals)")
    return LossObjective(target, fixed), varying

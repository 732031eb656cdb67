"""Integration over one cell: where the medium is evaluated, and the line through the values."""

import abc
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import stored


class Line(NamedTuple):
    """mean + slope tau inside a cell, tau in (-1/2, 1/2) away from the observer.

    `slope` None: constant.
    """

    mean: Float[Array, "*rows n_rays"]
    slope: Float[Array, "*rows n_rays"] | None


class AbstractQuadrature(eqx.Module):
    """A quadrature rule for one cell."""

    @property
    @abc.abstractmethod
    def nodes(self) -> tuple[float, ...]:
        """Places in the cell, as fractions of its length."""

    def fractions(self, dtype: Any) -> Float[Array, "n_nodes 1"]:
        """`nodes` as a column."""
        return jnp.asarray(self.nodes, dtype)[:, None]

    @abc.abstractmethod
    def expand(self, values: Float[Array, "*rows n_nodes n_rays"]) -> Line:
        """The line through the values at the nodes."""


def _at_nodes(x: Float[Array, "*rows n_nodes n_rays"]) -> tuple[Array, ...]:
    axis = x.ndim - 2
    parts = jax.lax.split(x, (1,) * x.shape[axis], axis)
    return tuple(jnp.squeeze(part, axis) for part in stored(parts))


class Midpoint(AbstractQuadrature):
    """One point a cell: second order. Constant coefficients are integrated exactly."""

    @property
    def nodes(self) -> tuple[float, ...]:
        return (0.5,)

    def expand(self, values: Float[Array, "*rows n_nodes n_rays"]) -> Line:
        (value,) = _at_nodes(values)
        return Line(value, None)


class GaussLegendre(AbstractQuadrature):
    """Two Gauss-Legendre points a cell: fourth order, also in the Faraday phase."""

    @property
    def nodes(self) -> tuple[float, ...]:
        offset = math.sqrt(3.0) / 6.0
        return (0.5 - offset, 0.5 + offset)

    def expand(self, values: Float[Array, "*rows n_nodes n_rays"]) -> Line:
        near, far = _at_nodes(values)
        return Line(0.5 * (near + far), math.sqrt(3.0) * (far - near))

"""Integration over one cell: where the medium is evaluated, and how the cell adds up.

Both rules integrate a cell of constant emission and rotation exactly, however large its
Faraday rotation.
"""

import abc
import functools
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import sincos, stored


class Medium(NamedTuple):
    """Local coefficients at the nodes of a cell of each ray (rows: 1 or n_freq).

    - `emission`: what is integrated as it is (K/kpc for intensity; any integrands).
    - `polarised`: (Q, U) emission before Faraday rotation, K/kpc, or None.
    - `rotation`: dRM/ds, rad m^-2 kpc^-1, or None.
    """

    emission: tuple[Float[Array, "_ n_nodes n_rays"], ...]
    polarised: (
        tuple[Float[Array, "n_rows n_nodes n_rays"], Float[Array, "n_rows n_nodes n_rays"]] | None
    )
    rotation: Float[Array, "n_nodes n_rays"] | None


class CellIntegral(NamedTuple):
    """What one cell adds: emission (_, n_rays) each, Q, U (n_freq, n_rays), RM (n_rays,)."""

    emission: tuple[Array, ...]
    polarised: tuple[Array, Array] | None
    rotation: Array | None


class AbstractQuadrature(eqx.Module):
    """A quadrature rule for one cell."""

    @property
    @abc.abstractmethod
    def nodes(self) -> tuple[float, ...]:
        """Places in the cell, as fractions of its length."""

    @abc.abstractmethod
    def depth(self, rotation: tuple[Array, ...], length: Array) -> Array:
        """Rotation measure across the cell (rad m^-2) from dRM/ds at the nodes."""

    @abc.abstractmethod
    def rotate(
        self,
        near_depth: Array,
        rotation: tuple[Array, ...],
        polarised: tuple[tuple[Array, Array], ...],
        length: Array,
        lambda_squared: Float[Array, "n_freq 1"],
    ) -> tuple[Array, Array]:
        """Q, U of the cell, seen through the rotation measure `near_depth` in front of it."""


def _at_nodes(x: Float[Array, "*rows n_nodes n_rays"]) -> tuple[Array, ...]:
    axis = x.ndim - 2
    parts = jax.lax.split(x, (1,) * x.shape[axis], axis)
    return tuple(jnp.squeeze(part, axis) for part in stored(parts))


def cell_depth(rule: AbstractQuadrature, medium: Medium, length: Array) -> Array:
    """Rotation measure (rad m^-2) across a cell."""
    return rule.depth(_at_nodes(medium.rotation), length)


def integrate_cell(
    rule: AbstractQuadrature,
    medium: Medium,
    length: Array,
    near_depth: Array | None,
    lambda_squared: Array | None,
) -> CellIntegral:
    """Add up one cell from the medium at the nodes, behind the rotation measure `near_depth`."""
    share = length / len(rule.nodes)
    add = lambda x: share * functools.reduce(jnp.add, _at_nodes(x))
    emission = jax.tree.map(add, medium.emission)
    if medium.rotation is None:
        return CellIntegral(emission, jax.tree.map(add, medium.polarised), None)
    rotation = _at_nodes(medium.rotation)
    depth = rule.depth(rotation, length)
    if medium.polarised is None:
        return CellIntegral(emission, None, depth)
    polarised = tuple(zip(*map(_at_nodes, medium.polarised), strict=True))
    q, u = rule.rotate(near_depth, rotation, polarised, length, lambda_squared)
    return CellIntegral(emission, (q, u), depth)


def _sinc_moments(x: Array) -> tuple[Array, Array]:
    """sin(x)/x and (sin x - x cos x)/(2 x^2), by series where |x| is small."""
    x2 = x * x
    small = x2 < 0.06
    m0 = 1.0 - x2 / 6.0 * (
        1.0 - x2 / 20.0 * (1.0 - x2 / 42.0 * (1.0 - x2 / 72.0 * (1.0 - x2 / 110.0)))
    )
    m1 = (1.0 - x2 / 10.0 * (1.0 - x2 / 28.0 * (1.0 - x2 / 54.0 * (1.0 - x2 / 88.0)))) * (x / 6.0)
    safe = jnp.where(small, 1.0, x)
    s, c = sincos(safe)
    return (
        jnp.where(small, m0, s / safe),
        jnp.where(small, m1, (s - safe * c) / (2.0 * safe * safe)),
    )


class Midpoint(AbstractQuadrature):
    """One point a cell: second order; the rotation inside the cell is integrated exactly.

    Q + iU += j exp(2i lambda^2 (RM + dRM/2)) sinc(lambda^2 dRM) ds.
    """

    @property
    def nodes(self) -> tuple[float, ...]:
        return (0.5,)

    def depth(self, rotation, length):
        return rotation[0] * length

    def rotate(self, near_depth, rotation, polarised, length, lambda_squared):
        ((q, u),) = polarised
        half = 0.5 * rotation[0] * length
        s, c = sincos(2.0 * lambda_squared * (near_depth + half))
        factor = length * _sinc_moments(2.0 * lambda_squared * half)[0]
        return factor * (q * c - u * s), factor * (q * s + u * c)


class GaussLegendre(AbstractQuadrature):
    """Two Gauss-Legendre points a cell: fourth order, also in the Faraday phase.

    Through the two points run straight lines, j(tau) = j0 + j1 tau and dRM/ds = f0 + f1 tau
    with tau in (-1/2, 1/2). The rotation by f0 is integrated exactly against j (Filon), the
    rest is its value at the points, -f1 ds / 12, the same at both:

    Q + iU += exp(2i lambda^2 (RM + f0 ds/2 - f1 ds/12)) [j0 M0(x) + i j1 M1(x)] ds,
    x = lambda^2 f0 ds, M0 = sin x / x, M1 = (sin x - x cos x) / (2 x^2).
    """

    @property
    def nodes(self) -> tuple[float, ...]:
        offset = math.sqrt(3.0) / 6.0
        return (0.5 - offset, 0.5 + offset)

    def depth(self, rotation, length):
        return 0.5 * (rotation[0] + rotation[1]) * length

    def rotate(self, near_depth, rotation, polarised, length, lambda_squared):
        (q_a, u_a), (q_b, u_b) = polarised
        slope = math.sqrt(3.0)
        half = 0.25 * (rotation[0] + rotation[1]) * length
        bend = (slope / 12.0) * (rotation[1] - rotation[0]) * length
        s, c = sincos(2.0 * lambda_squared * (near_depth + half - bend))
        m0, m1 = _sinc_moments(2.0 * lambda_squared * half)
        m1 = slope * m1
        q = 0.5 * (q_a + q_b) * m0 - (u_b - u_a) * m1
        u = 0.5 * (u_a + u_b) * m0 + (q_b - q_a) * m1
        return length * (q * c - u * s), length * (q * s + u * c)

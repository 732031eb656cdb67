"""Random magnetic fields without divergence: the curl of a vector potential on a grid."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .. import _checks as checks
from .._numerics._math import safe_sqrt
from .._parameters import parameter
from ..fields._domain import Box
from ..fields._field import AbstractVectorField, Position
from ..fields._grid import GridField
from ..fields._surfaces import AbstractSurface
from ._gaussian import check_latent, white
from ._modes import (
    Shape3,
    check_resolved,
    hartley,
    padded,
    seen_between_nodes,
    spacings,
    wavevectors,
)
from ._spectra import AbstractSpectrum


class SolenoidalField(AbstractVectorField):
    """A Gaussian random magnetic field that is exactly free of divergence on its grid.

    B = curl A, with A a Gaussian random field at the centres of the cells and B at the nodes.
    The derivative along x of a quantity at the centres is, at a node, the difference of the
    means over the four cells on either side,

    (D_x A) = [mean(A at x + dx/2) - mean(A at x - dx/2)] / dx,

    and so for y and z. With it, the flux of the trilinearly interpolated B out of every cell of
    the grid is zero to rounding (`flux_divergence`), whatever the modes are: D_x, D_y, D_z from
    centres to nodes and the flux from nodes to centres commute as all shift-invariant operators
    do. The modes of A have the power P(k) / k^2, so that B has the spectrum P(k) on scales that
    the grid resolves; the mean field, which no vector potential on a periodic grid gives, is added
    as a model of its own: `synax.magnetic.Uniform(...) + SolenoidalField...`.

    **Arguments:**

    - those of `GaussianField`; `latent` (3, mx, my, mz) with at least one mode more than `shape`
      along each axis; `spectrum.rms` is that of |B| (microgauss), of the interpolated field
      averaged over space.
    """

    latent: Float[Array, "3 mx my mz"] = parameter(..., "", "white modes of A, N(0, 1)")
    spectrum: AbstractSpectrum
    box: Box
    shape: Shape3 = eqx.field(static=True)
    outside: str = eqx.field(static=True, default="zero")

    def __check_init__(self):
        nx, ny, nz = self.shape
        check_latent(self.latent, (nx + 1, ny + 1, nz + 1))
        if eqx.is_array(self.latent) and self.latent.ndim != 4:
            raise ValueError(f"latent must have shape (3, mx, my, mz), got {self.latent.shape}")

    @staticmethod
    def on_grid(
        box: Box,
        shape: Any,
        spectrum: AbstractSpectrum,
        *,
        key: Any = None,
        padding: float = 0.25,
        outside: str = "zero",
    ) -> "SolenoidalField":
        """The field that is zero everywhere, or a random one drawn with `key`."""
        nx, ny, nz = checks.grid_shape("shape", shape)
        modes = padded((nx + 1, ny + 1, nz + 1), padding)
        latent = white((3, *modes), key)
        wavevector = wavevectors(box, (nx, ny, nz), modes)
        power, response = _potential_power(spectrum, wavevector, spacings(box, (nx, ny, nz)))
        check_resolved("SolenoidalField", power * response, seen_between_nodes(modes))
        return SolenoidalField(latent, spectrum, box, (nx, ny, nz), outside)

    def potential(self) -> Float[Array, "3 cx cy cz"]:
        """The vector potential (microgauss kpc) at the centres of the cells, one ring outside."""
        wavevector = wavevectors(self.box, self.shape, self.latent.shape[-3:])
        power, response = _potential_power(
            self.spectrum, wavevector, spacings(self.box, self.shape)
        )
        # three components of A, of which curl leaves two
        seen = seen_between_nodes(power.shape, power.dtype)
        energy = jnp.mean(2.0 * power * response * seen)
        sigma = self.spectrum.rms * safe_sqrt(power / energy)
        nx, ny, nz = self.shape
        return hartley(sigma.astype(self.latent.dtype) * self.latent)[
            :, : nx + 1, : ny + 1, : nz + 1
        ]

    @eqx.filter_jit
    def values(self) -> Float[Array, "3 nx ny nz"]:
        """B (microgauss) at the nodes."""
        a, spacing = self.potential(), spacings(self.box, self.shape)
        d = lambda axis, component: _derivative(a[component], axis, spacing[axis])
        return jnp.stack([d(1, 2) - d(2, 1), d(2, 0) - d(0, 2), d(0, 1) - d(1, 0)])

    def grid(self) -> GridField:
        """The same field as a `GridField`."""
        return GridField(self.values(), self.box, outside=self.outside)

    def prepare(self) -> Any:
        """The field on its grid, ready for the look-up."""
        return self.grid().prepare()

    def __call__(self, position: Position) -> Float[Array, "3 *points"]:
        return self.grid()(position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (self.box,) if self.outside == "zero" else ()


def _potential_power(
    spectrum: AbstractSpectrum, wavevector: Float[Array, "3 mx my mz"], spacing: Any
) -> tuple[Float[Array, "mx my mz"], Float[Array, "mx my mz"]]:
    """P(k)/k^2 of the potential, and |kappa|^2 of the differences that make B of it."""
    k2 = jnp.sum(wavevector**2, axis=0)
    power = jnp.where(k2 > 0.0, spectrum.power(wavevector) / jnp.where(k2 > 0.0, k2, 1.0), 0.0)
    half = [0.5 * k * d for k, d in zip(wavevector, spacing, strict=True)]
    sine, cosine = [jnp.sin(h) for h in half], [jnp.cos(h) for h in half]
    x, y, z = ((2.0 / spacing[i] * sine[i] * cosine[i - 1] * cosine[i - 2]) ** 2 for i in range(3))
    response = x + y + z
    return power, response


def _derivative(values: Array, axis: int, spacing: Array) -> Array:
    """Difference along one axis of the means along the others: one value fewer along each."""
    for other in range(3):
        n = values.shape[other]
        low = lax.slice_in_dim(values, 0, n - 1, axis=other)
        high = lax.slice_in_dim(values, 1, n, axis=other)
        values = (high - low) / spacing if other == axis else 0.5 * (high + low)
    return values


def flux_divergence(field: GridField) -> Float[Array, "cx cy cz"]:
    """Flux out of every cell of a node-centred vector grid, divided by the cell's volume.

    Exact for the trilinearly interpolated field; in the field's unit per kpc.
    """
    if field.values.ndim != 4 or field.centering != "node":
        raise ValueError("flux_divergence needs a vector GridField with centering='node'")
    spacing = spacings(field.box, field.shape)
    x, y, z = (_derivative(field.values[i], i, spacing[i]) for i in range(3))
    return x + y + z

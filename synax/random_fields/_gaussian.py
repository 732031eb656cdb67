"""Gaussian random fields on a grid, given by white modes."""

from math import prod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import parameter
from ..fields._domain import Box
from ..fields._field import AbstractField, Position, Value
from ..fields._grid import GridField
from ..fields._surfaces import AbstractSurface
from ._modes import (
    Shape3,
    check_resolved,
    hartley,
    mode_amplitudes,
    padded,
    seen_between_nodes,
    wavevectors,
)
from ._spectra import AbstractSpectrum


class GaussianField(AbstractField):
    """A stationary Gaussian random field on a grid of nodes, between them trilinear.

    f = H[sigma(k) xi_k],  xi_k ~ N(0, 1),  sigma^2 the spectrum's power, H the Hartley transform

    The white modes `latent` are the trainable leaf: a standard normal prior on them is the
    Gaussian prior on the field, whatever the resolution, and the spectrum's parameters can be
    inferred with them. Make one with `GaussianField.on_grid`. The grid of the transform is
    periodic, and larger than the box by the padding, so that opposite walls are not correlated.

    **Arguments:**

    - `latent`: (mx, my, mz) for a scalar field, (3, mx, my, mz) for a vector field with
      independent components; at least `shape` along each axis.
    - `spectrum`: `Matern(...)` or `PowerLaw(...)`; its rms, in the field's unit, is that of the
      interpolated field averaged over space, for vectors of all components together.
    - `box`, `shape`: where the nodes are (kpc; nx, ny, nz of them, the outer ones on the walls).
    - `outside`: "zero" or "nearest", as in `GridField` (static).
    """

    latent: Float[Array, "*components mx my mz"] = parameter(..., "", "white modes, N(0, 1)")
    spectrum: AbstractSpectrum
    box: Box
    shape: Shape3 = eqx.field(static=True)
    outside: str = eqx.field(static=True, default="zero")

    def __check_init__(self):
        check_latent(self.latent, self.shape)

    @property
    def rank(self) -> str:
        return "vector" if self.latent.ndim == 4 else "scalar"

    @staticmethod
    def on_grid(
        box: Box,
        shape: Any,
        spectrum: AbstractSpectrum,
        *,
        vector: bool = False,
        key: Any = None,
        padding: float = 0.25,
        outside: str = "zero",
    ) -> "GaussianField":
        """The field that is zero everywhere, or a random one drawn with `key`.

        **Arguments:**

        - as for the class.
        - `vector`: three components or one.
        - `padding`: fraction of further nodes along each axis of the periodic grid.
        """
        shape = checks.grid_shape("shape", shape)
        modes = padded(shape, padding)
        latent = white((3,) * vector + modes, key)
        wavevector = wavevectors(box, shape, modes)
        check_resolved("GaussianField", spectrum.power(wavevector), seen_between_nodes(modes))
        return GaussianField(latent, spectrum, box, tuple(shape), outside)

    @eqx.filter_jit
    def values(self) -> Float[Array, "*components nx ny nz"]:
        """The field at the nodes."""
        wavevector = wavevectors(self.box, self.shape, self.latent.shape[-3:])
        sigma = mode_amplitudes(self.spectrum, wavevector)
        if self.rank == "vector":
            sigma = sigma * 3.0**-0.5
        nx, ny, nz = self.shape
        return hartley(sigma.astype(self.latent.dtype) * self.latent)[..., :nx, :ny, :nz]

    def grid(self) -> GridField:
        """The same field as a `GridField`."""
        return GridField(self.values(), self.box, outside=self.outside)

    def prepare(self) -> AbstractField:
        """The field on its grid, ready for the look-up."""
        return self.grid().prepare()

    def __call__(self, position: Position) -> Value:
        return self.grid()(position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (self.box,) if self.outside == "zero" else ()


MODE_BYTES = 5 * 8
"""Memory of one mode while a field is made: the mode, its amplitude, wave numbers, transforms."""


def white(shape: tuple[int, ...], key: Any) -> Float[Array, "..."]:
    """Standard normal numbers, or zeros without a key; refused if they cannot be held."""
    checks.memory(f"shape: {' x '.join(map(str, shape))} modes", MODE_BYTES * prod(shape))
    dtype = jnp.result_type(float)
    if key is None:
        return jnp.zeros(shape, dtype)
    return jax.random.normal(checks.random_key("key", key), shape, dtype)


def check_latent(latent: Any, shape: Shape3) -> None:
    """Raise `ValueError` unless `latent` holds modes for a grid of `shape`."""
    if not eqx.is_array(latent):
        return
    found = latent.shape
    if len(shape) != 3 or min(shape) < 2:
        raise ValueError(f"shape must be three numbers >= 2, got {shape}")
    enough = len(found) >= 3 and all(m >= n for m, n in zip(found[-3:], shape, strict=True))
    if not enough or found[:-3] not in ((), (3,)):
        raise ValueError(
            f"latent must have shape (mx, my, mz) or (3, mx, my, mz) with at least {shape} modes, "
            f"got {found}"
        )

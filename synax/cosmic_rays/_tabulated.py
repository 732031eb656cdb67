"""Cosmic-ray electrons with any spectrum, tabulated in energy and position."""

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics._gather import pack, trilinear
from .._numerics._math import log, stored
from .._parameters import ModelInfo, parameter
from ..fields._domain import Box
from ..fields._surfaces import AbstractSurface
from ._base import AbstractCosmicRays
from ._parametric import energy_range


class TabulatedSpectrum(AbstractCosmicRays):
    """N(gamma, x) on a grid: uniform in ln gamma, uniform and node-centred in x, y, z.

    Between energies N is a power law (linear in ln N against ln gamma, so that a power law is
    met exactly), between nodes linear in N. It is 0 outside the energies and outside the box.
    Calling the model gives the number density of electrons between `gamma_min` and `gamma_max`.

    **Arguments:**

    - `values`: (n_gamma, nx, ny, nz), cm^-3 per unit Lorentz factor; at least two along each axis.
      A trainable leaf.
    - `gamma_min`, `gamma_max`: Lorentz factors of the first and the last table (static).
    - `box`: a `synax.Box`; the outermost nodes lie on its faces.
    """

    values: Float[Array, "n_gamma nx ny nz"] = parameter(..., "cm-3", "N(gamma, x)", minimum=0.0)
    gamma_min: float = eqx.field(static=True, converter=float)
    gamma_max: float = eqx.field(static=True, converter=float)
    box: Box

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="none: holds the user's own table",
        notes="N(gamma, x) and its number density",
    )

    def __check_init__(self):
        shape = self.values.shape
        if len(shape) != 4 or min(shape) < 2:
            raise ValueError(
                "TabulatedSpectrum: values must have shape (n_gamma, nx, ny, nz), each at least "
                f"2, got {shape}"
            )
        energy_range(self.gamma_min, self.gamma_max, "TabulatedSpectrum")

    @classmethod
    def from_spectrum(
        cls,
        cosmic_rays: AbstractCosmicRays,
        box: Box,
        shape: tuple[int, int, int] = (48, 48, 24),
        n_gamma: int = 64,
    ) -> "TabulatedSpectrum":
        """Tabulate any other spectrum over its range of energies.

        **Arguments:**

        - `cosmic_rays`: a population with a finite `gamma_range`.
        - `box`: where; N is 0 outside.
        - `shape`, `n_gamma`: how many nodes along x, y, z and ln gamma.
        """
        low, high = (float(x) for x in cosmic_rays.gamma_range)
        if not high < math.inf:
            raise ValueError(
                f"from_spectrum: cosmic_rays must have a finite gamma_range, got {low}, {high}"
            )
        axes = (
            c + h * jnp.linspace(-1.0, 1.0, n)
            for c, h, n in zip(box.center, box.half_lengths, shape, strict=True)
        )
        position = jnp.stack(jnp.meshgrid(*axes, indexing="ij"))
        gamma = np.exp(np.linspace(math.log(low), math.log(high), n_gamma))
        gamma[0], gamma[-1] = low, high
        values = cosmic_rays.spectrum(jnp.asarray(gamma, position.dtype), position)
        return cls(values, low, high, box)

    @property
    def gamma_range(self) -> tuple[float, float]:
        """Lorentz factors of the first and the last table."""
        return self.gamma_min, self.gamma_max

    def breaks(self) -> tuple[float, ...]:
        """The tabulated energies: ln N bends there."""
        ends = math.log(self.gamma_min), math.log(self.gamma_max)
        return tuple(np.exp(np.linspace(*ends, self.values.shape[0]))[1:-1].tolist())

    @property
    def gamma(self) -> Float[Array, " n_gamma"]:
        """Lorentz factors of the tables."""
        ends = math.log(self.gamma_min), math.log(self.gamma_max)
        return jnp.exp(jnp.linspace(*ends, self.values.shape[0], dtype=self.values.dtype))

    def table(self, position: Float[Array, "3 *points"]) -> Float[Array, "n_gamma *points"]:
        """N at every tabulated energy, interpolated to the positions (cm^-3)."""
        flat = position.reshape(3, -1)
        half, center = self.box.half_lengths[:, None], self.box.center[:, None]
        n_gamma, *shape = self.values.shape
        last = jnp.asarray(shape, flat.dtype)[:, None] - 1.0
        coordinate = (flat - center + half) * (last / (2.0 * half))
        values = trilinear(pack(self.values), coordinate, tuple(shape), n_gamma, True)
        values = values.reshape((n_gamma, *position.shape[1:]))
        return jnp.where(self.box.contains(position), values, 0.0)

    def spectrum(
        self, gamma: Float[Array, "*energies"], position: Float[Array, "3 *points"]
    ) -> Float[Array, "..."]:
        """N(gamma) in cm^-3 at every energy and position, (*energies, *points)."""
        return self.between(gamma, self.table(position))

    def between(
        self, gamma: Float[Array, "*energies"], values: Float[Array, "n_gamma *points"]
    ) -> Float[Array, "..."]:
        """N between the tabulated energies, given N at them: (*energies, *points)."""
        n = values.shape[0]
        step = math.log(self.gamma_max / self.gamma_min) / (n - 1)
        level = jnp.log(gamma / self.gamma_min) / step
        # rounding must not push the last tabulated energy out of the table
        inside = (level > -1e-6) & (level < n - 1 + 1e-6)
        below = jnp.clip(jnp.floor(level), 0, n - 2).astype(jnp.int32)
        fraction = level - below
        spread = gamma.shape + (1,) * (values.ndim - 1)
        fraction, inside = fraction.reshape(spread), inside.reshape(spread)
        positive = values > 0
        level = stored(log(jnp.where(positive, values, 1.0)))  # before it is taken many times
        low, high = level[below], level[below + 1]
        power = jnp.exp(low + fraction * (high - low))
        both = positive[below] & positive[below + 1]
        straight = values[below] + fraction * (values[below + 1] - values[below])
        value = jnp.where(both, power, straight)
        return jnp.where(inside, value, 0.0)

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        values = self.table(position)
        gamma = self.gamma.reshape((-1,) + (1,) * (position.ndim - 1))
        return jnp.trapezoid(values * gamma, jnp.log(gamma), axis=0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (self.box,)

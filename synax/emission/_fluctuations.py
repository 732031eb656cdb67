"""Clumpiness of the ionised gas from the scattering of pulsars, as NE2001 has it."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import Scalar, parameter
from ..electrons import _ne_catalogue as catalogue
from ..electrons._ne2001 import NE2001, AbstractNE
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface

Points = Float[Array, "*points"]

_LEAST = 1e-9
"""The filling factor is held below 1 / this, where nothing scatters and nothing absorbs."""


class FluctuationFilling(AbstractScalarField):
    """Filling factor with which n_e^2 / f is the emission measure of NE2001's scattering.

    1 / f = k sum_parts F n^2 / n_e^2, weighted as the densities are: a void replaces a local
    region, which replaces discs, arms and Galactic Centre; clumps are added.

    F, the fluctuation parameter of a part, says how much its turbulence scatters pulsars for its
    density. A cascade of fluctuations from an outer scale of 1 pc (volume filling and variances of
    order one) makes of the scattering measure an emission measure, k. Give it to
    `synax.FreeFree(8000.0, FluctuationFilling(NE2001()))`. It may exceed 1: such a part scatters
    less than gas of its mean density would.

    **Arguments:**

    - `model`: `electrons.NE2001` or `electrons.NE2025`.
    - `thick`, `thin`, `arms`, `center`: F of the parts, defaults of NE2001. The program of NE2001
      multiplies that of the arms by 1.1, 0.3, 0.4, 1.5, 0.3 from arm to arm; here one F serves all.
    - `local`: F of low-density region, local super-bubble, local hot bubble, Loop I inside its
      shell and its shell.
    - `scale`: k.

    F of clumps and voids are those of the published lists.

    **Raises** `TypeError` for another model.

    **Reference:** Cordes & Lazio 2002, arXiv:astro-ph/0207156, tables 3 to 6 (F), eq. 14 (emission
    measure); Cong et al. 2021, ApJ 914, 128 (free-free absorption from it, `ulsa`).
    """

    model: AbstractNE
    thick: Scalar = parameter(0.18, "", "F1, of the thick disc", minimum=0.0)
    thin: Scalar = parameter(120.0, "", "F2, of the thin disc", minimum=0.0)
    arms: Scalar = parameter(5.0, "", "Fa, of the arms", minimum=0.0)
    center: Scalar = parameter(6e4, "", "Fgc, of the Galactic Centre", minimum=0.0)
    local: Float[Array, "5"] = parameter(
        (0.1, 0.01, 0.01, 0.2, 0.01), "", "F of ldr, lsb, lhb, Loop I inside, shell", minimum=0.0
    )
    scale: Scalar = parameter(1.001576, "", "k, outer scale of 1 pc", minimum=0.0)

    def __check_init__(self):
        checks.instance("model", self.model, AbstractNE, "such as synax.electrons.NE2001()")

    @classmethod
    def ulsa(cls, model: Any = None) -> "FluctuationFilling":
        """That of the ULSA sky (Cong et al. 2021): F1 = 3.0 for the thick disc.

        **Arguments:**

        - `model`: default `electrons.NE2001()`.
        """
        return cls(NE2001() if model is None else model, thick=3.0)

    def __call__(self, position: Float[Array, "3 *points"]) -> Points:
        density = self.model(position)
        square = density * density
        absorbing = self.scale * self.squares(position)
        there = square > 0
        safe = jnp.where(there, square, 1.0)
        return jnp.where(there, safe / jnp.maximum(absorbing, _LEAST * safe), 1.0)

    def squares(self, position: Float[Array, "3 *points"]) -> Points:
        """sum_parts F n^2 with the weights of the model, cm^-6."""
        m = self.model
        thick, thin = m.each_disc(position)
        arms, center = m.arms(position), m.galactic_center(position)
        total = self.thick * thick**2 + self.thin * thin**2
        total = total + self.arms * arms**2 + self.center * center**2
        if m.local is not None:
            ldr, lsb, lhb, inside, shell = self.local
            squared = eqx.tree_at(
                lambda x: (x.ldr_density, x.lsb_density, x.lhb_density, x.loop_density),
                m.local,
                (
                    ldr * m.local.ldr_density**2,
                    lsb * m.local.lsb_density**2,
                    lhb * m.local.lhb_density**2,
                    jnp.stack([inside, shell]) * m.local.loop_density**2,
                ),
            )
            region, here = squared(position)
            total = jnp.where(here, region, total)
        if m.voids:
            void, here = catalogue.last_density(catalogue.squared(m.lists, "voids"), position)
            total = jnp.where(here, m.void_scale**2 * void, total)
        if m.clumps:
            clumps = catalogue.total_density(catalogue.squared(m.lists, "clumps"), position)
            total = total + m.clump_scale**2 * clumps
        return total

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return self.model.surfaces()

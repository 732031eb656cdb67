"""The exponential-disc cosmic-ray electrons that go with the WMAP field model."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import cylindrical_radius, sech2
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._surfaces import AbstractSurface
from ._base import AbstractPowerLaw, index_surfaces, spectral_index_field
from ._discs import HAMMURABI3


class WMAP(AbstractPowerLaw):
    """C = c0 exp(-r / r0) sech^2(z / z0), N(gamma) = C gamma^-p.

    The default c0 gives C = 4.014e-5 cm^-3 at r = 8.3 kpc, a flux of 0.25 electrons per
    (GeV m^2 s sr) at 10 GeV for p = 3.

    **Reference:** Drimmel & Spergel 2001, ApJ 556, 181 and Page et al. 2007, ApJS 170, 335
    (profile, no normalisation); Diao et al. 2024, arXiv:2410.01136 (normalisation).
    """

    c0: Scalar = parameter(
        2.1113067834e-4, "cm-3", "normalisation on the axis, in the plane", minimum=0.0
    )
    r0: Scalar = parameter(5.0, "kpc", "scale length", above=0.0)
    z0: Scalar = parameter(1.0, "kpc", "scale height", above=0.0)
    spectral_index: Any = spectral_index_field(3.0)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Page et al. 2007, ApJS 170, 335; Diao et al. 2024, arXiv:2410.01136"
    )

    @classmethod
    def hermes(cls, **changes: Any) -> "WMAP":
        """As in HERMES: 6.4e-5 cm^-3 at r = 8.5 kpc (the normalisation of Sun et al. 2008)."""
        return cls(**{"c0": 6.4e-5 * math.exp(8.5 / 5.0), **changes})

    @classmethod
    def hammurabi3(cls, **changes: Any) -> "WMAP":
        """As in hammurabi 3: 4.013e-5 cm^-3 at r = 8.5 kpc."""
        return cls(**{"c0": HAMMURABI3 * math.exp(8.5 / 5.0), **changes})

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        radial = jnp.exp(-cylindrical_radius(x, y) / self.r0)
        return self.c0 * radial * sech2(z / self.z0)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return index_surfaces(self)

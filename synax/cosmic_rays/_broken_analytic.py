"""The disc of hammurabiX's analytic electrons with a spectrum that bends."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import cylindrical_radius, sech2
from .._parameters import ModelInfo, Scalar, parameter
from ._analytic import flux_density
from ._parametric import AbstractParametricSpectrum, Values, broken_shape, energy_range


class BrokenAnalytic(AbstractParametricSpectrum):
    """Electrons fixed by their flux near the Sun: an exponential disc, two power laws that join.

    N = C s (gamma/gamma_b)^-p1 (1 + (gamma/gamma_b)^(1/w))^(-(p2 - p1) w)
    s = exp((R_obs - R) / r0) sech^2(z / z0)

    with gamma_b = `gamma_break`, p1 = `index_below`, p2 = `index_above`, w = `width`, and C such
    that the flux at `energy` is `flux` in the plane, at the radius of the observer. The disc is
    `Analytic`'s, the shape `BrokenPowerLaw`'s. With its default numbers the brightness has the
    indices of the sky, within 0.05: -2.5 between 45 and 408 MHz, -2.75 from there to 1.42 GHz, -3.0
    to 23 GHz. The break lies at 3.3 GeV.

    **Reference:** disc: Wang et al. 2020, ApJS 247, 18 (hammurabi X). Flux: AMS-02, Aguilar et al.
    2014, PRL 113, 221102. Energies are total energies.
    """

    index_below: Scalar = parameter(1.6, "", "p1, index below the break")
    index_above: Scalar = parameter(3.23, "", "p2, index above the break")
    gamma_break: Scalar = parameter(6500.0, "", "Lorentz factor of the break", above=1.0)
    width: Scalar = parameter(0.15, "", "w, width of the break in ln gamma", above=0.0)
    r0: Scalar = parameter(5.0, "kpc", "scale length", above=0.0)
    z0: Scalar = parameter(1.0, "kpc", "scale height", above=0.0)
    energy: Scalar = parameter(20.6, "GeV", "energy at which the flux is given", above=0.0)
    flux: Scalar = parameter(0.0217, "GeV-1 m-2 s-1 sr-1", "flux at the observer")
    observer: Float[Array, "3"] = parameter((-8.3, 0.0, 0.006), "kpc", "where the flux is given")
    gamma_min: float = eqx.field(static=True, default=10.0, converter=float)
    gamma_max: float = eqx.field(static=True, default=1e9, converter=float)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="none: the disc of Wang et al. 2020 with a broken power law", sun=(-8.3, 0.0, 0.006)
    )

    def __check_init__(self):
        energy_range(self.gamma_min, self.gamma_max, "BrokenAnalytic")

    def parameters(self) -> tuple[Any, ...]:
        return (self.index_below, self.index_above, self.gamma_break, self.width)

    def shape(self, gamma: Values, *parameters: Values) -> Values:
        return broken_shape(gamma, *parameters)

    @property
    def normalisation(self) -> Scalar:
        """C at the observer, cm^-3."""
        gamma = self.energy / const.ELECTRON_REST_ENERGY_GEV
        speed = jnp.sqrt(1.0 - 1.0 / (gamma * gamma))
        return flux_density(self.flux, speed) / self.shape(gamma, *self.parameters())

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        distance = cylindrical_radius(x, y) - cylindrical_radius(*self.observer[:2])
        return self.normalisation * jnp.exp(-distance / self.r0) * sech2(z / self.z0)

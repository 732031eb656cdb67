"""Synchrotron emissivity of a power-law electron spectrum, N(gamma) = C gamma^-p.

j_I = sqrt(3) e^3 C B_perp / (4 pi m c^2 (p + 1)) Gamma(p/4 + 19/12) Gamma(p/4 - 1/12)
      (2 pi nu m c / (3 e B_perp))^(-(p - 1)/2),   j_P = j_I (p + 1) / (p + 7/3)

(Gaussian units, per steradian). Split here into a spectral factor, which depends on nu and p
only, and C B_perp^((p + 1)/2), so that several frequencies share everything but the factor.

**Reference:** Westfold 1959, ApJ 130, 241; Rybicki & Lightman 1979, eq. 6.36.
"""

import math

import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import log
from .._parameters import in_units

# e^2 (Gaussian) -> e^2 / (4 pi eps0), e B (Gaussian) -> e B c, for B in microgauss, C in cm^-3.
_EMISSIVITY = (
    math.sqrt(3.0)
    * const.ELEMENTARY_CHARGE**3
    * const.PER_CM3
    * const.MICROGAUSS
    / (16.0 * math.pi**2 * const.VACUUM_PERMITTIVITY * const.ELECTRON_MASS * const.SPEED_OF_LIGHT)
)
# 2 pi nu m / (3 e B) at nu = 1 GHz, B = 1 microgauss
_FREQUENCY_RATIO = (
    2.0
    * math.pi
    * const.GHZ
    * const.ELECTRON_MASS
    / (3.0 * const.ELEMENTARY_CHARGE * const.MICROGAUSS)
)
# brightness temperature per kpc of path: c^2 / (2 k nu^2) at 1 GHz
_KELVIN_KPC = const.SPEED_OF_LIGHT**2 / (2.0 * const.BOLTZMANN * const.GHZ**2) * const.KPC


X_FACTOR = 2.0 * _FREQUENCY_RATIO
"""x = nu/nu_c = X_FACTOR nu / (B_perp gamma^2), nu in GHz, B_perp in microgauss."""
EMISSION_FACTOR = _EMISSIVITY * _KELVIN_KPC
"""j in K/kpc = EMISSION_FACTOR B_perp/nu^2 int N F dgamma (microgauss, GHz, cm^-3)."""
ABSORPTION_FACTOR = _EMISSIVITY * const.KPC / (const.ELECTRON_MASS * const.GHZ**2)
"""a_I in 1/kpc = ABSORPTION_FACTOR B_perp/nu^2 int (N/gamma) x^2 K_5/3 dgamma."""


@in_units(frequency="GHz", index="")
def spectral_factor(
    frequency: Float[Array, "*freq"], index: Float[Array, "*points"]
) -> Float[Array, "..."]:
    """Brightness temperature per path length for C = 1 cm^-3 and B_perp = 1 microgauss.

    **Arguments:**

    - `frequency` in GHz and `index` p, broadcast against each other.

    **Returns** K (Rayleigh-Jeans) per kpc; multiply by C B_perp^((p+1)/2) for the intensity and
    by `polarised_fraction(p)` for the polarised part.
    """
    p = index
    log_constant = math.log(_EMISSIVITY) + math.log(_KELVIN_KPC)
    log_value = (
        log_constant
        - jnp.log(p + 1.0)
        + gammaln(p / 4.0 + 19.0 / 12.0)
        + gammaln(p / 4.0 - 1.0 / 12.0)
        - 0.5 * (p - 1.0) * (math.log(_FREQUENCY_RATIO) + jnp.log(frequency))
        - 2.0 * jnp.log(frequency)
    )
    return jnp.exp(log_value)


def polarised_fraction(index: Float[Array, "*points"]) -> Float[Array, "*points"]:
    """(p + 1) / (p + 7/3): intrinsic degree of linear polarisation."""
    return (index + 1.0) / (index + 7.0 / 3.0)


@in_units(b_perp_squared="uG2", index="")
def field_power(
    b_perp_squared: Float[Array, "*points"], index: Float[Array, "..."]
) -> Float[Array, "*points"]:
    """B_perp^((p - 3)/2) from B_perp^2 (microgauss^2), without a general power.

    Multiplied by B_perp^2 it gives the intensity's B_perp^((p+1)/2), by (B_b + i B_l)^2 the
    polarised emission. Finite, with zero derivatives, where B_perp = 0 (the product vanishes).
    """
    positive = b_perp_squared > 0
    safe = jnp.where(positive, b_perp_squared, 1.0)
    at_zero = jnp.where(index > 3.0, 0.0, 1.0)
    return jnp.where(positive, jnp.exp(0.25 * (index - 3.0) * log(safe)), at_zero)

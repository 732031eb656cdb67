"""Emission, absorption, rotation and conversion of all four Stokes parameters, in closed form.

In the frame of the projected field: +Q is E across B_perp, the ray's direction is towards the
observer, and B_par > 0 towards the observer; turn to the sky with
exp(2i chi_0) = -(B_b + i B_l)^2 / B_perp^2.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import kept, log, stored
from .._parameters import in_units
from ._power_law import ABSORPTION_FACTOR, EMISSION_FACTOR, X_FACTOR, polarised_fraction

Values = Float[Array, "..."]

# plasma and cyclotron frequencies squared over nu^2, for n in cm^-3, B in microgauss, nu in GHz
_PLASMA = (
    const.PER_CM3
    * const.ELEMENTARY_CHARGE**2
    / (const.VACUUM_PERMITTIVITY * const.ELECTRON_MASS)
    / (2.0 * math.pi * const.GHZ) ** 2
)
_CYCLOTRON = (
    const.ELEMENTARY_CHARGE * const.MICROGAUSS / const.ELECTRON_MASS / (2.0 * math.pi * const.GHZ)
)
_WAVES = 2.0 * math.pi * const.GHZ / const.SPEED_OF_LIGHT * const.KPC  # omega/c per kpc at 1 GHz


class FieldFrame(NamedTuple):
    """Coefficients in the frame of the projected field: I, Q and V (U is 0)."""

    emission: tuple[Values, Values, Values]
    """j_I, j_Q, j_V, K (Rayleigh-Jeans) per kpc."""
    absorption: tuple[Values, Values, Values]
    """a_I, a_Q, a_V, 1/kpc."""


@in_units(strength="cm-3", index="", b_perp="uG", b_parallel="uG", frequency="GHz")
def power_law_coefficients(
    strength: Values,
    index: Values,
    b_perp: Values,
    frequency: Values,
    b_parallel: Values | float = 0.0,
) -> FieldFrame:
    """Emission and self-absorption of N = C gamma^-p, isotropic, of all energies.

    With A = sqrt(3) e^3/(m c^2) (Gaussian), r = nu/nu_c at gamma = 1, theta the angle of B with
    the ray, G(a, b) = Gamma(p/4 + a) Gamma(p/4 + b):

    j_I = A B_perp C/(4 pi) (r/2)^(-(p-1)/2) G(19/12, -1/12)/(p + 1),  j_Q/j_I = (p+1)/(p+7/3)
    a_I = A B_perp C/(8 pi m nu^2) (r/2)^(-p/2) G(11/6, 1/6),          a_Q/a_I = (p+2)/(p+10/3)
    j_V = A B_par C/(6 pi) r^(-p/2) 2^(p/2-1) G(2/3, 1/3)(1 + 2/p)
    a_V = A B_par C/(12 pi m nu^2) (p+2) r^(-(p+1)/2) 2^((p-1)/2) G(11/12, 7/12)(p+3)/(p+1)

    V is not valid within about 1/gamma of the direction of the field, but finite.

    **Arguments** (broadcast against each other):

    - `strength`: C, cm^-3.
    - `index`: p > 1/3 (emission of I and Q), p > 0 for the rest.
    - `b_perp`: microgauss, not negative (0 gives 0).
    - `frequency`: GHz.
    - `b_parallel`: microgauss, positive towards the observer.

    **Returns** a `FieldFrame`; j_V, a_V > 0 for b_parallel > 0 (IEEE, IAU: E turns from north to
    east).

    **Reference:** Westfold 1959, ApJ 130, 241; Legg & Westfold 1968, ApJ 154, 499; Ginzburg &
    Syrovatskii 1965, ARA&A 3, 297.
    """
    return local_coefficients(strength, index, local_field(b_perp), frequency, b_parallel)


class LocalField(NamedTuple):
    """A projected field (microgauss) and its logarithm, harmless where it is not positive."""

    positive: Values
    size: Values
    log: Values


def local_field(b_perp: Values) -> LocalField:
    """What all frequencies share of a projected field."""
    positive = b_perp > 0
    size = jnp.where(positive, b_perp, 1.0)
    return LocalField(positive, size, log(size))


def local_coefficients(
    strength: Values,
    index: Values,
    field: LocalField,
    frequency: Values,
    b_parallel: Values | float = 0.0,
) -> FieldFrame:
    """`power_law_coefficients` of a field that is known: powers of B and of nu one by one.

    All frequencies share those of B, and all places those of nu where p is the same.
    """
    p, square = index, frequency * frequency
    two = math.log(2.0)
    # C B^(p/2), and nu^(-p/2)
    local = jnp.where(field.positive, strength * jnp.exp((0.5 * p) * field.log), 0.0)
    root = jnp.sqrt(field.size)
    across, along = local * field.size, local * b_parallel
    across, along, along_root = stored((across, along, along * root))
    shape = jnp.broadcast_shapes(local.shape, frequency.shape)
    across, along, along_root = (
        kept(jnp.broadcast_to(x, shape)) for x in (across, along, along_root)
    )
    ratio = X_FACTOR * frequency
    spectral = jnp.exp((-0.5 * p) * log(ratio)) / square
    spectral_root = jnp.sqrt(ratio)

    def term(a: float, b: float, extra: Values) -> Values:
        return jnp.exp(gammaln(p / 4.0 + a) + gammaln(p / 4.0 + b) + extra)

    # int gamma^-p F = 2^((p-3)/2)/(p+1) Gamma Gamma x1^(-(p-1)/2)
    total = EMISSION_FACTOR * term(19 / 12, -1 / 12, 0.5 * (p - 1.0) * two) / (p + 1)
    lost = ABSORPTION_FACTOR * term(11 / 6, 1 / 6, (0.5 * p - 1.0) * two)
    turning = EMISSION_FACTOR * (2.0 / 3.0) * term(2 / 3, 1 / 3, (0.5 * p - 1.0) * two)
    lost_turning = ABSORPTION_FACTOR / 3.0 * term(11 / 12, 7 / 12, 0.5 * (p - 1.0) * two)
    j_i = (total * (spectral * spectral_root)) * (local * root)
    a_i = (lost * spectral) * across
    j_v = (turning * (1.0 + 2.0 / p) * spectral) * along
    a_v = lost_turning * (p + 2.0) * ((p + 3.0) / (p + 1.0)) * (spectral / spectral_root)
    a_v = a_v * along_root
    return FieldFrame(
        (j_i, polarised_fraction(p) * j_i, j_v),
        (a_i, (p + 2.0) / (p + 10.0 / 3.0) * a_i, a_v),
    )


@in_units(density="cm-3", b_perp="uG", b_parallel="uG", frequency="GHz")
def cold_rotativity(
    density: Values, b_perp: Values, b_parallel: Values, frequency: Values
) -> tuple[Values, Values]:
    """Faraday conversion and rotation by cold electrons.

    rho_V = w_p^2 w_B cos(theta) / (c w^2) = 2 lambda^2 dRM/ds,
    rho_Q = w_p^2 w_B^2 sin^2(theta) / (2 c w^3).

    **Arguments** (broadcast):

    - `density` n_e (cm^-3).
    - `b_perp`, `b_parallel` (microgauss, the latter positive towards the observer); `frequency`
      (GHz).

    **Returns** (rho_Q, rho_V), rad/kpc, in the frame of the projected field.

    **Reference:** Sazonov 1969, Sov. Astron. 13, 396; Shcherbakov 2008, ApJ 688, 695 (signs).
    """
    inverse = 1.0 / frequency
    plasma = (_PLASMA * _WAVES) * density * inverse
    ratio = _CYCLOTRON * inverse
    across = b_perp * ratio
    return 0.5 * plasma * across * across, plasma * (b_parallel * ratio)

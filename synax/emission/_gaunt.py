"""Thermal (free-free) emission and absorption of ionised gas."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import larger, log, smaller
from .._parameters import as_parameter, holds, in_units
from ._gaunt_table import COEFFICIENTS, FREQUENCY_RANGE, TEMPERATURE_RANGE

# alpha = (4 e^6 / 3 m h c) sqrt(2 pi / 3 k m) T^-1/2 n_e n_i nu^-3 (1 - e^-u) g in its
# Rayleigh-Jeans limit, SI, for n in cm^-3, nu in GHz, T in K, per kpc
_OPACITY = (
    4.0
    / (3.0 * const.ELECTRON_MASS * const.PLANCK * const.SPEED_OF_LIGHT)
    * (const.ELEMENTARY_CHARGE**2 / (4.0 * math.pi * const.VACUUM_PERMITTIVITY)) ** 3
    * math.sqrt(2.0 * math.pi / (3.0 * const.BOLTZMANN * const.ELECTRON_MASS))
    * (const.PLANCK / const.BOLTZMANN)
    * const.PER_CM3**2
    / const.GHZ**2
    * const.KPC
)
_PLANCK_RATIO = const.PLANCK * const.GHZ / const.BOLTZMANN  # h nu / k in K at 1 GHz

Values = Float[Array, "..."]


def _scaled(value: Values, ends: tuple[float, float]) -> tuple[Values, Values]:
    """ln(value) in units of the half-range about its middle, held within -1 to 1, and the rest."""
    half, middle = 0.5 * math.log(ends[1] / ends[0]), 0.5 * math.log(ends[0] * ends[1])
    x = (log(value) - middle) * (1.0 / half)
    held = smaller(larger(x, -1.0), 1.0)
    return held, (x - held) * half


def gaunt_in_range(frequency: Values, temperature: Values) -> Values:
    """`gaunt_factor` without checks, for arrays of one floating-point type."""
    x, more_x = _scaled(frequency, FREQUENCY_RANGE)
    y, more_y = _scaled(temperature, TEMPERATURE_RANGE)
    # the frequency first: where it is a number, the sum over its polynomials is done only once
    basis = [jnp.ones_like(x), x]
    for _ in COEFFICIENTS[2:]:
        basis.append(2.0 * x * basis[-1] - basis[-2])
    table = np.asarray(COEFFICIENTS)
    columns = [sum(float(c) * b for c, b in zip(k, basis, strict=True)) for k in table.T]
    after, value = jnp.zeros_like(y), columns[-1] + jnp.zeros_like(y)
    for c in columns[-2:0:-1]:
        after, value = value, c + 2.0 * y * value - after
    fitted = columns[0] + y * value - after
    return fitted + (math.sqrt(3.0) / math.pi) * (1.5 * more_y - more_x)


def gaunt_factor(frequency_ghz: object, temperature: object) -> Values:
    """Thermally averaged free-free Gaunt factor g of hydrogen (charge 1).

    A Chebyshev fit, within 3e-6 (relative) of the tabulated values, for 1e-4 to 1e3 GHz and 2e3
    to 4e4 K; differentiable in both. Inside traced code, where values cannot be checked, it goes
    on outside these ranges with the slopes of the classical formula
    g = sqrt(3)/pi (ln(T^1.5 / nu) + constant).

    **Arguments** (broadcast against each other):

    - `frequency_ghz`: (...), GHz.
    - `temperature`: (...), of the electrons, K.

    **Returns** g (...).

    **Raises** `ValueError` for values outside the ranges.

    **Reference:** van Hoof et al. 2014, MNRAS 444, 420, its public table, of which this is an
    altered version (a fit; notice in `_gaunt_table.py`).
    """
    values = []
    for name, value, unit, ends in (
        ("frequency_ghz", frequency_ghz, "GHz", FREQUENCY_RANGE),
        ("temperature", temperature, "K", TEMPERATURE_RANGE),
    ):
        value = as_parameter(value, unit, name)
        if not holds(value, lambda x, ends=ends: (x >= ends[0]) & (x <= ends[1])):
            raise ValueError(
                f"gaunt_factor: {name} must be from {ends[0]:g} to {ends[1]:g} {unit}, got {value}"
            )
        values.append(value)
    dtype = jnp.result_type(*values)
    return gaunt_in_range(*(jnp.asarray(x, dtype) for x in values))


@in_units(density="cm-3", temperature="K", frequency="GHz", filling_factor="")
def free_free(
    density: Values,
    temperature: Values,
    frequency: Values,
    filling_factor: Values | float = 1.0,
    exact: bool = False,
) -> tuple[Values, Values]:
    """Free-free absorption coefficient and emission of ionised hydrogen.

    kappa = 54.67969 T^-1.5 nu^-2 (n_e^2 / f) g(nu, T) per kpc,  j = kappa T

    (Rayleigh-Jeans limit; a thick cloud shines with T). Differentiable in all; n_e = 0 gives 0.

    **Arguments** (broadcast against each other):

    - `density`: mean n_e, cm^-3; n_i = n_e (with singly ionised helium multiply kappa and j by
      1 + n_He+/n_H+).
    - `temperature`: of the electrons, K.
    - `frequency`: GHz.
    - `filling_factor`: f, fraction of the volume that the gas fills (density n_e / f there).
    - `exact`: (static) True multiplies kappa by (1 - e^-u)/u and j by e^-u, u = h nu / k T: the
      Planck function's departure from Rayleigh-Jeans, 2.4e-6 at 1 GHz and 2.4e-3 at 1 THz for
      1e4 K.

    **Returns** kappa (1/kpc) and j (K, Rayleigh-Jeans, per kpc).

    **Reference:** Draine 2011, Physics of the Interstellar and Intergalactic Medium, ch. 10, with
    CODATA 2022 constants.
    """
    emission_measure = density * density / filling_factor
    square = frequency * frequency
    gaunt = gaunt_in_range(frequency, temperature)
    emission = _OPACITY * emission_measure * gaunt / (square * jnp.sqrt(temperature))
    absorption = emission / temperature
    if not exact:
        return absorption, emission
    u = _PLANCK_RATIO * frequency / temperature
    return absorption * -jnp.expm1(-u) / u, emission * jnp.exp(-u)

"""Faraday dispersion by unresolved fields: the variance of the rotation measure.

Through s much longer than the correlation length L_c of n_e B_par,
sigma_RM^2 = 2 K^2 <(n_e b_par)^2> L_c s; near the observer the field is one and the same, and
sigma_RM = K <(n_e b_par)^2>^(1/2) s. Here K = 811.9 rad m^-2 per (cm^-3 microgauss kpc) and L_c
the integral of the correlation function from 0 to infinity: d for exp(-r/d), d sqrt(pi/2) for
exp(-r^2/2d^2), d/2 for independent cells of length d.

**Reference:** Burn 1966, MNRAS 133, 67; Sokoloff et al. 1998, MNRAS 299, 189.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import log
from .._parameters import in_units

Values = Float[Array, "..."]


@in_units(density="cm-3", parallel_variance="uG2", correlation_length="kpc", distance="kpc")
def rotation_variance_rate(
    density: Values,
    parallel_variance: Values,
    correlation_length: Values,
    distance: Values | None = None,
) -> Values:
    """d sigma_RM^2/ds along a ray: what depolarises inside the march.

    2 K^2 n_e^2 b_par^2 L_c (1 - exp(-s/L_c)), whose integral from 0 is `rotation_variance`. It acts
    as absorption of Q and U alone, at the rate 2 lambda^4 d sigma_RM^2/ds.

    **Arguments** (broadcast):

    - `density`: n_e, cm^-3.
    - `parallel_variance`: of the random field along the ray, microgauss^2.
    - `correlation_length`: L_c, kpc; 0 for no dispersion.
    - `distance`: s from the near end of the path, kpc; None: many L_c.

    **Returns** rad^2 m^-4 kpc^-1.
    """
    rotation = const.FARADAY_CONSTANT * density
    if distance is not None:
        safe = jnp.where(correlation_length > 0, correlation_length, 1.0)
        correlation_length = correlation_length * (1.0 - jnp.exp(-distance / safe))
    return 2.0 * rotation * rotation * parallel_variance * correlation_length


@in_units(length="kpc", rate="rad2 m-4 kpc-1", correlation_length="kpc")
def rotation_variance(length: Values, rate: Values, correlation_length: Values) -> Values:
    """sigma_RM^2 through a path of any length, for the correlation function exp(-r/L_c).

    rate (s - L_c (1 - exp(-s/L_c))): rate s for long paths, rate s^2/(2 L_c) for short ones.

    **Arguments** (broadcast):

    - `length`: s, kpc.
    - `rate`: of `rotation_variance_rate`.
    - `correlation_length`: L_c > 0, kpc.

    **Returns** rad^2 m^-4.
    """
    x = length / correlation_length
    small = x < 0.02
    near = jnp.where(small, x, 0.0)
    series = near * near * (0.5 - near * (1 / 6 - near * (1 / 24 - near * (1 / 120 - near / 720))))
    exact = x + jnp.expm1(-jnp.where(small, 1.0, x))
    return rate * correlation_length * jnp.where(small, series, exact)


class RotationMoments(NamedTuple):
    """Moments of n_e b_par (cm^-3 microgauss) and of n_e^2 (cm^-6) in a correlated medium."""

    mean: Values
    variance: Values
    density_squared: Values


@in_units(density="cm-3", log_rms="", field="uG", rms="uG", correlation="")
def correlated_moments(
    density: Values, log_rms: Values, field: Values, rms: Values, correlation: Values
) -> RotationMoments:
    """Means over a log-normal density correlated with the random field.

    ln n_e = const + s g, b = b0 + sigma (rho g + sqrt(1 - rho^2) h) with normal g, h:
    <n b> = n (b0 + sigma rho s), <n^2> = n^2 e^(s^2),
    var = n^2 e^(s^2) [(b0 + 2 sigma rho s)^2 + sigma^2] - <n b>^2.

    **Arguments** (broadcast):

    - `density`: mean n_e, cm^-3.
    - `log_rms`: s, rms of ln n_e.
    - `field`: b0, regular field along the ray, microgauss.
    - `rms`: sigma of the random one.
    - `correlation`: rho, -1 to 1; below 0 where the pressure is in balance.

    **Returns** `RotationMoments`.

    **Reference:** Beck et al. 2003, A&A 411, 99.
    """
    shift = rms * correlation * log_rms
    square = density * density * jnp.exp(log_rms * log_rms)
    mean = density * (field + shift)
    second = square * ((field + 2.0 * shift) ** 2 + rms * rms)
    return RotationMoments(mean, second - mean * mean, square)


@in_units(slope="", outer_scale="kpc", ratio="")
def integral_scale(slope: Values, outer_scale: Values, ratio: Values) -> Values:
    """L_c of the component along the ray of a divergence-free field with a power-law spectrum.

    L_c = (3 pi/4) int (E/k) dk / int E dk with E ~ k^(2 - slope) from k0 to ratio k0. For
    independent components, two thirds of it.

    **Arguments** (broadcast):

    - `slope`: of the power in three dimensions, k^-slope, 11/3 for Kolmogorov; not 2 or 3.
    - `outer_scale`: 1/k0, kpc.
    - `ratio`: k1/k0 > 1.

    **Returns** kpc.
    """
    decades = log(ratio)
    integral = lambda power: jnp.expm1(power * decades) / power
    return 0.75 * math.pi * outer_scale * integral(2.0 - slope) / integral(3.0 - slope)

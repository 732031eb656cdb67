"""Unresolved turbulence of the magnetic field, as means over its realisations."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import stored
from .._parameters import parameter
from .._shown import Shown
from ..fields._field import AbstractField, check_rank
from ..transfer._base import Coefficients
from ._dispersion import rotation_variance_rate
from ._process import AbstractProcess, Plasma, Unresolved


class Turbulence(Shown):
    """A random magnetic field too fine to resolve, known by its strength alone.

    Maps are then ensemble means: no realisation, no grid, no noise. The isotropic part has the
    variance strength^2 / 3 in each component. The striated part lies along the regular field, with
    variance `striation` times the square of the regular field; it emits polarised light and does
    not rotate it on average. Both disperse Faraday rotation over their correlation length, which
    depolarises:

    d sigma_RM^2 / ds = 2 K^2 n_e^2 (strength^2/3 + striation B_par^2) L_c (1 - exp(-s/L_c)),

    s from the observer (outside the domain: from its wall). That is exact at any wavelength for a
    correlation exp(-r/L_c) and strengths and densities that change little within L_c. One sky
    scatters about the mean.

    **Arguments:**

    - `strength`: total rms of the isotropic part (three components), microgauss: a number or a
      scalar field such as `magnetic.UF26Strength()`.
    - `striation`: energy of the striated part over that of the regular field, as beta of JF12: a
      number or a scalar field.
    - `correlation_length`: L_c, the integral of the correlation function from 0, kpc: a number or
      a scalar field; 0 for no Faraday dispersion. For independent cells of length d it is d/2.

    **Raises** `TypeError` for vector fields, `ValueError` for negative numbers.

    **Reference:** Sokoloff et al. 1998, MNRAS 299, 189; Jansson & Farrar 2012, ApJ 761, L11
    (striation).
    """

    strength: Any = parameter(..., "uG", "total rms of the isotropic random field", minimum=0.0)
    striation: Any = parameter(0.0, "", "striated over regular energy, beta", minimum=0.0)
    correlation_length: Any = parameter(
        0.03, "kpc", "integral scale of the random field", minimum=0.0
    )

    def __check_init__(self):
        for name in ("strength", "striation", "correlation_length"):
            value = getattr(self, name)
            if isinstance(value, AbstractField):
                check_rank(value, "scalar", f"turbulence: {name}")
            elif eqx.is_array(value) and value.ndim:
                raise ValueError(
                    f"turbulence: {name} must be a number or a scalar field, got an array of "
                    f"shape {value.shape}"
                )

    def fields(self) -> tuple[AbstractField, ...]:
        """The fields among the arguments."""
        values = (self.strength, self.striation, self.correlation_length)
        return tuple(v for v in values if isinstance(v, AbstractField))

    def unresolved(self, position: Float[Array, "3 *points"]) -> Unresolved:
        """What it is at the positions, kpc."""
        strength = at(self.strength, position)
        variance = strength * strength * (1.0 / 3.0)
        striation, length = at(self.striation, position), at(self.correlation_length, position)
        return Unresolved(stored(variance) if variance.ndim else variance, striation, length)


def at(value: Any, position: Float[Array, "3 *points"]) -> Array:
    """A number as it is, a field at the positions."""
    return value(position) if isinstance(value, AbstractField) else jnp.asarray(value)


class FaradayDispersion(AbstractProcess):
    """The growth of the variance of the rotation measure along the ray."""

    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"] | None) -> Coefficients:
        random = plasma.random
        assert random is not None  # a simulator without turbulence has no such process
        variance = random.variance + random.striation * plasma.b_away * plasma.b_away
        rate = rotation_variance_rate(
            plasma.density, variance, random.correlation_length, plasma.distance
        )
        return Coefficients(dispersion=rate)

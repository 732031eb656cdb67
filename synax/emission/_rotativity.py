"""Faraday rotation and conversion by relativistic electrons, isotropic, of any spectrum."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from .._numerics._math import log, sincos
from .._numerics._quadrature import gauss_legendre
from .._parameters import in_units
from ..cosmic_rays import AbstractCosmicRays, energies
from ._polarised import cold_rotativity
from ._power_law import X_FACTOR

Values = Float[Array, "..."]


def rotating_share(index: Values) -> Values:
    """Electrons of gamma^-p, gamma > 1, as cold ones in rho_V: int gamma^-p ln(...)/..., (p > 0).

    int_1^inf gamma^-p arccosh(gamma) / (gamma sqrt(gamma^2 - 1)) dgamma = int_0^inf u sech^(p+1) u
    """
    q = index + 1.0
    end = 44.0 / q + 4.0  # sech^q has fallen to 1e-19
    nodes, weights = gauss_legendre(40)
    u = end * jnp.asarray(0.5 * (nodes + 1.0), q.dtype).reshape(-1, *(1,) * q.ndim)
    weight = jnp.asarray(0.5 * weights, q.dtype).reshape(u.shape[:1] + (1,) * q.ndim)
    # ln cosh u without overflow
    level = u + jnp.log1p(jnp.exp(-2.0 * u)) - math.log(2.0)
    return end * jnp.sum(weight * u * jnp.exp(-q * level), axis=0)


def converting_share(
    index: Values, log_frequency: Values, log_field: Values | float = 0.0
) -> Values:
    """Electrons of gamma^-p, gamma > 1, as cold ones in rho_Q.

    int gamma^(1-p) S(x/gamma^2) dgamma - 1/p = 2 (1 - e^g)/(p - 2) + (pi/2) e^g R - 1/p,
    e^g = x^(-(p-2)/2) h(p)/h(2) the absorption's own power, R = 1/z - cot z, z = pi (p - 2)/4,

    with S the Kramers-Kronig transform of the absorption of Q by one electron: that of the power
    law's own absorption is tan(pi p/4) a_Q, and what low energies lack is 2/(p - 2).

    **Arguments:**

    - `index`: p, 1/3 to 6.
    - `log_frequency`, `log_field`: their difference is ln x, x = nu/nu_c at gamma = 1, x >> 1.
    """
    distance = index - 2.0
    near = jnp.abs(distance) < 3e-3
    away = jnp.where(near, 1.0, distance)
    tangent = _AT_2[1] + distance * _AT_2[2]
    steep = jnp.where(near, tangent, (_level(2.0 + away) - _AT_2[0]) / away)
    spectral = steep - 0.5 * log_frequency
    # e^g, its powers of nu and of B apart, as each is shared; and (1 - e^g)/(p - 2)
    raised = jnp.exp(distance * spectral) * jnp.exp((0.5 * distance) * log_field)
    slope = spectral + 0.5 * log_field
    series = slope * _expm1_over(jnp.where(near, distance * slope, 0.0))
    lost = jnp.where(near, series, (raised - 1.0) / away)
    # beyond p = 4 nothing is left of e^g
    z = jnp.minimum(0.25 * math.pi * distance, 0.5 * math.pi)
    small = jnp.abs(z) < 0.05
    sine, cosine = sincos(jnp.where(small, 1.0, z))
    whole = 1.0 / jnp.where(small, 1.0, z) - cosine / sine
    square = z * z
    series = z / 3.0 * (1.0 + square / 15.0 * (1.0 + square * (2.0 / 21.0)))
    rest = jnp.where(small, series, whole)
    return (0.5 * math.pi * rest) * raised - 2.0 * lost - 1.0 / index


@jax.custom_jvp
def _expm1_over(x: Values) -> Values:
    """(e^x - 1)/x for |x| < 0.1."""
    return _power_series(x, tuple(1.0 / math.factorial(k + 1) for k in range(9)))


@_expm1_over.defjvp
def _expm1_over_jvp(primals: Any, tangents: Any) -> tuple[Values, Values]:
    (x,), (dx,) = primals, tangents
    slope = tuple((k + 1.0) / math.factorial(k + 2) for k in range(8))
    return _expm1_over(x), _power_series(x, slope) * dx


def _power_series(x: Values, coefficients: tuple[float, ...]) -> Values:
    total = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def _level(p: Any, xp: Any = jnp, gamma: Any = gammaln) -> Any:
    """ln of what depends on p in a_Q of a power law, but for x^(-p/2)."""
    factor = xp.log((p + 2.0) / (p + 10.0 / 3.0)) + (0.5 * p - 1.0) * math.log(2.0)
    return gamma(p / 4.0 + 11.0 / 6.0) + gamma(p / 4.0 + 1.0 / 6.0) + factor


def _expansion(h: float = 1e-3) -> tuple[float, float, float]:
    """Value of `_level` at p = 2, slope, and half the curvature."""
    below, here, above = (float(_level(2.0 + d, np, math.lgamma)) for d in (-h, 0.0, h))
    return here, (above - below) / (2.0 * h), (above - 2.0 * here + below) / (2.0 * h * h)


_AT_2 = _expansion()


@in_units(strength="cm-3", index="", b_perp="uG", b_parallel="uG", frequency="GHz")
def power_law_rotativity(
    strength: Values, index: Values, b_perp: Values, b_parallel: Values, frequency: Values
) -> tuple[Values, Values]:
    """Faraday conversion and rotation by N = C gamma^-p, gamma > 1.

    The cold forms with C times `converting_share` and `rotating_share` as their density. rho_Q is
    the Kramers-Kronig transform of the absorption at any frequency far above that of the
    slowest electrons; rho_V counts the edge at gamma = 1.

    **Arguments** (broadcast):

    - `strength` C (cm^-3); `index` p, 1/3 to 6.
    - `b_perp` (0 gives 0), `b_parallel` (microgauss, the latter positive towards the observer);
      `frequency` (GHz).

    **Returns** (rho_Q, rho_V), rad/kpc, in the frame of the projected field.

    **Reference:** Shcherbakov 2008, ApJ 688, 695; Jones & O'Dell 1977, ApJ 214, 522; Huang &
    Shcherbakov 2011, MNRAS 416, 2574.
    """
    positive = b_perp > 0
    levels = log(X_FACTOR * frequency), log(jnp.where(positive, b_perp, 1.0))
    share = jnp.where(positive, converting_share(index, *levels), 0.0)
    conversion, _ = cold_rotativity(strength * share, b_perp, b_parallel, frequency)
    density = strength * rotating_share(index)
    return conversion, cold_rotativity(density, b_perp, b_parallel, frequency)[1]


def hot_densities(
    cosmic_rays: AbstractCosmicRays, position: Float[Array, "3 *points"]
) -> tuple[Values, Values]:
    """Cold electrons (cm^-3) that rotate, and that convert, as much as these of any spectrum do.

    int N arccosh(gamma)/(gamma sqrt(gamma^2 - 1)) and int N (2 gamma - 1/gamma), for frequencies
    far above the critical frequency of all electrons.
    """
    gamma, weight = (jnp.asarray(x, position.dtype) for x in energies(cosmic_rays))
    number = cosmic_rays.spectrum(gamma, position)
    kernels = (k * weight for k in hot_kernels(gamma))
    spread = lambda x: x.reshape(-1, *(1,) * (number.ndim - 1))
    rotating, converting = (jnp.sum(number * spread(k), axis=0) for k in kernels)
    return rotating, converting


def hot_kernels(gamma: Values) -> tuple[Values, Values]:
    """What one electron of energy gamma counts in rho_V and in rho_Q, next to a cold one."""
    momentum = jnp.sqrt((gamma - 1.0) * (gamma + 1.0))
    still = momentum < 1e-6
    safe = jnp.where(still, 1.0, momentum)
    return jnp.where(still, 1.0, jnp.arcsinh(safe) / (gamma * safe)), 2.0 * gamma - 1.0 / gamma


@in_units(position="kpc", b_perp="uG", b_parallel="uG", frequency="GHz")
def relativistic_rotativity(
    cosmic_rays: AbstractCosmicRays,
    position: Float[Array, "3 *points"],
    b_perp: Values,
    b_parallel: Values,
    frequency: Values,
) -> tuple[Values, Values]:
    """Faraday conversion and rotation by relativistic electrons of any isotropic spectrum.

    The cold forms with their density inside an integral over the spectrum: times
    arccosh(gamma)/(gamma sqrt(gamma^2 - 1)) for rho_V (sharp edges of the spectrum included) and
    times 2 gamma - 1/gamma for rho_Q. Both hold for frequencies far above the critical frequency
    of all electrons; near and below it rho_Q is smaller and changes sign at 0.75 of it.

    **Arguments:**

    - as for `cold_rotativity`.
    - `cosmic_rays` and `position` in place of the density.

    **Returns** (rho_Q, rho_V), rad/kpc.

    **Reference:** Shcherbakov 2008, ApJ 688, 695; Huang & Shcherbakov 2011, MNRAS 416, 2574.
    """
    rotating, converting = hot_densities(cosmic_rays, position)
    conversion, _ = cold_rotativity(converting, b_perp, b_parallel, frequency)
    _, rotation = cold_rotativity(rotating, b_perp, b_parallel, frequency)
    return conversion, rotation

"""Emission and absorption of electrons with any spectrum: integrals of F and G over energy.

With x = nu/nu_c, nu_c = 3 e B_perp gamma^2 / (4 pi m c) and A = sqrt(3) e^3 / (m c^2) (Gaussian):

j_I = A B/(4 pi) int N F dgamma,                     j_P = A B/(4 pi) int N G dgamma
a_I = A B/(8 pi m nu^2) int (N/gamma) 2 x^2 K_5/3,   a_P the same with 2 (x^2 K_5/3 - 2 G/3).

Absorption is in the form that holds no derivative of N: sharp edges count by themselves.

**Reference:** Westfold 1959, ApJ 130, 241; Ghisellini & Svensson 1991, MNRAS 252, 313 (absorption).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import in_units
from ..cosmic_rays import AbstractCosmicRays, AbstractPowerLaw, energies
from ._kernels import synchrotron_kernels
from ._polarised import power_law_coefficients
from ._power_law import ABSORPTION_FACTOR, EMISSION_FACTOR, X_FACTOR

Values = Float[Array, "..."]


class Integrals(NamedTuple):
    """Integrals over the spectrum at given nu/B_perp: of N F, N G, (N/gamma) a_I, (N/gamma) a_P."""

    total: Values
    polarised: Values
    absorbed: Values
    absorbed_polarised: Values


def integrals(
    cosmic_rays: AbstractCosmicRays, position: Float[Array, "3 *points"], ratio: Values
) -> Integrals:
    """The four integrals at positions (*points,) for nu/B_perp (GHz/microgauss) (..., *points)."""
    nodes = energies(cosmic_rays)
    gamma, weight = (jnp.asarray(x, position.dtype) for x in nodes)
    density = cosmic_rays.spectrum(gamma, position)
    if jnp.ndim(density) < 1 or jnp.shape(density)[0] != len(gamma):
        raise ValueError(
            f"{type(cosmic_rays).__name__}: spectrum must return one N for each energy and point, "
            f"shape {(len(gamma), *position.shape[1:])}, got {jnp.shape(density)}"
        )
    after = (1,) * (density.ndim - 1)
    number = density * weight.reshape(-1, *after)
    shape = (-1, *(1,) * ratio.ndim)
    x = X_FACTOR * ratio / jnp.square(gamma).reshape(shape)
    number = number.reshape(len(gamma), *(1,) * (ratio.ndim - len(after)), *number.shape[1:])
    f, g, a = synchrotron_kernels(x)
    slow = number / gamma.reshape(shape)
    total = lambda y: jnp.sum(y, axis=0)
    return Integrals(
        total(number * f),
        total(number * g),
        total(slow * a),
        total(slow * (a - (2.0 / 3.0) * g)),
    )


def _checked(
    cosmic_rays: Any, position: Any, b_perp: Any, frequency: Any, name: str
) -> tuple[Array, Array, Array]:
    if not isinstance(cosmic_rays, AbstractCosmicRays):
        raise TypeError(
            f"{name}: cosmic_rays must be a cosmic-ray model (a subclass of "
            f"cosmic_rays.AbstractCosmicRays), got {type(cosmic_rays).__name__}"
        )
    position, b_perp, frequency = (
        jnp.asarray(v, jnp.result_type(float)) if not hasattr(v, "dtype") else jnp.asarray(v)
        for v in (position, b_perp, frequency)
    )
    if position.ndim < 1 or position.shape[0] != 3:
        raise ValueError(f"{name}: position must have shape (3, ...), got {position.shape}")
    checks.broadcast(
        name, position=position.shape[1:], b_perp=b_perp.shape, frequency=frequency.shape
    )
    checks.at_least(f"{name}: b_perp", b_perp, 0.0, "uG")
    checks.positive(f"{name}: frequency", frequency, "GHz")
    return position, b_perp, frequency


@eqx.filter_jit
def _at(
    cosmic_rays: AbstractCosmicRays, position: Array, b_perp: Array, frequency: Array
) -> tuple[Integrals, Array, Array]:
    field, frequency = jnp.broadcast_arrays(b_perp, frequency)
    shape = jnp.broadcast_shapes(field.shape, position.shape[1:])
    field, frequency = jnp.broadcast_to(field, shape), jnp.broadcast_to(frequency, shape)
    positive = field > 0
    ratio = frequency / jnp.where(positive, field, 1.0)
    found = integrals(cosmic_rays, position, ratio)
    return Integrals(*(jnp.where(positive, x, 0.0) for x in found)), field, frequency


@in_units(position="kpc", b_perp="uG", frequency="GHz")
def emissivity(
    cosmic_rays: Any, position: Any, b_perp: Any, frequency: Any
) -> tuple[Values, Values]:
    """Synchrotron emission of electrons with any spectrum.

    Power laws by their closed form (electrons of all energies); every other spectrum by
    quadrature over its own `gamma_range`, to 1e-9 for smooth spectra.

    **Arguments** (`b_perp` and `frequency` broadcast against the points):

    - `cosmic_rays`: the electrons; any subclass of `AbstractCosmicRays`.
    - `position`: (3, *points), kpc.
    - `b_perp`: field across the ray, microgauss, not negative (0 gives 0).
    - `frequency`: GHz.

    **Returns** (j_I, j_P), K (Rayleigh-Jeans) per kpc, each (*points,); j_P > 0 is polarised
    across the projected field.

    **Raises** `TypeError` if `cosmic_rays` is no such model, `ValueError` for positions that are
    not (3, ...), for a negative field, and for frequencies that are not positive and finite.
    """
    position, b_perp, frequency = _checked(cosmic_rays, position, b_perp, frequency, "emissivity")
    if isinstance(cosmic_rays, AbstractPowerLaw):
        found = power_law_coefficients(
            cosmic_rays(position), cosmic_rays.index(position), b_perp, frequency
        )
        return found.emission[0], found.emission[1]
    found, field, frequency = _at(cosmic_rays, position, b_perp, frequency)
    factor = EMISSION_FACTOR * field / (frequency * frequency)
    return factor * found.total, factor * found.polarised


@in_units(position="kpc", b_perp="uG", frequency="GHz")
def absorptivity(
    cosmic_rays: Any, position: Any, b_perp: Any, frequency: Any
) -> tuple[Values, Values]:
    """Synchrotron self-absorption of electrons with any spectrum.

    **Arguments:**

    - those of `emissivity`.

    **Returns** (a_I, a_P), 1/kpc, each (*points,); a_P > 0: the polarisation that is emitted is
    also absorbed the most.
    """
    position, b_perp, frequency = _checked(cosmic_rays, position, b_perp, frequency, "absorptivity")
    if isinstance(cosmic_rays, AbstractPowerLaw):
        found = power_law_coefficients(
            cosmic_rays(position), cosmic_rays.index(position), b_perp, frequency
        )
        return found.absorption[0], found.absorption[1]
    found, field, frequency = _at(cosmic_rays, position, b_perp, frequency)
    factor = ABSORPTION_FACTOR * field / (frequency * frequency)
    return factor * found.absorbed, factor * found.absorbed_polarised

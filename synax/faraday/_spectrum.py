"""Faraday spectra of simulated sightlines, exactly as the cells of the march make them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .._checks import warn
from .._shown import Shown
from ..cosmic_rays import AbstractPowerLaw
from ..emission._synchrotron import index_is_three
from ..sightlines._sightlines import Sightlines
from ..simulators import Synchrotron
from ..simulators._engine import Medium, Plan, plan, resolved, run
from ..simulators._synchrotron import _emissivity, _processes
from ._deposit import Deposit
from ._synthesis import _check_phi


class DepthSpectrum(Shown):
    """F(phi) of sightlines, averaged over the bins of a grid of depths."""

    phi: Float[np.ndarray, " n_phi"]
    """Middle of the bins, rad/m^2."""
    widths: Float[np.ndarray, " n_phi"]
    """Width of the bins, rad/m^2."""
    values: Complex[Array, "n_phi n_rays"]
    """F = Q + iU per Faraday depth, K/(rad/m^2), IAU."""
    outside: Complex[Array, " n_rays"]
    """Polarised emission at depths beyond the grid, K (blurred tails included)."""
    rotation_measure: Float[Array, " n_rays"]
    """Faraday depth of the far end, rad/m^2."""

    @property
    def total(self) -> Complex[Array, " n_rays"]:
        """P(lambda = 0), K: the integral of F, that beyond the grid included."""
        return jnp.tensordot(jnp.asarray(self.widths), self.values, axes=1) + self.outside

    def polarisation(self, lambda_squared: Any) -> Complex[Array, "*shape n_rays"]:
        """P = int F exp(2i phi lambda^2) dphi, every bin a box; without what lies beyond the grid.

        **Arguments:**

        - `lambda_squared`: m^2, a number or an array.

        **Warns** where bins are so wide that emission inside them would depolarise.
        """
        x = np.asarray(lambda_squared, dtype=float)
        widest = float(self.widths.max())
        if x.size and widest * float(x.max()) > 1.0:
            warn(
                f"bins of {widest:g} rad/m2 turn by {widest * float(x.max()):.2g} rad at lambda^2 "
                f"= {float(x.max()):g} m2 and are too wide there: use steps of at most "
                f"{0.5 / float(x.max()):.2g} rad/m2",
            )
        turn = np.multiply.outer(x, self.phi)
        box = self.widths * np.sinc(np.multiply.outer(x, self.widths) / np.pi)
        return jnp.tensordot(jnp.asarray(np.exp(2j * turn) * box), self.values, axes=1)


class FaradaySpectrum(Shown):
    """The Faraday spectrum of a simulated sky: polarised emission by the rotation in front of it.

    Every cell of the march goes between its two Faraday depths, with its exact overlap with each
    bin: one march for all depths, differentiable as the simulator itself.

    P(lambda^2) = int F(phi) exp(2i phi lambda^2) dphi; positive depths lie behind fields that
    point to the observer.

    **Arguments:**

    - `sky`: a `Synchrotron`, not self-absorbed.
    - `phi`: (n_phi,) depths (rad/m^2), increasing; bins end half-way between them.

    Turbulence spreads the emission behind it over a normal distribution of depths. Absorption
    dims it as at the one `frequency` of the call, at which the equation above then holds. A
    background has no polarisation and changes nothing. Both are of second order in the cells.

    **Raises** `TypeError` or `ValueError` naming the argument.

    **Reference:** Burn 1966, MNRAS 133, 67; Brentjens & de Bruyn 2005, A&A 441, 1217.

    ```python
    spectrum = synax.FaradaySpectrum(sky, np.linspace(-200, 200, 81))(rays, frequency=1.4)
    abs(spectrum.values), spectrum.total
    ```
    """

    sky: Synchrotron
    phi: tuple[float, ...] = eqx.field(static=True)

    def __init__(self, sky: Any, phi: Any):
        if not isinstance(sky, Synchrotron):
            raise TypeError(f"sky must be a synax.Synchrotron, got {type(sky).__name__}")
        if sky.self_absorption:
            raise ValueError(
                "sky must have self_absorption=False: light whose Stokes parameters are absorbed "
                "and converted differently has no Faraday spectrum; use rm_synthesis"
            )
        depths = _check_phi(phi)
        if depths.size < 2:
            raise ValueError("phi must have at least two depths")
        self.sky, self.phi = sky, tuple(depths.tolist())

    @property
    def edges(self) -> Float[np.ndarray, " n_edges"]:
        """Where bins end: half-way between depths, the outer ones as wide as their neighbours."""
        phi = np.asarray(self.phi)
        middle = 0.5 * (phi[1:] + phi[:-1])
        return np.concatenate([[2 * phi[0] - middle[0]], middle, [2 * phi[-1] - middle[-1]]])

    def __call__(self, rays: Sightlines, frequency: Any) -> DepthSpectrum:
        """F(phi) of every sightline.

        **Arguments:**

        - `rays`: sightlines.
        - `frequency`: GHz or Quantity, one number: it sets the brightness of the emission and its
          absorption, not the depths.

        **Returns** `DepthSpectrum`, in K/(rad/m^2).
        """
        frequency = frequency.to_value("GHz") if hasattr(frequency, "to_value") else frequency
        frequency = jnp.asarray(frequency, rays.direction.dtype)
        known = not isinstance(frequency, jax.core.Tracer)
        if frequency.ndim != 0 or (known and not float(frequency) > 0):
            raise ValueError(f"frequency must be one positive number (GHz), got {frequency}")
        sky, edges = resolved(self.sky, rays), self.edges
        spectrum = self.sky.cosmic_rays
        cubic = isinstance(spectrum, AbstractPowerLaw) and index_is_three(spectrum)
        q, u, outside, rm = _deposit(sky, rays, frequency, jnp.asarray(edges), plan(sky), cubic)
        width = np.diff(edges)
        values = jax.lax.complex(q, u) / width[:, None]
        return DepthSpectrum(np.asarray(self.phi), width, values, outside, rm)


@eqx.filter_jit
def _deposit(
    sky: Any, rays: Sightlines, frequency: Array, edges: Array, plan: Plan, cubic: bool
) -> tuple[Array, Array, Array, Array]:
    flat = frequency.reshape(1).astype(rays.direction.dtype)
    emissivity = _emissivity(sky, cubic)
    medium = Medium(sky.magnetic, sky.electrons, _processes(sky, emissivity, ()), sky.turbulence)
    light = run(sky, plan, medium, Deposit(flat, edges.astype(flat.dtype)), rays)
    _, q, u, _ = light.stokes
    outside = jax.lax.complex(*(x[0] for x in light.columns))
    factors = emissivity.factors(flat)
    if factors is not None:
        q, u, outside = factors[1] * q, factors[1] * u, factors[1][0] * outside
    rm = light.rotation_measure
    return q, u, outside, jnp.zeros_like(q[0]) if rm is None else rm

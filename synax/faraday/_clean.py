"""RM-CLEAN: Hogbom's algorithm on Faraday spectra, all lines of sight at once."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Int

from .._shown import Shown
from ._channels import Channels


class Cleaned(Shown):
    """What RM-CLEAN made of a Faraday spectrum: restored = components * Gaussian + residual."""

    phi: np.ndarray
    """Faraday depths, rad/m^2."""
    components: Complex[Array, "n_phi *sky"]
    """Thin components, in the unit of Q and U."""
    residual: Complex[Array, "n_phi *sky"]
    """What is left of the dirty spectrum, per response."""
    restored: Complex[Array, "n_phi *sky"]
    """Components blurred by a Gaussian of the response's width, plus the residual."""
    iterations: Int[Array, "*sky"]
    """Steps taken for each line of sight."""


def clean(
    phi: np.ndarray,
    dirty: Complex[Array, "n_phi *sky"],
    channels: Channels,
    threshold: Any,
    gain: float,
    iterations: int,
) -> Cleaned:
    """See `Synthesis.clean`."""
    if not 0.0 < gain <= 1.0:
        raise ValueError(f"gain must lie in (0, 1], got {gain}")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    threshold = np.asarray(threshold, dtype=float)
    if not np.all(threshold > 0):
        raise ValueError("threshold must be positive: it is where cleaning stops")
    steps = np.diff(phi)
    if phi.size < 3 or np.ptp(steps) > 1e-6 * steps[0]:
        raise ValueError("phi must be equally spaced, with three depths or more, to be cleaned")
    n, sky = phi.size, dirty.shape[1:]
    step = float((phi[-1] - phi[0]) / (n - 1))
    response = channels.rmsf(step * np.arange(-(n - 1), n))
    flat = dirty.reshape(n, -1).T
    limit = jnp.asarray(np.broadcast_to(threshold, sky).reshape(-1), flat.real.dtype)
    found, left, counts = _loop(flat, jnp.asarray(response, flat.dtype), limit, gain, iterations)
    reach = math.ceil(4.0 * channels.fwhm / step)
    offset = step * np.arange(-reach, reach + 1) / channels.fwhm
    beam = jnp.asarray(np.exp(-4.0 * math.log(2.0) * offset**2), flat.dtype)
    blurred = jax.vmap(lambda c: jnp.convolve(c, beam, mode="full")[reach : reach + n])(found)
    shape = lambda x: x.T.reshape(n, *sky)
    return Cleaned(phi, shape(found), shape(left), shape(blurred + left), counts.reshape(sky))


@eqx.filter_jit
def _loop(
    dirty: Complex[Array, "n_sky n_phi"],
    response: Complex[Array, " _"],
    limit: Array,
    gain: float,
    iterations: int,
) -> tuple[Array, Array, Array]:
    n = dirty.shape[1]

    def active(residual: Array) -> Array:
        return jnp.max(jnp.abs(residual), axis=1) > limit

    def go_on(state: Any) -> Array:
        k, _, residual, _ = state
        return (k < iterations) & jnp.any(active(residual))

    def subtract(component: Array, residual: Array, on: Array) -> tuple[Array, Array]:
        k = jnp.argmax(jnp.abs(residual))
        taken = jnp.where(on, gain * residual[k], 0.0)
        # response[n - 1] is depth 0: the slice puts it at k
        there = jax.lax.dynamic_slice(response, (n - 1 - k,), (n,))
        return component.at[k].add(taken), residual - taken * there

    def one(state: Any) -> Any:
        k, components, residual, counts = state
        on = active(residual)
        components, residual = jax.vmap(subtract)(components, residual, on)
        return k + 1, components, residual, counts + on

    start = (0, jnp.zeros_like(dirty), dirty, jnp.zeros(dirty.shape[0], int))
    _, components, residual, counts = jax.lax.while_loop(go_on, one, start)
    return components, residual, counts

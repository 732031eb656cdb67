"""Spherical harmonic transforms on HEALPix (RING), by healpy on the host, with their transposes.

Maps and coefficients are real vectors here (real and imaginary parts of a_lm, m >= 0, side by
side), so that `analysis` and `synthesis` are matrices A and Y with plain transposes. With the
quadrature weight w = 4 pi/n_pix and D = 1 (m = 0), 2 (m > 0),

    A_0 = w D^-1 Y^T,    A = sum_k (1 - A_0 Y)^k A_0  (k = 0 ... iterations),

so Y^T = D A_0/w and A^T = A_0^T sum_k (1 - Y^T A_0^T)^k with A_0^T = w Y D^-1: the transposes are
transforms of the same cost. Spin 2 takes Q and U in HEALPix's convention (COSMO) to E and B.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._linear import linear_call

Host = Callable[[np.ndarray], np.ndarray]


def multipoles(lmax: int) -> np.ndarray:
    """Multipole l of every coefficient (n_alm,), in healpy's order: m = 0 first, then m = 1 ..."""
    return np.concatenate([np.arange(m, lmax + 1) for m in range(lmax + 1)])


def synthesis(
    alm: Float[Array, "*batch components 2 n_alm"], nside: int, lmax: int
) -> Float[Array, "*batch components n_pix"]:
    """Maps of coefficients: one component has spin 0, two have spin 2 (E, B to Q, U)."""
    forward, transpose = _transforms(nside, lmax, alm.shape[-3], 0)[0]
    return linear_call(forward, transpose, [], [alm])[0]


def analysis(
    maps: Float[Array, "*batch components n_pix"], nside: int, lmax: int, iterations: int = 3
) -> Float[Array, "*batch components 2 n_alm"]:
    """Coefficients of maps: one component has spin 0, two have spin 2 (Q, U to E, B).

    `iterations`: corrections of the quadrature, as in healpy.
    """
    forward, transpose = _transforms(nside, lmax, maps.shape[-2], iterations)[1]
    return linear_call(forward, transpose, [], [maps])[0]


@functools.lru_cache(maxsize=64)
def _transforms(nside: int, lmax: int, components: int, iterations: int) -> tuple[Any, Any]:
    """(synthesis, its transpose) and (analysis, its transpose), as functions of flat lists.

    Cached, so that equal transforms are the same functions and compile once.
    """
    if components not in (1, 2):
        raise ValueError(f"components must be 1 (spin 0) or 2 (spin 2), got {components}")
    n_pix, ell = 12 * nside**2, multipoles(lmax)
    weight = 4.0 * np.pi / n_pix
    order_zero = np.arange(ell.size) <= lmax
    double = np.where(order_zero, 1.0, 2.0)

    def y(alm: np.ndarray) -> np.ndarray:
        import healpy

        packed = alm[:, 0] + 1j * np.where(order_zero, 0.0, alm[:, 1])
        if components == 1:
            return healpy.alm2map(packed[0], nside, lmax=lmax)[None]
        return np.asarray(healpy.alm2map_spin(list(packed), nside, 2, lmax))

    def a0(maps: np.ndarray) -> np.ndarray:
        import healpy

        if components == 1:
            packed = healpy.map2alm(maps[0], lmax=lmax, iter=0)[None]
        else:
            packed = np.asarray(healpy.map2alm_spin(list(maps), 2, lmax=lmax))
        return np.stack([packed.real, np.where(order_zero, 0.0, packed.imag)], axis=1)

    def y_transposed(maps: np.ndarray) -> np.ndarray:
        return double / weight * a0(maps)

    def a0_transposed(alm: np.ndarray) -> np.ndarray:
        return weight * y(alm / double)

    def a(maps: np.ndarray) -> np.ndarray:
        alm = a0(maps)
        for _ in range(iterations):
            alm = alm + a0(maps - y(alm))
        return alm

    def a_transposed(alm: np.ndarray) -> np.ndarray:
        total = term = alm
        for _ in range(iterations):
            term = term - y_transposed(a0_transposed(term))
            total = total + term
        return a0_transposed(total)

    to_map, to_alm = (components, n_pix), (components, 2, ell.size)
    return (
        (_on_host(y, to_map, 3), _on_host(y_transposed, to_alm, 2)),
        (_on_host(a, to_alm, 2), _on_host(a_transposed, to_map, 3)),
    )


def _on_host(transform: Host, tail: tuple[int, ...], rank: int) -> Any:
    """The transform of a batch as a JAX function of (residuals, operands); `rank` of one item."""

    def run(x: Any) -> np.ndarray:
        x = np.asarray(x)
        items = x.astype(np.float64).reshape(-1, *x.shape[x.ndim - rank :])
        out = np.stack([transform(item) for item in items])
        return out.reshape(*x.shape[: x.ndim - rank], *tail).astype(x.dtype)

    def call(residuals: list[Any], operands: list[Any]) -> list[Any]:
        del residuals
        (x,) = operands
        shape = (*x.shape[: x.ndim - rank], *tail)
        out = jax.ShapeDtypeStruct(shape, x.dtype)
        return [jax.pure_callback(run, out, x, vmap_method="expand_dims")]

    return call


def filtered(
    maps: Float[Array, "*batch components n_pix"],
    window: Float[Array, " _"],
    nside: int,
    iterations: int = 3,
) -> Float[Array, "*batch components n_pix"]:
    """Maps with every multipole multiplied by `window` (lmax + 1,), which is differentiable."""
    lmax = window.shape[0] - 1
    alm = analysis(maps, nside, lmax, iterations)
    return synthesis(alm * jnp.asarray(window, maps.dtype)[multipoles(lmax)], nside, lmax)

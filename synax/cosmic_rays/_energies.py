"""Quadrature over the energies of a spectrum."""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from .._checks import is_traced
from .._numerics._quadrature import gauss_legendre

_PANEL = 0.375  # longest panel in ln gamma
_NODES = 10
_FEWER = 8
"""Nodes of a panel; and of one that lies between two breaks, of which a table has many.

Ten nodes meet the integral of a cut-off as sharp as exp(-(gamma/gamma_c)^4) to 2e-6 even where it
is 1e-17 of what it would be without; eight to 1e-4 there, and to 2e-7 where it is 1e-7.
"""


class Energies(NamedTuple):
    """Quadrature over energy: nodes gamma and weights of an integral over gamma (NumPy or JAX)."""

    gamma: Any
    weight: Any


def energies(cosmic_rays: Any) -> Energies:
    """Gauss-Legendre panels in ln gamma, cut where the spectrum says that it bends sharply.

    **Arguments:**

    - `cosmic_rays`: an `AbstractCosmicRays`.

    **Returns** NumPy arrays where the range and the breaks are known numbers, else JAX arrays.
    """
    low, high = cosmic_rays.gamma_range
    marks = [low, *cosmic_rays.breaks(), high]
    if any(map(is_traced, marks)):
        inside = jnp.stack([jnp.log(jnp.asarray(m, jnp.result_type(float))) for m in marks])
        edges = jnp.sort(jnp.clip(inside, inside[0], inside[-1]))
        # where the marks are is not known: every piece gets panels for seven decades
        share = jnp.linspace(0.0, 1.0, math.ceil(math.log(1e7) / _PANEL) + 1)
        pieces = [a + (b - a) * share for a, b in pairwise(list(edges))]
        counts = [_NODES] * len(pieces)
        xp: Any = jnp
    else:
        numbers = [float(m) for m in marks]
        if not 0.0 < numbers[0] < numbers[-1] < math.inf:
            raise ValueError(
                f"{type(cosmic_rays).__name__}: gamma_range must be two numbers, the first "
                f"positive and below the second, got {low}, {high}"
            )
        inside = sorted({min(max(n, numbers[0]), numbers[-1]) for n in numbers})
        edges = np.log(inside)
        pieces = [
            np.linspace(a, b, max(math.ceil((b - a) / _PANEL), 1) + 1) for a, b in pairwise(edges)
        ]
        short = len(pieces) > 1
        counts = [_FEWER if short and len(piece) == 2 else _NODES for piece in pieces]
        xp = np
    parts = [_panels(piece, n, xp) for piece, n in zip(pieces, counts, strict=True)]
    gamma, weight = (xp.concatenate(part) for part in zip(*parts, strict=True))
    return Energies(gamma, weight)


def _panels(bounds: Any, n: int, xp: Any) -> tuple[Any, Any]:
    """Nodes and weights in gamma of panels between `bounds` in ln gamma."""
    middle, half = 0.5 * (bounds[1:] + bounds[:-1]), 0.5 * (bounds[1:] - bounds[:-1])
    nodes, weights = gauss_legendre(n)
    gamma = xp.exp((middle[:, None] + half[:, None] * nodes).ravel())
    return gamma, gamma * (half[:, None] * weights).ravel()

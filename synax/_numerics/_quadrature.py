"""Gauss-Legendre quadrature, computed when it is first needed and not when synax is imported."""

import functools

import numpy as np
from jaxtyping import Float

Rule = tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]


@functools.cache
def gauss_legendre(n: int) -> Rule:
    """Nodes and weights of the rule with `n` points on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights

"""Gauss quadrature for weights that are given at points."""

import numpy as np
from jaxtyping import Float


def gauss_of_measure(
    points: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], count: int
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Nodes and weights (sum 1) that integrate polynomials of degree 2 count - 1 exactly.

    Lanczos' recurrence of the measure, then the eigenvectors of its Jacobi matrix; the points
    themselves where there are no more than `count`.

    **Reference:** Golub & Welsch 1969, Math. Comp. 23, 221.
    """
    if isinstance(count, bool) or count != int(count) or count < 1:
        raise ValueError(f"nodes must be a positive integer, got {count!r}")
    used = weights > 0
    points, weights = points[used], weights[used] / weights[used].sum()
    count = int(count)
    if points.size <= count:
        return points, weights
    middle, half = 0.5 * (points[0] + points[-1]), 0.5 * (points[-1] - points[0])
    x = (points - middle) / half
    basis = [np.sqrt(weights)]
    diagonal, beside = [], []
    for _ in range(count):
        v = x * basis[-1]
        diagonal.append(float(v @ basis[-1]))
        for _ in range(2):  # orthogonal to all before, twice for rounding
            for q in basis:
                v = v - (v @ q) * q
        beside.append(float(np.linalg.norm(v)))
        basis.append(v / beside[-1])
    matrix = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    values, vectors = np.linalg.eigh(matrix)
    return middle + half * values, vectors[0] ** 2

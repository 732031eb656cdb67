"""Few lengths for arrays of any length, so that few programs are compiled."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

LENGTHS = (1, 16, 64, 256, 1024, 4096)
"""The lengths that arrays are filled up to; longer ones go in multiples of the last."""


def padded_length(n: int) -> int:
    """The least of the allowed lengths that holds `n` items."""
    for length in LENGTHS:
        if n <= length:
            return length
    return -(-n // LENGTHS[-1]) * LENGTHS[-1]


def padded_parts(n: int) -> Iterator[tuple[slice, Int[np.ndarray, " length"]]]:
    """Where each part of `n` items goes, and its items, the last repeated up to a known length."""
    for start in range(0, n, LENGTHS[-1]):
        end = min(start + LENGTHS[-1], n)
        items = np.arange(start, start + padded_length(end - start))
        yield slice(start, end), np.minimum(items, end - 1)

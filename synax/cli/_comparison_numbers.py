"""Numbers that say how a model follows data; pairs without a number on both sides do not count."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

PLANE = 10.0
"""Latitude (degrees) that divides the disc from the rest in the numbers."""

FEWEST = 3
"""Pairs that a part of the sky needs: with fewer there is nothing to tell of it."""


def parts_of_sky(
    latitude: Float[np.ndarray, " n"], seen: Bool[np.ndarray, " n"]
) -> dict[str, Bool[np.ndarray, " n"]]:
    """The sky, the rest and the disc, by name, where there are data; parts without any are left
    out."""
    found = {
        "all": seen,
        f"|b| > {PLANE:g}": seen & (np.abs(latitude) > PLANE),
        f"|b| < {PLANE:g}": seen & (np.abs(latitude) < PLANE),
    }
    return {name: part for name, part in found.items() if part.sum() >= FEWEST}


def agreement(model: np.ndarray, data: np.ndarray) -> dict[str, Any]:
    """How a model follows data: the best scale, the line, Pearson's r, what is left over.

    `scale` minimises |data - scale model|; `residual` is the rms of what that leaves, in units of
    the rms of the data; `slope`, `offset`: the line data = slope model + offset.
    """
    both = np.isfinite(model) & np.isfinite(data)
    model, data = model[both], data[both]
    size = float(np.sqrt(np.mean(data**2)))
    power = float(np.sum(model**2))
    scale = float(np.sum(model * data)) / power if power > 0 else 0.0
    varies = float(np.std(model)) > 0 and float(np.std(data)) > 0
    slope, offset = np.polyfit(model, data, 1) if varies else (0.0, float(np.mean(data)))
    left = float(np.sqrt(np.mean((data - scale * model) ** 2)))
    return {
        "n": int(data.size),
        "scale": scale,
        "correlation": float(np.corrcoef(model, data)[0, 1]) if varies else 0.0,
        "slope": float(slope),
        "offset": float(offset),
        "data_rms": size,
        "model_rms": float(np.sqrt(np.mean(model**2))),
        "residual": left / size if size > 0 else float("nan"),
    }


def logarithmic(model: np.ndarray, data: np.ndarray) -> dict[str, Any]:
    """Ratio of positive quantities: median of data / model, and half the 16-84 % range in dex."""
    use = (model > 0) & (data > 0)
    if use.sum() < FEWEST:
        return {}
    ratio = np.log10(data[use] / model[use])
    low, middle, high = np.percentile(ratio, [16, 50, 84])
    logs = np.log10(model[use]), np.log10(data[use])
    varies = min(float(np.std(x)) for x in logs) > 0
    return {
        "n": int(use.sum()),
        "median_ratio": float(10**middle),
        "scatter_dex": float(0.5 * (high - low)),
        "correlation_of_logarithms": float(np.corrcoef(*logs)[0, 1]) if varies else 0.0,
    }


def signed(model: np.ndarray, data: np.ndarray) -> dict[str, Any]:
    """How often a model has the sign of the data, and the correlation of the ranks."""
    both = np.isfinite(model) & np.isfinite(data)
    model, data = model[both], data[both]
    return {
        "same_sign": float(np.mean(np.sign(model) == np.sign(data))),
        "rank_correlation": float(np.corrcoef(_rank(model), _rank(data))[0, 1]),
    }


def within(model: np.ndarray, data: np.ndarray, factor: float) -> float:
    """The share of positive data that lie within a factor of the model."""
    use = (model > 0) & (data > 0)
    return float(np.mean(np.abs(np.log(model[use] / data[use])) < np.log(factor)))


def _rank(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(float)

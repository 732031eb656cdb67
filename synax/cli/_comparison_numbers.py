"""Numbers that say how a model follows data."""

from typing import Any

import numpy as np


def agreement(model: np.ndarray, data: np.ndarray) -> dict[str, Any]:
    """How a model follows data: the best scale, the line, Pearson's r, what is left over.

    `scale` minimises |data - scale model|; `residual` is the rms of what that leaves, in units of
    the rms of the data; `slope`, `offset`: the line data = slope model + offset.
    """
    size = float(np.sqrt(np.mean(data**2)))
    power = float(np.sum(model**2))
    scale = float(np.sum(model * data)) / power if power > 0 else 0.0
    varies = float(np.std(model)) > 0 and float(np.std(data)) > 0
    slope, offset = np.polyfit(model, data, 1) if varies else (0.0, float(np.mean(data)))
    return {
        "n": int(data.size),
        "scale": scale,
        "correlation": float(np.corrcoef(model, data)[0, 1]) if varies else 0.0,
        "slope": float(slope),
        "offset": float(offset),
        "data_rms": size,
        "model_rms": float(np.sqrt(np.mean(model**2))),
        "residual": float(np.sqrt(np.mean((data - scale * model) ** 2))) / size,
    }


def logarithmic(model: np.ndarray, data: np.ndarray) -> dict[str, Any]:
    """Ratio of positive quantities: median of data / model, and half the 16-84 % range in dex."""
    use = (model > 0) & (data > 0)
    ratio = np.log10(data[use] / model[use])
    low, middle, high = np.percentile(ratio, [16, 50, 84])
    logs = np.corrcoef(np.log10(model[use]), np.log10(data[use]))[0, 1]
    return {
        "n": int(use.sum()),
        "median_ratio": float(10**middle),
        "scatter_dex": float(0.5 * (high - low)),
        "correlation_of_logarithms": float(logs),
    }

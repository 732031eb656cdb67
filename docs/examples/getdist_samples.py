"""Draws of synax as samples of GetDist, with its names, labels and limits."""

from typing import Any

import numpy as np


def to_getdist(draws: Any, labels: dict[str, str] | None = None, limits: dict | None = None) -> Any:
    """`getdist.MCSamples` of the scalar parameters, one chain for each chain.

    **Arguments:** `draws`: what `synax.sample` returns. `labels`: LaTeX by name. `limits`: hard
    edges of the priors, {name: (low, high)}, which GetDist needs for densities next to them.
    """
    from getdist import MCSamples

    values = {str(n): v.values for n, v in draws.posterior.data_vars.items() if v.ndim == 2}
    chains = np.stack(list(values.values()), axis=-1)
    names, shown = list(values), labels or {}
    return MCSamples(
        samples=list(chains),
        names=names,
        labels=[shown.get(name, name.replace("_", r"\_")) for name in names],
        ranges=limits or {},
    )

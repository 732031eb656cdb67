"""Long maps part by part: memory that does not grow with the map, and a bar that tells."""

from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from .. import _checks as checks
from .._progress import progress_bar
from ..sightlines._sightlines import Sightlines
from ._engine import AbstractSimulator
from ._taken import taken


def in_parts(
    simulator: Any,
    rays: Any,
    *arguments: Any,
    part: int = 16384,
    progress: bool | None = None,
) -> PyTree:
    """What `simulator(rays, *arguments)` gives, computed part by part.

    One compiled program serves all parts. It is not for use inside `jit` or for gradients.

    **Arguments:**

    - `simulator`: such as `Synchrotron` or `RotationMeasure`. `arguments`: the frequency, if any.
    - `part`: sightlines computed together.
    - `progress`: True or False for a bar on standard error, which says 'compiling' at first; None
      for a bar only on a terminal.

    **Returns** the same object as the simulator, with arrays (..., n_rays).

    **Raises** `TypeError` or `ValueError` that names the argument.

    ```python
    stokes = synax.in_parts(sky, synax.Sightlines.healpix(64), 2.4)
    ```
    """
    checks.instance("simulator", simulator, AbstractSimulator, "such as synax.Synchrotron")
    checks.instance("rays", rays, Sightlines, "synax.Sightlines")
    size = min(checks.integer("part", part), rays.n_rays)
    found = []
    with progress_bar(progress, type(simulator).__name__, rays.n_rays) as tell:
        for start in range(0, rays.n_rays, size):
            here = np.minimum(np.arange(start, start + size), rays.n_rays - 1)
            count = min(size, rays.n_rays - start)
            seen = taken(simulator, rays, here)(rays.take(here), *arguments)
            found.append(jax.tree.map(lambda x, n=count: np.asarray(x)[..., :n], seen))
            tell(start + count, "")
    return jax.tree.map(lambda *parts: jax.numpy.concatenate(parts, axis=-1), *found)

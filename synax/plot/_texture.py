"""Line integral convolution: a texture drawn along directions without head or tail."""

import numpy as np
from jaxtyping import Bool, Float

Image = Float[np.ndarray, "ny nx"]


def line_integral_convolution(
    across: Image, up: Image, valid: Bool[np.ndarray, "ny nx"], length: int = 24, seed: int = 1
) -> Image:
    """Noise smeared along a direction field, between 0 and 1 with mean 1/2.

    **Arguments:**

    - `across`, `up`: components of the direction in image axes (any length; the sign is
      irrelevant).
    - `valid`: where there is an image.
    - `length`: pixels walked to either side.

    **Reference:** Cabral & Leedom 1993, SIGGRAPH 93, 263.
    """
    ny, nx = across.shape
    size = np.hypot(across, up)
    size = np.where(size > 0, size, 1.0)
    u, v = across / size, up / size
    noise = np.random.default_rng(seed).random((ny, nx))
    total, count = noise.copy(), np.ones((ny, nx))
    rows, columns = (a.astype(float) for a in np.indices((ny, nx)))
    for sense in (1.0, -1.0):
        x, y, du, dv = columns.copy(), rows.copy(), sense * u, sense * v
        alive = valid.copy()
        for _ in range(length):
            x, y = x + du, y + dv
            i, j = np.rint(y).astype(int), np.rint(x).astype(int)
            alive = alive & (i >= 0) & (i < ny) & (j >= 0) & (j < nx)
            i, j = np.clip(i, 0, ny - 1), np.clip(j, 0, nx - 1)
            alive &= valid[i, j]
            total += np.where(alive, noise[i, j], 0.0)
            count += alive
            # the next direction continues this one rather than turning back
            turn = np.where(u[i, j] * du + v[i, j] * dv < 0, -1.0, 1.0)
            du, dv = turn * u[i, j], turn * v[i, j]
    mean = total / count
    spread = np.std(mean[valid]) if valid.any() else 1.0
    return np.clip(0.5 + (mean - 0.5) / (5.0 * max(spread, 1e-12)), 0.0, 1.0)

"""A map as a Gaussian beam sees it: the harmonics of the sphere times those of the beam."""

import numpy as np
from jaxtyping import Bool, Float

_Map = Float[np.ndarray, " n_pix"]


def smoothed(
    values: Float[np.ndarray, "*shape n_pix"], names: tuple[str, ...], fwhm: float
) -> tuple[Float[np.ndarray, "*shape n_pix"], Bool[np.ndarray, " n_pix"]]:
    """Whole skies in RING and COSMO, smoothed; Q and U together, as a field of spin 2.

    b_l = exp(-l(l+1) s^2/2) for scalars, exp(-(l(l+1) - 4) s^2/2) for E and B,
    s = fwhm / sqrt(8 ln 2).

    **Arguments:**

    - `values`: (components, *freq, n_pix), without the first axis for one component; NaN where a
      pixel is missing.
    - `names`: of the components.
    - `fwhm`: full width at half maximum of the beam (rad).

    **Returns** the smoothed values, and where a pixel was missing in any. There it stays missing.
    The others are averages of what is there: the smoothed map, 0 where missing, over the smoothed
    mask.
    """
    found = np.reshape(values, (len(names), -1, values.shape[-1])).copy()
    lost = np.zeros(values.shape[-1], bool)
    pair = [k for k, name in enumerate(names) if name in ("Q", "U")]
    groups = ([pair] if pair else []) + [[k] for k in range(len(names)) if k not in pair]
    for group in groups:
        for nu in range(found.shape[1]):
            results, missing = _filled([found[k, nu] for k in group], fwhm)
            found[group, nu] = results
            lost |= missing
    return found.reshape(values.shape), lost


def _filled(fields: list[_Map], fwhm: float) -> tuple[list[_Map], Bool[np.ndarray, " n_pix"]]:
    missing = np.any([np.isnan(field) for field in fields], axis=0)
    if missing.all():
        return fields, missing
    results = _convolved([np.where(missing, 0.0, field) for field in fields], fwhm)
    if missing.any():
        (weight,) = _convolved([np.where(missing, 0.0, 1.0)], fwhm)
        # a lone pixel under a wide beam has next to no weight: what it had is its best average
        weight = np.where(weight > 1e-3, weight, np.nan)
        for k, field in enumerate(fields):
            averages = np.where(np.isnan(weight), field, results[k] / weight)
            results[k] = np.where(missing, np.nan, averages)
    return results, missing


def _convolved(fields: list[_Map], fwhm: float) -> list[_Map]:
    import healpy

    if len(fields) == 1:
        return [healpy.smoothing(fields[0], fwhm=fwhm)]
    with_intensity = [np.zeros_like(fields[0]), *fields]  # healpy wants one; it mixes nothing in
    return list(healpy.smoothing(with_intensity, fwhm=fwhm, pol=True)[1:])

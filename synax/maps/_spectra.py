"""Angular power spectra of maps with a cut about the Galactic plane."""

import itertools

import numpy as np
from jaxtyping import Float

Spectra = dict[str, Float[np.ndarray, " n_ell"]]

NO_CUT = -1.0
"""The latitude of a cut that hides nothing: for maps that are NaN where they do not count."""


def cut_spectra(maps: dict[str, Float[np.ndarray, " n_pix"]], latitude: float) -> Spectra:
    """Angular power at |b| > latitude, over the share of the sky that is left.

    Pixels without a value count as the plane does: they are zero, as the mean is that of the rest.
    The modes of neighbouring multipoles mix, equally for every map that is compared.

    **Arguments:**

    - `maps`: RING maps of one NSIDE by name; where there is a Q there is a U, in one convention.
    - `latitude`: of the cut, degrees.

    **Returns** C_l for l = 0 to 2 NSIDE, in the square of the maps' unit: 'EE' and 'BB' of Q and U,
    and one of each other map by its name.
    """
    import healpy

    first = next(iter(maps.values()))
    nside = healpy.npix2nside(first.size)
    b = healpy.pix2ang(nside, np.arange(first.size), lonlat=True)[1]
    seen = np.abs(b) > latitude
    cut, share = {}, {}
    for name, values in maps.items():
        use = seen & np.isfinite(values)
        mean = 0.0 if name in "QU" else np.mean(values[use])
        cut[name], share[name] = np.where(use, values - mean, 0.0), np.mean(use)
    lmax, found = 2 * nside, {}
    if "Q" in cut:
        both = [np.zeros(first.size), cut.pop("Q"), cut.pop("U")]
        powers = healpy.anafast(both, lmax=lmax, pol=True)
        found = {"EE": powers[1] / share["Q"], "BB": powers[2] / share["Q"]}
    for name, values in cut.items():
        found[name] = healpy.anafast(values, lmax=lmax) / share[name]
    return found


def binned(spectrum: Float[np.ndarray, " n_ell"], edges: tuple[int, ...]) -> list[float]:
    """Mean of l (l + 1) C_l / 2 pi between edges: edges[k] <= l < edges[k + 1]."""
    ell = np.arange(spectrum.size)
    power = ell * (ell + 1) * spectrum / (2.0 * np.pi)
    return [float(np.mean(power[low:high])) for low, high in itertools.pairwise(edges)]

"""The real sky in pixels of 3.7 deg, with one rule for the variance of each, and its parts.

The data are the brightness at 408 MHz (Remazeilles et al. 2015), Q and U at 23 GHz (WMAP
nine-year), the median rotation measures of extragalactic sources, and the dispersion measures of
pulsars with independent distances.
"""

from pathlib import Path

import healpy
import jax.numpy as jnp
import numpy as np

import synax
from synax._constants import FARADAY_CONSTANT

NSIDE, BLOCKS, LATITUDE = 16, 4, 10.0
MAPS = ("I", "Q", "U", "RM")
FREQUENCY = jnp.array([0.408, 23.0])
GUM = (262.0, -5.0, 25.0)
"""Longitude and latitude of the Gum nebula, and its radius with a margin, deg."""
GAIN, DISTANCES = 0.05, 0.4
"""Error of the scale at 408 MHz, and of a logarithm of a dispersion measure (distance, clumps)."""


def read(folder):
    """The skies in pixels of NSIDE 16 (RING): {name: (mean, scatter inside the pixel)}."""
    load = lambda name: np.load(Path(folder) / name, allow_pickle=False)
    haslam, wmap = load("haslam408_dsds_n64.npz"), load("wmapK_pol_pysm_n64.npz")
    catalogue = load("rm_egs_binned_n16.npz")
    error = 1.25 * catalogue["sigma"] / np.sqrt(np.maximum(catalogue["n"], 1))
    return {
        "I": _pixels(haslam["T_gal"]),
        "Q": (_pixels(wmap["Q_lp"])[0], _pixels(wmap["Q"])[1]),
        "U": (_pixels(-wmap["U_lp"])[0], _pixels(wmap["U"])[1]),  # the file follows COSMO
        "RM": (catalogue["RM"].astype(float), error.astype(float)),
        "index": _pixels(haslam["beta"]),
    }


def _pixels(values):
    nested = healpy.reorder(np.asarray(values, float), r2n=True).reshape(12 * NSIDE**2, -1)
    return tuple(healpy.reorder(x, n2r=True) for x in (nested.mean(1), nested.std(1)))


def read_pulsars(folder):
    """Pulsars with independent distances inside the default domain: l, b, distance and DM."""
    with np.load(Path(folder) / "pulsars_psrcat167.npz", allow_pickle=False) as file:
        distance, measured = file["dist_indep"].astype(float), file["dm"].astype(float)
        use = np.isfinite(distance) & (distance > 0.1) & np.isfinite(measured) & (measured > 0)
        use &= ~file["extragalactic"]
        l, b = file["l"].astype(float), file["b"].astype(float)
        # one cluster counts once
        _, first = np.unique(
            np.round([l[use], b[use], distance[use]], 1), axis=1, return_index=True
        )
    chosen = np.flatnonzero(use)[np.sort(first)]
    l, b, distance, measured = (x[chosen] for x in (l, b, distance, measured))
    rays = synax.Sightlines.from_lonlat(l, b, distance)
    inside = np.asarray(rays.span()[1]) > 0.999 * distance
    return {"l": l[inside], "b": b[inside], "distance": distance[inside], "DM": measured[inside]}


def held_out():
    """Which pixels are held out of every fit: half of the sky, in blocks of NSIDE 4."""
    order = np.random.default_rng(0).permutation(12 * BLOCKS**2)
    blocks = healpy.ang2pix(BLOCKS, *healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2)))
    return np.isin(blocks, order[: order.size // 2])


def parts():
    """Masks of the pixels: fitted and held out at |b| > 10 deg, and the plane."""
    b = healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2), lonlat=True)[1]
    high, held = np.abs(b) > LATITUDE, held_out()
    return {"fitted": high & ~held, "held out": high & held, "plane": ~high}


def sightlines(pixels):
    """Rays to the centres of pixels, in the domain and from the observer of `healpix`."""
    l, b = healpy.pix2ang(NSIDE, pixels, lonlat=True)
    return synax.Sightlines.from_lonlat(l, b)


def turbulent_scatter(sky, pixels, cells=160, length=0.03):
    """What the turbulence of a Galaxy adds to one pixel: sd of I (K), Q and U (uK), and RM.

    `length` (kpc) is the correlation length, the same for every Galaxy.

    With j the emissivity at 1 microgauss, B the regular field across the ray, s^2 the variance of a
    component and n the density, var(j) = 4 j^2 s^2 (s^2 + B^2) for p = 3, and K^2 n^2 s^2 of the
    rotation. Both add up over cells of 2 L_c along the ray. A pixel averages emission over the
    cells across it; the few sources in it do not do that for rotation.
    """
    rays = sightlines(pixels)
    near, far = rays.span()
    x = (jnp.arange(cells)[:, None] + 0.5) / cells
    distance = near + x**2 * (far - near)  # finer near the Sun
    ray = rays.direction[:, None, :]
    position = rays.observer.reshape(3, 1, -1) + ray * distance
    field = sky.magnetic(position)
    across = jnp.sum(field**2, 0) - jnp.sum(field * ray, 0) ** 2
    random = sky.turbulence.strength(position) ** 2 / 3.0
    cell = 2.0 * length
    step = 2.0 * x / cells * (far - near)
    averaged = 1.0 + (distance * np.radians(3.665) / cell) ** 2
    emitted = 4.0 * random * (random + across)
    one = jnp.ones_like(distance)
    total = lambda variance: np.sqrt(np.asarray(jnp.sum(variance * cell * step, 0)))
    bright, _ = synax.emission.emissivity(sky.cosmic_rays, position, one, FREQUENCY[0])
    _, polarised = synax.emission.emissivity(sky.cosmic_rays, position, one, FREQUENCY[1])
    both = 1e6 * total(polarised**2 * emitted / averaged)
    turning = FARADAY_CONSTANT * sky.electrons(position)
    rm = total(turning**2 * random)
    return {"I": total(bright**2 * emitted / averaged), "Q": both, "U": both, "RM": rm}


def in_gum(pixels):
    """Pixels behind the Gum nebula, whose dense shell rotates by a field of its own."""
    l, b = (np.radians(x) for x in healpy.pix2ang(NSIDE, pixels, lonlat=True))
    (l0, b0), radius = np.radians(GUM[:2]), np.radians(GUM[2])
    cosine = np.sin(b) * np.sin(b0) + np.cos(b) * np.cos(b0) * np.cos(l - l0)
    return cosine > np.cos(radius)


def likelihood_data(data, pixels, turbulence, model_error=None):
    """Means and standard deviations of the fitted pixels: {name: (value, sigma)}; gaps weigh 0.

    The variance is that inside the pixel, that of the turbulence (one for every Galaxy that is
    compared), at 408 MHz that of the gain, and that of a model error, where one is given.
    """
    found = {}
    for name in MAPS:
        value, scatter = (x[pixels] for x in data[name])
        known = np.isfinite(value)
        if name == "RM":
            known &= ~in_gum(pixels)
        more = (model_error or {}).get(name, 0.0)
        gain = GAIN * value if name == "I" else 0.0
        sigma = np.sqrt(scatter**2 + turbulence[name] ** 2 + gain**2 + more**2)
        found[name] = np.where(known, value, 0.0), np.where(known, sigma, 1e9)
    return found

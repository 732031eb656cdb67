"""What a map lacks without free-free emission and absorption, frequency by frequency.

    python benchmarks/free_free.py [--json FILE]

The calibrated Galaxy at NSIDE 16, with and without `synax.FreeFree()` (8000 K, gas that is not
clumped): the optical depth, and I without it over I with it.
"""

import argparse

import healpy
import jax
import jax.numpy as jnp
import numpy as np
from _common import report

import synax

NSIDE = 16
FREQUENCY = (0.03, 0.1, 0.2, 0.3, 0.408, 1.4, 23.0)


def regions():
    """Pixels of the inner plane, and of what is away from the plane."""
    l, b = healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2), lonlat=True)
    inner = (np.abs(b) < 3.0) & (np.abs((l + 180.0) % 360.0 - 180.0) < 30.0)
    return {"|b| < 3°, |l| < 30°": inner, "|b| > 10°": np.abs(b) > 10.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rays, nu = synax.Sightlines.healpix(NSIDE), jnp.asarray(FREQUENCY)
    without = synax.galaxies.calibrated(steps=64).observe(rays, nu).stokes.I
    seen = synax.galaxies.calibrated(steps=64, free_free=synax.FreeFree()).observe(rays, nu)
    ratio, depth = np.asarray(without / seen.stokes.I), np.asarray(seen.optical_depth)
    rows = []
    for k, frequency in enumerate(FREQUENCY):
        row = {"GHz": frequency}
        for name, there in regions().items():
            row[f"{name}: largest depth"] = float(depth[k][there].max())
            row[f"{name}: I without over I with, median"] = float(np.median(ratio[k][there]))
            ends = ratio[k][there].min(), ratio[k][there].max()
            row[f"{name}: smallest, largest"] = [round(float(x), 3) for x in ends]
        rows.append(row)
    report("free_free", rows, args.json, nside=NSIDE)


if __name__ == "__main__":
    main()

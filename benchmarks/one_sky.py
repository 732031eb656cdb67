"""Polarisation of the mean over turbulence, and of single skies, frequency by frequency.

    python benchmarks/one_sky.py [--keys 3] [--json FILE]

The calibrated Galaxy at NSIDE 16 and its realisations: medians over the sky of P and of P/I.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from _common import report

import synax

NSIDE = 16
FREQUENCY = (0.408, 1.0, 1.4, 2.3, 5.0, 23.0)


def polarised(stokes):
    """Medians of P and of P/I at each frequency."""
    p, i = np.hypot(stokes.Q, stokes.U), np.asarray(stokes.I)
    return np.median(p, axis=-1), np.median(p / i, axis=-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keys", type=int, default=3, help="realisations")
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rays, nu = synax.Sightlines.healpix(NSIDE), jnp.asarray(FREQUENCY)
    galaxy = synax.galaxies.calibrated(steps=synax.GradedSteps(512, scale=1.0))
    seen = galaxy.observe(rays, nu)
    scatter = float(np.sqrt(np.median(np.asarray(seen.rotation_measure_variance))))
    mean = polarised(seen.stokes)
    single = []
    for key in range(args.keys):
        one = synax.galaxies.realisation(galaxy, jax.random.key(key))
        single.append(polarised(one(rays, nu)))
    p, fraction = np.mean(single, axis=0)
    rows = [
        {
            "GHz": frequency,
            "P of the mean": float(mean[0][k]),
            "P of one sky": float(p[k]),
            "their ratio": float(mean[0][k] / p[k]),
            "P/I of one sky": float(fraction[k]),
        }
        for k, frequency in enumerate(FREQUENCY)
    ]
    report("one_sky", rows, args.json, nside=NSIDE, keys=args.keys, rm_scatter=scatter)


if __name__ == "__main__":
    main()

"""Angular spectra of a realisation of the calibrated Galaxy's turbulence, beside the real sky's.

    SYNAX_DATA=folder python benchmarks/structure.py

writes docs/data/structure.json (binned spectra at |b| > 10 deg) and docs/data/structure.npz (the
maps of the page's figure). The sky's maps are those of `_sky_data` at NSIDE 32: at 23 GHz they
hold real structure up to l = 30 (beyond it, a realisation of PySM), at 408 MHz up to l = 90.
"""

import argparse
import itertools
import json
import os
from pathlib import Path

import jax
import numpy as np

import synax
from synax.maps._spectra import binned, cut_spectra

NSIDE, FREQUENCY, PLANE = 32, (0.408, 23.0), 10.0
EDGES = (2, 4, 7, 11, 16, 23, 32, 45, 64)
DATA = Path(__file__).parent.parent / "docs" / "data"


def seen(galaxy, rays):
    """I at 408 MHz (K), Q and U at 23 GHz (uK)."""
    light = galaxy(rays, np.array(FREQUENCY))
    maps = {"I": light.I[0], "Q": 1e6 * light.Q[1], "U": 1e6 * light.U[1]}
    return {k: np.asarray(v) for k, v in maps.items()}


def spectra(maps):
    """l (l + 1) C_l / 2 pi in bins, off the plane."""
    return {k: binned(c, EDGES) for k, c in cut_spectra(maps, PLANE).items()}


def main():
    """Compute, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=192, help="cells of each sightline")
    parser.add_argument("--keys", type=int, default=2, help="realisations the spectra are means of")
    parser.add_argument("--periods", type=float, default=8.0, help="of the pattern")
    parser.add_argument("--dry", action="store_true", help="print only")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    folder = Path(os.environ["SYNAX_DATA"])
    haslam = np.load(folder / "haslam408_dsds_n64.npz", allow_pickle=False)
    wmap = np.load(folder / "wmapK_pol_pysm_n64.npz", allow_pickle=False)
    sky = {"I": haslam["T_gal_n32"], "Q": wmap["Q_lp_n32"], "U": -wmap["U_lp_n32"]}
    sky = {k: v.astype(float) for k, v in sky.items()}
    rays = synax.Sightlines.healpix(NSIDE)
    galaxy = synax.galaxies.calibrated(steps=synax.GradedSteps(arguments.steps))
    maps = {"sky": sky, "mean": seen(galaxy, rays)}
    power = {kind: spectra(found) for kind, found in maps.items()}
    each = []
    for k in range(arguments.keys):
        made = synax.galaxies.realisation(galaxy, jax.random.key(k), periods=arguments.periods)
        maps["realised"] = seen(made, rays)
        each.append(spectra(maps["realised"]))
    power["realised"] = {n: np.mean([e[n] for e in each], axis=0).tolist() for n in each[0]}
    table = {n: {kind: power[kind][n] for kind in power} for n in power["sky"]}
    middle = [0.5 * (a + b - 1) for a, b in itertools.pairwise(EDGES)]
    for name, rows in table.items():
        for kind, values in rows.items():
            print(name, kind, " ".join(f"{v:.3g}" for v in values))
    if not arguments.dry:
        record = {"edges": EDGES, "multipole": middle, "power": table, "cells": arguments.steps}
        record["realisations"] = arguments.keys
        (DATA / "structure.json").write_text(json.dumps(record, indent=1) + "\n")
        arrays = {
            f"{kind}_{k}": maps[kind][k].astype(np.float32)
            for kind in ("sky", "realised")
            for k in "IQ"
        }
        np.savez_compressed(DATA / "structure.npz", **arrays)


if __name__ == "__main__":
    main()

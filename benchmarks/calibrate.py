"""Fits `synax.galaxies.calibrated` to the sky, and says how near it comes.

Brightness at 408 MHz, Q and U at 23 GHz, rotation measures of extragalactic sources and dispersion
measures of pulsars (`_sky_data`), in pixels of NSIDE 16 at |b| > 10 deg. Half of the sky, in blocks
of NSIDE 4 drawn at random, is held out of the fit. The variance of a pixel is that inside it,
that of the turbulence, and that of a model error: what no smooth Galaxy has.

    export SYNAX_DATA=folder
    python benchmarks/calibrate.py --fit --galaxies calibrated uf23 jf12 wmap \\
        --output docs/data/calibration.json

Without `--fit` it only compares.

The fit is one of least squares (`_sky_fit`) with Gaussian priors about the published numbers. Draws
are those of the Gaussian at the mode; each data set counts for as many pixels fewer as its blocks
scatter more than independent pixels would (`TEMPER`, found by the fit itself).
"""

import argparse
import datetime
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from _sky_data import (
    NSIDE,
    likelihood_data,
    parts,
    read,
    read_pulsars,
    sightlines,
    turbulent_scatter,
)
from _sky_fit import (
    BUBBLE,
    NUISANCE,
    UF23,
    compare,
    first_numbers,
    fit,
    numbers,
    observables,
    told,
)

import synax
from synax.galaxies import _calibrated

PACKAGE = Path(synax.__file__).parent / "galaxies" / "data"
MODEL_ERROR = {"I": 1.5, "Q": 5.0, "U": 5.0, "RM": 25.0}
"""Of a smooth Galaxy: K, uK, uK, rad m^-2.

That of rotation measures holds for the turbulence too, whose own variance grows so much towards the
plane that the largest rotation measures would not count.
"""
TEMPER = {"I": 20.0, "Q": 8.0, "U": 6.0, "RM": 6.0}
"""How many pixels count as one."""
FREE = {p.replace("magnetic.", "magnetic.outer."): how for p, how in UF23.items()}
FREE |= BUBBLE | {k: how for k, how in NUISANCE.items() if k != "cosmic_rays.alpha"}
FREE |= {"cosmic_rays.index_below": ("linear", 0.05), "cosmic_rays.index_above": ("linear", 0.01)}
GALAXIES = ("calibrated", "uf23", "jf12", "wmap")
DRAWS = 64


def beginning(form, values):
    """Where the search begins: at the numbers of an earlier fit, as far as they are free."""
    first, x = first_numbers(form, FREE), []
    for path, (kind, width) in FREE.items():
        value = values.get(path, first[path])
        x.append((value - first[path] if kind == "linear" else np.log(value / first[path])) / width)
    return np.array([*x, 0.0])


def calibrate(folder, steps, searches):
    """The fit of the package's form to the data in a folder, from where the last one ended."""
    form = _calibrated.starting_form(steps=steps)
    pixels = np.flatnonzero(parts()["fitted"])
    turbulence = turbulent_scatter(form, pixels) | {"RM": 0.0}
    measured = likelihood_data(read(folder), pixels, turbulence, MODEL_ERROR)
    pulsars = read_pulsars(folder)
    start = beginning(form, _calibrated.numbers())
    return fit(
        form, FREE, measured, pixels, pulsars, TEMPER, None, searches, start=start, verbose=2
    )


def write(found, steps):
    """The fitted numbers and draws into the package."""
    best, offset = numbers(jnp.asarray(found.x), FREE, found.first)
    root = np.linalg.cholesky(found.covariance)
    unit = found.x + np.random.default_rng(1).standard_normal((DRAWS, found.x.size)) @ root.T
    drawn = [numbers(row, FREE, found.first)[0] for row in unit]
    values = np.array([[float(d[p]) for p in FREE] for d in drawn])
    record = {
        "name": "local-bubble 2",
        "date": datetime.date.today().isoformat(),
        "made_by": "benchmarks/calibrate.py --fit",
        "cells": steps,
        "offset_408_MHz_K": float(offset),
        "chi2_per_pixel": {
            k: v / np.count_nonzero(parts()["fitted"]) for k, v in found.chi2.items() if k != "DM"
        },
        "chi2_of_dispersion_measures": found.chi2["DM"],
        "excess": found.excess,
        "evaluations": found.evaluations,
        "numbers": {p: float(f"{float(best[p]):.6g}") for p in FREE},
        "sd": {p: float(f"{s:.3g}") for p, s in zip(FREE, values.std(0), strict=True)},
        "start": found.first,
    }
    PACKAGE.mkdir(exist_ok=True)
    (PACKAGE / "calibrated.json").write_text(json.dumps(record, indent=1) + "\n")
    np.savez(PACKAGE / "calibrated.npz", paths=np.array(list(FREE)), values=values)
    _calibrated.record.cache_clear()


def pulsar_numbers(sky, pulsars):
    """Median of data over model of the dispersion measures, and their scatter in dex."""
    rays = synax.Sightlines.from_lonlat(pulsars["l"], pulsars["b"], pulsars["distance"])
    model = np.asarray(synax.DispersionMeasure(sky.electrons, steps=64)(rays))
    low, middle, high = np.percentile(np.log10(pulsars["DM"] / model), [16, 50, 84])
    median, scatter = float(10**middle), float(0.5 * (high - low))
    return {"pulsars": int(model.size), "median_ratio": median, "scatter_dex": scatter}


def main():
    """Fit if asked to, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fit", action="store_true", help="fit first, and write the package's")
    parser.add_argument("--steps", type=int, default=40, help="cells of each sightline")
    parser.add_argument("--searches", type=int, default=20, help="evaluations of the fit at most")
    parser.add_argument("--galaxies", nargs="+", default=["calibrated"], choices=GALAXIES)
    parser.add_argument("--output", help="JSON file for the record")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if "SYNAX_DATA" not in os.environ:
        parser.error("SYNAX_DATA must name the folder of the sky data")
    folder = os.environ["SYNAX_DATA"]
    data, pulsars, masks = read(folder), read_pulsars(folder), parts()
    if arguments.fit:
        write(calibrate(folder, arguments.steps, arguments.searches), arguments.steps)
    record, rows, columns = _calibrated.record(), {}, {}
    for name in arguments.galaxies:
        print(name)
        sky = getattr(synax.galaxies, name)(steps=arguments.steps)
        offset = record["offset_408_MHz_K"] if name == "calibrated" else 0.0
        seen = observables(sky, sightlines(np.arange(12 * NSIDE**2)))
        rows[name] = compare(seen, data, masks, offset)
        columns[name] = pulsar_numbers(sky, pulsars)
        told(rows[name])
        print(columns[name], flush=True)
    content = {"benchmark": "calibration", "nside": NSIDE, "galaxies": rows}
    content |= {"dispersion_measures": columns, "fit": record}
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

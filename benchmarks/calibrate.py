"""Fits `synax.galaxies.calibrated` to the sky, and says how near it comes.

Brightness at 408 MHz (Remazeilles et al. 2015), Q and U at 23 GHz (WMAP nine-year) and the median
rotation measures of extragalactic sources, in pixels of NSIDE 16 at |b| > 10 deg. Half of the sky,
in blocks of NSIDE 4 drawn at random, is held out of the fit. The variance of a pixel is that of the
data within it plus that of a model error, given in parts and as a floor.

    export SYNAX_DATA=folder
    python benchmarks/calibrate.py --fit --galaxies calibrated uf23 jf12 wmap \\
        --output docs/data/calibration.json

Without `--fit` it only compares.

The fit is one of least squares (SciPy's trust region, Jacobians by forward mode), with Gaussian
priors about the published numbers; its cosmic rays are then brightened by what the fitted half
lacks. Draws are those of the Gaussian at the mode; residuals of one block go together, so each data
set counts for as many pixels fewer as its blocks scatter more than independent pixels would.
"""

import argparse
import datetime
import json
import os
from pathlib import Path

import equinox as eqx
import healpy
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

import synax
from synax._parameters import get_path, set_paths
from synax.galaxies import _calibrated

NSIDE, BLOCKS, LATITUDE = 16, 4, 10.0
FREQUENCY = jnp.array([0.408, 23.0])
PACKAGE = Path(synax.__file__).parent / "galaxies" / "data"
MODEL_ERROR = {"I": (0.12, 2.0), "Q": (0.15, 6.0), "U": (0.15, 6.0), "RM": (0.1, 12.0)}
"""Of the model: in parts of the data, and a floor (K, uK, uK, rad m^-2)."""
OFFSET = 1.0
"""Prior standard deviation of what is isotropic in the 408 MHz map, K."""

LINEAR = {
    **{f"magnetic.b_{k}": 1.0 for k in ("1", "2", "3", "north", "south")},
    **{f"magnetic.phi_{k}": 0.5 for k in (1, 2, 3)},
    "magnetic.b_poloidal": 0.5,
    "magnetic.pitch": 0.1,
    "cosmic_rays.alpha": 0.01,
}
"""Prior standard deviations about the first value."""
_STRENGTH = "turbulence.strength.parts"
LOGARITHMIC = {
    **{f"magnetic.{k}": 0.3 for k in ("h_disk", "w_disk", "r_toroidal", "r_poloidal")},
    **{f"magnetic.{k}": 0.4 for k in ("w_toroidal", "z_toroidal", "w_poloidal", "z_poloidal")},
    "magnetic.p": 0.2,
    "electrons.factor": 0.15,
    "cosmic_rays.flux": 0.15,
    "cosmic_rays.r0": 0.25,
    "cosmic_rays.z0": 0.3,
    **{f"{_STRENGTH}.0.{k}": 0.4 for k in ("b_d", "z_d", "l_r")},
    **{f"{_STRENGTH}.1.{k}": 0.4 for k in ("factor", "field.r0", "field.z0")},
    "turbulence.striation": 0.5,
}
"""The same of logarithms, for what is positive."""
PATHS = (*LINEAR, *LOGARITHMIC)
GALAXIES = ("calibrated", "uf23", "jf12", "wmap")


def read(folder):
    """The skies in pixels of NSIDE 16 (RING): {name: (mean, standard deviation of the data)}."""
    load = lambda name: np.load(Path(folder) / name, allow_pickle=False)
    haslam, wmap = load("haslam408_dsds_n64.npz"), load("wmapK_pol_pysm_n64.npz")
    catalogue = load("rm_egs_binned_n16.npz")
    error = 1.25 * catalogue["sigma"] / np.sqrt(np.maximum(catalogue["n"], 1))
    return {
        "I": _pixels(haslam["T_gal"]),
        "Q": _pixels(wmap["Q_lp"]),
        "U": _pixels(-wmap["U_lp"]),  # the file follows COSMO
        "RM": (catalogue["RM"].astype(float), error.astype(float)),
        "index": _pixels(haslam["beta"]),
    }


def _pixels(values):
    nested = healpy.reorder(np.asarray(values, float), r2n=True).reshape(12 * NSIDE**2, -1)
    return tuple(healpy.reorder(x, n2r=True) for x in (nested.mean(1), nested.std(1)))


def parts():
    """Pixels at |b| > 10 deg that are fitted, those held out, and those of the plane."""
    l, b = healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2), lonlat=True)
    order = np.random.default_rng(0).permutation(12 * BLOCKS**2)
    held = np.isin(healpy.ang2pix(BLOCKS, l, b, lonlat=True), order[: order.size // 2])
    high = np.abs(b) > LATITUDE
    return {"fitted": high & ~held, "held out": high & held, "plane": ~high}


def sightlines(pixels):
    """Rays to the centres of pixels, in the domain and from the observer of `healpix`."""
    l, b = healpy.pix2ang(NSIDE, pixels, lonlat=True)
    return synax.Sightlines.from_lonlat(l, b)


def evaluated(sky, rays):
    """A simulator whose densities are evaluated once: the fit scales them only."""
    density = synax.sample_along(
        sky.electrons.field, rays, sky.steps, quadrature=sky.quadrature, surfaces=sky.surfaces()
    )
    return eqx.tree_at(lambda s: s.electrons.field, sky, density)


def observables(sky, rays):
    """Brightness at 408 MHz (K), Q and U at 23 GHz (uK), RM, and the brightness at 23 GHz (K)."""
    seen = sky.observe(rays, FREQUENCY)
    light = seen.stokes
    polarised = {"Q": 1e6 * light.Q[1], "U": 1e6 * light.U[1]}
    return {"I": light.I[0], **polarised, "RM": seen.rotation_measure, "I23": light.I[1]}


def from_unit(x, first):
    """Numbers by path, and the offset, from parameters with a unit normal prior."""
    shift = {p: x[i] * (LINEAR | LOGARITHMIC)[p] for i, p in enumerate(PATHS)}
    values = {p: first[p] + shift[p] for p in LINEAR}
    return values | {p: first[p] * jnp.exp(shift[p]) for p in LOGARITHMIC}, OFFSET * x[-1]


def fit(data, steps, searches):
    """The mode, and the covariance there, in parameters with a unit normal prior."""
    pixels = np.flatnonzero(parts()["fitted"])
    rays, form = sightlines(pixels), _calibrated.starting_form(steps=steps)
    form = form.integrate_with(adjoint=synax.DirectAdjoint())
    first = {path: float(get_path(form, path)) for path in PATHS}
    form = evaluated(form, rays)
    measured, sigma = {}, {}
    for name, (share, floor) in MODEL_ERROR.items():
        value, scatter = (x[pixels] for x in data[name])
        size = np.hypot(data["Q"][0], data["U"][0])[pixels] if name in "QU" else value
        known = np.isfinite(value)
        measured[name] = np.where(known, value, 0.0)
        total = np.sqrt(scatter**2 + (share * size) ** 2 + floor**2)
        sigma[name] = np.where(known, total, 1e9)

    def residuals(x):
        values, offset = from_unit(x, first)
        model = observables(set_paths(form, values), rays)
        model["I"] = model["I"] + offset
        return jnp.stack([(model[k] - measured[k]) / sigma[k] for k in MODEL_ERROR])

    whole = jax.jit(lambda x: jnp.concatenate([residuals(x).ravel(), x]))
    slope = jax.jit(jax.jacfwd(whole))
    start = np.zeros(len(PATHS) + 1)
    found = least_squares(
        lambda x: np.asarray(whole(x)), start, lambda x: np.asarray(slope(x)),
        max_nfev=searches, ftol=1e-5, verbose=2,
    )  # fmt: skip
    left = np.asarray(residuals(found.x))
    jacobian = np.asarray(slope(found.x))[: left.size].reshape(*left.shape, -1)
    excess = {k: _excess(pixels, r) for k, r in zip(MODEL_ERROR, left, strict=True)}
    precision = np.eye(start.size) + sum(
        j.T @ j / k for j, k in zip(jacobian, excess.values(), strict=True)
    )
    chi2 = {k: float(np.mean(r**2)) for k, r in zip(MODEL_ERROR, left, strict=True)}
    told = {"chi2_per_pixel": chi2, "excess": excess, "evaluations": int(found.nfev)}
    return found.x, np.linalg.inv(precision), first, told


def _excess(pixels, residual):
    """How much more the sums over blocks scatter than those of independent pixels."""
    block = healpy.ang2pix(BLOCKS, *healpy.pix2ang(NSIDE, pixels))
    sums, count = np.bincount(block, residual), np.bincount(block)
    return float(max(1.0, np.mean(sums[count > 0] ** 2 / count[count > 0])))


def agreement(model, measured):
    """Scale of data = scale model, correlation, and rms of data - model."""
    return {
        "pixels": int(model.size),
        "scale": float(np.sum(model * measured) / np.sum(model**2)),
        "correlation": float(np.corrcoef(model, measured)[0, 1]),
        "residual_rms": float(np.sqrt(np.mean((measured - model) ** 2))),
        "data_rms": float(np.sqrt(np.mean(measured**2))),
        "data_mean": float(np.mean(measured)),
    }


def compare(sky, data, offset):
    """The numbers of a Galaxy against the data, in each part of the sky."""
    rows = {}
    every = np.arange(12 * NSIDE**2)
    seen = {k: np.asarray(v) for k, v in observables(sky, sightlines(every)).items()}
    for part, mask in parts().items():
        m = {k: v[mask] for k, v in seen.items()}
        d = {k: v[0][mask] for k, v in data.items()}
        bright = agreement(m["I"], d["I"] - offset)
        bright["residual_over_mean"] = bright["residual_rms"] / bright["data_mean"]
        index = np.log(m["I23"] / m["I"]) / np.log(float(FREQUENCY[1] / FREQUENCY[0]))
        both = [np.concatenate([x["Q"], x["U"]]) for x in (m, d)]
        known = np.isfinite(d["RM"])
        rm, measured = m["RM"][known], d["RM"][known]
        large = np.abs(measured) > 20.0
        rows[part] = {
            "408 MHz": bright,
            "index": {"model": float(np.mean(index)), "data": float(np.mean(d["index"]))},
            "Q": agreement(m["Q"], d["Q"]),
            "U": agreement(m["U"], d["U"]),
            "Q and U": agreement(*both),
            "RM": agreement(rm, measured)
            | {"same_sign_above_20": float(np.mean(rm[large] * measured[large] > 0))},
        }
    return rows


def brightening(x, first, data, steps):
    """By how much the fitted half of the sky is brighter than the mode: mean of I and of Q, U.

    Variances that grow with the data favour a model fainter than they are; this undoes it.
    """
    values, offset = from_unit(jnp.asarray(x), first)
    sky = set_paths(_calibrated.starting_form(steps=steps), values)
    row = compare(sky, data, float(offset))["fitted"]
    return 0.5 * (row["408 MHz"]["scale"] + row["Q and U"]["scale"])


def write(x, covariance, first, told, steps, factor):
    """The fitted numbers and 64 draws into the package, the cosmic rays times a factor."""
    flux = "cosmic_rays.flux"
    x = np.array(x)
    x[PATHS.index(flux)] += np.log(factor) / LOGARITHMIC[flux]
    PACKAGE.mkdir(exist_ok=True)
    best, offset = from_unit(jnp.asarray(x), first)
    factor = np.linalg.cholesky(covariance)
    unit = x + np.random.default_rng(1).standard_normal((64, x.size)) @ factor.T
    drawn = [from_unit(row, first)[0] for row in unit]
    values = np.array([[float(d[p]) for p in PATHS] for d in drawn])
    record = {
        "name": "high-latitude 1",
        "date": datetime.date.today().isoformat(),
        "made_by": "benchmarks/calibrate.py --fit",
        "cells": steps,
        "offset_408_MHz_K": float(offset),
        "brightened": factor,
        **told,
        "numbers": {p: float(f"{float(best[p]):.6g}") for p in PATHS},
        "sd": {p: float(f"{s:.3g}") for p, s in zip(PATHS, values.std(0), strict=True)},
        "start": first,
    }
    (PACKAGE / "calibrated.json").write_text(json.dumps(record, indent=1) + "\n")
    np.savez(PACKAGE / "calibrated.npz", paths=np.array(PATHS), values=values)
    _calibrated.record.cache_clear()


def table(rows):
    """The targets' numbers, one line a part of the sky."""
    for part, row in rows.items():
        bright, both, rm = row["408 MHz"], row["Q and U"], row["RM"]
        print(
            f"{part:9s} 408 MHz: scale {bright['scale']:.3f} r {bright['correlation']:.3f} "
            f"rms/mean {bright['residual_over_mean']:.3f} | index {row['index']['model']:.2f} "
            f"({row['index']['data']:.2f}) | Q, U: scale {both['scale']:.3f} "
            f"r {both['correlation']:.3f} | RM: scale {rm['scale']:.3f} "
            f"r {rm['correlation']:.3f} sign {rm['same_sign_above_20']:.3f}"
        )


def main():
    """Fit if asked to, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fit", action="store_true", help="fit first, and write the package's")
    parser.add_argument("--steps", type=int, default=48, help="cells of each sightline")
    parser.add_argument("--searches", type=int, default=16, help="evaluations of the fit at most")
    parser.add_argument("--galaxies", nargs="+", default=["calibrated"], choices=GALAXIES)
    parser.add_argument("--output", help="JSON file for the record")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if "SYNAX_DATA" not in os.environ:
        parser.error("SYNAX_DATA must name the folder of the sky data")
    data = read(os.environ["SYNAX_DATA"])
    if arguments.fit:
        x, covariance, first, told = fit(data, arguments.steps, arguments.searches)
        factor = brightening(x, first, data, arguments.steps)
        write(x, covariance, first, told, arguments.steps, factor)
    record, rows = _calibrated.record(), {}
    for name in arguments.galaxies:
        print(name)
        sky = getattr(synax.galaxies, name)(steps=arguments.steps)
        offset = record["offset_408_MHz_K"] if name == "calibrated" else 0.0
        rows[name] = compare(sky, data, offset)
        table(rows[name])
    content = {"benchmark": "calibration", "nside": NSIDE, "galaxies": rows, "fit": record}
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

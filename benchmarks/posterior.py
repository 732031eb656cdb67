"""Posteriors of 4 and of 16 parameters: effective draws per gradient and per second.

The two sampling experiments of Diao et al. 2024 (arXiv:2410.01136): Q and U at 2.4 GHz of a WMAP
field (a), and of four of them turned and added (b), with 1 mK of noise. Small sizes keep the
information of the full one: sigma = 1 mK * nside / 64.

    python benchmarks/posterior.py                      # NSIDE 8 x 32, both experiments
    python benchmarks/posterior.py --methods hmc nuts --full hmc --searches 16 --cells-error

Many turns of Faraday rotation give the likelihood of (b) many maxima. Its mode is climbed to where
there are few, away from the plane (`STAGES`), from the paper's start (b0 = 1.2, all angles 45
degrees) or from a draw of the prior; `--searches` counts how often that succeeds, and how often the
default search of the package does, given pixels anywhere.

The cells are of fourth order and cut where the fields jump, so 64 of them replace the 512 uniform
midpoints of the paper; the error of both is recorded with `--cells-error`. Everything is kept
in `--folder`: the same command goes on where it stopped, and `--minutes` bounds each run.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import equinox as eqx
import healpy
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from _common import report

import synax
from synax.inference._box import boxed
from synax.inference._laplace import off_bounds, search

DEGREE = np.pi / 180.0
TURNED = ((1.2, 27.0, 0.9, 25.0), (3.5, 37.0, 30.9, 35.0), (7.7, 67.0, 60.9, 65.0),
          (5.7, 97.0, 90.9, 95.0))  # fmt: skip
WEIGHTS = (0.6, 0.3, 0.1, 0.3)
AXES = ((0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 0, 2))
NAMES = ("b0", "psi0", "psi1", "chi0")
STAGES = ((30.0, 192), (10.0, 192), (0.0, 384))  # pixels so many degrees off the plane, at least
GOOD_FIT = 2.0


def lsa(values):
    """A WMAP field from b0 (uG) and three angles (degrees)."""
    b0, *angles = values
    return synax.magnetic.WMAP(b0, *(a * DEGREE for a in angles))


def field(experiment):
    """Truth and the free parameters' paths."""
    if experiment == "a":
        return lsa(TURNED[0]), [f"magnetic.{n}" for n in NAMES]
    parts = [w * lsa(v).permuted(*axes) for v, w, axes in zip(TURNED, WEIGHTS, AXES, strict=True)]
    paths = [f"magnetic.parts.{i}.field.field.{n}" for i in range(4) for n in NAMES]
    return parts[0] + parts[1] + parts[2] + parts[3], paths


def simulator(experiment, rays, **cells):
    """The sky of an experiment, with the densities, which nothing varies, sampled once."""
    sky = synax.Synchrotron(
        field(experiment)[0], synax.electrons.YMW16(), synax.cosmic_rays.WMAP(), **cells
    )
    return sky.precompute(rays, "electrons", "cosmic_rays")


@eqx.filter_jit
def maps(sky, rays):
    """Q and U at 2.4 GHz, (2, n_rays) K."""
    stokes = sky(rays, 2.4)
    return jnp.stack([stokes.Q, stokes.U])


def problem(experiment, nside, steps, pixels=None):
    """The posterior with mock data, of all pixels or some."""
    paths = field(experiment)[1]
    rays = synax.Sightlines.healpix(nside, pixels=pixels)
    sky = simulator(experiment, rays, steps=steps)
    sigma = 1e-3 * nside / 64.0
    noise = sigma * np.random.RandomState(42).randn(2, 12 * nside**2)
    noisy = np.asarray(maps(sky, rays)) + (noise if pixels is None else noise[:, pixels])
    likelihood = synax.GaussianLikelihood(rays, 2.4, noisy, sigma)
    flat = dist.ImproperUniform(dist.constraints.real, (), ())
    priors = {p: flat for p in paths}
    if experiment == "b":
        priors = {p: dist.Uniform(0.0, 10.0 if p.endswith("b0") else 2.0) for p in paths}
    return synax.Posterior(sky, priors, likelihood)


def some_pixels(nside, latitude, number):
    """So many random pixels, `latitude` degrees off the plane or more; always the same ones."""
    off = np.abs(healpy.pix2ang(nside, np.arange(12 * nside**2), lonlat=True)[1]) >= latitude
    order = np.random.RandomState(0).permutation(12 * nside**2)
    return np.sort(order[off[order]][:number])


def paper_start(posterior):
    """b0 = 1.2, all angles 45 degrees."""
    return {p: jnp.asarray(1.2 if p.endswith("b0") else np.pi / 4) for p in posterior.paths}


def find_mode(posteriors, start, nside, searched=False):
    """The mode of each posterior is where the climb to the next one's begins.

    **Arguments:**

    - `searched`: each climb begins at the best maximum that the package's default search finds.

    **Returns** the last mode's values, its reduced chi-squared (that of the first posterior that
    cannot be fitted, if there is one), and the cost in gradients of the whole map.
    """
    cost, chi2 = 0.0, np.inf
    for posterior in posteriors:
        evaluations, predictions = 0, 0
        if searched:
            maxima = search(posterior, start)
            evaluations, predictions = maxima.evaluations, maxima.predictions
            start = off_bounds(posterior, boxed(posterior), maxima.modes[0].latent)
        found = posterior.laplace(start, restarts=0)
        start = posterior.constrain(found.mode)
        residual = posterior.residuals(start)
        chi2 = float(jnp.mean(residual**2))
        share = residual.size / (24 * nside**2)
        evaluations += found.evaluations
        # a gradient is the price of three predictions, or of four tangents
        cost += (evaluations * -(-posterior.size // 4) + predictions / 3.0) * share
        if not chi2 < GOOD_FIT:
            break
    return start, chi2, cost


def seconds(function, *arguments):
    """Time of one call, compilation excluded."""
    jax.block_until_ready(function(*arguments))
    began = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - began


def find_start(experiment, posterior, nside, steps, name):
    """Where the search for the mode of the whole map begins, what that is called, and its cost."""
    if name == "truth":
        return posterior.current(), "the truth", 0.0
    start, told = paper_start(posterior), "the paper's"
    if name == "prior":
        start, told = posterior.sample_prior(jax.random.key(0)), "a draw of the prior"
    if experiment == "a":
        return start, told, 0.0
    stages = [problem("b", nside, steps, some_pixels(nside, *stage)) for stage in STAGES]
    found, chi2, total = find_mode(stages, start, nside)
    for again in range(1, 9):
        if chi2 < GOOD_FIT:
            break
        start, told = posterior.sample_prior(jax.random.key(again)), "a draw of the prior"
        found, chi2, cost = find_mode(stages, start, nside)
        total += cost
    return found, told + ", high latitudes first", total


def searches(nside, steps, number):
    """How often the mode of (b) is found from the prior, by climbs and by the default search."""
    plans = {
        "anywhere": (((0.0, 192),), False),
        "anywhere, few pixels first": (((0.0, 48), (0.0, 192), (0.0, 384)), False),
        "high latitudes first": (STAGES, False),
        "anywhere, by the default search": (((0.0, 192),), True),
    }
    turning = synax.RotationMeasure(field("b")[0], synax.electrons.YMW16(), steps=steps)
    rows = []
    for plan, (stages, searched) in plans.items():
        first = synax.Sightlines.healpix(nside, pixels=some_pixels(nside, *stages[0]))
        radians = np.abs(eqx.filter_jit(turning)(first)) * (0.299792458 / 2.4) ** 2
        posteriors = [problem("b", nside, steps, some_pixels(nside, *s)) for s in stages]
        starts = [paper_start(posteriors[0])]
        starts += [posteriors[0].sample_prior(jax.random.key(i)) for i in range(number)]
        found = [find_mode(posteriors, start, nside, searched)[1:] for start in starts]
        good = [chi2 < GOOD_FIT for chi2, _ in found]
        rows.append({
            "search": plan, "nside": nside, "cells": steps,
            "pixels": ", then ".join(f"{n} of |b| >= {b:g} deg" for b, n in stages),
            "median_rotation_rad": float(np.median(radians)),
            "largest_rotation_rad": float(np.max(radians)),
            "from_the_paper's_start": "found" if good[0] else "not found",
            "draws_of_the_prior": number, "found": sum(good[1:]),
            "median_chi2": float(np.median([chi2 for chi2, _ in found[1:]])),
            "mean_gradients": float(np.mean([cost for _, cost in found])),
        })  # fmt: skip
        print(json.dumps(rows[-1], indent=1), flush=True)
    return rows


def cells_error(experiment, nside, cells):
    """rms and largest error of Q and U over sigma: these cells, and 512 uniform midpoints."""
    pixels = some_pixels(nside, 0.0, 1024)
    rays = synax.Sightlines.healpix(nside, pixels=pixels)
    midpoints = {
        "steps": synax.UniformSteps(512),
        "quadrature": synax.Midpoint(),
        "faces": False,
    }
    exact, *others = (
        maps(simulator(experiment, rays, **choice), rays)
        for choice in ({"steps": 2048}, {"steps": cells}, midpoints)
    )
    names = f"{cells} cells", "512 uniform midpoints"
    sigma = 1e-3 * nside / 64.0
    return [
        {
            "experiment": experiment, "cells": name, "nside": nside, "pixels": len(pixels),
            "sigma_mK": 1e3 * sigma,
            "rms_over_sigma": float(jnp.sqrt(jnp.mean((m - exact) ** 2))) / sigma,
            "largest_over_sigma": float(jnp.max(jnp.abs(m - exact))) / sigma,
        }
        for name, m in zip(names, others, strict=True)
    ]  # fmt: skip


def once(file, function, *arguments):
    """What a function returned, from the file if it has been called before."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(function(*arguments), indent=1))
    return json.loads(file.read_text())


def chains(posterior, start, method, folder, arguments):
    """Draw in pieces until the draws are complete or the time is over; what exists is returned."""
    began, draws = time.perf_counter(), 0
    while draws < arguments.draws:
        draws = min(draws + 25, arguments.draws)
        data = synax.sample(
            posterior, jax.random.key(42), method, arguments.chains, arguments.warmup, draws,
            start=start, chunk=25, check=False, checkpoint=folder,
        )  # fmt: skip
        if time.perf_counter() - began > 60.0 * arguments.minutes:
            break
    log = synax.inference.read_log(folder)
    spent = lambda event: sum(e["seconds"] for e in log if e["event"] == event)
    return data, spent("draws"), spent("warm-up")


def measure(experiment, method, nside, steps, arguments):
    """One experiment by one method, as a record of numbers."""
    posterior = problem(experiment, nside, steps)
    truth = posterior.current()
    start, name, cost = find_start(experiment, posterior, nside, steps, arguments.start)
    latent = posterior.unconstrain(truth)
    gradient = eqx.filter_jit(lambda p, z: jax.value_and_grad(p.logdensity)(z))
    folder = Path(arguments.folder) / f"{experiment}_{method}_{nside}_{steps}"
    data, drawing, warming = chains(posterior, start, method, folder, arguments)
    found, spent = synax.inference.assess(data), data.sample_stats.attrs
    true = dict(zip(posterior.labels, posterior.flatten(truth), strict=True))
    pull = (found.mean - np.array([float(true[n]) for n in found.labels])) / found.deviation
    return {
        "experiment": experiment, "method": method, "parameters": posterior.size,
        "nside": nside, "cells": steps, "chains": arguments.chains,
        "draws": int(data.posterior.sizes["draw"]), "start": name,
        "bulk_per_gradient": found.ess_per_gradient,
        "tail_per_gradient": float(np.min(found.tail)) / max(found.gradients, 1),
        "bulk": float(np.min(found.bulk)), "tail": float(np.min(found.tail)),
        "rhat": float(np.nanmax(found.rhat)), "divergences": found.divergences,
        "gradients_per_draw": found.gradients_per_draw,
        "warmup_gradients": found.warmup_gradients + round(cost),
        "mode_gradients": int(spent["mode_gradients"]) + round(cost),
        "chi2_at_mode": float(spent["reduced_chi2"]),
        "largest_pull": float(np.max(np.abs(pull))),
        "bulk_per_second": float(np.min(found.bulk)) / max(drawing, 1e-9),
        "bulk_per_second_with_warmup": float(np.min(found.bulk)) / max(drawing + warming, 1e-9),
        "gradient_seconds": seconds(gradient, posterior, latent),
        "seconds": drawing, "warmup_seconds": warming,
        "begun": synax.inference.read_log(folder)[0]["time"],
    }  # fmt: skip


def main():
    """Run the experiments, print a line for each, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("experiments", nargs="*", default="ab", choices=["a", "b", "ab"])
    parser.add_argument("--nside", type=int, default=8)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--methods", nargs="*", default=["hmc"])
    parser.add_argument(
        "--full", nargs="*", default=[], help="methods at 64 cells, (a) NSIDE 64, (b) NSIDE 32"
    )
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=40)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=6.0, help="at most, for each run")
    parser.add_argument("--folder", default="posterior_runs", help="where the chains are kept")
    parser.add_argument("--start", default="paper", choices=["paper", "prior", "truth"])
    parser.add_argument("--searches", type=int, default=0, help="search for (b) from so many draws")
    parser.add_argument("--cells-error", action="store_true", help="also measure the maps' error")
    parser.add_argument("--output", help="JSON file for the record")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    synax.use_cores()
    runs = [
        (experiment, method, nside, steps)
        for experiment, largest in zip("ab", (64, 32), strict=True)
        if experiment in "".join(arguments.experiments)
        for methods, nside, steps in (
            (arguments.methods, arguments.nside, arguments.steps),
            (arguments.full, largest, 64),
        )
        for method in methods
    ]
    folder, tables = Path(arguments.folder), {}
    if arguments.searches:
        size = max((nside, steps) for experiment, _, nside, steps in runs if experiment == "b")
        number = arguments.searches
        file = folder / f"searches_{size[0]}_{size[1]}_{number}.json"
        tables["Search for the mode of (b)"] = once(file, searches, *size, number)
    if arguments.cells_error:
        tables["Error of the cells"] = [
            row
            for e, nside, steps in dict.fromkeys((e, *size) for e, _, *size in runs)
            for row in once(
                folder / f"cells_{e}_{nside}_{steps}.json", cells_error, e, nside, steps
            )
        ]
    paths = ("--folder", arguments.folder, "--output", arguments.output)
    told = " ".join(a for a in sys.argv[1:] if a not in paths)
    records = []
    for run in runs:
        records.append(measure(*run, arguments))
        print(json.dumps(records[-1], indent=1), flush=True)
        report("posterior", records, arguments.output, arguments=told, tables=tables)


if __name__ == "__main__":
    main()

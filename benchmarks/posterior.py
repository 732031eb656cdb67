"""Posteriors of 4 and of 16 parameters: effective draws per gradient and per second.

The two sampling experiments of Diao et al. 2024 (arXiv:2410.01136): Q and U at 2.4 GHz of a WMAP
field (a), and of four of them turned and added (b), with 1 mK of noise. Small sizes keep the
information of the full one: sigma = 1 mK * nside / 64.

    python benchmarks/posterior.py                      # NSIDE 8 x 32, both experiments
    python benchmarks/posterior.py --full --minutes 6   # (a) at NSIDE 64, (b) at NSIDE 32
    python benchmarks/posterior.py --methods hmc rwmh --draws 1000 a

The cells are of fourth order and cut where the fields jump, so 64 of them replace the 512 uniform
midpoints of the paper; the error of both is printed with --cells-error. Chains are kept in
`--folder`: the same command goes on where it stopped, and `--minutes` bounds each experiment.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from _common import report

import synax

DEGREE = np.pi / 180.0
TURNED = ((1.2, 27.0, 0.9, 25.0), (3.5, 37.0, 30.9, 35.0), (7.7, 67.0, 60.9, 65.0),
          (5.7, 97.0, 90.9, 95.0))  # fmt: skip
WEIGHTS = (0.6, 0.3, 0.1, 0.3)
AXES = ((0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 0, 2))
NAMES = ("b0", "psi0", "psi1", "chi0")


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


def problem(experiment, nside, steps, pixels=None):
    """The posterior with mock data, and the paper's start (b0 = 1.2, all angles 45 degrees)."""
    magnetic, paths = field(experiment)
    rays = synax.Sightlines.healpix(nside, pixels=pixels)
    sky = synax.Synchrotron(
        magnetic, synax.electrons.YMW16(), synax.cosmic_rays.WMAP(), steps=steps
    ).precompute(rays, "electrons", "cosmic_rays")
    sky = dataclasses.replace(sky, faces=True)  # cells come from the sampled fields from now on
    clean = eqx.filter_jit(lambda sky: sky(rays, 2.4))(sky)
    sigma = 1e-3 * nside / 64.0
    random = np.random.RandomState(42)
    noise = sigma * random.randn(2, 12 * nside**2)
    noise = noise if pixels is None else noise[:, pixels]
    noisy = np.stack([np.asarray(clean.Q), np.asarray(clean.U)]) + noise
    likelihood = synax.GaussianLikelihood(rays, 2.4, noisy, sigma)
    flat = dist.ImproperUniform(dist.constraints.real, (), ())
    priors = {p: flat for p in paths}
    if experiment == "b":
        priors = {p: dist.Uniform(0.0, 10.0 if p.endswith("b0") else 2.0) for p in paths}
    start = {p: jnp.asarray(1.2 if p.endswith("b0") else np.pi / 4) for p in paths}
    return synax.Posterior(sky, priors, likelihood), start


def seconds(function, *arguments):
    """Time of one call, compilation excluded."""
    jax.block_until_ready(function(*arguments))
    began = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - began


def find_start(posterior, start, experiment, nside, steps, tries):
    """The mode on 192 pixels from the paper's start or from the prior; the truth if none fits.

    **Returns** values to start from, what they are called, and the cost in gradients of the whole.
    """
    if experiment == "a":
        return start, "the paper's", 0.0
    pixels = np.sort(np.random.RandomState(0).permutation(12 * nside**2)[:192])
    few = problem(experiment, nside, steps, pixels)[0]
    found = few.laplace(start, restarts=tries, key=jax.random.key(7))
    cost = found.evaluations * -(-few.size // 4) * len(pixels) / (12 * nside**2)
    residual = few.residuals(few.constrain(found.mode))
    if float(jnp.mean(residual**2)) < 2.0:
        return few.constrain(found.mode), "mode of 192 pixels", cost
    return posterior.current(), "the truth (no fit from the paper's start or the prior)", cost


def cells_error(experiment, nside, cells):
    """rms error of Q and U over sigma: these cells, and 512 uniform midpoints."""
    magnetic, _ = field(experiment)
    rays = synax.Sightlines.healpix(nside)
    make = lambda **k: synax.Synchrotron(
        magnetic, synax.electrons.YMW16(), synax.cosmic_rays.WMAP(), **k
    )
    maps = [
        jnp.stack([stokes.Q, stokes.U])
        for stokes in (
            eqx.filter_jit(lambda sky: sky(rays, 2.4))(sky)
            for sky in (
                make(steps=1024),
                make(steps=cells),
                make(steps=512, quadrature=synax.transfer.Midpoint()),
            )
        )
    ]
    return [float(jnp.sqrt(jnp.mean((m - maps[0]) ** 2))) / 1e-3 for m in maps[1:]]


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


def measure(experiment, method, arguments):
    """One experiment by one method, as a record of numbers."""
    nside, steps = arguments.nside, arguments.steps
    if arguments.full:
        nside, steps = (64 if experiment == "a" else 32), 64
    posterior, start = problem(experiment, nside, steps)
    truth = posterior.current()
    if arguments.start == "truth":
        start, name, cost = truth, "the truth", 0.0
    else:
        start, name, cost = find_start(posterior, start, experiment, nside, steps, arguments.tries)
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
        "gradient_seconds": seconds(gradient, posterior, latent),
        "bulk_per_gradient": found.ess_per_gradient,
        "tail_per_gradient": float(np.min(found.tail)) / max(found.gradients, 1),
        "bulk": float(np.min(found.bulk)), "tail": float(np.min(found.tail)),
        "bulk_per_second": float(np.min(found.bulk)) / max(drawing, 1e-9),
        "bulk_per_second_with_warmup": float(np.min(found.bulk)) / max(drawing + warming, 1e-9),
        "rhat": float(np.nanmax(found.rhat)), "divergences": found.divergences,
        "gradients_per_draw": found.gradients_per_draw,
        "warmup_gradients": found.warmup_gradients + round(cost),
        "mode_gradients": int(spent.get("mode_gradients", 0)) + round(cost),
        "largest_pull": float(np.max(np.abs(pull))),
        "seconds": drawing, "warmup_seconds": warming,
    }  # fmt: skip


def main():
    """Run the experiments, print a line for each method, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("experiments", nargs="*", default=["a", "b"], choices=["a", "b"])
    parser.add_argument("--full", action="store_true", help="(a) NSIDE 64, (b) NSIDE 32; 64 cells")
    parser.add_argument("--nside", type=int, default=8)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--methods", nargs="+", default=["hmc"])
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=40)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--tries", type=int, default=0, help="starts from the prior")
    parser.add_argument("--minutes", type=float, default=6.0, help="at most, for each experiment")
    parser.add_argument("--folder", default="posterior_runs", help="where the chains are kept")
    parser.add_argument("--start", default="paper", choices=["paper", "truth"])
    parser.add_argument("--cells-error", action="store_true", help="also measure the maps' error")
    parser.add_argument("--output", help="JSON file for the record")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    records = []
    for experiment in arguments.experiments:
        for method in arguments.methods:
            record = measure(experiment, method, arguments)
            if arguments.cells_error:
                record["cells_error_in_sigma"] = cells_error(experiment, 8, record["cells"])
            records.append(record)
            print(json.dumps(record, indent=1), flush=True)
            report("posterior", records, arguments.output)


if __name__ == "__main__":
    main()

"""Three skies, one model: 408 MHz brightness, 23 GHz polarisation, rotation measures.

Haslam's sky (Remazeilles et al. 2015), Q and U of WMAP's K band, and the median rotation measures
of extragalactic sources, averaged to NSIDE 8 outside |b| = 10 degrees, fitted together: regular
field, cosmic rays and thermal electrons are shared, so each sky limits what the others may do.

    SYNAX_DATA=folder python benchmarks/joint.py --output docs/data/benchmark_joint.json

The model is smooth and the sky is not. What the model misses is a standard deviation for each data
set, found with everything else; it enters the error bars as if pixels missed it independently.
Random fields brighten the sky and do not polarise it: the gain of the brightness, and its zero
level, are free. The field is that of Jansson & Farrar (2012): the strengths of its disk, its two
toroidal halves and its X-shaped halo are free, signs included, and its shape is kept. The best fit
of other fields is there to compare (`--others WMAP`). Chains are kept in --folder and resumed.
"""

import argparse
import json
import os
import time
from pathlib import Path

import equinox as eqx
import healpy
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from _common import machine

import synax

NSIDE, LATITUDE = 8, 10.0
UNITS = {"haslam": "K", "wmap": "uK", "rm": "rad m-2"}
SCALE = {"haslam": 1.0, "wmap": 1e6, "rm": 1.0}
"""From what the likelihood holds to the units above."""
NAMES = {
    "magnetic.parts.0.factor": ("disk", ""),
    "magnetic.parts.1.factor": ("b_north", "uG"),
    "magnetic.parts.2.factor": ("b_south", "uG"),
    "magnetic.parts.3.factor": ("b_x", "uG"),
    "magnetic.b0": ("b0", "uG"),
    "magnetic.psi0": ("psi0", "rad"),
    "magnetic.psi1": ("psi1", "rad"),
    "magnetic.chi0": ("chi0", "rad"),
    "cosmic_rays.c0": ("c0", "cm-3"),
    "cosmic_rays.r0": ("r0", "kpc"),
    "cosmic_rays.z0": ("z0", "kpc"),
    "electrons.factor": ("electrons", ""),
    "likelihood.haslam.gain": ("gain, 408 MHz", ""),
    "likelihood.haslam.offset": ("offset, 408 MHz", "K"),
    "likelihood.haslam.noise.excess": ("missed, 408 MHz", "K"),
    "likelihood.wmap.noise.excess": ("missed, 23 GHz", "K"),
    "likelihood.rm.noise.excess": ("missed, RM", "rad m-2"),
}
"""Short names and units."""


def read(folder):
    """Data as the likelihood holds them, RING: haslam (1, n) K, wmap (2, n) K, rm and its error."""
    load = lambda name: np.load(Path(folder) / name, allow_pickle=False)
    degrade = lambda x: healpy.ud_grade(np.asarray(x, float), NSIDE)
    haslam, wmap = load("haslam408_dsds_n64.npz"), load("wmapK_pol_pysm_n64.npz")
    catalogue = load("rm_egs_binned_n16.npz")
    empty = ~np.isfinite(catalogue["RM"])
    # healpy averages what is not UNSEEN
    average = lambda x: degrade(np.where(empty, healpy.UNSEEN, x))
    rm, some = average(catalogue["RM"]), average(np.ones(empty.size)) == 1.0
    variance = (1.25 * catalogue["sigma"]) ** 2 / np.maximum(catalogue["n"], 1)
    error = np.sqrt(np.where(some, np.maximum(average(variance) / 4.0, 1.0), 1.0))
    # the file follows COSMO, synax IAU: U changes sign
    polarised = 1e-6 * np.stack([degrade(wmap["Q_lp_n32"]), -degrade(wmap["U_lp_n32"])])
    return {
        "haslam": degrade(haslam["T_gal_n32"])[None],
        "wmap": polarised,
        "rm": np.where(some, rm, np.nan),
        "rm_error": error,
    }


class Shared(synax.inference.AbstractPrior):
    """Prior of (electrons' factor f, C, strengths B_i) in what the skies measure: f B_i, C / f^2.

    ln f ~ N(0, electrons^2), ln(C / f^2) ~ N(ln c0, spread^2), f B_i ~ N(middle_i, width_i^2).
    Rotation goes as n_e B and brightness as C B^2, so that no sky sees f: in these coordinates
    the posterior is straight. Pulsars know n_e to some 20 %.
    """

    middles: jax.Array = eqx.field(converter=jnp.asarray)
    widths: jax.Array = eqx.field(converter=jnp.asarray)
    electrons: float = 0.2
    c0: float = 1e-3
    spread: float = 1.0

    @property
    def size(self):
        return 2 + self.middles.size

    @property
    def shape(self):
        return (self.size,)

    @property
    def standard(self):
        return True

    def value(self, latent):
        f = jnp.exp(self.electrons * latent[0])
        c = self.c0 * jnp.exp(self.spread * latent[1]) * f * f
        strengths = (self.middles + self.widths * latent[2:]) / f
        return jnp.concatenate([jnp.stack([f, c]), strengths])

    def latent(self, value):
        f, c = value[0], value[1]
        first = jnp.log(f) / self.electrons
        second = jnp.log(c / (self.c0 * f * f)) / self.spread
        others = (value[2:] * f - self.middles) / self.widths
        return jnp.concatenate([jnp.stack([first, second]), others])

    def log_latent(self, latent):
        return jnp.sum(jax.scipy.stats.norm.logpdf(latent))

    def log_value(self, value):
        f, c = value[0], value[1]
        jacobian = jnp.log(self.electrons * f * self.spread * c) + jnp.sum(jnp.log(self.widths / f))
        return self.log_latent(self.latent(value)) - jacobian

    def sample(self, key, dtype):
        return jax.random.normal(key, (self.size,), dtype)


def magnetic_field(name, rays, steps):
    """A regular field, and loose priors of its free numbers: (field, {path: prior})."""
    common = ("electrons.factor", "cosmic_rays.c0")
    if name == "WMAP":
        return synax.magnetic.WMAP(b0=-2.0), {
            (*common, "magnetic.b0"): Shared([0.0], [5.0]),
            "magnetic.psi0": dist.Normal(0.47, 0.5),
            "magnetic.psi1": dist.Normal(0.0, 0.5),
            "magnetic.chi0": dist.Normal(0.44, 0.5),
        }
    jf12 = synax.magnetic.JF12
    parts = (
        jf12(toroidal=False, x_field=False),
        jf12(disk=False, x_field=False, b_north=1.0, b_south=0.0),
        jf12(disk=False, x_field=False, b_north=0.0, b_south=1.0),
        jf12(disk=False, toroidal=False, b_x=1.0),
    )
    # linear in its strengths: each part is evaluated once
    disk, north, south, x = (synax.sample_along(p, rays, steps, surfaces=()) for p in parts)
    paths = tuple(f"magnetic.parts.{i}.factor" for i in range(4))
    priors = {(*common, *paths): Shared([1.0, 0.0, 0.0, 0.0], [1.0, 5.0, 5.0, 10.0])}
    return 1.0 * disk + 1.4 * north + -1.1 * south + 4.6 * x, priors


def problem(name, data, steps):
    """The posterior."""
    b = 90.0 - np.degrees(healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2))[0])
    used = np.flatnonzero(np.abs(b) > LATITUDE)
    domain = synax.Box((20.0, 20.0, 10.0))
    rays = synax.Sightlines.healpix(NSIDE, domain=domain, pixels=used)
    magnetic, priors = magnetic_field(name, rays, steps)
    electrons = synax.sample_along(synax.electrons.TwoDisc(), rays, steps, surfaces=())
    sky = synax.Synchrotron(
        magnetic, 1.0 * electrons, synax.cosmic_rays.WMAP(c0=1e-3), steps=steps, faces=False
    )
    rm, error = data["rm"][used], data["rm_error"][used]
    likelihood = synax.JointLikelihood(
        haslam=synax.GaussianLikelihood(
            rays, 0.408, data["haslam"][:, used], 0.5,
            stokes=("I",), excess=5.0, gain=2.0, offset=5.0,
        ),
        wmap=synax.GaussianLikelihood(rays, 23.0, data["wmap"][:, used], 1e-6, excess=1e-5),
        rm=synax.RotationMeasureLikelihood(rays, rm, error, excess=30.0, mask=np.isfinite(rm)),
    )  # fmt: skip
    positive = lambda middle, dex: dist.LogNormal(np.log(middle), dex * np.log(10.0))
    priors |= {
        "cosmic_rays.r0": positive(5.0, 0.2),
        "cosmic_rays.z0": positive(1.0, 0.3),
        "likelihood.haslam.gain": positive(2.0, 0.3),
        "likelihood.haslam.offset": dist.Normal(0.0, 10.0),
        "likelihood.haslam.noise.excess": positive(5.0, 0.5),
        "likelihood.wmap.noise.excess": positive(1e-5, 0.5),
        "likelihood.rm.noise.excess": positive(30.0, 0.5),
    }
    return synax.Posterior(sky, priors, likelihood), used


def modes(posterior, tries):
    """The best mode from the published values and from draws of the prior; all their heights."""
    starts = [posterior.current()]
    starts += [posterior.sample_prior(jax.random.key(100 + i)) for i in range(tries)]
    found = [posterior.laplace(start) for start in starts]
    heights = [float(f.logdensity) for f in found]
    return found[int(np.argmax(heights))], heights


def evidence(best):
    """ln of the evidence, by Laplace's approximation."""
    return float(
        best.logdensity + best.log_determinant + 0.5 * best.mode.size * np.log(2.0 * np.pi)
    )


def best_fit(name, data, arguments):
    """A field at its best, without a posterior: parameters, agreement, evidence."""
    posterior, pixels = problem(name, data, arguments.steps)
    best, heights = modes(posterior, arguments.tries)
    params = posterior.constrain(best.mode)
    flat = dict(zip(posterior.labels, posterior.flatten(params), strict=True))
    return {
        "field": name, "mode_heights": heights, "log_evidence_laplace": evidence(best),
        "parameters": {NAMES[label][0]: float(value) for label, value in flat.items()},
        "skies": agreement(posterior, params, pixels)[0],
    }  # fmt: skip


def neighbours(pixels, residual):
    """Correlation of the residuals of touching pixels: 0 if they were independent."""
    place = {p: i for i, p in enumerate(pixels)}
    around = healpy.get_all_neighbours(NSIDE, pixels).T
    pairs = [(i, place[j]) for i, row in enumerate(around) for j in row if j in place]
    one, two = np.array(pairs).T
    return float(np.mean(residual[one] * residual[two]) / np.mean(residual**2))


def agreement(posterior, params, pixels):
    """How each data set is met at some parameters; and the maps themselves."""
    predicted, rows, maps = posterior.predict(params), {}, {}
    for name in UNITS:
        part = getattr(posterior.likelihood, name)
        use = np.ones(part.data.shape, bool) if part.mask is None else np.asarray(part.mask)
        model, measured = SCALE[name] * predicted[name], SCALE[name] * part.data
        maps[name] = tuple(np.where(use, np.asarray(x), np.nan) for x in (measured, model))
        measured, model = (x[use] for x in maps[name])
        residual = measured - model
        first = np.atleast_2d(maps[name][0] - maps[name][1])[0]
        keep = np.isfinite(first)
        rows[name] = {
            "unit": UNITS[name],
            "n": int(use.sum()),
            "data_rms": float(np.sqrt(np.mean(measured**2))),
            "data_sd": float(np.std(measured)),
            "residual_rms": float(np.sqrt(np.mean(residual**2))),
            "correlation": float(np.corrcoef(measured, model)[0, 1]),
            "neighbours": neighbours(pixels[keep], first[keep]),
        }
    return rows, maps


def integration_error(name, data, steps, params):
    """rms change of each prediction with eight times the cells, over that of the residual."""
    coarse, pixels = problem(name, data, steps)
    fine, _ = problem(name, data, 8 * steps)
    one, two = (agreement(p, params, pixels) for p in (coarse, fine))
    change = {k: np.nanstd(one[1][k][1] - two[1][k][1]) for k in UNITS}
    return {k: float(change[k]) / one[0][k]["residual_rms"] for k in UNITS}


def measure(name, data, arguments):
    """One field fitted: a record of numbers, and the maps at the posterior mean."""
    posterior, pixels = problem(name, data, arguments.steps)
    began = time.perf_counter()
    best, heights = modes(posterior, arguments.tries)
    print(name, "modes", heights, f"{time.perf_counter() - began:.0f} s", flush=True)
    folder = Path(arguments.folder) / f"{name}_{arguments.steps}"
    chains = synax.sample(
        posterior, jax.random.key(5), "hmc", arguments.chains, arguments.warmup, arguments.draws,
        start=best.mode, chunk=25, checkpoint=folder,
    )  # fmt: skip
    found = synax.inference.assess(chains)
    print(found, flush=True)
    values = [float(np.mean(chains.posterior[n].values)) for n in posterior.labels]
    params = posterior.unflatten(jnp.asarray(values))
    rows, maps = agreement(posterior, params, pixels)
    parameters = {
        NAMES[label][0]: {
            "path": label, "unit": NAMES[label][1],
            "mean": float(found.mean[i]), "sd": float(found.deviation[i]),
            "rhat": float(found.rhat[i]), "bulk": float(found.bulk[i]),
            "tail": float(found.tail[i]),
        }
        for i, label in enumerate(found.labels)
    }  # fmt: skip
    record = {
        "field": name, "nside": NSIDE, "latitude": LATITUDE, "cells": arguments.steps,
        "pixels": len(pixels), "chains": arguments.chains, "warmup": arguments.warmup,
        "draws": int(chains.posterior.sizes["draw"]), "mode_heights": heights,
        "rhat": float(np.max(found.rhat)), "bulk": float(np.min(found.bulk)),
        "tail": float(np.min(found.tail)), "divergences": found.divergences,
        "gradients_per_draw": found.gradients_per_draw,
        "bulk_per_gradient": found.ess_per_gradient,
        "warmup_gradients": found.warmup_gradients,
        "log_evidence_laplace": evidence(best),
        "integration_error": integration_error(name, data, arguments.steps, params),
        "parameters": parameters, "skies": rows,
    }  # fmt: skip
    return record, pixels, maps


def main():
    """Fit, print, and write the record and the maps."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--field", default="JF12", choices=["JF12", "WMAP"])
    parser.add_argument("--others", nargs="*", default=["WMAP"], choices=["JF12", "WMAP"])
    parser.add_argument("--steps", type=int, default=24, help="cells of each sightline")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=40)
    parser.add_argument("--draws", type=int, default=1600)
    parser.add_argument("--tries", type=int, default=2, help="searches that begin in the prior")
    parser.add_argument("--folder", default="joint_runs", help="where chains and maps are kept")
    parser.add_argument("--output", help="JSON file for the record")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if "SYNAX_DATA" not in os.environ:
        parser.error("SYNAX_DATA must name the folder of the sky data")
    data = read(os.environ["SYNAX_DATA"])
    record, pixels, maps = measure(arguments.field, data, arguments)
    flat = {f"{sky}_data": measured for sky, (measured, _) in maps.items()}
    flat |= {f"{sky}_model": model for sky, (_, model) in maps.items()}
    np.savez(Path(arguments.folder) / f"{arguments.field}_maps.npz", pixels=pixels, **flat)
    others = [best_fit(name, data, arguments) for name in arguments.others]
    content = {
        "benchmark": "joint fit", "machine": machine(), "rows": [record], "others": others,
    }  # fmt: skip
    print(json.dumps(content, indent=1))
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

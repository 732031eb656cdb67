"""Three skies, one model: 408 MHz brightness, 23 GHz polarisation, rotation measures.

Haslam's sky (Remazeilles et al. 2015), Q and U of WMAP's K band, and the median rotation measures
of extragalactic sources, averaged to NSIDE 8 outside |b| = 10 degrees, fitted together: regular
field, cosmic rays and thermal electrons are shared, so each sky limits what the others may do.

    SYNAX_DATA=folder python benchmarks/joint.py --output docs/data/benchmark_joint.json

The model is smooth and the sky is not, and what the model misses (loops, spurs) spans many pixels.
For each data set it is a Gaussian random field on the sphere, of covariance rms^2 exp(-angle /
length): rms and length are those of the greatest likelihood, found in turn with the mode, and then
held. Errors as if pixels missed it independently are computed, too, to compare. Whether errors are
right is tried on mock skies that miss as much, and by leaving out a twelfth of the sky at a time.

Random fields brighten the sky and do not polarise it: the gain of the brightness, and its zero
level, are free. The field is that of Jansson & Farrar (2012): the strengths of its disk, its two
toroidal halves and its X-shaped halo are free, signs included, and its shape is kept. Other fields
are there to compare (`--fields`). Chains are kept in --folder and resumed.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

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
}
"""Short names and units."""
POWER = {"cosmic_rays.c0": -2} | dict.fromkeys(list(NAMES)[:5], 1)
"""A parameter times this power of the electrons' factor is what the skies measure."""
FIRST = {"haslam": 5.0, "wmap": 1e-5, "rm": 30.0}
"""What is missed, to begin with."""


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
    """Prior of (electrons' factor f, C, strengths B_i) in what the skies measure.

    ln f ~ N(0, electrons^2), ln(C / f^2) ~ N(ln c0, spread^2), f B_i ~ N(middle_i, width_i^2).
    Rotation goes as n_e B and brightness as C B^2: the latents are standard normal z, but for
    the one of C, which is moved by ln sum (f B_i)^2. At given brightness C goes as B^-2, a ridge
    as bent as B is uncertain, on which straight trajectories fall off; moved, it is straight.
    Pulsars know n_e to some 20 %.
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

    def moved(self, z, sign):
        """The latents of standard normal z (sign 1), or the other way round (-1)."""
        strengths = self.middles + self.widths * z[2:]
        # 0.01 uG^2: what does not shine has no brightness to keep
        brightness = jnp.log(0.01 + jnp.sum(strengths * strengths)) / self.spread
        return z.at[1].add(sign * brightness)

    def value(self, latent):
        z = self.moved(latent, -1)
        f = jnp.exp(self.electrons * z[0])
        c = self.c0 * jnp.exp(self.spread * z[1]) * f * f
        return jnp.concatenate([jnp.stack([f, c]), (self.middles + self.widths * z[2:]) / f])

    def standard_latent(self, value):
        """Standard normal z of a value."""
        f, c = value[0], value[1]
        first = jnp.log(f) / self.electrons
        second = jnp.log(c / (self.c0 * f * f)) / self.spread
        others = (value[2:] * f - self.middles) / self.widths
        return jnp.concatenate([jnp.stack([first, second]), others])

    def latent(self, value):
        return self.moved(self.standard_latent(value), 1)

    def log_latent(self, latent):
        return jnp.sum(jax.scipy.stats.norm.logpdf(self.moved(latent, -1)))

    def log_value(self, value):
        f, c = value[0], value[1]
        jacobian = jnp.log(self.electrons * f * self.spread * c) + jnp.sum(jnp.log(self.widths / f))
        return jnp.sum(jax.scipy.stats.norm.logpdf(self.standard_latent(value))) - jacobian

    def sample(self, key, dtype):
        return self.moved(jax.random.normal(key, (self.size,), dtype), 1)


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


def errors(data, used):
    """Standard deviation of the noise of each sky."""
    return {"haslam": 0.5, "wmap": 1e-6, "rm": data["rm_error"][used]}


def problem(name, data, steps, noise=None):
    """The posterior, and its pixels; `noise`: {sky: model of it}, or None: independent, free."""
    b = 90.0 - np.degrees(healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2))[0])
    used = np.flatnonzero((np.abs(b) > LATITUDE) & np.isfinite(data["rm"]))
    domain = synax.Box((20.0, 20.0, 10.0))
    rays = synax.Sightlines.healpix(NSIDE, domain=domain, pixels=used)
    magnetic, priors = magnetic_field(name, rays, steps)
    electrons = synax.sample_along(synax.electrons.TwoDisc(), rays, steps, surfaces=())
    sky = synax.Synchrotron(
        magnetic, 1.0 * electrons, synax.cosmic_rays.WMAP(c0=1e-3), steps=steps, faces=False
    )
    free = noise is None
    if free:
        sigma = errors(data, used)
        noise = {k: synax.inference.GaussianNoise(sigma[k], FIRST[k]) for k in FIRST}
    observe, maps = synax.inference.Likelihood, synax.inference.SkyMaps
    first, second = maps(rays, 0.408, ("I",)), maps(rays, 23.0, ("Q", "U"))
    likelihood = synax.JointLikelihood(
        haslam=observe(first, data["haslam"][:, used], noise["haslam"], gain=2.0, offset=5.0),
        wmap=observe(second, data["wmap"][:, used], noise["wmap"]),
        rm=observe(synax.inference.RotationMeasures(rays), data["rm"][used], noise["rm"]),
    )
    positive = lambda middle, dex: dist.LogNormal(np.log(middle), dex * np.log(10.0))
    priors |= {
        "cosmic_rays.r0": positive(5.0, 0.2),
        "cosmic_rays.z0": positive(1.0, 0.3),
        "likelihood.haslam.gain": positive(2.0, 0.3),
        "likelihood.haslam.offset": dist.Normal(0.0, 10.0),
    }
    if free:
        priors |= {f"likelihood.{k}.noise.excess": positive(FIRST[k], 0.5) for k in FIRST}
    return synax.Posterior(sky, priors, likelihood), used


def modes(posterior, tries, start=None):
    """The best mode from a start and from draws of the prior; all their heights."""
    starts = [posterior.current() if start is None else start]
    starts += [posterior.sample_prior(jax.random.key(100 + i)) for i in range(tries)]
    found = [posterior.laplace(start, restarts=0) for start in starts]
    heights = [float(f.logdensity) for f in found]
    return found[int(np.argmax(heights))], heights


def evidence(best):
    """ln of the evidence, by Laplace's approximation."""
    return float(
        best.logdensity + best.log_determinant + 0.5 * best.mode.size * np.log(2.0 * np.pi)
    )


class Fitted(NamedTuple):
    """A field at its best."""

    posterior: synax.Posterior
    best: synax.inference.Laplace
    params: dict
    pixels: np.ndarray
    missed: dict
    independent: synax.Posterior
    independent_best: synax.inference.Laplace
    heights: list


def with_noise(posterior, missed):
    """The posterior with what was found to be missed for its noise."""
    for k, found in missed.items():
        place = lambda p, k=k: getattr(p.likelihood, k).noise
        posterior = eqx.tree_at(place, posterior, found.noise)
    return posterior


def settle(name, data, arguments):
    """The mode with independent noise, then in turn what is missed, and the mode given that."""
    independent, pixels = problem(name, data, arguments.steps)
    first, _ = modes(independent, arguments.tries)
    posterior, params = independent, independent.constrain(first.mode)
    sigma, missed, height = errors(data, pixels), {}, -np.inf
    for _ in range(12):
        predicted = posterior.predict(params)
        for k in UNITS:
            part = getattr(posterior.likelihood, k)
            known = {"rms": missed[k].rms, "length": missed[k].length} if k in missed else {}
            missed[k] = synax.inference.fit_correlated_noise(
                part.observable.rays, part.data - predicted[k], sigma[k], **known
            )
        if posterior is independent:
            noise = {k: m.noise for k, m in missed.items()}
            posterior, _ = problem(name, data, arguments.steps, noise)
        posterior = with_noise(posterior, missed)
        best = posterior.laplace({path: params[path] for path in posterior.paths}, restarts=0)
        params, before, height = posterior.constrain(best.mode), height, float(best.logdensity)
        if abs(height - before) < 0.05:
            break
    best, heights = modes(posterior, arguments.tries, params)
    params = posterior.constrain(best.mode)
    return Fitted(posterior, best, params, pixels, missed, independent, first, heights)


def products(params):
    """What the skies measure: the parameters if the electrons' factor were one."""
    f = params["electrons.factor"]
    return {path: value * f ** POWER.get(path, 0) for path, value in params.items()}


def product_errors(posterior, best):
    """Standard deviations of the products, by the curvature at the mode: {path: number}."""
    values = lambda z: jnp.stack(list(products(posterior.constrain(z)).values()))
    slope = jax.jacfwd(values)(best.mode)
    deviation = jnp.sqrt(jnp.diagonal(slope @ best.covariance @ slope.T))
    return dict(zip(posterior.paths, np.asarray(deviation), strict=True))


def trial(fit, count):
    """rms of (found - true) / stated error of mock skies, stated either way: {path: (2,)}."""
    pulls = []
    for i in range(count):
        mock, pair = fit.posterior.mock(jax.random.key(1000 + i), fit.params), []
        for posterior, first in (
            (fit.posterior, fit.best), (fit.independent, fit.independent_best)
        ):  # fmt: skip
            best = posterior.with_data(mock).laplace(first.mode, restarts=0)
            pull = (best.mode[: fit.best.mode.size] - fit.best.mode) / jnp.sqrt(
                jnp.diagonal(best.covariance)[: fit.best.mode.size]
            )
            pair.append(np.asarray(pull))
        pulls.append(pair)
    rms = np.sqrt(np.mean(np.square(pulls), axis=0))
    return {path: rms[:, i].tolist() for i, path in enumerate(fit.posterior.paths)}


def regions(fit):
    """Where the mode goes, in stated errors, without each of the 12 pixels of NSIDE 1."""
    parent = healpy.ang2pix(1, *healpy.pix2ang(NSIDE, fit.pixels))
    deviation, moves = jnp.sqrt(jnp.diagonal(fit.best.covariance)), []
    for region in range(12):
        cut = {}
        for k, found in fit.missed.items():
            part = getattr(fit.posterior.likelihood, k)
            # a very large error leaves data out, and the program as it is
            none = np.where(parent == region, 1e3 * found.rms, 0.0)
            variance = np.broadcast_to(none**2, part.data.shape).ravel()
            whole = found.noise.cholesky @ found.noise.cholesky.T
            noise = synax.inference.CovarianceNoise(whole + jnp.diag(variance))
            cut[k] = found._replace(noise=noise)
        best = with_noise(fit.posterior, cut).laplace(fit.best.mode, restarts=0)
        moves.append(np.asarray((best.mode - fit.best.mode) / deviation))
    return {path: [m[i] for m in moves] for i, path in enumerate(fit.posterior.paths)}


def neighbours(pixels, residual):
    """Correlation of the residuals of touching pixels: 0 if they were independent."""
    place = {p: i for i, p in enumerate(pixels)}
    around = healpy.get_all_neighbours(NSIDE, pixels).T
    pairs = [(i, place[j]) for i, row in enumerate(around) for j in row if j in place]
    one, two = np.array(pairs).T
    return float(np.mean(residual[one] * residual[two]) / np.mean(residual**2))


def agreement(fit, params):
    """How each data set is met at some parameters; and the maps themselves."""
    predicted, rows, maps = fit.posterior.predict(params), {}, {}
    for name in UNITS:
        part = getattr(fit.posterior.likelihood, name)
        measured, model = (np.asarray(SCALE[name] * x) for x in (part.data, predicted[name]))
        maps[name], residual = (measured, model), measured - model
        white = part.residuals(fit.posterior.model_at(params))
        rows[name] = {
            "unit": UNITS[name],
            "n": measured.size,
            "data_rms": float(np.sqrt(np.mean(measured**2))),
            "data_sd": float(np.std(measured)),
            "residual_rms": float(np.sqrt(np.mean(residual**2))),
            "correlation": float(np.corrcoef(measured.ravel(), model.ravel())[0, 1]),
            "neighbours": neighbours(fit.pixels, np.atleast_2d(residual)[0]),
            "missed_rms": SCALE[name] * fit.missed[name].rms,
            "missed_degrees": float(np.degrees(fit.missed[name].length)),
            "white_rms": float(jnp.sqrt(jnp.mean(white**2))),
        }
    return rows, maps


def integration_error(name, data, steps, fit, params):
    """rms change of each prediction with eight times the cells, over the rms of the residual."""
    noise = {k: m.noise for k, m in fit.missed.items()}
    fine, _ = problem(name, data, 8 * steps, noise)
    rows, maps = agreement(fit, params)
    other = fine.predict(params)
    change = {k: np.std(maps[k][1] - SCALE[k] * np.asarray(other[k])) for k in UNITS}
    return {k: float(change[k]) / rows[k]["residual_rms"] for k in UNITS}


def measure(name, data, arguments):
    """One field fitted: a record of numbers, and the maps at the posterior mean."""
    began = time.perf_counter()
    told = lambda text: print(name, text, f"{time.perf_counter() - began:.0f} s", flush=True)
    fit = settle(name, data, arguments)
    posterior = fit.posterior
    told(f"modes {fit.heights}")
    folder = Path(arguments.folder) / f"{name}_{arguments.steps}"
    chains = synax.sample(
        posterior, jax.random.key(5), "hmc", arguments.chains, arguments.warmup, arguments.draws,
        start=fit.best.mode, chunk=25, checkpoint=folder,
    )  # fmt: skip
    found = synax.inference.assess(chains)
    told(f"chains\n{found}\n")
    draws = {path: chains.posterior[path].values for path in posterior.paths}
    params = {path: jnp.asarray(np.mean(v)) for path, v in draws.items()}
    rows, maps = agreement(fit, params)
    measured = products(draws)
    stated = product_errors(fit.independent, fit.independent_best)
    pulls, moves = trial(fit, arguments.mocks), regions(fit)
    told("mock skies and regions")
    parameters = {}
    for i, path in enumerate(found.labels):
        far = int(np.argmax(np.abs(moves[path])))
        parameters[NAMES[path][0]] = {
            "path": path, "unit": NAMES[path][1],
            "mean": float(found.mean[i]), "sd": float(found.deviation[i]),
            "rhat": float(found.rhat[i]), "bulk": float(found.bulk[i]),
            "tail": float(found.tail[i]),
            "product_mean": float(np.mean(measured[path])),
            "product_sd": float(np.std(measured[path])),
            "product_sd_independent": float(stated[path]),
            "pull": pulls[path][0], "pull_independent": pulls[path][1],
            "moved": float(moves[path][far]), "without": center(far),
            "moves": [float(x) for x in moves[path]],
        }  # fmt: skip
    record = {
        "field": name, "nside": NSIDE, "latitude": LATITUDE, "cells": arguments.steps,
        "pixels": len(fit.pixels), "chains": arguments.chains, "warmup": arguments.warmup,
        "draws": int(chains.posterior.sizes["draw"]), "mocks": arguments.mocks,
        "mode_heights": fit.heights,
        "rhat": float(np.max(found.rhat)), "bulk": float(np.min(found.bulk)),
        "tail": float(np.min(found.tail)), "divergences": found.divergences,
        "gradients_per_draw": found.gradients_per_draw,
        "bulk_per_gradient": found.ess_per_gradient,
        "warmup_gradients": found.warmup_gradients,
        "log_evidence_laplace": evidence(fit.best),
        "log_evidence_independent": evidence(fit.independent_best),
        "integration_error": integration_error(name, data, arguments.steps, fit, params),
        "parameters": parameters, "skies": rows,
    }  # fmt: skip
    return record, fit.pixels, maps


def center(region):
    """Where a pixel of NSIDE 1 is, in words."""
    lon, lat = healpy.pix2ang(1, region, lonlat=True)
    return f"l = {lon:.0f}, b = {lat:.0f}"


def main():
    """Fit, print, and write the record and the maps."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fields", nargs="+", default=["JF12"], choices=["JF12", "WMAP"])
    parser.add_argument("--steps", type=int, default=24, help="cells of each sightline")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=40)
    parser.add_argument("--draws", type=int, default=700)
    parser.add_argument("--mocks", type=int, default=12, help="mock skies to try the errors on")
    parser.add_argument("--tries", type=int, default=4, help="searches that begin in the prior")
    parser.add_argument("--folder", default="joint_runs", help="where chains and maps are kept")
    parser.add_argument("--output", help="JSON file for the record")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if "SYNAX_DATA" not in os.environ:
        parser.error("SYNAX_DATA must name the folder of the sky data")
    data, rows = read(os.environ["SYNAX_DATA"]), []
    for name in arguments.fields:
        record, pixels, maps = measure(name, data, arguments)
        flat = {f"{sky}_data": measured for sky, (measured, _) in maps.items()}
        flat |= {f"{sky}_model": model for sky, (_, model) in maps.items()}
        np.savez(Path(arguments.folder) / f"{name}_maps.npz", pixels=pixels, **flat)
        rows.append(record)
        content = {"benchmark": "joint fit", "machine": machine(), "rows": rows}
        if arguments.output:
            Path(arguments.output).write_text(json.dumps(content, indent=1) + "\n")
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()

"""Magnetic fields on grids: fitted freely, and with a prior that lets them generalise.

The two grid experiments of Diao et al. 2024 (arXiv:2410.01136), at small sizes:

    python benchmarks/grids.py                  # (c), and (d) if SYNAX_DATA is set; prints tables
    python benchmarks/grids.py mock             # (c) Q and U at 4.76 GHz of known fields
    python benchmarks/grids.py haslam           # (d) the sky at 408 MHz

The pixels are split in three: 64 % are fitted, 16 % decide when to stop and which prior to take
(validation), and 20 % are held out: they are looked at once, for the table. In (c) pixels near the
plane are left out, but for the rows "plane kept": Faraday rotation winds Q and U by radians there,
several fields may explain what is seen, and a fit finds one of them. Fits stop when they have
converged or when validation says so; the column `stopped` tells which. (d) needs the file
haslam408_dsds_n64.npz (array T_gal: 408 MHz, K, less 8.33 K, RING, Galactic, NSIDE 64) in the
folder SYNAX_DATA.
"""

import argparse
import json
import os
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import optax
from _common import machine, report

import synax
from synax.inference import GaussianNoise, Likelihood, SkyMaps
from synax.random_fields import Exponential, Matern

jax.config.update("jax_enable_x64", True)
BOX = synax.Box((20.0, 20.0, 5.0))


class ChiSquare(eqx.Module):
    """Half the sum of squared residuals over the data of a mask."""

    observable: SkyMaps
    data: jax.Array
    sigma: jax.Array
    mask: jax.Array

    def __call__(self, model):
        residual = (self.observable(model) - self.data) / self.sigma
        return 0.5 * jnp.sum(jnp.where(self.mask, residual, 0.0) ** 2)


def split(n, seed):
    """Which of n pixels are fitted, which are for validation, and which are held out."""
    order = np.random.default_rng(seed).permutation(n)
    held = order < 0.2 * n
    validation = ~held & (order < 0.36 * n)
    return ~held & ~validation, validation, held


def fitted(name, target, start=None, **options):
    """Fit, time and tell."""
    begin = time.perf_counter()
    result = synax.fit(target, start, **options)
    seconds = time.perf_counter() - begin
    print(f"  {name}: {result} {seconds:.0f} s", flush=True)
    return result, seconds


def free_fit(name, start, names, chi2, args, validation=None):
    """The paper's way: a chi^2 and gradient steps, to convergence or as validation says."""
    judge = None if validation is None else eqx.tree_at(lambda c: c.mask, chi2, validation)
    return fitted(
        name, chi2, start, free=synax.select(start, *names), optimizer=optax.adam(args.rate),
        steps=args.steps, validation=judge, tolerance=1e-2, check_every=20,
    )  # fmt: skip


def newton_fit(name, posterior, start, args, **options):
    """The most probable field."""
    options = {"optimizer": synax.GaussNewton(cg_steps=args.cg), "tolerance": 1e-4} | options
    return fitted(name, posterior, start, steps=args.newton, **options)


class LogMap(eqx.Module):
    """The logarithm of an observable: of a field that is an exponential, nearly linear."""

    observable: SkyMaps

    def __call__(self, model):
        return jnp.log(self.observable(model))


def map_fit(name, sky, priors, observable, data, sigma, masks, args):
    """The most probable field: first in ln T, where the problem is nearly linear, then in T."""
    logs = [
        Likelihood(LogMap(observable), jnp.log(data), GaussianNoise(sigma / data), mask=m)
        for m in masks
    ]
    plain = [Likelihood(observable, data, GaussianNoise(sigma), mask=m) for m in masks]
    seconds, latent = 0.0, None
    for label, (train, validation) in (("ln T", logs), ("T", plain)):
        posterior = synax.Posterior(sky, priors, train)
        result, took = newton_fit(
            f"{name}, {label}", posterior, latent, args, validation=validation, check_every=3
        )
        seconds, latent = seconds + took, result.latent
    return result, posterior.size, seconds


def mgvi(posterior, start, args):
    """The approximate posterior, and how long it took."""
    begin = time.perf_counter()
    found = synax.mgvi(
        posterior, jax.random.key(5), start, samples=args.samples, rounds=args.rounds
    )
    seconds = time.perf_counter() - begin
    told = f"movement {np.round(np.asarray(found.movement), 3)}, residual {found.residual:.3f}"
    print(f"  MGVI: {told}, converged {found.converged}, {seconds:.0f} s", flush=True)
    return found, seconds


def samples(posterior, start, args):
    """Models drawn from it, whether it converged, and how long it took."""
    found, seconds = mgvi(posterior, start, args)
    draw = eqx.filter_jit(lambda p, z: p.model_at(p.constrain(z)))
    return [draw(posterior, z) for z in found.samples], found.converged, seconds


def residuals(data, sigma, parts, maps):
    """Residuals of a prediction (n_samples, *data.shape) and what was stated about them."""
    mean = np.mean(maps, axis=0)
    stated = np.std(maps, axis=0, ddof=1) if len(maps) > 1 else np.full(mean.shape, np.nan)
    told = {}
    for name, where in parts.items():
        r = (np.asarray(data) - mean)[..., where].ravel()
        s = np.broadcast_to(sigma, mean.shape)[..., where].ravel()
        told[name] = (r, r / s, r / np.hypot(s, stated[..., where].ravel()))
    return told


def within(pull):
    """The fraction of pulls within one and within two stated standard deviations."""
    return [round(float(np.mean(np.abs(pull) < k)), 3) for k in (1.0, 2.0)]


def rms(values):
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def around_sun(n, radius, key):
    """Random positions (3, n) kpc within `radius` of the Sun and 1.5 kpc of the plane."""
    x = jax.random.uniform(key, (3, 4 * n), minval=-1.0, maxval=1.0)
    x = x * jnp.array([radius, radius, 1.5])[:, None]
    near = np.flatnonzero(np.hypot(x[0], x[1]) < radius)[:n]
    return x[:, near] + jnp.array([-8.3, 0.0, 0.0])[:, None]


def mock(args):
    """(c): fields drawn from the prior, as C-BASS would see them (4.76 GHz)."""
    shape, sigma, frequency = args.mock_shape, 5e-4, 4.76
    spectrum = Matern(0.4 * 3.0**0.5, (10.0, 10.0, 5.0), 2.5)  # 0.4 a component
    random = synax.SolenoidalField.on_grid(BOX, shape, spectrum, padding=0.1)
    rays = synax.Sightlines.healpix(args.mock_nside)
    sky = synax.Synchrotron(
        synax.magnetic.WMAP(b0=2.0) + random,
        synax.electrons.YMW16(),
        synax.cosmic_rays.WMAP(),
        steps=args.mock_cells,
    ).precompute(rays, "electrons", "cosmic_rays")
    observable = SkyMaps(rays, frequency, ("Q", "U"))
    predict = eqx.filter_jit(observable)
    everywhere, validation, held = split(rays.n_rays, args.mock_seed)
    latitude = np.degrees(np.arcsin(np.clip(np.asarray(rays.direction)[2], -1.0, 1.0)))
    away = np.abs(latitude) > args.plane
    train = everywhere & away
    parts = {"fitted": train, "held": held & away}
    both = lambda where: jnp.broadcast_to(where, (2, rays.n_rays))
    mask, judge = both(train), both(validation & away)
    priors = {
        "magnetic.parts.0.b0": dist.Normal(2.0, 0.5),
        "magnetic.parts.1.latent": dist.Normal(0.0, 1.0),
    }
    likelihood = synax.GaussianLikelihood(rays, frequency, jnp.zeros(mask.shape), sigma, mask=mask)
    template = synax.Posterior(sky, priors, likelihood)
    places = {"near": around_sun(2000, 4.0, jax.random.key(9))}
    places["all"] = jnp.array([19.0, 19.0, 4.5])[:, None] * jax.random.uniform(
        jax.random.key(10), (3, 4000), minval=-1.0, maxval=1.0
    )
    look = eqx.filter_jit(lambda m, x: m.magnetic(x))
    found = {}

    def keep(name, free, seconds, models, truth, data, stopped, apart=None):
        entry = found.setdefault(
            name,
            {"free": free, "seconds": 0.0, "maps": [], "fields": [], "stopped": [], "apart": []},
        )
        entry["seconds"] += seconds
        entry["stopped"].append(stopped)
        entry["apart"] += [] if apart is None else [apart]
        maps = np.stack([np.asarray(predict(m)) for m in models])
        entry["maps"].append(residuals(data, sigma, parts, maps))
        fields = {}
        for place, x in places.items():
            true, values = np.asarray(look(truth, x)), np.stack([look(m, x) for m in models])
            error = true - values.mean(0)
            spread = values.std(0, ddof=1) if len(models) > 1 else np.full(true.shape, np.nan)
            fields[place] = (error, true, error / spread)
        entry["fields"].append(fields)

    for seed in range(args.truths):
        truth_key, noise_key, start_key = jax.random.split(jax.random.key(args.mock_seed + seed), 3)
        truth = template.model_at(template.sample_prior(truth_key))
        clean = predict(truth)
        data = clean + sigma * jax.random.normal(noise_key, clean.shape)
        print(f"(c) truth {seed}: signal std {1e3 * np.std(clean):.2f} mK", flush=True)
        for name, where in (("prior", mask), ("prior, plane kept", both(everywhere))):
            if seed >= args.compared and where is not mask:
                continue
            posterior = eqx.tree_at(lambda p: p.likelihood.mask, template.with_data(data), where)
            result, one = newton_fit(name, posterior, None, args)
            elsewhere = posterior.sample_prior_latent(start_key)
            other, _ = newton_fit(f"{name}, other start", posterior, elsewhere, args)
            told = (truth, data, result.reason, abs(result.loss - other.loss))
            keep(f"{name}: most probable", posterior.size, one, [result.model], *told)
            models, stands, two = samples(posterior, result.latent, args)
            stopped = "converged" if stands else f"not converged in {args.rounds} rounds"
            told = (truth, data, stopped)
            keep(f"{name}: mean of MGVI samples", posterior.size, one + two, models, *told)
        if seed >= args.compared:
            continue
        grid = synax.GridField(0.1 * jax.random.normal(start_key, (3, *shape)), BOX)
        start = eqx.tree_at(lambda s: s.magnetic.parts[1], sky, grid)
        names = ("magnetic.parts.0.b0", "magnetic.parts.1.values")
        chi2 = ChiSquare(observable, data, jnp.asarray(sigma), mask)
        for name, stop in (("no prior", None), ("no prior, stopped by validation", judge)):
            result, seconds = free_fit(name, start, names, chi2, args, stop)
            free = grid.values.size + 1
            keep(name, free, seconds, [result.model], truth, data, result.reason)
    rows = []
    for name, entry in found.items():
        join = lambda part, i, entry=entry: np.concatenate([m[part][i] for m in entry["maps"]])
        row = {"fit": name, "free": entry["free"], "truths": len(entry["maps"])}
        row |= {"fitted_std_mk": 1e3 * float(np.std(join("fitted", 0)))}
        row |= {"held_out_std_mk": 1e3 * float(np.std(join("held", 0)))}
        row |= {"held_out_rms_sigma": rms(join("held", 1))}
        for place, label in (("near", "error_of_b_near"), ("all", "error_of_b")):
            error, true = (np.stack([f[place][i] for f in entry["fields"]]) for i in (0, 1))
            row[label] = rms(error) / rms(true)
        if entry["apart"]:
            row["starts_apart"] = float(np.max(entry["apart"]))
        if name.endswith("samples"):
            row["b_within"] = within(np.stack([f["all"][2] for f in entry["fields"]]))
            row["b_near_within"] = within(np.stack([f["near"][2] for f in entry["fields"]]))
            row["held_out_within"] = within(join("held", 2))
            row["held_out_rms_stated"] = rms(join("held", 2))
        row["seconds"] = round(entry["seconds"] / row["truths"])
        row["stopped"] = "; ".join(
            f"{entry['stopped'].count(r)} x {r}" for r in dict.fromkeys(entry["stopped"])
        )
        rows.append(row)
    title = (
        f"(c) mock: {args.truths} fields drawn from the prior, {'x'.join(map(str, shape))} nodes, "
        f"Q and U at {frequency} GHz, NSIDE {args.mock_nside}, {args.mock_cells} graded cells, "
        f"noise {1e3 * sigma:g} mK, |b| > {args.plane:g} deg"
    )
    return title, rows


def degraded(values, nside):
    """A RING map averaged to another nside."""
    import healpy

    return healpy.ud_grade(np.asarray(values, float), nside)


def load(name, *keys):
    """Arrays of one file of the real sky."""
    with np.load(Path(os.environ["SYNAX_DATA"]) / f"{name}.npz", allow_pickle=False) as file:
        return [np.asarray(file[k], float) for k in keys]


def haslam(args):
    """(d): total intensity at 408 MHz, everything beyond 8.33 K put down to the Galaxy."""
    (data,) = (degraded(m, args.nside) for m in load("haslam408_dsds_n64", "T_gal"))
    data = jnp.asarray(data)[None]
    rays = synax.Sightlines.healpix(args.nside)
    sky = synax.Synchrotron(synax.magnetic.WMAP(), None, synax.cosmic_rays.WMAP(), steps=args.cells)
    observable = SkyMaps(rays, 0.408, ("I",))
    predict = eqx.filter_jit(observable)
    sigma = jnp.hypot(args.sigma, args.relative * data)
    train, validation, held = split(rays.n_rays, args.seed)
    mask, judge = jnp.asarray(train)[None], jnp.asarray(validation)[None]
    print(f"(d) 408 MHz: {train.sum()} pixels fitted, {validation.sum()} for validation, "
          f"{held.sum()} held out; std {np.std(data):.1f} K")  # fmt: skip
    rows = []

    def keep(name, free, seconds, maps, parts, stopped="-"):
        told = residuals(data, sigma, parts, maps)
        row = {"fit": name, "free": free}
        for part, (r, scaled, _) in told.items():
            row |= {f"{part}_std_k": float(np.std(r)), f"{part}_median_k": float(np.median(abs(r)))}
            row |= {f"{part}_rms_sigma": rms(scaled)}
        rows.append(row | {"seconds": round(seconds), "stopped": stopped})
        print("   ", rows[-1], flush=True)

    fitted_only = {"fitted": train, "validation": validation}
    final = {**fitted_only, "held_out": held}
    field = lambda g: synax.magnetic.WMAP(b0=6.0, r_min=0.1) * Exponential(g)
    put = lambda field: eqx.tree_at(lambda s: s.magnetic, sky, field)
    priors = {
        "magnetic.field.b0": dist.LogNormal(np.log(6.0), 0.5),
        "magnetic.factor.field.latent": dist.Normal(0.0, 1.0),
    }
    best = None
    for spread, length in args.priors:
        spectrum = Matern(spread, (length, length, length / 3.0), 1.5)
        random = synax.GaussianField.on_grid(BOX, args.shape, spectrum, padding=0.1)
        name = f"prior {spread:g}, {length:g} kpc"
        result, free, seconds = map_fit(
            name, put(field(random)), priors, observable, data, sigma, (mask, judge), args
        )
        keep(name, free, seconds, [predict(result.model)], fitted_only, result.reason)
        # the best on validation among those that fit as closely as the paper does
        score = (rows[-1]["fitted_std_k"] > 1.0, rows[-1]["validation_rms_sigma"])
        if best is None or score < best[0]:
            best = (score, name, free, result, seconds)
    _, name, size, result, seconds = best
    print(f"  chosen by validation: {name}", flush=True)
    if args.tune:
        return "(d) tuning", rows
    rows.clear()
    chi2 = ChiSquare(observable, data, sigma, mask)
    scale = jnp.array([1.0, 1.0, 0.1])[:, None, None, None]
    plain = synax.GridField(scale * jax.random.normal(jax.random.key(1), (3, *args.shape)), BOX)
    same = field(synax.GridField(jnp.zeros(args.shape), BOX))
    for label, magnetic, names in (
        ("B on a grid, no prior", plain, ["magnetic.values"]),
        ("the same field, no prior", same, ["magnetic.field.b0", "magnetic.factor.field.values"]),
    ):
        start = put(magnetic)
        free = sum(x.size for x in jax.tree.leaves(eqx.filter(start, synax.select(start, *names))))
        for suffix, stop in (("", None), (", stopped by validation", judge)):
            found, took = free_fit(label + suffix, start, names, chi2, args, stop)
            keep(label + suffix, free, took, [predict(found.model)], final, found.reason)
    stopped = f"{name}, stopped by validation" if "validation" in result.reason else name
    keep(stopped, size, seconds, [predict(result.model)], final, result.reason)
    keep("no model: neighbours' mean", 0, 0.0, [interpolation(rays, data, train)], final)
    title = (
        f"(d) 408 MHz: NSIDE {args.nside}, {args.cells} cells, grid "
        f"{'x'.join(map(str, args.shape))}, {train.sum()} pixels fitted, {held.sum()} held out "
        f"(std {np.std(data):.1f} K), sigma {args.sigma:g} K and {100 * args.relative:g} %"
    )
    return title, rows


def interpolation(rays, data, train):
    """What no model at all does: the nearest fitted pixels, averaged with Gaussian weights."""
    direction = np.asarray(rays.direction)
    cosine = direction.T @ direction[:, train]
    weight = np.exp((cosine - cosine.max(1, keepdims=True)) * rays.nside**2)
    weight = np.where(cosine > 1.0 - 1e-9, 0.0, weight)
    return (weight @ np.asarray(data)[0, train] / weight.sum(1))[None]


def write(path, tables):
    """Tables into a record; those of other experiments that are there already stay."""
    path = Path(path)
    old = json.loads(path.read_text())["tables"] if path.exists() else {}
    kept = {k: v for k, v in old.items() if k[:3] not in {t[:3] for t in tables}}
    merged = dict(sorted((kept | tables).items()))
    record = {"benchmark": "grids", "machine": machine(), "rows": [], "tables": merged}
    path.write_text(json.dumps(record, indent=1) + "\n")


def pair(text):
    """Two numbers with a comma between them."""
    one, two = text.split(",")
    return float(one), float(two)


def main():
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", choices=("mock", "haslam"), default=[])
    parser.add_argument("--nside", type=int, default=8)
    parser.add_argument("--mock-nside", type=int, default=8)
    parser.add_argument("--mock-cells", type=int, default=16)
    parser.add_argument("--mock-shape", type=int, nargs=3, default=(12, 12, 6))
    parser.add_argument("--truths", type=int, default=10, help="fields of the mock")
    parser.add_argument("--compared", type=int, default=3, help="of them, for the other fits")
    parser.add_argument("--plane", type=float, default=5.0, help="deg, left out of the mock")
    parser.add_argument("--mock-seed", type=int, default=2026, help="of its pixels and fields")
    parser.add_argument("--cells", type=int, default=24)
    parser.add_argument("--shape", type=int, nargs=3, default=(24, 24, 12))
    parser.add_argument("--steps", type=int, default=3000, help="gradient steps at most, no prior")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--newton", type=int, default=200, help="Gauss-Newton steps at most")
    parser.add_argument("--cg", type=int, default=150, help="conjugate gradients in each")
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sigma", type=float, default=0.3, help="K, of the 408 MHz map")
    parser.add_argument("--relative", type=float, default=0.01, help="and this part of T")
    parser.add_argument("--priors", type=pair, nargs="+", default=((1, 5), (0.7, 7)),
                        metavar="RMS,KPC", help="of ln B, tried on 408 MHz")  # fmt: skip
    parser.add_argument("--seed", type=int, default=20261124, help="of the split of 408 MHz")
    parser.add_argument("--tune", action="store_true", help="only validation, nothing held out")
    parser.add_argument("--json", help="write the tables here")
    args = parser.parse_args()
    args.shape, args.mock_shape = tuple(args.shape), tuple(args.mock_shape)
    chosen = args.experiments or ["mock"] + ["haslam"] * ("SYNAX_DATA" in os.environ)
    tables = {}
    for name in chosen:
        title, rows = {"mock": mock, "haslam": haslam}[name](args)
        report(title, rows)
        tables[title] = rows
        if args.json and not args.tune:
            write(args.json, tables)


if __name__ == "__main__":
    main()

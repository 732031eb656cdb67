"""Magnetic fields on grids: fitted freely, and with a prior that lets them generalise.

The two grid experiments of Diao et al. 2024 (arXiv:2410.01136), at small sizes, and one beyond:

    python benchmarks/grids.py mock       # (c) Q and U at 2.4 GHz of a known field, 1 mK noise
    python benchmarks/grids.py haslam     # (d) the sky at 408 MHz
    python benchmarks/grids.py joint      # (e) 408 MHz, 23 GHz polarisation and rotation measures

In all of them 20 % of the pixels are held out, and what counts is the error on those. (d) and (e)
need the real sky in the folder SYNAX_DATA.
"""

import argparse
import os
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import optax

import synax
from synax.inference import SkyMaps

BOX = (20.0, 20.0, 5.0)
HELD_OUT = 0.2


def split(n, seed=0):
    """Which of n pixels are fitted, and which are held out."""
    held = np.random.default_rng(seed).permutation(n) < HELD_OUT * n
    return ~held, held


def free_grid(shape, scale, key):
    """A plain grid of small random values: every value is a parameter, as in the paper."""
    values = (
        scale
        * jax.random.normal(key, (3, *shape))
        * jnp.array([1.0, 1.0, 0.1])[:, None, None, None]
    )
    return synax.GridField(values, synax.Box(BOX))


def with_prior(kind, shape, rms, length, key):
    """A random field that starts close to zero, where its sign is undecided."""
    spectrum = synax.Matern(rms, length, 1.5)
    if kind == "solenoidal":
        made = synax.SolenoidalField.on_grid(synax.Box(BOX), shape, spectrum, key=key, padding=0.1)
    else:
        made = synax.GaussianField.on_grid(
            synax.Box(BOX), shape, spectrum, vector=True, key=key, padding=0.1
        )
    return eqx.tree_at(lambda f: f.latent, made, 0.3 * made.latent)


def report(name, result, seconds, sky, observable, data, sigma, train, held, unit):
    """One line: residuals where the model was fitted, and where it was not."""
    residual = np.asarray(observable(result)) - np.asarray(data)
    scaled = residual / sigma
    parts = []
    for label, where in (("fitted", train), ("held out", held)):
        r, s = residual[..., where], scaled[..., where]
        parts.append(
            f"{label}: std {np.std(r):9.4f} {unit}, median |r| {np.median(np.abs(r)):9.4f}, "
            f"rms {np.sqrt(np.mean(s**2)):7.3f} sigma"
        )
    print(f"{name:<26} {seconds:6.0f} s   " + "   ".join(parts), flush=True)


def fitted(name, target, start=None, **options):
    """Fit and time."""
    begin = time.perf_counter()
    result = synax.fit(target, start, **options)
    print(f"  {name}: {result}", flush=True)
    return result, time.perf_counter() - begin


def map_fit(posterior, args):
    """The most probable field: gradients first, far from the mode, then curvature."""
    first, one = fitted("prior, Adam", posterior, optimizer=optax.adam(args.rate), steps=args.steps)
    newton = synax.GaussNewton(cg_steps=args.cg)
    result, two = fitted(
        "prior, Newton", posterior, first.latent, optimizer=newton, steps=args.newton
    )
    return result, one + two


def free_fit(name, sky, shape, scale, observable, data, sigma, train, args, validation=None):
    """The paper's way: a chi^2 and gradient steps on the values of the grid."""
    start = eqx.tree_at(lambda s: s.magnetic, sky, free_grid(shape, scale, jax.random.key(1)))

    def chi2(model, where=train):
        residual = (observable(model) - data) / sigma
        return 0.5 * jnp.sum(jnp.where(where, residual, 0.0) ** 2)

    judge = None if validation is None else (lambda model: chi2(model, validation))
    return fitted(
        name, chi2, start, free=synax.select(start, "magnetic.values"),
        optimizer=optax.adam(args.rate), steps=args.steps, validation=judge, tolerance=1e-4,
    )  # fmt: skip


def field_error(found, truth, positions):
    """rms of the difference of two fields at positions, relative to the truth's rms."""
    true = truth(positions)
    return float(jnp.sqrt(jnp.mean((found(positions) - true) ** 2) / jnp.mean(true**2)))


def around_sun(n, radius, key):
    """Random positions (3, n) kpc within `radius` of the Sun and 1.5 kpc of the plane."""
    x = jax.random.uniform(key, (3, 4 * n), minval=-1.0, maxval=1.0)
    x = x * jnp.array([radius, radius, 1.5])[:, None]
    near = np.flatnonzero(np.hypot(x[0], x[1]) < radius)[:n]
    return x[:, near] + jnp.array([-8.3, 0.0, 0.0])[:, None]


def mock(args):
    """(c): the truth is a random field plus a regular one; the priors are not the truth's model."""
    shape, key = args.shape, jax.random.key(0)
    truth = synax.magnetic.WMAP(b0=2.0) + synax.SolenoidalField.on_grid(
        synax.Box(BOX), shape, synax.Matern(1.5, (4.0, 4.0, 1.0)), key=jax.random.key(42)
    )
    rays = synax.Sightlines.healpix(args.nside)
    electrons = synax.electrons.YMW16()
    sky = synax.Synchrotron(truth, electrons, synax.cosmic_rays.WMAP(), steps=args.cells)
    sky = sky.precompute(rays, "electrons", "cosmic_rays")
    observable = eqx.filter_jit(SkyMaps(rays, 2.4, ("Q", "U")))
    clean = observable(sky)
    sigma = 0.001
    data = clean + sigma * jax.random.normal(key, clean.shape)
    train, held = split(rays.n_rays)
    print(f"(c) mock: nside {args.nside}, {args.cells} cells, grid {shape}, {clean.size} data, "
          f"signal std {np.std(clean) * 1e3:.2f} mK, noise 1 mK")  # fmt: skip
    positions = around_sun(4000, 4.0, jax.random.key(9))
    scored = (observable, data * 1e3, sigma * 1e3, train, held, "mK")
    scored = (lambda m: observable(m) * 1e3, *scored[1:])
    if not args.prior_only:
        result, seconds = free_fit("free", sky, shape, 0.1, observable, data, sigma, train, args)
        report("free", result.model, seconds, sky, *scored)
        print(
            f"  error of B near the Sun: {field_error(result.model.magnetic, truth, positions):.3f}"
        )
        result, seconds = free_fit(
            "free, stopped", sky, shape, 0.1, observable, data, sigma, train, args, held
        )
        report("free, stopped", result.model, seconds, sky, *scored)
        print(
            f"  error of B near the Sun: {field_error(result.model.magnetic, truth, positions):.3f}"
        )
    base = synax.magnetic.WMAP(b0=1.5)
    field = base + with_prior("solenoidal", shape, 1.5, (4.0, 4.0, 1.0), jax.random.key(3))
    likelihood = synax.GaussianLikelihood(
        rays, 2.4, data, sigma, mask=np.broadcast_to(train, clean.shape)
    )
    posterior = synax.Posterior(
        eqx.tree_at(lambda s: s.magnetic, sky, field),
        {"magnetic.parts.0.b0": dist.Normal(1.5, 1.0),
         "magnetic.parts.1.latent": dist.Normal(0.0, 1.0)},
        likelihood,
    )  # fmt: skip
    result, seconds = map_fit(posterior, args)
    report("prior (MAP)", result.model, seconds, sky, *scored)
    print(f"  error of B near the Sun: {field_error(result.model.magnetic, truth, positions):.3f}")
    begin = time.perf_counter()
    found = synax.mgvi(
        posterior, jax.random.key(5), result.latent, samples=args.samples, rounds=args.rounds
    )
    seconds = time.perf_counter() - begin
    models = [posterior.model_at(posterior.constrain(z)) for z in found.samples]
    fields = np.stack([np.asarray(m.magnetic(positions)) for m in models])
    true = np.asarray(truth(positions))
    mean, spread = fields.mean(0), fields.std(0, ddof=1)
    z = (true - mean) / spread
    error = np.sqrt(np.mean((mean - true) ** 2) / np.mean(true**2))
    maps = np.stack([np.asarray(observable(m)) for m in models])
    predicted = np.sqrt(maps.std(0, ddof=1) ** 2 + sigma**2)
    pull = (np.asarray(data) - maps.mean(0)) / predicted
    print(f"MGVI: {seconds:.0f} s, movement {np.round(np.asarray(found.movement), 2)}; B near the "
          f"Sun: error {error:.3f}, {np.mean(np.abs(z) < 1):.2f} within 1 and "
          f"{np.mean(np.abs(z) < 2):.2f} within 2 stated sigma; held-out pixels: "
          f"{np.mean(np.abs(pull[:, held]) < 1):.2f}, {np.mean(np.abs(pull[:, held]) < 2):.2f} "
          f"within 1, 2; rms {np.std(pull[:, held]):.2f}")  # fmt: skip


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
    shape = args.shape
    (data,) = (degraded(m, args.nside) for m in load("haslam408_dsds_n64", "T_gal"))
    rays = synax.Sightlines.healpix(args.nside)
    sky = synax.Synchrotron(synax.magnetic.WMAP(), None, synax.cosmic_rays.WMAP(), steps=args.cells)
    observable = eqx.filter_jit(SkyMaps(rays, 0.408, ("I",)))
    data = jnp.asarray(data)[None]
    sigma = jnp.hypot(args.sigma, args.relative * data)
    train, held = split(rays.n_rays)
    print(f"(d) 408 MHz: nside {args.nside}, {args.cells} cells, grid {shape}, {data.size} data, "
          f"std {np.std(data):.1f} K, sigma {args.sigma} K, {100 * args.relative:g} %")  # fmt: skip
    scored = (sky, observable, data, sigma, train, held, "K")
    if not args.prior_only:
        result, seconds = free_fit("free", sky, shape, 1.0, observable, data, sigma, train, args)
        report("free", result.model, seconds, *scored)
        result, seconds = free_fit(
            "free, stopped", sky, shape, 1.0, observable, data, sigma, train, args, held
        )
        report("free, stopped", result.model, seconds, *scored)
    likelihood = synax.GaussianLikelihood(
        rays, 0.408, data, sigma, stokes=("I",), mask=np.broadcast_to(train, data.shape)
    )
    # intensity knows no direction: a log-normal factor on the strength of a regular field
    strength = synax.GaussianField.on_grid(
        synax.Box(BOX), shape, synax.Matern(0.7, (3.0, 3.0, 1.0)), padding=0.1
    )
    field = synax.magnetic.WMAP(b0=6.0, r_min=0.1) * synax.Exponential(strength)
    posterior = synax.Posterior(
        eqx.tree_at(lambda s: s.magnetic, sky, field),
        {
            "magnetic.field.b0": dist.LogNormal(np.log(6.0), 0.5),
            "magnetic.factor.field.latent": dist.Normal(0.0, 1.0),
        },
        likelihood,
    )
    result, seconds = map_fit(posterior, args)
    report("prior (MAP)", result.model, seconds, *scored)
    interpolation(rays, data, train, held)


def interpolation(rays, data, train, held):
    """What no model at all does: the nearest fitted pixels, averaged with Gaussian weights."""
    direction = np.asarray(rays.direction)
    cosine = direction[:, held].T @ direction[:, train]
    width = 1.0 / rays.nside
    weight = np.exp((cosine - cosine.max(1, keepdims=True)) / width**2)
    guess = weight @ np.asarray(data)[0, train] / weight.sum(1)
    r = guess - np.asarray(data)[0, held]
    print(f"neighbours' mean                      held out: std {np.std(r):9.4f} K, "
          f"median |r| {np.median(np.abs(r)):9.4f}")  # fmt: skip


def joint(args):
    """(e): one field for the intensity, the polarisation and the Faraday rotation of the sky."""
    shape, nside = args.shape, args.nside
    (total,) = (degraded(m, nside) for m in load("haslam408_dsds_n64", "T_gal"))
    q, u = (degraded(m, nside) * 1e-6 for m in load("wmapK_pol_pysm_n64", "Q_lp", "U_lp"))
    rm, rm_error = (degraded(m, nside) for m in load("faraday_oppermann2015_n64", "RM", "RM_err"))
    rays = synax.Sightlines.healpix(nside)
    train, held = split(rays.n_rays)
    electrons = synax.electrons.YMW16()
    prior = with_prior("solenoidal", shape, 2.0, (4.0, 4.0, 1.5), jax.random.key(3))
    sky = synax.Synchrotron(
        synax.magnetic.WMAP(b0=-1.5) + prior, electrons, synax.cosmic_rays.WMAP(), steps=args.cells
    ).precompute(rays, "electrons")
    polarised = jnp.stack([jnp.asarray(q), -jnp.asarray(u)])  # COSMO to IAU
    data = {"haslam": jnp.asarray(total)[None], "wmap": polarised, "rm": jnp.asarray(rm)}
    masks = {k: np.broadcast_to(train, v.shape) for k, v in data.items()}
    make = lambda masks: synax.inference.JointLikelihood(
        haslam=synax.GaussianLikelihood(
            rays, 0.408, data["haslam"], jnp.sqrt(1.0 + (0.1 * data["haslam"]) ** 2),
            stokes=("I",), mask=masks["haslam"],
        ),
        wmap=synax.GaussianLikelihood(
            rays, 23.0, data["wmap"], 4e-6, excess=4e-6, mask=masks["wmap"]
        ),
        rm=synax.RotationMeasureLikelihood(
            rays, data["rm"], rm_error, excess=20.0, mask=masks["rm"]
        ),
    )  # fmt: skip
    positive = lambda median, dex: dist.LogNormal(np.log(median), dex * np.log(10.0))
    posterior = synax.Posterior(
        sky,
        {
            "magnetic.parts.0.b0": dist.Normal(-1.5, 1.0),
            "magnetic.parts.0.chi0": dist.Normal(0.44, 0.2),
            "magnetic.parts.1.latent": dist.Normal(0.0, 1.0),
            "cosmic_rays.c0": positive(2.1e-4, 0.3),
            "cosmic_rays.z0": positive(1.0, 0.2),
            "likelihood.haslam.gain": positive(2.0, 0.3),  # an isotropic random field adds to I
            "likelihood.wmap.noise.excess": positive(4e-6, 0.3),
            "likelihood.rm.noise.excess": positive(20.0, 0.3),
        },
        make(masks),
    )
    print(f"(e) joint: nside {nside}, {args.cells} cells, grid {shape}, "
          f"{posterior.likelihood.count} data, {posterior.size} latents")  # fmt: skip
    result, seconds = map_fit(posterior, args)
    begin = time.perf_counter()
    found = synax.mgvi(
        posterior, jax.random.key(5), result.latent, samples=args.samples, rounds=args.rounds
    )
    print(f"MAP {seconds:.0f} s, MGVI {time.perf_counter() - begin:.0f} s, movement "
          f"{np.round(np.asarray(found.movement), 2)}")  # fmt: skip
    draws = [posterior.constrain(z) for z in found.samples]
    for name in posterior.paths:
        if not name.endswith("latent"):
            values = np.array([float(d[name]) for d in draws])
            print(f"  {name:<30} {values.mean():11.4g} +- {values.std(ddof=1):.2g}")
    predict = eqx.filter_jit(posterior.predict)
    maps = [predict(d) for d in draws]
    for name, values in data.items():
        mean = np.mean([m[name] for m in maps], axis=0)
        r = np.asarray(values) - mean
        line = f"  {name:<8} data std {np.std(values):.4g}"
        for label, where in (("fitted", train), ("held out", held)):
            line += f"   {label}: std {np.std(r[..., where]):.4g}, correlation "
            line += f"{np.corrcoef(mean[..., where].ravel(), values[..., where].ravel())[0, 1]:.3f}"
        print(line)


def main():
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", choices=("mock", "haslam", "joint"))
    parser.add_argument("--nside", type=int, default=8)
    parser.add_argument("--cells", type=int, default=48)
    parser.add_argument("--shape", type=int, nargs=3, default=(24, 24, 12))
    parser.add_argument("--steps", type=int, default=1000, help="gradient steps of the free grid")
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--newton", type=int, default=30, help="Gauss-Newton steps at most")
    parser.add_argument("--cg", type=int, default=60, help="conjugate gradients in each")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--sigma", type=float, default=0.3, help="K, of the 408 MHz map")
    parser.add_argument("--relative", type=float, default=0.01, help="and this part of T")
    parser.add_argument("--prior-only", action="store_true", help="leave out the free grids")
    args = parser.parse_args()
    args.shape = tuple(args.shape)
    jax.config.update("jax_enable_x64", True)
    {"mock": mock, "haslam": haslam, "joint": joint}[args.experiment](args)


if __name__ == "__main__":
    main()

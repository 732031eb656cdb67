"""Posteriors of 4 and of 16 parameters: effective draws per gradient and per second.

The two sampling experiments of Diao et al. 2024 (arXiv:2410.01136): Q and U at 2.4 GHz of a WMAP
field (a), and of four of them turned and added (b), with 1 mK of noise. Small sizes keep the
information of the full one: sigma = 1 mK * nside / 64.

    python benchmarks/posterior.py                 # NSIDE 8 x 32, both experiments
    python benchmarks/posterior.py --full a        # NSIDE 64 x 512
    python benchmarks/posterior.py --methods hmc rwmh --draws 1000 a
"""

import argparse
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

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


def problem(experiment, nside, steps):
    """The posterior with mock data, and the paper's start (b0 = 1.2, all angles 45 degrees)."""
    magnetic, paths = field(experiment)
    rays = synax.Sightlines.healpix(nside)
    sky = synax.Synchrotron(
        magnetic, synax.electrons.YMW16(), synax.cosmic_rays.WMAP(), steps=steps
    ).precompute(rays, "electrons", "cosmic_rays")
    clean = sky(rays, 2.4)
    sigma = 1e-3 * nside / 64.0
    random = np.random.RandomState(42)
    noisy = [np.asarray(m) + sigma * random.randn(rays.n_rays) for m in (clean.Q, clean.U)]
    likelihood = synax.GaussianLikelihood(rays, 2.4, np.stack(noisy), sigma)
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


def main():
    """Run the experiments and print a line for each method."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("experiments", nargs="*", default=["a", "b"], choices=["a", "b"])
    parser.add_argument("--full", action="store_true", help="NSIDE 64, 512 steps")
    parser.add_argument("--nside", type=int, default=8)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--methods", nargs="+", default=["nuts", "hmc", "laplace"])
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=50)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--start", default="paper", choices=["paper", "truth"])
    parser.add_argument("--table", action="store_true", help="print every parameter")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    nside, steps = (64, 512) if arguments.full else (arguments.nside, arguments.steps)
    for experiment in arguments.experiments:
        posterior, start = problem(experiment, nside, steps)
        start = start if arguments.start == "paper" else None
        truth = posterior.unconstrain(posterior.current())
        value = eqx.filter_jit(lambda p, z: p.logdensity(z))
        gradient = eqx.filter_jit(lambda p, z: jax.value_and_grad(p.logdensity)(z))
        curvature = lambda p, z: p.curvature(z)
        times = [1e3 * seconds(f, posterior, truth) for f in (value, gradient, curvature)]
        print(
            f"\n({experiment}) {posterior.size} parameters, NSIDE {nside} x {steps}: log density "
            f"{times[0]:.1f} ms, with gradient (reverse mode) {times[1]:.1f} ms, with Fisher "
            f"matrix (forward mode) {times[2]:.1f} ms"
        )
        for method in arguments.methods:
            options = dict(chains=arguments.chains, warmup=arguments.warmup, draws=arguments.draws)
            data = synax.sample(
                posterior,
                jax.random.key(42),
                method,
                start=start,
                check=False,
                restarts=12 if experiment == "b" else 0,
                **options,
            )
            found = synax.inference.assess(data)
            spent = data.sample_stats.attrs
            true = dict(zip(posterior.labels, posterior.flatten(posterior.current()), strict=True))
            deviation = found.mean - np.array([float(true[name]) for name in found.labels])
            print(
                f"  {spent['method']:8s} min ESS {found.bulk.min():7.0f}  per gradient "
                f"{found.ess_per_gradient:.3f}  ESS/s {found.bulk.min() / spent['seconds']:.2f}  "
                f"max R-hat {np.nanmax(found.rhat):.4f}  warm-up gradients "
                f"{found.warmup_gradients}  (of which mode {spent.get('mode_gradients', 0)})  "
                f"divergences {found.divergences}  gradients/draw {found.gradients_per_draw:.2f}  "
                f"largest pull {np.max(np.abs(deviation / found.deviation)):.2f}  "
                + (f"Pareto k {spent['pareto_k']:.2f}" if "pareto_k" in spent else "")
            )
            if arguments.table:
                print(found)


if __name__ == "__main__":
    main()

"""Speed, memory and compile time of the simulator.

    python benchmarks/engine.py [--quick] [--json FILE]

Points are evaluations of all fields and one transfer step: rays x cells x nodes per cell.
Every core of a CPU has its own rays (`synax.use_cores`), unless a line says otherwise.
"""

import argparse
import resource
import time

import equinox as eqx
import jax
import jax.numpy as jnp
from _common import cast, problem, report, timed

import synax

FOUR = ("b0", "psi0", "psi1", "chi0")


def loss(sky, rays, frequency):
    stokes = sky(rays, frequency)
    return jnp.sum(stokes.Q**2) + jnp.sum(stokes.U**2)


def points(sky, rays):
    n_cells = sky.cells(synax.Sightlines.healpix(1))[1]  # the same for all rays
    return rays.n_rays * n_cells * len(sky.quadrature.nodes)


def sixteen(**kwargs):
    """The paper's sum of four permuted fields."""
    wmap = synax.magnetic.WMAP
    parts = (
        0.6 * wmap(1.2, 0.471, 0.0157, 0.436)
        + 0.3 * wmap(3.5, 0.646, 0.539, 0.611).permuted(0, 2, 1)
        + 0.1 * wmap(7.7, 1.169, 1.063, 1.134).permuted(2, 1, 0)
        + 0.3 * wmap(5.7, 1.693, 1.587, 1.658).permuted(1, 0, 2)
    )
    return problem(magnetic=parts, **kwargs)


def gradient_row(name, sky, rays, frequency, *paths):
    free, fixed = eqx.partition(rays.replicate(sky), synax.select(sky, *paths))
    forward = eqx.filter_jit(lambda free, rays: loss(eqx.combine(free, fixed), rays, frequency))
    both = eqx.filter_jit(
        lambda free, rays: eqx.filter_value_and_grad(
            lambda f: loss(eqx.combine(f, fixed), rays, frequency)
        )(free)
    )
    _, f = timed(forward, free, rays, repeats=3)
    compile_time, g = timed(both, free, rays, repeats=3)
    n = points(sky, rays)
    return {
        "case": name,
        "first_s": compile_time,
        "best_s": g,
        "Mpoints_per_s": n / g / 1e6,
        "over_forward": g / f,
        "forward_s": f,
    }


def forward_row(name, sky, rays, frequency):
    first, best = timed(rays.replicate(sky), rays, frequency, repeats=3)
    n = points(sky, rays)
    memory = synax.memory_estimate(sky, rays, frequency)
    return {
        "case": name,
        "first_s": first,
        "best_s": best,
        "Mpoints_per_s": n / best / 1e6,
        "memory_MB": memory / 1e6,
    }


def large(nside=1024, steps=512):
    """One map and one gradient of NSIDE 1024, 1024 points a ray: time, and peak memory of all."""
    rays = synax.Sightlines.healpix(nside).sharded()
    sky, nu = rays.replicate(problem(steps=steps)), jnp.asarray(2.4)
    free, fixed = eqx.partition(sky, synax.select(sky, *(f"magnetic.{p}" for p in FOUR)))
    forward = eqx.filter_jit(lambda free, rays: loss(eqx.combine(free, fixed), rays, nu))
    both = eqx.filter_jit(
        lambda free, rays: eqx.filter_value_and_grad(
            lambda f: loss(eqx.combine(f, fixed), rays, nu)
        )(free)
    )
    for name, run in (("forward", forward), ("gradient, 4 parameters", both)):
        start = time.perf_counter()
        jax.block_until_ready(run(free, rays))
        seconds = time.perf_counter() - start
        yield {
            "case": f"{name}, NSIDE {nside} x {steps} cells",
            "first_s": seconds,
            "Mpoints_per_s": points(sky, rays) / seconds / 1e6,
            "peak_process_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, about a minute")
    parser.add_argument("--large", action="store_true", help="only NSIDE 1024, ten minutes")
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    synax.use_cores()
    rows = []

    def add(row):
        rows.append(row)
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)

    if args.large:
        for row in large():
            add(row)
        return report("engine", rows, args.json, arguments="--large")
    nside, steps = (8, 64) if args.quick else (32, 256)
    nu = jnp.asarray(2.4)
    rays = synax.Sightlines.healpix(nside).sharded()
    base = problem(steps=steps)
    add(forward_row(f"forward NSIDE {nside} x {steps}", base, rays, nu))
    midpoint = problem(steps=2 * steps, quadrature=synax.Midpoint(), faces=False)
    add(forward_row("  uniform midpoints", midpoint, rays, nu))
    add(forward_row("  n_e from a 256x256x64 grid", problem("grid", steps=steps), rays, nu))
    add(forward_row("  n_e YMW16", problem("ymw16", steps=steps), rays, nu))
    single = cast(base, "float32")
    add(forward_row("  float32", single, cast(rays, "float32"), nu.astype("float32")))
    add(forward_row("  one device of all cores", base, synax.Sightlines.healpix(nside), nu))
    for n in (2, 8):
        add(forward_row(f"  {n} frequencies", base, rays, jnp.linspace(0.4, 23.0, n)))
    for n in (steps // 4, steps * 2):
        add(forward_row(f"  {n} steps", problem(steps=n), rays, nu))
    other = synax.Sightlines.healpix(nside // 2).sharded()
    add(forward_row(f"  NSIDE {nside // 2}", base, other, nu))

    wmap = [f"magnetic.{p}" for p in FOUR]
    add(gradient_row("gradient, 4 parameters", base, rays, nu, *wmap))
    rough = problem(steps=steps, adjoint=synax.RecomputeAdjoint())
    add(gradient_row("  checkpoints instead", rough, rays, nu, *wmap))
    many = sixteen(steps=steps)
    names = [f"magnetic.parts.{i}.field{'.field' if i else ''}.{p}" for i in range(4) for p in FOUR]
    add(gradient_row("gradient, 16 parameters", many, rays, nu, *names))
    forward_mode = eqx.tree_at(lambda s: s.adjoint, base, synax.ForwardMode())
    tangent = eqx.filter_jit(
        lambda b0: jax.jvp(
            lambda b: loss(eqx.tree_at(lambda s: s.magnetic.b0, forward_mode, b), rays, nu),
            (b0,),
            (jnp.ones_like(b0),),
        )
    )
    first, best = timed(tangent, base.magnetic.b0, repeats=3)
    add(
        {
            "case": "jvp, 1 parameter",
            "first_s": first,
            "best_s": best,
            "Mpoints_per_s": points(base, rays) / best / 1e6,
        }
    )
    shapes = [(32, 32, 16)] if args.quick else [(128, 128, 32), (256, 256, 64)]
    for shape in shapes:
        grid = synax.GridField.from_field(base.magnetic, rays.domain, shape=shape)
        sky = eqx.tree_at(lambda s: s.magnetic, base, grid)
        add(gradient_row(f"gradient, grid {shape} x 3", sky, rays, nu, "magnetic.values"))
    for size, n in ((nside, steps), (8 * nside, steps), (8 * nside, 4 * steps)):
        sky, whole = problem(steps=n, block=2048), synax.Sightlines.healpix(size)
        forward = synax.memory_estimate(sky, whole, nu)
        back = synax.memory_estimate(sky, whole, nu, gradient=True)
        add(
            {
                "case": f"memory, NSIDE {size}, {n} steps",
                "memory_MB": forward / 1e6,
                "gradient_MB": back / 1e6,
                "over_forward": back / forward,
            }
        )
    report("engine", rows, args.json)


if __name__ == "__main__":
    main()

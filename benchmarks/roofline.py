"""How near the march comes to what this machine can do.

    python benchmarks/roofline.py [--json FILE]

Ceilings are measured in the same run: the rate of fused multiply-adds and of exponentials in
cache, and the bandwidth of memory. The work per point is the compiler's own count.
"""

import argparse

import equinox as eqx
import jax
import jax.numpy as jnp
from _common import cast, problem, report, timed

import synax


def ceilings(dtype, n=2**16, repeats=400):
    """Multiply-adds, exponentials (per second, in cache) and bytes per second (from memory)."""
    x = jnp.linspace(0.1, 0.9, n, dtype=dtype)

    def chain(step):
        run = jax.jit(lambda x: jax.lax.fori_loop(0, repeats, lambda i, y: step(y), x))
        return timed(run, x, repeats=3)[1]

    def multiply_adds(y):
        for _ in range(64):
            y = y * 0.999 + 0.001
        return y

    fma = 64 * n * repeats / chain(multiply_adds)
    exponentials = n * repeats / chain(lambda y: jnp.exp(-y))
    big = jnp.ones(2**26, dtype)
    copy = timed(jax.jit(lambda x: x + 1), big, repeats=3)[1]
    return {"fma": fma, "exp": exponentials, "bytes": 2 * big.nbytes / copy}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nside", type=int, default=32)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = []
    for dtype in ("float64", "float32"):
        limits = ceilings(dtype)
        rays = cast(synax.Sightlines.healpix(args.nside), dtype)
        frequency = jnp.asarray(2.4, dtype)
        for electrons in ("smooth", "ymw16", "grid"):
            sky = cast(problem(electrons, steps=args.steps), dtype)
            _, best = timed(sky, rays, frequency, repeats=3)
            points = rays.n_rays * sky.cells(rays)[1] * len(sky.quadrature.nodes)
            few = eqx.filter_jit(
                lambda sky, rays: jnp.stack(
                    [
                        sky.magnetic(rays.direction)[0],
                        sky.electrons(rays.direction),
                        sky.cosmic_rays(rays.direction),
                    ]
                )
            )
            cost = few.lower(sky, rays).compile().compiled.cost_analysis()
            cost = cost[0] if isinstance(cost, list) else cost
            flops = cost.get("flops", 0.0) / rays.n_rays
            special = cost.get("transcendentals", 0.0) / rays.n_rays
            floor = flops / (2 * limits["fma"]) + special / limits["exp"]
            rows.append(
                {
                    "dtype": dtype,
                    "electrons": electrons,
                    "ns_per_point": 1e9 * best / points,
                    "field_flops": flops,
                    "field_transcendentals": special,
                    "floor_ns": 1e9 * floor,
                    "fraction_of_ceiling": floor * points / best,
                    "GFLOP_per_s_peak": 2e-9 * limits["fma"],
                    "Gexp_per_s": 1e-9 * limits["exp"],
                    "GB_per_s": 1e-9 * limits["bytes"],
                }
            )
    report("roofline", rows, args.json, nside=args.nside, steps=args.steps)


if __name__ == "__main__":
    main()

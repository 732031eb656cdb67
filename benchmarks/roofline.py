"""How near the march comes to what this machine can do.

    python benchmarks/roofline.py [--quick] [--json FILE]

Measured in one run: the machine's ceilings (multiply-adds, elementary functions, bandwidth of
cache and memory, as XLA reaches them), the work of a point (the compiler's count for the compiled
program, repeated work included), and the time of a point of skies from uniform fields to the
default one. On a processor twice, with one core and with all. Single fields: benchmarks/models.py.

The floor of a point is the larger of its arithmetic (operations at the rate of multiply-adds, two
operations each, plus elementary functions at the rate of exp) and its traffic at the bandwidth of
the cache. Times are core-nanoseconds: wall time times threads. On a GPU threads is 1.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
from _common import SmoothDensity, cast, report, timed

import synax
from synax._numerics._math import log, sincos

FUNCTIONS = {
    "exp": lambda x: jnp.exp(-x),
    "log (JAX)": lambda x: jnp.log(x + 2.0),
    "log (ours)": lambda x: log(x + 2.0),
    "tanh": jnp.tanh,
    "square root": lambda x: jnp.sqrt(x + 0.5),
    "division": lambda x: 1.0 / (x + 1.0),
    "sine and cosine (ours)": lambda x: sum(sincos(x)),
    "sine (JAX)": jnp.sin,
    "power (JAX)": lambda x: (x + 1.0) ** 0.3,
}
CHAIN = 8


def repeated(step, x, repeats):
    """Seconds of one of `repeats` passes of `step` over x, in one program."""
    run = jax.jit(lambda x: jax.lax.fori_loop(0, repeats, lambda i, y: step(y), x))
    return timed(run, spread(x), repeats=3)[1] / repeats


def spread(x):
    """An array divided over all devices (the cores of a processor)."""
    mesh = jax.sharding.Mesh(jax.devices(), ("cores",))
    return jax.device_put(x, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("cores")))


def ceilings(dtype, on_gpu, threads):
    """Rates of the whole device (per second), and core-nanoseconds of elementary functions."""
    n = 2**24 if on_gpu else 2**13 * threads
    x = jnp.linspace(0.1, 0.9, n, dtype=dtype)
    passes = 20 if on_gpu else 400

    def multiply_adds(y):
        # independent chains, so that the latency of one is hidden by the others
        chains = [y + 0.1 * i for i in range(8)]
        for _ in range(32):
            chains = [c * 0.999 + 0.001 for c in chains]
        return 0.125 * sum(chains)

    def side_by_side(function):
        # independent of each other, for the same reason
        return lambda y: sum(function(y + 0.01 * i) for i in range(CHAIN)) * (0.5 / CHAIN)

    fma = 256 * n / repeated(multiply_adds, x, passes)
    unit = 1e9 * threads / (CHAIN * n)
    functions = {k: unit * repeated(side_by_side(f), x, passes) for k, f in FUNCTIONS.items()}
    middle = jnp.ones((2**20 if on_gpu else 2**15) * threads, dtype)
    cache = 2 * middle.nbytes / repeated(lambda y: y * 0.999, middle, passes)
    big = jnp.ones(2**27 if on_gpu else 2**25, dtype)
    memory = 2 * big.nbytes / timed(jax.jit(lambda x: x + 1), spread(big), repeats=3)[1]
    return {"fma": fma, "cache": cache, "memory": memory}, functions


def skies():
    magnetic, electrons, cosmic_rays = synax.magnetic, synax.electrons, synax.cosmic_rays
    flat = (
        magnetic.Uniform((1.0, 2.0, 0.5)),
        electrons.Uniform(0.01),
        cosmic_rays.Uniform(1e-5, spectral_index=3.0),
    )
    wmap, cr = magnetic.WMAP(), cosmic_rays.WMAP()
    yield "everything uniform", flat
    yield "the same, no electrons", (flat[0], None, flat[2])
    yield "WMAP field, the rest uniform", (wmap, *flat[1:])
    yield "WMAP field and cosmic rays, no electrons", (wmap, None, cr)
    yield "the same, smooth electrons", (wmap, SmoothDensity(), cr)
    yield "the same, YMW16 (the default sky)", (wmap, electrons.YMW16(), cr)


def cost(function, *args):
    """(operations, elementary functions, bytes) of a compiled program, loops counted once."""
    found = eqx.filter_jit(function).lower(*args).compile().compiled.cost_analysis()
    found = found[0] if isinstance(found, list) else found
    return [found.get(k, 0.0) for k in ("flops", "transcendentals", "bytes accessed")]


def row(case, seconds, points, work, limits, functions, threads):
    operations, elementary, traffic = work
    arithmetic = 1e9 * threads * operations / (2 * limits["fma"]) + elementary * functions["exp"]
    floor = max(arithmetic, 1e9 * threads * traffic / limits["cache"])
    spent = 1e9 * threads * seconds / points
    return {
        "case": case,
        "ns_core_per_point": spent,
        "operations": operations,
        "elementary_functions": elementary,
        "bytes": traffic,
        "floor_ns": floor,
        "fraction_of_ceiling": floor / spent,
    }


def sky_row(name, sky, rays, *machine):
    frequency = jnp.asarray(2.4, rays.direction.dtype)
    _, best = timed(sky, rays, frequency, repeats=3)
    nodes = len(sky.quadrature.nodes)
    # the compiler counts a loop's body once: one cell; the layout of the cells comes before it
    few = cast(synax.Sightlines.healpix(8), str(rays.direction.dtype))
    whole = cost(lambda s, r: s(r, frequency), sky, few)
    layout = cost(lambda s, r: s.cells(r)[0], sky, few)
    work = [(a - b) / (nodes * few.n_rays) for a, b in zip(whole, layout, strict=True)]
    return row(name, best, rays.n_rays * sky.cells(rays)[1] * nodes, work, *machine)


def measure(args):
    """Everything for the present process."""
    synax.use_cores()
    on_gpu = jax.default_backend() != "cpu"
    threads = 1 if on_gpu else len(os.sched_getaffinity(0))
    nside = args.nside or (128 if on_gpu else 16 if args.quick else 32)
    steps = 32 if args.quick else args.steps
    rows, found = [], []
    for dtype in ("float64", "float32"):
        limits, functions = ceilings(dtype, on_gpu, threads)
        label = {"threads": threads, "dtype": dtype}
        found.append(
            label
            | {
                "GFLOP_per_s": 2e-9 * limits["fma"],
                "cache_GB_per_s": 1e-9 * limits["cache"],
                "memory_GB_per_s": 1e-9 * limits["memory"],
            }
            | {f"{k}, ns": v for k, v in functions.items()}
        )
        machine = (limits, functions, threads)
        rays = cast(synax.Sightlines.healpix(nside), dtype).sharded()
        block = {"block": rays.n_rays} if on_gpu else {}
        chosen = list(skies())
        if dtype == "float32" or args.quick:
            chosen = chosen[-1:]
        for name, (magnetic, electrons, cosmic_rays) in chosen:
            sky = synax.Synchrotron(magnetic, electrons, cosmic_rays, steps=steps, **block)
            rows.append(label | sky_row(name, cast(sky, dtype), rays, *machine))
            print(rows[-1], flush=True)
    return {"gpu": on_gpu, "rows": rows, "ceilings": found, "nside": nside, "steps": steps}


def child(arguments, **changes):
    """Run this program again, in a process of its own; its record."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        flags = [a for k, v in changes.items() for a in (f"--{k}", str(v))]
        command = [sys.executable, __file__, *arguments, *flags, "--record", file.name]
        subprocess.run(command, check=True)
        return json.loads(Path(file.name).read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nside", type=int, help="default: 32, on a GPU 128")
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--quick", action="store_true", help="the default sky only, few rays")
    parser.add_argument("--threads", type=int, help="only this many cores (default: one, then all)")
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--record", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    if args.record:
        jax.config.update("jax_enable_x64", True)
        Path(args.record).write_text(json.dumps(measure(args)))
        return
    passed = ["--steps", str(args.steps)] + ["--quick"] * args.quick
    passed += ["--nside", str(args.nside)] if args.nside else []
    cores = args.threads or len(os.sched_getaffinity(0))
    records = [child(passed, threads=cores)]
    if not records[0]["gpu"] and cores > 1:
        records.insert(0, child(passed, threads=1))
    rows = [r for record in records for r in record["rows"]]
    limits = [r for record in records for r in record["ceilings"]]
    report("ceilings", limits)
    sizes = {k: records[-1][k] for k in ("nside", "steps")}
    report("roofline", rows, args.json, tables={"Ceilings": limits}, **sizes)


if __name__ == "__main__":
    main()

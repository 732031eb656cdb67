"""Cost of the models people use, in the march: forward, gradients, compilation.

    python benchmarks/models_on_sky.py [--combinations JF12+YMW16 ...] [--json FILE]

Every combination runs in a process of its own on one core (threads that wait for each other would
count as work): NSIDE 8, default steps, float64, 2.4 GHz, the sum of Q^2 and U^2 as a loss. Times
are CPU seconds of the process (best of some repeats) over points, that is, rays x cells x nodes.
Compilation is cold (no cache), CPU seconds of the first call less a later one. A WMAP + TwoDisc run
in the same process gives the relative cost.
"""

import argparse
import itertools
import json
import os
import queue
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from _common import report

MAGNETIC = ("WMAP", "JF12", "JF12Solenoidal", "UF23", "KST24", "TF17", "PT11", "Jaffe13")
ELECTRONS = ("TwoDisc", "YMW16", "NE2001", "NE2025")


def measure(combination, nside=8, repeats=4):
    """The row of one combination; in a fresh process."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    import synax

    jax.config.update("jax_enable_x64", True)
    rays = synax.Sightlines.healpix(nside)

    def loss(sky, rays):
        stokes = sky(rays, 2.4)
        return jnp.sum(stokes.Q**2) + jnp.sum(stokes.U**2)

    def seconds(function, *arguments):
        start = time.process_time()
        jax.block_until_ready(jax.tree.leaves(function(*arguments)))
        return time.process_time() - start

    def timed(function, *arguments):
        """CPU seconds: of the compilation, and the best of the runs after it."""
        first = seconds(function, *arguments)
        best = min(seconds(function, *arguments) for _ in range(repeats))
        return first - best, best

    def sky_of(magnetic, electrons):
        make = lambda module, name: getattr(module, name)()
        b, n_e = make(synax.magnetic, magnetic), make(synax.electrons, electrons)
        return synax.Synchrotron(b, n_e, synax.cosmic_rays.WMAP())

    def points(sky):
        return rays.n_rays * sky.cells(synax.Sightlines.healpix(1))[1] * len(sky.quadrature.nodes)

    simple = sky_of("WMAP", "TwoDisc")
    compile_unit, unit = timed(eqx.filter_jit(loss), simple, rays)
    unit /= points(simple)
    sky = sky_of(*combination.split("+"))
    n = points(sky)
    compile_forward, forward = timed(eqx.filter_jit(loss), sky, rays)
    if combination == "WMAP+TwoDisc":  # which was compiled as the unit
        compile_forward = compile_unit
    compile_all, every = timed(eqx.filter_jit(eqx.filter_value_and_grad(loss)), sky, rays)
    spec = jax.tree.map(lambda _: False, sky)
    spec = eqx.tree_at(lambda s: s.magnetic, spec, jax.tree.map(eqx.is_inexact_array, sky.magnetic))
    free, fixed = eqx.partition(sky, spec)
    magnetic = eqx.filter_jit(
        lambda free, rays: eqx.filter_value_and_grad(lambda f: loss(eqx.combine(f, fixed), rays))(
            free
        )
    )
    compile_magnetic, field = timed(magnetic, free, rays)
    return {
        "combination": combination,
        "cells": n // rays.n_rays // 2,
        "forward_ns_per_point": 1e9 * forward / n,
        "relative_to_WMAP_TwoDisc": forward / n / unit,
        "gradient_all_over_forward": every / forward,
        "gradient_magnetic_over_forward": field / forward,
        "compile_forward_s": compile_forward,
        "compile_gradient_all_s": compile_all,
        "compile_gradient_magnetic_s": compile_magnetic,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    every = ["+".join(pair) for pair in itertools.product(MAGNETIC, ELECTRONS)]
    parser.add_argument("--combinations", nargs="+", default=every, help="as JF12+YMW16")
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--jobs", type=int, default=1, help="combinations at a time, a core each")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "CORE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        name, core = args.one
        if hasattr(os, "sched_setaffinity"):  # not on every system
            os.sched_setaffinity(0, {int(core)})
        print(json.dumps(measure(name)))
        return
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    known = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(args.jobs)
    cores: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in sorted(known)[-args.jobs :]:
        cores.put(core)

    def one(combination):
        core = cores.get()
        command = [sys.executable, __file__, "--one", combination, str(core)]
        out = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        cores.put(core)
        return json.loads(out.stdout.splitlines()[-1]) if out.returncode == 0 else None

    rows = []
    with ThreadPoolExecutor(args.jobs) as pool:
        for combination, row in zip(
            args.combinations, pool.map(one, args.combinations), strict=True
        ):
            if row is None:
                print(f"{combination}: failed", flush=True)
                continue
            rows.append(row)
            print({k: v if isinstance(v, str) else float(f"{v:.3g}") for k, v in row.items()})
            report("models_on_sky", rows, args.json)


if __name__ == "__main__":
    main()

"""Cost of the models people use, in the march: forward, gradients, compilation.

    python benchmarks/models_on_sky.py [--combinations JF12+YMW16 ...] [--plain-sums] [--json FILE]

Every combination runs in a process of its own on one core (threads that wait for each other would
count as work): NSIDE 8, default steps, float64, 2.4 GHz, the sum of Q^2 and U^2 as a loss. Times
are CPU seconds of the process over points, that is, rays x cells x nodes: the best of some rounds,
in each of which all programs run in turn. Compilation is cold (no cache), CPU seconds of the first
call less the best later one. WMAP + TwoDisc in the same process gives the relative cost.
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


PLAIN_SUMS = {"xla_disable_hlo_passes": "tree_reduction_rewriter"}
"""Compiler options with which XLA adds up in a plain loop."""


def measure(combination, plain_sums, nside=8, rounds=15):
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

    def sky_of(magnetic, electrons):
        make = lambda module, name: getattr(module, name)()
        b, n_e = make(synax.magnetic, magnetic), make(synax.electrons, electrons)
        return synax.Synchrotron(b, n_e, synax.cosmic_rays.WMAP())

    def points(sky):
        return rays.n_rays * sky.cells(synax.Sightlines.healpix(1))[1] * len(sky.quadrature.nodes)

    def with_respect_to_the_field(sky, rays):
        of = lambda field: loss(eqx.tree_at(lambda s: s.magnetic, sky, field), rays)
        return eqx.filter_value_and_grad(of)(sky.magnetic)

    sky = sky_of(*combination.split("+"))
    programs = {
        "unit": (loss, sky_of("WMAP", "TwoDisc")),
        "forward": (loss, sky),
        "all": (eqx.filter_value_and_grad(loss), sky),
        "field": (with_respect_to_the_field, sky),
    }
    options = {"compiler_options": PLAIN_SUMS} if plain_sums else {}
    programs = {
        name: (eqx.filter_jit(function, **options), of) for name, (function, of) in programs.items()
    }
    if combination == "WMAP+TwoDisc":
        del programs["forward"]
    first = {name: seconds(run, of, rays) for name, (run, of) in programs.items()}
    best = dict(first)
    for _ in range(rounds):
        for name, (run, of) in programs.items():
            best[name] = min(best[name], seconds(run, of, rays))
    compilation = {name: first[name] - best[name] for name in first}
    if combination == "WMAP+TwoDisc":
        best["forward"], compilation["forward"] = best["unit"], compilation["unit"]
    n = points(sky)
    unit = best["unit"] / points(programs["unit"][1])
    return {
        "combination": combination,
        "cells": n // rays.n_rays // 2,
        "forward_ns_per_point": 1e9 * best["forward"] / n,
        "relative_to_WMAP_TwoDisc": best["forward"] / n / unit,
        "gradient_all_over_forward": best["all"] / best["forward"],
        "gradient_magnetic_over_forward": best["field"] / best["forward"],
        "compile_forward_s": compilation["forward"],
        "compile_gradient_all_s": compilation["all"],
        "compile_gradient_magnetic_s": compilation["field"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    every = ["+".join(pair) for pair in itertools.product(MAGNETIC, ELECTRONS)]
    parser.add_argument("--combinations", nargs="+", default=every, help="as JF12+YMW16")
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--jobs", type=int, default=1, help="combinations at a time, a core each")
    parser.add_argument("--plain-sums", action="store_true", help="sums without XLA's trees")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "CORE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        name, core = args.one
        if hasattr(os, "sched_setaffinity"):  # not on every system
            os.sched_setaffinity(0, {int(core)})
        print(json.dumps(measure(name, args.plain_sums)))
        return
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    known = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(args.jobs)
    cores: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in sorted(known)[-args.jobs :]:
        cores.put(core)

    def one(combination):
        core = cores.get()
        command = [sys.executable, __file__, "--one", combination, str(core)]
        command += ["--plain-sums"] * args.plain_sums
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

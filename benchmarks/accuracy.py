"""Error against points per ray and against time, for several skies and frequencies.

    python benchmarks/accuracy.py [--quick] [--json FILE]

Errors are rms over the map of (I, Q, U), each over the standard deviation of the converged map.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from _common import SmoothDensity, report, timed

import synax

FREQUENCIES = jnp.array([0.408, 2.4, 23.0])


def skies():
    cosmic_rays = synax.cosmic_rays.WMAP()
    wmap, ymw16 = synax.magnetic.WMAP(), synax.electrons.YMW16()
    yield "WMAP, smooth n_e", wmap, SmoothDensity(), cosmic_rays
    yield "WMAP, YMW16", wmap, ymw16, cosmic_rays
    yield "JF12, YMW16", synax.magnetic.JF12(), ymw16, cosmic_rays
    yield "UF23, YMW16", synax.magnetic.UF23("base"), ymw16, cosmic_rays


def strategies():
    yield "uniform midpoints", False, synax.Midpoint(), synax.UniformSteps
    yield "faces, midpoints", True, synax.Midpoint(), synax.UniformSteps
    yield "faces, two Gauss points", True, synax.GaussLegendre(), synax.UniformSteps
    yield "faces, Gauss, graded", True, synax.GaussLegendre(), lambda n: synax.GradedSteps(n, 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one sky, few steps")
    parser.add_argument("--nside", type=int, default=4)
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rays = synax.Sightlines.healpix(args.nside)
    budgets = (32, 64) if args.quick else (32, 64, 128, 256, 512, 1024)
    rows = []
    for name, magnetic, electrons, cosmic_rays in list(skies())[: 1 if args.quick else None]:
        parts = dict(magnetic=magnetic, electrons=electrons, cosmic_rays=cosmic_rays)
        fine = 16 * budgets[-1]
        exact = synax.Synchrotron(**parts, steps=synax.GradedSteps(fine, 1.0))(rays, FREQUENCIES)
        for label, faces, rule, make in strategies():
            found = []
            for budget in budgets:
                nodes = len(rule.nodes)
                sky = synax.Synchrotron(
                    **parts, steps=make(budget // nodes), quadrature=rule, faces=faces
                )
                stokes = sky(rays, FREQUENCIES)
                _, seconds = timed(sky, rays, FREQUENCIES, repeats=2)
                used = sky.cells(rays)[1] * nodes
                row = {"sky": name, "strategy": label, "points": used, "seconds": seconds}
                for i, nu in enumerate(np.asarray(FREQUENCIES)):
                    for s in ("I", "Q", "U"):
                        a, b = getattr(stokes, s)[i], getattr(exact, s)[i]
                        error = jnp.sqrt(jnp.mean((a - b) ** 2)) / jnp.std(b)
                        row[f"{s}@{nu:g}"] = float(error)
                found.append(row)
                print(row, flush=True)
            logs = np.log([[r["points"], r["Q@2.4"]] for r in found[-4:]])
            slope = float(np.polyfit(*logs.T, 1)[0]) if len(found) > 1 else float("nan")
            for row in found:
                row["slope_Q@2.4"] = slope
            rows += found
    report("accuracy", rows, args.json, nside=args.nside, reference_steps=16 * budgets[-1])


if __name__ == "__main__":
    main()

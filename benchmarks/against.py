"""The same sky by synax and by another code, in one run on one machine.

    python benchmarks/against.py --reference PATH     the paper's public code, a checkout of it
    python benchmarks/against.py --hammurabi PATH     a built hammurabiX: its `hamx` program

Ratios above one mean that synax is faster. Field: WMAP with four free parameters; electrons: a
256 x 256 x 64 grid; cosmic rays: WMAP; 2.4 GHz; float64. hammurabiX has its own analytic electrons
and cosmic rays, which synax has too; OMP_NUM_THREADS is set to the number of cores that JAX uses.
Errors: rms over the map against a converged one, over its standard deviation; the largest of I,
Q, U. Its own rule takes the phase at the far end of a cell, so Q and U of the two codes differ by
half a cell's rotation.
"""

import argparse
import importlib.util
import math
import os
import subprocess
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _common import SmoothDensity, report, timed, timed_both

import synax

BOX = synax.Box
C0 = 211.13068378473076  # m^-3, the normalisation in the paper's code
OBSERVER, DEPTH = (-8.3, 0.0, 0.006), 30.0  # kpc: the sphere that hammurabiX integrates


def load(folder, name):
    """One module of the other package, under a name that does not hide ours."""
    path = Path(folder) / "synax" / f"{name}.py"
    if not path.exists():
        raise SystemExit(f"--reference: {path} not found; give a checkout of the paper's code")
    spec = importlib.util.spec_from_file_location(f"reference_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def against_paper(folder, nside, steps):
    coords, bfield, cfield, tefield, simulator = (
        load(folder, n) for n in ("coords", "bfield", "cfield", "tefield", "synax")
    )
    domain = BOX((20.0, 20.0, 5.0))
    grid = synax.GridField.from_field(
        SmoothDensity(), domain, shape=(256, 256, 64), centering="cell", outside="linear"
    )
    axes = [np.asarray(a) for a in grid.axes()]
    positions, lengths, directions = coords.get_healpix_positions(nside, num_int_points=steps)
    field = bfield.B_lsa(positions)
    electrons = tefield.TE_grid(positions, axes).TE_field(grid.values)
    electron_c = cfield.C_WMAP(positions).C_field({"C0": C0, "hr": 5.0, "hd": 1.0})
    sim = simulator.Synax()
    truth = {
        "b0": 1.2,
        "psi0": 0.4712388980384690,
        "psi1": 0.015707963267949,
        "chi0": 0.4363323129985824,
    }
    truth = {k: jnp.asarray(v) for k, v in truth.items()}

    def theirs(parameters):
        out = sim.sim(
            2.4, field.B_field(parameters), electron_c, electrons, directions, lengths, 3.0
        )
        return out["I"], out["Q"], out["U"]

    def everything(arguments):
        # the points are an argument: XLA would look constant ones up while it compiles, for minutes
        parameters, values, normalisation, points = arguments
        density = tefield.TE_grid(points, axes).TE_field(values)
        c = cfield.C_WMAP(points).C_field({"C0": normalisation, "hr": 5.0, "hd": 1.0})
        out = sim.sim(2.4, field.B_field(parameters), c, density, directions, lengths, 3.0)
        return out["I"], out["Q"], out["U"]

    square = lambda maps: jnp.sum(maps[1] ** 2) + jnp.sum(maps[2] ** 2)
    their_forward = timed_both(jax.jit(theirs), truth, repeats=5)
    inputs = (truth, grid.values, jnp.asarray(C0), positions)
    their_all = timed_both(jax.jit(everything), inputs, repeats=5)
    their_gradient = timed_both(
        jax.jit(jax.value_and_grad(lambda p: square(theirs(p)))), truth, repeats=3
    )

    rays = synax.Sightlines.healpix(nside, domain=domain).sharded()

    def make(n, electrons=grid, **kwargs):
        return rays.replicate(
            synax.Synchrotron(
                synax.magnetic.WMAP(), electrons, synax.cosmic_rays.WMAP(), steps=n, **kwargs
            )
        )

    # as many points a ray as theirs: half as many cells, of two points each
    same = make(synax.UniformSteps(steps // 2), faces=False)
    our_forward = timed_both(same, rays, jnp.asarray(2.4), repeats=3)
    free, fixed = eqx.partition(
        same, synax.select(same, *[f"magnetic.{p}" for p in ("b0", "psi0", "psi1", "chi0")])
    )
    value_and_grad = eqx.filter_jit(
        lambda free, rays: eqx.filter_value_and_grad(
            lambda f: square(jax.tree.leaves(eqx.combine(f, fixed)(rays, 2.4)))
        )(free)
    )
    our_gradient = timed_both(value_and_grad, free, rays, repeats=3)

    # the same with C and n_e fixed along the rays, as theirs are
    known = same.precompute(rays, "electrons", "cosmic_rays")
    known_forward = timed_both(known, rays, jnp.asarray(2.4), repeats=3)
    names = [f"magnetic.{p}" for p in ("b0", "psi0", "psi1", "chi0")]
    free, fixed_fields = eqx.partition(known, synax.select(known, *names))
    known_value_and_grad = eqx.filter_jit(
        lambda free, rays: eqx.filter_value_and_grad(
            lambda f: square(jax.tree.leaves(eqx.combine(f, fixed_fields)(rays, 2.4)))
        )(free)
    )
    known_gradient = timed_both(known_value_and_grad, free, rays, repeats=3)

    # equal error: the smooth density itself on both sides, so that only integration differs
    smooth = SmoothDensity()
    exact = make(4096, smooth)(rays, 2.4)
    at_points = eqx.filter_jit(smooth)(positions)
    out = sim.sim(2.4, field.B_field(truth), electron_c, at_points, directions, lengths, 3.0)
    scale = [float(jnp.std(x)) for x in jax.tree.leaves(exact)]
    error = lambda maps: max(
        float(jnp.sqrt(jnp.mean((a - b) ** 2))) / s
        for a, b, s in zip(maps, jax.tree.leaves(exact), scale, strict=True)
    )
    their_error = error((out["I"], out["Q"], out["U"]))
    n = 4
    while error(jax.tree.leaves(make(n, smooth)(rays, 2.4))) > their_error:
        n += 1 if n < 32 else 16
    our_error = error(jax.tree.leaves(make(n, smooth)(rays, 2.4)))
    equal = timed_both(make(n), rays, jnp.asarray(2.4), repeats=9)
    sampled = make(n).precompute(rays, "electrons", "cosmic_rays")
    known_equal = timed_both(sampled, rays, jnp.asarray(2.4), repeats=9)
    inside = f"equal error ({their_error:.2g}; ours {our_error:.2g} with {n} cells), inside"
    points = rays.n_rays * steps
    return [
        compared("forward, theirs with C, n_e precomputed", their_forward, our_forward, points),
        compared("forward, everything inside on both sides", their_all, our_forward),
        compared("value and gradient, 4 parameters", their_gradient, our_gradient),
        compared(
            "forward, C and n_e precomputed on both sides", their_forward, known_forward, points
        ),
        compared("value and gradient, the same on both sides", their_gradient, known_gradient),
        compared(inside, their_all, equal),
        compared("  the same, theirs precomputed", their_forward, equal),
        compared("  the same, precomputed on both sides", their_forward, known_equal),
    ]


def compared(case, theirs, ours, points=None):
    """A row: wall and CPU seconds of both sides, and their ratios."""
    row = {
        "case": case,
        "theirs_s": theirs[0],
        "ours_s": ours[0],
        "ratio": theirs[0] / ours[0],
        "theirs_cpu_s": theirs[1],
        "ours_cpu_s": ours[1],
        "ratio_cpu": theirs[1] / ours[1],
    }
    return row if points is None else row | {"ours_Mpoints_per_s": points / ours[0] / 1e6}


def hammurabi_file(template, folder, nside, steps, electrons):
    """Its own parameter template, changed to our problem; returns the file's path."""
    tree = ElementTree.parse(template)
    root = tree.getroot()

    def put(path, **attributes):
        node = root.find(path)
        if node is None:
            raise SystemExit(f"--parameters {template}: no element <{path}>")
        node.attrib.update({k: str(v) for k, v in attributes.items()})

    observable = root.find("observable")
    for extra in observable.findall("sync")[1:]:
        observable.remove(extra)
    put("observable/dm", cue=0)
    put("observable/faraday", cue=0)
    put("observable/sync", cue=1, freq=2.4, filename="sync.bin", nside=nside)
    put("grid/shell/layer", type="auto")
    put("grid/shell/layer/auto/shell_num", value=1)
    put("grid/shell/layer/auto/nside_sim", value=nside)
    limits = {"oc_r_min": 0, "oc_r_max": DEPTH, "oc_r_res": repr(DEPTH / (steps + 1e-6))}
    limits |= {"gc_r_min": 0, "gc_r_max": 60, "gc_z_min": -60, "gc_z_max": 60}
    for name, value in limits.items():
        put(f"grid/shell/{name}", value=value)
    put("magneticfield/regular", cue=1, type="lsa")
    put("magneticfield/random", cue=0)
    put("thermalelectron/regular", cue=1, type="ymw16" if electrons == "YMW16" else "unif")
    put("thermalelectron/regular/unif/n0", value=0.005)
    put("thermalelectron/regular/unif/r0", value=2 * DEPTH)
    put("thermalelectron/random", cue=0)
    put("cre", cue=1, type="analytic")
    path = Path(folder) / "parameters.xml"
    tree.write(path)
    return path


def time_hammurabi(program, folder, file):
    """(seconds, I, Q, U in K Rayleigh-Jeans) of one run of the program, start-up included."""
    start = time.perf_counter()
    subprocess.run([program, file.name], cwd=folder, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    x = 2.4e9 * 6.62607015e-34 / (1.380649e-23 * 2.725)  # it writes thermodynamic temperatures
    factor = math.expm1(x) ** 2 / (x * x * math.exp(x))
    return seconds, *(np.fromfile(Path(folder) / f"sync_{s}.bin") / factor for s in "IQU")


def against_hammurabi(program, template, nside, steps):
    """The same sphere of 30 kpc about the observer, with as many points on every ray.

    The time of a run with one cell is taken off, so that its start-up is not counted.
    """
    template = Path(template or Path(program).parent / "params_template.xml").resolve()
    if not template.exists():
        raise SystemExit(f"{template} not found: give --parameters FILE, hammurabiX's template")
    program = str(Path(program).resolve())
    rays = synax.Sightlines.healpix(nside, domain=synax.Sphere(DEPTH, OBSERVER)).sharded()
    densities = {
        "uniform n_e": synax.electrons.Uniform(0.005, 2 * DEPTH, OBSERVER),
        "YMW16": synax.electrons.YMW16Hammurabi(),
    }
    frequency = jnp.asarray(2.4)
    cosmic_rays = synax.cosmic_rays.Analytic()
    rows = []
    for name, electrons in densities.items():
        with tempfile.TemporaryDirectory() as folder:
            short = hammurabi_file(template, folder, nside, 1, name)
            start_up = min(time_hammurabi(program, folder, short)[0] for _ in range(2))
            file = hammurabi_file(template, folder, nside, steps, name)
            runs = [time_hammurabi(program, folder, file) for _ in range(2)]
        theirs = min(r[0] for r in runs) - start_up
        their_maps = runs[0][1:]

        def make(steps, electrons=electrons, **kwargs):
            return synax.Synchrotron(
                synax.magnetic.WMAP(), electrons, cosmic_rays, steps=steps, **kwargs
            )

        # as many points a ray as theirs: half as many cells, of two points each
        same = make(synax.UniformSteps(steps // 2), faces=False)
        _, ours = timed(same, rays, frequency, repeats=3)
        exact = jax.tree.leaves(make(2048)(rays, frequency))
        error = lambda maps, exact=exact: [
            float(np.sqrt(np.mean((np.asarray(a) - np.asarray(b)) ** 2)) / np.std(b))
            for a, b in zip(maps, exact, strict=True)
        ]
        our_maps = jax.tree.leaves(same(rays, frequency))
        gap = [
            float(np.std(a - np.asarray(b)) / np.std(a))
            for a, b in zip(their_maps, our_maps, strict=True)
        ]
        their_error = error(their_maps)
        n = 8
        while max(error(jax.tree.leaves(make(n)(rays, frequency)))) > max(their_error):
            n = 2 * n
        _, equal = timed(make(n), rays, frequency, repeats=5)
        rows += [
            {
                "case": f"hammurabiX, {name}, the same points, equal cells",
                "theirs_s": theirs,
                "ours_s": ours,
                "ratio": theirs / ours,
                "ours_Mpoints_per_s": rays.n_rays * steps / ours / 1e6,
                "their_error": max(their_error),
                "our_error": max(error(our_maps)),
                "maps_differ_IQU": [float(f"{x:.2g}") for x in gap],
            },
            {
                "case": f"hammurabiX, {name}, its error or less ({n} cells of ours)",
                "theirs_s": theirs,
                "ours_s": equal,
                "ratio": theirs / equal,
                "their_error": max(their_error),
                "our_error": max(error(jax.tree.leaves(make(n)(rays, frequency)))),
            },
        ]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", help="checkout of the paper's code")
    parser.add_argument("--hammurabi", help="path of the hamx program")
    parser.add_argument("--parameters", help="its params_template.xml (default: beside hamx)")
    parser.add_argument("--nside", type=int, default=32)
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    if not (args.reference or args.hammurabi):
        parser.error("give --reference PATH or --hammurabi PATH")
    jax.config.update("jax_enable_x64", True)
    synax.use_cores()
    os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
    rows = []
    if args.reference:
        rows += against_paper(args.reference, args.nside, args.steps)
    if args.hammurabi:
        rows += against_hammurabi(args.hammurabi, args.parameters, args.nside, args.steps)
    report("against", rows, args.json, nside=args.nside, steps=args.steps)


if __name__ == "__main__":
    main()

"""The same sky by synax and by another code, in one run on one machine.

    python benchmarks/against.py --reference PATH     the paper's public code, a checkout of it
    python benchmarks/against.py --hammurabi PATH     a built hammurabiX: its `hamx` program

Ratios above one mean that synax is faster. Field: WMAP with four free parameters; electrons: a
256 x 256 x 64 grid; cosmic rays: WMAP; 2.4 GHz; float64.
"""

import argparse
import importlib.util
import subprocess
import tempfile
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _common import SmoothDensity, report, timed

import synax

BOX = synax.Box
C0 = 211.13068378473076  # m^-3, the normalisation in the paper's code


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
    density_model = tefield.TE_grid(positions, axes)
    electrons = density_model.TE_field(grid.values)
    cr_model = cfield.C_WMAP(positions)
    electron_c = cr_model.C_field({"C0": C0, "hr": 5.0, "hd": 1.0})
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
        parameters, values, normalisation = arguments
        density = density_model.TE_field(values)
        c = cr_model.C_field({"C0": normalisation, "hr": 5.0, "hd": 1.0})
        out = sim.sim(2.4, field.B_field(parameters), c, density, directions, lengths, 3.0)
        return out["I"], out["Q"], out["U"]

    square = lambda maps: jnp.sum(maps[1] ** 2) + jnp.sum(maps[2] ** 2)
    _, their_forward = timed(jax.jit(theirs), truth, repeats=3)
    _, their_all = timed(jax.jit(everything), (truth, grid.values, jnp.asarray(C0)), repeats=2)
    _, their_gradient = timed(
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
    _, our_forward = timed(same, rays, jnp.asarray(2.4), repeats=3)
    free, fixed = eqx.partition(
        same, synax.select(same, *[f"magnetic.{p}" for p in ("b0", "psi0", "psi1", "chi0")])
    )
    value_and_grad = eqx.filter_jit(
        lambda free, rays: eqx.filter_value_and_grad(
            lambda f: square(jax.tree.leaves(eqx.combine(f, fixed)(rays, 2.4)))
        )(free)
    )
    _, our_gradient = timed(value_and_grad, free, rays, repeats=3)

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
    _, equal = timed(make(n), rays, jnp.asarray(2.4), repeats=5)
    points = rays.n_rays * steps
    return [
        {
            "case": "forward, theirs with C, n_e precomputed",
            "theirs_s": their_forward,
            "ours_s": our_forward,
            "ratio": their_forward / our_forward,
            "ours_Mpoints_per_s": points / our_forward / 1e6,
        },
        {
            "case": "forward, everything inside on both sides",
            "theirs_s": their_all,
            "ours_s": our_forward,
            "ratio": their_all / our_forward,
        },
        {
            "case": "value and gradient, 4 parameters",
            "theirs_s": their_gradient,
            "ours_s": our_gradient,
            "ratio": their_gradient / our_gradient,
        },
        {
            "case": f"equal error ({their_error:.2g}; ours {our_error:.2g} with {n} cells), inside",
            "theirs_s": their_all,
            "ours_s": equal,
            "ratio": their_all / equal,
        },
        {
            "case": "  the same, theirs precomputed",
            "theirs_s": their_forward,
            "ours_s": equal,
            "ratio": their_forward / equal,
        },
    ]


def against_hammurabi(program, template, nside, steps):
    """Time `hamx` on the user's own parameter file against synax on the same number of points."""
    if template is None:
        raise SystemExit(
            "--hammurabi needs --parameters FILE: an XML file of yours with the LSA field, "
            "analytic electrons, one shell to 30 kpc and one frequency"
        )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(
            [program, str(Path(template).resolve())], cwd=folder, check=True, capture_output=True
        )
        theirs = time.perf_counter() - start
    sky = synax.Synchrotron(
        synax.magnetic.WMAP(),
        synax.electrons.YMW16(),
        synax.cosmic_rays.WMAP(),
        steps=steps,
        quadrature=synax.Midpoint(),
        faces=False,
    )
    domain = BOX((20.0, 20.0, 5.0)) & synax.Sphere(30.0, (-8.3, 0.0, 0.006))
    rays = synax.Sightlines.healpix(nside, domain=domain)
    _, ours = timed(sky, rays.sharded(), jnp.asarray(2.4), repeats=3)
    return [
        {
            "case": f"hammurabiX, NSIDE {nside} x {steps}",
            "theirs_s": theirs,
            "ours_s": ours,
            "ratio": theirs / ours,
        }
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", help="checkout of the paper's code")
    parser.add_argument("--hammurabi", help="path of the hamx program")
    parser.add_argument("--parameters", help="parameter file for hamx")
    parser.add_argument("--nside", type=int, default=32)
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    if not (args.reference or args.hammurabi):
        parser.error("give --reference PATH or --hammurabi PATH")
    jax.config.update("jax_enable_x64", True)
    synax.use_cores()
    rows = []
    if args.reference:
        rows += against_paper(args.reference, args.nside, args.steps)
    if args.hammurabi:
        rows += against_hammurabi(args.hammurabi, args.parameters, args.nside, args.steps)
    report("against", rows, args.json, nside=args.nside, steps=args.steps)


if __name__ == "__main__":
    main()

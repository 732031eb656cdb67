"""What laws of light and spectra cost in the march, and what `precision=` gains and errs.

    python benchmarks/laws.py [--only laws precision calls galaxy] [--models ...] [--json FILE]

Laws: the same rays, cells and fields (WMAP, TwoDisc) with one thing more each; CPU time of a run,
for 0.1, 0.4 and 2.4 GHz together, over that of the plain sky timed in turns in the same process;
and of its gradient with respect to the magnetic field, likewise. First runs, with compilation, in
CPU seconds. The process keeps to one core: threads that wait for each other would count as work.
Precision: `precision=jnp.float32` against float64: the largest rms difference of I, Q, U over the
rms of the map at each frequency, the speed-up at 2.4 GHz, the largest difference of the gradient
with respect to the magnetic parameters over its largest component.
Calls: a call of few points against one of many, and blocks of rays in and out of a core's cache.
Galaxy: the calibrated one against itself without turbulence, and against itself with one power law.
"""

import argparse
import os
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _common import report

import synax

FREQUENCIES = (0.1, 0.4, 2.4)
MODELS = ("WMAP+TwoDisc", "JF12+YMW16", "KST24+TwoDisc", "UF23+NE2025")


def sky_of(pair="WMAP+TwoDisc", cosmic_rays=None, **kwargs):
    magnetic, electrons = pair.split("+")
    return synax.Synchrotron(
        getattr(synax.magnetic, magnetic)(),
        getattr(synax.electrons, electrons)(),
        synax.cosmic_rays.WMAP() if cosmic_rays is None else cosmic_rays,
        **kwargs,
    )


def skies():
    """The plain sky first."""
    cr = synax.cosmic_rays
    wmap, free_free = cr.WMAP(), synax.FreeFree(7000.0, 0.1)
    parabola = cr.LogParabola(wmap, gamma_min=100.0, gamma_max=1e7)
    box = synax.Box((20.0, 20.0, 5.0))
    return {
        "plain: index 3, thin": sky_of(),
        "index 2.8": sky_of(cosmic_rays=cr.WMAP(spectral_index=2.8)),
        "free-free absorption (Absorbing)": sky_of(free_free=free_free),
        "self-absorption (Polarised)": sky_of(self_absorption=True),
        "broken power law": sky_of(cosmic_rays=cr.BrokenPowerLaw(wmap)),
        "spectrum on a grid, 32 x 24 x 24 x 12": sky_of(
            cosmic_rays=cr.TabulatedSpectrum.from_spectrum(parabola, box, (24, 24, 12), 32)
        ),
        "turbulence": sky_of(turbulence=synax.Turbulence(3.0)),
    }


def loss(sky, rays, frequency):
    stokes = sky(rays, frequency)
    return jnp.sum(stokes.I**2) + jnp.sum(stokes.Q**2) + jnp.sum(stokes.U**2)


def gradient(sky):
    """Value and gradient by the magnetic field as a function of (free, fixed, rays, frequency)."""
    spec = jax.tree.map(lambda _: False, sky)
    chosen = jax.tree.map(eqx.is_inexact_array, sky.magnetic)
    free, fixed = eqx.partition(sky, eqx.tree_at(lambda s: s.magnetic, spec, chosen))
    run = lambda free, fixed, rays, frequency: eqx.filter_value_and_grad(
        lambda f: loss(eqx.combine(f, fixed), rays, frequency)
    )(free)
    return eqx.filter_jit(run), free, fixed


def seconds(function, *arguments):
    start = time.process_time()
    jax.block_until_ready(jax.tree.leaves(function(*arguments)))
    return time.process_time() - start


def in_turns(one, other, repeats):
    """Best CPU seconds of two calls, taken alternately."""
    times = [(seconds(*one), seconds(*other)) for _ in range(repeats)]
    return min(t for t, _ in times), min(t for _, t in times)


def laws(nside, repeats, add):
    rays, nu = synax.Sightlines.healpix(nside), jnp.asarray(FREQUENCIES)
    plain = None
    for name, sky in skies().items():
        forward = (eqx.filter_jit(lambda s, r, f: s(r, f)), sky, rays, nu)
        run, free, fixed = gradient(sky)
        back = (run, free, fixed, rays, nu)
        first = seconds(*forward), seconds(*back)
        plain = plain or (forward, back)
        ours, unit = in_turns(forward, plain[0], repeats)
        ours_back, unit_back = in_turns(back, plain[1], repeats)
        add(
            {
                "case": name,
                "forward_over_plain": ours / unit,
                "gradient_over_plain": ours_back / unit_back,
                "gradient_over_forward": ours_back / ours,
                "first_forward_s": first[0],
                "first_gradient_s": first[1],
            }
        )


def precision(nside, repeats, models, add):
    rays, nu = synax.Sightlines.healpix(nside), jnp.asarray((0.1, 0.4, 2.4, 30.0))
    for pair in models:
        sky = sky_of(pair)
        single = sky.integrate_with(precision=jnp.float32)
        run = eqx.filter_jit(lambda s, r, f: s(r, f))
        exact, rough = run(sky, rays, nu), run(single, rays, nu)
        errors = [
            max(
                float(jnp.sqrt(jnp.mean((a[k] - b[k]) ** 2) / jnp.mean(a[k] ** 2)))
                for a, b in zip(jax.tree.leaves(exact), jax.tree.leaves(rough), strict=True)
            )
            for k in range(nu.size)
        ]
        one = jnp.asarray(2.4)
        run(sky, rays, one), run(single, rays, one)
        slow, fast = in_turns((run, sky, rays, one), (run, single, rays, one), repeats)
        slopes = []
        for each in (sky, single):
            back, free, fixed = gradient(each)
            found = jax.tree.leaves(back(free, fixed, rays, one)[1])
            slopes.append(np.concatenate([np.ravel(x) for x in found]))
        row = {f"error_{float(f):g}_GHz": e for f, e in zip(nu, errors, strict=True)}
        gap = float(np.max(np.abs(slopes[1] - slopes[0])) / np.max(np.abs(slopes[0])))
        add({"case": f"precision, {pair}", **row, "speed_up": slow / fast, "gradient_error": gap})


def calls(repeats, add):
    """Nanoseconds a point of WMAP and TwoDisc, checks and placement of cells included."""
    rays, nu = synax.Sightlines.healpix(32), jnp.asarray(2.4)
    few = synax.Sightlines.healpix(1)
    for steps in (13, 256):
        sky = sky_of(steps=steps)
        points = rays.n_rays * sky.cells(few)[1] * len(sky.quadrature.nodes)
        seconds(sky, rays, nu)
        best = min(seconds(sky, rays, nu) for _ in range(repeats))
        add({"case": f"{steps} cells, {rays.n_rays} rays", "ns_per_point": 1e9 * best / points})
    tiny = sky_of(steps=1)
    seconds(tiny, few, nu)
    best = min(seconds(tiny, few, nu) for _ in range(10 * repeats))
    add({"case": f"1 cell, {few.n_rays} rays", "call_ms": 1e3 * best})
    runs = {}
    for block in (2048, rays.n_rays):
        sky = sky_of(block=block)
        run, free, fixed = gradient(sky)
        forward = (eqx.filter_jit(lambda s, r, f: s(r, f)), sky, rays, nu)
        runs[block] = (forward, (run, free, fixed, rays, nu))
        for one in runs[block]:
            seconds(*one)
    small, large = runs.values()
    ratio = [np.divide(*in_turns(b, a, repeats)) for a, b in zip(small, large, strict=True)]
    add(
        {
            "case": f"blocks of {rays.n_rays} rays over blocks of 2048",
            "forward_ratio": float(ratio[0]),
            "gradient_ratio": float(ratio[1]),
        }
    )


def galaxy(nside, repeats, add):
    """CPU time of the calibrated Galaxy over that of itself without something."""
    rays = synax.Sightlines.healpix(nside)
    whole = synax.galaxies.calibrated(steps=64)
    halo = synax.cosmic_rays.Analytic(3.0, r0=whole.cosmic_rays.r0, z0=whole.cosmic_rays.z0)
    simpler = {
        "turbulence": synax.galaxies.calibrated(steps=64, turbulence=None),
        "the bend of the spectrum": synax.galaxies.calibrated(steps=64, cosmic_rays=halo),
    }
    run = eqx.filter_jit(lambda s, r, f: s(r, f))
    for name, other in simpler.items():
        row = {"case": f"calibrated Galaxy over itself without {name}"}
        for label, nu in {"one_frequency": (0.408,), "three": FREQUENCIES}.items():
            pair = [(run, sky, rays, jnp.asarray(nu)) for sky in (whole, other)]
            for one in pair:
                seconds(*one)
            row[label] = float(np.divide(*in_turns(*pair, repeats)))
        add(row)


PARTS = ("laws", "precision", "calls", "galaxy")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--models", nargs="+", default=MODELS, help="pairs for the precision")
    parser.add_argument("--nside", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--json", help="write the results to this file, after each row")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # not on every system
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    jax.config.update("jax_enable_x64", True)
    runs = {
        "laws": lambda add: laws(args.nside, args.repeats, add),
        "precision": lambda add: precision(args.nside, args.repeats, args.models, add),
        "calls": lambda add: calls(args.repeats, add),
        "galaxy": lambda add: galaxy(args.nside, args.repeats, add),
    }
    for part in args.only:
        rows = []

        def add(row, part=part, rows=rows):
            rows.append(row)
            print(row, flush=True)
            path = args.json and args.json.replace("laws", part)
            report(part, rows, path, **{} if part == "calls" else {"nside": args.nside})

        runs[part](add)


if __name__ == "__main__":
    main()

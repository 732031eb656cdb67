"""Error against points per ray and against time, for three skies and three frequencies.

    python benchmarks/accuracy.py [--quick] [--sky WMAP] [--json FILE]

Sightlines in random directions, so that none lies in a plane of symmetry; half of them at low
latitudes, where skies are hardest. The reference has 4096 graded cells a ray; the difference of
its own half resolution is told beside it (the error of the reference is that or less), and errors
below it are left out of the slopes. Error: of Q and U (rms over the rays, over the standard
deviation of the map), the larger; `typical` is the 68th percentile of the same instead, for a few
rays that graze a thin shell rule every rms.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import numpy as np
from _common import report, timed

import synax

FREQUENCIES = np.array([0.408, 2.4, 23.0])
REFERENCE = 4096


def skies():
    parts = dict(electrons=synax.electrons.YMW16(), cosmic_rays=synax.cosmic_rays.WMAP())
    yield "WMAP, YMW16", dict(magnetic=synax.magnetic.WMAP(), **parts)
    yield "JF12, YMW16", dict(magnetic=synax.magnetic.JF12(), **parts)
    yield "UF23, YMW16", dict(magnetic=synax.magnetic.UF23("base"), **parts)


def strategies():
    uniform, graded = synax.UniformSteps, synax.GradedSteps
    yield "equal midpoints, no faces", dict(faces=False, quadrature=synax.Midpoint()), uniform
    yield "equal cells, faces, Gauss", dict(), uniform
    yield "graded cells, faces, Gauss (default)", dict(), graded


def directions(n_rays, seed=3):
    rng = np.random.default_rng(seed)
    sine = rng.uniform(-1, 1, n_rays)
    sine[n_rays // 2 :] = np.sin(np.radians(rng.uniform(-15, 15, n_rays - n_rays // 2)))
    return synax.Sightlines.from_lonlat(rng.uniform(0, 360, n_rays), np.degrees(np.arcsin(sine)))


def errors(stokes, exact):
    """(rms, typical) of each frequency, the larger of Q and U."""
    found = []
    for name in ("Q", "U"):
        a, b = (np.asarray(getattr(s, name)) for s in (stokes, exact))
        gap, scale = np.abs(a - b), b.std(axis=-1)
        rms = np.sqrt(np.mean(gap**2, axis=-1))
        found.append((rms / scale, np.percentile(gap, 68, axis=-1) / scale))
    return np.max(found, axis=0)


def slope(xs, ys, floor):
    """Exponent of ys against xs, where ys lie below one and above the reference's own error."""
    xs, ys = np.asarray(xs), np.asarray(ys)
    keep = (ys > 3 * floor) & (ys < 0.3)
    return float(np.polyfit(np.log(xs[keep]), np.log(ys[keep]), 1)[0]) if keep.sum() > 2 else None


def study(name, parts, rays, budgets):
    """Rows (one for each strategy and budget) and slopes of one sky."""
    fine = synax.Synchrotron(**parts, steps=REFERENCE)(rays, FREQUENCIES)
    half = synax.Synchrotron(**parts, steps=REFERENCE // 2)(rays, FREQUENCIES)
    floor = errors(half, fine)
    rows, slopes = [], []
    for label, kwargs, rule in strategies():
        found = []
        for budget in budgets:
            nodes = 1 if kwargs else 2
            sky = synax.Synchrotron(**parts, steps=rule(budget // nodes), **kwargs)
            # one time for the whole compiled program, whose first run gives the map
            start = time.perf_counter()
            stokes = jax.block_until_ready(sky(rays, FREQUENCIES))
            first = time.perf_counter() - start
            _, seconds = timed(sky, rays, FREQUENCIES, repeats=4)
            points = sky.cells(rays)[1] * nodes
            rms, typical = errors(stokes, fine)
            row = {"sky": name, "strategy": label, "points": points}
            row |= {"us_per_ray": 1e6 * seconds / rays.n_rays, "first_s": first}
            for i, nu in enumerate(FREQUENCIES):
                row |= {f"rms@{nu:g}": float(rms[i]), f"typical@{nu:g}": float(typical[i])}
            found.append(row)
            print(row, flush=True)
        for i, nu in enumerate(FREQUENCIES):
            column = lambda key, found=found: [r[key] for r in found]
            points, seconds = column("points"), column("us_per_ray")
            rms, typical = column(f"rms@{nu:g}"), column(f"typical@{nu:g}")
            slopes.append(
                {
                    "sky": name,
                    "strategy": label,
                    "GHz": float(nu),
                    "rms against points": slope(points, rms, floor[0][i]),
                    "rms against time": slope(seconds, rms, floor[0][i]),
                    "typical against points": slope(points, typical, floor[1][i]),
                    "typical against time": slope(seconds, typical, floor[1][i]),
                    "reference": float(floor[0][i]),
                    "reference, typical": float(floor[1][i]),
                }
            )
        rows += found
    return rows, slopes


def kept(file, sky):
    """Rows and slopes of the other skies in an earlier record."""
    record = json.loads(Path(file).read_text()) if Path(file).exists() else {}
    other = lambda key: [r for r in record.get(key, []) if not r["sky"].startswith(sky)]
    return other("rows"), other("slopes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one sky, few steps")
    parser.add_argument("--sky", help="only the sky whose name starts so; others in FILE stay")
    parser.add_argument("--rays", type=int, default=768)
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    synax.use_cores()
    rays = directions(args.rays).sharded()
    budgets = (32, 64, 128) if args.quick else (32, 64, 128, 256, 512, 1024)
    rows, slopes = kept(args.json, args.sky) if args.json and args.sky else ([], [])
    start = time.perf_counter()
    wanted = [s for s in skies() if s[0].startswith(args.sky or "")]
    for name, parts in wanted[: 1 if args.quick else None]:
        more_rows, more_slopes = study(name, parts, rays, budgets)
        rows, slopes = rows + more_rows, slopes + more_slopes
        # after every sky, so that a run that is cut off keeps what it has
        took = time.perf_counter() - start
        report(
            "accuracy", rows, args.json, slopes=slopes, n_rays=args.rays,
            reference_steps=REFERENCE, seconds=round(took, 1),
        )  # fmt: skip


if __name__ == "__main__":
    main()

"""All that there is to know about an accelerator, from one run of at most ten minutes.

    python benchmarks/gpu_one_slot.py --json card.jsonl [--seconds 570] [--reference PATH]
    python benchmarks/gpu_one_slot.py --dry-run      every point, tiny, on the CPU

For a bare machine that is lent for minutes. Each point runs in a fresh process, so that its peak
memory is its own and a crash or a full memory costs one point. The most important come first. Each
gives one line of JSON, printed and written when it is there: a run that is cut off keeps its lines.
A point gets --each seconds at most, and none starts that could not end in time.

A line has: wall seconds of tracing and lowering, of compilation, of the first run, and the best and
the median of the later ones; points (rays x cells x nodes) a second; the bytes that the compiler
predicts (`synax.memory_estimate` asks for the same) and the largest number that the device counted;
two sums of the maps, which say whether points agree. The first point compares the device with the
CPU of the same machine: largest difference over the largest value.
"""

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

SMALL = {"nside": 64, "steps": 256}
LARGE = {"nside": 256, "steps": 256}


def plan(reference=None):
    """The points in the order of their importance."""
    points = [{"case": "device against CPU", "kind": "agreement", "nside": 16, "steps": 64}]

    def add(case, kind, size, **more):
        points.append({"case": case, "kind": kind, **size, **more})

    add("forward", "forward", SMALL)
    add("forward", "forward", LARGE)
    add("gradient, 4 parameters", "four", SMALL)
    add("gradient, all parameters", "all", LARGE)
    for precision in ("float32", "mixed"):
        add("forward", "forward", LARGE, precision=precision)
        add("gradient, all parameters", "all", LARGE, precision=precision)
    for shape in ((128, 128, 32), (256, 256, 64)):
        add("gradient of a grid (scatter)", "grid", SMALL, grid=shape)
    add("gradient of a grid (scatter)", "grid", SMALL, grid=(256, 256, 64), precision="float32")
    for block in (8192, 32768, 131072, 524288):
        add("forward, block", "forward", LARGE, block=block)
        add("gradient, block", "all", LARGE, block=block)
    if reference:
        size = {"nside": 64, "steps": 512}
        add("the paper's code beside ours", "reference", size, reference=str(reference))
    for magnetic, electrons in (("JF12", "YMW16"), ("UF23", "NE2025"), ("KST24", "NE2001")):
        names = {"magnetic": magnetic, "electrons": electrons}
        add(f"forward, {magnetic} and {electrons}", "forward", SMALL, **names)
    add("gradient, JF12 and YMW16", "all", SMALL, magnetic="JF12", electrons="YMW16")
    add("forward, 8 frequencies", "forward", SMALL, frequencies=8)
    add("forward, few cells", "forward", {"nside": 64, "steps": 13})
    add("forward", "forward", {"nside": 1024, "steps": 512})
    add("gradient, all parameters", "all", {"nside": 512, "steps": 256})
    return points


def tiny(point):
    """The same point, small enough for a CPU in seconds."""
    smaller = {"nside": 1, "steps": 4}
    if "grid" in point:
        smaller["grid"] = (4, 4, 4)
    if "block" in point:
        smaller["block"] = 1 + point["block"] % 5
    return point | smaller


def setting(point):
    """Sky, rays and frequency of a point."""
    import jax
    import jax.numpy as jnp
    from _common import cast

    import synax

    precision = point.get("precision", "float64")
    kwargs = {"steps": point["steps"], "block": point.get("block")}
    if precision == "mixed":
        kwargs["precision"] = jnp.float32
    magnetic = getattr(synax.magnetic, point.get("magnetic", "WMAP"))()
    if "grid" in point:
        box = synax.Box((20.0, 20.0, 5.0))
        magnetic = synax.GridField.from_field(magnetic, box, shape=tuple(point["grid"]))
    electrons = getattr(synax.electrons, point.get("electrons", "TwoDisc"))()
    sky = synax.Synchrotron(magnetic, electrons, synax.cosmic_rays.WMAP(), **kwargs)
    rays = synax.Sightlines.healpix(point["nside"])
    count = point.get("frequencies", 1)
    frequency = jnp.asarray(2.4) if count == 1 else jnp.linspace(0.4, 23.0, count)
    if precision == "float32":
        sky, rays, frequency = (
            cast(sky, "float32"),
            cast(rays, "float32"),
            cast(frequency, "float32"),
        )
    return jax.block_until_ready((sky, rays, frequency))


def program(point):
    """The function of (free, fixed, rays, frequency) that a point times, and how to split a sky."""
    import equinox as eqx
    import jax.numpy as jnp

    import synax

    def maps(free, fixed, rays, frequency):
        return eqx.combine(free, fixed)(rays, frequency)

    def loss(free, fixed, rays, frequency):
        stokes = maps(free, fixed, rays, frequency)
        return jnp.sum(stokes.Q**2) + jnp.sum(stokes.U**2)

    def split(sky):
        if point["kind"] in ("four", "grid"):
            names = ("values",) if point["kind"] == "grid" else ("b0", "psi0", "psi1", "chi0")
            return eqx.partition(sky, synax.select(sky, *(f"magnetic.{n}" for n in names)))
        return eqx.partition(sky, eqx.is_inexact_array)

    if point["kind"] == "forward":
        return maps, split
    return eqx.filter_value_and_grad(loss), split


def sums(result):
    """Two numbers that say whether results agree: the sum of all values, and of their squares."""
    import jax
    import numpy as np

    leaves = [np.asarray(x, float) for x in jax.tree.leaves(result)]
    return [sum(float(x.sum()) for x in leaves), sum(float((x * x).sum()) for x in leaves)]


def measure(point, repeats=5):
    """The line of one point; in a process of its own."""
    import equinox as eqx
    import jax

    import synax

    if point["kind"] == "agreement":
        return agreement(point)
    if point["kind"] == "reference":
        from against import against_paper

        return {"rows": against_paper(point["reference"], point["nside"], point["steps"])}
    sky, rays, frequency = setting(point)
    function, split = program(point)
    free, fixed = split(sky)
    clock = time.perf_counter
    begin = clock()
    lowered = eqx.filter_jit(function).lower(free, fixed, rays, frequency)
    lowered_at = clock()
    compiled = lowered.compile()
    compiled_at = clock()
    run = lambda: jax.block_until_ready(compiled(free, fixed, rays, frequency))
    result = run()
    seconds = [clock() - compiled_at]
    for _ in range(repeats):
        start = clock()
        run()
        seconds.append(clock() - start)
    analysis = compiled.compiled.memory_analysis()
    cells = sky.cells(synax.Sightlines.healpix(1))[1]  # the same for all rays
    points = rays.n_rays * cells * len(sky.quadrature.nodes)
    counted = jax.devices()[0].memory_stats() or {}
    return {
        "points": points,
        "trace_s": lowered_at - begin,
        "compile_s": compiled_at - lowered_at,
        "first_s": seconds[0],
        "best_s": min(seconds[1:]),
        "median_s": statistics.median(seconds[1:]),
        "Mpoints_per_s": points / min(seconds[1:]) / 1e6,
        "predicted_bytes": analysis.temp_size_in_bytes
        + analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes,
        "peak_bytes": counted.get("peak_bytes_in_use"),
        "device_bytes": counted.get("bytes_limit"),
        "process_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "sums": sums(result),
    }


def agreement(point):
    """Maps and gradients of the default device against those of the CPU of the same machine."""
    import equinox as eqx
    import jax
    import numpy as np

    found = {}
    for kind in ("forward", "all"):
        function, split = program({**point, "kind": kind})
        results = []
        for device in (jax.devices()[0], jax.devices("cpu")[0]):
            with jax.default_device(device):
                sky, rays, frequency = setting(point)
                result = eqx.filter_jit(function)(*split(sky), rays, frequency)
                results.append([np.asarray(x, float) for x in jax.tree.leaves(result)])
        largest = [
            float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-300))
            for a, b in zip(*results, strict=True)
        ]
        found[f"{kind}_largest_difference"] = max(largest)
    return found


def device():
    """What the lines belong to."""
    import jax
    from _common import machine

    about = jax.devices()[0]
    return {"case": "machine", **machine(), "memory": about.memory_stats()}


def in_process(point, environment, limit):
    """The line of a point from a process of its own, or why there is none."""
    command = [sys.executable, str(Path(__file__).resolve()), "--point", json.dumps(point)]
    try:
        done = subprocess.run(
            command, env=environment, timeout=limit, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {limit:.0f} s"}
    with contextlib.suppress(ValueError, IndexError):
        if done.returncode == 0:
            return json.loads(done.stdout.strip().splitlines()[-1])
    words = done.stderr.strip().splitlines() or ["no message"]
    return {"failed": f"exit code {done.returncode}: {words[-1][:300]}"}


def drive(points, seconds, each, run, write, clock=time.monotonic):
    """Run points until the time is over; returns how many have a result."""
    begin, done = clock(), 0
    for point in points:
        left = seconds - (clock() - begin)
        if left <= 1.0:
            write({**point, "left_out": "no time left"})
            continue
        start = clock()
        line = run(point, min(each, left))
        done += "failed" not in line
        write({**point, **line, "whole_s": clock() - start})
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=570.0, help="wall-clock bound of all")
    parser.add_argument("--each", type=float, default=90.0, help="wall-clock bound of a point")
    parser.add_argument("--reference", help="checkout of the paper's code")
    parser.add_argument("--dry-run", action="store_true", help="tiny, on the CPU: does it all run?")
    parser.add_argument("--json", help="append the lines to this file as they come")
    parser.add_argument("--point", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.point:
        import jax

        jax.config.update("jax_enable_x64", True)
        point = json.loads(args.point)
        print(json.dumps(device() if point["kind"] == "machine" else measure(point)))
        return 0
    environment = dict(os.environ, XLA_PYTHON_CLIENT_PREALLOCATE="false")
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    here = str(Path(__file__).resolve().parent.parent)  # the package beside this file
    environment["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]).strip(":")
    points = [{"case": "machine", "kind": "machine"}, *plan(args.reference)]
    if args.dry_run:
        environment["JAX_PLATFORMS"] = "cpu"
        points = [points[0], *map(tiny, points[1:])]

    def write(line):
        text = json.dumps(line)
        print(text, flush=True)
        if args.json:
            with open(args.json, "a") as file:
                file.write(text + "\n")

    run = lambda point, limit: in_process(point, environment, limit)
    done = drive(points, args.seconds, args.each, run, write)
    print(f"{done} of {len(points)} points", file=sys.stderr)
    return int(done < len(points))


if __name__ == "__main__":
    sys.exit(main())

"""Trilinear look-up of B on a grid and its gradient, against interpax on the same points.

The points are those of a HEALPix sky seen from the Sun through the box of the grid, marched as
the integrator does: blocks of rays, all rays of a block advancing together. interpax is timed
both ways, in the same march and with all points in one array (`flat`, how grids are commonly
used with it). Every figure is CPU nanoseconds per point, the best of several runs taken in turns.
The process keeps to one core: threads that wait for each other would count as work.

    python benchmarks/grid_gather.py --shape 128x128x32 256x256x64 --json grid.json
"""

import argparse
import os
import platform
import time

import equinox as eqx
import interpax
import jax
import jax.numpy as jnp
import numpy as np
from _common import report

import synax


def ray_points(nside, steps, block, box):
    """Midpoints of equal cells: (blocks, steps, 3, block)."""
    rays = synax.Sightlines.healpix(nside=nside, domain=box)
    near, far = rays.span()
    fraction = (jnp.arange(steps) + 0.5) / steps
    distance = near + fraction[:, None] * (far - near)
    origin = jnp.broadcast_to(rays.origin, rays.direction.shape)
    points = origin + distance[:, None, :] * rays.direction
    block = min(block, points.shape[-1])
    points = points[..., : points.shape[-1] // block * block]
    return jnp.moveaxis(points.reshape(steps, 3, -1, block), 2, 0)


def marched(field):
    """Sum of weight * B over all points, block by block and step by step."""

    def total(points, weights):
        def cell(sums, xs):
            return sums + jnp.sum(xs[1] * field(xs[0]), axis=0), None

        def one(block):
            zero = jnp.zeros_like(block[0][0, 0])
            return jnp.sum(jax.lax.scan(cell, zero, block)[0])

        return jnp.sum(jax.lax.map(one, (points, weights)))

    return total


def marched_gradient(field_of, table, points, weights):
    """The gradient with respect to the table as the integrator collects it."""

    def cell(total, xs):
        value = lambda table: jnp.sum(xs[1] * field_of(table)(xs[0]))
        return total + jax.grad(value)(table), None

    def one(total, block):
        return jax.lax.scan(cell, total, block)[0], None

    return jax.lax.scan(one, jnp.zeros_like(table), (points, weights))[0]


def programs(values, box, points, weights):
    """Name -> (function of no arguments, what it computes)."""
    ours = synax.GridField(values, box).prepare()
    our_field = lambda table: eqx.tree_at(lambda g: g.table, ours, table)
    axes = synax.GridField(values, box).axes()
    last = jnp.moveaxis(values, 0, -1)
    their_field = lambda table: (
        lambda x: interpax.interp3d(x[0], x[1], x[2], *axes, table, method="linear").T
    )
    flatten = lambda a: jnp.moveaxis(a, 2, 0).reshape(3, -1)

    def flat(table, points, weights):
        return jnp.sum(flatten(weights) * their_field(table)(flatten(points)))

    pairs = {"synax": (our_field, ours.table), "interpax": (their_field, last)}
    work = {}
    for name, (field_of, table) in pairs.items():
        forward = jax.jit(lambda t, p, w, f=field_of: marched(f(t))(p, w))
        gradient = jax.jit(lambda t, p, w, f=field_of: marched_gradient(f, t, p, w))
        work[name, "forward"] = (forward, table)
        work[name, "gradient"] = (gradient, table)
    work["interpax flat", "forward"] = (jax.jit(flat), last)
    work["interpax flat", "gradient"] = (jax.jit(jax.grad(flat)), last)
    return {k: (lambda f=f, t=t: f(t, points, weights)) for k, (f, t) in work.items()}


def measure(shape, points, box, dtype, repeats):
    key = jax.random.key(0)
    values = jax.random.normal(key, (3, *shape), dtype)
    weights = jax.random.normal(jax.random.key(1), points.shape, dtype)
    work = programs(values, box, points, weights)
    results = {name: jax.block_until_ready(run()) for name, run in work.items()}
    expected = np.asarray(results["interpax", "gradient"]).ravel()
    found = np.asarray(results["synax", "gradient"]).ravel()
    error = float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
    del results, expected, found
    best = dict.fromkeys(work, np.inf)
    for _ in range(repeats):
        for name, run in work.items():
            start = time.process_time()
            jax.block_until_ready(run())
            best[name] = min(best[name], time.process_time() - start)
    n = points.size // 3
    record = {"shape": shape, "points": n, "dtype": str(dtype), "gradient_difference": error}
    record["ns_per_point"] = {" ".join(name): 1e9 * t / n for name, t in best.items()}
    record["ratio"] = {
        f"{other} {what}": best[other, what] / best["synax", what]
        for other in ("interpax", "interpax flat")
        for what in ("forward", "gradient")
    }
    return record


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", nargs="+", default=["128x128x32", "256x256x64"])
    parser.add_argument("--nside", type=int, default=64)
    parser.add_argument("--steps", type=int, default=32, help="steps per ray")
    parser.add_argument("--block", type=int, default=4096, help="rays advanced together")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float64")
    parser.add_argument("--json", help="write the records to this file")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # not on every system
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    jax.config.update("jax_enable_x64", given.dtype == "float64")
    box = synax.Box((20.0, 20.0, 5.0))
    points = ray_points(given.nside, given.steps, given.block, box)
    device = jax.devices()[0]
    print(f"{platform.machine()} {device.platform} ({device.device_kind}), jax {jax.__version__}")
    records = []
    for text in given.shape:
        shape = tuple(int(n) for n in text.split("x"))
        record = measure(shape, points, box, jnp.dtype(given.dtype), given.repeats)
        records.append(record)
        print(f"\n{text} x 3, {record['points']:,} points, {record['dtype']}")
        for name, ns in record["ns_per_point"].items():
            print(f"  {name:24s} {ns:8.1f} ns per point")
        for name, ratio in record["ratio"].items():
            print(f"  {name:24s} / synax: {ratio:6.1f}")
        print(f"  largest difference of the gradients {record['gradient_difference']:.1e}")
    rows = [
        {
            "case": f"{' x '.join(map(str, r['shape']))} x 3",
            "points": r["points"],
            **{f"{name}_ns": ns for name, ns in r["ns_per_point"].items()},
            "interpax over synax, gradient, the same march": r["ratio"]["interpax gradient"],
            "interpax flat over synax, gradient": r["ratio"]["interpax flat gradient"],
            "gradients differ by": r["gradient_difference"],
        }
        for r in records
    ]
    report("grid_gather", rows, given.json, dtype=given.dtype)


if __name__ == "__main__":
    main()

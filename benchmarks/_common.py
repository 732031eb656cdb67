"""What every benchmark needs: problems, timing, the machine, tables and JSON."""

import json
import os
import platform
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import synax


class SmoothDensity(synax.AbstractScalarField):
    """The analytic thermal-electron density of the convergence study (no edges)."""

    scale: Array = synax.parameter(1.0, "", "overall factor")

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        r = jnp.sqrt(x * x + y * y + 1e-12)
        sech2 = lambda u: 1.0 / jnp.cosh(u) ** 2
        disc = 0.03 * jnp.exp(-(r - 8.3) / 8.0) * sech2(z)
        return self.scale * (disc + 0.1 * jnp.exp(-(((r - 4.0) / 1.5) ** 2)) * sech2(z / 0.3))


def problem(electrons="smooth", magnetic=None, dtype="float64", **kwargs):
    """The standard sky: WMAP field and cosmic rays, a choice of electrons."""
    densities = {
        "smooth": SmoothDensity,
        "ymw16": synax.electrons.YMW16,
        "grid": lambda: synax.GridField.from_field(
            SmoothDensity(), synax.Box((20.0, 20.0, 5.0)), shape=(256, 256, 64)
        ),
    }
    sky = synax.Synchrotron(
        synax.magnetic.WMAP() if magnetic is None else magnetic,
        densities[electrons](),
        synax.cosmic_rays.WMAP(),
        **kwargs,
    )
    return cast(sky, dtype)


def cast(tree, dtype):
    """All floating-point leaves in one precision."""
    return jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, tree)


def timed(function, *args, repeats=5):
    """(first call, best of the others) in seconds of wall time."""
    start = time.perf_counter()
    jax.block_until_ready(function(*args))
    first = time.perf_counter() - start
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        best = min(best, time.perf_counter() - start)
    return first, best


def timed_both(function, *args, repeats=5):
    """Best wall and best CPU seconds of later calls; the second is the one to trust under load."""
    jax.block_until_ready(function(*args))
    wall = cpu = float("inf")
    for _ in range(repeats):
        start, own = time.perf_counter(), time.process_time()
        jax.block_until_ready(function(*args))
        wall = min(wall, time.perf_counter() - start)
        cpu = min(cpu, time.process_time() - own)
    return wall, cpu


def machine():
    """The hardware and software the numbers belong to."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "devices": [str(d.device_kind) for d in jax.devices()],
        "python": platform.python_version(),
        "jax": jax.__version__,
        "synax": synax.__version__,
    }


def report(title, rows, path=None, **extra):
    """Print rows (list of dicts) as a table and, if a path is given, write them as JSON."""
    record = {"benchmark": title, "machine": machine(), **extra, "rows": rows}
    print(
        f"\n{title}: {record['machine']['cpu']}, {record['machine']['devices']}, "
        f"load {record['machine']['load']:.1f}"
    )
    keys = list(dict.fromkeys(k for row in rows for k in row))
    show = lambda v: f"{v:.4g}" if isinstance(v, float) else str(v)
    table = [keys] + [[show(row.get(k, "")) for k in keys] for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(keys))]
    for line in table:
        print("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)))
    if path:
        Path(path).write_text(json.dumps(record, indent=1) + "\n")
    return record

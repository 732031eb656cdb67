"""Cost and accuracy of every model of the catalogue.

    python benchmarks/models.py [NAME ...] [--json FILE]

Times are of the processor (all threads together), so that a busy machine disturbs them little.
The floor of a model is what its exponentials, logarithms, sines and cosines, arctangents, roots
and divisions cost, counted in its program and timed one by one in the same run. "error_float32" is
the median, "worst_float32" the 99th percentile of the error of single precision relative to the
value; "divergence" is the rms of div B over the rms of B (1/kpc) inside 15 x 15 x 3 kpc.
"""

import argparse
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _common import report

import synax
from synax._catalogue import REQUIRED, models
from synax._numerics import _math

RAYS, DEPTHS = 192, 64  # as many points as the march evaluates at once
CODES = {"exp", "log", "tanh", "sqrt", "rsqrt", "div", "exp2", "expm1", "log1p", "logistic", "pow"}
CODES |= {"sin", "cos", "tan", "atan2", "sincos", "cbrt", "erf"}


def cases():
    """Every model with its published values, and its versions."""
    found = {}
    for entry in models():
        if all(p.default != REQUIRED for p in entry.parameters):
            name = f"{entry.group}.{entry.name}"
            found[name] = entry.make
            found.update({f"{name}.{v}": entry.variant(v) for v in entry.variants})
    found["magnetic.Jaffe13 ring"] = lambda: synax.magnetic.Jaffe13(ring=True)
    return found


def positions():
    """Points along rays from the Sun to the ends of the default domain (3, depths, rays)."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(3, 1, RAYS)) * np.array([1.0, 1.0, 0.3])[:, None, None]
    direction = direction / np.linalg.norm(direction, axis=0)
    s = np.linspace(0.05, 18.0, DEPTHS)[:, None]
    return jnp.asarray(np.array([-8.3, 0.0, 0.006])[:, None, None] + s * direction)


def compiled(function, *args):
    """The compiled program, the seconds of wall and processor that compiling took."""
    wall, cpu = time.perf_counter(), time.process_time()
    program = jax.jit(function).lower(*args).compile()
    return program, time.perf_counter() - wall, time.process_time() - cpu


def nanoseconds(program, *args, points=RAYS * DEPTHS):
    """Processor time a point, the best of several."""
    jax.block_until_ready(program(*args))
    start = time.process_time()
    jax.block_until_ready(program(*args))
    calls = int(np.clip(0.02 / max(time.process_time() - start, 1e-6), 2, 200))
    best = float("inf")
    for _ in range(7):
        start = time.process_time()
        for _ in range(calls):
            out = program(*args)
        jax.block_until_ready(out)
        best = min(best, (time.process_time() - start) / calls)
    return 1e9 * best / points


def count(jaxpr, points, found=None):
    """How often each costly operation is done, a point."""
    found = {} if found is None else found
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        label = str(equation.params.get("name", "")) or name
        if name == "custom_jvp_call":
            label = equation.params["call_jaxpr"].jaxpr.debug_info.func_name
        if label in ("sincos", "atan2", "sin", "cos", "log") and name == "custom_jvp_call":
            size = max(v.aval.size for v in equation.invars)
            found[label] = found.get(label, 0.0) + size / points
            continue
        if name in CODES:
            size = max(v.aval.size for v in equation.outvars)
            found[name] = found.get(name, 0.0) + size / points
        times = equation.params.get("length", 1) if name == "scan" else 1
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    for key, n in count(inner, points).items():
                        found[key] = found.get(key, 0.0) + times * n
    return found


def prices(x):
    """Nanoseconds an element of each costly operation, in a chain that hides memory."""
    operations = {
        "exp": lambda x: jnp.exp(-x),
        "log": lambda x: jnp.log(x + 2.0),
        "log1p": lambda x: jnp.log1p(x),
        "expm1": lambda x: jnp.expm1(-x),
        "tanh": jnp.tanh,
        "logistic": jax.nn.sigmoid,
        "sqrt": lambda x: jnp.sqrt(x + 2.0),
        "rsqrt": lambda x: jax.lax.rsqrt(x + 2.0),
        "div": lambda x: 1.0 / (x + 2.0),
        "sincos": lambda x: sum(_math.sincos(x)),
        "atan2": lambda x: _math.atan2(x, x + 2.0),
        "sin": jnp.sin,
        "cos": jnp.cos,
    }
    n = 8

    def chain(operation):
        def run(x):
            for _ in range(n):
                x = operation(x)
            return x

        return run

    idle = nanoseconds(compiled(lambda x: x + 2.0, x)[0], x, points=x.size)
    found = {}
    for name, operation in operations.items():
        cost = nanoseconds(compiled(chain(operation), x)[0], x, points=x.size)
        found[name] = max((cost - idle) / n, 0.0)
    return found


def accuracy(field):
    """Error of single precision, and divergence, at random points."""
    rng = np.random.default_rng(2)
    x = jnp.asarray(rng.uniform(-1, 1, (3, 4000)) * np.array([15.0, 15.0, 3.0])[:, None])
    x = x.astype(jnp.float32).astype(jnp.float64)
    evaluate = jax.jit(lambda field, x: field(x))
    low = jax.tree.map(lambda v: v.astype(jnp.float32) if eqx.is_inexact_array(v) else v, field)
    exact, single = evaluate(field, x), evaluate(low, x.astype(jnp.float32))
    size = lambda v: jnp.sqrt(jnp.sum(v * v, axis=0)) if v.ndim > 1 else jnp.abs(v)
    seen = size(exact) > 1e-3 * jnp.max(size(exact))
    if not np.any(seen):  # a local field, which the random points miss
        return {"error_float32": "", "worst_float32": "", "divergence": ""}
    error = (size(single - exact) / jnp.where(seen, size(exact), 1.0))[seen]
    found = {
        "error_float32": float(jnp.median(error)),
        "worst_float32": float(jnp.quantile(error, 0.99)),
    }
    if exact.ndim > 1:

        @jax.jit
        def divergence(field, x):
            unit = jnp.eye(3)[:, :, None] + 0.0 * x
            along = lambda i: jax.jvp(field, (x,), (unit[i],))[1][i]
            return jnp.sqrt(jnp.mean(sum(along(i) for i in range(3)) ** 2))

        found["divergence"] = float(divergence(field, x) / jnp.sqrt(jnp.mean(size(exact) ** 2)))
    return found


def row(name, make, x, price, known):
    """Cost, taken from `known` where another model is the same program, and accuracy."""
    field = make()
    free, fixed = eqx.partition(field, eqx.is_inexact_array)
    forward = lambda free, x: eqx.combine(free, fixed).prepare()(x)
    program = str(jax.make_jaxpr(forward)(free, x))
    if program not in known:
        known[program] = cost(forward, free, x, price)
    n = sum(leaf.size for leaf in jax.tree.leaves(free))
    return {"model": name, "parameters": n, **known[program], **accuracy(field)}


def cost(forward, free, x, price):
    """Times of the value, and of the value with the derivative by every parameter."""
    shape = jax.eval_shape(forward, free, x).shape
    weight = jnp.asarray(np.random.default_rng(1).normal(size=shape))
    gradient = jax.value_and_grad(lambda free, x: jnp.sum(weight * forward(free, x)))
    found = {}
    for label, program in (("forward", forward), ("gradient", gradient)):
        run, wall, cpu = compiled(program, free, x)
        counts = count(jax.make_jaxpr(program)(free, x).jaxpr, x[0].size)
        floor = sum(n * price.get(key, price["exp"]) for key, n in counts.items())
        found[label] = (nanoseconds(run, free, x), floor, wall, cpu)
    (f, floor, wall, cpu), (g, g_floor, g_wall, g_cpu) = found["forward"], found["gradient"]
    return {
        "forward_ns": f,
        "floor_ns": floor,
        "over_floor": f / floor if floor > 1.0 else "",
        "gradient_ns": g,
        "gradient_floor_ns": g_floor,
        "gradient_over_floor": g / g_floor if g_floor > 1.0 else "",
        "over_forward": g / f,
        "compile_s": wall,
        "compile_cpu_s": cpu,
        "gradient_compile_s": g_wall,
        "gradient_compile_cpu_s": g_cpu,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="only models whose name holds one of these")
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    x = positions()
    price = prices(jnp.abs(x[2]))
    rows, known = [], {}
    for name, make in cases().items():
        if args.names and not any(part.lower() in name.lower() for part in args.names):
            continue
        rows.append(row(name, make, x, price, known))
        print(name, {k: f"{v:.3g}" for k, v in rows[-1].items() if isinstance(v, float)})
    told = {key: round(value, 2) for key, value in price.items()}
    report("models", rows, args.json, points=x[0].size, nanoseconds=told)


if __name__ == "__main__":
    main()

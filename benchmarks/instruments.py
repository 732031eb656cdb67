"""What a beam and a band cost: gradients of a likelihood at NSIDE 64 against those without them.

python benchmarks/instruments.py [--nside 64] [--steps 64] [--output FILE.json]
"""

import argparse
import json
from pathlib import Path

import jax
import jax.numpy as jnp
from _common import machine, problem, timed

import synax
from synax.instruments import Bandpass, GaussianBeam

COLUMNS = ("I", "Q", "U")


def ways(nside):
    """Name -> function from a simulator and sightlines to (3, n_pix)."""
    band, beam = Bandpass.top_hat(1.39, 1.41), GaussianBeam(3.0)
    stack = lambda s: jnp.stack([s.I, s.Q, s.U])
    smooth = lambda x: beam.smooth(x, COLUMNS, nside)
    return {
        "one frequency": lambda sky, rays: stack(sky(rays, 1.4)),
        "beam": lambda sky, rays: smooth(stack(sky(rays, 1.4))),
        "narrow band": lambda sky, rays: stack(band.narrow(sky, rays)),
        "beam, narrow band": lambda sky, rays: smooth(stack(band.narrow(sky, rays))),
        "beam, band of 2 frequencies": lambda sky, rays: smooth(stack(band(sky, rays, 2))),
        "beam, band of 4 frequencies": lambda sky, rays: smooth(stack(band(sky, rays, 4))),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nside", type=int, default=64)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rays = synax.Sightlines.healpix(options.nside)
    sky = problem(steps=options.steps)
    rows = {}
    for name, see in ways(options.nside).items():

        @jax.jit
        def gradient(b0, see=see):
            loss = lambda b0: jnp.sum(see(synax.replace(sky, {"magnetic.b0": b0}), rays) ** 2)
            return jax.value_and_grad(loss)(b0)

        _, seconds = timed(gradient, 1.2, repeats=options.repeats)
        rows[name] = seconds
        print(f"{name:<30} {seconds:8.2f} s   {seconds / rows['one frequency']:.2f}", flush=True)
    if options.output:
        record = {"machine": machine(), "nside": options.nside, "steps": options.steps}
        record |= {"seconds": rows}
        options.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

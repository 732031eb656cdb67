"""Memory on each device for a field on a grid: one device, the grid on eight, divided over eight.

    python benchmarks/divided_grid.py [--json FILE]

The compiler's own account (arguments, temporaries and results) of a map of NSIDE 32 and of its
gradient with respect to every number. One CPU poses as eight devices.
"""

import argparse
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import numpy as np
from _common import report

import synax


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    values = np.random.default_rng(0).normal(size=(3, 256, 256, 64))
    grid = synax.GridField(values, synax.Box((20.0, 20.0, 5.0)))
    rays = synax.Sightlines.healpix(32)
    cases = {
        "one device": (grid, rays),
        "eight, grid replicated": (grid, rays.sharded()),
        "eight, grid divided": (grid.sharded(), rays.sharded()),
    }
    rows = []
    for case, (field, lines) in cases.items():
        sky = synax.Synchrotron(field, None, synax.cosmic_rays.WMAP())
        forward, gradient = (
            synax.memory_estimate(sky, lines, 2.4, gradient=which) / 1e6 for which in (False, True)
        )
        rows.append({"case": case, "forward_MB": forward, "gradient_MB": gradient})
        print(rows[-1], flush=True)
    report("divided_grid", rows, args.json)


if __name__ == "__main__":
    main()

"""Several devices: forced CPU devices in one process, and two processes."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.distributed

PROBLEM = """
import json, sys
import jax, jax.numpy as jnp, equinox as eqx, numpy as np
jax.config.update("jax_enable_x64", True)
{setup}
import synax
# 3 x 48 + 3 rays: not a multiple of any number of devices
pixels = np.arange(147)
rays = synax.Sightlines.healpix(4, pixels=pixels)
sky = synax.Synchrotron(
    synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=6, block=16
)
frequency = jnp.array([0.6, 2.4])

@eqx.filter_jit
def both(sky, rays):
    def loss(sky):
        stokes = sky(rays, frequency)
        return jnp.sum(stokes.Q**2) + jnp.sum(stokes.I)
    value, gradient = eqx.filter_value_and_grad(loss)(sky)
    return value, jax.tree.leaves(gradient.magnetic) + jax.tree.leaves(gradient.cosmic_rays)

def numbers(rays):
    value, gradient = both(sky, rays)
    return [float(value)] + [float(jnp.sum(g)) for g in gradient]
"""


def run_all(codes, flags=""):
    """Run programs side by side; the JSON on the last line of each one's output."""
    environment = dict(os.environ, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")

    def one(code):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, codes))


def test_eight_forced_devices_give_the_same_numbers():
    code = PROBLEM.format(setup="") + (
        "print(json.dumps([numbers(rays), numbers(rays.sharded()), len(jax.devices())]))"
    )
    one, many, count = run_all([code], "--xla_force_host_platform_device_count=8")[0]
    assert count == 8
    assert many == pytest.approx(one, rel=1e-12)


def test_two_processes_give_the_same_numbers():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    codes = [PROBLEM.format(setup="") + "print(json.dumps(numbers(rays)))"]
    for rank in range(2):
        setup = f'jax.distributed.initialize("127.0.0.1:{port}", 2, {rank})'
        code = PROBLEM.format(setup=setup) + (
            "assert len(jax.devices()) == 2 and jax.process_count() == 2\n"
            "print(json.dumps(numbers(rays.sharded())))"
        )
        codes.append(code)
    alone, first, second = run_all(codes)
    assert first == second
    assert first == pytest.approx(alone, rel=1e-12)


def test_a_mesh_needs_one_axis():
    import jax
    import numpy as np

    import synax

    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("a", "b"))
    with pytest.raises(ValueError, match="one axis"):
        synax.Sightlines.healpix(1).sharded(mesh)

"""Several devices: forced CPU devices in one process, and two processes."""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    synax.magnetic.WMAP(), synax.electrons.Uniform(), synax.cosmic_rays.WMAP(), steps=6, block=16,
    background=np.linspace(0.1, 0.2, 147),
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


QUICK = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport quick\n"
"""What compiles as the tests do."""


def run_all(codes, flags="", lines=1):
    """Run programs side by side; the JSON on the last line, or lines, of each one's output."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {flags}"
    environment = dict(os.environ, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")

    def one(code):
        done = subprocess.run(
            [sys.executable, "-c", f"{QUICK}quick.be_quick()\n{code}"],
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        last = [json.loads(line) for line in done.stdout.strip().splitlines()[-lines:]]
        return last if lines > 1 else last[0]

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, codes))


SHARDED_RAYS = """
print(json.dumps([numbers(rays), numbers(rays.sharded()), len(jax.devices())]))
"""


@pytest.fixture(scope="module")
def eight():
    """What a program with eight devices printed: (rays, grids, vmapped, random fields, chains)."""
    code = PROBLEM.format(setup="") + SHARDED_RAYS + SHARDED_GRID + VMAPPED + RANDOM + CHAINS
    return run_all([code], "--xla_force_host_platform_device_count=8", lines=5)[0]


def test_eight_forced_devices_give_the_same_numbers(eight):
    one, many, count = eight[0]
    assert count == 8
    assert many == pytest.approx(one, rel=1e-12)


def test_two_processes_give_the_same_numbers(eight):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    codes = []
    for rank in range(2):
        setup = f'jax.distributed.initialize("127.0.0.1:{port}", 2, {rank})'
        code = PROBLEM.format(setup=setup) + (
            "assert len(jax.devices()) == 2 and jax.process_count() == 2\n"
            "print(json.dumps(numbers(rays.sharded())))"
        )
        codes.append(code)
    first, second = run_all(codes)
    assert first == second
    assert first == pytest.approx(eight[0][0], rel=1e-12)  # of one device


CHAINS = """
import numpyro.distributions as dist
from synax.inference import GaussianNoise, Likelihood

class Line(eqx.Module):
    x: jax.Array

posterior = synax.Posterior(
    Line(jnp.ones(2)), {"x": dist.Normal(0.0, 2.0)},
    Likelihood(lambda m: jnp.stack([m.x[0], m.x[1] + 0.2 * m.x[0] ** 2]), jnp.array([0.3, -0.4]),
               GaussianNoise(0.5)),
)
sampler = synax.Sampler(posterior, "hmc", chains=8, warmup=10)
spread = sampler.init_state(jax.random.key(0))
one = jax.tree.map(lambda x: jax.device_put(x, jax.devices()[0]), spread)
found = []
for state in (one, spread):
    state, _ = sampler.step_chunk(state, 10)
    state, chunk = sampler.step_chunk(state, 10)
    found.append(jnp.ravel(chunk.latent).tolist())
    devices = len(state.kernel.position.devices())
print(json.dumps([*found, devices]))
"""


def test_chains_spread_over_devices_equal_chains_on_one(eight):
    one, spread, count = eight[4]
    assert count == 8
    assert spread == pytest.approx(one, rel=1e-9)


CORES = """
import json
import synax
found = []
for n in (0, True, 2.0):
    try:
        synax.use_cores(n)
    except ValueError as error:
        found.append(str(error))
assert synax.use_cores(2) == 2
import jax, jax.numpy as jnp
sky = synax.Synchrotron(synax.magnetic.WMAP(), None, synax.cosmic_rays.WMAP(), steps=4)
rays = synax.Sightlines.healpix(2)
spread = rays.sharded()
placed = spread.replicate(sky)
difference = jnp.abs(placed(spread, 2.4).I - sky(rays, 2.4).I).max() / sky(rays, 2.4).I.max()
try:
    synax.use_cores(1)
except RuntimeError as error:
    found.append(str(error))
copies = len(placed.magnetic.b0.sharding.device_set)
print(json.dumps([jax.device_count(), copies, float(difference), found]))
"""


def test_every_core_as_a_device():
    devices, copies, difference, errors = run_all([CORES])[0]
    assert (devices, copies) == (2, 2)
    assert difference < 1e-6  # float32
    assert [e.split(",")[0] for e in errors[:3]] == ["n must be a positive number of cores"] * 3
    assert "before the first JAX computation" in errors[3]


RANDOM = """
import hashlib, json
import jax, jax.numpy as jnp, equinox as eqx, numpy as np
import synax
box, key, shape = synax.Box((2.0, 2.0, 1.0)), jax.random.key(3), (16, 24, 8)
along = synax.magnetic.WMAP(r_min=0.1)
b = synax.magnetic.GaussianRandom(key, box, shape, along=along, rho=1.5, helicity=0.3)
n = synax.electrons.GaussianRandom(key, box, shape, log_normal=True)
digest = lambda x: hashlib.sha256(np.asarray(x).tobytes()).hexdigest()
values = [eqx.filter_jit(lambda f: f.grid().values)(f) for f in (b, n)]
bits = [digest(x) for x in (b.latent, n.latent, *values)]
mesh = jax.make_mesh((len(jax.devices()),), ("x",))
over = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(None, None, "x"))
draw = lambda key: synax.magnetic.GaussianRandom(key, box, shape).latent
bits.append(digest(jax.jit(draw, out_shardings=over)(key)))
print(json.dumps([len(jax.devices()), bits]))
"""


def test_random_fields_have_the_same_bits_on_any_number_of_devices(eight):
    import jax

    if jax.default_backend() == "cpu" and jax.device_count() == 1:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(RANDOM, {})
        one, bits = json.loads(printed.getvalue())
    else:
        one, bits = run_all(['import jax; jax.config.update("jax_enable_x64", True)' + RANDOM])[0]
    count, again = eight[3]
    assert (one, count) == (1, 8)
    assert bits == again
    assert bits[-1] == bits[0]  # made in place, each device its own part


def test_a_mesh_needs_one_axis():
    import jax
    import numpy as np

    import synax

    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("a", "b"))
    with pytest.raises(ValueError, match="one axis"):
        synax.Sightlines.healpix(1).sharded(mesh)


SHARDED_GRID = """
mesh = jax.sharding.Mesh(np.array(jax.devices()), ("rays",))

@eqx.filter_jit
def everything(sky, rays):
    def loss(sky):
        stokes = sky(rays, frequency)
        return jnp.sum(stokes.Q**2) + jnp.sum(stokes.I), stokes
    (value, stokes), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(sky)
    return value, stokes, gradient

def apart(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(jnp.max(jnp.abs(x - y)) / jnp.maximum(jnp.max(jnp.abs(y)), 1e-30))
               for x, y in pairs)

def measured(sky, rays):
    program = everything.lower(sky, rays).compile()
    memory = program.compiled.memory_analysis()  # of one device
    peak = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
    return program(sky, rays), peak

box = synax.Box((9.0, 8.0, 4.0))
few = synax.Sightlines.healpix(2, pixels=np.arange(43))
grid = lambda field, shape, **kwargs: synax.GridField.from_field(field, box, shape, **kwargs)
grids = (
    grid(synax.magnetic.WMAP(), (32, 40, 40)),
    grid(synax.electrons.TwoDisc(), (16, 7, 5), centering="cell", outside="linear"),
    grid(synax.cosmic_rays.WMAP(), (16, 7, 5), centering="cell", outside="nearest"),
)
made = lambda b, n_e, n: synax.Synchrotron(
    b, n_e, synax.cosmic_rays.PowerLaw(n, 3.0), steps=4, block=7
)
whole, one_device = measured(made(*grids), few)
parts, each_of_many = measured(made(*(g.sharded() for g in grids)), few.sharded(mesh))
slab = parts[2].magnetic.values.addressable_shards[0].data.shape
print(json.dumps([apart(parts, whole), slab, one_device, each_of_many]))
"""


def test_grids_divided_over_devices(eight):
    """Maps, and gradients of values, box and cosmic rays; each device holds its planes only."""
    error, slab, one_device, each_of_many = eight[1]
    assert error < 1e-12
    assert slab == [3, 4, 40, 40]
    assert each_of_many < 0.3 * one_device


VMAPPED = """
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
mesh = Mesh(np.array(jax.devices()), ("chains",))
place = lambda x: jax.device_put(x, NamedSharding(mesh, P("chains")))

def value(b0):
    moved = eqx.tree_at(lambda s: s.magnetic.b0, sky, b0)
    return jnp.sum(moved(rays, frequency).Q ** 2)

several = jax.jit(jax.vmap(jax.value_and_grad(value)))
b0 = jnp.linspace(0.5, 2.0, 8)
together = several(place(b0))
alone = jax.jit(jax.value_and_grad(value))(b0[5])
maps = eqx.filter_jit(lambda sky, frequency: sky(rays, frequency).Q)
many = jnp.linspace(0.5, 4.0, 8)
divided, whole = maps(sky, place(many)), maps(sky, many)
print(json.dumps([
    [len({s.device for s in x.addressable_shards if s.data.shape[0] == 1})
     for x in (*together, divided)],
    [abs(float(a[5] / b) - 1) for a, b in zip(together, alone)],
    float(jnp.max(jnp.abs(divided - whole)) / jnp.max(jnp.abs(whole))),
]))
"""


def test_chains_and_frequencies_divided_over_devices(eight):
    """Parameters under vmap and frequencies, placed on a mesh: the compiler divides the march."""
    devices, chains, frequencies = eight[2]
    assert devices == [8, 8, 8]
    assert max(chains) < 1e-12
    assert frequencies < 1e-12


def test_what_cannot_be_divided_is_refused():
    import jax
    import numpy as np

    import synax

    box = synax.Box((9.0, 8.0, 4.0))
    with pytest.raises(ValueError, match="nx must be a multiple"):
        synax.GridField(np.ones((3, 3, 4)), box).sharded(jax.devices()[:1] * 2)
    with pytest.raises(ValueError, match="only 'linear'"):
        synax.GridField(np.ones((4, 4, 4)), box, order="cubic").sharded()
    grid = synax.GridField(np.ones((4, 4, 4)), box).sharded(jax.devices()[:1])
    with pytest.raises(ValueError, match=r"needs sightlines.sharded\(\)"):
        synax.DispersionMeasure(grid, steps=2)(synax.Sightlines.healpix(1))

"""On an accelerator: the numbers of the CPU of the same machine, to 1e-12."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def devices():
    """An accelerator and the CPU beside it."""
    first = jax.devices()[0]
    if first.platform == "cpu":
        pytest.skip("no accelerator here: jax.devices() lists CPUs only")
    return first, jax.devices("cpu")[0]


def agree(devices, compute):
    """`compute()` gives the same arrays wherever it runs."""
    results = []
    for device in devices:
        with jax.default_device(device):
            leaves = jax.tree.leaves(compute())
            assert all(leaf.devices() == {device} for leaf in leaves)
            results.append([np.asarray(leaf) for leaf in leaves])
    for there, here in zip(*results, strict=True):
        scale = np.max(np.abs(here))
        assert scale > 0
        np.testing.assert_allclose(there, here, rtol=0, atol=1e-12 * scale)


SKIES = {
    "WMAP": lambda: synax.Synchrotron(
        synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=64
    ),
    "JF12 and YMW16": lambda: synax.Synchrotron(
        synax.magnetic.JF12(), synax.electrons.YMW16(), synax.cosmic_rays.WMAP(), steps=64
    ),
    "a grid": lambda: synax.Synchrotron(
        synax.GridField.from_field(
            synax.magnetic.WMAP(), synax.Box((20.0, 20.0, 5.0)), shape=(16, 16, 8)
        ),
        synax.electrons.TwoDisc(),
        synax.cosmic_rays.WMAP(),
        steps=64,
    ),
    "absorbed": lambda: synax.Synchrotron(
        synax.magnetic.WMAP(),
        synax.electrons.TwoDisc(),
        synax.cosmic_rays.WMAP(),
        steps=64,
        free_free=synax.FreeFree(7000.0, 0.1),
    ),
}


@pytest.mark.parametrize("name", SKIES)
def test_maps(devices, name):
    frequency = (0.408, 2.4, 23.0)
    agree(devices, lambda: SKIES[name]()(synax.Sightlines.healpix(8), jnp.asarray(frequency)))


@pytest.mark.parametrize("name", SKIES)
def test_gradients(devices, name):
    @eqx.filter_grad
    def gradient(magnetic, sky, rays):
        stokes = eqx.tree_at(lambda s: s.magnetic, sky, magnetic)(rays, 2.4)
        return jnp.sum(stokes.Q**2) + jnp.sum(stokes.U**2) + jnp.sum(stokes.I**2)

    def compute():
        sky = SKIES[name]()
        return eqx.filter_jit(gradient)(sky.magnetic, sky, synax.Sightlines.healpix(4))

    agree(devices, compute)


def test_columns(devices):
    def compute():
        rays = synax.Sightlines.healpix(8)
        magnetic, electrons = synax.magnetic.WMAP(), synax.electrons.YMW16()
        measure = synax.RotationMeasure(magnetic, electrons)
        return measure(rays), synax.DispersionMeasure(electrons)(rays)

    agree(devices, compute)

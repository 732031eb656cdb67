"""The absorbed sky of ULSA (Cong et al. 2021) through our law of light: its profiles, its maps."""

import os
from pathlib import Path

import healpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.emission import AbstractProcess, FluctuationFilling
from synax.emission._gaunt import free_free
from synax.simulators._engine import Medium, Plan, run
from synax.transfer import Cell, Coefficients, Line, Midpoint, UniformSteps

pytestmark = pytest.mark.data

AMPLITUDE, R0, ALPHA, Z0, GAMMA = 43.09932087, 3.40820378, 0.46230938, 1.11894379, 1.2344227
STEP, SUN = 0.01, 8.5  # kpc
NOTHING = (None, None, None)


@pytest.fixture(scope="module")
def stored():
    folder = os.environ.get("SYNAX_REFERENCE")
    if not folder:
        pytest.skip("maps of other programs not found: set SYNAX_REFERENCE to their folder")
    return lambda name: np.load(Path(folder) / f"{name}.npz", allow_pickle=False)


@pytest.fixture(scope="module")
def profiles(stored):
    return stored("ulsa_profiles")


def emissivity(position, frequency):
    """K/kpc at positions about the Centre."""
    x, y, z = position
    r = jnp.hypot(x, y)
    shape = ((r + 0.1) / R0) ** ALPHA * jnp.exp(-r / R0 - (jnp.abs(z) / Z0) ** GAMMA)
    return AMPLITUDE * shape * (frequency / 0.408) ** -2.51


def opacity(frequency):
    """Optical depth a unit of emission measure (pc cm^-6)."""
    return 3.28e-7 * 0.8**-1.35 * frequency**-2.1


@pytest.mark.parametrize(("frequency", "tolerance"), [(0.001, 6e-3), (0.010, 1e-3)])
def test_the_absorbed_sky_of_ulsa(profiles, frequency, tolerance):
    """Its emissivity, its effective emission measure and its absorption law: its map.

    Its sum takes the whole optical depth of a cell in front of the cell's light, which dims by
    half of that depth more: 0.5 % at 1 MHz, where ours is the exact integral.
    """
    emission_measure = np.asarray(profiles["EM_cumulative"], float)
    column = np.diff(emission_measure, axis=1, prepend=0.0).T  # pc cm^-6 of each cell
    l, b = profiles["l_rad"], profiles["b_rad"]
    direction = np.stack([np.cos(b) * np.cos(l), np.cos(b) * np.sin(l), np.sin(b)])
    law = synax.Absorbing(jnp.asarray([frequency]), jnp.full((1, 1), 1.2 * frequency**-2.58))
    per_em = opacity(frequency)

    def body(state, cell):
        path, sums = state
        k, em = cell
        x, y, z = (k + 0.5) * STEP * jnp.asarray(direction)
        j = emissivity((x - SUN, y, z), frequency)
        lines = Coefficients(
            emission=(Line(j[None], None), *NOTHING),
            absorption=(Line((per_em * em / STEP)[None], None), *NOTHING),
        )
        path, new = law.step(path, Cell(jnp.full_like(j, STEP), lines))
        return (path, jax.tree.map(jnp.add, sums, new)), None

    zero = jnp.zeros(len(l))
    empty = Coefficients(
        emission=(Line(zero[None], None), *NOTHING), absorption=(Line(zero[None], None), *NOTHING)
    )
    path = law.init(Cell(zero, empty))
    _, sums = law.step(path, Cell(zero, empty))
    cells = (jnp.arange(5000.0), jnp.asarray(column))
    (path, sums), _ = jax.jit(lambda s: jax.lax.scan(body, s, cells))((path, sums))
    ratio = (
        np.asarray(law.finish(path, sums).stokes[0][0]) / profiles[f"T_{frequency * 1e3:.0f}MHz_K"]
    )
    assert abs(np.median(ratio) - 1) < tolerance, np.median(ratio)
    high = np.abs(np.degrees(b)) > 10
    assert np.mean(np.abs(ratio[high] - 1) < 0.01) >= 0.97, np.sort(ratio)


class Ulsa(AbstractProcess):
    """Its emission, and free-free absorption by the electrons."""

    filling: synax.AbstractScalarField | None
    """None: the square of the density and our Gaunt factor."""

    def __call__(self, plasma, frequency):
        nu = frequency[:, None, None]
        if self.filling is None:
            absorption, _ = free_free(plasma.density, jnp.asarray(8000.0), nu)
        else:
            measure = 1e3 * plasma.density**2 / self.filling(plasma.position)  # pc cm^-6 a kpc
            absorption = opacity(nu) * measure
        # it takes the emission of a cell at its far face, behind the whole depth of the cell
        x, y, z = plasma.position
        away = jnp.stack([x + SUN, y, z])
        far = plasma.position + 0.5 * STEP * away / jnp.sqrt(jnp.sum(away**2, axis=0))
        depth = jnp.maximum(absorption * STEP, 1e-12)
        j = emissivity(far, nu) * depth / jnp.expm1(depth)
        return Coefficients(emission=(j, *NOTHING), absorption=(absorption, *NOTHING))


@pytest.mark.slow
def test_the_maps_of_ulsa(stored):
    """NE2001 with its fluctuation parameters; then the physics of the same gas."""
    maps = {nu: stored(f"ulsa_{nu}MHz")["T_K"] for nu in (1, 10)}
    pixels = np.arange(17, 12 * 64**2, 64)
    observer = (-SUN, 0.0, 0.0)
    rays = synax.Sightlines.healpix(
        64, pixels=pixels, observer=observer, domain=synax.Sphere(50.0, observer)
    )
    electrons = synax.electrons.NE2001()
    settings = synax.DispersionMeasure(
        electrons, steps=UniformSteps(5000), quadrature=Midpoint(), faces=False
    )
    frequency = jnp.asarray([0.001, 0.010])
    law = synax.Absorbing(frequency, 1.2 * frequency[:, None] ** -2.58)
    medium = lambda filling: Medium(None, electrons, (Ulsa(filling),))
    sky = jax.jit(lambda filling: run(settings, Plan(()), medium(filling), law, rays).stokes[0])
    high = np.abs(healpy.pix2ang(64, pixels, lonlat=True)[1]) > 10
    theirs = np.asarray(sky(FluctuationFilling.ulsa()))
    ours = np.asarray(sky(None))
    for row, nu, gap in ((0, 1, 2.368), (1, 10, 1.0096)):
        ratio = theirs[row] / maps[nu][pixels]
        assert abs(np.median(ratio) - 1) < 1e-3, np.median(ratio)
        assert np.mean(np.abs(ratio[high] - 1) < 0.01) >= 0.99, np.sort(ratio[high])
        assert np.mean(np.abs(ratio - 1) < 0.01) >= 0.99, np.sort(ratio)
        # no fluctuations, but the square of the density and the Gaunt factor of the literature
        assert np.median((ours[row] / maps[nu][pixels])[high]) == pytest.approx(gap, rel=5e-3)

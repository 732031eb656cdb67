"""The absorbed sky of ULSA (Cong et al. 2021) through our law of light, on its own profiles."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.transfer import Cell, Coefficients, Line

pytestmark = pytest.mark.data

AMPLITUDE, R0, ALPHA, Z0, GAMMA = 43.09932087, 3.40820378, 0.46230938, 1.11894379, 1.2344227
STEP, SUN = 0.01, 8.5  # kpc
NOTHING = (None, None, None)


@pytest.fixture(scope="module")
def profiles():
    folder = os.environ.get("SYNAX_REFERENCE")
    if not folder:
        pytest.skip("maps of other programs not found: set SYNAX_REFERENCE to their folder")
    return np.load(Path(folder) / "ulsa_profiles.npz", allow_pickle=False)


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
    per_em = 3.28e-7 * (0.8) ** -1.35 * frequency**-2.1

    def body(state, cell):
        path, sums = state
        k, em = cell
        x, y, z = (k + 0.5) * STEP * jnp.asarray(direction)
        r = jnp.hypot(x - SUN, y)
        shape = ((r + 0.1) / R0) ** ALPHA * jnp.exp(-r / R0 - (jnp.abs(z) / Z0) ** GAMMA)
        j = AMPLITUDE * shape * (frequency / 0.408) ** -2.51
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

"""Whole Galaxies: what they are made of, the calibrated one's numbers, and what it reaches."""

import importlib
import json
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest

import synax
from synax._parameters import get_path
from synax.galaxies import _calibrated

ROOT = Path(__file__).parent.parent


def test_published_galaxies_are_made_of_published_models():
    paper, jf12 = synax.galaxies.wmap(), synax.galaxies.jf12(steps=32)
    assert isinstance(paper.magnetic, synax.magnetic.WMAP) and paper.turbulence is None
    assert isinstance(jf12.turbulence.strength, synax.magnetic.JF12RandomStrength)
    assert jf12.steps.n == 32 and float(jf12.turbulence.striation) == 1.36
    assert synax.galaxies.jf12(turbulence=None).turbulence is None
    for variant in synax.magnetic.UF23.info.variants:
        assert synax.galaxies.uf23(variant).magnetic.variant == variant
    with pytest.raises(ValueError, match="variant must be one of"):
        synax.galaxies.uf23("basic")


def test_every_number_is_a_leaf():
    sky = synax.galaxies.calibrated()
    for path, value in _calibrated.numbers().items():
        chosen = eqx.filter(sky, synax.select(sky, path))
        (leaf,) = jax.tree.leaves(chosen)
        np.testing.assert_allclose(leaf, value, rtol=1e-12)


def test_docstring_names_the_fit_that_is_kept():
    record = _calibrated.record()
    text = synax.galaxies.calibrated.__doc__
    assert f"'{record['name']}' of {record['date']}" in " ".join(text.split())


def test_draws_scatter_as_the_fit_says_and_share_one_structure():
    galaxies = synax.galaxies.draws(steps=32)
    assert len(galaxies) == 64 and len(synax.galaxies.draws(3)) == 3
    assert len({jax.tree.structure(g) for g in galaxies}) == 1
    record = _calibrated.record()
    for path in ("electrons.factor", "magnetic.outer.b_north", "cosmic_rays.z0"):
        values = [float(get_path(g, path)) for g in galaxies]
        np.testing.assert_allclose(np.std(values), record["sd"][path], rtol=6e-3)
        assert abs(np.mean(values) - record["numbers"][path]) < 0.6 * record["sd"][path]
    with pytest.raises(ValueError, match="number must be"):
        synax.galaxies.draws(65)


def test_parts_can_be_replaced():
    sky = synax.galaxies.calibrated(turbulence=None, background=2.0)
    assert sky.turbulence is None and float(sky.background.temperature) == 2.0
    sky = synax.galaxies.calibrated(cosmic_rays=synax.cosmic_rays.Analytic(2.9))
    assert float(sky.cosmic_rays.alpha) == pytest.approx(2.9)
    assert float(sky.magnetic.b0) == pytest.approx(_calibrated.numbers()["magnetic.b0"])


def test_record_of_the_comparison_is_that_of_the_fit_kept():
    record = json.loads((ROOT / "docs" / "data" / "calibration.json").read_text())
    assert record["fit"]["numbers"] == _calibrated.numbers()


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:.* scatters polarisation angles")
def test_it_looks_like_the_sky(sky_data, monkeypatch):
    """What the calibration reaches on the half of the sky held out."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    calibrate = importlib.import_module("calibrate")
    sky, offset = synax.galaxies.calibrated(steps=40), _calibrated.record()["offset_408_MHz_K"]
    rays = calibrate.sightlines(np.arange(12 * calibrate.NSIDE**2))
    seen = calibrate.observables(sky, rays)
    rows = calibrate.compare(seen, calibrate.read(sky_data), calibrate.parts(), offset)
    row = rows["held out"]
    bright, both, rm = row["408 MHz"], row["Q and U"], row["RM"]
    assert abs(bright["scale"] - 1.0) < 0.05 and bright["correlation"] > 0.85
    assert bright["residual_over_mean"] < 0.35
    assert abs(row["index"]["model"] - row["index"]["data"]) < 0.1
    assert abs(both["scale"] - 1.0) < 0.1 and both["correlation"] > 0.75
    assert 0.75 < rm["scale"] < 1.2 and rm["correlation"] > 0.6
    assert rm["same_sign_above_20"] > 0.8
    rm = row["RM away from the Gum nebula"]
    assert 0.8 < rm["scale"] < 1.2 and rm["correlation"] > 0.65

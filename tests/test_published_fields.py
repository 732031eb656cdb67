"""The likelihood of the published fields: the field that made the data is found by its refit."""

import importlib
from pathlib import Path

import numpy as np
import pytest

import synax
from synax._parameters import set_paths
from synax.galaxies import _calibrated

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def modules(monkeypatch):
    """`published_fields` and `_sky_fit`, with electrons that compile quickly."""
    whole = _calibrated.starting_form

    def light(**settings):
        form = whole(**settings)
        parts = (form.magnetic, 1.0 * synax.electrons.TwoDisc(), form.cosmic_rays)
        return synax.Synchrotron(*parts, turbulence=form.turbulence, **settings)

    monkeypatch.setattr(_calibrated, "starting_form", light)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("published_fields"), importlib.import_module("_sky_fit")


@pytest.mark.filterwarnings("ignore:.* the turbulence scatters polarisation")
def test_the_refit_finds_the_field_that_made_the_data(modules):
    fields, sky_fit = modules
    form, _ = fields.galaxy("WMAP", False, 6)
    truth = {"magnetic.b0": 1.6, "magnetic.chi0": 0.5, "electrons.factor": 1.1}
    pixels = np.arange(0, 3072, 61)
    model = sky_fit.observables(set_paths(form, truth), sky_fit.sightlines(pixels))
    sigma = {"I": 0.05, "Q": 0.3, "U": 0.3, "RM": 0.5}
    data = {k: (np.asarray(model[k]), np.full(pixels.size, s)) for k, s in sigma.items()}
    place = {"l": np.array([30.0, 200.0]), "b": np.array([3.0, -20.0]), "distance": np.ones(2)}
    rays = synax.Sightlines.from_lonlat(place["l"], place["b"], place["distance"])
    pulsars = place | {"DM": np.asarray(synax.DispersionMeasure(1.1 * form.electrons.field)(rays))}
    use = np.arange(pixels.size) % 2 == 0
    rows = fields.rows_of("WMAP", False, data, pixels, use, pulsars, 6, 12)
    published, refitted = rows
    assert (published["free"], refitted["free"]) == (
        len(sky_fit.NUISANCE),
        len(sky_fit.NUISANCE) + 3,
    )
    assert published["values"]["magnetic.b0"] == pytest.approx(1.2)
    for path, value in truth.items():
        off = abs(refitted["values"][path] - value)
        assert off < 3.0 * refitted["errors"][path] + 1e-3, path
    for key in ("chi2 I", "chi2 Q", "held out Q", "held out RM"):
        assert refitted[key] < 0.5 < published[key], key
    assert refitted["log_evidence"] > published["log_evidence"]

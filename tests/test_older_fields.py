"""Fauvet12, Stanev97, HMR99, TT02, PS07, HanQiao94, MD08, JF12c, Jaffe13 as published.

Finite derivatives at singular places and their agreement with differences are asked of every model
of the catalogue in `test_catalogue.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts import check_jumps, evaluate, norm, relative_divergence

import synax
from synax._catalogue import models
from synax.magnetic import (
    HMR99,
    JF12,
    MD08,
    PS07,
    TT02,
    Fauvet12,
    HanQiao94,
    Jaffe13,
    Jaffe13Published,
    Jaffe13RandomStrength,
    JF12c,
    JF12RandomStrength,
    Stanev97,
)

PLANCK_B = (0.1, 3.0, -0.9, -0.8, -2.0, -3.5, 0.0, 2.2256410256410257)
TABLES = {
    ("older_gmf", "B_Fauvet12"): Fauvet12,
    ("older_gmf", "B_Stanev97"): Stanev97,
    ("older_gmf", "B_HMR99"): HMR99,
    ("older_gmf", "B_TT02"): TT02,
    ("older_gmf", "B_PS"): PS07,
    ("older_gmf", "B_PS_disk"): lambda: PS07(halo=False, dipole=False),
    ("older_gmf", "B_PS_halo"): lambda: PS07(disk=False, dipole=False),
    ("older_gmf", "B_PS_dipole"): lambda: PS07(disk=False, halo=False),
    ("older_gmf", "B_HanQiao94"): HanQiao94,
    ("older_gmf", "B_MD08_horizontal"): MD08,
    ("jf12_planck", "B_JF12"): JF12.hammurabi,
    ("jf12_planck", "B_planck12b"): lambda: JF12.hammurabi(b_arms=PLANCK_B, b_x=1.8),
    ("jf12_planck", "B_planck12c"): JF12c,
    ("jf12_planck", "rms_JF12"): lambda: JF12RandomStrength(cylindrical=True),
    ("jf12_planck", "rms_planck12b"): lambda: JF12RandomStrength.planck(cylindrical=True),
    ("jf12_planck", "rms_planck12c"): JF12RandomStrength.planck_c,
    ("jaffe13_paper", "B"): Jaffe13.published,
    ("jaffe13_paper", "rms_iso"): Jaffe13RandomStrength,
    ("jaffe13_paper", "amp_ordered"): lambda: Jaffe13RandomStrength(ordered=True),
}


@pytest.mark.parametrize(("name", "column"), TABLES, ids=lambda part: part)
def test_table_is_reproduced_and_float32_stays_close(name, column, table):
    model, stored = TABLES[name, column](), table(f"{name}_dev")
    position, expected = jnp.asarray(stored["pos_kpc"].T), stored[column].T
    right = ~stored["edge"]
    if column.startswith("B_") and "jf12" in name:  # a toroidal field has no direction on the axis
        right &= np.hypot(*stored["pos_kpc"].T[:2]) > 0
    # relative to |B|, and near reversals to the rounding of their windings, 1e-15 of the largest
    size = np.maximum(norm(expected), 1e-9)
    error = norm(np.asarray(evaluate(model, position)) - expected)
    assert np.max((error / (1e-10 * size + 1e-15 * np.max(size)))[right]) < 1.0
    # float32 moves points across edges, and zeros of the windings: judged by a quantile
    low = jax.tree.map(lambda leaf: leaf.astype("float32"), model)
    value = np.asarray(evaluate(low, position.astype("float32")))
    assert value.dtype == np.float32
    error = (norm(value - expected) / size)[size > 1e-9]
    assert np.median(error) < 2e-6
    assert np.quantile(error, 0.85) < 3e-5


# each model, and the jumps that must be found
RAYS = {
    "Fauvet12": (Fauvet12(), 30),
    "Stanev97": (Stanev97(), 30),
    "TT02": (TT02(), 20),
    "PS07": (PS07(), 20),
    "Jaffe13Published": (Jaffe13Published(), 40),
}


@pytest.mark.parametrize("name", RAYS)
def test_every_jump_lies_on_a_named_surface(name):
    model, least = RAYS[name]
    rng = np.random.default_rng(4)
    start = np.tile([[-8.3], [0.0], [-0.06]], (1, 40))
    direction = rng.normal(size=(3, 40)) * np.array([1.0, 1.0, 0.2])[:, None]
    # half of them past the centre
    direction[:, :20] = rng.normal(0, 0.4, (3, 20)) - start[:, :20]
    check_jumps(model, start, direction, 26.0, least, 1e-5, axis=0.3)


DIVERGENCE = {  # rms of div B over the rms of B (1/kpc), away from edges
    "Fauvet12": (Fauvet12(), 0.25),
    "Stanev97": (Stanev97(), 0.045),
    "Stanev97 outside its core": (Stanev97(r_core=0.0), 0.0),
    "HMR99": (HMR99(), 0.049),
    "TT02": (TT02(), 0.040),
    "TT02 outside its core": (TT02(r_core=0.0), 0.0),
    "PS07 without dipole": (PS07(dipole=False), 0.025),
    "PS07 dipole": (PS07(disk=False, halo=False), 0.0),
    "HanQiao94": (HanQiao94(), 0.026),
    "JF12c": (JF12c(), 0.0),
    "Jaffe13Published": (Jaffe13Published(), 0.025),
}


@pytest.mark.parametrize("name", DIVERGENCE)
def test_divergence_is_the_documented_one(name):
    model, documented = DIVERGENCE[name]
    assert abs(relative_divergence(model) - documented) < max(0.1 * documented, 1e-12)


def test_local_fields_are_the_published_ones():
    at = lambda model, place: np.asarray(model(jnp.array(place)))
    sun = (-8.5, 0.0, 0.0)
    assert (
        abs(np.linalg.norm(at(TT02(), sun)) - 1.4) < 1e-12
    )  # b0 is local, by the factor 1 / cos(Phi)
    assert abs(np.linalg.norm(at(PS07(halo=False, dipole=False), sun)) - 2.0) < 1e-12
    assert abs(at(PS07(disk=False, halo=False), sun)[2] - 0.2) < 1e-3
    above, below = at(Stanev97(), (-8.5, 0.0, 0.5 + 1e-9)), at(Stanev97(), (-8.5, 0.0, 0.5))
    np.testing.assert_allclose(above[:2] / below[:2], np.exp(0.375), rtol=1e-6)
    # odd and even across the plane
    up, down = (-7.0, 2.0, 0.3), (-7.0, 2.0, -0.3)
    np.testing.assert_allclose(at(TT02(), up), -at(TT02(), down))
    np.testing.assert_allclose(at(HMR99(), up), at(HMR99(), down))


def test_versions_and_their_arguments():
    of = {entry.name: entry for entry in models("magnetic")}
    assert isinstance(Jaffe13.published(b_ring=0.0), Jaffe13Published)
    assert float(Jaffe13.published(b_ring=0.0).b_ring) == 0.0
    assert "planck_c" in of["JF12RandomStrength"].variants
    assert of["Jaffe13RandomStrength"].variant("ordered_part")().ordered
    assert float(of["JF12c"].make(b_x=2.0).b_x) == 2.0 and JF12c().cylindrical
    assert float(of["MD08"].make().b0) == 3.0
    assert synax.select(Jaffe13Published(), "squeezed.pitch").squeezed.pitch
    assert len(PS07(disk=False, dipole=False).surfaces()) == 2

"""Every model of the catalogue: found by name, finite derivatives, equal to finite differences."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts import quick_jit, value_and_pull
from jax.flatten_util import ravel_pytree

import synax
from synax._catalogue import REQUIRED, models
from synax.cli._build import build_field

ENTRIES = {f"{entry.group}.{entry.name}": entry for entry in models()}
BUILT = {
    "magnetic.Uniform": lambda: synax.magnetic.Uniform((2.0, 1.0, -0.5)),
    "magnetic.UF26Strength": lambda: synax.magnetic.UF26Strength("ringDisk"),
    "magnetic.Orlando26Strength": lambda: synax.magnetic.Orlando26Strength("total"),
    "electrons.Uniform sphere": lambda: synax.electrons.Uniform(0.02, 4.0, (-8.3, 0.0, 0.0)),
    "electrons.ExponentialDisc radial": lambda: synax.electrons.ExponentialDisc(h_r=5.0),
    "cosmic_rays.Uniform sphere": lambda: synax.cosmic_rays.Uniform(4e-5, 3.0, 4.0),
    "magnetic.StriatedStrength": lambda: synax.magnetic.StriatedStrength(synax.magnetic.WMAP()),
    "cosmic_rays.PowerLaw": lambda: synax.cosmic_rays.PowerLaw(
        synax.electrons.TwoDisc(), synax.cosmic_rays.LinearIndex()
    ),
    "cosmic_rays.TabulatedSpectrum": lambda: synax.cosmic_rays.TabulatedSpectrum(
        jnp.asarray(np.random.default_rng(0).uniform(1.0, 2.0, (2, 3, 3, 2))),
        10.0,
        1e5,
        synax.Box((10.0, 10.0, 3.0)),
    ),
}
# derivatives of the others are tested model by model, in the files named after them
ELSEWHERE = ("JF12", "UF23", "PT11", "TF17", "KST24", "Jaffe13", "Helix", "ArchimedeanSpiral")
ELSEWHERE += ("LogarithmicSpiral", "ToroidalHalo", "CMZ", "YMW16", "JF12Solenoidal", "JF12b")
ELSEWHERE += ("JF12RandomStrength", "LocalBubble", "NE2025")  # the program of NE2001
ELSEWHERE += ("XH24Disc", "Orlando26", "Sun10b", "magnetic.Sun08")  # Han18, XH24, Sun10
ELSEWHERE += ("JF12c", "MD08", "Gaensler08", "Ocker20")  # JF12, HanQiao94, ExponentialDisc
HERE = {
    name: entry.make
    for name, entry in ENTRIES.items()
    if not {name, entry.name} & set(ELSEWHERE)
    and all(p.default != REQUIRED for p in entry.parameters)
} | BUILT
each = pytest.mark.parametrize("name", HERE)

PLACES = jnp.array(
    [
        [0, 0, 0], [0, 0, 1], [0, 0, -1.3], [-8.3, 0, 0.006], [-8.5, 0, 0], [3, 0, 0], [0, 20, 0],
        [0, -0.01, -0.02], [17.5, 0, 0], [10, 0, 0], [-4.3, 0, 0], [0, 5, 0], [19, 19, 9],
        [1e-9, -1e-9, 1e-9], [-8.34, 0, 0], [30, 0, 0],
    ],
    dtype=float,
).T  # fmt: skip


def test_every_public_model_is_in_the_catalogue():
    for group in ("magnetic", "electrons", "cosmic_rays"):
        for name, value in vars(getattr(synax, group)).items():
            final = isinstance(value, type) and not name.startswith(("_", "Abstract"))
            if final and issubclass(value, synax.AbstractField):
                assert f"{group}.{name}" in ENTRIES
    assert "magnetic.JF12b" in ENTRIES
    for entry in ENTRIES.values():
        assert entry.info.paper and entry.summary
        assert any(p.kind in ("number", "field") for p in entry.parameters), entry.name


def test_lengths_that_are_divided_by_must_be_positive():
    """A negative scale or width turns a disc inside out: refused by name, for every model."""
    tried = 0
    for entry in models():
        for p in entry.parameters:
            is_scale = p.unit == "kpc" and re.search(r"\b(scale|width|thickness)\b", p.text)
            if (
                not is_scale
                or re.search("changes|tilt", p.text)
                or not isinstance(p.default, float)
            ):
                continue
            tried += 1
            for bad in (-p.default, 0.0):
                with pytest.raises(ValueError, match=rf"{p.name} must be (positive|above 0|more)"):
                    entry.make(**{p.name: bad})
    assert tried > 40


def test_versions_have_names():
    of = lambda name: ENTRIES[name].variants
    assert of("magnetic.UF23") == tuple(
        ["base", "neCL", "expX", "spur", "cre10", "synCG", "twistX", "nebCor"]
    )
    assert set(of("magnetic.PT11")) == {"ass", "bss"}
    assert len(of("magnetic.TF17")) == 6
    assert ENTRIES["magnetic.TF17"].variant("Bd1_C0")().disc == "Bd1"
    assert ENTRIES["magnetic.UF23"].variant("spur")(b_1=2.0).variant == "spur"
    assert ENTRIES["magnetic.JF12"].variant("hammurabi")().cylindrical
    default = {p.name: p.default for p in ENTRIES["magnetic.JF12b"].parameters}
    assert default["b_x"] == 1.8


def test_configurations_take_functions_and_versions_by_name():
    build = lambda group, **part: build_field(group, [part], 0)
    assert float(build("magnetic", model="JF12b", b_ring=0.3).b_x) == 1.8
    assert build("magnetic", model="UF23.neCL").variant == "neCL"
    assert build("magnetic", model="TF17.Dd1_C0", disc_strength=0.1).halo == "C0"
    assert build("magnetic", model="JF12.hammurabi").cylindrical
    thick = build("electrons", model="YMW16Hammurabi", thick_density=0.02).thick_density
    assert float(thick) == 0.02


@each
def test_reverse_derivatives_are_finite_at_singular_places(name):
    model = HERE[name]()
    for dtype in (jnp.float64, jnp.float32)[: 1 if "NE2001" in name else 2]:
        cast = lambda leaf, dtype=dtype: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf
        low, x = jax.tree.map(cast, model), PLACES.astype(dtype)
        value, pulled = value_and_pull(low, x)
        assert value.dtype == dtype
        for leaf in jax.tree.leaves((value, pulled)):
            assert np.all(np.isfinite(leaf))


@each
def test_derivatives_equal_central_differences(name):
    """In every parameter and in position; judged by quantiles, for points next to edges."""
    model = HERE[name]()
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (3, 48)) * np.array([9.0, 9.0, 1.5])[:, None]
    flat, rebuild = ravel_pytree(model)
    flat = np.asarray(flat)
    n = min(flat.size, 80)
    d_flat = np.zeros((n + 1, flat.size))
    d_flat[:n] = np.diag(1e-6 * np.maximum(np.abs(flat), 0.1))[:n]
    d_x = np.zeros((n + 1, *x.shape))
    d_x[n] = 1e-6 * rng.normal(size=x.shape)
    many = quick_jit(jax.vmap(lambda flat, x: rebuild(flat)(x)))
    above, below = (np.asarray(many(flat + s * d_flat, x + s * d_x)) for s in (1.0, -1.0))
    numeric = 0.5 * (above - below)
    exact = quick_jit(
        jax.vmap(lambda df, dx: jax.jvp(lambda flat, x: rebuild(flat)(x), (flat, x), (df, dx))[1])
    )(d_flat, d_x)
    exact = np.asarray(exact)
    size = np.max(np.abs(exact), axis=tuple(range(1, exact.ndim)), keepdims=True)
    error = np.abs(exact - numeric) / (np.abs(exact) + 1e-3 * size + 1e-8 * np.max(np.abs(above)))
    assert np.quantile(error, 0.8) < 1e-6
    per_parameter = np.quantile(error.reshape(n + 1, -1), 0.7, axis=1)
    assert np.max(per_parameter) < 1e-4

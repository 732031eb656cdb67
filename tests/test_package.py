"""Contracts of the package as a whole."""

import importlib
import re
import socket
import subprocess
import sys
import tomllib
import urllib.request
from importlib import metadata
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_changes_no_setting_starts_no_backend_and_stays_light():
    heavy = ("healpy", "astropy", "matplotlib", "blackjax", "numpyro", "arviz", "typer", "h5py")
    code = f"""
import jax
before = dict(jax.config.values)
import synax, sys
from jax._src import xla_bridge
assert dict(jax.config.values) == before, "a setting changed"
assert not xla_bridge.backends_are_initialized(), "a backend was started"
print([m for m in {heavy} if m in sys.modules])
"""
    assert run(code) == "[]"


def test_the_other_synax_in_the_same_folder_is_told(tmp_path, monkeypatch):
    """`pip install synax` gives another project, whose files land in our folder."""
    from synax._foreign import refuse_foreign

    package = tmp_path / "synax"
    package.mkdir()
    refuse_foreign(package)
    info = tmp_path / "synax-0.2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: synax\nVersion: 0.2.5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    refuse_foreign()  # elsewhere: it does no harm
    with pytest.raises(ImportError, match=r"'synax' 0\.2\.5 of the package index is not this one"):
        refuse_foreign(package)


def test_the_page_on_licences_is_true():
    """Every dependency is named there, and none but healpy asks more than a notice."""
    root = Path(__file__).parent.parent
    page = (root / "docs" / "install.md").read_text()
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.match(r"[\w-]+", line)[0] for line in wanted]
    assert [n for n in names if not re.search(rf"\b{n}\b", page)] == []
    copyleft = []
    for name in names:
        about = metadata.metadata(name)
        told = [about.get("License-Expression"), *(about.get_all("Classifier") or [])]
        copyleft += [name] * any("GPL" in (t or "") or "General Public" in (t or "") for t in told)
    assert copyleft in ([], ["healpy"])  # older healpy tells its licence in other words


def test_models_survive_serialisation(tmp_path):
    sky = synax.Synchrotron(
        synax.magnetic.JF12(), synax.electrons.YMW16(), synax.cosmic_rays.WMAP(c0=1e-4)
    )
    path = tmp_path / "sky.eqx"
    eqx.tree_serialise_leaves(path, sky)
    blank = jax.tree.map(lambda x: jnp.zeros_like(x) if eqx.is_array(x) else x, sky)
    back = eqx.tree_deserialise_leaves(path, blank)
    for a, b in zip(jax.tree.leaves(sky), jax.tree.leaves(back), strict=True):
        assert np.array_equal(a, b)


def test_select_and_paths_name_what_exists():
    sky = synax.Synchrotron(synax.magnetic.WMAP(), None, synax.cosmic_rays.WMAP())
    chosen = synax.select(sky, "magnetic.b0", "cosmic_rays")
    free, fixed = eqx.partition(sky, chosen)
    assert free.magnetic.b0 is not None and free.magnetic.psi0 is None
    assert len(jax.tree.leaves(free)) == 1 + len(jax.tree.leaves(sky.cosmic_rays))
    assert eqx.tree_equal(eqx.combine(free, fixed), sky)
    with pytest.raises(ValueError, match=r"'magnetic' has no 'bo'.*b0"):
        synax.select(sky, "magnetic.bo")
    with pytest.raises(ValueError, match="nothing there can vary"):
        synax.select(sky, "electrons")


def test_algebra_of_fields():
    position = jnp.asarray(np.random.default_rng(0).normal(size=(3, 7)) * 5)
    wmap, other = synax.magnetic.WMAP(), synax.magnetic.Uniform((1.0, -2.0, 0.5))
    total = wmap + 0.5 * other - other / 2.0
    np.testing.assert_allclose(total(position), wmap(position), atol=1e-15)
    assert len(total.parts) == 3
    np.testing.assert_allclose((-wmap)(position), -wmap(position))
    turn = jnp.array([0.0, 0.0, np.pi / 2])
    x, y, z = position
    back = wmap(jnp.stack([y, -x, z]))
    turned = wmap.rotated(turn)(position)
    np.testing.assert_allclose(turned, jnp.stack([-back[1], back[0], back[2]]), atol=1e-14)
    offset = jnp.array([1.0, 2.0, -0.5])
    np.testing.assert_allclose(
        wmap.shifted(offset)(position), wmap(position - offset[:, None]), atol=1e-15
    )
    sphere = synax.Sphere(4.0, (1.0, 0.0, 0.0))
    cut = other.inside(sphere)(position)
    inside = np.linalg.norm(np.asarray(position) - [[1.0], [0.0], [0.0]], axis=0) <= 4.0
    assert 0 < inside.sum() < 7
    np.testing.assert_allclose(np.any(np.asarray(cut) != 0, axis=0), inside)
    profile = synax.electrons.Uniform(2.0)
    np.testing.assert_allclose((profile * wmap)(position), 2.0 * wmap(position))
    np.testing.assert_allclose(
        wmap.permuted(2, 0, 1)(position), wmap(position)[jnp.array([2, 0, 1])]
    )
    with pytest.raises(ValueError, match="permutation"):
        wmap.permuted(0, 0, 1)


def test_moved_fields_move_their_surfaces():
    rays = synax.Sightlines.from_lonlat([20.0, 100.0], [3.0, 40.0])
    origin = jnp.broadcast_to(rays.origin, rays.direction.shape)
    shifted = synax.electrons.Uniform(1.0, 2.0).shifted((-7.0, 1.0, 0.5))
    direct = synax.Sphere(2.0, (-7.0, 1.0, 0.5))
    (surface,) = shifted.surfaces()
    np.testing.assert_allclose(
        surface.crossings(origin, rays.direction),
        direct.crossings(origin, rays.direction),
        rtol=1e-12,
    )


def test_replace_takes_numbers_and_quantities():
    import astropy.units as u

    sky = synax.Synchrotron(
        synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP()
    )
    new = synax.replace(sky, {"magnetic.b0": 2 * u.nT, "electrons.n1": 0.01})
    assert float(new.magnetic.b0) == pytest.approx(20.0)
    assert float(new.electrons.n1) == 0.01 and float(sky.electrons.n1) != 0.01
    with pytest.raises(ValueError, match=r"no parameter 'magnetic.b9'"):
        synax.replace(sky, {"magnetic.b9": 1.0})
    for wrong, meant in (
        ("b0", "'magnetic.b0'"),
        ("magnetic.bo", "'magnetic.b0'"),
        ("magnetics.b0", "'magnetic'"),
        ("r0", "'cosmic_rays.r0'"),
    ):
        with pytest.raises(ValueError, match=f"did you mean {meant}"):
            synax.select(sky, wrong)
    with pytest.raises(ValueError, match=r"parameter 'magnetic.b0'"):
        synax.replace(sky, {"magnetic.b0": 2 * u.kpc})
    with pytest.raises(ValueError, match="must be finite"):
        synax.replace(sky, {"magnetic.b0": float("nan")})
    with pytest.raises(ValueError, match="has shape"):
        synax.replace(sky, {"magnetic.b0": [1.0, 2.0]})


def test_plot_needs_no_import_of_its_own():
    assert run("import synax; print(synax.plot.sky.__name__)") == "sky"
    with pytest.raises(AttributeError, match="no attribute 'plots'"):
        synax.plots  # noqa: B018


def test_old_names_say_the_new_ones():
    from synax._renamed import RENAMED

    for owner, names in RENAMED.items():
        if owner.startswith("synax"):
            module = importlib.import_module(owner)
            for old, new in names.items():
                with pytest.raises(AttributeError, match=new.split(",")[0]):
                    getattr(module, old)
    box = synax.Box((1.0, 1.0, 1.0))
    for make in (synax.magnetic.GaussianRandom, synax.electrons.GaussianRandom):
        field = make(jax.random.key(0), box, (8, 8, 8), outer_scale=1.0)
        for old, new in RENAMED["GaussianRandom"].items():
            with pytest.raises(AttributeError, match=f"is now called '{new}'"):
                getattr(field, old)
        with pytest.raises(AttributeError, match="no attribute 'noises'"):
            field.noises  # noqa: B018


def test_a_connection_would_fail_the_suite():
    for attempt in (
        lambda: urllib.request.urlopen("https://example.org", timeout=1),
        lambda: socket.create_connection(("93.184.216.34", 80), timeout=1),
    ):
        with pytest.raises(AssertionError, match="synax opens none"):
            attempt()

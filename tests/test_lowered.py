"""Programs that are kept before they are compiled: the same maps, and never a stale one."""

import copy
import json
import os
from functools import partial

import jax
import numpy as np
import pytest

from synax._checks import SynaxWarning
from synax.cli import _lowered, _marching, _programs, _run, _simulate
from synax.cli._config import load, parse_set
from synax.cli._lowered import Lowered, digest, source
from synax.cli._programs import Programs
from synax.io import load_map

PLAIN = (
    "sightlines.nside=2",
    "integration.steps=8",
    "output.figure=false",
    "frequency=0.01",  # where free-free absorption is missed, which is warned of
    "magnetic.model=Uniform",
    "magnetic.vector=[1.0, 2.0, 0.5]",
    "electrons.model=Uniform",
    "electrons.value=0.05",
    "cosmic_rays.model=Uniform",
    "cosmic_rays.value=1e-5",
    "physics.free_free=false",
)


def configuration(*changes):
    return load(None, [parse_set(text) for text in (*PLAIN, *changes)])


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "synax" / ("jax-1.2.3-" + 16 * "0")
    folder.mkdir(parents=True, mode=0o700)
    return folder


def simulated(folder, out, *changes):
    """Maps and record of a run that shares a folder of programs with others."""
    with Programs.open(folder) as store:
        mark = _programs._OPEN.set(store)
        try:
            config = configuration(f"output.directory='{out}'", *changes)
            with pytest.warns(SynaxWarning):
                record = _simulate.run(config, talk=False)
        finally:
            _programs._OPEN.reset(mark)
    names = ("stokes_0.01GHz.fits", "RM.fits", "DM.fits")
    return [np.asarray(load_map(out / name).values) for name in names], record


def ours(folder):
    return sorted(
        path.name for path, key, _ in _programs._kept(folder) if key.startswith("lowered")
    )


def test_a_second_run_traces_nothing_and_is_the_same(folder, tmp_path, monkeypatch):
    first, record = simulated(folder, tmp_path / "first")
    (name,) = ours(folder)

    def traced(*_):
        raise AssertionError("traced again")

    with monkeypatch.context() as patched:
        patched.setattr(_marching, "simulate", traced)
        again, told = simulated(folder, tmp_path / "again")
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert told["warnings"] == record["warnings"] and len(told["warnings"]) == 2
    assert told["error_estimate"] == record["error_estimate"]
    # another value is another program, and nothing but its own answer
    other, _ = simulated(folder, tmp_path / "other", "electrons.value=0.1")
    np.testing.assert_allclose(other[2], 2.0 * first[2], rtol=1e-6)
    assert len(ours(folder)) == 2
    # one that cannot be read is traced
    path = folder / name
    path.unlink()
    with Programs.open(folder) as store:
        store.write(name.split("-")[1].split(".")[0], b"\x02" + 7 * b"\x00" + b"{}none")
    assert name.split(".")[0] in {other.split(".")[0] for other in ours(folder)}
    once_more, _ = simulated(folder, tmp_path / "once_more")
    for one, other in zip(first, once_more, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "change",
    [
        "magnetic.vector=[1.0, 2.0, 0.6]",
        "frequency=0.03",
        "integration.steps=9",
        "integration.precision=float32",
        "integration.quadrature=midpoint",
        "sightlines.nside=4",
        "physics.free_free=true",
        "domain.half_lengths=[20.0, 20.0, 6.0]",
        "seed=1",
    ],
)
def test_whatever_changes_the_maps_changes_the_name(change):
    assert digest(configuration(change)) != digest(configuration())


def test_where_the_maps_go_does_not():
    assert digest(configuration("output.directory=there")) == digest(configuration())


def test_versions_settings_and_source_change_the_name(monkeypatch):
    config = configuration()
    before = digest(config)
    with monkeypatch.context() as patched:
        patched.setattr(_lowered, "package_version", lambda name: f"{name} 9.9")
        assert digest(config) != before
    with monkeypatch.context() as patched:
        patched.setattr(_lowered, "source", lambda: "another")
        assert digest(config) != before
    default = jax.config.jax_default_matmul_precision
    try:
        jax.config.update("jax_default_matmul_precision", "highest")
        assert digest(config) != before
    finally:
        jax.config.update("jax_default_matmul_precision", default)
    cache = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update("jax_compilation_cache_dir", "/elsewhere")
        assert digest(config) == before
    finally:
        jax.config.update("jax_compilation_cache_dir", cache)


def test_the_source_is_every_file_by_name_and_content(tmp_path):
    package = tmp_path / "package"
    (package / "data").mkdir(parents=True)
    (package / "a.py").write_text("x = 1\n")
    (package / "data" / "table.csv").write_text("1\n")
    found = [source.__wrapped__(package)]
    (package / "a.py").write_text("x = 2\n")
    found.append(source.__wrapped__(package))
    (package / "data" / "table.csv").write_text("2\n")
    found.append(source.__wrapped__(package))
    (package / "a.py").rename(package / "b.py")
    found.append(source.__wrapped__(package))
    (package / "c.py").write_text("")
    found.append(source.__wrapped__(package))
    assert len(set(found)) == len(found)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "a.pyc").write_bytes(b"1")
    assert source.__wrapped__(package) == found[-1]


@pytest.mark.parametrize(
    "place",
    [
        ("magnetic", 0, "class"),
        ("electrons", 0, "grid"),
        ("sightlines", "pixels"),
        ("physics", "turbulence", "grid"),
    ],
)
def test_what_is_read_from_files_is_not_kept(folder, place):
    """Nor is anything without a folder of programs."""
    config = configuration()
    assert Lowered.of(config, partial(_run.precision, "float64")) is None
    with_file = copy.deepcopy(config)
    *parents, last = place
    node = with_file
    for name in parents:
        node = node[name] if isinstance(name, int) or name in node else node.setdefault(name, {})
    node[last] = "somewhere.py"
    with Programs.open(folder) as store:
        mark = _programs._OPEN.set(store)
        try:
            assert Lowered.of(config, partial(_run.precision, "float64")) is not None
            assert Lowered.of(with_file, partial(_run.precision, "float64")) is None
        finally:
            _programs._OPEN.reset(mark)


def test_few_of_ours_stay_and_those_in_use_do(folder, monkeypatch):
    monkeypatch.setattr(_programs, "MOST_OF_OURS", 2)
    names = [64 * letter for letter in "abcd"]
    for name in names:
        for path, *_ in _programs._kept(folder):  # they are a minute older than what comes
            os.utime(path, ns=2 * (path.stat().st_mtime_ns - 60 * 10**9,))
        with Programs.open(folder) as store:
            store.write(name, json.dumps(name).encode())
            if name != names[0]:
                assert store.read(names[0]) == json.dumps(names[0]).encode()
    with Programs.open(folder) as store:
        assert [store.read(name) is not None for name in names] == [True, False, False, True]
        assert store.read(64 * "e") is None

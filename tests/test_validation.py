"""The validation report is that of today's models and tables, and its numbers come out again."""

import ast
import importlib
import json
import sys
from pathlib import Path

import pytest

from synax._catalogue import models

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "docs" / "data" / "validation.json"
WITHOUT_A_TABLE = {
    "CMZ", "Uniform", "TwoDisc", "ExponentialStrength", "StriatedStrength", "GaussianRandom",
    "PowerLaw", "LinearIndex", "TabulatedSpectrum", "BrokenPowerLaw", "CutOffPowerLaw",
    "LogParabola", "BrokenAnalytic",
}  # fmt: skip
"""Closed forms of their own tests, statistics, and spectra, which have rows of their own."""
QUICK = ("kst24_dev/B", "ymw16_dev/ne", "gaunt_dev/gaunt factor", "faraday_dev/Burn slab")


@pytest.fixture(scope="module")
def validation():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module("validation")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def mutation(validation):
    return importlib.import_module("mutation")


@pytest.fixture(scope="module")
def record():
    return json.loads(RECORD.read_text())["rows"]


def test_the_report_is_current(validation, record):
    """The same rows, made from the same tables, each within its bound."""
    assert [r["name"] for r in record] == [name for _, name, _ in validation.rows()]
    for row in record:
        assert row["table"] == validation.digest(row["name"]), row["name"]
        assert validation.passes(row), row["name"]


def test_every_published_model_has_a_row(validation):
    missing = {m.name for m in models()} - validation.fields.models() - WITHOUT_A_TABLE
    assert not missing


def test_a_worse_row_fails(validation, record):
    row = dict(record[0], worst=1.01 * record[0]["bound"])
    assert not validation.passes(row) and not validation.passes(dict(row, worst=float("nan")))


@pytest.mark.parametrize("name", QUICK)
def test_rows_come_out_again(validation, record, name):
    again(validation, record, name)


@pytest.mark.slow
def test_every_row_comes_out_again(validation, record):
    for row in record:
        again(validation, record, row["name"])


def again(validation, record, name):
    make = {n: make for _, n, make in validation.rows()}[name]
    old, new = {r["name"]: r for r in record}[name], make()
    assert validation.passes(new)
    for key in ("what", "of", "against", "points", "bound"):
        assert new[key] == old[key] or "independent draws" in old["because"], (name, key)
    assert new["worst"] <= 10.0 * old["worst"] + 1e-14, name  # other machines round otherwise


def test_the_rule_for_float32_is_that_of_its_table():
    """The page: errors of Q and U are 1e-7 to 4e-7 of the largest rotation, those of I are not."""
    tables = json.loads((RECORD.parent / "precision.json").read_text())["tables"]
    single = {k: rows for k, rows in tables.items() if k.endswith("float32 throughout")}
    assert len(single) == 2
    for rows in single.values():
        for row in rows:
            bound = 4e-7 * row["largest rotation (rad)"] + 1e-5
            assert row["Q"] < bound and row["U"] < bound and row["I"] < 5e-6, row
        assert rows[0]["Q"] > 1e-3  # at 30 MHz float32 is of no use


@pytest.mark.slow
def test_float32_comes_out_again(validation):
    precision = importlib.import_module("precision")
    name = "WMAP, TwoDisc"
    old = json.loads(precision.RECORD.read_text())["tables"][f"{name}: float32 throughout"]
    low, high = precision.seen(name, "float32"), precision.seen(name, "float64")
    for row, stored in zip(precision.maps(low, high), old, strict=True):
        for key in "IQU":
            assert 0.2 * stored[key] < row[key] < 5.0 * stored[key], (row["GHz"], key)


def test_mutants_are_caught_or_explained():
    """Of the sample of faults put into the code: what no test notices has a reason."""
    mutants = json.loads((RECORD.parent / "mutation.json").read_text())["mutants"]
    alive = [m for m in mutants if m["survived"]]
    assert len(mutants) >= 90 and all(m["by"] for m in mutants if not m["survived"])
    assert [m["name"] for m in alive if not m["reason"]] == []
    others = [m for m in mutants if not m["reason"].startswith("equivalent: ")]
    assert sum(not m["survived"] for m in others) >= 0.95 * len(others)


def test_faults_are_put_where_numbers_are_made(mutation, tmp_path, monkeypatch):
    """One change each; none in types, texts and messages; names that outlive other lines."""
    source = '''"""Text 1."""
def f(x: Float[Array, "3"], y: float | None = 2.0) -> Array:
    """Text 2."""
    if isinstance(x, Array | None) or x.ndim != 1:
        raise ValueError(f"got {x.ndim + 1}")
    return -smaller(jnp.sin(x) * 3, y)
'''
    (tmp_path / "synax").mkdir()
    (tmp_path / "synax" / "_a.py").write_text(source)
    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    found = mutation.mutants("_a.py")
    assert sorted(m.name.rpartition(": ")[2] for m in found) == [
        "1 to 2", "2.0 to 2.02", "3 to 4", "Mult to Div", "NotEq to Eq", "Or to And",
        "a sign lost", "sin to cos", "smaller to larger",
    ]  # fmt: skip
    changed = {mutation.source_of(one) for one in found}
    assert len(changed) == 9 and ast.unparse(ast.parse(source)) not in changed
    (tmp_path / "synax" / "_a.py").write_text("import jax\n" + source)
    assert {m.name for m in mutation.mutants("_a.py")} == {m.name for m in found}


def test_the_sample_of_faults_is_the_same_each_time(mutation):
    some = mutation.sample(40, 3)
    assert some == mutation.sample(40, 3) and some != mutation.sample(40, 4)
    assert len(set(some)) == len(some)
    folders = {m.file.partition("/")[0] for m in some}
    assert folders == {folder.rstrip("/") for folder in mutation.SHARES}

"""The programs in benchmarks/: how the gate judges, how a lent accelerator's time is used."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("benchmarks/ is not beside the tests", allow_module_level=True)


def load(name, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location(f"_benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def gate(monkeypatch):
    return load("gate", monkeypatch)


@pytest.fixture
def card(monkeypatch):
    return load("gpu_one_slot", monkeypatch)


class Fake:
    """A worker whose runs take what it is told, in the order they are asked for."""

    compile = 1.0

    def __init__(self, seconds, asked, name):
        self.seconds, self.asked, self.name = iter(seconds), asked, name

    def run(self):
        self.asked.append(self.name)
        return next(self.seconds)

    def close(self):
        self.asked.append("closed")


def judged(gate, base, branch, margin=0.05):
    asked = []
    workers = {"base": base, "branch": branch}

    def make(tree, name):
        if isinstance(workers[tree], str):
            raise RuntimeError(workers[tree])
        return Fake(workers[tree], asked, tree)

    row = gate.judge("case", {"base": "base", "branch": "branch"}, 4, margin, make)
    return row, asked


def test_the_gate_runs_in_turns_and_judges_by_the_interval(gate):
    """The first run of each is thrown away: the base's is 99 here."""
    noise = np.array([1.0, 1.001, 0.999, 1.0])
    row, asked = judged(gate, [99.0, *noise], [99.0, *(1.2 * noise[::-1])])
    turns = ["base", "branch", "branch", "base"]
    assert asked == ["base", "branch", *turns, *turns, "closed", "closed"]
    assert row["verdict"] == "slower" and row["ratio"] == pytest.approx(1.2, rel=1e-3)
    assert row["low"] < row["ratio"] < row["high"] < 1.21
    assert judged(gate, [1, *noise], [1, *(0.8 * noise)])[0]["verdict"] == "faster"
    assert judged(gate, [1, *noise], [1, *(1.02 * noise)])[0]["verdict"] == "equal"
    row, _ = judged(gate, [1, 1.0, 1.5, 0.7, 1.0], [1, 1.4, 1.0, 1.0, 0.8])
    assert row["verdict"] == "undecided" and row["low"] < 1 < row["high"]
    table = gate.markdown([row], "main")
    assert f"{row['ratio']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in table


def test_the_interval_is_student_s(gate):
    """Ten thousand draws of six pairs: 95 % of the intervals hold the true ratio."""
    rng = np.random.default_rng(3)
    logs = np.log(1.1) + 0.1 * rng.normal(size=(300, 6))
    found = [gate.interval([(1.0, float(np.exp(x))) for x in row]) for row in logs]
    held = np.mean([low < 1.1 < high for _, low, high in found])
    assert abs(held - 0.95) < 4 * np.sqrt(0.05 * 0.95 / 300)
    assert np.mean([ratio for ratio, *_ in found]) == pytest.approx(1.1, abs=0.01)


def test_what_the_base_cannot_run_is_new_and_what_the_branch_cannot_fails(gate):
    row, _ = judged(gate, "exit code 1: no such field", [1.0] * 5)
    assert row["verdict"] == "new" and "no such field" in gate.markdown([row], "main")
    row, _ = judged(gate, [1.0] * 5, "exit code 1: broken")
    assert row["verdict"] == "does not run"


def test_a_worker_tells_why_it_died(gate, tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with pytest.raises(RuntimeError, match="exit code 1: no such model"):
        gate.Worker(tmp_path, "case", command)
    about = json.dumps({"compile": 0.0, "from": str(tmp_path.parent)})
    command = [sys.executable, "-c", f"print('''{about}''', flush=True); input()"]
    with pytest.raises(RuntimeError, match="timed the package of"):
        gate.Worker(tmp_path, "case", command)


@pytest.mark.slow
def test_the_gate_on_this_tree_against_itself(gate, monkeypatch, capsys, tmp_path):
    if not (BENCHMARKS.parent / ".git").exists():
        pytest.skip("not a checkout")
    words = ["--base", "HEAD", "--cases", "smallest", "--pairs", "3", "--margin", "9"]
    monkeypatch.setattr(sys, "argv", ["gate.py", *words, "--markdown", str(tmp_path / "t.md")])
    assert gate.main() == 0
    assert "| smallest |" in (tmp_path / "t.md").read_text()


def test_the_time_of_a_lent_card_is_kept(card):
    """A clock that only the points move: 40 s each, of which three fit into 130."""
    now, lines, limits = [0.0], [], []

    def run(point, limit):
        limits.append(limit)
        now[0] += min(40.0, limit)
        return {"failed": "out of memory"} if point["case"] == "b" else {"best_s": 1.0}

    points = [{"case": c} for c in "abcde"]
    done = card.drive(points, 130.0, 50.0, run, lines.append, clock=lambda: now[0])
    assert done == 3 and now[0] <= 130.0
    assert limits == [50.0, 50.0, 50.0, 10.0]
    assert [line["case"] for line in lines] == list("abcde")
    assert lines[1]["failed"] == "out of memory" and lines[4]["left_out"] == "no time left"


def test_the_plan_holds_what_is_to_be_known(card):
    points = card.plan("/reference")
    kinds = [point["kind"] for point in points]
    assert kinds[0] == "agreement" and {"forward", "four", "all", "grid", "reference"} <= set(kinds)
    assert {point.get("precision") for point in points} == {None, "float32", "mixed"}
    assert len({point.get("block") for point in points}) >= 4
    assert json.loads(json.dumps(points[0])) == points[0]
    small = [card.tiny(point) for point in points]
    assert all(point["nside"] == 1 and point["steps"] == 4 for point in small)


def test_a_point_is_measured(card):
    point = card.tiny({"case": "forward", "kind": "forward", "nside": 64, "steps": 256})
    line = card.measure(point, repeats=1)
    cells, rest = divmod(line["points"], 12 * 2)  # pixels, nodes of a cell
    assert rest == 0 and cells >= 4  # and one more at every face of the discs
    assert line["predicted_bytes"] > 0 and line["best_s"] > 0 and line["compile_s"] > 0
    assert np.isfinite(line["sums"]).all() and line["sums"][1] > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["four", "all", "grid", "agreement"])
@pytest.mark.parametrize("precision", ["float64", "float32", "mixed"])
def test_every_kind_of_point(card, kind, precision):
    point = card.tiny({"kind": kind, "precision": precision, "grid": (8, 8, 8)})
    if kind != "grid":
        point.pop("grid")
    line = card.measure(point, repeats=1)
    if kind == "agreement":
        assert max(line.values()) == 0.0  # here both devices are the CPU
    else:
        assert np.isfinite(line["sums"]).all()


@pytest.mark.slow
def test_points_in_processes_of_their_own(card, monkeypatch, tmp_path, capsys):
    few = [{"case": "f", "kind": "forward", **card.SMALL}, {"case": "x", "kind": "forward"}]
    monkeypatch.setattr(card, "plan", lambda reference: few)
    monkeypatch.setattr(sys, "argv", ["x", "--dry-run", "--json", str(tmp_path / "lines")])
    monkeypatch.setattr(card, "tiny", lambda p: p | {"nside": 1, "steps": 4} if "nside" in p else p)
    assert card.main() == 1
    machine, good, bad = map(json.loads, (tmp_path / "lines").read_text().splitlines())
    assert machine["devices"] and good["best_s"] > 0
    assert bad["failed"].startswith("exit code 1: KeyError")

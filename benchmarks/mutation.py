"""Mutation testing: small faults put into the code, and whether the tests notice.

    python benchmarks/mutation.py [--count 120] [--seed 0] [--only TEXT] [--again]

A random sample of mutants (another operator, number, comparison, function, sign) of emission,
transfer, fields, models, maps and likelihoods. First the tests of `TESTS` run once under coverage,
which says which test reaches which line. Then each mutant runs in a forked process against the
tests that reach its line, cheapest first, until one fails; if none does, against the other tests of
their files. Programs that a mutant does not change are compiled once for all. Writes
docs/data/mutation.json after each mutant; those that stand there are not run again (`--again`: the
survivors are). Why nothing can notice a survivor is written there by hand, as its `reason`.
"""

import argparse
import ast
import importlib
import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "data" / "mutation.json"
CACHE = ROOT / ".cache" / "mutation"

SHARES = {
    "emission/": 0.25, "transfer/": 0.22, "fields/": 0.12, "magnetic/": 0.1, "electrons/": 0.07,
    "cosmic_rays/": 0.05, "maps/": 0.12, "inference/": 0.07,
}  # fmt: skip
"""Of the sample, by folder; within a folder every mutant has the same chance."""
LIKELIHOODS = ("_likelihood.py", "_likelihoods.py", "_noise.py", "_data.py", "_correlated.py")
TESTS = (
    "sphere free_free polarised_coefficients turbulence spectra polarised_cell math laws transfer "
    "physics_properties package surfaces grid checks sightlines magnetic_models jf12 uf23 "
    "older_fields newer_fields random_fields electrons ne2001 ymw16 cosmic_rays catalogue skymap "
    "fits_maps frames likelihoods compare"
).split()
DEAR = (
    "test_adjoints_agree", "test_memory_of_the_gradient", "test_haslam_finds", "test_the_real_sky",
    "test_second_derivatives",
)  # fmt: skip
"""Tests that are left out: they take longest, and what they ask others ask too."""
PRELOADED = (
    "jax equinox interpax numpyro optax hypothesis pytest "
    "scipy.stats scipy.interpolate scipy.integrate scipy.optimize scipy.special matplotlib.pyplot "
    "astropy.table astropy.units astropy.coordinates astropy.io.fits healpy h5py typer rich.console"
)
"""What the tests import beside the package itself."""
TOO_LONG = 900.0
"""Seconds after which a mutant counts as noticed: the tests would not end."""
ENOUGH = 45.0
"""Seconds of the processor after which a mutant has survived, if no test has failed."""

SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {
    "sin": "cos", "cos": "sin", "minimum": "maximum", "maximum": "minimum", "exp": "expm1",
    "smaller": "larger", "larger": "smaller", "sum": "mean", "any": "all", "all": "any",
}  # fmt: skip


class Mutant(NamedTuple):
    file: str
    name: str
    """File, text of the line, what changes: stays the same when the file grows elsewhere."""
    line: int
    end: int
    number: int
    """Of the change in its file."""


def changes(tree: ast.AST) -> Iterator[tuple[ast.AST, str, Any]]:
    """(node, what changes, how) of each fault that can be put into a module."""
    skipped = _not_computed(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
            new = SWAPS[type(node.op)]
            yield node, f"{type(node.op).__name__} to {new.__name__}", _set(node, "op", new())
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            old, new = type(node.ops[0]).__name__, SWAPS[type(node.ops[0])]
            yield node, f"{old} to {new.__name__}", _set(node, "ops", [new(), *node.ops[1:]])
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield node, "a sign lost", _set(node, "op", ast.UAdd())
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield node, f"{node.value} to {not node.value}", _set(node, "value", not node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            new = node.value + 1 if isinstance(node.value, int) else node.value * 1.01 or 1.0
            yield node, f"{node.value} to {new:g}", _set(node, "value", new)
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            new = NAMES[node.attr]
            yield node, f"{node.attr} to {new}", _set(node, "attr", new)
        elif isinstance(node, ast.Name) and node.id in NAMES and isinstance(node.ctx, ast.Load):
            yield node, f"{node.id} to {NAMES[node.id]}", _set(node, "id", NAMES[node.id])


def _not_computed(tree: ast.AST) -> set[int]:
    """Types, texts and messages of errors: what no number depends on."""
    found: set[int] = set()
    for node in ast.walk(tree):
        parts: list[Any] = []
        if isinstance(node, ast.FunctionDef):
            arguments = (*node.args.args, *node.args.kwonlyargs)
            parts = [node.returns, *(a.annotation for a in arguments)]
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.Raise | ast.JoinedStr):
            parts = [node]
        elif isinstance(node, ast.BinOp | ast.Compare | ast.BoolOp) and _of_types(node):
            parts = [node]
        found |= {id(n) for part in parts if part is not None for n in ast.walk(part)}
    return found


def _of_types(node: ast.AST) -> bool:
    """Unions of types, as in `isinstance(x, A | B)`: names with capitals and None alone."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute | ast.Constant)]
    word = lambda n: getattr(n, "id", getattr(n, "attr", None))
    union = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
    return union and all(str(word(n))[:1].isupper() for n in names if not _is_module(n))


def _is_module(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "jax", "jnp", "st", "eqx", "str", "int")


def _set(node: Any, name: str, value: Any) -> Any:
    return lambda: setattr(node, name, value)


def mutants(file: str) -> list[Mutant]:
    """Every mutant of a file of the package."""
    text = (ROOT / "synax" / file).read_text()
    lines, seen, found = text.splitlines(), {}, []
    for number, (node, what, _) in enumerate(changes(ast.parse(text))):
        line, end = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
        name = f"{file}: {lines[line - 1].strip()}: {what}"
        seen[name] = seen.get(name, 0) + 1
        name += f" ({seen[name]})" if seen[name] > 1 else ""
        found.append(Mutant(file, name, line, end, number))
    return found


def source_of(mutant: Mutant) -> str:
    """The file with its one change."""
    tree = ast.parse((ROOT / "synax" / mutant.file).read_text())
    list(changes(tree))[mutant.number][2]()
    return ast.unparse(ast.fix_missing_locations(tree))


def sample(count: int, seed: int, only: str = "") -> list[Mutant]:
    """A random sample, in random order, with the shares of each folder."""
    chance = random.Random(seed)
    found = []
    for folder, share in SHARES.items():
        files = sorted((ROOT / "synax" / folder).glob("_*.py"))
        files = [f for f in files if folder != "inference/" or f.name in LIKELIHOODS]
        pool = [m for f in files for m in mutants(folder + f.name)]
        found += chance.sample(pool, min(len(pool), round(share * count)))
    chance.shuffle(found)
    return [m for m in found if only in m.file]


class Watch:
    """A plugin of pytest: which test failed, how long each took, programs from one place."""

    def __init__(self, enough: float) -> None:
        self.enough, self.stopped = enough, False
        self.failed: str | None = None
        self.seconds: dict[str, float] = {}

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)  # what fails is not made smaller
        settings.register_profile("mutation", database=None, phases=phases, deadline=None)
        settings.load_profile("mutation")

    def pytest_collection_finish(self) -> None:
        import jax

        jax.config.update("jax_compilation_cache_dir", str(CACHE / "programs"))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed and self.failed is None:
            self.failed = report.nodeid

    def pytest_runtest_protocol(self, item: Any) -> None:
        if time.process_time() > self.enough and not self.stopped:
            self.stopped = True
            item.session.shouldstop = "enough"


def run(tests: list[str], answer: Path, source: tuple[str, str] | None, more: list[str]) -> bool:
    """Whether tests pass, in a forked process, with a source in the place of a file."""
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _in_child(tests, answer, source, more)
    end = time.monotonic() + (TOO_LONG if source else 1e9)
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _in_child(
    tests: list[str], answer: Path, source: tuple[str, str] | None, more: list[str]
) -> None:
    """The mutant instead of the file, then the tests; never returns."""
    import importlib.machinery

    import pytest

    code, watch = 1, Watch(ENOUGH if source else math.inf)
    try:
        if source is not None:
            place, text = str(ROOT / "synax" / source[0]), source[1]
            cached = importlib.machinery.SourceFileLoader.get_code

            def get_code(self: Any, name: str) -> Any:
                if self.path == place:  # not from __pycache__
                    return compile(text, place, "exec", dont_inherit=True)
                return cached(self, name)

            importlib.machinery.SourceFileLoader.get_code = get_code
        log = os.open(CACHE / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
        os.chdir(ROOT)
        code = pytest.main(
            ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=",
             "-o", "filterwarnings=", "--import-mode=importlib", "-m", "not slow and not data",
             *more, *tests],
            plugins=[watch],
        )  # fmt: skip
        answer.write_text(json.dumps({"failed": watch.failed, "seconds": watch.seconds}))
        if watch.stopped and watch.failed is None:
            code = 0
    finally:
        os._exit(int(code))


def reached(files: list[str]) -> tuple[dict[str, dict[int, set[str]]], dict[str, float]]:
    """Tests by file and line that they reach, and seconds of each test; runs them, or reads."""
    import coverage

    data, answer = CACHE / "coverage", CACHE / "baseline.json"
    if not answer.exists():
        os.environ["COVERAGE_FILE"] = str(data)
        deselect = " and ".join(f"not {name}" for name in DEAR)
        options = ["--cov=synax", "--cov-context=test", "--cov-report=", "-k", deselect]
        if not run(files, answer, None, options):
            failed = json.loads(answer.read_text())["failed"] if answer.exists() else "no answer"
            answer.unlink(missing_ok=True)
            raise SystemExit(f"tests fail without a fault: {failed} (see {CACHE / 'log'})")
    known = coverage.CoverageData(str(data))
    known.read()
    where: dict[str, dict[int, set[str]]] = {}
    for path in known.measured_files():
        contexts = known.contexts_by_lineno(path)
        tests = {n: {c.split("|")[0] for c in some if c} for n, some in contexts.items()}
        where[str(Path(path).relative_to(ROOT / "synax"))] = tests
    return where, json.loads(answer.read_text())["seconds"]


def verdict(mutant: Mutant, where: Any, seconds: dict[str, float]) -> dict[str, Any]:
    """What became of a mutant."""
    lines = where.get(mutant.file, {})
    cost = lambda test: seconds.get(test, 0.0)
    near = {t for n in range(mutant.line, mutant.end + 1) for t in lines.get(n, ())}
    near = near or {t for tests in lines.values() for t in tests}  # runs at import
    near = near or _of_readers(mutant.file, where)
    files = {t.split("::")[0] for t in near}
    far = {t for t in seconds if t.split("::")[0] in files} - near
    answer = CACHE / "answer.json"
    tests = [*sorted(near, key=cost), *sorted(far, key=cost)]
    if not tests or run(tests, answer, (mutant.file, source_of(mutant)), ["-x"]):
        return {"survived": True, "by": ""}
    found = json.loads(answer.read_text())["failed"] if answer.exists() else None
    return {"survived": False, "by": found or "does not run, or does not end"}


def _of_readers(file: str, where: Any) -> set[str]:
    """The tests of the modules that import one without functions: a table of numbers."""
    word = f"{Path(file).stem} import"
    readers = [other for other in where if word in (ROOT / "synax" / other).read_text()]
    return {t for other in readers for tests in where[other].values() for t in tests}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=120, help="mutants of the sample")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--only", default="", help="only files whose name contains this")
    parser.add_argument("--again", action="store_true", help="survivors of earlier runs too")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this time")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in PRELOADED.split():  # once for all children
        importlib.import_module(name)

    began = time.monotonic()
    where, seconds = reached([f"tests/test_{name}.py" for name in TESTS])
    print(f"{len(seconds)} tests, {sum(seconds.values()):.0f} s", flush=True)
    old = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    wanted = sample(arguments.count, arguments.seed, arguments.only)
    rows = {m["name"]: m for m in old.get("mutants", ())}
    for mutant in wanted:
        known = rows.get(mutant.name)
        if known and not (arguments.again and known["survived"]):
            continue
        if time.monotonic() - began > 60 * arguments.minutes:
            break
        start = time.perf_counter()
        row = {"name": mutant.name, **verdict(mutant, where, seconds)}
        row["reason"] = (known or {}).get("reason", "") if row["survived"] else ""
        rows[mutant.name] = row
        word = "SURVIVED" if row["survived"] else "caught"
        print(f"{word:9} {mutant.name} [{mutant.line}]  {time.perf_counter() - start:.0f} s "
              f"{row['by']}", flush=True)  # fmt: skip
        record = {"benchmark": "mutation", "mutants": list(rows.values())}
        RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    alive = [m for m in rows.values() if m["survived"]]
    print(f"{len(rows) - len(alive)} of {len(rows)} caught")
    for m in alive:
        print(f"  {m['name']}: {m['reason'] or 'no reason given'}")


if __name__ == "__main__":
    main()

"""Mutation testing: small faults put into the code, and whether the tests of that code notice.

    python benchmarks/mutation.py [--count 60] [--seed 0] [--only TEXT]

A sample of mutants (another operator, number, comparison, function, sign) of emission, transfer,
fields, maps, sightlines and likelihoods. Each runs in a forked process, against the tests that
concern its file and no others, until the first failure. Writes docs/data/mutation.json; mutants of
an earlier run that the sample holds again are not run again, unless their file changed.
"""

import argparse
import ast
import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "data" / "mutation.json"
TESTS = {
    "emission/_power_law.py": "test_sphere test_polarised_coefficients",
    "emission/_free_free.py": "test_free_free",
    "emission/_gaunt.py": "test_free_free",
    "emission/_turbulence.py": "test_turbulence",
    "emission/_polarised.py": "test_polarised_coefficients",
    "emission/_faraday.py": "test_sphere test_physics_properties",
    "emission/_columns.py": "test_sphere",
    "transfer/_thin.py": "test_math test_sphere test_physics_properties test_laws",
    "transfer/_quadrature.py": "test_sphere test_physics_properties test_transfer",
    "transfer/_cell_functions.py": "test_sphere test_physics_properties test_laws",
    "transfer/_polarised_cell.py": "test_polarised_cell",
    "fields/_field.py": "test_package",
    "fields/_domain.py": "test_sightlines test_surfaces",
    "fields/_surfaces.py": "test_surfaces",
    "fields/_grid.py": "test_grid",
    "magnetic/_wmap.py": "test_magnetic_models",
    "magnetic/_jf12_parts.py": "test_jf12",
    "magnetic/_tf17.py": "test_magnetic_models",
    "electrons/_discs.py": "test_electrons",
    "cosmic_rays/_discs.py": "test_cosmic_rays",
    "maps/_units.py": "test_skymap",
    "maps/_arithmetic.py": "test_skymap",
    "maps/_skymap.py": "test_skymap",
    "sightlines/_sightlines.py": "test_sightlines",
    "sightlines/_frames.py": "test_frames test_sightlines",
    "inference/_likelihoods.py": "test_likelihoods",
    "inference/_noise.py": "test_likelihoods",
}
REASONS = {
    "magnetic/_wmap.py:43: 8.0 to 8.08": "stands where the value is not used: any number does",
    "emission/_power_law.py:87: 0.0 to 1": "is multiplied by B = 0: any finite number does",
}
"""Why no test can see a change."""
TOO_LONG = 900.0
"""Seconds after which a mutant counts as noticed: the tests would not end."""

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


def changes(tree: ast.AST) -> Iterator[tuple[int, str, Any]]:
    """(line, what changes, how) of each fault that can be put into a module."""
    inside_text = {
        id(n.body[0].value)
        for n in ast.walk(tree)
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)
        and n.body
        and isinstance(n.body[0], ast.Expr)
    }
    skipped = _not_computed(tree)
    for node in ast.walk(tree):
        if id(node) in inside_text or id(node) in skipped:
            continue
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
            new = SWAPS[type(node.op)]
            yield line, f"{type(node.op).__name__} to {new.__name__}", _set(node, "op", new())
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            old, new = type(node.ops[0]).__name__, SWAPS[type(node.ops[0])]
            yield line, f"{old} to {new.__name__}", _set(node, "ops", [new(), *node.ops[1:]])
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield line, "a sign lost", _set(node, "op", ast.UAdd())
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield line, f"{node.value} to {not node.value}", _set(node, "value", not node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            new = node.value + 1 if isinstance(node.value, int) else node.value * 1.01 or 1.0
            yield line, f"{node.value} to {new:g}", _set(node, "value", new)
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            new = NAMES[node.attr]
            yield line, f"{node.attr} to {new}", _set(node, "attr", new)
        elif isinstance(node, ast.Name) and node.id in NAMES and isinstance(node.ctx, ast.Load):
            yield line, f"{node.id} to {NAMES[node.id]}", _set(node, "id", NAMES[node.id])


def _not_computed(tree: ast.AST) -> set[int]:
    """Types, and messages of errors: what no number depends on."""
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
        found |= {id(n) for part in parts if part is not None for n in ast.walk(part)}
    return found


def _set(node: Any, name: str, value: Any) -> Any:
    """How to make the change, and how to take it back."""
    old = getattr(node, name)
    return lambda on: setattr(node, name, value if on else old)


def mutants(file: str) -> list[tuple[str, int]]:
    """(name, number) of every mutant of a file."""
    tree = ast.parse((ROOT / "synax" / file).read_text())
    seen: dict[str, int] = {}
    found = []
    for number, (line, what, _) in enumerate(changes(tree)):
        name = f"{file}:{line}: {what}"
        seen[name] = seen.get(name, 0) + 1
        found.append((name + (f" ({seen[name]})" if seen[name] > 1 else ""), number))
    return found


def source_of(file: str, number: int) -> str:
    """The file with one change."""
    tree = ast.parse((ROOT / "synax" / file).read_text())
    for k, (_, _, change) in enumerate(changes(tree)):
        if k == number:
            change(True)
            break
    return ast.unparse(ast.fix_missing_locations(tree))


def sample(count: int, seed: int, only: str) -> list[tuple[str, str, int]]:
    """(file, name, number): as many of each file, as far as there are."""
    chance = random.Random(seed)
    files = [f for f in TESTS if only in f]
    pools = {f: mutants(f) for f in files}
    for pool in pools.values():
        chance.shuffle(pool)
    chance.shuffle(files)
    found: list[tuple[str, str, int]] = []
    while len(found) < count and any(pools.values()):
        for file in files:
            if pools[file] and len(found) < count:
                found.append((file, *pools[file].pop()))
    return found


def survives(file: str, source: str) -> bool:
    """Whether the tests of a file pass with that source in its place; in a forked process."""
    child = os.fork()
    if child == 0:
        _run(file, source)
    end = time.monotonic() + TOO_LONG
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run(file: str, source: str) -> None:
    """In the child: the mutant instead of the file, then the tests; never returns."""
    import importlib.machinery

    import pytest

    place = str(ROOT / "synax" / file)
    read = importlib.machinery.SourceFileLoader.get_data
    cached = importlib.machinery.SourceFileLoader.get_code

    def get_data(self: Any, path: str) -> bytes:
        return source.encode() if path == place else read(self, path)

    def get_code(self: Any, name: str) -> Any:
        if self.path == place:  # not from __pycache__
            return compile(source, place, "exec", dont_inherit=True)
        return cached(self, name)

    importlib.machinery.SourceFileLoader.get_data = get_data
    importlib.machinery.SourceFileLoader.get_code = get_code
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    os.chdir(ROOT)
    tests = [f"tests/{name}.py" for name in TESTS[file].split()]
    code = 1
    try:
        code = pytest.main(
            ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=",
             "-o", "filterwarnings=",
             "--import-mode=importlib", "-m", "not slow and not data", *tests]
        )  # fmt: skip
    finally:
        os._exit(int(code))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=60, help="mutants of the sample")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--only", default="", help="only files whose name contains this")
    parser.add_argument("--again", action="store_true", help="survivors of earlier runs too")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    import equinox, hypothesis, jax, numpy, optax, pytest, scipy.stats  # noqa: E401, F401, I001  (once for all children)

    old = json.loads(RECORD.read_text())["mutants"] if RECORD.exists() else []
    known = {(m["name"], m["source"]): m for m in old}
    sound: dict[str, bool] = {}  # whether the tests pass without a fault
    for file, name, number in sample(arguments.count, arguments.seed, arguments.only):
        source = source_of(file, number)
        key = (name, hashlib.sha256(source.encode()).hexdigest()[:12])
        if key in known and not (arguments.again and known[key]["survived"]):
            continue
        if file not in sound:
            sound[file] = survives(file, (ROOT / "synax" / file).read_text())
            if not sound[file]:
                print(f"skipped   {file}: its tests fail without any fault", flush=True)
        if not sound[file]:
            continue
        start = time.perf_counter()
        survived = survives(file, source)
        known[key] = {"file": file, "name": name, "source": key[1], "survived": survived}
        known[key]["reason"] = REASONS.get(name, "")
        word = "SURVIVED" if survived else "caught"
        print(f"{word:9} {name}  {time.perf_counter() - start:.0f} s", flush=True)
        record = {"benchmark": "mutation", "mutants": list(known.values())}
        RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    rows = list(known.values())
    alive = [m for m in rows if m["survived"]]
    print(f"{len(rows) - len(alive)} of {len(rows)} caught")
    for m in alive:
        print(f"  {m['name']}: {m['reason'] or 'no reason given'}")


if __name__ == "__main__":
    main()

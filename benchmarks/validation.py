"""The validation report: every model, formula, law and method against what is known of it.

    python benchmarks/validation.py [--only TEXT] [--check]

Writes docs/data/validation.json, from which docs/validation.md is made. References are the small
tables in tests/data (each made by an independent program, by quadrature or in closed form) and
closed forms written out here. A row fails if its worst point is beyond its bound; `--check` writes
nothing. With `--only`, rows whose name does not contain TEXT keep what they had.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _validation_fields as fields
import _validation_light as light
import _validation_skies as skies
import jax
import numpy as np
from _common import machine

ROOT = Path(__file__).resolve().parent.parent
TABLES, RECORD = ROOT / "tests" / "data", ROOT / "docs" / "data" / "validation.json"
PARTS = {"Models of fields": fields, "Formulae and laws of light": light, "Skies, inference": skies}


def table(name: str) -> Any:
    return np.load(TABLES / f"{name}.npz", allow_pickle=False)


def rows() -> Iterator[tuple[str, str, Callable[[], dict[str, Any]]]]:
    """(part, name, how to make the row) of the whole report."""
    for title, module in PARTS.items():
        for name, make in module.rows(table):
            yield title, name, make


def digest(name: str) -> str:
    """Of the table that a row is made from: another table asks for another report."""
    file = TABLES / f"{name.split('/')[0]}.npz"
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.exists() else ""


def passes(row: dict[str, Any]) -> bool:
    return bool(row["worst"] <= row["bound"])  # False for NaN


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--check", action="store_true", help="compute, and write nothing")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    old = json.loads(RECORD.read_text())["rows"] if RECORD.exists() else []
    known = {row["name"]: row for row in old}
    found, failed = [], []
    for part, name, make in rows():
        if arguments.only not in name:
            found += [known[name]] if name in known else []
            continue
        start = time.perf_counter()
        row = {"part": part, "name": name, **make(), "table": digest(name)}
        told = f"{row['what']:34} {row['of'][:34]:34} {row['worst']:9.1e} of {row['bound']:.0e}"
        print(f"{told}  {time.perf_counter() - start:5.1f} s", flush=True)
        failed += [] if passes(row) else [name]
        found.append(row)
    if not arguments.check:
        record = {"benchmark": "validation", "machine": machine(), "rows": found}
        RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    if failed:
        print(f"beyond their bounds: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

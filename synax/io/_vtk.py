"""VTK's legacy format (.vtk): structured points, binary; for programs that do not read `.vti`.

The settings of the grid stand in the title line, the box in the field data; numbers are big endian.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ._sizes import check_declared

_TYPES = {"double": ">f8", "float": ">f4"}


def write_vtk(path: Path, values: np.ndarray, facts: dict[str, Any]) -> None:
    """Write point data for node-centred and cell data for cell-centred grids."""
    node = facts["centering"] == "node"
    box = np.stack([facts["half_lengths"], facts["center"]])
    cells = [n - 1 if node else n for n in values.shape[-3:]]
    text = json.dumps({k: v for k, v in facts.items() if isinstance(v, str)})
    if len(text) > 240:
        raise ValueError("the names of quantity and unit are too long for a .vtk title")
    kind = "float" if values.dtype == np.float32 else "double"
    name = facts["quantity"].replace(" ", "_")
    attribute = f"VECTORS {name} {kind}"
    if values.ndim == 3:
        attribute = f"SCALARS {name} {kind} 1\nLOOKUP_TABLE default"
    numbers = lambda row: " ".join(map(repr, np.asarray(row, dtype=float).tolist()))
    head = (
        f"# vtk DataFile Version 3.0\nsynax {text}\nBINARY\nDATASET STRUCTURED_POINTS\n"
        "FIELD FieldData 1\nsynax_box 3 2 double\n"
    )
    middle = (
        f"\nDIMENSIONS {' '.join(str(n + 1) for n in cells)}\n"
        f"ORIGIN {numbers(box[1] - box[0])}\nSPACING {numbers(2.0 * box[0] / cells)}\n"
        f"{'POINT_DATA' if node else 'CELL_DATA'} {np.prod(values.shape[-3:])}\n{attribute}\n"
    )
    ordered = np.ascontiguousarray(np.transpose(values), dtype=_TYPES[kind])  # x fastest
    with open(path, "wb") as file:
        file.write(head.encode("ascii") + box.astype(">f8").tobytes() + middle.encode("ascii"))
        file.write(ordered.tobytes() + b"\n")


def read_vtk(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Read what `write_vtk` wrote."""
    with open(path, "rb") as file:
        lines = [file.readline().decode("ascii").strip() for _ in range(6)]
        if not lines[1].startswith("synax {") or lines[5] != "synax_box 3 2 double":
            raise ValueError("no legacy VTK file with the settings of a synax grid")
        facts = json.loads(lines[1].removeprefix("synax "))
        box = np.frombuffer(file.read(48), ">f8").reshape(2, 3)
        words = [file.readline().decode("ascii").split() for _ in range(6)]
        node, (kind, _, precision, *_) = words[4][0] == "POINT_DATA", words[5]
        if kind == "SCALARS":
            file.readline()  # the colour table
        shape = [int(n) - (not node) for n in words[1][1:]]
        components = [3] if kind == "VECTORS" else []
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"DIMENSIONS must be three positive numbers, got {words[1][1:]}")
        count = math.prod([*shape, *components])
        stored = np.dtype(_TYPES[precision])
        check_declared("its array", [*shape, *components], stored.itemsize, path.stat().st_size)
        raw = file.read(count * stored.itemsize)
    if len(raw) != count * stored.itemsize:
        raise ValueError("the file is cut short")
    flat = np.frombuffer(raw, stored)
    values = np.transpose(flat.reshape(*shape[::-1], *components))
    facts |= {"half_lengths": box[0].astype(float), "center": box[1].astype(float)}
    return np.ascontiguousarray(values, dtype=stored.newbyteorder("=")), facts

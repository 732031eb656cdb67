"""VTK image data (.vti): what ParaView and PyVista open, one array in inline base64.

The settings of the grid travel as a VTK string array, the box as numbers, both in the file's
field data, which viewers show and keep.
"""

import base64
import json
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

_TYPES = {"Float64": "<f8", "Float32": "<f4"}


def _encode(values: np.ndarray) -> str:
    raw = values.tobytes()
    return base64.b64encode(struct.pack("<Q", len(raw)) + raw).decode("ascii")


def _decode(element: ElementTree.Element) -> np.ndarray:
    raw = base64.b64decode("".join((element.text or "").split()), validate=True)
    (size,) = struct.unpack("<Q", raw[:8])
    if size != len(raw) - 8:
        raise ValueError(f"array '{element.get('Name')}' is cut short")
    return np.frombuffer(raw[8:], dtype=_TYPES[element.get("type", "")])


def _array(parent: ElementTree.Element, name: str, values: np.ndarray, **more: str) -> None:
    kind = "Float32" if values.dtype == np.float32 else "Float64"
    element = ElementTree.SubElement(
        parent, "DataArray", type=kind, Name=name, format="binary", **more
    )
    element.text = _encode(np.ascontiguousarray(values, dtype=_TYPES[kind]))


def write_vti(path: Path, values: np.ndarray, facts: dict[str, Any]) -> None:
    """Write point data for node-centred and cell data for cell-centred grids."""
    node = facts["centering"] == "node"
    box = np.stack([facts["half_lengths"], facts["center"]])
    cells = [n - 1 if node else n for n in values.shape[-3:]]
    spacing = 2.0 * box[0] / cells
    extent = " ".join(f"0 {n}" for n in cells)
    text = {k: v for k, v in facts.items() if isinstance(v, str)}

    root = ElementTree.Element(
        "VTKFile",
        type="ImageData", version="1.0", byte_order="LittleEndian", header_type="UInt64",
    )  # fmt: skip
    image = ElementTree.SubElement(
        root,
        "ImageData",
        WholeExtent=extent,
        Origin=" ".join(map(repr, (box[1] - box[0]).tolist())),
        Spacing=" ".join(map(repr, spacing.tolist())),
    )
    fields = ElementTree.SubElement(image, "FieldData")
    _array(fields, "synax_box", box, NumberOfTuples="6")
    note = ElementTree.SubElement(
        fields, "DataArray", type="String", Name="synax", NumberOfTuples="1", format="ascii"
    )
    # VTK spells strings as character codes ending in 0
    note.text = " ".join(str(code) for code in (*json.dumps(text).encode("ascii"), 0))
    piece = ElementTree.SubElement(image, "Piece", Extent=extent)
    vector = values.ndim == 4
    data = ElementTree.SubElement(
        piece,
        "PointData" if node else "CellData",
        {"Vectors" if vector else "Scalars": facts["quantity"]},
    )
    ordered = np.transpose(values)  # z slowest, x fastest, components last of all
    _array(data, facts["quantity"], ordered, NumberOfComponents="3" if vector else "1")
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def read_vti(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Read what `write_vti` wrote."""
    root = ElementTree.parse(path).getroot()
    image, note = root.find("ImageData"), root.find(".//FieldData/DataArray[@Name='synax']")
    box = root.find(".//FieldData/DataArray[@Name='synax_box']")
    if image is None or note is None or box is None:
        raise ValueError("no ImageData with the settings of a synax grid")
    codes = [int(code) for code in (note.text or "").split()]
    facts = json.loads(bytes(codes[:-1]))
    half, center = _decode(box).reshape(2, 3)
    facts |= {"half_lengths": half, "center": center}
    node = facts["centering"] == "node"
    ends = [int(n) for n in image.get("WholeExtent", "").split()][1::2]
    shape = [n + 1 if node else n for n in ends]
    element = root.find(f".//{'PointData' if node else 'CellData'}/DataArray")
    if element is None:
        raise ValueError("no array on its points or cells")
    flat = _decode(element)
    components = [3] if element.get("NumberOfComponents") == "3" else []
    return np.ascontiguousarray(np.transpose(flat.reshape(*shape[::-1], *components))), facts

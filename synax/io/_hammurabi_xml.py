"""Parameter files of hammurabiX (XML) as configurations of `synax simulate`.

Every element that is switched on is either mapped or reported: nothing is dropped in silence.
Both spellings of its history are read (`lsa` and `wmap`, `thermalelectron` and `freeelectron`,
`oc_r_max` and `ec_r_max`). A configuration is plain nested data, the content of a TOML file.
"""

import math
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

_JAFFE_NUMBERS = (
    "disk_amp disk_z0 halo_amp halo_z0 r_inner r_scale r_peak ring_amp ring_r bar_amp bar_a bar_b "
    "arm_r0 arm_z0 comp_c comp_d comp_r comp_p"
).split()
_JF12 = {
    "b_ring": "b_ring",
    "h_disk": "h_disk",
    "w_disk": "w_disk",
    "Bn": "b_north",
    "Bs": "b_south",
    "rn": "r_north",
    "rs": "r_south",
    "wh": "w_halo",
    "z0": "z_halo",
    "B0_X": "b_x",
    "rpc_X": "r_x_core",
    "r0_X": "r_x",
}
_ARM_FLUX = (0.130, 0.165, 0.094, 0.122, 0.13, 0.118, 0.084, 0.156)
"""Share of each arm in a circle (Jansson & Farrar 2012, sect. 5.1.1): arm 8 closes the flux."""
_CRE = {"E0": "energy", "j0": "flux"}


class _Reader:
    """One file, and the notes made on the way."""

    def __init__(self, root: ET.Element):
        self.root = root
        self.notes: list[str] = []

    def number(self, path: str, default: float | None = None) -> float | None:
        """The value of an element 'a/b/c'; hammurabiX keeps numbers in attributes."""
        element = self.root.find(path)
        text = None if element is None else element.get("value")
        if text is None:
            return default
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{path}: value '{text}' is not a number") from None

    def first(self, *paths: str) -> str | None:
        """The first of several spellings that exists."""
        return next((p for p in paths if self.root.find(p) is not None), None)

    def on(self, path: str) -> bool:
        """Whether an element is there and its cue is not 0."""
        element = self.root.find(path)
        return element is not None and element.get("cue", "1") != "0"

    def kind(self, path: str) -> str:
        """The `type` attribute of an element, in lower case."""
        element = self.root.find(path)
        return "" if element is None else element.get("type", "").strip().lower()


def hammurabi_xml(path: str | os.PathLike) -> tuple[dict[str, Any], list[str]]:
    """Read a parameter file of hammurabiX.

    **Returns** the configuration (nested data, as in the TOML file of `synax simulate`), and one
    sentence for everything that was not mapped or that differs on purpose.

    **Raises** `FileNotFoundError`; `ValueError` if the file is no such parameter file.

    **Reference:** Wang et al. 2020, ApJS 247, 18 (hammurabi X).
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(f"'{path}' is not XML: {error}") from None
    if root.tag != "root":
        raise ValueError(f"'{path}' is no parameter file of hammurabiX: <{root.tag}>, not <root>")
    reader = _Reader(root)
    configuration: dict[str, Any] = {}
    observer = _observer(reader)
    _observables(reader, configuration)
    configuration["magnetic"] = _magnetic(reader)
    configuration["electrons"] = _electrons(reader, observer)
    configuration["cosmic_rays"] = _cosmic_rays(reader, observer)
    configuration["sightlines"] = {**configuration.get("sightlines", {}), "observer": observer}
    _extent(reader, configuration, observer)
    for name in ("breg", "brnd", "tereg", "ternd", "fereg", "fernd", "cre"):
        element = root.find(f"fieldio/{name}")
        if element is not None and element.get("read", "0") == "1":
            reader.notes.append(
                f"fieldio/{name} reads '{element.get('filename')}': load it with "
                "synax.io.load_grid and give it as grid = FILE"
            )
    reader.notes.append("maps of hammurabiX are thermodynamic temperatures: unit is K_CMB here too")
    configuration["output"] = {"unit": "K_CMB"}
    return configuration, reader.notes


def _observer(reader: _Reader) -> list[float]:
    x, y, z = (
        reader.number(f"grid/observer/{axis}", default)
        for axis, default in (("x", -8.3), ("y", 0.0), ("z", 6.0))
    )
    return [float(x or 0.0), float(y or 0.0), 1e-3 * float(z or 0.0)]  # z is in pc


def _observables(reader: _Reader, configuration: dict[str, Any]) -> None:
    outputs, frequencies, sides = [], [], set()
    for element in reader.root.findall("observable/*"):
        if element.get("cue", "0") == "0":
            continue
        sides.add(int(element.get("nside", "64")))
        if element.tag == "sync":
            frequencies.append(float(element.get("freq", "nan")))
        elif element.tag in ("faraday", "dm"):
            outputs.append({"faraday": "RM", "dm": "DM"}[element.tag])
        else:
            reader.notes.append(f"observable/{element.tag} has no counterpart")
    if frequencies:
        configuration["frequency"] = frequencies
        outputs.insert(0, "stokes")
    if outputs:
        configuration["outputs"] = outputs
    if sides:
        configuration["sightlines"] = {"nside": max(sides)}
    if len(sides) > 1:
        reader.notes.append(f"outputs ask for nside {sorted(sides)}: all maps are at {max(sides)}")


def _magnetic(reader: _Reader) -> dict[str, Any]:
    base = "magneticfield/regular"
    if reader.on("magneticfield/random"):
        reader.notes.append(
            "magneticfield/random is left out: use synax.SolenoidalField (hammurabiX's strength is "
            "sqrt(2) times its rms parameter)"
        )
    if not reader.on(base):
        reader.notes.append(f"{base} is off: the field is 0")
        return {"model": "Uniform", "vector": [0.0, 0.0, 0.0]}
    kind = reader.kind(base)
    if kind in ("lsa", "wmap"):
        return {"model": "WMAP", **_wmap(reader, f"{base}/{kind}")}
    if kind == "jaffe":
        return {"model": "Jaffe13", **_jaffe(reader, f"{base}/jaffe")}
    if kind == "jf12":
        return {"model": "JF12.hammurabi", **_jf12(reader, f"{base}/jf12")}
    if kind == "helix":
        names = {"bx": "bx", "by": "by", "bz": "bz", "r_min": "r_min", "r_max": "r_max"}
        return {"model": "Helix", **_given(reader, f"{base}/helix", names)}
    if kind == "cart":
        vector = [reader.number(f"{base}/cart/{k}", 0.0) for k in ("bx", "by", "bz")]
        return {"model": "Uniform", "vector": vector}
    if kind == "unif":
        plane = reader.number(f"{base}/unif/bp", reader.number(f"{base}/unif/b0", 0.0)) or 0.0
        l0 = math.radians(reader.number(f"{base}/unif/l0", 0.0) or 0.0)
        up = reader.number(f"{base}/unif/bv", 0.0) or 0.0
        if reader.number(f"{base}/unif/r") is not None:
            reader.notes.append(f"{base}/unif/r is not used: the field is uniform everywhere")
        return {"model": "Uniform", "vector": [plane * math.cos(l0), plane * math.sin(l0), up]}
    reader.notes.append(f"{base} of type '{kind}' is unknown: magnetic is left at the default")
    return {"model": "WMAP"}


def _given(reader: _Reader, path: str, names: dict[str, str], angle: bool = False) -> dict:
    values = {new: reader.number(f"{path}/{old}") for old, new in names.items()}
    turn = math.radians if angle else float
    return {new: turn(value) for new, value in values.items() if value is not None}


def _wmap(reader: _Reader, path: str) -> dict[str, float]:
    angles = {name: name for name in ("psi0", "psi1", "chi0")}
    return _given(reader, path, {"b0": "b0"}) | _given(reader, path, angles, angle=True)


def _jaffe(reader: _Reader, path: str) -> dict[str, Any]:
    found: dict[str, Any] = _given(reader, path, {name: name for name in _JAFFE_NUMBERS})
    found |= _given(reader, path, {"bar_phi0": "bar_phi0", "arm_pitch": "arm_pitch"}, angle=True)
    for name in ("quadruple", "bss", "ring", "bar"):
        if reader.root.find(f"{path}/{name}") is not None:
            found[name] = reader.on(f"{path}/{name}")
    count = int(reader.number(f"{path}/arm_num", 4.0) or 0)
    for name, turn in (("arm_amp", float), ("arm_phi", math.radians)):
        arms = [reader.number(f"{path}/{name}{n + 1}") for n in range(count)]
        if all(arm is not None for arm in arms):
            found[name] = [turn(arm) for arm in arms if arm is not None]
    return found


def _jf12(reader: _Reader, path: str) -> dict[str, Any]:
    found: dict[str, Any] = _given(reader, path, _JF12)
    found |= _given(reader, path, {"Xtheta": "theta_x"}, angle=True)
    arms = [reader.number(f"{path}/b_arm{n}") for n in range(1, 8)]
    given = [arm for arm in arms if arm is not None]
    if len(given) == 7:
        flux = sum(f * b for f, b in zip(_ARM_FLUX, given, strict=False))
        found["b_arms"] = [*given, -flux / _ARM_FLUX[7]]
    elif given:
        reader.notes.append(f"{path}: b_arm1 to b_arm7 are not all given, so the default arms stay")
    return found


def _electrons(reader: _Reader, observer: list[float]) -> dict[str, Any]:
    base = reader.first("thermalelectron/regular", "freeelectron/regular")
    for section in ("thermalelectron", "freeelectron"):
        if reader.on(f"{section}/random"):
            reader.notes.append(
                f"{section}/random is left out: multiply by synax.Exponential(GaussianField)"
            )
    if base is None or not reader.on(base):
        return {"model": "Uniform", "value": 0.0}
    kind = reader.kind(base)
    if kind == "unif":
        found = _given(reader, f"{base}/unif", {"n0": "value", "r0": "radius"})
        return {"model": "Uniform", **found, "center": observer}
    if kind != "ymw16":
        reader.notes.append(f"{base} of type '{kind}' is unknown: YMW16 is used")
    reader.notes.append(
        f"{base}: hammurabiX's own version of YMW16, with its default parameters; the published "
        "model is YMW16 and differs by more than 10 % near the Sun"
    )
    return {"model": "YMW16Hammurabi"}


def _cosmic_rays(reader: _Reader, observer: list[float]) -> dict[str, Any]:
    base = reader.first("cre", "cosmicrayelectron") or "cre"
    kind = reader.kind(base)
    names = {k: k for k in ("alpha", "beta", "theta", "r0", "z0", "E0", "j0")}
    if kind == "analytic":
        found = _given(reader, f"{base}/analytic", names)
        for slope in ("beta", "theta"):
            if found.get(slope) == 0.0:
                del found[slope]  # a constant index is faster than a field of index
        found = {_CRE.get(name, name): value for name, value in found.items()}
        return {"model": "Analytic", **found, "observer": observer}
    reader.notes.append(
        f"{base} of type '{kind or 'none'}' has no counterpart with the same normalisation: the "
        "default cosmic rays are used"
    )
    return {"model": "WMAP"}


def _extent(reader: _Reader, configuration: dict[str, Any], observer: list[float]) -> None:
    shell = "grid/shell"
    reach = reader.number(reader.first(f"{shell}/oc_r_max", f"{shell}/ec_r_max") or "", 30.0)
    radius = reader.number(f"{shell}/gc_r_max", 20.0) or 20.0
    height = reader.number(f"{shell}/gc_z_max", 10.0) or 10.0
    configuration["domain"] = {"shape": "box", "half_lengths": [radius, radius, height]}
    reader.notes.append(
        f"the domain is a box of half-lengths ({radius:g}, {radius:g}, {height:g}) kpc; hammurabiX "
        f"ends at {radius:g} kpc from the Centre and {reach:g} kpc from the observer"
    )
    start = reader.number(reader.first(f"{shell}/oc_r_min", f"{shell}/ec_r_min") or "", 0.0)
    if start:
        configuration["sightlines"]["minimum_distance"] = start
    for name, limit in (("gc_r_min", 0.0), ("gc_z_min", 0.0)):
        if (reader.number(f"{shell}/{name}", limit) or limit) != limit:
            reader.notes.append(f"{shell}/{name} is not mapped")
    for name, full in (("lat_min", -90.0), ("lat_max", 90.0), ("lon_min", 0.0), ("lon_max", 360.0)):
        if reader.number(f"{shell}/{name}", full) != full:
            reader.notes.append(f"{shell}/{name} is not mapped: give pixels or a mask instead")
    step = reader.number(reader.first(f"{shell}/oc_r_res", f"{shell}/ec_r_res") or "")
    if step:
        # fourth order and exact ends: a quarter of the cells is ample
        longest = math.hypot(radius + math.hypot(observer[0], observer[1]), radius, height)
        steps = max(64, min(512, round(0.25 * longest / step)))
        configuration["integration"] = {"steps": steps}


def toml_text(configuration: dict[str, Any], notes: list[str]) -> str:
    """A configuration as TOML, the notes as comments at its head."""
    lines = ["# Converted from a parameter file of hammurabiX.", *(f"# - {note}" for note in notes)]
    tables = {k: v for k, v in configuration.items() if isinstance(v, dict)}
    lines += ["", *(f"{k} = {_toml(v)}" for k, v in configuration.items() if k not in tables)]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{k} = {_toml(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)

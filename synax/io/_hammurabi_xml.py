"""Parameter files of hammurabiX (XML) as configurations of `synax simulate`.

Every element that is switched on is either mapped or reported: nothing is dropped in silence.
Both spellings of its history are read (`lsa` and `wmap`, `thermalelectron` and `freeelectron`,
`oc_r_max` and `ec_r_max`). A configuration is plain nested data, the content of a TOML file.
"""

import math
import os
from typing import Any

from .. import _constants as const
from ..cosmic_rays._analytic import flux_normalisation
from ._hammurabi_reader import Reader
from ._toml import toml_document

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
MOST_ARMS = 64


def hammurabi_xml(path: str | os.PathLike) -> tuple[dict[str, Any], list[str]]:
    """Read a parameter file of hammurabiX.

    **Returns** the configuration (nested data, as in the TOML file of `synax simulate`), and one
    sentence for everything that was not mapped or that differs on purpose.

    **Raises** `FileNotFoundError`; `ValueError` if the file is no such parameter file, larger than
    16 MB, or holds numbers that are none, not finite, or out of range.

    **Reference:** Wang et al. 2020, ApJS 247, 18 (hammurabi X).
    """
    reader = Reader(path)
    configuration: dict[str, Any] = {}
    observer = _observer(reader)
    _observables(reader, configuration)
    configuration["magnetic"] = _magnetic(reader)
    configuration["electrons"] = _electrons(reader, observer)
    configuration["cosmic_rays"] = _cosmic_rays(reader, observer)
    configuration["sightlines"] = {**configuration.get("sightlines", {}), "observer": observer}
    _extent(reader, configuration, observer)
    _files(reader)
    reader.notes.append("maps of hammurabiX are thermodynamic temperatures: unit is K_CMB here too")
    configuration["output"] = {"unit": "K_CMB"}
    reader.report()
    return configuration, reader.notes


def _files(reader: Reader) -> None:
    for name in ("breg", "brnd", "tereg", "ternd", "fereg", "fernd", "cre"):
        element = reader.find(f"fieldio/{name}")
        if element is None:
            continue
        file = element.get("filename")
        if element.get("read", "0").strip() == "1":
            reader.notes.append(
                f"fieldio/{name} reads {file!r}: load it with synax.io.load_grid and give it as "
                "grid = FILE"
            )
        if element.get("write", "0").strip() == "1":
            reader.notes.append(f"fieldio/{name} writes {file!r}: fields are not written here")
    if reader.on("mask"):
        element = reader.find("mask")
        file = None if element is None else element.get("filename")
        reader.notes.append(
            f"mask is on ({file!r}): write it as a FITS mask and give it as sightlines.pixels"
        )


def _observer(reader: Reader) -> list[float]:
    """Galactocentric kpc; before 2019 files had z in pc, which a large z gives away."""
    x, y, z = (
        reader.number(f"grid/observer/{axis}", default) or 0.0
        for axis, default in (("x", -8.3), ("y", 0.0), ("z", 0.006))
    )
    if abs(z) > 1.0:
        reader.notes.append(
            f"grid/observer/z = {z:g} is taken in kpc, as hammurabiX has it since 2019; a file "
            f"from before has it in pc: then write {1e-3 * z:g} into sightlines.observer"
        )
    return [x, y, z]


def _observables(reader: Reader, configuration: dict[str, Any]) -> None:
    outputs, frequencies, sides = [], [], set()
    for element in reader.each("observable/*"):
        where = f"observable/{element.tag}"
        if element.get("cue", "0").strip() == "0":
            continue
        if element.tag not in ("sync", "faraday", "dm"):
            reader.notes.append(f"{where} has no counterpart")
            continue
        nside = 64.0 if element.get("nside") is None else reader.attribute(element, where, "nside")
        sides.add(reader.whole(nside, f"{where}: nside", 1, 8192))
        if element.tag == "sync":
            frequency = reader.attribute(element, where, "freq")
            if not frequency > 0:
                raise ValueError(f"{where}: freq must be positive (GHz), got {frequency:g}")
            frequencies.append(frequency)
        else:
            outputs.append({"faraday": "RM", "dm": "DM"}[element.tag])
    if frequencies:
        configuration["frequency"] = list(dict.fromkeys(frequencies))
        outputs.insert(0, "stokes")
    if outputs:
        configuration["outputs"] = list(dict.fromkeys(outputs))
    if sides:
        configuration["sightlines"] = {"nside": max(sides)}
    if len(sides) > 1:
        reader.notes.append(f"outputs ask for nside {sorted(sides)}: all maps are at {max(sides)}")


def _magnetic(reader: Reader) -> dict[str, Any]:
    base = "magneticfield/regular"
    if reader.on("magneticfield/random"):
        reader.skip("magneticfield/random")
        reader.notes.append(
            "magneticfield/random is left out: use synax.SolenoidalField (hammurabiX's strength is "
            "sqrt(2) times its rms parameter)"
        )
    if not reader.on(base):
        reader.notes.append(f"{base} is off: the field is 0")
        return {"model": "Uniform", "vector": [0.0, 0.0, 0.0]}
    kind = reader.kind(base)
    reader.chosen(base, kind)
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
    reader.skip(base)
    reader.notes.append(f"{base} of type {kind!r} is unknown: magnetic is left at the default")
    return {"model": "WMAP"}


def _given(reader: Reader, path: str, names: dict[str, str], angle: bool = False) -> dict:
    values = {new: reader.number(f"{path}/{old}") for old, new in names.items()}
    turn = math.radians if angle else float
    return {new: turn(value) for new, value in values.items() if value is not None}


def _wmap(reader: Reader, path: str) -> dict[str, float]:
    angles = {name: name for name in ("psi0", "psi1", "chi0")}
    return _given(reader, path, {"b0": "b0"}) | _given(reader, path, angles, angle=True)


def _jaffe(reader: Reader, path: str) -> dict[str, Any]:
    found: dict[str, Any] = _given(reader, path, {name: name for name in _JAFFE_NUMBERS})
    found |= _given(reader, path, {"bar_phi0": "bar_phi0", "arm_pitch": "arm_pitch"}, angle=True)
    for name in ("quadruple", "bss", "ring", "bar"):
        if reader.find(f"{path}/{name}") is not None:
            found[name] = reader.on(f"{path}/{name}")
    count = reader.whole(reader.number(f"{path}/arm_num", 4.0), f"{path}/arm_num", 1, MOST_ARMS)
    for name, turn in (("arm_amp", float), ("arm_phi", math.radians)):
        arms = [reader.number(f"{path}/{name}{n + 1}") for n in range(count)]
        if all(arm is not None for arm in arms):
            found[name] = [turn(arm) for arm in arms if arm is not None]
    return found


def _jf12(reader: Reader, path: str) -> dict[str, Any]:
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


def _electrons(reader: Reader, observer: list[float]) -> dict[str, Any]:
    base = reader.first("thermalelectron/regular", "freeelectron/regular")
    for section in ("thermalelectron", "freeelectron"):
        if reader.on(f"{section}/random"):
            reader.skip(f"{section}/random")
            reader.notes.append(
                f"{section}/random is left out: multiply by random_fields.Exponential(field)"
            )
    if base is None or not reader.on(base):
        return {"model": "Uniform", "value": 0.0}
    kind = reader.kind(base)
    reader.chosen(base, kind)
    if kind == "unif":
        found = _given(reader, f"{base}/unif", {"n0": "value", "r0": "radius"})
        return {"model": "Uniform", **found, "center": observer}
    if kind != "ymw16":
        reader.notes.append(f"{base} of type {kind!r} is unknown: YMW16 is used")
    reader.skip(base)
    reader.notes.append(
        f"{base}: hammurabiX's own version of YMW16, with its default parameters; the published "
        "model is YMW16 and differs by more than 10 % near the Sun"
    )
    return {"model": "YMW16Hammurabi"}


def _cosmic_rays(reader: Reader, observer: list[float]) -> dict[str, Any]:
    base = reader.first("cre", "cosmicrayelectron") or "cre"
    if reader.first(base) is not None and not reader.on(base):
        reader.notes.append(f"{base} is off: there are no cosmic rays and no emission")
        return {"model": "Uniform", "value": 0.0}
    kind = reader.kind(base)
    reader.chosen(base, kind)
    names = {k: k for k in ("alpha", "beta", "theta", "r0", "z0", "E0", "j0")}
    found = _given(reader, f"{base}/{kind}", names) if kind in ("analytic", "unif") else {}
    for slope in ("beta", "theta"):
        if found.get(slope) == 0.0:
            del found[slope]  # a constant index is faster than a field of index
    if kind == "analytic":
        own = {str(_CRE.get(name, name)): value for name, value in found.items()}
        return {"model": "Analytic", **own, "observer": observer}
    if kind == "unif":
        return _uniform_cosmic_rays(reader, f"{base}/unif", found, observer)
    reader.skip(base)
    reader.notes.append(
        f"{base} of type {kind or 'none'!r} has no counterpart with the same normalisation: the "
        "default cosmic rays are used"
    )
    return {"model": "WMAP"}


def _uniform_cosmic_rays(
    reader: Reader, path: str, found: dict[str, float], observer: list[float]
) -> dict[str, Any]:
    """Electrons of one density within r0 of the observer, fixed by their flux j0 at E0."""
    for slope in ("beta", "theta"):
        if slope in found:
            reader.notes.append(f"{path}/{slope} is not mapped: the index is alpha everywhere")
    index, energy = found.get("alpha", 3.0), found.get("E0", 20.6)
    if not energy > const.ELECTRON_REST_ENERGY_GEV:
        raise ValueError(f"{path}/E0 must be above the rest energy of an electron, got {energy:g}")
    value = flux_normalisation(energy, found.get("j0", 0.0217), index)
    sphere = {"radius": found["r0"], "center": observer} if "r0" in found else {}
    return {"model": "Uniform", "value": value, "spectral_index": index, **sphere}


def _extent(reader: Reader, configuration: dict[str, Any], observer: list[float]) -> None:
    shell = "grid/shell"
    reach = reader.number(reader.first(f"{shell}/oc_r_max", f"{shell}/ec_r_max") or "", 30.0)
    radius = reader.number(f"{shell}/gc_r_max", 20.0) or 20.0
    height = reader.number(f"{shell}/gc_z_max", 10.0) or 10.0
    for name, length in (("gc_r_max", radius), ("gc_z_max", height)):
        if not length > 0:
            raise ValueError(f"{shell}/{name} must be positive (kpc), got {length:g}")
    configuration["domain"] = {"shape": "box", "half_lengths": [radius, radius, height]}
    reader.notes.append(
        f"the domain is a box of half-lengths ({radius:g}, {radius:g}, {height:g}) kpc; hammurabiX "
        f"ends at {radius:g} kpc from the Centre and {reach:g} kpc from the observer"
    )
    start = reader.number(reader.first(f"{shell}/oc_r_min", f"{shell}/ec_r_min") or "", 0.0)
    if (start or 0.0) < 0:
        raise ValueError(f"{shell}/oc_r_min must not be negative (kpc), got {start:g}")
    if start:
        configuration["sightlines"]["minimum_distance"] = start
    if reader.number(f"{shell}/gc_r_min", 0.0) != 0.0:
        reader.notes.append(f"{shell}/gc_r_min is not mapped: rays go through the centre too")
    if reader.number(f"{shell}/gc_z_min", -height) != -height:
        reader.notes.append(
            f"{shell}/gc_z_min is not mapped: the domain reaches from -{height:g} to {height:g} kpc"
        )
    for name, full in (("lat_min", -90.0), ("lat_max", 90.0), ("lon_min", 0.0), ("lon_max", 360.0)):
        if reader.number(f"{shell}/{name}", full) != full:
            reader.notes.append(f"{shell}/{name} is not mapped: give pixels or a mask instead")
    step = reader.number(reader.first(f"{shell}/oc_r_res", f"{shell}/ec_r_res") or "")
    if step is not None and not step > 0:
        raise ValueError(f"{shell}/oc_r_res must be positive (kpc), got {step:g}")
    if step:
        # fourth order and exact ends: a quarter of the cells is ample
        longest = math.hypot(radius + math.hypot(observer[0], observer[1]), radius, height)
        steps = max(64, min(512, round(0.25 * longest / step)))
        configuration["integration"] = {"steps": steps}


def toml_text(configuration: dict[str, Any], notes: list[str]) -> str:
    """A configuration as TOML, the notes as comments at its head."""
    comments = ["Converted from a parameter file of hammurabiX.", *(f"- {note}" for note in notes)]
    return toml_document(configuration, comments)

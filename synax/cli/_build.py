"""From a checked configuration to fields, sightlines and simulators."""

import dataclasses
import importlib.util
import inspect
import shlex
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from .. import _catalogue
from .._parameters import as_parameter, hint_of_moved
from ..cosmic_rays import AbstractPowerLaw
from ..fields._field import AbstractField, check_rank
from . import _background, _values as v
from ._console import BadInput, suggestion
from ._given_files import no_file
from ._schema import SCATTERING

_COMMON = ("scale", "rotate", "shift")
_UNITS = {"magnetic": "uG", "electrons": "cm-3", "cosmic_rays": "cm-3"}
_RANKS = {"magnetic": "vector", "electrons": "scalar", "cosmic_rays": "scalar"}


def build_field(group: str, parts: list[dict[str, Any]], seed: int) -> Any:
    """The field of one group: a model, a user's class, a grid, or the sum of several."""
    field = None
    for k, part in enumerate(parts):
        name = group if len(parts) == 1 else f"{group}.{k}"
        one = _one(group, name, part, seed + k)
        field = one if field is None else field + one
    if group == "cosmic_rays" and not isinstance(field, AbstractPowerLaw):
        raise BadInput(
            f"[{group}] must be one cosmic-ray model with a spectral index: sums, grids and "
            "scaled models have none"
        )
    try:
        check_rank(field, _RANKS[group], group)
    except Exception as error:
        raise BadInput(f"[{group}] cannot be used: {_line(error)}") from None
    return field


def _one(group: str, name: str, part: dict[str, Any], seed: int) -> Any:
    part = dict(part)
    common = {key: part.pop(key) for key in _COMMON if key in part}
    if "grid" in part:
        field = _grid(group, name, part)
    else:
        cls, make = _model(group, name, part) if "model" in part else _user_class(name, part)
        field = _call(group, name, cls, make, part, seed)
    if "scale" in common:
        field = v.quantity("")(f"{name}.scale", common["scale"]) * field
    if "rotate" in common:
        field = field.rotated(v.vector(3, "rad")(f"{name}.rotate", common["rotate"]))
    if "shift" in common:
        field = field.shifted(v.vector(3, "kpc")(f"{name}.shift", common["shift"]))
    return field


def _model(group: str, name: str, part: dict[str, Any]) -> tuple[type, Any]:
    """The class and its constructor; inside another model ('magnetic.along') any group serves."""
    given = part.pop("model")
    nested = not name.removeprefix(group).removeprefix(".").isdigit() and name != group
    allowed = _allowed(group, nested, given.split("."))
    if given not in allowed:
        allowed = _allowed(group, nested, None)
        hint = suggestion(given, allowed)
        raise BadInput(f"{name}.model = {given!r}: must be one of {', '.join(allowed)}{hint}")
    return allowed[given]


def _allowed(group: str, nested: bool, names: list[str] | None) -> dict[str, tuple[type, Any]]:
    """Models of these names (None: all) and their variants, as they are called in `group`."""
    allowed = {}
    for entry in _catalogue.models(None if nested else group, names):
        key = entry.name if entry.group == group else f"{entry.group}.{entry.name}"
        allowed[key] = (entry.cls, entry.make)
        for variant in entry.variants:
            allowed[f"{key}.{variant}"] = (entry.cls, entry.variant(variant))
    return allowed


def _user_class(name: str, part: dict[str, Any]) -> tuple[type, Any]:
    given = part.pop("class")
    file, colon, cls_name = given.rpartition(":")
    if not colon or not file or not cls_name:
        raise BadInput(f"{name}.class = {given!r}: must be 'FILE.py:ClassName'")
    path = Path(file)
    if why := no_file(path):
        raise BadInput(f"{name}.class = {given!r}: '{path}': {why}")
    spec = importlib.util.spec_from_file_location(f"_synax_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{name}.class = {given!r}: '{path}' is not a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise BadInput(f"{name}.class: running '{path}' failed: {_line(error)}") from None
    fields = [
        key
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, AbstractField)
        and not inspect.isabstract(value)
    ]
    if cls_name not in fields:
        found = ", ".join(fields) or "none"
        raise BadInput(
            f"{name}.class = {given!r}: '{path}' has no field class '{cls_name}' "
            f"(a subclass of synax.AbstractVectorField or AbstractScalarField); it has {found}"
        )
    cls = getattr(module, cls_name)
    return cls, cls


def _call(group: str, name: str, cls: type, make: Any, part: dict[str, Any], seed: int) -> Any:
    entries = {entry.name: entry for entry in _catalogue.constructor(cls)}
    allowed = [key for key in entries if key != "key"] + list(_COMMON)
    arguments: dict[str, Any] = {}
    changes: dict[str, dict[str, Any]] = {}
    if "key" in entries:
        import jax

        arguments["key"] = jax.random.key(seed)
    for key, value in part.items():
        if key not in allowed:
            raise BadInput(
                f"unknown parameter {name}.{key} = {v.shown(value)}: {cls.__name__} has "
                f"{', '.join(allowed)}{hint_of_moved(cls, key) or suggestion(key, allowed)}"
            )
        if entries[key].kind in ("part", "field") and _is_change(value):
            changes[key] = value
        else:
            arguments[key] = _argument(group, f"{name}.{key}", value, entries[key], seed)
    missing = [
        key
        for key, entry in entries.items()
        if entry.default == _catalogue.REQUIRED and key not in arguments
    ]
    if missing and make is cls:
        raise BadInput(f"{name}.{missing[0]} is missing: {cls.__name__} has no default for it")
    try:
        built = make(**arguments)
    except Exception as error:
        raise BadInput(f"[{name}] {cls.__name__}: {_line(error)}") from None
    for key, table in changes.items():
        part = _changed(group, f"{name}.{key}", getattr(built, key, None), table, seed)
        built = eqx.tree_at(lambda tree, key=key: getattr(tree, key), built, part)
    return built


def _is_change(value: Any) -> bool:
    """Whether a table changes numbers of a part that is there, instead of giving another."""
    return isinstance(value, dict) and not any(source in value for source in v.SOURCES)


def _changed(group: str, name: str, part: Any, table: dict[str, Any], seed: int) -> Any:
    """A part of a model with some of its values replaced; tables go on into parts of the part."""
    if not isinstance(part, eqx.Module):
        raise BadInput(
            f"{name} = {v.shown(table)}: must have exactly one of {', '.join(v.SOURCES)}"
        )
    entries = {entry.name: entry for entry in _catalogue.constructor(type(part))}
    values = {}
    for key, value in table.items():
        where = f"{name}.{key}"
        if key not in entries:
            raise BadInput(
                f"unknown parameter {where} = {v.shown(value)}: {type(part).__name__} has "
                f"{', '.join(entries)}{suggestion(key, entries)}"
            )
        old = getattr(part, key, None)
        if isinstance(old, eqx.Module) and _is_change(value):
            values[key] = _changed(group, where, old, value, seed)
        else:
            entry = entries[key]._replace(default=_catalogue.plain(old))
            values[key] = _argument(group, where, value, entry, seed)
    try:
        return dataclasses.replace(part, **values)
    except Exception as error:
        raise BadInput(f"[{name}] {type(part).__name__}: {_line(error)}") from None


def _argument(group: str, key: str, value: Any, entry: _catalogue.ParameterEntry, seed: int) -> Any:
    if entry.kind == "domain":
        return _box(key, value)
    if isinstance(value, dict) and entry.kind in ("field", "number"):
        sources = [source for source in v.SOURCES if source in value]
        if len(sources) != 1:
            raise BadInput(f"{key} must have exactly one of {', '.join(v.SOURCES)}")
        return _one(group, key, value, seed)
    if entry.kind == "part":
        raise BadInput(f"{key} = {v.shown(value)}: must be a table of this part's parameters")
    if entry.kind == "field":
        raise BadInput(
            f"{key} = {v.shown(value)}: must be a field, a table with {', '.join(v.SOURCES)}"
        )
    if entry.kind == "switch":
        return v.like(key, value, entry.default)
    number = v.regular(key, v.in_unit(key, value, entry.unit))
    if entry.default in (_catalogue.REQUIRED, None) or isinstance(entry.default, dict):
        return as_parameter(number, entry.unit, key)
    expected, given = np.shape(entry.default), np.shape(number)
    longer = len(expected) == len(given) == 1 and "n_" in entry.dims
    if expected != given and not longer:
        want = "one number" if expected == () else f"numbers in the shape {list(expected)}"
        unit = f" in {entry.unit}" if entry.unit else ""
        raise BadInput(f"{key} = {v.shown(value)}: must be {want}{unit}")
    return as_parameter(number, entry.unit, key)


def _box(key: str, value: Any) -> Any:
    from ..fields._domain import Box

    readers = {"half_lengths": v.vector(3, "kpc", positive=True), "center": v.vector(3, "kpc")}
    if not isinstance(value, dict) or "half_lengths" not in value:
        raise BadInput(
            f"{key} = {v.shown(value)}: must be a table with half_lengths (and center), kpc"
        )
    for name in value:
        if name not in readers:
            hint = suggestion(name, readers)
            raise BadInput(f"unknown key {key}.{name}: known are {', '.join(readers)}{hint}")
    return Box(**{name: readers[name](f"{key}.{name}", item) for name, item in value.items()})


def _grid(group: str, name: str, part: dict[str, Any]) -> Any:
    from ..io._grids import read_grid

    file, unit = part.pop("grid"), part.pop("unit", None)
    wanted = _UNITS[group]
    if part:
        key, value = next(iter(part.items()))
        raise BadInput(
            f"unknown parameter {name}.{key} = {v.shown(value)}: beside 'grid' there may be "
            f"unit, {', '.join(_COMMON)}"
        )
    if unit is not None:
        unit = v.text(f"{name}.unit", unit)
    if why := no_file(file):
        raise BadInput(f"{name}.grid = {file!r}: {why}")
    if Path(file).suffix.lower() == ".bin":
        raise BadInput(
            f"{name}.grid = {file!r}: a raw binary has no header, and a configuration gives no "
            f"shape and box: make a grid with both of it first, {_convert(file)}"
        )
    try:
        grid = read_grid(file)
        if unit is not None and grid.unit not in ("", unit):
            raise ValueError(f"its unit is '{grid.unit}', which unit = {unit!r} contradicts")
        if unit is None and not grid.unit:
            raise ValueError(f"it has no unit: say it beside the grid, as in unit = '{wanted}'")
        return dataclasses.replace(grid, unit=unit or grid.unit).to_unit(wanted)
    except Exception as error:
        raise BadInput(f"{name}.grid = {file!r}: {_line(error)}") from None


def _convert(file: str) -> str:
    """The command that makes a grid with a header of a raw binary."""
    new = shlex.quote(str(Path(file).with_suffix(".npz")))
    return f"synax convert {shlex.quote(file)} {new} --shape NX NY NZ --half-lengths X Y Z (kpc)"


def _line(error: BaseException) -> str:
    """The first paragraph of an error as one line."""
    if isinstance(error, SystemExit):
        return f"it ends the program (exit code {error.code!r})"
    return " ".join(str(error).split("\n\n")[0].split()) or type(error).__name__


def domain(settings: dict[str, Any]) -> Any:
    """`synax.Box` or `synax.Sphere` of the [domain] section."""
    from ..fields._domain import Box, Sphere

    if settings["shape"] == "sphere":
        return Sphere(settings["radius"], settings["center"])
    return Box(settings["half_lengths"], settings["center"])


def pixel_numbers(settings: dict[str, Any]) -> np.ndarray | None:
    """Pixels of the [sightlines] section: None for the whole sky; a mask file may name them."""
    given, nside, ordering = settings.get("pixels"), settings["nside"], settings["ordering"]
    if given is None:
        return None
    if isinstance(given, str):
        numbers = _mask(given, nside, ordering)
    else:
        numbers = np.asarray(given, dtype=np.int64)
    if numbers.max(initial=0) >= 12 * nside**2:
        raise BadInput(
            f"sightlines.pixels holds {numbers.max()}: at nside {nside} pixels are numbered "
            f"0 to {12 * nside**2 - 1}"
        )
    return numbers


def _mask(file: str, nside: int, ordering: str) -> np.ndarray:
    import healpy

    from ._masks import read_mask

    mask = read_mask(file, "sightlines.pixels")
    if mask.nside != nside:
        raise BadInput(f"sightlines.pixels = {file!r}: its nside is {mask.nside}, must be {nside}")
    numbers = np.flatnonzero(mask.seen)
    return np.sort(healpy.ring2nest(nside, numbers)) if ordering == "NEST" else numbers


def integration(settings: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of the simulators from the [integration] section."""
    from ..transfer import GaussLegendre, GradedSteps, Midpoint, UniformSteps

    if settings["spacing"] == "graded":
        scale = {"scale": settings["scale"]} if "scale" in settings else {}
        steps = GradedSteps(settings["steps"], **scale)
    else:
        steps = UniformSteps(settings["steps"])
    rule = GaussLegendre() if settings["quadrature"] == "gauss" else Midpoint()
    return {"steps": steps, "quadrature": rule, "faces": settings["faces"]}


def physics(settings: dict[str, Any], frequency: list[float]) -> dict[str, Any]:
    """Keyword arguments of `Synchrotron` from the [physics] section."""
    from ..emission import FreeFree, Turbulence
    from ..simulators._validity import ABSORPTION_BELOW

    found: dict[str, Any] = {"self_absorption": settings["self_absorption"]}
    choice = settings["free_free"]
    if choice is True or (choice == "auto" and min(frequency) < ABSORPTION_BELOW):
        filling = settings["filling_factor"]
        known = filling != SCATTERING  # else the electrons tell, once they are there
        found["free_free"] = FreeFree(settings["temperature"], filling if known else 1.0)
    if "turbulence" in settings:
        found["turbulence"] = Turbulence(
            settings["turbulence"], settings["striation"], settings["correlation_length"]
        )
    if "background" in settings:
        found["background"] = _background.build(settings["background"])
    return found

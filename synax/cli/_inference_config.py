"""The configuration of a fit or of sampling: that of a simulation, and what is free, data, run.

The sections of `synax simulate` say the model and where to look; [[data]], [priors],
[random_field], [fit], [sample] and [run] are read here, as strictly.
"""

import tomllib
from pathlib import Path
from typing import Any

from ..maps._kinds import FRAMES
from ..maps._units import BARE_KELVIN, BRIGHTNESS_UNITS, spelled
from . import _config, _values as v
from ._console import BadInput, suggestion

_PAIR = v.vector(2, "")

DATA: dict[str, Any] = {
    "name": v.text,
    "kind": v.choice("stokes", "RM", "DM"),
    "file": v.text,
    "columns": lambda key, value: _table_of(v.text, key, value),
    "unit": lambda key, value: _unit(key, value),
    "table": lambda key, value: value if type(value) is int else v.text(key, value),
    "ordering": v.choice("RING", "NEST"),
    "frame": v.choice(*FRAMES),
    "convention": v.choice("IAU", "COSMO"),
    "frequency": v.quantity("GHz", positive=True),
    "stokes": v.list_of(v.choice("I", "Q", "U"), "Stokes parameter"),
    "sigma": v.quantity("", positive=True),
    "relative_sigma": v.quantity("", minimum=0.0),
    "excess": v.quantity("", positive=True),
    "held_out": v.quantity("", minimum=0.0),
}

SECTIONS: dict[str, dict[str, Any]] = {
    "random_field": {
        "group": v.choice("magnetic", "electrons"),
        "kind": v.choice("solenoidal", "gaussian"),
        "shape": lambda key, value: [int(n) for n in v.vector(3, "", positive=True)(key, value)],
        "half_lengths": v.vector(3, "kpc", positive=True),
        "spectrum": v.choice("matern", "power-law"),
        "rms": v.quantity("", positive=True),
        "length": v.vector(3, "kpc", positive=True),
        "slope": v.quantity("", positive=True),
        "replace": v.boolean,
        "amplitude": v.quantity("", minimum=0.0),
    },
    "fit": {
        "optimizer": v.choice("gauss-newton", "adam", "lbfgs"),
        "rate": v.quantity("", positive=True),
        "steps": v.integer(1),
        "tolerance": v.quantity("", positive=True),
        "patience": v.integer(1),
    },
    "sample": {
        "method": v.choice("hmc", "nuts", "mclmc", "rwmh"),
        "chains": v.integer(1),
        "warmup": v.integer(0),
        "draws": v.integer(4),
        "chunk": v.integer(1),
        "whiten": v.choice("fisher", "pathfinder", "prior"),
        "restarts": v.integer(0),
    },
    "run": {"directory": v.text, "every_minutes": v.quantity("", minimum=0.0)},
}

DEFAULTS: dict[str, dict[str, Any]] = {
    "random_field": {
        "group": "magnetic", "kind": "solenoidal", "half_lengths": [20.0, 20.0, 5.0],
        "spectrum": "matern", "rms": 1.0, "length": [4.0, 4.0, 1.0], "slope": 11.0 / 3.0,
        "replace": False, "amplitude": 0.1,
    },
    "fit": {"optimizer": "gauss-newton", "rate": 0.02, "steps": 200, "tolerance": 1e-6,
            "patience": 5},
    "sample": {"method": "hmc", "chains": 4, "warmup": 100, "draws": 500, "chunk": 25,
               "whiten": "fisher", "restarts": 8},
    "run": {"directory": "synax-run", "every_minutes": 0.0},
}  # fmt: skip
DISTRIBUTIONS = ("uniform", "normal", "lognormal", "loguniform")


def load(path: Path, overrides: list[_config.Override]) -> dict[str, Any]:
    """The complete, checked configuration as plain nested data."""
    user = _config._read(path)
    own = {k: user.pop(k) for k in (*SECTIONS, "data", "priors") if k in user}
    mine = [o for o in overrides if o.path.split(".")[0] in SECTIONS]
    for override in mine:
        section, _, key = override.path.partition(".")
        own.setdefault(section, {})[key] = override.value
    tree = tomllib.loads(_config.default_text())
    _config._merge(tree, user, "")
    for override in overrides:
        if override not in mine:
            _config._assign(tree, override)
    checked = _config._check(tree)
    for name, schema in SECTIONS.items():
        if name != "random_field" or name in own:
            checked[name] = {**DEFAULTS[name], **_section(name, own.get(name, {}), schema)}
    if "random_field" in checked and "shape" not in checked["random_field"]:
        raise BadInput("random_field.shape is missing: the number of grid nodes, [nx, ny, nz]")
    checked["data"] = _data(own.get("data"), path.parent)
    checked["priors"] = _priors(own.get("priors", {}), "random_field" in checked)
    return checked


def _unit(key: str, value: Any) -> str:
    return v.choice(*BRIGHTNESS_UNITS, *BARE_KELVIN, "rad/m2", "pc/cm3")(
        key, spelled(v.text(key, value))
    )


def _section(name: str, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{name} = {value!r}: must be a table, [{name}]")
    for key in value:
        _config._known(key, schema, name)
    return {key: schema[key](f"{name}.{key}", item) for key, item in value.items()}


def _table_of(reader: Any, key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise BadInput(f"{key} = {value!r}: must be a table such as {{ I = 'T' }}")
    return {name: reader(f"{key}.{name}", item) for name, item in value.items()}


def _data(value: Any, folder: Path) -> list[dict[str, Any]]:
    parts = [value] if isinstance(value, dict) else value
    if not isinstance(parts, list) or not parts:
        raise BadInput("there are no data: give at least one [[data]] table")
    found = []
    for k, part in enumerate(parts):
        where = f"data.{k}"
        given = {"name": f"data{k}", "kind": "stokes", **_section(where, part, DATA)}
        if "sigma" not in given:
            raise BadInput(f"{where}.sigma is missing: the standard deviation of the noise")
        if given["kind"] == "stokes" and "frequency" not in given:
            raise BadInput(f"{where}.frequency is missing: Stokes parameters need one, in GHz")
        if not 0.0 <= given.setdefault("held_out", 0.0) < 1.0:
            raise BadInput(f"{where}.held_out = {given['held_out']}: must be less than 1")
        if not given["name"].isidentifier():
            raise BadInput(f"{where}.name = {given['name']!r}: must be letters, digits and _")
        if "file" in given:
            given["file"] = str(folder / given["file"])
        found.append(given)
    names = [part["name"] for part in found]
    if len(set(names)) < len(names):
        raise BadInput(f"data: the names {', '.join(names)} are not all different")
    return found


def _priors(value: Any, has_field: bool) -> dict[str, dict[str, list[float]]]:
    if not isinstance(value, dict) or (not value and not has_field):
        raise BadInput(
            "nothing is free: give [priors] such as 'magnetic.b0' = { uniform = [0, 9] }"
        )
    found = {}
    for path, item in value.items():
        where = f"priors.'{path}'"
        if not isinstance(item, dict) or len(item) != 1:
            raise BadInput(f"{where} = {item!r}: must be one of {', '.join(DISTRIBUTIONS)}, as in "
                           "{ uniform = [0, 9] }; quote the path")  # fmt: skip
        ((kind, numbers),) = item.items()
        if kind not in DISTRIBUTIONS:
            hint = suggestion(kind, DISTRIBUTIONS)
            raise BadInput(f"{where}: unknown '{kind}': known are {', '.join(DISTRIBUTIONS)}{hint}")
        low, high = _PAIR(f"{where}.{kind}", numbers)
        if kind in ("uniform", "loguniform") and not low < high:
            raise BadInput(f"{where}.{kind} = {numbers!r}: the first must be less than the second")
        if kind in ("normal", "lognormal") and not high > 0:
            raise BadInput(f"{where}.{kind} = {numbers!r}: the second must be positive")
        if kind in ("lognormal", "loguniform") and not low > 0:
            raise BadInput(f"{where}.{kind} = {numbers!r}: the first must be positive")
        found[path] = {kind: [low, high]}
    return found

"""The configuration of a fit or of sampling: that of a simulation, and what is free, data, run.

The sections of `synax simulate` say the model and where to look; [[data]], [priors], [start],
[random_field], [fit], [sample] and [run] are read here, as strictly.
"""

from pathlib import Path
from typing import Any

from .. import _checks as checks
from . import _config, _schema, _values as v
from ._console import BadInput, suggestion
from ._schema import DISTRIBUTIONS as DISTRIBUTIONS

_PAIR = v.vector(2, "")


def load(path: Path, overrides: list[_config.Override]) -> dict[str, Any]:
    """The complete, checked configuration as plain nested data."""
    tree = _config.complete("fit", _config.read(path), overrides)
    with _config.named(overrides):
        checked = _config.checked("fit", tree)
        if "random_field" in checked:
            given = {**_schema.defaults(_schema.RANDOM_FIELD), **checked["random_field"]}
            if "shape" not in given:
                raise BadInput(
                    "random_field.shape is missing: the number of grid nodes, [nx, ny, nz]"
                )
            checked["random_field"] = given
        checked["data"] = _data(tree.get("data"))
        checked["priors"] = _priors(tree.get("priors", {}), "random_field" in checked)
        checked["start"] = _start(tree.get("start", {}), checked["priors"])
    _check_memory(checked)
    return checked


def _data(value: Any) -> list[dict[str, Any]]:
    parts = [value] if isinstance(value, dict) else value
    if not isinstance(parts, list) or not parts:
        raise BadInput("there are no data: give at least one [[data]] table")
    found = []
    for k, part in enumerate(parts):
        where = f"data.{k}"
        given = {"name": f"data{k}", **_schema.defaults(_schema.DATA)}
        given |= _config.section(where, _in_units(where, part), _schema.DATA)
        if "sigma" not in given:
            raise BadInput(f"{where}.sigma is missing: the standard deviation of the noise")
        if given["kind"] == "stokes" and "frequency" not in given:
            from ._data import frequency  # reads maps: not needed for what knows its own

            given["frequency"] = frequency(where, given)
        if not given["name"].isidentifier():
            raise BadInput(f"{where}.name = {given['name']!r}: must be letters, digits and _")
        found.append(given)
    names = [part["name"] for part in found]
    if len(set(names)) < len(names):
        raise BadInput(f"data: the names {', '.join(names)} are not all different")
    return found


def _in_units(where: str, part: Any) -> Any:
    """The table with the noise as numbers, where it is text with a unit ('0.2 uK')."""
    if not isinstance(part, dict):
        return part
    unit = {"RM": "rad m-2", "DM": "pc cm-3"}.get(str(part.get("kind")), "K")
    texts = {key: part[key] for key in ("sigma", "excess") if isinstance(part.get(key), str)}
    read = v.quantity(unit, positive=True)
    return {**part, **{key: read(f"{where}.{key}", text) for key, text in texts.items()}}


def _priors(value: Any, has_field: bool) -> dict[str, dict[str, list[float]]]:
    if not isinstance(value, dict) or (not value and not has_field):
        raise BadInput(
            "nothing is free: give [priors] such as 'magnetic.b0' = { uniform = [0, 9] }"
        )
    found = {}
    for path, item in _flat(value, "priors").items():
        where = f"priors.{_name(path)}"
        if not isinstance(item, dict) or len(item) != 1:
            raise BadInput(
                f"{where} = {v.shown(item)}: must be one of {', '.join(DISTRIBUTIONS)}, as in "
                "{ uniform = [0, 9] }"
            )
        ((kind, numbers),) = item.items()
        if kind not in DISTRIBUTIONS:
            hint = suggestion(kind, DISTRIBUTIONS)
            raise BadInput(f"{where}: unknown '{kind}': known are {', '.join(DISTRIBUTIONS)}{hint}")
        first, second = _PAIR(f"{where}.{kind}", numbers)
        given = f"{where}.{kind} = {v.shown(numbers)}"
        if kind in ("uniform", "loguniform") and not first < second:
            raise BadInput(f"{given}: the first must be less than the second")
        if kind in ("normal", "lognormal") and not second > 0:
            raise BadInput(f"{given}: the second must be positive")
        if kind in ("lognormal", "loguniform") and not first > 0:
            raise BadInput(f"{given}: the first must be positive")
        found[path] = {kind: [first, second]}
    return found


def _flat(value: dict[str, Any], where: str) -> dict[str, Any]:
    """Tables that unquoted dots have nested ([priors] magnetic.b0 = ...), by their whole path."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        nested = isinstance(item, dict) and not any(key in DISTRIBUTIONS for key in item)
        if nested and all(isinstance(x, dict) for x in item.values()) and len(item) > 0:
            if name.count(".") > 20:
                raise BadInput(f"{where}: too many names in each other")
            inner = {f"{name}.{key}": x for key, x in item.items()}
            found |= _flat(inner, where)
        else:
            found[name] = item
    return found


def _name(path: str) -> str:
    return f"'{path}'" if path.isprintable() else v.shown(path)


def _start(value: Any, priors: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """Where a search starts, inside the support of the priors."""
    if not isinstance(value, dict):
        raise BadInput(f"start = {v.shown(value)}: must be a table, such as 'magnetic.b0' = 2.0")
    found = {}
    for path, item in value.items():
        where = f"start.{_name(path)}"
        if path not in priors:
            known = ", ".join(priors) or "none"
            raise BadInput(f"{where}: is not free; the parameters with a prior are {known}"
                           f"{suggestion(path, priors)}")  # fmt: skip
        ((kind, (first, second)),) = priors[path].items()
        number = v.regular(where, v.in_unit(where, item, ""))
        inside = {
            "uniform": lambda x, a=first, b=second: a <= x <= b,
            "loguniform": lambda x, a=first, b=second: a <= x <= b,
            "lognormal": lambda x: x > 0,
            "normal": lambda x: True,
        }[kind]
        if not all(map(inside, _numbers(number))):
            raise BadInput(
                f"{where} = {v.shown(item)}: lies outside its prior, {kind} = [{first:g}, "
                f"{second:g}]"
            )
        found[path] = number
    return found


def _numbers(value: Any) -> list[float]:
    return [x for item in value for x in _numbers(item)] if isinstance(value, list) else [value]


def _check_memory(checked: dict[str, Any]) -> None:
    """Refuse chains whose draws the machine cannot hold."""
    free = len(checked["priors"])
    if "random_field" in checked:
        nx, ny, nz = checked["random_field"]["shape"]
        vector = 3 if checked["random_field"]["group"] == "magnetic" else 1
        free += vector * nx * ny * nz
        try:
            checks.memory(f"random_field.shape = {[nx, ny, nz]}", 40 * free)
        except ValueError as error:
            raise BadInput(str(error)) from None
    s = checked["sample"]
    size = 8.0 * s["chains"] * (s["draws"] + s["chunk"]) * free
    try:
        checks.memory(
            f"sample.chains = {s['chains']} with sample.draws = {s['draws']} and {free} parameters",
            size,
        )
    except ValueError as error:
        raise BadInput(str(error)) from None

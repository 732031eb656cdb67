"""The schema made into texts: commented TOML with all defaults, and a JSON schema for editors."""

import json
from typing import Any

from ..io._toml import toml_key, toml_value
from . import _schema, _values as v

_WIDTH = 36

_HEAD = {
    "simulate": """\
# What `synax simulate` computes when nothing else is said. Change any part of it in a file of
# your own, with --set, or with flags.
""",
    "fit": """\
# What `synax fit` and `synax sample` do when nothing else is said: give them the data and the
# priors in a file of your own that changes any part of this.
""",
}

_HEAD |= {
    verb: f"""\
# What `synax {verb}` does when nothing else is said. A file of `synax simulate` serves too: what is
# not listed here is taken and left alone.
"""
    for verb in _schema.OF_SOURCES
}

_MODELS = """
# A model by name (see `synax models`), with any of its parameters beside it: b0 = 3.0, or
# b0 = "3 uG". Instead of model: class = "mymodels.py:Ring", or grid = "field.npz" (with
# unit = "uG" where the file says none). Also: scale, rotate (rad), shift (kpc). Several
# [[magnetic]] tables are added. Models and galaxy exclude each other.
"""

_PRIORS = """
# What is free: one distribution for each parameter, by its path.
[priors]
# "magnetic.b0" = {{ uniform = [0, 9] }}          # {kinds}
# "cosmic_rays.c0" = {{ lognormal = [1e-4, 1] }}  # median, and scatter of the logarithm

# Where a fit starts, by the same paths; what is not named starts at the model's own value.
[start]
# "magnetic.b0" = 2.0
"""


def printed_config(verb: str) -> str:
    """Every key of a verb with its default and a comment, as TOML that can be read back."""
    unused = _schema.UNUSED.get(verb, ())
    used = lambda section: {name: key for name, key in section.items() if name not in unused}
    lines = [
        _HEAD["fit" if verb == "sample" else verb],
        *_keys(used(_schema.top(verb))),
        _MODELS.rstrip(),
    ]
    mark = "# " if "galaxy" in _schema.defaults(_schema.top(verb)) else ""
    for number, (group, model) in enumerate(used(_schema.MODELS).items()):
        lines += [""] * (number > 0) + [f"{mark}[{group}]", f"{mark}model = {toml_value(model)}"]
    for name, section in used(_schema.VERBS[verb]).items():
        optional = name in _schema.OPTIONAL
        lines += ["", f"# [{name}]" if optional else f"[{name}]", *_keys(used(section), optional)]
    if verb in _schema.WITH_DATA:
        lines += ["", "# One table for each set of data.", "# [[data]]", *_keys(_schema.DATA, True)]
        lines.append(_PRIORS.format(kinds=", ".join(_schema.DISTRIBUTIONS)).rstrip())
    return "\n".join(lines) + "\n"


def _keys(section: _schema.Section, commented: bool = False) -> list[str]:
    lines = []
    for name, key in section.items():
        absent = key.default is None
        value = key.example if absent else key.default
        line = f"{toml_key(name)} = {toml_value(value)}"
        line = f"# {line}" if absent or commented else line
        lines.append(f"{line:<{_WIDTH - 1}} # {key.doc}")
    return lines


def json_schema(verb: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a verb's TOML file, models and parameters included."""
    properties = _properties(_schema.top(verb))
    properties |= {group: _group(group) for group in _schema.GROUPS}
    for name, section in _schema.VERBS[verb].items():
        properties[name] = _object(section)
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"configuration of synax {verb}",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    if verb in _schema.WITH_DATA:
        data = {**_object(_schema.DATA), "required": ["sigma"]}
        properties["data"] = {"anyOf": [data, {"type": "array", "items": data, "minItems": 1}]}
        pair = v.vector(2, "").json()
        kinds = {kind: pair for kind in _schema.DISTRIBUTIONS}
        prior = {
            "type": "object",
            "properties": kinds,
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
        properties["priors"] = {"type": "object", "additionalProperties": prior}
        properties["start"] = {"type": "object"}
    return found


def _object(section: _schema.Section) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": _properties(section),
    }


def _properties(section: _schema.Section) -> dict[str, Any]:
    found = {}
    for name, key in section.items():
        found[name] = {**key.reader.json(), "description": key.doc}
        if key.default is not None:
            found[name]["default"] = key.default
    return found


def _group(group: str) -> dict[str, Any]:
    """A table of a model, whose parameters depend on its name; or several of them."""
    from .. import _catalogue

    names, cases = [], []
    for entry in _catalogue.models(group):
        own = [entry.name, *(f"{entry.name}.{variant}" for variant in entry.variants)]
        names += own
        parameters = {p.name: _parameter(p) for p in entry.parameters if p.kind != "key"}
        cases.append(
            {
                "if": {"properties": {"model": {"enum": own}}, "required": ["model"]},
                "then": {"properties": parameters},
            }
        )
    common = _properties(_schema.MODEL)
    common["model"] = {"enum": names, "description": _schema.MODEL["model"].doc}
    table = {"type": "object", "properties": common, "allOf": cases}
    return {
        "anyOf": [table, {"type": "array", "items": table, "minItems": 1}],
        "default": {"model": _schema.MODELS[group]},
    }


def _parameter(entry: Any) -> dict[str, Any]:
    unit = f", {entry.unit}" if entry.unit else ""
    found: dict[str, Any] = {"description": f"{entry.text}{unit}"}
    if isinstance(entry.default, int | float | list):
        found["default"] = entry.default
    if entry.kind == "switch" and isinstance(entry.default, bool):
        found["type"] = "boolean"
    elif entry.kind in ("part", "domain"):
        found["type"] = "object"
    return found


def schema_text(verb: str) -> str:
    """`json_schema` as text."""
    return json.dumps(json_schema(verb), indent=2) + "\n"

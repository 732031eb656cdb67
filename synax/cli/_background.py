"""physics.background: light from behind the Galaxy, as a number, a table, or several of them."""

import dataclasses
from typing import Any

from . import _values as v
from ._console import BadInput, choose, suggestion

KINDS: dict[str, dict[str, Any]] = {
    "PowerLawBackground": {
        "temperature": v.quantity("K", minimum=0.0),
        "index": v.quantity(""),
        "reference": v.quantity("GHz", positive=True),
    },
    "CMB": {"temperature": v.quantity("K", positive=True)},
}
"""The backgrounds of `synax.emission`, and their parameters."""

_NUMBER = v.quantity("K", minimum=0.0)


@dataclasses.dataclass(frozen=True)
class Background:
    """A number in K, a table of one of `KINDS`, or a list of these, which is their sum."""

    def __call__(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return self._table(key, value)
        if not isinstance(value, list):
            return _NUMBER(key, value)
        if not any(isinstance(part, dict) for part in value):
            raise BadInput(
                f"{key} = {v.shown(value)}: must be a number in K, a table such as "
                "{ model = 'CMB' }, or a list with such tables, which are added up"
            )
        return [
            self._table(f"{key}[{k}]", part)
            if isinstance(part, dict)
            else _NUMBER(f"{key}[{k}]", part)
            for k, part in enumerate(value)
        ]

    def _table(self, key: str, table: dict[str, Any]) -> dict[str, Any]:
        if "model" not in table:
            raise BadInput(f"{key} = {v.shown(table)}: must have model, one of {', '.join(KINDS)}")
        kind = choose(f"{key}.model", table["model"], KINDS)
        readers = KINDS[kind]
        for name, value in table.items():
            if name not in ("model", *readers):
                raise BadInput(
                    f"unknown parameter {key}.{name} = {v.shown(value)}: {kind} has "
                    f"{', '.join(readers)}{suggestion(name, readers)}"
                )
        read = {
            name: readers[name](f"{key}.{name}", table[name]) for name in table.keys() & readers
        }
        return {"model": kind, **dict(sorted(read.items()))}

    def json(self) -> dict[str, Any]:
        tables = [
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "model": {"const": kind},
                    **{name: reader.json() for name, reader in readers.items()},
                },
                "required": ["model"],
            }
            for kind, readers in KINDS.items()
        ]
        one = [_NUMBER.json(), *tables]
        return {"anyOf": [*one, {"type": "array", "items": {"anyOf": one}, "minItems": 1}]}


def build(value: Any) -> Any:
    """The `background` of a simulator, from what was read."""
    from .. import emission

    if isinstance(value, list):
        return sum(build(x) if isinstance(x, dict) else emission.Constant(x) for x in value)
    if isinstance(value, dict):
        return getattr(emission, value["model"])(**{k: x for k, x in value.items() if k != "model"})
    return value

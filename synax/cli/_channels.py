"""Frequencies in a configuration: a list, or the evenly spaced channels of a receiver."""

import dataclasses
from typing import Any

import numpy as np

from ..maps._units import label
from . import _values as v
from ._console import BadInput, suggestion

MOST = 100_000
"""Channels that one configuration may have."""

_KEYS = {
    "low": v.quantity("GHz", positive=True),
    "high": v.quantity("GHz", positive=True),
    "channels": v.integer(2, MOST),
}


@dataclasses.dataclass(frozen=True)
class _Frequencies:
    """GHz: numbers or strings with a unit, or a table { low, high, channels, without }."""

    def __call__(self, key: str, value: Any) -> list[float]:
        if isinstance(value, dict):
            return _channels(key, value)
        found = v.list_of(v.quantity("GHz", positive=True), "frequency")(key, value)
        names = [label(nu) for nu in found]
        twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
        if twice is not None:
            raise BadInput(
                f"{key} = {v.shown(value)}: names a frequency twice, {twice} GHz (they must differ "
                "within twelve digits)"
            )
        return found

    def json(self) -> dict[str, Any]:
        pair = v.vector(2, "GHz", positive=True).json()
        properties = {name: reader.json() for name, reader in _KEYS.items()}
        table = {
            "type": "object",
            "additionalProperties": False,
            "required": list(_KEYS),
            "properties": {**properties, "without": {"type": "array", "items": pair}},
        }
        plain = v.list_of(v.quantity("GHz", positive=True), "frequency").json()
        return {"anyOf": [*plain["anyOf"], table]}


frequencies = _Frequencies()


def _channels(key: str, table: dict[str, Any]) -> list[float]:
    """Middles of channels from `low` to `high`, but for those inside the gaps."""
    known = (*_KEYS, "without")
    for name in table:
        if name not in known:
            hint = suggestion(name, known)
            raise BadInput(f"unknown key {key}.{name}: known are {', '.join(known)}{hint}")
    for name in _KEYS:
        if name not in table:
            raise BadInput(
                f"{key}.{name} is missing: it takes all of {', '.join(_KEYS)}, such as "
                "{ low = 0.8, high = 1.088, channels = 288 }"
            )
    low, high, count = (reader(f"{key}.{name}", table[name]) for name, reader in _KEYS.items())
    if not low < high:
        raise BadInput(f"{key}.high = {v.shown(table['high'])}: must exceed low, {low:g} GHz")
    middles = np.linspace(low, high, count)
    gaps = table.get("without", [])
    if not isinstance(gaps, list):
        raise BadInput(f"{key}.without = {v.shown(gaps)}: must be a list of [low, high] in GHz")
    keep = np.ones(count, bool)
    for k, gap in enumerate(gaps):
        first, last = v.vector(2, "GHz", positive=True)(f"{key}.without[{k}]", gap)
        if not first < last:
            raise BadInput(f"{key}.without[{k}] = {v.shown(gap)}: must be [low, high], low first")
        keep &= (middles < first) | (middles > last)
    if keep.sum() < 2:
        raise BadInput(f"{key}.without leaves {keep.sum()} of {count} channels: two are needed")
    return [float(f"{nu:.12g}") for nu in middles[keep]]

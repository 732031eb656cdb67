"""JSON that every reader takes: NaN and infinity are no numbers there, and become null."""

import json
import math
from typing import Any

import numpy as np

NOT_FINITE = "not_finite"


def plain(data: Any) -> Any:
    """The same data with None for every number that is not finite; arrays become lists."""
    return _plain(data, "", [])


def explained(record: dict[str, Any]) -> dict[str, Any]:
    """`plain`, with a key `not_finite` that lists which values are null for that reason."""
    found: list[str] = []
    made = _plain(record, "", found)
    return {**made, NOT_FINITE: found} if found else made


def dumps(data: Any, **options: Any) -> str:
    """JSON of `plain(data)`; `options` are those of `json.dumps`."""
    return json.dumps(plain(data), allow_nan=False, **options)


def _plain(data: Any, where: str, found: list[str]) -> Any:
    if isinstance(data, dict):
        return {str(k): _plain(v, f"{where}.{k}".lstrip("."), found) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(v, f"{where}.{i}".lstrip("."), found) for i, v in enumerate(data)]
    if isinstance(data, np.ndarray | np.generic) or hasattr(data, "__jax_array__"):
        return _plain(np.asarray(data).tolist(), where, found)
    if isinstance(data, float) and not math.isfinite(data):
        found.append(f"{where} = {data}")
        return None
    if data is None or isinstance(data, str | int | float):
        return data
    if hasattr(data, "tolist"):  # arrays of JAX
        return _plain(np.asarray(data).tolist(), where, found)
    return str(data)


def exact(data: Any) -> Any:
    """Plain data in which NaN and infinities are written as {"float": "nan"}, to come back."""
    if isinstance(data, dict):
        return {k: exact(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [exact(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return {"float": str(data)}
    return data


def from_exact(data: Any) -> Any:
    """The inverse of `exact`; tuples come back as lists."""
    if isinstance(data, dict):
        if data.keys() == {"float"}:
            return float(data["float"])
        return {k: from_exact(v) for k, v in data.items()}
    return [from_exact(v) for v in data] if isinstance(data, list) else data

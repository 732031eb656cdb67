"""The channels of a survey in its TOML file."""

import os
from pathlib import Path
from typing import Any

from ..maps._units import label
from ._bandpass import Bandpass
from ._survey import Survey
from ._survey_files import KEYS, as_survey, known, number, read_table, sub_table

CHANNELS = ("low", "high", "count", "width", "without")


def read_channels(path: str | os.PathLike) -> list[Survey]:
    """The surveys of the channels of a TOML file, in rising frequency."""
    table, where = read_table(path)
    known(table, KEYS, where)
    if "channels" not in table:
        raise ValueError(f"{where} has no [channels]: read it with Survey.read")
    others = [key for key in ("frequency", "band") if key in table]
    if others:
        raise ValueError(f"{where} must have [channels] or {others[0]}, not both")
    try:
        bands = _channel_bands(sub_table(table, "channels", CHANNELS, where))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from None
    rest = {key: value for key, value in table.items() if key != "channels"}
    rest.setdefault("nodes", 2)
    first = as_survey(rest | {"frequency": bands[0][0]}, where, Path(path).parent)
    made = []
    for middle, width in bands:
        band = Bandpass.top_hat(middle - 0.5 * width, middle + 0.5 * width)
        name = f"{first.name} {label(middle)} GHz"
        made.append(
            Survey(
                name,
                band,
                first.beam,
                stokes=first.stokes,
                unit=first.unit,
                noise=first.noise,
                offset=first.offset,
                mask=first.mask,
                nodes=first.nodes,
            )
        )
    return made


def _channel_bands(part: dict[str, Any]) -> list[tuple[float, float]]:
    """Middle and width (GHz) of each channel of a [channels] table."""
    missing = [key for key in ("low", "high", "count") if key not in part]
    if missing:
        raise ValueError(
            f"[channels] needs low and high (middles, GHz) and count, not {missing[0]}"
        )
    low, high = (number(part[key], "GHz", f"channels.{key}") for key in ("low", "high"))
    count = part["count"]
    if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= 100_000:
        raise ValueError(f"channels.count must be a whole number, 2 to 100000, got {count!r}")
    if not 0 < low < high:
        raise ValueError(f"channels.low must be positive and below high, got {low:g} and {high:g}")
    step = (high - low) / (count - 1)
    width = number(part["width"], "GHz", "channels.width") if "width" in part else step
    if not 0 < width <= step * (1 + 1e-9):
        raise ValueError(
            f"channels.width must be positive and at most their spacing, {step:g} GHz, "
            f"got {width:g}"
        )
    middles = [float(f"{low + step * k:.12g}") for k in range(count)]
    for gap in part.get("without", []):
        if not isinstance(gap, list) or len(gap) != 2:
            raise ValueError(f"channels.without must be a list of [low, high], got {gap!r}")
        first, last = (number(end, "GHz", "channels.without") for end in gap)
        middles = [nu for nu in middles if not first <= nu <= last]
    if len(middles) < 2:
        raise ValueError(f"channels.without leaves {len(middles)} of {count} channels")
    return [(nu, width) for nu in middles]

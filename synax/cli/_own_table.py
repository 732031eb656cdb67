"""`synax compare TABLE`: RMs or DMs that the user measured, beside the model."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from ..io._tables import read_table
from ..sightlines._tables import positions
from . import _sources_run
from ._comparison_numbers import agreement, logarithmic, parts_of_sky, signed, within
from ._console import BadInput
from ._map_comparison import Comparison
from ._masks import Mask
from ._run import Sky

_WHAT = {"rm": "rotation measures", "dm": "dispersion measures"}
_UNITS = {"rm": r"rad m$^{-2}$", "dm": r"pc cm$^{-3}$"}


class OwnTable:
    """A file with measured RMs or DMs, ready to be compared."""

    frequency: tuple[float, ...] = ()

    def __init__(
        self, file: Path, verb: str, column: str, wanted: dict[str, Any], mask: Mask | None
    ):
        """Read the file; `verb`: rm or dm; `wanted`: columns, frame and distance of the sources."""
        try:
            self.table = read_table(file)
            place = positions(self.table, wanted.get("columns"), wanted.get("frame"))
        except (OSError, ValueError) as error:
            raise BadInput(f"WHAT: {error}") from None
        self.file, self.verb, self.wanted = file, verb, wanted
        measured: Any = _sources_run.measured_column(self.table, column, verb, f"--{verb}")
        self.l, self.b = place.l, place.b
        known = np.isfinite(measured) & np.isfinite(self.l) & np.isfinite(self.b)
        if mask is not None:
            known[known] = mask.towards(self.l[known], self.b[known])
        if known.sum() < 3:
            raise BadInput(
                f"'{file}': only {known.sum()} rows have a position and a number in '{column}'"
                + ("" if mask is None else f" where --mask '{mask.file}' leaves them")
            )
        self.measured, self.use = measured, known

    def titles(self) -> dict[str, str]:
        """Name and title of the one part."""
        return {f"table_{self.verb}": f"{self.file.name}: {_WHAT[self.verb]}"}

    def compare(self, sky: Sky) -> list[Comparison]:
        """The table beside the model."""
        column = _sources_run.predicted(self.verb, sky, self.table, self.wanted, "synax_model")
        model = np.asarray(column.value, float)
        use = self.use & np.isfinite(model)
        if use.sum() < 3:
            raise BadInput(f"'{self.file}': the model has a number for only {use.sum()} rows")
        model, data, l, b = (x[use] for x in (model, self.measured, self.l, self.b))
        numbers: dict[str, Any] = {"rows_left_out": int((~use).sum())}
        for where, part in parts_of_sky(b, np.ones(b.shape, bool)).items():
            m, d = model[part], data[part]
            more = signed(m, d) if self.verb == "rm" else logarithmic(m, d)
            numbers[where] = {**agreement(m, d), **more}
            if self.verb == "dm":
                numbers[where]["within_a_factor_2"] = within(m, d, 2.0)
        from .. import plot

        style: dict[str, Any] = {"unit": _UNITS[self.verb], "signed": self.verb == "rm"}
        return [Comparison(numbers, functools.partial(plot.sources, l, b, data, model, **style))]

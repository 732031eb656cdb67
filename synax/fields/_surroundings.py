"""What models place about their own Sun, and observers who stand elsewhere."""

from typing import Any

import jax
import numpy as np

from .._checks import is_traced, warn
from ._field import AbstractField, Rotated, Shifted, rotation_matrix

CLOSE = 0.02
"""kpc: a shift that is small against the bubbles and clumps about the Sun, of 0.1 kpc and more."""
FAR = 1.0
"""kpc: an observer so far from a model's Sun is not meant to be there."""


def warn_of_surroundings(fields: tuple[AbstractField, ...], observer: Any) -> None:
    """Warn if an observer, (3,) kpc, is near the Sun of a model with surroundings, and not at it.

    One sentence for each such model in the fields, also inside sums and moved fields. Nothing is
    done for what is being traced.
    """
    if any(map(is_traced, jax.tree.leaves((fields, observer)))):
        return
    place, told = np.asarray(observer, float), set()
    for field in fields:
        for model, sun in _surrounded(field):
            name, off = type(model).__name__, place - sun
            apart = float(np.linalg.norm(off))
            if not CLOSE < apart < FAR or name in told:
                continue
            told.add(name)
            warn(
                f"the observer {_shown(place)} kpc stands {1e3 * apart:.0f} pc from the Sun of "
                f"{name}, about which its clumps, bubbles and shells lie, so that near ones are "
                f"seen in other directions and at other distances: give the sightlines "
                f"observer={_shown(sun)}, or move the model, .shifted({_shown(off)})"
            )


def _surrounded(field: AbstractField) -> list[tuple[AbstractField, np.ndarray]]:
    """The models with surroundings that a field is made of, and where their Suns are."""
    values = [v if isinstance(v, tuple) else (v,) for v in vars(field).values()]
    parts = [part for group in values for part in group if isinstance(part, AbstractField)]
    found = [pair for part in parts for pair in _surrounded(part)]
    if isinstance(field, Shifted):
        found = [(model, sun + np.asarray(field.offset, float)) for model, sun in found]
    if isinstance(field, Rotated):
        matrix = np.asarray(rotation_matrix(field.rotation_vector), float)
        found = [(model, matrix @ sun) for model, sun in found]
    if field.has_surroundings and field.sun is not None:
        found.append((field, np.asarray(field.sun, float)))
    return found


def _shown(place: np.ndarray) -> str:
    # rounded to a tenth of a parsec: single precision has 0.2 kpc as 0.19999981
    return str(tuple(float(f"{x:.4f}") + 0.0 for x in place))

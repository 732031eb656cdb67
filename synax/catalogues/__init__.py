"""Tables of pulsars and other sources: rotation measures, dispersion measures, distances."""

from ._sources import (
    dispersion_measure as dispersion_measure,
    distance as distance,
    rotation_measure as rotation_measure,
)

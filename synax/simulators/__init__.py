"""Simulators: fields integrated along sightlines into what a telescope measures."""

from ._accuracy import (
    ErrorEstimate as ErrorEstimate,
    estimate_error as estimate_error,
    memory_estimate as memory_estimate,
    with_tolerance as with_tolerance,
)
from ._columns import (
    DispersionMeasure as DispersionMeasure,
    EmissionMeasure as EmissionMeasure,
    RotationMeasure as RotationMeasure,
)
from ._engine import AbstractSimulator as AbstractSimulator, Integration as Integration
from ._parts import in_parts as in_parts
from ._sampled import SampledField as SampledField, sample_along as sample_along
from ._synchrotron import Observation as Observation, Synchrotron as Synchrotron

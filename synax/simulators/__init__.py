"""Simulators: fields integrated along sightlines into what a telescope measures."""

from ._accuracy import (
    ErrorEstimate as ErrorEstimate,
    estimate_error as estimate_error,
    memory_estimate as memory_estimate,
    with_tolerance as with_tolerance,
)
from ._observables import (
    AbstractSimulator as AbstractSimulator,
    DispersionMeasure as DispersionMeasure,
    EmissionMeasure as EmissionMeasure,
    RotationMeasure as RotationMeasure,
    Synchrotron as Synchrotron,
)
from ._sampled import SampledField as SampledField, sample_along as sample_along

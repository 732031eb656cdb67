"""Models of cosmic-ray electrons: normalisation C (cm^-3) and index p of N = C gamma^-p."""

from ._base import (
    AbstractCosmicRays as AbstractCosmicRays,
    AbstractPowerLaw as AbstractPowerLaw,
)
from ._power_law import PowerLaw as PowerLaw
from ._wmap import WMAP as WMAP

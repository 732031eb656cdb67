"""Models of cosmic-ray electrons: normalisation C (cm^-3) and index p of N = C gamma^-p."""

from ._analytic import Analytic as Analytic, LinearIndex as LinearIndex
from ._base import (
    LOWEST_INDEX as LOWEST_INDEX,
    AbstractCosmicRays as AbstractCosmicRays,
    AbstractPowerLaw as AbstractPowerLaw,
)
from ._power_law import PowerLaw as PowerLaw
from ._tabulated import TabulatedSpectrum as TabulatedSpectrum
from ._uniform import Uniform as Uniform
from ._wmap import WMAP as WMAP

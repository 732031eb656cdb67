"""Models of cosmic-ray electrons: power laws N = C gamma^-p, and any other spectrum N(gamma, x)."""

from ._analytic import Analytic as Analytic, LinearIndex as LinearIndex
from ._base import (
    LOWEST_INDEX as LOWEST_INDEX,
    AbstractCosmicRays as AbstractCosmicRays,
    AbstractPowerLaw as AbstractPowerLaw,
)
from ._broken_analytic import BrokenAnalytic as BrokenAnalytic
from ._discs import (
    JF11 as JF11,
    RidgedDisc as RidgedDisc,
    Sun08 as Sun08,
    Sun10 as Sun10,
)
from ._energies import energies as energies
from ._parametric import (
    AbstractParametricSpectrum as AbstractParametricSpectrum,
    BrokenPowerLaw as BrokenPowerLaw,
    CutOffPowerLaw as CutOffPowerLaw,
    LogParabola as LogParabola,
)
from ._power_law import PowerLaw as PowerLaw
from ._tabulated import TabulatedSpectrum as TabulatedSpectrum
from ._uniform import Uniform as Uniform
from ._wmap import WMAP as WMAP

"""Faraday tools: RM synthesis, CLEAN, closed forms of Faraday spectra and depolarisation."""

from ._channels import Channels as Channels
from ._clean import Cleaned as Cleaned
from ._models import (
    AbstractFaradaySource as AbstractFaradaySource,
    BurnSlab as BurnSlab,
    ExternalDispersion as ExternalDispersion,
    InternalDispersion as InternalDispersion,
    QuadraticDepth as QuadraticDepth,
    Ramp as Ramp,
    Screened as Screened,
    ThinScreen as ThinScreen,
)
from ._spectrum import DepthSpectrum as DepthSpectrum, FaradaySpectrum as FaradaySpectrum
from ._synthesis import Peak as Peak, Synthesis as Synthesis, rm_synthesis as rm_synthesis

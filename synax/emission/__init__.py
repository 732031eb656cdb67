"""Emission formulae, and the processes of the plasma made of them."""

from ._background import (
    CMB as CMB,
    AbstractBackground as AbstractBackground,
    Constant as Constant,
    PowerLawBackground as PowerLawBackground,
)
from ._columns import Columns as Columns
from ._faraday import FaradayRotation as FaradayRotation
from ._free_free import FreeFree as FreeFree
from ._power_law import (
    field_power as field_power,
    polarised_fraction as polarised_fraction,
    spectral_factor as spectral_factor,
)
from ._process import AbstractProcess as AbstractProcess, Plasma as Plasma
from ._synchrotron import (
    AbstractEmissivity as AbstractEmissivity,
    ClosedForm as ClosedForm,
    SynchrotronEmission as SynchrotronEmission,
)
from ._turbulence_model import FaradayDispersion as FaradayDispersion, Turbulence as Turbulence

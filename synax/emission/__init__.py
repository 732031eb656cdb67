"""Emission formulae, and the processes of the plasma made of them."""

from ._background import (
    CMB as CMB,
    AbstractBackground as AbstractBackground,
    Constant as Constant,
    PowerLawBackground as PowerLawBackground,
)
from ._columns import Columns as Columns
from ._dispersion import (
    RotationMoments as RotationMoments,
    correlated_moments as correlated_moments,
    integral_scale as integral_scale,
    rotation_variance as rotation_variance,
    rotation_variance_rate as rotation_variance_rate,
)
from ._faraday import FaradayRotation as FaradayRotation
from ._fluctuations import FluctuationFilling as FluctuationFilling
from ._free_free import FreeFree as FreeFree
from ._gaunt import free_free as free_free, gaunt_factor as gaunt_factor
from ._kernels import synchrotron_kernels as synchrotron_kernels
from ._polarised import (
    FieldFrame as FieldFrame,
    cold_rotativity as cold_rotativity,
    power_law_coefficients as power_law_coefficients,
)
from ._power_law import (
    field_power as field_power,
    polarised_fraction as polarised_fraction,
    spectral_factor as spectral_factor,
)
from ._process import AbstractProcess as AbstractProcess, Plasma as Plasma
from ._rotativity import (
    power_law_rotativity as power_law_rotativity,
    relativistic_rotativity as relativistic_rotativity,
)
from ._self_absorption import SelfAbsorption as SelfAbsorption
from ._spectral import (
    DirectSpectrum as DirectSpectrum,
    SpectralTable as SpectralTable,
    spectral_table as spectral_table,
)
from ._spectral_base import AbstractSpectralEmissivity as AbstractSpectralEmissivity
from ._spectral_grid import SpectralGrid as SpectralGrid
from ._spectrum import (
    absorptivity as absorptivity,
    emissivity as emissivity,
)
from ._synchrotron import (
    AbstractEmissivity as AbstractEmissivity,
    ClosedForm as ClosedForm,
    SynchrotronEmission as SynchrotronEmission,
)
from ._turbulence import (
    striated_square as striated_square,
    turbulent_powers as turbulent_powers,
)
from ._turbulence_model import FaradayDispersion as FaradayDispersion, Turbulence as Turbulence

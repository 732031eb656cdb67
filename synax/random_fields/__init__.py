"""Priors on fields: Gaussian random fields on grids, standardised to white modes."""

from ._exponential import Exponential as Exponential
from ._gaussian import GaussianField as GaussianField
from ._periodic import Periodic as Periodic, repeated as repeated
from ._roughness import roughness as roughness
from ._solenoidal import SolenoidalField as SolenoidalField, flux_divergence as flux_divergence
from ._spectra import (
    AbstractSpectrum as AbstractSpectrum,
    Matern as Matern,
    PowerLaw as PowerLaw,
)

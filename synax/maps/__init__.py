"""Maps: Stokes parameters and sky maps that know their unit, frequency and convention."""

from ._skymap import SkyMap as SkyMap
from ._stokes import Stokes as Stokes

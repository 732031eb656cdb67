"""Whole Galaxies: simulators whose field, electrons, cosmic rays and turbulence go together."""

from ._calibrated import calibrated as calibrated, draws as draws
from ._published import jf12 as jf12, uf23 as uf23, wmap as wmap
from ._structure import RealisedField as RealisedField, realisation as realisation

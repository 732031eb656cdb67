"""Figures. Every function returns a matplotlib `Figure` and touches no global state of pyplot."""

from ._comparison import comparison as comparison, pulsars as pulsars, sources as sources
from ._faraday import (
    band as band,
    faraday_spectrum as faraday_spectrum,
    rmsf as rmsf,
)
from ._figure import figure as figure
from ._image import image as image
from ._posterior import corner as corner, trace as trace
from ._residuals import residuals as residuals
from ._sky import draw_mollweide as draw_mollweide, sky as sky
from ._slices import profile as profile, slices as slices
from ._stokes import draw_direction as draw_direction, stokes as stokes

"""Figures. Every function returns a matplotlib `Figure` and touches no global state of pyplot."""

from ._comparison import plot_maps_compared as plot_maps_compared, plot_pulsars as plot_pulsars
from ._sky import draw_mollweide as draw_mollweide, plot_sky as plot_sky

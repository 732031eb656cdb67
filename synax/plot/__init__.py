"""Figures. Every function returns a matplotlib `Figure` and touches no global state of pyplot."""

from ._sky import draw_mollweide as draw_mollweide, plot_sky as plot_sky

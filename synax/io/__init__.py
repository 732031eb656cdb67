"""Reading and writing: sky maps, grids, cosmic-ray electrons, and parameter files of hammurabiX."""

from ._cosmic_rays import (
    load_dragon as load_dragon,
    load_galprop as load_galprop,
    load_hammurabi_electrons as load_hammurabi_electrons,
)
from ._depths import (
    DepthMaps as DepthMaps,
    load_depths as load_depths,
    save_depths as save_depths,
)
from ._fits_maps import load_map as load_map, save_map as save_map
from ._grids import load_grid as load_grid, save_grid as save_grid
from ._hammurabi_xml import hammurabi_xml as hammurabi_xml

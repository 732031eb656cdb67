"""Reading and writing: sky maps and grids."""

from ._fits_maps import load_map as load_map, save_map as save_map
from ._grids import load_grid as load_grid, save_grid as save_grid

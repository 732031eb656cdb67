"""Reading and writing: sky maps."""

from ._fits_maps import load_map as load_map, save_map as save_map

"""Models of the Galactic magnetic field: position (3, *points) kpc -> (3, *points) microgauss."""

from ._uniform import Uniform as Uniform
from ._wmap import WMAP as WMAP

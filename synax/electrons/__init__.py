"""Models of the thermal-electron density: position (3, *points) kpc -> (*points,) cm^-3."""

from ._uniform import Uniform as Uniform

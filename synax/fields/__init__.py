"""Fields: what has a value at every position, their algebra, grids, domains and surfaces."""

from ._domain import (
    AbstractDomain as AbstractDomain,
    Box as Box,
    Intersection as Intersection,
    Sphere as Sphere,
)
from ._field import (
    AbstractField as AbstractField,
    AbstractScalarField as AbstractScalarField,
    AbstractVectorField as AbstractVectorField,
)
from ._grid import GridField as GridField
from ._surfaces import (
    AbstractSurface as AbstractSurface,
    Cylinder as Cylinder,
    Ellipsoid as Ellipsoid,
    FlaredCylinder as FlaredCylinder,
    LogarithmicSpirals as LogarithmicSpirals,
    Plane as Plane,
    Quadric as Quadric,
    Wall as Wall,
)

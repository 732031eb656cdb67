"""synax: the Galaxy's synchrotron sky, differentiable."""

from . import cosmic_rays as cosmic_rays, electrons as electrons, magnetic as magnetic
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
from ._parameters import ModelInfo as ModelInfo, parameter as parameter, select as select
from ._skymap import SkyMap as SkyMap
from ._stokes import Stokes as Stokes
from ._surfaces import AbstractSurface as AbstractSurface

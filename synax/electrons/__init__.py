"""Models of the thermal-electron density: position (3, *points) kpc -> (*points,) cm^-3."""

from ._discs import ExponentialDisc as ExponentialDisc, TwoDisc as TwoDisc
from ._distance import dispersion_measure as dispersion_measure, distance as distance
from ._ne2001 import NE2001 as NE2001, NE2025 as NE2025
from ._plane_parallel import Gaensler08 as Gaensler08, Ocker20 as Ocker20
from ._random import GaussianRandom as GaussianRandom
from ._smooth_discs import Cordes91 as Cordes91, NE2001Smooth as NE2001Smooth
from ._uniform import Uniform as Uniform
from ._ymw16 import YMW16 as YMW16
from ._ymw16_hammurabi import YMW16Hammurabi as YMW16Hammurabi
from ._yt20 import YT20 as YT20

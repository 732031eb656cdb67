"""Models of the Galactic magnetic field: position (3, *points) kpc -> (3, *points) microgauss."""

from ._alves18 import Alves18 as Alves18
from ._archimedean import ArchimedeanSpiral as ArchimedeanSpiral
from ._cmz import CMZ as CMZ
from ._fauvet12 import Fauvet12 as Fauvet12
from ._han18 import Han18 as Han18, XH24Disc as XH24Disc
from ._han_qiao94 import MD08 as MD08, HanQiao94 as HanQiao94
from ._helix import Helix as Helix
from ._hmr99 import HMR99 as HMR99
from ._jaffe13 import Jaffe13 as Jaffe13
from ._jaffe13_published import (
    Jaffe13Published as Jaffe13Published,
    Jaffe13RandomStrength as Jaffe13RandomStrength,
)
from ._jf12 import JF12 as JF12, JF12b as JF12b, JF12c as JF12c
from ._jf12_random import JF12RandomStrength as JF12RandomStrength
from ._jf12_solenoidal import JF12Solenoidal as JF12Solenoidal
from ._kst24 import KST24 as KST24
from ._local_bubble import LocalBubble as LocalBubble
from ._logarithmic_spiral import LogarithmicSpiral as LogarithmicSpiral
from ._orlando26 import Orlando26Strength as Orlando26Strength
from ._ps07 import PS07 as PS07
from ._pt11 import PT11 as PT11
from ._random import ExponentialStrength as ExponentialStrength, GaussianRandom as GaussianRandom
from ._stanev97 import Stanev97 as Stanev97
from ._striated import StriatedStrength as StriatedStrength
from ._sun10 import (
    Sun08 as Sun08,
    Sun10 as Sun10,
    Sun10b as Sun10b,
    Sun10bStrength as Sun10bStrength,
)
from ._svt22 import SVT22 as SVT22
from ._tf17 import TF17 as TF17
from ._toroidal_halo import ToroidalHalo as ToroidalHalo
from ._tt02 import TT02 as TT02
from ._uf23 import UF23 as UF23
from ._uf26 import UF26Strength as UF26Strength
from ._uniform import Uniform as Uniform
from ._wmap import WMAP as WMAP
from ._xh24 import XH24 as XH24, Orlando26 as Orlando26

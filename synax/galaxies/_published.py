"""Galaxies put together from published models, with the published numbers."""

from typing import Any

from .. import cosmic_rays, electrons, magnetic
from ..emission import Turbulence
from ..simulators import Synchrotron
from ._halo import cosmic_ray_halo

_STRIATION = {"base": 0.34557571, "neCL": 0.33600213, "expX": 0.514405, "spur": 0.33022369}
_STRIATION |= {"cre10": 0.24950386, "synCG": 0.63434763, "twistX": 0.77616317, "nebCor": 0.0}
"""The factor that UF23 quote with each fit; in nebCor it sits at its bound, 0."""


def wmap(**settings: Any) -> Synchrotron:
    """The sky of Diao et al. (2024): WMAP field and cosmic rays, YMW16, no turbulence.

    It is 27 times too faint at 408 MHz and has rotation measures of the wrong sense; it is the sky
    to compare programs with, not the sky to subtract. `calibrated` is.

    **Arguments:**

    - `settings`: any keyword arguments of `synax.Synchrotron`, such as `steps`.

    **Returns** a `synax.Synchrotron`; every number of it is a leaf.

    **Reference:** Page et al. 2007, ApJS 170, 335; Diao et al. 2024, arXiv:2410.01136.
    """
    return Synchrotron(magnetic.WMAP(), electrons.YMW16(), cosmic_rays.WMAP(), **settings)


def jf12(**settings: Any) -> Synchrotron:
    """Jansson & Farrar (2012): regular, striated and random field as published, and NE2001.

    The cosmic rays of the paper are a table of GALPROP. Here they are an analytic halo of 8 kpc
    scale length and 4 kpc scale height with the flux measured at the Earth, for want of the table.

    **Arguments:**

    - `settings`: any keyword arguments of `synax.Synchrotron`; `turbulence=None` leaves the regular
      field alone.

    **Returns** a `synax.Synchrotron`; every number of it is a leaf.

    **Reference:** Jansson & Farrar 2012, ApJ 757, 14, table 1, and ApJ 761, L11, table 1 (beta of
    1.36).
    """
    turbulence = Turbulence(magnetic.JF12RandomStrength(), striation=1.36)
    return Synchrotron(
        magnetic.JF12(),
        electrons.NE2001(),
        cosmic_ray_halo(),
        **{"turbulence": turbulence, **settings},
    )


def uf23(variant: str = "base", **settings: Any) -> Synchrotron:
    """Unger & Farrar (2024) as published, with the random field that they fitted in 2026.

    Thermal electrons are YMW16 (NE2001 in 'neCL'). The papers' cosmic rays are tables; here they
    are an analytic halo of 8 kpc scale length and 4 kpc scale height (10 kpc in 'cre10') with the
    flux measured at the Earth. The striation quoted with each fit is taken as the energy of the
    striated part over that of the regular field.

    **Arguments:**

    - `variant`: one of the eight of `magnetic.UF23`: 'base', 'neCL', 'expX', 'spur', 'cre10',
      'synCG', 'twistX', 'nebCor'.
    - `settings`: any keyword arguments of `synax.Synchrotron`; `turbulence=None` leaves the regular
      field alone.

    **Returns** a `synax.Synchrotron`; every number of it is a leaf.

    **Raises** `ValueError` for another variant.

    **Reference:** Unger & Farrar 2024, ApJ 970, 95; Unger & Farrar 2026, arXiv:2608.21293, table 2.
    """
    field = magnetic.UF23(variant)
    turbulence = Turbulence(magnetic.UF26Strength(), striation=_STRIATION[variant])
    density = electrons.NE2001() if variant == "neCL" else electrons.YMW16()
    halo = cosmic_ray_halo(z0=10.0 if variant == "cre10" else 4.0)
    return Synchrotron(field, density, halo, **{"turbulence": turbulence, **settings})

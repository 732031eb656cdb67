"""The halos of cosmic rays: for published fields whose own is a table, and for the calibrated."""

from typing import Any

from ..cosmic_rays import Analytic, BrokenAnalytic


def cosmic_ray_halo(**changes: Any) -> Analytic:
    """Electrons with the flux of AMS-02 at the Earth and the scales of a diffusion halo.

    **Reference:** Aguilar et al. 2014, PRL 113, 221102 (0.0217 per GeV m^2 s sr at 20.6 GeV).
    """
    return Analytic(**{"r0": 8.0, "z0": 4.0, **changes})


def broken_halo() -> BrokenAnalytic:
    """The same with a spectrum that bends, from 10 MHz to 23 GHz."""
    return BrokenAnalytic(r0=8.0, z0=4.0)

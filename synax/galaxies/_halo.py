"""The cosmic-ray halo that published fields get where their own is a table."""

from typing import Any

from ..cosmic_rays import Analytic


def cosmic_ray_halo(**changes: Any) -> Analytic:
    """Electrons with the flux of AMS-02 at the Earth and the scales of a diffusion halo.

    **Reference:** Aguilar et al. 2014, PRL 113, 221102 (0.0217 per GeV m^2 s sr at 20.6 GeV).
    """
    return Analytic(**{"r0": 8.0, "z0": 4.0, **changes})

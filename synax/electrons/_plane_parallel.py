"""Plane-parallel discs of thermal electrons, fitted to pulsars with known distances."""

from typing import Any

from .._parameters import ModelInfo, described
from ._discs import ExponentialDisc


@described(
    ModelInfo(
        paper="Ocker, Cordes & Chatterjee 2020, ApJ 897, 124",
        notes="no dependence on radius: for the Sun's surroundings",
    )
)
def Ocker20(**changes: Any) -> ExponentialDisc:
    """The plane-parallel disc of Ocker et al. (2020): 0.015 cm^-3 exp(-|z| / 1.57 kpc).

    Local (a few kpc around the Sun): it has no dependence on radius. `changes` are further
    arguments of `ExponentialDisc`.

    **Reference:** Ocker, Cordes & Chatterjee 2020, ApJ 897, 124 (arXiv:2004.11921): n0 = 0.015 +-
    0.001 cm^-3, h_z = 1.57 (+0.15, -0.14) kpc.
    """
    return ExponentialDisc(**{"n0": 0.015, "h_z": 1.57, **changes})


@described(
    ModelInfo(
        paper="Gaensler et al. 2008, PASA 25, 184",
        notes="no dependence on radius: for the Sun's surroundings",
    )
)
def Gaensler08(**changes: Any) -> ExponentialDisc:
    """The plane-parallel disc of Gaensler et al. (2008): 0.014 cm^-3 exp(-|z| / 1.83 kpc).

    `ExponentialDisc` with its defaults, by the name of the paper. `changes` are further arguments
    of `ExponentialDisc`.

    **Reference:** Gaensler et al. 2008, PASA 25, 184 (arXiv:0808.2550).
    """
    return ExponentialDisc(**changes)

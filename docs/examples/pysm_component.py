"""A sky component with the interface of PySM 3, made of a synax simulator."""

from typing import Any

import astropy.units as u
import jax
import numpy as np

import synax

try:
    from pysm3 import Model
    from pysm3.units import uK_RJ as UNIT
except ImportError:
    Model, UNIT = object, u.uK


class SynaxSynchrotron(Model):
    """Synchrotron emission as PySM wants it: I, Q, U (3, npix) in uK_RJ, RING, COSMO sign of U.

    PySM's unit `uK_RJ` is used where PySM is installed, astropy's plain `uK` otherwise.
    """

    def __init__(self, simulator: synax.Synchrotron, nside: int, observer: Any = None, **kwargs):
        if Model is not object:
            super().__init__(nside=nside, **kwargs)
        self.nside = nside
        self.simulator = simulator
        where = {} if observer is None else {"observer": observer}
        self.rays = synax.Sightlines.healpix(nside, **where)

    @classmethod
    def calibrated(cls, nside: int, draw: int | None = None, **settings: Any) -> "SynaxSynchrotron":
        """The Galaxy that synax has fitted to the sky.

        **Arguments:** `nside`. `draw`: number of a draw from the fit's posterior, from 0; None for
        the best fit. `settings`: of `synax.Synchrotron`, such as `steps`.
        """
        if draw is None:
            return cls(synax.galaxies.calibrated(**settings), nside)
        return cls(synax.galaxies.draws(draw + 1, **settings)[draw], nside)

    @classmethod
    def realised(cls, nside: int, seed: int, **settings: Any) -> "SynaxSynchrotron":
        """The calibrated Galaxy with a realisation of its turbulence: structure at small scales."""
        galaxy = synax.galaxies.calibrated(**settings)
        return cls(synax.galaxies.realisation(galaxy, jax.random.key(seed)), nside)

    def get_emission(self, freqs: u.Quantity, weights: Any = None) -> u.Quantity:
        """Emission at a frequency, or averaged over a band.

        **Arguments:** `freqs`: one or several, with unit. `weights`: of the band, in the same
        sense as PySM's: normalised to unit integral of the brightness in Jy/sr.
        """
        ghz = np.atleast_1d(freqs.to_value(u.GHz)).astype(float)
        stokes = self.simulator(self.rays, ghz)
        maps = 1e6 * np.stack([stokes.I, stokes.Q, -np.asarray(stokes.U)])
        if ghz.size == 1:
            maps = maps[:, 0]
        else:
            weights = np.ones_like(ghz) if weights is None else np.asarray(weights, float)
            weights = weights * ghz**2  # brightness per K_RJ
            maps = np.trapezoid(maps * (weights / np.trapezoid(weights, ghz))[:, None], ghz, axis=1)
        return maps << UNIT

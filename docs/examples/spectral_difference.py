"""An observable of one's own: the ratio of two maps, which no gain error of a survey changes."""

from typing import Any

import equinox as eqx

import synax


class BrightnessRatio(eqx.Module):
    """I(nu1) / I(nu2) along sightlines: any function of the model serves as an observable."""

    rays: synax.Sightlines
    frequencies: Any

    def __call__(self, sky):
        stokes = sky(self.rays, self.frequencies)
        return stokes.I[0] / stokes.I[1]

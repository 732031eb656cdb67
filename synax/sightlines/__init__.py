"""Sightlines: where to look from, in which directions, and how far."""

from ._sightlines import Sightlines as Sightlines

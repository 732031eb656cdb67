"""What lies between the sky and the data: beams, bands, noise, surveys."""

from ._bandpass import Bandpass as Bandpass, narrow_channel as narrow_channel
from ._beams import (
    AbstractBeam as AbstractBeam,
    Beams as Beams,
    GaussianBeam as GaussianBeam,
    WindowFunction as WindowFunction,
    pixel_window as pixel_window,
)

"""What lies between the sky and the data: beams, bands, noise, surveys."""

from ._bandpass import Bandpass as Bandpass, narrow_channel as narrow_channel
from ._beams import (
    AbstractBeam as AbstractBeam,
    Beams as Beams,
    GaussianBeam as GaussianBeam,
    WindowFunction as WindowFunction,
    pixel_window as pixel_window,
)
from ._channel_survey import ChannelSky as ChannelSky, ChannelSurvey as ChannelSurvey
from ._survey import Survey as Survey, SurveySky as SurveySky
from ._survey_files import presets as presets
from ._survey_noise import (
    AbstractSurveyNoise as AbstractSurveyNoise,
    CorrelatedNoise as CorrelatedNoise,
    HitNoise as HitNoise,
    VarianceNoise as VarianceNoise,
    WhiteNoise as WhiteNoise,
)
from ._view import View as View

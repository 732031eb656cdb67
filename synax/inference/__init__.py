"""Posteriors: likelihoods, priors, curvature, samplers."""

from ._likelihood import (
    AbstractLikelihood as AbstractLikelihood,
    DispersionMeasureLikelihood as DispersionMeasureLikelihood,
    GaussianLikelihood as GaussianLikelihood,
    JointLikelihood as JointLikelihood,
    Likelihood as Likelihood,
    RotationMeasureLikelihood as RotationMeasureLikelihood,
    StudentTLikelihood as StudentTLikelihood,
)
from ._noise import (
    AbstractNoise as AbstractNoise,
    CovarianceNoise as CovarianceNoise,
    GaussianNoise as GaussianNoise,
    LowRankNoise as LowRankNoise,
    StudentTNoise as StudentTNoise,
)
from ._observables import (
    DispersionMeasures as DispersionMeasures,
    RotationMeasures as RotationMeasures,
    SkyMaps as SkyMaps,
)
from ._posterior import Posterior as Posterior
from ._priors import AbstractPrior as AbstractPrior, EmpiricalPrior as EmpiricalPrior

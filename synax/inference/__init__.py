"""Posteriors: likelihoods, priors, curvature, samplers."""

from ._fit import Fit as Fit, FitStep as FitStep, fit as fit
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
from ._objective import LeastSquares as LeastSquares
from ._observables import (
    DispersionMeasures as DispersionMeasures,
    RotationMeasures as RotationMeasures,
    SkyMaps as SkyMaps,
)
from ._optimizers import GaussNewton as GaussNewton
from ._posterior import Posterior as Posterior
from ._priors import AbstractPrior as AbstractPrior, EmpiricalPrior as EmpiricalPrior
from ._runs import Run as Run, read_draws as read_draws, read_log as read_log
from ._variational import Variational as Variational, mgvi as mgvi

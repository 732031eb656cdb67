"""Posteriors: likelihoods, priors, curvature, samplers."""

from .._renamed import old_names as _old_names
from ._competing import Competing as Competing
from ._correlated import (
    CorrelatedFit as CorrelatedFit,
    fit_correlated_noise as fit_correlated_noise,
)
from ._curvature import Curvature as Curvature, Forecast as Forecast, Mode as Mode
from ._density import LatentDensity as LatentDensity
from ._diagnostics import (
    ConvergenceWarning as ConvergenceWarning,
    Diagnosis as Diagnosis,
    assess as assess,
    diagnose as diagnose,
)
from ._fit import Fit as Fit, FitStep as FitStep, fit as fit
from ._goodness import Goodness as Goodness, Maximum as Maximum
from ._identity import RunRefused as RunRefused
from ._importance import Importance as Importance
from ._laplace import Laplace as Laplace
from ._likelihood import (
    AbstractLikelihood as AbstractLikelihood,
    JointLikelihood as JointLikelihood,
    Likelihood as Likelihood,
)
from ._likelihoods import (
    DispersionMeasureLikelihood as DispersionMeasureLikelihood,
    GaussianLikelihood as GaussianLikelihood,
    RotationMeasureLikelihood as RotationMeasureLikelihood,
    StudentTLikelihood as StudentTLikelihood,
)
from ._methods import (
    HMC as HMC,
    MCLMC as MCLMC,
    NUTS as NUTS,
    AbstractMethod as AbstractMethod,
    RandomWalk as RandomWalk,
)
from ._nested import Nested as Nested
from ._noise import (
    AbstractNoise as AbstractNoise,
    CovarianceNoise as CovarianceNoise,
    GaussianNoise as GaussianNoise,
    LowRankNoise as LowRankNoise,
    StudentTNoise as StudentTNoise,
)
from ._objective import LeastSquares as LeastSquares
from ._observables import (
    AbstractObservable as AbstractObservable,
    DispersionMeasures as DispersionMeasures,
    RotationMeasures as RotationMeasures,
    SkyMaps as SkyMaps,
)
from ._optimizers import GaussNewton as GaussNewton
from ._posterior import Posterior as Posterior
from ._priors import AbstractPrior as AbstractPrior, EmpiricalPrior as EmpiricalPrior
from ._results import to_inference_data as to_inference_data
from ._runs import (
    Run as Run,
    RunWarning as RunWarning,
    read_draws as read_draws,
    read_log as read_log,
)
from ._sample import sample as sample
from ._sampler import Chunk as Chunk, Sampler as Sampler, SamplerState as SamplerState
from ._strategies import AbstractStrategy as AbstractStrategy, Chains as Chains
from ._uf23_prior import UF23Prior as UF23Prior
from ._variational import MGVI as MGVI, Variational as Variational, mgvi as mgvi
from ._whitening import (
    AbstractWhitening as AbstractWhitening,
    FisherWhitening as FisherWhitening,
    PathfinderWhitening as PathfinderWhitening,
    PriorWhitening as PriorWhitening,
    begin as begin,
)

__getattr__ = _old_names(__name__)

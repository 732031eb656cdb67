"""synax: the Galaxy's synchrotron sky, differentiable."""

from ._beginning import ends_at_once as _ends_at_once

_undo = _ends_at_once()  # while the command `synax` imports all of this

from ._foreign import refuse_foreign as _refuse_foreign

_refuse_foreign()  # before files of the other project are met

from . import (
    catalogues as catalogues,
    cosmic_rays as cosmic_rays,
    electrons as electrons,
    faraday as faraday,
    galaxies as galaxies,
    instruments as instruments,
    io as io,
    magnetic as magnetic,
    random_fields as random_fields,
)
from ._checks import SynaxWarning as SynaxWarning
from ._numerics._cores import use_cores as use_cores
from ._numerics._xla import avoid_overreading_kernels as _avoid_overreading_kernels
from ._parameters import (
    ModelInfo as ModelInfo,
    parameter as parameter,
    replace as replace,
    select as select,
)
from ._renamed import old_names as _old_names
from ._version import __version__ as __version__
from .emission import FreeFree as FreeFree, Turbulence as Turbulence
from .faraday import FaradaySpectrum as FaradaySpectrum, rm_synthesis as rm_synthesis
from .fields import (
    AbstractDomain as AbstractDomain,
    AbstractField as AbstractField,
    AbstractScalarField as AbstractScalarField,
    AbstractSurface as AbstractSurface,
    AbstractVectorField as AbstractVectorField,
    Box as Box,
    GridField as GridField,
    Intersection as Intersection,
    Sphere as Sphere,
)
from .inference import (
    HMC as HMC,
    MCLMC as MCLMC,
    MGVI as MGVI,
    NUTS as NUTS,
    AbstractLikelihood as AbstractLikelihood,
    AbstractPrior as AbstractPrior,
    ConvergenceWarning as ConvergenceWarning,
    DispersionMeasureLikelihood as DispersionMeasureLikelihood,
    EmpiricalPrior as EmpiricalPrior,
    Fit as Fit,
    GaussianLikelihood as GaussianLikelihood,
    GaussNewton as GaussNewton,
    Importance as Importance,
    JointLikelihood as JointLikelihood,
    LeastSquares as LeastSquares,
    LowRankNoise as LowRankNoise,
    Nested as Nested,
    Posterior as Posterior,
    RandomWalk as RandomWalk,
    RotationMeasureLikelihood as RotationMeasureLikelihood,
    Sampler as Sampler,
    StudentTLikelihood as StudentTLikelihood,
    diagnose as diagnose,
    fit as fit,
    mgvi as mgvi,
    sample as sample,
)
from .io import load_map as load_map
from .maps import (
    SkyMap as SkyMap,
    Stokes as Stokes,
)
from .random_fields import (
    GaussianField as GaussianField,
    SolenoidalField as SolenoidalField,
    roughness as roughness,
)
from .sightlines import (
    Sightlines as Sightlines,
)
from .simulators import (
    AbstractSimulator as AbstractSimulator,
    DispersionMeasure as DispersionMeasure,
    EmissionMeasure as EmissionMeasure,
    ErrorEstimate as ErrorEstimate,
    Integration as Integration,
    Observation as Observation,
    RotationMeasure as RotationMeasure,
    SampledField as SampledField,
    Synchrotron as Synchrotron,
    estimate_error as estimate_error,
    in_parts as in_parts,
    memory_estimate as memory_estimate,
    sample_along as sample_along,
    with_tolerance as with_tolerance,
)
from .transfer import (
    Absorbing as Absorbing,
    AbstractAdjoint as AbstractAdjoint,
    DirectAdjoint as DirectAdjoint,
    ForwardMode as ForwardMode,
    GaussLegendre as GaussLegendre,
    GradedSteps as GradedSteps,
    MaximumStep as MaximumStep,
    Midpoint as Midpoint,
    Polarised as Polarised,
    RecomputeAdjoint as RecomputeAdjoint,
    ReversibleAdjoint as ReversibleAdjoint,
    Thin as Thin,
    UniformSteps as UniformSteps,
)

_avoid_overreading_kernels()
_undo()


def __getattr__(name: str) -> object:
    """`synax.plot` without an import of its own; matplotlib is loaded only then."""
    if name == "plot":
        import importlib

        return importlib.import_module(".plot", __name__)
    return _old_names(__name__)(name)

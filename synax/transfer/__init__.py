"""Radiative transfer along rays: cells, quadrature, laws of light, the march and its adjoints."""

from ._absorbing import Absorbing as Absorbing
from ._adjoint import (
    AbstractAdjoint as AbstractAdjoint,
    DirectAdjoint as DirectAdjoint,
    ForwardMode as ForwardMode,
    RecomputeAdjoint as RecomputeAdjoint,
    ReversibleAdjoint as ReversibleAdjoint,
)
from ._base import (
    AbstractReversibleTransfer as AbstractReversibleTransfer,
    AbstractTransfer as AbstractTransfer,
    Cell as Cell,
    Coefficients as Coefficients,
    Light as Light,
)
from ._cells import (
    AbstractSteps as AbstractSteps,
    GradedSteps as GradedSteps,
    MaximumStep as MaximumStep,
    UniformSteps as UniformSteps,
)
from ._polarised import Polarised as Polarised
from ._polarised_cell import polarised_cell as polarised_cell
from ._quadrature import (
    AbstractQuadrature as AbstractQuadrature,
    GaussLegendre as GaussLegendre,
    Line as Line,
    Midpoint as Midpoint,
)
from ._thin import Thin as Thin

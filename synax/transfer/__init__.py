"""Radiative transfer along rays: cells, quadrature, the march and its adjoints."""

from ._adjoint import (
    AbstractAdjoint as AbstractAdjoint,
    DirectAdjoint as DirectAdjoint,
    ForwardMode as ForwardMode,
    RecomputeAdjoint as RecomputeAdjoint,
    ReversibleAdjoint as ReversibleAdjoint,
)
from ._cells import (
    AbstractSteps as AbstractSteps,
    Cells as Cells,
    GradedSteps as GradedSteps,
    MaximumStep as MaximumStep,
    UniformSteps as UniformSteps,
    cell_bounds as cell_bounds,
    place_cells as place_cells,
)
from ._march import (
    AbstractGeometry as AbstractGeometry,
    AbstractMedium as AbstractMedium,
    Arguments as Arguments,
    Frame as Frame,
    March as March,
    Problem as Problem,
    Totals as Totals,
)
from ._quadrature import (
    AbstractQuadrature as AbstractQuadrature,
    GaussLegendre as GaussLegendre,
    Medium as Medium,
    Midpoint as Midpoint,
)

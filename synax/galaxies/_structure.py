"""Small-scale structure: a realisation of a Galaxy's turbulence in place of its mean."""

import math
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks
from .._numerics._math import safe_sqrt
from .._parameters import parameter
from ..emission._turbulence_model import at
from ..fields._domain import Box
from ..fields._field import AbstractField, AbstractVectorField
from ..fields._grid import GridField
from ..fields._surfaces import AbstractSurface
from ..magnetic import GaussianRandom
from ..random_fields._periodic import Periodic, repeated
from ..simulators import Synchrotron

_TURN = (0.71, 0.53, 0.37)
"""Rotation vector (rad) of the patterns: no axis of theirs lies in the plane or across it."""


class RealisedField(AbstractVectorField):
    """A regular field with one realisation of its turbulence: B (1 + sqrt(striation) g) + s u.

    u is a random vector field of unit rms, g a random scalar of unit variance, s the strength.
    """

    regular: AbstractField
    strength: Any = parameter(..., "uG", "total rms of the isotropic part", minimum=0.0)
    striation: Any = parameter(..., "", "striated over regular energy", minimum=0.0)
    isotropic: AbstractField
    striated: AbstractField

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        along = 1.0 + safe_sqrt(at(self.striation, position)) * self.striated(position)
        random = at(self.strength, position) * self.isotropic(position)
        return along * self.regular(position) + random

    def prepare(self) -> "RealisedField":
        parts = (self.regular, self.strength, self.striation, self.isotropic, self.striated)
        return RealisedField(*(x.prepare() if isinstance(x, AbstractField) else x for x in parts))

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        parts = (self.regular, self.strength, self.striation)
        return tuple(s for x in parts if isinstance(x, AbstractField) for s in x.surfaces())


def realisation(
    galaxy: Synchrotron, key: Any, *, nodes: int = 96, periods: float = 8.0
) -> Synchrotron:
    """One sky of a Galaxy, with structure, in place of the mean over its turbulence.

    The turbulence becomes a field: its isotropic part a divergence-free Gaussian pattern with
    Kolmogorov's spectrum, times the strength; its striated part the regular field times a random
    number with that spectrum. The correlation length L_c is the turbulence's, for the waves that
    the grid holds (outer scale L = 3.3 L_c with the default grid, 5.6 L_c with very many nodes).
    The patterns fill a cube of `periods` outer scales and are repeated beyond it. The mean over
    keys is the Galaxy's own map, as far as cells resolve L: take steps near L / 2
    where it matters (`GradedSteps` are that fine within some kpc).

    **Arguments:**

    - `galaxy`: a `synax.Synchrotron` with `turbulence` whose correlation length is a number above
      0.
    - `key`: a JAX random key; another key is another sky.
    - `nodes`: of the patterns' grid along each axis: `nodes` / `periods` in an outer scale.
    - `periods`: side of the patterns in outer scales.

    **Returns** a `synax.Synchrotron` without `turbulence`, its magnetic field a `RealisedField`
    whose `regular` is the Galaxy's.

    **Raises** `ValueError` for a Galaxy without turbulence or correlation length, for fewer than 16
    nodes and for fewer than 2 periods; **warns** (`synax.SynaxWarning`) if the grid does not
    resolve the spectrum.

    **Reference:** the pattern is `magnetic.GaussianRandom`; L_c as in `emission.integral_scale`.
    """
    turbulence = galaxy.turbulence
    if turbulence is None:
        raise ValueError("galaxy: has no turbulence to realise; got turbulence=None")
    length = turbulence.correlation_length
    if isinstance(length, AbstractField) or not float(length) > 0.0:
        raise ValueError(
            f"galaxy: turbulence.correlation_length must be a number above 0 kpc, got {length}"
        )
    nodes = checks.integer("nodes", nodes, minimum=16)
    if not periods >= 2.0:
        raise ValueError(f"periods must be at least 2, got {periods}")
    outer = float(length) / integral_scale(nodes, float(periods))
    half = 0.5 * float(periods) * outer * (nodes - 1) / nodes
    box, shape = Box((half, half, half)), (nodes,) * 3
    grids = [
        GaussianRandom(k, box, shape, outer_scale=outer).grid()
        for k in jax.random.split(checks.random_key("key", key))
    ]
    one = math.sqrt(3.0) * grids[1].values[0]  # a component of a solenoidal field
    striated = GridField(one, box, unit="")
    patterns = [_everywhere(grid) for grid in (grids[0], striated)]
    field = RealisedField(galaxy.magnetic, turbulence.strength, turbulence.striation, *patterns)
    where = lambda g: (g.magnetic, g.turbulence)
    return eqx.tree_at(where, galaxy, (field, None), is_leaf=lambda x: x is None)


def integral_scale(nodes: int, periods: float) -> float:
    """L_c over the outer scale of a pattern: half its side times the power of waves across an axis.

    In the limit of many nodes it is (3/8) int E/u du / int E du = 0.178 for
    E = u^2 / (1 + u^2)^(11/6); a grid
    leaves out the short waves, interpolation takes some away, and what is left is longer.
    """
    k = np.fft.fftfreq(nodes, 1.0 / nodes) / periods
    along, k_y, k_z = np.meshgrid(k, k, np.abs(k[: nodes // 2 + 1]), indexing="ij", sparse=True)
    square = along**2 + k_y**2 + k_z**2
    twice = np.where((k_z == 0) | (2 * k_z * periods == nodes), 1.0, 2.0)  # half of the waves
    power = twice * (1.0 + square) ** (-11.0 / 6.0)
    power[0, 0, 0] = 0.0
    for axis in (along, k_y, k_z):  # what trilinear interpolation leaves
        power = power * (2.0 + np.cos(2.0 * np.pi * axis * periods / nodes)) / 3.0
    share = 1.0 - along**2 / np.where(square > 0, square, 1.0)
    return float(0.5 * periods * np.sum(power[0]) / np.sum(power * share))


def _everywhere(grid: GridField) -> AbstractField:
    found: Periodic = repeated(grid)
    return found.rotated(_TURN)

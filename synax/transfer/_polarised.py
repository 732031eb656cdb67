"""All four Stokes parameters, with polarised absorption and Faraday conversion."""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._base import AbstractTransfer, Cell, Coefficients, Light, needs
from ._polarised_cell import PolarisedCoefficients, constant_cell, sloping_cell
from ._thin import integral, wavelength_squared

Four = tuple[Array, Array, Array, Array]


class PolarisedSums(NamedTuple):
    """Running sums of an inward march; None for what the medium does not have."""

    columns: tuple[Array, ...]
    rotation_measure: Array | None
    optical_depth: Array | None


class Polarised(AbstractTransfer):
    """The 4x4 transfer equation of I, Q, U, V: dS/ds = j - K S towards the observer.

    Cells are taken from the far end to the observer; each is the closed form for constant
    coefficients, and fourth order for sloping ones (Magnus). The path is the light behind a cell.
    Such cells cannot be undone. Reverse mode stores the light in front of the cells of one block
    of rays: of all cells up to 128 MiB, else at sqrt(cells) places, and computes the rest twice.

    **Reference:** Landi Degl'Innocenti & Landolfi 2004, Polarization in Spectral Lines, ch. 8.
    """

    frequency: Float[Array, " n_freq"] | None = None
    background: Float[Array, "n_freq #n_rays"] | None = None
    """Unpolarised brightness temperature behind the last cell, K."""

    inward: ClassVar[bool] = True

    def check(self, coefficients: Coefficients) -> None:
        needs("Polarised()", "Absorbing()", {"Faraday dispersion": coefficients.dispersion})

    def init(self, cell: Cell) -> Four:
        zero = jnp.zeros((*jnp.shape(self.frequency), *cell.length.shape), cell.length.dtype)
        first = zero if self.background is None else zero + self.background
        return first, zero, zero, zero

    def step(self, path: Four, cell: Cell) -> tuple[Four, PolarisedSums]:
        lines, length = cell.lines, cell.length
        mean = self._coefficients(lines, length, slopes=False)
        if _has_slopes(lines):
            slope = self._coefficients(lines, length, slopes=True)
            stokes = sloping_cell(mean, slope, length, path)
        else:
            stokes = constant_cell(mean, length, path)
        shape = path[0].shape
        columns = tuple(length * line.mean for line in lines.columns)
        rotation, depth = (integral(x, length) for x in (lines.rotation, lines.absorption[0]))
        i, q, u, v = (jnp.broadcast_to(x, shape) for x in stokes)
        return (i, q, u, v), PolarisedSums(columns, rotation, depth)

    def _coefficients(
        self, lines: Coefficients, length: Array, slopes: bool
    ) -> PolarisedCoefficients:
        zero = jnp.zeros((1, *length.shape), length.dtype)

        def value(line):
            if line is None:
                return zero
            # lines run away from the observer, light towards it
            return -line.slope if slopes else line.mean

        turn = zero
        if lines.rotation is not None:
            turn = 2.0 * wavelength_squared(self.frequency) * value(lines.rotation)
        return PolarisedCoefficients(
            tuple(map(value, lines.emission)),
            tuple(map(value, lines.absorption)),
            (*map(value, lines.conversion), turn),
        )

    def finish(self, path: Four, sums: PolarisedSums) -> Light:
        return Light(path, sums.columns, sums.rotation_measure, sums.optical_depth)


def _has_slopes(lines: Coefficients) -> bool:
    some = (*lines.emission, *lines.absorption, lines.rotation, *lines.conversion)
    return any(line is not None and line.slope is not None for line in some)

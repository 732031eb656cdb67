"""Optically thin light with Faraday rotation."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _constants as const
from .._numerics._math import sincos
from ._base import AbstractReversibleTransfer, Cell, Coefficients, Light, needs, zeros_like
from ._moments import sinc_moments
from ._quadrature import Line


class Sums(NamedTuple):
    """Running sums of a march: Stokes components and columns; None for what is zero."""

    stokes: tuple[Any, ...]
    columns: tuple[Array, ...]


def integral(line: Line | None, length: Array) -> Array | None:
    """Integral of a line over a cell."""
    return None if line is None else length * line.mean


def wavelength_squared(frequency: Float[Array, " n_freq"]) -> Float[Array, "n_freq 1"]:
    """lambda^2 in m^2, as a column, of frequencies in GHz."""
    return const.WAVELENGTH_SQUARED_AT_1GHZ / frequency[:, None] ** 2


class Thin(AbstractReversibleTransfer):
    """Emission and Faraday rotation, without absorption: I = int j_I ds,
    Q + iU = int j_P exp(2i chi_0 + 2i lambda^2 RM(s)) ds.

    Within a cell the emission is j0 + j1 tau and dRM/ds is f0 + f1 tau, tau in (-1/2, 1/2). The
    rotation by f0 is integrated exactly against j (Filon), the rest is its value at the two Gauss
    points, -f1 L / 12, the same at both:

    Q + iU += exp(2i lambda^2 (RM + f0 L/2 - f1 L/12)) [j0 M0(x) + i j1 M1(x)] L,
    x = lambda^2 f0 L, M0 = sin x / x, M1 = (sin x - x cos x) / (2 x^2).

    Cells of constant coefficients are exact, however large their rotation. The path carried from
    cell to cell is the rotation measure in front of the cell.
    """

    frequency: Float[Array, " n_freq"] | None = None
    background: Float[Array, "n_freq #n_rays"] | None = None
    """Brightness temperature behind the last cell, K."""
    width: Float[Array, " n_freq"] | None = None
    """Full widths of the channels, GHz: emission is depolarised by the rotation in front of it."""

    inward: ClassVar[bool] = False

    def check(self, coefficients: Coefficients) -> None:
        c = coefficients
        polarised = {"polarised absorption": c.absorption[1:], "Faraday conversion": c.conversion}
        needs("Thin()", "Polarised()", polarised)
        needs(
            "Thin()",
            "Absorbing()",
            {"absorption": c.absorption[0], "Faraday dispersion": c.dispersion},
        )

    def init(self, cell: Cell) -> Array | None:
        return zeros_like(cell.lines.rotation)

    def step(self, path: Array | None, cell: Cell) -> tuple[Array | None, Sums]:
        lines, length = cell.lines, cell.length
        columns = tuple(length * line.mean for line in lines.columns)
        i, v = (integral(lines.emission[k], length) for k in (0, 3))
        if lines.rotation is None:
            q, u = (integral(line, length) for line in lines.emission[1:3])
            return None, Sums((i, q, u, v), columns)
        across = length * lines.rotation.mean
        q = u = None
        if lines.emission[1] is not None:
            q, u = self._rotated(path, lines, length)
        return path + across, Sums((i, q, u, v), columns)

    def _rotated(self, depth: Array, lines: Coefficients, length: Array) -> tuple[Array, Array]:
        (_, q_line, u_line, _), rotation = lines.emission, lines.rotation
        twice = 2.0 * wavelength_squared(self.frequency)
        half = 0.5 * rotation.mean * length
        middle = depth + half
        if rotation.slope is not None:
            middle = middle - rotation.slope * length * (1.0 / 12.0)
        s, c = sincos(twice * middle)
        m0, m1 = sinc_moments(twice * half)
        q, u = q_line.mean * m0, u_line.mean * m0
        if q_line.slope is not None:
            q, u = q - u_line.slope * m1, u + q_line.slope * m1
        if self.width is not None:
            length = length * within_channel(twice * middle, self.frequency, self.width)
        return length * (q * c - u * s), length * (q * s + u * c)

    def undo(self, path: Array | None, cell: Cell) -> Array | None:
        return None if path is None else path - cell.length * cell.lines.rotation.mean

    def finish(self, path: Array | None, sums: Sums) -> Light:
        i, q, u, v = sums.stokes
        if self.background is not None:
            i = self.background if i is None else i + self.background
        return Light((i, q, u, v), sums.columns, path)

    def compose(self, near: Light, far: Light) -> Light:
        return composed(self, near, far)


def composed(law: AbstractReversibleTransfer, near: Light, far: Light) -> Light:
    """The near part's light, and the far part's dimmed and rotated by the near part."""
    if getattr(law, "width", None) is not None:
        raise ValueError("width: light of channels with a width cannot be put together from parts")
    together = lambda a, b: None if a is None else a + b
    i, q, u, v = near.stokes
    dim = dim_p = 1.0
    if near.optical_depth is not None:
        dim = dim_p = jnp.exp(-near.optical_depth)
    if getattr(law, "background", None) is not None:  # it stands behind the far part
        i = i - law.background * dim
    square: Any = None if law.frequency is None else wavelength_squared(law.frequency)
    if near.dispersion is not None:
        dim_p = dim_p * jnp.exp(-2.0 * square * square * near.dispersion)
    far_i, far_q, far_u, far_v = far.stokes
    if near.rotation_measure is not None and far_q is not None:
        s, c = sincos(2.0 * square * near.rotation_measure)
        far_q, far_u = far_q * c - far_u * s, far_q * s + far_u * c
    stokes = (
        together(i, dim * far_i),
        *(together(x, None if y is None else dim_p * y) for x, y in ((q, far_q), (u, far_u))),
        together(v, None if far_v is None else dim * far_v),
    )
    return Light(
        stokes,
        tuple(a + b for a, b in zip(near.columns, far.columns, strict=True)),
        together(near.rotation_measure, far.rotation_measure),
        together(near.optical_depth, far.optical_depth),
        together(near.dispersion, far.dispersion),
    )


def within_channel(
    turn: Float[Array, "n_freq n_rays"],
    frequency: Float[Array, " n_freq"],
    width: Float[Array, " n_freq"],
) -> Float[Array, "n_freq n_rays"]:
    """Mean of exp(i turn) over narrow channels, by its value in the middle.

    sin(x)/x with x = turn width/frequency: half the range of the rotation 2 lambda^2 RM. Left out
    are terms of second order in width/frequency.
    """
    return sinc_moments(turn * (width / frequency)[:, None])[0]

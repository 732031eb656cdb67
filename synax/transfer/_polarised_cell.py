"""Transfer of I, Q, U, V through one cell: the closed form of the 4x4 equation, in Jones form.

dS/ds = j - K S along the direction of propagation, S = (I, Q, U, V),

K = [[aI, aQ, aU, aV], [aQ, aI, rV, -rU], [aU, -rV, aI, rQ], [aV, rU, -rQ, aI]].

With n = a + i rho (three complex numbers) and the coherency J = (I + S.sigma)/2 the equation is
dJ/ds = -aI J - (N J + J N^+)/2, N = n.sigma, whose solution needs functions of w^2 = n.n only.
Components are tuples of arrays here: nothing is stacked where it would be taken apart again.
"""

import functools
import operator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._numerics._everywhere import everywhere
from .._numerics._linear import linear_call
from .._numerics._math import sincos, stored
from .._parameters import without_unit
from ._cell_functions import Depths, Weights, cell_functions
from ._faint_functions import faint_functions, is_faint

Values = Float[Array, "..."]
Stokes4 = tuple[Values, Values, Values, Values]
Vector3 = tuple[Values, Values, Values]


class PolarisedCoefficients(NamedTuple):
    """Emission and absorption (I, Q, U, V) and rotativity (Q, U, V), per unit of length."""

    emission: Stokes4
    absorption: Stokes4
    rotativity: Vector3


def _times(length: Values, coefficients: PolarisedCoefficients) -> PolarisedCoefficients:
    """Coefficients times the length of the cell.

    Kept, and with them their cotangents: those of the length and of what all frequencies share are
    sums over them, which would compute the whole chain behind anew for each.
    """
    products = jax.tree.map(lambda x: length * x, coefficients)
    shape = jnp.broadcast_shapes(*(x.shape for x in jax.tree.leaves(products)))
    return stored(jax.tree.map(lambda x: jnp.broadcast_to(x, shape), products))


def _dot(a: Vector3, b: Vector3) -> Values:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector3, b: Vector3) -> Vector3:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


class _Generator(NamedTuple):
    """Depths of a cell, and the combinations of them that its matrices are made of."""

    absorption: Vector3
    rotativity: Vector3
    cross: Vector3
    depths: Depths


def _generator(depth: Values, absorption: Vector3, rotativity: Vector3) -> _Generator:
    # |a|^2 - |rho|^2 by sums and differences: exact where the two nearly cancel
    p = sum((a - r) * (a + r) for a, r in zip(absorption, rotativity, strict=True))
    size = _dot(absorption, absorption) + _dot(rotativity, rotativity)
    cross, aligned = _cross(absorption, rotativity), _dot(absorption, rotativity)
    depths = Depths(depth, p, aligned, size, _dot(cross, cross))
    return _Generator(*stored((absorption, rotativity, cross, depths)))


def _applied(weights: tuple[Weights, ...], n: _Generator, lights: tuple[Stokes4, ...]) -> Stokes4:
    """Sum of A J - D N J - D* J N^+ + B N J N^+ over some lights, in Stokes parameters.

    The weights of a matrix are applied first, and each matrix once to the sum.
    """

    def total(name: str, k: int) -> Values:
        parts = (getattr(w, name) * light[k] for w, light in zip(weights, lights, strict=True))
        return functools.reduce(operator.add, parts)

    a, r, c = n.absorption, n.rotativity, n.cross
    along, bend, turned = (
        tuple(total(name, k) for k in range(4)) for name in ("along", "bend", "turned")
    )
    turned = tuple(n.depths.q * x for x in turned)
    outer, inner = total("outer", 0), tuple(total("inner", k) for k in (1, 2, 3))
    along, bend, turned, outer, inner = stored((along, bend, turned, outer, inner))
    a_s, r_s = stored((_dot(a, bend[1:]), _dot(r, bend[1:])))
    ahead, aside = _cross(r, along[1:]), _cross(a, turned[1:])
    intensity = outer - _dot(a, along[1:]) - _dot(r, turned[1:]) - _dot(c, bend[1:])
    vector = (
        inner[k]
        + (ahead[k] - aside[k])
        + (a_s * a[k] + r_s * r[k])
        + (bend[0] * c[k] - (along[0] * a[k] + turned[0] * r[k]))
        for k in range(3)
    )
    return stored((intensity, *vector))


class Crossing(NamedTuple):
    """A cell of a constant generator, the light that enters it, and what is emitted in it.

    `even`: alike throughout; `late`: in proportion to the way that the light has come, from 0 to 1.
    """

    depth: Values
    absorption: Vector3
    rotativity: Vector3
    incoming: Stokes4
    even: Stokes4
    late: Stokes4 | None

    def generator(self) -> _Generator:
        return _generator(self.depth, self.absorption, self.rotativity)

    def lights(self) -> tuple[Stokes4, ...]:
        return (self.incoming, self.even, *(() if self.late is None else (self.late,)))


def at_any_depth(cell: Crossing) -> Stokes4:
    """Light behind a cell."""
    n, lights = cell.generator(), cell.lights()
    found = cell_functions(n.depths, len(lights) - 1)
    weights = [found.propagator, found.source]
    if found.moment is not None:
        both = zip(found.source, found.moment, strict=True)
        weights.append(Weights(*(whole - moment for whole, moment in both)))
    return _applied(tuple(weights), n, lights)


def _faint(cell: Crossing) -> Stokes4:
    """The same where `are_faint` holds."""
    n, lights = cell.generator(), cell.lights()
    out = _applied(faint_functions(n.depths, len(lights) - 1), n, lights)
    decay = stored(jnp.exp(-cell.depth))
    return tuple(decay * x for x in out)


def are_faint(cell: Crossing) -> Array:
    """Whether all cells of a block absorb so little that the short series are exact."""
    return everywhere(is_faint(cell.depth, cell.absorption))


def _either(cell: Crossing) -> Stokes4:
    return jax.lax.cond(are_faint(cell), _faint, at_any_depth, cell)


@jax.custom_jvp
def crossed(cell: Crossing) -> Stokes4:
    """Light behind a cell; by the short series where all cells of the block are faint."""
    return _either(cell)


@crossed.defjvp
def _crossed_jvp(primals: Any, tangents: Any) -> tuple[Stokes4, Stokes4]:
    """The transpose chooses again: JAX's own would keep what both branches need."""
    structure = jax.tree.structure(primals)
    out_structure = jax.tree.structure((0, 0, 0, 0))

    def forward(residuals: list[Any], operands: list[Any]) -> list[Any]:
        cell, move = (jax.tree.unflatten(structure, x) for x in (residuals, operands))
        return jax.tree.leaves(jax.jvp(_either, cell, move)[1])

    def transpose(residuals: list[Any], cotangents: list[Any]) -> list[Any]:
        (cell,) = jax.tree.unflatten(structure, residuals)
        bar = jax.tree.unflatten(out_structure, cotangents)
        pull = lambda branch: lambda cell, bar: jax.vjp(branch, cell)[1](bar)
        found = jax.lax.cond(are_faint(cell), pull(_faint), pull(at_any_depth), cell, bar)
        return jax.tree.leaves(found)

    out = crossed(*primals)
    leaves = map(jax.tree.leaves, (primals, tangents, out))
    move = linear_call(forward, transpose, *leaves)
    return out, jax.tree.unflatten(out_structure, move)


def constant_cell(
    coefficients: PolarisedCoefficients, length: Values, incoming: Stokes4
) -> Stokes4:
    """Stokes parameters behind a cell of constant coefficients (near side, towards us)."""
    emitted, (aI, *a), rho = _times(length, coefficients)
    shape = jnp.broadcast_shapes(aI.shape, *(x.shape for x in incoming))
    cell = Crossing(aI, tuple(a), rho, incoming, emitted, None)
    return crossed(jax.tree.map(lambda x: jnp.broadcast_to(x, shape), cell))


def sloping_cell(
    mean: PolarisedCoefficients,
    slope: PolarisedCoefficients,
    length: Values,
    incoming: Stokes4,
) -> Stokes4:
    """Stokes parameters behind a cell whose coefficients are straight lines: fourth order.

    A coefficient is mean + slope t with t from -1/2 (far side, where light enters) to 1/2 (near
    side); through two Gauss nodes with values x1 (met first) and x2 the mean is (x1 + x2)/2 and
    the slope sqrt(3) (x2 - x1). With K = K0 + K1 t, j = j0 + j1 t and the length L

    S(L) = exp(W) S(0) + L int exp(W (1/2 - t)) E (j0 + j1 t) dt,
    W = -L K0 + L^2 [K1, K0] / 12,   E = exp(-L K1 / 12):

    the Magnus expansion for the propagator; for the source the integral of the linear j against
    the constant propagator, and in E the bend of the phase at the Gauss nodes. Error O(L^5) a
    cell. E is exact in aI and rV, and of first order in the rest, whose square is O(L^4). Where
    all K commute (no conversion, no polarised absorption) it is the rule of `Thin` and
    `Absorbing`, whatever the depths. Three terms are damped, by amounts of O(L^5): the commutator
    by 1 + |L n|^2/40, the decay of its effect once the cell is many rotations deep; absorption in
    K1 and the slopes of j by 1 + (L aI/2)^4, so that thick cells stay positive; what E has of
    first order by 1 + its square.

    **Reference:** Blanes et al. 2009, Phys. Rep. 470, 151 (Magnus expansion); Iserles 2004, IMA J.
    Num. Anal. 24 (Filon's quadrature).
    """
    emitted, (a0, *a), rho = _times(length, mean)
    sloping, (b0, *b), tau = _times(length, slope)
    a, b = tuple(a), tuple(b)
    size = _dot(a, a) + _dot(rho, rho)
    share = (1.0 / 12.0) / (1.0 + size / 40.0)
    real = tuple(-x - y for x, y in zip(_cross(a, tau), _cross(rho, b), strict=True))
    imaginary = tuple(x - y for x, y in zip(_cross(a, b), _cross(rho, tau), strict=True))
    share, real, imaginary = stored((share, real, imaginary))
    a = tuple(x + share * y for x, y in zip(a, real, strict=True))
    rho = tuple(x + share * y for x, y in zip(rho, imaginary, strict=True))
    half2 = 0.25 * a0 * a0
    damp = 1.0 / (1.0 + half2 * half2)
    lost = (1.0 / 12.0) * damp
    bend = _Bend(lost * b0, tuple(lost * x for x in b), tuple(x * (1.0 / 12.0) for x in tau))
    level, tilt = _bent(bend, emitted, tuple(damp * x for x in sloping))
    # level + tilt (1/2 - t) = even + late (1 - t)
    even = tuple(x - 0.5 * y for x, y in zip(level, tilt, strict=True))
    return crossed(Crossing(*stored((a0, a, rho, incoming, even, tilt))))


class _Bend(NamedTuple):
    """L K1 / 12: a_I, (a_Q, a_U, a_V), (r_Q, r_U, r_V)."""

    depth: Values
    absorption: Vector3
    rotativity: Vector3


def _bent(bend: _Bend, *emissions: Stokes4) -> tuple[Stokes4, ...]:
    """E times each of some emissions."""
    (a_q, a_u, a_v), (r_q, r_u, turn) = bend.absorption, bend.rotativity
    small = _dot(bend.absorption, bend.absorption) + r_q * r_q + r_u * r_u
    share = stored(1.0 / (1.0 + small))
    a_q, a_u, a_v, r_q, r_u = (share * x for x in (a_q, a_u, a_v, r_q, r_u))
    decay = jnp.exp(-bend.depth)
    sine, cosine = sincos(turn)
    decay, a_q, a_u, a_v, r_q, r_u = stored((decay, a_q, a_u, a_v, r_q, r_u))

    def one(emission: Stokes4) -> Stokes4:
        i, v = decay * emission[0], decay * emission[3]
        q = decay * (cosine * emission[1] - sine * emission[2])
        u = decay * (sine * emission[1] + cosine * emission[2])
        i, q, u, v = stored((i, q, u, v))
        return stored(
            (
                i - (a_q * q + a_u * u + a_v * v),
                q - a_q * i + r_u * v,
                u - a_u * i - r_q * v,
                v - a_v * i + (r_q * u - r_u * q),
            )
        )

    return tuple(map(one, emissions))


def _plain(name: str, value: Any) -> Array:
    """An array of numbers: coefficients are per any unit of length, so none can be converted."""
    return jnp.asarray(without_unit(value, "", f"polarised_cell: {name}"))


def _checked(name: str, value: Any, count: int) -> Array:
    value = _plain(name, value)
    if value.ndim < 1 or value.shape[0] != count:
        raise ValueError(
            f"polarised_cell: {name} must have its {count} components first, shape ({count}, ...), "
            f"got {value.shape}"
        )
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"polarised_cell: {name} must be of floating-point type, got {value.dtype}")
    return value


def polarised_cell(
    emission: Any, absorption: Any, rotativity: Any, length: Any, incoming: Any
) -> Float[Array, "4 ..."]:
    """Stokes parameters after a cell of constant emission, absorption and rotativity.

    dS/ds = j - K S in the direction of propagation, S = (I, Q, U, V) (IAU signs), so that
    d(Q, U, V)/ds contains + rho x (Q, U, V) and rV = 2 lambda^2 dRM/ds. Exact at any optical and
    Faraday depth, also where K cannot be diagonalised; derivatives with respect to everything
    are finite everywhere.

    **Arguments** (components first, the rest broadcast against each other):

    - `emission`: (4, ...), j of I, Q, U, V, brightness per length.
    - `absorption`: (4, ...), aI, aQ, aU, aV, per length.
    - `rotativity`: (3, ...), rQ, rU (conversion), rV (Faraday rotation), rad per length.
    - `length`: (...), of the cell, not negative.
    - `incoming`: (4, ...), I, Q, U, V where the light enters (far side).

    **Returns** I, Q, U, V (4, ...) where it leaves (near side, towards the observer).

    **Raises** `ValueError` for a Quantity (lengths and coefficients are plain numbers in units that
    go together), for another number of components, for shapes that do not broadcast and for
    negative lengths (where they are known, so not inside `jit`), `TypeError` for integers.

    **Reference:** Landi Degl'Innocenti & Landolfi 2004, Polarization in Spectral Lines, ch. 8.
    """
    emission = _checked("emission", emission, 4)
    absorption = _checked("absorption", absorption, 4)
    rotativity = _checked("rotativity", rotativity, 3)
    incoming = _checked("incoming", incoming, 4)
    length = _plain("length", length)
    if not checks.holds(length, lambda x: ~(x < 0)):
        raise ValueError(
            "polarised_cell: length must not be negative, light leaves a cell where it has "
            f"crossed it; got {checks.shown(length)}"
        )
    checks.broadcast(
        "polarised_cell (behind the components)",
        emission=emission.shape[1:],
        absorption=absorption.shape[1:],
        rotativity=rotativity.shape[1:],
        length=length.shape,
        incoming=incoming.shape[1:],
    )
    coefficients = PolarisedCoefficients(tuple(emission), tuple(absorption), tuple(rotativity))
    out = constant_cell(coefficients, length, tuple(incoming))
    return jnp.stack(jnp.broadcast_arrays(*out))

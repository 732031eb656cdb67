"""Transfer of I, Q, U, V through one cell: against tables made with rigorous bounds."""

import math
from functools import partial

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.transfer import (
    Cell,
    Coefficients,
    Line,
    _faint_functions as faint,
    _polarised_cell as cells,
)
from synax.transfer._absorbing import Absorbing
from synax.transfer._polarised_cell import PolarisedCoefficients, sloping_cell

QUICK = {"xla_backend_optimization_level": "0"}  # less time to compile; sums are the same
forward = jax.jit(synax.transfer.polarised_cell, compiler_options=QUICK)
ROWS = 200


def _cell(x, incoming):
    return synax.transfer.polarised_cell(x[:4], x[4:8], x[8:11], x[11], incoming)


@partial(jax.jit, compiler_options=QUICK)
@jax.vmap
def derivatives(x, incoming):
    """d out / d (twelve coefficients and the length), d out / d incoming."""
    return jax.jacrev(_cell, argnums=(0, 1))(x, incoming)


def _packed(j, a, rho, s, dtype=np.float64):
    return jnp.asarray(np.concatenate([j, a, rho, np.asarray(s)[..., None]], axis=-1), dtype)


def _forward(x, incoming):
    """Every row: (n, 12), (n, 4) -> (n, 4)."""
    out = forward(x[:, :4].T, x[:, 4:8].T, x[:, 8:11].T, x[:, 11], incoming.T)
    return np.asarray(out).T


@pytest.fixture(scope="module")
def rows(table):
    return table("transfer4_dev")


@pytest.fixture(scope="module")
def inputs(rows):
    x = _packed(*(rows[k] for k in ("j", "a", "rho", "s")))
    assert len(x) == ROWS
    return x, jnp.asarray(rows["S0"])


def test_every_row_of_the_table(rows, inputs):
    error = np.max(np.abs(_forward(*inputs) - rows["S"]), axis=1)
    scale = np.max(np.abs(rows["S"]), axis=1)
    assert np.all(error <= 2e-15 * (1.0 + rows["condition"]) * scale)


def test_derivatives_of_every_row(rows, inputs):
    got = np.concatenate(derivatives(*inputs), axis=2)
    expected = np.concatenate([rows["dS_dparams"], rows["propagator"]], axis=2)
    error = np.max(np.abs(got - expected), axis=(1, 2))
    assert np.all(error <= 1e-9 * np.max(np.abs(expected), axis=(1, 2)))


def _singular_cells():
    zero3, zero4, one4 = np.zeros(3), np.zeros(4), np.array([1.0, 0.3, -0.2, 0.1])
    absorbing = np.array([1.0, 0.6, 0.0, 0.8])
    yield "all zero", zero4, zero4, zero3, 0.0, zero4
    yield "no length", one4, one4, np.ones(3), 0.0, one4
    yield "nothing but emission", one4, zero4, zero3, 2.0, one4
    yield "thick", one4, 1e4 * absorbing, 1e3 * np.array([0.3, 0.1, -0.2]), 1.0, one4
    yield "thick and grey", one4, np.array([1e4, 0, 0, 0]), zero3, 1.0, one4
    yield "polariser", one4, absorbing, zero3, 3.0, one4
    yield "null", one4, absorbing, np.array([0.8, 0.0, -0.6]), 1.0, one4
    yield "null and thick", one4, 50.0 * absorbing, np.array([40.0, 0.0, -30.0]), 1.0, one4
    yield "rotation", one4, zero4, np.array([0.0, 0.0, 1e6]), 1.0, one4
    yield "threshold", one4, zero4, np.array([0.0, 0.0, 1.0]), 1.0, one4
    yield "growth", one4, np.array([-5.0, 9e3, 0.0, 0.0]), zero3, 1.0, one4


@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.slow), np.float64])
def test_nothing_is_ever_nan(dtype):
    names, *parts = zip(*_singular_cells(), strict=True)
    fill = lambda x: np.resize(np.array(x), (ROWS, *np.shape(x)[1:]))
    x = _packed(*(fill(p) for p in parts[:4]), dtype=dtype)
    incoming = jnp.asarray(fill(parts[4]), dtype)
    value, slopes = _forward(x, incoming), np.concatenate(derivatives(x, incoming), axis=2)
    for k, name in enumerate(names):
        assert np.all(np.isfinite(value[k])), name
        assert np.all(np.isfinite(slopes[k])), name
    assert value.dtype == dtype
    grey = names.index("thick and grey")
    assert np.allclose(value[grey], np.array([1.0, 0.3, -0.2, 0.1]) / 1e4, rtol=1e-6)


def test_single_precision(rows, inputs):
    moderate = np.isin(rows["kind"], ["order1", "emission", "absorption", "dichroic", "thermal"])
    value = _forward(*(x.astype(jnp.float32) for x in inputs))
    error = np.max(np.abs(value - rows["S"]), axis=1)
    bound = 1e-6 * (1.0 + rows["condition"]) * np.max(np.abs(rows["S"]), axis=1)
    assert np.all(error[moderate] <= bound[moderate])


def _coefficients(rows, i, s):
    base, amp, c1, c2 = (rows[f"var_{k}"][i][:, None] for k in ("base", "amp", "c1", "c2"))
    length, kind = rows["var_L"][i], rows["var_kind"][i]
    if kind == "sin":
        shape = np.sin(2.0 * np.pi * c1 * s / length + c2)
    elif kind == "gauss":
        shape = np.exp(-0.5 * ((s - c1) / c2) ** 2)
    else:
        shape = s / length - 0.5
    return base + amp * shape


def _split(x):
    return PolarisedCoefficients(tuple(x[:4]), tuple(x[4:8]), tuple(x[8:11]))


def test_order_four_for_varying_coefficients(rows):
    """Slope of error against cell, from 32 to 128 cells, on every varying problem."""

    @partial(jax.jit, compiler_options=QUICK)
    def march(mean, slope, length, start):
        def body(stokes, x):
            return sloping_cell(_split(x[0]), _split(x[1]), length, stokes), None

        return jnp.stack(jax.lax.scan(body, start, (mean, slope))[0])

    errors = []
    for n in (32, 128):
        lengths = rows["var_L"] / n
        nodes = [(np.arange(n) + 0.5 + side * math.sqrt(3.0) / 6.0) for side in (-1, 1)]
        at = [
            np.stack([_coefficients(rows, i, x * h) for i, h in enumerate(lengths)]) for x in nodes
        ]
        mean, slope = 0.5 * (at[0] + at[1]), math.sqrt(3.0) * (at[1] - at[0])
        axes = [jnp.asarray(np.transpose(x, (2, 1, 0))) for x in (mean, slope)]
        out = march(*axes, jnp.asarray(lengths), tuple(jnp.asarray(rows["var_S0"].T)))
        error = np.max(np.abs(np.asarray(out).T - rows["var_S"]), axis=1)
        errors.append(error / np.max(np.abs(rows["var_S"]), axis=1))
    slopes = np.log(errors[0] / errors[1]) / math.log(4.0)
    assert np.all(np.abs(slopes - 4.0) < 0.15), slopes
    assert np.max(errors[1]) < 1e-6


def test_a_sloping_cell_without_conversion_is_the_rule_of_the_other_laws():
    """Coefficients in straight lines: equal to `Absorbing` to rounding, at any depth."""
    rng = np.random.default_rng(3)
    n, length = 64, 0.7
    scale = 10.0 ** rng.uniform(-3, 5, n)  # rotation of a cell, rad
    depth = 10.0 ** rng.uniform(-3, 1.5, n)
    mean, slope = rng.normal(size=(2, 5, n)) * np.array([1.0, 1.0, 1.0, 0.0, 0.0])[:, None]
    mean[3], slope[3] = depth, 0.8 * depth * rng.uniform(-1, 1, n)
    mean[4], slope[4] = scale, scale * rng.uniform(-1, 1, n)
    law = Absorbing(jnp.asarray([0.6]))
    double = 2.0 * (299792458.0 / 0.6e9) ** 2  # 2 lambda^2
    # slopes there are away from the observer, here along the light
    i, q, u, a = (Line(jnp.asarray(mean[k])[None], jnp.asarray(-slope[k])[None]) for k in range(4))
    rotation = Line(jnp.asarray(mean[4] / double), jnp.asarray(-slope[4] / double))
    lines = Coefficients((), (i, q, u, None), (a, None, None, None), rotation)
    cell = Cell(jnp.full(n, length), lines)
    _, sums = law.step(law.init(cell), cell)
    zero = jnp.zeros(n)

    def coefficients(x):
        i, q, u, a, r = map(jnp.asarray, x)
        return PolarisedCoefficients((i, q, u, zero), (a, zero, zero, zero), (zero, zero, r))

    sloping = jax.jit(sloping_cell, compiler_options=QUICK)
    out = sloping(coefficients(mean), coefficients(slope), jnp.full(n, length), (zero,) * 4)
    size = length * np.max(np.abs(mean[:3]) + np.abs(slope[:3]), axis=0)
    for one, other in zip(out[:3], sums.stokes[:3], strict=True):
        assert np.all(np.abs(one - other[0]) <= 2e-15 * (1.0 + scale) * size)


def test_light_of_a_physical_cell_is_never_overpolarised():
    rng = np.random.default_rng(11)
    fraction = rng.uniform(0.0, 1.0, (3, 1, ROWS))
    direction = rng.normal(size=(3, 3, ROWS))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    j, a, start = np.concatenate([np.ones((3, 1, ROWS)), fraction * direction], axis=1)
    a = a * 10.0 ** rng.uniform(-3, 3, ROWS)
    rho = rng.normal(size=(3, ROWS)) * 10.0 ** rng.uniform(-3, 3, ROWS)
    out = _forward(_packed(j.T, a.T, rho.T, np.ones(ROWS)), jnp.asarray(start.T))
    assert np.all(out[:, 0] >= np.linalg.norm(out[:, 1:], axis=1) * (1.0 - 1e-12))


def test_two_halves_make_the_whole(rows, inputs):
    x, incoming = inputs
    half = x.at[:, 11].multiply(0.5)
    twice = _forward(half, jnp.asarray(_forward(half, incoming)))
    error = np.max(np.abs(twice - rows["S"]), axis=1)
    scale = np.max(np.abs(rows["S"]), axis=1)
    assert np.all(error <= 1e-14 * (1.0 + rows["condition"]) * scale)


def _faint_cells(n):
    """Cells of up to the largest absorption of the short series, and any rotation."""
    rng = np.random.default_rng(8)
    depth = np.linspace(-1.0, 1.0, n) * faint.DEEPEST
    limit = np.finfo(float).eps ** (1.0 / 3.0) / math.sqrt(3.0)
    a = rng.uniform(-limit, limit, (3, n)) * 10.0 ** rng.uniform(-2, 0, n)
    rho = rng.normal(size=(3, n)) * 10.0 ** rng.uniform(-6, 4, n)
    rho[:2] *= 10.0 ** rng.uniform(-4, 0, n)
    a[:, 0], rho[:, :2] = 0.0, 0.0
    lights = rng.normal(size=(3, 4, n))
    parts = (depth, tuple(a), tuple(rho), *map(tuple, lights))
    return cells.Crossing(*jax.tree.map(jnp.asarray, parts))


def test_faint_cells_are_those_of_any_depth():
    """Values, derivatives of all kinds, and the choice between the two, under `vmap` too."""
    n = 64
    cell = _faint_cells(n)
    rotation = 1.0 + np.linalg.norm(np.array(cell.rotativity), axis=0)

    def all_of(function):
        def one(cell):
            return jnp.stack(function(cell))

        def both(cell, move):
            out, along = jax.jvp(one, (cell,), (move,))
            return out, along, jax.vjp(one, cell)[1](jnp.ones((4, n)) + along)[0]

        mapped = jax.vmap(both, in_axes=(None, 0))
        return jax.jit(mapped, compiler_options=QUICK)

    rng = np.random.default_rng(9)
    moves = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=(2, n))), cell)
    expected = all_of(cells.at_any_depth)(cell, moves)
    assert bool(cells.are_faint(cell))
    lowered = all_of(cells.crossed).lower(cell, moves)
    assert "stablehlo.case" in lowered.as_text()
    found = lowered.compile()(cell, moves)
    for a, b in zip(map(jax.tree.leaves, found), map(jax.tree.leaves, expected), strict=True):
        a, b = np.array(a).reshape(-1, n), np.array(b).reshape(-1, n)
        assert np.all(np.abs(a - b) <= 1e-14 * rotation * np.max(np.abs(b), axis=0))
    thick = cell._replace(depth=cell.depth.at[3].set(1.0))
    assert not bool(cells.are_faint(thick))


@pytest.mark.parametrize("name", ["emission", "absorption", "rotativity", "length", "incoming"])
def test_what_is_no_number_stays_none(name):
    """NaN in one cell is NaN behind it, and nowhere else."""
    rng = np.random.default_rng(4)
    shapes = {"emission": 4, "absorption": 4, "rotativity": 3, "length": 1, "incoming": 4}
    inputs = {key: rng.uniform(0.1, 0.2, (n, 3)) for key, n in shapes.items()}
    inputs[name][0, 1] = np.nan
    inputs["length"] = inputs["length"][0]
    found = np.asarray(forward(*map(jnp.asarray, inputs.values())))
    assert np.isnan(found[:, 1]).all() and np.isfinite(found[:, [0, 2]]).all()


def test_wrong_shapes_and_types_are_named():
    four, three = jnp.ones(4), jnp.ones(3)
    with pytest.raises(ValueError, match=r"rotativity must have its 3 components first.*\(4,\)"):
        synax.transfer.polarised_cell(four, four, four, 1.0, four)
    with pytest.raises(ValueError, match=r"do not broadcast.*emission \(2,\), absorption \(3,\)"):
        synax.transfer.polarised_cell(jnp.ones((4, 2)), jnp.ones((4, 3)), three, 1.0, four)
    with pytest.raises(TypeError, match="emission must be of floating-point type"):
        synax.transfer.polarised_cell(jnp.ones(4, int), four, three, 1.0, four)
    with pytest.raises(ValueError, match=r"length must not be negative.*got \[1.0, -0.5\]"):
        synax.transfer.polarised_cell(four, four, three, [1.0, -0.5], jnp.ones((4, 1)))


@pytest.mark.parametrize("name", ["emission", "absorption", "rotativity", "length", "incoming"])
def test_a_unit_cannot_be_converted_and_is_refused(name):
    """Coefficients are per the caller's unit of length."""
    plain = {"emission": 4, "absorption": 4, "rotativity": 3, "incoming": 4}
    inputs = {key: np.full(n, 0.1) for key, n in plain.items()} | {"length": 3.0}
    inputs[name] = inputs[name] * u.pc
    with pytest.raises(ValueError, match=f"polarised_cell: {name} must be without a unit.*'pc'"):
        synax.transfer.polarised_cell(**inputs)

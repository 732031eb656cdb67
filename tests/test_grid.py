"""Grids: against interpax and SciPy, exactness, what happens outside, and every derivative."""

import equinox as eqx
import interpax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

import synax
from synax._numerics import _gather

BOX = synax.Box((2.0, 3.0, 1.0), (0.5, -1.0, 0.2))
SHAPE = (5, 6, 4)
RNG = np.random.default_rng(7)
VALUES = RNG.normal(size=(3, *SHAPE))
LOW = np.asarray(BOX.center - BOX.half_lengths)[:, None]
HIGH = np.asarray(BOX.center + BOX.half_lengths)[:, None]
INSIDE = jnp.asarray(LOW + (HIGH - LOW) * RNG.uniform(0, 1, (3, 300)))
BEYOND = jnp.asarray(LOW - 1.0 + (HIGH - LOW + 2.0) * RNG.uniform(0, 1, (3, 300)))
COTANGENT = jnp.asarray(RNG.normal(size=(3, 300)))


def through_interpax(values, position, axes, extrap=False):
    last = jnp.moveaxis(values, 0, -1)
    return interpax.interp3d(*position, *axes, last, method="linear", extrap=extrap).T


evaluate = eqx.filter_jit(lambda grid, position: grid(position))


def with_values(grid, values):
    return eqx.tree_at(lambda g: g.values, grid, values)


@pytest.mark.parametrize("centering", ["node", "cell"])
def test_values_and_gradients_equal_interpax(centering):
    grid = synax.GridField(VALUES, BOX, centering=centering, outside="linear")

    def ours(values, position):
        return jnp.sum(COTANGENT * with_values(grid, values)(position))

    def theirs(values, position):
        return jnp.sum(COTANGENT * through_interpax(values, position, grid.axes(), extrap=True))

    both = [jax.jit(jax.value_and_grad(f, (0, 1))) for f in (ours, theirs)]
    for position in (INSIDE, BEYOND):
        (a, (da, dxa)), (b, (db, dxb)) = (f(grid.values, position) for f in both)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(da, db, rtol=0, atol=1e-12)
        np.testing.assert_allclose(dxa, dxb, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("components", [(), (3,)])
def test_zero_outside_equals_scipy(components):
    values = VALUES if components else VALUES[0]
    grid = synax.GridField(values, BOX)
    axes = tuple(np.asarray(a) for a in grid.axes())
    last = np.moveaxis(values, 0, -1) if components else values
    oracle = RegularGridInterpolator(axes, last, bounds_error=False, fill_value=0.0)
    expected = oracle(np.asarray(BEYOND).T).T
    assert np.any(expected == 0.0)
    np.testing.assert_allclose(evaluate(grid, BEYOND), expected, atol=1e-14)
    assert grid(BEYOND[:, 0]).shape == components
    assert grid(BEYOND.reshape(3, 10, 30)).shape == (*components, 10, 30)


def test_nearest_is_the_value_at_the_nearest_point():
    for centering in ("node", "cell"):
        grid = synax.GridField(VALUES, BOX, centering=centering, outside="nearest")
        ends = [(a[0], a[-1]) for a in grid.axes()]
        clipped = jnp.stack([jnp.clip(x, *e) for x, e in zip(BEYOND, ends, strict=True)])
        expected = through_interpax(grid.values, clipped, grid.axes())
        np.testing.assert_allclose(evaluate(grid, BEYOND), expected, atol=1e-13)


class Affine(synax.AbstractVectorField):
    """Trilinear in x, y, z."""

    slope: jax.Array

    def __call__(self, position):
        x, y, z = position
        return jnp.stack([self.slope * x + y - 2 * z, x * y + 0.3, x * y * z - z])


@pytest.mark.parametrize("centering", ["node", "cell"])
def test_trilinear_functions_are_exact(centering):
    field = Affine(jnp.asarray(0.7))
    settings = {"centering": centering, "outside": "linear"}
    grid = synax.GridField.from_field(field, BOX, SHAPE, **settings)
    for position in (INSIDE, BEYOND):
        np.testing.assert_allclose(grid(position), field(position), atol=2e-13)
    total = lambda f: jnp.sum(synax.GridField.from_field(f, BOX, SHAPE, **settings)(INSIDE))
    slope = jax.jit(jax.grad(total))(field)
    np.testing.assert_allclose(slope.slope, jnp.sum(INSIDE[0]), rtol=1e-12)


def test_where_the_values_sit():
    node = synax.GridField(VALUES, BOX)
    cell = synax.GridField(VALUES, BOX, centering="cell")
    np.testing.assert_allclose(node.axes()[0], np.linspace(-1.5, 2.5, 5))
    np.testing.assert_allclose(cell.axes()[2], [-0.55, -0.05, 0.45, 0.95])
    for grid in (node, cell):
        at = jnp.stack(jnp.meshgrid(*grid.axes(), indexing="ij"))
        # a rounding error past a face would read the zero outside
        held = synax.GridField(VALUES, BOX, centering=grid.centering, outside="nearest")
        np.testing.assert_allclose(evaluate(held, at), VALUES, atol=1e-13)
    # between the outermost centres and the face the outermost value holds
    corner = BOX.center + 0.999 * BOX.half_lengths
    np.testing.assert_allclose(evaluate(cell, corner), VALUES[:, -1, -1, -1])


def test_sampling_a_scalar_field_converges_at_second_order():
    field, box = synax.cosmic_rays.WMAP(), synax.Box((1.0, 1.0, 1.0), (5.0, 5.0, 2.0))
    points = 0.9 * jnp.asarray(RNG.uniform(-1, 1, (3, 200))) + box.center[:, None]
    errors = []
    for n in (9, 17, 33):
        grid = synax.GridField.from_field(field, box, (n, n, n))
        errors.append(
            float(jnp.sqrt(jnp.mean((evaluate(grid, points) / field(points) - 1.0) ** 2)))
        )
    order = np.polyfit(np.log([8, 16, 32]), -np.log(errors), 1)[0]
    assert 1.8 < order < 2.2
    cubic = synax.GridField.from_field(field, box, (17, 17, 17), order="cubic")
    assert float(jnp.max(jnp.abs(evaluate(cubic, points) / field(points) - 1.0))) < errors[1]


def test_reverse_mode_is_the_transpose_of_forward_mode():
    grid = synax.GridField(VALUES, BOX)
    f = lambda values, position: with_values(grid, values)(position)
    moves = (jnp.asarray(RNG.normal(size=VALUES.shape)), jnp.asarray(RNG.normal(size=(3, 300))))
    _, tangent = jax.jit(lambda *x: jax.jvp(f, x, moves))(grid.values, BEYOND)
    back = jax.jit(lambda *x: jax.vjp(f, *x)[1](COTANGENT))(grid.values, BEYOND)
    forward = jnp.sum(COTANGENT * tangent)
    backward = sum(jnp.sum(a * b) for a, b in zip(moves, back, strict=True))
    np.testing.assert_allclose(forward, backward, rtol=1e-12)


def test_position_tangent_against_central_differences():
    grid = synax.GridField(VALUES, BOX)
    move = jnp.asarray(RNG.normal(size=INSIDE.shape))
    _, tangent = jax.jvp(grid, (INSIDE,), (move,))
    h = 1e-7
    difference = (grid(INSIDE + h * move) - grid(INSIDE - h * move)) / (2 * h)
    # a few of the 300 differences straddle a node, where the slope jumps
    assert np.mean(np.abs(difference - tangent) > 1e-6) < 0.01


def test_second_derivatives():
    grid, point = synax.GridField(VALUES, BOX), INSIDE[:, :4]
    loss = lambda values, position: jnp.sum(with_values(grid, values)(position) ** 3)
    oracle = lambda values, position: jnp.sum(through_interpax(values, position, grid.axes()) ** 3)
    move = (jnp.asarray(RNG.normal(size=VALUES.shape)), jnp.asarray(RNG.normal(size=point.shape)))

    def product(f):
        return jax.jvp(jax.grad(f, (0, 1)), (grid.values, point), move)[1]

    both = jax.jit(lambda: (product(loss), product(oracle)))()
    for a, b in zip(*both, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)

    def twice(f):
        return jax.grad(lambda x: jnp.sum(jax.grad(f, 1)(grid.values, x) * move[1]))(point)

    np.testing.assert_allclose(*jax.jit(lambda: (twice(loss), twice(oracle)))(), atol=1e-10)


@pytest.mark.parametrize("outside", ["zero", "nearest", "linear"])
def test_gradients_are_finite_and_one_sided_on_faces_and_nodes(outside):
    grid = synax.GridField(VALUES, BOX, outside=outside)
    corners = jnp.stack(jnp.meshgrid(*grid.axes(), indexing="ij")).reshape(3, -1)
    slope = jax.jit(jax.jacfwd(grid))
    slopes = jax.jit(jax.vmap(slope, in_axes=1))(corners)
    assert bool(jnp.all(jnp.isfinite(slopes)))
    # exactly on the upper x face, away from other nodes: the slope of the last cell
    face = jnp.asarray([2.5, -1.3, 0.1])
    inner = face - jnp.asarray([1e-3, 0.0, 0.0])
    np.testing.assert_allclose(slope(face)[:, 0], slope(inner)[:, 0], rtol=1e-12)


def test_points_that_are_not_numbers_stay_visible_and_in_bounds():
    grid = synax.GridField(VALUES, BOX, outside="linear")
    bad = jnp.asarray([[np.nan, np.inf, 1e300], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    value = evaluate(grid, bad)
    assert bool(jnp.all(jnp.isnan(value[:, 0])))
    assert not bool(jnp.any(jnp.abs(value) < 1e3))


@pytest.mark.parametrize("n", [256, 300])
def test_many_points_in_chunks_equal_few(monkeypatch, n):
    grid = synax.GridField(VALUES, BOX)
    total = lambda g: jnp.sum((COTANGENT * g(BEYOND))[:, :n])
    whole = jax.jit(jax.grad(total))(grid).values
    monkeypatch.setattr(_gather, "_CHUNK", 32)
    points = BEYOND[:, :n]
    total = lambda g: jnp.sum(COTANGENT[:, :n] * g(points))
    chunked = jax.jit(jax.grad(total))(grid).values
    np.testing.assert_allclose(chunked, whole, atol=1e-12)


def test_gradient_is_the_same_bits_every_time():
    grid = synax.GridField(VALUES, BOX)
    crowd = jnp.tile(INSIDE, (1, 100))
    weight = jnp.asarray(RNG.normal(size=crowd.shape))
    gradient = jax.jit(jax.grad(lambda v: jnp.sum(weight * with_values(grid, v)(crowd))))
    first = np.asarray(gradient(grid.values))
    assert all(np.array_equal(first, gradient(grid.values)) for _ in range(5))


def test_transforms_and_preparation():
    grid = synax.GridField(VALUES, BOX)
    eager = evaluate(grid, INSIDE)
    np.testing.assert_allclose(jax.jit(lambda g, x: g(x))(grid, INSIDE), eager, atol=1e-14)
    np.testing.assert_allclose(jax.vmap(grid, 1, 1)(INSIDE), eager, atol=1e-14)
    two = grid(INSIDE[:, :6].reshape(3, 2, 3))  # any shape of points
    np.testing.assert_array_equal(two, grid(INSIDE[:, :6]).reshape(*two.shape[:-2], 2, 3))
    pair = jnp.stack([grid.values, 2 * grid.values])
    many = jax.vmap(lambda v: with_values(grid, v)(INSIDE))(pair)
    np.testing.assert_allclose(many[1], 2 * eager, atol=1e-14)
    loss = lambda v: jnp.sum(with_values(grid, v)(INSIDE) ** 2)
    gradients = jax.jit(jax.vmap(jax.grad(loss)))(pair)
    np.testing.assert_allclose(gradients[1], 2 * gradients[0], atol=1e-12)
    turned = (2.0 * grid + grid.shifted((0.1, 0.0, 0.0))).rotated((0.0, 0.0, 0.3))
    turned = turned.inside(synax.Sphere(2.0)).permuted(2, 0, 1)
    ready = turned.prepare()
    assert not any(
        isinstance(n, synax.GridField)
        for n in jax.tree.leaves(ready, is_leaf=lambda n: isinstance(n, synax.GridField))
    )
    np.testing.assert_allclose(evaluate(ready, BEYOND), evaluate(turned, BEYOND), atol=1e-14)


def test_single_precision_stays_single():
    half = jnp.asarray([2.0, 3.0, 1.0], jnp.float32)
    box = synax.Box(half, BOX.center.astype(jnp.float32))
    grid = synax.GridField(jnp.asarray(VALUES, jnp.float32), box)
    point = INSIDE.astype(jnp.float32)
    value, double = evaluate(grid, point), evaluate(synax.GridField(VALUES, BOX), INSIDE)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, double, atol=2e-5)
    gradient = jax.jit(jax.grad(lambda g: jnp.sum(g(point) ** 2)))(grid)
    assert gradient.values.dtype == jnp.float32


def test_the_box_is_a_surface_only_where_the_field_jumps():
    (surface,) = synax.GridField(VALUES, BOX).surfaces()
    assert isinstance(surface, synax.Box)
    assert synax.GridField(VALUES, BOX).prepare().surfaces()
    assert synax.GridField(VALUES, BOX, outside="nearest").surfaces() == ()


def test_hammurabi_convention_differs_only_on_the_faces():
    """hammurabiX reads 0 on the outermost faces as well; strictly inside both agree."""
    inner = jnp.asarray(LOW + (HIGH - LOW) * RNG.uniform(1e-9, 1 - 1e-9, (3, 50)))
    grid = synax.GridField(VALUES, BOX)
    assert bool(jnp.all(jnp.any(evaluate(grid, inner) != 0.0, axis=0)))
    past, face = jnp.asarray(HIGH + 1e-9), jnp.asarray(HIGH)
    np.testing.assert_array_equal(evaluate(grid, past), np.zeros((3, 1)))
    np.testing.assert_allclose(evaluate(grid, face)[:, 0], VALUES[:, -1, -1, -1], atol=1e-14)


def test_units_are_converted():
    from astropy import units

    grid = synax.GridField(VALUES * 1e-6 * units.Unit("G"), BOX)
    assert grid.unit == "uG"
    np.testing.assert_allclose(grid.values, VALUES, rtol=1e-14)
    with pytest.raises(ValueError, match="in cm-3, or in a unit that converts to it"):
        synax.GridField(VALUES[0] * units.Unit("kpc"), BOX)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"values": np.zeros((2, *SHAPE))}, ValueError, r"\(nx, ny, nz\).*got \(2, 5, 6, 4\)"),
        ({"values": np.zeros((4, 4))}, ValueError, r"got \(4, 4\)"),
        ({"values": np.zeros((4, 1, 4))}, ValueError, "three numbers >= 2"),
        ({"box": synax.Sphere(1.0)}, TypeError, "box must be a synax.Box, got Sphere"),
        ({"centering": "vertex"}, ValueError, "'node' or 'cell', got 'vertex'"),
        ({"outside": "wrap"}, ValueError, "outside must be one of"),
        ({"order": "quintic"}, ValueError, "order must be one of"),
        ({"order": "cubic", "outside": "linear"}, ValueError, "cubic"),
    ],
)
def test_errors_name_the_argument(change, error, text):
    given = {"values": VALUES, "box": BOX} | change
    with pytest.raises(error, match=text):
        synax.GridField(**given)


def test_a_shape_that_cannot_be_indexed_is_refused():
    with pytest.raises(ValueError, match="too large for 32-bit"):
        synax.GridField.from_field(synax.magnetic.WMAP(), BOX, (1000, 1000, 1000))

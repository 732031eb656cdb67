"""The march: order of convergence, faces at jumps, adjoints, derivatives, blocks."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from toys import SmoothDensity, SmoothField, edged, off_axis

import synax
from synax.transfer._cells import faces, place_cells
from synax.transfer._march import March

FREQUENCY = jnp.array([2.4, 0.6])


def smooth(**kwargs):
    return synax.Synchrotron(
        SmoothField(jnp.asarray(3.0)),
        SmoothDensity(jnp.asarray(0.03)),
        synax.cosmic_rays.WMAP(r0=8.0, z0=3.0),
        **kwargs,
    )


@pytest.fixture(scope="module")
def rays():
    return off_axis()


def error(stokes, reference):
    return max(
        float(jnp.max(jnp.abs(a - b)) / jnp.std(b))
        for a, b in zip(jax.tree.leaves(stokes), jax.tree.leaves(reference), strict=True)
    )


def measured_order(make, rays, counts, reference, **kwargs):
    errors = [error(make(steps=n, **kwargs)(rays, 1.4), reference) for n in counts]
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    return -slope, errors


@pytest.mark.parametrize(("rule", "order"), [(synax.Midpoint(), 2.0), (synax.GaussLegendre(), 4.0)])
def test_order_of_convergence(rays, rule, order):
    reference = smooth(steps=1024)(rays, 1.4)
    slope, _ = measured_order(smooth, rays, [32, 64, 128], reference, quadrature=rule)
    assert slope == pytest.approx(order, abs=0.35)


def test_faces_at_jumps_restore_the_order(rays):
    counts = [32, 64, 128]
    reference = edged(steps=1024)(rays, 1.4)
    slope, with_faces = measured_order(edged, rays, counts, reference)
    assert slope > 3.5
    without = error(edged(steps=128, faces=False)(rays, 1.4), reference)
    assert without > 100 * with_faces[-1]


def test_cells_cover_each_ray_and_cut_at_every_surface():
    rays = synax.Sightlines.healpix(2)
    sky = edged(steps=16)
    cells, n_cells = sky.cells(rays)
    near, length = map(np.asarray, faces(cells, jnp.asarray(0), n_cells, sky.steps).rows())
    far = near + length
    start, end = rays.span()
    np.testing.assert_allclose(near[0], start, atol=1e-12)
    np.testing.assert_allclose(far[-1], end, rtol=1e-12)
    np.testing.assert_allclose(near[1:], far[:-1], atol=1e-9)
    assert (far - near).min() > -1e-9
    origin = jnp.broadcast_to(rays.origin, rays.direction.shape)
    hits = 0
    for surface in sky.magnetic.surfaces():
        for crossing in np.asarray(surface.crossings(origin, rays.direction)):
            hit = np.isfinite(crossing) & (crossing > start) & (crossing < end)
            gap = np.abs(near - crossing).min(axis=0)
            assert np.all(gap[hit] < 1e-9)
            hits += hit.sum()
    assert hits > 10


def test_an_integer_means_graded_steps():
    """The first cell is short, the last at most three times an equal one; u and s are inverse."""
    rule = smooth(steps=64).steps
    assert type(rule) is synax.GradedSteps and rule.n == 64
    assert type(smooth(steps=synax.UniformSteps(64)).steps) is synax.UniformSteps
    far = jnp.array([0.3, 5.0, 30.0])
    faces = rule.distance(jnp.linspace(0.0, 1.0, 65)[:, None] * rule.coordinate(far))
    np.testing.assert_allclose(faces[-1], far, rtol=1e-14)
    assert np.all(faces[0] == 0)
    lengths = jnp.diff(faces, axis=0) / (far / 64)
    assert float(lengths[0, -1]) < 0.1 and float(lengths[-1].max()) < 3.0
    growth = lengths[-1] / lengths[0]
    middle = 0.5 * (faces[1:] + faces[:-1]) / rule.scale
    expected = ((1 + middle[-1]) / (1 + middle[0])) ** (2 / 3)
    np.testing.assert_allclose(growth, expected, rtol=3e-3)


def test_graded_steps_and_maximum_step(rays):
    reference = smooth(steps=256)(rays, 1.4)
    assert error(smooth(steps=synax.GradedSteps(96, 2.0))(rays, 1.4), reference) < 1e-4
    rule = synax.MaximumStep(0.25)
    near, far = rays.span()
    assert rule.resolve(rays).n == int(np.ceil(float((far - near).max()) / 0.25))
    assert error(smooth(steps=rule)(rays, 1.4), reference) < 1e-5
    with pytest.raises(TypeError, match="MaximumStep needs sightlines known"):
        eqx.filter_jit(lambda r: smooth(steps=rule)(r, 1.4))(rays)


def test_blocks_change_nothing(rays):
    whole = edged(steps=8)(rays, FREQUENCY)
    for block in (48, 17, 5):
        parts = edged(steps=8, block=block)(rays, FREQUENCY)
        for a, b in zip(jax.tree.leaves(parts), jax.tree.leaves(whole), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-13 * np.max(np.abs(b)))


def loss(adjoint, arguments):
    sky, rays, frequency = arguments
    stokes = eqx.tree_at(lambda s: s.adjoint, sky, adjoint)(rays, frequency)
    weight = jnp.linspace(0.5, 1.5, rays.n_rays)
    return jnp.sum(weight * stokes.Q) + 3.0 * jnp.sum(stokes.U**2) + jnp.sum(stokes.I)


@eqx.filter_jit
def gradient_of(adjoint, arguments):
    """Of the loss, for every leaf, in one program."""
    return eqx.filter_grad(lambda a: loss(adjoint, a))(arguments)


@pytest.fixture(scope="module")
def problem(rays):
    sky = eqx.tree_at(
        lambda s: s.cosmic_rays.spectral_index, edged(steps=9, block=20), jnp.asarray(2.9)
    )
    return sky, rays, FREQUENCY


@pytest.fixture(scope="module")
def reference_gradient(problem):
    sky, rays, frequency = problem  # one block, so that the others are right over several, too
    return gradient_of(synax.DirectAdjoint(), (sky.integrate_with(block=48), rays, frequency))


@pytest.mark.parametrize("adjoint", [synax.ReversibleAdjoint(), synax.RecomputeAdjoint()])
def test_adjoints_agree_for_every_leaf(problem, reference_gradient, adjoint):
    """Parameters, edges, index, frequency, observer, directions, domain: all of them."""
    gradient = gradient_of(adjoint, problem)
    leaves = list(zip(jax.tree.leaves(gradient), jax.tree.leaves(reference_gradient), strict=True))
    assert len(leaves) > 15
    for got, expected in leaves:
        scale = float(jnp.max(jnp.abs(expected)))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11 * scale + 1e-30)


def test_forward_mode_is_the_transpose(problem, reference_gradient):
    moving, still = eqx.partition(problem, eqx.is_inexact_array)
    rng = np.random.default_rng(1)
    direction = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), moving)
    expected = sum(
        float(jnp.sum(a * b))
        for a, b in zip(
            jax.tree.leaves(direction), jax.tree.leaves(reference_gradient), strict=True
        )
    )
    for adjoint in (synax.ForwardMode(), synax.ReversibleAdjoint()):
        along = lambda m, d, adjoint=adjoint: jax.jvp(
            lambda m: loss(adjoint, eqx.combine(m, still)), (m,), (d,)
        )
        _, tangent = jax.jit(along)(moving, direction)
        assert float(tangent) == pytest.approx(expected, rel=1e-10)


def test_forward_mode_refuses_reverse_mode(problem):
    with pytest.raises(TypeError, match="ForwardMode"):
        eqx.filter_grad(lambda a: loss(synax.ForwardMode(), a))(problem)


def scalar_problem(rays, adjoint):
    sky = edged(steps=9)

    def of(b0):
        return loss(adjoint, (eqx.tree_at(lambda s: s.magnetic.b0, sky, b0), rays, FREQUENCY))

    return of


def test_second_derivatives_and_vmap(rays):
    b0 = jnp.asarray(1.2)
    of = scalar_problem(rays, synax.ReversibleAdjoint())
    expected = jax.jit(jax.grad(jax.grad(scalar_problem(rays, synax.DirectAdjoint()))))(b0)
    twice = lambda b: jax.jvp(jax.grad(of), (b,), (jnp.ones(()),))
    slope, forward_over_reverse = jax.jit(twice)(b0)
    assert float(forward_over_reverse) == pytest.approx(float(expected), rel=1e-9)
    both = jax.jit(jax.vmap(jax.grad(of)))(jnp.array([0.8, 1.2]))
    assert float(both[1]) == pytest.approx(float(slope), rel=1e-12)


@pytest.mark.parametrize("adjoint", [synax.DirectAdjoint(), synax.RecomputeAdjoint()])
def test_second_derivatives_of_plain_adjoints_are_symmetric(adjoint):
    rays = synax.Sightlines.from_lonlat([40.0], [3.0])

    def of(x):
        field = synax.magnetic.Uniform(x[0] * jnp.array([1.0, 2.0, 0.5]))
        electrons = synax.cosmic_rays.Uniform(4e-5, x[1])
        sky = synax.Synchrotron(field, None, electrons, steps=2, adjoint=adjoint)
        return sky(rays, jnp.asarray([1.4])).I[0, 0]

    found = jax.jit(jax.hessian(of))(jnp.array([1.1, 3.0]))
    np.testing.assert_allclose(found, found.T, rtol=1e-9)


def test_grid_gradient(rays):
    box = synax.Box((12.0, 12.0, 4.0))
    grid = synax.GridField.from_field(SmoothField(jnp.asarray(3.0)), box, shape=(9, 8, 6))
    sky = eqx.tree_at(lambda s: s.magnetic, smooth(steps=11, block=25), grid)

    def of(values, adjoint):
        return loss(
            adjoint, (eqx.tree_at(lambda s: s.magnetic.values, sky, values), rays, FREQUENCY)
        )

    got, expected = (
        jax.jit(jax.grad(lambda values, adjoint=adjoint: of(values, adjoint)))(grid.values)
        for adjoint in (synax.ReversibleAdjoint(), synax.DirectAdjoint())
    )
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * float(jnp.abs(expected).max()))


def test_gradient_is_finite_where_the_field_vanishes(rays):
    """B = 0 everywhere, and B along the sightline: the places where other codes give NaN."""
    for field in (
        synax.magnetic.WMAP(b0=0.0),
        synax.magnetic.Uniform(np.asarray(rays.direction[:, 7])),
        synax.magnetic.Uniform((0.0, 0.0, 0.0)),
    ):
        for index in (3.0, 2.6):
            sky = eqx.tree_at(lambda s, f=field: s.magnetic, edged(steps=4), field)
            sky = eqx.tree_at(
                lambda s, p=index: s.cosmic_rays.spectral_index, sky, jnp.asarray(index)
            )
            arguments = (sky, rays, FREQUENCY)
            gradient = gradient_of(synax.ReversibleAdjoint(), arguments)
            assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.tree.leaves(gradient))


def test_memory_of_the_gradient_is_that_of_the_map():
    rays = synax.Sightlines.healpix(256)
    sky = edged(steps=512, block=2048)
    gradient = synax.memory_estimate(sky, rays, 2.4, gradient=True)
    assert gradient < 1.5 * synax.memory_estimate(sky, rays, 2.4)
    few = sky.integrate_with(steps=12)  # as many cells as have their faces placed together
    assert gradient < 1.01 * synax.memory_estimate(few, rays, 2.4, gradient=True)
    parts = sum([synax.magnetic.WMAP() for _ in range(3)], start=synax.magnetic.WMAP())
    more = eqx.tree_at(lambda s: s.magnetic, sky, parts)  # 18 parameters more
    assert synax.memory_estimate(more, rays, 2.4, gradient=True) < 1.1 * gradient


def test_one_compilation_for_many_values(rays):
    sky = edged(steps=5)
    count, compiled = 0, []

    class Counting(synax.AbstractVectorField):
        b0: Array

        def __call__(self, position):
            nonlocal count
            count += 1
            return self.b0 * jnp.ones_like(position)

    def listen(event, *_, **__):
        if "backend_compile" in event:
            compiled.append(event)

    after = None
    fields = [Counting(jnp.asarray(value)) for value in (1.0, 2.0, 3.0)]
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for value, field in enumerate(fields, 1):
            eqx.tree_at(lambda s: s.magnetic, sky, field)(rays, float(value))
            after = after or (count, len(compiled))
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert after[1] > 0
    # each construction is checked once (eval_shape); cells are traced once for all programs, so
    # that nothing is compiled for the others must be asked of JAX
    assert count - after[0] <= 2
    assert len(compiled) == after[1]


def test_cells_are_traced_once_for_the_map_and_once_for_the_transpose(rays, monkeypatch):
    traced, cell = [], March.cell

    def counted(*args):
        traced.append(args[-1].shape)
        return cell(*args)

    monkeypatch.setattr(March, "cell", counted)
    sky = edged(steps=9, block=20)  # three blocks, of one shape
    loss = lambda sky: jnp.sum(sky(rays, 2.4).Q)
    jax.make_jaxpr(eqx.filter_grad(loss))(sky)
    assert len(set(traced)) == 1
    # before it has this, JAX traces anew in derivatives
    assert len(traced) == 2 or not hasattr(jax.sharding, "use_abstract_mesh")


def test_precomputed_fields_are_interchangeable(rays):
    sky = edged(steps=7)
    full = sky(rays, FREQUENCY)
    fixed = sky.precompute(rays, "electrons", "cosmic_rays")
    stokes = fixed(rays, FREQUENCY)
    for a, b in zip(jax.tree.leaves(stokes), jax.tree.leaves(full), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-18)
    alone = synax.sample_along(sky.electrons, rays, 7, surfaces=sky.magnetic.surfaces())
    np.testing.assert_allclose(alone.values, fixed.electrons.values, rtol=1e-13)
    bent = eqx.tree_at(lambda s: s.cosmic_rays, sky, synax.cosmic_rays.BrokenAnalytic())
    sampled = bent.precompute(rays, "electrons", "cosmic_rays")(rays, 2.4)
    np.testing.assert_allclose(sampled.I, bent(rays, 2.4).I, rtol=1e-13)
    with pytest.raises(ValueError, match="48 sightlines"):
        fixed(synax.Sightlines.healpix(1), 2.4)
    turned = synax.Sightlines.from_lonlat(np.arange(48.0), np.zeros(48), domain=rays.domain)
    with pytest.raises(ValueError, match="these run or end elsewhere"):
        fixed(turned, 2.4)
    shorter = synax.Sightlines.healpix(2, (-8.3, 0.4, 0.1), synax.Box((12.0, 12.0, 3.0)))
    with pytest.raises(ValueError, match="these run or end elsewhere"):
        fixed(shorter, 2.4)
    graded = [
        synax.sample_along(f, rays, synax.GradedSteps(7, scale))
        for f, scale in ((sky.magnetic, 0.1), (sky.electrons, 0.2))
    ]
    with pytest.raises(ValueError, match="must be sampled with the same"):
        synax.Synchrotron(*graded, sky.cosmic_rays)(rays, 2.4)
    with pytest.raises(ValueError, match="precompute takes names"):
        sky.precompute(rays, "magnetism")
    with pytest.raises(TypeError, match="only along its own sightlines"):
        alone(jnp.zeros((3, 5)))
    # what the cells of the samples decide cannot be asked for otherwise
    for changes in ({"steps": 14}, {"quadrature": synax.Midpoint()}, {"faces": False}):
        with pytest.raises(ValueError, match=rf"integrate_with\({next(iter(changes))}=.*keeps"):
            fixed.integrate_with(**changes)
    assert fixed.integrate_with(block=20).integration.block == 20
    for choose in (synax.estimate_error, synax.with_tolerance):
        with pytest.raises(ValueError, match=f"{choose.__name__} needs the original fields"):
            choose(fixed, rays, 2.4)
    with pytest.raises(TypeError, match="cannot be rotated: move the original field"):
        (2.0 * alone).rotated((0.0, 0.0, 1.0))
    with pytest.raises(TypeError, match="cannot be shifted"):
        fixed.cosmic_rays.shifted((1.0, 0.0, 0.0))
    # fields of one kind share surfaces, and a sampled field has none of its own
    fields = (sky.magnetic + sky.magnetic, synax.electrons.TwoDisc())
    doubled = eqx.tree_at(lambda s: (s.magnetic, s.electrons), sky, fields)
    twice = doubled.precompute(rays, "electrons")(rays, FREQUENCY)
    np.testing.assert_allclose(twice.I, doubled(rays, FREQUENCY).I, rtol=1e-13)


def test_error_estimate_is_honest(rays):
    exact = edged(steps=512)(rays, 1.4)
    for steps in (24, 48):
        estimate = synax.estimate_error(edged(steps=steps), rays, 1.4)
        actual = edged(steps=steps)(rays, 1.4)
        for name in ("Q", "U"):
            a, b = getattr(actual, name), getattr(exact, name)
            true = float(jnp.sqrt(jnp.mean((a - b) ** 2)) / jnp.std(b))
            assert true < float(getattr(estimate.rms, name)) * 1.05
    chosen, estimate = synax.with_tolerance(edged(steps=6), rays, 1.4, 1e-3)
    assert estimate.steps == chosen.steps.n > 16
    assert error(chosen(rays, 1.4), exact) < 1e-2
    assert estimate.reliable
    with pytest.warns(synax.SynaxWarning, match=r"is above 5 %.* may be larger") as heard:
        poor = synax.estimate_error(edged(steps=2), rays, 0.408)
    assert not poor.reliable and len(heard) == 1
    with pytest.raises(RuntimeError, match="not reached"):
        synax.with_tolerance(edged(steps=4, faces=False), rays, 1.4, 1e-6, max_steps=8)


# 16 steps are too few for the ball, and the estimate says so
@pytest.mark.filterwarnings("ignore:the estimated error")
@pytest.mark.parametrize("faces", [True, False])
def test_error_of_columns_bounds_what_a_ball_smaller_than_a_cell_adds(faces):
    """The ball covers a twentieth of a degree, so of the many rays few meet it."""
    lon = np.linspace(-30.0, 30.0, 601)
    rays = synax.Sightlines.from_lonlat(lon, 0.0 * lon, observer=(-8.3, 0.0, 0.0))
    radius, place = 0.02, (-3.3, 0.0, 0.0)
    ball = synax.electrons.Uniform(2.0, radius, place)
    gap = 5.0 * np.sin(np.radians(lon))
    exact = 2e3 * 2.0 * np.sqrt(np.clip(radius**2 - gap**2, 0.0, None))
    n_e = ball + synax.electrons.Uniform(0.03)
    b = synax.magnetic.Uniform((3.0, 0.0, 0.0))
    sims = {
        "DM": synax.DispersionMeasure(n_e, steps=16, faces=faces),
        "EM": synax.EmissionMeasure(n_e, steps=16, faces=faces),
        "RM": synax.RotationMeasure(b, n_e, steps=16, faces=faces),
    }
    for name, simulator in sims.items():
        estimate = synax.estimate_error(simulator, rays, n_rays=40)
        smooth = dataclasses.replace(simulator, electrons=synax.electrons.Uniform(0.03))(rays)
        added = {"DM": exact, "EM": exact * (2.0 + 0.06), "RM": None}[name]
        if added is None:
            cos = np.cos(np.radians(lon))
            added = -0.812 * 3.0 * exact * cos
        found = simulator(rays)
        # of the rays that were looked at for it, none meets the ball: RM is the same in all
        scale = float(jnp.sqrt(jnp.mean(found**2)))
        true = float(np.max(np.abs(np.asarray(found - smooth) - added)))
        assert true < float(estimate.worst) * scale * 2.0 + 1e-2 * np.max(np.abs(added))
        assert (float(estimate.worst) * scale > 0.3 * np.max(np.abs(added))) == (not faces)
        assert estimate.rms.shape == () and estimate.steps == 16


def test_a_frequency_is_asked_for_where_there_is_one(rays):
    with pytest.raises(TypeError, match="needs a frequency"):
        synax.estimate_error(edged(steps=4), rays)
    with pytest.raises(TypeError, match="has no frequency, got frequency="):
        synax.estimate_error(synax.DispersionMeasure(synax.electrons.TwoDisc()), rays, 2.4)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "frequency"), [("WMAP", 2.4), ("JF12", 23.0), ("UF23", 2.4)])
def test_tolerance_is_kept_for_published_skies(model, frequency):
    """YMW16's thin shells and arms: the error against 1024 steps is below the stated tolerance."""
    rng = np.random.default_rng(5)
    place = (-8.301, 0.0, 0.006)  # a parsec off the wall of a JF12 arm
    rays = synax.Sightlines.from_lonlat(
        rng.uniform(0, 360, 24), rng.uniform(-70, 70, 24), observer=place
    )
    magnetic = getattr(synax.magnetic, model)()
    sky = synax.Synchrotron(magnetic, synax.electrons.YMW16(), synax.cosmic_rays.WMAP())
    assert type(sky.steps) is synax.GradedSteps
    tolerance = 2e-2
    chosen, estimate = synax.with_tolerance(sky, rays, frequency, tolerance, max_steps=512)
    assert type(chosen.steps) is synax.GradedSteps and estimate.steps == chosen.steps.n
    exact = eqx.tree_at(lambda s: s.steps, sky, synax.GradedSteps(1024))(rays, frequency)
    found = chosen(rays, frequency)
    for name in ("I", "Q", "U"):
        a, b = getattr(found, name), getattr(exact, name)
        scale = jnp.sqrt(jnp.mean(b * b)) if name == "I" else jnp.std(b)
        true = float(jnp.sqrt(jnp.mean((a - b) ** 2)) / scale)
        assert true < tolerance
        assert true < 1.05 * float(getattr(estimate.rms, name)) + 1e-6


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"steps": 0}, "n must be a positive integer"),
        ({"steps": 2.5}, "n must be a positive integer"),
        ({"block": 0}, "block must be a positive integer"),
        ({"magnetic": synax.electrons.Uniform(1.0)}, "magnetic must be a vector field"),
        ({"electrons": synax.magnetic.WMAP()}, "electrons must be a scalar field"),
    ],
)
def test_bad_arguments_are_named(kwargs, message):
    parts = {
        "magnetic": synax.magnetic.WMAP(),
        "electrons": None,
        "cosmic_rays": synax.cosmic_rays.WMAP(),
    }
    with pytest.raises((ValueError, TypeError), match=message):
        synax.Synchrotron(**(parts | kwargs))


@pytest.mark.parametrize("frequency", [0.0, -1.0, [[1.0]]])
def test_bad_frequency(rays, frequency):
    with pytest.raises(ValueError, match="frequency must be"):
        edged(steps=2)(rays, frequency)


def test_a_surface_that_several_fields_share_costs_one_face(rays):
    parts = synax.magnetic.WMAP() + 0.5 * synax.magnetic.WMAP(b0=2.0).permuted(1, 0, 2)
    sky = synax.Synchrotron(parts, None, synax.cosmic_rays.WMAP(), steps=6)
    assert len(sky.surfaces()) == 2 and sky.cells(rays)[1] == 6 + 4
    fixed = sky.precompute(rays, "magnetic")
    np.testing.assert_allclose(fixed(rays, FREQUENCY).I, sky(rays, FREQUENCY).I, rtol=1e-12)
    apart = eqx.tree_at(lambda s: s.magnetic.parts[0].r_max, sky, jnp.asarray(19.0))
    assert apart.cells(rays)[1] == sky.cells(rays)[1] + 2


def test_faces_are_found_chunk_by_chunk():
    """Many more crossings than cells in a chunk, some at one place, before or behind the ray."""
    rng = np.random.default_rng(1)
    crossings = rng.uniform(-3.0, 14.0, (70, 40))
    crossings[30:35] = crossings[:5]
    steps, near, far = synax.UniformSteps(24), np.zeros(40), np.full(40, 10.0)
    cells, n = place_cells(*map(jnp.asarray, (near, far, crossings)), steps)
    start, length = (np.asarray(x) for x in faces(cells, jnp.asarray(0), n, steps).rows())
    chunks = [faces(cells, jnp.asarray(k), 16, steps).rows() for k in range(0, n, 16)]
    near_faces, lengths = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    np.testing.assert_array_equal(near_faces[:n], start)
    np.testing.assert_array_equal(lengths[:n], length)
    assert not np.any(lengths[n:])
    np.testing.assert_allclose(length.sum(axis=0), 10.0, rtol=1e-14)
    ends = np.concatenate([start, start[-1:] + length[-1:]])
    inside = (crossings > 0) & (crossings < 10)
    gap = np.abs(ends[:, None] - crossings).min(axis=0)
    assert gap[inside].max() < 1e-12 and length.max() < 10 / 24 + 1e-12

"""PT11, TF17, KST24, Jaffe13 and the toy models: tables, singular places, edges, divergence."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.magnetic import (
    CMZ,
    KST24,
    PT11,
    TF17,
    ArchimedeanSpiral,
    Helix,
    Jaffe13,
    LogarithmicSpiral,
    ToroidalHalo,
)

TABLES = [
    ("pt11", "B_ass", PT11()),
    ("pt11", "B_bss", PT11("bss")),
    ("pt11", "B_ass_disk", PT11(halo=False)),
    *((("tf17", f"B_{d}_{h}", TF17(d, h))) for d in ("Ad1", "Bd1", "Dd1") for h in ("C0", "C1")),
    ("kst24", "B", KST24()),
    ("jaffe", "B_bar", Jaffe13()),
    ("jaffe", "B_ring", Jaffe13(ring=True)),
    ("jaffe", "B_var", Jaffe13(quadruple=True, bss=True, r_peak=8.0)),
    ("misc", "helix", Helix(1.0, 1.5, 0.3)),
    ("misc", "archimedes", ArchimedeanSpiral()),
    (
        "misc",
        "logspiral",
        LogarithmicSpiral(axisymmetric=True, crpropa=True, b0=1.0, r_core=4.0, z0=1.5),
    ),
    ("misc", "torhalo", ToroidalHalo(crpropa=True)),
]
NAMES = [key if name == "misc" else f"{name}-{key[2:]}" for name, key, _ in TABLES]

# each model, and the measured rms of div B over the rms of B (1/kpc) away from its edges
MODELS = {
    "pt11-ass": (PT11(), 0.014),
    "pt11-bss": (PT11("bss"), 0.015),
    "tf17-Ad1-C0": (TF17("Ad1", "C0"), 0.0),
    "tf17-Bd1-C1": (TF17("Bd1", "C1"), 0.0),
    "tf17-Dd1-C1": (TF17("Dd1", "C1"), 0.0),
    "tf17-C0": (TF17(None, "C0"), 0.0),
    "kst24": (KST24(), 0.008),
    "jaffe-bar": (Jaffe13(), 0.07),
    "jaffe-ring": (Jaffe13(ring=True, quadruple=True, r_peak=8.0), 0.009),
    "helix": (Helix(1.0, 1.5, 0.3), 0.034),
    "archimedean": (ArchimedeanSpiral(), 0.0),
    "logarithmic": (LogarithmicSpiral(), 0.054),
    "toroidal": (ToroidalHalo(), 0.0),
    "cmz": (CMZ(), 0.0),
}
each_model = pytest.mark.parametrize("name", MODELS)


def norm(vector):
    return jnp.sqrt(jnp.sum(vector * vector, axis=0))


# the tests are short of compile time, not of run time
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
evaluate = eqx.filter_jit(lambda model, position: model(position))


@pytest.mark.parametrize(("name", "key", "model"), TABLES, ids=NAMES)
def test_table_is_reproduced_and_float32_stays_close(name, key, model, table):
    stored = table(f"{name}_dev")
    position, expected = jnp.asarray(stored["pos_kpc"].T), stored[key].T
    size = np.maximum(np.linalg.norm(expected, axis=0), 1e-9)
    assert np.max(norm(evaluate(model, position) - expected) / size) < 1e-10
    # float32 moves points across the edges, and zeros of the windings: judged by a quantile
    low = jax.tree.map(lambda leaf: leaf.astype("float32"), model)
    value = evaluate(low, position.astype("float32"))
    assert value.dtype == jnp.float32
    error = np.asarray(norm(value - expected) / size)[size > 1e-9]
    assert np.median(error) < 1e-6
    assert np.quantile(error, 0.9) < 3e-5


def test_wmap_in_closed_form():
    """Page et al. (2007), eqs. 7-8, written out, with parameters that are not the defaults."""
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (3, 400)) * np.array([[22.0], [22.0], [4.0]])
    given = {"b0": 2.3, "psi0": 0.6, "psi1": 0.2, "chi0": 0.7, "r_min": 4.0, "r_max": 18.0}
    r, phi = np.hypot(x[0], x[1]), np.arctan2(x[1], x[0])
    psi, chi = 0.6 + 0.2 * np.log(r / 8.0), 0.7 * np.tanh(x[2])
    radial, azimuthal = np.cos(chi) * np.sin(psi), np.cos(chi) * np.cos(psi)
    expected = 2.3 * np.stack([
        radial * np.cos(phi) - azimuthal * np.sin(phi),
        radial * np.sin(phi) + azimuthal * np.cos(phi),
        np.sin(chi),
    ])  # fmt: skip
    expected = np.where((r >= 4.0) & (r <= 18.0), expected, 0.0)
    found = evaluate(synax.magnetic.WMAP(**given), jnp.asarray(x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    default = synax.magnetic.WMAP()(jnp.array([-8.0, 0.0, 0.0]))
    pitch = np.radians(27.0)
    np.testing.assert_allclose(default, 1.2 * np.array([-np.sin(pitch), -np.cos(pitch), 0.0]))


@each_model
def test_one_point_is_a_batch_of_one(name):
    model, _ = MODELS[name]
    points = jnp.array([[-8.1, 2.0], [0.6, -3.0], [0.4, -1.0]])
    batch = evaluate(model, points)
    assert batch.shape == (3, 2)
    for k in range(2):
        np.testing.assert_allclose(
            evaluate(model, points[:, k]), batch[:, k], rtol=1e-12, atol=1e-15
        )


SINGULAR = jnp.array(
    [
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0],
        [0.0, 0.0, -1.3],
        [-8.5, 0.0, 0.0],
        [-8.2, 0.0, 0.0],
        [-8.2, 0.095, -0.05],
        [-8.0, 0.095, -0.05],
        [3.0, 0.0, 0.0],
        [0.0, 5.0, 0.0],
        [0.3, 0.4, 0.2],
        [5.0, 0.0, 1.3],
        [0.0, 9.1, 1.185],
        [4.0, 3.0, -1.22],
        [1.0, 0.0, 10.0],
        [-1.0, 0.0, 0.5],
        [0.0, -0.0083, -0.0069],
        [1e-9, -1e-9, 1e-9],
        [19.0, 19.0, 9.0],
    ]
).T


@each_model
def test_gradients_are_finite_at_singular_places(name):
    model, _ = MODELS[name]

    @quick_jit
    def gradient(model, position):
        loss = lambda m, x: jnp.sum(m(x) * jnp.array([0.3, -0.7, 1.1]))
        return jax.vmap(jax.grad(loss, argnums=(0, 1)), (None, 1))(model, position)

    grads = gradient(model, SINGULAR)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(grads))
    assert jnp.all(jnp.isfinite(evaluate(model, SINGULAR)))
    if name in ("pt11-ass", "tf17-Dd1-C1", "jaffe-bar"):
        low = jax.tree.map(lambda leaf: leaf.astype("float32"), model)
        grads = gradient(low, SINGULAR.astype("float32"))
        assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(grads))


@each_model
def test_gradients_equal_central_differences(name):
    """Positions: the median over points, so that the few next to an edge do not count."""
    model, _ = MODELS[name]
    rng = np.random.default_rng(3)
    scale = 0.1 if name == "cmz" else 1.0
    position = jnp.asarray(scale * rng.uniform(-1, 1, (3, 64)) * np.array([9.0, 9.0, 1.6])[:, None])
    weight = jnp.asarray(rng.normal(size=(3, 64)))
    leaves, structure = jax.tree.flatten(model)

    @quick_jit
    def along(leaves, position, d_leaves, d_position):
        f = lambda p, x: jax.tree.unflatten(structure, p)(x)
        return jax.jvp(f, (leaves, position), (d_leaves, d_position))

    zeros = [jnp.zeros_like(leaf) for leaf in leaves]
    none = jnp.zeros_like(position)
    step = 1e-5
    for k, leaf in enumerate(leaves):
        direction = list(zeros)
        direction[k] = jnp.ones_like(leaf)
        _, exact = along(leaves, position, direction, none)
        up, down = (
            along(
                [p + h * d for p, d in zip(leaves, direction, strict=True)], position, zeros, none
            )[0]
            for h in (step, -step)
        )
        error = norm(exact - (up - down) / (2 * step))
        size = norm(exact) + jnp.max(norm(up)) * 1e-2
        assert jnp.quantile(error / size, 0.8) < 1e-6
    _, exact = along(leaves, position, zeros, weight)
    up, down = (along(leaves, position + h * weight, zeros, none)[0] for h in (step, -step))
    error = norm(exact - (up - down) / (2 * step))
    assert jnp.quantile(error / (norm(exact) + 1e-2 * jnp.max(norm(up))), 0.8) < 1e-6


EDGED = {
    "pt11": PT11(),
    "tf17-Ad1": TF17("Ad1", None),
    "tf17-Dd1": TF17("Dd1", "C0"),
    "kst24": KST24(),
    "jaffe-bar": Jaffe13(quadruple=True),
    "jaffe-ring": Jaffe13(ring=True),
    "helix": Helix(),
    "archimedean": ArchimedeanSpiral(),
}


@pytest.mark.parametrize("name", EDGED)
def test_every_jump_lies_on_a_named_surface(name):
    model = EDGED[name]
    rng = np.random.default_rng(4)
    n_rays, n_steps, length = 24, 8000, 20.0
    direction = rng.normal(size=(3, n_rays)) * np.array([1.0, 1.0, 0.2])[:, None]
    direction = jnp.asarray(direction / np.linalg.norm(direction, axis=0))
    origin = jnp.asarray(np.tile([[-8.2], [0.0], [-0.06]], (1, n_rays)))
    s = jnp.linspace(0.0, length, n_steps)
    path = origin[:, :, None] + direction[:, :, None] * s
    value = evaluate(model, path)
    step = np.asarray(norm(value[:, :, 1:] - value[:, :, :-1]))
    # a jump is a step far above its neighbours on both sides
    smooth = np.maximum(step[:, :-2], step[:, 2:])
    jump = (step[:, 1:-1] > 20 * smooth) & (step[:, 1:-1] > 1e-4)
    crossings = lambda m: jnp.concatenate([c.crossings(origin, direction) for c in m.surfaces()])
    cuts, s = np.asarray(quick_jit(crossings)(model)), np.asarray(s)
    assert jump.sum() >= 4
    width = length / (n_steps - 1)
    for ray, k in zip(*np.nonzero(jump), strict=True):
        middle = s[k + 1] + 0.5 * width
        assert np.min(np.abs(cuts[:, ray] - middle)) < width


@each_model
def test_divergence_is_the_documented_one(name):
    model, documented = MODELS[name]
    rng = np.random.default_rng(0)
    box = np.array([0.7, 0.7, 0.15]) if name == "cmz" else np.array([15.0, 15.0, 3.0])
    position = jnp.asarray(rng.uniform(-1, 1, (3, 4000)) * box[:, None])

    @quick_jit
    def measure(position):
        value, push = jax.linearize(model, position)
        unit = jnp.eye(3)[:, :, None] + 0.0 * position
        divergence = sum(push(unit[i])[i] for i in range(3))
        return jnp.sqrt(jnp.mean(divergence**2) / jnp.mean(jnp.sum(value * value, axis=0)))

    assert abs(measure(position) - documented) < max(0.2 * documented, 1e-13)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PT11("asymmetric"), ["kind", "'ass'", "'bss'"]),
        (lambda: TF17("Ad2"), ["disc", "'Ad1'", "'Bd1'", "'Dd1'"]),
        (lambda: TF17("Ad1", "C2"), ["halo", "'C0'", "'C1'"]),
        (lambda: Jaffe13(bar=False), ["ring", "bar"]),
    ],
)
def test_wrong_names_are_answered_with_the_allowed_ones(make, words):
    with pytest.raises(ValueError) as error:
        make()
    assert all(word in str(error.value) for word in words)


def test_none_is_a_number_only_where_a_model_has_a_default_by_variant():
    with pytest.raises(TypeError, match="b0 must be a number or an array in uG, got None"):
        synax.magnetic.WMAP(b0=None)
    with pytest.raises(TypeError, match="vector must be a number"):
        synax.magnetic.Uniform(None)
    assert synax.magnetic.UF23(b_1=None).b_1 == synax.magnetic.UF23().b_1


def test_parts_add_up_to_the_whole():
    position = jnp.asarray(np.random.default_rng(5).uniform(-9, 9, (3, 200)))
    for whole, parts in (
        (PT11(), (PT11(disc=False), PT11(halo=False))),
        (Jaffe13(), (Jaffe13(halo_amp=0.0), Jaffe13(disk_amp=0.0, comp_c=1.0))),
        (
            KST24(bubble=False),
            (
                KST24(bubble=False, arms=False),
                KST24(bubble=False, toroidal=False, x_field=False),
            ),
        ),
    ):
        total = evaluate(parts[0] + parts[1], position)
        np.testing.assert_allclose(total, evaluate(whole, position), atol=1e-13)
    disc, halo = TF17("Ad1", None), TF17(None, "C0")
    total = evaluate(disc + halo, position)
    np.testing.assert_allclose(total, evaluate(TF17("Ad1", "C0"), position), atol=1e-12)
    assert halo.disc_strength is None and disc.halo_strength is None


def test_rings_that_begin_at_one_radius_are_moved_by_their_own_numbers():
    """KST24 as published: where both walls were one, the derivatives by both were mixed."""
    rays = synax.Sightlines.from_lonlat([2.0, 355.0, 8.0, 350.0], [11.0, -10.0, 9.0, -11.0])
    names = ("north_r_min", "south_r_min", "north_r_max", "south_r_max")
    field = KST24(arms=False, bubble=False)
    seen = synax.RotationMeasure(field, synax.electrons.Uniform(0.03), steps=64)

    @jax.jit
    def total(values):
        numbers = lambda s: tuple(getattr(s.magnetic, name) for name in names)
        return jnp.sum(eqx.tree_at(numbers, seen, tuple(values))(rays))

    values, h = jnp.stack([getattr(field, name) for name in names]), 1e-4
    steps = h * jnp.eye(4)
    finite = [(total(values + step) - total(values - step)) / (2.0 * h) for step in steps]
    np.testing.assert_allclose(jax.jit(jax.grad(total))(values), finite, rtol=1e-5, atol=1e-5)
    assert abs(finite[1]) > 1.0


def test_arms_that_do_not_diverge_know_what_divergence_would_do():
    """The published 0 of four arms is the end of the range: the derivative is that into it."""
    rays = synax.Sightlines.from_lonlat([30.0, 75.0, 110.0, 250.0], [2.0, -1.5, 3.0, -2.0])
    field = KST24(toroidal=False, x_field=False, bubble=False)
    seen = synax.RotationMeasure(field, synax.electrons.Uniform(0.03), steps=64)

    @jax.jit
    def total(divergence):
        return jnp.sum(eqx.tree_at(lambda s: s.magnetic.arm_divergence, seen, divergence)(rays))

    start, h = field.arm_divergence, 1e-5
    first, second = ([total(start + n * h * arm) for arm in jnp.eye(5)] for n in (1, 2))
    expected = (4.0 * jnp.stack(first) - jnp.stack(second) - 3.0 * total(start)) / (2.0 * h)
    got = jax.jit(jax.grad(total))(start)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3)
    assert int(jnp.sum(jnp.abs(got) > 1.0)) >= 3


def test_every_number_of_a_model_can_be_selected_and_set():
    for model in (PT11("bss", pitch=-0.2), TF17("Dd1", "C1"), KST24(), Jaffe13()):
        for name in model.__dataclass_fields__:
            if eqx.is_array(getattr(model, name)):
                assert any(jax.tree.leaves(synax.select(model, name)))
    assert float(PT11("bss", pitch=-0.2).pitch) == -0.2
    assert float(PT11("bss").halo_south) == 4.0


def test_logarithmic_spiral_is_tangent_and_toroidal_halo_toroidal():
    position = jnp.asarray(np.random.default_rng(6).uniform(-9, 9, (3, 50)))
    x, y, _ = position
    b_x, b_y, _ = LogarithmicSpiral()(position)
    radial, azimuthal = b_x * x + b_y * y, b_y * x - b_x * y
    np.testing.assert_allclose(radial, jnp.tan(-jnp.radians(10.0)) * azimuthal, rtol=1e-9)
    b_x, b_y, _ = ToroidalHalo()(position)
    np.testing.assert_allclose(b_x * x + b_y * y, 0.0, atol=1e-14)

"""The JF12 family against CRPropa3 and hammurabiX, its derivatives, divergence and surfaces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts import check_finite_at, check_gradients, evaluate, norm, points

import synax
from synax.magnetic import JF12, JF12b, JF12RandomStrength, JF12Solenoidal, StriatedStrength

MODELS = {
    "JF12": JF12,
    "hammurabi": JF12.hammurabi,
    "JF12Solenoidal": JF12Solenoidal,
    "random": JF12RandomStrength,
    "random hammurabi": JF12RandomStrength.hammurabi,
}


SINGULAR = np.array(
    [
        [0, 0, 0], [0, 0, 2], [0, 0, -0.5], [0, 0, 25], [1, 0, 0], [3, 0, 0], [-3, 0, 0.1],
        [5, 0, 0], [0, -5, 0], [4.8, 0, 0], [2, 1, 0], [7, 0, 0], [-8.5, 0, 0], [20, 0, 0],
        [0, 20, 0], [-5.1, 0, 0], [-15.5, 0, 0.2], [-15.5, -0.0, 0], [8, 0, 0.5], [4, 3, -0.5],
        [5.3, 0, 0.5], [17, 0, 0], [25, 3, 1],
    ]
).T  # fmt: skip


ORACLE = [
    ("jf12_dev", "B", JF12, "B"),
    ("jf12_dev", "B_disk", lambda: JF12(toroidal=False, x_field=False), "B"),
    ("jf12_dev", "B_toroidal", lambda: JF12(disk=False, x_field=False), "B"),
    ("jf12_dev", "B_x", lambda: JF12(disk=False, toroidal=False), "B"),
    ("jf12_dev", "B_planck12b", JF12b, "B_planck12b"),
    ("jf12_dev", "turb_rms", JF12RandomStrength, "turb_rms"),
    ("jf12_dev", "turb_rms_planck12b", JF12RandomStrength.planck, "turb_rms_planck12b"),
    ("jf12_hammurabi_dev", "B", JF12.hammurabi, "B"),
    ("jf12sol_dev", "B", JF12Solenoidal, "B"),
    ("jf12sol_dev", "B_disk", lambda: JF12Solenoidal(toroidal=False, x_field=False), "B"),
    ("jf12sol_dev", "B_x", lambda: JF12Solenoidal(disk=False, toroidal=False), "B"),
]


@pytest.mark.parametrize(("name", "column", "make", "scale"), ORACLE)
def test_oracle(table, name, column, make, scale):
    data = table(name)
    value = np.asarray(evaluate(make(), jnp.asarray(data["pos_kpc"].T)))
    reference, total = data[column].T, norm(data[scale].T)
    if "hammurabi" in name:  # that program fills the outside with 1e-6 microgauss
        reference = np.where(np.abs(reference).max(0) < 1.001e-6, 0.0, reference)
    error = norm(value - reference) / np.maximum(total, 1e-9)
    assert error.max() < 1e-11


def test_hammurabi_random_energy(table):
    data = table("jf12_hammurabi_dev")
    energy = evaluate(JF12RandomStrength.hammurabi(), jnp.asarray(data["pos_kpc"].T)) ** 2
    np.testing.assert_allclose(energy, data["random_energy"], rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize("model", [JF12(), JF12Solenoidal()])
def test_parts_add_up(model):
    x = points(200)
    names = ("disk", "toroidal", "x_field")
    one = {n: type(model)(**{m: m == n for m in names}) for n in names}
    total = sum(evaluate(one[n], x) for n in names)
    np.testing.assert_allclose(total, evaluate(model, x), rtol=1e-12, atol=1e-14)
    assert not np.any(evaluate(type(model)(**dict.fromkeys(names, False)), x))


def test_changes_reach_the_variants():
    assert float(JF12b(b_ring=0.3).b_ring) == 0.3
    assert float(JF12b().b_arms[5]) == -3.5 and float(JF12b(b_x=2.0).b_x) == 2.0
    assert JF12.hammurabi(disk=False).disk is False and JF12.hammurabi().cylindrical
    assert float(JF12.hammurabi(r_south=17.0).r_south) == 17.0
    with pytest.raises(TypeError, match="b_bar"):
        JF12b(b_bar=1.0)


def test_striation_is_a_strength_and_no_number_of_the_field():
    for make in (JF12, JF12b, JF12.hammurabi, JF12Solenoidal):
        assert not hasattr(make(), "striation")
        with pytest.raises(TypeError, match=r"'striation'.*StriatedStrength"):
            make(striation=2.0)
    with pytest.raises(ValueError, match=r"striation.*StriatedStrength"):
        synax.select(JF12(), "striation")
    x = points(50)
    strength = StriatedStrength(JF12())
    expected = np.sqrt(1.36) * norm(np.asarray(evaluate(JF12(), x)))
    np.testing.assert_allclose(evaluate(strength, x), expected, rtol=1e-12)
    assert float(strength.emissivity_factor()) == pytest.approx(2.36)
    assert len(strength.surfaces()) == len(JF12().surfaces())
    zero = jax.jit(jax.grad(lambda x: StriatedStrength(JF12())(x)))(jnp.array([0.0, 0.0, 25.0]))
    assert np.array_equal(zero, np.zeros(3))
    with pytest.raises(TypeError, match="field must be a vector field"):
        StriatedStrength(JF12RandomStrength())


DISTINCT = ("JF12", "JF12Solenoidal", "random")


@pytest.mark.parametrize("name", DISTINCT)
def test_gradients(name):
    check_gradients(MODELS[name]())


@pytest.mark.parametrize("name", DISTINCT)
def test_reverse_derivatives_finite_at_singular_points(name):
    check_finite_at(MODELS[name](), SINGULAR)


@pytest.mark.parametrize("name", MODELS)
def test_single_precision(name):
    """Median error 1e-7 of |B|; points within rounding of a wall may fall on its other side."""
    model, x = MODELS[name](), points(2000, seed=4)
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), model)
    exact = evaluate(model, x.astype(jnp.float32).astype(jnp.float64))
    error = norm(np.asarray(evaluate(single, x.astype(jnp.float32)) - exact))
    error = error / np.maximum(norm(np.asarray(exact)), 1e-3)
    assert np.median(error) < 2e-7 and np.quantile(error, 0.99) < 1e-5


@pytest.mark.parametrize("model", [JF12(), JF12.hammurabi(), JF12Solenoidal()])
def test_divergence_vanishes_in_every_region(model):
    x = points(1000, seed=5)
    jacobian = jax.jit(jax.vmap(jax.jacfwd(model), in_axes=1))(x)
    divergence = jnp.trace(jacobian, axis1=1, axis2=2)
    assert np.abs(divergence).max() < 2e-15


def test_solenoidal_disk_has_no_net_flux():
    """B_r averaged over a circle vanishes at every radius, and B_r = 0 at both edges."""
    phi = (jnp.arange(20000) + 0.5) * (2 * np.pi / 20000)
    r = jnp.array([5.001, 6.5, 12.0, 18.0, 19.999])[:, None]
    x = jnp.stack([r * jnp.cos(phi), r * jnp.sin(phi), 0.0 * r * phi])
    b = evaluate(JF12Solenoidal(toroidal=False, x_field=False), x)
    radial = np.asarray((b[0] * x[0] + b[1] * x[1]) / r)
    assert np.all(np.abs(radial.mean(1)) < 1e-4 * np.abs(np.asarray(b)).max((0, 2)))
    assert np.abs(radial[[0, -1]]).max() < 1e-3 < np.abs(radial[1:-1]).max(1).min()


def jumps(field, origin, direction, length, n=3001, most=256):
    """Places (ray, distance) where `field` jumps by more than 1e-3 along rays, by bisection."""
    along = jax.jit(
        lambda s, o, d: field(o[:, None] + s * d[:, None] if o.ndim == 1 else o + s * d)
    )
    s = jnp.linspace(1e-4, length, n)
    values = jax.vmap(lambda o, d: along(s, o, d), in_axes=1)(origin, direction)
    change = np.asarray(jnp.abs(jnp.diff(values, axis=-1)))
    change = change.max(1) if change.ndim == 3 else change
    ray, cell = np.unravel_index(np.argsort(change, axis=None)[::-1][:most], change.shape)
    o, d = origin[:, ray], direction[:, ray]
    low, high = s[cell], s[cell + 1]
    distance = lambda a, b: norm(np.asarray(along(a, o, d) - along(b, o, d)))
    for _ in range(32):
        middle = 0.5 * (low + high)
        first = distance(low, middle) > distance(middle, high)
        low, high = jnp.where(first, low, middle), jnp.where(first, middle, high)
    real = distance(low, high) > 1e-3
    return ray[real], np.asarray(low)[real]


@pytest.mark.parametrize("name", MODELS)
def test_every_jump_lies_on_a_named_surface(name):
    model = MODELS[name]()
    rng = np.random.default_rng(6)
    direction = rng.normal(size=(3, 16)) * np.array([1.0, 1.0, 0.05])[:, None]
    direction = jnp.asarray(direction / np.linalg.norm(direction, axis=0))
    start = rng.uniform(-1, 1, (3, 16)) * np.array([9.0, 9.0, 0.1])[:, None]
    start[:, :8] = np.array([-8.3, 0.0, 0.006])[:, None]
    origin = jnp.asarray(start)
    ray, place = jumps(model, origin, direction, 35.0)
    assert len(ray) > 80
    crossings = lambda m, o, d: jnp.concatenate([s.crossings(o, d) for s in m.surfaces()])
    faces = jax.jit(crossings)(model, origin, direction)
    missed = np.abs(np.asarray(faces)[:, ray] - place).min(0)
    assert missed.max() < 1e-7


def test_switched_off_parts_name_no_surfaces():
    assert len(JF12(toroidal=False, x_field=False).surfaces()) == 4
    assert len(JF12(disk=False).surfaces()) == 4
    assert len(JF12Solenoidal(disk=False, x_field=False).surfaces()) == 3

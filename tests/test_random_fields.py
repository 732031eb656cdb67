"""Gaussian random fields: statistics, exact solenoidality, derivatives with the noise fixed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax import electrons, magnetic
from synax.random_fields import Matern

N = 32
BOX = synax.Box((2.0, 2.0, 2.0))
SPACING = 4.0 / (N - 1)
KEY = jax.random.key(7)


@eqx.filter_jit
def realize(field):
    return field.grid().values


def random(key=KEY, **settings):
    return magnetic.GaussianRandom(key, BOX, (N, N, N), **settings)


def central(values, axis, spacing=SPACING):
    return (np.roll(values, -1, axis) - np.roll(values, 1, axis)) / (2 * spacing)


def curl(b):
    d = lambda component, axis: central(b[component], axis)
    return np.stack([d(2, 1) - d(1, 2), d(0, 2) - d(2, 0), d(1, 0) - d(0, 1)])


def rms(values):
    return float(np.sqrt(np.mean(np.sum(values**2, axis=0))))


def test_expected_rms_is_the_amplitude():
    keys = jax.random.split(KEY, 12)
    for settings in ({"solenoidal": True}, {"solenoidal": False}):

        def energy(key, settings=settings):
            field = random(key, amplitude=0.8, outer_scale=0.6, **settings)
            return jnp.mean(field(anywhere(4000)) ** 2)

        assert abs(np.sqrt(3 * np.mean(jax.jit(jax.vmap(energy))(keys))) - 0.8) < 0.02


def anywhere(n):
    """Positions that have nothing to do with the nodes."""
    return jnp.asarray(np.random.default_rng(3).uniform(-1.99, 1.99, (3, n)))


def test_rays_see_the_strength_asked_for():
    """<B_perp^2> along sightlines through the box is two thirds of the energy asked for."""
    rays = synax.Sightlines.healpix(4, observer=(0.1, -0.2, 0.1), domain=synax.Sphere(1.95))
    near, far = rays.span()
    distance = near + (jnp.arange(40)[:, None] + 0.5) / 40 * (far - near)
    position = rays.origin[:, None] + distance * rays.direction[:, None]
    weight = distance**2  # every part of space alike

    @jax.jit
    def across(key):
        b = random(key, amplitude=2.0, outer_scale=0.5)(position)
        along = jnp.sum(b * rays.direction[:, None], 0)
        return jnp.sum(weight * (jnp.sum(b * b, 0) - along**2)) / jnp.sum(weight)

    found = np.mean([across(k) for k in jax.random.split(KEY, 6)])
    assert abs(found / (2.0 / 3.0 * 4.0) - 1) < 0.06


def test_a_grid_that_does_not_resolve_its_spectrum_is_told():
    with pytest.warns(synax.SynaxWarning, match="is lost between them"):
        magnetic.GaussianRandom(KEY, BOX, (8, 8, 8), outer_scale=0.1)
    with pytest.warns(synax.SynaxWarning, match="is lost between them"):
        synax.GaussianField.on_grid(BOX, (8, 8, 8), Matern(1.0, 0.05))


@pytest.mark.parametrize("slope", [5.0 / 3.0, 3.0])
def test_spectrum_has_the_slope_asked_for(slope):
    b = np.asarray(realize(random(slope=slope, outer_scale=40.0)))
    power = np.sum(np.abs(np.fft.fftn(b, axes=(1, 2, 3))) ** 2, axis=0)
    k = np.linalg.norm(np.meshgrid(*[np.fft.fftfreq(N, SPACING)] * 3, indexing="ij"), axis=0)
    edges = np.geomspace(3.0, 13.0, 9) / (N * SPACING)
    which = np.digitize(k.ravel(), edges)
    mean = np.array([power.ravel()[which == i].mean() for i in range(1, len(edges))])
    middle = np.array([k.ravel()[which == i].mean() for i in range(1, len(edges))])
    fitted = np.polyfit(np.log(middle), np.log(mean * middle**2), 1)[0]
    assert abs(fitted + slope) < 0.1


def test_spectrum_turns_over_at_the_outer_scale():
    b = np.asarray(realize(random(outer_scale=0.5, rise=4.0)))
    power = np.sum(np.abs(np.fft.fftn(b, axes=(1, 2, 3))) ** 2, axis=0)
    k = np.linalg.norm(np.meshgrid(*[np.fft.fftfreq(N, SPACING)] * 3, indexing="ij"), axis=0)
    energy = lambda low, high: (power * k**2)[(k > low) & (k < high)].mean()
    assert energy(0.2, 0.6) < 0.1 * energy(1.6, 2.2)


def test_components_are_alike_and_independent_of_direction():
    b = np.asarray(realize(random(outer_scale=0.3)))
    variance = np.mean(b**2, axis=(1, 2, 3))
    assert np.all(np.abs(variance / variance.mean() - 1) < 0.06)
    cross = np.corrcoef(b.reshape(3, -1)) - np.eye(3)
    assert np.max(np.abs(cross)) < 0.05
    assert np.max(np.abs(b.mean(axis=(1, 2, 3)))) < 1e-13


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"helicity": 0.9},
        {"profile": magnetic.ExponentialStrength(z0=0.5)},
        {"along": magnetic.WMAP(r_min=0.5), "rho": 2.5},
    ],
    ids=["plain", "helical", "profile", "stretched"],
)
@pytest.mark.parametrize("shape", [(32, 32, 32), (24, 27, 20)])
def test_central_difference_divergence_vanishes_to_rounding(settings, shape):
    box = synax.Box((2.0, 2.0, 1.0))
    b = np.asarray(realize(magnetic.GaussianRandom(KEY, box, shape, **settings)))
    spacing = [2 * h / (n - 1) for h, n in zip((2.0, 2.0, 1.0), shape, strict=True)]
    divergence = sum(central(b[i], i, spacing[i]) for i in range(3))
    assert rms(divergence[None]) < 1e-13 * rms(b) / min(spacing)
    free = np.asarray(realize(magnetic.GaussianRandom(KEY, box, shape, solenoidal=False)))
    divergence = sum(central(free[i], i, spacing[i]) for i in range(3))
    assert rms(divergence[None]) > 0.1 * rms(free)


@pytest.mark.parametrize("rho", [3.0, 1.0, 0.3])
def test_alignment_with_the_regular_field(rho):
    """Isotropic wave vectors leave <B_par^2> = 8/15 C_par + 2/15 C_perp, and the rms alone."""
    regular = magnetic.Uniform((0.0, 2.0, 0.0))
    smooth = {"outer_scale": 1.2, "slope": 6.0, "rise": 3.0}  # well above the grid's spacing

    @jax.jit
    @jax.vmap
    def mean_squares(key):
        field = random(key, along=regular, rho=rho, amplitude=1.5, **smooth)
        return jnp.mean(field.grid().values ** 2, axis=(1, 2, 3))

    x2, y2, z2 = np.mean(mean_squares(jax.random.split(KEY, 12)), axis=0)
    parallel, across = rho**2, 1.0 / rho**2
    expected = (8 * parallel + 2 * across) / (parallel + 9 * across)
    assert abs(2 * y2 / (x2 + z2) / expected - 1) < 0.08
    assert abs(np.sqrt(x2 + y2 + z2) - 1.5) < 0.1


def test_nothing_is_stretched_where_the_regular_field_is_zero():
    regular = magnetic.Uniform((0.0, 0.0, 2.0)).inside(synax.Sphere(1e-3, (0.0, 0.0, 10.0)))
    plain, same = random(), random(along=regular, rho=3.0)
    np.testing.assert_allclose(realize(same), realize(plain), atol=1e-13)


@pytest.mark.parametrize("helicity", [-1.0, -0.4, 0.0, 0.7])
def test_helicity_has_the_sign_and_size_asked_for(helicity):
    b = np.asarray(realize(random(helicity=helicity, outer_scale=0.3)))
    spectrum = np.fft.fftn(b, axes=(1, 2, 3))
    turned = np.fft.fftn(curl(b), axes=(1, 2, 3))
    power = np.sum(np.abs(spectrum) ** 2, axis=0)
    length = np.sqrt(np.sum(np.abs(turned) ** 2, axis=0) / np.where(power > 1e-20, power, 1.0))
    seen = power > 1e-12 * power.max()
    product = np.sum(np.conj(spectrum) * turned, axis=0).real[seen] / length[seen]
    assert abs(product.sum() / power[seen].sum() - helicity) < 0.05


def test_field_is_not_the_mirror_image_of_itself():
    b = np.asarray(realize(random(outer_scale=0.3)))
    mirrored = np.roll(b[:, ::-1, ::-1, ::-1], 1, axis=(1, 2, 3))
    assert abs(np.mean(b * mirrored) / np.mean(b**2)) < 0.05


def test_profile_sets_the_strength():
    profile = magnetic.ExponentialStrength(r0=3.0, z0=0.5)
    position = anywhere(20000)
    field = random(outer_scale=0.3, profile=profile, amplitude=2.0)
    b = eqx.filter_jit(lambda field: field(position))(field)
    strength, height = np.asarray(profile(position)), np.abs(position[2])
    for keep in (height < 0.3, height > 1.5):
        wanted = 2.0 * np.sqrt(np.mean(strength[keep] ** 2))
        assert abs(rms(np.asarray(b)[:, keep]) / wanted - 1) < 0.15


def test_exponential_profile_is_that_of_the_table(table):
    stored = table("misc_dev")
    strength = magnetic.ExponentialStrength()(jnp.asarray(stored["pos_kpc"].T))
    np.testing.assert_allclose(strength**2, stored["es_profile"], rtol=1e-12)


def magnetic_case():
    return random(
        along=magnetic.Uniform((0.0, 2.0, 0.0)),
        rho=1.7,
        helicity=0.3,
        profile=magnetic.ExponentialStrength(),
    )


def electron_case():
    return electrons.GaussianRandom(
        KEY, BOX, (N, N, N), amplitude=0.6, profile=electrons.ExponentialDisc(), log_normal=True
    )


@pytest.mark.parametrize("make", [magnetic_case, electron_case], ids=["magnetic", "electrons"])
def test_gradients_equal_finite_differences(make):
    field = make()
    weight = jax.random.normal(jax.random.key(1), field.latent.shape)
    names = [
        name
        for name in ("amplitude", "slope", "rise", "outer_scale", "rho", "helicity", "profile.z0")
        if hasattr(field, name.split(".")[0])
    ]
    names = [n for n in names if n != "profile.z0" or hasattr(field.profile, "z0")]
    free, fixed = eqx.partition(field, synax.select(field, *names))

    @jax.jit
    def loss(free):
        return jnp.mean(weight * eqx.combine(free, fixed).grid().values ** 2)

    gradient = jax.jit(jax.grad(loss))(free)
    for name in names:
        get = lambda tree, name=name: eval(f"tree.{name}", {"tree": tree})
        shifted = [eqx.tree_at(get, free, get(free) + h) for h in (1e-5, -1e-5)]
        estimate = (loss(shifted[0]) - loss(shifted[1])) / 2e-5
        np.testing.assert_allclose(get(gradient), estimate, rtol=1e-5, atol=1e-12)
        assert get(gradient) != 0.0


def test_gradients_stay_finite_at_the_ends_of_the_helicity():
    field = magnetic.GaussianRandom(KEY, BOX, (8, 8, 8), helicity=1.0, outer_scale=2.0)
    gradient = eqx.filter_jit(eqx.filter_grad(lambda f: jnp.sum(f.grid().values ** 2)))(field)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))


def test_prepared_field_equals_the_field_and_has_no_transform_left():
    field = 2.0 * random() + magnetic.WMAP(r_min=0.1)
    position = jnp.asarray(np.random.default_rng(0).uniform(-2.2, 2.2, (3, 50)))
    ready = field.prepare()
    evaluate = eqx.filter_jit(lambda field, position: field(position))
    np.testing.assert_allclose(evaluate(ready, position), evaluate(field, position), rtol=1e-12)
    assert "fft" in str(jax.make_jaxpr(lambda x: field(x))(position))
    assert "fft" not in str(jax.make_jaxpr(lambda x: ready(x))(position))
    assert evaluate(random(), position[:, 0]).shape == (3,)
    outside = jnp.array([2.1, 0.0, 0.0])
    assert jnp.all(evaluate(random(), outside) == 0.0)


def test_noise_depends_on_the_key_only():
    first, again, other = random(), random(slope=3.0), random(jax.random.key(8))
    assert jnp.array_equal(first.latent, again.latent)
    assert not jnp.array_equal(first.latent, other.latent)
    assert jnp.array_equal(first.latent, jax.jit(lambda key: random(key).latent)(KEY))


def test_electrons_gaussian_and_log_normal():
    make = lambda **s: electrons.GaussianRandom(KEY, BOX, (N, N, N), outer_scale=0.3, **s)
    plain = np.asarray(make(amplitude=0.02)(anywhere(20000)))
    assert abs(plain.std() / 0.02 - 1) < 0.05
    assert abs(realize(make(amplitude=0.02)).mean()) < 1e-15
    profile = electrons.Uniform(0.03)
    density = np.asarray(realize(make(amplitude=0.7, log_normal=True, profile=profile)))
    assert density.min() > 0
    assert abs(density.mean() / 0.03 - 1) < 0.05
    assert abs(np.log(density).std() / 0.7 - 1) < 0.05
    mixed = electrons.ExponentialDisc() + make(amplitude=0.001)
    assert mixed(jnp.zeros((3, 4))).shape == (4,)


def test_float32_is_kept_and_divergence_small():
    low = jax.tree.map(lambda leaf: leaf.astype("float32"), random(helicity=0.2))
    b = realize(low)
    assert b.dtype == jnp.float32
    reference = realize(jax.tree.map(lambda leaf: leaf.astype("float64"), low))
    assert jnp.max(jnp.abs(b - reference)) < 1e-5 * jnp.max(jnp.abs(reference))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="shape"):
        magnetic.GaussianRandom(KEY, BOX, (2, 2, 2))
    with pytest.raises(ValueError, match="helicity"):
        random(helicity=0.1, solenoidal=False)
    with pytest.raises(TypeError, match="profile"):
        random(profile=magnetic.Uniform((1.0, 0.0, 0.0)))
    with pytest.raises(TypeError, match="along"):
        random(along=electrons.Uniform())

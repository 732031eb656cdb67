"""Symmetries and laws that hold for every Galaxy: random models, random sightlines.

All cheap tests share two compiled programs: one random Galaxy whose numbers are leaves, seen by one
set of rays whose numbers are leaves too.
"""

import dataclasses
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from jaxtyping import Array, Float

import synax
from synax.fields._field import rotation_matrix

N_RAYS, N_WAVES = 7, 3
FREQUENCY = jnp.array([0.4, 1.4, 23.0])
EXACT = 4e-11
"""Of the largest I: rounding of 20 cells, times a Faraday rotation of some thousand radians."""

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(deadline=None, max_examples=12, derandomize=True)


class Waves(synax.AbstractVectorField):
    """Plane waves under a Gaussian: no symmetry, no edge."""

    amplitude: Float[Array, "3 n"] = synax.parameter(..., "uG", "of each wave")
    number: Float[Array, "3 n"] = synax.parameter(..., "kpc-1", "wave vectors")
    phase: Float[Array, " n"] = synax.parameter(..., "rad", "of each wave")

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        carrier = jnp.tensordot(self.number.T, position, 1)
        wave = jnp.cos(carrier + self.phase.reshape((-1,) + (1,) * (position.ndim - 1)))
        return jnp.tensordot(self.amplitude, wave, 1) * jnp.exp(-0.01 * jnp.sum(position**2, 0))


class Cloud(synax.AbstractScalarField):
    """A positive density without symmetry."""

    density: Array = synax.parameter(..., "cm-3", "in the middle")
    center: Float[Array, "3"] = synax.parameter(..., "kpc", "where it is densest")
    width: Float[Array, "3"] = synax.parameter(..., "kpc", "along each axis")

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        away = position.T - self.center
        return self.density * jnp.exp(-jnp.sum((away / self.width) ** 2, -1)).T


class Stretched(synax.AbstractField):
    """A field in coordinates of its own: value(x) = T original(S x), with matrices S and T."""

    field: synax.AbstractField
    inner: Float[Array, "3 3"]
    outer: Float[Array, "3 3"]

    @property
    def rank(self) -> str:
        return self.field.rank

    def __call__(self, position):
        value = self.field(jnp.tensordot(self.inner, position, 1))
        return jnp.tensordot(self.outer, value, 1) if self.rank == "vector" else value


EYE = jnp.eye(3)


def cloud(rng, density):
    return Cloud(density, rng.uniform(-3, 3, 3), rng.uniform(2, 9, 3))


def galaxy(seed, transfer=None, steps=20):
    """A random Galaxy, and rays in random directions that end on a sphere."""
    rng = np.random.default_rng(seed)
    waves = Waves(
        rng.normal(0, 3, (3, N_WAVES)), rng.normal(0, 0.5, (3, N_WAVES)), rng.uniform(0, 6, N_WAVES)
    )
    electrons = cloud(rng, rng.uniform(0.003, 0.03))
    cosmic_rays = cloud(rng, rng.uniform(1e-5, 1e-4))
    index = jnp.asarray(rng.uniform(2.2, 3.4))
    plain = lambda f: Stretched(f, EYE, EYE)
    sky = synax.Synchrotron(
        plain(waves),
        plain(electrons),
        synax.cosmic_rays.PowerLaw(plain(cosmic_rays), index),
        steps=synax.UniformSteps(steps),
        transfer=transfer,
    )
    rays = synax.Sightlines.from_lonlat(
        rng.uniform(0, 360, N_RAYS),
        np.degrees(np.arcsin(rng.uniform(-0.99, 0.99, N_RAYS))),
        distance=np.full(N_RAYS, 99.0),
        observer=rng.uniform(-4, 4, 3),
        domain=synax.Sphere(jnp.asarray(12.0), center=(0.0, 0.0, 0.0)),
        minimum_distance=np.zeros(N_RAYS),
    )
    return sky, rays, rng


@eqx.filter_jit
def see(sky, rays, frequency=FREQUENCY):
    return sky.observe(rays, frequency)


def same(got, expected, tolerance=EXACT):
    """I, Q and U alike, to a tolerance times the brightest I of each frequency."""
    for name in "IQU":
        a, b = getattr(got, name), getattr(expected, name)
        gap = jnp.max(jnp.abs(a - b), -1) / jnp.max(jnp.abs(expected.I), -1)
        assert float(jnp.max(gap)) < tolerance, (name, gap)


def fields(sky):
    return (sky.magnetic, sky.electrons, sky.cosmic_rays.normalisation)


def with_fields(sky, change):
    where = lambda s: (s.magnetic, s.electrons, s.cosmic_rays.normalisation)
    return eqx.tree_at(where, sky, tuple(change(f) for f in fields(sky)))


def times(sky, magnetic=1.0, electrons=1.0, cosmic_rays=1.0):
    where = lambda s: (
        s.magnetic.field.amplitude,
        s.electrons.field.density,
        s.cosmic_rays.normalisation.field.density,
    )
    b, n, c = where(sky)
    return eqx.tree_at(where, sky, (magnetic * b, electrons * n, cosmic_rays * c))


def moved(rays, matrix, basis=None):
    """The rays mapped by a linear map; a polarisation basis mapped by its own."""
    basis = matrix if basis is None else basis
    names = ("observer", "direction", "east", "north")
    new = {
        n: jnp.tensordot(basis if n in names[2:] else matrix, getattr(rays, n), 1) for n in names
    }
    return dataclasses.replace(rays, **new)


@FEW
@given(seed=SEEDS)
def test_turning_galaxy_and_observer_together_changes_nothing(seed):
    sky, rays, rng = galaxy(seed)
    turn = rotation_matrix(jnp.asarray(rng.normal(0, 2, 3)))
    turned = with_fields(sky, lambda f: Stretched(f.field, turn.T, turn))
    before, after = see(sky, rays), see(turned, moved(rays, turn))
    same(after.stokes, before.stokes)
    for name in ("rotation_measure", "dispersion_measure", "emission_measure"):
        a, b = getattr(after, name), getattr(before, name)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * float(jnp.max(jnp.abs(b))))


@FEW
@given(seed=SEEDS)
def test_a_mirror_image_has_the_other_handedness(seed):
    """B is an axial vector: a mirrored Galaxy has the same I and Q, and U and RM reversed."""
    sky, rays, rng = galaxy(seed)
    normal = rng.normal(size=3)
    normal /= np.linalg.norm(normal)
    mirror = EYE - 2.0 * jnp.outer(normal, normal)
    mirrored = with_fields(sky, lambda f: Stretched(f.field, mirror, -mirror))
    # Q and U refer to the mirrored north, and to an east that keeps the basis right-handed
    there = moved(rays, mirror)
    there = dataclasses.replace(there, east=-there.east)
    before, after = see(sky, rays), see(mirrored, there)
    expected = dataclasses.replace(before.stokes, U=-before.stokes.U)
    same(after.stokes, expected)
    rm = before.rotation_measure
    atol = 1e-12 * float(jnp.max(jnp.abs(rm)))
    np.testing.assert_allclose(after.rotation_measure, -rm, rtol=0, atol=atol)


@FEW
@given(seed=SEEDS, factor=st.floats(0.3, 3.0))
def test_scaling_laws(seed, factor):
    sky, rays, _ = galaxy(seed)
    stokes, p = see(sky, rays).stokes, float(sky.cosmic_rays.spectral_index)
    scaled = lambda s, k: jax.tree.map(lambda x: k * x, s)
    # more cosmic rays: brighter, nothing else
    same(see(times(sky, cosmic_rays=factor), rays).stokes, scaled(stokes, factor), EXACT * factor)
    # B times k, n_e over k: the same rotation, I as k^((p+1)/2)
    power = factor ** ((p + 1.0) / 2.0)
    same(see(times(sky, factor, 1.0 / factor), rays).stokes, scaled(stokes, power))
    # frequency times k, n_e times k^2: the same rotation, temperature as k^-((p+3)/2)
    power = factor ** (-(p + 3.0) / 2.0)
    electrons = times(sky, electrons=factor**2)
    same(see(electrons, rays, factor * FREQUENCY).stokes, scaled(stokes, power))
    # everything longer by k, both electrons thinner by k: the same sky
    size = with_fields(times(sky, 1.0, 1 / factor, 1 / factor), lambda f: _longer(f, factor))
    far = dataclasses.replace(
        rays,
        observer=factor * rays.observer,
        distance=factor * rays.distance,
        domain=synax.Sphere(factor * rays.domain.radius, center=(0.0, 0.0, 0.0)),
    )
    same(see(size, far).stokes, stokes)


def _longer(field, factor):
    return Stretched(field.field, EYE / factor, EYE)


@FEW
@given(seed=SEEDS)
def test_reversing_the_field(seed):
    """I stays, RM turns round, and the rotation with it: as if n_e had changed its sign."""
    sky, rays, _ = galaxy(seed)
    before, after = see(sky, rays), see(times(sky, -1.0), rays)
    np.testing.assert_array_equal(after.stokes.I, before.stokes.I)
    np.testing.assert_array_equal(after.rotation_measure, -before.rotation_measure)
    np.testing.assert_array_equal(after.dispersion_measure, before.dispersion_measure)
    same(see(times(sky, -1.0, -1.0), rays).stokes, before.stokes)
    # without rotation the orientation of B does not show in any map
    bare, back = (see(times(sky, k, 0.0), rays).stokes for k in (1.0, -1.0))
    same(back, bare)


@FEW
@given(seed=SEEDS)
def test_superposition(seed):
    """Light of two populations adds up; so do columns of two densities and of two fields."""
    sky, rays, rng = galaxy(seed)
    name = lambda s: s.cosmic_rays.normalisation.field
    other = cloud(rng, 5e-5)
    one, two = sky, eqx.tree_at(name, sky, other)
    parts = synax.cosmic_rays.PowerLaw(
        one.cosmic_rays.normalisation + two.cosmic_rays.normalisation,
        sky.cosmic_rays.spectral_index,
    )
    both = see(eqx.tree_at(lambda s: s.cosmic_rays, sky, parts), rays)
    total = jax.tree.map(jnp.add, see(one, rays).stokes, see(two, rays).stokes)
    same(both.stokes, total)
    twice = see(times(sky, 2.0, 3.0), rays)
    once = see(sky, rays)
    np.testing.assert_allclose(twice.rotation_measure, 6 * once.rotation_measure, rtol=1e-12)
    np.testing.assert_allclose(twice.dispersion_measure, 3 * once.dispersion_measure, rtol=1e-12)
    np.testing.assert_allclose(twice.emission_measure, 9 * once.emission_measure, rtol=1e-12)


@FEW
@given(seed=SEEDS)
def test_near_and_far_halves_compose(seed):
    """The far half shines through the near one, which turns its polarisation: the same cells."""
    sky, rays, _ = galaxy(seed)
    middle = 0.5 * rays.span()[1]
    near = see(sky, dataclasses.replace(rays, distance=middle))
    far = see(sky, dataclasses.replace(rays, minimum_distance=middle))
    whole = see(sky.integrate_with(steps=synax.UniformSteps(2 * sky.steps.n)), rays)
    turn = jnp.exp(2j * near.rotation_measure * (0.299792458 / FREQUENCY[:, None]) ** 2)
    behind = (far.stokes.Q + 1j * far.stokes.U) * turn
    i, q, u = (getattr(near.stokes, name) for name in "IQU")
    same(synax.Stokes(i + far.stokes.I, q + behind.real, u + behind.imag), whole.stokes)
    for name in ("rotation_measure", "dispersion_measure", "emission_measure"):
        sums, expected = getattr(near, name) + getattr(far, name), getattr(whole, name)
        atol = 1e-12 * float(jnp.max(jnp.abs(expected)))
        np.testing.assert_allclose(sums, expected, rtol=0, atol=atol)


@FEW
@given(seed=SEEDS)
def test_rays_do_not_know_each_other(seed):
    """Another order, and fewer rays repeated: the same bits."""
    sky, rays, rng = galaxy(seed)
    order = rng.integers(0, N_RAYS, N_RAYS)
    whole, some = see(sky, rays), see(sky, rays.take(order))
    for a, b in zip(jax.tree.leaves(some), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(a, b[..., order])


@eqx.filter_jit
def loss(problem, weight):
    sky, rays = problem
    stokes = sky(rays, FREQUENCY)
    scale = jnp.asarray([1e-3, 1.0, 1e3])[:, None]
    maps = (stokes.I, stokes.Q, stokes.U)
    return sum(jnp.sum(w * scale * x) for w, x in zip(weight, maps, strict=True))


gradient = eqx.filter_jit(eqx.filter_grad(loss))


@settings(FEW, max_examples=6)
@given(seed=SEEDS)
def test_gradient_is_the_directional_difference(seed):
    """Along random directions of all numbers: models, observer, directions, domain, index."""
    sky, rays, rng = galaxy(seed)
    rays = dataclasses.replace(rays, minimum_distance=jnp.full(N_RAYS, 0.1))  # off the end at 0
    problem = (times(sky, electrons=0.1), rays)
    weight = jnp.asarray(rng.normal(size=(3, len(FREQUENCY), N_RAYS)))
    moving, still = eqx.partition(problem, eqx.is_inexact_array)
    way = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)) * (1e-3 + abs(x)), moving)
    slopes = jax.tree.leaves(jax.tree.map(jnp.vdot, gradient(problem, weight), way))

    def change(h):
        ends = (jax.tree.map(lambda x, d, s=s: x + s * h * d, moving, way) for s in (1, -1))
        plus, minus = (float(loss(eqx.combine(end, still), weight)) for end in ends)
        return (plus - minus) / (2 * h)

    found = (4 * change(1e-5) - change(2e-5)) / 3  # Richardson: order four
    scale = float(sum(abs(s) for s in slopes))  # terms that cancel lose digits
    assert abs(found - float(sum(slopes))) < 1e-9 * scale


PUBLISHED = {
    "WMAP": lambda: (synax.magnetic.WMAP(), synax.electrons.TwoDisc()),
    "JF12": lambda: (synax.magnetic.JF12(), synax.electrons.YMW16()),
    "UF23": lambda: (synax.magnetic.UF23("base"), synax.electrons.NE2001()),
    "KST24": lambda: (synax.magnetic.KST24(), synax.electrons.YT20()),
    "Jaffe13": lambda: (synax.magnetic.Jaffe13(), synax.electrons.NE2025()),
}


def published(name, rng, n_rays=24, **kwargs):
    """A published Galaxy in a sphere, seen from a random place near the Sun."""
    magnetic, electrons = PUBLISHED[name]()
    sky = synax.Synchrotron(magnetic, electrons, synax.cosmic_rays.WMAP(), **kwargs)
    rays = synax.Sightlines.from_lonlat(
        rng.uniform(0, 360, n_rays),
        np.degrees(np.arcsin(rng.uniform(-1, 1, n_rays))),
        observer=np.array([-8.3, 0.0, 0.006]) + rng.normal(0, 0.3, 3),
        domain=synax.Sphere(16.0),
    )
    return sky, rays


@pytest.mark.slow
@pytest.mark.parametrize("name", ["WMAP", "JF12", "UF23"])
@pytest.mark.parametrize("law", [synax.Thin(), synax.Polarised()], ids=lambda x: type(x).__name__)
def test_turning_published_galaxies(name, law):
    """Fields turned by `rotated`, with the surfaces where they jump, and the observer with them."""
    rng = np.random.default_rng(11)
    sky, rays = published(name, rng, steps=64, transfer=law)
    vector = jnp.asarray(rng.normal(0, 2, 3))
    names = ("magnetic", "electrons", "cosmic_rays")
    law = synax.cosmic_rays.PowerLaw(sky.cosmic_rays.rotated(vector), 3.0)
    turned = eqx.tree_at(
        lambda s: tuple(getattr(s, n) for n in names),
        sky,
        (sky.magnetic.rotated(vector), sky.electrons.rotated(vector), law),
    )
    before = see(sky, rays).stokes
    after = see(turned, moved(rays, rotation_matrix(vector))).stokes
    same(after, before, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PUBLISHED))
def test_stated_errors_bound_the_true_ones(name):
    """60 random skies of each of five Galaxies: other numbers, other places, other frequencies."""
    beyond = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sky, rays = published(name, rng)
        moving, still = eqx.partition(sky, eqx.is_inexact_array)
        other = jax.tree.map(lambda x, rng=rng: x * rng.uniform(0.9, 1.1), moving)
        sky = eqx.combine(other, still)
        frequency = jnp.asarray(10.0 ** rng.uniform(0.0, 1.5))
        stated = _stated(sky, rays, frequency)
        found = see(sky, rays, frequency).stokes
        exact = see(sky.integrate_with(steps=2048), rays, frequency).stokes
        for map_name in "IQU":
            a, b = getattr(found, map_name), getattr(exact, map_name)
            scale = jnp.sqrt(jnp.mean(b * b)) if map_name == "I" else jnp.std(b)
            true = float(jnp.sqrt(jnp.mean((a - b) ** 2)) / scale)
            # what matters less than 1e-8 of the map may be found by none of its runs
            limit = 1.05 * float(getattr(stated, map_name)) + 1e-8
            if true > limit:
                beyond.append((seed, float(frequency), map_name, true, limit))
    assert not beyond


def _stated(sky, rays, frequency):
    """The estimated rms; it warns if and only if it is not reliable."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        estimate = synax.estimate_error(sky, rays, frequency)
    assert estimate.reliable == (not any("may be larger" in str(w.message) for w in heard))
    return estimate.rms


@pytest.mark.slow
def test_tolerances_are_kept_by_random_skies():
    """The steps of `with_tolerance`, on 20 random smooth Galaxies: the true error is within."""
    for seed in range(20):
        sky, rays, _ = galaxy(seed)
        chosen, stated = synax.with_tolerance(sky, rays, FREQUENCY, 1e-3)
        found = see(chosen, rays).stokes
        exact = see(sky.integrate_with(steps=synax.UniformSteps(2048)), rays).stokes
        for name in "IQU":
            a, b = getattr(found, name), getattr(exact, name)
            scale = jnp.sqrt(jnp.mean(b * b, -1)) if name == "I" else jnp.std(b, -1)
            true = jnp.sqrt(jnp.mean((a - b) ** 2, -1)) / scale
            assert np.all(true < 1.05 * getattr(stated.rms, name) + 1e-9), (seed, name)
            assert np.all(true < 1e-3), (seed, name)

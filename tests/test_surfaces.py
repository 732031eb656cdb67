"""Where rays cut surfaces, at the places where a closed form degenerates."""

import ast
import re
import warnings
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax._catalogue import REQUIRED, models
from synax.fields._level_sets import AbstractLevelSets, within_disc
from synax.fields._surfaces import (
    Cylinder,
    Ellipsoid,
    FlaredCylinder,
    LogarithmicSpirals,
    Moved,
    Plane,
    Quadric,
    Wall,
    distinct,
)
from synax.simulators._standing import warn_of_place, warn_of_surfaces

cut = jax.jit(lambda surface, origin, direction: surface.crossings(origin, direction))
RADII = (2.7, 3.3, 3.8, 4.4, 5.2, 6.0, 6.7, 8.2)


def spirals(pitch):
    return LogarithmicSpirals(jnp.array(RADII), jnp.asarray(pitch), 5.0, 20.0)


def horizontal(longitude, latitude=0.0):
    l, b = np.broadcast_arrays(np.radians(longitude), np.radians(latitude))
    # sines of multiples of 180 degrees are exact zeros in a map's pixels
    sine, cosine = (np.round(f(l), 15) for f in (np.sin, np.cos))
    return jnp.asarray(np.stack([cosine * np.cos(b), sine * np.cos(b), np.sin(b)]))


# origin, longitudes: rays that pass exactly through the axis of the Galaxy, or leave from it
THROUGH_THE_AXIS = {
    "towards and away from the centre": ((-8.3, 0.0, 0.006), [0.0, 180.0]),
    "from the far side": ((6.0, 0.0, 0.1), [0.0, 180.0]),
    "along y": ((0.0, -7.0, 0.0), [90.0, 270.0]),
    "from the axis": ((0.0, 0.0, 0.2), [0.0, 33.0, 90.0, 180.0, 250.0, 301.0]),
}


def walls_met(place, longitude, latitude, pitch):
    """Distances to every wall, in closed form: on either side of the axis the azimuth is fixed."""
    k = np.tan(pitch)
    l, cos_b = np.radians(longitude), np.cos(np.radians(latitude))
    to_axis = -(place[0] * np.cos(l) + place[1] * np.sin(l))
    windings = 2.0 * np.pi * np.arange(-6, 7)[:, None]
    found = []
    for side, azimuth in ((1.0, l), (-1.0, l + np.pi)):
        radius = np.array(RADII) * np.exp(k * (azimuth + windings))
        radius = radius[(radius > 5.0) & (radius < 20.0)]
        found.append((to_axis + side * radius) / cos_b)
    return np.sort(np.concatenate(found))


@pytest.fixture(scope="module", params=THROUGH_THE_AXIS)
def rays(request):
    place, longitudes = THROUGH_THE_AXIS[request.param]
    latitude = 30.0 if request.param == "from the axis" else 0.0
    # one shape for all, so that one program serves
    longitudes = [*longitudes, *longitudes, *longitudes][:6]
    direction = horizontal(longitudes, latitude)
    origin = jnp.broadcast_to(jnp.asarray(place)[:, None], direction.shape)
    return place, longitudes, latitude, origin, direction


@pytest.mark.parametrize("pitch", [np.radians(11.5), -np.radians(20.0)])
def test_spirals_are_cut_by_rays_through_the_axis(rays, pitch):
    place, longitudes, latitude, origin, direction = rays
    found = np.asarray(cut(spirals(pitch), origin, direction))
    for longitude, here in zip(longitudes, found.T, strict=True):
        expected = walls_met(place, longitude, latitude, pitch)
        assert len(expected) > 8
        np.testing.assert_allclose(np.sort(here[np.isfinite(here)]), expected, atol=1e-7)
    single = lambda tree: jax.tree.map(lambda v: v.astype(jnp.float32), tree)
    low = cut(*single((spirals(pitch), origin, direction)))
    np.testing.assert_allclose(low, found, rtol=1e-5, atol=1e-4)


@jax.jit
def sideways(shift, origin, direction):
    """The cuts of rays that are moved across themselves, and their derivatives."""
    across = jnp.stack([-direction[1], direction[0], 0.0 * direction[2]])
    move = lambda h: spirals(np.radians(11.5)).crossings(origin + h * across, direction)
    return jax.jvp(move, (shift,), (jnp.ones_like(shift),))


def test_cuts_and_their_derivatives_are_continuous_through_the_axis(rays):
    """The ray passes the axis on one side, through it, on the other."""
    *_, origin, direction = rays
    step = 1e-4
    tables = [sideways(jnp.asarray(h), origin, direction) for h in (0.0, step, -step)]
    order = [np.argsort(value, axis=0) for value, _ in tables]
    put = lambda table, o: np.take_along_axis(np.asarray(table), o, axis=0)
    value, right, left = (put(t[0], o) for t, o in zip(tables, order, strict=True))
    slope = put(tables[0][1], order[0])
    there = np.isfinite(value)
    assert np.array_equal(there, np.isfinite(right)) and np.array_equal(there, np.isfinite(left))
    value, right, left, slope = (v[there] for v in (value, right, left, slope))
    np.testing.assert_allclose(0.5 * (right + left), value, atol=1e-6)
    np.testing.assert_allclose(slope, (right - left) / (2 * step), rtol=1e-4, atol=1e-6)


def test_second_derivatives_of_cuts_of_spirals():
    """By the pitch angle and across the ray, against differences of first derivatives."""
    direction = horizontal([53.0, 110.0, 200.0], 5.0)
    across = jnp.stack([-direction[1], direction[0], 0.0 * direction[2]])

    def cuts(x):
        origin = jnp.array([[-8.5], [0.1], [0.0]]) + x[1] * across
        return spirals(x[0]).crossings(origin, direction)

    by_both = jax.jacfwd(cuts)
    h, x = 1e-6, np.array([0.2, 0.0])
    points = jnp.asarray(np.concatenate([x + h * np.eye(2), x - h * np.eye(2)]))
    first = np.asarray(jax.jit(jax.vmap(by_both))(points))
    difference = np.moveaxis(first[:2] - first[2:], 0, -1) / (2 * h)
    second = np.asarray(jax.jit(jax.jacrev(by_both))(jnp.asarray(x)))
    there = np.isfinite(np.asarray(jax.jit(cuts)(jnp.asarray(x))))
    assert there.sum() > 10
    np.testing.assert_allclose(second[there], difference[there], rtol=1e-5, atol=1e-5)


def test_a_ray_parallel_to_a_cone_meets_it_once():
    """Exactly at the cone's slope one root goes to infinity, the other is an ordinary one."""
    cone = FlaredCylinder(5.0, 1.0)
    half = np.sqrt(0.5)
    tilt = jnp.array([0.0, 1e-9, -1e-9])
    direction = jnp.stack([half + tilt, 0.0 * tilt, jnp.sqrt(1.0 - (half + tilt) ** 2)])
    direction = direction.at[:, 0].set(jnp.array([half, 0.0, half]))
    origin = jnp.broadcast_to(jnp.array([[-8.3], [0.0], [0.0]]), direction.shape)
    found = np.asarray(cut(cone, origin, direction))
    exact = 1.65 / half  # 8.3 - s half = 5 + s half
    assert np.abs(found - exact).min(axis=0).max() < 1e-7
    move = lambda r: FlaredCylinder(r, 1.0).crossings(origin, direction)
    slope = jax.jit(lambda r: jax.jvp(move, (r,), (jnp.ones_like(r),))[1])(jnp.asarray(5.0))
    assert np.all(np.isfinite(np.where(np.isfinite(found) & (np.abs(found) < 100), slope, 0.0)))
    chosen = np.argmin(np.abs(found[:, 0] - exact))
    np.testing.assert_allclose(slope[chosen, 0], -0.5 / half, rtol=1e-9)


def test_a_wall_is_met_between_its_ends_only():
    heights = np.array([0.5, 1.5, 2.5, 3.5])
    origin = jnp.asarray(np.stack([np.full(4, -9.0), np.full(4, 0.3), heights]))
    direction = jnp.asarray(np.array([[1.0], [0.0], [0.0]]) * np.ones(4))
    met = Wall(5.0, 1.0, 3.0).crossings(origin, direction)
    half = np.sqrt(25.0 - 0.09)
    expected = np.array([9.0 - half, 9.0 + half])[:, None] * np.where([0, 1, 1, 0], 1.0, np.inf)
    np.testing.assert_allclose(met, expected, rtol=1e-14)


def test_a_vertical_ray_never_meets_a_cylinder():
    up = jnp.array([[0.0], [0.0], [1.0]])
    for radius in (1.0, 8.3):
        assert not np.any(np.isfinite(cut(Cylinder(radius), jnp.array([[-8.3], [0.0], [0.0]]), up)))


CLOSE = {
    "plane": (Plane(0.3), (4.0, 1.0, 0.3), (0.0, 0.0, 1.0)),
    "cylinder": (Cylinder(5.0, (1.0, 0.0)), (4.0, 4.0, 2.0), (0.6, 0.8, 0.0)),
    "wall": (Wall(5.0, 1.0, 3.0), (3.0, 4.0, 2.0), (0.6, 0.8, 0.0)),
    "cone": (FlaredCylinder(4.0, 1.0), (-6.0, 0.0, -2.0), (-(0.5**0.5), 0.0, 0.5**0.5)),
    "ellipsoid": (
        Ellipsoid((1.0, 0.0, 0.0), (3.0, 2.0, 1.0)), (1.0, 2.0, 0.0), (0.0, 1.0, 0.0)
    ),
    "quadric": (
        Quadric((0.0, 0.0, 1.0), jnp.diag(jnp.array([0.25, 1.0, 0.0]))),
        (-2.0, 0.0, 3.0),
        (-1.0, 0.0, 0.0),
    ),
    "spirals": (
        spirals(np.radians(11.5)),
        (-RADII[4] * np.exp(np.pi * np.tan(np.radians(11.5))), 0.0, 1.0),
        (-np.cos(np.radians(11.5)), np.sin(np.radians(11.5)), 0.0),
    ),
    "moved": (
        Moved(Plane(), jnp.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]), jnp.array([0, 2.0, 0])),
        (3.0, 2.0, 5.0),
        (0.0, 1.0, 0.0),
    ),
    "sphere": (synax.Sphere(3.0, (1.0, 1.0, 0.0)), (1.0, 4.0, 0.0), (0.0, 1.0, 0.0)),
    "box": (synax.Box((3.0, 2.0, 1.0)), (1.0, -2.0, 0.5), (0.0, -1.0, 0.0)),
    "part of two": (
        synax.Box((3.0, 2.0, 1.0)) & synax.Sphere(9.0), (1.0, -2.0, 0.5), (0.0, -1.0, 0.0)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSE)
def test_the_gap_to_a_surface_is_the_distance_along_its_normal(name):
    surface, foot, normal = CLOSE[name]
    foot, normal = np.array(foot, float), np.array(normal, float)
    assert surface.gap(foot) < 1e-14
    for h in (1e-6, -1e-6):
        np.testing.assert_allclose(surface.gap(foot + h * normal), 1e-6, rtol=1e-4)


# the observer at 20 kpc sees less than 1 kpc of the Galaxy
@pytest.mark.filterwarnings("ignore:1 of 1 sightlines end before")
@pytest.mark.parametrize(
    ("magnetic", "observer", "surface"),
    [
        (synax.magnetic.JF12(), (-8.3, 0.0, 0.006), "LogarithmicSpirals"),
        (2.0 * synax.magnetic.JF12() + synax.magnetic.WMAP(), (-8.3, 0.0, 0.0), "JF12 jumps"),
        (synax.magnetic.WMAP(), (0.0, 20.0, 0.1), "Cylinder"),
    ],
)
def test_an_observer_on_a_surface_is_told_so(magnetic, observer, surface):
    look = lambda place, **more: synax.Sightlines.from_lonlat([10.0], [5.0], observer=place, **more)
    moved = 0.99 * np.array(observer)
    with pytest.warns(synax.SynaxWarning, match=surface):
        warn_of_surfaces((synax.electrons.TwoDisc(), magnetic), look(observer))
    for place in (moved, *([] if magnetic.sun is None else [magnetic.sun])):
        warn_of_surfaces((synax.electrons.TwoDisc(), magnetic), look(place))
    # nothing is said of rays that begin elsewhere, and while JAX traces
    wide = synax.Box((40.0, 40.0, 40.0))
    warn_of_surfaces((magnetic,), look(observer, minimum_distance=1.0, domain=wide))
    here = look(observer)
    jax.eval_shape(lambda b: warn_of_surfaces((b,), here), magnetic)


def test_simulators_tell_the_observer_on_a_surface():
    rays = synax.Sightlines.from_lonlat([10.0], [5.0], observer=(3.0, 4.0, 0.0))
    disc = lambda radius: synax.electrons.Uniform(0.1, radius)
    with pytest.warns(synax.SynaxWarning, match="Sphere"):
        synax.DispersionMeasure(disc(5.0), steps=2)(rays)
    synax.DispersionMeasure(disc(5.0), steps=2, faces=False)(rays)
    synax.DispersionMeasure(disc(5.1), steps=2)(rays)


def test_no_two_edges_of_a_published_model_are_at_the_same_place():
    """The derivative by one of them alone would be wrong (docs/sharp-bits.md)."""
    known = {"Sun10": 1, "Sun10b": 1, "Sun08": 1}  # r_core and the last of r_reversals
    looked_at = 0
    for entry in models():
        if any(p.default == REQUIRED for p in entry.parameters):
            continue
        surfaces = entry.make().surfaces()
        twice = len(surfaces) - len(distinct(surfaces))
        assert twice == (known.get(entry.name, 0) if entry.group == "magnetic" else 0), entry.name
        looked_at += bool(surfaces)
    assert looked_at > 30


def test_models_know_their_sun():
    jf12 = synax.magnetic.JF12()
    assert jf12.sun == synax.magnetic.JF12b().sun == (-8.5, 0.0, 0.0)
    assert (synax.magnetic.Uniform((1.0, 0.0, 0.0)) + 2.0 * jf12).sun == jf12.sun
    assert synax.magnetic.UF23("spur").sun == (-8.2, 0.0, 0.0)
    assert synax.magnetic.Uniform((1.0, 0.0, 0.0)).sun is None


NE = synax.electrons.NE2001
DEFAULT = (-8.3, 0.0, 0.006)


@pytest.mark.parametrize(
    ("field", "observer", "told"),
    [
        (NE(), DEFAULT, ["NE2001"]),
        (NE(), (-8.5, 0.0, 0.006), []),
        (NE(), (-3.0, 0.0, 0.0), []),  # elsewhere in the Galaxy
        (NE(local=None, clumps=False, voids=False), DEFAULT, []),
        (NE().shifted((0.2, 0.0, 0.006)), DEFAULT, []),
        (NE().shifted((0.2, 0.0, 0.006)), (-8.5, 0.0, 0.0), ["NE2001"]),
        (NE().rotated((0.0, 0.0, 0.1)), (-8.5, 0.0, 0.0), ["NE2001"]),
        (2.0 * NE() + synax.electrons.TwoDisc(), DEFAULT, ["NE2001"]),
        (synax.electrons.NE2025().inside(synax.Sphere(20.0)), DEFAULT, ["NE2025"]),
        (synax.electrons.YMW16(), DEFAULT, []),
        (synax.electrons.YMW16(), (-8.5, 0.0, 0.0), ["YMW16"]),
        (synax.electrons.YMW16(sun=(-8.5, 0.0, 0.0)), (-8.5, 0.0, 0.0), []),
        (synax.electrons.YMW16(), (-8.178, 0.0, 0.02), ["YMW16"]),
        (synax.electrons.YMW16Hammurabi(), (-8.5, 0.0, 0.0), ["YMW16Hammurabi"]),
        (synax.magnetic.LocalBubble(), (-8.5, 0.0, 0.0), ["LocalBubble"]),
        (synax.magnetic.LocalBubble() + NE() * synax.magnetic.WMAP(), (-8.4, 0.0, 0.0),
         ["LocalBubble", "NE2001"]),
        (synax.electrons.TwoDisc(), DEFAULT, []),
    ],
)  # fmt: skip
def test_an_observer_off_the_sun_of_a_model_with_structure_about_it_is_told(field, observer, told):
    look = lambda **more: synax.Sightlines.from_lonlat([10.0], [5.0], observer=observer, **more)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_place((field,), look())
    messages = [str(one.message) for one in caught]
    assert len(messages) == len(told)
    for name, message in zip(told, messages, strict=True):
        assert f"pc from the Sun of {name}," in message
    # nothing is said of rays that begin beyond, and while JAX traces
    warn_of_place((field,), look(minimum_distance=1.5))
    jax.eval_shape(lambda f: warn_of_place((f,), look()), field)


def test_the_remedies_that_an_observer_off_the_sun_is_given_hold():
    rays = lambda place: synax.Sightlines.from_lonlat([263.55], [-2.79], 0.3, observer=place)
    dm = lambda field, place: float(synax.DispersionMeasure(field)(rays(place))[0])
    with pytest.warns(synax.SynaxWarning, match="stands 200 pc from the Sun") as told:
        off = dm(NE(), DEFAULT)
    place, shift = re.findall(r"observer=(\(.*?\)).*shifted\((\(.*?\))\)", str(told[0].message))[0]
    assert (place, shift) == ("(-8.5, 0.0, 0.0)", "(0.2, 0.0, 0.006)")
    seen = dm(NE(), ast.literal_eval(place))
    assert seen > 60.0 > 20.0 > off  # the clump about the Vela pulsar
    moved = NE().shifted(ast.literal_eval(shift))
    np.testing.assert_allclose(dm(moved, DEFAULT), seen, rtol=1e-9)
    np.testing.assert_allclose(moved.sun, DEFAULT, atol=1e-12)
    near = synax.electrons.distance(moved, 263.55, -2.79, 67.97)
    np.testing.assert_allclose(near, 0.238, atol=0.002)
    turned = NE().rotated((0.0, 0.0, np.pi))
    np.testing.assert_allclose(turned.sun, (8.5, 0.0, 0.0), atol=1e-12)
    with pytest.warns(synax.SynaxWarning, match="stands 200 pc from the Sun"):
        rays = synax.Sightlines.from_lonlat([10.0], [5.0])
        synax.sample_along(NE(), rays, steps=4)


class Globe(AbstractLevelSets):
    """A sphere as a level set, for which everything is known in closed form."""

    radius: jax.Array

    looks: ClassVar[int] = 32
    most: ClassVar[int] = 2

    def ends(self, origin, direction):
        return within_disc(origin, direction, 1.5 * self.radius, 1.5 * self.radius)

    def levels(self, position):
        return (jnp.sum(position**2, 0) - self.radius**2)[None]

    def level(self, which, position):
        return self.levels(position)[0] + 0.0 * which


def test_level_sets_are_met_where_they_are_and_move_with_their_numbers():
    rng = np.random.default_rng(1)
    aim = rng.normal(0, 0.4, (3, 9))
    origin = jnp.asarray(rng.normal(size=(3, 9)) + np.array([[4.0], [0.0], [0.0]]))
    toward = aim - origin
    toward = toward / jnp.linalg.norm(toward, axis=0)
    radius = jnp.asarray(1.7)

    def closed(radius, origin):
        b = jnp.sum(origin * toward, 0)
        root = jnp.sqrt(b * b - jnp.sum(origin**2, 0) + radius**2)
        return jnp.stack([-b - root, -b + root])

    met = lambda radius, origin: Globe(radius).crossings(origin, toward)
    changes = (jnp.asarray(0.3), jnp.asarray(rng.normal(size=(3, 9))))
    got, slope = jax.jit(lambda *x: jax.jvp(met, x, changes))(radius, origin)
    expected, expected_slope = jax.jvp(closed, (radius, origin), changes)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-10)
    assert np.all(np.isinf(Globe(radius).crossings(origin, -toward)))

    def bend(places):
        slope = lambda *x: jax.jvp(places, x, changes)[1]
        return jax.jvp(slope, (radius, origin), changes)[1]

    np.testing.assert_allclose(jax.jit(lambda: bend(met))(), bend(closed), rtol=1e-9)


def test_all_edges_of_the_tubes_of_kst24_are_kept_and_lie_where_a_fine_look_sees_them():
    """The number of edges of 3,072 rays; of some, those seen at 4,000 places."""
    field = synax.magnetic.KST24()
    tubes = next(s for s in field.surfaces() if isinstance(s, AbstractLevelSets))
    rays = synax.Sightlines.healpix(16, field.info.sun)
    origin = jnp.broadcast_to(rays.origin, rays.direction.shape)
    found = np.sort(np.asarray(cut(tubes, origin, rays.direction)), axis=0)
    counts = np.isfinite(found).sum(axis=0)
    assert 12 < counts.max() < tubes.most  # a full list may have lost some
    few = np.argsort(-counts)[:8]
    t = np.linspace(0.0, 25.0, 4001)
    inside = jax.jit(lambda tubes, x: tubes.levels(x) < 0)
    for ray in few:
        x = np.asarray(origin)[:, ray, None] + t * np.asarray(rays.direction)[:, ray, None]
        seen = np.asarray(inside(tubes, x))
        changes = np.nonzero(seen[:, 1:] != seen[:, :-1])
        edges = np.sort(0.5 * (t[changes[1]] + t[changes[1] + 1]))
        assert len(edges) >= counts[ray]
        gap = np.abs(edges[:, None] - found[: counts[ray], ray])
        assert gap.min(axis=0).max() < 0.004  # each that is found is there
        thin = np.diff(edges, prepend=-1.0) < 0.4, np.diff(edges, append=99.0) < 0.4
        assert np.all((gap.min(axis=1) < 0.004) | thin[0] | thin[1])

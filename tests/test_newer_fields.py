"""XH24, Han18, SVT22, Sun10, the Local Bubble, and the random strengths of UF26 and Orlando26.

Finite derivatives at singular places and their agreement with differences are asked of every model
of the catalogue in `test_catalogue.py`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts import (
    check_jumps,
    divergence,
    evaluate,
    norm,
    quick_jit,
    relative_divergence,
)

import synax
from synax._catalogue import models
from synax._constants import FARADAY_CONSTANT
from synax._parameters import set_paths
from synax.cli._build import build_field
from synax.magnetic import (
    SVT22,
    XH24,
    Alves18,
    Han18,
    LocalBubble,
    Orlando26,
    Orlando26Strength,
    Sun08,
    Sun10,
    Sun10b,
    Sun10bStrength,
    UF26Strength,
    XH24Disc,
)

SUN = (-8.5, 0.0, 0.0)  # of the tables
TABLES = {
    ("xh24", "B_halo"): XH24,
    ("xh24", "B_disk_Han18"): Han18,
    ("xh24", "B_disk_XH24"): XH24Disc,
    ("svt22", "B_published"): SVT22,
    ("svt22", "B"): SVT22.imagine,
    ("sun10", "B_Sun10"): Sun10,
    ("sun10", "B_Sun10b"): Sun10b,
    ("sun10", "B_Sun08"): Sun08,
    ("sun10", "rms_Sun10b"): Sun10bStrength,
    ("rand26", "B_Orlando26_regular"): Orlando26,
    ("rand26", "rms_UF26_expDisk"): UF26Strength,
    ("rand26", "rms_UF26_ringDisk"): lambda: UF26Strength("ringDisk"),
    ("rand26", "rms_Orlando26_iso"): Orlando26Strength,
    **{
        ("rand26", f"rms_Orlando26_{part}_{halo}"): functools.partial(Orlando26Strength, part, halo)
        for part in ("ordered", "total")
        for halo in ("4kpc", "10kpc")
    },
    ("local_bubble", "B_SCO"): lambda: LocalBubble(sun=SUN),
    ("local_bubble", "B_SCA"): lambda: LocalBubble(variant="SCA", sun=SUN),
}


@pytest.mark.parametrize(("name", "column"), TABLES, ids=lambda part: part)
def test_table_is_reproduced_and_float32_stays_close(name, column, table):
    model, stored = TABLES[name, column](), table(f"{name}_dev")
    position, expected = jnp.asarray(stored["pos_kpc"].T), stored[column].T
    right = ~stored["edge"] if "edge" in stored else np.full(position.shape[1], True)
    size = np.maximum(norm(expected), 1e-9)
    # on the bubble's inner sphere B goes through 0: there the rounding of the distance shows
    wall = name == "local_bubble"
    floor, allowed = (1e-3 * np.max(size), 1e-11) if wall else (0.0, 1e-13)
    error = norm(np.asarray(evaluate(model, position)) - expected) / np.maximum(size, floor)
    assert np.max(error[right]) < allowed
    # float32 moves points across edges, and the wall of the bubble by 1e-5 of its thickness
    low = jax.tree.map(lambda leaf: leaf.astype("float32"), model)
    value = np.asarray(evaluate(low, position.astype("float32")))
    assert value.dtype == np.float32
    error = (norm(value - expected) / size)[size > 1e-9]
    thin = 100.0 if wall else 1.0
    assert np.median(error) < 1e-6 * thin
    assert np.quantile(error, 0.85) < 3e-5 * thin


def test_alves18_directions_distances_and_normals(table):
    stored = table("local_bubble_dev")
    lon, lat = np.radians(stored["alves18_lon_deg"]), np.radians(stored["alves18_lat_deg"])
    direction = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    shell, direction = Alves18(), jnp.asarray(direction)
    seen = shell(direction)
    np.testing.assert_allclose(seen.T, stored["alves18_direction"], atol=5e-15)
    np.testing.assert_allclose(
        shell.distance(direction), stored["alves18_distance_kpc"], rtol=1e-13
    )
    np.testing.assert_allclose(shell.normal(direction).T, stored["alves18_normal"], atol=5e-15)
    np.testing.assert_allclose(jnp.sum(seen * shell.normal(direction), axis=0), 0.0, atol=1e-14)


# each model, where its rays start (kpc), how long they are, and the jumps that must be found
RAYS = {
    "XH24": (XH24(), (-8.3, 0.0, 0.006), 40.0, 8),
    "Han18": (Han18(), (-9.5, -2.0, -0.06), 30.0, 60),
    "XH24Disc": (XH24Disc(), (-9.5, -2.0, -0.06), 36.0, 60),
    "Sun10": (Sun10(), (-8.3, 0.0, 0.006), 20.0, 16),
    "Orlando26Strength": (Orlando26Strength("ordered"), (-8.3, 0.0, 0.006), 40.0, 2),
    "LocalBubble": (LocalBubble(XH24Disc(), "SCA"), (-8.3, 0.0, 0.006), 0.6, 20),
}


@pytest.mark.parametrize("name", RAYS)
def test_every_jump_lies_on_a_named_surface(name):
    model, start, length, expected = RAYS[name]
    rng = np.random.default_rng(4)
    direction = rng.normal(size=(3, 40)) * np.array([1.0, 1.0, 0.1])[:, None]
    if "Disc" in name or name == "Han18":  # half of them across the seam
        across = np.stack([rng.uniform(-10.5, -10.18, 20), np.zeros(20), rng.normal(0, 0.1, 20)])
        direction[:, :20] = across - np.array(start)[:, None]
    origin = np.tile(np.array(start)[:, None], (1, 40))
    check_jumps(model, origin, direction, length, expected, 1e-7)


def test_the_seam_of_han18_is_met_between_its_radii_only():
    (seam,) = (s for s in Han18().surfaces() if type(s).__name__ == "Seam")
    origin = jnp.array([[-10.3, -11.0, 3.0, -10.3], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.5]])
    direction = jnp.array([[0.0, 0.0, 0.0, 1.0], [-1.0, -1.0, -1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert seam.crossings(origin, direction).tolist() == [[1.0, jnp.inf, jnp.inf, jnp.inf]]


DIVERGENCE = {  # rms of div B over the rms of B (1/kpc), away from edges
    "XH24": (XH24(), 0.0),
    "SVT22": (SVT22(), 0.0),
    "Han18": (Han18(), 0.014),
    "Sun10": (Sun10(), 0.054),
    "Sun10 halo": (Sun10(disc=False), 0.0),
}


@pytest.mark.parametrize("name", DIVERGENCE)
def test_divergence_is_the_documented_one(name):
    model, documented = DIVERGENCE[name]
    assert abs(relative_divergence(model) - documented) < max(0.2 * documented, 1e-13)


def test_local_bubble_masks_any_outer_field_and_follows_the_sun():
    outer = synax.magnetic.WMAP() + XH24()
    bubble = LocalBubble(outer)
    away = jnp.asarray(np.random.default_rng(1).normal(size=(3, 400)) * 0.25)
    position = away + jnp.array([[-8.3], [0.0], [0.006]])
    alone = evaluate(LocalBubble(), position)
    distance = np.linalg.norm(away - jnp.array([[-0.0248], [-0.0326], [-0.0233]]), axis=0)
    beyond, cavity = distance > 0.2517, distance < 0.2167
    assert beyond.sum() > 50 and cavity.sum() > 40 and (~beyond & ~cavity).sum() > 20
    expected = np.where(beyond, evaluate(outer, position), alone)
    # a component near zero is what cancels of larger ones
    near = 1e-14 * np.abs(expected).max()
    np.testing.assert_allclose(evaluate(bubble, position), expected, rtol=1e-14, atol=near)
    assert np.all(np.asarray(alone)[:, beyond | cavity] == 0)
    moved = LocalBubble(sun=(1.0, 2.0, 3.0))(away + jnp.array([[1.0], [2.0], [3.0]]))
    np.testing.assert_allclose(moved, alone, rtol=1e-9, atol=1e-12)
    assert len(bubble.surfaces()) == 2 + len(outer.surfaces())
    assert isinstance(bubble.prepare(), LocalBubble)


@pytest.mark.parametrize("variant", ["SCO", "SCA"])
def test_swept_field_keeps_flux_everywhere(variant):
    uniform = LocalBubble(variant=variant)
    lon, lat = uniform.longitude, uniform.latitude
    b0 = 3.0 * jnp.array([jnp.cos(lat) * jnp.cos(lon), jnp.cos(lat) * jnp.sin(lon), jnp.sin(lat)])
    e = np.random.default_rng(2).normal(size=(3, 200))
    e = jnp.asarray(e / np.linalg.norm(e, axis=0))
    centre = (uniform.sun + uniform.centre)[:, None]
    shell = centre + e * jnp.asarray(np.random.default_rng(3).uniform(0.218, 0.2516, 200))
    # what a uniform outer field is swept into is what is published
    swept = LocalBubble(synax.magnetic.Uniform(b0), variant, swept=True)
    np.testing.assert_allclose(evaluate(swept, shell), evaluate(uniform, shell), rtol=1e-9)
    # with a field that varies: no divergence in the wall, no jump of the normal part outside it
    tangled = synax.magnetic.ToroidalHalo(z0=0.0, z1=0.2, r0=1.0).shifted((-8.3, 0.3, 0.1))
    swept = LocalBubble(tangled, variant, swept=True)
    div = quick_jit(functools.partial(divergence, swept))
    value, source = div(shell)
    assert jnp.max(jnp.abs(source)) < 1e-11 * jnp.max(norm(np.asarray(value))) / 0.035
    inner, outer = (evaluate(swept, centre + r * e) for r in (0.2517 - 1e-11, 0.2517 + 1e-11))
    across = jnp.sum((outer - inner) * e, axis=0)
    assert jnp.max(jnp.abs(across)) < 1e-8 < jnp.max(norm(np.asarray(outer - inner)))


# seen from the centre of the shell, 47 pc from the Sun
@pytest.mark.filterwarnings("ignore:the observer .* from the Sun of LocalBubble")
def test_local_bubble_adds_the_published_rotation_measure():
    """Along a radius of SCO: int B_r dR = b0 cos (b/w)^2 (w - 2 a ln(b/a) + a w/b)."""
    bubble = LocalBubble()
    a, w = 0.2167, 0.035
    b = a + w
    integral = 3.0 * (b / w) ** 2 * (w - 2 * a * np.log(b / a) + a * w / b)
    assert abs(integral - 0.0376574) < 1e-7
    rays = synax.Sightlines.from_lonlat(
        [73.0, 253.0], [17.0, -17.0], observer=bubble.sun + bubble.centre, distance=[0.5, 0.5]
    )
    measure = synax.RotationMeasure(bubble, synax.electrons.Uniform(0.01), steps=64)(rays)
    expected = FARADAY_CONSTANT * 0.01 * integral
    np.testing.assert_allclose(measure, [-expected, expected], rtol=3e-6)


def test_local_bubble_has_finite_and_right_derivatives():
    bubble = LocalBubble(Orlando26(), "SCA")
    sun, c = bubble.sun, bubble.explosion
    special = jnp.stack([sun + c, sun, sun + bubble.centre, jnp.zeros(3)], axis=1)
    loss = lambda model, x: jnp.sum(model(x) * jnp.array([0.3, -0.7, 1.1])[:, None])
    both = quick_jit(jax.grad(loss, argnums=(0, 1)))
    for leaf in jax.tree.leaves(both(bubble, special)):
        assert np.all(np.isfinite(leaf))
    e = np.random.default_rng(5).normal(size=(3, 30))
    shell = (sun + bubble.centre)[:, None] + jnp.asarray(0.235 * e / np.linalg.norm(e, axis=0))
    exact, along = both(bubble, shell)
    # where the bubble is, as a whole: moving the Sun is moving the points back
    np.testing.assert_allclose(exact.sun, -jnp.sum(along, axis=1), rtol=1e-9)
    for name in ("radius", "thickness", "b0", "longitude", "latitude", "explosion", "centre"):
        value = getattr(bubble, name)
        turn = jnp.ones_like(value)
        up, down = (loss(set_paths(bubble, {name: value + h * turn}), shell) for h in (1e-6, -1e-6))
        np.testing.assert_allclose(
            jnp.sum(getattr(exact, name)), (up - down) / 2e-6, rtol=1e-6, err_msg=name
        )


def test_orlando26_is_one_toroid_with_an_ordered_part():
    position = jnp.asarray(np.random.default_rng(7).uniform(-15, 15, (3, 50)))
    regular = norm(np.asarray(Orlando26()(position)))
    for halo, strength in (("4kpc", 4.3), ("10kpc", 3.2)):
        ordered = Orlando26Strength("ordered", halo)
        np.testing.assert_allclose(
            ordered(position), regular * np.sqrt(float(ordered.striation())), rtol=1e-12
        )
        assert abs(float(ordered.striation()) - ((strength / 0.73) ** 2 - 1.0)) < 1e-12


def test_versions_have_names_of_one_kind():
    of = {entry.name: entry for entry in models("magnetic")}
    assert of["UF26Strength"].variants == ("expDisk", "ringDisk")
    assert of["Orlando26Strength"].variants[:2] == ("isotropic", "ordered_4kpc")
    assert of["SVT22"].variants == ("imagine",)
    assert of["LocalBubble"].variants == ("SCO", "SCA")
    assert of["LocalBubble"].variant("SCA")(XH24()).variant == "SCA"
    assert float(of["Sun10b"].make().b_core) == 0.5 and float(of["Sun08"].make().b_halo) == 10.0
    assert "Alves18" not in of
    build = lambda **part: build_field("magnetic", [part], 0)
    bubble = build(model="LocalBubble.SCA", outer={"model": "Sun10b"}, thickness=0.05)
    assert bubble.variant == "SCA" and float(bubble.thickness) == 0.05
    assert float(bubble.outer.b_core) == 0.5
    swept = build(model="LocalBubble", outer={"model": "XH24"}, swept=True)
    assert swept.swept and swept.b0 is None
    assert float(build(model="SVT22.imagine").b) == 3.72


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: UF26Strength("ring"), ["variant", "'expDisk'", "'ringDisk'", "'ring'"]),
        (lambda: UF26Strength(b_g=2.0), ["expDisk", "b_g"]),
        (lambda: Orlando26Strength("striated"), ["part", "'ordered'", "'striated'"]),
        (lambda: Orlando26Strength("total", "6kpc"), ["halo", "'10kpc'", "'6kpc'"]),
        (lambda: Orlando26Strength(b_ordered=2.0), ["isotropic", "b_ordered"]),
        (lambda: Orlando26Strength("total", b_ordered=0.5), ["b_ordered", "0.73", "0.5"]),
        (lambda: Orlando26Strength().striation(), ["isotropic"]),
        (lambda: Han18(b_zones=(1.0, 2.0)), ["r_zones", "b_zones", "8"]),
        (lambda: LocalBubble(variant="DCO"), ["variant", "'SCO'", "'DCO'"]),
        (lambda: LocalBubble(explosion=(0.5, 0.0, 0.0)), ["explosion", "0.5", "0.2167"]),
        (lambda: LocalBubble(thickness=0.0), ["thickness", "0"]),
        (lambda: LocalBubble(swept=True), ["swept", "outer"]),
        (lambda: LocalBubble(XH24(), swept=True, b0=2.0), ["swept", "b0"]),
    ],
)
def test_wrong_arguments_are_answered_with_what_is_allowed(make, words):
    with pytest.raises(ValueError) as error:
        make()
    assert all(word in str(error.value) for word in words), str(error.value)


def test_outer_field_must_be_a_vector_field():
    with pytest.raises(TypeError, match="outer"):
        LocalBubble(Sun10bStrength())

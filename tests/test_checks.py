"""One gate for arguments: every bad one is refused, or warned of, in a sentence that names it."""

import dataclasses
from pathlib import Path
from typing import Any

import astropy.units as u
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from astropy.table import Column
from hypothesis import given, settings, strategies as st

import synax
from synax._checks import memory_limit, random_key
from synax.inference._priors import as_prior
from synax.random_fields import Matern
from synax.simulators._checked import check_call, check_simulator

B, NE, CR = synax.magnetic.WMAP(), synax.electrons.Uniform(0.03), synax.cosmic_rays.WMAP()
BOX = synax.Box((1.0, 1.0, 1.0))
FEW = synax.Sightlines.from_lonlat([10.0, 200.0], [0.0, 30.0])
healpix, parallel = synax.Sightlines.healpix, synax.Sightlines.parallel
NAN = float("nan")


def on_grid(shape):
    return synax.GaussianField.on_grid(BOX, shape, Matern(), key=jax.random.key(0))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: synax.magnetic.WMAP(b0=3 * u.kpc), ValueError, "b0 must be in uG.*'kpc'"),
        (lambda: synax.magnetic.WMAP(b0="3"), TypeError, "b0 must be a number"),
        (lambda: synax.magnetic.WMAP(b0=True), TypeError, "b0 must be a number"),
        (lambda: synax.magnetic.WMAP(psi0=NAN), ValueError, "psi0 must be finite"),
        (lambda: synax.magnetic.WMAP(b0=1j), TypeError, "b0 must be real"),
        (lambda: synax.magnetic.WMAP(b0=jnp.asarray(1j)), TypeError, "b0 must be real"),
        (lambda: synax.magnetic.WMAP(b0=[[1.0, 2.0], [3.0]]), ValueError, "b0 must be an array"),
        (
            lambda: synax.magnetic.WMAP(b0=np.ma.array([1.0, 2.0], mask=[0, 1])),
            ValueError,
            "b0 has 1 missing",
        ),
        (lambda: synax.magnetic.Uniform((1.0, 2.0)), ValueError, r"vector must have shape \(3,\)"),
        (lambda: synax.magnetic.WMAP(b0=[1.0, 2.0]), ValueError, "b0 must be one number in uG"),
        (lambda: B.rotated((1.0, 2.0)), ValueError, r"rotation_vector must have shape \(3,\)"),
        (lambda: B.shifted(1.0), ValueError, r"offset must have shape \(3,\)"),
        (lambda: synax.cosmic_rays.WMAP(spectral_index=1 / 3), ValueError, "spectral_index must"),
        (lambda: synax.cosmic_rays.Uniform(1.0, spectral_index=-2), ValueError, "spectral_index"),
        (lambda: synax.cosmic_rays.Analytic(alpha=0.2), ValueError, "alpha must be greater than"),
        (lambda: B(np.ones((10, 3))), ValueError, r"position must have.*\(10, 3\).*moveaxis"),
        (lambda: B(np.ones(3) * u.uG), ValueError, "position must be in kpc"),
        (lambda: B + NE, TypeError, r"WMAP \(vector\), Uniform \(scalar\)"),
        (lambda: B * B, TypeError, "factor of a field must be a scalar field"),
        (lambda: NE.permuted(0, 2, 1), TypeError, "must be a vector field"),
        (lambda: synax.Box((1.0, NAN, 1.0)), ValueError, "half_lengths must be finite"),
        (lambda: synax.Box((1.0, -1.0, 1.0)), ValueError, "half_lengths must be positive"),
        (lambda: synax.Sphere(0.0), ValueError, "radius must be positive"),
        (lambda: healpix(2, observer=(NAN, 0, 0)), ValueError, "observer must be finite"),
        (lambda: healpix(2, observer=(8, 0, 0) * u.uG), ValueError, "observer must be in kpc"),
        (lambda: healpix(2.5), ValueError, "nside must be a positive integer"),
        (lambda: healpix(2, mask=np.zeros(48, bool)), ValueError, "mask must be True somewhere"),
        (lambda: healpix(2, pixels=[3, 5, 3]), ValueError, "3 stands there twice"),
        (lambda: healpix(2, minimum_distance=-1.0), ValueError, "minimum_distance must be finite"),
        (lambda: healpix(2**24), ValueError, r"nside = 16777216.*GB of memory"),
        (lambda: synax.Sightlines.from_lonlat([], []), ValueError, "l must have at least one"),
        (
            lambda: synax.Sightlines.from_lonlat([1.0, 2.0], [0.0, 0.0], distance=[1.0] * 3),
            ValueError,
            "distance must be one number or one for each of 2",
        ),
        (lambda: parallel((2, 2), (9, 9), distance=0), ValueError, "more than 5"),
        (lambda: parallel((2, 2), (9, 9), inclination=NAN), ValueError, "inclination must be fin"),
        (lambda: parallel((2.5, 2), (9, 9)), ValueError, "shape must be"),
        (lambda: FEW.take([5]), ValueError, r"numbers must lie in 0..1, got 5 to 5"),
        (lambda: FEW.take([-1]), ValueError, "numbers must lie in 0..1"),
        (lambda: FEW.take([0.0]), ValueError, "numbers must be integers, got float64"),
        (lambda: FEW.take([True, False]), ValueError, "numbers must be integers, got bool"),
        (lambda: FEW.take([]), ValueError, "numbers must be"),
        (lambda: FEW.sharded("gpu"), TypeError, "devices must be a list of JAX devices.*'gpu'"),
        (lambda: synax.GradedSteps(4, scale=0.0), ValueError, "scale must be positive"),
        (lambda: synax.GradedSteps(4, scale=NAN), ValueError, "scale must be positive and fin"),
        (lambda: synax.GradedSteps(4, scale=1 * u.uG), ValueError, "scale must be in kpc"),
        (lambda: synax.UniformSteps(True), ValueError, "n must be a positive integer"),
        (lambda: synax.MaximumStep(-1.0), ValueError, "length must be positive"),
        (lambda: on_grid((100_000,) * 3), ValueError, "shape = .*GB of memory"),
        (lambda: on_grid((4.7, 4, 4)), ValueError, "shape must be three"),
        (
            lambda: synax.GridField(np.full((2, 2, 2), NAN), BOX),
            ValueError,
            "values must be finite.*8 of 8",
        ),
        (lambda: synax.GridField(np.ones((2, 2, 2)) * u.kpc, BOX), ValueError, "values must be in"),
        (lambda: synax.GridField(np.ones((2, 2, 2), complex), BOX), TypeError, "values must be"),
        (
            lambda: synax.GridField(np.ones((2, 2, 2)), BOX).to_unit("uG"),
            ValueError,
            "'cm-3' to 'uG'",
        ),
        (lambda: synax.RotationMeasure(B, CR), TypeError, "electrons must be a density"),
        (lambda: synax.RotationMeasure(NE, NE), TypeError, "magnetic must be a vector field"),
        (lambda: synax.DispersionMeasure(B), TypeError, "electrons must be a scalar field"),
        (
            lambda: synax.RotationMeasure(
                0.5 * synax.GridField(np.ones((3, 2, 2, 2)), BOX, unit="G"), NE
            ),
            ValueError,
            r"magnetic.field must be in uG.*'G'.*to_unit\('uG'\)",
        ),
        (lambda: synax.Synchrotron(B, NE, CR, steps=2.0), ValueError, "steps: n must be"),
        (lambda: synax.Synchrotron(B, NE, CR, precision="half"), ValueError, "precision must be"),
        (lambda: synax.Synchrotron(B, NE, CR, precision=int), ValueError, "precision must be"),
        (lambda: synax.Synchrotron(B, NE, CR, background=-1.0), ValueError, "temperature must be"),
        (lambda: synax.EmissionMeasure(NE, filling_factor=0.0), ValueError, "filling_factor must"),
        (
            lambda: check_call(synax.Synchrotron(B, NE, CR), 5),
            TypeError,
            "rays must be synax.Sight",
        ),
        (lambda: synax.Synchrotron(B, NE, CR)(FEW, NAN), ValueError, "frequency must be positive"),
        (lambda: synax.Synchrotron(B, NE, CR)(FEW, []), ValueError, "frequency must be a number"),
        (
            lambda: synax.Synchrotron(
                B,
                NE,
                synax.cosmic_rays.PowerLaw(NE, synax.cosmic_rays.LinearIndex(3.0, 0.2)),
            )(FEW, 2.4),
            ValueError,
            "spectral_index must be greater than 1/3",
        ),
    ],
)
def test_refused_by_name(make, error, words):
    with pytest.raises(error, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


@dataclasses.dataclass
class Loose:
    """The arguments of a simulator, without the type checks that the suite adds."""

    electrons: Any = NE
    cosmic_rays: Any = CR


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"electrons": CR, "cosmic_rays": NE}, "electrons must be a density"),
        ({"electrons": 5}, "electrons must be a scalar field"),
        ({"cosmic_rays": NE}, "cosmic_rays must be a model of cosmic-ray electrons"),
    ],
)
def test_simulators_refuse_by_name(changes, words):
    check_simulator(Loose())
    with pytest.raises((TypeError, ValueError), match=words):
        check_simulator(Loose(**changes))


class Flat(synax.AbstractVectorField):
    """A user's field that forgets its other components."""

    b0: jax.Array = synax.parameter(1.0, "uG", "strength")

    def __call__(self, position):
        return self.b0 * position[0]


def test_a_field_must_answer_in_its_declared_rank():
    assert Flat().rank == "vector" and NE.rank == "scalar" and (B + B).rank == "vector"
    assert (2.0 * NE).rotated((0, 0, 1.0)).shifted((1.0, 0, 0)).inside(BOX).rank == "scalar"
    with pytest.raises(TypeError, match=r"Flat is a vector field.*shape \(3, 4\), not \(4,\)"):
        Flat()(np.ones((3, 4)))


class Answering(synax.AbstractVectorField):
    """Gives what a function makes of the position, and names what it is given."""

    answer: Any = eqx.field(static=True)
    named: Any = ()

    def __call__(self, position):
        return self.answer(position)

    def surfaces(self):
        return self.named


@pytest.mark.parametrize(
    "answer, words",
    [
        (tuple, r"not tuple: give jnp\.stack of the components"),
        (lambda x: None, "real numbers when it is called, not NoneType"),
        (lambda x: x + 0j, "not complex"),
    ],
)
def test_a_field_must_answer_with_real_numbers(answer, words):
    with pytest.raises(TypeError, match=f"Answering must give an array of.*{words}"):
        Answering(answer)(jnp.ones((3, 4)))


def test_whole_numbers_and_switches_of_a_field_are_numbers():
    counted = Answering(lambda x: (x > 1).astype(int)) + Answering(lambda x: x > 1)
    points = np.array([[0.0, 2.0], [3.0, 0.5], [4.0, 5.0]])
    assert counted(points).dtype == points.dtype
    np.testing.assert_array_equal(counted(points), 2.0 * (points > 1))


@pytest.mark.parametrize(
    "named, words",
    [(None, "got NoneType"), (synax.Sphere(2.0), "got Sphere$"), ((2.0,), "got float in it")],
)
def test_surfaces_of_a_field_are_a_tuple_of_surfaces(named, words):
    with pytest.raises(TypeError, match=rf"Answering\.surfaces\(\) must give a tuple.*{words}"):
        (2.0 * Answering(lambda x: x, named)).surfaces()
    assert len(Answering(lambda x: x, [synax.Sphere(2.0)]).surfaces()) == 1


def test_what_is_converted():
    near = synax.magnetic.WMAP(b0=0.12 * u.nT)
    np.testing.assert_allclose(near.b0, 1.2)
    points = np.array([[-8.0, 3.0], [1.0, 2.0], [0.1, 0.2]])
    np.testing.assert_allclose(near(points * 1e3 * u.pc), near(points), rtol=1e-14)
    np.testing.assert_allclose(sum([near, near, near])(points), 3 * near(points), rtol=1e-14)
    np.testing.assert_allclose((NE * near)(points), 0.03 * near(points))
    column = Column([100.0, 2000.0], unit="pc")
    rays = synax.Sightlines.from_lonlat(Column([0.1, 0.2], unit="rad"), [0.0, 0.0], column)
    np.testing.assert_allclose(rays.distance, [0.1, 2.0])
    expected = [np.cos(0.1), np.cos(0.2)]
    np.testing.assert_allclose(rays.direction[0], expected)
    for integers in (np.int32(2), jnp.asarray(2), np.asarray(2.0, ">f8"), 2):
        assert jnp.issubdtype(synax.magnetic.WMAP(b0=integers).b0.dtype, jnp.floating)
    assert synax.GradedSteps(np.int64(4), scale=100 * u.pc).n == 4
    np.testing.assert_allclose(synax.GradedSteps(4, scale=100 * u.pc).scale, 0.1)
    assert not jax.tree.leaves(synax.GradedSteps(4))  # cells are no parameters of a model
    grid = synax.GridField(np.ones((3, 2, 2, 2)), BOX, unit="G").to_unit("uG")
    np.testing.assert_allclose(grid.values, 1e6, rtol=1e-14)


def test_doubtful_geometry_is_warned_of_with_numbers():
    with pytest.warns(synax.SynaxWarning, match=r"observer \(0, 0, 30\) kpc .* 4 of 48"):
        healpix(2, observer=(0, 0, 30))
    with pytest.warns(synax.SynaxWarning, match="12 of 12 sightlines end before they start at min"):
        healpix(1, minimum_distance=1e6)
    with pytest.warns(synax.SynaxWarning, match="1 of 2 sightlines end before they start"):
        synax.Sightlines.from_lonlat([10.0, 9.0], [0.0, 0.0], [1.0, 3.0], minimum_distance=2.0)
    with pytest.warns(synax.SynaxWarning, match="spans 229 degrees at a distance of 10 kpc"):
        synax.instruments.View(parallel((2, 2), (40.0, 9.0)), 10.0)
    with pytest.warns(synax.SynaxWarning, match="no sightline meets the domain"):
        parallel((1, 1), (1, 1), center=(0, 500, 0))
    cube = synax.GridField(np.ones((2, 2, 2)), synax.Box((10.0, 10.0, 10.0)))
    with pytest.warns(synax.SynaxWarning, match=r"electrons: \d+ % of a grid .*\(10, 10, 10\) kpc"):
        check_call(synax.DispersionMeasure(cube, steps=2), FEW)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: synax.magnetic.WMAP(psi0=x),
        lambda x: synax.magnetic.JF12(pitch=x),
        lambda x: B.rotated([0.0 * x, 0.0 * x, x]),
    ],
)
def test_degrees_given_for_radians_are_warned_of(make):
    with pytest.warns(synax.SynaxWarning, match="is in radians, and .*20.* numpy.radians"):
        make(20.0)
    make(np.radians(20.0))
    make(3.0)
    make(720.0 * u.deg)


def test_the_machine_has_a_limit():
    assert 1e8 < memory_limit() < 1e16


def test_values_being_traced_pass():
    @jax.jit
    def strength(b0):
        return synax.magnetic.WMAP(b0=b0)(jnp.ones(3)).sum()

    assert np.isfinite(jax.grad(strength)(1.0))


def test_data_masks_and_noise_are_checked():
    data = np.zeros((2, 2))
    make = lambda **given: synax.GaussianLikelihood(
        FEW, 2.4, **{"data": data, "sigma": 1.0} | given
    )
    for bad, words in (
        ({"mask": np.zeros((2, 2), bool)}, "mask must be True somewhere"),
        ({"gain": NAN}, "gain must be finite"),
        ({"excess": NAN}, "excess must be finite"),
        ({"sigma": 1e-300}, "sigma must have a square that is neither 0 nor infinite in float64"),
        ({"sigma": 1e300}, "sigma must have a square that is neither 0 nor infinite in float64"),
        ({"data": data + 1j}, "data is complex: give real numbers"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            make(**bad)
    with pytest.raises(TypeError, match=r"rays must be synax\.Sightlines, got list"):
        synax.GaussianLikelihood([FEW], 2.4, data, 1.0)
    with pytest.raises(ValueError, match="dof must be positive"):
        synax.StudentTLikelihood(FEW, 2.4, data, 1.0, dof=0.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: synax.electrons.Uniform(-1.0), "value must be finite and at least 0"),
        (lambda: synax.electrons.TwoDisc(h1=0.0), "h1 must be positive"),
        (lambda: synax.cosmic_rays.WMAP(r0=-5.0), "r0 must be positive"),
        (lambda: synax.cosmic_rays.Uniform(1.0, radius=0.0), "radius must be positive"),
    ],
)
def test_densities_and_scales_are_not_negative(make, words):
    with pytest.raises(ValueError, match=words):
        make()


WITH_BOUNDS = [
    (model, name, bound)
    for model in (NE, CR, synax.electrons.TwoDisc(), synax.magnetic.PT11(), synax.Sphere(4.0))
    for name, field in model.__dataclass_fields__.items()
    for bound in field.metadata.get("bounds", {}).items()
    if bound[1] is not None
]


@given(st.sampled_from(WITH_BOUNDS), st.floats(1e-9, 1e9))
@settings(deadline=None, max_examples=60)
def test_no_number_leaves_its_bounds_by_replace(one, beyond):
    model, name, (kind, limit) = one
    value = limit + beyond if kind == "maximum" else limit - beyond
    with pytest.raises(ValueError, match=f"^parameter '{name}' must be"):
        synax.replace(model, {name: value})
    if kind == "above":
        with pytest.raises(ValueError, match=f"^parameter '{name}' must be"):
            synax.replace(model, {name: limit})


NOT_POSITIVE = st.sampled_from([0.0, -1.0, NAN, -1e-300])
NO_PRIORS = st.one_of(
    st.tuples(st.just(dist.Uniform), st.floats(-9, 9), st.sampled_from([NAN, -9.0, -1e9])),
    st.tuples(st.sampled_from([dist.Normal, dist.LogNormal]), st.just(1.0), NOT_POSITIVE),
    st.tuples(st.sampled_from([dist.Normal, dist.LogNormal]), st.just(NAN), st.just(1.0)),
    st.tuples(st.sampled_from([dist.Gamma, dist.Beta]), NOT_POSITIVE, st.just(1.0)),
    st.tuples(st.just(dist.LogUniform), st.just(2.0), st.sampled_from([NAN, 2.0, 1.0])),
)


@given(NO_PRIORS)
@settings(deadline=None, max_examples=60)
def test_numbers_that_make_no_prior(one):
    make, *numbers = one
    with pytest.raises(ValueError, match=r"^the prior of b0 is no distr|got invalid"):
        as_prior(make(*numbers, validate_args=False), (), "b0")


@pytest.mark.parametrize("key", [0, "0", None, 1.5, np.arange(2)])
def test_random_keys(key):
    for use in (
        lambda: random_key("key", key),
        lambda: synax.magnetic.GaussianRandom(key, BOX, (4, 4, 4)),
        lambda: synax.electrons.GaussianRandom(key, BOX, (4, 4, 4)),
    ):
        with pytest.raises(TypeError, match=r"^key must be a random key"):
            use()
    assert random_key("key", jax.random.PRNGKey(0)).shape == (2,)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: synax.magnetic.JF12(h_disc=1.0), "JF12 has no parameter 'h_disc'; it has b_arms,"),
        (lambda: synax.magnetic.JF12.hammurabi(h_disc=1.0), "did you mean 'h_disk'?"),
        (lambda: synax.magnetic.Sun10(b_disk=1.0), "did you mean 'b_disc'?"),
        (lambda: synax.magnetic.UF23("spur", h_disc=1.0), "did you mean 'h_disk'?"),
        (lambda: synax.cosmic_rays.WMAP(index=3.0), "did you mean 'spectral_index'?"),
        (lambda: synax.electrons.Uniform(0.1, zzz=1), "Uniform has no parameter 'zzz'; it has"),
    ],
)
def test_a_keyword_that_a_model_has_not(make, words):
    with pytest.raises(TypeError) as error:
        make()
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("tree", "values", "error", "words"),
    [
        (B, [("b0", 2.0)], TypeError, r"values must be a dict such as .*, got list"),
        (B, {"b0": None}, TypeError, "parameter 'b0' must be a number.*got None"),
        (B, {"b0": NE}, TypeError, "parameter 'b0' must be a number.*Uniform"),
        (synax.Sphere(2.0), {"radius": -1.0}, ValueError, "radius must be positive"),
        (FEW, {"domain.half_lengths": [1.0, 0.0, 1.0]}, ValueError, "half_lengths must be pos"),
        (synax.RotationMeasure(B, NE), {"magnetic": NE}, TypeError, "magnetic must be a vector"),
        (synax.RotationMeasure(B, NE), {"electrons": B}, TypeError, "electrons must be a scalar"),
        (synax.RotationMeasure(B, NE), {"electrons": CR}, TypeError, "got cosmic rays"),
    ],
)
def test_replace_checks_as_constructors_do(tree, values, error, words):
    with pytest.raises(error, match=words):
        synax.replace(tree, values)


def test_shapes_of_parameters_that_may_be_none():
    with pytest.raises(ValueError, match=r"center must have shape \(3,\) in kpc, got"):
        synax.electrons.Uniform(0.01, radius=1.0, center=(1.0, 2.0))
    with pytest.raises(ValueError, match="radius must be one number in kpc"):
        synax.electrons.Uniform(0.01, radius=[1.0, 2.0])
    with pytest.raises(TypeError, match=r"a path must be a dotted name.*got list"):
        synax.select(B, ["b0"])


def test_jit_that_closes_over_a_simulator():
    sky = synax.Synchrotron(B, NE, CR, steps=synax.MaximumStep(5.0))
    found = jax.jit(lambda frequency: sky(FEW, frequency).I)(2)
    np.testing.assert_allclose(found, sky(FEW, 2.0).I, rtol=1e-12)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pixels_of_any_byte_order(order):
    rays = healpix(2, pixels=np.array([3, 40], f"{order}i4"))
    assert rays.pixels is not None and rays.pixels.dtype == np.int64
    assert rays.pixels.tolist() == [3, 40]
    with pytest.raises(ValueError, match=r"pixels must lie in 0..47 for nside 2, got 48"):
        healpix(2, pixels=np.array([3, 48], f"{order}i2"))


def test_warnings_point_at_the_users_line():
    """Not at a line of equinox or JAX that called us, whoever calls: also from inside of `grad`."""
    sky = synax.Synchrotron(
        synax.magnetic.WMAP(), synax.electrons.Uniform(0.01), synax.cosmic_rays.WMAP(), steps=2
    )
    rays = synax.Sightlines.healpix(1)
    with pytest.warns(synax.SynaxWarning) as told:
        sky(rays, 2300.0)
    assert {Path(one.filename).name for one in told} == {"test_checks.py"}
    from synax.inference._runs import RunWarning, _warn

    with pytest.warns(RunWarning) as told:
        eqx.filter_jit(lambda: _warn("so"))()
    assert Path(told[0].filename).name == "test_checks.py"


def dipping_grid(low, high=1.0):
    values = jnp.full((4, 4, 4), high).at[1:3, 1:3, 1:3].set(low)
    box = synax.Box((5.0, 5.0, 5.0), (-8.3, 0.0, 0.0))
    return synax.GridField(values, box, unit="cm-3")


NEAR = synax.Sightlines.healpix(1, domain=synax.Box((5.0, 5.0, 5.0), (-8.3, 0.0, 0.0)))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("electrons", lambda: synax.DispersionMeasure(dipping_grid(-0.1))),
        ("electrons", lambda: synax.RotationMeasure(B, -1.0 * synax.electrons.YMW16())),
        ("cosmic_rays", lambda: synax.Synchrotron(B, None, -1.0 * CR)),
    ],
)
def test_negative_densities_are_told(name, make):
    sky = make()
    with pytest.warns(synax.SynaxWarning, match=rf"{name} \(.*cannot be negative.* to -\d"):
        sky(NEAR, 23.0) if isinstance(sky, synax.Synchrotron) else sky(NEAR)


@pytest.mark.parametrize("low", [0.0, 0.2, -0.005])
def test_of_densities_that_are_not_negative_nothing_is_told(low):
    """Nor of a swing of less than a hundredth."""
    assert jnp.all(jnp.isfinite(synax.DispersionMeasure(dipping_grid(low))(NEAR)))

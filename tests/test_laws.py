"""Laws of light: closed forms, each against the others, order, adjoints, and a law of one's own."""

import warnings
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from jaxtyping import Array, Float

import synax
from synax.emission import CMB, AbstractProcess, PowerLawBackground
from synax.simulators._engine import Medium, Plan, run
from synax.transfer import (
    AbstractReversibleTransfer,
    AbstractTransfer,
    Cell,
    Coefficients,
    Light,
    Line,
    _march,
)

FREQUENCY = jnp.array([0.3, 1.0])
NOTHING = (None, None, None)


class Smooth(synax.AbstractScalarField):
    """A density without edges."""

    n0: Array

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        return self.n0 * jnp.exp(-0.03 * ((x + 4.0) ** 2 + y * y) - 0.3 * z * z)


class Swirl(synax.AbstractVectorField):
    """A magnetic field without edges."""

    b0: Array

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        x, y, z = position
        return self.b0 * jnp.stack([jnp.cos(0.3 * y), jnp.sin(0.4 * x) + 0.5, 0.3 * z])


@pytest.fixture(scope="module")
def rays():
    l, b = np.array([30.0, 77.0, 141.0, 250.0, 20.0, 300.0]), np.array([2.0, 9, -5, 30, -70, 5])
    return synax.Sightlines.from_lonlat(l, b, domain=synax.Box((12.0, 12.0, 4.0)))


def sky(steps=24, density=0.003, b0=3.0, **kwargs):
    fields = (Swirl(jnp.asarray(b0)), Smooth(jnp.asarray(density)))
    cosmic_rays = synax.cosmic_rays.WMAP(r0=8.0, z0=3.0)
    return synax.Synchrotron(*fields, cosmic_rays, steps=steps, **kwargs)


THERMAL = synax.FreeFree(8000.0, 1e-7)  # thick for so thin a plasma


def test_slabs_in_closed_form(table):
    """Stacks of uniform slabs with absorption, rotation and a background, 1 to 408 MHz."""
    t = table("slab_dev")
    nu = t["nu_MHz"] * 1e-3
    assert np.unique(nu).size == 6
    for k, frequency in enumerate(np.unique(nu)):
        rows = np.flatnonzero(nu == frequency)
        column = lambda name, rows=rows: jnp.asarray(t[name][rows])
        law = synax.Absorbing(jnp.asarray([frequency]))
        path, sums = None, None
        lines = lambda x: Line(x[None], None)
        kappa, p, chi = (column(n) for n in ("kappa_per_kpc", "jP_K_per_kpc", "chi0_rad"))
        j = column("jI_K_per_kpc") + kappa * column("Te_K")
        for s in range(kappa.shape[1]):
            emission = (j[:, s], p[:, s] * jnp.cos(2 * chi[:, s]), p[:, s] * jnp.sin(2 * chi[:, s]))
            there = jnp.arange(kappa.shape[1])[s] < column("n_slabs")
            length = jnp.where(there, column("L_kpc")[:, s], 0.0)
            value = lambda x, there=there: jnp.where(there, x, 0.0)
            coefficients = Coefficients(
                emission=(*(lines(value(e)) for e in emission), None),
                absorption=(lines(value(kappa[:, s])), *NOTHING),
                rotation=Line(value(column("rm_per_kpc")[:, s]), None),
            )
            cell = Cell(length, coefficients)
            path = law.init(cell) if path is None else path
            path, new = law.step(path, cell)
            sums = new if sums is None else jax.tree.map(jnp.add, sums, new)
        law = eqx.tree_at(
            lambda x: x.background, law, column("bg_I_K")[None], is_leaf=lambda x: x is None
        )
        light = law.finish(path, sums)
        i, q, u, _ = light.stokes
        # the table's background is polarised; ours is not, so it is added here
        turn = 2.0 * (
            column("bg_chi_rad") + light.rotation_measure * (0.299792458 / frequency) ** 2
        )
        behind = column("bg_P_K") * jnp.exp(-light.optical_depth[0])
        q, u = q + behind * jnp.cos(turn), u + behind * jnp.sin(turn)
        tolerance = 1e-13 * np.asarray(column("I_K")) * (1.0 + column("faraday_rotation_rad"))
        for ours, name in ((i, "I_K"), (q, "Q_K"), (u, "U_K")):
            assert np.all(np.abs(ours[0] - column(name)) <= 4 * tolerance), (k, name)
        np.testing.assert_allclose(light.optical_depth[0], column("tau"), rtol=1e-13)


def test_laws_agree_where_all_hold(rays):
    thin = sky()(rays, FREQUENCY)
    for law in (synax.Absorbing(), synax.Polarised()):
        other = sky(transfer=law)(rays, FREQUENCY)
        for a, b in zip((thin.I, thin.Q, thin.U), (other.I, other.Q, other.U), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-12 * float(jnp.max(jnp.abs(thin.I))))
    absorbing = sky(free_free=THERMAL)(rays, FREQUENCY)
    polarised = sky(free_free=THERMAL, transfer=synax.Polarised())(rays, FREQUENCY)
    for name in "IQU":
        a, b = getattr(absorbing, name), getattr(polarised, name)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * float(jnp.max(jnp.abs(absorbing.I))))


@pytest.mark.parametrize("law", [synax.Absorbing(), synax.Polarised()])
def test_order_four_with_absorption(rays, law):
    counts = np.array([16, 32, 64])
    run = lambda n: sky(int(n), free_free=THERMAL, transfer=law)(rays, FREQUENCY)
    exact = run(512)
    errors = [
        max(
            float(jnp.max(jnp.abs(getattr(s, k) - getattr(exact, k))) / jnp.max(exact.I))
            for k in "IQU"
        )
        for s in map(run, counts)
    ]
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] > 3.6, errors


def test_a_thick_thermal_slab_shines_with_its_temperature(rays):
    """Whatever the cells: source function times 1 - exp(-tau), also where a cell is opaque."""
    hot = synax.FreeFree(7000.0, 1e-3)
    dark = synax.cosmic_rays.Uniform(1e-30)
    for steps in (3, 40):
        fields = (Swirl(jnp.asarray(3.0)), Smooth(jnp.asarray(0.5)))
        seen = synax.Synchrotron(*fields, dark, free_free=hot, steps=steps).observe(rays, 0.02)
        assert float(seen.optical_depth.max()) > 100
        ratio = seen.stokes.I / 7000.0
        assert float(ratio.min()) > 0
        expected = -np.expm1(-np.asarray(seen.optical_depth))
        np.testing.assert_allclose(ratio, expected, rtol=0.05 if steps == 3 else 1e-3)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    density=st.floats(1e-4, 3.0),
    temperature=st.floats(3e3, 2e4),
    frequency=st.floats(0.002, 2.0),
)
def test_gas_shines_with_its_temperature_at_any_depth(density, temperature, frequency):
    """T (1 - exp(-tau)) for one temperature and any density: Planck's law for h nu << k T."""
    l, b = np.array([30.0, 77.0, 141.0, 250.0, 20.0, 300.0]), np.array([2.0, 9, -5, 30, -70, 5])
    rays = synax.Sightlines.from_lonlat(l, b, domain=synax.Box((12.0, 12.0, 4.0)))
    fields = (Swirl(jnp.asarray(3.0)), Smooth(jnp.asarray(density)))
    gas = synax.FreeFree(temperature, 1e-3)
    dark = synax.cosmic_rays.Uniform(1e-30)
    seen = synax.Synchrotron(*fields, dark, free_free=gas, steps=40).observe(rays, frequency)
    tau = np.asarray(seen.optical_depth)
    np.testing.assert_allclose(seen.stokes.I, -temperature * np.expm1(-tau), rtol=3e-3)


@pytest.mark.filterwarnings("ignore::synax.SynaxWarning")  # of free-free where it is left out
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    density=st.floats(1e-4, 0.1),
    b0=st.floats(0.1, 30.0),
    filling=st.floats(-7.0, 0.0),
    frequency=st.floats(-3.0, 2.0),
)
def test_light_is_never_more_than_polarised(density, b0, filling, frequency):
    """I >= sqrt(Q^2 + U^2 + V^2) under each law, 1 MHz to 100 GHz, thin and thick."""
    l, b = np.array([30.0, 77.0, 141.0, 250.0, 20.0, 300.0]), np.array([2.0, 9, -5, 30, -70, 5])
    rays = synax.Sightlines.from_lonlat(l, b, domain=synax.Box((12.0, 12.0, 4.0)))
    nu = jnp.asarray([10.0**frequency, 1.3 * 10.0**frequency])
    gas = synax.FreeFree(8000.0, 10.0**filling)
    seen = []
    for options in ({}, {"free_free": gas}, {"free_free": gas, "transfer": synax.Polarised()}):
        seen.append(sky(24, density, b0, **options)(rays, nu))
    seen.append(sky(24, density, b0, self_absorption=True).observe(rays, nu[0]).stokes)
    for s in seen:
        polarised = s.Q**2 + s.U**2 + (0.0 if s.V is None else s.V**2)
        assert float(jnp.min(s.I)) > 0
        assert np.all(np.asarray(polarised <= (s.I * (1 + 1e-12)) ** 2))


def test_any_spectrum_emits(rays):
    """A power law cut off far away equals the power law; a scaled one stays one."""
    model = sky()
    power_law = 2.0 * model.cosmic_rays
    wide = synax.cosmic_rays.CutOffPowerLaw(
        power_law, index=3.0, gamma_cut=1e14, gamma_min=1.0, gamma_max=1e9
    )
    change = lambda cosmic_rays: eqx.tree_at(lambda s: s.cosmic_rays, model, cosmic_rays)
    exact, table = (change(c)(rays, FREQUENCY) for c in (power_law, wide))
    np.testing.assert_allclose(exact.I, 2.0 * model(rays, FREQUENCY).I, rtol=1e-12)
    for name in "IQU":
        a, b = getattr(exact, name), getattr(table, name)
        np.testing.assert_allclose(a, b, rtol=0, atol=3e-6 * float(jnp.max(jnp.abs(exact.I))))


@pytest.mark.filterwarnings("ignore::synax.SynaxWarning")  # of all else left out at 20 kHz
def test_self_absorption_and_circular_polarisation(rays):
    """Weak at 1 GHz, where V is that of the optically thin emissivity; strong at 20 kHz."""
    model = sky(24, self_absorption=True)
    seen = model.observe(rays, 1.0)
    thin = sky(24)(rays, 1.0)
    np.testing.assert_allclose(seen.stokes.I, thin.I, rtol=1e-9)
    ratio = jnp.max(jnp.abs(seen.stokes.V)) / jnp.max(seen.stokes.I)
    assert 1e-5 < float(ratio) < 1e-2
    reversed_field = eqx.tree_at(lambda s: s.magnetic.b0, model, -model.magnetic.b0)
    opposite = reversed_field(rays, 1.0)
    # but for what conversion makes of U
    np.testing.assert_allclose(opposite.V, -seen.stokes.V, rtol=1e-3, atol=1e-12)
    thick, bare = (m.observe(rays, 2e-5) for m in (model, sky(24)))
    assert float(thick.optical_depth.max()) > 1.0
    assert float(jnp.max(thick.stokes.I / bare.stokes.I)) < 1.0


@pytest.mark.parametrize(
    "kwargs",
    [
        {
            "turbulence": synax.Turbulence(2.0, 0.4),
            "free_free": THERMAL,
            "background": CMB() + PowerLawBackground(),
        },
        {"free_free": THERMAL, "background": np.linspace(4.0, 5.0, 6), "self_absorption": True},
    ],
)
def test_adjoints_agree(rays, kwargs):
    def loss(sky, frequency):
        s = sky(rays, frequency)
        return jnp.sum(s.Q * jnp.arange(6.0)) + 2.0 * jnp.sum(s.U) + 1e-3 * jnp.sum(s.I)

    def gradients(adjoint, block):
        model = sky(7, block=block, **kwargs).integrate_with(adjoint=adjoint)
        free, fixed = eqx.partition((model, FREQUENCY), eqx.is_inexact_array)
        return jax.jit(jax.grad(lambda f: loss(*eqx.combine(f, fixed))))(free)

    # the plain one in one block, so that ours is right over several, too
    ours = gradients(synax.ReversibleAdjoint(), 4)
    plain = gradients(synax.DirectAdjoint(), 6)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9 * float(jnp.max(jnp.abs(b))))


def test_near_and_far_halves_compose(rays):
    model = sky(64, free_free=THERMAL, background=CMB())
    whole = model(rays, FREQUENCY)
    law = model.law(FREQUENCY)
    middle = 6.0
    near = eqx.tree_at(lambda r: r.distance, rays, jnp.full(6, middle), is_leaf=lambda x: x is None)
    far = eqx.tree_at(lambda r: r.minimum_distance, rays, jnp.asarray(middle))

    def light(part):
        seen = model.observe(part, FREQUENCY)
        s = seen.stokes
        return Light((s.I, s.Q, s.U, None), (), seen.rotation_measure, seen.optical_depth)

    joined = law.compose(light(near), light(far)).stokes
    for k, name in enumerate("IQU"):
        scale = float(jnp.max(whole.I))
        np.testing.assert_allclose(joined[k], getattr(whole, name), rtol=0, atol=2e-4 * scale)


def test_composition_in_numbers():
    """The far light dimmed, depolarised and turned by the near part; columns add; once behind."""
    nu, kelvin = jnp.array([0.3, 1.0]), 2.7
    one = lambda *x: jnp.asarray(x)[:, None]
    near = Light((one(5.0, 2.0), one(1.0, 0.3), one(-0.4, 0.2), None), (one(1.0),),
                 jnp.array([3.0]), one(0.2, 0.01), jnp.array([0.02]))  # fmt: skip
    far = Light((one(7.0, 1.0), one(-2.0, 0.5), one(0.7, 0.1), None), (one(4.0),),
                jnp.array([-8.0]), one(0.4, 0.03), jnp.array([0.05]))  # fmt: skip
    law = synax.Absorbing(nu, background=jnp.full((2, 1), kelvin))
    whole = law.compose(near, far)
    square = (0.299792458 / np.asarray(nu)[:, None]) ** 2
    dim, p = (
        np.exp(-np.array([[0.2], [0.01]])),
        lambda x: np.asarray(x.stokes[1] + 1j * x.stokes[2]),
    )
    i = near.stokes[0] + dim * far.stokes[0] - kelvin * dim
    turned = p(far) * np.exp(2j * square * 3.0 - 2.0 * square**2 * 0.02) * dim
    np.testing.assert_allclose(whole.stokes[0], i, rtol=1e-13)
    np.testing.assert_allclose(p(whole), p(near) + turned, rtol=1e-12)
    assert float(whole.columns[0][0, 0]) == 5.0 and float(whole.rotation_measure[0]) == -5.0
    np.testing.assert_allclose(whole.optical_depth, one(0.6, 0.04))
    np.testing.assert_allclose(whole.dispersion, 0.07)


def test_a_law_refuses_what_it_cannot_carry():
    """When the simulator is made, before anything is traced."""
    with pytest.raises(ValueError, match=r"Thin\(\) cannot carry absorption; use .*Absorbing\(\)"):
        sky(free_free=THERMAL, transfer=synax.Thin())
    for law, physics, missing, other in (
        (synax.Thin(), {"self_absorption": True}, "absorption", "Polarised"),
        (synax.Absorbing(), {"self_absorption": True}, "conversion", "Polarised"),
        (synax.Thin(), {"turbulence": synax.Turbulence(1.0)}, "dispersion", "Absorbing"),
    ):
        name = type(law).__name__
        match = rf"{name}\(\) cannot carry .*{missing}.*use transfer=.*{other}\(\)"
        with pytest.raises(ValueError, match=match):
            sky(transfer=law, **physics)
    with pytest.raises(ValueError, match="Faraday dispersion"):
        sky(turbulence=synax.Turbulence(1.0), transfer=synax.Polarised())
    with pytest.raises(ValueError, match=r"Faraday dispersion.*leave out one of the two"):
        sky(turbulence=synax.Turbulence(1.0), self_absorption=True)
    with pytest.raises(TypeError, match="transfer must be"):
        sky(transfer="thin")
    with pytest.raises(ValueError, match="filling_factor"):
        synax.FreeFree(8000.0, 1.5)
    with pytest.raises(ValueError, match="free_free needs electrons"):
        synax.Synchrotron(
            Swirl(jnp.asarray(1.0)), None, synax.cosmic_rays.WMAP(), free_free=THERMAL
        )


class Clumps(AbstractProcess):
    """A process of one's own: emission as the square of the density."""

    def __call__(self, plasma, frequency):
        return Coefficients(emission=((plasma.density**2)[None], *NOTHING))


class Power(AbstractProcess):
    """With a leaf that is no array: the square of the density if it is whole, else the cube."""

    power: Any

    def __call__(self, plasma, frequency):
        power = 2 if isinstance(self.power, int) else 3
        return Coefficients(emission=((plasma.density**power)[None], *NOTHING))


class Distance(AbstractReversibleTransfer):
    """A law of one's own: emission weighted with the distance it has come, int s j ds."""

    frequency: Array | None = None
    inward: ClassVar[bool] = False

    def check(self, coefficients):
        pass

    def init(self, cell):
        return jnp.zeros(cell.length.shape)

    def step(self, path, cell):
        j, length = cell.lines.emission[0], cell.length
        middle = path + 0.5 * length
        return path + length, length * (j.mean * middle + j.slope * length / 12.0)

    def undo(self, path, cell):
        return path - cell.length

    def finish(self, path, sums):
        return Light((sums, *NOTHING))

    def compose(self, near, far):
        raise NotImplementedError


def test_a_law_and_a_process_of_ones_own():
    """In a uniform sphere about the observer: n^2 R^2 / 2 and its derivative."""
    rays = synax.Sightlines.from_lonlat([10.0, 200.0], [3.0, -40.0], domain=synax.Sphere(20.0))

    def mean(n):
        model = synax.DispersionMeasure(
            synax.electrons.Uniform(n, radius=4.0, center=rays.observer)
        )
        medium = Medium(None, model.electrons, (Clumps(),))
        return jnp.mean(run(model, Plan((0,)), medium, Distance(), rays).stokes[0])

    value, slope = jax.jit(jax.value_and_grad(mean))(jnp.asarray(0.3))
    np.testing.assert_allclose(value, 0.3**2 * 8.0, rtol=1e-12)
    np.testing.assert_allclose(slope, 2 * 0.3 * 8.0, rtol=1e-12)


def test_numbers_of_other_types_are_other_processes():
    """Though 2 equals 2.0: what is traced once must keep them apart."""
    rays = synax.Sightlines.from_lonlat([10.0], [3.0], domain=synax.Sphere(20.0))
    electrons = synax.electrons.Uniform(jnp.asarray(0.3), radius=4.0, center=rays.observer)
    model = synax.DispersionMeasure(electrons)
    for power, expected in ((2, 0.3**2), (2.0, 0.3**3)):
        medium = Medium(None, electrons, (Power(power),))
        of = lambda medium: run(model, Plan((0,)), medium, Distance(), rays).stokes[0]
        light = eqx.filter_jit(of)(medium)
        np.testing.assert_allclose(light, expected * 8.0, rtol=1e-12)


class Fog(AbstractTransfer):
    """A law that cannot be undone: light at the temperature 1 that absorbs as Clumps emit."""

    frequency: Array | None = None
    inward: ClassVar[bool] = True

    def check(self, coefficients):
        pass

    def init(self, cell):
        return jnp.zeros(cell.length.shape)

    def step(self, path, cell):
        clear = jnp.exp(-cell.length * cell.lines.emission[0].mean[0])
        return path * clear + (1.0 - clear), cell.length

    def finish(self, path, sums):
        return Light((path[None], *NOTHING))


def test_gradients_of_a_law_that_cannot_be_undone_store_all_paths_or_few(monkeypatch):
    """1 - exp(-n^2 R), and its derivative, of a block whose paths fit and of one that is larger."""
    longitude = np.linspace(0.0, 350.0, 256)
    rays = synax.Sightlines.from_lonlat(longitude, 0.1 * longitude, domain=synax.Sphere(20.0))

    def mean(n):
        electrons = synax.electrons.Uniform(n, radius=4.0, center=rays.observer)
        model = synax.DispersionMeasure(electrons, steps=255)
        medium = Medium(None, model.electrons, (Clumps(),))
        return jnp.mean(run(model, Plan((0,)), medium, Fog(), rays).stokes[0])

    stored = []
    for most in (_march.KEPT, 0):
        monkeypatch.setattr(_march, "KEPT", most)
        run_it = jax.jit(jax.value_and_grad(lambda n: mean(n))).lower(jnp.asarray(0.3)).compile()
        value, slope = run_it(jnp.asarray(0.3))
        np.testing.assert_allclose(value, 1.0 - np.exp(-(0.3**2) * 4.0), rtol=1e-12)
        np.testing.assert_allclose(slope, 2 * 0.3 * 4.0 * np.exp(-(0.3**2) * 4.0), rtol=1e-12)
        stored.append(run_it.memory_analysis().temp_size_in_bytes)
    assert stored[1] < 0.5 * stored[0]


def test_physics_left_out_is_told(rays):
    model = sky(4, density=0.3)
    with pytest.warns(synax.SynaxWarning, match=r"optical depth .* free_free=synax.FreeFree"):
        model(rays, 0.05)
    with pytest.warns(synax.SynaxWarning, match="divide .* hertz by 1e9"):
        model(rays, 2.4e9)
    dense = sky(4, density=0.3, free_free=synax.FreeFree())
    with pytest.warns(synax.SynaxWarning, match="Razin"):
        dense(rays, 1e-3)
    dense(rays, 0.2)  # nothing left out: no warning, which would be an error here
    model(rays, 2.4)
    # above 0.3 GHz published models are not looked at, others are
    with pytest.warns(synax.SynaxWarning) as told:
        sky(4, density=8.0)(rays, 0.5)
    assert any("at 0.5 GHz free-free absorption is left out" in str(w.message) for w in told)


def left_out(rays, frequency, magnetic=(0.0, 0.0, 3.0), electrons=0.01, strength=1e-5, **physics):
    """What is told of a uniform sphere."""
    model = synax.Synchrotron(
        synax.magnetic.Uniform(jnp.array(magnetic)),
        None if electrons is None else synax.electrons.Uniform(electrons),
        synax.cosmic_rays.Uniform(strength, spectral_index=2.7),
        steps=2,
        **physics,
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model(rays, frequency)
    return " ".join(str(w.message) for w in told)


def test_each_range_of_validity_has_its_edge():
    rays = synax.Sightlines.from_lonlat([30.0, 200.0], [10.0, -5.0], domain=synax.Sphere(10.0))
    thermal = {"free_free": synax.FreeFree(5000.0)}
    # nu_R = 20 n_e/B_perp = 0.067 MHz: 5 % at 2.3 MHz
    assert "Razin" in left_out(rays, 1.9e-3, **thermal)
    assert left_out(rays, 2.8e-3, **thermal) == ""
    # a_I of a power law of index 3, in 300 microgauss
    strong = {"magnetic": (0.0, 0.0, 300.0), "strength": 1e-2, "electrons": None}
    assert "self_absorption=True" in left_out(rays, 0.02, **strong)
    assert left_out(rays, 0.2, **strong) == ""
    assert left_out(rays, 0.02, self_absorption=True, **strong) == ""
    for temperature, told in ((1500.0, True), (2500.0, False), (3e4, False), (1e6, True)):
        for value in (temperature, synax.electrons.Uniform(temperature)):
            said = left_out(rays, 1.0, free_free=synax.FreeFree(value))
            assert ("Gaunt factor" in said) is told


def test_fields_of_gas_may_vanish_only_where_there_is_none(rays):
    ball = lambda value: synax.electrons.Uniform(value, radius=5.0)
    gas = {"electrons": ball(0.1), "cosmic_rays": synax.cosmic_rays.Uniform(1e-5)}
    thermal = synax.FreeFree(ball(8000.0), ball(0.2))
    model = synax.Synchrotron(synax.magnetic.WMAP(), **gas, free_free=thermal, steps=4)
    plain = eqx.tree_at(lambda m: m.free_free, model, synax.FreeFree(8000.0, 0.2))
    np.testing.assert_allclose(model(rays, 1.0).I, plain(rays, 1.0).I, rtol=1e-12)
    bad = eqx.tree_at(lambda m: m.electrons, model, synax.electrons.Uniform(0.1))
    with pytest.raises(ValueError, match="filling_factor must be positive where there are elec"):
        bad(rays, 1.0)


def test_electrons_known_along_rays_are_looked_at_too(rays):
    model = sky(4, density=0.3)
    with pytest.warns(synax.SynaxWarning, match="optical depth"):
        model.precompute(rays, "electrons")(rays, 0.05)


def test_backgrounds_fit_the_sightlines(rays):
    for count in (2, rays.n_rays + 1):
        with pytest.raises(ValueError, match=f"background must be one number .*, got {count}"):
            sky(4, background=np.ones(count))(rays, 2.4)
    with pytest.raises(ValueError, match=r"temperature must be one number or have shape \(n_rays"):
        sky(4, background=np.ones((2, rays.n_rays)))

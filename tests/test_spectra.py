"""Electrons with any spectrum: kernels, emission, absorption, tables for the march."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import kv

import synax
from synax import cosmic_rays
from synax.emission import (
    ClosedForm,
    DirectSpectrum,
    Plasma,
    SelfAbsorption,
    SpectralGrid,
    SpectralTable,
    SynchrotronEmission,
    Turbulence,
    absorptivity,
    emissivity,
    power_law_coefficients,
    spectral_table,
    synchrotron_kernels,
)
from synax.emission._power_law import EMISSION_FACTOR, X_FACTOR

QUICK = {"xla_backend_optimization_level": "0"}
COLUMNS = ("jTI_K_per_kpc", "jTP_K_per_kpc", "aI_per_kpc", "aP_per_kpc")
HERE = jnp.zeros(3)


class Own(cosmic_rays.AbstractCosmicRays):
    """A user's model: nothing but a spectrum and its range."""

    numbers: jax.Array
    low: jax.Array | float
    high: jax.Array | float

    @property
    def gamma_range(self) -> tuple:
        return self.low, self.high

    def spectrum(self, gamma, position):
        c, p, knee, power = self.numbers[:4]
        gamma = gamma.reshape(gamma.shape + (1,) * (position.ndim - 1))
        return c * gamma**-p * jnp.exp(-((knee / gamma) ** power)) + 0.0 * position[0]


class Thermal(Own):
    """A relativistic Maxwellian: c, -, temperature in m c^2, norm 1 / (temperature K_2)."""

    def spectrum(self, gamma, position):
        c, _, temperature, norm = self.numbers[:4]
        gamma = gamma.reshape(gamma.shape + (1,) * (position.ndim - 1))
        momentum = gamma * jnp.sqrt(gamma**2 - 1.0)
        return c * norm * momentum * jnp.exp(-gamma / temperature) + 0.0 * position[0]


def _model(kind, numbers, table):
    c, p, p2, p3, p4 = numbers[:5]
    if kind == "power":
        return Own(jnp.stack([c, p, 0.0 * c, 1.0 + 0.0 * c]), p2, p3)
    if kind == "broken":
        return cosmic_rays.BrokenPowerLaw(c, p, p3, p2, p4)
    if kind == "sharp_broken":
        return cosmic_rays.BrokenPowerLaw(c, p, p3, p2, None)
    if kind == "expcut":
        return cosmic_rays.CutOffPowerLaw(c, p, p2, p3, gamma_max=1e12)
    if kind == "logpar":
        return cosmic_rays.LogParabola(c, p, p3, p2)
    if kind == "lowcut":
        return Own(numbers, 1.0, 1e9)
    if kind == "maxwell":
        return Thermal(numbers, 1.0, 700.0 * p2)
    if kind == "tab":
        values = jnp.broadcast_to(c * table["tab_N"][:, None, None, None], (60, 2, 2, 2))
        ends = table["tab_gamma"][0], table["tab_gamma"][-1]
        return cosmic_rays.TabulatedSpectrum(values, *ends, synax.Box((1.0, 1.0, 1.0)))
    return cosmic_rays.Uniform(c, p)


@pytest.fixture(scope="module")
def rows(table):
    return table("cr_spectrum_dev")


@pytest.mark.parametrize(
    "kind",
    [
        *("power_wide", "power", "broken", "sharp_broken", "expcut"),
        *("logpar", "lowcut", "maxwell", "tab"),
    ],
)
def test_emission_and_absorption_of_the_table(rows, kind):
    own = rows["kind"] == kind

    @partial(jax.jit, compiler_options=QUICK)
    @jax.vmap
    def coefficients(numbers, b, nu):
        model = _model(kind, numbers, rows)
        return *emissivity(model, HERE, b, nu), *absorptivity(model, HERE, b, nu)

    params = rows["params"][own].copy()
    if kind == "maxwell":
        params[:, 3] = 1.0 / (params[:, 2] * kv(2, 1.0 / params[:, 2]))
    inputs = [jnp.asarray(x) for x in (params, rows["B_uG"][own], rows["nu_GHz"][own])]
    found = np.stack(coefficients(*inputs), axis=1)
    expected = np.stack([rows[k][own] for k in COLUMNS], axis=1)
    seen = expected > 0
    # these are normalised at gamma = 1
    if kind in ("power_wide", "power", "expcut", "lowcut"):
        c, p = inputs[0][:, 0], inputs[0][:, 1]
        power = power_law_coefficients(c, p, *inputs[1:])
        scale = np.stack([*power.emission[:2], *power.absorption[:2]], axis=1)
        seen = expected > 1e-6 * scale
    tolerance = 1e-9 if kind == "power_wide" else 1e-6
    assert np.sum(seen) > 10
    assert np.max(np.abs(found / expected - 1.0)[seen]) < tolerance


def test_kernels(rows):
    x = jnp.asarray(rows["x"])
    f, g, a = synchrotron_kernels(x)
    assert np.max(np.abs(g / rows["G"] - 1.0)) < 1e-12
    assert np.max(np.abs(f / rows["F"] - 1.0)[x < 50]) < 1e-10
    # the table's F is good to 1e-9 only beyond; the asymptotic series is better there
    far = jnp.asarray([200.0, 400.0, 600.0])
    series = 1.0 + 55.0 / (72.0 * far) - 10151.0 / (10368.0 * far**2)
    scaled = synchrotron_kernels(far)[0] / (jnp.sqrt(jnp.pi * far / 2.0) * jnp.exp(-far))
    assert np.max(np.abs(scaled / series - 1.0)) < 3e-7
    # slopes against differences of the values, and their own relation x F' = F - x^2 K_5/3
    some = x[5:-60:9]
    slopes = jax.jit(jax.vmap(jax.jacfwd(synchrotron_kernels)))(some)
    step = 1e-6 * some
    for slope, up, down in zip(
        slopes, synchrotron_kernels(some + step), synchrotron_kernels(some - step), strict=True
    ):
        assert np.allclose(slope, (up - down) / (2.0 * step), rtol=1e-7)
    assert np.allclose(some * slopes[0], (f - a)[5:-60:9], rtol=1e-12)
    none = jnp.asarray(0.0)
    assert np.all(np.isfinite(jax.jit(jax.jacfwd(synchrotron_kernels))(none)))
    assert np.all(np.array(synchrotron_kernels(none)) == 0.0)
    assert synchrotron_kernels(jnp.float32(0.3))[0].dtype == jnp.float32


def _points(n, seed=5):
    rng = np.random.default_rng(seed)
    position = jnp.asarray(rng.uniform(-0.9, 0.9, (3, n)))
    b = jnp.asarray(10.0 ** rng.uniform(-1.5, 1.5, n))
    nu = jnp.asarray(10.0 ** rng.uniform(-2.5, 2.0, n))
    return position, b, nu


@partial(eqx.filter_jit, compiler_options=QUICK)
def _both(model, position, b, nu):
    strategy = spectral_table(model, absorbing=True)
    table = jnp.stack(strategy.coefficients(position, b * b, nu)) * b * b
    direct = jnp.stack([*emissivity(model, position, b, nu), *absorptivity(model, position, b, nu)])
    return strategy, table, direct


@partial(eqx.filter_jit, compiler_options=QUICK)
def apply(function, *arguments):
    """Any module of functions, compiled in little time."""
    return function(*arguments)


MODELS = {
    "broken": (cosmic_rays.BrokenPowerLaw(), 1e-6),
    "cut": (cosmic_rays.CutOffPowerLaw(4e-5, 2.6, 3e5), 2e-6),
    "parabola": (cosmic_rays.LogParabola(), 1e-6),
}


@pytest.mark.parametrize("name", MODELS)
def test_tables_of_uniform_shapes(name):
    model, tolerance = MODELS[name]
    profile = cosmic_rays.WMAP()  # any scalar field will do
    model = eqx.tree_at(lambda m: m.normalisation, model, profile)
    position, b, nu = _points(200)
    strategy, table, direct = _both(model, position, b, nu)
    assert isinstance(strategy, SpectralTable)
    assert np.max(np.abs(table / direct - 1.0)) < tolerance


def test_a_power_law_through_the_table_is_the_closed_form():
    law, wide = (
        cosmic_rays.Uniform(4e-5, 2.8),
        cosmic_rays.CutOffPowerLaw(4e-5, 2.8, 1e40, 1.0, gamma_min=1.0, gamma_max=1e12),
    )
    position, b, nu = _points(100)
    _, table, direct = _both(wide, position, b, nu)
    closed = jnp.stack([*emissivity(law, position, b, nu), *absorptivity(law, position, b, nu)])
    # electrons below gamma = 1 would add to absorption at the lowest x here
    assert np.max(np.abs(direct / closed - 1.0)) < 1e-6
    assert np.max(np.abs(table / closed - 1.0)) < 1e-6


@pytest.fixture(scope="module")
def on_a_grid():
    """A spectrum on a grid of 5 x 4 x 3 nodes."""
    parabola = cosmic_rays.LogParabola(
        normalisation=cosmic_rays.WMAP(r0=5.0, z0=1.0), gamma_min=100.0, gamma_max=1e7
    )
    box = synax.Box((1.0, 1.0, 1.0))
    return cosmic_rays.TabulatedSpectrum.from_spectrum(parabola, box, (5, 4, 3), 40)


def test_tables_on_a_grid(on_a_grid):
    position, b, nu = _points(60)
    strategy, table, direct = _both(on_a_grid, position, b, nu)
    assert isinstance(strategy, SpectralGrid)
    seen = direct > 1e-6 * jnp.max(direct, axis=1, keepdims=True)
    assert np.max(np.abs(table / direct - 1.0)[seen]) < 1e-4
    # on a node nothing is interpolated but the integrals, in ln(nu/B_perp)
    _, table, direct = _both(on_a_grid, jnp.sign(position), b, nu)
    error = np.abs(table / direct - 1.0)
    assert np.max(error[:2]) < 2e-6 and np.max(error) < 1e-5
    outside = jnp.stack(apply(strategy.coefficients, position + 5.0, b * b, nu))
    assert np.all(outside == 0.0)


def test_gradients_reach_the_values_on_a_grid(on_a_grid):
    """By the values, the place and the field: the transpose, the tangent and differences agree."""
    position, b, nu = _points(30)
    rng = np.random.default_rng(3)
    values = on_a_grid.values

    def level(values, position, b):
        model = eqx.tree_at(lambda m: m.values, on_a_grid, values)
        found = spectral_table(model, absorbing=True).coefficients(position, b * b, nu)
        return jnp.log(jnp.stack(found))

    @partial(jax.jit, compiler_options=QUICK)
    def both(point, move, weight):
        up, down = (
            level(*(x + sign * 1e-5 * m for x, m in zip(point, move, strict=True)))
            for sign in (1.0, -1.0)
        )
        value, tangent = jax.jvp(level, point, move)
        pulled = jax.vjp(level, *point)[1](weight)
        return value, tangent, (up - down) / 2e-5, pulled

    point = values, position, b
    move = tuple(x * jnp.asarray(rng.normal(0.0, 1.0, x.shape)) for x in point)
    weight = jnp.asarray(rng.normal(0.0, 1.0, (4, 30)))
    value, tangent, difference, pulled = both(point, move, weight)
    assert np.all(np.isfinite(value))
    assert np.allclose(tangent, difference, rtol=1e-6, atol=1e-7)
    back = sum(jnp.vdot(x, m) for x, m in zip(pulled, move, strict=True))
    assert np.isclose(back, jnp.vdot(weight, tangent), rtol=1e-11)


def test_gradients_where_there_are_no_electrons(on_a_grid):
    """In single precision too, and where the last energies underflow."""
    values = on_a_grid.values.at[:, :2].set(0.0).at[30:].set(0.0).astype(jnp.float32)
    as_single = lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x
    model = jax.tree.map(as_single, on_a_grid)
    position, b, nu = (x.astype(jnp.float32) for x in _points(60))
    square = (b * b).at[0].set(0.0)

    def total(values, position, square):
        table = spectral_table(eqx.tree_at(lambda m: m.values, model, values))
        return jnp.sum(table.coefficients(position, square, nu)[0] * square)

    by_all = jax.value_and_grad(total, argnums=(0, 1, 2))
    value, slopes = jax.jit(by_all, compiler_options=QUICK)(values, position, square)
    assert value > 0.0 and value.dtype == jnp.float32
    assert all(np.all(np.isfinite(x)) and np.any(x != 0.0) for x in slopes)


def test_the_far_end_of_a_sharp_cut():
    """Where the light is 1e-16 of that without the cut, fewer nodes would err by 1e-4."""
    model = cosmic_rays.CutOffPowerLaw(4e-5, 2.6, 3e5, 4.0, gamma_min=1e3, gamma_max=3e6)
    ratio = 100.0 * 3e5**2 / X_FACTOR
    found = emissivity(model, HERE, 1.0, ratio)[0]
    edges = np.geomspace(1e3, 3e6, 401)
    node, weight = np.polynomial.legendre.leggauss(8)
    half = 0.5 * np.diff(np.log(edges))[:, None]
    gamma = np.exp(np.log(edges[:-1])[:, None] + half * (1.0 + node)).ravel()
    spectrum = 4e-5 * gamma**-2.6 * np.exp(-((gamma / 3e5) ** 4.0))
    x = X_FACTOR * ratio / gamma**2
    light = np.asarray(synchrotron_kernels(jnp.asarray(x))[0])
    expected = (
        EMISSION_FACTOR / ratio**2 * np.sum((half * weight).ravel() * gamma * spectrum * light)
    )
    assert np.isclose(found, expected, rtol=3e-6)


def test_gradients_reach_the_spectrum():
    position, b, nu = _points(20)
    model = cosmic_rays.BrokenPowerLaw(1e-17, 2.2, 3.1, 1e4, 0.3)
    names = ("normalisation", "index_below", "index_above", "gamma_break", "width")

    def total(model, b, through):
        if through == "table":
            found = spectral_table(model).coefficients(position, b * b, nu)[0] * b * b
        else:
            found = emissivity(model, position, b, nu)[0]
        return jnp.sum(jnp.log(found))

    jit = partial(jax.jit, static_argnums=2, compiler_options=QUICK)
    value_of, slopes = jit(total), jit(jax.grad(total, argnums=(0, 1)))
    table, direct = (slopes(model, b, way) for way in ("table", "direct"))
    for one, other in zip(jax.tree.leaves(table), jax.tree.leaves(direct), strict=True):
        assert np.allclose(one, other, rtol=2e-5)
    slope = table[0]
    for name in names:
        value = getattr(model, name)
        step = 1e-5 * value
        up, down = (
            value_of(eqx.tree_at(lambda m, n=name: getattr(m, n), model, v), b, "table")
            for v in (value + step, value - step)
        )
        assert np.isclose(getattr(slope, name), (up - down) / (2.0 * step), rtol=1e-6)


def test_parameters_that_are_fields():
    """A field of constant value gives what the number gives, by another road."""
    one = synax.electrons.Uniform(1.0)
    number = cosmic_rays.BrokenPowerLaw(1e-17, 2.2, 3.1)
    fields = cosmic_rays.BrokenPowerLaw(1e-17, 2.2 * one, 3.1 * one)
    assert isinstance(spectral_table(fields), DirectSpectrum)
    position, b, nu = _points(8)
    values = apply(spectral_table(fields).coefficients, position, b * b, nu)
    _, expected, _ = _both(number, position, b, nu)
    assert np.allclose(values[0] * b * b, expected[0], rtol=1e-6)


def _plasma(n_rays, turbulence=None, seed=7):
    rng = np.random.default_rng(seed)
    b_l, b_b, b_away = jnp.asarray(rng.normal(0.0, 3.0, (3, 2, n_rays)))
    position = jnp.asarray(rng.uniform(-5.0, 5.0, (3, 2, n_rays)))
    random = None if turbulence is None else turbulence.unresolved(position)
    return Plasma(b_l, b_b, b_away, jnp.full((2, n_rays), 0.03), position, random)


def test_turbulence_and_any_spectrum():
    """A power law through the table has the means of the closed form; others are near."""
    plasma, frequency = _plasma(5, Turbulence(3.0, 0.5)), jnp.asarray([0.01, 1.0])
    law = cosmic_rays.Uniform(4e-5, 2.7)
    closed = apply(ClosedForm(law, False, False), plasma, frequency)
    wide = cosmic_rays.CutOffPowerLaw(4e-5, 2.7, 1e40, gamma_min=1.0, gamma_max=1e12)
    table = apply(eqx.filter_jit(spectral_table)(wide), plasma, frequency)
    for one, other in zip(table, closed, strict=True):
        assert one.shape == (2, 2, 5) and np.allclose(one, other, rtol=1e-5)
    broken = cosmic_rays.BrokenPowerLaw()
    found = apply(spectral_table(broken), plasma, frequency)
    # by quadrature over the random field
    node, weight = np.polynomial.hermite_e.hermegauss(24)
    weight = weight / np.sum(weight)
    x, y, z = np.meshgrid(node, node, node, indexing="ij")
    w = (weight[:, None, None] * weight[:, None] * weight).ravel()
    boost = 1.0 + np.sqrt(0.5) * z.ravel()
    l, b = (
        np.asarray(plasma_part)[..., None] * boost + np.sqrt(3.0) * part.ravel()
        for plasma_part, part in ((plasma.b_l, x), (plasma.b_b, y))
    )
    alone = spectral_table(broken)
    for k in range(2):
        position = jnp.broadcast_to(plasma.position[..., None], (3, *l.shape))
        square = jnp.asarray(l**2 + b**2)
        j, p = apply(alone.coefficients, position, square, frequency[k])
        assert np.allclose(np.sum(w * j * square, axis=-1), found[0][k], rtol=0.03)
        q = np.sum(w * p * (b**2 - l**2), axis=-1)
        own = plasma.b_b**2 - plasma.b_l**2
        assert np.allclose(q, found[1][k] * own, rtol=0.05, atol=0.01 * np.max(np.abs(q)))


def test_self_absorption_as_a_process():
    plasma, frequency = _plasma(4), jnp.asarray([0.001, 0.01])
    law = cosmic_rays.Uniform(4e-5, 2.7)
    found = apply(SelfAbsorption(law), plasma, frequency)
    square = plasma.b_perp_squared()
    expected = absorptivity(law, plasma.position, jnp.sqrt(square), 0.01)
    assert np.allclose(found.absorption[0][1], expected[0], rtol=1e-12)
    polarised = jnp.hypot(*found.absorption[1:3])[1]
    assert np.allclose(polarised, expected[1], rtol=1e-12)
    # absorbed as it is emitted: the same angle; V follows the field towards the observer
    process = SynchrotronEmission(ClosedForm(law, False, False))
    emitted = apply(process, plasma, frequency).emission
    assert np.allclose(emitted[1] * found.absorption[2], emitted[2] * found.absorption[1])
    assert np.all(jnp.sign(found.emission[3]) == jnp.sign(-plasma.b_away))
    assert np.all(jnp.sign(found.absorption[3]) == jnp.sign(-plasma.b_away))
    assert np.allclose(found.conversion[0] * emitted[2], found.conversion[1] * emitted[1])
    wide = cosmic_rays.CutOffPowerLaw(4e-5, 2.7, 1e40, gamma_min=1.0, gamma_max=1e12)
    table = apply(SelfAbsorption(spectral_table(wide, absorbing=True)), plasma, frequency)
    for one, other in zip(table.absorption[:3], found.absorption[:3], strict=True):
        assert np.allclose(one, other, rtol=1e-4)
    with pytest.raises(ValueError, match="absorbing=True"):
        SelfAbsorption(spectral_table(wide))
    bare = plasma._replace(b_l=0.0 * plasma.b_l, b_b=0.0 * plasma.b_b)
    for value in jax.tree.leaves(apply(SelfAbsorption(law), bare, frequency)):
        assert np.all(np.isfinite(value))


def test_no_field_no_light():
    strategy = apply(partial(spectral_table, absorbing=True), cosmic_rays.BrokenPowerLaw())
    total = lambda b2: sum(strategy.coefficients(HERE, b2, jnp.asarray(1.0)))
    value, slope = jax.jit(jax.value_and_grad(total), compiler_options=QUICK)(jnp.asarray(0.0))
    assert value == 0.0 and np.isfinite(slope)
    assert emissivity(cosmic_rays.BrokenPowerLaw(), HERE, 0.0, 1.0) == (0.0, 0.0)


def test_what_becomes_of_a_population_is_a_population():
    law, position = cosmic_rays.WMAP(), jnp.asarray([[-8.0, 3.0], [0.5, 1.0], [0.1, 0.2]])
    sphere = synax.Sphere(7.0)
    for changed, factor in (
        (2.0 * law, 2.0),
        (law / 4.0, 0.25),
        (-law, -1.0),
        (law.inside(sphere), np.array([0.0, 1.0])),
        (law.shifted((0.0, 0.0, 0.0)), 1.0),
        (law.rotated((0.0, 0.0, 0.0)), 1.0),
        (2.0 * (3.0 * law), 6.0),
    ):
        assert isinstance(changed, cosmic_rays.AbstractPowerLaw)
        assert np.allclose(changed(position), factor * law(position), rtol=1e-12)
    moved = cosmic_rays.Analytic(beta=0.1).shifted((1.0, 0.0, 0.0))
    shift = jnp.asarray([[1.0], [0.0], [0.0]])
    expected = cosmic_rays.Analytic(beta=0.1).index(position - shift)
    assert np.allclose(moved.index(position), expected)
    broken = cosmic_rays.BrokenPowerLaw()
    gamma = jnp.asarray([1e3, 1e5])
    for changed, factor in ((2.0 * broken, 2.0), (broken.inside(sphere), np.array([0.0, 1.0]))):
        assert changed.gamma_range == broken.gamma_range
        expected = factor * broken.spectrum(gamma, position)
        assert np.allclose(changed.spectrum(gamma, position), expected)


def test_the_number_of_electrons():
    """Calling a user's model integrates its spectrum."""
    own = Own(jnp.asarray([2.0, 2.0, 0.0, 1.0]), 10.0, 1e4)
    value = own(jnp.zeros((3, 2)))
    assert np.allclose(value, 2.0 * (1.0 / 10.0 - 1.0 / 1e4) * np.exp(-0.0), rtol=1e-10)


class OneNumber(Own):
    def spectrum(self, gamma, position) -> Any:
        return 1e-5


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match=r"cosmic_rays must be a cosmic-ray model.*Uniform"):
        emissivity(synax.electrons.Uniform(1.0), HERE, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"position must have shape \(3, \.\.\.\)"):
        absorptivity(cosmic_rays.BrokenPowerLaw(), jnp.zeros(2), 1.0, 1.0)
    with pytest.raises(ValueError, match="gamma_range must be two numbers"):
        emissivity(Own(jnp.ones(4), 10.0, 5.0), HERE, 1.0, 1.0)
    with pytest.raises(ValueError, match="gamma_min < gamma_max is needed, got 100"):
        cosmic_rays.LogParabola(gamma_min=100.0, gamma_max=10.0)
    box = synax.Box((1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"gamma_min < gamma_max is needed, got 1\.0, inf"):
        cosmic_rays.TabulatedSpectrum(np.ones((2, 2, 2, 2)), 1.0, np.inf, box)
    with pytest.raises(ValueError, match="values must be finite and at least 0"):
        cosmic_rays.TabulatedSpectrum(-np.ones((2, 2, 2, 2)), 1.0, 10.0, box)
    with pytest.raises(TypeError, match=r"BrokenPowerLaw: gamma_break must be a scalar .*WMAP"):
        cosmic_rays.BrokenPowerLaw(gamma_break=synax.magnetic.WMAP())
    with pytest.raises(ValueError, match=r"OneNumber: spectrum must return one N.*, got \(\)"):
        emissivity(OneNumber(jnp.ones(4), 10.0, 1e6), HERE, 1.0, 1.0)
    power_law = cosmic_rays.Uniform(1.0)
    for give in (emissivity, absorptivity):
        with pytest.raises(ValueError, match=r"do not broadcast.*position \(4,\), b_perp \(5,\)"):
            give(power_law, jnp.zeros((3, 4)), jnp.ones(5), 1.0)
        with pytest.raises(ValueError, match="b_perp must be finite and at least 0"):
            give(power_law, HERE, jnp.array([1.0, -1.0]), 1.0)
        for frequency in (0.0, -1.0, np.nan):
            with pytest.raises(ValueError, match="frequency must be positive and finite"):
                give(cosmic_rays.BrokenPowerLaw(), HERE, 1.0, frequency)


@pytest.mark.parametrize(
    "model, name",
    [
        (cosmic_rays.BrokenPowerLaw, "width"),
        (cosmic_rays.BrokenPowerLaw, "gamma_break"),
        (cosmic_rays.CutOffPowerLaw, "gamma_cut"),
        (cosmic_rays.CutOffPowerLaw, "sharpness"),
        (cosmic_rays.LogParabola, "pivot"),
    ],
)
def test_scales_of_spectra_are_positive(model, name):
    for value in (0.0, -1.0):
        with pytest.raises(ValueError, match=f"{name} must be positive and finite"):
            model(**{name: value})


def test_a_broken_power_law_of_hammurabi(table):
    """Its constants differ by 2e-6 from those here."""
    rows = table("case7b_spectrum_dev")
    model = cosmic_rays.BrokenPowerLaw(1e-17, 2.2, 3.1, 1e4, 0.3, gamma_min=2.0)
    b, nu = (jnp.asarray(rows[k]) for k in ("Bperp_uG", "nu_GHz"))
    position = jnp.zeros((3, len(b)))
    found = apply(partial(emissivity, model), position, b, nu)
    # K (Rayleigh-Jeans) per kpc -> erg s^-1 cm^-3 Hz^-1 sr^-1
    kelvin = 2.0 * 1.380649e-23 * (nu * 1e9) ** 2 / 299792458.0**2 / 3.0856775814913673e19
    for got, name in zip(found, ("j_total_exact", "j_pol_exact"), strict=True):
        assert np.allclose(10.0 * got * kelvin, rows[name], rtol=5e-6)


def test_a_scaled_power_law_in_a_simulator():
    rays = synax.Sightlines.from_lonlat(np.array([30.0, 150.0]), np.array([5.0, -40.0]))
    field, law = synax.magnetic.WMAP(), cosmic_rays.WMAP()
    one, two = (synax.Synchrotron(field, None, cr, steps=16)(rays, 1.0) for cr in (law, 2.0 * law))
    for name in ("I", "Q", "U"):
        assert np.allclose(getattr(two, name), 2.0 * getattr(one, name), rtol=1e-12)


def test_the_tail_of_a_tabulated_spectrum_that_falls_to_nothing():
    """The light beyond the last energy with electrons, down to exp(-60) of the rest."""
    gamma = np.geomspace(1e2, 1e7, 32)
    number = np.where(gamma < 1e5, 1e-5 * gamma**-3.0, 0.0)
    values = jnp.broadcast_to(jnp.asarray(number)[:, None, None, None], (32, 2, 2, 2))
    model = cosmic_rays.TabulatedSpectrum(values, 1e2, 1e7, synax.Box((1.0, 1.0, 1.0)))
    x = np.geomspace(0.01, 60.0, 150)
    nu = jnp.asarray(x * gamma[gamma < 1e5][-1] ** 2 * 3.0 / X_FACTOR)
    _, table, direct = _both(model, jnp.zeros((3, x.size)), jnp.full(x.size, 3.0), nu)
    error = np.abs(np.asarray(table[:2] / direct[:2]) - 1.0)
    assert np.max(error[:, x < 6.0]) < 1e-6
    assert np.max(error) < 1e-4

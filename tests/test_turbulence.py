"""Means of emission over unresolved turbulence: closed forms against the table."""

import warnings
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax._constants import FARADAY_CONSTANT
from synax.emission import (
    correlated_moments,
    integral_scale,
    rotation_variance,
    rotation_variance_rate,
    striated_square,
    turbulent_powers,
)
from synax.emission._turbulence import joint_boost
from synax.emission._turbulence_local import local_powers
from synax.simulators._validity import check_dispersion

pytestmark = pytest.mark.filterwarnings("ignore:.* scatters polarisation angles")


@pytest.fixture(scope="module")
def rows(table):
    return table("turbulence_dev")


def _isotropic(b, sigma, p):
    total, factor = turbulent_powers(b * b, sigma * sigma, p)
    return jnp.stack([total, factor * b * b])


def _striated(b, sigma, p):
    return striated_square(b * b, sigma * sigma, p) ** ((p + 1.0) / 4.0)


def _inputs(rows, kind):
    return [jnp.asarray(rows[f"{kind}_{k}"]) for k in ("p", "b", "sigma")]


def test_isotropic_part(rows):
    p, b, sigma = _inputs(rows, "iso")
    value = _isotropic(b, sigma, p)
    assert np.allclose(value[0], rows["iso_I"], rtol=1e-11, atol=0.0)
    assert np.allclose(value[1], rows["iso_P"], rtol=1e-11, atol=0.0)
    slopes = jax.jit(jax.vmap(jax.jacfwd(_isotropic, argnums=(0, 1, 2))))(b, sigma, p)
    for k, name in enumerate(("iso_dI", "iso_dP")):
        got = np.stack([s[:, k] for s in slopes], axis=1)
        scale = np.max(np.abs(rows[name]), axis=1, keepdims=True)
        assert np.all(np.abs(got - rows[name]) <= 1e-9 * scale)


def test_striated_part(rows):
    p, b, sigma = _inputs(rows, "str")
    assert np.allclose(_striated(b, sigma, p), rows["str_I"], rtol=1e-10, atol=0.0)
    slopes = jax.jit(jax.vmap(jax.jacfwd(_striated, argnums=(0, 1, 2))))(b, sigma, p)
    got = np.stack(slopes, axis=1)
    scale = np.max(np.abs(rows["str_dI"]), axis=1, keepdims=True)
    assert np.all(np.abs(got - rows["str_dI"]) <= 1e-9 * scale)


def test_index_three_needs_no_special_function(rows):
    _, b, sigma = _inputs(rows, "iso")
    plain = turbulent_powers(b * b, sigma**2, jnp.asarray(3.0), cubic=True)
    series = turbulent_powers(b * b, sigma**2, jnp.asarray(3.0))
    assert np.allclose(plain[0], b * b + 2.0 * sigma**2, rtol=1e-15)
    for one, other in zip(plain, series, strict=True):
        assert np.allclose(one, other, rtol=1e-11)
    assert np.allclose(striated_square(b * b, sigma**2, jnp.asarray(3.0)), b * b + sigma**2)


def test_both_parts_together(rows):
    """Exact for p = 3; elsewhere within what the docstring says."""
    p, b, along, across = (jnp.asarray(rows[f"ani_{k}"]) for k in ("p", "b", "s_par", "s_perp"))
    ours = along >= across
    extra = jnp.where(ours, along**2 - across**2, 0.0)
    square = striated_square(b * b, extra, p)
    total, factor = jax.jit(turbulent_powers)(square, across**2, p)
    scale = rows["ani_I"]
    error = np.abs(total - scale) / scale + np.abs(factor * square - rows["ani_P"]) / scale
    error, p = error[np.asarray(ours)], np.asarray(p)[np.asarray(ours)]
    assert np.max(error[p == 3.0]) < 1e-8
    assert np.max(error / (0.03 + np.abs(p - 3.0))) < 0.1


def test_both_parts_together_at_any_index():
    """Against the mean over the striated part by quadrature; what the simulator takes."""
    g, weight = np.polynomial.hermite_e.hermegauss(80)
    weight = weight / weight.sum()
    shape = (5, 4, 7)
    p, striation, variance = (
        jnp.asarray(x).reshape([-1 if k == i else 1 for i in range(3)])
        for k, x in enumerate(
            ((2.0, 2.5, 3.0, 3.5, 4.0), (0.1, 0.36, 1.3, 3.0), np.geomspace(0.02, 50.0, 7))
        )
    )
    square = jnp.asarray((1.0 + np.sqrt(striation)[..., None] * g) ** 2)
    total, factor = jax.jit(turbulent_powers)(square, variance[..., None], p[..., None])
    expected = [np.sum(weight * x, axis=-1) for x in (total, factor * square)]
    one = jnp.ones(())
    boost = jax.jit(lambda s, p, v: joint_boost(striated_square(one, s, p), s, one, v))(
        striation, p, variance
    )
    total, factor = jax.jit(turbulent_powers)(boost, variance, p)
    for found, want, near, far in zip(
        (total, factor * boost), expected, (0.004, 0.008), (0.01, 0.02), strict=True
    ):
        error = np.abs(np.broadcast_to(found / want - 1.0, shape)).max(axis=(1, 2))
        assert error[2] < 1e-9
        assert max(error[1], error[3]) < near, error
        assert max(error[0], error[4]) < far, error


@pytest.mark.parametrize("p", [1.5, 2.5, 3.0, 3.7])
def test_no_turbulence_no_field(p):
    def total(regular, random, index):
        square = striated_square(regular, random, index)
        return sum(turbulent_powers(square, random, index))

    slopes = jax.jit(jax.grad(total, argnums=(0, 1, 2)))
    for regular, random in ((0.0, 0.0), (0.0, 4.0), (4.0, 0.0), (1e8, 1e-8), (1e-8, 1e8)):
        arguments = [jnp.asarray(x) for x in (regular, random, p)]
        assert np.isfinite(total(*arguments))
        assert np.all(np.isfinite(slopes(*arguments)))
        joint = jax.grad(joint_boost, argnums=(0, 1, 2, 3))(1.0, 0.4, *arguments[:2])
        assert np.all(np.isfinite(joint))
    plain, factor = turbulent_powers(*(jnp.asarray(x) for x in (4.0, 0.0, p)))
    assert np.isclose(plain, 2.0 ** ((p + 1.0) / 2.0), rtol=1e-12)
    assert np.isclose(factor, 2.0 ** ((p - 3.0) / 2.0), rtol=1e-12)
    nothing = turbulent_powers(*(jnp.asarray(x) for x in (0.0, 0.0, p)))
    if p > 3.0:  # below, the factor is infinite there, and held finite
        np.testing.assert_array_equal(nothing, 0.0)


def test_depolarisation_inside_a_slab(rows):
    """Fraction of P that leaves: in the limit of many turns a closed form, else by quadrature."""
    lam2, length, rm, sigma, d, kappa = (
        jnp.asarray(rows[f"dep_{k}"]) for k in ("lam2", "L", "RM", "sigma_RM", "d", "kappa")
    )
    rate = sigma**2 / length
    z = length * (kappa + 2.0 * lam2**2 * rate) - 2j * lam2 * rm
    assert np.allclose(-jnp.expm1(-z) / z, rows["dep_P_internal"], atol=1e-10)
    screen = jnp.exp(-2.0 * sigma**2 * lam2**2 + 2j * lam2 * rm)
    assert np.allclose(screen, rows["dep_P_screen"], atol=1e-10)
    node, weight = np.polynomial.legendre.leggauss(24)
    edges = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 60)])
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    x = (middle[:, None] + half[:, None] * node).reshape(-1, 1)
    weight = (half[:, None] * weight).reshape(-1, 1)
    variance = rotation_variance(x * length, rate, d)
    exponent = -kappa * length * x - 2.0 * lam2**2 * variance + 2j * lam2 * rm * x
    fraction = np.sum(weight * np.exp(exponent), axis=0)
    assert np.allclose(fraction, rows["dep_P_internal_ou"], atol=1e-9)


def test_variance_of_the_rotation_measure():
    """Cells of length d, each with a random field of its own: L_c = d/2."""
    rng = np.random.default_rng(2)
    density, sigma, d, n = 0.03, 3.0, 0.05, 80
    measures = 811.9 * density * d * np.sum(rng.normal(0.0, sigma, (20000, n)), axis=1)
    rate = rotation_variance_rate(*(jnp.asarray(x) for x in (density, sigma**2, d / 2.0)))
    assert np.isclose(np.var(measures), rate * n * d, rtol=0.03)
    short, long = (rotation_variance(jnp.asarray(s), rate, jnp.asarray(0.1)) for s in (1e-4, 100.0))
    assert np.isclose(short, rate * 1e-8 / 0.2, rtol=1e-3)
    assert np.isclose(long, rate * 99.9, rtol=1e-12)
    at = lambda s: rotation_variance(jnp.asarray(s), rate, jnp.asarray(0.1))
    ends = [at(0.002 + s) for s in (-1e-9, 1e-9)]
    assert np.isclose(ends[0], ends[1], rtol=1e-5)  # no step between series and closed form


def test_correlated_density_and_field(rows):
    names = ("ne", "s", "b0", "sigma", "rho")
    found = correlated_moments(*(jnp.asarray(rows[f"cor_{k}"]) for k in names))
    for got, name in zip(found, ("cor_mean_nb", "cor_var_nb", "cor_mean_n2"), strict=True):
        assert np.allclose(got, rows[name], rtol=1e-10)


def test_integral_scale(rows):
    beta, ratio = (jnp.asarray(rows[k]) for k in ("scale_beta", "scale_k1_over_k0"))
    regular = (beta != 2.0) & (beta != 3.0)
    found = integral_scale(beta, jnp.ones_like(beta), ratio)
    assert np.allclose(found[regular], rows["scale_solenoidal_k0"][regular], rtol=1e-10)
    assert np.allclose(found[regular] / 1.5, rows["scale_independent_k0"][regular], rtol=1e-10)


def test_derivatives_are_finite_where_the_regular_field_all_but_vanishes():
    """A halo that fades as exp(-z_min/|z|) has fields whose square is no number any more."""
    rays = synax.Sightlines.from_lonlat([40.0], [30.0])
    turbulence = synax.Turbulence(2.0, striation=0.5)

    def seen(b):
        field = synax.magnetic.Uniform(b * jnp.array([0.0, 1.0, 0.5]))
        parts = (field, None, synax.cosmic_rays.Uniform(1e-5, spectral_index=3.0))
        stokes = synax.Synchrotron(*parts, turbulence=turbulence, steps=2)(rays, 23.0)
        return jnp.stack([stokes.I[0], stokes.Q[0], stokes.U[0]])

    slope = jax.jit(jax.jacfwd(seen))
    for b in (0.0, 1e-160, 1e-100, 1e-70, 1e-30):
        assert np.all(np.isfinite(slope(b))), b


def test_the_means_at_an_index_of_each_point_are_the_means():
    """Few terms where each point has its own p: within 1e-5 of both full series."""
    rng = np.random.default_rng(5)
    low, high = jnp.array([0.0, 0.0, -3.0, 1.0]), jnp.array([20.0, 2.0, 1.5, 6.0])
    square, striation, level, index = jnp.asarray(rng.uniform(low, high, (2000, 4))).T
    variance = 10.0**level
    found = jax.jit(local_powers)(square, striation, variance, index)
    alone = striated_square(jnp.ones(()), striation, index)
    along = square * joint_boost(alone, striation, square, variance)
    total, factor = turbulent_powers(along, variance, index)
    scale = (square * (1.0 + striation) + 2.0 * variance) ** (0.25 * (3.0 - index))
    for ours, full in zip(found, (total * scale, factor * scale, along / square), strict=True):
        np.testing.assert_allclose(ours, full, rtol=1e-5)
    nothing = jnp.zeros(1)
    slope = jax.grad(
        lambda b: sum(jnp.sum(x) for x in local_powers(b, nothing, nothing, nothing + 2.5))
    )
    assert np.all(np.isfinite(slope(nothing)))


NEAR = dict(field=(1.0, 2.0, 1.5), density=0.05, rms=4.0, length=0.08, radius=3.0)


def _near(**changes):
    """A ball of uniform plasma around the observer, with turbulence."""
    v = {**NEAR, **changes}
    return synax.Synchrotron(
        synax.magnetic.Uniform(jnp.asarray(v["field"])),
        synax.electrons.Uniform(v["density"]),
        synax.cosmic_rays.Uniform(1e-5, spectral_index=3.0),
        turbulence=synax.Turbulence(v["rms"], correlation_length=v["length"]),
        steps=v.get("steps", 256),
    )


def _moments(ray):
    """What the regular field, and the rms of the random one along a ray, add to RM in 1 kpc."""
    away = float(np.dot(NEAR["field"], ray))
    turn = FARADAY_CONSTANT * NEAR["density"]
    return turn * away, turn * NEAR["rms"] / np.sqrt(3.0)


def _left(frequency):
    """The fraction of P that leaves the ball, by quadrature, and the variance of RM through it."""
    rm, one = _moments((1.0, 0.0, 0.0))
    node, weight = np.polynomial.legendre.leggauss(16)
    edges = np.concatenate([[0.0], np.geomspace(1e-6, NEAR["radius"], 4000)])
    half = 0.5 * np.diff(edges)[:, None]
    s = (edges[:-1, None] + half * (1.0 + node)).ravel()
    x = s / NEAR["length"]
    variance = 2.0 * (one * NEAR["length"]) ** 2 * (x + np.expm1(-x))
    square = (0.299792458 / frequency) ** 2
    light = np.exp(-2.0 * square**2 * variance - 2j * square * rm * s)
    fraction = abs(np.sum((half * weight).ravel() * light)) / NEAR["radius"]
    return fraction, variance[-1]


@pytest.mark.parametrize("frequency, close", [(0.2, 0.02), (0.3, 1e-3), (1.4, 1e-6), (5.0, 1e-6)])
def test_turbulence_around_the_observer(frequency, close):
    """Against quadrature with the exact variance; at 0.2 GHz 34 rad within L_c."""
    domain = synax.Sphere(NEAR["radius"], center=(-8.3, 0.0, 0.006))
    rays = synax.Sightlines.from_lonlat([0.0], [0.0], domain=domain)
    seen = _near().observe(rays, frequency)
    fraction, variance = _left(frequency)
    clear = _near(density=0.0).observe(rays, frequency).stokes
    p = lambda stokes: float(np.hypot(stokes.Q, stokes.U)[0])
    assert np.isclose(p(seen.stokes) / p(clear), fraction, rtol=close)
    assert np.isclose(seen.rotation_measure_variance[0], variance, rtol=1e-3)


def test_turbulence_around_the_observer_against_realisations():
    """Mean of P over random fields that correlate as exp(-r/L_c), along one ray."""
    domain = synax.Sphere(NEAR["radius"], center=(-8.3, 0.0, 0.006))
    rays = synax.Sightlines.from_lonlat([0.0], [0.0], domain=domain)
    frequencies = np.array([0.6, 1.4, 2.4])
    rm, one = _moments((1.0, 0.0, 0.0))
    rng, n, many = np.random.default_rng(4), 1500, 8000
    step = NEAR["radius"] / n
    keep = np.exp(-step / NEAR["length"])
    field, measure = rng.normal(size=many), np.zeros(many)
    total = np.zeros((3, many), complex)
    square = (0.299792458 / frequencies[:, None]) ** 2
    for _ in range(n):
        new = keep * field + np.sqrt(1.0 - keep**2) * rng.normal(size=many)
        after = measure + step * (rm + one * 0.5 * (field + new))
        total += np.exp(2j * square * 0.5 * (measure + after)) / n
        field, measure = new, after
    error = total.std(axis=1) / np.sqrt(2 * many)  # of the modulus
    p = lambda stokes: np.hypot(stokes.Q, stokes.U)[:, 0]
    found = p(_near()(rays, frequencies)) / p(_near(density=0.0)(rays, frequencies))
    assert np.all(np.abs(np.abs(total.mean(axis=1)) - found) < 3.5 * error)
    assert np.all(error < [0.15 * found[0], 0.05 * found[1], 0.02 * found[2]])


def test_cells_that_the_nearest_turbulence_depolarises():
    """P is too small by 1, 6 and 40 % where it turns by 1.1, 1.7 and 2.7 rad in the first cell."""
    domain = synax.Sphere(NEAR["radius"], center=(-8.3, 0.0, 0.006))
    rays = synax.Sightlines.from_lonlat([0.0], [0.0], domain=domain)
    frequencies = np.array([0.1994, 0.1584, 0.1259])
    u = ((1.0 + NEAR["radius"] / 0.1) ** (1 / 3) - 1.0) / 256  # of GradedSteps(256)
    first = 0.1 * ((1.0 + u) ** 3 - 1.0) / NEAR["length"]
    scatter = (
        _moments((1.0, 0.0, 0.0))[1] * NEAR["length"] * np.sqrt(2 * (first + np.expm1(-first)))
    )
    turn = 2.0 * (0.299792458 / frequencies) ** 2 * scatter
    np.testing.assert_allclose(turn, [1.1, 1.7, 2.7], atol=0.05)
    p = lambda stokes: np.hypot(stokes.Q, stokes.U)[:, 0]
    found = p(_near()(rays, frequencies)) / p(_near(density=0.0)(rays, frequencies))
    exact = np.array([_left(nu)[0] for nu in frequencies])
    np.testing.assert_allclose(1.0 - found / exact, [0.01, 0.06, 0.4], rtol=0.1)


def test_turbulence_begins_where_an_outer_observer_sees_it_begin():
    domain = synax.Box((2.0, 2.0, 0.1))
    rays = synax.Sightlines.parallel((1, 1), (1.0, 1.0), domain=domain)
    seen = _near(steps=64).observe(rays, 1.4)
    _, one = _moments((0.0, 0.0, 1.0))
    x = 0.2 / NEAR["length"]
    variance = 2.0 * (one * NEAR["length"]) ** 2 * (x + np.expm1(-x))
    assert np.isclose(seen.rotation_measure_variance[0], variance, rtol=1e-6)


def test_no_correlation_length_is_no_dispersion():
    domain = synax.Sphere(NEAR["radius"], center=(-8.3, 0.0, 0.006))
    rays = synax.Sightlines.from_lonlat([0.0], [0.0], domain=domain)

    def p(length):
        stokes = _near(length=length, steps=32)(rays, 1.4)
        return jnp.hypot(stokes.Q, stokes.U)[0]

    assert float(_near(length=0.0).observe(rays, 1.4).rotation_measure_variance[0]) == 0.0
    assert np.isfinite(jax.grad(p)(0.0))
    assert float(p(1e-9)) == pytest.approx(float(p(0.0)), rel=1e-6)


@pytest.mark.filterwarnings("default")
def test_a_mean_with_far_less_polarisation_than_one_sky_is_told():
    domain = synax.Sphere(NEAR["radius"], center=(-8.3, 0.0, 0.006))
    rays = synax.Sightlines.from_lonlat([0.0], [0.0], domain=domain)
    told = "at 1.4 GHz the turbulence scatters polarisation angles by 2.9 rad .* 64.1 rad/m2"
    with pytest.warns(synax.SynaxWarning, match=told):
        _near(steps=64)(rays, [1.4, 5.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _near(steps=64)(rays, 2.5)
        jax.jit(lambda nu: _near(steps=64)(rays, nu).I)(1.4)
        elsewhere = SimpleNamespace(is_fully_addressable=False)  # rays of other processes
        check_dispersion(elsewhere, jnp.asarray(0.1))

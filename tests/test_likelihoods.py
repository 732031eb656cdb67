"""Likelihoods and noise models against SciPy, brute force and their own mocks."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from astropy import units
from astropy.utils.masked import Masked
from jaxtyping import Array

import synax
from synax.inference import (
    CovarianceNoise,
    GaussianNoise,
    Likelihood,
    LowRankNoise,
    StudentTNoise,
    fit_correlated_noise,
)


class Line(eqx.Module):
    """A model of three numbers."""

    x: Array


MATRIX = np.random.default_rng(0).normal(size=(8, 3))
DATA = np.random.default_rng(1).normal(size=8)
MODEL = Line(jnp.array([0.3, -0.2, 0.5]))
RESIDUAL = DATA - MATRIX @ np.array([0.3, -0.2, 0.5])
MASK = np.array([True, True, False, True, True, True, False, True])


def observable(model):
    return MATRIX @ model.x


def covariance():
    root = np.random.default_rng(2).normal(size=(8, 8))
    return 0.1 * root @ root.T + 0.3 * np.eye(8)


def likelihood(noise, **options):
    return Likelihood(observable, DATA, noise, **options)


def test_gaussian_is_half_chi_squared():
    sigma = np.linspace(0.5, 2.0, 8)
    expected = scipy.stats.norm.logpdf(RESIDUAL, scale=sigma).sum()
    assert float(likelihood(GaussianNoise(sigma)).logpdf(MODEL)) == pytest.approx(expected, 1e-14)
    other = Line(MODEL.x + 0.1)
    shift = RESIDUAL - MATRIX @ np.full(3, 0.1)
    change = likelihood(GaussianNoise(sigma)).logpdf(other) - expected
    half_chi2 = 0.5 * np.sum((shift / sigma) ** 2 - (RESIDUAL / sigma) ** 2)
    assert float(change) == pytest.approx(-half_chi2, 1e-12)


def test_excess_adds_in_quadrature():
    noise = GaussianNoise(0.3, excess=0.4)
    expected = scipy.stats.norm.logpdf(RESIDUAL, scale=0.5).sum()
    assert float(likelihood(noise).logpdf(MODEL)) == pytest.approx(expected, 1e-14)


def test_student_t():
    expected = scipy.stats.t.logpdf(RESIDUAL, 3.0, scale=0.7).sum()
    value = likelihood(StudentTNoise(0.7, 3.0)).logpdf(MODEL)
    assert float(value) == pytest.approx(expected, 1e-13)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("kind", ["gauss", "dense", "low rank"])
def test_covariances(kind, mask):
    factor = np.random.default_rng(3).normal(size=(8, 2))
    matrix = {
        "gauss": 0.49 * np.eye(8),
        "dense": covariance(),
        "low rank": 0.49 * np.eye(8) + factor @ factor.T,
    }[kind]
    noise = {
        "gauss": GaussianNoise(0.7),
        "dense": CovarianceNoise(matrix),
        "low rank": LowRankNoise(0.7, factor),
    }[kind]
    used = np.ones(8, bool) if mask is None else mask
    inside = matrix[np.ix_(used, used)]
    expected = scipy.stats.multivariate_normal.logpdf(RESIDUAL[used], np.zeros(used.sum()), inside)
    found = likelihood(noise, mask=mask)
    assert float(found.logpdf(MODEL)) == pytest.approx(expected, 1e-12)
    white = np.asarray(found.residuals(MODEL))
    chi2 = RESIDUAL[used] @ np.linalg.solve(inside, RESIDUAL[used])
    assert white @ white == pytest.approx(chi2, 1e-12)
    jacobian = np.asarray(jax.jit(jax.jacfwd(lambda x: found.evaluate(Line(x))[1]))(MODEL.x))
    fisher = MATRIX[used].T @ np.linalg.solve(inside, MATRIX[used])
    np.testing.assert_allclose(jacobian.T @ jacobian, fisher, rtol=1e-11)
    assert found.count == used.sum()


def test_masked_data_may_be_nan():
    data = np.where(MASK, DATA, np.nan)
    found = Likelihood(observable, data, GaussianNoise(0.7), mask=MASK)
    gradient = jax.grad(lambda x: found.logpdf(Line(x)))(MODEL.x)
    assert np.all(np.isfinite(gradient))
    with pytest.raises(ValueError, match="data must be finite"):
        Likelihood(observable, data, GaussianNoise(0.7))


def test_fisher_of_noise_parameters():
    """Information of (scale, dof) of a Student t: the mean outer product of scores."""
    scale, dof, n = 0.8, 5.0, 8

    def features(theta):
        noise = StudentTNoise(theta[0], theta[1])
        return noise.features(jnp.zeros(n), None)

    theta = jnp.array([scale, dof])
    jacobian = jax.jit(jax.jacfwd(features))(theta)
    fisher = np.asarray(jacobian.T @ jacobian) / n
    u = np.linspace(-12.0, 12.0, 4001)
    z = np.sinh(u)
    weight = scipy.stats.t.pdf(z, dof, scale=scale) * np.cosh(u) * (u[1] - u[0])
    one = jax.grad(lambda th, r: StudentTNoise(th[0], th[1]).logpdf(r[None], None))
    score = jax.jit(jax.vmap(one, (None, 0)))(theta, jnp.asarray(z))
    expected = np.asarray(score).T @ (weight[:, None] * np.asarray(score))
    np.testing.assert_allclose(fisher, expected, rtol=1e-9)


def test_gain_and_offset():
    found = likelihood(GaussianNoise(0.7), gain=2.0, offset=0.5)
    expected = 2.0 * MATRIX @ np.asarray(MODEL.x) + 0.5
    np.testing.assert_allclose(found.predict(MODEL), expected, rtol=1e-14)


@pytest.mark.parametrize(
    "noise",
    [
        GaussianNoise(0.5, 0.5),
        StudentTNoise(0.5, 8.0),
        CovarianceNoise(covariance()),
        LowRankNoise(0.4, np.random.default_rng(3).normal(size=(8, 2))),
    ],
    ids=lambda n: type(n).__name__,
)
def test_mocks_have_the_noise_they_claim(noise):
    found = likelihood(noise)
    draw = jax.jit(jax.vmap(lambda key: found.mock(key, MODEL)))
    mocks = np.asarray(draw(jax.random.split(jax.random.key(0), 4000)))
    spread = np.cov((mocks - MATRIX @ np.asarray(MODEL.x)).T)
    if isinstance(noise, CovarianceNoise):
        expected = covariance()
    elif isinstance(noise, LowRankNoise):
        expected = 0.16 * np.eye(8) + np.asarray(noise.factor @ noise.factor.T)
    elif isinstance(noise, StudentTNoise):
        expected = 0.25 * 8.0 / 6.0 * np.eye(8)
    else:
        expected = 0.5 * np.eye(8)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.max(np.abs(spread - expected) / scale) < 6.0 / np.sqrt(4000) * np.sqrt(2.0)
    replaced = found.with_data(mocks[0])
    assert np.array_equal(replaced.data, mocks[0])


@pytest.fixture(scope="module")
def sky():
    return synax.Synchrotron(
        synax.magnetic.WMAP(),
        synax.electrons.Uniform(0.02),
        synax.cosmic_rays.WMAP(),
        steps=4,
    )


@pytest.fixture(scope="module")
def rays():
    return synax.Sightlines.from_lonlat([10.0, 120.0, 250.0], [20.0, -40.0, 5.0])


def test_sky_data_in_every_form(sky, rays):
    stokes = sky(rays, 2.4)
    array = np.stack([stokes.Q, stokes.U])
    by_name = {"Q": stokes.Q, "U": stokes.U}
    values = [
        synax.GaussianLikelihood(rays, 2.4, data, 1e-3).logpdf(sky)
        for data in (stokes, array, by_name)
    ]
    expected = -6.0 * (np.log(1e-3) + 0.5 * np.log(2.0 * np.pi))
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    robust = synax.StudentTLikelihood(rays, 2.4, stokes, 1e-3, dof=4.0)
    best = 6.0 * (scipy.stats.t.logpdf(0.0, 4.0) - np.log(1e-3))
    assert float(robust.logpdf(sky)) == pytest.approx(best, 1e-12)


def test_circular_polarisation_is_data_like_any_other(sky, rays):
    circular = synax.Synchrotron(
        sky.magnetic, sky.electrons, sky.cosmic_rays, self_absorption=True, steps=4
    )
    stokes = circular(rays, 0.4)
    assert np.all(np.asarray(stokes.V) != 0.0)
    sigma = 0.01 * float(jnp.max(jnp.abs(stokes.V)))
    shifted = dataclasses.replace(stokes, V=stokes.V + 2.0 * sigma)
    likelihood = synax.GaussianLikelihood(rays, 0.4, shifted, sigma, stokes=("V", "I"))
    np.testing.assert_allclose(likelihood.residuals(circular), [2.0] * 3 + [0.0] * 3, atol=1e-9)
    with pytest.raises(ValueError, match=r"no circular polarisation: give .*self_absorption=True"):
        likelihood.logpdf(sky)
    # I, Q and U do not ask for it
    assert np.isfinite(synax.GaussianLikelihood(rays, 0.4, stokes, 1.0).logpdf(sky))


def test_catalogues_and_joint(sky, rays):
    rm = synax.RotationMeasure(sky.magnetic, sky.electrons, steps=4)(rays)
    dm = synax.DispersionMeasure(sky.electrons, steps=4)(rays)
    joint = synax.JointLikelihood(
        rm=synax.RotationMeasureLikelihood(rays, rm, 5.0, excess=1.0),
        dm=synax.DispersionMeasureLikelihood(rays, dm, 2.0, dof=4.0, offset=1.0),
    )
    predicted = joint.predict(sky)
    np.testing.assert_allclose(predicted["rm"], rm, rtol=1e-13)
    np.testing.assert_allclose(predicted["dm"], dm + 1.0, rtol=1e-13)
    parts = joint.rm.logpdf(sky) + joint.dm.logpdf(sky)
    assert float(joint.logpdf(sky)) == pytest.approx(float(parts), 1e-14)
    assert joint.count == 6
    drawn = joint.mock(jax.random.key(1), sky)
    assert set(drawn) == {"rm", "dm"}
    again = joint.with_data(drawn)
    np.testing.assert_array_equal(again.rm.data, drawn["rm"])


def test_errors_name_the_argument(sky, rays):
    data = np.zeros((2, 3))
    for options, match in (
        ({"data": np.zeros((2, 4)), "sigma": 1.0}, "data must have shape"),
        ({"data": data, "sigma": np.ones(4)}, "sigma of shape"),
        ({"data": data, "sigma": -1.0}, "sigma must be positive"),
        ({"data": data}, "give sigma or covariance"),
        ({"data": data, "sigma": 1.0, "stokes": ("Q", "W")}, "stokes must be among"),
        ({"data": data, "sigma": 1.0, "mask": np.ones(3)}, "mask must be boolean"),
        ({"data": data, "covariance": np.eye(5)}, "covariance must have 6 rows"),
        ({"data": data, "covariance": -np.eye(6)}, "covariance must be positive definite"),
        ({"data": data, "sigma": 1.0, "gain": np.ones(7)}, "gain of shape"),
    ):
        with pytest.raises(ValueError, match=match):
            synax.GaussianLikelihood(rays, 2.4, **options)
    with pytest.raises(ValueError, match="frequency must be positive"):
        synax.GaussianLikelihood(rays, -2.4, data, 1.0)
    with pytest.raises(TypeError, match="rm must be a likelihood"):
        synax.JointLikelihood(rm=3.0)
    with pytest.raises(AttributeError, match="no data set 'dm'"):
        _ = synax.JointLikelihood(rm=synax.RotationMeasureLikelihood(rays, data[0], 1.0)).dm


def test_correlations_of_residuals_are_found():
    rays = synax.Sightlines.healpix(4)
    direction = np.asarray(rays.direction)
    angle = np.arccos(np.clip(direction.T @ direction, -1.0, 1.0))
    truth = 4.0 * np.exp(-angle / 0.3) + 0.25 * np.eye(rays.n_rays)
    rest = np.linalg.cholesky(truth) @ np.random.default_rng(1).normal(size=rays.n_rays)
    found = fit_correlated_noise(rays, rest, 0.5)
    assert 1.4 < found.rms < 2.8 and 0.15 < found.length < 0.6
    factor = np.asarray(found.noise.cholesky)
    normal = scipy.stats.multivariate_normal(np.zeros(rays.n_rays), factor @ factor.T)
    assert found.logpdf == pytest.approx(normal.logpdf(rest), rel=1e-9)
    # two hyperparameters were fitted: the truth is as likely to within some units
    known = scipy.stats.multivariate_normal(np.zeros(rays.n_rays), truth).logpdf(rest)
    assert 0.0 <= found.logpdf - known < 6.0
    with pytest.raises(ValueError, match="residual must be"):
        fit_correlated_noise(rays, rest[:5], 0.5)


def test_correlated_polarisation_follows_the_frames():
    # near the pole, frames of neighbouring places differ by their longitudes
    rays = synax.Sightlines.from_lonlat([10.0, 70.0], [89.9, 89.9])
    found = fit_correlated_noise(rays, np.ones((2, 2)), 1e-3, rms=1.0)
    covariance = np.asarray(found.noise.cholesky @ found.noise.cholesky.T)
    block = covariance.reshape(2, 2, 2, 2)[:, 0, :, 1]
    block = block / np.hypot(*block[0])  # whatever the length
    turn = np.radians(2.0 * 60.0)
    # the same tensor seen from the second frame: angles from north grow by the longitude passed
    chi = 0.3
    first = np.array([np.cos(2 * chi), np.sin(2 * chi)])
    assert first @ block == pytest.approx(
        [np.cos(2 * chi + turn), np.sin(2 * chi + turn)], abs=1e-3
    )


def missing_is_left_out(likelihood, sky, clean):
    """The same numbers as the plain likelihood of the data that are there."""
    used = np.ones((2, 3), bool)
    used[0, 1] = False
    plain = synax.GaussianLikelihood(clean[0], 2.4, clean[1], 1e-3, mask=used)
    assert likelihood.count == plain.count == 5
    assert float(likelihood.logpdf(sky)) == pytest.approx(float(plain.logpdf(sky)), rel=1e-12)


def test_missing_values_of_every_kind_are_left_out(sky, rays):
    stokes = sky(rays, 2.4)
    whole = np.stack([stokes.Q, stokes.U]) + 1e-3
    hole = np.zeros((2, 3), bool)
    hole[0, 1] = True
    unseen, gap = np.where(hole, -1.6375e30, whole), np.where(hole, np.nan, whole)
    masked = np.ma.MaskedArray(whole, hole)
    make = lambda data, sigma=1e-3: synax.GaussianLikelihood(rays, 2.4, data, sigma)
    for data in (unseen, gap, masked, unseen.astype(">f8"), {"Q": masked[0], "U": whole[1]},
                 np.where(hole, -1.6375e30, whole * 1e6) * units.uK):  # fmt: skip
        missing_is_left_out(make(data), sky, (rays, whole))
    # neither does a datum count whose error is missing
    missing_is_left_out(make(whole, np.where(hole, -1.6375e30, 1e-3)), sky, (rays, whole))
    again = make(whole).with_data(unseen)
    missing_is_left_out(again, sky, (rays, whole))
    with pytest.raises(ValueError, match="nothing to fit"):
        make(np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="no datum is used"):
        synax.GaussianLikelihood(rays, 2.4, whole, 1e-3, mask=np.zeros(3, bool))


def test_units_are_converted_or_refused(sky, rays):
    data = np.stack([sky(rays, 2.4).Q, sky(rays, 2.4).U])
    plain = synax.GaussianLikelihood(rays, 2.4, data, 1e-3, excess=2e-3, offset=1e-4)
    given = synax.GaussianLikelihood(
        rays, 2.4 * units.GHz, data * 1e3 * units.mK, 1e3 * units.uK, excess=2 * units.mK,
        offset=0.1 * units.mK,
    )  # fmt: skip
    assert float(given.logpdf(sky)) == pytest.approx(float(plain.logpdf(sky)), rel=1e-12)
    rm = np.array([3.0, -20.0, 5.0])
    plain = synax.RotationMeasureLikelihood(rays, rm, 5.0).logpdf(sky)
    given = synax.RotationMeasureLikelihood(
        rays, rm * 1e-4 * units.rad / units.cm**2, 5.0 * units.rad / units.m**2
    )
    assert float(given.logpdf(sky)) == pytest.approx(float(plain), rel=1e-12)
    dm = synax.DispersionMeasureLikelihood(
        rays, rm**2 * units.pc / units.cm**3, 1e6 * units.pc / units.m**3, dof=3.0
    )
    assert float(dm.noise.scale) == pytest.approx(1.0)
    for make, error, match in (
        (lambda: synax.GaussianLikelihood(rays, 2.4, data * units.Jy, 1.0), ValueError,
         "data must have a unit that converts to K, got 'Jy'"),
        (lambda: synax.GaussianLikelihood(rays, 2.4, data, 1 * units.rad), ValueError,
         "sigma must have a unit that converts to K"),
        (lambda: synax.RotationMeasureLikelihood(rays, rm, 1 * units.K), ValueError,
         "sigma must have a unit that converts to rad/m2"),
        (lambda: synax.GaussianLikelihood(rays, 2.4, data * 1j, 1.0), TypeError, "data is complex"),
        (lambda: synax.GaussianLikelihood(rays, 2.4, data, 1.0, gain=np.nan), ValueError,
         "gain must be finite"),
        (lambda: synax.GaussianLikelihood(rays, 2.4, data, np.inf), ValueError,
         "sigma must be positive and finite"),
        (lambda: synax.GaussianLikelihood(rays, 2.4, data, 1.0, excess=-1.0), ValueError,
         "excess must be finite and not negative"),
        (lambda: synax.StudentTLikelihood(rays, 2.4, data, 1.0, dof=0.0), ValueError,
         "dof must be positive"),
        (lambda: synax.GaussianLikelihood(rays, 2.4, np.array([["a"] * 3] * 2), 1.0), TypeError,
         "data must be an array of numbers"),
    ):  # fmt: skip
        with pytest.raises(error, match=match):
            make()


def test_sky_maps_are_data(sky):
    """A map in another unit, convention, ordering, with missing pixels, on a part of the sky."""
    rays = synax.Sightlines.healpix(1, pixels=np.array([0, 3, 5, 9]))
    stokes = sky(rays, 2.4)
    values = np.zeros((3, 12))
    values[:, [0, 3, 5, 9]] = np.stack([stokes.I, stokes.Q, stokes.U]) + 1e-3
    values[:, 5] = np.nan
    given = synax.SkyMap(values, "IQU", nside=1, frequency=2.4)
    given = given.to_unit("uK_RJ").to_convention("COSMO").to_ordering("NEST")
    sigma = synax.SkyMap(np.full((3, 12), 1.0), "IQU", nside=1, frequency=2.4, unit="mK_RJ")
    found = synax.GaussianLikelihood(rays, 2.4, given, sigma.to_convention("COSMO")._with(
        sigma.values, convention="COSMO"))  # fmt: skip
    assert found.count == 6
    expected = synax.GaussianLikelihood(rays, 2.4, values[1:, [0, 3, 5, 9]], 1e-3)
    assert float(found.logpdf(sky)) == pytest.approx(float(expected.logpdf(sky)), rel=1e-9)
    for options, match in (
        ({"frequency": 2.5}, "data is a map at 2.4 GHz, and frequency is 2.5"),
        ({"rays": synax.Sightlines.healpix(2)}, "nside"),
        ({"rays": synax.Sightlines.from_lonlat([0.0], [0.0])}, "HEALPix map"),
        ({"data": synax.SkyMap(np.zeros(12), "RM", nside=1)}, "map of RM"),
    ):
        arguments = {"rays": rays, "frequency": 2.4, "data": given, "sigma": 1.0} | options
        with pytest.raises(ValueError, match=match):
            synax.GaussianLikelihood(**arguments)
    elsewhere = synax.Sightlines.healpix(1, frame="equatorial")
    there = given._with(given.values, frame="equatorial")
    same = synax.GaussianLikelihood(elsewhere, 2.4, there, 1e-3)
    assert np.array_equal(np.asarray(same.data)[:, 0], np.asarray(found.data)[:, 0])
    turned = synax.GaussianLikelihood(elsewhere, 2.4, given.full().to_ordering("RING"), 1e-3)
    assert turned.count < same.count  # interpolated beside missing pixels
    rm = synax.SkyMap(np.arange(12.0), "RM", nside=1)
    catalogue = synax.RotationMeasureLikelihood(rays, rm, 1.0)
    np.testing.assert_array_equal(catalogue.data, [0.0, 3.0, 5.0, 9.0])
    with pytest.raises(ValueError, match="needed one of DM"):
        synax.DispersionMeasureLikelihood(rays, rm, 1.0)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda r, d: (r, 2.4, d > 0, 1.0), TypeError, "data must be an array of numbers.*bool"),
        (lambda r, d: (r, 2.4, d, True), TypeError, "sigma must be an array of numbers.*True"),
    ],
)
def test_switches_are_no_numbers(make, error, words):
    rays = synax.Sightlines.from_lonlat([0.0, 9.0], [0.0, 1.0])
    with pytest.raises(error, match=words):
        synax.GaussianLikelihood(*make(rays, np.ones((2, 2))))


def test_what_else_is_refused():
    rays = synax.Sightlines.from_lonlat([0.0, 9.0], [0.0, 1.0])
    data, gaussian = np.ones((2, 2)), synax.GaussianLikelihood
    density, field = synax.electrons.Uniform(0.1), synax.magnetic.WMAP()
    with pytest.raises(ValueError, match="stokes must name each component once"):
        gaussian(rays, 2.4, data, 1.0, stokes=("Q", "Q"))
    with pytest.raises(ValueError, match=r"covariance must be in K2.*'K'"):
        gaussian(rays, 2.4, data, covariance=np.eye(4) * units.K)
    with pytest.raises(ValueError, match="covariance must be finite"):
        gaussian(rays, 2.4, data, covariance=np.full((4, 4), np.nan))
    with pytest.raises(TypeError, match="magnetic must be a vector field, got Uniform"):
        synax.RotationMeasureLikelihood(rays, [1.0, 2.0], 1.0, magnetic=density)
    with pytest.raises(TypeError, match="electrons must be a scalar field, got WMAP"):
        synax.DispersionMeasureLikelihood(rays, [1.0, 2.0], 1.0, electrons=field)
    with pytest.raises(TypeError, match="takes likelihoods by name"):
        synax.JointLikelihood({"a": 1})


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (np.eye(4) * units.K**2, ValueError, "covariance must be without a unit; it is in 'K2'"),
        (np.eye(4) * 1j, TypeError, "covariance must be real numbers"),
        ([[1.0, 0.0], [0.0]], ValueError, "covariance must be an array of numbers, with rows"),
        (np.ma.masked_array(np.eye(2), np.eye(2)), ValueError, "covariance has 2 missing"),
        ("unit", TypeError, "covariance must be a number or an array"),
        (np.ones(3), ValueError, r"covariance must be \(n, n\), got shape \(3,\)"),
        # whatever the unit: kelvin squared are small numbers
        (1e-12 * np.array([[2.0, 1.0], [0.5, 2.0]]), ValueError, "covariance must be symmetric"),
        (1e12 * np.array([[2.0, 1.0], [0.5, 2.0]]), ValueError, "covariance must be symmetric"),
    ],
)
def test_what_is_no_covariance(given, error, words):
    with pytest.raises(error, match=words):
        CovarianceNoise(given)


def test_factors_of_low_rank_noise_are_checked_where_data_are_used():
    rays = synax.Sightlines.from_lonlat([0.0, 9.0], [0.0, 1.0])
    data, factor = np.array([[1.0, 2.0], [3.0, np.nan]]), np.array([[0.1], [0.2], [0.3], [np.nan]])
    model = lambda rays, frequency: synax.maps.Stokes(*jnp.zeros((3, 2)))
    likelihood = synax.GaussianLikelihood(rays, 2.4, data, covariance=LowRankNoise(0.5, factor))
    expected = scipy.stats.multivariate_normal(
        cov=0.25 * np.eye(3) + factor[:3] @ factor[:3].T
    ).logpdf(data.ravel()[:3])
    np.testing.assert_allclose(likelihood.logpdf(model), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="factor must be finite in the rows"):
        synax.GaussianLikelihood(rays, 2.4, np.ones((2, 2)), covariance=LowRankNoise(0.5, factor))
    with pytest.raises(ValueError, match=r"factor must be \(n, k\), got shape \(4,\)"):
        synax.GaussianLikelihood(rays, 2.4, data, covariance=LowRankNoise(0.5, factor[:, 0]))
    with pytest.raises(ValueError, match="sigma must be without a unit"):
        LowRankNoise(0.5 * units.K, factor)


def test_errors_of_u_have_no_sign(sky, rays):
    whole = synax.Sightlines.healpix(1)
    data = synax.SkyMap(np.ones((3, 12)), "IQU", nside=1, frequency=2.4)
    sigma = synax.SkyMap(np.linspace(1.0, 2.0, 36).reshape(3, 12), "IQU", nside=1, frequency=2.4)
    one, other = (
        synax.GaussianLikelihood(whole, 2.4, data, s) for s in (sigma, sigma.to_convention("COSMO"))
    )
    np.testing.assert_array_equal(one.noise.sigma, other.noise.sigma)
    with pytest.raises(ValueError, match="sigma must be positive"):
        synax.GaussianLikelihood(whole, 2.4, data, sigma * -1.0)


def test_masked_quantities_and_half_precision():
    rays = synax.Sightlines.from_lonlat([0.0, 9.0], [0.0, 1.0])
    values, lost = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[False, True], [False, False]])
    given = Masked(1e3 * values * units.mK, mask=lost)
    found = synax.GaussianLikelihood(rays, 2.4, given, 1.0)
    np.testing.assert_array_equal(found.mask, ~lost)
    np.testing.assert_allclose(found.data, np.where(lost, 0.0, values), rtol=1e-15)
    half = synax.GaussianLikelihood(rays, 2.4, values.astype(np.float16), 1.0)
    np.testing.assert_array_equal(half.data, values)


def test_a_likelihood_may_be_made_inside_of_jit():
    """Data, noise, gain and offset may be traced; a mask and a covariance are known, or refused."""
    rays = synax.Sightlines.healpix(1)
    sky = lambda rays, frequency: synax.Stokes(*(k * rays.direction[0] for k in (1.0, 2.0, 3.0)))
    data = np.random.default_rng(5).normal(size=(2, 12))
    mask = data > -1.0
    covariance = np.eye(24) + 0.1

    def found(data, sigma, offset, **known):
        noise = {} if "covariance" in known else {"sigma": sigma}
        one = synax.GaussianLikelihood(rays, 2.4, data, **noise, offset=offset, **known)
        return one.logpdf(sky)

    for known in ({}, {"mask": mask, "excess": 0.3}, {"covariance": covariance}):
        made = lambda *numbers, known=known: found(*numbers, **known)
        inside = jax.jit(made)(jnp.asarray(data), 1.5, 0.2)
        np.testing.assert_allclose(inside, made(data, 1.5, 0.2), rtol=1e-6)
    refused = r" must be known before JAX traces \(outside jit, grad and vmap\), got a traced value"
    for name, value in (("mask", mask), ("covariance", covariance)):
        with pytest.raises(TypeError, match=name + refused):
            jax.jit(lambda x, name=name: found(data, 1.5, 0.2, **{name: x}))(jnp.asarray(value))

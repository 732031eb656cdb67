"""Rows of the validation report on whole skies and on inference: closed forms, other programs."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from _validation_light import Row, ratio, row

import synax
from synax import _constants as const
from synax.emission import polarised_fraction, spectral_factor
from synax.inference import GaussianNoise, Likelihood, assess

SUN = (-8.3, 0.0, 0.006)
FIELD, DENSITY, NORMALISATION, RADIUS = np.array([6.0, -1.0, 2.0]), 0.01, 4e-5, 4.0


def _sphere(index: float = 3.0, steps: int = 1) -> tuple[Any, Any]:
    sky = synax.Synchrotron(
        synax.magnetic.Uniform(FIELD),
        synax.electrons.Uniform(DENSITY),
        synax.cosmic_rays.Uniform(NORMALISATION, spectral_index=index),
        steps=steps,
    )
    return sky, synax.Sightlines.healpix(4, SUN, synax.Sphere(RADIUS, SUN))


def sphere(frequency: float) -> Row:
    """Maps of the homogeneous sphere, one step a ray."""
    errors = []
    for index in (2.2, 3.0, 3.7):
        sky, rays = _sphere(index)
        n, east, north = (np.asarray(v) for v in (rays.direction, rays.east, rays.north))
        across = np.hypot(FIELD @ east, FIELD @ north)
        factor = float(spectral_factor(jnp.asarray(frequency), jnp.asarray(index)))
        bright = factor * NORMALISATION * across ** ((index + 1) / 2) * RADIUS
        x = (const.SPEED_OF_LIGHT / (frequency * 1e9)) ** 2 * const.FARADAY_CONSTANT
        x = x * DENSITY * -(FIELD @ n) * RADIUS
        fraction = float(polarised_fraction(jnp.asarray(index)))
        chi = np.arctan2(-(FIELD @ north), FIELD @ east)
        p = fraction * bright * np.exp(2j * chi + 1j * x) * np.sinc(x / np.pi)
        stokes = sky(rays, frequency)
        found = np.asarray(stokes.Q) + 1j * np.asarray(stokes.U)
        errors += [ratio(stokes.I, bright), np.abs(found - p) / np.abs(p).max()]
    return row(
        "Synchrotron", f"homogeneous sphere, {frequency:g} GHz", "closed form", "closed form",
        np.concatenate(errors), 3e-12, "of the largest P",
    )  # fmt: skip


def columns() -> Row:
    sky, rays = _sphere()
    toward = -(FIELD @ np.asarray(rays.direction))
    rm = const.FARADAY_CONSTANT * DENSITY * toward * RADIUS
    seen = sky.observe(rays, 1.0)
    error = [
        (seen.rotation_measure - rm) / np.abs(rm).max(),
        ratio(seen.dispersion_measure, DENSITY * RADIUS * 1e3 * np.ones(rays.n_rays)),
        ratio(seen.emission_measure, DENSITY**2 * RADIUS * 1e3 * np.ones(rays.n_rays)),
    ]
    return row(
        "RotationMeasure", "RM, DM, EM of the sphere", "closed form", "closed form", error, 1e-12
    )


def sightlines(t: Any) -> Row:
    dm = synax.electrons.dispersion_measure(
        synax.electrons.YMW16(), t["l_deg"], t["b_deg"], t["d_pc"] / 1e3
    )
    return row(
        "DispersionMeasure", "YMW16, 200 sightlines", "fine sum of the program's density",
        "program", ratio(dm, t["DM_exact"]), 2e-2, "thin shells that the sum cuts short",
    )  # fmt: skip


CASES = {
    "case2u": (synax.magnetic.WMAP, "uniform n_e"),
    "case2": (synax.magnetic.WMAP, "YMW16"),
    "case3": (synax.magnetic.JF12.hammurabi, "YMW16"),
    "case4": (synax.magnetic.Jaffe13, "YMW16"),
}


def _map(t: Any, case: str) -> Row:
    """I, Q, U of all frequencies, of the standard deviation of the map."""
    make, name = CASES[case]
    uniform = name != "YMW16"
    electrons = synax.electrons.Uniform(0.005, 30.0, SUN) if uniform else synax.electrons.YMW16()
    radius = 20.0 if case == "case4" else 40.0
    domain = synax.Box((radius, radius, 5.0)) & synax.Sphere(radius) & synax.Sphere(30.0, SUN)
    rays = synax.Sightlines.healpix(32, SUN, domain, pixels=t[f"{case}_pixels"])
    steps = 384 if uniform else synax.GradedSteps(768, 0.3)
    sky = synax.Synchrotron(make(), electrons, synax.cosmic_rays.Analytic(), steps=steps)
    with warnings.catch_warnings():
        # that program's observer stands on the wall of a JF12 arm; maps do not mind
        warnings.filterwarnings("ignore", "the observer", synax.SynaxWarning)
        stokes = sky(rays, t[f"{case}_frequency"])
    gap = lambda n: (
        np.asarray(getattr(stokes, n) - t[f"{case}_{n}"]) / t[f"{case}_{n}_std"][:, None]
    )
    error = np.abs([gap(n) for n in "IQU"])
    return row(
        "Synchrotron", f"{make.__qualname__}, {name}: maps", "hammurabiX's fields, converged",
        "program", error, 0.1, "a few rays that graze thin shells; 99 % are within 1 %",
    )  # fmt: skip


class Linear(eqx.Module):
    """Three numbers, of which the data are linear functions."""

    x: jax.Array


def _linear() -> tuple[Any, np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(11)
    mix = np.array([[1.0, 0.9, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 5.0]])
    matrix = rng.normal(size=(20, 3)) @ mix
    data = matrix @ np.array([0.5, -1.0, 0.2]) + 0.3 * rng.normal(size=20)
    precision = matrix.T @ matrix / 0.09 + np.eye(3) / 4.0
    mean = np.linalg.solve(precision, matrix.T @ data / 0.09)
    likelihood = Likelihood(lambda m: matrix @ m.x, data, GaussianNoise(0.3))
    posterior = synax.Posterior(Linear(jnp.ones(3)), {"x": dist.Normal(0.0, 2.0)}, likelihood)
    marginal = 0.09 * np.eye(20) + 4.0 * matrix @ matrix.T
    evidence = -0.5 * data @ np.linalg.solve(marginal, data)
    evidence -= 0.5 * np.linalg.slogdet(2.0 * np.pi * marginal)[1]
    return posterior, mean, np.linalg.inv(precision), float(evidence)


def sampler(method: str) -> Row:
    """Means and deviations of 4000 draws, in posterior deviations."""
    posterior, mean, covariance, _ = _linear()
    chosen = synax.RandomWalk(thin=20) if method == "random walk" else method
    draws = synax.sample(posterior, jax.random.key(5), chosen, warmup=100, draws=1000, check=False)
    x = draws.posterior["x"].values.reshape(-1, 3)
    deviation = np.sqrt(np.diag(covariance))
    bulk = float(np.min(assess(draws).bulk))
    error = [(x.mean(0) - mean) / deviation, x.std(0) / deviation - 1.0]
    return row(
        "sample", f"{method}: mean and deviation", "Gaussian posterior", "closed form", error,
        4.5 / np.sqrt(bulk), f"Monte Carlo: {bulk:.0f} independent draws",
    )  # fmt: skip


def evidence() -> Row:
    posterior, *_, exact = _linear()
    draws = synax.sample(posterior, jax.random.key(2), "laplace", draws=200)
    found = draws.sample_stats.attrs["log_evidence"]
    return row("sample", "laplace: ln evidence", "closed form", "closed form", found - exact, 0.02)


def fit() -> Row:
    posterior, mean, covariance, _ = _linear()
    found = synax.fit(posterior).model.x
    error = (np.asarray(found) - mean) / np.sqrt(np.diag(covariance))
    return row(
        "fit", "linear posterior, in its deviations", "closed form", "closed form", error, 1e-3
    )


FORMS: dict[str, Callable[[], Row]] = {
    **{f"sphere {nu:g} GHz": lambda nu=nu: sphere(nu) for nu in (0.1, 0.408, 2.4, 30.0)},
    "columns": columns,
    **{f"sampler {m}": lambda m=m: sampler(m) for m in ("nuts", "hmc", "mclmc", "random walk")},
    "evidence": evidence,
    "fit": fit,
}


def rows(tables: Callable[[str], Any]) -> Iterator[tuple[str, Callable[[], Row]]]:
    """(name, how to make the row) of every sky and every method of inference."""
    for name, make in FORMS.items():
        yield f"closed/{name}", make
    yield "ymw16_los/sightlines", lambda: sightlines(tables("ymw16_los"))
    for case in CASES:
        yield f"reference_maps/{case}", lambda c=case: _map(tables("reference_maps"), c)

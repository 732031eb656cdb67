"""RM synthesis, CLEAN and closed forms against independent values and against each other."""

import astropy.units as u
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax import faraday

BANDS = ("band_800_1088", "lofar_120_168", "gap")
LIGHT = 0.299792458


def source(kind, p, chi, r, s, a):
    common = {"amplitude": p, "angle": chi}
    return {
        "thin": lambda: faraday.ThinScreen(r, **common),
        "slab": lambda: faraday.BurnSlab(r, **common),
        "slab_screen": lambda: faraday.Screened(faraday.BurnSlab(r, **common), s),
        "gaussian": lambda: faraday.ExternalDispersion(r, s, **common),
        "internal": lambda: faraday.InternalDispersion(r, s, **common),
        "ramp": lambda: faraday.Ramp(r, a, **common),
        "quadratic": lambda: faraday.QuadraticDepth(r, **common),
    }[kind]()


@pytest.fixture(scope="module")
def reference(table):
    return dict(table("faraday_dev"))


@pytest.fixture(scope="module")
def wide():
    return np.linspace(0.8, 1.088, 96)


@pytest.mark.parametrize("band", BANDS)
def test_spectra_and_response_are_those_of_the_table(reference, band):
    get = lambda name: reference[f"{band}_{name}"]
    p = get("P").T
    found = synax.rm_synthesis(get("freq_Hz") * u.Hz, p.real, p.imag, get("phi"))
    amplitude = get("params")[:, 0]
    assert np.max(np.abs(found.values.T - get("fdf")) / amplitude[:, None]) < 1e-12
    channels = found.channels
    assert np.max(np.abs(channels.rmsf(get("phi_rmsf")) - get("rmsf"))) < 1e-12
    numbers = get("numbers")
    assert abs(found.lambda0_squared / numbers[0] - 1) < 1e-14
    assert abs(found.fwhm / numbers[1] - 1) < 1e-3  # the table's was read off samples
    half = np.abs(channels.rmsf([0.5 * found.fwhm]))
    assert abs(half[0] - 0.5) < 1e-10
    assert abs(channels.largest_scale / numbers[3] - 1) < 1e-13
    if band != "gap":  # there the table's width is that of the gap
        assert abs(channels.largest_depth / numbers[4] - 1) < 1e-12


def test_closed_forms_are_those_of_the_table(reference):
    get = lambda name: [reference[f"{band}_{name}"] for band in BANDS]
    n = max(f.size for f in get("freq_Hz"))
    pad = lambda x: np.pad(x, (0, n - x.size), mode="edge")
    x = np.stack([pad((LIGHT / (f / 1e9)) ** 2) for f in get("freq_Hz")])
    for k, kind in enumerate(reference["gap_kind"]):
        numbers = np.stack([p[k] for p in get("params")])
        run = lambda row, x, kind=kind: source(str(kind), *row).polarisation(x)
        found = jax.jit(jax.vmap(run))(numbers, x)
        expected = np.stack([pad(p[k]) for p in get("P")])
        error = np.max(np.abs(found - expected) / numbers[:, :1])
        assert error < 1e-13, f"{kind}: {error}"


@pytest.mark.parametrize(
    "model",
    [
        faraday.BurnSlab(-40.0, 0.7, 0.3),
        faraday.Ramp(25.0, 0.6, 0.7, 0.3),
        faraday.ExternalDispersion(30.0, 8.0, 0.7, 0.3),
        faraday.InternalDispersion(-30.0, 12.0, 0.7, 0.3),
        faraday.InternalDispersion(200.0, 3.0, 0.7, 0.3),
        faraday.Screened(faraday.BurnSlab(30.0), -70.0),
    ],
    ids=lambda m: type(m).__name__,
)
def test_spectra_of_closed_forms_transform_into_their_polarisation(model):
    step = 4e-3
    phi = np.arange(-400, 400, step) + step / 2  # no sample on an edge
    f = np.asarray(eqx.filter_jit(model.spectrum)(phi))
    assert np.all(np.isfinite(f))
    for x in (0.0, 0.01, 0.07):
        total = np.sum(f * np.exp(2j * phi * x)) * step
        assert abs(total - complex(model.polarisation(x))) < 1e-5


def test_depolarisation_starts_at_one_and_is_differentiable_there():
    x = jnp.asarray([0.0, 0.05])
    for model in (faraday.BurnSlab(10.0), faraday.Ramp(10.0, 0.5), faraday.QuadraticDepth(10.0)):
        run = lambda t, m=model: (m.depolarisation(t), m.polarisation(t).imag)
        (curve, _), (_, slope) = jax.jit(lambda t, run=run: jax.jvp(run, (t,), (1 + 0 * t,)))(x)
        assert curve[0] == 1.0 and curve[1] < 1.0
        assert np.isfinite(slope[0]) and slope[0] > 0


def test_clean_is_that_of_the_table_with_and_without_noise(reference):
    for name in ("noiseless", "noisy"):
        get = lambda part, name=name: reference[f"clean_{name}_{part}"]
        p = get("P")
        found = synax.rm_synthesis(
            reference["band_800_1088_freq_Hz"] / 1e9, p.real, p.imag, get("phi")
        )
        threshold = 1e-4 if name == "noiseless" else np.abs(get("residual")).max() * (1 + 1e-12)
        result = found.clean(threshold)
        assert np.max(np.abs(result.components - get("components"))) < 1e-12
        assert np.max(np.abs(result.residual - get("residual"))) < 1e-12
        for depth, flux in ((200.0, 0.7), (-60.0, 0.25)):
            near = np.abs(found.phi - depth) < 30
            total = np.abs(np.sum(np.asarray(result.components)[near]))
            assert abs(total - flux) < (5e-4 if name == "noiseless" else 0.01)


def test_restored_spectrum_of_one_component_is_a_gaussian(wide):
    phi = np.arange(-400.0, 401.0, 5.0)
    p = 0.8 * np.exp(2j * (0.4 + 100.0 * (LIGHT / wide) ** 2))
    found = synax.rm_synthesis(wide, p.real, p.imag, phi)
    result = found.clean(1e-5)
    beam = 0.8 * np.exp(-4 * np.log(2) * ((phi - 100) / found.fwhm) ** 2)
    assert np.max(np.abs(np.abs(result.restored) - beam)) < 1e-4


def test_weights_and_left_out_channels(wide):
    rng = np.random.default_rng(1)
    q, v = rng.normal(size=(2, wide.size, 3))
    weights = rng.uniform(size=wide.size)
    weights[10:20] = 0.0
    q[12], v[15] = np.nan, np.inf
    phi = np.linspace(-200, 200, 41)
    found = synax.rm_synthesis(wide, q, v, phi, weights=weights)
    x = (LIGHT / wide) ** 2
    used = weights > 0
    zero = np.sum(weights * x) / np.sum(weights)
    p = np.where(used[:, None], q, 0.0) + 1j * np.where(used[:, None], v, 0.0)
    expected = [weights @ (p * np.exp(-2j * f * (x - zero))[:, None]) for f in phi]
    assert np.max(np.abs(found.values - np.stack(expected) / weights.sum())) < 1e-13
    falling = synax.rm_synthesis(wide[::-1], q[::-1], v[::-1], phi, weights=weights[::-1])
    assert np.max(np.abs(falling.values - found.values)) < 1e-13


def test_peak_lies_between_samples_and_its_errors_are_the_scatter(wide):
    rng = np.random.default_rng(2)
    n, sigma = 2000, np.linspace(0.1, 0.3, wide.size)
    x = (LIGHT / wide) ** 2
    clean = 0.5 * np.exp(2j * (0.3 + 37.7 * x))
    phi = np.arange(-300.0, 301.0, 12.0)
    exact = synax.rm_synthesis(wide, clean.real, clean.imag, phi).peak()
    assert abs(exact.depth - 37.7) < 1e-9 and abs(exact.angle - 0.3) < 1e-9
    assert abs(exact.polarisation - 0.5) < 1e-12 and exact.depth_error < 0.1
    noise = sigma[:, None] * rng.normal(size=(2, wide.size, n))
    q, v = clean.real[:, None] + noise[0], clean.imag[:, None] + noise[1]
    told = synax.rm_synthesis(wide, q, v, phi, sigma=sigma).peak()
    unsaid = synax.rm_synthesis(wide, q, v, phi, weights=sigma**-2).peak()
    for peak, tolerance in ((told, 0.05), (unsaid, 0.07)):
        assert abs(np.std(peak.depth) / np.mean(peak.depth_error) - 1) < tolerance
        assert abs(np.std(peak.angle) / np.mean(peak.angle_error) - 1) < tolerance
    assert abs(np.mean(told.depth) - 37.7) < 4 * np.std(told.depth) / np.sqrt(n)
    depth = lambda r: (
        synax.rm_synthesis(wide, jnp.cos(2 * r * x), jnp.sin(2 * r * x), phi).peak().depth
    )
    slope = jax.jit(jax.grad(depth))(40.0)
    assert abs(slope - 1.0) < 1e-8


def test_moments(wide):
    phi = np.arange(-300.0, 301.0, 5.0)
    p = np.exp(2j * 50.0 * (LIGHT / wide) ** 2)
    found = synax.rm_synthesis(wide, np.stack([p.real, 0 * p.real], 1), np.stack([p.imag] * 2, 1))
    total, mean, width = found.moments([0.5, 9.0])
    assert abs(mean[0] - 50) < 1 and 0.2 < width[0] / found.fwhm < 0.4 and total[0] > 0.5
    assert total[1] == 0 and np.isnan(mean[1]) and np.isnan(width[1])
    thin = synax.rm_synthesis(wide, p.real, p.imag, phi).clean(1e-4)
    one = faraday._synthesis.moments(phi, thin.components, 0.0, 1.0)
    assert abs(one[1] - 50) < 1e-3 and one[2] < 1.0


def test_linear_in_the_data_and_differentiable(wide):
    rng = np.random.default_rng(3)
    phi = np.linspace(-100, 100, 9)
    q, v, weight = rng.normal(size=(3, wide.size))
    run = lambda q: synax.rm_synthesis(wide, q, v, phi).values
    value, pull = jax.vjp(run, jnp.asarray(q))
    _, push = jax.jvp(run, (jnp.asarray(q),), (jnp.asarray(weight),))
    bar = rng.normal(size=9) + 1j * rng.normal(size=9)
    left, right = np.sum(bar * np.asarray(push)).real, np.sum(np.asarray(pull(bar)[0]) * weight)
    assert abs(left - right) < 1e-13 * wide.size
    single = synax.rm_synthesis(wide, np.float32(q), np.float32(v), phi)
    assert single.values.dtype == np.complex64
    assert np.max(np.abs(single.values - value)) < 1e-6


def test_bad_input_is_named(wide):
    q = np.ones(wide.size)
    refused = lambda text, *a, **k: pytest.raises(ValueError, match=text)
    with refused("channels 3 and 4"):
        shuffled = wide.copy()
        shuffled[[3, 4]] = shuffled[[4, 3]]
        synax.rm_synthesis(shuffled, q, q)
    with refused("divide by 1e9"):
        synax.rm_synthesis(wide * 1e9, q, q)
    with refused("same unit"):
        synax.rm_synthesis(wide, q * u.K, q)
    with refused("same unit"):
        synax.rm_synthesis(wide, q * u.K, q * u.Jy)
    with refused("Q must be"):
        synax.rm_synthesis(wide, q[1:], q[1:])
    with refused("not finite in channel 7"):
        synax.rm_synthesis(wide, q, np.where(np.arange(q.size) == 7, np.nan, q))
    with refused("weights must not be negative"):
        synax.rm_synthesis(wide, q, q, weights=-q)
    with refused("phi must increase"):
        synax.rm_synthesis(wide, q, q, [3.0, 1.0])
    with refused("equally spaced"):
        synax.rm_synthesis(wide, q, q, [-9.0, 0.0, 1.0, 9.0]).clean(0.1)
    with pytest.warns(UserWarning, match="narrower channels"):
        synax.rm_synthesis(wide, q, q, np.arange(-9000, 9001, 10.0))
    with pytest.warns(UserWarning, match="fall between samples"):
        synax.rm_synthesis(wide, q, q, np.arange(-900, 901, 90.0))


def test_rm_lite_finds_the_same(wide):
    """The published program, where it is installed (pip install rm-lite)."""
    synthesis = pytest.importorskip("rm_lite.utils.synthesis")
    rng = np.random.default_rng(4)
    p = rng.normal(size=wide.size) + 1j * rng.normal(size=wide.size)
    weights = rng.uniform(0.5, 1.0, wide.size)
    phi = np.linspace(-300, 300, 61)
    x = (LIGHT / wide) ** 2
    found = synax.rm_synthesis(wide, p.real, p.imag, phi, weights=weights)
    theirs = synthesis.rmsynth_nufft(
        complex_pol_arr=p,
        lambda_sq_arr_m2=x,
        phi_arr_radm2=phi,
        weight_arr=weights,
        lam_sq_0_m2=found.lambda0_squared,
        eps=1e-12,
    )
    assert np.max(np.abs(np.asarray(theirs).ravel() - found.values)) < 1e-11


def test_a_range_of_depths_that_the_response_covers_is_told():
    """Megahertz for gigahertz make the response a million times wider."""
    nu = np.linspace(120.0, 168.0, 24)
    ones = np.ones(24)
    with pytest.warns(synax.SynaxWarning, match="phi spans 100 rad/m2, a small part of"):
        found = synax.rm_synthesis(nu, ones, ones, np.linspace(-50.0, 50.0, 11))
    assert "24 from 120 to 168 GHz, response 1.22e+06 rad/m2" in repr(found)

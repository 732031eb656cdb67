"""A Galaxy fitted to the sky: least squares with Gaussian priors, evidence by Laplace.

The likelihood is Gaussian with the variances of `_sky_data`. Residuals of neighbouring pixels go
together (loops, large turbulence), so that each data set counts for `temper` times fewer pixels
than it has: the excess of the scatter of sums over blocks over that of independent pixels.
"""

from typing import NamedTuple

import equinox as eqx
import healpy
import jax
import jax.numpy as jnp
import numpy as np
from _sky_data import BLOCKS, DISTANCES, FREQUENCY, NSIDE, in_gum, sightlines
from scipy.optimize import least_squares

import synax
from synax._parameters import get_path, set_paths

OFFSET = 1.0
"""Prior standard deviation of what is isotropic in the 408 MHz map, K."""

NUISANCE = {
    "electrons.factor": ("log", 0.15),
    "cosmic_rays.alpha": ("linear", 0.01),
    "cosmic_rays.flux": ("log", 0.15),
    "cosmic_rays.r0": ("log", 0.25),
    "cosmic_rays.z0": ("log", 0.3),
    **{f"turbulence.strength.parts.0.{k}": ("log", 0.4) for k in ("b_d", "z_d", "l_r")},
    **{
        f"turbulence.strength.parts.1.{k}": ("log", 0.4) for k in ("factor", "field.r0", "field.z0")
    },
    "turbulence.striation": ("log", 0.5),
}
"""Free numbers of electrons, cosmic rays and turbulence: how their prior runs, and its width.

'linear': a normal prior about the first value; 'log': of the logarithm, for what is positive.
"""
UF23 = {
    **{f"magnetic.b_{k}": ("linear", 1.0) for k in ("1", "2", "3", "north", "south")},
    **{f"magnetic.phi_{k}": ("linear", 0.5) for k in (1, 2, 3)},
    "magnetic.b_poloidal": ("linear", 0.5),
    "magnetic.pitch": ("linear", 0.1),
    **{f"magnetic.{k}": ("log", 0.3) for k in ("h_disk", "w_disk", "r_toroidal", "r_poloidal")},
    **{f"magnetic.{k}_{p}": ("log", 0.4) for k in ("w", "z") for p in ("toroidal", "poloidal")},
    "magnetic.p": ("log", 0.2),
}
"""The same of the field of UF23 (base)."""
BUBBLE = {
    "magnetic.b0": ("log", 0.4),
    "magnetic.longitude": ("linear", 0.5),
    "magnetic.latitude": ("linear", 0.4),
}
"""The same of the Local Bubble: its field before the explosion."""


class Fit(NamedTuple):
    """What is found: numbers by path, in parameters x with unit normal priors, and how well."""

    x: np.ndarray
    first: dict[str, float]
    covariance: np.ndarray
    log_evidence: float
    chi2: dict[str, float]
    """Sum of squared residuals of each data set in units of its variance (not tempered)."""
    excess: dict[str, float]
    evaluations: int
    model: dict[str, np.ndarray]
    """Observables of every pixel, the offset at 408 MHz included."""


def observables(sky, rays):
    """Brightness at 408 MHz (K), Q and U at 23 GHz (uK), RM, and the brightness at 23 GHz (K)."""
    seen = sky.observe(rays, FREQUENCY)
    light = seen.stokes
    polarised = {"Q": 1e6 * light.Q[1], "U": 1e6 * light.U[1]}
    return {"I": light.I[0], **polarised, "RM": seen.rotation_measure, "I23": light.I[1]}


def numbers(x, free, first):
    """Numbers by path, and the offset at 408 MHz, from parameters with unit normal priors."""
    values = {}
    for i, (path, (kind, width)) in enumerate(free.items()):
        shift = width * x[i]
        values[path] = first[path] + shift if kind == "linear" else first[path] * jnp.exp(shift)
    return values, OFFSET * x[-1]


def first_numbers(form, free):
    """The numbers of a Galaxy by path, about which the priors lie."""
    return {path: float(get_path(form, path)) for path in free}


def _residuals(x, known, kinds):
    form, rays, widths, first, data, dm = known
    free = {p: (k, widths[i]) for i, (p, k) in enumerate(kinds)}
    values, offset = numbers(x, free, first)
    model = observables(set_paths(form, values), rays)
    model["I"] = model["I"] + offset
    parts = [(model[k] - value) / sigma for k, (value, sigma) in data.items()]
    factor = values.get("electrons.factor", 1.0)
    left = jnp.concatenate([*parts, _soft((jnp.log(factor) + dm) / DISTANCES), x])
    return left, (left, model)


def _soft(residual):
    """A residual whose square grows linearly beyond 1: single pulsars lie behind clumps."""
    square = 2.0 * (jnp.sqrt(1.0 + residual**2) - 1.0)
    return jnp.sign(residual) * jnp.sqrt(jnp.maximum(square, 1e-12))


_evaluate = eqx.filter_jit(jax.jacfwd(_residuals, has_aux=True))


def fit(
    form,
    free,
    data,
    pixels,
    pulsars,
    temper,
    use=None,
    searches=20,
    fixed=(),
    start=None,
    verbose=0,
):
    """Fit the numbers `free` of `form` to the pixels marked by `use` (None: to all).

    Paths in `fixed` keep their first value; `start` is where the search begins.
    """
    rays = sightlines(pixels)
    use = np.ones(pixels.size, bool) if use is None else use
    form = form.integrate_with(adjoint=synax.DirectAdjoint())
    first = first_numbers(form, free)
    dm = _dispersion_ratio(form.electrons.field, pulsars)
    form = evaluated(form, rays)
    widths = jnp.array([0.0 if p in fixed else w for p, (_, w) in free.items()])
    tempered = {k: (v, np.where(use, s * np.sqrt(temper[k]), 1e12)) for k, (v, s) in data.items()}
    kinds = tuple((p, kind) for p, (kind, _) in free.items())
    known, kept = (form, rays, widths, first, tempered, dm), {}

    def at(x):
        if not np.array_equal(kept.get("x"), x):
            slope, (left, model) = _evaluate(jnp.asarray(x), known, kinds)
            kept.update(x=np.array(x), left=np.asarray(left), slope=np.asarray(slope), model=model)
        return kept

    start = np.zeros(len(free) + 1) if start is None else start
    found = least_squares(
        lambda x: at(x)["left"], start, lambda x: at(x)["slope"],
        max_nfev=searches, ftol=1e-4, verbose=verbose,
    )  # fmt: skip
    slope, model = at(found.x)["slope"], {k: np.asarray(v) for k, v in at(found.x)["model"].items()}
    precision = slope.T @ slope
    log_evidence = -found.cost - 0.5 * np.linalg.slogdet(precision)[1]
    left = {k: ((model[k] - v) / s)[use] for k, (v, s) in data.items()}
    chi2 = {k: float(np.sum(r**2)) for k, r in left.items()}
    n = len(free) + 1
    chi2["DM"] = float(np.sum(found.fun[-n - dm.size : -n] ** 2))
    excess = {k: _excess(pixels[use], r) for k, r in left.items()}
    covariance, nfev = np.linalg.inv(precision), int(found.nfev)
    return Fit(found.x, first, covariance, float(log_evidence), chi2, excess, nfev, model)


def evaluated(sky, rays):
    """A simulator whose densities are evaluated once: the fit scales them only."""
    density = synax.sample_along(
        sky.electrons.field, rays, sky.steps, quadrature=sky.quadrature, surfaces=sky.surfaces()
    )
    return eqx.tree_at(lambda s: s.electrons.field, sky, density)


def _dispersion_ratio(density, pulsars):
    """Logarithm of model over data of the dispersion measures, for the factor 1."""
    rays = synax.Sightlines.from_lonlat(pulsars["l"], pulsars["b"], pulsars["distance"])
    model = np.asarray(synax.DispersionMeasure(density, steps=48)(rays))
    return np.log(model / pulsars["DM"])


def _excess(pixels, residual):
    """How much more the sums over blocks scatter than those of independent pixels."""
    block = healpy.ang2pix(BLOCKS, *healpy.pix2ang(NSIDE, pixels))
    sums, count = np.bincount(block, residual), np.bincount(block)
    return float(max(1.0, np.mean(sums[count > 0] ** 2 / count[count > 0])))


def agreement(model, measured):
    """Scale of data = scale model, correlation, and rms of data - model."""
    return {
        "pixels": int(model.size),
        "scale": float(np.sum(model * measured) / np.sum(model**2)),
        "correlation": float(np.corrcoef(model, measured)[0, 1]),
        "residual_rms": float(np.sqrt(np.mean((measured - model) ** 2))),
        "data_rms": float(np.sqrt(np.mean(measured**2))),
        "data_mean": float(np.mean(measured)),
    }


def compare(seen, data, masks, offset):
    """The numbers of a Galaxy's whole sky against the data, in each part of the sky."""
    rows = {}
    for part, mask in masks.items():
        m = {k: np.asarray(v)[mask] for k, v in seen.items()}
        d = {k: v[0][mask] for k, v in data.items()}
        bright = agreement(m["I"], d["I"] - offset)
        bright["residual_over_mean"] = bright["residual_rms"] / bright["data_mean"]
        index = np.log(m["I23"] / m["I"]) / np.log(float(FREQUENCY[1] / FREQUENCY[0]))
        both = [np.concatenate([x["Q"], x["U"]]) for x in (m, d)]
        known = np.isfinite(d["RM"])
        away = known & ~in_gum(np.flatnonzero(mask))
        rows[part] = {
            "408 MHz": bright,
            "index": {"model": float(np.mean(index)), "data": float(np.mean(d["index"]))},
            "Q": agreement(m["Q"], d["Q"]),
            "U": agreement(m["U"], d["U"]),
            "Q and U": agreement(*both),
            "RM": _rotation(m["RM"][known], d["RM"][known]),
            "RM away from the Gum nebula": _rotation(m["RM"][away], d["RM"][away]),
        }
    return rows


def _rotation(model, measured):
    large = np.abs(measured) > 20.0
    same = float(np.mean(model[large] * measured[large] > 0))
    return agreement(model, measured) | {"same_sign_above_20": same}


def told(rows):
    """The targets' numbers, one line a part of the sky."""
    for part, row in rows.items():
        bright, both, rm = row["408 MHz"], row["Q and U"], row["RM"]
        away = row["RM away from the Gum nebula"]
        print(
            f"{part:9s} 408 MHz: scale {bright['scale']:.3f} r {bright['correlation']:.3f} "
            f"rms/mean {bright['residual_over_mean']:.3f} | index {row['index']['model']:.2f} "
            f"({row['index']['data']:.2f}) | Q, U: scale {both['scale']:.3f} "
            f"r {both['correlation']:.3f} | RM: scale {rm['scale']:.3f} "
            f"r {rm['correlation']:.3f} sign {rm['same_sign_above_20']:.3f} "
            f"(without Gum {away['scale']:.3f} {away['correlation']:.3f})",
            flush=True,
        )

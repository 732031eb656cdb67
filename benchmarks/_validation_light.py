"""Rows of the validation report on formulae, laws of light and Faraday depth."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import synax
from synax import _constants as const, cosmic_rays, emission, faraday
from synax.transfer import Cell, Coefficients, Line

Row = dict[str, Any]
HERE = np.zeros(3)


def row(what: str, of: str, against: str, kind: str, error: Any, bound: float, because: str = ""):
    """One line of the report from the errors of its points, each relative to its own scale."""
    error = np.abs(np.asarray(error)).ravel()
    return {
        "what": what,
        "of": of,
        "against": against,
        "kind": kind,
        "points": int(error.size),
        "median": float(np.median(error)),
        "worst": float(error.max()),
        "bound": bound,
        "because": because,
    }


def ratio(found: Any, expected: Any) -> np.ndarray:
    """Relative error; absolute where nothing is expected."""
    found, expected = np.asarray(found), np.asarray(expected)
    return (found - expected) / np.where(expected == 0, 1.0, expected)


def kernels(t: Any) -> Row:
    x = t["x"]
    f, g, _ = emission.synchrotron_kernels(jnp.asarray(x))
    error = np.concatenate([ratio(f, t["F"])[x < 50], ratio(g, t["G"])])
    return row(
        "emission.synchrotron_kernels", "F, G", "adaptive quadrature", "quadrature", error, 1e-10
    )


def power_law(t: Any) -> Row:
    factor = jax.vmap(emission.spectral_factor)(jnp.asarray(t["nu_GHz"]), jnp.asarray(t["p"]))
    kelvin = factor * t["N0_cm3"] * t["Bperp_uG"] ** ((t["p"] + 1) / 2) / const.KPC
    wavelength = const.SPEED_OF_LIGHT / (t["nu_GHz"] * 1e9)
    cgs = kelvin * 2 * const.BOLTZMANN / wavelength**2 * 1e3 / 100
    return row(
        "emission.spectral_factor",
        "emissivity of a power law",
        "hammurabiX (2021)",
        "program",
        ratio(cgs, t["j_total"]),
        3e-5,
        "its constants differ in the sixth digit",
    )


def _spectra(t: Any, kind: str) -> Row:
    own = t["kind"] == kind

    @jax.jit
    @jax.vmap
    def found(numbers: Any, b: Any, nu: Any) -> Any:
        c, p, p2, p3, p4 = numbers[:5]
        model = {
            "broken": lambda: cosmic_rays.BrokenPowerLaw(c, p, p3, p2, p4),
            "sharp_broken": lambda: cosmic_rays.BrokenPowerLaw(c, p, p3, p2, None),
            "expcut": lambda: cosmic_rays.CutOffPowerLaw(c, p, p2, p3, gamma_max=1e12),
            "logpar": lambda: cosmic_rays.LogParabola(c, p, p3, p2),
            "power_wide": lambda: cosmic_rays.Uniform(c, p),
        }[kind]()
        return *emission.emissivity(model, HERE, b, nu), *emission.absorptivity(model, HERE, b, nu)

    inputs = [jnp.asarray(t[k][own]) for k in ("params", "B_uG", "nu_GHz")]
    names = ("jTI_K_per_kpc", "jTP_K_per_kpc", "aI_per_kpc", "aP_per_kpc")
    expected = np.stack([t[k][own] for k in names])
    seen = expected > 1e-12 * expected.max(axis=1, keepdims=True)
    error = ratio(np.stack(found(*inputs)), np.where(seen, expected, 1.0))[seen]
    label = {
        "broken": "BrokenPowerLaw",
        "sharp_broken": "BrokenPowerLaw",
        "expcut": "CutOffPowerLaw",
        "logpar": "LogParabola",
        "power_wide": "Uniform",
    }[kind]
    return row(
        f"cosmic_rays.{label}",
        f"emission, absorption: {kind}",
        "adaptive quadrature",
        "quadrature",
        error,
        1e-6,
    )


def gaunt(t: Any) -> Row:
    error = ratio(emission.gaunt_factor(t["node_nu_GHz"], t["node_T_K"]), t["node_g_ff"])
    paper = "van Hoof et al. 2014"
    return row("emission.gaunt_factor", "nodes of its table", paper, "literature", error, 3e-6)


def free_free(t: Any) -> Row:
    inputs = [jnp.asarray(t[k]) for k in ("ne_cm3", "T_K", "nu_GHz", "filling")]
    kappa, light = emission.free_free(*inputs)
    error = [ratio(kappa, t["kappa_rj_per_kpc"]), ratio(light, t["jT_rj_K_per_kpc"])]
    return row("emission.free_free", "absorption, emission", "table", "quadrature", error, 3e-6)


def cold_plasma(t: Any) -> Row:
    values = dict(zip(t["names"], t["values"].T, strict=True))
    given = dict(zip(t["input_names"], t["inputs"].T, strict=True))
    field = given["B"] / const.MICROGAUSS
    angle, nu = given["theta"], given["nu"] / 1e9
    inputs = (given["ne"] / const.PER_CM3, field * np.sin(angle), field * np.cos(angle), nu)
    found = emission.cold_rotativity(*(jnp.asarray(x) for x in inputs))
    expected = [values[n] * const.KPC for n in ("rQ_cold", "rV_cold")]
    error = [ratio(f, e) for f, e in zip(found, expected, strict=True)]
    what = "rotation, conversion"
    return row("emission.cold_rotativity", what, "closed form", "closed form", error, 1e-12)


def turbulence(t: Any) -> Row:
    p, b, sigma = (jnp.asarray(t[f"iso_{k}"]) for k in ("p", "b", "sigma"))
    total, factor = emission.turbulent_powers(b * b, sigma * sigma, p)
    error = [ratio(total, t["iso_I"]), ratio(factor * b * b, t["iso_P"])]
    return row(
        "emission.turbulent_powers", "mean I, P", "1F1; 2-D quadrature", "closed form", error, 1e-10
    )


def cell(t: Any) -> Row:
    out = jax.jit(synax.transfer.polarised_cell)(t["j"].T, t["a"].T, t["rho"].T, t["s"], t["S0"].T)
    scale = np.max(np.abs(t["S"]), axis=1) * (1.0 + t["condition"])
    error = np.max(np.abs(np.asarray(out).T - t["S"]), axis=1) / scale
    return row(
        "transfer.polarised_cell", "I, Q, U, V of a cell", "ball arithmetic", "closed form", error,
        2e-15, "of the condition number",
    )  # fmt: skip


def slabs(t: Any) -> Row:
    """Stacks of slabs without a background, by `Absorbing`."""
    errors = []
    for frequency in np.unique(t["nu_MHz"]):
        rows = np.flatnonzero((t["nu_MHz"] == frequency) & (t["bg_P_K"] == 0) & (t["bg_I_K"] == 0))
        if rows.size == 0:
            continue
        law = synax.Absorbing(jnp.asarray([frequency * 1e-3]))
        of = lambda name, rows=rows: jnp.asarray(t[name][rows])
        kappa, p, chi = (of(n) for n in ("kappa_per_kpc", "jP_K_per_kpc", "chi0_rad"))
        j = of("jI_K_per_kpc") + kappa * of("Te_K")
        path = sums = None
        for s in range(kappa.shape[1]):
            length = jnp.where(s < of("n_slabs"), of("L_kpc")[:, s], 0.0)
            zero = lambda x, here=length > 0: jnp.where(here, x, 0.0)
            line = lambda x, zero=zero: Line(zero(x)[None], None)
            light = (j[:, s], p[:, s] * jnp.cos(2 * chi[:, s]), p[:, s] * jnp.sin(2 * chi[:, s]))
            here = Coefficients(
                emission=(*map(line, light), None),
                absorption=(line(kappa[:, s]), None, None, None),
                rotation=Line(zero(of("rm_per_kpc")[:, s]), None),
            )
            path = law.init(Cell(length, here)) if path is None else path
            path, new = law.step(path, Cell(length, here))
            sums = new if sums is None else jax.tree.map(jnp.add, sums, new)
        found = law.finish(path, sums).stokes[:3]
        scale = np.asarray(of("I_K")) * (1.0 + of("faraday_rotation_rad"))
        pairs = zip(found, ("I_K", "Q_K", "U_K"), strict=True)
        errors += [(f[0] - of(n)) / scale for f, n in pairs]
    return row(
        "Absorbing", "slabs, 1 to 408 MHz", "closed form, 40 digits", "closed form",
        np.concatenate(errors), 1e-12, "of I times the rotation",
    )  # fmt: skip


def spectra_of_depth(t: Any) -> Row:
    band = "band_800_1088_"
    p = t[band + "P"].T
    frequency = t[band + "freq_Hz"] / 1e9
    found = synax.rm_synthesis(frequency, p.real, p.imag, t[band + "phi"])
    error = np.abs(found.values.T - t[band + "fdf"]) / t[band + "params"][:, :1]
    return row("rm_synthesis", "7 sources", "rm-lite 2026.10", "program", error, 1e-11)


def slab_of_burn(t: Any) -> Row:
    band = "band_800_1088_"
    k = list(t[band + "kind"]).index("slab")
    amplitude, angle, depth = t[band + "params"][k][:3]
    x = (0.299792458 / (t[band + "freq_Hz"] / 1e9)) ** 2
    found = faraday.BurnSlab(depth, amplitude=amplitude, angle=angle).polarisation(x)
    error = np.abs(found - t[band + "P"][k]) / amplitude
    return row("faraday.BurnSlab", "P(λ²)", "closed form", "closed form", error, 1e-12)


TABLES: dict[str, tuple[str, Callable[[Any], Row]]] = {
    "kernels": ("cr_spectrum_dev", kernels),
    "power law": ("case7_emissivity_dev", power_law),
    **{
        f"spectrum {k}": ("cr_spectrum_dev", lambda t, k=k: _spectra(t, k))
        for k in ("power_wide", "broken", "sharp_broken", "expcut", "logpar")
    },
    "gaunt factor": ("gaunt_dev", gaunt),
    "free-free": ("gaunt_dev", free_free),
    "cold plasma": ("coefficients_dev", cold_plasma),
    "turbulence": ("turbulence_dev", turbulence),
    "polarised cell": ("transfer4_dev", cell),
    "slabs": ("slab_dev", slabs),
    "rm synthesis": ("faraday_dev", spectra_of_depth),
    "Burn slab": ("faraday_dev", slab_of_burn),
}


def rows(tables: Callable[[str], Any]) -> Iterator[tuple[str, Callable[[], Row]]]:
    """(name, how to make the row) of every formula and law."""
    for name, (table, make) in TABLES.items():
        yield f"{table}/{name}", lambda t=table, m=make: m(tables(t))

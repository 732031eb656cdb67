"""Rows of the validation report on fields: every model against tables of independent programs."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from synax import cosmic_rays, electrons, magnetic
from synax._constants import KPC

PROGRAMS = {
    "jf12_dev": "CRPropa 3 (2026)",
    "jf12sol_dev": "CRPropa 3 (2026)",
    "jf12_hammurabi_dev": "hammurabiX (2021)",
    "jf12_planck_dev": "imagine-models (2026)",
    "uf23_dev": "CRPropa 3 (2026)",
    "pt11_dev": "CRPropa 3 (2026)",
    "tf17_dev": "CRPropa 3 (2026)",
    "kst24_dev": "CRPropa 3 (2026)",
    "jaffe_dev": "hammurabiX (2021)",
    "jaffe13_paper_dev": "imagine-models (2026)",
    "older_gmf_dev": "imagine-models (2026), GALPROP 56",
    "xh24_dev": "imagine-models (2026)",
    "svt22_dev": "imagine-models (2026)",
    "sun10_dev": "imagine-models (2026)",
    "rand26_dev": "imagine-models (2026)",
    "local_bubble_dev": "imagine-models (2026), flux freezing",
    "misc_dev": "hammurabiX (2021), CRPropa 3",
    "ymw16_dev": "the authors' program 1.3",
    "ymw16_hammurabi_dev": "hammurabiX (2021)",
    "ne2001_dev": "the authors' mwprop 2.0.5",
    "ne2025_dev": "the authors' mwprop 2.0.5",
    "ne_more_dev": "imagine-models (2026), GALPROP 56",
    "cre_dev": "hammurabiX (2021)",
    "cre_more_dev": "HERMES, hammurabi 3",
}
PLANCK_B = (0.1, 3.0, -0.9, -0.8, -2.0, -3.5, 0.0, 2.2256410256410257)
BUBBLE = {"sun": (-8.5, 0.0, 0.0)}
SPIRAL = dict(axisymmetric=True, crpropa=True, b0=1.0, r_core=4.0, z0=1.5)
PARSEC = KPC / 3.0856775807e19
"""Of CRPropa's table of twistX, over ours."""

FIELDS: dict[str, dict[str, Callable[[], Any]]] = {
    "jf12_dev": {
        "B": magnetic.JF12,
        "B_planck12b": magnetic.JF12b,
        "turb_rms": magnetic.JF12RandomStrength,
        "turb_rms_planck12b": magnetic.JF12RandomStrength.planck,
    },
    "jf12sol_dev": {"B": magnetic.JF12Solenoidal},
    "jf12_hammurabi_dev": {"B": magnetic.JF12.hammurabi},
    "jf12_planck_dev": {
        "B_planck12b": lambda: magnetic.JF12.hammurabi(b_arms=PLANCK_B, b_x=1.8),
        "B_planck12c": magnetic.JF12c,
        "rms_JF12": lambda: magnetic.JF12RandomStrength(cylindrical=True),
        "rms_planck12c": magnetic.JF12RandomStrength.planck_c,
    },
    "uf23_dev": {
        f"B_{v}": lambda v=v: magnetic.UF23(
            v, **({"twist_time": 54.733549 * PARSEC} if v == "twistX" else {})
        )
        for v in ("base", "neCL", "expX", "spur", "cre10", "synCG", "twistX", "nebCor")
    },
    "pt11_dev": {"B_ass": magnetic.PT11, "B_bss": lambda: magnetic.PT11("bss")},
    "tf17_dev": {
        f"B_{d}_{h}": lambda d=d, h=h: magnetic.TF17(d, h)
        for d in ("Ad1", "Bd1", "Dd1")
        for h in ("C0", "C1")
    },
    "kst24_dev": {"B": magnetic.KST24},
    "jaffe_dev": {"B_bar": magnetic.Jaffe13, "B_ring": lambda: magnetic.Jaffe13(ring=True)},
    "jaffe13_paper_dev": {
        "B": magnetic.Jaffe13.published,
        "rms_iso": magnetic.Jaffe13RandomStrength,
        "amp_ordered": lambda: magnetic.Jaffe13RandomStrength(ordered=True),
    },
    "older_gmf_dev": {
        "B_Fauvet12": magnetic.Fauvet12,
        "B_Stanev97": magnetic.Stanev97,
        "B_HMR99": magnetic.HMR99,
        "B_TT02": magnetic.TT02,
        "B_PS": magnetic.PS07,
        "B_HanQiao94": magnetic.HanQiao94,
        "B_MD08_horizontal": magnetic.MD08,
    },
    "xh24_dev": {
        "B_halo": magnetic.XH24,
        "B_disk_Han18": magnetic.Han18,
        "B_disk_XH24": magnetic.XH24Disc,
    },
    "svt22_dev": {"B_published": magnetic.SVT22, "B": magnetic.SVT22.imagine},
    "sun10_dev": {
        "B_Sun10": magnetic.Sun10,
        "B_Sun10b": magnetic.Sun10b,
        "B_Sun08": magnetic.Sun08,
        "rms_Sun10b": magnetic.Sun10bStrength,
    },
    "rand26_dev": {
        "B_Orlando26_regular": magnetic.Orlando26,
        "rms_UF26_expDisk": magnetic.UF26Strength,
        "rms_UF26_ringDisk": lambda: magnetic.UF26Strength("ringDisk"),
        "rms_Orlando26_iso": magnetic.Orlando26Strength,
    },
    "local_bubble_dev": {
        "B_SCO": lambda: magnetic.LocalBubble(**BUBBLE),
        "B_SCA": lambda: magnetic.LocalBubble(variant="SCA", **BUBBLE),
    },
    "misc_dev": {
        "helix": lambda: magnetic.Helix(1.0, 1.5, 0.3),
        "archimedes": magnetic.ArchimedeanSpiral,
        "logspiral": lambda: magnetic.LogarithmicSpiral(**SPIRAL),
        "torhalo": lambda: magnetic.ToroidalHalo(crpropa=True),
    },
    "ymw16_dev": {"ne": electrons.YMW16},
    "ymw16_hammurabi_dev": {"ne": electrons.YMW16Hammurabi},
    "ne2001_dev": {"ne": electrons.NE2001},
    "ne2025_dev": {"ne": electrons.NE2025},
    "ne_more_dev": {
        "ne_YT20": electrons.YT20,
        "ne_Ocker20": electrons.Ocker20,
        "ne_Gaensler08": electrons.Gaensler08,
        "ne_HII_Cordes91": electrons.Cordes91,
        "ne_HII_galprop2": electrons.NE2001Smooth,
    },
    "cre_dev": {"norm_A": cosmic_rays.Analytic},
    "cre_more_dev": {
        "C_Sun08": cosmic_rays.Sun08,
        "C_WMAP07": cosmic_rays.WMAP.hermes,
        "C_hammurabi3_WMAP07": cosmic_rays.WMAP.hammurabi3,
        "C_hammurabi3_modWMAP": cosmic_rays.RidgedDisc,
        "C_hammurabi3_JF11": cosmic_rays.JF11,
    },
}
BOUNDS = {"ymw16_dev": 6e-6, "ymw16_hammurabi_dev": 1e-6, "cre_dev": 1e-6}
"""Where the other program's constants are rounded; elsewhere 1e-9."""

EXPLAINED = {
    "ymw16_dev": "its truncated π",
    "cre_dev": "its electron mass",
    "ymw16_hammurabi_dev": "its truncated π",
}


def rows(tables: Callable[[str], Any]) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """(name, how to make the row) of every field."""
    for table, columns in FIELDS.items():
        for column, make in columns.items():
            yield f"{table}/{column}", lambda t=table, c=column, m=make: _row(tables(t), t, c, m)


evaluate = eqx.filter_jit(lambda model, position: model(position))


def _name(make: Any, model: Any) -> str:
    """As users write it."""
    name = getattr(make, "__qualname__", "<lambda>")
    return type(model).__name__ if "<lambda>" in name else name


def _row(stored: Any, table: str, column: str, make: Any) -> dict[str, Any]:
    model = make()
    position, expected = stored["pos_kpc"].T, stored[column].T
    if "hammurabi" in table and expected.ndim == 2:  # it fills the outside with 1e-6 microgauss
        expected = np.where(np.abs(expected).max(0) < 1.001e-6, 0.0, expected)
    right = ~stored["edge"] if "edge" in stored else np.full(position.shape[1], True)
    if column.startswith("B_planck"):  # a toroidal field has no direction on the axis
        right &= np.hypot(*position[:2]) > 0
    size = np.abs(expected) if expected.ndim == 1 else np.linalg.norm(expected, axis=0)
    gap = np.asarray(evaluate(model, jnp.asarray(position))) - expected
    gap = np.abs(gap) if gap.ndim == 1 else np.linalg.norm(gap, axis=0)
    error = (gap / np.maximum(size, 1e-3 * size.max()))[right]
    return {
        "what": f"{type(model).__module__.split('.')[1]}.{_name(make, model)}",
        "of": column,
        "against": PROGRAMS[table],
        "kind": "program",
        "points": int(right.sum()),
        "median": float(np.median(error)),
        "worst": float(error.max()),
        "bound": BOUNDS.get(table, 1e-9),
        "because": EXPLAINED.get(table, ""),
    }


def models() -> set[str]:
    """Names of the models that some row is about."""
    made = [(m, m()) for columns in FIELDS.values() for m in columns.values()]
    return {n for m, model in made for n in (_name(m, model).split(".")[0], type(model).__name__)}

"""Every published field on one likelihood: as published, refitted, and in the Local Bubble.

    SYNAX_DATA=folder python benchmarks/published_fields.py --output docs/data/published_fields.json

The data and the variance of each pixel are those of `_sky_data`: the scatter inside pixels of 3.7
deg and the turbulence's own, one for all fields. Thermal electrons (YMW16 times a factor), cosmic
rays (an analytic halo) and turbulence (two discs, a striated part) are common in form and free in
numbers, for a field without them predicts no brightness. 'published' keeps the field; 'refitted'
frees its strengths, and of its geometry what moves no edge. Half of the sky at |b| > 10 deg is
held out. The evidence is Laplace's, of a likelihood in which each data set counts for `TEMPER`
times fewer pixels.
"""

import argparse
import datetime
import json
import os
import time
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
from _common import machine
from _sky_data import MAPS, likelihood_data, parts, read, read_pulsars, turbulent_scatter
from _sky_fit import BUBBLE, NUISANCE, fit, numbers

import synax
from synax import magnetic
from synax.galaxies import _calibrated
from synax.galaxies._halo import cosmic_ray_halo

TEMPER = {"I": 23.0, "Q": 9.0, "U": 10.0, "RM": 8.0}
"""Excess of the residuals of UF23 in the Local Bubble, refitted: how many pixels count as one."""

_FACTOR = {"factor": ("log", 0.4)}
_VARIANTS = tuple(magnetic.UF23.info.variants)


def _strengths(field, names, prefix=""):
    """Strengths with a prior as wide as they are, and at least 1 microgauss."""
    first = {name: float(getattr(field, name)) for name in names}
    return {prefix + name: ("linear", max(1.0, abs(v))) for name, v in first.items()}


def _uf23(variant):
    field = magnetic.UF23(variant)
    names = ("b_1", "b_2", "b_3", "b_north", "b_south", "b_poloidal")
    free = _strengths(field, [n for n in names if getattr(field, n) is not None])
    angles = [n for n in ("phi_1", "phi_2", "phi_3") if getattr(field, n) is not None]
    free |= {n: ("linear", 0.5) for n in angles} | {"pitch": ("linear", 0.1)}
    return field, free


def _jf12():
    field = magnetic.JF12()
    free = _strengths(field, ("b_north", "b_south", "b_x"), "field.") | _FACTOR
    return 1.0 * field, free | {"field.z_halo": ("log", 0.3)}


def _kst24(bubble):
    names = ("north_b", "south_b", "x_b") + (() if bubble else ("bubble_b",))
    field = magnetic.KST24(bubble=not bubble)
    return 1.0 * field, _strengths(field, names, "field.") | _FACTOR


def _xh24():
    field = magnetic.XH24() + 1.0 * magnetic.XH24Disc()
    shape = {f"parts.0.{n}": ("log", 0.3) for n in ("z_0", "r_0", "w_r")}
    return field, {"parts.0.b": ("linear", 1.0), "parts.1.factor": ("log", 0.4)} | shape


def _svt22():
    field = magnetic.SVT22()
    return field, _strengths(field, ("b",)) | {n: ("log", 0.3) for n in ("l_r", "l_z")}


def _pt11():
    field = magnetic.PT11("ass")
    return field, _strengths(field, ("b0", "halo_north", "halo_south")) | {"z0": ("log", 0.3)}


def _jaffe13():
    field = magnetic.Jaffe13()
    return 1.0 * field, _strengths(field, ("disk_amp", "halo_amp"), "field.") | _FACTOR


def _tf17():
    field = magnetic.TF17()
    return field, _strengths(field, ("disc_strength", "halo_strength"))


def _wmap():
    field = magnetic.WMAP()
    return field, _strengths(field, ("b0",)) | {"psi0": ("linear", 0.2), "chi0": ("linear", 0.2)}


FIELDS = {
    **{f"UF23 {variant}": (lambda bubble, v=variant: _uf23(v)) for variant in _VARIANTS},
    "JF12": lambda bubble: _jf12(),
    "KST24": _kst24,
    "XH24": lambda bubble: _xh24(),
    "SVT22": lambda bubble: _svt22(),
    "PT11": lambda bubble: _pt11(),
    "Jaffe13": lambda bubble: _jaffe13(),
    "TF17": lambda bubble: _tf17(),
    "WMAP": lambda bubble: _wmap(),
}
"""By name: from whether it lies round a Local Bubble to the field and its free numbers."""


def galaxy(name, bubble, steps):
    """A whole Galaxy with a published field, and its free numbers by path."""
    field, own = FIELDS[name](bubble)
    prefix = "magnetic.outer." if bubble else "magnetic."
    free = {prefix + path: how for path, how in own.items()}
    common = _calibrated.starting_form(steps=steps)
    if bubble:
        field, free = magnetic.LocalBubble(field), free | BUBBLE
    parts = (field, common.electrons, cosmic_ray_halo())
    return synax.Synchrotron(*parts, turbulence=common.turbulence, steps=steps), free | NUISANCE


def rows_of(name, bubble, data, pixels, use, pulsars, steps, searches):
    """Two rows: the field as published, and refitted from there."""
    form, free = galaxy(name, bubble, steps)
    field = tuple(path for path in free if path.startswith("magnetic."))
    rows, start = [], None
    for what, fixed in (("published", field), ("refitted", ())):
        begin = time.process_time()
        found = fit(form, free, data, pixels, pulsars, TEMPER, use, searches, fixed, start)
        start = found.x
        values, _ = numbers(found.x, free, found.first)
        error = np.sqrt(np.diag(found.covariance))
        kept = {p: round(float(v), 5) for p, v in values.items()}
        widths = {p: w * (kept[p] if k == "log" else 1.0) for p, (k, w) in free.items()}
        spread = {p: abs(widths[p] * e) for p, e in zip(free, error, strict=False)}
        rows.append({
            "field": name, "bubble": bubble, "numbers": what,
            "free": len(free) - len(fixed),
            **{f"chi2 {k}": found.chi2[k] / np.sum(use & (data[k][1] < 1e8)) for k in MAPS},
            "chi2 DM": found.chi2["DM"] / pulsars["DM"].size,
            **_held_out(found.model, data, ~use),
            "log_evidence": found.log_evidence,
            "evaluations": found.evaluations,
            "cpu_s": time.process_time() - begin,
            "excess": found.excess,
            "values": kept,
            "errors": {p: float(f"{e:.3g}") for p, e in spread.items() if p not in fixed},
        })  # fmt: skip
    return rows


def _held_out(model, data, held):
    """Mean chi^2 of the pixels held out, and the correlations of polarisation and rotation."""
    found = {}
    for k, (value, sigma) in data.items():
        known = held & (sigma < 1e8)
        found[f"held out {k}"] = float(np.mean(((model[k] - value) / sigma)[known] ** 2))
    both = [np.concatenate([x["Q"][held], x["U"][held]]) for x in _pair(model, data)]
    known = held & (data["RM"][1] < 1e8)
    rotation = np.corrcoef(model["RM"][known], data["RM"][0][known])[0, 1]
    return found | {"r QU": float(np.corrcoef(*both)[0, 1]), "r RM": float(rotation)}


def _pair(model, data):
    return model, {k: v for k, (v, _) in data.items()}


def uf23_pulls(rows):
    """How far the refit of UF23 (base) lies from the published numbers, in errors of both."""
    prior, found = magnetic.UF23.prior("base"), {}
    sigma = np.sqrt(np.diag(np.asarray(prior.cholesky) @ np.asarray(prior.cholesky).T))
    known = dict(zip(prior.names, zip(np.asarray(prior.mean), sigma, strict=True), strict=True))
    for row in rows:
        if (row["field"], row["numbers"]) != ("UF23 base", "refitted"):
            continue
        own = {}
        for path, error in row["errors"].items():
            name = path.rsplit(".", 1)[1]
            if path.startswith("magnetic.") and name in known:
                (mean, sd), value = known[name], row["values"][path]
                own[name] = {
                    "published": round(float(mean), 4),
                    "sd": round(float(sd), 4),
                    "refitted": value,
                    "refitted_sd": error,
                    "pull": round(float((value - mean) / np.hypot(sd, error)), 2),
                }
        found["with bubble" if row["bubble"] else "without"] = own
    return found


def main():
    """Fit every field named, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fields", nargs="+", default=list(FIELDS), choices=list(FIELDS))
    parser.add_argument("--steps", type=int, default=20, help="cells of each sightline")
    parser.add_argument("--searches", type=int, default=8, help="evaluations of a fit at most")
    parser.add_argument("--every", type=int, default=2, help="take one pixel of so many")
    parser.add_argument("--bubble", choices=("both", "yes", "no"), default="both")
    parser.add_argument("--output", help="JSON file for the record")
    parser.add_argument("--resume", action="store_true", help="keep the rows that the file has")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if "SYNAX_DATA" not in os.environ:
        parser.error("SYNAX_DATA must name the folder of the sky data")
    folder = os.environ["SYNAX_DATA"]
    masks = parts()
    pixels = np.flatnonzero(masks["fitted"] | masks["held out"])[:: arguments.every]
    use = masks["fitted"][pixels]
    form = eqx.tree_at(lambda s: s.cosmic_rays, _calibrated.starting_form(), cosmic_ray_halo())
    turbulence = turbulent_scatter(form, pixels)
    data, pulsars = likelihood_data(read(folder), pixels, turbulence), read_pulsars(folder)
    rows = []
    if arguments.resume and Path(arguments.output).exists():
        rows = json.loads(Path(arguments.output).read_text())["rows"]
    have = {(row["field"], row["bubble"]) for row in rows}
    for name in arguments.fields:
        for bubble in {"both": (False, True), "yes": (True,), "no": (False,)}[arguments.bubble]:
            if (name, bubble) in have:
                continue
            settings = (pulsars, arguments.steps, arguments.searches)
            new = rows_of(name, bubble, data, pixels, use, *settings)
            rows += new
            short = ("chi2 I", "chi2 Q", "chi2 U", "chi2 RM", "r QU", "r RM", "log_evidence")
            for row in new:
                shown = "  ".join(f"{k} {row[k]:.3g}" for k in short)
                print(name, "bubble" if bubble else "", row["numbers"], shown, flush=True)
            rows.sort(key=lambda row: (list(FIELDS).index(row["field"]), row["bubble"]))
            if arguments.output:  # a long run keeps what it has
                record = {"benchmark": "published fields", "machine": machine()}
                record |= {"date": datetime.date.today().isoformat(), "temper": TEMPER}
                record |= {"pixels": int(pixels.size), "fitted": int(use.sum())}
                record |= {"cells": arguments.steps, "uf23": uf23_pulls(rows), "rows": rows}
                Path(arguments.output).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The documentation's pictures, drawn by synax itself: `python docs/make_figures.py [NAME...]`.

Names: sky, frame, angle, slices, sightline, galaxy, gallery, uf23, tf17, pt11, strengths, accuracy,
joint, calibrated, published, structure, or a model such as magnetic.JF12. Without names, all.
Written to docs/images as small PNG files.
"""

import sys
from pathlib import Path

import jax
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

import synax
from synax import plot
from synax._catalogue import models
from synax.plot._sky import _log_norm, _readable, _signed_norm, draw_mollweide
from synax.plot._slices import draw_slices

jax.config.update("jax_enable_x64", True)
IMAGES = Path(__file__).parent / "images"
INK, BLUE, RED, GOLD = "#20242c", "#2a6f97", "#d1495b", "#ffd166"


def save(figure, name, dpi=75):
    """Write a figure as a small PNG of 256 colours."""
    import io

    from PIL import Image

    IMAGES.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    image = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    image.save(IMAGES / f"{name}.png", optimize=True)


def panels(axes, stokes=None, rm=None):
    """Polarised intensity with field lines, and rotation measure, on two axes."""
    if stokes is not None:
        values, label = _readable(np.asarray(stokes.P), stokes.unit)
        title = f"Polarised intensity, {stokes.frequency:g} GHz"
        draw_mollweide(
            axes[0], values, cmap="viridis", norm=_log_norm(values), title=title, label=label
        )
        plot.draw_direction(axes[0], stokes, style="lines", across=36)
    if rm is not None:
        values = np.asarray(rm.values)
        draw_mollweide(
            axes[1],
            values,
            cmap="RdBu_r",
            norm=_signed_norm(values),
            title="Rotation measure",
            label=r"rad m$^{-2}$",
        )


def simulate(magnetic, electrons, cosmic_rays, nside, steps, frequency):
    """A Stokes map and a rotation-measure map."""
    rays = synax.Sightlines.healpix(nside)
    sky = synax.Synchrotron(magnetic, electrons, cosmic_rays, steps=steps)
    stokes = synax.SkyMap.from_stokes(sky(rays, frequency), rays, frequency)
    measure = synax.RotationMeasure(magnetic, electrons, steps=steps)(rays)
    return stokes, synax.SkyMap.on_rays(measure, rays, "RM")


def sky():
    """The picture of the README: the default model."""
    stokes, rm = simulate(
        synax.magnetic.WMAP(), synax.electrons.YMW16(), synax.cosmic_rays.WMAP(), 64, 256, 23.0
    )
    figure = Figure(figsize=(15, 3.55), layout="constrained")
    axes = figure.subplots(1, 3)
    values, label = _readable(np.asarray(stokes.I), stokes.unit)
    title = "Total intensity, 23 GHz"
    draw_mollweide(
        axes[0], values, cmap="inferno", norm=_log_norm(values), title=title, label=label
    )
    panels(axes[1:], None, rm)
    values, label = _readable(np.asarray(stokes.P), stokes.unit)
    title = "Polarised intensity, direction of the field"
    draw_mollweide(
        axes[1], values, cmap="viridis", norm=_log_norm(values), title=title, label=label
    )
    plot.draw_direction(axes[1], stokes)
    save(figure, "sky", 90)


def frame():
    """The Galactocentric frame, seen from the north and from the side."""
    figure = Figure(figsize=(10.5, 5.2), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.15)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
    t = np.linspace(0, 2 * np.pi, 200)
    for radius in (5, 10, 15):
        left.plot(radius * np.cos(t), radius * np.sin(t), color="#c8ccd4", lw=0.8)
    left.plot([-20, 20, 20, -20, -20], [-20, -20, 20, 20, -20], color=BLUE, lw=1, ls="--")
    right.plot([-20, 20, 20, -20, -20], [-5, -5, 5, 5, -5], color=BLUE, lw=1, ls="--")
    left.text(19, -18.6, "default box", color=BLUE, ha="right")
    right.fill_between([-15, 15], -0.4, 0.4, color="#c8ccd4", lw=0)
    for axes, up, name in ((left, "y", "from the north"), (right, "z", "from the side")):
        style = {"arrowstyle": "-|>", "color": INK, "lw": 1.3}
        axes.annotate("", (8, 0), (0, 0), arrowprops=style)
        axes.annotate("", (0, 8 if up == "y" else 4), (0, 0), arrowprops=style)
        axes.text(8.3, -0.3, "$x$")
        axes.text(0.5, 7.6 if up == "y" else 3.7, f"${up}$")
        axes.plot(0, 0, "o", color=INK, ms=4)
        axes.plot(-8.3, 0, "o", ms=9, mfc=GOLD, mec=INK)
        axes.set_title(name, color=INK)
        axes.set(xlim=(-21.5, 21.5), aspect="equal")
        axes.set_xlabel("$x$ (kpc)")
    left.set(ylim=(-21.5, 21.5), ylabel="$y$ (kpc)")
    right.set(ylim=(-7, 8.5), ylabel="$z$ (kpc)")
    left.text(-12.0, 6.5, "Sun\n(−8.3, 0, 0.006)", ha="center", va="bottom", fontsize=9)
    for lon, text in ((0, "$l=0°$"), (90, "90°"), (180, "180°"), (270, "270°")):
        c, s = np.cos(np.radians(lon)), np.sin(np.radians(lon))
        style = {"arrowstyle": "->", "color": RED, "lw": 1.1}
        left.annotate("", (-8.3 + 5 * c, 5 * s), (-8.3 + 0.8 * c, 0.8 * s), arrowprops=style)
        left.text(-8.3 + 6.3 * c, 6.0 * s + 0.6 * (s > -0.5) - 0.4 * (s < -0.5), text, color=RED)
    turn = np.radians(np.linspace(200, 260, 60))
    left.plot(12.5 * np.cos(turn), 12.5 * np.sin(turn), color=INK, lw=1)
    arrow = {"arrowstyle": "-|>", "color": INK}
    ends = [(12.5 * np.cos(a), 12.5 * np.sin(a)) for a in (turn[-1] + 0.05, turn[-3])]
    left.annotate("", *ends, arrowprops=arrow)
    left.text(-11.5, -14.5, r"$\hat e_\phi$: anticlockwise", fontsize=9, ha="center")
    style = {"arrowstyle": "->", "color": RED, "lw": 1.1}
    right.annotate("", (-8.3, 5.5), (-8.3, 0.7), arrowprops=style)
    right.text(-8.3, 6.0, "north Galactic pole, $b=90°$", color=RED, ha="center")
    save(figure, "frame")


def angle():
    """Polarisation angle on the sky, in the IAU convention and in HEALPix's."""
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    chi = np.radians(35.0)
    e, b = np.array([-np.sin(chi), np.cos(chi)]), np.array([np.cos(chi), np.sin(chi)])
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.3}
    iau = (
        1.0,
        r"north, $\hat e_b$",
        r"east, $\hat e_l$ (increasing $l$)",
        chi,
        (r"$\chi$", -0.19, 0.53),
        "IAU: $\\chi$ from north through east\n$Q=P\\cos2\\chi$,  $U=P\\sin2\\chi$",
    )
    cosmo = (
        -1.0,
        r"south, $\hat e_\theta$",
        r"east, $\hat e_\varphi$",
        np.pi - chi,
        (r"$\chi'$", -0.64, -0.36),
        "COSMO: $\\chi'$ from south through east\n$Q'=P\\cos2\\chi'=Q$,  $U'=P\\sin2\\chi'=-U$",
    )
    for axes, (up, first, second, turn, symbol, title) in zip(
        figure.subplots(1, 2), (iau, cosmo), strict=True
    ):
        axes.annotate("", (0, 1.25 * up), (0, 0), arrowprops=arrow)
        axes.annotate("", (-1.25, 0), (0, 0), arrowprops=arrow)
        axes.text(0.05, 1.2 * up, first, va="center")
        axes.text(-1.25, -0.14, second)
        for direction, name, color in ((e, "E", RED), (b, "B", BLUE)):
            axes.plot(*np.outer(direction, [-1, 1]), color=color, lw=2.4)
            axes.text(*(1.08 * direction - [0.05, 0.0]), name, color=color, fontsize=13)
        t = np.linspace(0, turn, 80)
        axes.plot(-0.45 * np.sin(t), 0.45 * up * np.cos(t), color=INK, lw=1)
        axes.text(symbol[1], symbol[2], symbol[0], fontsize=14)
        axes.set_title(title, color=INK, fontsize=11)
        axes.set(xlim=(-1.4, 1.4), ylim=(-1.35, 1.35), aspect="equal")
        axes.set_axis_off()
    save(figure, "angle")


def slices():
    """A cut through a field, as `plot.slices` draws it."""
    save(plot.slices(synax.magnetic.JF12(), title="Jansson & Farrar 2012"), "slices")


def sightline():
    """Fields along one sightline."""
    fields = {"B": synax.magnetic.JF12(), "$n_e$": synax.electrons.YMW16()}
    save(plot.profile(fields, 45.0, 2.0), "sightline")


def galaxy():
    """The Galaxy as a neighbour would see it."""
    extent = (36.0, 24.0)
    rays = synax.Sightlines.parallel((96, 144), extent, inclination=60.0)
    sky = synax.Synchrotron(
        synax.magnetic.JF12(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=128
    )
    save(plot.image(sky(rays, 4.8), rays, 4.8, extent=extent), "galaxy")


def model(entry):
    """One model: face-on, edge-on, and what it looks like from the Sun."""
    field = entry.make(**EXAMPLES.get(entry.name, {}))
    if not issubclass(entry.cls, synax.AbstractVectorField):
        label = "rms (μG)" if entry.group == "magnetic" else None
        figure = plot.slices(field, title=entry.name, label=label)
        save(figure, f"model-{entry.group}-{entry.name}", 60)
        return
    figure = Figure(figsize=(13.2, 8.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.25, 1.0])
    near = {"sun": (0.0, 0.0, 0.0)} if entry.name == "LocalBubble" else {}
    shown = entry.make(**EXAMPLES.get(entry.name, {}), **near)
    draw_slices(top, shown, **SLICES.get(entry.name, {}))
    stokes, rm = simulate(field, synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), 16, 96, 30.0)
    panels(bottom.subplots(1, 2), stokes, rm)
    save(figure, f"model-magnetic-{entry.name}", 55)


def versions(name):
    """The named versions of a magnetic model: face-on, edge-on, and from the Sun."""
    (entry,) = (e for e in models("magnetic") if e.name == name)
    n = len(entry.variants)
    figure = Figure(figsize=(15.0, 3.4 * n), layout="constrained")
    for row, variant in zip(figure.subfigures(n, 1), entry.variants, strict=True):
        left, right = row.subfigures(1, 2, width_ratios=[1.0, 1.25])
        field = entry.variant(variant)()
        draw_slices(left, field)
        electrons, cosmic_rays = synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP()
        panels(right.subplots(1, 2), *simulate(field, electrons, cosmic_rays, 16, 96, 30.0))
        row.suptitle(variant.replace("_", ", "), color=INK)
    save(figure, f"{name.lower()}-variants", 45)


def uf23():
    """UF23's eight variants."""
    versions("UF23")


def tf17():
    """TF17's six combinations."""
    versions("TF17")


def pt11():
    """PT11, axisymmetric and bisymmetric."""
    versions("PT11")


EXAMPLES = {
    "LocalBubble": {"variant": "SCA"},
    "Uniform": {"vector": (2.0, 1.0, 0.5)},
}
SLICES = {
    "CMZ": {"half_width": 0.6, "half_height": 0.3},
    "LocalBubble": {"half_width": 0.4, "half_height": 0.3, "observer": (0.0, 0.0, 0.0)},
    "SVT22": {"z": 1.0},
    "XH24": {"z": 2.0},
}


def strengths():
    """Published strengths of random fields, along the radius and away from the plane."""
    m = synax.magnetic
    shown = {
        "JF12": (m.JF12RandomStrength(), "0.6", "-"),
        "JF12, Planck 2016": (m.JF12RandomStrength.planck(), "0.6", "--"),
        "Sun10b": (m.Sun10bStrength(), GOLD, "-"),
        "UF26 expDisk": (m.UF26Strength(), BLUE, "-"),
        "UF26 ringDisk": (m.UF26Strength("ringDisk"), BLUE, "--"),
        "Orlando26 isotropic": (m.Orlando26Strength(), RED, "-"),
        "Orlando26 ordered": (m.Orlando26Strength("ordered"), RED, "--"),
    }
    figure = Figure(figsize=(11.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    t = np.linspace(0.01, 20.0, 600)
    zero = np.zeros_like(t)
    for label, (field, color, style) in shown.items():
        height = 3.0 if label == "Orlando26 ordered" else 0.0
        name = label + (", z = 3 kpc" if height else "")
        along = np.asarray(field(np.stack([-t, zero, zero + height])))
        left.semilogy(t, along, color=color, ls=style, label=name, lw=1.6)
        up = np.asarray(field(np.stack([zero - 8.3, zero, 0.5 * t])))
        right.semilogy(0.5 * t, up, color=color, ls=style, lw=1.6)
    left.set(xlabel="distance from the centre through the Sun (kpc)", ylabel="total rms (μG)")
    left.set(xlim=(0, 20), ylim=(0.05, 40), title="in the plane")
    right.set(xlabel="height above the Sun (kpc)", xlim=(0, 10), title="away from the plane")
    left.axvline(8.3, color=INK, lw=0.6, ls=":")
    left.legend(frameon=False, fontsize=8)
    save(figure, "random-strengths")


def gallery():
    """Face-on strength of every large-scale magnetic model."""
    wanted = ("WMAP", "JF12", "UF23", "PT11", "TF17", "KST24", "Jaffe13", "JF12Solenoidal")
    figure = Figure(figsize=(13.0, 6.7), layout="constrained")
    n = 220
    x = 18 * (2 * (np.arange(n) + 0.5) / n - 1)
    plane = np.stack([*np.meshgrid(x, x), np.full((n, n), 0.1)])
    from matplotlib.colors import LogNorm

    for axes, name in zip(figure.subplots(2, 4).ravel(), wanted, strict=True):
        strength = np.linalg.norm(np.asarray(getattr(synax.magnetic, name)()(plane)), axis=0)
        shown = axes.imshow(
            strength, extent=(-18, 18, -18, 18), origin="lower", cmap="magma", norm=LogNorm(0.05, 8)
        )
        axes.set_facecolor("black")
        axes.plot(-8.3, 0, "o", ms=5, mfc=GOLD, mec=INK)
        axes.set_title(name, color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
    bar = figure.colorbar(shown, ax=figure.axes, pad=0.01, extend="both", aspect=40)
    bar.set_label("$|B|$ at $z = 0.1$ kpc (μG)")
    bar.outline.set_visible(False)
    save(figure, "gallery")


def accuracy():
    """Error against points per ray, from the record that benchmarks/accuracy.py wrote."""
    import json

    record = json.loads((IMAGES.parent / "data/benchmark_accuracy.json").read_text())
    rows = record["rows"]
    names = list(dict.fromkeys(r["sky"] for r in rows))
    bands = [k.split("@")[1] for k in rows[0] if k.startswith("rms@")]
    figure = Figure(figsize=(12, 3.6 * len(names)), layout="constrained")
    grid = figure.subplots(len(names), len(bands), sharex=True, squeeze=False)
    for line, name in zip(grid, names, strict=True):
        for axes, band in zip(line, bands, strict=True):
            labels = dict.fromkeys(r["strategy"] for r in rows)
            for label, color in zip(labels, (RED, GOLD, BLUE), strict=True):
                some = [r for r in rows if (r["sky"], r["strategy"]) == (name, label)]
                points = [r["points"] for r in some]
                axes.loglog(
                    points, [r[f"rms@{band}"] for r in some], "o-", color=color, label=label
                )
                axes.loglog(points, [r[f"typical@{band}"] for r in some], ":", color=color)
            axes.set_title(f"{name}, {band} GHz", color=INK)
    for axes in grid[-1]:
        axes.set_xlabel("points per ray")
    for axes in grid[:, 0]:
        axes.set_ylabel("error of Q and U (dotted: of a typical ray)")
    grid[0, 0].legend(frameon=False, fontsize=8)
    save(figure, "accuracy")


def joint():
    """Data, model and residual of the joint fit, from the maps benchmarks/joint.py keeps."""
    import os

    with np.load(os.environ.get("JOINT_MAPS", "joint_runs/JF12_maps.npz")) as found:
        found = dict(found)
    rows = [
        ("haslam", 0, "I, 408 MHz", "K"),
        ("wmap", 0, "Q, 23 GHz", "μK"),
        ("wmap", 1, "U, 23 GHz", "μK"),
        ("rm", 0, "Rotation measure", r"rad m$^{-2}$"),
    ]
    figure = Figure(figsize=(12, 11.5), layout="constrained")
    for line, (name, i, title, unit) in zip(figure.subplots(4, 3), rows, strict=True):
        data, model = (np.atleast_2d(found[f"{name}_{w}"])[i] for w in ("data", "model"))
        signed = name != "haslam"
        limit = float(np.nanpercentile(np.abs(data), 97))
        middle = 0.0 if signed else float(np.nanmedian(data))
        panels = {"data": data, "model": model, "data - model": data - model}
        for axes, (label, values) in zip(line, panels.items(), strict=True):
            difference = label.startswith("data -")
            span = Normalize(-limit, limit) if signed else Normalize(0.0, limit)
            if difference and not signed:
                span = Normalize(middle - limit, limit - middle)
            sky = np.full(12 * 8**2, np.nan)
            sky[found["pixels"]] = values
            draw_mollweide(
                axes,
                sky,
                cmap="RdBu_r" if signed or difference else "magma",
                norm=span,
                title=f"{title}: {label}",
                label=unit,
            )
    save(figure, "joint")


def calibrated():
    """The calibrated Galaxy beside the sky it was fitted to; needs SYNAX_DATA."""
    import importlib
    import os

    from synax.galaxies._calibrated import record

    sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
    calibrate = importlib.import_module("calibrate")
    data = calibrate.read(os.environ["SYNAX_DATA"])
    rays = synax.Sightlines.healpix(calibrate.NSIDE)
    model = calibrate.observables(synax.galaxies.calibrated(steps=64), rays)
    real = {k: v[0] for k, v in data.items()}
    real["I"] = real["I"] - record()["offset_408_MHz_K"]
    rows = [
        ("I", "408 MHz", "K", Normalize(0.0, 60.0), "magma"),
        ("Q", "Q, 23 GHz", "μK", Normalize(-50.0, 50.0), "RdBu_r"),
        ("U", "U, 23 GHz", "μK", Normalize(-50.0, 50.0), "RdBu_r"),
        ("RM", "Rotation measure", r"rad m$^{-2}$", Normalize(-120.0, 120.0), "RdBu_r"),
    ]
    figure = Figure(figsize=(9, 13), layout="constrained")
    for line, (name, title, unit, norm, cmap) in zip(figure.subplots(4, 2), rows, strict=True):
        for axes, (label, sky_map) in zip(line, (("model", model), ("sky", real)), strict=True):
            values = np.asarray(sky_map[name], float)
            draw_mollweide(
                axes, values, cmap=cmap, norm=norm, title=f"{title}: {label}", label=unit
            )
    save(figure, "calibrated")


def low():
    """The absorbed sky from 30 MHz to 1 MHz: the calibrated Galaxy, filling factor 0.2."""
    gas = synax.FreeFree(8000.0, 0.2)
    behind = synax.emission.CMB() + synax.emission.PowerLawBackground()
    model = synax.galaxies.calibrated(steps=96, free_free=gas, background=behind)
    frequencies = (0.03, 0.01, 0.003, 0.001)
    nside = 16
    seen = model(synax.Sightlines.healpix(nside), frequencies).I
    maps = [
        synax.SkyMap(i, "I", nside, frequency=nu) for i, nu in zip(seen, frequencies, strict=True)
    ]
    save(synax.plot.sky(*maps), "low")


def published():
    """Mean chi^2 of every published field, as published and refitted."""
    import json

    path = Path(__file__).parent / "data" / "published_fields.json"
    rows = json.loads(path.read_text())["rows"]
    names = list(dict.fromkeys(row["field"] for row in rows))
    titles = {"I": "408 MHz", "Q": "Q, 23 GHz", "U": "U, 23 GHz", "RM": "rotation measures"}
    figure = Figure(figsize=(12, 7), layout="constrained")
    styles = {
        ("published", False): ("o", "none", "#2a6f97", "as published"),
        ("published", True): ("s", "none", "#d1495b", "as published, Local Bubble"),
        ("refitted", False): ("o", "#2a6f97", "#2a6f97", "refitted"),
        ("refitted", True): ("s", "#d1495b", "#d1495b", "refitted, Local Bubble"),
    }
    for axes, (key, title) in zip(figure.subplots(1, 4, sharey=True), titles.items(), strict=True):
        for kind, (marker, face, edge, label) in styles.items():
            chosen = [r for r in rows if (r["numbers"], r["bubble"]) == kind]
            place = [names.index(r["field"]) for r in chosen]
            value = [r[f"held out {key}"] for r in chosen]
            axes.plot(value, place, marker, mfc=face, mec=edge, ms=7, label=label)
        axes.set(xscale="log", title=title, xlabel="χ² per pixel, held out")
        axes.set_xticks([0.7, 1, 2, 5], ["0.7", "1", "2", "5"])
        axes.tick_params(axis="x", which="minor", labelbottom=False)
        axes.set_yticks(range(len(names)), names)
        axes.grid(alpha=0.2, lw=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    save(figure, "published-fields")


def structure():
    """The calibrated Galaxy, one realisation of its turbulence, and the sky; needs SYNAX_DATA."""
    import json

    path = Path(__file__).parent / "data" / "structure.npz"
    kept, numbers = np.load(path), json.loads(path.with_suffix(".json").read_text())
    figure = Figure(figsize=(14, 7.8), layout="constrained")
    grid = figure.add_gridspec(2, 3)
    styles = {
        "I": ("408 MHz", "K", Normalize(0.0, 60.0), "magma"),
        "Q": ("Q, 23 GHz", "μK", Normalize(-50.0, 50.0), "RdBu_r"),
    }
    for row, (key, (title, unit, norm, cmap)) in enumerate(styles.items()):
        for column, (kind, label) in enumerate((("realised", "realisation"), ("sky", "sky"))):
            draw_mollweide(
                figure.add_subplot(grid[row, column]), kept[f"{kind}_{key}"],
                cmap=cmap, norm=norm, title=f"{title}: {label}", label=unit,
            )  # fmt: skip
    for row, names in enumerate((("I",), ("EE", "BB"))):
        axes = figure.add_subplot(grid[row, 2])
        for name, style in zip(names, ("-", "--"), strict=False):
            for kind, colour in (("sky", "#20242c"), ("mean", "#8a94a6"), ("realised", "#d1495b")):
                power = numbers["power"][name][kind]
                axes.plot(numbers["multipole"], power, style, color=colour, label=f"{name}, {kind}")
        unit = "K" if row == 0 else "μK"
        axes.set(xscale="log", yscale="log", xlabel="multipole l")
        axes.set_xticks([3, 5, 10, 20, 50], ["3", "5", "10", "20", "50"])
        axes.tick_params(which="minor", labelbottom=False, labelleft=row == 0)
        axes.set_ylabel(rf"$l(l+1)C_l/2\pi$ ({unit})$^2$, |b| > 10°")
        axes.legend(frameon=False, fontsize=8)
    save(figure, "structure")


FIGURES = {f.__name__: f for f in (sky, frame, angle, slices, sightline, galaxy, gallery)}
FIGURES |= {f.__name__: f for f in (uf23, tf17, pt11, strengths, accuracy, joint, calibrated)}
FIGURES |= {f.__name__: f for f in (published, structure, low)}


def main():
    """Draw what the command line names, or everything."""
    entries = {f"{e.group}.{e.name}": e for e in models()}
    names = sys.argv[1:] or [*FIGURES, *entries]
    for name in names:
        print(name, flush=True)
        if name in FIGURES:
            FIGURES[name]()
        elif name in entries:
            model(entries[name])
        else:
            raise SystemExit(f"no figure '{name}'; there are {', '.join([*FIGURES, *entries])}")


if __name__ == "__main__":
    main()

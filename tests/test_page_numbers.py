"""Numbers in the prose of pages are those of the records that the benchmarks wrote."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = ROOT / "docs" / "data"


def record(name):
    return json.loads((DATA / f"{name}.json").read_text())


def rows(name, key="case"):
    """Rows of a record by their name."""
    return {row[key].strip(): row for row in record(name)["rows"]}


def published():
    """Of benchmarks/published_fields.py: rows by field, numbers, and whether in the Bubble."""
    found = {(r["field"], r["numbers"], r["bubble"]): r for r in record("published_fields")["rows"]}
    fields = list(dict.fromkeys(field for field, *_ in found))
    uf23 = [f for f in fields if f.startswith("UF23")]
    z = lambda *key: found[key]["log_evidence"]
    span = lambda key, names, numbers, bubbles: _span(
        found[f, n, b][key] for f in names for n in numbers for b in bubbles
    )
    best = max(found.values(), key=lambda r: r["log_evidence"])
    assert (best["field"], best["numbers"], best["bubble"]) == ("UF23 nebCor", "published", False)
    below = sorted(best["log_evidence"] - z(f, "published", False) for f in uf23)
    assert all(z(f, "refitted", False) < z(f, "published", False) for f in uf23)
    twist = max(found.values(), key=lambda r: r["r QU"])
    assert (twist["field"], twist["numbers"], twist["bubble"]) == ("UF23 twistX", "refitted", True)
    low = sorted(found.values(), key=lambda r: r["held out RM"])[:2]
    assert {(r["field"], r["numbers"]) for r in low} == {("UF23 nebCor", "published")}
    bright = min(found.values(), key=lambda r: r["held out I"])
    assert (bright["field"], bright["numbers"], bright["bubble"]) == ("KST24", "refitted", False)
    lost = {f for f in fields if _gain(found, "r QU", f, "published") < 0}
    assert lost == {*uf23, "JF12", "KST24", "WMAP"}
    assert {f for f in fields if _gain(found, "r QU", f, "refitted") < 0} == {"WMAP"}
    three, halo, both = (
        [*uf23, "KST24", "JF12"],
        ["XH24", "SVT22", "PT11"],
        ("published", "refitted"),
    )
    chi = [
        *span("held out Q", three, both[1:], [True]),
        *span("held out U", three, both[1:], [True]),
    ]
    ended = [r["field"] for r in found.values() if r["evaluations"] == 8]
    pulls = [
        r["pull"] for part in record("published_fields")["uf23"].values() for r in part.values()
    ]
    return [
        f"The greatest ln Z is that of nebCor as published: {best['log_evidence']:.1f}.",
        f"at most {below[-2]:.1f} below it, and expX is {below[-1]:.1f} below",
        f"those of twistX ({twist['r QU']:.2f} refitted in the Bubble)",
        f"nebCor as published ({low[0]['held out RM']:.2f} and {low[1]['held out RM']:.2f})",
        f"on the pixels held out (χ² of {bright['held out I']:.2f})",
        f"have a correlation of {bright['r RM']:.2f}",
        "refitted have {:.2f} to {:.2f}".format(*span("r RM", uf23, both[1:], [False])),
        f"those of JF12 {found['JF12', 'refitted', False]['r RM']:.2f}",
        f"ln Z is {-_gain(found, 'log_evidence', 'KST24', 'refitted'):.1f} lower",
        f"rotation measures rises to {found['KST24', 'refitted', True]['r RM']:.2f}",
        f"have χ² of {min(chi):.2f} to {max(chi):.2f} in Q and U held out",
        "correlations are {:.2f} to {:.2f} with".format(*span("r QU", three, both[1:], [True])),
        "and {:.2f} to {:.2f} without".format(*span("r QU", three, both[1:], [False])),
        "correlations of {:.2f} to {:.2f}. They".format(*span("r RM", halo, both, [0, 1])),
        "with correlations of {:.2f} to {:.2f}.".format(*span("r QU", halo, both, [0, 1])),
        "polarisation are {:.2f} to {:.2f}".format(*span("r QU", ["WMAP"], both, [0, 1])),
        "measures are {:.2f} to {:.2f}:".format(*span("r RM", ["WMAP"], both, [0, 1])),
        "No field meets the brightness** (χ² of {:.1f} and more)".format(
            min(min(r["chi2 I"], r["held out I"]) for r in found.values())
        ),
        f"{['Eight', 'Nine', 'Ten'][len(ended) - 8]} of the {len(found)} searches ended there",
        f"by more than {max(map(abs, pulls)):.1f} errors",
    ]


def _span(values):
    values = list(values)
    return min(values), max(values)


def _gain(found, key, field, numbers):
    return found[field, numbers, True][key] - found[field, numbers, False][key]


def held_out():
    return record("calibration")["galaxies"]["calibrated"]["held out"]


def readme():
    both = lambda name: (held_out()[name]["scale"], held_out()[name]["correlation"])
    against = rows("benchmark_against")
    inside = against["forward, everything inside on both sides"]
    value = against["value and gradient, 4 parameters"]
    alone = against["forward, theirs with C, n_e precomputed"]
    same = against["the same, theirs precomputed"]
    hammurabi = list(record("benchmark_against_hammurabi")["rows"])
    equal = next(r for name, r in against.items() if name.startswith("equal error"))
    return [
        "correlation are {:.2f} and {:.2f} at 408 MHz".format(*both("408 MHz")),
        "and {:.2f} and {:.2f} for Q and U at 23 GHz".format(*both("Q and U")),
        "For rotation measures they are {:.2f} and {:.2f}".format(*both("RM")),
        "they are {:.2f} and {:.2f}. [Which".format(*both("RM away from the Gum nebula")),
        f"| evaluated inside | {inside['ratio']:.0f} | {equal['ratio']:.0f} |",
        f"| the paper's code | precomputed | {alone['ratio']:.1f} | {same['ratio']:.0f} |",
        f"| precomputed | {value['ratio']:.1f} | |",
        *(
            f"| evaluated inside | {a['ratio']:.1f} | {b['ratio']:.0f} |"
            for a, b in (hammurabi[:2], hammurabi[2:])
        ),
    ]


def galaxies():
    of, plane = held_out(), record("calibration")["galaxies"]["calibrated"]["plane"]
    fit = json.loads((ROOT / "synax" / "galaxies" / "data" / "calibrated.json").read_text())
    excess = _span(fit["excess"].values())
    refits = [
        row["r QU"]
        for row in record("published_fields")["rows"]
        if (row["field"], row["numbers"]) == ("UF23 base", "refitted")
    ]
    lines = []
    for text, name in (
        ("brightness at 408 MHz", "408 MHz"),
        ("Q and U at 23 GHz", "Q and U"),
        ("rotation measures", "RM"),
        ("the same without the Gum nebula", "RM away from the Gum nebula"),
    ):
        lines.append(f"| {text}: scale | {of[name]['scale']:.2f} |")
        lines.append(f"| {text}: correlation | {of[name]['correlation']:.2f} |")
    return [
        *lines,
        f"rms / mean | {of['408 MHz']['residual_over_mean']:.2f} |",
        f"| brightness index | {of['index']['model']:.2f} |",
        f"right in {of['RM']['same_sign_above_20']:.2f} of the bins",
        f"has to be multiplied by {plane['408 MHz']['scale']:.2f}",
        f"count for {excess[0]:.0f} to {excess[1]:.0f} times fewer pixels",
        f"found {fit['offset_408_MHz_K']:.1f} K above",
        f"out is {refits[0]:.2f} without the Bubble and {refits[1]:.2f} with it",
        f"multiplied by {plane['Q and U']['scale']:.2f}, and has a correlation of "
        f"{plane['Q and U']['correlation']:.2f}",
        f"are wrong (correlation {plane['RM']['correlation']:.2f})",
    ]


def turbulence_costs(page):
    """Of the two pages that say it, each in its words."""
    row = record("benchmark_galaxy")["rows"][0]
    one, three = f"{row['one_frequency']:.1f}", f"{row['three']:.1f}"
    if page == "galaxies":
        return [f"takes {one} times as long at one frequency, and {three} times as long at three"]
    without = "times what it would cost without its turbulence"
    return [f"costs {one} {without}. At three frequencies it costs {three} times"]


def laws():
    """The table of laws: ratios to the plain sky, forward, of the gradient, of that to its own."""
    names = {
        "plain: index 3, thin": "plain",
        "free-free absorption (Absorbing)": "free-free absorption",
        "self-absorption (Polarised)": "full polarised transfer (`self_absorption=True`)",
        "broken power law": "a broken power law",
        "spectrum on a grid, 32 x 24 x 24 x 12": "a spectrum on a grid",
        "turbulence": "turbulence",
    }
    keys = ("forward_over_plain", "gradient_over_plain", "gradient_over_forward")
    return [
        " | ".join([f"| {names[row['case']]}", *(f"{row[key]:.1f}" for key in keys)]) + " |"
        for row in record("benchmark_laws")["rows"]
        if row["case"] in names
    ]


def bend():
    row = record("benchmark_galaxy")["rows"][1]
    return [
        *turbulence_costs("galaxies"),
        f"The bent spectrum takes {row['one_frequency']:.1f} times the power law's CPU time at one "
        f"frequency, and {row['three']:.1f} times at three",
    ]


def devices():
    engine = rows("benchmark_engine")
    fast, slow = engine["forward NSIDE 32 x 256"], engine["one device of all cores"]
    ratio = fast["Mpoints_per_s"] / slow["Mpoints_per_s"]
    divided = rows("benchmark_divided_grid").items()
    return [
        f"On two cores `use_cores` is {ratio:.1f} times as fast",
        *(f"| {k} | {r['forward_MB']:.0f} | {r['gradient_MB']:.0f} |" for k, r in divided),
    ]


def draws(experiment, method, nside):
    (row,) = (
        r
        for r in record("benchmark_posterior")["rows"]
        if (r["experiment"], r["method"], r["nside"]) == (experiment, method, nside)
    )
    return row["bulk_per_gradient"], row["tail_per_gradient"]


def inference():
    posterior = record("benchmark_posterior")
    hmc = [row for row in posterior["rows"] if row["method"] == "hmc"]
    warmup = _span(row["warmup_gradients"] for row in hmc)
    errors = {
        (row["experiment"], row["cells"]): row["rms_over_sigma"]
        for row in posterior["tables"]["Error of the cells"]
    }
    anywhere, _, high, *_ = posterior["tables"]["Search for the mode of (b)"]
    number = {4: "four", 12: "twelve"}
    return [
        f"R-hat of at most {max(row['rhat'] for row in hmc):.3f}, after {warmup[0]} to {warmup[1]} "
        "gradients of warm-up",
        f"its rms is {errors['a', '64 cells']:.2f} σ with four parameters and "
        f"{errors['b', '64 cells']:.1f} σ with sixteen",
        f"less noise it is {errors['a', '32 cells']:.1f} and {errors['b', '32 cells']:.0f} σ",
        f"ends at the mode {number[anywhere['found']]} times in twelve",
        f"end there {number[high['found']]} times in twelve, for the price of "
        f"{high['mean_gradients']:.0f} gradients",
        "one gradient makes one independent draw of a Gaussian | {:.1f}; {:.1f} |".format(
            *draws("a", "hmc", 8)
        ),
        "it finds the length of each trajectory | {:.1f}; {:.1f} |".format(*draws("a", "nuts", 8)),
        '`"hmc"` has {:.1f} and {:.1f},'.format(*draws("b", "hmc", 8)),
        '`"nuts"` has {:.1f} and {:.1f}.'.format(*draws("b", "nuts", 8)),
        'On NSIDE 32 `"hmc"` has {:.1f} and {:.1f}.'.format(*draws("b", "hmc", 32)),
    ]


SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(value):
    """1.7·10⁻⁵, of two digits."""
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits}·10{str(int(exponent)).translate(SUPERSCRIPT)}"


def light():
    simple, dear = record("benchmark_precision")["rows"]
    pair = lambda k: f"| {power(simple[k])} | {power(dear[k])} |"
    return [
        *(f"| {nu} {pair(f'error_{nu}_GHz')}" for nu in ("30", "2.4", "0.4", "0.1")),
        f"WMAP and TwoDisc are {simple['speed_up']:.1f} times as fast this way, and JF12 and YMW16 "
        f"{dear['speed_up']:.1f} times",
    ]


def first_maps():
    default_one, default_all, wmap_one, wmap_all = record("benchmark_first_map")["rows"]
    whole = lambda key, *two: sorted({f"{row[key]:.0f}" for row in two}, key=int)
    return {
        "first": " to ".join(whole("first_CPU_s", default_one, default_all)),
        "again": " to ".join(whole("again_CPU_s", default_one, default_all)),
        "wmap": " to ".join(whole("first_CPU_s", wmap_one, wmap_all)),
        "wmap again": " to ".join(whole("again_CPU_s", wmap_one, wmap_all)),
        "one": (default_one, wmap_one),
        "wall again": tuple(f"{row['again_s']:.1f}" for row in (default_all, wmap_all)),
    }


def readme_first_maps():
    t = first_maps()
    return [
        f"gives its first maps after {t['wmap']} CPU seconds, and after {t['wmap again']} when",
        f"The calibrated Galaxy takes {t['first']}, and then {t['again']}",
    ]


def faq():
    t = first_maps()
    return [
        f"takes {t['first']} CPU seconds the first time, and {t['again']} when",
        f"With `--galaxy wmap` it takes {t['wmap']}, and then {t['wmap again']}",
        "the second runs took {} and {} s of wall time".format(*t["wall again"]),
    ]


def performance():
    engine, against = rows("benchmark_engine"), rows("benchmark_against")
    hammurabi = [r["ratio"] for r in record("benchmark_against_hammurabi")["rows"]]
    roofline = record("benchmark_roofline")
    smooth = [r for r in roofline["rows"] if r["case"] == "the same, smooth electrons"]
    one = next(c for c in roofline["tables"]["Ceilings"] if c["dtype"] == "float64")
    ratio = lambda name: against[name]["ratio"]
    memory = [r["over_forward"] for k, r in engine.items() if k.startswith("memory, NSIDE 256")]
    small, large = rows("benchmark_grid_gather").values()
    flat, same = (
        f"interpax over synax, gradient, {m}" if m else "interpax flat over synax, gradient"
        for m in ("", "the same march")
    )
    precision = record("benchmark_precision")["rows"]
    few, many, call, blocks = record("benchmark_calls")["rows"]
    whole = record("benchmark_galaxy")["rows"][0]
    t, (wall, wall_wmap) = (first_maps()[key] for key in ("one", "wall again"))
    speed = lambda case: f"{engine[case]['Mpoints_per_s']:.0f}"
    everything = against["forward, theirs with C, n_e precomputed"]
    return [
        f"A point of the smooth sky takes {smooth[0]['ns_core_per_point']:.0f} ns of one core",
        "That is {:.1f} to {:.1f} of the speed".format(
            *sorted(r["fraction_of_ceiling"] for r in smooth)
        ),
        *(
            f"{name} | {one[key]:.1f} |"
            for name, key in (
                ("`exp`", "exp, ns"),
                ("sine and cosine together, ours", "sine and cosine (ours), ns"),
                ("sine, JAX's", "sine (JAX), ns"),
                ("logarithm, JAX's", "log, ns"),
                ("general power, JAX's", "power (JAX), ns"),
            )
        ),
        f"two cores reach {speed('forward NSIDE 32 x 256')} million points a second, in place of "
        f"{speed('one device of all cores')} (table",
        f"two cores reach {speed('n_e from a 256x256x64 grid')} million points a second in place",
        f"a map costs {blocks['forward_ratio']:.2f} times as much, and its gradient "
        f"{blocks['gradient_ratio']:.2f} times",
        f"| 10 | {everything['ratio']:.1f} | {everything['ours_Mpoints_per_s']:.0f} million points",
        f"| 30 | {ratio('forward, everything inside on both sides'):.0f} |",
        f"| value and gradient | 10 | {ratio('value and gradient, 4 parameters'):.1f} |",
        f"| {ratio('forward, C and n_e precomputed on both sides'):.1f}; "
        f"{ratio('value and gradient, the same on both sides'):.1f} |",
        f"| 10 | {hammurabi[0]:.1f} (uniform n_e), {hammurabi[2]:.1f} (YMW16) |",
        f"at its error or less: {hammurabi[1]:.0f} and {hammurabi[3]:.0f};",
        f"| {engine['gradient, 4 parameters']['over_forward']:.1f} with 4 parameters, "
        f"{engine['gradient, 16 parameters']['over_forward']:.1f} with 16 |",
        f"| 1.5 | {max(memory):.2f} |",
        f"| 5 | {small[flat]:.1f} (128 × 128 × 32 × 3), {large[flat]:.1f} (256 × 256 × 64 × 3) |",
        f"{small[same]:.1f} and {large[same]:.1f} with interpax in the same march",
        f"| {draws('a', 'hmc', 64)[0]:.1f} (NSIDE 64), {draws('b', 'hmc', 32)[0]:.1f} (NSIDE 32) |",
        f"| 10 | {t[1]['first_CPU_s']:.1f} |",
        f"figure; {t[0]['first_CPU_s']:.1f} with the calibrated Galaxy",
        f"| 5 | {t[1]['again_CPU_s']:.1f} | {t[0]['again_CPU_s']:.1f} with the calibrated",
        f"two cores: {wall_wmap} and {wall} s |",
        *map(_law, _LAWS),
        f"costs {whole['one_frequency']:.1f} times what it would cost without its turbulence",
        f"At three frequencies it costs {whole['three']:.1f} times",
        "is {:.1f} times as fast for WMAP and TwoDisc, and {:.1f} times".format(
            *(r["speed_up"] for r in precision)
        ),
        "and {:.1f} and {:.1f}·10⁻⁴ at 0.1 GHz".format(
            *(1e4 * r["error_0.1_GHz"] for r in precision)
        ),
        f"errs by {power(precision[0]['gradient_error'])} with WMAP and TwoDisc",
        f"errs by {power(precision[1]['gradient_error'])} of the largest component",
        f"a fixed cost: {call['call_ms']:.1f} ms",
        f"with 13 cells take {few['ns_per_point']:.1f} ns of a core for each point, and with 256 "
        f"cells {many['ns_per_point']:.1f} ns",
        f"Small calls reach {100 * many['ns_per_point'] / few['ns_per_point']:.0f} % of the speed",
    ]


_LAWS = {
    "free-free absorption": "free-free absorption (Absorbing)",
    "full polarised transfer (`self_absorption=True`)": "self-absorption (Polarised)",
    "a broken power law": "broken power law",
    "a spectrum on a grid": "spectrum on a grid, 32 x 24 x 24 x 12",
    "turbulence": "turbulence",
}


def _law(name):
    row = rows("benchmark_laws")[_LAWS[name]]
    keys = ("forward_over_plain", "gradient_over_plain", "gradient_over_forward")
    return f"| {name} | " + " | ".join(f"{row[k]:.1f}" for k in keys) + " |"


def models_on_sky():
    lines = []
    records = ("benchmark_models_on_sky", "benchmark_models_on_sky_slower")
    for name, row in (pair for one in records for pair in rows(one, "combination").items()):
        if name == "WMAP+TwoDisc":  # the unit itself
            continue
        ratios = [row[f"gradient_{k}_over_forward"] for k in ("all", "magnetic")]
        compiled = f"{row['compile_forward_s']:.1f}; {row['compile_gradient_all_s']:.0f}"
        lines.append(
            f"| {name.replace('+', ' + ')} | {row['relative_to_WMAP_TwoDisc']:.1f} | "
            f"{ratios[0]:.1f}; {ratios[1]:.1f} | {compiled} |"
        )
    return lines


def data():
    of = {n: record(f"comparison_{n}")["numbers"] for n in ("haslam", "wmap", "faraday", "low")}
    away, plane = "|b| > 10", "|b| < 10"
    haslam, both = of["haslam"], {r: of["wmap"][r]["Q and U"] for r in (away, plane)}
    bright, index = of["low"]["brightness"], of["low"]["spectral index"]
    slopes = _span(x[away]["slope"] for x in bright.values())
    inner = _span(x["inner plane"]["median_ratio"] for x in bright.values())
    at_408 = _span(x[away]["offset"] for k, x in bright.items() if "408" in k)
    total = index["408 to 1420 MHz, surveys of 5 deg"][away]
    wmap = record("calibration")["galaxies"]["wmap"].values()
    pairs = [x[away] for x in index.values() if "data_slope_index" in x[away]]
    bent = [abs(x["data_slope_index"] - x["model_slope_index"]) for x in pairs]
    faint = _span(row["408 MHz"]["scale"] for row in wmap)
    lfsm, gsm = index["40 to 408 MHz, LFSM"][away], index["45 to 408 MHz, GSM2008"][away]
    return [
        f"scale right to {100 * (haslam[away]['scale'] - 1):.0f} %, correlation "
        f"{haslam[away]['correlation']:.2f}, {100 * haslam[away]['residual']:.0f} % of the",
        f"scale {haslam[plane]['scale']:.2f}, correlation {haslam[plane]['correlation']:.2f} |",
        f"strength right to {100 * (1 - both[away]['scale']):.0f} %, correlation "
        f"{both[away]['correlation']:.2f}, direction right to "
        f"{of['wmap'][away]['angle']['median_difference_deg']:.0f}° (median) | correlation "
        f"{both[plane]['correlation']:.2f} |",
        f"too large at the Gum nebula | correlation {of['faraday'][plane]['correlation']:.2f} |",
        f"is {faint[0]:.0f} to {faint[1]:.0f} times too faint at 408 MHz",
        f"right to {max(bent):.2f}, by slopes",
        f"has {lfsm['model_index']:.2f}, and the sky {lfsm['data_index']:.2f} (LFSM)",
        f"has {gsm['model_index']:.2f}, and the sky {gsm['data_index']:.2f} (GSM2008)",
        f"is {slopes[0]:.2f} to {slopes[1]:.2f} at every frequency",
        f"the data has {inner[0]:.2f} to {inner[1]:.2f} of the model's",
        f"{at_408[0]:.0f} to {at_408[1]:.0f} K at 408 MHz",
        f"total brightness is {total['data_index']:.2f}, that of its slope is "
        f"{total['data_slope_index']:.2f}, and that of the model is {total['model_index']:.2f}.",
    ]


def grids():
    (_, mock), (_, sky) = record("benchmark_grids")["tables"].items()
    mock, sky = ({row["fit"]: row for row in table} for table in (mock, sky))
    samples = mock["prior: mean of MGVI samples"]
    percent = lambda key: "{:.0f} % and {:.0f} %".format(*(100 * x for x in samples[key]))
    free, stopped = (
        [sky[f"{kind}, no prior{end}"] for kind in ("B on a grid", "the same field")]
        for end in ("", ", stopped by validation")
    )
    prior = sky["prior 1, 5 kpc, stopped by validation"]
    k = lambda row, what: f"{row[f'{what}_std_k']:.0f} K"
    return [
        f"predicted to the noise: {samples['held_out_rms_sigma']:.2f} σ (rms)",
        f"{percent('b_within')} of B lie within one and two of them, and "
        f"{percent('held_out_within')} of the pixels",
        f"the noise is fitted ({mock['no prior']['held_out_rms_sigma']:.1f} σ held out)",
        f"held-out pixels by {k(free[0], 'held_out')} or {k(free[1], 'held_out')}; stopped early, "
        f"by {k(stopped[0], 'held_out')} or {k(stopped[1], 'held_out')}.",
        f"missed by {prior['held_out_std_k']:.1f} K. Validation stops this fit at "
        f"{prior['fitted_std_k']:.1f} K",
        f"the prior has {prior['validation_std_k']:.1f} K; early stops without it have "
        f"{k(stopped[0], 'validation')} (B) and {k(stopped[1], 'validation')}",
    ]


def joint():
    row = record("benchmark_joint")["rows"][0]
    numbers = {k: v for k, v in row["parameters"].items() if k != "electrons"}
    alone = _span(p["pull_independent"] for p in numbers.values())
    pulls = _span(p["pull"] for p in numbers.values())
    centre = lambda name: abs(numbers[name]["moves"][4])  # the twelfth around l = 0, b = 0
    rest = max(abs(m) for p in numbers.values() for i, m in enumerate(p["moves"]) if i != 4)
    wmap = row["skies"]["wmap"]
    return [
        f"{alone[0]:.0f} to {alone[1]:.0f} times too small",
        f"right or a little large: {pulls[0]:.2f} to {pulls[1]:.1f}, of twelve mocks",
        f"moves by {centre('z0'):.0f} σ, the disc by {centre('disk'):.0f} and C by "
        f"{centre('c0'):.0f}",
        f"nothing moves by more than {rest:.1f} σ",
        f"the rms of the residual is {wmap['residual_rms']:.1f} of {wmap['data_sd']:.1f} μK",
        f"(correlation {row['skies']['haslam']['correlation']:.2f})",
        f"{numbers['r0']['tail']:.0f} effective ones",
    ]


def accuracy():
    tables = record("precision")["tables"]
    worst, gains = 0.0, []
    for title, single in tables.items():
        if title.endswith("float32 throughout"):
            mixed = tables[
                title.replace("float32 throughout", "fields in float32, the rest in float64")
            ]
            gains += [a[k] / b[k] for a, b in zip(single, mixed, strict=True) for k in "IQU"]
            turns = [row for row in single if row["largest rotation (rad)"] > 1]
            ratios = [row[k] / row["largest rotation (rad)"] for row in turns for k in "QU"]
            worst = max(worst, *ratios)
    return [
        f"and up to {1e7 * worst:.0f}·10⁻⁷ with the thin shells",
        f"Its maps are {min(gains):.0f} to {max(gains):.0f} times as exact",
    ]


def one_sky():
    ratio = {row["GHz"]: row["their ratio"] for row in record("benchmark_one_sky")["rows"]}
    return [
        f"P of the calibrated Galaxy is {ratio[2.3]:.2f} of that of one sky at 2.3 GHz, "
        f"{ratio[1.4]:.2f} at 1.4 GHz, {ratio[0.408]:.2f} at 408 MHz"
    ]


PAGES = {
    "README.md": (readme, readme_first_maps),
    "docs/published-fields.md": (published,),
    "docs/galaxies.md": (galaxies, bend),
    "docs/devices.md": (devices,),
    "docs/inference.md": (inference,),
    "docs/light.md": (light, one_sky),
    "docs/faq.md": (faq,),
    "docs/performance.md": (
        performance,
        models_on_sky,
        laws,
        lambda: turbulence_costs("performance"),
    ),
    "docs/data.md": (data,),
    "docs/accuracy.md": (accuracy,),
    "docs/benchmark-grids.md": (grids,),
    "docs/benchmark-joint.md": (joint,),
}


@pytest.mark.parametrize("page", PAGES)
def test_numbers_in_a_page_are_those_of_their_record(page):
    text = " ".join((ROOT / page).read_text().split())
    sentences = [s for make in PAGES[page] for s in make()]
    wrong = [s for s in sentences if s not in text]
    assert sentences and not wrong, f"{page} must say: {wrong}"


def test_every_record_names_a_program_that_exists():
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "config" / "hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    named = re.findall(r"^`python (\S+\.py)", hooks.GENERATORS["benchmarks"](), re.MULTILINE)
    assert len(named) > 5 and all((ROOT / name).is_file() for name in named)

"""Which figure shows which comparison."""

from typing import Any

from .. import plot
from ._comparisons import TITLES, Comparison


def draw(name: str, found: Comparison) -> Any:
    """The figure of one comparison."""
    a, title = found.arrays, TITLES[name]
    if name == "pulsars":
        return plot.pulsars(
            a["data"], a["model"], a["distance"], a["b"], title=title, unit=r"pc cm$^{-3}$"
        )
    if name == "low":
        pairs = {f"{nu} MHz": (a[f"data_{nu}"], a[f"model_{nu}"]) for nu in (40, 408)}
        scale = found.numbers["brightness"]["LFSM 408 MHz"]["all"]["scale"]
        style: dict[str, Any] = {"unit": "K", "signed": False, "cmap": "inferno"}
        return plot.comparison(pairs, a["b"], title=title, scale=scale, **style)
    pairs = {"data": (a["data"], a["model"])} if "data" in a else {}
    styles: dict[str, dict[str, Any]] = {
        "haslam": {"unit": "K", "signed": False, "cmap": "inferno"},
        "wmap": {"unit": "μK", "signed": True, "cmap": "RdBu_r"},
        "faraday": {"unit": r"rad m$^{-2}$", "signed": True, "cmap": "RdBu_r"},
    }
    if name == "wmap":
        pairs = {"Q": (a["Q"], a["model_Q"]), "U": (a["U"], a["model_U"])}
    else:
        pairs = {{"haslam": "T", "faraday": "RM"}[name]: pairs["data"]}
    numbers = found.numbers["all"]
    best = numbers["Q and U"]["scale"] if name == "wmap" else numbers["scale"]
    scale = 1.0 if name == "faraday" else best
    style = styles[name]
    return plot.comparison(pairs, a["b"], title=title, scale=scale, spectra=found.spectra, **style)

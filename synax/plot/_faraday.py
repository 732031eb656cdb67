"""Figures of Faraday spectra and of bands."""

from typing import Any

import numpy as np

from ..faraday import Cleaned, DepthSpectrum, Synthesis
from ..instruments import Bandpass

_BLUE, _RED, _GREY = "#2a6f97", "#d1495b", "#8d99ae"


def _one(values: Any, ray: int) -> np.ndarray:
    values = np.asarray(values)
    return values.reshape(values.shape[0], -1)[:, ray]


def faraday_spectrum(
    spectrum: Synthesis | Cleaned | DepthSpectrum, ray: int = 0, *, unit: str = "K"
) -> Any:
    """|F|, Re F and Im F of one line of sight against Faraday depth.

    Of `rm_synthesis` it shows the peak too, of `clean` the components, of `FaradaySpectrum` the
    bins as steps.

    **Arguments:**

    - `ray`: number of the line of sight.
    - `unit`: of Q and U, for the label.

    **Returns** a matplotlib `Figure`.

    ```python
    synax.plot.faraday_spectrum(synax.rm_synthesis(nu, q, u))
    ```
    """
    from ._shown import Shown

    phi = np.asarray(spectrum.phi)
    figure = Shown(figsize=(7.4, 4.2), layout="constrained")
    axes = figure.subplots()
    binned = isinstance(spectrum, DepthSpectrum)
    values = spectrum.restored if isinstance(spectrum, Cleaned) else spectrum.values
    f = _one(values, ray)
    style = {"drawstyle": "steps-mid"} if binned else {}
    axes.plot(phi, f.real, color=_BLUE, lw=1, label="Re F", **style)
    axes.plot(phi, f.imag, color=_RED, lw=1, label="Im F", **style)
    axes.plot(phi, np.abs(f), color="black", lw=1.6, label="|F|", **style)
    if isinstance(spectrum, Cleaned):
        found = np.abs(_one(spectrum.components, ray))
        there = found > 0
        axes.vlines(phi[there], 0, found[there], color=_GREY, label="components")
    if isinstance(spectrum, Synthesis):
        peak = spectrum.peak()
        depth, error, height = (
            np.asarray(x).reshape(-1)[ray]
            for x in (peak.depth, peak.depth_error, peak.polarisation)
        )
        label = rf"peak at {depth:.2f} $\pm$ {error:.2g} rad m$^{{-2}}$"
        axes.plot(depth, height, "o", color=_GREY, label=label)
    per = r" / (rad m$^{-2}$)" if binned else " / RMSF"
    axes.axhline(0, color=_GREY, lw=0.5)
    axes.set(xlabel=r"Faraday depth (rad m$^{-2}$)", ylabel=f"F ({unit}{per})")
    axes.set_xlim(phi[0], phi[-1])
    axes.legend(frameon=False)
    return figure


def rmsf(synthesis: Synthesis) -> Any:
    """The response of an observation to one Faraday depth, with its width.

    **Returns** a matplotlib `Figure`.
    """
    from ._shown import Shown

    channels = synthesis.channels
    phi = np.linspace(-6, 6, 1201) * channels.fwhm
    response = channels.rmsf(phi)
    figure = Shown(figsize=(7.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(phi, response.real, color=_BLUE, lw=1, label="Re R")
    axes.plot(phi, response.imag, color=_RED, lw=1, label="Im R")
    axes.plot(phi, np.abs(response), color="black", lw=1.6, label="|R|")
    half = 0.5 * channels.fwhm
    width = rf"width {channels.fwhm:.3g} rad m$^{{-2}}$"
    axes.hlines(0.5, -half, half, color=_GREY, lw=3, label=width)
    axes.axhline(0, color=_GREY, lw=0.5)
    axes.set(xlabel=r"Faraday depth (rad m$^{-2}$)", ylabel="response", xlim=(phi[0], phi[-1]))
    axes.legend(frameon=False)
    return figure


def band(*bands: Bandpass, nodes: int = 4) -> Any:
    """Responses of one or several bands, and the frequencies at which a simulator is called.

    **Arguments:**

    - `nodes`: how many of them.

    **Returns** a matplotlib `Figure`. **Raises** `ValueError` without a band.
    """
    from ._shown import Shown

    if not bands:
        raise ValueError("band needs at least one Bandpass")
    figure = Shown(figsize=(7.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for k, one in enumerate(bands):
        nu, weight = np.asarray(one.frequency), np.asarray(one.weight)
        color = (_BLUE, _RED, _GREY, "black")[k % 4]
        edge = np.concatenate([[nu[0]], nu, [nu[-1]]])
        line = np.concatenate([[0.0], weight / weight.max(), [0.0]])
        axes.fill_between(edge, line, color=color, alpha=0.15)
        middle = one.effective_frequency(-3.0)
        axes.plot(edge, line, color=color, label=f"{middle:.4g} GHz for an index of -3")
        where, share = one.nodes(nodes)
        axes.vlines(where, 0, share / share.max(), color=color, lw=2.5)
    axes.set(xlabel="frequency (GHz)", ylabel="response to intensity, weights of nodes")
    axes.set_ylim(0, 1.18)
    axes.legend(frameon=False, loc="upper right", ncols=2)
    return figure

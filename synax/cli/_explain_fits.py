"""What FITS images and tables of Faraday spectra hold, as plain data."""

from pathlib import Path
from typing import Any

import numpy as np

from ._console import BadInput

_CARDS = {
    "BUNIT": "unit",
    "RESTFRQ": "frequency_Hz",
    "STOKES": "stokes",
    "LAMSQ0": "lambda0_squared_m2",
    "MAGNETIC": "magnetic",
    "ELECTRON": "electrons",
    "COSMICRA": "cosmic_rays",
    "SEED": "seed",
}


def image(file: Path) -> dict[str, Any] | None:
    """An image or cube of ours; None for any other file."""
    from astropy.io import fits

    from ..io._fits_size import is_fits

    if not is_fits(file):
        return None
    try:
        with fits.open(file, memmap=False) as hdus:
            header, values = hdus[0].header, hdus[0].data
    except Exception:  # whatever a library makes of a damaged file: others say what it is
        return None
    if header.get("CREATOR") != "synax" or values is None or "CTYPE1" not in header:
        return None
    try:
        return _image(header, values)
    except KeyError as error:
        raise BadInput(f"FILE: '{file}' is damaged: {error.args[0]}") from None


def _image(header: Any, values: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"holds": "image of a galaxy from outside"}
    if values.ndim == 3:
        axis = str(header.get("CTYPE3"))
        found["holds"] = f"cube of images of a galaxy from outside, by {axis}"
        first, step, n = header["CRVAL3"], header["CDELT3"], values.shape[0]
        found["axis"] = {"name": axis, "first": first, "last": first + step * (n - 1), "planes": n}
    found["pixels"] = list(values.shape[-2:])
    found["pixel_arcsec"] = [abs(3600 * header[f"CDELT{k}"]) for k in (2, 1)]
    found["center_deg"] = [header["CRVAL1"], header["CRVAL2"]]
    if "BMAJ" in header:
        found["beam_arcsec"] = 3600 * header["BMAJ"]
    found |= {name: header[card] for card, name in _CARDS.items() if card in header}
    there = np.asarray(values[np.isfinite(values)], float)
    if there.size:
        rms = float(np.sqrt(np.mean(there**2)))
        found |= {"minimum": float(there.min()), "maximum": float(there.max()), "rms": rms}
    return found


def depths(file: Path) -> dict[str, Any] | None:
    """Faraday spectra by pixel; None for any other file."""
    from ..io import load_depths

    try:
        maps = load_depths(file)
    except (OSError, ValueError):
        return None
    height = np.abs(maps.values)
    count = 12 * maps.nside**2
    return {
        "holds": "Faraday spectra by HEALPix pixel",
        "unit": maps.unit,
        "depths": {"first": maps.phi[0], "last": maps.phi[-1], "number": len(maps.phi)},
        "nside": maps.nside,
        "ordering": maps.ordering,
        "frame": maps.frame,
        "pixels": f"{maps.values.shape[-1]} of {count}",
        "maximum": float(height.max()),
        "rms": float(np.sqrt(np.mean(height**2))),
    }

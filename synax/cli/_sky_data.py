"""The real sky that models are compared with: one reader per file, with its checks.

The files are NumPy archives (RING, Galactic): `haslam408_dsds_n64.npz` (T_gal_n32, K at 408 MHz),
`wmapK_pol_pysm_n64.npz` (Q_lp_n32, U_lp_n32, uK at 23 GHz, COSMO), `rm_egs_binned_n16.npz` (RM,
sigma, n: extragalactic rotation measures) and `pulsars_psrcat167.npz` (l, b, dm, dist_indep, ...).
"""

from pathlib import Path
from typing import Any

import numpy as np

from ._console import BadInput
from ._given_files import NO_SUCH, no_file

_LOW = {
    "lfsm": ("lfsm_n64.npz", ("T40", "T50", "T74", "T150", "T408")),
    "gsm": ("gsm2008_n64.npz", ("T45", "T150", "T408", "T1420")),
    "five": ("surveys_5deg_n16.npz", ("T150", "T408", "T1420")),
}

FILES = {
    "pulsars": {"": ("pulsars_psrcat167.npz", ("l", "b", "dm", "dist_indep", "dist_indep_kind"))},
    "haslam": {"": ("haslam408_dsds_n64.npz", ("T_gal_n32",))},
    "low": _LOW,
    "wmap": {"": ("wmapK_pol_pysm_n64.npz", ("Q_lp_n32", "U_lp_n32"))},
    "faraday": {"": ("rm_egs_binned_n16.npz", ("RM", "sigma", "n"))},
}
"""Files of each comparison and the arrays it needs, by what their names are preceded by."""


def read(name: str, folder: Path) -> dict[str, np.ndarray]:
    """The arrays of one comparison; `BadInput` naming the file and what it lacks."""
    found: dict[str, np.ndarray] = {}
    for prefix, (file, keys) in FILES[name].items():
        arrays = _read(name, folder, file, keys)
        found |= {f"{prefix}_{key}" if prefix else key: value for key, value in arrays.items()}
    return found


def _read(name: str, folder: Path, file: str, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    path = folder / file
    if why := no_file(path):
        said = "" if why == NO_SUCH else f": {why}"
        raise BadInput(f"--data '{folder}': the comparison '{name}' needs {file} there{said}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {key: archive[key] for key in archive.files if key != "meta"}
    except (ValueError, OSError) as error:
        raise BadInput(f"'{path}' is not a NumPy archive: {error}") from None
    missing = [key for key in keys if key not in found]
    if missing:
        raise BadInput(f"'{path}' has no array '{missing[0]}'")
    return {key: _real(value) for key, value in found.items()}


def _real(values: np.ndarray) -> Any:
    return values.astype(float) if values.dtype.kind == "f" else values

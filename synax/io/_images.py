"""Images and cubes as FITS files, and lists of numbers beside them."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._atomic import atomic, check_ending, check_target


def check_targets(paths: Sequence[os.PathLike], overwrite: bool) -> None:
    """Raise before anything is written if one of the files could not be."""
    for path in paths:
        check_target(path, overwrite)


def write_image(
    path: str | os.PathLike, values: np.ndarray, header: Mapping[str, Any], overwrite: bool
) -> None:
    """Write an array as the primary image of a FITS file; one row of numbers as text.

    A failed write leaves no file.
    """
    if values.ndim == 1:
        with atomic(path, overwrite) as temporary:
            np.savetxt(temporary, values, fmt="%.6f")
        return
    from astropy.io import fits

    check_ending(path, "an image")
    unit = fits.PrimaryHDU(np.asarray(values))
    for key, value in header.items():
        unit.header[key] = value
    unit.header["CREATOR"] = "synax"
    with atomic(path, overwrite) as temporary:
        unit.writeto(temporary, overwrite=True)

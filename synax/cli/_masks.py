"""Masks: which parts of the sky count, whatever NSIDE, ordering and frame their file has."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ._console import BadInput
from ._given_files import no_file

_FRAMES = {"G": "galactic", "C": "equatorial", "E": "ecliptic"}


class Mask(NamedTuple):
    """The pixels of the sky that count: RING, Galactic."""

    file: str
    nside: int
    seen: Bool[np.ndarray, " n_pix"]

    def at(self, nside: int) -> Bool[np.ndarray, " n_pix"]:
        """The mask at another NSIDE; a coarser pixel counts if half of it does."""
        import healpy

        if nside > self.nside:
            l, b = healpy.pix2ang(nside, np.arange(12 * nside**2), lonlat=True)
            return self.towards(l, b)
        l, b = healpy.pix2ang(self.nside, np.arange(self.seen.size), lonlat=True)
        parents = healpy.ang2pix(nside, l, b, lonlat=True)
        count = np.bincount(parents, minlength=12 * nside**2)
        kept = np.bincount(parents, self.seen, minlength=12 * nside**2)
        return kept >= 0.5 * np.maximum(count, 1)

    def towards(
        self, l: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Whether directions count; Galactic, degrees."""
        import healpy

        return self.seen[healpy.ang2pix(self.nside, l, b, lonlat=True)]

    def cut(self, values: Float[np.ndarray, " n_pix"]) -> Float[np.ndarray, " n_pix"]:
        """A Galactic RING map with NaN where the mask hides it.

        **Raises** `BadInput` if nothing is left.
        """
        import healpy

        left = np.where(self.at(healpy.npix2nside(values.size)), values, np.nan)
        if not np.isfinite(left).any():
            raise BadInput(f"--mask '{self.file}': leaves no pixel with data")
        return left


def read_mask(file: str, key: str) -> Mask:
    """A HEALPix FITS file whose non-zero pixels count; UNSEEN and NaN do not.

    **Raises** `BadInput` that names `key` and the file.
    """
    import healpy

    if why := no_file(file):
        raise BadInput(f"{key} = {file!r}: {why}")
    try:
        mask, header = healpy.read_map(file, dtype=np.float64, h=True)
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"{key} = {file!r}: not a HEALPix mask: {text}") from None
    seen = (mask != 0) & (mask != healpy.UNSEEN) & np.isfinite(mask)
    if not seen.any():
        raise BadInput(f"{key} = {file!r}: no pixel is set")
    nside = healpy.npix2nside(mask.size)
    frame = str(dict(header).get("COORDSYS", "G")).strip().upper()[:1] or "G"
    if frame not in _FRAMES:
        raise BadInput(f"{key} = {file!r}: COORDSYS = {frame!r} must be G, C or E")
    return Mask(file, nside, seen if frame == "G" else _turned(seen, nside, frame))


def _turned(seen: Any, nside: int, frame: str) -> Bool[np.ndarray, " n_pix"]:
    """A mask of another frame on Galactic pixels: what lies at the centre of each."""
    import healpy

    l, b = healpy.pix2ang(nside, np.arange(seen.size), lonlat=True)
    turn: Any = healpy.Rotator(coord=["G", frame])
    lon, lat = turn(l, b, lonlat=True)
    return seen[healpy.ang2pix(nside, lon, lat, lonlat=True)]

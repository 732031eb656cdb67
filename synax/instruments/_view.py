"""Galaxies seen from outside as images on the sky: scale, beams, Jy/beam, FITS coordinates."""

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import without_unit
from ..io._images import check_targets, write_image
from ..maps._units import kelvin_rj_per
from ..sightlines._sightlines import Sightlines

ARCSEC = math.pi / 648000.0
"""Radians in a second of arc."""
WIDEST = 20.0
"""Degrees: a larger image is not one of parallel sightlines."""


class Image(NamedTuple):
    """Pixels (rows from bottom to top) and the cards of a FITS file; numbers in a row: a list."""

    values: np.ndarray
    header: dict[str, Any]


def _positive(name: str, value: Any, unit: str) -> float:
    """One positive number, or a Quantity, in a unit."""
    number = checks.shaped(name, without_unit(value, unit, name), (), unit)
    if np.asarray(number).dtype.kind not in "fiu":
        raise TypeError(f"{name} must be a number ({unit}), got {checks.shown(value)}")
    return float(checks.positive(name, number, unit))


class View:
    """Where the image of `Sightlines.parallel` lies on the sky, and how large it is.

    Image up is north, image left is east, as the polarisation angles of such sightlines count.

    **Arguments:**

    - `rays`: from `Sightlines.parallel`, two pixels or more on each side.
    - `distance`: to the galaxy, kpc or Quantity (10 Mpc = 10000).
    - `center`: right ascension and declination (ICRS) of the image's centre, degrees.

    **Raises** `ValueError` naming the argument that does not fit.

    ```python
    rays = synax.Sightlines.parallel((64, 64), (40, 40), inclination=20, distance=60)
    view = synax.instruments.View(rays, distance=8600, center=(202.47, 47.195))
    view.save("m51.fits", view.smooth(sky(rays, 4.85).I, 15), unit="K", frequency=4.85, beam=15)
    ```
    """

    rays: Sightlines
    distance: float
    """kpc."""
    center: tuple[float, float]
    """Right ascension and declination, degrees."""
    shape: tuple[int, int]
    """Pixels (ny, nx)."""
    pixel: tuple[float, float]
    """Height and width of a pixel, arcsec."""

    def __init__(self, rays: Sightlines, distance: Any, center: Any = (0.0, 0.0)):
        if getattr(rays, "image_shape", None) is None or min(rays.image_shape or (0,)) < 2:
            raise ValueError("rays must come from Sightlines.parallel, with 2 x 2 pixels or more")
        distance = _positive("distance", distance, "kpc")
        if hasattr(center, "icrs"):
            center = (center.icrs.ra.deg, center.icrs.dec.deg)
        center = tuple(float(without_unit(c, "deg", "center")) for c in center)
        if len(center) != 2 or not all(map(math.isfinite, center)) or abs(center[1]) > 90:
            raise ValueError(f"center must be (right ascension, declination), got {center}")
        assert rays.image_shape is not None
        self.rays, self.distance, self.center = rays, distance, (center[0], center[1])
        self.shape = rays.image_shape
        origin = np.asarray(rays.observer, float).reshape(3, *self.shape)
        size = [np.linalg.norm(origin[:, 1, 0] - origin[:, 0, 0])]
        size.append(np.linalg.norm(origin[:, 0, 1] - origin[:, 0, 0]))
        self.pixel = tuple(float(s) / self.distance / ARCSEC for s in size)  # type: ignore[assignment]
        span = max(n * s for n, s in zip(self.shape, self.pixel, strict=True)) / 3600.0
        if span > WIDEST:
            checks.warn(
                f"the image spans {span:.0f} degrees at a distance of {self.distance:g} kpc: its "
                "sightlines are parallel, as those of a galaxy far away are; give a larger distance"
            )

    def image(self, values: Float[Any, "*planes n_rays"]) -> Float[Array, "*planes ny nx"]:
        """Values of the sightlines as an image, rows from bottom to top."""
        return jnp.asarray(values).reshape(*values.shape[:-1], *self.shape)

    def smooth(
        self, values: Float[Any, "*planes n_rays"], fwhm: Any
    ) -> Float[Array, "*planes n_rays"]:
        """The image seen with a Gaussian beam; nothing lies beyond its edges. Differentiable.

        **Arguments:**

        - `values`: of the sightlines; I, Q and U each by itself (the frame is the same in the
          whole image).
        - `fwhm`: arcsec or Quantity. **Warns** if it is smaller than a pixel.

        **Raises** `ValueError` for a beam that is none, or so large that the image with its margins
        cannot be held.
        """
        fwhm = self.check_beam(fwhm)
        values, (ny, nx) = jnp.asarray(values), self.shape
        sigma = [fwhm / size / math.sqrt(8.0 * math.log(2.0)) for size in self.pixel]
        padded = [n + math.ceil(8.0 * s) for n, s in zip((ny, nx), sigma, strict=True)]
        planes = math.prod(values.shape[:-1])
        checks.memory(f"a beam of {fwhm:g} arcsec", 3.0 * 16.0 * planes * math.prod(padded))
        fy, fx = np.fft.fftfreq(padded[0]), np.fft.rfftfreq(padded[1])
        down = lambda f, s: np.exp(-2.0 * (np.pi * s * f) ** 2)
        window = down(fy, sigma[0])[:, None] * down(fx, sigma[1])
        image = self.image(values)
        blurred = jnp.fft.irfft2(jnp.fft.rfft2(image, s=padded) * window, s=padded)
        return blurred[..., :ny, :nx].reshape(values.shape).astype(values.dtype)

    def check_beam(self, fwhm: Any) -> float:
        """The beam, arcsec; `ValueError` if it is none, a warning if it is smaller than a pixel."""
        fwhm = _positive("fwhm", fwhm, "arcsec")
        if fwhm < max(self.pixel):
            checks.warn(
                f"the beam of {fwhm:g} arcsec is smaller than the pixels of {max(self.pixel):.3g} "
                f"arcsec: take at least {math.ceil(2 * max(self.pixel) / fwhm)} times as many"
            )
        return fwhm

    def jansky_per_beam(self, frequency: Any, fwhm: Any) -> float:
        """Jy/beam in one K (Rayleigh-Jeans), for a Gaussian beam.

        **Arguments:**

        - `frequency`: GHz or Quantity.
        - `fwhm`: arcsec or Quantity.
        """
        fwhm = _positive("fwhm", fwhm, "arcsec")
        area = math.pi / (4.0 * math.log(2.0)) * (fwhm * ARCSEC) ** 2
        return area / kelvin_rj_per("Jy/sr", _positive("frequency", frequency, "GHz"))

    def header(self) -> dict[str, Any]:
        """World coordinates of the image: gnomonic projection about the centre, ICRS."""
        ny, nx = self.shape
        return {
            "CTYPE1": "RA---TAN",
            "CUNIT1": "deg",
            "CRPIX1": 0.5 * (nx + 1),
            "CRVAL1": self.center[0] % 360.0,
            "CDELT1": -self.pixel[1] / 3600.0,
            "CTYPE2": "DEC--TAN",
            "CUNIT2": "deg",
            "CRPIX2": 0.5 * (ny + 1),
            "CRVAL2": self.center[1],
            "CDELT2": self.pixel[0] / 3600.0,
            "RADESYS": "ICRS",
        }

    def save(
        self,
        path: str | os.PathLike,
        values: Float[Any, "*plane n_rays"],
        *,
        unit: str,
        frequency: Any = None,
        beam: Any = None,
        stokes: str = "",
        overwrite: bool = False,
    ) -> None:
        """Write one image as FITS that astropy and DS9 open at the right place and scale.

        **Arguments:**

        - `values`: (n_rays,), or (n_stokes, n_rays) for several Stokes parameters.
        - `unit`: as FITS spells it: 'K', 'Jy/beam', 'rad/m2'.
        - `frequency`: GHz or Quantity.
        - `beam`: fwhm in arcsec or Quantity (BMAJ, BMIN).
        - `stokes`: 'I', 'Q', 'U', or 'IQU' for all (a STOKES axis).

        **Raises** `FileExistsError` unless `overwrite`; `ValueError` for Jy/beam without a beam.
        """
        write_image(
            path,
            *self.as_image(values, unit=unit, frequency=frequency, beam=beam, stokes=stokes),
            overwrite,
        )

    def as_image(
        self,
        values: Float[Any, "*plane n_rays"],
        *,
        unit: str,
        frequency: Any = None,
        beam: Any = None,
        stokes: str = "",
    ) -> Image:
        """What `save` writes: pixels and header."""
        image = np.asarray(self.image(values))
        if not isinstance(stokes, str) or set(stokes) - set("IQUV"):
            raise ValueError(f"stokes must be letters out of IQUV, got {checks.shown(stokes)}")
        several = len(stokes) > 1
        if image.ndim != 2 + several or (several and image.shape[0] != len(stokes)):
            expected = f"({len(stokes)}, n_rays)" if several else "(n_rays,)"
            raise ValueError(
                f"values must be {expected}, got {np.shape(values)}; cubes: save_channels, "
                "save_faraday"
            )
        header = {**self.header(), **self._facts(unit, beam, "" if several else stokes)}
        if several:
            numbers = ["IQUV".find(s) + 1 for s in stokes]
            if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] < 1:
                raise ValueError(f"stokes must be neighbours out of IQUV, got '{stokes}'")
            header |= {"CTYPE3": "STOKES", "CRPIX3": 1.0, "CRVAL3": 1.0 * numbers[0], "CDELT3": 1.0}
        if frequency is not None:
            header["RESTFRQ"] = _positive("frequency", frequency, "GHz") * 1e9
        return Image(image, header)

    def _facts(self, unit: str, beam: Any, stokes: str) -> dict[str, Any]:
        if not isinstance(unit, str):
            raise TypeError(f"unit must be a text such as 'K', got {checks.shown(unit)}")
        if beam is None and "beam" in unit.lower():
            raise ValueError(f"unit '{unit}' needs the beam (arcsec)")
        facts: dict[str, Any] = {"BUNIT": unit}
        if beam is not None:
            beam = _positive("beam", beam, "arcsec")
            facts.update(BMAJ=beam / 3600.0, BMIN=beam / 3600.0, BPA=0.0)
        if stokes:
            facts["STOKES"] = stokes
        return facts

    def save_channels(
        self,
        prefix: str | os.PathLike,
        frequencies: Any,
        Q: Float[Any, "n_freq n_rays"],
        U: Float[Any, "n_freq n_rays"],
        *,
        unit: str = "K",
        beam: Any = None,
        overwrite: bool = False,
    ) -> tuple[Path, Path, Path]:
        """Cubes of Q and U, PREFIX_Q.fits and PREFIX_U.fits, and their frequencies in PREFIX.freq.

        The list (hertz, one a line) is what RM-Tools asks for; rm-lite reads the header's axis.
        Where channels are missing from an even spacing the cubes hold planes of NaN there, which
        both programs leave out, so that the header's axis is true.

        **Arguments:**

        - `frequencies`: (n_freq,) GHz or Quantity, rising.

        **Raises** `ValueError` for channels out of order, or on no even spacing.
        """
        prefix = Path(prefix)
        found = self.channel_images(frequencies, Q, U, unit=unit, beam=beam)
        names = [prefix.with_name(prefix.name + end) for end in found]
        return self._write(names, list(found.values()), overwrite)

    def channel_images(
        self, frequencies: Any, Q: Any, U: Any, *, unit: str = "K", beam: Any = None
    ) -> dict[str, Image]:
        """What `save_channels` writes, by the end of the file's name."""
        from ..faraday._channels import check_frequencies

        nu = check_frequencies(frequencies)
        places, spacing = _even(nu)
        axis = {
            "CTYPE3": "FREQ",
            "CUNIT3": "Hz",
            "CRPIX3": 1.0,
            "CRVAL3": nu[0] * 1e9,
            "CDELT3": spacing * 1e9,
            "SPECSYS": "TOPOCENT",
        }
        found: dict[str, Image] = {}
        for values, stokes in zip((Q, U), "QU", strict=True):
            image = np.asarray(self.image(values))
            if image.ndim != 3 or image.shape[0] != nu.size:
                raise ValueError(f"{stokes} must be ({nu.size}, n_rays), got {np.shape(values)}")
            cube = np.full((places[-1] + 1, *self.shape), np.nan, image.dtype)
            cube[places] = image
            header = {**self.header(), **axis, **self._facts(unit, beam, stokes)}
            found[f"_{stokes}.fits"] = Image(cube, header)
        whole = (nu[0] + spacing * np.arange(places[-1] + 1)) * 1e9
        return found | {".freq": Image(whole, {})}

    def save_faraday(
        self,
        prefix: str | os.PathLike,
        phi: Any,
        values: Any,
        *,
        lambda0_squared: Any = 0.0,
        unit: str = "K",
        beam: Any = None,
        kind: str = "dirty",
        overwrite: bool = False,
    ) -> tuple[Path, Path, Path]:
        """Cubes of a Faraday spectrum: PREFIXFDF_real, _im and _tot _dirty.fits, as RM-Tools has.

        A folder as prefix takes the files with these names.

        **Arguments:**

        - `phi`: (n_phi,) rad/m^2, evenly spaced.
        - `values`: complex (n_phi, n_rays).
        - `lambda0_squared`: m^2, to which phases refer (LAMSQ0).
        - `kind`: 'dirty' or, for what RM-CLEAN restored, 'clean'.
        """
        found = self.faraday_images(
            phi, values, lambda0_squared=lambda0_squared, unit=unit, beam=beam, kind=kind
        )
        prefix = Path(prefix)
        folder, start = (prefix, "") if prefix.is_dir() else (prefix.parent, prefix.name)
        return self._write(
            [folder / (start + end) for end in found], list(found.values()), overwrite
        )

    def faraday_images(
        self,
        phi: Any,
        values: Any,
        *,
        lambda0_squared: Any = 0.0,
        unit: str = "K",
        beam: Any = None,
        kind: str = "dirty",
    ) -> dict[str, Image]:
        """What `save_faraday` writes, by the end of the file's name."""
        phi, cube = np.asarray(phi, float), np.asarray(values)
        if phi.ndim != 1 or phi.size < 2 or np.ptp(np.diff(phi)) > 1e-6 * abs(phi[1] - phi[0]):
            raise ValueError("phi must be evenly spaced (n_phi,), two or more, for a FITS axis")
        if cube.shape != (phi.size, self.rays.n_rays):
            expected = (phi.size, self.rays.n_rays)
            raise ValueError(f"values must be {expected}, got {cube.shape}")
        cube = cube.reshape(phi.size, *self.shape)
        header = {
            **self.header(),
            "CTYPE3": "FDEP",
            "CUNIT3": "rad/m^2",
            "CRPIX3": 1.0,
            "CRVAL3": phi[0],
            "CDELT3": (phi[-1] - phi[0]) / (phi.size - 1),
            "LAMSQ0": float(lambda0_squared),
            **self._facts(unit, beam, ""),
        }
        parts = (("real", cube.real), ("im", cube.imag), ("tot", np.abs(cube)))
        return {f"FDF_{name}_{kind}.fits": Image(part, header) for name, part in parts}

    def _write(self, names: list[Path], images: list[Image], overwrite: bool) -> Any:
        check_targets(names, overwrite)
        for name, image in zip(names, images, strict=True):
            write_image(name, *image, overwrite)
        return tuple(names)


def _even(nu: np.ndarray) -> tuple[np.ndarray, float]:
    """Places of rising channels on an even spacing, and that spacing (GHz)."""
    steps = np.diff(nu)
    if steps[0] < 0:
        raise ValueError("frequencies must rise for a FITS cube: reverse them and the data")
    spacing = float(steps.min())
    places = np.rint((nu - nu[0]) / spacing).astype(int)
    spacing = float((nu[-1] - nu[0]) / places[-1])
    wrong = np.abs(nu - nu[0] - spacing * places).max()
    if wrong > 1e-3 * spacing or places[-1] + 1 > 20 * nu.size:
        raise ValueError(
            f"frequencies must lie on an even spacing (with gaps) for a FITS cube; with steps of "
            f"{spacing:g} GHz some are {wrong:g} GHz off"
        )
    return places, spacing

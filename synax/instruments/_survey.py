"""A survey: everything between the sky and the numbers in a map."""

import dataclasses
import math
import os
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import as_parameter
from .._shown import Shown
from ..inference import Likelihood
from ..maps._skymap import SkyMap
from ..maps._units import BRIGHTNESS_UNITS
from ..sightlines._sightlines import Sightlines
from ..simulators._validity import only_for
from ._bandpass import Bandpass
from ._beams import AbstractBeam
from ._survey_noise import AbstractSurveyNoise

NODES = 4
"""Frequencies at which a band is sampled unless more are asked for."""


class SurveySky(eqx.Module):
    """What a survey sees of a model, before noise and offset: (n_stokes, n_pix), K_RJ, IAU."""

    rays: Sightlines
    beam: AbstractBeam | None
    stokes: tuple[str, ...] = eqx.field(static=True)
    frequencies: tuple[float, ...] = eqx.field(static=True)
    weights: tuple[float, ...] = eqx.field(static=True)
    nside: int = eqx.field(static=True)
    chosen: tuple[int, ...] | None = eqx.field(static=True, default=None)
    """Pixels that are kept of a whole sky; None: all."""

    def __call__(self, model: Any) -> Float[Array, "n_stokes n_pix"]:
        with only_for(self.stokes):
            seen = model(self.rays, jnp.asarray(self.frequencies, self.rays.direction.dtype))
        return self.of(jnp.stack([getattr(seen, s) for s in self.stokes]))

    def of(self, values: Float[Array, "n_stokes n_freq n_rays"]) -> Float[Array, "n_stokes _"]:
        """The same of Stokes parameters that are known at the band's frequencies."""
        mean = jnp.tensordot(values, jnp.asarray(self.weights, values.dtype), axes=((1,), (0,)))
        mean = self.rays.mean(mean)
        if self.beam is None:
            return mean
        sign = jnp.asarray([-1.0 if s == "U" else 1.0 for s in self.stokes], mean.dtype)[:, None]
        ordering = self.rays.ordering
        mean = sign * self.beam.smooth(sign * mean, self.stokes, self.nside, ordering=ordering)
        return mean if self.chosen is None else mean[:, np.asarray(self.chosen)]


class Survey(Shown):
    """One band of one survey: frequency, beam, unit, noise, offset and mask.

    **Arguments:**

    - `name`: of the survey and band.
    - `frequency`: GHz or Quantity, or a `Bandpass`.
    - `beam`: `GaussianBeam`, `WindowFunction`, or None.
    - `stokes`: what it measures, of 'I', 'Q', 'U' (Q and U together).
    - `unit`: of its maps: K_RJ, mK_CMB, MJy/sr, ...; bands are converted as bands.
    - `noise`: `WhiteNoise`, `HitNoise`, `VarianceNoise`, `CorrelatedNoise`, or None.
    - `offset`: what its maps show beyond the model (I only), unit of the maps: zero level, CMB.
    - `mask`: (n_pix,) of the whole sky in RING, in the frame of the maps, True where the survey
      has data; None: everywhere.
    - `nodes`: frequencies at which the band is sampled.

    `Survey.read(file)` and `save(file)`: TOML. `Survey.preset(name)`: 'haslam', 'wmap-k',
    'planck-30', 's-pass', 'c-bass', 'lofar'.

    **Raises** `ValueError` naming the argument that does not fit.

    ```python
    survey = synax.instruments.Survey.preset("wmap-k")
    seen = survey.observe(sky, 128, key=jax.random.key(0))
    likelihood = survey.likelihood(seen)
    ```
    """

    name: str = eqx.field(static=True)
    band: Bandpass
    beam: AbstractBeam | None
    stokes: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    noise: AbstractSurveyNoise | None
    offset: Float[Array, ""]
    mask: np.ndarray | None
    nodes: int = eqx.field(static=True)

    def __init__(
        self,
        name: str,
        frequency: Any,
        beam: AbstractBeam | None = None,
        *,
        stokes: tuple[str, ...] | list[str] = ("I", "Q", "U"),
        unit: str = "K_RJ",
        noise: AbstractSurveyNoise | None = None,
        offset: Any = 0.0,
        mask: Any = None,
        nodes: int = NODES,
    ):
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be a non-empty text, got {name!r}")
        band = frequency if isinstance(frequency, Bandpass) else Bandpass(frequency, [1.0])
        for key, value, kind in (
            ("beam", beam, AbstractBeam),
            ("noise", noise, AbstractSurveyNoise),
        ):
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{key} must be an object of synax.instruments, got {value!r}")
        stokes = tuple(stokes)
        if stokes not in (("I",), ("Q", "U"), ("I", "Q", "U")):
            raise ValueError(f"stokes must be I, or Q and U, or I, Q and U, got {stokes}")
        if unit not in BRIGHTNESS_UNITS:
            raise ValueError(f"unit must be one of {', '.join(BRIGHTNESS_UNITS)}, got '{unit}'")
        if mask is not None:
            mask = np.asarray(mask)
            side = math.isqrt(mask.size // 12)
            if mask.dtype != bool or mask.ndim != 1 or mask.size != 12 * side**2 or not mask.any():
                raise ValueError(
                    "mask must be a boolean HEALPix map of the whole sky with a True in it, got "
                    f"{mask.dtype} of shape {mask.shape}"
                )
        self.name, self.band, self.beam, self.stokes = name, band, beam, stokes
        self.unit, self.noise, self.mask = unit, noise, mask
        self.nodes = checks.integer("nodes", nodes)
        offset = as_parameter(offset, "", "offset")
        self.offset = checks.finite("offset", checks.shaped("offset", offset, ()))

    @staticmethod
    def read(path: str | os.PathLike) -> "Survey":
        """The survey that a TOML file describes; its own file names are relative to it.

        **Raises** `FileNotFoundError`; `ValueError` naming the file and the key.
        """
        from ._survey_files import read_survey

        return read_survey(path)

    @staticmethod
    def preset(name: str) -> "Survey":
        """One of the surveys described in this package.

        **Raises** `ValueError` for an unknown name.
        """
        from ._survey_files import read_preset

        return read_preset(name)

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write the survey as TOML; windows, hits, variances and the mask go beside it as npz.

        **Raises** `FileExistsError` unless `overwrite`; `FileNotFoundError` naming the folder.
        """
        from ._survey_files import save_survey

        save_survey(self, path, overwrite=overwrite)

    @property
    def frequency(self) -> float:
        """Effective frequency of the band, GHz."""
        return self.band.effective_frequency()

    def frequencies(self) -> Float[np.ndarray, " n"]:
        """Where a simulator is to be called, GHz."""
        return self.band.nodes(self.nodes)[0]

    def mask_at(self, nside: int) -> np.ndarray:
        """The mask on these pixels (RING): True where all of it has data."""
        if self.mask is None:
            return np.ones(12 * nside**2, bool)
        own = math.isqrt(self.mask.size // 12)
        if own == nside:
            return self.mask
        if own < nside or own % nside:
            raise ValueError(f"the mask has nside {own}, which cannot be brought to {nside}")
        import healpy

        x, y, face = healpy.pix2xyf(own, np.flatnonzero(~self.mask))
        ratio, out = own // nside, np.ones(12 * nside**2, bool)
        out[healpy.xyf2pix(nside, x // ratio, y // ratio, face)] = False
        return out

    def on(self, rays: Sightlines) -> SurveySky:
        """The function from a model to what this survey sees along HEALPix sightlines, K_RJ.

        **Raises** `ValueError` unless they are HEALPix pixels, of the whole sky for a beam.
        """
        if rays.nside is None:
            raise ValueError("rays must come from Sightlines.healpix; these have no nside")
        if self.beam is not None and rays.pixels is not None:
            raise ValueError(
                "a survey with a beam needs sightlines of the whole sky; these are some pixels"
            )
        nu, weights = self.band.nodes(self.nodes)
        return SurveySky(
            rays, self.beam, self.stokes, tuple(nu.tolist()), tuple(weights.tolist()), rays.nside
        )

    def observe(self, sky: Any, where: Any = 64, *, key: Any = None) -> SkyMap:
        """The map that this survey would make of a simulated sky.

        **Arguments:**

        - `sky`: a simulator, `sky(rays, frequency) -> Stokes`.
        - `where`: nside, or `Sightlines.healpix(...)` (of the whole sky if there is a beam).
        - `key`: for the noise; None: a map without noise.

        **Returns** `SkyMap` in the survey's unit, NaN where the mask is False.
        """
        rays = where if isinstance(where, Sightlines) else Sightlines.healpix(where)
        return self.seen(self.on(rays)(sky), rays, key=key)

    def seen(
        self, values: Float[Array, "n_stokes n_pix"], rays: Sightlines, key: Any = None
    ) -> SkyMap:
        """A map of the survey from what it sees (`on(rays)`, K_RJ): unit, offset, noise, mask."""
        nside = rays.nside
        assert nside is not None
        ring = ring_pixels(rays)
        values = values * self.band.unit_factor("K_RJ", self.unit)
        if "I" in self.stokes:
            values = values.at[0].add(self.offset.astype(values.dtype))
        if key is not None and self.noise is not None:
            values = (
                values + self.noise.draw(checks.random_key("key", key), self.stokes, nside)[:, ring]
            )
        values = jnp.where(self.mask_at(nside)[ring], values, jnp.nan)
        return SkyMap(
            values if len(self.stokes) > 1 else values[0],
            "".join(self.stokes),
            nside,
            unit=self.unit,
            frequency=self.frequency,
            ordering=rays.ordering,
            frame=rays.frame,
            pixels=None if rays.pixels is None else seen_pixels(rays),
        )

    def likelihood(self, sky: SkyMap, *, rays: Sightlines | None = None) -> Likelihood:
        """The probability of a map given a model, with this survey's band, beam, noise, offset.

        **Arguments:**

        - `sky`: a map that holds the survey's Stokes parameters, in any unit and convention and
          frame; missing pixels are not used.
        - `rays`: sightlines for another observer or domain than the default, of the same pixels in
          the same frame (of the whole sky if there is a beam).

        The sky is computed in the frame of the map, which is not rotated: the mask, hits and
        variances of the survey are of that frame too.

        **Returns** a likelihood whose `gain`, `offset` (K_RJ) and noise can be given priors.

        **Raises** `ValueError` for a map of another frequency or of other quantities, sightlines
        in another frame, and for a survey without noise.
        """
        if self.noise is None:
            raise ValueError(f"survey '{self.name}' has no noise; a likelihood needs it")
        values = self._data(sky)
        if rays is not None and rays.frame != sky.frame:
            raise ValueError(
                f"rays are in the {rays.frame} frame and the map in the {sky.frame} one: give "
                f"Sightlines.healpix(..., frame='{sky.frame}')"
            )
        pixels = np.arange(12 * sky.nside**2) if sky.pixels is None else np.asarray(sky.pixels)
        ring = pixels if sky.ordering == "RING" else _to_ring(sky.nside, pixels)
        used = np.all(np.isfinite(np.asarray(values)), axis=0) & self.mask_at(sky.nside)[ring]
        used &= np.all(np.isfinite(self.noise.sigma(self.stokes, sky.nside)[:, ring]), axis=0)
        if not used.any():
            raise ValueError(f"the map has no pixel where survey '{self.name}' has data")
        observable = self._observable(sky, pixels, used, rays)
        to_kelvin = self.band.unit_factor(self.unit, "K_RJ")
        offset = jnp.zeros((len(self.stokes), 1))
        if "I" in self.stokes:
            offset = offset.at[0].set(self.offset * to_kelvin)
        noise = self.noise.likelihood(self.stokes, sky.nside, ring[used], to_kelvin)
        return Likelihood(observable, values[:, used], noise, offset=offset)

    def _observable(
        self, sky: SkyMap, pixels: np.ndarray, used: np.ndarray, rays: Sightlines | None
    ) -> SurveySky:
        if self.beam is None:
            if rays is None:
                rays = Sightlines.healpix(
                    sky.nside, pixels=pixels[used], ordering=sky.ordering, frame=sky.frame
                )
            return self.on(rays)
        whole = rays
        if rays is None:
            whole = Sightlines.healpix(sky.nside, ordering=sky.ordering, frame=sky.frame)
        chosen = tuple(pixels[used].tolist())
        return dataclasses.replace(self.on(whole), chosen=chosen)

    def _data(self, sky: SkyMap) -> Float[Array, "n_stokes n_pix"]:
        """The map's values in K_RJ, IAU, after checking that it is one of this survey."""
        missing = [s for s in self.stokes if s not in sky.columns]
        if missing:
            raise ValueError(
                f"survey '{self.name}' measures {', '.join(self.stokes)}, but the map holds "
                f"{', '.join(sky.columns)}"
            )
        if isinstance(sky.frequency, tuple) or sky.frequency is None:
            raise ValueError(f"the map must have one frequency, got {sky.frequency}")
        low, high = self.band.frequency[0], self.band.frequency[-1]
        if not 0.9 * low <= sky.frequency <= 1.1 * high:
            raise ValueError(
                f"the map is at {sky.frequency:g} GHz, survey '{self.name}' at {low:g} to "
                f"{high:g} GHz"
            )
        sky = sky.to_convention("IAU")
        values = jnp.stack([sky.component(s) for s in self.stokes])
        return values * self.band.unit_factor(sky.unit, "K_RJ")


def seen_pixels(rays: Sightlines) -> np.ndarray:
    """The pixels that the sightlines see, one for all rays of a pixel, in their own order."""
    nside = rays.nside
    assert nside is not None
    if rays.pixels is None:
        return np.arange(12 * nside**2)
    return np.asarray(rays.pixels)[:: rays.subsamples**2]


def ring_pixels(rays: Sightlines) -> np.ndarray:
    """The pixels that the sightlines see, in RING order."""
    nside = rays.nside
    assert nside is not None
    pixels = seen_pixels(rays)
    return pixels if rays.ordering == "RING" else _to_ring(nside, pixels)


def _to_ring(nside: int, pixels: np.ndarray) -> np.ndarray:
    import healpy

    return healpy.nest2ring(nside, pixels)

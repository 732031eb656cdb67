"""A survey in many channels: their maps from one march, their likelihood, their RM synthesis."""

import os
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .._shown import Shown
from ..inference import GaussianNoise, Likelihood
from ..maps._skymap import SkyMap
from ..sightlines._sightlines import Sightlines
from ..simulators._validity import only_for
from ._survey import Survey, SurveySky, ring_pixels


class ChannelSky(eqx.Module):
    """What the channels see of a model: (n_channels, n_stokes, n_pix), K_RJ, IAU; one march."""

    channels: tuple[SurveySky, ...]

    def __call__(self, model: Any) -> Float[Array, "n_channels n_stokes n_pix"]:
        first = self.channels[0]
        nu = [f for one in self.channels for f in one.frequencies]
        with only_for(first.stokes):
            seen = model(first.rays, jnp.asarray(nu, first.rays.direction.dtype))
        return self.of(jnp.stack([getattr(seen, s) for s in first.stokes]))

    def of(
        self, values: Float[Array, "n_stokes n_freq n_rays"]
    ) -> Float[Array, "n_channels n_stokes _"]:
        """The same of Stokes parameters that are known at all the channels' frequencies."""
        ends = np.cumsum([0, *(len(one.frequencies) for one in self.channels)])
        parts = zip(self.channels, ends[:-1], ends[1:], strict=True)
        return jnp.stack([one.of(values[:, start:end]) for one, start, end in parts])


class ChannelSurvey(Shown):
    """Many channels of one survey; each is a `Survey` with the same Stokes parameters.

    **Arguments:**

    - `channels`: surveys, their frequencies rising, alike in Stokes parameters.

    `ChannelSurvey.read(file)`: a TOML file with a [channels] table.

    **Raises** `ValueError` for fewer than two, another order, or different Stokes parameters.
    """

    channels: tuple[Survey, ...]

    def __init__(self, channels: Sequence[Survey]):
        self.channels = tuple(channels)
        if len(self.channels) < 2:
            raise ValueError(f"channels must be two surveys or more, got {len(self.channels)}")
        nu = self.frequencies
        if not np.all(np.diff(nu) > 0):
            k = int(np.flatnonzero(np.diff(nu) <= 0)[0])
            raise ValueError(
                f"channels must rise in frequency; channels {k} and {k + 1} are {nu[k]:g} and "
                f"{nu[k + 1]:g} GHz"
            )
        if len({one.stokes for one in self.channels}) > 1:
            raise ValueError("channels must be alike in stokes")

    @staticmethod
    def read(path: str | os.PathLike) -> "ChannelSurvey":
        """The channels that a TOML file describes.

        **Raises** `FileNotFoundError`; `ValueError` naming the file and the key.
        """
        from ._channel_files import read_channels

        return ChannelSurvey(read_channels(path))

    @property
    def stokes(self) -> tuple[str, ...]:
        """What every channel measures."""
        return self.channels[0].stokes

    @property
    def frequencies(self) -> Float[np.ndarray, " n_channels"]:
        """Effective frequency of each channel, GHz."""
        return np.asarray([one.frequency for one in self.channels])

    def nodes(self) -> Float[np.ndarray, " n"]:
        """Where a simulator is to be called, GHz, channel after channel."""
        return np.concatenate([one.frequencies() for one in self.channels])

    def on(self, rays: Sightlines) -> ChannelSky:
        """The function from a model to what the channels see along HEALPix sightlines, K_RJ."""
        return ChannelSky(tuple(one.on(rays) for one in self.channels))

    def observe(
        self, sky: Any, where: Any = 64, *, key: PRNGKeyArray | None = None
    ) -> tuple[SkyMap, ...]:
        """The maps of all channels from one march; arguments as of `Survey.observe`."""
        rays = where if isinstance(where, Sightlines) else Sightlines.healpix(where)
        return self.seen(self.on(rays)(sky), rays, key=key)

    def seen(
        self, values: Float[Array, "n_channels n_stokes n_pix"], rays: Sightlines, key: Any = None
    ) -> tuple[SkyMap, ...]:
        """Maps of the channels from what they see (`on(rays)`): each with noise of its own."""
        n = len(self.channels)
        keys = [None] * n if key is None else list(jax.random.split(key, n))
        parts = zip(self.channels, values, keys, strict=True)
        return tuple(one.seen(x, rays, key=k) for one, x, k in parts)

    def likelihood(self, maps: Sequence[SkyMap], *, rays: Sightlines | None = None) -> Likelihood:
        """The probability of the channels' maps given a model, from one march.

        **Arguments:**

        - `maps`: one for each channel, alike in resolution, ordering, frame and pixels.
        - `rays`: as of `Survey.likelihood`. Pixels that miss in one channel are left out.

        **Raises** `ValueError` for maps that differ, or noise that is correlated between pixels.
        """
        self._check(maps)
        ones = [c.likelihood(m, rays=rays) for c, m in zip(self.channels, maps, strict=True)]
        noises = [one.noise for one in ones]
        if not all(isinstance(noise, GaussianNoise) for noise in noises):
            raise ValueError("noise must be independent from pixel to pixel, in every channel")
        data = [np.asarray(one.data) for one in ones]
        if len({x.shape for x in data}) > 1:
            raise ValueError("maps must miss the same pixels in every channel")
        observable = ChannelSky(tuple(one.observable for one in ones))
        sigma = jnp.stack([jnp.broadcast_to(n.sigma, data[0].shape) for n in noises])
        offset = jnp.stack([one.offset for one in ones])
        return Likelihood(observable, jnp.stack(data), GaussianNoise(sigma), offset=offset)

    def synthesis(self, maps: Sequence[SkyMap], phi: Any = None) -> Any:
        """RM synthesis of the channels' maps, weighted by their noise where they have any.

        **Arguments:**

        - `maps`: one for each channel, in any unit.
        - `phi`: as of `rm_synthesis`.

        **Returns** `Synthesis` in K (Rayleigh-Jeans), spectra (n_phi, n_pix).
        """
        from ..faraday import rm_synthesis

        self._check(maps)
        if "Q" not in self.stokes:
            raise ValueError(f"synthesis needs Q and U, and the channels measure {self.stokes}")
        pairs = [one.to_convention("IAU") for one in maps]
        factors = [
            one.band.unit_factor(m.unit, "K_RJ") for one, m in zip(self.channels, maps, strict=True)
        ]
        q, u = (
            jnp.stack([f * m.component(s) for f, m in zip(factors, pairs, strict=True)])
            for s in "QU"
        )
        sigma = None
        if all(one.noise is not None for one in self.channels):
            sigma = np.asarray(
                [self._noise(one, m) for one, m in zip(self.channels, maps, strict=True)]
            )
            sigma = sigma * [one.band.unit_factor(one.unit, "K_RJ") for one in self.channels]
        return rm_synthesis(self.frequencies, q, u, phi, sigma=sigma)

    def _noise(self, one: Survey, sky: SkyMap) -> float:
        """Rms noise of Q and U of a channel over its pixels, in its unit."""
        assert one.noise is not None
        rays = Sightlines.healpix(
            sky.nside, pixels=None if sky.pixels is None else np.asarray(sky.pixels),
            ordering=sky.ordering,
        )  # fmt: skip
        sigma = np.asarray(one.noise.sigma(("Q", "U"), sky.nside))[:, ring_pixels(rays)]
        return float(np.sqrt(np.mean(sigma[np.isfinite(sigma)] ** 2)))

    def _check(self, maps: Sequence[SkyMap]) -> None:
        if len(maps) != len(self.channels):
            raise ValueError(f"maps must be {len(self.channels)}, one a channel, got {len(maps)}")
        facts = {(m.nside, m.ordering, m.frame, np.asarray(m.values).shape) for m in maps}
        if len(facts) > 1:
            raise ValueError("maps must be alike in resolution, ordering, frame and pixels")

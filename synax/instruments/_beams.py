"""Beams: what a telescope's resolution does to I, Q and U on the sphere."""

import abc
import math
import os
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import instance, integer, warn
from .._numerics._harmonics import filtered
from .._parameters import as_parameter, holds
from .._shown import Shown
from ..maps._skymap import SkyMap

SPIN = {"Q": 2, "U": 2}
"""Spin of the Stokes parameters that have any."""


class AbstractBeam(Shown):
    """A beam with circular symmetry: it multiplies the multipoles of a map by a window.

    Q and U are smoothed together, as a field of spin 2. Everything is linear in the map, with the
    exact transpose as derivative; the window's parameters are differentiable too.
    """

    @abc.abstractmethod
    def window(self, lmax: int, spin: int = 0) -> Float[Array, " _"]:
        """b_l for l = 0 ... lmax, of the intensity (`spin` 0) or of Q and U (2)."""

    @abc.abstractmethod
    def check(self, nside: int) -> None:
        """Warn if this beam makes no sense on pixels of this size."""

    def __call__(self, sky: Any, *, lmax: Any = None, iterations: Any = 10) -> SkyMap:
        """The map seen with this beam; kind, unit, frequency and frame stay.

        **Arguments:**

        - `sky`: a map of the whole sky without missing pixels.
        - `lmax`: highest multipole kept, default 2.5 nside: up to there the transforms are exact to
          1e-6; at most 3 nside - 1.
        - `iterations`: corrections of the quadrature.

        **Raises** `ValueError` for partial maps, missing pixels, or an lmax out of range.
        """
        instance("sky", sky, SkyMap, "a synax.SkyMap")
        if sky.pixels is not None or not holds(sky.values, np.isfinite):
            raise ValueError(
                "a beam needs the whole sky: this map has missing pixels; fill them first"
            )
        cosmo = sky.to_convention("COSMO")
        values = self.smooth(
            cosmo.values if len(sky.columns) > 1 else cosmo.values[None],
            sky.columns,
            sky.nside,
            ordering=sky.ordering,
            lmax=lmax,
            iterations=iterations,
        )
        values = values if len(sky.columns) > 1 else values[0]
        return cosmo._with(values).to_convention(sky.convention)

    def smooth(
        self,
        values: Float[Array, "components *freq n_pix"],
        columns: tuple[str, ...],
        nside: int,
        *,
        ordering: str = "RING",
        lmax: Any = None,
        iterations: Any = 10,
    ) -> Float[Array, "components *freq n_pix"]:
        """Smoothed values of maps; the sign of U is HEALPix's (COSMO: U reversed from IAU).

        **Arguments:**

        - `columns`: names of the components ('I', 'Q', 'U'); 'Q' and 'U' come together. The rest as
          in `__call__`.
        """
        highest = 3 * nside - 1
        lmax = max(2, min(highest, 5 * nside // 2)) if lmax is None else integer("lmax", lmax)
        integer("iterations", iterations, 0)
        if not 2 <= lmax <= highest:
            raise ValueError(f"lmax must lie in 2..{highest} for nside {nside}, got {lmax}")
        if ("Q" in columns) != ("U" in columns):
            raise ValueError(f"Q and U are smoothed together, as one field; got {columns}")
        self.check(nside)
        to_ring, back = _orders(nside, ordering)
        values = values if to_ring is None else values[..., to_ring]
        parts: dict[str, Array] = {}
        for k, name in enumerate(columns):
            if SPIN.get(name, 0) == 0:
                one = filtered(values[k][..., None, :], self.window(lmax), nside, iterations)
                parts[name] = one[..., 0, :]
        if "Q" in columns:
            both = jnp.stack([values[columns.index(name)] for name in "QU"], axis=-2)
            both = filtered(both, self.window(lmax, 2), nside, iterations)
            parts["Q"], parts["U"] = both[..., 0, :], both[..., 1, :]
        out = jnp.stack([parts[name] for name in columns])
        return out if back is None else out[..., back]

    _arithmetic = "one beam can follow another, such as GaussianBeam(1.0) @ WindowFunction(...)"

    def __matmul__(self, other: Any) -> "AbstractBeam":
        """One beam after another (such as a pixel's window): their windows multiplied."""
        return Beams((self, other)) if isinstance(other, AbstractBeam) else self._refuse("@", other)


def _orders(nside: int, ordering: str) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Indices that bring pixels from `ordering` to RING and back; None: they are."""
    if ordering == "RING":
        return None, None
    import healpy

    pixels = np.arange(12 * nside**2)
    return healpy.ring2nest(nside, pixels), healpy.nest2ring(nside, pixels)


class GaussianBeam(AbstractBeam):
    """A Gaussian beam: b_l = exp(-l(l + 1) s^2/2), for Q and U exp(-(l(l + 1) - 4) s^2/2).

    **Arguments:**

    - `fwhm`: full width at half maximum, **degrees** (or an astropy Quantity); s = fwhm / sqrt(8 ln
      2). It is a leaf, so a width can be fitted.

    **Reference:** Challinor et al. 2000, Phys. Rev. D 62, 123002 (window of spin 2).
    """

    fwhm: Float[Array, ""] = eqx.field(converter=lambda x: as_parameter(x, "deg", "fwhm"))

    def __check_init__(self):
        if jnp.ndim(self.fwhm) != 0 or not holds(self.fwhm, lambda x: (x > 0) & (x < 180)):
            raise ValueError(f"fwhm must be one number between 0 and 180 degrees, got {self.fwhm}")

    @property
    def solid_angle(self) -> Float[Array, ""]:
        """Integral of the beam, 2 pi s^2 (sr)."""
        return jnp.pi / (4.0 * math.log(2.0)) * jnp.radians(self.fwhm) ** 2

    def window(self, lmax, spin=0):
        ell = np.arange(lmax + 1)
        variance = jnp.radians(self.fwhm) ** 2 / (8.0 * math.log(2.0))
        power = np.where(ell < spin, 0.0, ell * (ell + 1.0) - spin**2)
        return jnp.exp(-0.5 * variance * power) * (ell >= spin)

    def check(self, nside):
        pixel = math.degrees(math.sqrt(math.pi / 3.0)) / nside
        if not holds(self.fwhm, lambda x: x >= pixel):
            warn(
                f"the beam of {float(self.fwhm):.3g} degrees is smaller than the pixels of "
                f"{pixel:.3g} degrees (nside {nside}): raise nside to at least "
                f"{2 ** math.ceil(math.log2(2.0 * pixel * nside / float(self.fwhm)))}",
            )


class WindowFunction(AbstractBeam):
    """A beam by its multipoles, as surveys publish them.

    **Arguments:**

    - `bl`: (lmax + 1,), b_l from l = 0, usually 1 there; beyond its end it is zero.
    - `polarised`: the same for Q and U; None: `bl`.

    **Raises** `ValueError` for windows that are not finite or too short.
    """

    bl: Float[Array, " _"] = eqx.field(converter=lambda x: as_parameter(x, "", "bl"))
    polarised: Float[Array, " _"] | None = eqx.field(
        default=None, converter=lambda x: as_parameter(x, "", "polarised")
    )

    def __check_init__(self):
        for name, value in (("bl", self.bl), ("polarised", self.polarised)):
            if value is None:
                continue
            if value.ndim != 1 or value.shape[0] < 3:
                raise ValueError(f"{name} must be (lmax + 1,) with lmax >= 2, got {value.shape}")
            if not holds(value, np.isfinite):
                raise ValueError(f"{name} must be finite")

    @staticmethod
    def read(path: str | os.PathLike) -> "WindowFunction":
        """The window in a file: a FITS table (Planck, healpy) or text (WMAP).

        FITS: the first column whose name is T, TEMPERATURE, BEAM or the like, and GRAD, EMODE or
        E for polarisation where it is there. Text: the last number of each line that has one or
        two (l and b_l, or b_l alone); lines that begin with # are skipped.

        **Raises** `FileNotFoundError`; `ValueError` that names the file and what it lacks.
        """
        from ._window_files import read_window

        return WindowFunction(*read_window(path))

    def window(self, lmax, spin=0):
        bl = self.bl if spin == 0 or self.polarised is None else self.polarised
        bl = jnp.pad(bl[: lmax + 1], (0, max(0, lmax + 1 - bl.shape[0])))
        return bl * (np.arange(lmax + 1) >= spin)

    def check(self, nside):
        del nside


class Beams(AbstractBeam):
    """Several beams one after the other."""

    parts: tuple[AbstractBeam, ...]

    def window(self, lmax, spin=0):
        total = self.parts[0].window(lmax, spin)
        for part in self.parts[1:]:
            total = total * part.window(lmax, spin)
        return total

    def check(self, nside):
        for part in self.parts:
            part.check(nside)


def pixel_window(nside: int, lmax: int | None = None, samples: int = 512) -> WindowFunction:
    """The window of HEALPix's pixels, w_l: the rms effect of averaging over one, over all of them.

    w_l^2 = mean over pixels and pairs of points in a pixel of P_l(cos distance); for Q and U of
    d^l_22 (directions carried along the sphere).

    **Arguments:**

    - `nside`: the pixels.
    - `lmax`: default 3 nside - 1.
    - `samples`: pixels that stand for all, spread over a polar and an equatorial face.
    """
    from ._pixel_window import pixel_windows

    return WindowFunction(*pixel_windows(nside, 3 * nside - 1 if lmax is None else lmax, samples))

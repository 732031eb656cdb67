"""A HEALPix sky map that knows what it is: unit, frequency, frame, ordering and convention."""

import math
import os
from collections.abc import Mapping
from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .. import _checks as checks
from .._checks import shaped, warn
from .._operators import Refusing
from .._parameters import as_parameter
from ._arithmetic import addend, as_factor, factors
from ._given import UNSEEN, as_nside, as_pixels, as_values
from ._kinds import (
    ALL_FREQUENCIES,
    COMPONENTS,
    CONVENTIONS,
    FRAMES,
    ORDERINGS,
    UNITS,
    check_unit,
    choose,
    stokes_kind,
)
from ._resolution import averaged, order_of_whole_sky, power_of_two, renumbered
from ._shown import as_html, as_text
from ._smoothing import smoothed
from ._stokes import Stokes
from ._units import as_frequency, label, spelled

_FACTS = ("kind", "nside", "unit", "frequency", "ordering", "frame", "convention", "pixels")

_MOST_SHOWN = 6
"""Frequencies that a title lists."""


def _as_given(values: Any) -> Any:
    """Values pass: they can only be converted once the unit of the map is known."""
    return values


class SkyMap(Refusing, eqx.Module):
    """One sky map, or I, Q, U together, at one or several frequencies, on HEALPix pixels.

    **Arguments:**

    - `values`: (*freq, n_pix) for one quantity, (components, *freq, n_pix) for kinds 'IQU', 'QU',
      'IQUV'. An astropy Quantity, or a table's column with a unit, is converted to `unit`. NaN,
      HEALPix's UNSEEN and the mask of a masked array all mean a missing pixel, NaN inside.
    - `kind`: 'IQU', 'IQUV', 'QU', 'I', 'V', 'RM', 'DM', 'EM' or 'TAU' (optical depth).
    - `nside`: HEALPix resolution; a power of two in NEST.
    - `unit`: K_RJ, K_CMB (also m, u), Jy/sr or MJy/sr for brightness; rad/m2, pc/cm3 and pc/cm6
      for RM, DM and EM, 1 for TAU, which is also the default. Spellings of archives (uKcmb,
      rad m-2) pass.
    - `frequency`: GHz, a positive number or a sequence, or a Quantity; not for RM, DM and EM.
    - `ordering`: 'RING' or 'NEST'. `frame`: 'galactic', 'equatorial' or 'ecliptic'.
    - `convention`: sign of U: 'IAU' (angles from north through east) or 'COSMO' (U reversed).
      V > 0 is right-handed (IEEE) in both.
    - `pixels`: numbers of the pixels present, each once, for a part of the sky; None: all of it.

    The values are the only differentiable leaf; the rest is static, so that adding maps that do
    not belong together is refused also inside `jit`.

    **Raises** `ValueError` that names the argument, the value and what is allowed.

    ```python
    sky = synax.SkyMap(values, "IQU", nside=64, frequency=23.0)
    sky.to_unit("K_CMB").to_convention("COSMO").U
    ```
    """

    values: Float[Array, "*shape"] = eqx.field(converter=_as_given)
    kind: str = eqx.field(static=True)
    nside: int = eqx.field(static=True, converter=as_nside)
    unit: str = eqx.field(static=True, default="", converter=spelled)
    frequency: float | tuple[float, ...] | None = eqx.field(
        static=True, default=None, converter=as_frequency
    )
    ordering: str = eqx.field(static=True, default="RING")
    frame: str = eqx.field(static=True, default="galactic")
    convention: str = eqx.field(static=True, default="IAU")
    pixels: Any = None

    _arithmetic = (
        "a map can be added to and subtracted from maps, arrays and Quantities, and multiplied and "
        "divided by numbers and arrays"
    )

    def __post_init__(self):
        choose("kind", self.kind, tuple(COMPONENTS))
        self.unit = spelled(self.unit) or UNITS[self.kind][0]
        check_unit(self.kind, self.unit)
        self.values = as_values(self.values, self.unit)
        self.pixels = as_pixels(self.pixels, as_nside(self.nside))

    def __check_init__(self):
        choose("ordering", self.ordering, ORDERINGS)
        choose("frame", self.frame, FRAMES)
        choose("convention", self.convention, CONVENTIONS)
        if self.ordering == "NEST":
            power_of_two(self.nside)
        at_one = self.kind not in ALL_FREQUENCIES
        if at_one != (self.frequency is not None):
            need = "needs a frequency (GHz)" if at_one else "has no frequency"
            raise ValueError(f"a map of {self.kind} {need}, got frequency={self.frequency}")
        if self.values.shape != self._shape():
            raise ValueError(
                f"values of this map must have shape {self._shape()}, got {self.values.shape}"
            )

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        """NumPy's functions (`np.mean`, `np.asarray`) would take the map for one number."""
        raise TypeError(
            "a SkyMap is no array of numbers: give NumPy's functions its `values`, or one of "
            f"{', '.join(self.columns)}; give healpy's `to_healpy()`"
        )

    def __iter__(self) -> NoReturn:
        """healpy's functions would take the map apart."""
        self.__array__()

    def __getitem__(self, index: Any) -> NoReturn:
        raise TypeError(
            f"a SkyMap has no index, got {checks.shown(index)}: `at(frequency)` is the map at one "
            f"frequency, and {', '.join(self.columns)} are arrays"
        )

    def _shape(self) -> tuple[int, ...]:
        n_pix = 12 * self.nside**2 if self.pixels is None else len(self.pixels)
        freq = (len(self.frequency),) if isinstance(self.frequency, tuple) else ()
        components = (len(self.columns),) if len(self.columns) > 1 else ()
        return (*components, *freq, n_pix)

    @staticmethod
    def from_stokes(stokes: Any, rays: Any, frequency: Any) -> "SkyMap":
        """The map of a simulator's output on the rays of `synax.Sightlines.healpix`.

        **Arguments:**

        - `stokes`: I, Q, U and, where it was computed, V (K_RJ, IAU).
        - `rays`: the sightlines they were computed on.
        - `frequency`: GHz, as given to the simulator.

        **Raises** `ValueError` if the rays are not HEALPix pixels, or a value is not finite;
        `TypeError` if `stokes` is something else.
        """
        checks.instance("stokes", stokes, Stokes, "a synax.Stokes, as a simulator gives")
        parts = [getattr(stokes, name) for name in stokes.components]
        return SkyMap.on_rays(jnp.stack(parts), rays, stokes_kind(len(parts)), frequency)

    @staticmethod
    def on_rays(values: Array, rays: Any, kind: str, frequency: Any = None) -> "SkyMap":
        """A map of any kind, in its default unit, on the pixels of HEALPix sightlines.

        Sightlines with several rays a pixel give the mean over them.

        **Raises** `ValueError` if the rays are not HEALPix pixels; or if a value is not finite,
        since a computed map has no missing pixels.
        """
        if getattr(rays, "nside", None) is None:
            raise ValueError("rays must come from Sightlines.healpix; these have no nside")
        pixels = None if rays.pixels is None else np.asarray(rays.pixels)[:: rays.subsamples**2]
        sky = SkyMap(
            rays.mean(values),
            kind,
            rays.nside,
            frequency=frequency,
            ordering=rays.ordering,
            frame=rays.frame,
            pixels=pixels,
        )
        sky.check_finite()
        return sky

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the components: ('I', 'Q', 'U'), ('RM',), ..."""
        return COMPONENTS[self.kind]

    def component(self, name: str) -> Float[Array, "*shape"]:
        """One component, (*freq, n_pix). Raises `ValueError` if the map has no such column."""
        choose(f"component of a map of {self.kind}", name, self.columns)
        return self.values[self.columns.index(name)] if len(self.columns) > 1 else self.values

    @property
    def I(self) -> Float[Array, "*shape"]:  # noqa: E743
        """Stokes I, (*freq, n_pix), in the map's unit."""
        return self.component("I")

    @property
    def Q(self) -> Float[Array, "*shape"]:
        """Stokes Q, (*freq, n_pix), in the map's unit."""
        return self.component("Q")

    @property
    def U(self) -> Float[Array, "*shape"]:
        """Stokes U, (*freq, n_pix), in the map's unit and convention."""
        return self.component("U")

    @property
    def V(self) -> Float[Array, "*shape"]:
        """Stokes V, (*freq, n_pix), in the map's unit; positive: right-handed (IEEE)."""
        return self.component("V")

    @property
    def mask(self) -> Bool[Array, "*shape"]:
        """True where a value is there, False where it is missing; in the shape of `values`."""
        return ~jnp.isnan(self.values)

    def check_finite(self, missing: bool = False) -> None:
        """Raise `ValueError` that names component and pixels if a value is infinite or NaN.

        With `missing`, NaN is allowed, as the mark of a missing pixel. What is being traced by JAX
        has no values yet and passes.
        """
        if isinstance(self.values, jax.core.Tracer):
            return
        for name in self.columns:
            values = np.asarray(self.component(name))
            bad = np.isinf(values) if missing else ~np.isfinite(values)
            if bad.any():
                raise ValueError(
                    f"{name} is {'infinite' if missing else 'not a finite number'} in {bad.sum()} "
                    f"of {bad.size} pixels"
                )

    @property
    def P(self) -> Float[Array, "*shape"]:
        """Polarised intensity sqrt(Q^2 + U^2), in the map's unit."""
        return jnp.hypot(self.Q, self.U)

    def at(self, frequency: Any) -> "SkyMap":
        """The map at one of its frequencies: GHz, or a Quantity.

        **Raises** `ValueError`, which lists the frequencies, for another one.
        """
        wanted = as_frequency(frequency)
        own = self.frequency if isinstance(self.frequency, tuple) else (self.frequency,)
        near = [
            k for k, nu in enumerate(own)
            if nu is not None and isinstance(wanted, float) and math.isclose(nu, wanted)
        ]  # fmt: skip
        if not near:
            there = ", ".join(label(nu) for nu in own if nu is not None)
            raise ValueError(
                f"frequency must be one of this map's ({f'{there} GHz' if there else 'none'}), got "
                f"{wanted}"
            )
        if not isinstance(self.frequency, tuple):
            return self
        return self._with(self.values[..., near[0], :], frequency=own[near[0]])

    def _with(self, values: Any, **changes: Any) -> "SkyMap":
        return SkyMap(values, **{name: changes.get(name, getattr(self, name)) for name in _FACTS})

    def to_unit(self, unit: str) -> "SkyMap":
        """The same map in another unit, converted at each frequency."""
        unit = spelled(unit)
        check_unit(self.kind, unit)
        if self.frequency is None or unit == self.unit:
            return self
        factor = factors(self.unit, unit, self.frequency, self.values.dtype)
        return self._with(self.values * factor, unit=unit)

    def to_convention(self, convention: str) -> "SkyMap":
        """The same map with U in the 'IAU' or 'COSMO' convention."""
        choose("convention", convention, CONVENTIONS)
        if convention == self.convention:
            return self
        signs = np.array([-1.0 if name == "U" else 1.0 for name in self.columns])
        if "U" not in self.columns:
            return self._with(self.values, convention=convention)
        signs = signs.reshape(-1, *[1] * (self.values.ndim - 1))
        return self._with(self.values * signs.astype(self.values.dtype), convention=convention)

    def to_ordering(self, ordering: str) -> "SkyMap":
        """The same map with its pixels numbered (and, for the whole sky, stored) in `ordering`."""
        choose("ordering", ordering, ORDERINGS)
        if ordering == self.ordering:
            return self
        if self.pixels is not None:
            numbers = renumbered(self.pixels, self.nside, ordering)
            return self._with(self.values, ordering=ordering, pixels=numbers)
        order = order_of_whole_sky(self.nside, ordering)
        return self._with(self.values[..., order], ordering=ordering)

    def to_frame(self, frame: str, *, spin: bool = True) -> "SkyMap":
        """The map on the pixels of another frame, polarisation angles turned with it.

        A whole sky by its multipoles up to 2.5 nside: maps keep what they resolve. With missing
        pixels each new pixel is interpolated between four old ones, and missing if one of them is.
        Sightlines in that frame (`Sightlines.healpix(..., frame=)`) need no such step.

        **Arguments:**

        - `spin`: False for maps of errors, whose columns are interpolated one by one.

        **Raises** `ValueError` for an unknown frame.
        """
        from ._rotated import rotated

        choose("frame", frame, FRAMES)
        return self if frame == self.frame else rotated(self, frame, spin)

    def degrade(self, nside: int, min_fraction: float = 0.0) -> "SkyMap":
        """The map averaged to a coarser `nside`, as `healpy.ud_grade` does.

        A pixel is the mean of those of its children that are there. It is missing if none is, or if
        fewer than `min_fraction` of its (nside of the map / nside)^2 children are: 1.0 wants all.

        Q and U are averaged in their own frames, so stay away from strong degrading near poles.

        **Raises** `ValueError` unless `nside` divides that of the map.
        """
        nested = self.ordering == "NEST"
        values, pixels = averaged(
            self.values, self.pixels, self.nside, as_nside(nside), nested, min_fraction
        )
        return self._with(values, nside=nside, pixels=None if self.pixels is None else pixels)

    def smooth(self, fwhm: Any) -> "SkyMap":
        """The map as a Gaussian beam sees it; Q and U as a field of spin 2: `healpy.smoothing`.

        **Arguments:**

        - `fwhm`: full width at half maximum, rad (as in healpy), or a Quantity.

        **Returns** a map of the same pixels. Missing pixels stay missing, the others are averages
        of what is there, and a warning says how many pixels were missing. The result is not
        differentiable.

        **Raises** `ValueError` for a width that is not positive, or larger than pi.
        """
        width = as_parameter(np.nan if fwhm is None else fwhm, "rad", "fwhm")
        radians = float(shaped("fwhm", width, (), "rad"))
        if not 0.0 < radians <= math.pi:
            raise ValueError(f"fwhm must be from 0 to pi, in radians, got {radians:g}")
        whole = self.full().to_ordering("RING").to_convention("COSMO")
        values, lost = smoothed(np.asarray(whole.values, float), self.columns, radians)
        if lost.any():
            warn(
                f"smooth: {lost.sum()} of {lost.size} pixels are missing; pixels near them are "
                "averages of what is there"
            )
        done = whole._with(jnp.asarray(values.astype(whole.values.dtype)))
        done = done.to_convention(self.convention).to_ordering(self.ordering)
        if self.pixels is None:
            return done
        return done._with(done.values[..., np.asarray(self.pixels)], pixels=self.pixels)

    def to_healpy(self, nest: bool = False) -> np.ndarray:
        """What healpy wants: the whole sky in RING (or `nest`), COSMO, UNSEEN where missing.

        **Returns** a NumPy array of the shape of `full().values`, in the map's unit: I, Q, U of one
        frequency go into `healpy.anafast(sky.to_healpy())` as they are.
        """
        sky = self.to_convention("COSMO").to_ordering("NEST" if nest else "RING").full()
        values = np.array(sky.values)
        values[np.isnan(values)] = UNSEEN
        return values

    def plot(self, *panels: str, **options: Any) -> Any:
        """A figure of the map: `synax.plot.stokes` where there is polarisation, else `plot.sky`.

        **Arguments:**

        - `panels`: any of 'I', 'P', 'Q', 'U', 'V', 'angle'; of a map of one quantity its own.
        - `options`: those of `synax.plot.stokes`.
        """
        from .. import plot  # figures stand above maps, and are loaded when one is wanted

        if "Q" not in self.columns and "V" not in self.columns:
            if panels not in ((), self.columns) or options:
                raise ValueError(
                    f"a map of {self.kind} has one panel, '{self.columns[0]}', and no options"
                )
            return plot.sky(self)
        shown = {"IQU": ("I", "P"), "IQUV": ("I", "P", "V"), "QU": ("P", "Q", "U"), "V": ("V",)}
        default = shown[self.kind]
        return plot.stokes(self, panels or default, **options)

    def save(
        self,
        path: str | os.PathLike,
        *,
        overwrite: bool = False,
        convention: str = "COSMO",
        facts: Mapping[str, str | int | float] | None = None,
    ) -> None:
        """Write a FITS file that healpy opens; see `synax.io.save_map`."""
        from ..io import save_map  # files stand above maps

        save_map(path, self, overwrite=overwrite, convention=convention, facts=facts)

    def full(self, fill: float = float("nan")) -> "SkyMap":
        """The map over the whole sky, absent pixels set to `fill`."""
        if self.pixels is None:
            return self
        shape = (*self.values.shape[:-1], 12 * self.nside**2)
        values = jnp.full(shape, fill, self.values.dtype).at[..., self.pixels].set(self.values)
        return self._with(values, pixels=None)

    def __add__(self, other: Any) -> "SkyMap":
        values = addend(self, other)
        return self._refuse("+", other) if values is None else self._with(self.values + values)

    def __sub__(self, other: Any) -> "SkyMap":
        values = addend(self, other)
        return self._refuse("-", other) if values is None else self._with(self.values - values)

    def __rsub__(self, other: Any) -> "SkyMap":
        values = addend(self, other)
        if values is None:
            self._refuse("-", other, reflected=True)
        return self._with(values - self.values)

    def __mul__(self, factor: Any) -> "SkyMap":
        """Scaling by a number or an array; the product of two maps has no unit of ours."""
        number = as_factor(factor, "multiplied")
        return self._refuse("*", factor) if number is None else self._with(self.values * number)

    def __truediv__(self, divisor: Any) -> "SkyMap":
        number = as_factor(divisor, "divided")
        return self._refuse("/", divisor) if number is None else self._with(self.values / number)

    def __rtruediv__(self, other: Any) -> "SkyMap":
        raise ValueError("nothing can be divided by a map: the ratio has no map unit")

    def __neg__(self) -> "SkyMap":
        return self._with(-self.values)

    def __pos__(self) -> "SkyMap":
        return self

    __radd__ = __add__
    __rmul__ = __mul__

    def _title(self) -> str:
        nu = self.frequency if isinstance(self.frequency, tuple) else (self.frequency,)
        at = "" if nu[0] is None else ", ".join(label(x) for x in nu if x is not None) + " GHz"
        if len(nu) > _MOST_SHOWN:
            at = f"{len(nu)} frequencies from {nu[0]:g} to {nu[-1]:g} GHz"
        whole = 12 * self.nside**2
        parts = "whole sky" if self.pixels is None else f"{len(self.pixels)} of {whole} pixels"
        facts = [f"NSIDE {self.nside} {self.ordering}", self.frame, parts, at, self.unit]
        facts += [self.convention] if "U" in self.columns else []
        return f"SkyMap {', '.join(self.columns)}: " + ", ".join(fact for fact in facts if fact)

    def _rows(self) -> dict[str, Any]:
        if not hasattr(self.values, "ndim"):
            return {"values": self.values}
        return {name: self.component(name) for name in self.columns}

    def __repr__(self) -> str:
        return as_text(self._title(), self._rows(), self.unit)

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._rows(), self.unit)

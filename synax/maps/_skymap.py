"""A HEALPix sky map that knows what it is: unit, frequency, frame, ordering and convention."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._stokes import Stokes
from ._units import BRIGHTNESS_UNITS, conversion_factor

COMPONENTS = {
    "IQU": ("I", "Q", "U"),
    "QU": ("Q", "U"),
    "I": ("I",),
    "RM": ("RM",),
    "DM": ("DM",),
    "EM": ("EM",),
}
"""Kinds of map and the columns each one has."""

UNITS = {
    **dict.fromkeys(("IQU", "QU", "I"), BRIGHTNESS_UNITS),
    "RM": ("rad/m2",),
    "DM": ("pc/cm3",),
    "EM": ("pc/cm6",),
}
"""Units each kind may have; the first is its default."""

ORDERINGS = ("RING", "NEST")
CONVENTIONS = ("IAU", "COSMO")
FRAMES = ("galactic", "equatorial", "ecliptic")


def _as_frequency(value: Any) -> float | tuple[float, ...] | None:
    if value is None:
        return None
    value = value.to_value("GHz") if hasattr(value, "to_value") else value
    array = np.asarray(value, dtype=float)
    return float(array) if array.ndim == 0 else tuple(array.tolist())


def _as_given(values: Any) -> Any:
    """A Quantity passes: its unit can only be converted once that of the map is known."""
    return values


def _choose(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got '{value}'")


def _power_of_two(nside: int) -> None:
    if nside & (nside - 1):
        raise ValueError(f"nside must be a power of two in NEST ordering, got {nside}")


class SkyMap(eqx.Module):
    """One sky map, or I, Q, U together, at one or several frequencies, on HEALPix pixels.

    **Arguments:**

    - `values`: (*freq, n_pix) for one quantity, (components, *freq, n_pix) for kinds 'IQU', 'QU';
      an astropy Quantity is converted to `unit`.
    - `kind`: 'IQU', 'QU', 'I', 'RM', 'DM' or 'EM'.
    - `nside`: HEALPix resolution; a power of two in NEST.
    - `unit`: K_RJ, K_CMB (also m, u), Jy/sr or MJy/sr for brightness; rad/m2, pc/cm3 and pc/cm6
      for RM, DM and EM, which is also the default.
    - `frequency`: GHz, a number or a sequence, or a Quantity; for brightness only.
    - `ordering`: 'RING' or 'NEST'. `frame`: 'galactic', 'equatorial' or 'ecliptic'.
    - `convention`: sign of U: 'IAU' (angles from north through east) or 'COSMO' (U reversed).
    - `pixels`: numbers of the pixels present, for a part of the sky; None: all of it.

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
    nside: int = eqx.field(static=True)
    unit: str = eqx.field(static=True, default="")
    frequency: float | tuple[float, ...] | None = eqx.field(
        static=True, default=None, converter=_as_frequency
    )
    ordering: str = eqx.field(static=True, default="RING")
    frame: str = eqx.field(static=True, default="galactic")
    convention: str = eqx.field(static=True, default="IAU")
    pixels: Any = None

    def __post_init__(self):
        _choose("kind", self.kind, tuple(COMPONENTS))
        if not self.unit:
            self.unit = UNITS[self.kind][0]
        if hasattr(self.values, "to_value") and self.unit in UNITS[self.kind]:
            plain = self.unit.removesuffix("_RJ").removesuffix("_CMB")
            self.values = jnp.asarray(self.values.to_value(plain))
        if self.pixels is not None and not isinstance(self.pixels, jax.Array):
            self.pixels = np.asarray(self.pixels, dtype=np.int64)

    def __check_init__(self):
        if self.unit not in UNITS[self.kind]:
            allowed = ", ".join(UNITS[self.kind])
            raise ValueError(f"unit of a map of {self.kind} must be {allowed}, got '{self.unit}'")
        _choose("ordering", self.ordering, ORDERINGS)
        _choose("frame", self.frame, FRAMES)
        _choose("convention", self.convention, CONVENTIONS)
        if self.nside < 1:
            raise ValueError(f"nside must be at least 1, got {self.nside}")
        if self.ordering == "NEST":
            _power_of_two(self.nside)
        brightness = self.unit in BRIGHTNESS_UNITS
        if brightness != (self.frequency is not None):
            need = "needs a frequency (GHz)" if brightness else "has no frequency"
            raise ValueError(f"a map of {self.kind} {need}, got frequency={self.frequency}")
        if self.values.shape != self._shape():
            raise ValueError(
                f"values of this map must have shape {self._shape()}, got {self.values.shape}"
            )

    def _shape(self) -> tuple[int, ...]:
        n_pix = 12 * self.nside**2 if self.pixels is None else len(self.pixels)
        freq = (len(self.frequency),) if isinstance(self.frequency, tuple) else ()
        components = (len(self.columns),) if len(self.columns) > 1 else ()
        return (*components, *freq, n_pix)

    @staticmethod
    def from_stokes(stokes: Stokes, rays: Any, frequency: Any) -> "SkyMap":
        """The map of a simulator's output on the rays of `synax.Sightlines.healpix`.

        **Arguments:** `stokes`: I, Q, U (K_RJ, IAU). `rays`: the sightlines they were computed
        on. `frequency`: GHz, as given to the simulator.

        **Raises** `ValueError` if the rays are not HEALPix pixels.
        """
        values = jnp.stack([stokes.I, stokes.Q, stokes.U])
        return SkyMap.on_rays(values, rays, "IQU", frequency)

    @staticmethod
    def on_rays(values: Array, rays: Any, kind: str, frequency: Any = None) -> "SkyMap":
        """A map of any kind, in its default unit, on the pixels of HEALPix sightlines."""
        if getattr(rays, "nside", None) is None:
            raise ValueError("rays must come from Sightlines.healpix; these have no nside")
        pixels = None if rays.pixels is None else np.asarray(rays.pixels)
        return SkyMap(
            values, kind, rays.nside, frequency=frequency, ordering=rays.ordering, pixels=pixels
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the components: ('I', 'Q', 'U'), ('RM',), ..."""
        return COMPONENTS[self.kind]

    def component(self, name: str) -> Float[Array, "*shape"]:
        """One component, (*freq, n_pix). Raises `ValueError` if the map has no such column."""
        _choose(f"component of a map of {self.kind}", name, self.columns)
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
    def P(self) -> Float[Array, "*shape"]:
        """Polarised intensity sqrt(Q^2 + U^2), in the map's unit."""
        return jnp.hypot(self.Q, self.U)

    def _with(self, values: Any, **changes: Any) -> "SkyMap":
        names = ("kind", "nside", "unit", "frequency", "ordering", "frame", "convention", "pixels")
        return SkyMap(values, **{name: changes.get(name, getattr(self, name)) for name in names})

    def to_unit(self, unit: str) -> "SkyMap":
        """The same map in another unit, converted at each frequency."""
        if unit not in UNITS[self.kind]:
            allowed = ", ".join(UNITS[self.kind])
            raise ValueError(f"unit of a map of {self.kind} must be {allowed}, got '{unit}'")
        if self.frequency is None or unit == self.unit:
            return self
        if isinstance(self.frequency, tuple):
            factors = [[conversion_factor(self.unit, unit, nu)] for nu in self.frequency]
            factor = jnp.asarray(factors, dtype=self.values.dtype)
        else:
            factor = conversion_factor(self.unit, unit, self.frequency)
        return self._with(self.values * factor, unit=unit)

    def to_convention(self, convention: str) -> "SkyMap":
        """The same map with U in the 'IAU' or 'COSMO' convention."""
        _choose("convention", convention, CONVENTIONS)
        if convention == self.convention:
            return self
        values = self.values
        if "U" in self.columns:
            values = jnp.concatenate([values[:-1], -values[-1:]])
        return self._with(values, convention=convention)

    def to_ordering(self, ordering: str) -> "SkyMap":
        """The same map with its pixels numbered (and, for the whole sky, stored) in `ordering`."""
        import healpy

        _choose("ordering", ordering, ORDERINGS)
        if ordering == self.ordering:
            return self
        _power_of_two(self.nside)
        renumber = healpy.nest2ring if ordering == "RING" else healpy.ring2nest
        if self.pixels is not None:
            return self._with(
                self.values, ordering=ordering, pixels=renumber(self.nside, self.pixels)
            )
        back = healpy.ring2nest if ordering == "RING" else healpy.nest2ring
        order = back(self.nside, np.arange(12 * self.nside**2))
        return self._with(self.values[..., order], ordering=ordering)

    def degrade(self, nside: int) -> "SkyMap":
        """The map averaged to a coarser `nside`; pixels of a partial map average what they hold.

        Q and U are averaged in their own frames, so stay away from strong degrading near poles.

        **Raises** `ValueError` unless `nside` divides that of the map.
        """
        import healpy

        if nside < 1 or self.nside % nside:
            raise ValueError(f"nside must divide that of the map, {self.nside}, got {nside}")
        nest, ratio = self.ordering == "NEST", self.nside // nside
        if nest:
            _power_of_two(nside)
        pixels = np.arange(12 * self.nside**2) if self.pixels is None else np.asarray(self.pixels)
        x, y, face = healpy.pix2xyf(self.nside, pixels, nest=nest)
        parents = healpy.xyf2pix(nside, x // ratio, y // ratio, face, nest=nest)
        coarse, member = np.unique(parents, return_inverse=True)
        total = jnp.zeros((*self.values.shape[:-1], len(coarse)), self.values.dtype)
        values = total.at[..., member].add(self.values) / np.bincount(member)
        return self._with(values, nside=nside, pixels=None if self.pixels is None else coarse)

    def full(self, fill: float = float("nan")) -> "SkyMap":
        """The map over the whole sky, absent pixels set to `fill`."""
        if self.pixels is None:
            return self
        shape = (*self.values.shape[:-1], 12 * self.nside**2)
        values = jnp.full(shape, fill, self.values.dtype).at[..., self.pixels].set(self.values)
        return self._with(values, pixels=None)

    def _partner(self, other: Any) -> Any:
        if not isinstance(other, SkyMap):
            return other
        for name in ("kind", "unit", "convention", "frame", "ordering", "nside", "frequency"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(f"maps differ in {name}: {mine} and {theirs}; convert one first")
        mine, theirs = self.pixels, other.pixels
        if (mine is None) != (theirs is None) or (
            mine is not None and not np.array_equal(np.asarray(mine), np.asarray(theirs))
        ):
            raise ValueError("maps differ in pixels: they hold different parts of the sky")
        return other.values

    def __add__(self, other: Any) -> "SkyMap":
        return self._with(self.values + self._partner(other))

    def __sub__(self, other: Any) -> "SkyMap":
        return self._with(self.values - self._partner(other))

    def __mul__(self, factor: Any) -> "SkyMap":
        """Scaling by a number or an array; the product of two maps has no unit of ours."""
        if isinstance(factor, SkyMap):
            raise ValueError("two maps cannot be multiplied: the product has no map unit")
        return self._with(self.values * factor)

    def __truediv__(self, divisor: Any) -> "SkyMap":
        if isinstance(divisor, SkyMap):
            raise ValueError("two maps cannot be divided: the ratio has no map unit")
        return self._with(self.values / divisor)

    def __neg__(self) -> "SkyMap":
        return self._with(-self.values)

    __radd__ = __add__
    __rmul__ = __mul__

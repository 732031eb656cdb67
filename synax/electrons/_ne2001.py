"""NE2001 (Cordes & Lazio 2002) and its successor NE2025 (Ocker & Cordes 2026)."""

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics._math import atan2, cylindrical_radius, sech2, sincos, stored
from .._parameters import ModelInfo, Scalar, parameter
from ..fields._field import AbstractScalarField
from ..fields._surfaces import AbstractSurface, Cylinder, Ellipsoid
from . import _ne_catalogue as catalogue
from ._discs import cosine_taper
from ._ne_arms import REACH, arm_distances
from ._ne_local import LocalISM
from ._ne_surfaces import ListedObjects

_SLOTS = (0, 2, 3, 1, 4)  # place in the published tables of the arm drawn j-th
_DEGREE = math.pi / 180.0

Points = Float[Array, "*points"]
Position = Float[Array, "3 *points"]


class AbstractNE(AbstractScalarField):
    """What NE2001 and NE2025 share; they differ in numbers and in lists of clumps and voids.

    n_e = (1 - w_void) [(1 - w_local)(n1 + n2 + n_arms + n_gc) + w_local n_local]
          + w_void n_void + n_clump

    The weights are 1 inside a local region or a void and 0 outside, so the density jumps there.
    `clumps`, `voids` and `local=None` leave parts out (the first two are static). The curves of the
    arms and the places and sizes of clumps and voids are fixed; `clump_scale` and `void_scale`
    multiply their densities.
    """

    thick_column: Scalar = parameter(0.033, "kpc cm-3", "n1 h1, column of the thick disc")
    thick_height: Scalar = parameter(0.97, "kpc", "h1, scale height", above=0.0)
    thick_radius: Scalar = parameter(17.5, "kpc", "A1, where the thick disc ends")
    thin_density: Scalar = parameter(0.08, "cm-3", "n2, density of the thin disc")
    thin_height: Scalar = parameter(0.15, "kpc", "h2, scale height", above=0.0)
    thin_radius: Scalar = parameter(3.8, "kpc", "A2, radius of its ring", minimum=0.0)
    thin_width: Scalar = parameter(1.8, "kpc", "width of its ring", above=0.0)
    arm_density: Scalar = parameter(0.028, "cm-3", "n_a, density of the arms")
    arm_width: Scalar = parameter(0.65, "kpc", "w_a, width of the arms", above=0.0)
    arm_height: Scalar = parameter(0.23, "kpc", "h_a, scale height of the arms", above=0.0)
    arm_radius: Scalar = parameter(10.5, "kpc", "A_a, beyond which the arms fade")
    arm_fading: Scalar = parameter(2.0, "kpc", "scale length of that fading", above=0.0)
    arm_density_factor: Float[Array, "5"] = parameter(
        (0.5, 1.2, 1.3, 1.0, 0.25), "", "narm, by arm number of the paper"
    )
    arm_width_factor: Float[Array, "5"] = parameter((1.0, 1.5, 1.0, 0.8, 1.0), "", "warm")
    arm_height_factor: Float[Array, "5"] = parameter((1.0, 0.8, 1.3, 1.5, 1.0), "", "harm")
    center_density: Scalar = parameter(10.0, "cm-3", "n_gc, density of the Galactic Centre")
    center_axes: Float[Array, "2"] = parameter((0.145, 0.026), "kpc", "r_gc, h_gc")
    center_position: Float[Array, "3"] = parameter((0.0, -0.01, -0.02), "kpc", "centre")
    r_sun: Scalar = parameter(8.5, "kpc", "Galactocentric radius of the Sun", minimum=0.0)
    clump_scale: Scalar = parameter(1.0, "", "factor on the published densities of clumps")
    void_scale: Scalar = parameter(1.0, "", "factor on the published densities of voids")
    local: LocalISM | None = eqx.field(default_factory=LocalISM)
    clumps: bool = eqx.field(static=True, default=True)
    voids: bool = eqx.field(static=True, default=True)

    lists: ClassVar[str]

    def __call__(self, position: Position) -> Points:
        smooth = self.discs(position) + self.arms(position) + self.galactic_center(position)
        if self.local is not None:
            density, inside = self.local(position)
            smooth = jnp.where(inside, density, smooth)
        if self.voids:
            density, inside = catalogue.last_density(catalogue.voids(self.lists), position)
            smooth = jnp.where(inside, self.void_scale * density, smooth)
        if self.clumps:
            density = catalogue.total_density(catalogue.clumps(self.lists), position)
            smooth = smooth + self.clump_scale * density
        return smooth

    def discs(self, position: Position) -> Points:
        """Thick and thin disc, n1 + n2."""
        thick, thin = self.each_disc(position)
        return thick + thin

    def each_disc(self, position: Position) -> tuple[Points, Points]:
        """Thick and thin disc, n1 and n2."""
        x, y, z = position
        radius = cylindrical_radius(x, y)
        taper = cosine_taper(radius, self.thick_radius, self.r_sun)
        thick = self.thick_column / self.thick_height * sech2(z / self.thick_height) * taper
        u = (radius - self.thin_radius) / self.thin_width
        ring = jnp.where(u * u < 10.0, jnp.exp(-u * u), 0.0)
        return thick, self.thin_density * ring * sech2(z / self.thin_height)

    def arms(self, position: Position) -> Points:
        """The five arms together."""
        x, y, z = position
        angle = atan2(-y, -x)
        beyond = cylindrical_radius(x, y) - self.arm_radius
        beyond = jnp.where(beyond > 0, beyond, 0.0)
        total = jnp.zeros_like(x)
        for slot, d2 in zip(_SLOTS, stored(tuple(arm_distances(x, y))), strict=True):
            width = self.arm_width * self.arm_width_factor[slot]
            height = self.arm_height * self.arm_height_factor[slot]
            density = self.arm_density_factor[slot] * jnp.exp(-d2 / width**2) * sech2(z / height)
            if slot == 2:
                density = density * ((1.0 + _wave(angle, 290.0, 73.0)) / 2.0) ** 4
            if slot == 1:
                dip = (1.1 + 0.9 * _wave(angle, 340.0, 30.0)) / 2.0
                density = density * dip**3 * jnp.sqrt(dip)
            total = total + jnp.where(d2 < REACH**2, density, 0.0)
        return self.arm_density * sech2(beyond / self.arm_fading) * stored(total)

    def galactic_center(self, position: Position) -> Points:
        """An ellipsoid of constant density."""
        x, y, z = position
        x0, y0, z0 = self.center_position
        radius, height = self.center_axes
        q = ((x - x0) ** 2 + (y - y0) ** 2) / radius**2 + ((z - z0) / height) ** 2
        return jnp.where(q <= 1.0, self.center_density, 0.0)

    @property
    def has_surroundings(self) -> bool:
        return self.local is not None or self.clumps or self.voids

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        radius, height = self.center_axes
        center = Ellipsoid(self.center_position, jnp.stack([radius, radius, height]))
        local = () if self.local is None else self.local.surfaces()
        clumps = (ListedObjects(self.lists),) if self.clumps else ()
        voids = (ListedObjects(self.lists, voids=True),) if self.voids else ()
        return (Cylinder(self.thick_radius), center, *local, *clumps, *voids)


def _wave(angle: Points, start: float, width: float) -> Points:
    """cos(2 pi t / width) for 0 <= t = angle - start < width (degrees), else 1."""
    turn = 360.0 * _DEGREE
    t = angle - start * _DEGREE
    t = t - turn * jnp.floor(t / turn)
    inside = t < width * _DEGREE
    return jnp.where(inside, sincos(jnp.where(inside, t * (360.0 / width), 0.0))[1], 1.0)


class NE2001(AbstractNE):
    """NE2001: smooth components, spiral arms, local regions, 175 clumps and 17 voids.

    **Reference:** Cordes & Lazio 2002, arXiv:astro-ph/0207156, tables 1-5, and 2003,
    arXiv:astro-ph/0301598; weights and arms (splines through 50 samples) as in the authors'
    Python version, mwprop 2.0.5.
    """

    lists: ClassVar[str] = "ne2001"
    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Cordes & Lazio 2002, arXiv:astro-ph/0207156",
        sun=(-8.5, 0.0, 0.0),
        notes="weighted total as published; pygedm's point density adds the parts unweighted",
    )


class NE2025(AbstractNE):
    """NE2025: NE2001 with a higher thick disc, refitted arms, 214 clumps and 37 voids.

    **Reference:** Ocker & Cordes 2026 (NE2025), as in the authors' program, mwprop 2.0.5.
    """

    thick_column: Scalar = parameter(0.0275, "kpc cm-3", "n1 h1, column of the thick disc")
    thick_height: Scalar = parameter(1.589, "kpc", "h1, scale height", above=0.0)
    thin_radius: Scalar = parameter(4.3, "kpc", "A2, radius of its ring", minimum=0.0)
    arm_density_factor: Float[Array, "5"] = parameter(
        (0.5, 1.5, 2.7, 3.7, 0.25), "", "narm, by arm number of the paper"
    )
    arm_width_factor: Float[Array, "5"] = parameter((1.0, 1.5, 1.0, 0.96, 1.0), "", "warm")
    center_axes: Float[Array, "2"] = parameter((0.145, 0.05), "kpc", "r_gc, h_gc")

    lists: ClassVar[str] = "ne2025"
    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Ocker & Cordes 2026 (NE2025)", sun=(-8.5, 0.0, 0.0)
    )

"""Processes: what the plasma at a place does to light, each a pure function of the place."""

import abc
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from .._shown import Shown
from ..transfer._base import Coefficients


class Unresolved(NamedTuple):
    """A random magnetic field too fine to resolve, at the points of a cell; scalars broadcast.

    - `variance`: of each component of the isotropic part, microgauss^2.
    - `striation`: energy of the part along the regular field over that of the latter.
    - `correlation_length`: kpc.
    """

    variance: Any
    striation: Any
    correlation_length: Any


class Plasma(NamedTuple):
    """The fields at the points of a cell, each evaluated once: (n_nodes, n_rays) arrays.

    - `b_l`, `b_b`, `b_away`: microgauss, toward increasing longitude and latitude, and along the
      ray away from the observer; None without a magnetic field.
    - `density`: thermal electrons, cm^-3; None without them.
    - `position`: (3, n_nodes, n_rays) kpc.
    - `random`: the unresolved field; None without turbulence.
    - `distance`: through the medium from the observer, kpc; None without turbulence.
    """

    b_l: Any
    b_b: Any
    b_away: Any
    density: Any
    position: Float[Array, "3 n_nodes n_rays"]
    random: Unresolved | None = None
    distance: Any = None

    def b_perp_squared(self) -> Array:
        """B_perp^2 of the regular field, microgauss^2."""
        return self.b_l * self.b_l + self.b_b * self.b_b


class AbstractProcess(Shown):
    """Emission, absorption or rotation by one mechanism."""

    @abc.abstractmethod
    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"] | None) -> Coefficients:
        """Coefficients at each point, (rows, n_nodes, n_rays); `frequency` in GHz."""

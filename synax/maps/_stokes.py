"""Stokes parameters of a set of sightlines, as a PyTree."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._operators import Refusing
from ._kinds import STOKES
from ._shown import as_html, as_text


class Stokes(Refusing, eqx.Module):
    """Brightness temperatures I, Q, U and V (K, Rayleigh-Jeans; IAU), each (*freq, n_rays).

    The polarisation angle counts from Galactic north through increasing longitude (IAU), that
    of the electric vector. V > 0 is right-handed in the sense of the IEEE: the electric vector
    turns from north to east, counter-clockwise as the observer sees it. V is None where circular
    polarisation was not computed.
    """

    I: Float[Array, "*shape"]
    Q: Float[Array, "*shape"]
    U: Float[Array, "*shape"]
    V: Float[Array, "*shape"] | None = None

    _arithmetic = (
        "compute with the arrays of Stokes (.I, .Q, .U), or jax.tree.map(jnp.add, one, other); a "
        "SkyMap has +, -, * and /"
    )

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the parameters that are there: ('I', 'Q', 'U') or with 'V'."""
        return tuple(name for name in STOKES if getattr(self, name) is not None)

    @property
    def P(self) -> Float[Array, "*shape"]:
        """Linearly polarised brightness temperature sqrt(Q^2 + U^2)."""
        return jnp.hypot(self.Q, self.U)

    @property
    def angle(self) -> Float[Array, "*shape"]:
        """Polarisation angle (rad), IAU, in (-pi/2, pi/2]."""
        return 0.5 * jnp.arctan2(self.U, self.Q)

    def __getitem__(self, index: Any) -> "Stokes":
        """Each parameter at an index, as of an array: `stokes[1]` is the second frequency."""
        return jax.tree.map(lambda values: values[index], self)

    def _title(self) -> str:
        return f"Stokes {', '.join(self.components)} in K (Rayleigh-Jeans), IAU"

    def _rows(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.components}

    def __repr__(self) -> str:
        return as_text(self._title(), self._rows(), "K")

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._rows(), "K")

"""The published covariance of the UF23 fields as a prior."""

import json
import math
from importlib import resources
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .. import _checks as checks
from ._priors import AbstractPrior, standard_normal_logpdf

Latent = Float[Array, " n"]

_ANGLES = ("phi_1", "phi_2", "phi_3", "pitch", "phi_spur", "l_spur", "w_spur", "xi_poloidal")
_SMALLEST = 0.05
"""Share of its mean below which a width no longer falls linearly but exponentially."""


class UF23Prior(AbstractPrior):
    """A Gaussian over the parameters of one UF23 variant: mean + L n with n ~ N(0, 1).

    Widths stay positive: below w_0 = 5 % of its mean a width u becomes w_0 exp((u - w_0) / w_0),
    which joins on with the same slope (w_disk of 'twistX' needs it in 2 of 100 draws, others in
    fewer than 2 of 1000). In 'expX' z_poloidal = a_poloidal tan(xi) follows from the angle xi that
    was fitted. The striation factor, no parameter of the field, is integrated over.

    A joint prior over several leaves:

    ```python
    prior = synax.magnetic.UF23.prior("base")
    sky = synax.Synchrotron(synax.magnetic.UF23("base"), None, synax.cosmic_rays.WMAP())
    rays = synax.Sightlines.healpix(1)
    likelihood = synax.GaussianLikelihood(rays, 30.0, sky(rays, 30.0), 1e-6)
    posterior = synax.Posterior(sky, {prior.paths("magnetic"): prior}, likelihood)
    ```

    **Reference:** Unger & Farrar 2024, ApJ 970, 95, appendix C; numbers of their source
    (BSD-2-Clause, see `magnetic/data/LICENSE-UF23`). Its list of parameters names the toroidal
    radius twice in seven variants; the second is read as the toroidal width. Statistical errors
    only: the variants differ by more.
    """

    mean: Float[Array, " n"]
    """Published values, in the units of the leaves (angles in rad)."""
    cholesky: Float[Array, "n n"]
    """Lower triangular L, V = L L^T."""
    names: tuple[str, ...] = eqx.field(static=True)
    """Parameters of `UF23`, in the order of a value."""
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, variant: str):
        file = resources.files("synax.magnetic") / "data" / "uf23_covariance.json"
        published = json.loads(file.read_text())
        published.pop("about")
        found = published[checks.choice("variant", variant, published)]
        names = [name for name in found["names"] if name != "striation"]  # the last, if any
        n = len(names)
        factor = np.zeros((n, n))
        for i, row in enumerate(found["L"][:n]):
            factor[i, : i + 1] = row
        unit = np.array([math.radians(1.0) if name in _ANGLES else 1.0 for name in names])
        real = jnp.result_type(float)
        self.mean = jnp.asarray(unit * np.array(found["mean"][:n]), real)
        self.cholesky = jnp.asarray(unit[:, None] * factor, real)
        self.names = tuple("z_poloidal" if name == "xi_poloidal" else name for name in names)
        self.shape = (n,)

    def paths(self, field: str = "magnetic") -> tuple[str, ...]:
        """Dotted paths of the parameters for `Posterior`; `field`: that of the UF23 field."""
        return tuple(f"{field}.{name}" for name in self.names)

    @property
    def size(self) -> int:
        return len(self.names)

    @property
    def standard(self) -> bool:
        return True

    def value(self, latent: Latent) -> Float[Array, " n"]:
        return self._bent(
            self.mean.astype(latent.dtype) + self.cholesky.astype(latent.dtype) @ latent
        )

    def latent(self, value: Float[Array, " n"]) -> Latent:
        offset = self._straight(value) - self.mean.astype(value.dtype)
        factor = self.cholesky.astype(value.dtype)
        return jax.scipy.linalg.solve_triangular(factor, offset, lower=True)

    def log_latent(self, latent: Latent) -> Float[Array, ""]:
        return standard_normal_logpdf(latent)

    def log_value(self, value: Float[Array, " n"]) -> Float[Array, ""]:
        straight = self._straight(value)
        floor = self._floor(value.dtype)
        bent = self._widths() & (value < floor)
        slopes = jnp.where(bent, value / jnp.where(bent, floor, 1.0), 1.0)
        if (pair := self._pair()) is not None:
            a, xi = value[pair[0]], straight[pair[1]]
            slopes = slopes.at[pair[1]].set(a / jnp.cos(xi) ** 2)
        diagonal = jnp.diagonal(self.cholesky).astype(value.dtype)
        normal = standard_normal_logpdf(self.latent(value))
        return normal - jnp.sum(jnp.log(diagonal)) - jnp.sum(jnp.log(slopes))

    def sample(self, key: PRNGKeyArray, dtype: Any) -> Latent:
        return jax.random.normal(key, (self.size,), dtype)

    def _widths(self) -> np.ndarray:
        return np.array([name.startswith("w_") for name in self.names])

    def _floor(self, dtype: Any) -> Float[Array, " n"]:
        return _SMALLEST * self.mean.astype(dtype)

    def _pair(self) -> tuple[int, int] | None:
        """Where a_poloidal and z_poloidal stand, if the second follows from an angle."""
        if "a_poloidal" not in self.names:
            return None
        return self.names.index("a_poloidal"), self.names.index("z_poloidal")

    def _bent(self, straight: Float[Array, " n"]) -> Float[Array, " n"]:
        """Values from what is Gaussian: widths kept positive, a height from its angle."""
        floor, wide = self._floor(straight.dtype), self._widths()
        low = wide & (straight < floor)
        small = floor * jnp.exp(jnp.where(low, straight / jnp.where(low, floor, 1.0) - 1.0, 0.0))
        value = jnp.where(low, small, straight)
        if (pair := self._pair()) is not None:
            value = value.at[pair[1]].set(straight[pair[0]] * jnp.tan(straight[pair[1]]))
        return value

    def _straight(self, value: Float[Array, " n"]) -> Float[Array, " n"]:
        """The inverse of `_bent`."""
        floor, wide = self._floor(value.dtype), self._widths()
        low = wide & (value < floor)
        # a width that is not positive has no place: NaN, whose density is none
        tail = floor * (1.0 + jnp.log(jnp.where(low, value / jnp.where(low, floor, 1.0), 1.0)))
        straight = jnp.where(low, tail, value)
        if (pair := self._pair()) is not None:
            straight = straight.at[pair[1]].set(jnp.arctan(value[pair[1]] / value[pair[0]]))
        return straight

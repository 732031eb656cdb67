"""Coordinates for chains: where they are centred, and what is one unit of length in them."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ._box import has_boxes
from ._competing import Competing, Placement, Told, competing_gaussians
from ._density import LatentDensity
from ._laplace import inverse_root
from ._sampler import Sampler, SamplerState
from ._start import start_latent
from ._table import from_name


class Cost(NamedTuple):
    """What finding the coordinates cost."""

    evaluations: int
    """Evaluations of value, gradient and curvature, or steps along a path."""
    gradients: int
    """All of it in units of gradients."""


class AbstractWhitening(eqx.Module):
    """How the coordinates of chains are found."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name, as in `sample(whiten=...)`."""

    @abc.abstractmethod
    def place(
        self,
        posterior: LatentDensity,
        key: PRNGKeyArray,
        chains: int,
        start: Any,
        restarts: int | None,
    ) -> tuple[Placement, Cost, Told]:
        """The coordinates of each chain, what they cost, and what the result tells of them."""

    def bent(self, posterior: LatentDensity) -> int:
        """Length of `Placement.soft`; known before anything is computed."""
        return 0


class FisherWhitening(AbstractWhitening):
    """The Fisher matrix at the maxima that compete; chains start in all of them.

    An evaluation of value, gradient and curvature by forward mode counts as one gradient for every
    four parameters.

    **Arguments:**

    - `competing`: the maxima, if they are known already.
    """

    competing: Competing | None = None

    @property
    def name(self) -> str:
        return "fisher"

    def place(self, posterior, key, chains, start, restarts):
        competing = self.competing
        if competing is None:
            competing = competing_gaussians(posterior, start, restarts=restarts, key=key)
        placement = competing.places(chains)
        evaluations = competing.maxima[0].evaluations
        cost = mode_cost(evaluations, posterior.size) + competing.found.predictions // 3
        told = competing.told(posterior, np.asarray(placement.group))
        return placement, Cost(evaluations, cost), told

    def bent(self, posterior: LatentDensity) -> int:
        return posterior.size if has_boxes(posterior) else 0


class PathfinderWhitening(AbstractWhitening):
    """The best Gaussian along a path of L-BFGS: needs no mode, and finds no second one.

    **Reference:** Zhang, Carpenter, Gelman & Vehtari 2022, JMLR 23, 306.
    """

    @property
    def name(self) -> str:
        return "pathfinder"

    def place(self, posterior, key, chains, start, restarts):
        center, covariance, evaluations = _pathfinder(
            posterior, key, start_latent(posterior, start)
        )
        if not bool(jnp.all(jnp.isfinite(covariance))):
            raise ValueError("Pathfinder found no Gaussian from this start: use whiten='fisher'")
        placement = _one(center, inverse_root(jnp.linalg.inv(covariance)), chains)
        return placement, Cost(int(evaluations), int(evaluations)), {}


class PriorWhitening(AbstractWhitening):
    """The latents as they are: standard normal under the prior."""

    @property
    def name(self) -> str:
        return "prior"

    def place(self, posterior, key, chains, start, restarts):
        center = start_latent(posterior, start)
        root = jnp.eye(posterior.size, dtype=posterior.dtype)
        return _one(center, root, chains), Cost(0, 0), {}


WHITENINGS = {
    "fisher": FisherWhitening,
    "pathfinder": PathfinderWhitening,
    "prior": PriorWhitening,
}
"""The names that `sample(whiten=...)` knows."""


def as_whitening(whiten: str | AbstractWhitening) -> AbstractWhitening:
    """A whitening from its name, or the whitening itself."""
    return from_name("whiten", whiten, AbstractWhitening, WHITENINGS, "FisherWhitening()")


def begin(
    sampler: Sampler,
    key: PRNGKeyArray,
    start: Any = None,
    whiten: str | AbstractWhitening = "fisher",
    *,
    restarts: int | None = None,
) -> tuple[SamplerState, Told]:
    """First state of a sampler, and what finding it cost.

    **Arguments:**

    - `sampler`: the chains. `key`: of the run.
    - `start`, `whiten`, `restarts`: as in `sample`.

    **Returns** the state, and {'mode_evaluations', 'mode_gradients', 'warmup_gradients',
    'reduced_chi2' (squared whitened residual at the mode for each datum)}.
    """
    placement, cost, told = as_whitening(whiten).place(
        sampler.posterior, key, sampler.chains, start, restarts
    )
    state = sampler.init_state(key, **placement._asdict())
    spent: Told = {
        "mode_evaluations": cost.evaluations,
        "mode_gradients": cost.gradients,
        "warmup_gradients": cost.gradients + sampler.chains,
    }
    return state, {**spent, **told}


def mode_cost(evaluations: int, n: int) -> int:
    """Evaluations of the curvature in units of gradients: a tangent is about a quarter of one."""
    return evaluations * -(-n // 4)


def _one(center: Float[Array, " n"], root: Float[Array, "n n"], chains: int) -> Placement:
    """All chains about one point."""
    return Placement(
        jnp.broadcast_to(center, (chains, *center.shape)),
        jnp.broadcast_to(root, (chains, *root.shape)),
        jnp.zeros((chains,), jnp.int32),
        jnp.zeros((0,), center.dtype),
    )


@eqx.filter_jit
def _pathfinder(
    posterior: LatentDensity, key: PRNGKeyArray, start: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, "n n"], Array]:
    import blackjax
    from blackjax.optimizers.lbfgs import lbfgs_inverse_hessian_formula_1

    state: Any
    state, info = blackjax.vi.pathfinder.approximate(key, posterior.logdensity, start)
    covariance = lbfgs_inverse_hessian_formula_1(state.alpha, state.beta, state.gamma)
    return state.position, covariance, jnp.sum(jnp.isfinite(info.path.elbo))

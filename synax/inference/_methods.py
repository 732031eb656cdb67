"""Sampling methods: what one transition of one chain is. Strategies given to `synax.sample`.

All run in whitened coordinates xi (latent = center + root @ xi), where the posterior is close to
N(0, 1), so their metric is the identity and one step size serves all directions. Trajectories of
HMC and NUTS turn exactly as under N(0, 1), and are kicked by the gradient of what is left:
where the posterior is Gaussian nothing is left, and one gradient reaches an independent draw.
"""

import abc
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .._shown import Shown
from ._table import from_name

Point = Float[Array, " n"]
LogDensity = Callable[[Point], Array]


class Transition(NamedTuple):
    """What a transition reports."""

    acceptance: Array
    """Mean acceptance probability (1 for unadjusted methods)."""
    signal: Array
    """Error that the step size is adapted to bring to 0: positive asks for smaller steps."""
    diverging: Array
    energy: Array
    gradients: Array
    """Evaluations of the gradient (of the density, for a random walk)."""


def rotation(logdensity: LogDensity, kinetic_energy: Any) -> Callable[[Any, Array], Any]:
    """Integrator of Hamilton's equations, exact for N(0, 1): kick, rotate (x, p), kick.

    The kicks have the gradient of ln p + |x|^2 / 2. Symplectic and reversible for any density.

    **Reference:** Shahbaba, Lan, Johnson & Neal 2014, Stat. Comput. 24, 339; Beskos, Pinski,
    Sanz-Serna & Stuart 2011, Stoch. Proc. Appl. 121, 2201.
    """
    from blackjax.mcmc.integrators import IntegratorState

    slope = jax.value_and_grad(logdensity)

    def one_step(state: Any, step_size: Array) -> Any:
        x, half = state.position, 0.5 * step_size
        p = state.momentum + half * (state.logdensity_grad + x)
        cosine, sine = jnp.cos(step_size), jnp.sin(step_size)
        x, p = cosine * x + sine * p, cosine * p - sine * x
        value, gradient = slope(x)
        return IntegratorState(x, p + half * (gradient + x), value, gradient)

    return one_step


class AbstractMethod(Shown):
    """One transition of one chain, with a step size that warm-up adapts."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name, as in `sample(method=...)`."""

    @abc.abstractmethod
    def first_step_size(self, n: int) -> float:
        """Step size to start from in n dimensions."""

    @property
    def largest_step_size(self) -> float:
        """Adaptation stays below this."""
        return math.inf

    def check(self, n: int) -> None:
        """Refuse, by `ValueError`, a number of dimensions in which the method does not work."""

    @abc.abstractmethod
    def init(self, logdensity: LogDensity, position: Point, key: PRNGKeyArray) -> Any:
        """State of a chain at `position`: has `position`, `logdensity`, maybe its gradient."""

    @abc.abstractmethod
    def step(
        self, logdensity: LogDensity, key: PRNGKeyArray, state: Any, step_size: Array
    ) -> tuple[Any, Transition]:
        """The next state."""


class NUTS(AbstractMethod):
    """The no-U-turn sampler: trajectory lengths found at every draw.

    **Arguments:**

    - `target`: mean acceptance probability.
    - `max_doublings`: trajectories have at most 2^max_doublings - 1 steps.

    **Reference:** Hoffman & Gelman 2014, JMLR 15, 1593; Betancourt 2017, arXiv:1701.02434.
    """

    target: float = 0.8
    max_doublings: int = eqx.field(static=True, default=8)

    @property
    def name(self) -> str:
        return "nuts"

    def first_step_size(self, n: int) -> float:
        return 1.0

    @property
    def largest_step_size(self) -> float:
        return 1.2  # three steps are more than half a turn under N(0, 1): the tree ends there

    def init(self, logdensity, position, key):
        import blackjax

        return blackjax.nuts.init(position, logdensity)

    def step(self, logdensity, key, state, step_size):
        import blackjax

        kernel = blackjax.nuts.build_kernel(rotation)
        metric = jnp.ones_like(state.position)
        state, info = kernel(key, state, logdensity, step_size, metric, self.max_doublings)
        return state, Transition(
            info.acceptance_rate,
            self.target - info.acceptance_rate,
            info.is_divergent,
            info.energy,
            info.num_integration_steps,
        )


class HMC(AbstractMethod):
    """Hamiltonian Monte Carlo over a bit more than a quarter turn: the fewest steps that it takes.

    The number of steps follows from the adapted step size: one where the posterior is nearly
    Gaussian, more where it is not. Lengths vary by 20 %.

    **Arguments:**

    - `angle`: length of a trajectory; pi/2 gives independent draws under N(0, 1), and somewhat more
      gives draws whose errors cancel.
    - `steps`: at most so many.
    - `target`: mean acceptance probability.

    **Reference:** Neal 2011, Handbook of MCMC, ch. 5 (arXiv:1206.1901); see `rotation`.
    """

    angle: float = 1.75
    steps: int = eqx.field(static=True, default=32)
    target: float = 0.8

    @property
    def name(self) -> str:
        return "hmc"

    def first_step_size(self, n: int) -> float:
        return 0.5 * self.angle

    @property
    def largest_step_size(self) -> float:
        return self.angle

    def init(self, logdensity, position, key):
        import blackjax

        return blackjax.hmc.init(position, logdensity)

    def step(self, logdensity, key, state, step_size):
        import blackjax

        key, jitter_key = jax.random.split(key)
        jitter = jax.random.uniform(jitter_key, (), step_size.dtype, 0.8, 1.2)
        steps = jnp.clip(jnp.round(self.angle / step_size), 1, self.steps).astype(jnp.int32)
        kernel = blackjax.hmc.build_kernel(rotation)
        metric = jnp.ones_like(state.position)
        state, info = kernel(key, state, logdensity, jitter * step_size, metric, steps)
        return state, Transition(
            info.acceptance_rate,
            self.target - info.acceptance_rate,
            info.is_divergent,
            info.energy,
            steps,
        )


class MCLMC(AbstractMethod):
    """Microcanonical Langevin Monte Carlo: unadjusted, for many dimensions.

    The step size keeps the variance of the energy error per dimension at `energy_variance`; the
    bias that is left is of the same order.

    **Arguments:**

    - `thin`: steps a draw.
    - `energy_variance`: as above.
    - `length`: momentum decoherence length in units of sqrt(n).

    **Reference:** Robnik, De Luca, Silverstein & Seljak 2023, JMLR 24, 311.
    """

    thin: int = eqx.field(static=True, default=4)
    energy_variance: float = 5e-4
    length: float = 1.0

    @property
    def name(self) -> str:
        return "mclmc"

    def first_step_size(self, n: int) -> float:
        return 0.4 * math.sqrt(n)

    def check(self, n: int) -> None:
        if n < 2:
            raise ValueError("method 'mclmc' needs at least 2 free parameters")

    def init(self, logdensity, position, key):
        import blackjax

        return blackjax.mclmc.init(position, logdensity, key)

    def step(self, logdensity, key, state, step_size):
        import blackjax

        n = state.position.size
        kernel = blackjax.mclmc.build_kernel()
        length = jnp.asarray(self.length * math.sqrt(n), step_size.dtype)
        metric = jnp.ones_like(state.position)

        def one(state: Any, key: PRNGKeyArray) -> tuple[Any, Any]:
            new, info = kernel(key, state, logdensity, metric, length, step_size)
            return new, (info.energy_change, info.nonans)

        state, (change, fine) = jax.lax.scan(one, state, jax.random.split(key, self.thin))
        excess = jnp.mean(change * change) / (n * self.energy_variance)
        diverging = ~jnp.all(fine)
        # the energy error grows as the third power of the step: a bounded, monotone signal
        signal = 0.3 * (excess - 1.0) / (excess + 1.0)
        return state, Transition(
            jnp.ones_like(state.logdensity),
            jnp.where(diverging, 1.0, signal),
            diverging,
            -state.logdensity,
            jnp.asarray(2 * self.thin),
        )


class RandomWalk(AbstractMethod):
    """Random-walk Metropolis, the baseline without gradients.

    **Arguments:**

    - `thin`: steps a draw.
    - `target`: mean acceptance probability.

    **Reference:** Roberts, Gelman & Gilks 1997, Ann. Appl. Probab. 7, 110 (0.234, 2.38/sqrt(n)).
    """

    thin: int = eqx.field(static=True, default=1)
    target: float = 0.234

    @property
    def name(self) -> str:
        return "rwmh"

    def first_step_size(self, n: int) -> float:
        return 2.38 / math.sqrt(n)

    def init(self, logdensity, position, key):
        import blackjax

        return blackjax.additive_step_random_walk.init(position, logdensity)

    def step(self, logdensity, key, state, step_size):
        import blackjax

        kernel = blackjax.additive_step_random_walk.build_kernel()

        def move(key: PRNGKeyArray, position: Point) -> Point:
            return step_size * jax.random.normal(key, position.shape, position.dtype)

        def one(state: Any, key: PRNGKeyArray) -> tuple[Any, Any]:
            new, info = kernel(key, state, logdensity, move)
            return new, info.acceptance_rate

        state, acceptance = jax.lax.scan(one, state, jax.random.split(key, self.thin))
        acceptance = jnp.mean(acceptance)
        return state, Transition(
            acceptance,
            self.target - acceptance,
            jnp.asarray(False),
            -state.logdensity,
            jnp.asarray(self.thin),
        )


METHODS = {"hmc": HMC, "nuts": NUTS, "mclmc": MCLMC, "rwmh": RandomWalk}
"""The names that `Sampler(method=...)` knows."""


def as_method(method: str | AbstractMethod) -> AbstractMethod:
    """A method from its name, or the method itself."""
    return from_name("method", method, AbstractMethod, METHODS, "synax.NUTS(target=0.9)")

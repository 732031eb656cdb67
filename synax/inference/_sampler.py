"""Several chains advanced in chunks: the state is a PyTree of arrays that can be stored."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt32

from .._checks import integer
from .._shown import Shown
from ._box import standard_latent
from ._competing import competing_gaussians
from ._density import LatentDensity
from ._methods import AbstractMethod, Transition, as_method
from ._tuning import Moments, StepSize
from ._whitened import WhitenedDensity

LEAST_CAPACITY = 64


class SamplerState(eqx.Module):
    """Everything a run needs to go on: chains, key, what was tuned. Arrays only."""

    kernel: Any
    """States of the chains, leading axis `chains`, in whitened coordinates."""
    key: UInt32[Array, "_"]
    """Key data; the key of step k is this one folded with k."""
    step: Int[Array, ""]
    """Transitions done, warm-up included."""
    center: Float[Array, "chains n"]
    root: Float[Array, "chains n n"]
    """Latents of chain i are center[i] + root[i] @ xi: each is whitened for its own maximum."""
    group: Int[Array, " chains"]
    """Number of the maximum where each chain starts."""
    soft: Float[Array, "_"]
    """How bounded parameters are bent (see `boxed`); empty where latents are used as they are."""
    step_size: StepSize
    moments: Moments
    gradients: Int[Array, " chains"]
    """Gradients spent by each chain so far."""


class Chunk(NamedTuple):
    """Consecutive transitions of all chains."""

    latent: Float[Array, "chains n_draws n"]
    stats: dict[str, Array]
    """Each (chains, n_draws)."""
    warmup: bool
    """Whether these are warm-up transitions, to be thrown away."""


class Sampler(Shown):
    """Chains of one method on one posterior.

    ```python
    sampler = synax.Sampler(posterior, method="hmc", chains=4, warmup=100)
    state = sampler.init_state(key)
    for _ in range(8):
        state, chunk = sampler.step_chunk(state, 25)  # state can be stored and resumed from
    ```

    Draws depend on the key and on the number of the transition, not on the sizes of the chunks.

    **Arguments:**

    - `posterior`: a `Posterior`.
    - `method`: 'hmc', 'nuts', 'mclmc', 'rwmh' or a method object.
    - `chains`: run side by side, spread over the devices if their number divides it.
    - `warmup`: transitions for tuning.
    """

    posterior: LatentDensity
    method: AbstractMethod
    chains: int = eqx.field(static=True)
    warmup: int = eqx.field(static=True)

    def __init__(
        self,
        posterior: LatentDensity,
        method: str | AbstractMethod = "hmc",
        chains: int = 4,
        warmup: int = 100,
    ):
        chains, warmup = integer("chains", chains, 1), integer("warmup", warmup, 0)
        self.posterior, self.method = posterior, as_method(method)
        self.chains, self.warmup = chains, warmup
        self.method.check(posterior.size)

    def init_state(
        self,
        key: PRNGKeyArray,
        *,
        start: Any = None,
        center: Any = None,
        root: Any = None,
        group: Any = None,
        soft: Any = None,
    ) -> SamplerState:
        """Whiten the posterior and place the chains.

        **Arguments:**

        - `start`: where to look for the mode (parameter values, latent vector, None for the
          model's values).
        - `center`, `root`: use latent = center + root @ xi instead of the mode and the Fisher
          matrix there: (n,) and (n, n), or one for each chain.
        - `group`: (chains,) number of the maximum of each chain; chains of one share what the
          warm-up learns. Default: all of one.
        - `soft`: these are latents of `boxed(posterior, soft)`.
        """
        if (center is None) != (root is None):
            raise ValueError("center and root must be given together")
        if center is None:
            competing = competing_gaussians(self.posterior, start)
            center, root, group, soft = competing.places(self.chains)
        n, chains = self.posterior.size, self.chains
        center, root = jnp.asarray(center), jnp.asarray(root)
        if center.ndim == 1 and root.ndim == 2:
            center = jnp.broadcast_to(center, (chains, *center.shape))
            root = jnp.broadcast_to(root, (chains, *root.shape))
        soft = jnp.zeros((0,), center.dtype) if soft is None else jnp.asarray(soft)
        group = jnp.zeros((chains,), jnp.int32) if group is None else jnp.asarray(group, jnp.int32)
        if center.shape != (chains, n) or root.shape != (chains, n, n):
            raise ValueError(
                f"center and root must have shapes ({n},) and ({n}, {n}), or these for each of "
                f"{chains} chains, got {center.shape} and {root.shape}"
            )
        place, run = jax.random.split(key)
        state = first_state(self, place, jax.random.key_data(run), center, root, group, soft)
        if not bool(jnp.all(jnp.isfinite(state.kernel.logdensity))):
            raise ValueError("the log density is not finite where the chains start")
        return spread_chains(state, self.chains)

    def step_chunk(self, state: SamplerState, n: int) -> tuple[SamplerState, Chunk]:
        """Advance all chains by `n` > 0 transitions, or up to the end of the warm-up."""
        left = self.warmup - int(state.step)
        n = min(n, left) if left > 0 else n
        # one program for all short chunks, warm-up and draws alike
        capacity = max(LEAST_CAPACITY, 1 << (n - 1).bit_length())
        state, (latent, stats) = _advance(self, state, jnp.asarray(n, jnp.int32), capacity)
        stats = {name: value[:n].T for name, value in stats.items()}
        return state, Chunk(jnp.swapaxes(latent[:n], 0, 1), stats, left > 0)


def spread_chains(state: SamplerState, chains: int) -> SamplerState:
    """Put the chains on all devices, evenly; everything on one where that cannot be."""
    devices = jax.devices()
    if len(devices) == 1 or chains % len(devices):
        return state
    mesh = jax.sharding.Mesh(np.array(devices), ("chains",))
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("chains"))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    placed = jax.tree.map(lambda x: jax.device_put(x, whole), state)
    kernel = jax.tree.map(lambda x: jax.device_put(x, split), state.kernel)
    gradients = jax.device_put(state.gradients, split)
    return eqx.tree_at(lambda s: (s.kernel, s.gradients), placed, (kernel, gradients))


@eqx.filter_jit
def first_state(
    sampler: Sampler,
    key: PRNGKeyArray,
    key_data: UInt32[Array, "_"],
    center: Float[Array, "chains n"],
    root: Float[Array, "chains n n"],
    group: Int[Array, " chains"],
    soft: Float[Array, "_"],
) -> SamplerState:
    n = center.shape[1]
    place, start = jax.random.split(key)
    positions = jax.random.normal(place, center.shape, center.dtype)
    keys = jax.random.split(start, sampler.chains)

    def one(x: Array, key: PRNGKeyArray, center: Array, root: Array) -> Any:
        density = WhitenedDensity(sampler.posterior, soft, center, root)
        return sampler.method.init(density, x, key)

    kernel = jax.vmap(one)(positions, keys, center, root)
    first = jnp.asarray(sampler.method.first_step_size(n), center.dtype)
    return SamplerState(
        kernel,
        key_data,
        jnp.zeros((), jnp.int32),
        center,
        root,
        group,
        soft,
        StepSize.start(first),
        Moments.start(center),
        jnp.ones((sampler.chains,), jnp.int32),
    )


def _rewhiten(state: SamplerState) -> SamplerState:
    """Change coordinates so that the covariance of the warm-up draws becomes the identity."""
    mean, covariance = state.moments.pooled(state.group).covariance()
    factor = jnp.linalg.cholesky(covariance)
    solve = lambda f, x: jax.scipy.linalg.solve_triangular(f, x, lower=True)
    kernel = state.kernel._replace(position=jax.vmap(solve)(factor, state.kernel.position - mean))
    if hasattr(kernel, "logdensity_grad"):
        slope = jnp.einsum("ci,cij->cj", kernel.logdensity_grad, factor)
        kernel = kernel._replace(logdensity_grad=slope)
    return eqx.tree_at(
        lambda s: (s.kernel, s.center, s.root, s.step_size),
        state,
        (
            kernel,
            state.center + jnp.einsum("cij,cj->ci", state.root, mean),
            state.root @ factor,
            StepSize.start(jnp.exp(state.step_size.log_average)),
        ),
    )


@eqx.filter_jit
def _advance(
    sampler: Sampler, state: SamplerState, n: Int[Array, ""], capacity: int
) -> tuple[SamplerState, tuple[Array, dict[str, Array]]]:
    """`n` transitions; what they give fills the first rows of arrays of length `capacity`."""
    shapes = eqx.filter_eval_shape(_transition, sampler, state)[1]
    rows = jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), shapes)

    def body(k: Any, carry: tuple[SamplerState, Any]) -> tuple[SamplerState, Any]:
        state, rows = carry
        state, new = _transition(sampler, state)
        return state, jax.tree.map(lambda row, x: row.at[k].set(x), rows, new)

    return jax.lax.fori_loop(0, n, body, (state, rows))


def _transition(
    sampler: Sampler, state: SamplerState
) -> tuple[SamplerState, tuple[Array, dict[str, Array]]]:
    key = jax.random.wrap_key_data(state.key)
    keys = jax.random.split(jax.random.fold_in(key, state.step), sampler.chains)
    tuned, warm = state.step_size, state.step < sampler.warmup
    step_size = jnp.exp(jnp.where(warm, tuned.log_step, tuned.log_average))

    def move(key: PRNGKeyArray, chain: Any, center: Array, root: Array) -> tuple[Any, Transition]:
        density = WhitenedDensity(sampler.posterior, state.soft, center, root)
        return sampler.method.step(density, key, chain, step_size)

    kernel, report = jax.vmap(move)(keys, state.kernel, state.center, state.root)
    latent = state.center + jnp.einsum("cij,cj->ci", state.root, kernel.position)
    if state.soft.size:
        latent = jax.vmap(lambda z: standard_latent(sampler.posterior, state.soft, z))(latent)
    turn, first = sampler.warmup // 2, sampler.warmup // 10
    moments = state.moments.add(kernel.position, (state.step >= first) & (state.step < turn))
    signal = jnp.mean(report.signal).astype(step_size.dtype)
    moved = tuned.update(signal, sampler.method.largest_step_size)
    tuned = jax.tree.map(lambda new, old: jnp.where(warm, new, old), moved, tuned)
    new = SamplerState(
        kernel,
        state.key,
        state.step + 1,
        state.center,
        state.root,
        state.group,
        state.soft,
        tuned,
        moments,
        state.gradients + report.gradients.astype(jnp.int32),
    )
    if turn > 0:
        new = jax.lax.cond(new.step == turn, _rewhiten, lambda s: s, new)
    return new, (latent, _stats(kernel, report, step_size))


def _stats(kernel: Any, report: Transition, step_size: Array) -> dict[str, Bool[Array, "_"] | Any]:
    return {
        "lp": kernel.logdensity,
        "acceptance_rate": report.acceptance,
        "diverging": report.diverging,
        "energy": report.energy,
        "n_steps": report.gradients,
        "step_size": jnp.broadcast_to(step_size, kernel.logdensity.shape),
    }

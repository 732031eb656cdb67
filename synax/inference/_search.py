"""The search for all maxima of a posterior that matter, from the prior and from a given start."""

import logging
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ._box import bounds
from ._curvature import Mode, NotFinite, find_mode
from ._density import LatentDensity
from ._levels import can_be_masked, levels, masked, roughness
from ._proposals import beyond, near

LOG = logging.getLogger("synax")
SEARCHES = 8
"""Climbs at each level where none are asked for."""
MOST_PARAMETERS = 64
"""Up to so many free numbers, several searches are made without being asked for."""
DRAWS = 128
"""Draws of the prior for each climb."""
PROPOSALS = 64
"""Draws from the Gaussians at the maxima of a level, for each climb at the next."""
SHORT = 8
"""Evaluations of a climb before the last level."""
LONG = 24
"""Evaluations of a climb with all data, before it is known to be promising."""
ROUNDS = 3
"""Rounds of climbs beside the maxima that are known, at most."""
RUNGS = 16
"""Draws of each such round, for each climb of a level."""
STEP = 0.02
"""Distance of the differences that tell the roughness, in standard deviations of the prior."""
NUMBERS = 2**25
"""No more residuals are held at once."""
HOPELESS = 100.0
"""Climbs that are lower than the best by more than this after a while are given up."""
COMPETING = math.log(1e3)
"""Maxima whose evidence is lower than the best one's by more than this are not sampled."""

Latent = Float[np.ndarray, " n_latent"]


class Maxima(NamedTuple):
    """What `find_maxima` found: distinct maxima, the highest first, and what it cost."""

    modes: tuple[Mode, ...]
    climbs: int
    """Climbs with all data; of the first level that counted."""
    evaluations: int
    """Evaluations of value, gradient and curvature."""
    predictions: int
    """Further evaluations of the model alone."""

    @property
    def log_evidences(self) -> Float[np.ndarray, " modes"]:
        """ln of the volume under each maximum, by its Gaussian."""
        return np.array([log_evidence(mode) for mode in self.modes])

    @property
    def shares(self) -> Float[np.ndarray, " modes"]:
        """Shares of the probability, by the Gaussians at all maxima."""
        return shares_of(self.log_evidences)

    @property
    def competing(self) -> tuple[int, ...]:
        """Numbers of the maxima that carry more than a thousandth of the best one's evidence."""
        heights = self.log_evidences
        return tuple(int(i) for i in np.flatnonzero(heights > heights.max() - COMPETING))


def shares_of(log_evidences: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Weights that add up to 1, from logarithms of evidences."""
    weights = np.exp(log_evidences - log_evidences.max())
    return weights / weights.sum()


def log_evidence(mode: Mode) -> float:
    """ln int p(data, latent) d latent under the Gaussian at a maximum."""
    precision = np.asarray(mode.curvature.precision, np.float64)
    sign, determinant = np.linalg.slogdet(precision)
    n = len(precision)
    spread = 0.5 * n * math.log(2.0 * math.pi) - 0.5 * determinant if sign > 0 else -math.inf
    return float(mode.curvature.logdensity) + spread


def searches_for(posterior: LatentDensity, restarts: int | None) -> int:
    """Searches to make: what was asked for, or the default of a posterior of this size.

    **Raises** `ValueError` unless `restarts` is None or an integer that is not negative.
    """
    if restarts is None:
        return SEARCHES if posterior.size <= MOST_PARAMETERS else 0
    if isinstance(restarts, bool) or not isinstance(restarts, int) or restarts < 0:
        raise ValueError(f"restarts must be an integer >= 0, or None, got {restarts!r}")
    return restarts


def find_maxima(
    posterior: LatentDensity,
    first: Any,
    *,
    searches: int = SEARCHES,
    key: PRNGKeyArray | None = None,
    max_steps: int = 150,
) -> Maxima:
    """Climb from `first` and from the most promising of many draws; all maxima, the best first.

    Data are let in by and by, those first that are smooth functions of the parameters (see
    `levels`). At each level the best of all draws so far climb a few steps, and draws from the
    Gaussians where they arrive are what the next level chooses from: what the smooth data leave
    open, the others decide. Then come climbs beside the maxima that are known (see `beyond`), until
    they lead to none that competes. If the climbs from `first` and from four draws of the prior end
    at one place, there is one maximum, and all this is left out.

    **Arguments:**

    - `posterior`: with straight latents (see `boxed`).
    - `first`: a latent of it.
    - `searches`: climbs at each level; 0: only the one from `first`.
    - `key`: default key(0).

    **Reference:** the growing sets of data are those of Chopin 2002, Biometrika 89, 539.
    """
    whole = masked(posterior, np.ones(_residuals_size(posterior), bool)) if searches else posterior
    modes = [find_mode(whole, first, max_steps=max_steps)]
    if searches == 0:
        return Maxima((modes[0],), 1, modes[0].steps, 0)
    LOG.info("searching for the maxima of the posterior: %d climbs from %d draws of the prior",
             searches, DRAWS * searches)  # fmt: skip
    search = _Search(whole, jax.random.key(0) if key is None else key, searches, max_steps)
    for start in search.random_starts(4):
        # two ends are enough to know that there are several
        if not _one_place(modes):
            break
        found = _climb(whole, start, min(30, max_steps))
        modes += [found] if found else []
    evaluations = sum(mode.steps for mode in modes)
    if not _one_place(modes):
        modes += search.run()
        evaluations += search.evaluations
    distinct = _distinct(sorted(modes, key=_height, reverse=True), searches)
    LOG.info("%d distinct maxima from %d climbs", len(distinct), len(modes))
    return Maxima(tuple(distinct), len(modes), evaluations, search.predictions)


class _Search:
    """Draws, their residuals, and the levels: the part of `find_maxima` that has a state."""

    def __init__(self, posterior: LatentDensity, key: PRNGKeyArray, searches: int, max_steps: int):
        self.posterior, self.searches, self.max_steps = posterior, searches, max_steps
        draw_key, seed_key = jax.random.split(key)
        self.rng = np.random.default_rng(np.asarray(jax.random.key_data(seed_key)).tolist())
        low, high = bounds(posterior)
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        most = max(4 * searches, NUMBERS // max(1, _residuals_size(posterior)))
        self.draws = min(DRAWS * searches, most)
        self.proposals = min(PROPOSALS * searches, most)
        keys = jax.random.split(draw_key, self.draws)
        latents = np.asarray(jax.vmap(posterior.sample_prior_latent)(keys), np.float64)
        # the noise keeps its value: draws are compared by their residuals
        self.noise = _is_noise(posterior)
        self.latents = np.where(self.noise, latents[:1], latents)
        self.evaluations, self.predictions = 0, 0

    def random_starts(self, n: int) -> list[Float[Array, " n_latent"]]:
        """The first draws of the prior whose density is finite."""
        residuals = self._residuals(self.latents[: 2 * n])
        finite = np.flatnonzero(np.all(np.isfinite(residuals), axis=1))[:n]
        return [self._as_latent(self.latents[i]) for i in finite]

    def run(self) -> list[Mode]:
        """The maxima of the last level, and those that climbs ended in on the way there."""
        residuals = self._residuals(self.latents)
        steps = levels(self._roughness(residuals), max(16, 4 * self.posterior.size))
        if not can_be_masked(self.posterior.likelihood):
            steps = steps[-1:]
        modes: list[Mode] = []
        for number, use in enumerate(steps):
            last = number == len(steps) - 1
            part = masked(self.posterior, use)
            modes = self._climb(part, residuals[:, use], LONG if last else SHORT, self.searches)
            LOG.info("search: %d of %d data, %d maxima, highest %.6g", use.sum(), use.size,
                     len(modes), _height(modes[0]) if modes else math.nan)  # fmt: skip
            if modes and not last:
                residuals = self._more(near(modes, self.proposals, self.rng), residuals)
        modes = self._beside(modes, residuals)
        return [self._finished(mode, modes[0]) for mode in modes]

    def _beside(self, modes: list[Mode], residuals: Float[np.ndarray, "draws n"]) -> list[Mode]:
        """These maxima and some beside them, looked for until none of the new ones competes."""
        for _ in range(ROUNDS if len(modes) > 1 else 0):
            best, known = modes[0], modes
            new = beyond(modes, RUNGS * self.searches, self.rng)
            # steps are made in the model alone: residuals of one noise can be compared
            new = np.where(self.noise, np.asarray(best.latent, np.float64), new)
            residuals = self._more(new, residuals)
            climbs = max(1, self.searches // 2)
            modes = self._climb(self.posterior, residuals, LONG, climbs, known)
            LOG.info("search: %d maxima, highest %.6g", len(modes), _height(modes[0]))
            added = [_height(mode) for mode in modes if not any(mode is k for k in known)]
            if max(added, default=-math.inf) < _height(best) - COMPETING:
                break
        return modes

    def _more(
        self, new: Float[np.ndarray, "more n_latent"], residuals: Float[np.ndarray, "draws n"]
    ) -> Float[np.ndarray, "all n"]:
        """Adds draws to those that climbs are chosen from; the residuals of all of them."""
        new = np.clip(new, self.low, self.high)
        self.latents = np.concatenate([self.latents, new])
        return np.concatenate([residuals, self._residuals(new)])

    def _finished(self, mode: Mode, best: Mode) -> Mode:
        """The maximum that a climb was on its way to, unless it is far below the best."""
        if mode.converged or _height(mode) < _height(best) - HOPELESS:
            return mode
        found = find_mode(self.posterior, mode.latent, max_steps=self.max_steps)
        self.evaluations += found.steps
        return found

    def _climb(
        self,
        part: Any,
        residuals: Float[np.ndarray, "draws used"],
        max_steps: int,
        climbs: int,
        known: Sequence[Mode] = (),
    ) -> list[Mode]:
        """The known maxima, and those above the best draws that lie at the foot of none of them."""
        with np.errstate(over="ignore", invalid="ignore"):
            score = -0.5 * np.sum(residuals * residuals, axis=1) + self._log_prior()
        score = np.where(np.isfinite(score), score, -np.inf)
        modes = list(known)
        for mode in known:
            score[_close(mode, self.latents, 3.0)] = -np.inf
        for _ in range(climbs):
            i = int(np.argmax(score))
            if score[i] == -np.inf:
                break
            score[i] = -np.inf
            found = _climb(part, self._as_latent(self.latents[i]), max_steps)
            if found is None:
                continue
            self.evaluations += found.steps
            if not any(_close(mode, found.latent, 1.0) for mode in modes):
                modes.append(found)
                score[_close(found, self.latents, 3.0)] = -np.inf
        return sorted(modes, key=_height, reverse=True)

    def _roughness(self, residuals: Float[np.ndarray, "draws n"]) -> Float[np.ndarray, " n"]:
        pairs = min(32 * self.searches, self.draws)
        # differences of two draws have the covariance of the prior
        other = np.roll(self.latents, 1, axis=0) - np.roll(self.latents, 2, axis=0)
        moved = self.latents[:pairs] + STEP / math.sqrt(2.0) * other[:pairs]
        return roughness(residuals, self._residuals(np.clip(moved, self.low, self.high)), STEP)

    def _log_prior(self) -> Float[np.ndarray, " draws"]:
        latents = jnp.asarray(self.latents, self.posterior.dtype)
        return np.asarray(_log_priors(self.posterior, latents), np.float64)

    def _residuals(self, latents: Float[np.ndarray, "draws n_latent"]) -> np.ndarray:
        """Whitened residuals at latents, by one compiled program for any number of them."""
        chunk, found = max(1, min(64, 2**15 // _residuals_size(self.posterior))), []
        for start in range(0, len(latents), 64):
            part = latents[start : start + 64]
            filled = np.concatenate([part, np.repeat(part[-1:], 64 - len(part), axis=0)])
            values = _many_residuals(
                self.posterior, jnp.asarray(filled, self.posterior.dtype), chunk
            )
            found.append(np.asarray(values)[: len(part)])
        self.predictions += len(latents)
        return np.concatenate(found)

    def _as_latent(self, latent: Latent) -> Array:
        return jnp.asarray(latent, self.posterior.dtype)


def _climb(posterior: LatentDensity, start: Array, max_steps: int) -> Mode | None:
    """The maximum above a start, or None where the density of the start is not finite."""
    try:
        return find_mode(posterior, start, max_steps=max_steps)
    except NotFinite:
        return None


def _one_place(modes: list[Mode]) -> bool:
    """Whether climbs have all arrived, at the same place."""
    best = max(modes, key=_height)
    return all(mode.converged and bool(_close(best, mode.latent, 1.0)) for mode in modes)


def _height(mode: Mode) -> float:
    return float(mode.curvature.logdensity)


def _close(mode: Mode, latents: Any, distance: float) -> Bool[np.ndarray, "*draws"]:
    """Whether latents (*draws, n_latent) lie within so many standard deviations of a maximum."""
    gap = np.asarray(latents, np.float64) - np.asarray(mode.latent, np.float64)
    precision = np.asarray(mode.curvature.precision, np.float64)
    return np.asarray(np.sum((gap @ precision) * gap, axis=-1) < distance**2)


def _distinct(modes: list[Mode], most: int) -> list[Mode]:
    """The highest of the climbs that ended together, at most so many, converged or the best."""
    found: list[Mode] = []
    for mode in modes:
        ended = mode.converged or not found
        if ended and not any(_close(mode, other.latent, 1.0) or _close(other, mode.latent, 1.0)
                             for other in found):  # fmt: skip
            found.append(mode)
    return found[:most]


def _residuals_size(posterior: LatentDensity) -> int:
    shape = eqx.filter_eval_shape(
        lambda p: p.residuals(p.constrain(jnp.zeros(p.size, p.dtype))), posterior
    )
    return int(shape.size)


def _is_noise(posterior: LatentDensity) -> np.ndarray:
    """True for the latents of noise parameters."""
    flags = [
        np.full(b.prior.size, all(".noise." in f".{path}" for path in b.paths))
        for b in posterior.blocks
    ]
    return np.concatenate(flags)


@eqx.filter_jit
def _many_residuals(
    posterior: LatentDensity, latents: Float[Array, "draws n_latent"], batch: int
) -> Float[Array, "draws n"]:
    one = lambda latent: posterior.residuals(posterior.constrain(latent))
    return jax.lax.map(one, latents, batch_size=batch)


@eqx.filter_jit
def _log_priors(
    posterior: LatentDensity, latents: Float[Array, "draws n_latent"]
) -> Float[Array, " draws"]:
    return jax.vmap(posterior.log_prior_latent)(latents)

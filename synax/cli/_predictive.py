"""Posterior predictive checks: what the model says of the data, and of data it has not seen."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


class Check(NamedTuple):
    """One data set against the predictions of several draws."""

    name: str
    labels: tuple[str, ...]
    """Name of each row of the data: 'I', 'Q', 'RM', ..."""
    data: np.ndarray
    """(rows, n_rays); NaN where there are none."""
    mean: np.ndarray
    """Mean prediction of the draws."""
    pull: np.ndarray
    """(data - mean) / (noise and spread of the predictions)."""
    used: np.ndarray
    """True where data were used."""
    chi2: np.ndarray
    """chi^2 of the used data for each draw."""
    replicated: np.ndarray
    """chi^2 of mock data of each draw, against that draw."""

    @property
    def p_value(self) -> float:
        """Fraction of draws whose mock data fit worse than the real ones do."""
        return float(np.mean(self.replicated >= self.chi2))


def check(problem: Any, draws: dict[str, np.ndarray], count: int, seed: int) -> list[Check]:
    """All data sets, with `count` draws spread evenly over the chains."""
    posterior = problem.posterior
    flat = {k: v.reshape(-1, *v.shape[2:]) for k, v in draws.items()}
    n = len(next(iter(flat.values())))
    chosen = np.unique(np.linspace(0, n - 1, min(n, count)).astype(int))

    @eqx.filter_jit
    def one(posterior: Any, params: Any, key: Any) -> tuple[Any, Any, Any, Any]:
        model, likelihood = posterior.placed(params)
        predictions = likelihood.predict(model)
        noise, real, fake = {}, [], []
        for k, (name, part) in enumerate(zip(likelihood.names, likelihood.parts, strict=True)):
            predicted = predictions[name]
            noise[name] = part.noise.draw(jax.random.fold_in(key, k), predicted)
            for total, left in ((real, part.data - predicted), (fake, noise[name])):
                total.append(jnp.sum(part.noise.whiten(left, part.mask) ** 2))
        return predictions, noise, real, fake

    keys = jax.random.split(jax.random.key(seed), len(chosen))
    found = [
        one(posterior, {k: v[i] for k, v in flat.items()}, key)
        for i, key in zip(chosen, keys, strict=True)
    ]
    checks = []
    for k, (name, part) in enumerate(
        zip(posterior.likelihood.names, posterior.likelihood.parts, strict=True)
    ):
        predictions = np.stack([np.asarray(f[0][name]) for f in found])
        noise = np.stack([np.asarray(f[1][name]) for f in found])
        data, used = np.asarray(part.data), problem.masks[name]
        if problem.held_out is not None and name in problem.held_out.names:
            held = problem.held_out.parts[problem.held_out.names.index(name)]
            data = np.where(np.asarray(held.mask), np.asarray(held.data), data)
            there = used | np.asarray(held.mask)
        else:
            there = used
        mean = predictions.mean(0)
        sigma = _sigma(part, noise, data)
        pull = np.where(there, (data - mean) / np.hypot(sigma, predictions.std(0)), np.nan)
        labels = getattr(part.observable, "stokes", (part.observable.label,))
        rows = lambda a, n=len(labels): np.asarray(a, float).reshape(n, -1)
        checks.append(
            Check(
                name, tuple(labels), rows(np.where(there, data, np.nan)), rows(mean), rows(pull),
                rows(used).astype(bool), np.array([float(f[2][k]) for f in found]),
                np.array([float(f[3][k]) for f in found]),
            )
        )  # fmt: skip
    return checks


def _sigma(part: Any, noise: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise of every datum."""
    if hasattr(part.noise, "variance"):
        return np.sqrt(np.asarray(part.noise.variance(part.data)))
    return np.broadcast_to(np.sqrt((noise**2).mean()), data.shape)

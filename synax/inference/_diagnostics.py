"""Have the chains converged? Numbers, and plain words when they have not."""

import json
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from .._checks import warn
from ._results import arviz_module

MOST = 2000
APART = 4.0
"""Chains whose means differ by more than so many of their standard deviations sit apart."""


class ConvergenceWarning(UserWarning):
    """The draws do not represent the posterior well enough."""


class Diagnosis(NamedTuple):
    """What `diagnose` found. `str()` of it is the printed table."""

    labels: tuple[str, ...]
    mean: Float[np.ndarray, " n"]
    deviation: Float[np.ndarray, " n"]
    bulk: Float[np.ndarray, " n"]
    """Effective number of draws for means (bulk ESS)."""
    tail: Float[np.ndarray, " n"]
    """Effective number of draws for the 5 % and 95 % quantiles (tail ESS)."""
    rhat: Float[np.ndarray, " n"]
    """Rank-normalised split R-hat; NaN for a single chain."""
    divergences: int
    bfmi: float
    """Smallest of the chains; NaN where the method has no energy."""
    gradients_per_draw: float
    gradients: int
    """Gradients of all chains, warm-up not counted."""
    warmup_gradients: int
    """Gradients of all chains and of the search for the mode, before the first draw."""
    warnings: tuple[str, ...]

    @property
    def ess_per_gradient(self) -> float:
        """Smallest bulk ESS divided by the gradients of all chains after warm-up."""
        return float(np.min(self.bulk)) / self.gradients if self.gradients else math.nan

    def __str__(self) -> str:
        width = max(9, *map(len, self.labels))
        lines = [
            f"{'parameter':<{width}} {'mean':>13} {'sd':>11} {'ESS bulk':>9} {'ESS tail':>9} "
            f"{'R-hat':>7}"
        ]
        rows = zip(
            self.labels, self.mean, self.deviation, self.bulk, self.tail, self.rhat, strict=True
        )
        for label, mean, deviation, bulk, tail, rhat in rows:
            lines.append(
                f"{label:<{width}} {mean:>13.6g} {deviation:>11.3g} {bulk:>9.0f} {tail:>9.0f} "
                f"{rhat:>7.4f}"
            )
        lines.append(
            f"divergences {self.divergences}, BFMI {self.bfmi:.2f}, gradients per draw "
            f"{self.gradients_per_draw:.2f}, min ESS per gradient {self.ess_per_gradient:.3f}, "
            f"warm-up gradients {self.warmup_gradients}"
        )
        return "\n".join([*lines, *(f"WARNING: {text}" for text in self.warnings)])


def _columns(data: Any) -> tuple[tuple[str, ...], Float[np.ndarray, "chains draws n"]]:
    labels, columns = [], []
    for name, variable in data.posterior.data_vars.items():
        values = np.asarray(variable, np.float64)
        flat = values.reshape(*values.shape[:2], -1)
        single = values.ndim == 2
        labels += [name] if single else [f"{name}[{i}]" for i in range(flat.shape[2])]
        columns.append(flat)
    table = np.concatenate(columns, axis=2)
    if table.shape[2] > MOST:
        keep = np.linspace(0, table.shape[2] - 1, MOST).astype(int)
        labels, table = [labels[i] for i in keep], table[:, :, keep]
    return tuple(labels), table


def assess(data: Any) -> Diagnosis:
    """Diagnostics of ArviZ data, without printing (see `diagnose`)."""
    az = arviz_module()
    labels, table = _columns(data)
    chains, draws, n = table.shape
    per_column = lambda f: np.array([float(f(table[:, :, i])) for i in range(n)])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        bulk = per_column(lambda x: az.ess(x, method="bulk"))
        tail = per_column(lambda x: az.ess(x, method="tail"))
        rank = lambda x: az.rhat(x, method="rank")
        rhat = per_column(rank) if chains > 1 else np.full(n, math.nan)
    stats, attributes = data.sample_stats, data.sample_stats.attrs
    method = str(attributes.get("method", ""))
    independent = attributes.get("independent_ess")
    if independent is not None:
        # resampled independent draws: what counts is the spread of their weights
        bulk = tail = np.full(n, float(independent))
    divergences = int(np.sum(stats["diverging"])) if "diverging" in stats else 0
    bfmi = math.nan
    if method in ("nuts", "hmc"):
        bfmi = float(np.min(az.bfmi(np.asarray(stats["energy"]))))
    steps = np.asarray(stats["n_steps"]) if "n_steps" in stats else np.zeros((chains, draws))
    found = Diagnosis(
        labels,
        table.mean((0, 1)),
        table.std((0, 1)),
        bulk,
        tail,
        rhat,
        divergences,
        bfmi,
        float(steps.mean()),
        int(steps.sum()),
        int(attributes.get("warmup_gradients", 0)),
        (),
    )
    complaints = _complaints(found, chains, draws)
    complaints += _modes(attributes, labels, table, stats)
    chi2 = float(attributes.get("reduced_chi2", 1.0))
    if chi2 > 3.0:
        complaints.append(
            f"the best fit misses the data by {math.sqrt(chi2):.3g} times the noise (rms): a local "
            "maximum, a model that cannot fit, or noise stated too small; try other starts"
        )
    return found._replace(warnings=tuple(complaints))


def _modes(attributes: Any, labels: Any, table: np.ndarray, stats: Any) -> list[str]:
    """Maxima that compete, by the search before the chains, and chains that sit apart."""
    words = []
    maxima = json.loads(attributes.get("maxima", "[]"))
    rivals = [m for m in maxima if m["share"] > 1e-3]
    chains = attributes.get("method") not in ("laplace", "nested")
    if len(rivals) > 1 and chains:
        top = rivals[0]["ln_density"]
        heights = ", ".join(f"{m['ln_density'] - top:+.1f}" for m in rivals[1:])
        shares = ", ".join(f"{m['share']:.2g}" for m in rivals)
        places = ", ".join(str(m["chains"]) for m in rivals)
        words.append(
            f"{len(rivals)} maxima compete: ln p of the others is {heights} from the highest, and "
            f"their Gaussians hold {shares} of the probability. They were given {places} chains, "
            "which may never cross: how much each weighs among the draws is then not known from "
            "the chains; method='laplace' weighs maxima, and so does 'nested'"
        )
    apart = _apart(table)
    if apart is not None:
        column, groups = apart
        lp = np.asarray(stats["lp"]).mean(1) if "lp" in stats else None
        said = " and ".join(
            f"chains {', '.join(str(i) for i in g)} at {table[g][:, :, column].mean():.4g}"
            + ("" if lp is None else f" (mean ln p {lp[g].mean():.1f})")
            for g in groups
        )
        words.append(f"chains sit in different modes: {labels[column]} of {said}")
    return words


def _apart(table: Float[np.ndarray, "chains draws n"]) -> tuple[int, list[list[int]]] | None:
    """The parameter that parts the chains most clearly and the groups that it makes, if any."""
    if table.shape[0] < 2:
        return None
    means, spread = table.mean(1), np.sqrt(table.var(1).mean(0))
    order = np.argsort(means, axis=0)
    ordered = np.take_along_axis(means, order, axis=0)
    gaps = ordered[1:] - ordered[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = np.where(gaps > 0.0, np.inf, 0.0)
        relative = np.where(spread > 0.0, gaps / spread, flat)
    column = int(np.argmax(relative.max(0)))
    cuts = np.flatnonzero(relative[:, column] > APART)
    if not cuts.size:
        return None
    return column, [[int(i) for i in g] for g in np.split(order[:, column], cuts + 1)]


def _complaints(found: Diagnosis, chains: int, draws: int) -> list[str]:
    words = []
    name = lambda i: found.labels[int(i)]
    if not np.all(np.isfinite(found.mean)):
        return ["some draws are not finite: the log density or its gradient is broken somewhere"]
    if chains > 1 and not np.all(found.rhat <= 1.01):
        worst = np.nanargmax(np.where(np.isnan(found.rhat), np.inf, found.rhat))
        words.append(
            f"the chains disagree (R-hat {found.rhat[worst]:.3f} for {name(worst)}, should be at "
            "most 1.01): they have not converged, or sit in different modes; run longer, or start "
            "elsewhere"
        )
    least = 100 * chains
    for which, values in (("means", found.bulk), ("tails", found.tail)):
        if np.min(values) < least:
            worst = np.argmin(values)
            words.append(
                f"only {values[worst]:.0f} effective draws for the {which} of {name(worst)} "
                f"(should be at least {least}): errors on them are large; draw more"
            )
    if found.divergences:
        words.append(
            f"{found.divergences} of {chains * draws} trajectories diverged: the posterior has "
            "corners that the sampler cannot enter; raise the target acceptance or reparametrise"
        )
    if found.bfmi < 0.3:
        words.append(
            f"BFMI is {found.bfmi:.2f} (should be at least 0.3): the tails are explored too "
            "slowly; reparametrise"
        )
    return words


def diagnose(data: Any, *, verbose: bool = True) -> Diagnosis:
    """Print a table of diagnostics for draws, and say in plain words what is wrong.

    **Arguments:**

    - `data`: ArviZ `InferenceData` from `synax.sample`.
    - `verbose`: print the table.

    **Returns** a `Diagnosis`. Emits a `ConvergenceWarning` for each complaint.

    **Reference:** Vehtari et al. 2021, Bayesian Analysis 16, 667 (R-hat, ESS, their limits);
    Betancourt 2016, arXiv:1604.00695 (BFMI).
    """
    found = assess(data)
    if verbose:
        print(found)
    for text in found.warnings:
        warn(text, ConvergenceWarning)
    return found

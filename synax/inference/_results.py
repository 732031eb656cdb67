"""Draws as ArviZ data."""

import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._density import LatentDensity
from ._draws import Columns

BATCH = 256


def arviz_module() -> Any:
    """ArviZ, without the notice about its coming major version.

    ArviZ notes the day of this notice in the user's cache folder, and cannot be imported where that
    cannot be written: it then gets another one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import arviz
        except OSError:
            with _cache_elsewhere():
                import arviz

    return arviz


@contextmanager
def _cache_elsewhere() -> Iterator[None]:
    import platformdirs  # pyright: ignore[reportMissingImports]

    usual = platformdirs.user_cache_dir
    with tempfile.TemporaryDirectory(prefix="synax-") as folder:
        platformdirs.user_cache_dir = lambda *_, **__: folder
        try:
            yield
        finally:
            platformdirs.user_cache_dir = usual


@eqx.filter_jit
def _constrained(posterior: LatentDensity, latent: Float[Array, "n n_latent"]) -> dict[str, Array]:
    return jax.lax.map(posterior.constrain, latent, batch_size=BATCH)


def constrain_draws(posterior: LatentDensity, latent: Any) -> dict[str, np.ndarray]:
    """Parameter values of latents (chains, n_draws, n_latent): each (chains, n_draws, *shape)."""
    latent = jnp.asarray(latent)
    chains, draws, n = latent.shape
    values = _constrained(posterior, latent.reshape(chains * draws, n))
    return {p: np.asarray(v).reshape(chains, draws, *v.shape[1:]) for p, v in values.items()}


def to_inference_data(
    posterior: LatentDensity, latent: Any, stats: Columns, attributes: Mapping[str, object]
) -> Any:
    """ArviZ `InferenceData` from latents (chains, n_draws, n_latent) and statistics.

    Groups: `posterior` (one variable for each free parameter, in its own units) and
    `sample_stats`. `attributes` are stored with `sample_stats` (dicts as JSON).
    """
    az = arviz_module()
    stats = {name: np.asarray(value) for name, value in stats.items()}
    data = az.from_dict(posterior=constrain_draws(posterior, latent), sample_stats=stats)
    plain = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in attributes.items()}
    data.sample_stats.attrs.update(plain)
    return data

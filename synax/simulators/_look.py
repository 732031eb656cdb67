"""A look at few sightlines before the march: what fields of one's own are there."""

import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import warn
from ..fields._field import AbstractField
from ..sightlines._sightlines import Sightlines
from ._sampled import sampled_fields

QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Options of the compiler for what is computed once, on few sightlines."""
TOLERATED_DIP = 0.01
"""How far a density may fall below 0, over its largest value, of which nothing is said: a cubic
interpolation swings."""
_CELLS, _FEW = 48, 16


def is_published(field: AbstractField) -> bool:
    """Whether it is a published model of the Galaxy: no grid, no field of one's own."""
    info = getattr(field, "info", None)
    return info is not None and not info.toy


def divided(fields: Any) -> bool:
    """Whether parts lie on several devices: the sightlines looked at are on one."""
    arrays = (x for x in jax.tree.leaves(fields) if isinstance(x, jax.Array))
    return any(len(x.sharding.device_set) > 1 for x in arrays)


def some(rays: Sightlines, n: int = 64) -> Sightlines:
    """At most `n` of the sightlines, on one device."""
    count = min(n, rays.n_rays)
    return rays.take(np.linspace(0, rays.n_rays - 1, count).astype(int))


def points(rays: Sightlines) -> tuple[Float[Array, "3 n_points n_rays"], Float[Array, " n_rays"]]:
    """Near ends, middles of equal cells behind them, and the length of the cells."""
    near, far = rays.span()
    length = (far - near) / _CELLS
    middles = (jnp.arange(_CELLS) + 0.5)[:, None] * length
    distance = near + jnp.concatenate([jnp.zeros_like(length)[None], middles])
    return rays.origin[:, None] + distance * rays.direction[:, None], length


def warn_of_negative(densities: Mapping[str, AbstractField], rays: Sightlines) -> None:
    """Warn (`synax.SynaxWarning`) of densities below 0, by the names of the arguments.

    At most 16 sightlines are looked at: it is done at each call. Published models, and fields that
    are known along the rays only, are left alone.
    """
    for name, field in densities.items():
        if is_published(field) or sampled_fields(field) or divided(field):
            continue
        lowest, highest = map(float, _extremes(field, some(rays, _FEW)))
        if lowest < 0.0 and lowest < -TOLERATED_DIP * highest:
            warn(
                f"{name} ({type(field).__name__}): a density cannot be negative, and this falls "
                f"to {lowest:.3g} cm^-3 on the sightlines: look at the signs of factors, or give a "
                "grid jax.numpy.maximum(values, 0)"
            )


@functools.partial(eqx.filter_jit, compiler_options=QUICKLY)
def _extremes(field: AbstractField, rays: Sightlines) -> tuple[Array, Array]:
    position, length = points(rays)
    value = jnp.broadcast_to(field.prepare()(position), position.shape[1:])
    value = jnp.where(length > 0, value, 0.0)
    return jnp.min(value), jnp.max(value)
